//! Certificate authorities in memory: who they are, which of their
//! certificates are revoked, and what they have published. Few, and read on
//! every request for a status, so an immutable snapshot that a change
//! replaces; revocations live beside it and outlast it.

pub(crate) mod delegate;
pub(crate) mod doors;
pub(crate) mod issuing;
mod keys;
pub(crate) mod lists;
pub(crate) mod load;
pub(crate) mod named;
pub(crate) mod published;
pub(crate) mod revoked;
pub(crate) mod signer;
pub(crate) mod withdrawn;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use skms_keys::{KeyState, NamespaceId, UnixSeconds, VersionNumber};
use skms_pki::issue::ProfileKind;
use skms_policy::ROOT_NAMESPACE;
use skms_store::RecordId;

use crate::engine::Rooms;
use crate::error::Result;
use crate::gate::KeyRef;
use crate::records::authority::{AuthorityRecord, SigningKeyRecord};

pub(crate) use delegate::Delegate;
pub(crate) use published::Published;
pub(crate) use revoked::{Revocation, Revoked};
pub(crate) use withdrawn::Link;

/// How an authority issues and publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The profiles it issues by. Those of authorities are not among them:
    /// certifying an authority is an act of its own.
    pub profiles: Vec<ProfileKind>,
    /// The longest lifetime in seconds, where it is to be shorter than the
    /// profile's.
    pub max_lifetime_seconds: Option<u64>,
    /// Where what it publishes is found by others: certificates point there.
    /// Without it they point nowhere.
    pub publish_url: Option<String>,
    /// For how many seconds a revocation list is good. A new one is made when
    /// half of that is over.
    pub crl_seconds: u64,
    /// Into how many lists its certificates are divided by serial number.
    pub crl_shards: u32,
    /// For how many seconds an OCSP response is good.
    pub ocsp_seconds: u64,
    /// Keyring and name of the key that signs OCSP responses instead of the
    /// authority's own; a certificate for that is issued to it.
    pub ocsp_signer: Option<(String, String)>,
    /// Whether OCSP responses are signed before anybody asks.
    pub ocsp_presign: bool,
    /// Whether certificates of a key that is kept here are on hold while it is
    /// suspended.
    pub hold_suspended: bool,
    /// Whether the server takes its own listener's certificate from it: at
    /// most one authority, and one of the root namespace.
    pub listener: bool,
}

impl Default for Rules {
    /// Every profile of end entities but that of OCSP signers, who could call
    /// good what is revoked; one list good for a week, responses for
    /// a day.
    fn default() -> Self {
        Self {
            profiles: end_entities()
                .into_iter()
                .filter(|kind| *kind != ProfileKind::OcspSigner)
                .collect(),
            max_lifetime_seconds: None,
            publish_url: None,
            crl_seconds: 7 * 86_400,
            crl_shards: 1,
            ocsp_seconds: 86_400,
            ocsp_signer: None,
            ocsp_presign: false,
            hold_suspended: false,
            listener: false,
        }
    }
}

/// The profiles of everybody but authorities.
#[must_use]
pub fn end_entities() -> Vec<ProfileKind> {
    ProfileKind::all()
        .iter()
        .copied()
        .filter(|kind| !matches!(kind, ProfileKind::Root | ProfileKind::Intermediate))
        .collect()
}

/// One authority at one revision of its record.
pub(crate) struct Authority {
    pub(crate) id: RecordId,
    pub(crate) namespace: NamespaceId,
    pub(crate) namespace_name: Arc<str>,
    pub(crate) revision: u64,
    pub(crate) record: AuthorityRecord,
    pub(crate) rules: Rules,
    /// Oldest first; none until the first certificate is there.
    pub(crate) issuers: Vec<Arc<Issuer>>,
}

/// One certified key of an authority.
pub(crate) struct Issuer {
    pub(crate) number: u32,
    pub(crate) key: SigningKeyRecord,
    /// Its name, key, chain and addresses, as issuing takes them.
    pub(crate) pki: skms_pki::issue::Authority,
    pub(crate) cross: Vec<Vec<u8>>,
    /// Its certificate and those above it, as whoever issued them knows them.
    pub(crate) links: Vec<Link>,
    /// Who signs its OCSP responses, once it has a certificate for that.
    pub(crate) delegate: Option<Delegate>,
    pub(crate) revoked: Arc<Revoked>,
    pub(crate) published: Arc<Published>,
}

impl Authority {
    /// The issuer that signs new certificates.
    pub(crate) fn current(&self) -> Option<&Arc<Issuer>> {
        self.issuers.last()
    }

    /// The issuer of that number.
    pub(crate) fn issuer(&self, number: u32) -> Option<&Arc<Issuer>> {
        self.issuers.iter().find(|issuer| issuer.number == number)
    }

    /// What is in memory for an issuer of that number and outlasts a change of
    /// the record.
    pub(crate) fn known(&self, number: u32) -> (Arc<Revoked>, Arc<Published>) {
        self.issuer(number).map_or_else(Default::default, |issuer| {
            (Arc::clone(&issuer.revoked), Arc::clone(&issuer.published))
        })
    }

    /// Its identifier, as records write it.
    pub(crate) fn id_text(&self) -> String {
        self.id.to_string()
    }
}

impl Issuer {
    /// Whether somebody else may know its key, so that what it seems to have
    /// signed proves nothing.
    ///
    /// # Errors
    /// What the store refuses.
    pub(crate) async fn is_compromised(&self, rooms: &Rooms, namespace: &str) -> Result<bool> {
        let at = self.key.at(namespace);
        let Some(cell) = rooms.keys.resolve(rooms, at).await? else {
            return Ok(false);
        };
        let snapshot = cell.snapshot();
        if snapshot.key().id.to_string() != self.key.id {
            return Ok(false);
        }
        let version = snapshot.key().version(VersionNumber(self.key.version))?;
        Ok(version.state == KeyState::Compromised)
    }
}

impl SigningKeyRecord {
    /// Where the key is.
    pub(crate) fn at<'a>(&'a self, namespace: &'a str) -> KeyRef<'a> {
        KeyRef {
            namespace,
            keyring: &self.keyring,
            name: &self.key,
        }
    }
}

type ByName = HashMap<String, Arc<Authority>>;

/// All of them, by namespace and name, and what became of the certificates that
/// each distinguished name issued.
#[derive(Default)]
pub(crate) struct Authorities(
    ArcSwap<HashMap<String, Arc<ByName>>>,
    withdrawn::Index,
    keys::Keys,
);

impl Authorities {
    /// Takes over what was read anew.
    pub(crate) fn replace(&self, other: Self) {
        self.1.replace(other.1);
        self.2.replace(other.2);
        self.0.store(other.0.into_inner());
    }

    /// Whether an issuer's certificate, or one above it, is revoked or on hold
    /// here. Who trusts its chain no longer trusts what it issues.
    pub(crate) fn is_withdrawn(&self, issuer: &Issuer) -> bool {
        self.1.any_revoked(&issuer.links)
    }

    /// Whether any of these certificates is known here to be revoked or on hold.
    pub(crate) fn any_revoked(&self, links: &[Link]) -> bool {
        self.1.any_revoked(links)
    }

    /// The authority of that name.
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<Arc<Authority>> {
        self.0.load().get(namespace)?.get(name).cloned()
    }

    /// The authorities of a namespace, by name.
    pub(crate) fn of(&self, namespace: &str) -> Vec<Arc<Authority>> {
        let mut list: Vec<_> = self
            .0
            .load()
            .get(namespace)
            .into_iter()
            .flat_map(|names| names.values().cloned())
            .collect();
        list.sort_by(|a, b| a.record.name.cmp(&b.record.name));
        list
    }

    /// Every authority.
    pub(crate) fn all(&self) -> Vec<Arc<Authority>> {
        let all = self.0.load();
        all.values()
            .flat_map(|names| names.values().cloned())
            .collect()
    }

    /// Whether an authority of the namespace issues by a key.
    pub(crate) fn issues_by(&self, namespace: &str, key: &str) -> bool {
        let all = self.of(namespace);
        let mut issuers = all.iter().flat_map(|authority| &authority.issuers);
        issuers.any(|issuer| issuer.key.id == key)
    }

    /// Whether a key certifies: an authority, or its OCSP signer, stands on it.
    pub(crate) fn stands_on(&self, key: &str) -> bool {
        self.2.has(key)
    }

    /// Whether any of these public keys (SubjectPublicKeyInfo, DER) is, or was,
    /// one that an authority issues by.
    pub(crate) fn any_issues_by(&self, keys: &[Vec<u8>]) -> bool {
        let by = |issuer: &Arc<Issuer>| keys.contains(&issuer.pki.spki);
        self.all().iter().any(|one| one.issuers.iter().any(by))
    }

    /// When the first of the newest certificates ends.
    pub(crate) fn first_end(&self) -> Option<UnixSeconds> {
        let ends = |authority: Arc<Authority>| {
            let own = authority.current()?.certificate().ok()?;
            Some(UnixSeconds(own.not_after().0))
        };
        self.all().into_iter().filter_map(ends).min()
    }

    /// The authority with that identifier in a namespace.
    pub(crate) fn by_id(&self, namespace: &str, id: &str) -> Option<Arc<Authority>> {
        let all = self.0.load();
        let found = all
            .get(namespace)?
            .values()
            .find(|authority| authority.id_text() == id)?;
        Some(Arc::clone(found))
    }

    /// The identifiers of authorities that a certificate stands above, or is
    /// one's own.
    pub(crate) fn below(&self, link: &Link) -> Vec<RecordId> {
        let under = |authority: &Arc<Authority>| {
            let mut issuers = authority.issuers.iter();
            issuers.any(|issuer| issuer.links.contains(link))
        };
        self.all()
            .into_iter()
            .filter(under)
            .map(|authority| authority.id)
            .collect()
    }

    /// The authority that the server's own listener is certified by.
    pub(crate) fn of_listener(&self) -> Option<Arc<Authority>> {
        let all = self.0.load();
        let found = all
            .get(ROOT_NAMESPACE)?
            .values()
            .find(|authority| authority.rules.listener)?;
        Some(Arc::clone(found))
    }

    /// Adds or replaces one; the caller holds the rooms' change lock.
    pub(crate) fn put(&self, authority: Authority) {
        self.2.add(&authority);
        for issuer in &authority.issuers {
            self.1.add(issuer.pki.name.as_der(), &issuer.revoked);
        }
        let mut all = HashMap::clone(&self.0.load());
        let names = all.entry(authority.namespace_name.to_string()).or_default();
        let mut changed = ByName::clone(names);
        changed.insert(authority.record.name.clone(), Arc::new(authority));
        *names = Arc::new(changed);
        self.0.store(Arc::new(all));
    }

    /// Forgets one; the caller holds the rooms' change lock.
    pub(crate) fn remove(&self, namespace: &str, name: &str) {
        let mut all = HashMap::clone(&self.0.load());
        if let Some(names) = all.get_mut(namespace) {
            let mut changed = ByName::clone(names);
            changed.remove(name);
            *names = Arc::new(changed);
        }
        self.0.store(Arc::new(all));
        self.2.replace(keys::Keys::of(&self.all()));
    }
}
