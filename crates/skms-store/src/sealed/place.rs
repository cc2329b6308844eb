//! A record and its place: what seals it, what finds it, what it looks like
//! to the backend.
//!
//! The key of a record is HKDF over (storage key of the term, namespace,
//! kind, id); the associated data is install ‖ namespace ‖ kind ‖ id ‖
//! revision, each with its length in front. Stored: term (4 bytes) ‖ nonce
//! (12) ‖ ciphertext ‖ tag (16). Sealed inside: the name's length plus one
//! (2 bytes, 0 for no name) ‖ name ‖ the record's bytes.
//!
//! The index entry is HMAC(key of kind and namespace, name). The scope is the
//! namespace's id sealed deterministically under a key of the kind: equal
//! namespaces look equal, and the holder of the key reads it back, so that a
//! walk over all rows knows where each belongs.

use skms_crypto::rest::{RecordKey, prf};
use skms_crypto::{SecretBytes, ct_eq};

use super::codec::Reader;
use super::keyring::{Keyring, TermNumber};
use crate::error::{Error, Result};
use crate::store::{Kind, RecordId, Row};

/// The namespace of what belongs to the server itself: heads, the outbox.
pub const SYSTEM: [u8; 16] = [0; 16];

/// The longest name, in bytes.
pub const NAME_MAX: usize = 1024;

/// The longest record, in bytes.
pub const RECORD_MAX: usize = 4 << 20;

const TERM_LEN: usize = 4;
const TAG_LEN: usize = 16;

/// A record as its owner sees it.
#[derive(Debug)]
pub struct Record {
    /// Its id.
    pub id: RecordId,
    /// Its revision, for the next compare-and-set.
    pub revision: u64,
    /// The name it is found by, if any.
    pub name: Option<String>,
    /// Its bytes.
    pub plaintext: SecretBytes,
}

/// Where a record lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) namespace: [u8; 16],
    pub(crate) kind: Kind,
    pub(crate) id: RecordId,
    pub(crate) revision: u64,
}

impl Place {
    fn key(&self, keyring: &Keyring, term: TermNumber) -> Option<Result<RecordKey>> {
        keyring.record_key(
            term,
            &[
                b"skms record",
                &self.namespace,
                &[self.kind.number()],
                &self.id.0,
            ],
        )
    }

    fn with_aad<R>(&self, keyring: &Keyring, act: impl FnOnce(&[&[u8]]) -> R) -> R {
        act(&[
            &keyring.install,
            &self.namespace,
            &[self.kind.number()],
            &self.id.0,
            &self.revision.to_be_bytes(),
        ])
    }

    /// Seals a record into the row a backend keeps.
    pub(crate) fn seal(
        &self,
        keyring: &Keyring,
        term: TermNumber,
        name: Option<&str>,
        plaintext: &[u8],
    ) -> Result<Row> {
        if name.is_some_and(|name| name.len() > NAME_MAX) {
            return Err(Error::Invalid("a name has more than 1024 bytes"));
        }
        if plaintext.len() > RECORD_MAX {
            return Err(Error::Invalid("a record has more than 4 MiB"));
        }
        let envelope = envelope(name, plaintext);
        let key = self.key(keyring, term).ok_or(Error::StaleKeys)??;
        let body = self.with_aad(keyring, |aad| key.seal(aad, envelope.expose()))?;
        let mut sealed = Vec::with_capacity(TERM_LEN + body.len());
        sealed.extend_from_slice(&term.to_be_bytes());
        sealed.extend_from_slice(&body);
        Ok(Row {
            kind: self.kind,
            id: self.id,
            revision: self.revision,
            index: name.map(|name| index(keyring, self.namespace, self.kind, name)),
            scope: if self.kind == Kind::Head {
                None
            } else {
                Some(scope(keyring, self.namespace, self.kind)?)
            },
            sealed,
        })
    }

    /// Opens the row found at this place.
    pub(crate) fn open(&self, keyring: &Keyring, row: &Row) -> Result<Record> {
        let altered = || Error::Altered {
            kind: self.kind,
            id: self.id,
        };
        if (row.kind, row.id, row.revision) != (self.kind, self.id, self.revision) {
            return Err(altered());
        }
        let (term, body) = split(row).ok_or_else(altered)?;
        let key = self.key(keyring, term).ok_or_else(altered)??;
        let mut envelope = self
            .with_aad(keyring, |aad| key.open(aad, body))
            .map_err(|_| altered())?;
        let (name, skip) = read_name(envelope.expose()).map_err(|_| altered())?;
        envelope.drop_front(skip);
        // Index and scope lie outside the seal, so they are made again.
        let index = name
            .as_deref()
            .map(|name| index(keyring, self.namespace, self.kind, name));
        if index != row.index {
            return Err(altered());
        }
        Ok(Record {
            id: self.id,
            revision: self.revision,
            name,
            plaintext: envelope,
        })
    }
}

/// The namespace a row belongs to: heads have none, others say so in their
/// scope.
pub(crate) fn namespace(keyring: &Keyring, row: &Row) -> Result<[u8; 16]> {
    let altered = || Error::Altered {
        kind: row.kind,
        id: row.id,
    };
    match (row.kind, row.scope) {
        (Kind::Head, None) => Ok(SYSTEM),
        (Kind::Head, Some(_)) | (_, None) => Err(altered()),
        (kind, Some(scope)) => scope_key(keyring, kind)?
            .open_with_counter(0, &[], &scope)
            .ok()
            .and_then(|namespace| namespace.expose().try_into().ok())
            .ok_or_else(altered),
    }
}

/// Opens a row wherever it says it belongs.
pub(crate) fn open_any(keyring: &Keyring, row: &Row) -> Result<([u8; 16], Record)> {
    let namespace = namespace(keyring, row)?;
    let place = Place {
        namespace,
        kind: row.kind,
        id: row.id,
        revision: row.revision,
    };
    Ok((namespace, place.open(keyring, row)?))
}

/// The term a row says it is sealed under.
pub(crate) fn term(row: &Row) -> Option<TermNumber> {
    split(row).map(|(term, _)| term)
}

/// The authentication tag of a row.
pub(crate) fn tag(row: &Row) -> Option<[u8; TAG_LEN]> {
    split(row)
        .and_then(|(_, body)| body.last_chunk::<TAG_LEN>())
        .copied()
}

fn split(row: &Row) -> Option<(TermNumber, &[u8])> {
    row.sealed
        .split_first_chunk::<TERM_LEN>()
        .map(|(term, body)| (TermNumber::from_be_bytes(*term), body))
}

fn envelope(name: Option<&str>, plaintext: &[u8]) -> SecretBytes {
    let bytes = name.map(str::as_bytes).unwrap_or_default();
    let len = 2 + bytes.len() + plaintext.len();
    SecretBytes::with_len(len, |out| {
        // At most NAME_MAX, checked by the caller.
        let marker = u16::try_from(bytes.len()).unwrap_or(u16::MAX - 1) + 1;
        let marker = if name.is_some() { marker } else { 0 };
        let (head, rest) = out.split_at_mut(2);
        head.copy_from_slice(&marker.to_be_bytes());
        let (middle, tail) = rest.split_at_mut(bytes.len());
        middle.copy_from_slice(bytes);
        tail.copy_from_slice(plaintext);
    })
}

/// The name in an envelope, and how many bytes it and its length take.
fn read_name(envelope: &[u8]) -> Result<(Option<String>, usize)> {
    let mut reader = Reader::new(envelope, "record");
    let marker = usize::from(reader.u16()?);
    if marker == 0 {
        return Ok((None, 2));
    }
    let name =
        std::str::from_utf8(reader.slice(marker - 1)?).map_err(|_| Error::Malformed("record"))?;
    Ok((Some(name.to_owned()), 1 + marker))
}

/// The blind index entry of a name.
pub(crate) fn index(keyring: &Keyring, namespace: [u8; 16], kind: Kind, name: &str) -> [u8; 32] {
    let key =
        keyring.with_index_key(|key| prf(key, &[b"skms index", &[kind.number()], &namespace]));
    prf(&key, &[name.as_bytes()])
}

fn scope_key(keyring: &Keyring, kind: Kind) -> Result<RecordKey> {
    keyring
        .with_index_key(|key| {
            RecordKey::derive(key, &keyring.install, &[b"skms scope", &[kind.number()]])
        })
        .map_err(Error::from)
}

/// The blind grouping of a namespace's records of one kind. Deterministic:
/// the nonce is fixed, and GCM-SIV then shows equality and nothing else.
pub(crate) fn scope(keyring: &Keyring, namespace: [u8; 16], kind: Kind) -> Result<[u8; 32]> {
    scope_key(keyring, kind)?
        .seal_with_counter(0, &[], &namespace)?
        .try_into()
        .map_err(|_| Error::Malformed("scope"))
}

/// Whether a row belongs to this namespace.
pub(crate) fn belongs(scope: Option<[u8; 32]>, row: &Row) -> bool {
    match (scope, row.scope) {
        (Some(expected), Some(found)) => ct_eq(&expected, &found),
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            namespace: [3; 16],
            kind: Kind::Key,
            id: RecordId([4; 16]),
            revision: 5,
        }
    }

    #[test]
    fn opens_only_in_its_place() {
        let keyring = Keyring::generate([1; 16]).unwrap();
        for name in [None, Some(""), Some("signing")] {
            let row = place().seal(&keyring, 1, name, b"bytes").unwrap();
            let record = place().open(&keyring, &row).unwrap();
            assert_eq!(record.name.as_deref(), name);
            assert_eq!(record.plaintext.expose(), b"bytes");
            assert_eq!(open_any(&keyring, &row).unwrap().0, [3; 16]);

            let moved = |change: &dyn Fn(&mut Place)| {
                let mut other = place();
                change(&mut other);
                let row = Row {
                    kind: other.kind,
                    id: other.id,
                    revision: other.revision,
                    ..row.clone()
                };
                other.open(&keyring, &row).is_err()
            };
            assert!(moved(&|place| place.namespace = [9; 16]));
            assert!(moved(&|place| place.kind = Kind::Material));
            assert!(moved(&|place| place.id = RecordId([9; 16])));
            assert!(moved(&|place| place.revision = 4));
            let elsewhere = Keyring::generate([2; 16]).unwrap();
            assert!(place().open(&elsewhere, &row).is_err());
        }
    }

    #[test]
    fn no_bit_of_a_row_may_change() {
        let keyring = Keyring::generate([1; 16]).unwrap();
        let row = place().seal(&keyring, 1, Some("n"), b"bytes").unwrap();
        for bit in 0..row.sealed.len() * 8 {
            let mut bad = row.clone();
            bad.sealed[bit / 8] ^= 1 << (bit % 8);
            assert!(open_any(&keyring, &bad).is_err(), "bit {bit}");
        }
        for bit in 0..256 {
            let mut bad = row.clone();
            bad.index.as_mut().unwrap()[bit / 8] ^= 1 << (bit % 8);
            assert!(open_any(&keyring, &bad).is_err(), "index bit {bit}");
            let mut bad = row.clone();
            bad.scope.as_mut().unwrap()[bit / 8] ^= 1 << (bit % 8);
            assert!(open_any(&keyring, &bad).is_err(), "scope bit {bit}");
        }
        for len in 0..row.sealed.len() {
            let mut bad = row.clone();
            bad.sealed.truncate(len);
            assert!(open_any(&keyring, &bad).is_err());
        }
    }

    #[test]
    fn indexes_differ_by_kind_namespace_and_install() {
        let keyring = Keyring::generate([1; 16]).unwrap();
        let entry = index(&keyring, [1; 16], Kind::Key, "a");
        assert_eq!(entry, index(&keyring, [1; 16], Kind::Key, "a"));
        assert_ne!(entry, index(&keyring, [2; 16], Kind::Key, "a"));
        assert_ne!(entry, index(&keyring, [1; 16], Kind::Policy, "a"));
        assert_ne!(entry, index(&keyring, [1; 16], Kind::Key, "b"));
        let other = Keyring::generate([1; 16]).unwrap();
        assert_ne!(entry, index(&other, [1; 16], Kind::Key, "a"));
        assert_ne!(
            scope(&keyring, [1; 16], Kind::Key).unwrap(),
            scope(&keyring, [1; 16], Kind::Policy).unwrap()
        );
    }
}
