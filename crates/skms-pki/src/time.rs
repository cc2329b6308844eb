//! Moments in whole seconds, and their two DER encodings.

use std::fmt;

use crate::error::Parse;
use crate::parse::cursor::{Cursor, tag};

/// A moment: seconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// Certificates know nothing finer: a caller with fractions of a second drops
/// them, so that the last second of a validity period is valid to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

/// A moment and how it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) moment: Moment,
    /// RFC 5280, section 4.1.2.5: through 2049 UTCTime is used, then
    /// GeneralizedTime.
    pub(crate) conforms: bool,
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn number(digits: &[u8]) -> Parse<i64> {
    digits.iter().try_fold(0i64, |sum, digit| {
        digit
            .is_ascii_digit()
            .then(|| sum * 10 + i64::from(digit - b'0'))
            .ok_or("a time with other than digits")
    })
}

fn moment(year: i64, rest: &[u8]) -> Parse<Moment> {
    let [m1, m2, d1, d2, h1, h2, n1, n2, s1, s2, b'Z'] = *rest else {
        return Err("a time not of the one form that is allowed");
    };
    let month = number(&[m1, m2])?;
    let day = number(&[d1, d2])?;
    let hour = number(&[h1, h2])?;
    let minute = number(&[n1, n2])?;
    let second = number(&[s1, s2])?;
    let exists = (1..=12).contains(&month)
        && (1..=month_days(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !exists {
        return Err("a time that does not exist");
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Ok(Moment(seconds))
}

fn utc(value: &[u8]) -> Parse<Moment> {
    //= https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5.1
    //# Where YY is greater than or equal to 50, the year SHALL be
    //# interpreted as 19YY; and
    //# Where YY is less than 50, the year SHALL be interpreted as 20YY.
    let (year, rest) = value.split_at_checked(2).ok_or("a short UTCTime")?;
    let year = number(year)?;
    moment(if year >= 50 { 1900 + year } else { 2000 + year }, rest)
}

fn generalized(value: &[u8]) -> Parse<Moment> {
    let (year, rest) = value.split_at_checked(4).ok_or("a short GeneralizedTime")?;
    moment(number(year)?, rest)
}

/// 2050-01-01T00:00:00Z.
pub(crate) const YEAR_2050: Moment = Moment(2_524_608_000);

/// Reads a `Time` (RFC 5280, section 4.1).
pub(crate) fn read(cursor: &mut Cursor<'_>) -> Parse<Written> {
    let tlv = cursor.any()?;
    match tlv.tag {
        tag::UTC_TIME => Ok(Written {
            moment: utc(tlv.value)?,
            conforms: true,
        }),
        tag::GENERALIZED_TIME => {
            let moment = generalized(tlv.value)?;
            Ok(Written {
                moment,
                conforms: moment >= YEAR_2050,
            })
        }
        _ => Err("something else than a time"),
    }
}

/// Whether the next value is a time.
pub(crate) fn is_next(cursor: &Cursor<'_>) -> bool {
    matches!(cursor.peek(), Some(tag::UTC_TIME | tag::GENERALIZED_TIME))
}

/// Reads a GeneralizedTime.
pub(crate) fn read_generalized(cursor: &mut Cursor<'_>) -> Parse<Moment> {
    generalized(cursor.take(tag::GENERALIZED_TIME)?.value)
}

/// Reads a GeneralizedTime that may have a fraction of a second (RFC 3161,
/// section 2.4.2: no trailing zeros), and drops the fraction.
pub(crate) fn read_fractional(cursor: &mut Cursor<'_>) -> Parse<Moment> {
    let value = cursor.take(tag::GENERALIZED_TIME)?.value;
    let Some(dot) = value.iter().position(|byte| *byte == b'.') else {
        return generalized(value);
    };
    let (whole, fraction) = value.split_at(dot);
    let digits = fraction
        .strip_prefix(b".")
        .and_then(|rest| rest.strip_suffix(b"Z"))
        .ok_or("a time not of the one form that is allowed")?;
    if digits.is_empty() || digits.ends_with(b"0") || !digits.iter().all(u8::is_ascii_digit) {
        return Err("a fraction of a second not in DER");
    }
    generalized(&[whole, b"Z"].concat())
}

/// A moment by the Gregorian calendar, in UTC.
#[derive(Clone, Copy)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

impl Moment {
    pub(crate) fn civil(self) -> Civil {
        let day = self.0.div_euclid(86_400);
        let second = self.0.rem_euclid(86_400);
        // Howard Hinnant's inverse of `days`.
        let shifted = day + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        Civil {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day: of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: second / 3_600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }
}

impl fmt::Display for Moment {
    /// As RFC 3339 writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self.civil();
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        assert_eq!(utc(b"700101000000Z"), Ok(Moment(0)));
        assert_eq!(generalized(b"20500101000000Z"), Ok(YEAR_2050));
        assert_eq!(
            utc(b"240229235959Z").unwrap().to_string(),
            "2024-02-29T23:59:59Z"
        );
        assert_eq!(
            utc(b"500101000000Z").unwrap().to_string(),
            "1950-01-01T00:00:00Z"
        );
        assert_eq!(
            generalized(b"99991231235959Z").unwrap().to_string(),
            "9999-12-31T23:59:59Z"
        );
        assert_eq!(Moment(-1).to_string(), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in [
            &b"2402292359Z"[..],
            b"240229235959+0000",
            b"230229235959Z",
            b"241301000000Z",
            b"240229245959Z",
            b"240229236059Z",
            b"240229235960Z",
            b"24022923595 Z",
            b"",
        ] {
            assert!(utc(bad).is_err(), "{bad:?}");
        }
        for bad in [&b"20240229235959.5Z"[..], b"20240229235959", b"2024"] {
            assert!(generalized(bad).is_err(), "{bad:?}");
        }
    }
}
