//! Time-stamping authorities (RFC 3161): make, read, delete them, and answer
//! whoever asks them for a stamp.
//!
//! An authority is a key kept here with its certificate. Somebody who may
//! (`tsa.manage`) makes it, and that is what permits its stamps: they are
//! publications, made by the server itself, one event each.

mod answer;
mod create;
mod read;

use std::sync::Arc;

use skms_keys::UnixSeconds;
use skms_store::RecordId;

use crate::act::act;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::target::Target;
use crate::tsa::Tsa;

pub use create::{NewTsa, PER_SECOND_MAX};

act!(List, TsaList, "Lists the time-stamping authorities.");
act!(Read, TsaRead, "Reads a time-stamping authority.");
act!(Manage, TsaManage, "Makes or deletes one.");
act!(Stamp, TsaStamp, "Stamps a digest for whoever asks.");

/// What is told about an authority.
#[derive(Clone, Debug)]
pub struct View {
    /// Its identifier.
    pub id: RecordId,
    /// Its name.
    pub name: String,
    /// The keyring of its key.
    pub keyring: String,
    /// Its key.
    pub key: String,
    /// The key's version.
    pub version: u32,
    /// How it signs, by the scheme's name.
    pub scheme: String,
    /// Its certificate and those above it (DER), nearest first.
    pub chain: Vec<Vec<u8>>,
    /// The policies that it stamps under, dotted, the usual one first.
    pub policies: Vec<String>,
    /// How far its time may be off.
    pub accuracy_seconds: Option<u32>,
    /// Whether its stamps can be put in order by their times alone.
    pub ordering: bool,
    /// How many stamps it gives in a second, in the long run.
    pub per_second: u32,
    /// Until when its certificates are good.
    pub not_after: UnixSeconds,
    /// When it was made.
    pub created_at: UnixSeconds,
}

impl From<&Tsa> for View {
    fn from(tsa: &Tsa) -> Self {
        let record = &tsa.record;
        Self {
            id: tsa.id,
            name: record.name.clone(),
            keyring: record.key.keyring.clone(),
            key: record.key.key.clone(),
            version: record.key.version,
            scheme: record.key.signature.clone(),
            chain: tsa.signer.chain().to_vec(),
            policies: record.policies.clone(),
            accuracy_seconds: record.accuracy_seconds,
            ordering: record.ordering,
            per_second: record.per_second,
            not_after: tsa.span.1,
            created_at: UnixSeconds(record.created_at),
        }
    }
}

impl Entry {
    /// The authority as a target.
    fn tsa_target(&self, namespace: &str, name: &str) -> Target {
        let target = Target::tsa(namespace, name);
        match self.rooms.tsas.find(namespace, name) {
            Some(found) => target.stored(found.id.0, found.revision),
            None => target,
        }
    }

    /// The authority of that name.
    fn tsa(&self, namespace: &str, name: &str) -> Result<Arc<Tsa>> {
        self.rooms
            .tsas
            .find(namespace, name)
            .ok_or(Error::NotFound {
                what: "time-stamping authority",
            })
    }
}
