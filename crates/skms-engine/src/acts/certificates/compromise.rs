//! How a certificate's revocation ends: with its own batch, and before it, for
//! a compromise, with the key itself where it is kept here.

use std::sync::Arc;

use skms_evidence::DetailKey;
use skms_keys::{KeyState, VersionNumber, Versions};
use skms_pki::Certificate;
use skms_pki::issue::Serial;

use super::View;
use super::read::find;
use super::revoke::{Reached, Verdict, revoke_key_of, revoke_one};
use crate::act::act;
use crate::acts::authorities::unreadable;
use crate::acts::revoke::with_certificates;
use crate::authority::Authority;
use crate::draft::EventDraft;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyRef};
use crate::records::certificate::{CertificateRecord, SubjectKeyRecord};

act!(
    RevokeCertifiedKey,
    KeyRevoke,
    "Revokes a key whose certificate was revoked for a compromise."
);

/// A certificate that is to be revoked.
pub(super) struct Revoking {
    pub(super) entry: Entry,
    /// The server itself, which takes the key away.
    pub(super) system: Entry,
    pub(super) authority: Arc<Authority>,
    pub(super) serial: Serial,
    pub(super) verdict: Verdict,
}

impl Revoking {
    /// Revokes it; `event` tells of it.
    ///
    /// The key goes first, and all of its certificates in the same batch: a
    /// crash in between leaves nothing in use that is known to be compromised.
    pub(super) async fn run(self, event: EventDraft) -> Result<View> {
        let mut guard = self.entry.rooms.lock_revocations().await;
        let (mut reached, record) = self.plan().await?;
        let count = reached.len();
        let mut taken = false;
        if self.verdict.reason.is_compromise() && !reached.kept().is_empty() {
            drop(guard);
            for kept in reached.kept() {
                taken |= self.revoke_kept(kept).await?;
            }
            guard = self.entry.rooms.lock_revocations().await;
            (reached, _) = self.plan().await?;
        }
        if count == 0 && !taken {
            return Err(Error::Invalid("the certificate is revoked already".into()));
        }
        let event = event
            .detail(DetailKey::Count, count.max(reached.len()) as u64)
            .urgent();
        let changes = std::mem::take(&mut reached.changes);
        self.entry
            .change(guard, changes, event, move |rooms, revisions| {
                reached.put_in_force(rooms, revisions);
                Ok(())
            })
            .await?;
        View::of(&self.authority, &record)
    }

    /// What the verdict changes, as things stand.
    async fn plan(&self) -> Result<(Reached, CertificateRecord)> {
        let rooms = &self.entry.rooms;
        let namespace = &*self.authority.namespace_name;
        let (stored, record) = find(rooms, &self.authority, &self.serial).await?;
        let mut reached = Reached::default();
        let certificate = (stored.id, &record);
        revoke_one(rooms, namespace, certificate, self.verdict, &mut reached).await?;
        if self.verdict.reason.is_compromise() {
            let certificate = Certificate::from_der(&record.certificate.0).map_err(unreadable)?;
            let spki = certificate.public_key().der;
            revoke_key_of(rooms, namespace, spki, self.verdict, &mut reached).await?;
        }
        Ok((reached, record))
    }

    /// Revokes the version of a key that a compromised certificate was for, and
    /// all of its certificates. Returns whether there was anything to take away.
    async fn revoke_kept(&self, kept: &SubjectKeyRecord) -> Result<bool> {
        let rooms = &self.system.rooms;
        let at = KeyRef {
            namespace: &self.authority.namespace_name,
            keyring: &kept.keyring,
            name: &kept.key,
        };
        let Some(cell) = rooms.keys.resolve(rooms, at).await? else {
            return Ok(false);
        };
        let snapshot = cell.snapshot();
        let version = VersionNumber(kept.version);
        if snapshot.key().id.to_string() != kept.id
            || matches!(
                snapshot.key().version(version)?.state,
                KeyState::Compromised | KeyState::Destroyed
            )
        {
            return Ok(false);
        }
        let allowed = self
            .system
            .authorize_as_system::<RevokeCertifiedKey>(&cell)?;
        let revoke = skms_keys::Revoke {
            versions: Versions::One(version),
            reason: self.verdict.reason,
            message: "its certificate was revoked for this reason".to_owned(),
            compromise_occurred_at: self.verdict.invalid_since,
        };
        match with_certificates(&self.system, &allowed, &revoke).await {
            Ok(_) => Ok(true),
            // Taken away meanwhile.
            Err(Error::Key(_) | Error::StateForbids { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
