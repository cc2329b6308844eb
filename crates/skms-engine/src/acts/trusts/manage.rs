//! Changes a trust, and ends one.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_store::{Change, Kind};

use super::{Delete, INTERMEDIATES_MAX, Update, View, authorities, create};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::records;
use crate::trusts::{Checking, Trust};

/// What is to be different; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Files of the certificates that are of use, in the place of those before.
    pub intermediates: Option<Vec<Vec<u8>>>,
    /// How much must be known about revocation.
    pub checking: Option<Checking>,
}

impl Engine {
    /// Changes a trust. Whoever is known by it is looked up anew.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for intermediates that lead to no
    /// anchor, and for no change at all.
    pub async fn update_trust(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        changes: Changes,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Update>(entry.trust_target(namespace, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let found = entry.trust(namespace, name)?;
            let mut record = found.record.clone();
            let mut changed = Vec::new();
            if let Some(files) = &changes.intermediates {
                record.intermediates = authorities(files, INTERMEDIATES_MAX)?;
                create::stands(&entry, namespace, &record)?;
                changed.push("intermediates");
            }
            if let Some(checking) = changes.checking {
                record.checking = Some(checking.name().to_owned());
                changed.push("revocation");
            }
            if changed.is_empty() {
                return Err(Error::Invalid("nothing is to change".into()));
            }
            let change = Change::Put {
                namespace: found.namespace.0,
                kind: Kind::Trust,
                id: found.id,
                name: Some(record.name.clone()),
                expected: Some(found.revision),
                plaintext: records::encode(&record)?,
            };
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Changed, changed.join(" "));
            entry
                .change(guard, vec![change], event, move |rooms, revisions| {
                    let revision = revisions
                        .first()
                        .copied()
                        .ok_or(Error::Internal("a change without a revision"))?;
                    let whose = (found.namespace, Arc::clone(&found.namespace_name));
                    let lists = found.lists.clone();
                    let trust = Trust::new((found.id, revision), whose, record, lists)?;
                    let view = View::of(&trust)?;
                    rooms.trusts.put(trust);
                    rooms.sessions.end(found.id);
                    Ok(view)
                })
                .await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// Trusts an authority no longer. When it returns, nobody is known by it;
    /// the bindings of names to principals stay, and count for nothing, for a
    /// trust of the same name either.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_trust(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Delete>(entry.trust_target(namespace, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let found = entry.trust(namespace, name)?;
            let delete = |kind, id, expected| Change::Delete {
                namespace: found.namespace.0,
                kind,
                id,
                expected,
            };
            let mut changes = vec![delete(Kind::Trust, found.id, found.revision)];
            let lists = found.lists.iter();
            changes.extend(lists.map(|one| delete(Kind::TrustList, one.id, one.revision)));
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?.urgent();
            entry
                .change(guard, changes, event, move |rooms, _| {
                    rooms
                        .trusts
                        .remove(&found.namespace_name, &found.record.name);
                    rooms.sessions.end(found.id);
                    Ok(())
                })
                .await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}
