//! What depends on a key beside keys and certificates of X.509: SSH
//! certificates, secrets that it gave, exchanges that wait.

use std::sync::Arc;

use skms_crypto::hash::sha256;
use skms_keys::Key;
use skms_pki::Certificate;
use skms_pki::issue::Serial;
use skms_store::Kind;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Drawing;
use crate::acts::authorities::unreadable;
use crate::acts::ssh::issued;
use crate::error::Result;
use crate::lineage::handed;
use crate::places::{self, SYSTEM_SCOPE};
use crate::records;
use crate::records::certificate::{CertificateRecord, serial_name};
use crate::records::exchange::ExchangeRecord;
use crate::sessions::hex;

/// The most SSH certificates that are looked through.
const SSH_MAX: usize = 10_000;

impl Drawing<'_> {
    async fn read_ssh(&mut self) -> Result<()> {
        if self.ssh.is_none() {
            let (rooms, now) = (&self.entry.rooms, self.entry.now());
            let (found, all) = issued(rooms, self.namespace, now, SSH_MAX).await?;
            self.graph.truncated |= !all;
            self.ssh = Some(found);
        }
        Ok(())
    }

    /// SSH certificates of a public half.
    pub(super) async fn ssh_certificates(&mut self, spki: &[u8], under: &str) -> Result<()> {
        self.read_ssh().await?;
        let all = self.ssh.take().unwrap_or_default();
        for one in all.iter().filter(|one| one.subject.spki() == spki) {
            self.thing("ssh-certificate", &one.id(), one.name(), under, "certifies");
        }
        self.ssh = Some(all);
        Ok(())
    }

    /// SSH certificates that an authority issued.
    pub(super) async fn issued_by(&mut self, authority: &str) -> Result<()> {
        self.read_ssh().await?;
        let under = format!("ssh-authority/{authority}");
        let all = self.ssh.take().unwrap_or_default();
        for one in all
            .iter()
            .filter(|one| one.authority.id_text() == authority)
        {
            self.thing("ssh-certificate", &one.id(), one.name(), &under, "issued");
        }
        self.ssh = Some(all);
        Ok(())
    }

    /// Who was handed secrets by the versions of a key.
    pub(super) async fn handed(&mut self, key: &Key) -> Result<()> {
        let rooms = Arc::clone(&self.entry.rooms);
        let now = self.entry.now().0;
        rooms.handed.flush(&rooms, self.scope, now).await?;
        for (id, _, record) in handed::of_key(&rooms, self.scope, key.id).await? {
            let under = format!("{}/{}", record.key, record.version);
            if !self.known.contains(&under) {
                continue;
            }
            let last = OffsetDateTime::from_unix_timestamp(record.last_at).ok();
            let last = last.and_then(|at| at.format(&Rfc3339).ok());
            let name = format!(
                "{}/{}: {}, last {}",
                record.namespace,
                record.name,
                record.count,
                last.unwrap_or_default()
            );
            self.thing(
                "recipient",
                &id.to_string(),
                name,
                &under,
                record.way.word(),
            );
        }
        Ok(())
    }

    /// The authority in the graph that issued a certificate (DER), if one did.
    async fn issuer_of(&self, der: &[u8]) -> Result<Option<String>> {
        let rooms = &self.entry.rooms;
        let read = Certificate::from_der(der).map_err(unreadable)?;
        let serial = hex(Serial::from_contents(read.serial())?.as_bytes());
        for authority in rooms.authorities.of(self.namespace) {
            let id = authority.id_text();
            let node = format!("authority/{id}");
            if !self.known.contains(&node) {
                continue;
            }
            for issuer in &authority.issuers {
                if issuer.pki.name.as_der() != read.issuer().as_der() {
                    continue;
                }
                let name = serial_name(&id, issuer.number, &serial);
                let found = rooms.store.find(self.scope, Kind::Certificate, &name);
                let Some(stored) = found.await? else {
                    continue;
                };
                let record: CertificateRecord = records::decode(stored.plaintext.expose())?;
                if record.certificate.0 == der {
                    return Ok(Some(node));
                }
            }
        }
        Ok(None)
    }

    /// Exchanges that wait for their confirmation: of these keys, and by their
    /// certificates.
    pub(super) async fn exchanges(&mut self, keys: &[Key]) -> Result<()> {
        let rooms = Arc::clone(&self.entry.rooms);
        let waiting = places::all::<ExchangeRecord>(&rooms.store, SYSTEM_SCOPE).await?;
        let certified = std::mem::take(&mut self.certified);
        for (id, _, record) in waiting {
            if record.namespace != self.namespace {
                continue;
            }
            let name = format!("{}/{}", record.keyring, record.key);
            let mut by = None;
            for der in record.stands_on() {
                let known = certified.get(&hex(&sha256(&[der]))).cloned();
                by = match by.or(known) {
                    None => self.issuer_of(der).await?,
                    known => known,
                };
            }
            let of = keys.iter().find(|key| key.id.to_string() == record.id);
            let of = of.map(|key| crate::lineage::descent::first(key).to_string());
            let of = of.filter(|of| self.known.contains(of));
            for under in by.into_iter().chain(of) {
                let id = id.to_string();
                self.thing("exchange", &id, name.clone(), &under, "waits");
            }
        }
        Ok(())
    }
}
