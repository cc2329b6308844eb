//! Issues a certificate to an end entity.

use std::sync::Arc;

use skms_crypto::{Algorithm, Format, KeyMaterial, SecretBytes};
use skms_evidence::Outcome;
use skms_keys::{Key, KeyState, VersionNumber};
use skms_pki::issue::{AltName, NameBuf, Profile, ProfileKind, Request};
use skms_pki::{Certificate, Csr};
use skms_store::Change;
use tokio::sync::OwnedMutexGuard;

use super::{Issue, View};
use crate::acts::authorities::{span, unreadable};
use crate::acts::{create_key, principals};
use crate::authority::Authority;
use crate::authority::issuing::{self, Draft, Wanted};
use crate::authority::named::ProfileChoice;
use crate::authority::signer::Signer;
use crate::caller::{Authentication, Caller};
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::idempotency::Once;
use crate::opened::lock_key;
use crate::records::certificate::{CertificateRecord, SubjectKeyRecord};
use crate::sessions::certified;
use crate::target::Target;
use crate::weak::Lenience;

/// Times that issuing begins again when another certificate of the same key is
/// issued at the same moment.
const ATTEMPTS: usize = 4;

/// The key that a certificate is for.
#[derive(Clone, Debug)]
pub enum SubjectKey {
    /// That of a certification request (DER), whose subject and names count
    /// where nothing else is said.
    Request(Vec<u8>),
    /// A key kept here.
    Kept {
        /// Its keyring.
        keyring: String,
        /// Its name.
        key: String,
        /// Its version; the newest by default.
        version: Option<VersionNumber>,
    },
    /// One that is made, handed out and not kept.
    New(Algorithm),
}

/// What is said about a new certificate.
#[derive(Clone, Debug)]
pub struct NewCertificate {
    /// What it is for.
    pub profile: ProfileChoice,
    /// Its key.
    pub key: SubjectKey,
    /// Whom it is for.
    pub subject: Option<NameBuf>,
    /// Its names.
    pub names: Vec<AltName>,
    /// How long it is to last, in seconds.
    pub lifetime_seconds: Option<u64>,
}

/// A new certificate.
pub struct Issued {
    /// What is known about it.
    pub certificate: View,
    /// The private key (PKCS #8 DER) that was made for it. Not given again
    /// under an idempotency key: it is not kept.
    pub private_key: Option<SecretBytes>,
}

/// The subject's side, resolved.
struct Subject {
    request: Request,
    kept: Option<SubjectKeyRecord>,
    private_key: Option<SecretBytes>,
    /// Its key kept here, authorised as a target of its own.
    authorized: Option<Authorized<Issue, KeyTarget>>,
}

impl Engine {
    /// Issues a certificate. It is durable when this returns, and nobody has
    /// seen it before.
    ///
    /// # Errors
    /// [`Error::Pki`] for what profile or authority do not allow, with every
    /// rule that was broken; [`Error::StateForbids`] while the authority's key
    /// is suspended, revoked or destroyed.
    pub async fn issue_certificate(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        authority: &str,
        new: NewCertificate,
    ) -> Result<Issued> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Issue>(entry.authority_target(namespace, authority))
            .await?;
        let made = issue(&entry, &allowed, (namespace, authority), new, &Alone).await;
        entry.failed(&allowed, made).await
    }
}

/// What is committed in the batch of a certificate, besides it.
pub(crate) trait Beside: Sync {
    /// Whether it may be issued by this profile, asked once the authority stays
    /// as it is.
    fn admits(&self, authority: &Authority, profile: &ProfileChoice) -> Result<()>;
    /// The changes that go with this draft.
    fn changes(&self, draft: &Draft) -> Result<Vec<Change>>;
    /// What the event says more.
    fn event(&self, event: EventDraft) -> EventDraft;
}

/// Nothing.
pub(crate) struct Alone;

impl Beside for Alone {
    fn admits(&self, _: &Authority, _: &ProfileChoice) -> Result<()> {
        Ok(())
    }

    fn changes(&self, _: &Draft) -> Result<Vec<Change>> {
        Ok(Vec::new())
    }

    fn event(&self, event: EventDraft) -> EventDraft {
        event
    }
}

/// Issues a certificate, for whoever was authorised to have it.
pub(crate) async fn issue(
    entry: &Entry,
    allowed: &Authorized<Issue, Target>,
    (namespace, name): (&str, &str),
    new: NewCertificate,
    beside: &impl Beside,
) -> Result<Issued> {
    let material = match new.key {
        // Before the lock: making a key may take seconds.
        SubjectKey::New(algorithm) => {
            entry.authority(namespace, name)?;
            Some(create_key::generate(&entry.rooms, algorithm).await?)
        }
        _ => None,
    };
    // From here the authority stays as it is.
    let mut shared = Some(entry.rooms.share_changes().await);
    let authority = entry.authority(namespace, name)?;
    let issuer = authority
        .current()
        .ok_or_else(|| crate::acts::authorities::waiting(&authority))?;
    let key = entry
        .authority_key::<Issue>(&authority, &issuer.key)
        .await?;
    let claim = match entry
        .once::<CertificateRecord>(authority.namespace.0)
        .await?
    {
        Once::First(claim) => Arc::new(claim),
        Once::Again(id, record) => {
            entry.record_again(allowed, id).await?;
            let certificate = View::of(&authority, &record)?;
            if let SubjectKey::New(_) = new.key {
                return Err(Error::SecretGiven {
                    id: crate::sessions::hex(certificate.serial.as_bytes()),
                });
            }
            return Ok(Issued {
                certificate,
                private_key: None,
            });
        }
    };
    is_not_the_listeners(entry, &authority)?;
    beside.admits(&authority, &new.profile)?;
    let (kind, profile) = authority.profile(&new.profile)?;
    let named = match &new.profile {
        ProfileChoice::Builtin(_) => None,
        ProfileChoice::Named(name) => Some(name.clone()),
    };
    let subject = subject(entry, (namespace, &authority), (new, material), &profile).await?;
    let mut attempt = 0;
    let record = loop {
        attempt += 1;
        // It goes with the batch: whoever kept it would wait for itself when
        // memory has to be read again.
        let share = match shared.take() {
            Some(share) => share,
            None => {
                let share = entry.rooms.share_changes().await;
                if entry.authority(namespace, name)?.revision != authority.revision {
                    return Err(Error::Conflict);
                }
                share
            }
        };
        let signer = Signer::take(entry, &key, &issuer.key).await?;
        let certified = subject.lock(entry).await?;
        let wanted = Wanted {
            kind,
            named: named.clone(),
            profile: &profile,
            request: &subject.request,
            subject_key: subject.kept.clone(),
        };
        let draft = issuing::issue(entry, (&authority, issuer), &signer, wanted).await?;
        if kind == ProfileKind::Principal {
            may_name(entry, &authority, &draft).await?;
        }
        let event = EventDraft::of(entry, allowed, Outcome::Success)?
            .also_key(&key.target().snapshot())
            .certificate(&draft);
        let event = beside.event(event);
        let mut changes = beside.changes(&draft)?;
        changes.extend(claim.remember(draft.id, &draft.record)?);
        changes.extend(draft.changes);
        let held = (share, Arc::clone(&claim), signer, certified);
        let record = draft.record;
        match entry.change(held, changes, event, |_, _| Ok(())).await {
            Ok(()) => break record,
            Err(Error::Conflict) if attempt < ATTEMPTS => {}
            Err(error) => return Err(error),
        }
    };
    Ok(Issued {
        certificate: View::of(&authority, &record)?,
        private_key: subject.private_key,
    })
}

impl Subject {
    /// Keeps a key that is kept here as it is until its certificate is
    /// committed: a revocation of it comes before, and there is none, or
    /// after, and finds it.
    async fn lock(&self, entry: &Entry) -> Result<Option<OwnedMutexGuard<()>>> {
        let (Some(allowed), Some(kept)) = (&self.authorized, &self.kept) else {
            return Ok(None);
        };
        let (cell, guard) = lock_key(&entry.rooms, allowed.target()).await?;
        certifiable(cell.snapshot().key(), VersionNumber(kept.version))?;
        Ok(Some(guard))
    }
}

/// Whoever has a certificate issued that names a principal could be that
/// principal: it takes the right to register it, with its groups.
async fn may_name(entry: &Entry, authority: &Authority, draft: &Draft) -> Result<()> {
    if entry.caller.session.authentication == Authentication::System {
        return Ok(());
    }
    let namespace = &*authority.namespace_name;
    let read = Certificate::from_der(&draft.record.certificate.0).map_err(unreadable)?;
    let id = certified::named(&read, namespace)
        .ok_or_else(|| Error::Invalid("the name is no principal's of this namespace".into()))?;
    let groups = certified::groups(&entry.rooms, authority, id).await?;
    entry
        .authorize::<principals::Write>(Target::principal(namespace, id, groups))
        .await
        .map(drop)
}

/// An authority that certifies the server's own listener certifies nobody else
/// for others: clients send their secrets to whoever shows such a certificate.
fn is_not_the_listeners(entry: &Entry, authority: &Authority) -> Result<()> {
    let system = entry.caller.session.authentication == Authentication::System;
    if authority.rules.listener && !system {
        return Err(Error::KeyForbids(
            "this authority certifies the server's own listener, and nothing else".into(),
        ));
    }
    Ok(())
}

/// Only what is in use, or will be, is certified.
fn certifiable(key: &Key, version: VersionNumber) -> Result<()> {
    let state = key.version(version)?.state;
    if matches!(state, KeyState::PreActivation | KeyState::Active) {
        return Ok(());
    }
    Err(Error::StateForbids {
        version: version.0,
        state,
        operation: "be certified",
    })
}

async fn subject(
    entry: &Entry,
    (namespace, authority): (&str, &Authority),
    (new, material): (NewCertificate, Option<KeyMaterial>),
    profile: &Profile,
) -> Result<Subject> {
    let mut authorized = None;
    let mut kept = None;
    let mut private_key = None;
    let empty = NameBuf::empty;
    let mut request = match new.key {
        SubjectKey::Request(der) => {
            let csr = Csr::from_der(&der).map_err(unreadable)?;
            let verified = csr.verify().map_err(unreadable)?;
            let spki = verified.csr().public_key().der;
            entry.admit_public(spki, Lenience::None).await?;
            Request::from_csr(&verified)?
        }
        SubjectKey::Kept {
            keyring,
            key,
            version,
        } => {
            let at = KeyRef {
                namespace,
                keyring: &keyring,
                name: &key,
            };
            let allowed = entry.authorize_key::<Issue>(at).await?;
            let snapshot = allowed.target().snapshot();
            let known = snapshot.key();
            let version = match version {
                Some(number) => known.version(number)?,
                None => known.newest()?,
            };
            certifiable(known, version.number)?;
            let id = known.id.to_string();
            if authority.issuers.iter().any(|issuer| issuer.key.id == id) {
                return Err(Error::KeyForbids(
                    "an authority's key certifies others, not itself".into(),
                ));
            }
            let spki = version.public_spki.clone().ok_or_else(|| {
                let algorithm = known.algorithm_of(version.number);
                Error::KeyForbids(format!("a key for {algorithm} has no public half"))
            })?;
            kept = Some(SubjectKeyRecord {
                keyring: keyring.clone(),
                key: key.clone(),
                id: known.id.to_string(),
                version: version.number.0,
            });
            authorized = Some(allowed);
            Request::new(empty(), spki)
        }
        SubjectKey::New(algorithm) => {
            let material = material.ok_or(Error::Internal("a key that was not made"))?;
            let public = material.public_key()?.ok_or_else(|| {
                Error::Invalid(format!("a key for {algorithm} has no public half"))
            })?;
            private_key = Some(material.export(Format::Pkcs8Der, None)?);
            Request::new(empty(), public.spki_der().to_vec())
        }
    };
    if let Some(subject) = new.subject {
        request.subject = subject;
    }
    if !new.names.is_empty() {
        request.names = new.names;
    }
    if new.lifetime_seconds.is_some() {
        (request.not_before, request.not_after) = span(profile, entry.now(), new.lifetime_seconds);
    }
    Ok(Subject {
        request,
        kept,
        private_key,
        authorized,
    })
}
