//! The header: the one thing that must be readable before unsealing.
//!
//! `SKMSHDR` ‖ format (1 byte) ‖ length ‖ public part (JSON: install, seals
//! with their public keys, sealed private keys and root wraps) ‖ length ‖
//! keyring sealed under the root key. The keyring's associated data is the
//! hash of the public part, so a seal added, weakened or swapped by someone
//! else is found before the root key is ever wrapped to it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use skms_crypto::rest::RecordKey;
use skms_crypto::{Hash, SecretBytes};

use super::codec::{Reader, put_prefixed};
use super::keyring::Keyring;
use super::slot::Slot;
use crate::error::{Error, Result};

/// The header's name among the plain values.
pub(crate) const NAME: &str = "header";

const MAGIC: &[u8; 7] = b"SKMSHDR";
const FORMAT: u8 = 1;
/// The longest header, in bytes; seals take about 4 KiB each.
const HEADER_MAX: usize = 1 << 20;
/// The most seals.
pub(crate) const SEALS_MAX: usize = 64;

/// Bytes that JSON shows as standard base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base64(pub(crate) Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD
            .decode(text.as_ref())
            .map(Self)
            .map_err(|_| serde::de::Error::custom("not base64"))
    }
}

/// How a seal protects its private key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Protection {
    /// Argon2id of a passphrase.
    Passphrase {
        salt: Base64,
        memory_kib: u32,
        iterations: u32,
        parallelism: u32,
    },
    /// A random secret, split among holders.
    Shamir {
        set: Base64,
        threshold: u8,
        shares: u8,
    },
    /// A random secret in a file.
    KeyFile,
}

/// One seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealEntry {
    pub(crate) id: Base64,
    pub(crate) name: String,
    pub(crate) protection: Protection,
    /// X-Wing public key.
    pub(crate) public: Base64,
    /// X-Wing private key, sealed under what `protection` gives.
    pub(crate) private: Base64,
    /// The root key, wrapped to `public`.
    pub(crate) root: Base64,
}

/// The public part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Public {
    pub(crate) install: Base64,
    /// Generation of the root key, from 1.
    pub(crate) root_version: u64,
    pub(crate) seals: Vec<SealEntry>,
}

/// A header as stored.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) public: Public,
    pub(crate) install: [u8; 16],
    public_hash: Vec<u8>,
    keyring: Vec<u8>,
}

/// SHA-256 of a header's bytes, as the top head holds it.
pub(crate) fn hash(bytes: &[u8]) -> [u8; 32] {
    Hash::Sha256.digest(bytes).try_into().unwrap_or_default()
}

fn keyring_key(root: &Slot, install: &[u8; 16]) -> Result<RecordKey> {
    root.with(|root| RecordKey::derive(root, install, &[b"skms keyring"]))
        .map_err(Error::from)
}

impl Header {
    /// Reads what [`Header::build`] wrote. Nothing in it is to be trusted
    /// until [`Header::open`] has succeeded.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        const BAD: Error = Error::Malformed("header");
        if bytes.len() > HEADER_MAX {
            return Err(BAD);
        }
        let mut reader = Reader::new(bytes, "header");
        if reader.array()? != *MAGIC {
            return Err(BAD);
        }
        let format = reader.u8()?;
        if format > FORMAT {
            return Err(Error::Newer {
                what: "the header",
                found: format.into(),
                supported: FORMAT.into(),
            });
        }
        if format != FORMAT {
            return Err(BAD);
        }
        let json = reader.prefixed()?;
        let keyring = reader.prefixed()?.to_vec();
        reader.end()?;
        let public: Public = serde_json::from_slice(json).map_err(|_| BAD)?;
        let install = public.install.0.as_slice().try_into().map_err(|_| BAD)?;
        if public.seals.is_empty() || public.seals.len() > SEALS_MAX {
            return Err(BAD);
        }
        Ok(Self {
            public,
            install,
            public_hash: Hash::Sha256.digest(json),
            keyring,
        })
    }

    /// Opens the keyring, which also vouches for the public part.
    pub(crate) fn open(&self, root: &Slot) -> Result<Keyring> {
        let bytes = keyring_key(root, &self.install)?
            .open(&self.aad(), &self.keyring)
            .map_err(|_| Error::HeaderAltered)?;
        Keyring::decode(self.install, &bytes)
    }

    fn aad(&self) -> [&[u8]; 2] {
        [&self.install, &self.public_hash]
    }

    /// The bytes to store.
    pub(crate) fn build(public: &Public, keyring: &Keyring, root: &Slot) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(public).map_err(|_| Error::Malformed("header"))?;
        let hash = Hash::Sha256.digest(&json);
        let sealed: Vec<u8> = {
            let plain: SecretBytes = keyring.encode()?;
            keyring_key(root, &keyring.install)?.seal(&[&keyring.install, &hash], plain.expose())?
        };
        let mut out = Vec::with_capacity(16 + json.len() + sealed.len());
        out.extend_from_slice(MAGIC);
        out.push(FORMAT);
        put_prefixed(&mut out, &json)?;
        put_prefixed(&mut out, &sealed)?;
        if out.len() > HEADER_MAX {
            return Err(Error::Invalid("the header has more than 1 MiB"));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Public, Keyring, Slot) {
        let public = Public {
            install: Base64(vec![5; 16]),
            root_version: 1,
            seals: vec![SealEntry {
                id: Base64(vec![1; 16]),
                name: "main".into(),
                protection: Protection::KeyFile,
                public: Base64(vec![2; 8]),
                private: Base64(vec![3; 8]),
                root: Base64(vec![4; 8]),
            }],
        };
        (
            public,
            Keyring::generate([5; 16]).unwrap(),
            Slot::random().unwrap(),
        )
    }

    #[test]
    fn opens_under_its_root_only() {
        let (public, keyring, root) = sample();
        let bytes = Header::build(&public, &keyring, &root).unwrap();
        let header = Header::parse(&bytes).unwrap();
        assert_eq!(header.public, public);
        assert_eq!(header.open(&root).unwrap().current, 1);
        assert!(matches!(
            header.open(&Slot::random().unwrap()),
            Err(Error::HeaderAltered)
        ));
    }

    #[test]
    fn no_bit_may_change() {
        let (public, keyring, root) = sample();
        let bytes = Header::build(&public, &keyring, &root).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let opened = Header::parse(&bad).and_then(|header| header.open(&root));
            assert!(opened.is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(Header::parse(&bytes[..len]).is_err());
        }
    }

    #[test]
    fn newer_formats_are_named() {
        let (public, keyring, root) = sample();
        let mut bytes = Header::build(&public, &keyring, &root).unwrap();
        bytes[7] = 2;
        assert!(matches!(
            Header::parse(&bytes),
            Err(Error::Newer { found: 2, .. })
        ));
    }
}
