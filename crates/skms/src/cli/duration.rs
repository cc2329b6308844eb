//! Lengths of time on the command line: `90s`, `15m`, `12h`, `30d`, `52w`.

/// Seconds in a length of time.
pub fn seconds(text: &str) -> Result<u64, String> {
    let bad = || "write it as a number with s, m, h, d or w, such as 30d".to_owned();
    let split = text.len().saturating_sub(1);
    if !text.is_char_boundary(split) {
        return Err(bad());
    }
    let (digits, unit) = text.split_at(split);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(bad()),
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    let count: u64 = digits.parse().map_err(|_| bad())?;
    count.checked_mul(unit).ok_or_else(bad)
}

/// A length of time as [`seconds`] reads it, in the largest unit that divides
/// it; weeks are days, as people say 90d.
pub fn written(seconds: u64) -> String {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let whole = |(size, _): &(u64, char)| seconds != 0 && seconds.is_multiple_of(*size);
    match units.into_iter().find(whole) {
        Some((size, unit)) => format!("{}{unit}", seconds / size),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (value, text) in [
            (0, "0s"),
            (61, "61s"),
            (120, "2m"),
            (5400, "90m"),
            (7200, "2h"),
            (7_776_000, "90d"),
            (u64::MAX, "18446744073709551615s"),
        ] {
            assert_eq!(written(value), text);
            assert_eq!(seconds(text), Ok(value));
        }
    }

    #[test]
    fn units() {
        for (text, value) in [
            ("0s", 0),
            ("90s", 90),
            ("15m", 900),
            ("2h", 7200),
            ("30d", 2_592_000),
            ("1w", 604_800),
        ] {
            assert_eq!(seconds(text), Ok(value), "{text}");
        }
        for bad in [
            "",
            "5",
            "d",
            "-1d",
            "+1d",
            "1.5h",
            "1y",
            "1é",
            "99999999999999999999d",
            "18446744073709551615w",
        ] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
