//! The namespaces and their keyrings: few, read on every call, and so an
//! immutable snapshot that a change replaces.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use skms_keys::{Keyring, KeyringId, NamespaceId};
use skms_store::{Kind, RecordId, SealedStore};

use crate::error::{Error, Result};
use crate::records::keyring::KeyringRecord;
use crate::records::namespace::NamespaceRecord;
use crate::records::{self};

/// The scope in which the server keeps what belongs to no tenant.
pub(crate) const SYSTEM_SCOPE: [u8; 16] = [0; 16];

/// How many records one scan step reads.
const PAGE: usize = 512;

/// One tenant and its keyrings, by name.
#[derive(Clone)]
pub(crate) struct Namespace {
    pub(crate) id: NamespaceId,
    pub(crate) name: String,
    pub(crate) created_at: i64,
    pub(crate) revision: u64,
    pub(crate) keyrings: HashMap<String, Arc<Ring>>,
}

/// A keyring with the revision of its record.
pub(crate) struct Ring {
    pub(crate) ring: Keyring,
    pub(crate) revision: u64,
}

/// All of them.
pub(crate) struct Places(ArcSwap<HashMap<String, Arc<Namespace>>>);

impl Places {
    /// Reads every namespace and keyring.
    pub(crate) async fn load(store: &SealedStore) -> Result<Self> {
        let mut namespaces = HashMap::new();
        for (id, revision, record) in all::<NamespaceRecord>(store, SYSTEM_SCOPE).await? {
            let id = NamespaceId(id.0);
            let mut keyrings = HashMap::new();
            for (ring_id, ring_revision, ring) in all::<KeyringRecord>(store, id.0).await? {
                let ring = ring.into_domain(ring_id, id)?;
                keyrings.insert(
                    ring.name.as_str().to_owned(),
                    Arc::new(Ring {
                        ring,
                        revision: ring_revision,
                    }),
                );
            }
            namespaces.insert(
                record.name.clone(),
                Arc::new(Namespace {
                    id,
                    name: record.name,
                    created_at: record.created_at,
                    revision,
                    keyrings,
                }),
            );
        }
        Ok(Self(ArcSwap::from_pointee(namespaces)))
    }

    /// Takes over what was read anew.
    pub(crate) fn replace(&self, other: Self) {
        self.0.store(other.0.into_inner());
    }

    /// The namespace of that name.
    pub(crate) fn namespace(&self, name: &str) -> Option<Arc<Namespace>> {
        self.0.load().get(name).cloned()
    }

    /// The namespace and keyring of those names.
    pub(crate) fn ring(&self, namespace: &str, keyring: &str) -> Option<(NamespaceId, Arc<Ring>)> {
        let all = self.0.load();
        let namespace = all.get(namespace)?;
        Some((namespace.id, Arc::clone(namespace.keyrings.get(keyring)?)))
    }

    /// The names of a namespace and of a keyring in it.
    pub(crate) fn names_of(&self, id: NamespaceId, ring: KeyringId) -> Option<(String, String)> {
        let all = self.0.load();
        let namespace = all.values().find(|namespace| namespace.id == id)?;
        let mut rings = namespace.keyrings.iter();
        let (keyring, _) = rings.find(|(_, found)| found.ring.id == ring)?;
        Some((namespace.name.clone(), keyring.clone()))
    }

    /// Every namespace, by name.
    pub(crate) fn list(&self) -> Vec<Arc<Namespace>> {
        let mut list: Vec<_> = self.0.load().values().cloned().collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        list
    }

    /// Adds or replaces a namespace; the caller holds the rooms' change lock.
    pub(crate) fn put_namespace(&self, namespace: Namespace) {
        let mut all = HashMap::clone(&self.0.load());
        all.insert(namespace.name.clone(), Arc::new(namespace));
        self.0.store(Arc::new(all));
    }

    /// Forgets a namespace; the caller holds the rooms' change lock.
    pub(crate) fn remove_namespace(&self, name: &str) {
        let mut all = HashMap::clone(&self.0.load());
        all.remove(name);
        self.0.store(Arc::new(all));
    }

    /// Adds, replaces or (with `None`) forgets a keyring; the caller holds
    /// the rooms' change lock.
    pub(crate) fn set_ring(
        &self,
        namespace: &str,
        name: &str,
        ring: Option<(Keyring, u64)>,
    ) -> Result<()> {
        let mut changed = match self.namespace(namespace) {
            Some(namespace) => Namespace::clone(&namespace),
            None => return Err(Error::NotFound { what: "namespace" }),
        };
        match ring {
            Some((ring, revision)) => {
                let ring = Arc::new(Ring { ring, revision });
                changed.keyrings.insert(name.to_owned(), ring);
            }
            None => {
                changed.keyrings.remove(name);
            }
        }
        self.put_namespace(changed);
        Ok(())
    }
}

/// Every record of one kind in one scope, decoded.
pub(crate) async fn all<R: records::Record>(
    store: &SealedStore,
    scope: [u8; 16],
) -> Result<Vec<(RecordId, u64, R)>> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.scan(scope, R::KIND, after, PAGE).await?;
        let full = page.len() == PAGE;
        after = page.last().map(|record| record.id);
        for record in page {
            let decoded = records::decode::<R>(record.plaintext.expose())?;
            found.push((record.id, record.revision, decoded));
        }
        if !full {
            return Ok(found);
        }
    }
}

/// Whether a scope holds any record of a kind.
pub(crate) async fn any(store: &SealedStore, scope: [u8; 16], kind: Kind) -> Result<bool> {
    Ok(!store.scan(scope, kind, None, 1).await?.is_empty())
}
