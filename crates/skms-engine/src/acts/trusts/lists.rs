//! Imports revocation lists of external authorities.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_pki::Crl;
use skms_pki::revocation::{Succession, succession};
use skms_store::{Change, Kind, RecordId};

use super::{ImportCrl, LIST_BYTES_MAX, LISTS_MAX, View, read_lists, too_many_lists};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records;
use crate::records::der::Der;
use crate::records::trust::TrustListRecord;
use crate::trusts::Trust;
use crate::trusts::list::{TrustList, verify};

impl Engine {
    /// Imports the revocation lists of a file (DER or PEM). When it returns,
    /// nobody whose certificate, or one above it, is on one of them is known
    /// any more, on connections that are open either: everybody who was known
    /// by the trust is judged anew. A list that is there already changes
    /// nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for a list that the authority
    /// did not sign, that is not complete, or that is older than the one that
    /// it would take the place of.
    pub async fn import_trust_lists(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        file: Vec<u8>,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<ImportCrl>(entry.trust_target(namespace, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let found = entry.trust(namespace, name)?;
            let mut trust = Trust::clone(&found);
            let mut changes = Vec::new();
            for der in read_lists(&[file])? {
                add(&entry, &mut trust, der, &mut changes).await?;
            }
            let changed = !changes.is_empty();
            let entries: usize = trust.lists.iter().map(|list| list.len()).sum();
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Count, entries as u64)
                .urgent();
            entry
                .change(guard, changes, event, move |rooms, _| {
                    let view = View::of(&trust)?;
                    let id = trust.id;
                    // First what later look-ups see, then what earlier ones
                    // found. Of those too whom no list names: the new one may
                    // end before the one that they were good by.
                    rooms.trusts.put(trust);
                    if changed {
                        rooms.sessions.end(id);
                    }
                    Ok(view)
                })
                .await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}

/// Adds one list to a trust that is being changed, in the place of an older one
/// of the same scope, and what is to be written for it to `changes`: nothing for
/// a list that is there already.
pub(super) async fn add(
    entry: &Entry,
    trust: &mut Trust,
    der: Vec<u8>,
    changes: &mut Vec<Change>,
) -> Result<()> {
    let (record, now) = (trust.record.clone(), entry.now().0);
    let checked = move || verify(&record, &der, now).map(|signer| (der, signer));
    // Not on the slow pool, which may be full: who is cut off by a list is not
    // to keep it out. One at a time, under the lock on changes.
    let checked = tokio::task::spawn_blocking(checked).await;
    let (der, signer) = checked.map_err(|_| Error::Internal("a list that was not verified"))??;
    let new = Crl::from_der(&der).map_err(super::invalid)?;
    let mut gone = None;
    for (at, known) in trust.lists.iter().enumerate() {
        let old = Crl::from_der(&known.record.list.0).map_err(super::invalid)?;
        // Each key that an issuer signs with counts its own lists.
        let same_key = known.record.signer.0 == signer;
        match succession(&new, &old) {
            Succession::Newer if same_key => gone = Some(at),
            Succession::Same => return Ok(()),
            Succession::Older if same_key => {
                return Err(Error::Invalid(format!(
                    "a newer revocation list of {} is known, of {}",
                    known.issuer,
                    old.this_update()
                )));
            }
            _ => {}
        }
    }
    let scope = trust.namespace.0;
    let record = TrustListRecord {
        trust: trust.id_text(),
        list: Der(der),
        signer: Der(signer),
        imported_at: now,
    };
    let id = RecordId::random()?;
    changes.push(Change::Put {
        namespace: scope,
        kind: Kind::TrustList,
        id,
        name: None,
        expected: None,
        plaintext: records::encode(&record)?,
    });
    if let Some(at) = gone {
        let old = trust.lists.remove(at);
        let before = changes.len();
        // One that came in this very batch was never written.
        changes.retain(|one| !matches!(one, Change::Put { id, .. } if *id == old.id));
        if changes.len() == before {
            changes.push(Change::Delete {
                namespace: scope,
                kind: Kind::TrustList,
                id: old.id,
                expected: old.revision,
            });
        }
    }
    trust.lists.push(Arc::new(TrustList::new((id, 1), record)?));
    if trust.lists.len() > LISTS_MAX {
        return Err(too_many_lists());
    }
    let others = entry.rooms.trusts.of(&trust.namespace_name);
    let others = others.iter().filter(|one| one.id != trust.id);
    let lists = others.flat_map(|one| &one.lists).chain(&trust.lists);
    let bytes: usize = lists.map(|list| list.record.list.0.len()).sum();
    if bytes > LIST_BYTES_MAX {
        return Err(Error::TooLarge {
            what: "the size of the namespace's revocation lists in bytes",
            limit: LIST_BYTES_MAX as u64,
        });
    }
    Ok(())
}
