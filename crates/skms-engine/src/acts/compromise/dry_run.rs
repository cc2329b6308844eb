//! What a compromise would do, shown first: the same walk and the same report,
//! and nothing is changed.

use std::sync::Arc;

use serde::Serialize;
use skms_evidence::{DetailKey, Outcome};
use skms_store::RecordId;

use super::cascade::Work;
use super::ledger::Ledger;
use super::report::{self, Report};
use super::{Compromise, IncidentView, Order, check, incident, numbers, revoke};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::Result;
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::records::incident::Touched;

/// The most of what would be touched that is shown.
const SHOWN: usize = 1000;

/// What would be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The incident as it would be.
    pub incident: IncidentView,
    /// What would be touched, the first of it.
    pub touched: Vec<Touched>,
    /// The report as it would be, but for its signature.
    pub report: serde_json::Value,
}

impl Engine {
    /// Shows what [`Engine::compromise_key`] would do.
    ///
    /// # Errors
    /// As there.
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
        let id = RecordId::at(entry.now_ms)?;
        let mut record = incident(entry, &snapshot, order);
        let revoke = revoke(id, &record, order.versions)?;
        let (key, _) = snapshot
            .key()
            .compromise(&revoke, order.reach.taint(), entry.now())?;
        record.versions = numbers(&key, order.versions);
        let system = self.enter(&Caller::system("incident")?)?;
        let ledger = Ledger::new(snapshot.key().namespace.0, id, record);
        let mut work = Work::new(self, system, ledger)?;
        work.dry = Some(Vec::new());
        work.run().await?;
        let report: Report = report::make(&work).await?;
        work.ledger.record.counts = report.counts();
        let mut touched = work.dry.take().unwrap_or_default();
        touched.truncate(SHOWN);
        Ok(Plan {
            incident: IncidentView::of(id, work.ledger.record),
            touched,
            report: value(&report)?,
        })
    }
}

fn value(report: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(report)
        .map_err(|_| crate::error::Error::Internal("a report does not encode"))
}
