//! What depends on a key, compromises, and incidents.

use skms_engine::acts::compromise::{self as engine, Order, Reach, Rotation, Touched};
use skms_engine::acts::derive_key::NewDerivation;
use skms_engine::acts::lineage::MAX_NODES;
use skms_store::RecordId;
use skms_wire::native::incidents::{
    CompromisePlan, CompromiseRequest, IncidentCounts, IncidentKey, IncidentView, LineageEdge,
    LineageNode, LineageQuery, LineageView, TouchedView,
};
use skms_wire::native::keys::{DeriveKeyRequest, DeriveKeyResponse};
use skms_wire::native::terms::{IncidentReach, IncidentRotation, RevocationReason};
use skms_wire::native::{Page, ProblemKind};

use super::{
    answer::Reply,
    call::Call,
    convert::{self, moment, optional, version},
    error::Failure,
    keys::Said,
    paging, views,
};

pub async fn derive_key(call: Call) -> Result<Reply, Failure> {
    let asked: DeriveKeyRequest = call.json()?;
    let said = Said {
        algorithm: asked.algorithm,
        uses: asked.uses,
        exportable: asked.exportable,
        owner: asked.owner,
        tags: asked.tags,
        rules: asked.rules,
    };
    let wanted = NewDerivation {
        version: version(asked.version)?,
        context: optional(asked.context),
        spec: said.spec(&call).await?,
    };
    let mut at = call.key();
    at.name = &asked.name;
    if let Some(keyring) = &asked.keyring {
        at.keyring = keyring;
    }
    let made = call
        .engine()
        .derive_key(call.caller()?, call.key(), at, wanted)
        .await?;
    Reply::json(&DeriveKeyResponse {
        key: views::snapshot(&made.key)?,
        version: made.version.0,
    })
}

pub async fn lineage(call: Call) -> Result<Reply, Failure> {
    let query: LineageQuery = call.query()?;
    let limit = match query.limit {
        None => MAX_NODES,
        Some(limit) => usize::try_from(limit)
            .ok()
            .filter(|limit| (1..=MAX_NODES).contains(limit))
            .ok_or_else(|| Failure::invalid(format!("limit is from 1 to {MAX_NODES}")))?,
    };
    let graph = call
        .engine()
        .key_lineage(call.caller()?, call.key(), limit)
        .await?;
    let node = |node: skms_engine::acts::lineage::Node| LineageNode {
        id: node.id,
        kind: node.kind.to_owned(),
        name: node.name,
        version: node.version,
        state: node.state.map(str::to_owned),
        count: node.count,
    };
    let edge = |edge: skms_engine::acts::lineage::Edge| LineageEdge {
        from: edge.from,
        to: edge.to,
        how: edge.how.to_owned(),
    };
    Reply::json(&LineageView {
        nodes: graph.nodes.into_iter().map(node).collect(),
        edges: graph.edges.into_iter().map(edge).collect(),
        of: graph.of,
        truncated: graph.truncated,
    })
}

fn order(call: &Call) -> Result<Order, Failure> {
    let asked: CompromiseRequest = call.json()?;
    Ok(Order {
        versions: convert::versions(asked.version)?,
        reason: asked.reason,
        since: asked.since.map(convert::seconds),
        reach: match asked.cascade {
            Some(IncidentReach::None) => Reach::None,
            Some(IncidentReach::Direct) => Reach::Direct,
            Some(IncidentReach::All) | None => Reach::All,
        },
        rotation: match asked.rotate {
            Some(IncidentRotation::None) => Rotation::None,
            Some(IncidentRotation::Rule) | None => Rotation::Rule,
            Some(IncidentRotation::All) => Rotation::All,
        },
    })
}

fn view(incident: engine::IncidentView) -> Result<IncidentView, Failure> {
    let reason = incident.revocation_reason.parse::<RevocationReason>();
    let counts = incident.counts;
    Ok(IncidentView {
        id: incident.id.to_string(),
        keyring: incident.keyring,
        key: incident.key,
        key_id: incident.key_id,
        versions: incident.versions,
        revocation_reason: reason
            .map_err(|_| Failure::internal("an incident of an unknown reason"))?,
        reason: incident.reason,
        since: incident.since.map(moment),
        effective_at: moment(incident.at),
        by: incident.by,
        cascade: match incident.reach {
            Reach::None => IncidentReach::None,
            Reach::Direct => IncidentReach::Direct,
            Reach::All => IncidentReach::All,
        },
        rotate: match incident.rotation {
            Rotation::None => IncidentRotation::None,
            Rotation::Rule => IncidentRotation::Rule,
            Rotation::All => IncidentRotation::All,
        },
        counts: IncidentCounts {
            compromised: counts.compromised,
            already: counts.already,
            spared: counts.spared,
            failed: counts.failed,
            certificates: counts.certificates,
            authorities: counts.authorities,
            tokens: counts.tokens,
            rotated: counts.rotated,
            ssh_certificates: counts.ssh_certificates,
            exchanges: counts.exchanges,
            recipients: counts.recipients,
        },
        touched: incident.touched,
        finished: incident.finished_at.is_some(),
        finished_at: incident.finished_at.map(moment),
        report: incident.report,
        trouble: incident.trouble,
    })
}

fn shown(touched: Touched) -> TouchedView {
    TouchedView {
        kind: touched.kind,
        id: touched.id,
        name: touched.name,
        version: touched.version,
        how: touched.how,
        under: touched.under,
        outcome: touched.outcome,
        owner: touched.owner,
        rotates: touched.rotates,
        detail: touched.detail,
    }
}

pub async fn compromise(call: Call) -> Result<Reply, Failure> {
    let order = order(&call)?;
    let begun = call
        .engine()
        .compromise_key(call.caller()?, call.key(), order)
        .await?;
    Reply::json(&view(begun)?)
}

pub async fn plan(call: Call) -> Result<Reply, Failure> {
    let order = order(&call)?;
    let plan = call
        .engine()
        .plan_compromise(call.caller()?, call.key(), order)
        .await?;
    Reply::json(&CompromisePlan {
        incident: view(plan.incident)?,
        touched: plan.touched.into_iter().map(shown).collect(),
        report: plan.report,
    })
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let wanted = paging::records(&call.page()?)?;
    let (found, next) = call
        .engine()
        .list_incidents(call.caller()?, &call.namespace, &wanted)
        .await?;
    let items: Result<Vec<_>, _> = found.into_iter().map(view).collect();
    Reply::json(&paging::page(items?, next))
}

/// What is no identifier is nobody's; the engine says so like of any other.
fn id(call: &Call) -> RecordId {
    let id = call.param("incident").parse();
    id.unwrap_or(RecordId([0; 16]))
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_incident(call.caller()?, &call.namespace, id(&call))
        .await?;
    Reply::json(&view(found)?)
}

/// A page goes on at an entry of one of the incident's own pages.
pub async fn touched(call: Call) -> Result<Reply, Failure> {
    let query = call.page()?;
    let limit = paging::limit(&query)?;
    let from = match &query.after {
        None => (0, 0),
        Some(after) => after
            .split_once('.')
            .and_then(|(page, entry)| Some((page.parse().ok()?, entry.parse().ok()?)))
            .ok_or_else(paging::bad_cursor)?,
    };
    let (found, next) = call
        .engine()
        .incident_touched(call.caller()?, (&call.namespace, id(&call)), from, limit)
        .await?;
    Reply::json(&Page {
        items: found.into_iter().map(shown).collect(),
        next: next.map(|(page, entry)| format!("{page}.{entry}")),
    })
}

pub async fn key(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let key = call
        .engine()
        .incident_key(call.caller()?, &call.namespace)
        .await?;
    let public_key = String::from_utf8(key.pem).map_err(|_| Failure::new(ProblemKind::Internal))?;
    Reply::json(&IncidentKey {
        public_key,
        fingerprint: key.fingerprint,
    })
}
