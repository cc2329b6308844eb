//! What depends on a key, compromises, and incidents.

use skms_wire::native::incidents::{
    CompromisePlan, CompromiseRequest, IncidentKey, IncidentView, LineageQuery, LineageView,
    TouchedView,
};
use skms_wire::native::routes::{Route, route};

use crate::{Client, Result};

calls! {
    /// Marks a key as compromised, with everything that depends on it.
    json compromise_key ["key-compromise"] (keyring, key) send CompromiseRequest => IncidentView;
    /// Shows what a compromise would touch.
    json plan_compromise ["key-compromise-plan"] (keyring, key) send CompromiseRequest => CompromisePlan;
    /// A page of the incidents.
    page incidents ["incident-list"] () => IncidentView;
    /// Shows an incident.
    json incident ["incident-read"] (incident) => IncidentView;
    /// A page of what an incident touched.
    page incident_touched ["incident-touched"] (incident) => TouchedView;
    /// Shows the public key by which reports are checked.
    json incident_key ["incident-key"] () => IncidentKey;
}

impl Client {
    /// Shows what a key depends on and what depends on it.
    pub async fn key_lineage(
        &self,
        keyring: &str,
        key: &str,
        query: &LineageQuery,
    ) -> Result<LineageView> {
        const ROUTE: &Route = route("key-lineage");
        let limit = query.limit.map(|limit| ("limit", limit.to_string()));
        let query: Vec<_> = limit.into_iter().collect();
        self.json(ROUTE, &[keyring, key], &query, None::<&()>).await
    }
}
