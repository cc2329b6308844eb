//! The directory of sealing keys (docs/sealing.md): a principal publishes the
//! statement of its own, and others look it up, with how it stands.
//!
//! The messages are the exchange room's. Here are their surroundings: who may,
//! what is kept, and what is known of certificates and principals the moment
//! somebody asks.

mod lookup;
mod publish;
mod standing;

use std::sync::Arc;

use skms_exchange::sealing::{Described, principal_name};
use skms_keys::UnixSeconds;
use skms_policy::{Principal, PrincipalKind};
use skms_store::Kind;

use crate::act::act;
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::places::Namespace;
use crate::records;
use crate::records::directory::{DirectoryRecord, EarlierRecord};
use crate::sessions::hex;
use crate::target::Target;

pub use lookup::Found;
pub use skms_exchange::sealing::Status;

act!(
    Publish,
    DirectoryPublish,
    "Publishes or withdraws one's own sealing key."
);
act!(
    Read,
    DirectoryRead,
    "Looks up a principal's sealing key, or what is known of revocations."
);

/// A principal's own statement.
pub struct View {
    /// What it is known by.
    pub hash: [u8; 64],
    /// The statement itself; of earlier ones there is the hash alone.
    pub statement: Option<Vec<u8>>,
    /// The algorithm of its key.
    pub algorithm: Option<&'static str>,
    /// How it stands.
    pub status: Status,
    /// When it was published.
    pub published_at: UnixSeconds,
    /// The last moment at which it counts.
    pub not_after: UnixSeconds,
    /// When it was taken back.
    pub withdrawn_at: Option<UnixSeconds>,
}

impl View {
    fn present(record: &DirectoryRecord, status: Status) -> Result<Self> {
        let read = described(record)?;
        Ok(Self {
            hash: read.hash,
            algorithm: read.suite.map(|suite| suite.kem.algorithm().name()),
            status,
            statement: Some(record.statement.0.clone()),
            published_at: UnixSeconds(record.published_at),
            not_after: UnixSeconds(read.not_after.0),
            withdrawn_at: record.withdrawn_at.map(UnixSeconds),
        })
    }

    fn earlier(record: &EarlierRecord) -> Result<Self> {
        let hash = records::unhex(&record.hash).and_then(|bytes| bytes.try_into().ok());
        Ok(Self {
            hash: hash.ok_or(Error::Internal("a hash of another length in a record"))?,
            statement: None,
            algorithm: None,
            status: match record.withdrawn_at {
                Some(_) => Status::Withdrawn,
                None => Status::Superseded,
            },
            published_at: UnixSeconds(record.published_at),
            not_after: UnixSeconds(record.not_after),
            withdrawn_at: record.withdrawn_at.map(UnixSeconds),
        })
    }
}

/// What a stored statement says; it was checked when it was stored.
fn described(record: &DirectoryRecord) -> Result<Described> {
    Described::read(&record.statement.0)
        .map_err(|_| Error::Internal("a stored statement that does not read"))
}

/// The record of a principal, with its identifier and revision.
type Stored = (skms_store::RecordId, u64, DirectoryRecord);

async fn find(rooms: &Rooms, namespace: &Namespace, principal: &str) -> Result<Option<Stored>> {
    let scope = namespace.id.0;
    let found = rooms.store.find(scope, Kind::Directory, principal).await?;
    let Some(stored) = found else {
        return Ok(None);
    };
    let record = records::decode(stored.plaintext.expose())?;
    Ok(Some((stored.id, stored.revision, record)))
}

/// The principal that asks, as what it may publish about.
fn own_target(entry: &Entry) -> Target {
    let principal = &entry.caller.session.principal;
    let groups = principal.groups().clone();
    Target::principal(principal.namespace(), principal.id(), groups)
}

/// The name in the certificates of a principal that has one there, and its
/// namespace.
fn named(rooms: &Rooms, principal: &Principal) -> Result<(String, Arc<Namespace>)> {
    let by_certificate = principal.kind() == PrincipalKind::Certificate;
    let name = by_certificate.then(|| principal_name(principal.namespace(), principal.id()));
    let name = name.flatten().ok_or_else(|| {
        Error::Invalid(
            "a sealing key is published by a principal that shows a certificate, \
             which an authority of this server issued to it"
                .into(),
        )
    })?;
    let namespace = rooms.places.namespace(principal.namespace());
    let namespace = namespace.ok_or(Error::NotFound { what: "namespace" })?;
    Ok((name, namespace))
}

fn text(hash: &[u8; 64]) -> String {
    hex(hash)
}
