//! Instants on the wire: RFC 3339, UTC, whole seconds or milliseconds.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::encoding::{TextVisitor, string_schema};
use crate::{Error, Result};

/// The last instant RFC 3339 can write: 9999-12-31T23:59:59.999Z.
const LAST_MS: i64 = 253_402_300_799_999;
const DAY_SECONDS: i64 = 86_400;

/// An instant between 1970 and 9999, to the millisecond. Written in UTC with
/// `Z`; an offset is understood when read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// From seconds since 1970-01-01T00:00:00Z; values out of range are
    /// brought to the nearest end of it.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self::from_unix_ms(seconds.saturating_mul(1000))
    }

    /// From milliseconds since 1970-01-01T00:00:00Z, brought into range.
    pub fn from_unix_ms(ms: i64) -> Self {
        Self(ms.clamp(0, LAST_MS))
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, fractions dropped.
    pub fn unix_seconds(self) -> i64 {
        self.0 / 1000
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_ms(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.unix_seconds();
        let (year, month, day) = civil_from_days(seconds / DAY_SECONDS);
        let of_day = seconds % DAY_SECONDS;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
            of_day / 3600,
            of_day / 60 % 60,
            of_day % 60
        )?;
        match self.0 % 1000 {
            0 => f.write_str("Z"),
            ms => write!(f, ".{ms:03}Z"),
        }
    }
}

impl FromStr for Moment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bytes = text.as_bytes();
        let (head, tail) = bytes
            .split_at_checked(19)
            .ok_or(Error::Moment("write it as 2030-01-31T12:00:00Z"))?;
        let shape = b"dddd-dd-ddTdd:dd:dd";
        let fits = head.iter().zip(shape).all(|(&have, &want)| match want {
            b'd' => have.is_ascii_digit(),
            b'T' => matches!(have, b'T' | b't'),
            other => have == other,
        });
        if !fits {
            return Err(Error::Moment("write it as 2030-01-31T12:00:00Z"));
        }
        let (year, month, day) = (
            number(&head[..4]),
            number(&head[5..7]),
            number(&head[8..10]),
        );
        let (hour, minute, second) = (
            number(&head[11..13]),
            number(&head[14..16]),
            number(&head[17..19]),
        );
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return Err(Error::Moment("there is no such day"));
        }
        // A leap second has no Unix time of its own.
        if hour > 23 || minute > 59 || second > 59 {
            return Err(Error::Moment("there is no such time of day"));
        }
        let (ms, zone) = fraction_ms(tail)?;
        let offset_seconds = offset(zone)?;
        let seconds =
            days_from_civil(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second
                - offset_seconds;
        let total = seconds * 1000 + ms;
        if !(0..=LAST_MS).contains(&total) {
            return Err(Error::Moment("it must lie between 1970 and 9999"));
        }
        Ok(Self(total))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor {
            expecting: "an RFC 3339 instant",
            parse: Self::from_str,
        })
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        string_schema("An instant (RFC 3339, UTC)", Some("date-time")).into()
    }
}

impl ToSchema for Moment {
    fn name() -> Cow<'static, str> {
        "Moment".into()
    }
}

fn number(digits: &[u8]) -> i64 {
    digits
        .iter()
        .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}

/// Reads `.123` if present; digits past the third are dropped.
fn fraction_ms(tail: &[u8]) -> Result<(i64, &[u8])> {
    let Some(rest) = tail.strip_prefix(b".") else {
        return Ok((0, tail));
    };
    let length = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if length == 0 || length > 9 {
        return Err(Error::Moment("a fraction has one to nine digits"));
    }
    let (digits, zone) = rest.split_at(length);
    let ms = (0..3).fold(0, |value, place| {
        value * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0'))
    });
    Ok((ms, zone))
}

/// Seconds east of UTC.
fn offset(zone: &[u8]) -> Result<i64> {
    match zone {
        b"Z" | b"z" => Ok(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2]
            if [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()) =>
        {
            let (hours, minutes) = (number(&[*h1, *h2]), number(&[*m1, *m2]));
            if hours > 23 || minutes > 59 {
                return Err(Error::Moment("there is no such offset"));
            }
            let seconds = hours * 3600 + minutes * 60;
            Ok(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => Err(Error::Moment(
            "it must end in Z or an offset such as +01:00",
        )),
    }
}

fn leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date; years are counted
/// from March, so that the leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799_000),
            ("2026-11-24T21:47:13.250Z", 1_795_556_833_250),
            ("9999-12-31T23:59:59.999Z", LAST_MS),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.unix_ms(), ms, "{text}");
            assert_eq!(moment.to_string(), text);
        }
    }

    #[test]
    fn every_day_round_trips() {
        for day in 0..=LAST_MS / 1000 / DAY_SECONDS {
            let (year, month, dom) = civil_from_days(day);
            assert_eq!(days_from_civil(year, month, dom), day);
        }
    }

    #[test]
    fn offsets_and_fractions_are_understood() {
        let utc: Moment = "2030-01-01T00:30:00Z".parse().unwrap();
        for same in [
            "2030-01-01T01:30:00+01:00",
            "2029-12-31t23:30:00.000000000-01:00",
        ] {
            assert_eq!(same.parse::<Moment>().unwrap(), utc, "{same}");
        }
    }

    #[test]
    fn refuses_what_is_not_an_instant() {
        for bad in [
            "",
            "2030-01-01",
            "2030-01-01T00:00:00",
            "2030-01-01 00:00:00Z",
            "2030-02-29T00:00:00Z",
            "2030-13-01T00:00:00Z",
            "2030-00-10T00:00:00Z",
            "2030-01-00T00:00:00Z",
            "2030-01-01T24:00:00Z",
            "2030-01-01T00:60:00Z",
            "2030-01-01T00:00:60Z",
            "2030-01-01T00:00:00.Z",
            "2030-01-01T00:00:00+24:00",
            "2030-01-01T00:00:00+0100",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59-01:00",
            "2030-01-01T00:00:00ZZ",
            "\u{663}030-01-01T00:00:00Z",
        ] {
            assert!(bad.parse::<Moment>().is_err(), "{bad:?}");
        }
    }
}
