//! Reads and lists certificates.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_pki::issue::Serial;
use skms_store::sealed::Record as Stored;
use skms_store::{Kind, RecordId};

use super::{List, Read, View};
use crate::authority::Authority;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::page::Page;
use crate::records;
use crate::records::certificate::{CertificateRecord, serial_name};
use crate::sessions::hex;

impl Engine {
    /// One certificate.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that the authority did not issue.
    pub async fn read_certificate(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        authority: &str,
        serial: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(entry.authority_target(namespace, authority))
            .await?;
        let found = async {
            let authority = entry.authority(namespace, authority)?;
            let serial = super::serial(serial)?;
            let (_, record) = find(&entry.rooms, &authority, &serial).await?;
            View::of(&authority, &record)
        };
        let found = found.await;
        let view = entry.failed(&allowed, found).await?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?.serial(&view.serial);
        entry.record(event).await?;
        Ok(view)
    }

    /// The certificates of an authority, in the order in which they were
    /// issued.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent authority and one not visible.
    pub async fn list_certificates(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        authority: &str,
        page: &Page,
    ) -> Result<(Vec<View>, Option<RecordId>)> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(entry.authority_target(namespace, authority))
            .await?;
        let found = entry.authority(namespace, authority);
        let authority = entry.failed(&allowed, found).await?;
        let id = authority.id_text();
        let listed = page
            .collect(
                &entry.rooms.store,
                authority.namespace.0,
                Kind::Certificate,
                |stored| {
                    let record: CertificateRecord = records::decode(stored.plaintext.expose())?;
                    (record.authority == id)
                        .then(|| View::of(&authority, &record))
                        .transpose()
                },
            )
            .await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(listed)
    }
}

/// The DER of the certificate of that serial number, in hexadecimal, if the
/// authority issued one.
pub(crate) async fn find_certificate(
    rooms: &Rooms,
    authority: &Authority,
    serial: &str,
) -> Result<Option<Vec<u8>>> {
    let Ok(serial) = super::serial(serial) else {
        return Ok(None);
    };
    match find(rooms, authority, &serial).await {
        Ok((_, record)) => Ok(Some(record.certificate.0)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The certificate of that serial number, by whichever of the authority's
/// issuers.
pub(crate) async fn find(
    rooms: &Rooms,
    authority: &Authority,
    serial: &Serial,
) -> Result<(Stored, CertificateRecord)> {
    let (id, serial) = (authority.id_text(), hex(serial.as_bytes()));
    for issuer in authority.issuers.iter().rev() {
        let name = serial_name(&id, issuer.number, &serial);
        let scope = authority.namespace.0;
        if let Some(stored) = rooms.store.find(scope, Kind::Certificate, &name).await? {
            let record = records::decode(stored.plaintext.expose())?;
            return Ok((stored, record));
        }
    }
    Err(Error::NotFound {
        what: "certificate",
    })
}
