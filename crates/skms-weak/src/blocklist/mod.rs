//! Lists of keys whose private half is known.
//!
//! A list in a file is all or nothing: `docs/weak-keys.md` has the format. Its
//! entries are sorted, so that a key is looked for by halving.

mod file;
mod sources;

use crate::error::{Error, Result};
use crate::finding::{Detector, Finding};
use crate::key::PublicKey;

pub use sources::{badkeys, openssl_blacklist, spki_hashes};

/// The longest name of a list or of a source.
const NAME_MAX: usize = 64;

/// The most sources that entries can be told apart by.
const SOURCES_MAX: usize = 255;

/// What entries are hashes of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// SHA-256 of SubjectPublicKeyInfo, whole.
    SpkiSha256,
    /// SHA-256 of the number that badkeys names a key by, 120 bits of it, and one
    /// byte that says which source it is from.
    Badkeys120,
    /// SHA-1 of the line that `openssl rsa -noout -modulus` prints, its last 80
    /// bits: as Debian's package openssl-blacklist has it.
    ModulusSha1,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SpkiSha256, Self::Badkeys120, Self::ModulusSha1];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SpkiSha256 => "spki-sha256",
            Self::Badkeys120 => "badkeys-120",
            Self::ModulusSha1 => "modulus-sha1-80",
        }
    }

    /// How many bytes an entry has.
    #[must_use]
    pub const fn width(self) -> usize {
        match self {
            Self::SpkiSha256 => 32,
            Self::Badkeys120 => 16,
            Self::ModulusSha1 => 10,
        }
    }

    /// How many of them a key is found by.
    const fn hash(self) -> usize {
        match self {
            Self::Badkeys120 => 15,
            _ => self.width(),
        }
    }
}

/// A list.
#[derive(Clone, PartialEq, Eq)]
pub struct Blocklist {
    name: String,
    scheme: Scheme,
    /// What the last byte of an entry means, where it means something.
    sources: Vec<(u8, String)>,
    /// The entries, in order.
    entries: Vec<u8>,
}

impl std::fmt::Debug for Blocklist {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, scheme) = (&self.name, self.scheme.name());
        write!(f, "Blocklist({name}, {scheme}, {} entries)", self.len())
    }
}

impl Blocklist {
    /// A list of entries in any order, each as wide as the scheme says.
    ///
    /// # Errors
    /// [`Error::List`] for a name that is none, and for none or too many sources.
    pub fn new(
        name: &str,
        scheme: Scheme,
        sources: Vec<(u8, String)>,
        mut entries: Vec<Vec<u8>>,
    ) -> Result<Self> {
        let width = scheme.width();
        if entries.iter().any(|entry| entry.len() != width) {
            return Err(Error::list(format!(
                "an entry of {} has {width} bytes",
                scheme.name()
            )));
        }
        entries.sort_unstable();
        entries.dedup_by(|a, b| a[..scheme.hash()] == b[..scheme.hash()]);
        let list = Self {
            name: name.to_owned(),
            scheme,
            sources,
            entries: entries.concat(),
        };
        list.check()?;
        Ok(list)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its entries are.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() / self.scheme.width()
    }

    /// Whether it has none, which no list that was read has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Where the entries are from.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|(_, name)| name.as_str())
    }

    /// The list cut into parts of so many bytes of entries at most: the first has
    /// its name, the others that with a number.
    pub fn parts(&self, most: usize) -> impl Iterator<Item = Self> {
        let width = self.scheme.width();
        let each = (most / width).max(1) * width;
        let parts = self.entries.chunks(each).enumerate();
        parts.map(|(at, entries)| Self {
            name: match at {
                0 => self.name.clone(),
                _ => format!("{}.{}", self.name, at + 1),
            },
            scheme: self.scheme,
            sources: self.sources.clone(),
            entries: entries.to_vec(),
        })
    }

    /// Which part of this list has that name: 1 is the first.
    #[must_use]
    pub fn part_number(&self, name: &str) -> Option<usize> {
        if name == self.name {
            return Some(1);
        }
        let number = name.strip_prefix(&self.name)?.strip_prefix('.')?;
        number.parse().ok().filter(|number| *number > 1)
    }

    /// Looks for a key.
    #[must_use]
    pub fn find(&self, key: &PublicKey) -> Option<Finding> {
        let entry = match self.scheme {
            Scheme::SpkiSha256 => {
                let mut names = key.spki_sha256().iter();
                names.find_map(|name| self.entry(name))
            }
            Scheme::Badkeys120 => self.entry(&key.value_sha256()[..15]),
            Scheme::ModulusSha1 => key
                .modulus_sha1()
                .and_then(|hash| self.entry(&hash[hash.len() - 10..])),
        }?;
        let source = match self.scheme {
            Scheme::Badkeys120 => entry.last().and_then(|last| {
                let mut all = self.sources.iter();
                all.find(|(number, _)| number == last)
            }),
            _ => None,
        };
        let from = match source {
            Some((_, source)) => format!(" ({source})"),
            None => String::new(),
        };
        Some(Finding::compromised(
            Detector::Blocklist,
            format!(
                "the private key is known: the public key is on the list {}{from}",
                self.name
            ),
        ))
    }

    /// The entry that begins so.
    fn entry(&self, hash: &[u8]) -> Option<&[u8]> {
        let width = self.scheme.width();
        let at = |index: usize| &self.entries[index * width..(index + 1) * width];
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match at(middle)[..hash.len()].cmp(hash) {
                std::cmp::Ordering::Equal => return Some(at(middle)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// What holds for every list.
    fn check(&self) -> Result<()> {
        if !is_name(&self.name) {
            return Err(Error::list(format!(
                "a name has 1 to {NAME_MAX} letters, digits, dots, dashes and underscores"
            )));
        }
        let (width, hash) = (self.scheme.width(), self.scheme.hash());
        if self.entries.is_empty() || !self.entries.len().is_multiple_of(width) {
            return Err(Error::list("it has no entries, or not whole ones"));
        }
        let mut pairs = self
            .entries
            .chunks_exact(width)
            .zip(self.entries.chunks_exact(width).skip(1));
        if pairs.any(|(one, next)| one[..hash] >= next[..hash]) {
            return Err(Error::list(
                "its entries are not in order, or not once each",
            ));
        }
        let numbers = self.sources.iter().zip(self.sources.iter().skip(1));
        let ordered = numbers.fold(true, |all, (one, next)| all && one.0 < next.0);
        if !ordered
            || self.sources.len() > SOURCES_MAX
            || self.sources.iter().any(|(_, name)| !is_name(name))
            || (!self.sources.is_empty() && self.scheme != Scheme::Badkeys120)
        {
            return Err(Error::list("its sources are not named once each, in order"));
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(fits)
}
