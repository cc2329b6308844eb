//! Making a new store.

use std::sync::Arc;

use super::check;
use super::header::{self, Base64, Header, Public, SEALS_MAX};
use super::heads::{Head, PARTITIONS, Sealing, TopHead};
use super::keyring::Keyring;
use super::seals::{self, InitialShares, NewSeal};
use super::slot::Slot;
use super::{SealedStore, blocking};
use crate::error::{Conflict, Error, Result};
use crate::store::{Batch, MetaWrite, Store};

/// What [`SealedStore::init`] gives back.
#[derive(Debug)]
pub struct Initialised {
    /// The store, open.
    pub store: SealedStore,
    /// Shares to hand to their holders now: they exist nowhere else.
    pub shares: Vec<InitialShares>,
}

impl SealedStore {
    /// Makes the keys of a new install and writes header and heads, all in
    /// one batch.
    ///
    /// # Errors
    /// [`Error::AlreadyInitialised`], [`Error::HeaderAltered`] when records
    /// exist without a header, [`Error::Invalid`] for no seal or one that
    /// cannot be made.
    pub async fn init(store: Arc<dyn Store>, seals: Vec<NewSeal>) -> Result<Initialised> {
        if store.meta(header::NAME).await?.is_some() {
            return Err(Error::AlreadyInitialised);
        }
        crate::migrate::check_whole(store.as_ref()).await?;
        if !store.snapshot().await?.next(1).await?.is_empty() {
            return Err(Error::HeaderAltered);
        }
        if seals.is_empty() || seals.len() > SEALS_MAX {
            return Err(Error::Invalid("a store needs 1 to 64 seals"));
        }
        let install = skms_crypto::rand::array::<16>()?;
        let root = Slot::random()?;
        let (root, entries, shares) = blocking(move || {
            let (mut entries, mut shares) = (Vec::new(), Vec::new());
            for seal in &seals {
                let (mut entry, initial) = seals::protect(&install, seal)?;
                seals::wrap_root(&mut entry, &install, 1, &root)?;
                entries.push(entry);
                shares.extend(initial);
            }
            Ok((root, entries, shares))
        })
        .await?;
        let keyring = Keyring::generate(install)?;
        let public = Public {
            install: Base64(install.to_vec()),
            root_version: 1,
            seals: entries,
        };
        let bytes = Header::build(&public, &keyring, &root)?;

        let sealing = Sealing {
            keyring: &keyring,
            term: keyring.current,
        };
        let mut top = TopHead {
            header: header::hash(&bytes),
            oldest_term: keyring.current,
            ..TopHead::default()
        };
        let mut writes = (0..PARTITIONS)
            .map(|partition| sealing.head(partition, &Head::default(), None, &mut top))
            .collect::<Result<Vec<_>>>()?;
        writes.push(sealing.top(&top, None)?);
        let written = store
            .commit(Batch {
                writes,
                meta: vec![MetaWrite {
                    name: header::NAME,
                    expected: None,
                    bytes,
                }],
                ..Batch::default()
            })
            .await;
        match written {
            Ok(()) => {}
            Err(
                Error::MetaConflict { .. }
                | Error::Conflict {
                    conflict: Conflict::Exists,
                    ..
                },
            ) => return Err(Error::AlreadyInitialised),
            Err(error) => return Err(error),
        }
        // Read back what is on disk: what opens now opens later.
        let checked = check::check(store.as_ref(), &root, true).await?;
        Ok(Initialised {
            store: Self::opened(store, root, checked),
            shares,
        })
    }
}
