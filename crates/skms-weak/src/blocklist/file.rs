//! A list as a file: lines that say what it is, an empty one, and the entries.
//! The last line is a digest of everything else, so that a file that was cut off
//! or altered is refused whole.

use skms_crypto::hash::sha256;

use super::{Blocklist, Scheme};
use crate::error::{Error, Result};

const FIRST: &str = "skms-blocklist 1";

/// The lines of the longest header.
const LINES_MAX: usize = 300;

impl Blocklist {
    /// The list as a file.
    #[must_use]
    pub fn to_file(&self) -> Vec<u8> {
        let mut head = self.head();
        let digest = sha256(&[head.as_bytes(), &self.entries]);
        head.push_str("sha256: ");
        digest
            .iter()
            .for_each(|byte| head.push_str(&format!("{byte:02x}")));
        head.push_str("\n\n");
        [head.as_bytes(), &self.entries].concat()
    }

    /// The lines before the digest.
    fn head(&self) -> String {
        let (name, scheme, count) = (&self.name, self.scheme.name(), self.len());
        let mut head = format!("{FIRST}\nname: {name}\nhash: {scheme}\nentries: {count}\n");
        for (number, source) in &self.sources {
            head.push_str(&format!("source: {number} {source}\n"));
        }
        head
    }

    /// Reads a file. One list has one form, so that what is read is written as
    /// the same bytes again.
    ///
    /// # Errors
    /// [`Error::List`] for what is no list, for one that is cut off, altered or
    /// out of order.
    pub fn from_file(file: &[u8]) -> Result<Self> {
        let mut rest = file;
        let mut next = || -> Result<&str> {
            let end = rest.iter().take(256).position(|byte| *byte == b'\n');
            let end = end.ok_or_else(|| Error::list("its header is cut off"))?;
            let line = std::str::from_utf8(&rest[..end]);
            rest = &rest[end + 1..];
            line.map_err(|_| Error::list("its header is no text"))
        };
        if next()? != FIRST {
            return Err(Error::list(format!("it does not begin with \"{FIRST}\"")));
        }
        let name = said(next()?, "name: ")?.to_owned();
        let word = said(next()?, "hash: ")?;
        let scheme = Scheme::ALL.into_iter().find(|one| one.name() == word);
        let scheme = scheme.ok_or_else(|| Error::list(format!("no such hash: {word:?}")))?;
        let count: usize = number(said(next()?, "entries: ")?)?;
        let mut sources = Vec::new();
        let mut line = next()?;
        while let Some(source) = line.strip_prefix("source: ") {
            let (at, source) = source
                .split_once(' ')
                .ok_or_else(|| Error::list("a source has a number and a name"))?;
            sources.push((number(at)?, source.to_owned()));
            if sources.len() > LINES_MAX {
                return Err(Error::list("it has too many sources"));
            }
            line = next()?;
        }
        let digest = said(line, "sha256: ")?.to_owned();
        if !next()?.is_empty() {
            return Err(Error::list("an empty line ends the header"));
        }
        let length = count.checked_mul(scheme.width());
        if length != Some(rest.len()) {
            return Err(Error::list(format!(
                "it says {count} entries and has {} bytes for them: it is cut off or altered",
                rest.len()
            )));
        }
        let list = Self {
            name,
            scheme,
            sources,
            entries: rest.to_vec(),
        };
        let own = sha256(&[list.head().as_bytes(), &list.entries]);
        let own: String = own.iter().map(|byte| format!("{byte:02x}")).collect();
        if own != digest {
            return Err(Error::list("its digest is another: it was altered"));
        }
        list.check()?;
        Ok(list)
    }
}

fn said<'a>(line: &'a str, what: &str) -> Result<&'a str> {
    line.strip_prefix(what)
        .ok_or_else(|| Error::list(format!("a line \"{what}\" is missing")))
}

/// A number as it is written, in one way only.
fn number<T: std::str::FromStr + ToString>(text: &str) -> Result<T> {
    let read = text
        .parse::<T>()
        .ok()
        .filter(|read| read.to_string() == text);
    read.ok_or_else(|| Error::list(format!("no such number: {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists() -> Vec<Blocklist> {
        let entries = |width: usize| (0..40_u8).map(|n| vec![n * 3; width]).collect();
        Scheme::ALL
            .into_iter()
            .map(|scheme| {
                let sources = match scheme {
                    Scheme::Badkeys120 => vec![(1, "debianssl".into()), (7, "rfc".into())],
                    _ => Vec::new(),
                };
                Blocklist::new("known-keys", scheme, sources, entries(scheme.width())).unwrap()
            })
            .collect()
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        for list in lists() {
            let read = Blocklist::from_file(&list.to_file()).unwrap();
            assert!(read == list);
        }
    }

    #[test]
    fn a_file_that_is_cut_off_is_refused_whole() {
        for list in lists() {
            let file = list.to_file();
            for length in 0..file.len() {
                assert!(Blocklist::from_file(&file[..length]).is_err(), "{length}");
            }
        }
    }

    #[test]
    fn a_file_that_was_altered_is_refused_whole() {
        for list in lists() {
            let file = list.to_file();
            for at in 0..file.len() {
                let mut altered = file.clone();
                altered[at] ^= 1;
                assert!(Blocklist::from_file(&altered).is_err(), "{at}");
            }
            let mut longer = file.clone();
            longer.extend_from_slice(&file[file.len() - list.scheme().width()..]);
            assert!(Blocklist::from_file(&longer).is_err());
        }
    }

    #[test]
    fn a_list_out_of_order_is_refused_with_a_good_digest() {
        for mut list in lists() {
            let width = list.scheme().width();
            let mut turned = list.entries.clone();
            turned.rotate_left(width);
            list.entries = turned;
            assert!(Blocklist::from_file(&list.to_file()).is_err());
            list.entries = [&[1; 80][..width], &[1; 80][..width]].concat();
            assert!(Blocklist::from_file(&list.to_file()).is_err());
            list.entries.clear();
            assert!(Blocklist::from_file(&list.to_file()).is_err());
            list.entries = vec![1; width];
            assert!(Blocklist::from_file(&list.to_file()).is_ok());
            list.name = "a\nb".into();
            assert!(Blocklist::from_file(&list.to_file()).is_err());
        }
    }
}
