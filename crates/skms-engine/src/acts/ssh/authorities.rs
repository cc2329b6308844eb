//! Makes SSH authorities on keys that are there, and deletes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_keys::{Name, VersionNumber};
use skms_pki::ssh::{CertificateType, PublicKey, scheme};
use skms_store::{Change, Kind, RecordId};

use super::{Create, Delete, View, refused};
use crate::authority::signer::Signer;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::idempotency::Once;
use crate::records;
use crate::records::authority::SigningKeyRecord;
use crate::records::der::Der;
use crate::records::ssh::{SshAuthorityRecord, SshCertificateRecord};
use crate::ssh::{self, SshAuthority};
use crate::target::Target;

/// What is said about a new authority.
#[derive(Clone, Debug)]
pub struct NewAuthority {
    /// Its name in the namespace.
    pub name: String,
    /// Whom it certifies.
    pub certificate_type: CertificateType,
    /// The keyring of its key.
    pub keyring: String,
    /// Its key.
    pub key: String,
    /// The scheme that it signs with, by name; the key's usual one by default.
    pub signature: Option<String>,
}

impl Engine {
    /// Makes an SSH authority on the newest version of a key.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::NotFound`] for the key; [`Error::KeyForbids`]
    /// for a key that SSH does not have; [`Error::StateForbids`] for one that
    /// signs nothing now.
    pub async fn create_ssh_authority(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        new: NewAuthority,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Create>(Target::ssh_authority(namespace, &new.name))
            .await?;
        let made = create(&entry, &allowed, namespace, new).await;
        entry.failed(&allowed, made).await
    }

    /// Deletes an SSH authority none of whose certificates still counts. Its
    /// revocation list goes with it.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] while one does.
    pub async fn delete_ssh_authority(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Delete>(entry.ssh_target(namespace, name))
            .await?;
        let done = delete(&entry, &allowed, namespace, name).await;
        entry.failed(&allowed, done).await
    }
}

async fn create(
    entry: &Entry,
    allowed: &Authorized<Create, Target>,
    namespace: &str,
    new: NewAuthority,
) -> Result<View> {
    let at = KeyRef {
        namespace,
        keyring: &new.keyring,
        name: &new.key,
    };
    let key = entry.authorize_key::<Create>(at).await?;
    let guard = entry.rooms.lock_changes().await;
    let place = entry
        .rooms
        .places
        .namespace(namespace)
        .ok_or(Error::NotFound { what: "namespace" })?;
    let whose = (place.id, Arc::from(namespace));
    let claim = match entry.once::<SshAuthorityRecord>(place.id.0).await? {
        Once::First(claim) => claim,
        Once::Again(id, record) => {
            entry.record_again(allowed, id).await?;
            let made = ssh::authority((id, 1), whose, record, Arc::default())?;
            return Ok(View::from(&made));
        }
    };
    let name = Name::new(&new.name)?;
    if entry.rooms.ssh.find(namespace, name.as_str()).is_some() {
        return Err(Error::Exists {
            what: "an SSH authority of that name",
        });
    }
    let (signing, public) = signing_key(&key, new.signature.as_deref())?;
    // Servers trust the key: what one of two authorities on it revokes, the
    // other's list does not name.
    let same = |one: &Arc<SshAuthority>| {
        one.public.blob() == public.blob() && one.certificate_type == new.certificate_type
    };
    if entry.rooms.ssh.of(namespace).iter().any(same) {
        return Err(Error::Exists {
            what: "an SSH authority on that key",
        });
    }
    // A key that may not sign now is none to stand on.
    let signer = Signer::take(entry, &key, &signing).await?;
    let record = SshAuthorityRecord {
        name: new.name,
        certificate_type: new.certificate_type.name().to_owned(),
        key: signing,
        public: Der(public.blob().to_vec()),
        created_at: entry.now().0,
        roles: BTreeMap::new(),
    };
    let id = RecordId::random()?;
    let made = ssh::authority((id, 1), whose, record.clone(), Arc::default())?;
    let mut changes = vec![Change::Put {
        namespace: place.id.0,
        kind: Kind::SshAuthority,
        id,
        name: Some(record.name.clone()),
        expected: None,
        plaintext: records::encode(&record)?,
    }];
    changes.extend(claim.remember(id, &record)?);
    let event = EventDraft::of(entry, allowed, Outcome::Success)?
        .target_id(id)
        .also_key(&key.target().snapshot())
        .detail(
            DetailKey::Fingerprint,
            crate::sessions::hex(&public.sha256()),
        );
    entry
        .change((guard, claim, signer), changes, event, move |rooms, _| {
            let view = View::from(&made);
            rooms.ssh.put(made);
            Ok(view)
        })
        .await
}

/// The newest version of a key, as SSH has it.
fn signing_key(
    key: &Authorized<Create, KeyTarget>,
    name: Option<&str>,
) -> Result<(SigningKeyRecord, PublicKey)> {
    let snapshot = key.target().snapshot();
    let algorithm = snapshot.key().algorithm;
    let scheme = scheme(algorithm, name).ok_or_else(|| match name {
        None => Error::KeyForbids(format!(
            "a key for {algorithm} does not sign SSH certificates"
        )),
        Some(name) => Error::Invalid(format!(
            "a key for {algorithm} does not sign SSH certificates by {}",
            name.escape_debug()
        )),
    })?;
    let number = snapshot.key().newest()?.number.0;
    let version = snapshot.key().version(VersionNumber(number))?;
    let spki = version
        .public_spki
        .as_deref()
        .ok_or(Error::Internal("a signing key without a public half"))?;
    let record = SigningKeyRecord {
        keyring: snapshot.at().keyring.to_owned(),
        key: snapshot.at().name.to_owned(),
        id: snapshot.key().id.to_string(),
        version: number,
        algorithm: algorithm.name().to_owned(),
        signature: scheme.name(),
    };
    Ok((record, PublicKey::from_spki(spki).map_err(refused)?))
}

async fn delete(
    entry: &Entry,
    allowed: &Authorized<Delete, Target>,
    namespace: &str,
    name: &str,
) -> Result<()> {
    let authority = entry.ssh_authority(namespace, name)?;
    // Whatever is being certified is committed once the lock was free, and
    // what begins later has a larger identifier: so that the long look is
    // taken without the lock, and only the rest of it under it.
    let fence = {
        let _guard = entry.rooms.lock_changes().await;
        entry.rooms.store.next_id()?
    };
    all_ended(entry, &authority, None).await?;
    let guard = entry.rooms.lock_changes().await;
    let authority = match entry.ssh_authority(namespace, name)? {
        same if same.id == authority.id => same,
        _ => return Err(Error::Conflict),
    };
    all_ended(entry, &authority, Some(fence)).await?;
    let gone = Change::Delete {
        namespace: authority.namespace.0,
        kind: Kind::SshAuthority,
        id: authority.id,
        expected: authority.revision,
    };
    let event = EventDraft::of(entry, allowed, Outcome::Success)?;
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    entry
        .change(guard, vec![gone], event, move |rooms, _| {
            rooms.ssh.remove(&namespace, &name);
            Ok(())
        })
        .await
}

/// Whether every certificate of the authority behind this identifier has
/// ended.
async fn all_ended(
    entry: &Entry,
    authority: &SshAuthority,
    mut after: Option<RecordId>,
) -> Result<()> {
    let (id, now) = (authority.id_text(), entry.now().0);
    let (store, scope) = (&entry.rooms.store, authority.namespace.0);
    loop {
        let page = store.scan(scope, Kind::SshCertificate, after, 256).await?;
        after = page.last().map(|record| record.id);
        if after.is_none() {
            return Ok(());
        }
        for stored in page {
            let record: SshCertificateRecord = records::decode(stored.plaintext.expose())?;
            if record.authority != id {
                continue;
            }
            let view = super::CertificateView::of(authority, &record)?;
            let ends = view.certificate.grant.valid_before;
            if i64::try_from(ends).unwrap_or(i64::MAX) > now {
                return Err(Error::NotEmpty(
                    "certificates of this authority have not ended yet",
                ));
            }
        }
    }
}
