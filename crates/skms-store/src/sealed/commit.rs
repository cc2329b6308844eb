//! Changes to records: sealed by the caller's task, added to the heads by
//! whoever applies the batch.
//!
//! The heads a batch changes depend on the batches before it, so their new
//! values are computed inside the transaction ([`crate::store::Finalise`]),
//! from rows the transaction read. No lock of this process is held across
//! the sync: many commits are under way at once, in the order the backend
//! takes them, and one that fails takes its change of the heads with it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use skms_crypto::SecretBytes;

use super::finish::Finish;
use super::heads::{self, Contribution, Head, Sealing, TOP_ID, TopHead};
use super::keyring::Keyring;
use super::outbox::{self, OutboxEvent};
use super::place::{self, Place};
use super::{HeadsSeen, Inner, SealedStore, is_credential, lock};
use crate::error::{Conflict, Error, Result};
use crate::store::{Batch, Kind, RecordId, Row, Seen, Write};

/// One change of a batch.
#[derive(Debug)]
pub enum Change {
    /// Writes a record whole.
    Put {
        /// Its namespace; [`super::SYSTEM`] for the server's own.
        namespace: [u8; 16],
        /// What it is.
        kind: Kind,
        /// Which one.
        id: RecordId,
        /// The name it is found by, unique in its kind and namespace.
        name: Option<String>,
        /// The revision it replaces; `None` when it must be new.
        expected: Option<u64>,
        /// Its bytes.
        plaintext: SecretBytes,
    },
    /// Removes a record.
    Delete {
        /// Its namespace.
        namespace: [u8; 16],
        /// What it is.
        kind: Kind,
        /// Which one.
        id: RecordId,
        /// The revision it must have.
        expected: u64,
    },
    /// Changes nothing: the batch goes through only while there is no such
    /// record. Whoever puts it there and this batch cannot both be first.
    Absent {
        /// What it would be.
        kind: Kind,
        /// Which one.
        id: RecordId,
    },
}

impl Change {
    const fn place(&self) -> (Kind, RecordId) {
        match self {
            Self::Put { kind, id, .. }
            | Self::Delete { kind, id, .. }
            | Self::Absent { kind, id } => (*kind, *id),
        }
    }
}

/// A batch that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The records' new revisions, in the order of the changes; 0 for what
    /// was deleted or had to be absent.
    pub revisions: Vec<u64>,
    /// The batch's commit number. Goes into the journal with its event.
    pub commit: u64,
}

/// A write and what it does to its partition.
pub(super) struct Planned {
    pub(super) write: Write,
    /// The scope the row must have before.
    pub(super) scope: Option<[u8; 32]>,
    /// What the new row adds.
    pub(super) added: Option<Contribution>,
}

/// An edit of the top head within a batch.
pub(super) type Edit = Box<dyn FnMut(&mut TopHead) + Send>;

/// A whole batch of the sealed layer.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) writes: Vec<Planned>,
    /// Records that must not be there.
    pub(super) absent: Vec<(Kind, RecordId)>,
    pub(super) outbox: Vec<OutboxEvent>,
    pub(super) edit: Option<Edit>,
    pub(super) urgent: bool,
}

/// What the transaction knew, for after it committed.
#[derive(Default)]
struct Outcome {
    commit: u64,
    revisions: Vec<(u8, u64)>,
}

impl SealedStore {
    /// Commits changes, with the event that records them, as one batch:
    /// all durable on return, or nothing. Dropping the future does not stop
    /// a batch that was submitted.
    ///
    /// # Errors
    /// [`Error::Conflict`] when a record was changed meanwhile or a name is
    /// taken, [`Error::Full`], [`Error::Invalid`], [`Error::Sealed`],
    /// [`Error::HeadReplayed`] when the database was changed from outside.
    pub async fn commit(
        &self,
        changes: Vec<Change>,
        outbox: Option<OutboxEvent>,
    ) -> Result<Committed> {
        self.commit_as(changes, outbox, false).await
    }

    /// As [`SealedStore::commit`]; may draw on the reserve when the disk is
    /// full. For revoke, suspend and seal.
    ///
    /// # Errors
    /// As [`SealedStore::commit`].
    pub async fn commit_urgent(
        &self,
        changes: Vec<Change>,
        outbox: Option<OutboxEvent>,
    ) -> Result<Committed> {
        self.commit_as(changes, outbox, true).await
    }

    async fn commit_as(
        &self,
        changes: Vec<Change>,
        outbox: Option<OutboxEvent>,
        urgent: bool,
    ) -> Result<Committed> {
        check_changes(&changes)?;
        let mut attempts = 0;
        loop {
            let keyring = self.0.keyring()?;
            let mut writes = Vec::with_capacity(changes.len());
            let mut revisions = Vec::with_capacity(changes.len());
            let mut absent = Vec::new();
            for change in &changes {
                let Some(planned) = plan(&keyring, change)? else {
                    absent.push(change.place());
                    revisions.push(0);
                    continue;
                };
                revisions.push(match &planned.write {
                    Write::Put { row, .. } => row.revision,
                    Write::Delete { .. } => 0,
                });
                writes.push(planned);
            }
            let outcome = self
                .submit(Plan {
                    writes,
                    absent,
                    outbox: outbox.iter().cloned().collect(),
                    edit: None,
                    urgent,
                })
                .await;
            match outcome {
                Ok(commit) => return Ok(Committed { revisions, commit }),
                // The storage key was rotated while this was on its way.
                Err(Error::StaleKeys) if attempts < 3 => {
                    attempts += 1;
                    self.refresh().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Submits a plan; the commit number once it is durable.
    pub(super) async fn submit(&self, plan: Plan) -> Result<u64> {
        let Plan {
            writes: planned,
            absent,
            outbox: events,
            mut edit,
            urgent,
        } = plan;
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        let mut partitions: Vec<u8> = planned
            .iter()
            .map(|planned| planned.write.place())
            .chain(ids.iter().map(|id| (Kind::Outbox, RecordId(*id))))
            .map(|(kind, id)| heads::partition(kind, id))
            .collect();
        partitions.sort_unstable();
        partitions.dedup();
        let reads = std::iter::once((Kind::Head, TOP_ID))
            .chain(
                partitions
                    .iter()
                    .map(|partition| (Kind::Head, heads::head_id(*partition))),
            )
            .chain(absent.iter().copied())
            .collect();

        let mut writes = Vec::with_capacity(planned.len());
        let mut effects = Vec::with_capacity(planned.len());
        for Planned {
            write,
            scope,
            added,
        } in planned
        {
            effects.push(Effect {
                place: write.place(),
                scope,
                added,
            });
            writes.push(write);
        }
        let announced = self.announce(
            writes
                .iter()
                .zip(&effects)
                .map(|(write, effect)| (write, effect.scope)),
        );
        let credentials = writes.iter().any(|write| is_credential(write.place().0));
        let outcome = Arc::new(Mutex::new(Outcome::default()));
        let (inner, told) = (Arc::clone(&self.0), Arc::clone(&outcome));
        let sees = announced.clone();
        let finalise = Box::new(move |seen: &Seen<'_>| {
            let edit = edit.as_mut();
            let seen = &without(seen, &absent)?;
            let (writes, result) = inner.finalise(seen, &partitions, &effects, &events, edit)?;
            if let Some(announced) = &sees {
                announced.replaces(seen.replaced, result.commit);
            }
            *lock(&told) = result;
            Ok(writes)
        });
        let ids = self.0.outbox_submitted(ids);
        let batch = Batch {
            writes,
            reads,
            meta: Vec::new(),
            finalise: Some(finalise),
            urgent,
        };
        let inner = Arc::clone(&self.0);
        // What was submitted is followed to its end even when the caller goes
        // away: this process must know what is true.
        Finish::new(async move {
            let committed = inner.store.commit(batch).await;
            if credentials {
                inner.credentials.fetch_add(1, Ordering::SeqCst);
            }
            if let Err(error) = committed {
                inner.outbox_failed(&ids);
                if let Some(announced) = announced {
                    announced.ended(Err(&error));
                }
                return Err(error);
            }
            let outcome = std::mem::take(&mut *lock(&outcome));
            if let Some(announced) = announced {
                announced.ended(Ok(outcome.commit));
            }
            lock(&inner.seen).observe(&outcome);
            Ok(outcome.commit)
        })
        .await
    }
}

impl HeadsSeen {
    fn observe(&mut self, outcome: &Outcome) {
        self.commits = self.commits.max(outcome.commit);
        for (partition, revision) in &outcome.revisions {
            self.observe_head(*partition, *revision);
        }
    }

    pub(super) fn observe_head(&mut self, partition: u8, revision: u64) {
        if let Some(seen) = self.revisions.get_mut(usize::from(partition)) {
            *seen = revision.max(*seen);
        }
    }

    fn accepts(&self, partition: u8, row: Option<&Row>) -> bool {
        let seen = self.revisions.get(usize::from(partition)).copied();
        row.is_some_and(|row| row.revision >= seen.unwrap_or(0))
    }
}

/// What the transaction saw but for the records that must not be there; those
/// were read last.
fn without<'a>(seen: &Seen<'a>, absent: &[(Kind, RecordId)]) -> Result<Seen<'a>> {
    let heads = seen.read.len().checked_sub(absent.len());
    let split = heads.and_then(|heads| seen.read.split_at_checked(heads));
    let Some((heads, others)) = split else {
        return Err(Error::Invalid("the backend left out rows it was to read"));
    };
    for ((kind, id), row) in absent.iter().zip(others) {
        if row.is_some() {
            return Err(Error::conflict(*kind, *id, Conflict::Exists));
        }
    }
    Ok(Seen {
        replaced: seen.replaced,
        read: heads,
    })
}

/// What a write does to the heads.
struct Effect {
    place: (Kind, RecordId),
    scope: Option<[u8; 32]>,
    added: Option<Contribution>,
}

impl Inner {
    /// Runs inside the transaction: from the rows it saw to the writes that
    /// keep the heads right.
    fn finalise(
        &self,
        seen: &Seen<'_>,
        partitions: &[u8],
        effects: &[Effect],
        events: &[OutboxEvent],
        edit: Option<&mut Edit>,
    ) -> Result<(Vec<Write>, Outcome)> {
        let keyring = self.keyring()?;
        let (top_row, head_rows) = match seen.read.split_first() {
            Some((top, heads)) if heads.len() == partitions.len() => (top.as_ref(), heads),
            _ => return Err(Error::Invalid("the backend left out rows it was to read")),
        };
        let mut top = heads::open_top(&keyring, top_row)?;
        let term = top_row.and_then(place::term).unwrap_or_default();
        self.check_seen(&top, partitions, head_rows)?;
        let stale = |added: &Contribution| added.term < top.oldest_term;
        if effects
            .iter()
            .any(|effect| effect.added.as_ref().is_some_and(stale))
        {
            return Err(Error::StaleKeys);
        }

        let mut heads = BTreeMap::new();
        for (partition, row) in partitions.iter().zip(head_rows) {
            let head = heads::open_head(&keyring, *partition, row.as_ref())?;
            heads.insert(*partition, (head, row.as_ref()));
        }
        if seen.replaced.len() != effects.len() {
            return Err(Error::Invalid("the backend left out rows it replaces"));
        }
        for (effect, before) in effects.iter().zip(seen.replaced) {
            let (kind, id) = effect.place;
            let Entry::Occupied(mut entry) = heads.entry(heads::partition(kind, id)) else {
                return Err(Error::Invalid("a partition was left out"));
            };
            replace(&keyring, effect, before.as_ref(), &mut entry.get_mut().0)?;
            self.check_replaced(effect.place, effect.scope, before.as_ref())?;
        }

        top.commits = top.commits.saturating_add(1);
        if let Some(edit) = edit {
            edit(&mut top);
        }
        let mut writes = Vec::with_capacity(events.len() + heads.len() + 1);
        for (position, event) in events.iter().enumerate() {
            let row = outbox::seal(&keyring, term, top.commits, position, event)?;
            let contribution = heads::contribution(&keyring, &row)?;
            if let Some((head, _)) = heads.get_mut(&heads::partition(row.kind, row.id)) {
                head.add(contribution);
            }
            writes.push(Write::Put {
                row,
                expected: None,
            });
        }
        let sealing = Sealing {
            keyring: &keyring,
            term,
        };
        let mut outcome = Outcome {
            commit: top.commits,
            revisions: Vec::with_capacity(heads.len()),
        };
        for (partition, (head, before)) in &heads {
            let write = sealing.head(*partition, head, *before, &mut top)?;
            if let Write::Put { row, .. } = &write {
                outcome.revisions.push((*partition, row.revision));
            }
            writes.push(write);
        }
        writes.push(sealing.top(&top, top_row)?);
        Ok((writes, outcome))
    }

    /// Refuses heads older than the newest seen: someone changed the
    /// database behind this process.
    pub(super) fn check_seen(
        &self,
        top: &TopHead,
        partitions: &[u8],
        rows: &[Option<Row>],
    ) -> Result<()> {
        let seen = lock(&self.seen);
        let heads = partitions
            .iter()
            .zip(rows)
            .all(|(partition, row)| seen.accepts(*partition, row.as_ref()));
        if top.commits < seen.commits || !heads {
            return Err(Error::HeadReplayed);
        }
        Ok(())
    }
}

/// Takes the row that was there out of the head and puts the new one in.
fn replace(
    keyring: &Keyring,
    effect: &Effect,
    before: Option<&Row>,
    head: &mut Head,
) -> Result<()> {
    let (kind, id) = effect.place;
    if let Some(before) = before {
        if !place::belongs(effect.scope, before) {
            // Another namespace's record looks absent.
            return Err(Error::conflict(kind, id, Conflict::Missing));
        }
        if !head.remove(heads::contribution(keyring, before)?) {
            return Err(Error::Altered { kind, id });
        }
    }
    if let Some(added) = effect.added {
        head.add(added);
    }
    Ok(())
}

fn check_changes(changes: &[Change]) -> Result<()> {
    let mut places: Vec<_> = changes.iter().map(Change::place).collect();
    if places
        .iter()
        .any(|(kind, _)| matches!(kind, Kind::Head | Kind::Outbox))
    {
        return Err(Error::Invalid(
            "heads and outbox rows are written by the store alone",
        ));
    }
    places.sort_unstable();
    if places.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(Error::Invalid("a batch changes one record twice"));
    }
    Ok(())
}

/// The write of a change; none for one that writes nothing.
fn plan(keyring: &Keyring, change: &Change) -> Result<Option<Planned>> {
    Ok(Some(match change {
        Change::Put {
            namespace,
            kind,
            id,
            name,
            expected,
            plaintext,
        } => {
            let place = Place {
                namespace: *namespace,
                kind: *kind,
                id: *id,
                revision: expected.map_or(1, |revision| revision.saturating_add(1)),
            };
            let row = place.seal(
                keyring,
                keyring.current,
                name.as_deref(),
                plaintext.expose(),
            )?;
            put(keyring, row, *expected)?
        }
        Change::Delete {
            namespace,
            kind,
            id,
            expected,
        } => Planned {
            write: Write::Delete {
                kind: *kind,
                id: *id,
                expected: *expected,
            },
            scope: Some(place::scope(keyring, *namespace, *kind)?),
            added: None,
        },
        Change::Absent { .. } => return Ok(None),
    }))
}

/// A write of a sealed row, with what it adds.
pub(super) fn put(keyring: &Keyring, row: Row, expected: Option<u64>) -> Result<Planned> {
    Ok(Planned {
        scope: row.scope,
        added: Some(heads::contribution(keyring, &row)?),
        write: Write::Put { row, expected },
    })
}

#[cfg(test)]
mod tests {
    use skms_crypto::passphrase::Argon2id;

    use super::*;
    use crate::sealed::NewSeal;
    use crate::sqlite::{Options, SqliteStore};

    fn change() -> Change {
        Change::Put {
            namespace: [1; 16],
            kind: Kind::Key,
            id: RecordId([2; 16]),
            name: None,
            expected: None,
            plaintext: SecretBytes::new(b"value".to_vec()),
        }
    }

    #[tokio::test]
    async fn a_batch_that_wants_a_record_absent_fails_once_it_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            readers: 1,
            reserve_bytes: 0,
            ..Options::default()
        };
        let backend = SqliteStore::open_with(directory.path().join("db"), &options).unwrap();
        let seal = NewSeal::Passphrase {
            name: "main".into(),
            passphrase: SecretBytes::new(b"passphrase".to_vec()),
            cost: Argon2id::fast_for_tests(),
        };
        let store = SealedStore::init(Arc::new(backend), vec![seal])
            .await
            .unwrap()
            .store;
        let epoch = store.id_of([1; 16], Kind::Epoch, "a/1").unwrap();
        assert_eq!(epoch, store.id_of([1; 16], Kind::Epoch, "a/1").unwrap());
        assert_ne!(epoch, store.id_of([2; 16], Kind::Epoch, "a/1").unwrap());
        let absent = || Change::Absent {
            kind: Kind::Epoch,
            id: epoch,
        };
        let done = store.commit(vec![absent(), change()], None).await.unwrap();
        assert_eq!(done.revisions, [0, 1]);
        let put = Change::Put {
            namespace: [1; 16],
            kind: Kind::Epoch,
            id: epoch,
            name: None,
            expected: None,
            plaintext: SecretBytes::new(b"{}".to_vec()),
        };
        // The one who puts it there cannot want it absent as well.
        let both = store.commit(vec![absent(), put], None).await;
        assert!(matches!(both, Err(Error::Invalid(_))));
        let put = Change::Put {
            namespace: [1; 16],
            kind: Kind::Epoch,
            id: epoch,
            name: None,
            expected: None,
            plaintext: SecretBytes::new(b"{}".to_vec()),
        };
        store.commit(vec![put], None).await.unwrap();
        let late = Change::Delete {
            namespace: [1; 16],
            kind: Kind::Key,
            id: RecordId([2; 16]),
            expected: 1,
        };
        let refused = store.commit(vec![late, absent()], None).await;
        assert!(
            matches!(refused, Err(Error::Conflict { .. })),
            "{refused:?}"
        );
        let kept = store.get([1; 16], Kind::Key, RecordId([2; 16])).await;
        assert_eq!(kept.unwrap().unwrap().revision, 1);
        assert!(store.verify().await.unwrap().is_sound());
    }

    #[tokio::test]
    async fn records_of_a_group_are_found_by_it_and_no_others() {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            readers: 1,
            reserve_bytes: 0,
            ..Options::default()
        };
        let backend = SqliteStore::open_with(directory.path().join("db"), &options).unwrap();
        let seal = NewSeal::Passphrase {
            name: "main".into(),
            passphrase: SecretBytes::new(b"passphrase".to_vec()),
            cost: Argon2id::fast_for_tests(),
        };
        let store = SealedStore::init(Arc::new(backend), vec![seal])
            .await
            .unwrap()
            .store;
        let mut changes = Vec::new();
        for (mark, group) in [(1, "one"), (2, "two"), (3, "three")] {
            for number in 0..5_u8 {
                changes.push(Change::Put {
                    namespace: [1; 16],
                    kind: Kind::Descent,
                    id: store.id_in([1; 16], Kind::Descent, group).unwrap(),
                    name: None,
                    expected: None,
                    plaintext: SecretBytes::new(vec![mark, number]),
                });
            }
        }
        store.commit(changes, None).await.unwrap();
        for (mark, group) in [(1, "one"), (2, "two"), (3, "three")] {
            let mut after = None;
            let mut found = Vec::new();
            loop {
                let page = store.scan_in([1; 16], Kind::Descent, group, after, 2);
                let page = page.await.unwrap();
                after = page.last().map(|record| record.id);
                if page.is_empty() {
                    break;
                }
                found.extend(page.iter().map(|one| one.plaintext.expose().to_vec()));
            }
            // In the order in which they were made.
            assert_eq!(found, (0..5).map(|n| vec![mark, n]).collect::<Vec<_>>());
            let elsewhere = store.scan_in([2; 16], Kind::Descent, group, None, 9);
            assert!(elsewhere.await.unwrap().is_empty());
        }
        let asked = ["three", "none", "one", "nothing"].map(str::to_owned);
        let any = |namespace| store.any_in(namespace, Kind::Descent, &asked);
        assert_eq!(any([1; 16]).await.unwrap(), [true, false, true, false]);
        assert_eq!(any([2; 16]).await.unwrap(), [false; 4]);
        let made = (0..9).map(|_| store.id_in([1; 16], Kind::Descent, "one").unwrap());
        assert!(made.is_sorted());
    }

    #[tokio::test]
    async fn a_write_under_a_dropped_key_is_refused_and_sealed_anew() {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            readers: 1,
            reserve_bytes: 0,
            ..Options::default()
        };
        let backend = SqliteStore::open_with(directory.path().join("db"), &options).unwrap();
        let seal = NewSeal::Passphrase {
            name: "main".into(),
            passphrase: SecretBytes::new(b"passphrase".to_vec()),
            cost: Argon2id::fast_for_tests(),
        };
        let store = SealedStore::init(Arc::new(backend), vec![seal])
            .await
            .unwrap()
            .store;
        let keyring = store.0.keyring().unwrap();
        let prepared = plan(&keyring, &change()).unwrap().unwrap();
        drop(keyring);
        store.rotate_storage_key().await.unwrap();
        assert_eq!(store.reseal_some(10).await.unwrap().remaining, 0);
        // It was on its way while its key went: it must not land, or it
        // could never be read.
        let late = store
            .submit(Plan {
                writes: vec![prepared],
                ..Plan::default()
            })
            .await;
        assert!(matches!(late, Err(Error::StaleKeys)));
        store.commit(vec![change()], None).await.unwrap();
        assert!(store.verify().await.unwrap().is_sound());
    }
}
