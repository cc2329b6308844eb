//! Certifies a public key by a role. The certificate is durable before
//! anybody sees it.

use std::sync::Arc;

use skms_crypto::rand;
use skms_evidence::{DetailKey, Outcome};
use skms_pki::ssh::role::Circumstances;
use skms_pki::ssh::{Asked, PublicKey, Unsigned};
use skms_store::{Change, Kind};

use super::{CertificateView, Sign, refused};
use crate::authority::signer::Signer;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyTarget};
use crate::idempotency::Once;
use crate::records;
use crate::records::der::Der;
use crate::records::ssh::{SshCertificateRecord, certificate_name};
use crate::sessions::hex;
use crate::ssh::SshAuthority;
use crate::target::Target;
use crate::weak::Lenience;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewCertificate {
    /// The line of a `.pub` file.
    pub public_key: String,
    /// What it is to be like.
    pub asked: Asked,
}

impl Engine {
    /// Certifies a public key by a role of an SSH authority.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a key that is not certified, and with everything
    /// that the role does not let through; [`Error::StateForbids`] while the
    /// authority's key is suspended, revoked or destroyed.
    pub async fn sign_ssh_certificate(
        &self,
        caller: &Arc<Caller>,
        (namespace, authority, role): (&str, &str, &str),
        new: NewCertificate,
    ) -> Result<CertificateView> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Sign>(Target::ssh_role(namespace, authority, role))
            .await?;
        let made = sign(&entry, &allowed, (namespace, authority, role), new).await;
        entry.failed(&allowed, made).await
    }
}

async fn sign(
    entry: &Entry,
    allowed: &Authorized<Sign, Target>,
    (namespace, name, role_name): (&str, &str, &str),
    new: NewCertificate,
) -> Result<CertificateView> {
    // From here the authority and its roles stay as they are.
    let shared = entry.rooms.share_changes().await;
    let authority = entry.ssh_authority(namespace, name)?;
    let key = authorities_key(entry, &authority).await?;
    let claim = match entry
        .once::<SshCertificateRecord>(authority.namespace.0)
        .await?
    {
        Once::First(claim) => claim,
        Once::Again(id, record) => {
            entry.record_again(allowed, id).await?;
            return CertificateView::of(&authority, &record);
        }
    };
    let role = authority
        .roles
        .get(role_name)
        .ok_or(Error::NotFound { what: "SSH role" })?;
    let subject = PublicKey::from_line(&new.public_key).map_err(refused)?;
    entry.admit_public(subject.spki(), Lenience::None).await?;
    // By random numbers nobody learns how many certificates there are. None is
    // zero, which OpenSSH takes for a certificate without a number; that two
    // are the same is found by the store, which has each name once.
    let serial = u64::from_be_bytes(rand::array()?).max(1);
    let now = entry.now();
    let at = Circumstances {
        caller: entry.caller.session.principal.id(),
        role: role_name,
        serial,
        now: u64::try_from(now.0).map_err(|_| Error::Internal("a clock before 1970"))?,
    };
    let grant = role
        .grant(authority.certificate_type, &subject, &new.asked, at)
        .map_err(refused)?;
    if authority.revoked.names(serial, &grant.key_id, &subject) {
        return Err(Error::Invalid(
            "this authority revoked the key, or certificates of this key identifier".into(),
        ));
    }
    let signer = Signer::take(entry, &key, &authority.record.key).await?;
    let nonce = rand::array()?;
    let unsigned = Unsigned::new(
        (&authority.public, authority.scheme),
        &subject,
        &grant,
        &nonce,
    )
    .map_err(refused)?;
    let signature = signer.sign(entry, unsigned.tbs()).await?;
    let record = SshCertificateRecord {
        authority: authority.id_text(),
        certificate: Der(unsigned.signed(&signature).map_err(refused)?),
        role: role_name.to_owned(),
        issued_at: now.0,
        issued_to: at.caller.to_owned(),
    };
    let id = entry.rooms.store.next_id()?;
    let mut changes = vec![Change::Put {
        namespace: authority.namespace.0,
        kind: Kind::SshCertificate,
        id,
        name: Some(certificate_name(&record.authority, serial)),
        expected: None,
        plaintext: records::encode(&record)?,
    }];
    changes.extend(claim.remember(id, &record)?);
    let event = EventDraft::of(entry, allowed, Outcome::Success)?
        .also_key(&key.target().snapshot())
        .detail(DetailKey::Serial, hex(&serial.to_be_bytes()))
        .detail(DetailKey::Profile, role_name)
        .detail(DetailKey::Fingerprint, hex(&subject.sha256()));
    let view = CertificateView::of(&authority, &record)?;
    let held = (shared, claim, signer);
    entry
        .change(held, changes, event, move |_, _| Ok(view))
        .await
}

/// The authority's key, authorised as a target of its own.
async fn authorities_key(
    entry: &Entry,
    authority: &SshAuthority,
) -> Result<Authorized<Sign, KeyTarget>> {
    let record = &authority.record.key;
    let key = entry
        .authorize_key::<Sign>(record.at(&authority.namespace_name))
        .await?;
    if key.target().snapshot().key().id.to_string() != record.id {
        return Err(Error::KeyForbids(
            "the key of that name is not the one that the authority was made on".into(),
        ));
    }
    Ok(key)
}
