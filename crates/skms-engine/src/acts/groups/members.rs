//! Adds members to a group, and lists them.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_keys::{UnixSeconds, VersionNumber};
use skms_store::Kind;

use super::{Add, Read, View, Who, joining, named, path, principals, room_for};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::groups::Group;
use crate::page::MAX_PAGE;
use crate::records;
use crate::records::group::{HolderRecord, holder_name};

/// What is told about a member.
#[derive(Clone, Debug)]
pub struct MemberView {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The oldest version that it may fetch.
    pub from: VersionNumber,
    /// When it was added.
    pub added_at: UnixSeconds,
    /// When it fetched the key's newest version last, if it has.
    pub fetched_latest_at: Option<UnixSeconds>,
}

impl Engine {
    /// Adds members: for the version of the key that is in use and those to
    /// come, and with `history` for those before as well. Who is a member
    /// already can be given more history so, and nothing else.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for somebody who is no
    /// principal, is a member already, or is named twice; [`Error::TooLarge`].
    pub async fn add_to_group(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        members: Vec<Who>,
        history: bool,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Add>(entry.group_target(namespace, name))
            .await?;
        let done = async {
            let found = entry.group(namespace, name)?;
            entry.authorize_key::<Add>(found.at()).await?;
            let guard = entry.rooms.lock_changes().await;
            let now = entry.group(namespace, name)?;
            if now.id != found.id {
                return Err(Error::Conflict);
            }
            let members = named(namespace, members)?;
            if members.is_empty() {
                return Err(Error::Invalid("nobody is named".into()));
            }
            principals(&entry, namespace, &members).await?;
            let snapshot = now.snapshot(&entry.rooms).await?;
            let mut event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .also_key(&snapshot)
                .detail(DetailKey::Count, members.len() as u64);
            for who in &members {
                event = event.principal(&path(who));
            }
            let mut group = Group::clone(&now);
            let mut joined = 0;
            for one in joining(members, &snapshot, history, entry.now()) {
                let all = &mut group.record.members;
                match all.binary_search_by(|known| known.who().cmp(&one.who())) {
                    Err(at) => {
                        all.insert(at, one);
                        joined += 1;
                    }
                    Ok(at) => match all.get_mut(at) {
                        Some(known) if one.from < known.from && history => known.from = one.from,
                        _ => {
                            return Err(Error::Invalid(format!(
                                "{}/{} is a member already",
                                one.namespace, one.name
                            )));
                        }
                    },
                }
            }
            room_for(&entry.rooms, namespace, now.record.members.len(), joined)?;
            let change = group.put()?;
            entry
                .change(guard, vec![change], event, move |rooms, revisions| {
                    group.revision = revision(revisions)?;
                    let view = View::of(&group, &snapshot)?;
                    rooms.groups.put(group);
                    Ok(view)
                })
                .await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// At most `limit` members that come after `after`, and whether there are
    /// more.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent group and one not visible;
    /// [`Error::TooLarge`].
    pub async fn group_members(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<(Vec<MemberView>, bool)> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(entry.group_target(namespace, name))
            .await?;
        let listed = async {
            if limit > MAX_PAGE {
                return Err(Error::TooLarge {
                    what: "the page's limit",
                    limit: MAX_PAGE as u64,
                });
            }
            let group = entry.group(namespace, name)?;
            let latest = group.snapshot(&entry.rooms).await?.key().newest()?.number;
            let members = &group.record.members;
            let first = after.map_or(0, |after| members.partition_point(|one| one.who() <= after));
            let rest = members.get(first..).unwrap_or_default();
            let mut views = Vec::new();
            for one in rest.iter().take(limit) {
                let fetched = last_fetched(&entry, &group, latest, one.who()).await?;
                views.push(MemberView {
                    namespace: one.namespace.clone(),
                    name: one.name.clone(),
                    from: VersionNumber(one.from),
                    added_at: UnixSeconds(one.added_at),
                    fetched_latest_at: fetched,
                });
            }
            Ok((views, rest.len() > limit))
        };
        let listed = listed.await;
        let listed = entry.failed(&allowed, listed).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(listed)
    }
}

/// When somebody fetched a version of the group's key last.
async fn last_fetched(
    entry: &Entry,
    group: &Group,
    version: VersionNumber,
    who: (&str, &str),
) -> Result<Option<UnixSeconds>> {
    let name = holder_name(&group.record.key_id, version.0, who);
    let store = &entry.rooms.store;
    let found = store.find(group.namespace.0, Kind::Holder, &name).await?;
    let Some(stored) = found else {
        return Ok(None);
    };
    let record: HolderRecord = records::decode(stored.plaintext.expose())?;
    Ok(Some(UnixSeconds(record.last_at)))
}

/// The revision of the one record of a change.
pub(super) fn revision(revisions: &[u64]) -> Result<u64> {
    let first = revisions.first().copied();
    first.ok_or(Error::Internal("a change without a revision"))
}
