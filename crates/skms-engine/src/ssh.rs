//! SSH certificate authorities in memory: their keys, their roles, and what
//! they revoked. Few, and an immutable snapshot that a change replaces; what
//! is revoked lives beside it and outlasts it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwap;
use skms_crypto::hash::sha256;
use skms_keys::NamespaceId;
use skms_pki::issue::SigningScheme;
use skms_pki::ssh::{CertificateType, Krl, PublicKey, Revoked, Role};
use skms_store::{RecordId, SealedStore};

use crate::acts::ssh::KeyList;
use crate::authority::load;
use crate::error::{Error, Result};
use crate::places::{self, Places};
use crate::records::ssh::{SshAuthorityRecord, SshRevocationRecord, SshRevoked, SshRoleRecord};
use crate::records::unhex;

/// One authority at one revision of its record.
#[derive(Clone)]
pub(crate) struct SshAuthority {
    pub(crate) id: RecordId,
    pub(crate) namespace: NamespaceId,
    pub(crate) namespace_name: Arc<str>,
    pub(crate) revision: u64,
    pub(crate) record: SshAuthorityRecord,
    pub(crate) certificate_type: CertificateType,
    pub(crate) public: PublicKey,
    pub(crate) scheme: SigningScheme,
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) revoked: Arc<Revocations>,
}

impl SshAuthority {
    /// Its identifier, as records write it.
    pub(crate) fn id_text(&self) -> String {
        self.id.to_string()
    }
}

/// What one authority revoked: it only ever grows.
#[derive(Default)]
pub(crate) struct Revocations(RwLock<State>);

#[derive(Default)]
struct State {
    revoked: Revoked,
    /// The number of things that it names, which is the list's version.
    version: u64,
    /// When the last one was, in seconds since 1970.
    changed_at: i64,
    /// The list as it stands, made when it is asked for.
    list: Option<KeyList>,
}

impl State {
    fn changed(&mut self, new: bool, at: i64) {
        if new {
            self.version += 1;
            self.changed_at = self.changed_at.max(at);
            self.list = None;
        }
    }

    fn put_serial(&mut self, serial: u64, at: i64) {
        let new = !self.revoked.serials.contains(serial);
        self.revoked.serials.insert(serial);
        self.changed(new, at);
    }

    fn put_key_id(&mut self, key_id: &str, at: i64) {
        let new = self.revoked.key_ids.insert(key_id.to_owned());
        self.changed(new, at);
    }

    fn put_key(&mut self, hash: [u8; 32], at: i64) {
        let new = self.revoked.keys.insert(hash);
        self.changed(new, at);
    }
}

impl Revocations {
    /// Takes over what was committed; what it names already, it names once.
    ///
    /// # Errors
    /// [`Error::Record`] for a damaged one.
    pub(crate) fn take(&self, records: &[SshRevocationRecord]) -> Result<()> {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for SshRevocationRecord {
            what, revoked_at, ..
        } in records
        {
            match what {
                SshRevoked::Serial(text) => {
                    let serial = text.parse().map_err(|_| damaged("serial number"))?;
                    state.put_serial(serial, *revoked_at);
                }
                SshRevoked::KeyId(text) => state.put_key_id(text, *revoked_at),
                SshRevoked::Key(text) => {
                    let hash = unhex(text).and_then(|hash| hash.try_into().ok());
                    state.put_key(hash.ok_or_else(|| damaged("key"))?, *revoked_at);
                }
            }
        }
        Ok(())
    }

    /// Takes over what another reading of the store found.
    fn merge(&self, other: &Self) {
        let found = other.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let at = found.changed_at;
        // A record is of one number, so runs are no longer than there are
        // records.
        for serial in found.revoked.serials.runs().flat_map(|(a, b)| a..=b) {
            state.put_serial(serial, at);
        }
        for key_id in &found.revoked.key_ids {
            state.put_key_id(key_id, at);
        }
        for hash in &found.revoked.keys {
            state.put_key(*hash, at);
        }
    }

    /// Whether a certificate is one of those revoked.
    pub(crate) fn names(&self, serial: u64, key_id: &str, key: &PublicKey) -> bool {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.revoked.names(serial, key_id, key)
    }

    /// Whether a key is.
    pub(crate) fn names_key(&self, key: &PublicKey) -> bool {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.revoked.keys.contains(&key.sha256())
    }

    /// The list's version.
    pub(crate) fn version(&self) -> u64 {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.version
    }

    /// The list as it stands.
    pub(crate) fn list(&self, authority: &SshAuthority) -> KeyList {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let list = state.list.clone().unwrap_or_else(|| {
            let at = state.changed_at.max(authority.record.created_at);
            let krl = Krl {
                authority: &authority.public,
                version: state.version,
                generated_at: u64::try_from(at).unwrap_or_default(),
                comment: &authority.record.name,
                revoked: &state.revoked,
            };
            let bytes = krl.encode();
            KeyList {
                version: state.version,
                digest: sha256(&[&bytes]),
                bytes: Arc::from(bytes),
            }
        });
        state.list = Some(list.clone());
        list
    }
}

/// All of them, by namespace and name.
#[derive(Default)]
pub(crate) struct SshAuthorities(ArcSwap<BTreeMap<String, Arc<SshAuthority>>>);

/// Names hold no NUL, so this tells apart what differs.
fn place(namespace: &str, name: &str) -> String {
    format!("{namespace}\0{name}")
}

impl SshAuthorities {
    /// Takes over what was read anew. What was revoked only ever grows, and
    /// some of it may have come after the reading: it is kept, and added to.
    pub(crate) fn replace(&self, other: &Self) {
        let before = self.0.load_full();
        let mut all = BTreeMap::clone(&other.0.load());
        for (place, fresh) in &mut all {
            let Some(known) = before.get(place).filter(|known| known.id == fresh.id) else {
                continue;
            };
            known.revoked.merge(&fresh.revoked);
            let mut kept = SshAuthority::clone(fresh);
            kept.revoked = Arc::clone(&known.revoked);
            *fresh = Arc::new(kept);
        }
        self.0.store(Arc::new(all));
    }

    /// The authority of that name.
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<Arc<SshAuthority>> {
        self.0.load().get(&place(namespace, name)).cloned()
    }

    /// The authorities of a namespace, by name.
    pub(crate) fn of(&self, namespace: &str) -> Vec<Arc<SshAuthority>> {
        let all = self.0.load();
        let ours = all.values().filter(|one| &*one.namespace_name == namespace);
        ours.cloned().collect()
    }

    /// Adds or replaces one; the caller holds the rooms' change lock.
    pub(crate) fn put(&self, authority: SshAuthority) {
        let mut all = BTreeMap::clone(&self.0.load());
        let place = place(&authority.namespace_name, &authority.record.name);
        all.insert(place, Arc::new(authority));
        self.0.store(Arc::new(all));
    }

    /// Forgets one; the caller holds the rooms' change lock.
    pub(crate) fn remove(&self, namespace: &str, name: &str) {
        let mut all = BTreeMap::clone(&self.0.load());
        all.remove(&place(namespace, name));
        self.0.store(Arc::new(all));
    }
}

fn damaged(reason: &'static str) -> Error {
    Error::Record {
        kind: "SSH authority",
        reason: reason.to_owned(),
    }
}

/// Every authority of every namespace, with what each revoked.
pub(crate) async fn load(store: &SealedStore, places: &Places) -> Result<SshAuthorities> {
    let loaded = SshAuthorities::default();
    for namespace in places.list() {
        let found = places::all::<SshAuthorityRecord>(store, namespace.id.0).await?;
        if found.is_empty() {
            continue;
        }
        let mut revoked: BTreeMap<String, Arc<Revocations>> = BTreeMap::new();
        for (_, _, record) in places::all::<SshRevocationRecord>(store, namespace.id.0).await? {
            let of = revoked.entry(record.authority.clone()).or_default();
            of.take(std::slice::from_ref(&record))?;
        }
        for (id, revision, record) in found {
            let revoked = revoked.remove(&id.to_string()).unwrap_or_default();
            let name = Arc::from(namespace.name.as_str());
            loaded.put(authority(
                (id, revision),
                (namespace.id, name),
                record,
                revoked,
            )?);
        }
    }
    Ok(loaded)
}

/// An authority from its record.
pub(crate) fn authority(
    (id, revision): (RecordId, u64),
    (namespace, namespace_name): (NamespaceId, Arc<str>),
    record: SshAuthorityRecord,
    revoked: Arc<Revocations>,
) -> Result<SshAuthority> {
    let certificate_type = record
        .certificate_type
        .parse()
        .map_err(|_| damaged("type"))?;
    let public = PublicKey::from_blob(&record.public.0).map_err(|_| damaged("public key"))?;
    let roles = record
        .roles
        .iter()
        .map(|(name, role)| Ok((name.clone(), Role::try_from(role)?)))
        .collect::<Result<_>>()?;
    Ok(SshAuthority {
        id,
        namespace,
        namespace_name,
        revision,
        certificate_type,
        public,
        scheme: load::scheme(&record.key)?,
        roles,
        revoked,
        record,
    })
}

impl From<&Role> for SshRoleRecord {
    fn from(role: &Role) -> Self {
        let networks = role.source_addresses.iter().map(ToString::to_string);
        Self {
            principals: role.principals.clone(),
            default_principals: role.default_principals.clone(),
            default_seconds: role.default_seconds,
            max_seconds: role.max_seconds,
            extensions: role.extensions.clone(),
            allowed_extensions: role.allowed_extensions.clone(),
            force_command: role.force_command.clone(),
            source_addresses: networks.collect(),
            verify_required: role.verify_required,
            key_types: role.key_types.clone(),
            key_id: role.key_id.clone(),
        }
    }
}

impl TryFrom<&SshRoleRecord> for Role {
    type Error = Error;

    fn try_from(record: &SshRoleRecord) -> Result<Self> {
        let networks = record.source_addresses.iter();
        Ok(Self {
            principals: record.principals.clone(),
            default_principals: record.default_principals.clone(),
            default_seconds: record.default_seconds,
            max_seconds: record.max_seconds,
            extensions: record.extensions.clone(),
            allowed_extensions: record.allowed_extensions.clone(),
            force_command: record.force_command.clone(),
            source_addresses: networks
                .map(|text| text.parse().map_err(|_| damaged("network")))
                .collect::<Result<_>>()?,
            verify_required: record.verify_required,
            key_types: record.key_types.clone(),
            key_id: record.key_id.clone(),
        })
    }
}
