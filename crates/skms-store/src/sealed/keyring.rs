//! The keys in memory: one storage key a term, the keys of indexes and
//! heads, and what old journal segments still need.
//!
//! Storage keys rotate. The index key and the head key do not: they are made
//! once, wrapped by the root key like the rest, and so survive every
//! rotation; whoever once held the root key could still test names against a
//! database stolen later.

use std::collections::BTreeMap;
use std::sync::Arc;

use skms_crypto::rest::{Prf, RecordKey, hkdf_sha256};
use skms_crypto::{SecretArray, SecretBytes};

use super::codec::Reader;
use super::slot::Slot;
use crate::error::{Error, Result};

/// A storage key's generation, from 1.
pub type TermNumber = u32;

const ENCODING: u8 = 1;

/// Every key below the root. Cheap to clone: slots are shared.
#[derive(Clone)]
pub(crate) struct Keyring {
    pub(crate) install: [u8; 16],
    /// The term new records are sealed under.
    pub(crate) current: TermNumber,
    terms: BTreeMap<TermNumber, Arc<Slot>>,
    journal: BTreeMap<TermNumber, Arc<Slot>>,
    index: Arc<Slot>,
    head: Arc<Slot>,
    head_prf: Arc<Prf>,
}

impl Keyring {
    /// Fresh keys for a new install.
    pub(crate) fn generate(install: [u8; 16]) -> Result<Self> {
        let mut keyring = Self::of(install, Slot::random()?, Slot::random()?);
        keyring.add_term(1)?;
        keyring.current = 1;
        Ok(keyring)
    }

    fn of(install: [u8; 16], index: Slot, head: Slot) -> Self {
        let head_prf = head.with(|key| Prf::new(key));
        Self {
            install,
            current: 0,
            terms: BTreeMap::new(),
            journal: BTreeMap::new(),
            index: Arc::new(index),
            head: Arc::new(head),
            head_prf: Arc::new(head_prf),
        }
    }

    /// Adds a fresh storage key without making it the current one.
    pub(crate) fn add_term(&mut self, term: TermNumber) -> Result<()> {
        let key = Slot::random()?;
        self.insert(term, key)
    }

    fn insert(&mut self, term: TermNumber, key: Slot) -> Result<()> {
        // The journal's key of a term is derived from its storage key, and
        // stays when that is dropped: old segments are not rewritten.
        let journal = key.with(|key| {
            SecretArray::<32>::try_init_with(|out| {
                hkdf_sha256(key, &self.install, &[b"skms journal"], out)
            })
        })?;
        self.journal
            .insert(term, Arc::new(Slot::new(journal.expose())?));
        self.terms.insert(term, Arc::new(key));
        Ok(())
    }

    /// Drops storage keys that no record needs.
    pub(crate) fn drop_terms_below(&mut self, term: TermNumber) {
        self.terms = self.terms.split_off(&term.min(self.current));
    }

    /// Drops what only journal segments of old terms need.
    pub(crate) fn drop_journal_below(&mut self, term: TermNumber) {
        let kept = self.journal.split_off(&term.min(self.current));
        self.journal = kept;
    }

    /// The terms with a storage key, oldest first.
    pub(crate) fn terms(&self) -> impl Iterator<Item = TermNumber> + '_ {
        self.terms.keys().copied()
    }

    /// The terms with a key for journal segments, oldest first.
    pub(crate) fn journal_terms(&self) -> impl Iterator<Item = TermNumber> + '_ {
        self.journal.keys().copied()
    }

    pub(crate) fn knows(&self, term: TermNumber) -> bool {
        self.terms.contains_key(&term)
    }

    /// Takes over the terms of a newer keyring. Where this one has another
    /// key for a term, that came from a change that was not done.
    pub(crate) fn learn(&mut self, newer: &Self) {
        for (term, key) in &newer.terms {
            self.terms.insert(*term, Arc::clone(key));
        }
        for (term, key) in &newer.journal {
            self.journal.insert(*term, Arc::clone(key));
        }
    }

    /// The key of one record; `None` for a term this keyring lacks.
    pub(crate) fn record_key(&self, term: TermNumber, info: &[&[u8]]) -> Option<Result<RecordKey>> {
        self.terms.get(&term).map(|slot| {
            slot.with(|key| RecordKey::derive(key, &self.install, info))
                .map_err(Error::from)
        })
    }

    /// The key of one journal segment; `None` for a term this keyring lacks.
    pub(crate) fn segment_key(
        &self,
        term: TermNumber,
        info: &[&[u8]],
    ) -> Option<Result<RecordKey>> {
        self.journal.get(&term).map(|slot| {
            slot.with(|key| RecordKey::derive(key, &self.install, info))
                .map_err(Error::from)
        })
    }

    /// A key of the blind indexes.
    pub(crate) fn with_index_key<R>(&self, act: impl FnOnce(&[u8; 32]) -> R) -> R {
        self.index.with(act)
    }

    /// The keyed digest of heads.
    pub(crate) fn head_prf(&self) -> &Prf {
        &self.head_prf
    }

    /// Everything, to be sealed under the root key.
    pub(crate) fn encode(&self) -> Result<SecretBytes> {
        let count = |map: &BTreeMap<TermNumber, Arc<Slot>>| {
            u16::try_from(map.len()).map_err(|_| Error::Invalid("too many storage keys"))
        };
        let (terms, journal) = (count(&self.terms)?, count(&self.journal)?);
        let len = 1 + 64 + 4 + 2 + 2 + (self.terms.len() + self.journal.len()) * 36;
        let mut out = Vec::with_capacity(len);
        out.push(ENCODING);
        self.index.with(|key| out.extend_from_slice(key));
        self.head.with(|key| out.extend_from_slice(key));
        out.extend_from_slice(&self.current.to_be_bytes());
        out.extend_from_slice(&terms.to_be_bytes());
        out.extend_from_slice(&journal.to_be_bytes());
        for (term, slot) in self.terms.iter().chain(&self.journal) {
            out.extend_from_slice(&term.to_be_bytes());
            slot.with(|key| out.extend_from_slice(key));
        }
        Ok(SecretBytes::new(out))
    }

    pub(crate) fn decode(install: [u8; 16], bytes: &SecretBytes) -> Result<Self> {
        let mut reader = Reader::new(bytes.expose(), "keyring");
        let encoding = reader.u8()?;
        if encoding > ENCODING {
            return Err(Error::Newer {
                what: "the keyring",
                found: encoding.into(),
                supported: ENCODING.into(),
            });
        }
        let index = slot(&mut reader)?;
        let head = slot(&mut reader)?;
        let mut keyring = Self::of(install, index, head);
        keyring.current = reader.u32()?;
        let (terms, journal) = (reader.u16()?, reader.u16()?);
        for _ in 0..terms {
            let term = reader.u32()?;
            let key = slot(&mut reader)?;
            keyring.terms.insert(term, Arc::new(key));
        }
        for _ in 0..journal {
            let term = reader.u32()?;
            let key = slot(&mut reader)?;
            keyring.journal.insert(term, Arc::new(key));
        }
        reader.end()?;
        if !keyring.knows(keyring.current) {
            return Err(Error::Malformed("keyring"));
        }
        Ok(keyring)
    }
}

fn slot(reader: &mut Reader<'_>) -> Result<Slot> {
    let bytes = reader.slice(32)?;
    let key: &[u8; 32] = bytes.try_into().map_err(|_| Error::Malformed("keyring"))?;
    Slot::new(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_its_encoding_and_forgets_what_is_dropped() {
        let mut keyring = Keyring::generate([7; 16]).unwrap();
        keyring.add_term(2).unwrap();
        keyring.current = 2;
        let again = Keyring::decode([7; 16], &keyring.encode().unwrap()).unwrap();
        assert_eq!(again.current, 2);
        assert_eq!(again.terms().collect::<Vec<_>>(), [1, 2]);
        let sealed = keyring
            .record_key(1, &[b"x"])
            .unwrap()
            .unwrap()
            .seal(&[], b"v")
            .unwrap();
        let open = |keyring: &Keyring| {
            keyring
                .record_key(1, &[b"x"])
                .is_some_and(|key| key.unwrap().open(&[], &sealed).is_ok())
        };
        assert!(open(&again));

        let mut dropped = again.clone();
        dropped.drop_terms_below(2);
        assert!(!open(&dropped));
        assert_eq!(dropped.journal_terms().collect::<Vec<_>>(), [1, 2]);
        dropped.drop_terms_below(9);
        assert_eq!(
            dropped.terms().collect::<Vec<_>>(),
            [2],
            "the current one stays"
        );
    }

    #[test]
    fn refuses_what_is_cut_or_newer() {
        let whole = Keyring::generate([0; 16]).unwrap().encode().unwrap();
        for len in 0..whole.len() {
            let cut = SecretBytes::new(whole.expose()[..len].to_vec());
            assert!(Keyring::decode([0; 16], &cut).is_err());
        }
        let mut newer = whole.duplicate();
        newer.expose_mut()[0] = 9;
        assert!(matches!(
            Keyring::decode([0; 16], &newer),
            Err(Error::Newer { found: 9, .. })
        ));
    }
}
