//! Rotates keys on which somebody left: their owner, or somebody who was given
//! the newest version or secrets that it gave. Who is there is whoever has a
//! token or registration that has not ended and is not suspended.
//!
//! It is the records that say whether that was answered: that the owner left is
//! noted in the key's own with the call for the rotation, in one batch, until
//! the owner is back or is another; a holder calls once for the version it
//! holds. So to look twice does nothing twice, and what a crash cut off is found
//! by the first look after it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use skms_evidence::DetailKey;
use skms_keys::{KeyId, NamespaceId, Occasion as Rule};
use skms_policy::ROOT_NAMESPACE;
use skms_store::Kind;

use super::calls::{self, Call, Occasion};
use super::order::Wanting;
use super::resolve;
use super::watch::{Last, Watched};
use crate::act::act;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::keychange::With;
use crate::lineage::handed::HandedRecord;
use crate::records::group::HolderRecord;
use crate::records::{self};
use crate::suspended::Who;

act!(
    NoteOwner,
    KeyUpdate,
    "Notes that a key's owner left, or is back."
);

/// Keys that one look changes or calls for: the next goes on.
const AT_ONCE: usize = 256;
/// Records that are read at a time.
const PAGE: usize = 256;

/// How far one look may go.
struct Budget(usize);

impl Budget {
    fn spend(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }

    const fn is_spent(&self) -> bool {
        self.0 == 0
    }
}

impl Engine {
    /// Looks whether somebody left, if anything says that somebody may have, and
    /// calls for the rotations of keys that want one then. Whether there was
    /// something to do.
    ///
    /// # Errors
    /// [`Error::Sealed`]; what the store refuses.
    pub async fn look_for_leavers(&self) -> Result<bool> {
        let caller = Caller::system("agenda")?;
        let entry = self.enter(&caller)?;
        let rooms = &entry.rooms;
        let now = entry.now().0;
        // Before they are read: what is written meanwhile is looked at again.
        let written = (rooms.store.credentials_written(), rooms.suspended.changes());
        if !rooms.agenda.is_complete() || !rooms.agenda.watch().wants(written, now) {
            return Ok(false);
        }
        let roll = rooms.credentials.read(&rooms.store).await?;
        let (mut there, mut ends) = (HashSet::new(), i64::MAX);
        for one in roll.all().filter(|one| one.ends > now) {
            if !rooms.suspended.has(&one.who.0, &one.who.1) {
                there.insert(one.who.clone());
                ends = ends.min(one.ends);
            }
        }
        let look = {
            let mut watch = rooms.agenda.watch();
            let look = watch.look(&there);
            watch.looking();
            look
        };
        let mut budget = Budget(AT_ONCE);
        let looked = async {
            for (key, watched) in &look.owners {
                if budget.is_spent() {
                    break;
                }
                let trouble = entry.attend_owner(*key, watched, &there, &mut budget).await;
                self.note_one(trouble)?;
            }
            for (key, (watched, name)) in entry.bereft(&look.holders, &there).await? {
                if budget.is_spent() {
                    break;
                }
                let trouble = entry.attend_holder(key, &watched, &name, &mut budget).await;
                self.note_one(trouble)?;
            }
            Ok(())
        };
        let looked: Result<()> = looked.await;
        let mut watch = rooms.agenda.watch();
        if looked.is_err() || budget.is_spent() {
            watch.look_again();
        } else {
            let there = Arc::new(there);
            let last = Last {
                there,
                written,
                ends,
            };
            watch.looked(&look, last);
        }
        looked.map(|()| budget.0 < AT_ONCE)
    }

    /// Trouble with one key holds up no other.
    fn note_one(&self, done: Result<()>) -> Result<()> {
        match done {
            Err(error) if error.is_away() => Err(error),
            Err(error) => {
                self.note_trouble(&error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

impl Entry {
    /// Notes that an owner left, and calls for a rotation, or that one is back.
    async fn attend_owner(
        &self,
        key: KeyId,
        watched: &Watched,
        there: &HashSet<Who>,
        budget: &mut Budget,
    ) -> Result<()> {
        let rooms = &self.rooms;
        let Some(namespace) = self.name_of(watched.namespace) else {
            return Ok(());
        };
        let is_there = [namespace.as_str(), ROOT_NAMESPACE]
            .into_iter()
            .any(|namespace| there.contains(&(namespace.to_owned(), watched.owner.clone())));
        if is_there != watched.orphaned {
            return Ok(());
        }
        let wanting = Wanting {
            at: self.now(),
            namespace: watched.namespace,
            key,
        };
        let Some(cell) = resolve(rooms, wanting).await? else {
            return Ok(());
        };
        let snapshot = cell.snapshot();
        let known = snapshot.key();
        // Changed since it was noted: it is looked at again.
        if known.owner != watched.owner || known.orphaned != watched.orphaned {
            return Ok(());
        }
        budget.spend();
        let identity = format!("owner-left/{}/{}", watched.owner, known.newest()?.number.0);
        let reason = format!("{}: {}", Rule::OwnerLeft, watched.owner);
        let call = match is_there {
            true => None,
            false => {
                let occasion = Occasion {
                    identity: &identity,
                    reason: &reason,
                };
                calls::call(rooms, known, occasion).await?
            }
        };
        let (change, made) = call.map(|Call { change, made }| (change, made)).unzip();
        let said = match is_there {
            true => format!("the owner {} is there again", watched.owner),
            false => reason.clone(),
        };
        let with = With {
            also: change.into_iter().collect(),
            said: vec![(DetailKey::Reason, said.into())],
            takes_nothing: true,
            ..With::default()
        };
        let (allowed, owner) = (
            self.authorize_as_system::<NoteOwner>(&cell)?,
            watched.owner.clone(),
        );
        self.change_key(&allowed, with, move |key, now| match key.owner == owner {
            true => Ok(key.note_orphaned(!is_there, now)?),
            false => Err(Error::Conflict),
        })
        .await?;
        if let Some(made) = made {
            // The record is new.
            made.note(rooms, 1);
        }
        Ok(())
    }

    /// Calls for a rotation of a key that somebody holds who left.
    async fn attend_holder(
        &self,
        key: KeyId,
        watched: &Watched,
        name: &str,
        budget: &mut Budget,
    ) -> Result<()> {
        let wanting = Wanting {
            at: self.now(),
            namespace: watched.namespace,
            key,
        };
        let Some(cell) = resolve(&self.rooms, wanting).await? else {
            return Ok(());
        };
        if cell.snapshot().key().newest()?.number != watched.newest {
            return Ok(());
        }
        let identity = format!("holder-left/{}", watched.newest.0);
        let reason = format!("{}: {name}", Rule::HolderLeft);
        let occasion = Occasion {
            identity: &identity,
            reason: &reason,
        };
        if calls::rotate_for_event(&self.rooms, &cell, occasion).await? {
            budget.spend();
        }
        Ok(())
    }

    /// Of these keys those whose newest version somebody holds who is not there,
    /// with who that is.
    async fn bereft(
        &self,
        keys: &HashMap<KeyId, Watched>,
        there: &HashSet<Who>,
    ) -> Result<HashMap<KeyId, (Watched, String)>> {
        let mut found = HashMap::new();
        let mut take = |key: &str, version: u32, who: Who| {
            let Ok(key) = key.parse::<KeyId>() else {
                return;
            };
            let Some(watched) = keys.get(&key) else {
                return;
            };
            if watched.newest.0 == version && !there.contains(&who) {
                let name = format!("{}/{}", who.0, who.1);
                found.entry(key).or_insert_with(|| (watched.clone(), name));
            }
        };
        let namespaces: HashSet<NamespaceId> = keys.values().map(|one| one.namespace).collect();
        for namespace in namespaces {
            self.each(namespace, Kind::Holder, |bytes| {
                let record: HolderRecord = records::decode(bytes)?;
                take(&record.key, record.version, (record.namespace, record.name));
                Ok(())
            })
            .await?;
            self.each(namespace, Kind::Handed, |bytes| {
                let record: HandedRecord = records::decode(bytes)?;
                take(&record.key, record.version, (record.namespace, record.name));
                Ok(())
            })
            .await?;
        }
        Ok(found)
    }

    /// Reads every record of a kind in a namespace.
    async fn each(
        &self,
        namespace: NamespaceId,
        kind: Kind,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let (store, mut after) = (&self.rooms.store, None);
        loop {
            let page = store.scan(namespace.0, kind, after, PAGE).await?;
            let last = page.len() < PAGE;
            after = page.last().map(|record| record.id);
            for stored in page {
                take(stored.plaintext.expose())?;
            }
            if last {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    fn name_of(&self, namespace: NamespaceId) -> Option<String> {
        let all = self.rooms.places.list();
        let mut all = all.iter();
        all.find(|one| one.id == namespace)
            .map(|one| one.name.clone())
    }
}
