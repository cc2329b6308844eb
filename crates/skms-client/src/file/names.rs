//! How keys and plugin identities are written: identifiers as UUIDs, and the
//! Bech32 strings (BIP 173) that age gives to plugins.

use std::fmt;
use std::str::FromStr;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

use super::{FileError, Result};

const RECIPIENT: &str = "age1skms";
const IDENTITY: &str = "age-plugin-skms-";

/// A key's lasting identifier. It tells nothing but when the key was made, and
/// which files are of one key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// The key as a recipient of age's: `age1skms1…`. It says neither where
    /// the server is nor what the key is called: whoever uses it has settings
    /// for that, so that a recipient that a stranger made up cannot send a
    /// token anywhere.
    pub fn recipient(self) -> String {
        encode(RECIPIENT, &self.0).to_lowercase()
    }

    /// Whether a text claims to be one.
    pub fn is_recipient(text: &str) -> bool {
        text.starts_with("age1skms1")
    }

    /// Reads such a recipient.
    ///
    /// # Errors
    /// [`FileError::Name`].
    pub fn from_recipient(text: &str) -> Result<Self> {
        let bytes = decode(RECIPIENT, text)?;
        let bytes = <[u8; 16]>::try_from(bytes.as_slice())
            .map_err(|_| FileError::Name("a recipient of skms with another length"))?;
        Ok(Self(bytes))
    }
}

impl FromStr for KeyId {
    type Err = FileError;

    /// Strict: 32 lower-case digits in five groups.
    fn from_str(text: &str) -> Result<Self> {
        const BAD: FileError = FileError::Name("an identifier that is no UUID");
        let mut bytes = [0; 16];
        let digits: String = text.split('-').collect();
        let lower = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
        if digits.len() != 32 || !digits.bytes().all(lower) {
            return Err(BAD);
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            let pair = digits.get(2 * at..2 * at + 2).ok_or(BAD)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| BAD)?;
        }
        let key = Self(bytes);
        if key.to_string() == text {
            Ok(key)
        } else {
            Err(BAD)
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What age hands to the plugin to decrypt with: `AGE-PLUGIN-SKMS-1…`. It is no
/// secret, since what it names stays in the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginIdentity {
    /// One key.
    Key(KeyId),
    /// Every key that the caller may use: what `age -j skms` means.
    Any,
}

impl FromStr for PluginIdentity {
    type Err = FileError;

    fn from_str(text: &str) -> Result<Self> {
        let bytes = decode(IDENTITY, text)?;
        match <[u8; 16]>::try_from(bytes.as_slice()) {
            Ok(id) => Ok(Self::Key(KeyId(id))),
            Err(_) if bytes.is_empty() => Ok(Self::Any),
            Err(_) => Err(FileError::Name("an identity of skms with another length")),
        }
    }
}

impl fmt::Display for PluginIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: &[u8] = match self {
            Self::Key(id) => &id.0,
            Self::Any => &[],
        };
        f.write_str(&encode(IDENTITY, bytes))
    }
}

/// In capitals, as age writes identities.
pub(super) fn encode(prefix: &str, bytes: &[u8]) -> String {
    let prefix = Hrp::parse(prefix).expect("the prefixes here are lower-case letters");
    bech32::encode_upper::<Bech32>(prefix, bytes).expect("far below the longest length there is")
}

/// The bytes of a string that has this prefix.
pub(super) fn decode(prefix: &str, text: &str) -> Result<Zeroizing<Vec<u8>>> {
    let parsed = CheckedHrpstring::new::<Bech32>(text)
        .map_err(|_| FileError::Name("a recipient or identity with a typing error"))?;
    if parsed.hrp().to_lowercase() != prefix {
        return Err(FileError::Name("a recipient or identity of another kind"));
    }
    Ok(Zeroizing::new(parsed.byte_iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0198f2c4-7d1e-7abc-8def-00112233ff99";

    #[test]
    fn keys_are_named_three_ways() {
        let id: KeyId = ID.parse().unwrap();
        assert_eq!(id.to_string(), ID);
        let recipient = id.recipient();
        assert!(recipient.starts_with("age1skms1") && KeyId::is_recipient(&recipient));
        assert_eq!(KeyId::from_recipient(&recipient).unwrap(), id);
        for identity in [PluginIdentity::Key(id), PluginIdentity::Any] {
            let text = identity.to_string();
            assert!(text.starts_with("AGE-PLUGIN-SKMS-1"));
            assert_eq!(text.parse::<PluginIdentity>().unwrap(), identity);
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for bad in [
            "",
            "0198F2C4-7d1e-7abc-8def-00112233ff99",
            "0198f2c47d1e7abc8def00112233ff99",
            "0198f2c4-7d1e-7abc-8def-00112233ff9",
            "0198f2c4-7d1e-7abc-8def-00112233ff9g",
            "0198f2c4-7d1e-7abc-8de-f00112233ff99",
            "0198f2c4-7d1e-7abc-8def-00112233ff9é",
        ] {
            assert!(bad.parse::<KeyId>().is_err(), "{bad:?}");
        }
        let id: KeyId = ID.parse().unwrap();
        let recipient = id.recipient();
        let mut typo = recipient.clone().into_bytes();
        typo[12] = if typo[12] == b'q' { b'p' } else { b'q' };
        assert!(KeyId::from_recipient(std::str::from_utf8(&typo).unwrap()).is_err());
        assert!(recipient.parse::<PluginIdentity>().is_err());
        assert!(KeyId::from_recipient(&PluginIdentity::Key(id).to_string()).is_err());
        let short = encode(RECIPIENT, &[1; 15]).to_lowercase();
        assert!(KeyId::from_recipient(&short).is_err());
        assert!(
            encode(IDENTITY, &[1; 17])
                .parse::<PluginIdentity>()
                .is_err()
        );
    }
}
