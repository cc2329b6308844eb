//! Groups: who shares a key. Make, list, read them, add and remove members,
//! give the key a new version, and say who was given which.
//!
//! A member fetches the key by the key exchange ([`crate::acts::exchange`]),
//! because somebody who may (`group.create`, `group.add`) made it one; the
//! gate's part is in `gate/member.rs`. A key is shared by one group at most, so
//! that whoever is out of it is out of the key.
//!
//! Every change takes the change lock whole and a fetch ends under the shared
//! one: none that began before a removal ends after it.

mod create;
mod holders;
mod members;
mod read;
mod remove;

use std::sync::Arc;

use skms_keys::{UnixSeconds, VersionNumber};
use skms_policy::Action;
use skms_store::RecordId;

use crate::act::act;
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyRef};
use crate::groups::{Group, current_version};
use crate::opened::KeySnapshot;
use crate::places::{self, SYSTEM_SCOPE};
use crate::records::group::MemberRecord;
use crate::records::principal::PrincipalRecord;
use crate::target::Target;

pub use create::NewGroup;
pub(crate) use holders::forget_holders;
pub use holders::{HolderView, Standing};
pub use members::MemberView;
pub(crate) use remove::leave_all;

act!(List, GroupList, "Lists the groups.");
act!(Read, GroupRead, "Reads a group.");
act!(Create, GroupCreate, "Lets a group share a key.");
act!(Add, GroupAdd, "Adds members.");
act!(Remove, GroupRemove, "Removes members.");
act!(Rekey, GroupRekey, "Gives a group's key a new version.");
act!(Delete, GroupDelete, "Deletes a group.");
act!(Holders, KeyHolders, "Reads who was given a key.");

/// The most groups of a namespace.
const GROUPS_MAX: usize = 1000;

/// The most members of a group.
const MEMBERS_MAX: usize = 10_000;

/// The most members of all groups of a namespace: they are in memory.
const ALL_MEMBERS_MAX: usize = 100_000;

/// The most members that one act names: its event names each.
const AT_ONCE_MAX: usize = 1000;

/// A principal that is known by its certificates, wherever it is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    /// Its namespace; the group's own if it is not said.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// What is told about a group.
#[derive(Clone, Debug)]
pub struct View {
    /// Its identifier.
    pub id: RecordId,
    /// Its name.
    pub name: String,
    /// The keyring of its key.
    pub keyring: String,
    /// Its key.
    pub key: String,
    /// The key's identifier.
    pub key_id: String,
    /// The key's newest version.
    pub latest_version: VersionNumber,
    /// How many members it has.
    pub members: usize,
    /// Whether somebody went since the key got its newest version.
    pub rekey_due: bool,
    /// When it was made.
    pub created_at: UnixSeconds,
}

impl View {
    fn of(group: &Group, key: &KeySnapshot) -> Result<Self> {
        let newest = key.key().newest()?.number;
        let record = &group.record;
        Ok(Self {
            id: group.id,
            name: record.name.clone(),
            keyring: record.keyring.clone(),
            key: record.key.clone(),
            key_id: record.key_id.clone(),
            latest_version: newest,
            members: record.members.len(),
            rekey_due: record.left.is_some_and(|left| newest.0 <= left),
            created_at: UnixSeconds(record.created_at),
        })
    }
}

impl Group {
    /// Where its key is.
    fn at(&self) -> KeyRef<'_> {
        KeyRef {
            namespace: &self.namespace_name,
            keyring: &self.record.keyring,
            name: &self.record.key,
        }
    }

    /// Its key as it is now. It is there for as long as the group is.
    async fn snapshot(&self, rooms: &Rooms) -> Result<Arc<KeySnapshot>> {
        let found = rooms.keys.resolve(rooms, self.at()).await?;
        let snapshot = found.map(|cell| cell.snapshot());
        let own = snapshot.filter(|known| known.id_text() == self.record.key_id);
        own.ok_or(Error::NotFound { what: "key" })
    }
}

impl Entry {
    /// The group as a target: with its revision if there is one.
    fn group_target(&self, namespace: &str, name: &str) -> Target {
        let target = Target::group(namespace, name);
        match self.rooms.groups.find(namespace, name) {
            Some(found) => target.stored(found.id.0, found.revision),
            None => target,
        }
    }

    /// The group of that name.
    fn group(&self, namespace: &str, name: &str) -> Result<Arc<Group>> {
        let found = self.rooms.groups.find(namespace, name);
        found.ok_or(Error::NotFound { what: "group" })
    }
}

/// Those who are named, in order; nobody twice.
fn named(namespace: &str, given: Vec<Who>) -> Result<Vec<(String, String)>> {
    if given.len() > AT_ONCE_MAX {
        return Err(Error::TooLarge {
            what: "the number of members named at once",
            limit: AT_ONCE_MAX as u64,
        });
    }
    let whole = |one: Who| {
        (
            one.namespace.unwrap_or_else(|| namespace.to_owned()),
            one.name,
        )
    };
    let mut all: Vec<(String, String)> = given.into_iter().map(whole).collect();
    all.sort_unstable();
    let twice = all.iter().zip(all.iter().skip(1));
    match twice.into_iter().find(|(one, next)| one == next) {
        Some((one, _)) => Err(Error::Invalid(format!("{} is named twice", path(one)))),
        None => Ok(all),
    }
}

/// A principal as people write it.
fn path((namespace, name): &(String, String)) -> String {
    format!("{namespace}/{name}")
}

/// Refuses whom the caller does not see as a principal, registered with a
/// certificate, an authority or a trust. Principals of other tenants come in
/// by no door of this namespace, and so are nobody here.
async fn principals(entry: &Entry, namespace: &str, named: &[(String, String)]) -> Result<()> {
    let mut missing: Vec<_> = named.iter().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let near = |whose: &str| whose == namespace || whose == skms_policy::ROOT_NAMESPACE;
    let store = &entry.rooms.store;
    for (id, revision, record) in places::all::<PrincipalRecord>(store, SYSTEM_SCOPE).await? {
        let who = (record.namespace, record.name);
        let Ok(at) = missing.binary_search(&&who) else {
            continue;
        };
        let target = Target::principal(&who.0, &who.1, record.groups).stored(id.0, revision);
        if near(&who.0) && entry.may_see(Action::PrincipalRead, &target.resource()) {
            missing.remove(at);
        }
    }
    match missing.first() {
        None => Ok(()),
        Some(who) => Err(Error::Invalid(format!(
            "no principal {}, or not visible to you: members are registered with a certificate, \
             an authority or a trust, in this namespace or the root namespace",
            path(who)
        ))),
    }
}

/// Whether a namespace's groups may have this many members more.
fn room_for(rooms: &Rooms, namespace: &str, own: usize, more: usize) -> Result<()> {
    let all = rooms.groups.of(namespace);
    let all: usize = all.iter().map(|one| one.record.members.len()).sum();
    fits(own, all, more)
}

/// Whether a group of `own` members, among `all` of its namespace, may have
/// `more`.
fn fits(own: usize, all: usize, more: usize) -> Result<()> {
    let (what, limit) = if own + more > MEMBERS_MAX {
        ("the number of members", MEMBERS_MAX)
    } else if all + more > ALL_MEMBERS_MAX {
        (
            "the number of members of the namespace's groups",
            ALL_MEMBERS_MAX,
        )
    } else {
        return Ok(());
    };
    Err(Error::TooLarge {
        what,
        limit: limit as u64,
    })
}

/// New members, from the version that is in use on, or from the first.
fn joining(
    named: Vec<(String, String)>,
    key: &KeySnapshot,
    history: bool,
    at: UnixSeconds,
) -> impl Iterator<Item = MemberRecord> {
    let from = match history {
        true => VersionNumber::FIRST,
        false => current_version(key),
    };
    named
        .into_iter()
        .map(move |(namespace, name)| MemberRecord {
            namespace,
            name,
            from: from.0,
            added_at: at.0,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_so_many_members_and_no_more() {
        assert!(fits(0, 0, AT_ONCE_MAX).is_ok());
        assert!(fits(MEMBERS_MAX - 1, MEMBERS_MAX, 1).is_ok());
        assert!(fits(5, ALL_MEMBERS_MAX - 1, 1).is_ok());
        for (own, all, limit) in [
            (MEMBERS_MAX, MEMBERS_MAX, MEMBERS_MAX),
            (5, ALL_MEMBERS_MAX, ALL_MEMBERS_MAX),
        ] {
            let over = fits(own, all, 1).unwrap_err();
            assert!(matches!(over, Error::TooLarge { limit: said, .. } if said == limit as u64));
            assert!(fits(own, all, 0).is_ok());
        }
    }

    #[test]
    fn who_is_named_is_whole_in_order_and_once() {
        let who = |namespace: Option<&str>, name: &str| Who {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        let both = vec![who(None, "b"), who(Some("root"), "a"), who(None, "a")];
        let both = named("team", both).unwrap();
        let paths: Vec<String> = both.iter().map(path).collect();
        assert_eq!(paths, ["root/a", "team/a", "team/b"]);
        // The same, said in two ways.
        let twice = named("team", vec![who(None, "a"), who(Some("team"), "a")]);
        assert!(matches!(twice, Err(Error::Invalid(said)) if said.contains("team/a")));
    }
}
