//! The compromise of a key, as one act.
//!
//! It returns once the key's versions are marked, their epochs are set and
//! everything that depends on them is refused, uses in flight included
//! ([`crate::lineage`]). In the same batch it leaves an incident: the intent of
//! all the rest, which the cascade does behind it ([`cascade`]), however often
//! the server is killed meanwhile. At the end of it stands a signed report
//! ([`report`]).

mod attend;
mod bulk;
mod cascade;
mod dry_run;
mod exchanges;
mod extent;
mod grants;
mod incidents;
mod ledger;
mod one;
mod read;
mod report;
mod ssh;
mod tokens;
mod usage;
mod walk;

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_keys::{Key, RevocationReason, Revoke, UnixSeconds, VersionNumber, Versions};
use skms_store::{Change, Kind, RecordId};

use crate::act::act;
use crate::acts::certificates::Verdict;
use crate::acts::revoke::Extra;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::keychange::{Fate, With};
use crate::opened::KeySnapshot;
use crate::records;
use crate::records::incident::{ByRule, IncidentRecord};
use crate::words::is_plain;
use incidents::Ordered;

pub use crate::records::incident::{Counts, Reach, Rotation, Touched};
pub use crate::signing::{SigningKey, verify_job_report, verify_report};
pub(crate) use cascade::start;
pub use dry_run::Plan;
pub(crate) use extent::{extent, reaches_an_authority};
pub(crate) use incidents::Incidents;
pub use read::IncidentView;
pub(crate) use report::instant;

act!(
    Compromise,
    KeyCompromise,
    "Marks a key as compromised, with everything that depends on it."
);
act!(
    Cascade,
    KeyCascade,
    "Takes away what depends on a compromised key."
);
act!(Read, IncidentRead, "Reads the incidents of a namespace.");

/// The name of the part of the server that cascades act as.
const PART: &str = "incident";

/// Times that it begins again when a certificate of the key is issued at the
/// same moment.
const ATTEMPTS: usize = 8;
/// The longest reason, in bytes: the key's record has it with the incident's
/// identifier before it.
const REASON_MAX: usize = 900;

/// What is ordered.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which versions.
    pub versions: Versions,
    /// Why, in words.
    pub reason: String,
    /// Since when somebody else may have had the key.
    pub since: Option<UnixSeconds>,
    /// How far it goes.
    pub reach: Reach,
    /// What is given a new version.
    pub rotation: Rotation,
}

impl Engine {
    /// Compromises versions of a key. When this returns, no use of them or of
    /// anything that depends on them succeeds, as far as `order` reaches; what
    /// is left to be done is done behind it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a time in the future and a reason that is too
    /// long; [`Error::Key`] for versions beyond it.
    pub async fn compromise_key(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        order: Order,
    ) -> Result<IncidentView> {
        let entry = self.enter(caller)?;
        let named = entry.named(at).await?;
        let at = named.as_ref().map_or(at, |named| named.at(at));
        let allowed = entry.authorize_key::<Compromise>(at).await?;
        let checked = check(&order, entry.now());
        entry.failed_key(&allowed, checked).await?;
        order_as(&entry, &allowed, &order, None).await
    }
}

/// A compromise that is the act of a rule.
pub(crate) struct Ordering<'a> {
    /// The rule.
    pub(crate) by: ByRule,
    /// What goes into the batch beside, from the incident and the reason that
    /// certificates are revoked for.
    pub(crate) extra: &'a (dyn Fn(RecordId, &str) -> Result<Extra> + Send + Sync),
}

/// As [`Engine::compromise_key`], for a rule.
///
/// # Errors
/// As there.
pub(crate) async fn compromise_by_rule(
    entry: &Entry,
    cell: &KeyTarget,
    order: &Order,
    ordering: &Ordering<'_>,
) -> Result<IncidentView> {
    let allowed = entry.authorize_as_system::<Compromise>(cell)?;
    check(order, entry.now())?;
    order_as(entry, &allowed, order, Some(ordering)).await
}

async fn order_as(
    entry: &Entry,
    allowed: &Authorized<Compromise, KeyTarget>,
    order: &Order,
    ordering: Option<&Ordering<'_>>,
) -> Result<IncidentView> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match begin(entry, allowed, order, ordering).await {
            // A certificate of the key was issued meanwhile: it goes too.
            Err(Error::Conflict) if attempt < ATTEMPTS => {}
            other => return other,
        }
    }
}

fn check(order: &Order, now: UnixSeconds) -> Result<()> {
    if order.since.is_some_and(|since| since > now) {
        return Err(Error::Invalid("since lies in the future".into()));
    }
    if order.reason.is_empty() || !is_plain(&order.reason) {
        return Err(Error::Invalid(
            "say why, in words without control characters, or such that turn text round".into(),
        ));
    }
    if order.reason.len() > REASON_MAX {
        return Err(Error::TooLarge {
            what: "the reason",
            limit: REASON_MAX as u64,
        });
    }
    Ok(())
}

/// Why a version on which an authority stands, or another, is revoked.
fn revocation_reason(entry: &Entry, namespace: &str, key: &Key) -> RevocationReason {
    let id = key.id.to_string();
    match entry.rooms.authorities.issues_by(namespace, &id) {
        true => RevocationReason::CaCompromise,
        false => RevocationReason::KeyCompromise,
    }
}

/// The revocation that an incident means for a version.
fn revoke(incident: RecordId, record: &IncidentRecord, versions: Versions) -> Result<Revoke> {
    Ok(Revoke {
        versions,
        reason: record.revocation_reason.parse()?,
        message: format!("incident {incident}: {}", record.reason),
        compromise_occurred_at: record.since.map(UnixSeconds),
    })
}

/// The incident that an order makes.
fn incident(entry: &Entry, snapshot: &KeySnapshot, order: &Order) -> IncidentRecord {
    let (at, session) = (snapshot.at(), &entry.caller.session);
    let reason = revocation_reason(entry, at.namespace, snapshot.key());
    IncidentRecord {
        namespace: at.namespace.to_owned(),
        keyring: at.keyring.to_owned(),
        key: at.name.to_owned(),
        key_id: snapshot.id_text().to_owned(),
        versions: Vec::new(),
        revocation_reason: reason.name().to_owned(),
        reason: order.reason.clone(),
        since: order.since.map(|since| since.0),
        at: entry.now().0,
        by: session.principal.id().to_owned(),
        by_namespace: Some(session.principal.namespace().to_owned()),
        authentication: session.label().to_owned(),
        source: entry.caller.source.map(|source| source.to_string()),
        by_rule: None,
        reach: order.reach,
        rotation: order.rotation,
        counts: Counts::default(),
        pages: 0,
        touched: 0,
        finished_at: None,
        report: None,
    }
}

async fn begin(
    entry: &Entry,
    allowed: &Authorized<Compromise, KeyTarget>,
    order: &Order,
    ordering: Option<&Ordering<'_>>,
) -> Result<IncidentView> {
    let rooms = &entry.rooms;
    let snapshot = allowed.target().snapshot();
    let scope = snapshot.key().namespace.0;
    let id = RecordId::at(entry.now_ms)?;
    let mut record = incident(entry, &snapshot, order);
    record.versions = all(snapshot.key(), order.versions);
    record.by_rule = ordering.map(|one| one.by.clone());
    let ordered = Ordered::of(&record);
    if let Some(open) = under_way(entry, allowed, order, (&ordered, ordering)).await? {
        return Ok(open);
    }
    let extra = beside(ordering, id, &record)?;
    let revoke = revoke(id, &record, order.versions)?;
    let verdict = Verdict {
        reason: revoke.reason,
        at: entry.now(),
        invalid_since: order.since,
    };
    let event = EventDraft::of_key(entry, allowed, Outcome::Success)?
        .detail(DetailKey::Incident, id.to_string())
        .detail(DetailKey::Reason, order.reason.as_str());
    let (versions, taint) = (order.versions, order.reach.taint());
    let mut first = record.clone();
    let with = With {
        urgent: true,
        certificates: Some(Fate::Revoked(verdict, versions)),
        revocations: Some(rooms.lock_revocations().await),
        event: Some(event),
        also: extra.also,
        said: extra.said,
        // Which versions there are is known under the key's lock.
        record: Some(Box::new(move |key| {
            first.versions = numbers(key, versions);
            Ok(vec![put(scope, id, &first, None)?])
        })),
        begins: Some(Box::new(move |rooms| {
            rooms.incidents.begin(id, scope, ordered)
        })),
        ..With::default()
    };
    let changed = entry.change_key(allowed, with, |key, now| {
        Ok(key.compromise(&revoke, taint, now)?)
    });
    let changed = changed.await?;
    record.versions = numbers(changed.key(), versions);
    Ok(IncidentView::of(id, record))
}

/// The incident that does already what is ordered, where nothing is left to be
/// marked at once: whoever orders it again is told of that one.
async fn under_way(
    entry: &Entry,
    allowed: &Authorized<Compromise, KeyTarget>,
    order: &Order,
    (ordered, ordering): (&Ordered, Option<&Ordering<'_>>),
) -> Result<Option<IncidentView>> {
    let snapshot = allowed.target().snapshot();
    let key = snapshot.key();
    let (scope, taint) = (key.namespace.0, order.reach.taint());
    let marked = |number: &u32| {
        let version = key.version(VersionNumber(*number));
        version.is_ok_and(|version| version.is_compromised() && version.taint >= taint)
    };
    if !ordered.versions.iter().all(marked) {
        return Ok(None);
    }
    let Some(id) = entry.rooms.incidents.covering(scope, ordered) else {
        return Ok(None);
    };
    let stored = entry.rooms.store.get(scope, Kind::Incident, id).await?;
    let Some(stored) = stored else {
        return Ok(None);
    };
    let record: IncidentRecord = records::decode(stored.plaintext.expose())?;
    let event = EventDraft::of_key(entry, allowed, Outcome::Success)?
        .detail(DetailKey::Incident, id.to_string())
        .detail(DetailKey::Reason, order.reason.as_str());
    let extra = beside(ordering, id, &record)?;
    let event = event.explained(extra.said);
    if extra.also.is_empty() {
        entry.record(event).await?;
    } else {
        let recorder = &entry.rooms.recorder;
        let committed = recorder.commit(extra.also, &event.finish(), true).await?;
        recorder.settle(committed).await?;
    }
    Ok(Some(IncidentView::of(id, record)))
}

/// What goes into the batch of a rule's act beside.
fn beside(ordering: Option<&Ordering<'_>>, id: RecordId, record: &IncidentRecord) -> Result<Extra> {
    let made = ordering.map(|one| (one.extra)(id, &record.revocation_reason));
    made.unwrap_or_else(|| Ok(Extra::default()))
}

/// The versions that are meant.
fn all(key: &Key, versions: Versions) -> Vec<u32> {
    let meant = |number: &u32| match versions {
        Versions::All => true,
        Versions::One(one) => one.0 == *number,
    };
    let numbers = key.versions.iter().map(|version| version.number.0);
    numbers.filter(meant).collect()
}

/// The compromised ones among `versions`.
fn numbers(key: &Key, versions: Versions) -> Vec<u32> {
    let meant = |number: &VersionNumber| match versions {
        Versions::All => true,
        Versions::One(one) => one == *number,
    };
    key.compromised()
        .filter(meant)
        .map(|number| number.0)
        .collect()
}

/// The change that stores an incident.
fn put(
    scope: [u8; 16],
    id: RecordId,
    record: &IncidentRecord,
    expected: Option<u64>,
) -> Result<Change> {
    Ok(Change::Put {
        namespace: scope,
        kind: Kind::Incident,
        id,
        name: None,
        expected,
        plaintext: records::encode(record)?,
    })
}
