//! Derives a key from another one, with HKDF (RFC 5869). The new key stays here
//! under a name, bound to its place and identifier as docs/compromise.md says.

use std::sync::Arc;

use skms_crypto::{Algorithm, Format, KeyMaterial};
use skms_evidence::{DetailKey, Outcome};
use skms_keys::{Key, Operation, Origin, VersionNumber, VersionRef};

use super::create_key::{
    CreateKey, NewKeySpec, again, check_leader, describe_as, fresh_id, keyring, led_from,
    new_version, store_as, target,
};
use super::derive::Derive;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::idempotency::Once;
use crate::opened::{InUse, KeySnapshot, Spend};

/// What every derivation of this kind begins with.
const LABEL: &[u8] = b"SKMS derived key v1";
/// The longest context, in bytes.
const CONTEXT_MAX: usize = 1024;

/// A key that is to be derived.
pub struct NewDerivation {
    /// The version to derive from; the newest active one by default.
    pub version: Option<VersionNumber>,
    /// What else is bound into the key; may be empty, at most 1,024 bytes.
    pub context: Vec<u8>,
    /// What the key is to be; of a symmetric algorithm.
    pub spec: NewKeySpec,
}

/// A key that was derived.
pub struct DerivedKey {
    /// The key.
    pub key: Arc<KeySnapshot>,
    /// The version that it was derived from.
    pub version: VersionNumber,
}

impl Engine {
    /// Derives a key from the key `from`, and keeps it as `at`. Both are
    /// authorised: `key.derive` on the one, `key.create` on the other.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an algorithm that is not symmetric; the rest as
    /// for using a key and for creating one.
    pub async fn derive_key(
        &self,
        caller: &Arc<Caller>,
        from: KeyRef<'_>,
        at: KeyRef<'_>,
        wanted: NewDerivation,
    ) -> Result<DerivedKey> {
        let entry = self.enter(caller)?;
        let using = entry.authorize_key::<Derive>(from).await?;
        let shared = entry.rooms.share_changes().await;
        let ring = entry.rooms.places.ring(at.namespace, at.keyring);
        let defaults = ring.map(|(_, ring)| ring.ring.defaults);
        let defaults = defaults.unwrap_or_default();
        let algorithm = wanted.spec.algorithm.unwrap_or(defaults.algorithm);
        let target = target(&entry, at, &wanted.spec, algorithm, defaults.exportable);
        let allowed = entry.authorize::<CreateKey>(target).await?;
        let made = async {
            let ring = keyring(&entry, at)?;
            let claim = match entry.once(ring.namespace.0).await? {
                Once::First(claim) => claim,
                Once::Again(id, record) => {
                    let key = again(&entry, &allowed, at, ring.namespace, id, record).await?;
                    return derived_before(key);
                }
            };
            let id = fresh_id(&entry)?;
            let info = info(at, id.to_string().as_bytes(), algorithm, &wanted.context)?;
            let (material, in_use) = {
                let done = derive(&entry, &using, &wanted, algorithm, &info).await;
                entry.failed_key(&using, done).await?
            };
            let version = in_use.version();
            let by = using.target().snapshot();
            let parent = VersionRef {
                key: by.key().id,
                version,
            };
            let event = EventDraft::of_key(&entry, &using, Outcome::Success)?.versions([version]);
            entry.record(event).await?;
            let first = new_version(&material, Origin::Derived(parent), wanted.spec.activate_at)?;
            let led = check_leader(&entry, &ring, &wanted.spec).await?;
            let described =
                describe_as(&entry, id, (&ring, at.name), wanted.spec, algorithm, first)?;
            let described = led_from(&entry, described, led)?;
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .also_version(&by, version)
                .detail(DetailKey::Origin, "derived");
            // Whoever revokes the key it comes from waits until this one is kept.
            let batch = ((shared, in_use), claim, Vec::new());
            let key = store_as(&entry, event, at, described, material, batch).await?;
            Ok(DerivedKey { key, version })
        };
        let made = made.await;
        entry.failed(&allowed, made).await
    }
}

/// Takes the key that is derived from into use, and derives.
async fn derive(
    entry: &Entry,
    using: &Authorized<Derive, KeyTarget>,
    wanted: &NewDerivation,
    algorithm: Algorithm,
    info: &[u8],
) -> Result<(KeyMaterial, InUse)> {
    let Some(length) = algorithm.row().key_bytes else {
        return Err(Error::Invalid(
            "a key for a symmetric algorithm can be derived, and no other".into(),
        ));
    };
    let in_use = using.take(entry, wanted.version, Spend::ONE_USE).await?;
    let bytes = in_use.key().derive(&[], info, length)?;
    let material = KeyMaterial::import(bytes.expose(), Format::Raw, Some(algorithm), None)?;
    if !in_use.still_live() {
        return Err(in_use.refusal(Operation::Derive));
    }
    Ok((material, in_use))
}

/// HKDF's info: what the key is, each part with its length before it.
fn info(at: KeyRef<'_>, id: &[u8], algorithm: Algorithm, context: &[u8]) -> Result<Vec<u8>> {
    if context.len() > CONTEXT_MAX {
        return Err(Error::TooLarge {
            what: "the context",
            limit: CONTEXT_MAX as u64,
        });
    }
    let parts = [
        LABEL,
        at.namespace.as_bytes(),
        at.keyring.as_bytes(),
        at.name.as_bytes(),
        id,
        algorithm.name().as_bytes(),
        context,
    ];
    let mut info = Vec::new();
    for part in parts {
        let length = u16::try_from(part.len())
            .map_err(|_| Error::Internal("a name is longer than names can be"))?;
        info.extend_from_slice(&length.to_be_bytes());
        info.extend_from_slice(part);
    }
    Ok(info)
}

/// What is answered again under an idempotency key.
fn derived_before(key: Arc<KeySnapshot>) -> Result<DerivedKey> {
    let origin = &key.key().version(VersionNumber::FIRST)?.origin;
    let Origin::Derived(parent) = *origin else {
        return Err(Error::Internal("a derived key of another origin"));
    };
    Ok(DerivedKey {
        version: parent.version,
        key,
    })
}

/// What anybody with the parent's bytes would put in to get a key's, which its
/// first version is.
///
/// # Errors
/// [`Error::TooLarge`] for the context.
pub fn derivation_info(at: KeyRef<'_>, key: &Key, context: &[u8]) -> Result<Vec<u8>> {
    let algorithm = key.algorithm_of(VersionNumber::FIRST);
    info(at, key.id.to_string().as_bytes(), algorithm, context)
}
