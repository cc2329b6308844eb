//! The SSH certificates of a namespace that have not ended, for whoever follows
//! what depends on a key.

use std::collections::HashMap;
use std::sync::Arc;

use skms_keys::UnixSeconds;
use skms_pki::ssh::{Certificate, PublicKey};
use skms_store::Kind;

use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::records;
use crate::records::ssh::SshCertificateRecord;
use crate::ssh::SshAuthority;

/// Records that one step reads.
const STEP: usize = 256;

/// A certificate.
pub(crate) struct Issued {
    pub(crate) authority: Arc<SshAuthority>,
    pub(crate) serial: u64,
    pub(crate) key_id: String,
    pub(crate) subject: PublicKey,
    pub(crate) role: String,
    pub(crate) issued_to: String,
}

impl Issued {
    /// What it is called among all certificates of the namespace.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.authority.id_text(), self.serial)
    }

    /// And by people.
    pub(crate) fn name(&self) -> String {
        let by = &self.authority.record.name;
        format!("{by}: {} ({})", self.key_id, self.serial)
    }
}

/// Those of a namespace that are good at `now`, and whether that is all: no more
/// than `most` records are looked at.
pub(crate) async fn issued(
    rooms: &Rooms,
    namespace: &str,
    now: UnixSeconds,
    most: usize,
) -> Result<(Vec<Issued>, bool)> {
    let by: HashMap<String, Arc<SshAuthority>> = (rooms.ssh.of(namespace).into_iter())
        .map(|authority| (authority.id_text(), authority))
        .collect();
    let Some(scope) = by.values().next().map(|one| one.namespace.0) else {
        return Ok((Vec::new(), true));
    };
    let now = u64::try_from(now.0).unwrap_or_default();
    let (mut found, mut after, mut looked) = (Vec::new(), None, 0);
    loop {
        let page = rooms
            .store
            .scan(scope, Kind::SshCertificate, after, STEP)
            .await?;
        let last = page.len() < STEP;
        looked += page.len();
        after = page.last().map(|record| record.id);
        for stored in page {
            let record: SshCertificateRecord = records::decode(stored.plaintext.expose())?;
            // One that is deleted has no list either.
            let Some(authority) = by.get(&record.authority) else {
                continue;
            };
            let damaged = |_| Error::Record {
                kind: "SSH certificate",
                reason: "certificate".to_owned(),
            };
            let read = Certificate::from_blob(&record.certificate.0).map_err(damaged)?;
            if read.grant.valid_before <= now {
                continue;
            }
            found.push(Issued {
                authority: Arc::clone(authority),
                serial: read.grant.serial,
                key_id: read.grant.key_id,
                subject: read.key,
                role: record.role,
                issued_to: record.issued_to,
            });
        }
        if last || looked >= most {
            return Ok((found, last));
        }
    }
}
