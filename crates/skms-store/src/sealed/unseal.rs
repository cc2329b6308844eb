//! From a sealed store to an open one, secret by secret.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skms_crypto::SecretArray;
use skms_crypto::SecretBytes;
use skms_crypto::secret::SecretText;
use skms_crypto::shamir::{self, Share};

use super::SealedStore;
use super::check::{self, Checked};
use super::gate::Gate;
use super::header::{self, Header, Protection};
use super::seals;
use super::slot::Slot;
use super::status::{SealInfo, seal_infos};
use crate::error::{Error, Result};
use crate::store::Store;

/// What an operator gives to unseal.
#[derive(Debug)]
#[non_exhaustive]
pub enum SealInput {
    /// A passphrase.
    Passphrase(SecretBytes),
    /// One share's text.
    Share(SecretText),
    /// The key in a key file.
    KeyFile(SecretArray<32>),
}

/// What giving it led to.
#[derive(Debug)]
#[must_use]
pub enum Progress {
    /// More shares are needed.
    Waiting {
        /// Shares given so far.
        have: u8,
        /// Shares needed.
        need: u8,
    },
    /// Open.
    Unsealed(SealedStore),
}

/// More shares are needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) have: u8,
    pub(crate) need: u8,
}

/// Secrets, given one by one until they make up a root key.
#[derive(Default)]
pub(crate) struct Ceremony {
    shares: Mutex<Vec<Share>>,
    deriving: Gate,
}

/// A store whose keys are not in memory.
pub struct Sealed {
    store: Arc<dyn Store>,
    ceremony: Ceremony,
    alone: bool,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed").finish_non_exhaustive()
    }
}

async fn load(store: &dyn Store) -> Result<(Header, Vec<u8>)> {
    match store.meta(header::NAME).await? {
        Some(meta) => Ok((Header::parse(&meta.bytes)?, meta.bytes)),
        None => Err(headless(store).await?),
    }
}

/// What a store without a header is.
async fn headless(store: &dyn Store) -> Result<Error> {
    crate::migrate::check_whole(store).await?;
    let empty = store.snapshot().await?.next(1).await?.is_empty();
    // Rows without a header: removed, not missing from the start.
    Ok(if empty {
        Error::NotInitialised
    } else {
        Error::HeaderAltered
    })
}

impl Sealed {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Error::NotInitialised`], [`Error::Newer`], [`Error::HeaderAltered`],
    /// [`Error::Malformed`].
    pub async fn open(store: Arc<dyn Store>) -> Result<Self> {
        load(store.as_ref()).await?;
        Ok(Self {
            store,
            ceremony: Ceremony::default(),
            alone: true,
        })
    }

    /// For a backend that other processes write to as well: what is opened
    /// does not keep in memory which rows are true (about 50 bytes for each
    /// key, version, token, policy, principal, keyring and namespace), so a
    /// row that is replayed behind its back is found by
    /// [`SealedStore::verify`] and the next unsealing, not when it is read.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.alone = false;
        self
    }

    /// The store beneath.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The install's id; not secret, and not yet vouched for.
    ///
    /// # Errors
    /// As [`Sealed::open`].
    pub async fn install(&self) -> Result<[u8; 16]> {
        Ok(load(self.store.as_ref()).await?.0.install)
    }

    /// The seals, so that an operator knows what to bring; not yet vouched
    /// for.
    ///
    /// # Errors
    /// As [`Sealed::open`].
    pub async fn seals(&self) -> Result<Vec<SealInfo>> {
        let (header, _) = load(self.store.as_ref()).await?;
        Ok(seal_infos(&header.public))
    }

    /// Shares given so far and needed, when any were given.
    #[must_use]
    pub fn shares(&self) -> Option<(u8, u8)> {
        let shares = self.ceremony.lock();
        shares
            .first()
            .map(|first| (count(&shares), first.threshold()))
    }

    /// Forgets the shares given so far.
    pub fn forget_shares(&self) {
        self.ceremony.lock().clear();
    }

    /// Tries a secret. A wrong one changes nothing. A right one opens the
    /// store after every row was checked against the heads.
    ///
    /// # Errors
    /// [`Error::WrongPassphrase`], [`Error::WrongKeyFile`],
    /// [`Error::WrongShares`], [`Error::DuplicateShare`],
    /// [`Error::ForeignShare`], [`Error::NoSuchSeal`], [`Error::Overloaded`]
    /// when five passphrases are being tried already; then what the check
    /// found: [`Error::HeaderAltered`], [`Error::HeadMismatch`],
    /// [`Error::Altered`].
    pub async fn submit(&self, input: SealInput) -> Result<Progress> {
        let (header, _) = load(self.store.as_ref()).await?;
        let root = match self.ceremony.submit(&header, input).await? {
            Ok(root) => root,
            Err(Waiting { have, need }) => return Ok(Progress::Waiting { have, need }),
        };
        // Read again with the rows, in one consistent view.
        let checked: Checked = check::check(self.store.as_ref(), &root, self.alone).await?;
        self.forget_shares();
        Ok(Progress::Unsealed(SealedStore::opened(
            Arc::clone(&self.store),
            root,
            checked,
        )))
    }
}

impl Ceremony {
    fn lock(&self) -> MutexGuard<'_, Vec<Share>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries a secret on the seals of this header.
    pub(crate) async fn submit(
        &self,
        header: &Header,
        input: SealInput,
    ) -> Result<std::result::Result<Slot, Waiting>> {
        match input {
            SealInput::Passphrase(passphrase) => {
                let header = header.clone();
                self.deriving
                    .run(move || try_passphrase(&header, &passphrase))
                    .await
                    .map(Ok)
            }
            SealInput::KeyFile(key) => try_key_file(header, &key).map(Ok),
            SealInput::Share(text) => self.try_share(header, &text),
        }
    }

    fn try_share(
        &self,
        header: &Header,
        text: &SecretText,
    ) -> Result<std::result::Result<Slot, Waiting>> {
        let share = Share::from_text(text.expose())?;
        let entry = header
            .public
            .seals
            .iter()
            .find(|entry| matches!(&entry.protection, Protection::Shamir { set, .. } if set.0 == share.set()));
        let Some(entry) = entry else {
            let any = header
                .public
                .seals
                .iter()
                .any(|entry| matches!(entry.protection, Protection::Shamir { .. }));
            return Err(if any {
                Error::ForeignShare
            } else {
                Error::NoSuchSeal("Shamir")
            });
        };
        let Protection::Shamir {
            threshold: need, ..
        } = entry.protection
        else {
            return Err(Error::ForeignShare);
        };
        if share.threshold() != need {
            return Err(Error::ForeignShare);
        }
        let mut shares = self.lock();
        if shares.iter().any(|known| known.set() != share.set()) {
            // Two Shamir seals: the ceremony begins again with the other.
            shares.clear();
        }
        if shares.iter().any(|known| known.index() == share.index()) {
            return Err(Error::DuplicateShare {
                index: share.index(),
            });
        }
        shares.push(share);
        let have = count(&shares);
        if have < need {
            return Ok(Err(Waiting { have, need }));
        }
        let secret = shamir::combine(&shares);
        shares.clear();
        drop(shares);
        let secret = secret.map_err(|_| Error::WrongShares)?;
        let secret = SecretArray::from_slice(secret.expose()).map_err(|_| Error::WrongShares)?;
        seals::open(entry, &header.install, header.public.root_version, &secret)?
            .map(Ok)
            .ok_or(Error::WrongShares)
    }
}

fn count(shares: &[Share]) -> u8 {
    u8::try_from(shares.len()).unwrap_or(u8::MAX)
}

fn try_passphrase(header: &Header, passphrase: &SecretBytes) -> Result<Slot> {
    let mut any = false;
    for entry in &header.public.seals {
        if let Some(secret) = seals::passphrase_secret(&entry.protection, passphrase)? {
            any = true;
            let version = header.public.root_version;
            if let Some(root) = seals::open(entry, &header.install, version, &secret)? {
                return Ok(root);
            }
        }
    }
    Err(if any {
        Error::WrongPassphrase
    } else {
        Error::NoSuchSeal("passphrase")
    })
}

fn try_key_file(header: &Header, key: &SecretArray<32>) -> Result<Slot> {
    let mut any = false;
    for entry in &header.public.seals {
        if entry.protection == Protection::KeyFile {
            any = true;
            let version = header.public.root_version;
            if let Some(root) = seals::open(entry, &header.install, version, key)? {
                return Ok(root);
            }
        }
    }
    Err(if any {
        Error::WrongKeyFile
    } else {
        Error::NoSuchSeal("key-file")
    })
}
