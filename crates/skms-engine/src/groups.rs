//! Who shares which keys, in memory, by namespace and name: an immutable
//! snapshot that a change replaces, under the change lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use skms_keys::{KeyState, NamespaceId, VersionNumber};
use skms_store::{Change, Kind, RecordId, SealedStore};

use crate::error::Result;
use crate::opened::KeySnapshot;
use crate::places::{self, Places};
use crate::records;
use crate::records::group::{GroupRecord, MemberRecord};

/// One group at one revision of its record.
#[derive(Clone)]
pub(crate) struct Group {
    pub(crate) id: RecordId,
    pub(crate) namespace: NamespaceId,
    pub(crate) namespace_name: Arc<str>,
    pub(crate) revision: u64,
    pub(crate) record: GroupRecord,
}

impl Group {
    /// Its identifier, as records write it.
    pub(crate) fn id_text(&self) -> String {
        self.id.to_string()
    }

    /// The member of that namespace and name.
    pub(crate) fn member(&self, who: (&str, &str)) -> Option<&MemberRecord> {
        let members = &self.record.members;
        let at = members.binary_search_by(|one| one.who().cmp(&who)).ok()?;
        members.get(at)
    }

    /// The change that makes this its record.
    pub(crate) fn put(&self) -> Result<Change> {
        Ok(Change::Put {
            namespace: self.namespace.0,
            kind: Kind::Group,
            id: self.id,
            name: Some(self.record.name.clone()),
            expected: Some(self.revision),
            plaintext: records::encode(&self.record)?,
        })
    }
}

/// The version that those who join now may fetch, and those after it: the
/// newest that is in use or was.
pub(crate) fn current_version(snapshot: &KeySnapshot) -> VersionNumber {
    let versions = &snapshot.key().versions;
    let began = (versions.iter().rev()).find(|one| one.state != KeyState::PreActivation);
    began.map_or(VersionNumber::FIRST, |one| one.number)
}

/// All of them.
#[derive(Default)]
pub(crate) struct Groups(ArcSwap<BTreeMap<String, Arc<Group>>>);

/// Names hold no NUL, so this tells apart what differs.
fn place(namespace: &str, name: &str) -> String {
    format!("{namespace}\0{name}")
}

impl Groups {
    /// Takes over what was read anew.
    pub(crate) fn replace(&self, other: &Self) {
        self.0.store(other.0.load_full());
    }

    /// The group of that name.
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<Arc<Group>> {
        self.0.load().get(&place(namespace, name)).cloned()
    }

    /// The groups of a namespace, by name.
    pub(crate) fn of(&self, namespace: &str) -> Vec<Arc<Group>> {
        let all = self.0.load();
        let from = all.range(place(namespace, "")..);
        let ours = from.take_while(|(_, one)| &*one.namespace_name == namespace);
        ours.map(|(_, one)| Arc::clone(one)).collect()
    }

    /// The group that shares a key of a namespace: one at most.
    pub(crate) fn on_key(&self, namespace: &str, key_id: &str) -> Option<Arc<Group>> {
        let all = self.0.load();
        let mut ours = (all.range(place(namespace, "")..))
            .take_while(|(_, one)| &*one.namespace_name == namespace);
        let found = ours.find(|(_, one)| one.record.key_id == key_id);
        found.map(|(_, one)| Arc::clone(one))
    }

    /// The groups that a principal is a member of, wherever they are.
    pub(crate) fn with_member(&self, who: (&str, &str)) -> Vec<Arc<Group>> {
        let all = self.0.load();
        let with = all.values().filter(|one| one.member(who).is_some());
        with.cloned().collect()
    }

    /// Adds or replaces one; the caller holds the rooms' change lock.
    pub(crate) fn put(&self, group: Group) {
        let mut all = BTreeMap::clone(&self.0.load());
        let place = place(&group.namespace_name, &group.record.name);
        all.insert(place, Arc::new(group));
        self.0.store(Arc::new(all));
    }

    /// Forgets one; the caller holds the rooms' change lock.
    pub(crate) fn remove(&self, namespace: &str, name: &str) {
        let mut all = BTreeMap::clone(&self.0.load());
        all.remove(&place(namespace, name));
        self.0.store(Arc::new(all));
    }

    /// Forgets all: nobody is a member on what memory alone says.
    pub(crate) fn clear(&self) {
        self.0.store(Arc::default());
    }
}

/// Every group of every namespace.
pub(crate) async fn load(store: &SealedStore, places: &Places) -> Result<Groups> {
    let mut all = BTreeMap::new();
    for namespace in places.list() {
        let name: Arc<str> = Arc::from(namespace.name.as_str());
        for (id, revision, record) in places::all::<GroupRecord>(store, namespace.id.0).await? {
            let place = place(&name, &record.name);
            let group = Group {
                id,
                namespace: namespace.id,
                namespace_name: Arc::clone(&name),
                revision,
                record,
            };
            all.insert(place, Arc::new(group));
        }
    }
    Ok(Groups(ArcSwap::from_pointee(all)))
}
