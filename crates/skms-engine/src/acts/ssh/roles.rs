//! Roles of SSH authorities.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_keys::Name;
use skms_pki::ssh::{CertificateType, Role};
use skms_store::{Change, Kind};

use super::{DeleteRole, View, WriteRole, refused};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records;
use crate::records::ssh::{SshAuthorityRecord, SshRoleRecord};
use crate::ssh::{self, SshAuthority};
use crate::target::Target;

/// Roles of one authority at most: they are one record.
const ROLES_MAX: usize = 500;

impl Engine {
    /// Writes a role, new or in place of the one of that name. Certificates
    /// that are out stay as they are. `role` is told whom the authority
    /// certifies.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a role that cannot be.
    pub async fn write_ssh_role(
        &self,
        caller: &Arc<Caller>,
        (namespace, authority, name): (&str, &str, &str),
        role: impl FnOnce(CertificateType) -> Role + Send,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<WriteRole>(Target::ssh_role(namespace, authority, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let found = entry.ssh_authority(namespace, authority)?;
            let name = Name::new(name)?;
            let role = role(found.certificate_type);
            role.check(found.certificate_type).map_err(refused)?;
            let mut record = found.record.clone();
            record
                .roles
                .insert(name.as_str().to_owned(), SshRoleRecord::from(&role));
            if record.roles.len() > ROLES_MAX {
                return Err(Error::TooLarge {
                    what: "the number of roles",
                    limit: ROLES_MAX as u64,
                });
            }
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
            put(&entry, guard, &found, record, event).await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// Deletes a role.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_ssh_role(
        &self,
        caller: &Arc<Caller>,
        (namespace, authority, name): (&str, &str, &str),
    ) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<DeleteRole>(Target::ssh_role(namespace, authority, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let found = entry.ssh_authority(namespace, authority)?;
            let mut record = found.record.clone();
            if record.roles.remove(name).is_none() {
                return Err(Error::NotFound { what: "SSH role" });
            }
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
            put(&entry, guard, &found, record, event).await.map(drop)
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}

/// Writes an authority's record anew.
async fn put<G: Send + 'static>(
    entry: &Entry,
    guard: G,
    before: &SshAuthority,
    record: SshAuthorityRecord,
    event: EventDraft,
) -> Result<View> {
    let change = Change::Put {
        namespace: before.namespace.0,
        kind: Kind::SshAuthority,
        id: before.id,
        name: Some(record.name.clone()),
        expected: Some(before.revision),
        plaintext: records::encode(&record)?,
    };
    let (id, whose) = (before.id, (before.namespace, before.namespace_name.clone()));
    let revoked = Arc::clone(&before.revoked);
    entry
        .change(guard, vec![change], event, move |rooms, revisions| {
            let revision = revisions
                .first()
                .copied()
                .ok_or(Error::Internal("a change without a revision"))?;
            let made = ssh::authority((id, revision), whose, record, revoked)?;
            let view = View::from(&made);
            rooms.ssh.put(made);
            Ok(view)
        })
        .await
}
