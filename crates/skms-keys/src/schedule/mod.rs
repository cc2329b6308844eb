//! Schedules: minutes of the clock on the wall somewhere, as instants.
//!
//! Where clocks are put forward, times that do not exist are the first instant
//! after the gap. Where they are put back, times that exist twice are the
//! first. So every time of a schedule happens once, whatever is done with the
//! clocks.

mod cron;
mod zone;

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::error::Result;
use crate::time::UnixSeconds;

pub use cron::Cron;
pub use zone::Zone;

/// How many years ahead a time is looked for. The rarest days are those of
/// 29 February that are on a certain weekday: up to 40 years apart.
const MAX_YEARS: i16 = 60;

/// Minutes that come again and again in a time zone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Schedule {
    /// Which minutes.
    pub cron: Cron,
    /// Where the clock hangs.
    pub zone: Zone,
}

impl Schedule {
    /// The schedule that `cron` writes, in the zone called `zone` or UTC.
    ///
    /// # Errors
    /// [`crate::Error::InvalidSchedule`] for what cannot be read, a day that
    /// never comes, or a zone that is not known.
    pub fn read(cron: &str, zone: Option<&str>) -> Result<Self> {
        Ok(Self {
            cron: cron.parse()?,
            zone: zone.map_or(Ok(Zone::UTC), str::parse)?,
        })
    }

    /// The first of its times after `after`; [`UnixSeconds::NEVER`] where that
    /// is beyond what calendars here reach.
    #[must_use]
    pub fn next_after(&self, after: UnixSeconds) -> UnixSeconds {
        self.find(after).unwrap_or(UnixSeconds::NEVER)
    }

    fn find(&self, after: UnixSeconds) -> Option<UnixSeconds> {
        let zone = self.zone.rules();
        let here = zone.to_datetime(Timestamp::from_second(after.0).ok()?);
        // A day earlier: where clocks go back over midnight, times of the new
        // day may come before ones of the old.
        let mut day = here.date().yesterday().ok()?;
        let last = day.year().saturating_add(MAX_YEARS);
        while day.year() <= last {
            if !self.cron.month(small(day.month())) {
                day = day.last_of_month().tomorrow().ok()?;
                continue;
            }
            let weekday = small(day.weekday().to_sunday_zero_offset());
            if self.cron.day(small(day.day()), weekday)
                && let Some(at) = self.on(day, &zone, after)
            {
                return Some(at);
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// The first of its times on a day that is after `after`.
    fn on(&self, day: Date, zone: &TimeZone, after: UnixSeconds) -> Option<UnixSeconds> {
        // Times of the day are in order as instants, too.
        for hour in self.cron.hours() {
            for minute in self.cron.minutes() {
                let at = day.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0);
                let at = instant(at, zone)?;
                if at > after {
                    return Some(at);
                }
            }
        }
        None
    }
}

/// When the clock on the wall shows a time, for the first time or instead.
fn instant(at: DateTime, zone: &TimeZone) -> Option<UnixSeconds> {
    let instant = match zone.to_ambiguous_timestamp(at).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(at).ok()?,
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(at).ok()?,
        AmbiguousOffset::Gap { before, .. } => {
            let beyond = before.to_timestamp(at).ok()?;
            let just_after = Timestamp::from_second(beyond.as_second().checked_add(1)?).ok()?;
            let gap = zone.preceding(just_after).next();
            gap.map_or(beyond, |gap| gap.timestamp())
        }
    };
    Some(UnixSeconds(instant.as_second()))
}

fn small(number: i8) -> u32 {
    u32::from(number.unsigned_abs())
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.cron, self.zone)
    }
}
