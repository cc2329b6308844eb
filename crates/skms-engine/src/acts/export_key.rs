//! Exports a version's material, if the key was created to allow it: plain,
//! under a password, or wrapped by another key.

use std::sync::Arc;

use skms_crypto::{Algorithm, Format, SecretBytes};
use skms_evidence::Outcome;
use skms_keys::{Operation, VersionNumber};

use super::import_key::WrappedWith;
use super::wrap::Wrap;
use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::Result;
use crate::gate::{Entry, KeyRef};
use crate::opened::{read_material, take_for};

act!(
    Export,
    KeyExport,
    "Takes secret key material out of the server."
);

/// How the key is to leave.
pub struct Request {
    /// The version; the newest that may by default.
    pub version: Option<VersionNumber>,
    /// The format of the material.
    pub format: Format,
    /// The password for an encrypted PKCS#8.
    pub passphrase: Option<SecretBytes>,
    /// The key to wrap it with.
    pub wrapped_with: Option<WrappedWith>,
}

/// A key on its way out.
pub struct Exported {
    /// Its bytes, in the format asked for, or those wrapped.
    pub bytes: SecretBytes,
    /// The key's algorithm.
    pub algorithm: Algorithm,
    /// The version.
    pub version: VersionNumber,
}

impl Engine {
    /// Hands out a version's material.
    ///
    /// # Errors
    /// [`crate::Error::Key`] unless the key is exportable;
    /// [`crate::Error::StateForbids`] for a version that may not process.
    pub async fn export_key(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        request: Request,
    ) -> Result<Exported> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<Export>(at).await?;
        let taken = take_for(&entry, &allowed, Operation::Export, request.version, 1).await;
        let in_use = match taken {
            Ok(in_use) => in_use,
            Err(refused) => {
                let event = EventDraft::of_key(&entry, &allowed, Outcome::failed(&refused))?;
                entry.record(event).await?;
                return Err(refused);
            }
        };
        let snapshot = allowed.target().snapshot();
        let material = read_material(&entry.rooms, snapshot.key(), in_use.version()).await?;
        let algorithm = material.algorithm();
        let (format, passphrase) = (request.format, request.passphrase);
        let plain = self
            .slow()
            .run(move || material.export(format, passphrase.as_ref().map(SecretBytes::expose)))
            .await??;
        let bytes = match &request.wrapped_with {
            None => plain,
            Some(with) => wrap(&entry, at.namespace, with, plain).await?,
        };
        if !in_use.still_live() {
            return Err(in_use.refusal(Operation::Export));
        }
        let event =
            EventDraft::of_key(&entry, &allowed, Outcome::Success)?.versions([in_use.version()]);
        entry.record(event).await?;
        Ok(Exported {
            bytes,
            algorithm,
            version: in_use.version(),
        })
    }
}

async fn wrap(
    entry: &Entry,
    namespace: &str,
    with: &WrappedWith,
    plain: SecretBytes,
) -> Result<SecretBytes> {
    let wrapping = entry.authorize_key::<Wrap>(with.at(namespace)).await?;
    let in_use = wrapping.take(entry, with.version, 1).await?;
    let (key, options) = (Arc::clone(in_use.key()), with.options.clone());
    let wrapped = entry
        .rooms
        .slow
        .run(move || key.wrap(plain.expose(), &options))
        .await??;
    if !in_use.still_live() {
        return Err(in_use.refusal(Operation::Wrap));
    }
    let event =
        EventDraft::of_key(entry, &wrapping, Outcome::Success)?.versions([in_use.version()]);
    entry.record(event).await?;
    Ok(SecretBytes::new(wrapped))
}
