//! A file's header: who can open it, and a MAC over that.
//!
//! The reader is strict: what it accepts, it would write the same way again,
//! byte by byte.

use std::io::{BufRead, Read as _};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{FileError, FileKey, Result};

/// The first line of an age file.
pub const MAGIC: &[u8] = b"age-encryption.org/v1\n";

const COLUMNS: usize = 64;
const HEADER_MAX: usize = 1 << 20;
const STANZA: &str = "-> ";
const FOOTER: &str = "---";

/// What a header holds for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stanza {
    /// The recipient's type.
    pub tag: String,
    /// What follows the type on its line.
    pub arguments: Vec<String>,
    /// What comes below: mostly the file key, wrapped.
    pub body: Vec<u8>,
}

impl Stanza {
    /// Appends it in the header's form.
    ///
    /// # Errors
    /// [`FileError::Malformed`] if an argument is empty or has characters that
    /// a header cannot hold.
    pub fn write(&self, header: &mut Vec<u8>) -> Result<()> {
        let arguments = self.arguments.iter().map(String::as_str);
        header.extend_from_slice(STANZA.trim_end().as_bytes());
        for argument in std::iter::once(self.tag.as_str()).chain(arguments) {
            if !is_argument(argument) {
                return Err(FileError::Malformed("a stanza with an odd argument"));
            }
            header.push(b' ');
            header.extend_from_slice(argument.as_bytes());
        }
        header.push(b'\n');
        let body = STANDARD_NO_PAD.encode(&self.body);
        for line in body.as_bytes().chunks(COLUMNS) {
            header.extend_from_slice(line);
            header.push(b'\n');
        }
        // The last line is a short one, if need be an empty one.
        if body.len().is_multiple_of(COLUMNS) {
            header.push(b'\n');
        }
        Ok(())
    }

    /// Reads one by itself, as age and its plugins send them to each other; at
    /// most 1 MiB.
    ///
    /// # Errors
    /// [`FileError::Malformed`], saying why; what reading gives.
    pub fn read(input: &mut dyn BufRead) -> Result<Self> {
        let mut lines = Lines {
            input,
            read: Vec::new(),
        };
        let line = lines
            .must()?
            .strip_prefix(STANZA)
            .ok_or(FileError::Malformed("a line that begins no stanza"))?;
        let mut stanza = Self::parse(line)?;
        stanza.body = lines.body()?;
        Ok(stanza)
    }

    /// Reads its first line, from which the arrow was taken.
    fn parse(line: &str) -> Result<Self> {
        let mut arguments = line.split(' ').map(str::to_owned);
        if !line.split(' ').all(is_argument) {
            return Err(FileError::Malformed("a stanza with an odd argument"));
        }
        Ok(Self {
            tag: arguments.next().unwrap_or_default(),
            arguments: arguments.collect(),
            body: Vec::new(),
        })
    }
}

/// Visible ASCII, at least one character.
fn is_argument(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| (0x21..=0x7e).contains(&b))
}

/// A header that was read. Nothing of it is authentic before
/// [`Header::verify`] says so.
#[derive(Debug)]
pub struct Header {
    /// Who can open the file.
    pub stanzas: Vec<Stanza>,
    covered: Vec<u8>,
    mac: Vec<u8>,
}

impl Header {
    /// Reads a header and nothing beyond it; at most 1 MiB.
    ///
    /// # Errors
    /// [`FileError::Malformed`], saying why; what reading gives.
    pub fn read(input: &mut dyn BufRead) -> Result<Self> {
        let mut lines = Lines {
            input,
            read: Vec::new(),
        };
        if lines.next()?.map(str::as_bytes) != Some(magic()) {
            return Err(FileError::Malformed("it does not begin as one"));
        }
        let mut stanzas = Vec::new();
        loop {
            let from = lines.read.len();
            let line = lines.must()?;
            if let Some(rest) = line.strip_prefix(FOOTER) {
                let mac = rest
                    .strip_prefix(' ')
                    .and_then(|mac| STANDARD_NO_PAD.decode(mac).ok())
                    .filter(|mac| mac.len() == 32)
                    .ok_or(FileError::Malformed("its header's MAC is none"))?;
                check(&stanzas)?;
                let mut covered = lines.read;
                covered.truncate(from + FOOTER.len());
                return Ok(Self {
                    stanzas,
                    covered,
                    mac,
                });
            }
            let line = line
                .strip_prefix(STANZA)
                .ok_or(FileError::Malformed("its header has an odd line"))?;
            let mut stanza = Stanza::parse(line)?;
            stanza.body = lines.body()?;
            stanzas.push(stanza);
        }
    }

    /// Verifies the MAC over the header.
    ///
    /// # Errors
    /// [`FileError::HeaderAltered`].
    pub fn verify(&self, key: &FileKey) -> Result<()> {
        hmac::verify(&key.mac_key()?, &self.covered, &self.mac)
            .map_err(|_| FileError::HeaderAltered)
    }

    /// A new header, in bytes.
    ///
    /// # Errors
    /// As for [`Stanza::write`].
    pub fn write(stanzas: &[Stanza], key: &FileKey) -> Result<Vec<u8>> {
        check(stanzas)?;
        let mut header = MAGIC.to_vec();
        for stanza in stanzas {
            stanza.write(&mut header)?;
        }
        header.extend_from_slice(FOOTER.as_bytes());
        let mac = hmac::sign(&key.mac_key()?, &header);
        header.push(b' ');
        header.extend_from_slice(STANDARD_NO_PAD.encode(mac).as_bytes());
        header.push(b'\n');
        if header.len() > HEADER_MAX {
            return Err(FileError::Malformed("too many recipients for a header"));
        }
        Ok(header)
    }
}

fn magic() -> &'static [u8] {
    MAGIC.trim_ascii_end()
}

/// Rules over all stanzas together.
fn check(stanzas: &[Stanza]) -> Result<()> {
    if stanzas.is_empty() {
        return Err(FileError::Malformed("it has no recipient"));
    }
    // Whoever has a passphrase must be able to rely on it that nobody else
    // chose what the file holds.
    if stanzas.len() > 1 && stanzas.iter().any(|stanza| stanza.tag == "scrypt") {
        return Err(FileError::Malformed("a passphrase beside other recipients"));
    }
    Ok(())
}

/// Lines of a header, remembered as they were.
struct Lines<'a> {
    input: &'a mut dyn BufRead,
    read: Vec<u8>,
}

impl Lines<'_> {
    /// The next line, without its end; none if it is no line of ASCII.
    fn next(&mut self) -> Result<Option<&str>> {
        let from = self.read.len();
        let room = HEADER_MAX.saturating_sub(from) as u64;
        (&mut *self.input)
            .take(room)
            .read_until(b'\n', &mut self.read)
            .map_err(FileError::reading)?;
        let line = self.read.get(from..).unwrap_or_default();
        Ok(line
            .strip_suffix(b"\n")
            .and_then(|line| std::str::from_utf8(line).ok()))
    }

    fn must(&mut self) -> Result<&str> {
        self.next()?.ok_or(FileError::Malformed(
            "its header does not end, or is no text",
        ))
    }

    /// A stanza's body: full lines, then one that is not.
    fn body(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.must()?;
            if line.len() > COLUMNS {
                return Err(FileError::Malformed("a line of its header is too long"));
            }
            let short = line.len() < COLUMNS;
            STANDARD_NO_PAD
                .decode_vec(line, &mut body)
                .map_err(|_| FileError::Malformed("its header is not base64"))?;
            if short {
                return Ok(body);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> FileKey {
        FileKey::from_bytes(&[7; 16]).unwrap()
    }

    fn stanza(length: usize) -> Stanza {
        Stanza {
            tag: "test".into(),
            arguments: vec!["a".into(), "~!".into()],
            body: (0..length).map(|at| at as u8).collect(),
        }
    }

    #[test]
    fn stanzas_of_every_length_come_back_as_they_were() {
        for length in 0..200 {
            let stanzas = [stanza(length), stanza(3)];
            let bytes = Header::write(&stanzas, &key()).unwrap();
            let mut rest = &[&bytes[..], b"payload"].concat()[..];
            let header = Header::read(&mut rest).unwrap();
            assert_eq!(header.stanzas, stanzas);
            assert_eq!(rest, b"payload", "nothing beyond the header is read");
            header.verify(&key()).unwrap();
            let other = FileKey::from_bytes(&[8; 16]).unwrap();
            assert!(matches!(
                header.verify(&other),
                Err(FileError::HeaderAltered)
            ));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused() {
        let bytes = Header::write(&[stanza(50)], &key()).unwrap();
        let opens = |bytes: &[u8]| {
            Header::read(&mut { bytes })
                .and_then(|header| header.verify(&key()))
                .is_ok()
        };
        assert!(opens(&bytes));
        for at in 0..bytes.len() {
            assert!(!opens(&bytes[..at]), "cut at {at}");
            for bit in 0..8 {
                let mut altered = bytes.clone();
                altered[at] ^= 1 << bit;
                assert!(!opens(&altered), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn odd_arguments_and_headers_without_an_end_are_refused() {
        for odd in ["", "a b", "a\n", "ä"] {
            let stanza = Stanza {
                arguments: vec![odd.into()],
                ..stanza(1)
            };
            assert!(Header::write(&[stanza], &key()).is_err(), "{odd:?}");
        }
        assert!(Header::write(&[], &key()).is_err());
        let line = [&b"AAAA".repeat(16)[..], b"\n"].concat();
        for endless in [
            [MAGIC, b"-> a\n", &line.repeat(40_000)].concat(),
            [MAGIC, b"-> ", &vec![b'a'; 2 * HEADER_MAX]].concat(),
        ] {
            let mut rest = &endless[..];
            assert!(matches!(
                Header::read(&mut rest),
                Err(FileError::Malformed(_))
            ));
            assert_eq!(endless.len() - rest.len(), HEADER_MAX, "no more is read");
        }
        let many = vec![stanza(700); 1100];
        assert!(Header::write(&many, &key()).is_err());
    }
}
