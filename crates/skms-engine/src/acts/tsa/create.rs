//! Makes a time-stamping authority on a key and a certificate that are there.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_keys::{Name, VersionNumber};
use skms_pki::Certificate;
use skms_pki::documents::{self, timestamp::is_for_stamps};
use skms_pki::issue::SigningScheme;
use skms_pki::oid::OidBuf;
use skms_store::{Change, Kind, RecordId};

use super::{Manage, View};
use crate::acts::authorities::unreadable;
use crate::acts::sign_document::{CertificateOf, refused};
use crate::authority::{load, signer::Signer};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::idempotency::Once;
use crate::records;
use crate::records::authority::SigningKeyRecord;
use crate::records::der::Der;
use crate::records::tsa::TsaRecord;
use crate::target::Target;
use crate::tsa::{self, Tsa};

/// The most stamps in a second that an authority may be let give.
pub const PER_SECOND_MAX: u32 = 1_000;
/// The most authorities of a namespace.
const TSAS_MAX: usize = 16;
/// The most policies of one authority.
const POLICIES_MAX: usize = 16;
/// The most certificates above one's own, with it.
const CHAIN_MAX: usize = 8;
/// The most that a time may be said to be off: a minute.
const ACCURACY_MAX: u32 = 60;

/// What is said about a new authority.
pub struct NewTsa {
    /// Its name in the namespace.
    pub name: String,
    /// The keyring of its key.
    pub keyring: String,
    /// Its key.
    pub key: String,
    /// Which certificate.
    pub certificate: CertificateOf,
    /// How to sign, by the scheme's name; the key's usual way by default.
    pub scheme: Option<String>,
    /// The policies to stamp under, dotted; the first where none is asked for.
    pub policies: Vec<String>,
    /// How far its time may be off, in seconds; not said by default.
    pub accuracy_seconds: Option<u32>,
    /// Whether its stamps can be put in order by their times alone.
    pub ordering: bool,
    /// How many stamps it gives in a second, in the long run.
    pub per_second: u32,
}

impl Engine {
    /// Makes a time-stamping authority.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::TooLarge`] for more than a namespace may
    /// have; [`Error::NotFound`] for key or certificate; [`Error::Invalid`] for
    /// a certificate that is not the key's, not for time-stamps alone, revoked
    /// or at its end; [`Error::KeyForbids`] for a key that an authority of any
    /// kind stands on; [`Error::StateForbids`] for one that signs nothing now.
    pub async fn create_tsa(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        new: NewTsa,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Manage>(Target::tsa(namespace, &new.name))
            .await?;
        let made = self.found(&entry, &allowed, namespace, new).await;
        entry.failed(&allowed, made).await
    }

    async fn found(
        &self,
        entry: &Entry,
        allowed: &Authorized<Manage, Target>,
        namespace: &str,
        new: NewTsa,
    ) -> Result<View> {
        let at = KeyRef {
            namespace,
            keyring: &new.keyring,
            name: &new.key,
        };
        let key = entry.authorize_key::<Manage>(at).await?;
        let (_, chain, _) = self
            .certified::<Manage>(&entry.caller, at, new.certificate)
            .await?;
        let guard = entry.rooms.lock_changes().await;
        let place = entry
            .rooms
            .places
            .namespace(namespace)
            .ok_or(Error::NotFound { what: "namespace" })?;
        let whose = (place.id, Arc::from(namespace));
        let claim = match entry.once::<TsaRecord>(place.id.0).await? {
            Once::First(claim) => claim,
            Once::Again(id, record) => {
                entry.record_again(allowed, id).await?;
                return Ok(View::from(&tsa::tsa((id, 1), whose, record)?));
            }
        };
        let name = Name::new(&new.name)?;
        if entry.rooms.tsas.find(namespace, name.as_str()).is_some() {
            return Err(Error::Exists {
                what: "a time-stamping authority of that name",
            });
        }
        if entry.rooms.tsas.of(namespace).len() >= TSAS_MAX {
            return Err(Error::TooLarge {
                what: "the number of time-stamping authorities",
                limit: TSAS_MAX as u64,
            });
        }
        let signing = signing_key(&key, &chain, new.scheme.as_deref())?;
        // What its record says later is read as it was taken now.
        documents::Signer::new(chain.clone(), load::scheme(&signing)?).map_err(refused)?;
        let record = TsaRecord {
            name: new.name,
            key: signing,
            chain: chain.into_iter().map(Der).collect(),
            policies: policies(&new.policies)?,
            accuracy_seconds: accuracy(new.accuracy_seconds)?,
            ordering: new.ordering,
            per_second: per_second(new.per_second)?,
            created_at: entry.now().0,
        };
        entry
            .rooms
            .signs_for_nobody_else(namespace, &record.key.id)?;
        if entry.rooms.tsas.on_key(namespace, &record.key.id).is_some() {
            return Err(Error::KeyForbids(
                "a time-stamping authority stands on this key already".into(),
            ));
        }
        let id = RecordId::random()?;
        let made = tsa::tsa((id, 1), whose, record.clone())?;
        is_good(entry, &made)?;
        // A key that may not sign now is none to stand on.
        let signer = Signer::take(entry, &key, &record.key).await?;
        let mut changes = vec![Change::Put {
            namespace: place.id.0,
            kind: Kind::Tsa,
            id,
            name: Some(record.name.clone()),
            expected: None,
            plaintext: records::encode(&record)?,
        }];
        changes.extend(claim.remember(id, &record)?);
        let event = EventDraft::of(entry, allowed, Outcome::Success)?
            .target_id(id)
            .also_key(&key.target().snapshot())
            .detail(DetailKey::Scheme, record.key.signature.as_str());
        entry
            .change((guard, claim, signer), changes, event, move |rooms, _| {
                let view = View::from(&made);
                rooms.tsas.put(made);
                Ok(view)
            })
            .await
    }
}

/// Whether an authority may stamp by its certificates.
fn is_good(entry: &Entry, made: &Tsa) -> Result<()> {
    let chain = made.signer.chain();
    if chain.len() > CHAIN_MAX {
        return Err(Error::TooLarge {
            what: "the number of certificates",
            limit: CHAIN_MAX as u64,
        });
    }
    is_for_stamps(chain.first().map(Vec::as_slice).unwrap_or_default()).map_err(refused)?;
    for pair in chain.windows(2) {
        let [own, above] = pair else { continue };
        let own = Certificate::from_der(own).map_err(unreadable)?;
        let above = Certificate::from_der(above).map_err(unreadable)?;
        if !own.issuer().matches(above.subject()) {
            return Err(Error::Invalid(
                "each certificate is followed by its issuer's".into(),
            ));
        }
    }
    match made.is_certified(&entry.rooms.authorities, entry.now()) {
        true => Ok(()),
        false => Err(Error::Invalid(
            "a certificate is revoked, on hold or at its end".into(),
        )),
    }
}

/// The version of a key that a certificate is of.
fn signing_key(
    key: &Authorized<Manage, KeyTarget>,
    chain: &[Vec<u8>],
    scheme: Option<&str>,
) -> Result<SigningKeyRecord> {
    let own = chain.first().map(Vec::as_slice).unwrap_or_default();
    let own = Certificate::from_der(own).map_err(unreadable)?;
    let snapshot = key.target().snapshot();
    let known = snapshot.key();
    let of = |number: u32| -> Result<bool> {
        let version = known.version(VersionNumber(number))?;
        Ok(version.public_spki.as_deref() == Some(own.public_key().der))
    };
    let mut found = None;
    for version in &known.versions {
        if of(version.number.0)? {
            found = Some(version.number.0);
        }
    }
    let version =
        found.ok_or_else(|| Error::Invalid("the certificate is not one of the key".into()))?;
    let algorithm = known.algorithm_of(VersionNumber(version));
    let scheme = match scheme {
        None => SigningScheme::for_key(algorithm),
        Some(name) => SigningScheme::by_name(algorithm, name),
    };
    let scheme =
        scheme.ok_or_else(|| Error::Invalid("keys of this algorithm do not sign so".into()))?;
    Ok(SigningKeyRecord {
        keyring: snapshot.at().keyring.to_owned(),
        key: snapshot.at().name.to_owned(),
        id: known.id.to_string(),
        version,
        algorithm: algorithm.name().to_owned(),
        signature: scheme.name(),
    })
}

fn policies(all: &[String]) -> Result<Vec<String>> {
    if !(1..=POLICIES_MAX).contains(&all.len()) {
        return Err(Error::Invalid("name 1 to 16 policies".into()));
    }
    let one = |text: &String| {
        let read: OidBuf = text.parse().map_err(|_| {
            Error::Invalid("a policy is an object identifier, such as 1.2.3".into())
        })?;
        Ok(read.to_string())
    };
    all.iter().map(one).collect()
}

fn accuracy(seconds: Option<u32>) -> Result<Option<u32>> {
    match seconds {
        Some(seconds) if !(1..=ACCURACY_MAX).contains(&seconds) => Err(Error::Invalid(
            "the accuracy is from 1 to 60 seconds".into(),
        )),
        other => Ok(other),
    }
}

fn per_second(stamps: u32) -> Result<u32> {
    match (1..=PER_SECOND_MAX).contains(&stamps) {
        true => Ok(stamps),
        false => Err(Error::Invalid(
            "there are from 1 to 1000 stamps a second".into(),
        )),
    }
}
