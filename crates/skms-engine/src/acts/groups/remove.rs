//! Removes members, with the key's new version in the same batch; gives the key
//! one by hand; deletes groups.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_store::{Change, Kind, RecordId};

use super::members::revision;
use super::{Delete, Rekey, Remove, View, Who, named, path};
use crate::act::Act;
use crate::acts::rotate;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyTarget};
use crate::groups::Group;
use crate::keychange::{Part, With};
use crate::target::Target;

/// How often a rekey begins again that somebody else's rotation came before.
const TRIES: usize = 8;

impl Engine {
    /// Removes members. When it returns none of them can fetch any version of
    /// the key as a member, and with `rekey` the key has a new version, which
    /// was in the same batch: what it protects from then on is out of their
    /// reach, whatever they hold.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for somebody who is no member or
    /// is named twice; those of a rotation, such as [`Error::Key`] for a key
    /// that is suspended.
    pub async fn remove_from_group(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        members: Vec<Who>,
        rekey: bool,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Remove>(entry.group_target(namespace, name))
            .await?;
        let done = async {
            let found = entry.group(namespace, name)?;
            let gone = named(namespace, members)?;
            if gone.is_empty() {
                return Err(Error::Invalid("nobody is named".into()));
            }
            match rekey {
                true => {
                    let key = entry.authorize_key::<Remove>(found.at()).await?;
                    rekeyed(&entry, (&allowed, &key), found.id, &gone).await
                }
                false => only_removed(&entry, &allowed, found.id, &gone).await,
            }
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// Gives a group's key a new version.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of a rotation.
    pub async fn rekey_group(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Rekey>(entry.group_target(namespace, name))
            .await?;
        let done = async {
            let found = entry.group(namespace, name)?;
            let key = entry.authorize_key::<Rekey>(found.at()).await?;
            rekeyed(&entry, (&allowed, &key), found.id, &[]).await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// Deletes a group. Nobody can fetch its key as a member from then on; the
    /// key stays as it is, and so does who was given it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_group(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Delete>(entry.group_target(namespace, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let found = entry.group(namespace, name)?;
            let gone = Change::Delete {
                namespace: found.namespace.0,
                kind: Kind::Group,
                id: found.id,
                expected: found.revision,
            };
            let snapshot = found.snapshot(&entry.rooms).await?;
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .also_key(&snapshot)
                .detail(DetailKey::Count, found.record.members.len() as u64)
                .urgent();
            entry
                .change(guard, vec![gone], event, move |rooms, _| {
                    let record = &found.record;
                    rooms.groups.remove(&found.namespace_name, &record.name);
                    Ok(())
                })
                .await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}

/// The group without those who go, under the change lock.
fn without(
    entry: &Entry,
    target: &Target,
    id: RecordId,
    gone: &[(String, String)],
) -> Result<Group> {
    let now = entry.group(&target.namespace, &target.name)?;
    if now.id != id {
        return Err(Error::Conflict);
    }
    let mut group = Group::clone(&now);
    for who in gone {
        let all = &mut group.record.members;
        let looked_for = (who.0.as_str(), who.1.as_str());
        match all.binary_search_by(|one| one.who().cmp(&looked_for)) {
            Ok(at) => drop(all.remove(at)),
            Err(_) => return Err(Error::Invalid(format!("{} is no member", path(who)))),
        }
    }
    Ok(group)
}

fn event<A: Act>(
    entry: &Entry,
    allowed: &Authorized<A, Target>,
    gone: &[(String, String)],
) -> Result<EventDraft> {
    let mut event = EventDraft::of(entry, allowed, Outcome::Success)?;
    for who in gone {
        event = event.principal(&path(who));
    }
    Ok(match gone.is_empty() {
        true => event,
        // It takes something away: it gets through on a full disk, too.
        false => event.detail(DetailKey::Count, gone.len() as u64).urgent(),
    })
}

/// Removes those who go, and gives the key a new version, in one batch.
async fn rekeyed<A: Act>(
    entry: &Entry,
    (allowed, key): (&Authorized<A, Target>, &Authorized<A, KeyTarget>),
    id: RecordId,
    gone: &[(String, String)],
) -> Result<View> {
    for _ in 0..TRIES {
        match rekey_once(entry, (allowed, key), id, gone).await {
            Err(Error::Conflict) => {}
            other => return other,
        }
    }
    Err(Error::Conflict)
}

async fn rekey_once<A: Act>(
    entry: &Entry,
    (allowed, key): (&Authorized<A, Target>, &Authorized<A, KeyTarget>),
    id: RecordId,
    gone: &[(String, String)],
) -> Result<View> {
    let rooms = &entry.rooms;
    let changes = rooms.lock_changes().await;
    let group = without(entry, allowed.target(), id, gone)?;
    let snapshot = group.snapshot(rooms).await?;
    let algorithm = rotate::check(entry, &snapshot, None)?;
    let (material, next) = rotate::next(entry, &snapshot, algorithm, None).await?;
    let also = vec![group.put()?, material];
    let event = event(entry, allowed, gone)?
        .also_version(&snapshot, next.number())
        .explained(next.said(&snapshot));
    let changed = group.clone();
    let part = Part {
        event,
        after: Box::new(move |rooms: &Rooms, revisions: &[u64]| {
            let mut changed = changed;
            changed.revision = revision(revisions)?;
            rooms.groups.put(changed);
            Ok(())
        }),
        changes,
    };
    let with = With {
        also,
        urgent: !gone.is_empty(),
        part_of: Some(part),
        ..With::default()
    };
    let changed = entry
        .change_key(key, with, move |key, now| next.follow(key, now))
        .await?;
    View::of(&group, &changed)
}

/// Removes those who go and leaves the key as it is: a rekey is due.
async fn only_removed(
    entry: &Entry,
    allowed: &Authorized<Remove, Target>,
    id: RecordId,
    gone: &[(String, String)],
) -> Result<View> {
    let guard = entry.rooms.lock_changes().await;
    let mut group = without(entry, allowed.target(), id, gone)?;
    let snapshot = group.snapshot(&entry.rooms).await?;
    group.record.left = Some(snapshot.key().newest()?.number.0);
    let change = group.put()?;
    let event = event(entry, allowed, gone)?.also_key(&snapshot);
    entry
        .change(guard, vec![change], event, move |rooms, revisions| {
            group.revision = revision(revisions)?;
            let view = View::of(&group, &snapshot)?;
            rooms.groups.put(group);
            Ok(view)
        })
        .await
}

/// The changes that take a principal, which is deleted, out of every group, and
/// the groups as they then are: one of the same name that is registered later
/// is somebody else. Its groups' keys stay as they are, since whoever deletes a
/// principal must not wait for keys that cannot be rotated: a rekey is due.
pub(crate) async fn leave_all(
    rooms: &Rooms,
    who: (&str, &str),
) -> Result<(Vec<Change>, Vec<Group>)> {
    let (mut changes, mut groups) = (Vec::new(), Vec::new());
    for found in rooms.groups.with_member(who) {
        let mut group = Group::clone(&found);
        group.record.members.retain(|one| one.who() != who);
        let newest = match group.snapshot(rooms).await {
            Ok(snapshot) => snapshot.key().newest()?.number.0,
            // A key that cannot be read must not keep a principal here.
            Err(_) => u32::MAX,
        };
        group.record.left = Some(newest);
        changes.push(group.put()?);
        groups.push(group);
    }
    Ok((changes, groups))
}
