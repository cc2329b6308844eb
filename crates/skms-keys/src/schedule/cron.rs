//! Five fields that name minutes, as crontab(5) of Vixie's cron has them, and
//! stricter: what reads like a mistake is refused instead of guessed at.
//!
//! What is kept is which minutes, hours, days, months and weekdays are named,
//! and whether each of the two day fields begins with a star: that decides
//! whether a day has to be in both or in one of them. So two ways to write one
//! schedule are equal, and are shown in one way.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The longest text that is read.
const MAX_LEN: usize = 256;

/// What may stand in one of the fields.
struct Range {
    first: u32,
    last: u32,
    /// Names of its values from the first on.
    names: &'static [&'static str],
}

const MINUTES: Range = Range {
    first: 0,
    last: 59,
    names: &[],
};
const HOURS: Range = Range {
    first: 0,
    last: 23,
    names: &[],
};
const DAYS: Range = Range {
    first: 1,
    last: 31,
    names: &[],
};
const MONTHS: Range = Range {
    first: 1,
    last: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
/// Sunday is 0 and 7.
const WEEKDAYS: Range = Range {
    first: 0,
    last: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun"],
};
const SUNDAY: u32 = 0;
const SUNDAY_TOO: u32 = 7;

/// The most days that each month has.
const LENGTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// The values that a field names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Field {
    values: u64,
    /// It is a star, with a step or without.
    star: bool,
}

/// Minutes that come again and again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cron {
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

fn wrong<T>(why: &'static str) -> Result<T> {
    Err(Error::InvalidSchedule(why))
}

impl FromStr for Cron {
    type Err = Error;

    /// Reads five fields, or `@yearly`, `@monthly`, `@weekly`, `@daily` or
    /// `@hourly`.
    fn from_str(text: &str) -> Result<Self> {
        if text.len() > MAX_LEN {
            return wrong("it is longer than 256 bytes");
        }
        let text = text.trim_ascii();
        let fields = match text.strip_prefix('@') {
            Some(word) => by_name(word)?,
            None => text,
        };
        let mut fields = fields.split_ascii_whitespace();
        let mut next = |range: &Range| match fields.next() {
            Some(text) => Field::read(text, range),
            None => wrong("it needs five fields: minute, hour, day of month, month, day of week"),
        };
        let mut cron = Self {
            minutes: next(&MINUTES)?,
            hours: next(&HOURS)?,
            days: next(&DAYS)?,
            months: next(&MONTHS)?,
            weekdays: next(&WEEKDAYS)?,
        };
        if fields.next().is_some() {
            return wrong(
                "it has more than five fields: minute, hour, day of month, month, day of week",
            );
        }
        if cron.weekdays.has(SUNDAY_TOO) {
            cron.weekdays.values |= 1 << SUNDAY;
            cron.weekdays.values &= !(1 << SUNDAY_TOO);
        }
        if !cron.can_happen() {
            return wrong("none of its months has such a day");
        }
        Ok(cron)
    }
}

fn by_name(word: &str) -> Result<&'static str> {
    Ok(match word.to_ascii_lowercase().as_str() {
        "yearly" | "annually" => "0 0 1 1 *",
        "monthly" => "0 0 1 * *",
        "weekly" => "0 0 * * 0",
        "daily" | "midnight" => "0 0 * * *",
        "hourly" => "0 * * * *",
        "reboot" => return wrong("a schedule has times, and @reboot is none"),
        _ => return wrong("known names are @yearly, @monthly, @weekly, @daily and @hourly"),
    })
}

impl Field {
    fn read(text: &str, range: &Range) -> Result<Self> {
        if let Some(rest) = text.strip_prefix('*') {
            let step = match rest.strip_prefix('/') {
                Some(step) => read_step(step)?,
                None if rest.is_empty() => 1,
                None => return wrong("a star stands alone or before a step, as in */15"),
            };
            return Ok(Self {
                values: stepped(range.first, range.highest(), step),
                star: true,
            });
        }
        let mut values = 0;
        for item in text.split(',') {
            values |= read_item(item, range)?;
        }
        Ok(Self {
            values,
            star: false,
        })
    }

    const fn has(self, value: u32) -> bool {
        self.values & (1 << value) != 0
    }

    fn write(self, range: &Range, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (range.first, range.highest());
        if self.star {
            let step = (1..=last + 1).find(|step| stepped(first, last, *step) == self.values);
            return match step {
                Some(1) | None => f.write_str("*"),
                Some(step) => write!(f, "*/{step}"),
            };
        }
        let mut from = first;
        let mut comma = "";
        while let Some(start) = (from..=last).find(|value| self.has(*value)) {
            let end = (start..=last)
                .take_while(|value| self.has(*value))
                .last()
                .unwrap_or(start);
            f.write_str(comma)?;
            match end - start {
                0 => write!(f, "{start}")?,
                1 => write!(f, "{start},{end}")?,
                _ => write!(f, "{start}-{end}")?,
            }
            comma = ",";
            from = end + 1;
        }
        Ok(())
    }
}

impl Range {
    /// The last value that is one of its own: 7 is another word for Sunday.
    fn highest(&self) -> u32 {
        self.last.min(if self.last == SUNDAY_TOO { 6 } else { 59 })
    }

    fn value(&self, text: &str) -> Result<u32> {
        let named = self
            .names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text))
            .and_then(|place| u32::try_from(place).ok());
        let value = match named {
            Some(place) => self.first + place,
            None => read_number(text)?,
        };
        if value < self.first || value > self.last {
            return wrong("a value is not one that its field has");
        }
        Ok(value)
    }
}

fn read_number(text: &str) -> Result<u32> {
    let digits = !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits => Ok(number),
        _ => wrong("a value is a number of one or two digits, or the name of a month or weekday"),
    }
}

fn read_step(text: &str) -> Result<u32> {
    match read_number(text)? {
        0 => wrong("a step is at least 1"),
        step => Ok(step),
    }
}

/// A value, a range, or a range with a step.
fn read_item(item: &str, range: &Range) -> Result<u64> {
    let (span, step) = match item.split_once('/') {
        Some((span, step)) => (span, Some(read_step(step)?)),
        None => (item, None),
    };
    if span.starts_with('*') {
        return wrong("a star stands alone or before a step, as in */15");
    }
    let Some((from, to)) = span.split_once('-') else {
        return match step {
            Some(_) => wrong("a step needs a range before it, as in 10-50/20 or */15"),
            None => Ok(1 << range.value(span)?),
        };
    };
    let (from, mut to) = (range.value(from)?, range.value(to)?);
    // The name of Sunday ends a week as well as it begins one.
    if range.last == SUNDAY_TOO && to == SUNDAY && from > SUNDAY {
        to = SUNDAY_TOO;
    }
    if to < from {
        return wrong("a range ends before it begins");
    }
    Ok(stepped(from, to, step.unwrap_or(1)))
}

fn stepped(from: u32, to: u32, step: u32) -> u64 {
    let step = usize::try_from(step.max(1)).unwrap_or(1);
    (from..=to)
        .step_by(step)
        .fold(0, |values, value| values | 1 << value)
}

impl Cron {
    /// Whether one of its months has one of its days. Where a weekday will do,
    /// there is always one; and every date falls on every weekday some year.
    fn can_happen(&self) -> bool {
        let months = (1..)
            .zip(LENGTHS)
            .filter(|(month, _)| self.months.has(*month));
        let mut has_day = months.map(|(_, length)| (1..=length).any(|day| self.days.has(day)));
        !self.needs_both_days() || has_day.any(|has| has)
    }

    /// crontab(5): where both day fields are restricted, that is do not begin
    /// with a star, one of them is enough.
    const fn needs_both_days(&self) -> bool {
        self.days.star || self.weekdays.star
    }

    pub(super) const fn month(&self, month: u32) -> bool {
        self.months.has(month)
    }

    pub(super) const fn day(&self, day: u32, weekday: u32) -> bool {
        let (by_day, by_weekday) = (self.days.has(day), self.weekdays.has(weekday));
        if self.needs_both_days() {
            by_day && by_weekday
        } else {
            by_day || by_weekday
        }
    }

    pub(super) fn hours(&self) -> impl Iterator<Item = u32> + use<> {
        let field = self.hours;
        (HOURS.first..=HOURS.last).filter(move |hour| field.has(*hour))
    }

    pub(super) fn minutes(&self) -> impl Iterator<Item = u32> + use<> {
        let field = self.minutes;
        (MINUTES.first..=MINUTES.last).filter(move |minute| field.has(*minute))
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.minutes.write(&MINUTES, f)?;
        f.write_str(" ")?;
        self.hours.write(&HOURS, f)?;
        f.write_str(" ")?;
        self.days.write(&DAYS, f)?;
        f.write_str(" ")?;
        self.months.write(&MONTHS, f)?;
        f.write_str(" ")?;
        self.weekdays.write(&WEEKDAYS, f)
    }
}
