//! Identifiers: 128 bits from the caller's randomness, written as UUIDs.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Length of the text form: 32 hexadecimal digits and four hyphens.
const TEXT_LEN: usize = 36;
/// Where RFC 9562 puts the hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            /// Hyphenated UUID text, in either case.
            fn from_str(text: &str) -> Result<Self> {
                parse(text).map(Self).ok_or(Error::InvalidId)
            }
        }
    };
}

id! {
    /// Names a namespace for ever, whatever it is called.
    NamespaceId
}
id! {
    /// Names a keyring for ever, whatever it is called.
    KeyringId
}
id! {
    /// Names a key for ever, whatever it is called.
    KeyId
}

fn write(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            f.write_str("-")?;
        }
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

fn parse(text: &str) -> Option<[u8; 16]> {
    let text = text.as_bytes();
    if text.len() != TEXT_LEN || HYPHENS.iter().any(|&at| text.get(at) != Some(&b'-')) {
        return None;
    }
    let mut digits = text
        .iter()
        .enumerate()
        .filter(|(at, _)| !HYPHENS.contains(at))
        .map(|(_, &digit)| char::from(digit).to_digit(16));
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        let high = digits.next()??;
        let low = digits.next()??;
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let id = KeyId([
            0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54,
            0x32, 0x10,
        ]);
        let text = "01234567-89ab-cdef-fedc-ba9876543210";
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse::<KeyId>().unwrap(), id);
        assert_eq!(text.to_uppercase().parse::<KeyId>().unwrap(), id);
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "0123456789abcdeffedcba9876543210",
            "01234567-89ab-cdef-fedc-ba987654321",
            "01234567-89ab-cdef-fedc-ba98765432100",
            "01234567-89ab-cdef-fedc-ba987654321g",
            "0123456-789ab-cdef-fedc-ba9876543210",
            "+1234567-89ab-cdef-fedc-ba9876543210",
            "{1234567-89ab-cdef-fedc-ba987654321}",
            "é1234567-89ab-cdef-fedc-ba987654321",
        ] {
            assert!(text.parse::<KeyId>().is_err(), "{text:?}");
        }
    }
}
