//! Lists of others, read into ours.

use super::{Blocklist, Scheme};
use crate::error::{Error, Result};

/// A text of SHA-256 hashes of SubjectPublicKeyInfo: hexadecimal, one a line;
/// what follows a blank and lines that begin with `#` are passed over.
///
/// # Errors
/// [`Error::List`] for a line that is no such hash.
pub fn spki_hashes(name: &str, text: &str) -> Result<Blocklist> {
    let entries = lines(text, 32)?;
    Blocklist::new(name, Scheme::SpkiSha256, Vec::new(), entries)
}

/// The files of Debian's package openssl-blacklist: the last 20 hexadecimal
/// digits of SHA-1 of the line that `openssl rsa -noout -modulus` prints.
///
/// # Errors
/// [`Error::List`] for a line that is no such hash.
pub fn openssl_blacklist(name: &str, text: &str) -> Result<Blocklist> {
    let entries = lines(text, 10)?;
    Blocklist::new(name, Scheme::ModulusSha1, Vec::new(), entries)
}

/// The `blocklist.dat` of badkeys: entries of 16 bytes in order, whose last byte
/// says which source they are from; `sources` gives these names.
///
/// # Errors
/// [`Error::List`] for what is none. It has no digest of its own: a file that is
/// cut off between two entries is found by the caller who has that of
/// `badkeysdata.json`.
pub fn badkeys(name: &str, data: &[u8], sources: Vec<(u8, String)>) -> Result<Blocklist> {
    if !data.len().is_multiple_of(Scheme::Badkeys120.width()) {
        return Err(Error::list(
            "entries of badkeys have 16 bytes: it is cut off",
        ));
    }
    let list = Blocklist {
        name: name.to_owned(),
        scheme: Scheme::Badkeys120,
        sources,
        entries: data.to_vec(),
    };
    list.check()?;
    Ok(list)
}

/// Hashes of so many bytes.
fn lines(text: &str, width: usize) -> Result<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let word = line.split_whitespace().next().unwrap_or_default();
        if word.is_empty() || word.starts_with('#') {
            continue;
        }
        let entry = hex(word).filter(|entry| entry.len() == width);
        entries.push(entry.ok_or_else(|| {
            Error::list(format!(
                "line {} does not begin with {} hexadecimal digits",
                number + 1,
                2 * width
            ))
        })?);
    }
    Ok(entries)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_passed_over_and_other_lines_are_refused() {
        let text = "# head\n\n00005890bc78bcbee3ca\n00005c9c49fd31e889a3 a comment\n";
        let list = openssl_blacklist("debian", text).unwrap();
        assert_eq!(list.len(), 2);
        for bad in ["00005890bc78bcbee3c", "00005890bc78bcbee3cg", "00", "é"] {
            assert!(openssl_blacklist("debian", bad).is_err(), "{bad}");
        }
        assert!(openssl_blacklist("debian", "# nothing").is_err());
        assert!(spki_hashes("x", text).is_err());
        assert!(spki_hashes("x", &"ab".repeat(32)).is_ok());
    }

    #[test]
    fn entries_of_badkeys_are_in_order_and_whole() {
        let data: Vec<u8> = (0..64).collect();
        let sources = vec![(15, "one".to_owned())];
        assert_eq!(badkeys("b", &data, sources.clone()).unwrap().len(), 4);
        assert!(badkeys("b", &data[..63], sources.clone()).is_err());
        let reversed: Vec<u8> = (0..64).rev().collect();
        assert!(badkeys("b", &reversed, sources).is_err());
        assert!(badkeys("b", &[], Vec::new()).is_err());
    }
}
