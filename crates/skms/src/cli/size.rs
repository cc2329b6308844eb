//! Numbers of bytes on the command line: `512`, `64MiB`, `10GB`.

/// Bytes in a size.
pub fn bytes(text: &str) -> Result<u64, String> {
    let bad =
        || "write it as a number of bytes, or with KiB, MiB, GiB, TiB, kB, MB, GB or TB".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at(digits);
    let unit: u64 = match unit {
        "" | "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(bad()),
    };
    let count: u64 = digits.parse().map_err(|_| bad())?;
    count.checked_mul(unit).ok_or_else(bad)
}

/// A size as [`bytes`] reads it, in the largest unit that divides it.
pub fn written(bytes: u64) -> String {
    let units = [
        (1 << 40, "TiB"),
        (1_000_000_000_000, "TB"),
        (1 << 30, "GiB"),
        (1_000_000_000, "GB"),
        (1 << 20, "MiB"),
        (1_000_000, "MB"),
        (1 << 10, "KiB"),
        (1_000, "kB"),
    ];
    let whole = |(size, _): &(u64, &str)| bytes != 0 && bytes.is_multiple_of(*size);
    match units.into_iter().find(whole) {
        Some((size, unit)) => format!("{}{unit}", bytes / size),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (value, text) in [
            (0, "0"),
            (513, "513"),
            (64_000_000_000, "64GB"),
            (64 << 30, "64GiB"),
            (10_240, "10KiB"),
        ] {
            assert_eq!(written(value), text);
            assert_eq!(bytes(text), Ok(value));
        }
    }

    #[test]
    fn units() {
        for (text, value) in [
            ("0", 0),
            ("512", 512),
            ("10GB", 10_000_000_000),
            ("64MiB", 64 << 20),
        ] {
            assert_eq!(bytes(text), Ok(value), "{text}");
        }
        for bad in [
            "",
            "GB",
            "-1",
            "+1",
            "1.5GB",
            "1gb",
            "1é",
            "99999999999999999999",
            "18446744073709551615KiB",
        ] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
