//! Seals: each protects the private half of its own X-Wing key pair, and the
//! root key is wrapped to every public half.

use skms_crypto::passphrase::Argon2id;
use skms_crypto::rest::RecordKey;
use skms_crypto::sealbox::{SealPrivateKey, SealPublicKey};
use skms_crypto::shamir::{self, Share};
use skms_crypto::{SecretArray, SecretBytes};

use super::header::{Base64, Protection, SealEntry};
use super::slot::Slot;
use crate::error::{Error, Result};

/// The shortest passphrase, in bytes.
pub const PASSPHRASE_MIN: usize = 8;

/// A seal to be made. Debug shows no secret.
#[derive(Debug)]
#[non_exhaustive]
pub enum NewSeal {
    /// Opened by a passphrase.
    Passphrase {
        /// A name for people.
        name: String,
        /// At least [`PASSPHRASE_MIN`] bytes.
        passphrase: SecretBytes,
        /// What one guess costs.
        cost: Argon2id,
    },
    /// Opened by `threshold` of `shares` holders.
    Shamir {
        /// A name for people.
        name: String,
        /// How many shares are needed, at least 2.
        threshold: u8,
        /// How many are made.
        shares: u8,
    },
    /// Opened by a key file.
    KeyFile {
        /// A name for people.
        name: String,
        /// The key in the file; see [`super::key_file`].
        key: SecretArray<32>,
    },
}

impl NewSeal {
    /// A passphrase seal at the default cost (RFC 9106: 64 MiB, 3 passes).
    #[must_use]
    pub fn passphrase(name: &str, passphrase: SecretBytes) -> Self {
        Self::Passphrase {
            name: name.to_owned(),
            passphrase,
            cost: Argon2id::default(),
        }
    }
}

/// The shares of a new Shamir seal, shown once and kept nowhere.
#[derive(Debug)]
pub struct InitialShares {
    /// The seal's name.
    pub name: String,
    /// The shares, one a holder.
    pub shares: Vec<SecretShare>,
}

/// One share, to be given to its holder.
pub struct SecretShare(Share);

impl SecretShare {
    /// Its number in the set, from 1.
    #[must_use]
    pub fn index(&self) -> u8 {
        self.0.index()
    }

    /// The text its holder keeps.
    #[must_use]
    pub fn to_text(&self) -> skms_crypto::secret::SecretText {
        self.0.to_text()
    }
}

impl std::fmt::Debug for SecretShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretShare({}, <redacted>)", self.0.index())
    }
}

fn private_aad<'a>(install: &'a [u8; 16], id: &'a [u8], public: &'a [u8]) -> [&'a [u8]; 4] {
    [b"skms seal private key", install, id, public]
}

fn private_key(secret: &[u8; 32], install: &[u8; 16]) -> Result<RecordKey> {
    RecordKey::derive(secret, install, &[b"skms seal"]).map_err(Error::from)
}

/// Makes the entry of a new seal, its root wrap still to come. Slow for a
/// passphrase.
pub(crate) fn protect(
    install: &[u8; 16],
    new: &NewSeal,
) -> Result<(SealEntry, Option<InitialShares>)> {
    let id = skms_crypto::rand::array::<16>()?;
    let (name, protection, secret, shares) = match new {
        NewSeal::Passphrase {
            name,
            passphrase,
            cost,
        } => {
            if passphrase.len() < PASSPHRASE_MIN {
                return Err(Error::Invalid("a passphrase needs at least 8 characters"));
            }
            let salt = skms_crypto::rand::array::<16>()?;
            let protection = Protection::Passphrase {
                salt: Base64(salt.to_vec()),
                memory_kib: cost.memory_kib,
                iterations: cost.iterations,
                parallelism: cost.parallelism,
            };
            let secret = cost.derive(passphrase.expose(), &salt)?;
            (name, protection, secret, None)
        }
        NewSeal::Shamir {
            name,
            threshold,
            shares,
        } => {
            let secret = SecretArray::<32>::random()?;
            let split = shamir::split(secret.expose(), *threshold, *shares)?;
            let set = split.first().map(Share::set).unwrap_or_default();
            let protection = Protection::Shamir {
                set: Base64(set.to_vec()),
                threshold: *threshold,
                shares: *shares,
            };
            let initial = InitialShares {
                name: name.clone(),
                shares: split.into_iter().map(SecretShare).collect(),
            };
            (name, protection, secret, Some(initial))
        }
        NewSeal::KeyFile { name, key } => {
            let secret = SecretArray::from_slice(key.expose())?;
            (name, Protection::KeyFile, secret, None)
        }
    };
    if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
        return Err(Error::Invalid(
            "a seal's name has 1 to 128 bytes and no control characters",
        ));
    }
    let pair = SealPrivateKey::generate()?;
    let public = pair.public_key().to_bytes();
    let private = private_key(secret.expose(), install)?
        .seal(&private_aad(install, &id, &public), pair.expose())?;
    let entry = SealEntry {
        id: Base64(id.to_vec()),
        name: name.clone(),
        protection,
        public: Base64(public),
        private: Base64(private),
        root: Base64(Vec::new()),
    };
    Ok((entry, shares))
}

fn root_aad<'a>(install: &'a [u8; 16], id: &'a [u8], version: &'a [u8; 8]) -> [&'a [u8]; 4] {
    [b"skms root key", install, id, version]
}

/// Wraps the root key to a seal.
pub(crate) fn wrap_root(
    entry: &mut SealEntry,
    install: &[u8; 16],
    version: u64,
    root: &Slot,
) -> Result<()> {
    let public = SealPublicKey::from_bytes(&entry.public.0)?;
    let version = version.to_be_bytes();
    let wrapped = root.with(|root| public.wrap(root, &root_aad(install, &entry.id.0, &version)))?;
    entry.root = Base64(wrapped);
    Ok(())
}

/// Opens a seal with its secret: the root key, or `None` when the secret is
/// not the seal's.
pub(crate) fn open(
    entry: &SealEntry,
    install: &[u8; 16],
    version: u64,
    secret: &SecretArray<32>,
) -> Result<Option<Slot>> {
    let aad = private_aad(install, &entry.id.0, &entry.public.0);
    let Ok(private) = private_key(secret.expose(), install)?.open(&aad, &entry.private.0) else {
        return Ok(None);
    };
    // The secret is right, so what fails from here on is the header's fault.
    let version = version.to_be_bytes();
    let root = SealPrivateKey::from_bytes(private.expose())?
        .unwrap(&entry.root.0, &root_aad(install, &entry.id.0, &version))
        .map_err(|_| Error::HeaderAltered)?;
    let root: &[u8; 32] = root.expose().try_into().map_err(|_| Error::HeaderAltered)?;
    Slot::new(root).map(Some)
}

/// What a passphrase gives for this seal. Slow.
pub(crate) fn passphrase_secret(
    protection: &Protection,
    passphrase: &SecretBytes,
) -> Result<Option<SecretArray<32>>> {
    let Protection::Passphrase {
        salt,
        memory_kib,
        iterations,
        parallelism,
    } = protection
    else {
        return Ok(None);
    };
    let cost = Argon2id {
        memory_kib: *memory_kib,
        iterations: *iterations,
        parallelism: *parallelism,
    };
    Ok(Some(cost.derive(passphrase.expose(), &salt.0)?))
}
