//! Reads and lists SSH authorities and their certificates, and hands out what
//! they publish.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_policy::{Action, ResourceRef};
use skms_store::{Kind, RecordId};

use super::{CertificateView, List, ListCertificates, Read, ReadCertificate, View};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::page::Page;
use crate::records;
use crate::records::ssh::{SshCertificateRecord, certificate_name};
use crate::sessions::hex;
use crate::target::Target;

/// A key revocation list as it stands.
#[derive(Clone, Debug)]
pub struct KeyList {
    /// Its version.
    pub version: u64,
    /// Its SHA-256: after a restore two lists may be of one version.
    pub digest: [u8; 32],
    /// Its encoding (PROTOCOL.krl).
    pub bytes: Arc<[u8]>,
}

impl Engine {
    /// One SSH authority.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_ssh_authority(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(entry.ssh_target(namespace, name))
            .await?;
        let found = entry.ssh_authority(namespace, name);
        let found = entry.failed(&allowed, found).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(View::from(found.as_ref()))
    }

    /// The SSH authorities of a namespace that the caller may read, by name.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace and one not visible.
    pub async fn list_ssh_authorities(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
    ) -> Result<Vec<View>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        if entry.rooms.places.namespace(namespace).is_none() {
            let absent = Err(Error::NotFound { what: "namespace" });
            return entry.failed(&allowed, absent).await;
        }
        let all = entry.rooms.ssh.of(namespace);
        let views = all.iter().filter(|one| {
            let resource = ResourceRef::ssh_authority(namespace, &one.record.name)
                .stored(one.id.0, one.revision);
            entry.may_see(Action::SshAuthorityRead, &resource)
        });
        let views = views.map(|one| View::from(one.as_ref())).collect();
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(views)
    }

    /// One certificate of an SSH authority, by its serial number in decimal.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text that is no serial number;
    /// [`Error::NotFound`] for a serial number that it did not give.
    pub async fn read_ssh_certificate(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
        serial: &str,
    ) -> Result<CertificateView> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<ReadCertificate>(entry.ssh_target(namespace, name))
            .await?;
        let found = async {
            let authority = entry.ssh_authority(namespace, name)?;
            let serial = super::serial(serial)?;
            let place = certificate_name(&authority.id_text(), serial);
            let stored = entry
                .rooms
                .store
                .find(authority.namespace.0, Kind::SshCertificate, &place)
                .await?
                .ok_or(Error::NotFound {
                    what: "SSH certificate",
                })?;
            let record: SshCertificateRecord = records::decode(stored.plaintext.expose())?;
            CertificateView::of(&authority, &record)
        };
        let found = found.await;
        let view = entry.failed(&allowed, found).await?;
        let number = view.certificate.grant.serial;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
            .detail(DetailKey::Serial, hex(&number.to_be_bytes()));
        entry.record(event).await?;
        Ok(view)
    }

    /// The certificates of an SSH authority, in the order in which they were
    /// issued.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent authority and one not visible.
    pub async fn list_ssh_certificates(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
        page: &Page,
    ) -> Result<(Vec<CertificateView>, Option<RecordId>)> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<ListCertificates>(entry.ssh_target(namespace, name))
            .await?;
        let found = entry.ssh_authority(namespace, name);
        let authority = entry.failed(&allowed, found).await?;
        let id = authority.id_text();
        let (store, scope) = (&entry.rooms.store, authority.namespace.0);
        let pick = |stored: skms_store::sealed::Record| {
            let record: SshCertificateRecord = records::decode(stored.plaintext.expose())?;
            (record.authority == id)
                .then(|| CertificateView::of(&authority, &record))
                .transpose()
        };
        let listed = page
            .collect(store, scope, Kind::SshCertificate, pick)
            .await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(listed)
    }

    /// The revocation list of an SSH authority.
    ///
    /// # Errors
    /// As [`Engine::read_ssh_authority`].
    pub async fn read_ssh_list(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<KeyList> {
        self.read_ssh_authority(caller, namespace, name).await?;
        self.published_ssh_list(namespace, name)
    }

    /// The revocation list of an SSH authority, for anyone: servers fetch it.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Sealed`].
    pub fn published_ssh_list(&self, namespace: &str, name: &str) -> Result<KeyList> {
        let rooms = self.rooms()?;
        let authority = rooms.ssh.find(namespace, name).ok_or(Error::NotFound {
            what: "SSH authority",
        })?;
        Ok(authority.revoked.list(&authority))
    }

    /// The public key of an SSH authority, for anyone, as `.pub` files have it.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Sealed`].
    pub fn published_ssh_key(&self, namespace: &str, name: &str) -> Result<String> {
        let rooms = self.rooms()?;
        let authority = rooms.ssh.find(namespace, name).ok_or(Error::NotFound {
            what: "SSH authority",
        })?;
        Ok(authority.public.line(name))
    }
}
