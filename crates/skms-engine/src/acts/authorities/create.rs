//! Makes an authority on a key that is there: a root that signs itself, one
//! that another authority of the namespace certifies, or one that waits for a
//! certificate from elsewhere.

use std::sync::Arc;

use skms_crypto::Family;
use skms_evidence::Outcome;
use skms_keys::{Name, VersionNumber};
use skms_pki::issue::{self, NameBuf, ProfileKind, Request, SigningScheme};
use skms_policy::ROOT_NAMESPACE;
use skms_store::{Change, Kind, RecordId};

use super::{Certify, Create, Extent, View, profile, span};
use crate::act::Act;
use crate::authority::issuing::{self, Draft, Wanted};
use crate::authority::signer::Signer;
use crate::authority::{Authority, Rules, load};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::idempotency::Once;
use crate::places::Namespace;
use crate::records;
use crate::records::authority::{
    AuthorityRecord, AuthorityRulesRecord, IssuerRecord, SigningKeyRecord,
};
use crate::records::der::Der;
use crate::target::Target;

/// What an authority stands on.
#[derive(Clone, Debug)]
pub enum Foundation {
    /// Its own signature.
    Root,
    /// A certificate of another authority of the namespace, by name.
    Parent(String),
    /// A certificate from elsewhere, which it waits for.
    External,
}

/// What is said about a new authority.
#[derive(Clone, Debug)]
pub struct NewAuthority {
    /// Its name in the namespace.
    pub name: String,
    /// The keyring of its key.
    pub keyring: String,
    /// Its key.
    pub key: String,
    /// Its distinguished name.
    pub subject: NameBuf,
    /// What it stands on.
    pub foundation: Foundation,
    /// What its certificate is to be like.
    pub extent: Extent,
    /// The scheme that it signs with, by name; the key's usual one by default.
    pub signature: Option<String>,
    /// How it issues and publishes.
    pub rules: Rules,
}

/// The most shards of an authority whose signatures take up to seconds.
const SHARDS_OF_SLOW_KEYS: u32 = 16;

/// What comes of the foundation.
struct Founded {
    issuers: Vec<IssuerRecord>,
    request: Option<Der>,
    /// The certificate, where another authority here issued it.
    issued: Option<Draft>,
    /// Keys in use until all is committed.
    signers: Vec<Signer>,
}

impl Engine {
    /// Makes an authority.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::NotFound`] for the key or the parent;
    /// [`Error::Pki`] for a certificate that cannot be.
    pub async fn create_authority(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        new: NewAuthority,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Create>(Target::authority(namespace, &new.name))
            .await?;
        let made = create(&entry, &allowed, namespace, new).await;
        entry.failed(&allowed, made).await
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
    let claim = match entry.once::<AuthorityRecord>(place.id.0).await? {
        Once::First(claim) => claim,
        Once::Again(id, record) => {
            entry.record_again(allowed, id).await?;
            let known = |_| Default::default();
            let name = Arc::from(namespace);
            return View::try_from(&load::authority(id, 1, place.id, name, record, known)?);
        }
    };
    let name = Name::new(&new.name)?;
    if entry
        .rooms
        .authorities
        .find(namespace, name.as_str())
        .is_some()
    {
        return Err(Error::Exists {
            what: "an authority of that name",
        });
    }
    if new.subject.is_empty() {
        return Err(Error::Invalid(
            "an authority has a distinguished name".into(),
        ));
    }
    let signing = signing_key(&key, new.signature.as_deref())?;
    check_rules(&new.rules, &signing, false)?;
    check_listener(entry, namespace, &new.name, &new.rules)?;
    let ocsp_signer = ocsp_signer::<Create>(entry, namespace, &new.rules).await?;
    let founded = found(entry, &place, &key, &new, &signing).await?;
    let record = AuthorityRecord {
        name: new.name.clone(),
        key: signing,
        subject: Der(new.subject.as_der().to_vec()),
        request: founded.request,
        created_at: entry.now().0,
        rules: AuthorityRulesRecord::new(&new.rules, ocsp_signer),
        extent: (&new.extent).into(),
        issuers: founded.issuers,
        acme: None,
        named: Vec::new(),
        est: None,
    };
    let id = RecordId::random()?;
    let authority = load::authority(
        id,
        1,
        place.id,
        Arc::from(namespace),
        record.clone(),
        |_| Default::default(),
    )?;
    let mut changes = vec![Change::Put {
        namespace: place.id.0,
        kind: Kind::Authority,
        id,
        name: Some(new.name),
        expected: None,
        plaintext: records::encode(&record)?,
    }];
    let mut event = EventDraft::of(entry, allowed, Outcome::Success)?
        .target_id(id)
        .also_key(&key.target().snapshot());
    if let Some(draft) = founded.issued {
        event = event.certificate(&draft);
        changes.extend(draft.changes);
    }
    changes.extend(claim.remember(id, &record)?);
    let held = (guard, claim, founded.signers);
    entry
        .change(held, changes, event, move |rooms, _| {
            let view = View::try_from(&authority)?;
            rooms.authorities.put(authority);
            // Who is known by an external authority is to be so by none that
            // is kept here.
            rooms.sessions.end_any(&rooms.trusts.ids());
            Ok(view)
        })
        .await
}

/// The newest version of a key with the scheme asked for, or the key's usual
/// one.
pub(super) fn signing_key<A: Act>(
    key: &Authorized<A, KeyTarget>,
    name: Option<&str>,
) -> Result<SigningKeyRecord> {
    let snapshot = key.target().snapshot();
    let algorithm = snapshot.key().algorithm;
    let scheme = match name {
        None => SigningScheme::for_key(algorithm).ok_or_else(|| {
            Error::KeyForbids(format!("a key for {algorithm} does not sign certificates"))
        }),
        Some(name) => SigningScheme::by_name(algorithm, name).ok_or_else(|| {
            let known: Vec<String> = SigningScheme::all_for(algorithm)
                .into_iter()
                .map(SigningScheme::name)
                .collect();
            Error::Invalid(format!(
                "a key for {algorithm} signs certificates with: {}",
                known.join(", ")
            ))
        }),
    }?;
    Ok(SigningKeyRecord {
        keyring: snapshot.at().keyring.to_owned(),
        key: snapshot.at().name.to_owned(),
        id: snapshot.key().id.to_string(),
        version: snapshot.key().newest()?.number.0,
        algorithm: algorithm.name().to_owned(),
        signature: scheme.name(),
    })
}

/// The newest version of the key that is to sign OCSP responses, for who may use
/// it so.
pub(super) async fn ocsp_signer<A: Act>(
    entry: &Entry,
    namespace: &str,
    rules: &Rules,
) -> Result<Option<SigningKeyRecord>> {
    let Some((keyring, name)) = &rules.ocsp_signer else {
        return Ok(None);
    };
    let at = KeyRef {
        namespace,
        keyring,
        name,
    };
    let key = entry.authorize_key::<A>(at).await?;
    let signing = signing_key(&key, None)?;
    Signer::may(&key, &signing, entry.now())?;
    Ok(Some(signing))
}

/// Its public key (SubjectPublicKeyInfo in DER).
pub(crate) fn spki<A: Act>(
    key: &Authorized<A, KeyTarget>,
    record: &SigningKeyRecord,
) -> Result<Vec<u8>> {
    let snapshot = key.target().snapshot();
    let version = snapshot.key().version(VersionNumber(record.version))?;
    version
        .public_spki
        .clone()
        .ok_or(Error::Internal("a signing key without a public half"))
}

/// What rules may be for an authority that signs with this key, and has profiles
/// of its own or none.
pub(super) fn check_rules(rules: &Rules, key: &SigningKeyRecord, named: bool) -> Result<()> {
    let bad = |text: &str| Err(Error::Invalid(text.to_owned()));
    let slow = load::scheme(key)?.algorithm().row().family == Family::SlhDsa;
    if slow && rules.crl_shards > SHARDS_OF_SLOW_KEYS {
        return bad("crl_shards is at most 16 for a key of SLH-DSA: each list is a slow signature");
    }
    if !(1..=4096).contains(&rules.crl_shards) {
        return bad("crl_shards is from 1 to 4096");
    }
    if !(600..=400 * 86_400).contains(&rules.crl_seconds) {
        return bad("crl_seconds is from 600 (ten minutes) to 34560000 (400 days)");
    }
    if !(60..=10 * 86_400).contains(&rules.ocsp_seconds) {
        return bad("ocsp_seconds is from 60 (a minute) to 864000 (ten days)");
    }
    if rules.profiles.is_empty() && !named {
        return bad("an authority issues by one profile at least");
    }
    let of_authorities = [ProfileKind::Root, ProfileKind::Intermediate];
    if rules
        .profiles
        .iter()
        .any(|kind| of_authorities.contains(kind))
    {
        return bad("authorities are certified by an act of their own, not by a profile");
    }
    if let Some(url) = &rules.publish_url {
        //= https://www.rfc-editor.org/rfc/rfc5280#section-8
        //# CAs SHOULD NOT include URIs that specify https, ldaps, or similar
        //# schemes in extensions.
        let host = url.strip_prefix("http://").unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}?#@".contains(&byte);
        if host.is_empty() || url.len() > 200 || !host.bytes().all(plain) {
            return bad("publish_url is a plain http:// URL of at most 200 characters");
        }
    }
    Ok(())
}

/// Whether the server's own listener can be certified by this authority; the
/// caller holds the change lock.
pub(super) fn check_listener(
    entry: &Entry,
    namespace: &str,
    name: &str,
    rules: &Rules,
) -> Result<()> {
    if !rules.listener {
        return Ok(());
    }
    if namespace != ROOT_NAMESPACE {
        return Err(Error::Invalid(
            "the server's listener is certified by an authority of the root namespace".into(),
        ));
    }
    if !rules.profiles.contains(&ProfileKind::TlsServer) {
        return Err(Error::Invalid(
            "the listener's authority issues by the profile tls-server".into(),
        ));
    }
    match entry.rooms.authorities.of_listener() {
        Some(other) if other.record.name != name => Err(Error::Invalid(format!(
            "the server's listener is certified by {}: end that first",
            other.record.name
        ))),
        _ => Ok(()),
    }
}

async fn found(
    entry: &Entry,
    place: &Namespace,
    key: &Authorized<Create, KeyTarget>,
    new: &NewAuthority,
    signing: &SigningKeyRecord,
) -> Result<Founded> {
    let mut request = Request::new(new.subject.clone(), spki(key, signing)?);
    match &new.foundation {
        Foundation::Root => {
            let profile = profile(ProfileKind::Root, &new.extent);
            (request.not_before, request.not_after) =
                span(&profile, entry.now(), new.extent.lifetime_seconds);
            let own = issue::Authority::root(&request, load::scheme(signing)?)?;
            let serial = issue::Serial::from_random(skms_crypto::rand::array()?);
            let planned = profile.plan(&own, &request, serial, issuing::moment(entry.now()))?;
            let signer = Signer::take(entry, key, signing).await?;
            let signature = signer.sign(entry, planned.tbs()).await?;
            Ok(Founded {
                issuers: vec![first(signing, planned.signed(&signature)?, Vec::new())],
                request: None,
                issued: None,
                signers: vec![signer],
            })
        }
        Foundation::Parent(parent) => {
            let allowed = entry
                .authorize::<Certify>(entry.authority_target(&place.name, parent))
                .await?;
            let parent = entry.authority(&place.name, parent);
            let parent = entry.failed(&allowed, parent).await?;
            let issuer = parent.current().ok_or_else(|| waiting(&parent))?;
            let parents_key = entry.authority_key::<Certify>(&parent, &issuer.key).await?;
            let profile = profile(ProfileKind::Intermediate, &new.extent);
            (request.not_before, request.not_after) =
                span(&profile, entry.now(), new.extent.lifetime_seconds);
            let signer = Signer::take(entry, &parents_key, &issuer.key).await?;
            let wanted = Wanted {
                kind: ProfileKind::Intermediate,
                named: None,
                profile: &profile,
                request: &request,
                subject_key: Some(signing.into()),
            };
            let draft = issuing::issue(entry, (&parent, issuer), &signer, wanted).await?;
            let der = draft.record.certificate.0.clone();
            Ok(Founded {
                issuers: vec![first(signing, der, issuer.pki.chain.clone())],
                request: None,
                issued: Some(draft),
                signers: vec![signer],
            })
        }
        Foundation::External => {
            let signer = Signer::take(entry, key, signing).await?;
            let planned = request.to_csr(load::scheme(signing)?)?;
            let signature = signer.sign(entry, planned.tbs()).await?;
            Ok(Founded {
                issuers: Vec::new(),
                request: Some(Der(planned.signed(&signature)?)),
                issued: None,
                signers: vec![signer],
            })
        }
    }
}

/// What to answer for an authority that has no certificate yet.
pub(crate) fn waiting(authority: &Authority) -> Error {
    Error::Invalid(format!(
        "the authority {} waits for its certificate",
        authority.record.name
    ))
}

fn first(key: &SigningKeyRecord, certificate: Vec<u8>, chain: Vec<Vec<u8>>) -> IssuerRecord {
    IssuerRecord {
        number: 1,
        key: key.clone(),
        certificate: Der(certificate),
        chain: chain.into_iter().map(Der).collect(),
        cross: Vec::new(),
        ocsp: None,
    }
}
