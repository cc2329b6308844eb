//! Changing the keys while everything runs.
//!
//! Every change writes a new header and, in the same batch, its hash into
//! the top head. A new storage key becomes the current one at that batch's
//! place in the order: the batch seals all heads anew, and later batches seal
//! theirs in the term they find there. Records follow in steps
//! ([`SealedStore::reseal_some`]); when none is left under an old key, that
//! key is dropped, and with it every old copy on the disk becomes unreadable.

use std::sync::{Arc, Mutex, PoisonError};

use super::commit::{Plan, put};
use super::header::{self, Base64, Header, Public, SEALS_MAX};
use super::heads::{self, PARTITIONS, Sealing, TOP_ID};
use super::keyring::{Keyring, TermNumber};
use super::outbox::{self, OutboxEvent};
use super::place::{self, Place};
use super::seals::{self, InitialShares, NewSeal};
use super::slot::Slot;
use super::{Inner, SealedStore, lock};
use crate::error::{Error, Result};
use crate::store::{Batch, Kind, Meta, MetaWrite, RecordId, Row, Seen, Write};

/// A seal's identity.
pub type SealId = RecordId;

/// Where re-sealing has got to.
#[derive(Default)]
pub(super) struct Cursor {
    kind: usize,
    after: Option<RecordId>,
}

/// A step of re-sealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resealed {
    /// Records sealed anew in this step.
    pub resealed: u64,
    /// Records still under an older storage key; at 0 those keys are gone.
    pub remaining: u64,
}

/// What a change does besides editing the public part.
#[derive(Clone, Copy, Default)]
struct Renew {
    root: bool,
    storage: bool,
    drop_old: bool,
    drop_journal_below: Option<TermNumber>,
}

impl Renew {
    const fn all_heads(self) -> bool {
        self.storage || self.drop_old
    }
}

type Edit = Box<dyn FnOnce(&mut Public) -> Result<()> + Send>;

/// Makes the event that records a change of keys or seals, from the term of
/// the storage key that is current after it. Called before anything is done.
pub type KeysEvent = Box<dyn FnOnce(TermNumber) -> Result<OutboxEvent> + Send>;

/// What a change writes.
struct Rewrite {
    renew: Renew,
    /// Hashes of the header before and after.
    hashes: ([u8; 32], [u8; 32]),
    current: TermNumber,
    event: Option<OutboxEvent>,
}

impl SealedStore {
    /// Makes a new storage key and seals everything new under it. Old
    /// records are for [`SealedStore::reseal_some`].
    ///
    /// # Errors
    /// As [`SealedStore::commit`].
    pub async fn rotate_storage_key(&self) -> Result<TermNumber> {
        Ok(self.rotate_storage_key_as(None).await?.0)
    }

    /// As [`SealedStore::rotate_storage_key`], with the event that records
    /// it. The commit number too.
    ///
    /// # Errors
    /// As [`SealedStore::commit`].
    pub async fn rotate_storage_key_as(
        &self,
        event: Option<KeysEvent>,
    ) -> Result<(TermNumber, u64)> {
        let renew = Renew {
            storage: true,
            ..Renew::default()
        };
        let commit = self.change(renew, Box::new(|_| Ok(())), event).await?;
        Ok((self.0.keyring()?.current, commit))
    }

    /// Makes a new root key and wraps it to every seal's public half; no
    /// seal's holder is needed. The generation of the new root key.
    ///
    /// # Errors
    /// As [`SealedStore::commit`].
    pub async fn rotate_root(&self) -> Result<u64> {
        Ok(self.rotate_root_as(None).await?.0)
    }

    /// As [`SealedStore::rotate_root`], with the event that records it. The
    /// commit number too.
    ///
    /// # Errors
    /// As [`SealedStore::commit`].
    pub async fn rotate_root_as(&self, event: Option<KeysEvent>) -> Result<(u64, u64)> {
        let renew = Renew {
            root: true,
            ..Renew::default()
        };
        let commit = self.change(renew, Box::new(|_| Ok(())), event).await?;
        Ok((self.0.public().root_version, commit))
    }

    /// Adds a seal; the shares, for a Shamir seal, exist nowhere else.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a seal that cannot be made or a 65th one,
    /// [`Error::Overloaded`] when five are being made already, and as [`SealedStore::commit`].
    pub async fn add_seal(&self, seal: NewSeal) -> Result<(SealId, Option<InitialShares>)> {
        Ok(self.add_seal_as(seal, None).await?.0)
    }

    /// As [`SealedStore::add_seal`], with the event that records it. The
    /// commit number too.
    ///
    /// # Errors
    /// As [`SealedStore::add_seal`].
    pub async fn add_seal_as(
        &self,
        seal: NewSeal,
        event: Option<KeysEvent>,
    ) -> Result<((SealId, Option<InitialShares>), u64)> {
        let install = self.install();
        let (entry, shares) = self
            .0
            .deriving
            .run(move || seals::protect(&install, &seal))
            .await?;
        let id = RecordId(
            entry
                .id
                .0
                .as_slice()
                .try_into()
                .map_err(|_| Error::Malformed("seal id"))?,
        );
        let edit = move |public: &mut Public| {
            if public.seals.len() >= SEALS_MAX {
                return Err(Error::Invalid("a store has at most 64 seals"));
            }
            public.seals.push(entry);
            Ok(())
        };
        let commit = self.change(Renew::default(), Box::new(edit), event).await?;
        Ok(((id, shares), commit))
    }

    /// Removes a seal, and replaces the root key and the storage key, which
    /// its holder could know. Re-seal until nothing remains.
    ///
    /// # Errors
    /// [`Error::LastSeal`], [`Error::NoSuchSeal`], and as
    /// [`SealedStore::commit`].
    pub async fn remove_seal(&self, id: SealId) -> Result<()> {
        self.remove_seal_as(id, None).await.map(drop)
    }

    /// As [`SealedStore::remove_seal`], with the event that records it. The
    /// commit number too.
    ///
    /// # Errors
    /// As [`SealedStore::remove_seal`].
    pub async fn remove_seal_as(&self, id: SealId, event: Option<KeysEvent>) -> Result<((), u64)> {
        let edit = move |public: &mut Public| {
            let before = public.seals.len();
            public.seals.retain(|entry| entry.id.0 != id.0);
            if public.seals.len() == before {
                return Err(Error::NoSuchSeal("such"));
            }
            if public.seals.is_empty() {
                return Err(Error::LastSeal);
            }
            Ok(())
        };
        let renew = Renew {
            root: true,
            storage: true,
            ..Renew::default()
        };
        Ok(((), self.change(renew, Box::new(edit), event).await?))
    }

    /// Drops the keys of journal segments from terms before `term`, once no
    /// such segment is kept.
    ///
    /// # Errors
    /// As [`SealedStore::commit`].
    pub async fn forget_journal_keys_before(&self, term: TermNumber) -> Result<()> {
        let renew = Renew {
            drop_journal_below: Some(term),
            ..Renew::default()
        };
        self.change(renew, Box::new(|_| Ok(())), None)
            .await
            .map(drop)
    }

    /// Looks at up to `limit` records and seals anew those under an older
    /// storage key, keeping their revisions. Called until nothing remains;
    /// then the older keys are dropped.
    ///
    /// # Errors
    /// [`Error::Altered`] for a record that does not open (it keeps the old
    /// key from being dropped), and as [`SealedStore::commit`].
    pub async fn reseal_some(&self, limit: usize) -> Result<Resealed> {
        let keyring = self.0.keyring()?;
        let mut resealed = 0;
        if keyring.terms().any(|term| term < keyring.current) {
            let mut cursor = self.0.reseal.lock().await;
            let mut left = limit.max(1);
            while left > 0 {
                let Some(kind) = Kind::ALL.get(cursor.kind).copied() else {
                    *cursor = Cursor::default();
                    break;
                };
                let rows = if kind == Kind::Head {
                    Vec::new()
                } else {
                    self.0.store.scan(kind, None, cursor.after, left).await?
                };
                let Some(last) = rows.last() else {
                    *cursor = Cursor {
                        kind: cursor.kind + 1,
                        after: None,
                    };
                    continue;
                };
                let last = last.id;
                left = left.saturating_sub(rows.len());
                resealed += self.reseal(&keyring, &rows).await?;
                cursor.after = Some(last);
            }
        }
        let remaining = self.remaining().await?;
        if remaining == 0 && keyring.terms().any(|term| term < keyring.current) {
            let renew = Renew {
                drop_old: true,
                ..Renew::default()
            };
            match self.change(renew, Box::new(|_| Ok(())), None).await {
                // A commit prepared before the rotation slipped in.
                Ok(_) | Err(Error::StaleKeys) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Resealed {
            resealed,
            remaining,
        })
    }

    async fn reseal(&self, keyring: &Keyring, rows: &[Row]) -> Result<u64> {
        let old: Vec<&Row> = rows
            .iter()
            .filter(|row| place::term(row).is_none_or(|term| term < keyring.current))
            .collect();
        if old.is_empty() {
            return Ok(0);
        }
        let whole = self.reseal_batch(keyring, &old).await;
        let Err(Error::Conflict { .. }) = whole else {
            return whole;
        };
        // One was changed meanwhile, and so is under the new key already.
        let mut resealed = 0;
        for row in &old {
            match self.reseal_batch(keyring, std::slice::from_ref(row)).await {
                Ok(count) => resealed += count,
                Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(resealed)
    }

    async fn reseal_batch(&self, keyring: &Keyring, rows: &[&Row]) -> Result<u64> {
        let writes = rows
            .iter()
            .map(|row| {
                let (namespace, record) = place::open_any(keyring, row)?;
                let place = Place {
                    namespace,
                    kind: row.kind,
                    id: row.id,
                    revision: row.revision,
                };
                let fresh = place.seal(
                    keyring,
                    keyring.current,
                    record.name.as_deref(),
                    record.plaintext.expose(),
                )?;
                put(keyring, fresh, Some(row.revision))
            })
            .collect::<Result<Vec<_>>>()?;
        let count = u64::try_from(writes.len()).unwrap_or(u64::MAX);
        self.submit(Plan {
            writes,
            ..Plan::default()
        })
        .await?;
        Ok(count)
    }

    /// Records under older storage keys.
    async fn remaining(&self) -> Result<u64> {
        let current = self.0.keyring()?.current;
        Ok(self
            .records_by_term()
            .await?
            .into_iter()
            .filter(|(term, _)| *term < current)
            .map(|(_, records)| records)
            .sum())
    }

    /// How many records each storage key seals.
    pub(super) async fn records_by_term(&self) -> Result<Vec<(TermNumber, u64)>> {
        let mut terms = std::collections::BTreeMap::<TermNumber, u64>::new();
        for partition in 0..PARTITIONS {
            let row = self
                .0
                .store
                .get(Kind::Head, heads::head_id(partition))
                .await?;
            let head = heads::open_head(&*self.0.keyring()?, partition, row.as_ref())?;
            for (term, rows) in head.rows {
                *terms.entry(term).or_default() += rows;
            }
        }
        Ok(terms.into_iter().collect())
    }

    /// Reads the header again, after another process changed it.
    pub(super) async fn refresh(&self) -> Result<()> {
        let _alone = self.0.changing.lock().await;
        let (_, header, keyring, root) = self.load().await?;
        self.0.adopt(keyring, root, header.public)
    }

    async fn load(&self) -> Result<(Meta, Header, Keyring, Arc<Slot>)> {
        let meta = self
            .0
            .store
            .meta(header::NAME)
            .await?
            .ok_or(Error::HeaderAltered)?;
        let header = Header::parse(&meta.bytes)?;
        let roots = lock(&self.0.roots).clone();
        if roots.is_empty() {
            return Err(Error::Sealed);
        }
        for root in roots.iter().rev() {
            match header.open(root) {
                Ok(keyring) => return Ok((meta, header, keyring, Arc::clone(root))),
                Err(Error::HeaderAltered) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::HeaderAltered)
    }

    async fn change(&self, renew: Renew, edit: Edit, event: Option<KeysEvent>) -> Result<u64> {
        let _alone = self.0.changing.lock().await;
        let (meta, header, old_keyring, old_root) = self.load().await?;
        let (mut public, mut keyring, mut root) =
            (header.public, old_keyring, Arc::clone(&old_root));
        edit(&mut public)?;
        if renew.storage {
            let next = keyring
                .current
                .checked_add(1)
                .ok_or(Error::Invalid("no more storage keys"))?;
            keyring.add_term(next)?;
            keyring.current = next;
        }
        if renew.drop_old {
            keyring.drop_terms_below(keyring.current);
        }
        if let Some(term) = renew.drop_journal_below {
            keyring.drop_journal_below(term);
        }
        if renew.root {
            root = Arc::new(Slot::random()?);
            public.root_version = public.root_version.saturating_add(1);
        }
        let event = event.map(|make| make(keyring.current)).transpose()?;
        let install = self.install();
        for entry in &mut public.seals {
            if renew.root || entry.root == Base64(Vec::new()) {
                seals::wrap_root(entry, &install, public.root_version, &root)?;
            }
        }
        let bytes = Header::build(&public, &keyring, &root)?;

        // The new keys are known before anything can be sealed under them,
        // and stay known when the outcome is in doubt.
        let before = self.0.keyring()?;
        self.0.replace_keyring(|known| {
            let mut known = known.clone();
            known.learn(&keyring);
            known
        })?;
        if renew.root {
            lock(&self.0.roots).push(Arc::clone(&root));
        }
        let rewrite = Rewrite {
            renew,
            hashes: (header::hash(&meta.bytes), header::hash(&bytes)),
            current: keyring.current,
            event,
        };
        let told = match self.write(rewrite, &meta, bytes).await {
            Ok(told) => told,
            Err(error) => {
                if !error.leaves_doubt() {
                    self.0.replace_keyring(|_| Keyring::clone(&before))?;
                }
                return Err(error);
            }
        };
        self.0.adopt(keyring, root, public)?;
        let mut seen = lock(&self.0.seen);
        seen.commits = seen.commits.max(told.0);
        for (partition, revision) in told.1 {
            seen.observe_head(partition, revision);
        }
        Ok(told.0)
    }

    async fn write(&self, rewrite: Rewrite, meta: &Meta, bytes: Vec<u8>) -> Result<Told> {
        let ids: Vec<_> = rewrite.event.iter().map(|event| event.id).collect();
        let partitions: Vec<u8> = if rewrite.renew.all_heads() {
            (0..PARTITIONS).collect()
        } else {
            ids.iter()
                .map(|id| heads::partition(Kind::Outbox, RecordId(*id)))
                .collect()
        };
        let reads = std::iter::once((Kind::Head, TOP_ID))
            .chain(
                partitions
                    .iter()
                    .map(|partition| (Kind::Head, heads::head_id(*partition))),
            )
            .collect();
        let told = Arc::new(Mutex::new(Told::default()));
        let (inner, outcome) = (Arc::clone(&self.0), Arc::clone(&told));
        let finalise = Box::new(move |seen: &Seen<'_>| {
            let (writes, result) = inner.rotate(seen, &rewrite, &partitions)?;
            *lock(&outcome) = result;
            Ok(writes)
        });
        let ids = self.0.outbox_submitted(ids);
        let written = self
            .0
            .store
            .commit(Batch {
                reads,
                meta: vec![MetaWrite {
                    name: header::NAME,
                    expected: Some(meta.revision),
                    bytes,
                }],
                finalise: Some(finalise),
                ..Batch::default()
            })
            .await;
        if let Err(error) = written {
            self.0.outbox_failed(&ids);
            return Err(error);
        }
        let told = std::mem::take(&mut *lock(&told));
        Ok(told)
    }
}

/// Commit number, and the heads' new revisions.
type Told = (u64, Vec<(u8, u64)>);

impl Inner {
    fn adopt(&self, keyring: Keyring, root: Arc<Slot>, public: Public) -> Result<()> {
        self.replace_keyring(|_| keyring)?;
        *lock(&self.roots) = vec![root];
        *self.public.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(public);
        Ok(())
    }

    /// Runs inside the transaction of a header's change.
    fn rotate(
        &self,
        seen: &Seen<'_>,
        rewrite: &Rewrite,
        partitions: &[u8],
    ) -> Result<(Vec<Write>, Told)> {
        let Rewrite {
            renew,
            hashes: (old, new),
            current,
            ..
        } = *rewrite;
        let keyring = self.keyring()?;
        let (top_row, head_rows) = match seen.read.split_first() {
            Some((top, heads)) if heads.len() == partitions.len() => (top.as_ref(), heads),
            _ => return Err(Error::Invalid("the backend left out rows it was to read")),
        };
        let mut top = heads::open_top(&keyring, top_row)?;
        self.check_seen(&top, partitions, head_rows)?;
        if top.header != old {
            return Err(Error::HeaderAltered);
        }
        let found = top_row.and_then(place::term).unwrap_or_default();
        let sealing = Sealing {
            keyring: &keyring,
            term: if renew.storage { current } else { found },
        };
        top.commits = top.commits.saturating_add(1);
        let (mut writes, mut revisions) = (Vec::new(), Vec::new());
        let event = match &rewrite.event {
            Some(event) => Some(outbox::seal(&keyring, sealing.term, top.commits, 0, event)?),
            None => None,
        };
        for (partition, row) in partitions.iter().zip(head_rows) {
            let mut head = heads::open_head(&keyring, *partition, row.as_ref())?;
            if renew.drop_old && head.rows.keys().any(|term| *term < current) {
                return Err(Error::StaleKeys);
            }
            let own = event
                .as_ref()
                .filter(|event| heads::partition(event.kind, event.id) == *partition);
            if let Some(event) = own {
                head.add(heads::contribution(&keyring, event)?);
            }
            if renew.storage || own.is_some() {
                let write = sealing.head(*partition, &head, row.as_ref(), &mut top)?;
                if let Write::Put { row, .. } = &write {
                    revisions.push((*partition, row.revision));
                }
                writes.push(write);
            }
        }
        if renew.drop_old {
            top.oldest_term = current;
        }
        writes.extend(event.map(|row| Write::Put {
            row,
            expected: None,
        }));
        top.header = new;
        writes.push(sealing.top(&top, top_row)?);
        Ok((writes, (top.commits, revisions)))
    }
}
