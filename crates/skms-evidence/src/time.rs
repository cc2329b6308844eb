//! Times in events: RFC 3339, UTC, milliseconds.

const MILLIS_PER_DAY: i64 = 86_400_000;
/// 0000-01-01T00:00:00.000Z.
const MIN_MILLIS: i64 = -62_167_219_200_000;
/// 9999-12-31T23:59:59.999Z.
const MAX_MILLIS: i64 = 253_402_300_799_999;
/// Length of "2025-01-02T03:04:05.678Z".
const TEXT_LEN: usize = 24;

/// Writes Unix milliseconds as "2025-01-02T03:04:05.678Z". A time outside the
/// years 0 to 9999, which RFC 3339 cannot write, becomes the nearest one in
/// them.
pub fn write_rfc3339(out: &mut Vec<u8>, unix_millis: i64) {
    let millis = unix_millis.clamp(MIN_MILLIS, MAX_MILLIS);
    let (year, month, day) = civil_from_days(millis.div_euclid(MILLIS_PER_DAY));
    let of_day = millis.rem_euclid(MILLIS_PER_DAY);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut pair = |at: usize, number: i64| {
        if let Some([tens, ones]) = text.get_mut(at..at + 2) {
            // Each number is below 100.
            (*tens, *ones) = (b'0' + (number / 10) as u8, b'0' + (number % 10) as u8);
        }
    };
    pair(0, year / 100);
    pair(2, year % 100);
    pair(5, month);
    pair(8, day);
    pair(11, of_day / 3_600_000);
    pair(14, of_day / 60_000 % 60);
    pair(17, of_day / 1000 % 60);
    let fraction = of_day % 1000;
    pair(20, fraction / 10);
    text[22] = b'0' + (fraction % 10) as u8;
    out.extend_from_slice(&text);
}

/// The same as text.
#[must_use]
pub fn rfc3339(unix_millis: i64) -> String {
    let mut out = Vec::with_capacity(TEXT_LEN);
    write_rfc3339(&mut out, unix_millis);
    // Digits and punctuation only.
    out.into_iter().map(char::from).collect()
}

/// Reads exactly what [`write_rfc3339`] writes; `None` for anything else.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    if text.len() != TEXT_LEN {
        return None;
    }
    let format = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
    );
    let moment = time::PrimitiveDateTime::parse(text, format).ok()?;
    i64::try_from(moment.assume_utc().unix_timestamp_nanos() / 1_000_000).ok()
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic
/// Gregorian calendar. Years are taken from March, so that the leap day is
/// the last of its year, in eras of 400.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    const ERA: i64 = 146_097;
    // 0000-03-01 is 719,468 days before 1970-01-01.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(ERA);
    let of_era = shifted.rem_euclid(ERA);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_written_as_they_are() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_735_786_800_123, "2025-01-02T03:00:00.123Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (MIN_MILLIS, "0000-01-01T00:00:00.000Z"),
            (MAX_MILLIS, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(millis), text);
            assert_eq!(parse_rfc3339(text), Some(millis));
        }
        assert_eq!(rfc3339(i64::MIN), rfc3339(MIN_MILLIS));
        assert_eq!(rfc3339(i64::MAX), rfc3339(MAX_MILLIS));
    }

    #[test]
    fn every_day_of_the_calendar_agrees_with_the_time_crate() {
        let days = (MIN_MILLIS / MILLIS_PER_DAY)..=(MAX_MILLIS / MILLIS_PER_DAY);
        let mut expected = time::Date::from_calendar_date(0, time::Month::January, 1).unwrap();
        for day in days {
            let (year, month, of_month) = civil_from_days(day);
            assert_eq!(
                (year, month, of_month),
                (
                    i64::from(expected.year()),
                    i64::from(u8::from(expected.month())),
                    i64::from(expected.day())
                )
            );
            expected = expected.next_day().unwrap_or(expected);
        }
    }

    #[test]
    fn only_its_own_spelling_is_read() {
        for text in [
            "",
            "2025-01-02T03:04:05Z",
            "2025-01-02T03:04:05.678+00:00",
            "2025-01-02 03:04:05.678Z",
            "2025-01-02t03:04:05.678z",
            "2025-13-02T03:04:05.678Z",
            "2025-02-30T03:04:05.678Z",
            "2025-01-02T24:04:05.678Z",
            "2025-01-02T03:04:60.678Z",
            "+025-01-02T03:04:05.678Z",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text:?}");
        }
    }
}
