//! Options of certificates: what is *critical* restricts, and a server that
//! does not know it refuses; *extensions* permit (PROTOCOL.certkeys).

use std::collections::BTreeMap;

use super::error::{Error, Result};
use super::wire::{Reader, Writer, string};

/// Runs this command whatever the client asks for.
pub const FORCE_COMMAND: &str = "force-command";
/// Where logins may come from: networks, separated by commas.
pub const SOURCE_ADDRESS: &str = "source-address";
/// A security key must have verified its user.
pub const VERIFY_REQUIRED: &str = "verify-required";

/// The extensions that OpenSSH knows, in the order they are written in.
pub const EXTENSIONS: [&str; 6] = [
    "no-touch-required",
    "permit-X11-forwarding",
    "permit-agent-forwarding",
    "permit-port-forwarding",
    "permit-pty",
    "permit-user-rc",
];

/// Options by name; `None` for those that carry no value.
pub type Options = BTreeMap<String, Option<String>>;

/// Whether an extension can be written: one of OpenSSH's, or a private one
/// with its owner's domain behind an `@`.
#[must_use]
pub fn is_extension(name: &str) -> bool {
    let plain = |text: &str| {
        !text.is_empty()
            && text.len() <= 64
            && text
                .bytes()
                .all(|b| b.is_ascii_graphic() && b != b',' && b != b'=')
    };
    EXTENSIONS.contains(&name)
        || name
            .split_once('@')
            .is_some_and(|(own, domain)| plain(own) && plain(domain) && !domain.contains('@'))
}

/// Names and values, packed. In a certificate they are in the order of their
/// names, each once, which a map is by itself.
pub(super) fn encode(options: &Options) -> Vec<u8> {
    let mut writer = Writer::default();
    for (name, value) in options {
        writer.string(name.as_bytes());
        match value {
            Some(value) => writer.string(&string(value.as_bytes())),
            None => writer.string(&[]),
        };
    }
    writer.finish()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Options> {
    let mut reader = Reader::new(bytes);
    let mut options = Options::new();
    while !reader.is_empty() {
        let name = reader.text()?;
        let mut data = Reader::new(reader.string()?);
        let value = if data.is_empty() {
            None
        } else {
            let value = data.text()?.to_owned();
            data.end()?;
            Some(value)
        };
        if options
            .last_key_value()
            .is_some_and(|(last, _)| last.as_str() >= name)
        {
            return Err(Error::Malformed("options are not in order"));
        }
        options.insert(name.to_owned(), value);
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_back_and_disorder_is_refused() {
        let options = Options::from([
            (FORCE_COMMAND.to_owned(), Some("/bin/true".to_owned())),
            ("permit-pty".to_owned(), None),
        ]);
        let bytes = encode(&options);
        assert_eq!(decode(&bytes), Ok(options));
        let twice = [bytes.as_slice(), &bytes].concat();
        assert!(decode(&twice).is_err());
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn extensions_are_known_or_somebodys_own() {
        for good in ["permit-pty", "no-touch-required", "a@example.org"] {
            assert!(is_extension(good), "{good}");
        }
        for bad in [
            "",
            "permit-everything",
            "a@",
            "@b",
            "a b@c",
            "a@b@c",
            "a,b@c",
        ] {
            assert!(!is_extension(bad), "{bad}");
        }
    }
}
