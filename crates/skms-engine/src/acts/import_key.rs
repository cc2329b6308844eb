//! Imports a key: plain, or wrapped by a key that is here (BYOK).

use std::sync::Arc;

use skms_crypto::{Algorithm, EncryptOptions, Error as Crypto, Format, KeyMaterial, SecretBytes};
use skms_keys::{Operation, Origin, VersionNumber, VersionRef};

use super::create_key::{
    NewKeySpec, again, check_leader, describe, keyring, led_from, same_ring, store, target,
};
use super::unwrap::Unwrap;
use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyRef};
use crate::idempotency::Once;
use crate::opened::{InUse, KeySnapshot, Spend};
use crate::weak::Lenience;

act!(ImportKey, KeyImport, "Imports a key.");

/// The key that comes in.
pub struct Incoming {
    /// Its bytes, or the wrapped bytes.
    pub bytes: SecretBytes,
    /// The format of the (unwrapped) bytes.
    pub format: Format,
    /// The password of an encrypted PKCS#8.
    pub passphrase: Option<SecretBytes>,
    /// The key here that wraps it.
    pub wrapped_with: Option<WrappedWith>,
}

/// The key that an incoming key is wrapped with, or that an outgoing one is
/// to be wrapped with.
#[derive(Clone, Debug)]
pub struct WrappedWith {
    /// Its keyring, in the same namespace.
    pub keyring: String,
    /// Its name.
    pub name: String,
    /// Its version; the newest that may by default.
    pub version: Option<VersionNumber>,
    /// How: plain OAEP, or OAEP around an AES key that wraps by KWP.
    pub options: EncryptOptions,
}

impl WrappedWith {
    pub(crate) fn at<'a>(&'a self, namespace: &'a str) -> KeyRef<'a> {
        KeyRef {
            namespace,
            keyring: &self.keyring,
            name: &self.name,
        }
    }
}

impl Engine {
    /// Imports a key with one version. Both the key that is made and the key
    /// that unwraps it are authorised.
    ///
    /// # Errors
    /// [`Error::Crypto`] for what the import checks refuse;
    /// [`Error::Integrity`] for a wrapped key that does not open; the rest as
    /// for creating.
    pub async fn import_key(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        spec: NewKeySpec,
        incoming: Incoming,
    ) -> Result<Arc<KeySnapshot>> {
        let entry = self.enter(caller)?;
        let found = entry.rooms.places.ring(at.namespace, at.keyring);
        let defaults = found
            .as_ref()
            .map(|(_, ring)| ring.ring.defaults)
            .unwrap_or_default();
        let named = spec.algorithm.unwrap_or(defaults.algorithm);
        let exportable = defaults.exportable;
        let allowed = entry
            .authorize::<ImportKey>(target(&entry, at, &spec, named, exportable))
            .await?;
        let claim = match &found {
            Some((namespace, _)) => entry.once(namespace.0).await.map(|once| (*namespace, once)),
            None => Err(Error::NotFound { what: "keyring" }),
        };
        let claim = match entry.failed(&allowed, claim).await? {
            (_, Once::First(claim)) => claim,
            (namespace, Once::Again(id, record)) => {
                let made = again(&entry, &allowed, at, namespace, id, record).await;
                return entry.failed(&allowed, made).await;
            }
        };
        let lenience = Lenience::of(&spec, &defaults);
        let taken = self.take_in(&entry, at, spec.algorithm, incoming).await;
        let (material, unwrapping) = entry.failed(&allowed, taken).await?;
        let findings = entry.admit_material(&material, lenience).await;
        let findings = entry.failed(&allowed, findings).await?;
        let algorithm = material.algorithm();
        // Only now, since whoever changes a policy or suspends a principal waits
        // for it: all of this may have taken long. What was found before may not
        // hold any more.
        let shared = entry.rooms.share_changes().await;
        entry
            .failed(&allowed, same_ring(&entry, at, found.as_ref()))
            .await?;
        // The bytes may have said another algorithm than was expected: policy
        // decides on the key that is made.
        let allowed = entry
            .authorize::<ImportKey>(target(&entry, at, &spec, algorithm, exportable))
            .await?;
        let made = async {
            let ring = keyring(&entry, at)?;
            let led = check_leader(&entry, &ring, &spec).await?;
            let described = describe(
                &entry,
                &ring,
                at.name,
                spec,
                algorithm,
                (unwrapping.as_ref()).map_or(Origin::Imported, |(by, _)| Origin::Unwrapped(*by)),
                &material,
            )?;
            let described = led_from(&entry, described, led)?;
            // Whoever revokes the key that unwrapped it waits until it is kept.
            let batch = ((shared, unwrapping), claim, Vec::new());
            let stored = store(&entry, &allowed, at, described, material, batch).await?;
            entry.rooms.weak.found_in(&stored, findings);
            Ok(stored)
        };
        let made = made.await;
        entry.failed(&allowed, made).await
    }

    async fn take_in(
        &self,
        entry: &Entry,
        at: KeyRef<'_>,
        expected: Option<Algorithm>,
        incoming: Incoming,
    ) -> Result<(KeyMaterial, Option<Unwrapping>)> {
        let (bytes, unwrapping) = match &incoming.wrapped_with {
            None => (incoming.bytes, None),
            Some(with) => {
                let unwrapped = unwrap(entry, at.namespace, with, incoming.bytes).await?;
                (unwrapped.0, Some(unwrapped.1))
            }
        };
        if incoming.format == Format::Raw && expected.is_none() {
            return Err(Error::Invalid(
                "raw bytes do not say what they are for: name the algorithm".into(),
            ));
        }
        let (format, passphrase) = (incoming.format, incoming.passphrase);
        // Prime tests and password stretching take their time.
        let imported = self.slow().run(move || {
            let passphrase = passphrase.as_ref().map(SecretBytes::expose);
            let read = KeyMaterial::import(bytes.expose(), format, expected, passphrase);
            read.map_err(|error| {
                let public = match error {
                    Crypto::WeakKey(_) | Crypto::InvalidKey(_) => {
                        KeyMaterial::rsa_public_of_refused(bytes.expose(), passphrase)
                    }
                    _ => None,
                };
                (error, public)
            })
        });
        match imported.await? {
            Ok(material) => Ok((material, unwrapping)),
            Err((error, public)) => Err(entry.said_of_refused(error, public).await),
        }
    }
}

/// The version that unwrapped a key, in use until that is kept.
type Unwrapping = (VersionRef, InUse);

async fn unwrap(
    entry: &Entry,
    namespace: &str,
    with: &WrappedWith,
    wrapped: SecretBytes,
) -> Result<(SecretBytes, Unwrapping)> {
    let wrapping = entry.authorize_key::<Unwrap>(with.at(namespace)).await?;
    let unwrapped = async {
        let in_use = wrapping.take(entry, with.version, Spend::ONE_USE).await?;
        let (key, options) = (Arc::clone(in_use.key()), with.options.clone());
        let bytes = entry
            .rooms
            .slow
            .run(move || key.unwrap(wrapped.expose(), &options))
            .await??;
        if !in_use.still_live() {
            return Err(in_use.refusal(Operation::Unwrap));
        }
        Ok((bytes, in_use))
    };
    let unwrapped = unwrapped.await;
    let (bytes, in_use) = entry.failed_key(&wrapping, unwrapped).await?;
    let event = EventDraft::of_key(entry, &wrapping, skms_evidence::Outcome::Success)?
        .versions([in_use.version()]);
    entry.record(event).await?;
    let by = VersionRef {
        key: wrapping.target().snapshot().key().id,
        version: in_use.version(),
    };
    Ok((bytes, (by, in_use)))
}
