//! What a compromise would do, shown first: the same walk and the same report,
//! and nothing is changed.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use skms_evidence::{DetailKey, Outcome};
use skms_store::RecordId;

use super::cascade::Work;
use super::ledger::Ledger;
use super::report::{self, Report};
use super::{Compromise, IncidentView, Order, PART, Read, check, incident, numbers, revoke};
use crate::act::Act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::records::incident::Touched;
use crate::target::Target;

/// The most of what would be touched that is shown.
const SHOWN: usize = 1000;

/// What would be done. Whoever may not read incidents gets the counts alone:
/// the rest names what others have, and who used it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The incident as it would be.
    pub incident: IncidentView,
    /// What would be touched, the first of it.
    pub touched: Vec<Touched>,
    /// The report as it would be, but for its signature; nothing for who may not
    /// read incidents.
    pub report: Value,
}

impl Engine {
    /// Shows what [`Engine::compromise_key`] would do.
    ///
    /// # Errors
    /// As there; [`Error::Busy`] while another is made for the same namespace,
    /// or several for others.
    pub async fn plan_compromise(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        order: Order,
    ) -> Result<Plan> {
        let entry = self.enter(caller)?;
        let named = entry.named(at).await?;
        let at = named.as_ref().map_or(at, |named| named.at(at));
        let allowed = entry.authorize_key::<Compromise>(at).await?;
        let shown = self.show(&entry, &allowed, &order).await;
        let shown = entry.failed_key(&allowed, shown).await?;
        let event = EventDraft::of_key(&entry, &allowed, Outcome::Success)?
            .detail(DetailKey::Reason, "dry run");
        entry.record(event).await?;
        Ok(shown)
    }

    async fn show(
        &self,
        entry: &Entry,
        allowed: &Authorized<Compromise, KeyTarget>,
        order: &Order,
    ) -> Result<Plan> {
        check(order, entry.now())?;
        let snapshot = allowed.target().snapshot();
        let scope = snapshot.key().namespace.0;
        let _turn = entry.rooms.incidents.show(scope).ok_or(Error::Busy)?;
        let namespace = Target::namespace(snapshot.at().namespace);
        let whole = entry.may_see(Read::ACTION, &namespace.resource());
        let id = RecordId::at(entry.now_ms)?;
        let mut record = incident(entry, &snapshot, order);
        let revoke = revoke(id, &record, order.versions)?;
        let (key, _) = snapshot
            .key()
            .compromise(&revoke, order.reach.taint(), entry.now())?;
        record.versions = numbers(&key, order.versions);
        let system = self.enter(&Caller::system(PART)?)?;
        let ledger = Ledger::new(scope, id, record);
        let mut work = Work::new(self, system, ledger)?;
        work.dry = Some(Vec::new());
        work.run().await?;
        let (mut touched, mut report) = (Vec::new(), Value::Null);
        if whole {
            let made: Report = report::make(&work).await?;
            work.ledger.record.counts = made.counts();
            report = value(&made)?;
            touched = work.dry.take().unwrap_or_default();
            touched.truncate(SHOWN);
        }
        Ok(Plan {
            incident: IncidentView::of(id, work.ledger.record),
            touched,
            report,
        })
    }
}

fn value(report: &impl Serialize) -> Result<Value> {
    serde_json::to_value(report).map_err(|_| Error::Internal("a report does not encode"))
}
