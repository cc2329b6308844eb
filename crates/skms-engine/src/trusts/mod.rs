//! External authorities in memory, by namespace and name: few, and an immutable
//! snapshot that a change replaces.

pub(crate) mod judge;
pub(crate) mod list;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use skms_keys::NamespaceId;
use skms_pki::Identity;
use skms_store::{RecordId, SealedStore};

use crate::error::{Error, Result};
use crate::places::{self, Places};
use crate::records::trust::{TrustListRecord, TrustRecord};

use list::TrustList;

/// How much must be known about revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checking {
    /// What a list names is refused; what none is about passes.
    IfKnown,
    /// The principal's own certificate must be on a list that is up to date,
    /// as good.
    Leaf,
    /// So must every certificate above it, but for the anchor.
    Path,
}

impl Checking {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::IfKnown, Self::Leaf, Self::Path];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IfKnown => "if-known",
            Self::Leaf => "leaf",
            Self::Path => "path",
        }
    }
}

/// One external authority at one revision of its record.
#[derive(Clone)]
pub(crate) struct Trust {
    pub(crate) id: RecordId,
    pub(crate) namespace: NamespaceId,
    pub(crate) namespace_name: Arc<str>,
    pub(crate) revision: u64,
    pub(crate) record: TrustRecord,
    pub(crate) identity: Identity,
    pub(crate) told: Option<Checking>,
    pub(crate) lists: Vec<Arc<TrustList>>,
}

impl Trust {
    /// From its record and its lists.
    pub(crate) fn new(
        (id, revision): (RecordId, u64),
        (namespace, namespace_name): (NamespaceId, Arc<str>),
        record: TrustRecord,
        lists: Vec<Arc<TrustList>>,
    ) -> Result<Self> {
        let identity = record.identity.parse().map_err(|_| damaged("identity"))?;
        let told = match &record.checking {
            None => None,
            Some(name) => {
                let mut all = Checking::ALL.into_iter();
                let found = all.find(|one| one.name() == name);
                Some(found.ok_or_else(|| damaged("checking"))?)
            }
        };
        Ok(Self {
            id,
            namespace,
            namespace_name,
            revision,
            record,
            identity,
            told,
            lists,
        })
    }

    /// Its identifier, as records write it.
    pub(crate) fn id_text(&self) -> String {
        self.id.to_string()
    }

    /// How much must be known. Who imports lists wants them to count: then
    /// what is not known to be good is refused, unless it was said otherwise.
    pub(crate) fn checking(&self) -> Checking {
        let usual = match self.lists.is_empty() {
            true => Checking::IfKnown,
            false => Checking::Path,
        };
        self.told.unwrap_or(usual)
    }
}

fn damaged(reason: &'static str) -> Error {
    Error::Record {
        kind: "trust",
        reason: reason.to_owned(),
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct Trusts(ArcSwap<BTreeMap<String, Arc<Trust>>>);

/// Names hold no NUL, so this tells apart what differs.
fn place(namespace: &str, name: &str) -> String {
    format!("{namespace}\0{name}")
}

impl Trusts {
    /// Takes over what was read anew.
    pub(crate) fn replace(&self, other: &Self) {
        self.0.store(other.0.load_full());
    }

    /// The trust of that name.
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<Arc<Trust>> {
        self.0.load().get(&place(namespace, name)).cloned()
    }

    /// The trusts of a namespace, by name.
    pub(crate) fn of(&self, namespace: &str) -> Vec<Arc<Trust>> {
        let all = self.0.load();
        let ours = all.values().filter(|one| &*one.namespace_name == namespace);
        ours.cloned().collect()
    }

    /// The identifiers of all of them.
    pub(crate) fn ids(&self) -> HashSet<RecordId> {
        self.0.load().values().map(|one| one.id).collect()
    }

    /// Adds or replaces one; the caller holds the rooms' change lock.
    pub(crate) fn put(&self, trust: Trust) {
        let mut all = BTreeMap::clone(&self.0.load());
        let place = place(&trust.namespace_name, &trust.record.name);
        all.insert(place, Arc::new(trust));
        self.0.store(Arc::new(all));
    }

    /// Forgets one; the caller holds the rooms' change lock.
    pub(crate) fn remove(&self, namespace: &str, name: &str) {
        let mut all = BTreeMap::clone(&self.0.load());
        all.remove(&place(namespace, name));
        self.0.store(Arc::new(all));
    }
}

/// Every trust of every namespace, with its lists.
pub(crate) async fn load(store: &SealedStore, places: &Places) -> Result<Trusts> {
    let loaded = Trusts::default();
    for namespace in places.list() {
        let found = places::all::<TrustRecord>(store, namespace.id.0).await?;
        if found.is_empty() {
            continue;
        }
        let mut lists: HashMap<String, Vec<Arc<TrustList>>> = HashMap::new();
        for (id, revision, record) in places::all::<TrustListRecord>(store, namespace.id.0).await? {
            let of = lists.entry(record.trust.clone()).or_default();
            of.push(Arc::new(TrustList::new((id, revision), record)?));
        }
        for (id, revision, record) in found {
            let lists = lists.remove(&id.to_string()).unwrap_or_default();
            let name = Arc::from(namespace.name.as_str());
            let whose = (namespace.id, name);
            loaded.put(Trust::new((id, revision), whose, record, lists)?);
        }
    }
    Ok(loaded)
}
