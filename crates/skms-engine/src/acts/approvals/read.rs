//! Lists and reads requests for approval.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_store::RecordId;

use super::{List, Read, View};
use crate::act::Act;
use crate::approvals::pending::each;
use crate::approvals::request::{Known, load};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry};
use crate::records::approval::ApprovalRecord;
use crate::signing::{self, SigningKey};
use crate::target::Target;

impl Engine {
    /// The requests for approval of a namespace, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace and one not visible.
    pub async fn list_approvals(&self, caller: &Arc<Caller>, namespace: &str) -> Result<Vec<View>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        let listed = async {
            let place = entry.rooms.places.namespace(namespace);
            let place = place.ok_or(Error::NotFound { what: "namespace" })?;
            let home = RecordId(place.id.0).to_string();
            let mut own = Vec::new();
            each::<ApprovalRecord>(&entry.rooms.store, |one| {
                if one.record.facts.namespace_id == home {
                    own.push(Known {
                        id: one.id,
                        revision: one.revision,
                        record: one.record,
                    });
                }
            })
            .await?;
            let mut views = Vec::with_capacity(own.len());
            for known in own {
                views.push(View::of(&entry.rooms, known).await?);
            }
            views.sort_by_key(|view| std::cmp::Reverse(view.id));
            Ok(views)
        };
        let listed = listed.await;
        let views = entry.failed(&allowed, listed).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(views)
    }

    /// One request.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_approval(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        id: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(Target::namespace(namespace))
            .await?;
        let known = entry.known(&allowed, namespace, id).await?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
            .detail(DetailKey::Approval, known.id.to_string());
        let view = View::of(&entry.rooms, known).await?;
        entry.record(event).await?;
        Ok(view)
    }

    /// The public half of the key by which the server signs for approvers whose
    /// own key did not.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the caller may not read requests.
    pub async fn approval_key(&self, caller: &Arc<Caller>, namespace: &str) -> Result<SigningKey> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(Target::namespace(namespace))
            .await?;
        let key = signing::public_key(&entry.rooms).await;
        let key = entry.failed(&allowed, key).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(key)
    }
}

impl Entry {
    /// The request of that identifier in a namespace; a failure leaves its
    /// event.
    pub(super) async fn known<A: Act>(
        &self,
        allowed: &Authorized<A, Target>,
        namespace: &str,
        id: &str,
    ) -> Result<Known> {
        let absent = Error::NotFound {
            what: "request for approval",
        };
        let place = self.rooms.places.namespace(namespace);
        let found = match (place, id.parse()) {
            (Some(place), Ok(id)) => {
                let home = RecordId(place.id.0).to_string();
                let found = load(&self.rooms, id).await?;
                found.filter(|known| known.record.facts.namespace_id == home)
            }
            _ => None,
        };
        self.failed(allowed, found.ok_or(absent)).await
    }
}
