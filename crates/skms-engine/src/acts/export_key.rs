//! Exports a version's material, if the key was created to allow it: plain,
//! under a password, or wrapped by another key.

use std::sync::Arc;

use skms_crypto::{Algorithm, Format, SecretBytes};
use skms_evidence::{DetailKey, Outcome};
use skms_keys::{Operation, VersionNumber, VersionRef, counted_bytes};

use super::import_key::WrappedWith;
use super::wrap::Wrap;
use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::Result;
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::keychange::With;
use crate::lineage::descent::How;
use crate::lineage::handed::Way;
use crate::opened::{InUse, Spend, read_material, take_for};

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
        // First the key that wraps it: whoever approves of the export approves
        // of just that key.
        let wrapping = match &request.wrapped_with {
            Some(with) => Some(entry.authorize_key::<Wrap>(with.at(at.namespace)).await?),
            None => None,
        };
        let allowed = entry.authorize_key::<Export>(at).await?;
        let (version, spends) = (request.version, Spend::ONE_USE);
        let taken = take_for(&entry, &allowed, Operation::Export, version, spends).await;
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
        let version = in_use.version();
        let (key, scope) = (snapshot.key().id, snapshot.key().namespace.0);
        let event = EventDraft::of_key(&entry, &allowed, Outcome::Success)?.versions([version]);
        let bytes = match request.wrapped_with.as_ref().zip(wrapping) {
            None => {
                if !in_use.still_live() {
                    return Err(in_use.refusal(Operation::Export));
                }
                let of = (VersionRef { key, version }, Way::Material);
                entry.rooms.handed.note(&entry, scope, of, 1).await?;
                // Compromised while that was written: it is not handed out.
                if !in_use.still_live() {
                    return Err(in_use.refusal(Operation::Export));
                }
                entry.record(event).await?;
                plain
            }
            Some(with) => {
                let (bytes, wrapping) = wrap(&entry, with, plain).await?;
                if !in_use.still_live() {
                    return Err(in_use.refusal(Operation::Export));
                }
                let event = event.detail(DetailKey::WrappedWith, wrapping.to_string());
                leaves_under(&entry, &allowed, (version, &wrapping), event).await?;
                // Compromised meanwhile: nothing that it wrapped goes out.
                if !in_use.still_live() {
                    return Err(in_use.refusal(Operation::Export));
                }
                wrapping.check()?;
                bytes
            }
        };
        Ok(Exported {
            bytes,
            algorithm,
            version,
        })
    }
}

/// The version that wraps a key on its way out, in use until the key's record
/// says so.
struct Wrapping {
    of: VersionRef,
    in_use: InUse,
}

impl std::fmt::Display for Wrapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.of.fmt(f)
    }
}

impl Wrapping {
    fn check(&self) -> Result<()> {
        match self.in_use.still_live() {
            true => Ok(()),
            false => Err(self.in_use.refusal(Operation::Wrap)),
        }
    }
}

/// Records that a version leaves wrapped by another, with the event: from then
/// on it stands and falls with that.
async fn leaves_under(
    entry: &Entry,
    allowed: &Authorized<Export, KeyTarget>,
    (version, wrapping): (VersionNumber, &Wrapping),
    event: EventDraft,
) -> Result<()> {
    let snapshot = allowed.target().snapshot();
    let known = snapshot.key().version(version)?;
    if known.wrapped_by.contains(&wrapping.of) {
        return entry.record(event).await;
    }
    let (rooms, namespace) = (&entry.rooms, snapshot.key().namespace.0);
    let child = VersionRef {
        key: snapshot.key().id,
        version,
    };
    let descent = (wrapping.of, child, How::Wrapped);
    let with = With {
        tie: Some(rooms.lineage.tie(rooms, namespace, descent).await?),
        event: Some(event),
        // This use itself is in flight.
        takes_nothing: true,
        ..With::default()
    };
    let noted = entry.change_key(allowed, with, |key, now| {
        Ok(key.note_wrapping(version, wrapping.of, now)?)
    });
    noted.await.map(drop)
}

async fn wrap(
    entry: &Entry,
    (with, wrapping): (&WrappedWith, Authorized<Wrap, KeyTarget>),
    plain: SecretBytes,
) -> Result<(SecretBytes, Wrapping)> {
    let spends = Spend {
        uses: 1,
        bytes: counted_bytes(plain.expose().len()),
    };
    let in_use = wrapping.take(entry, with.version, spends).await?;
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
    entry.record(event.beside()).await?;
    let of = VersionRef {
        key: wrapping.target().snapshot().key().id,
        version: in_use.version(),
    };
    Ok((SecretBytes::new(wrapped), Wrapping { of, in_use }))
}
