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
mod grants;
mod ledger;
mod one;
mod read;
mod report;
mod ssh;
mod tokens;
mod usage;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use skms_evidence::{DetailKey, Outcome};
use skms_keys::{Key, RevocationReason, Revoke, UnixSeconds, VersionNumber, Versions};
use skms_store::{Change, Kind, RecordId, SealedStore};
use tokio::sync::Notify;

use crate::act::act;
use crate::acts::certificates::Verdict;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::keychange::{Fate, With};
use crate::opened::KeySnapshot;
use crate::places::{self, Places};
use crate::records;
use crate::records::incident::IncidentRecord;
use crate::words::is_plain;

pub use crate::records::incident::{Counts, Reach, Rotation, Touched};
pub use crate::signing::{SigningKey, verify_report};
pub(crate) use cascade::start;
pub use dry_run::Plan;
pub use read::IncidentView;

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

/// Times that it begins again when a certificate of the key is issued at the
/// same moment.
const ATTEMPTS: usize = 8;
/// The wait after an incident could not be finished; it doubles with each time,
/// to about two minutes.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const WAIT_DOUBLES: u32 = 8;
/// Dry runs that are made at once.
const MOST_SHOWN: usize = 4;
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

/// The incidents whose cascade is not finished, and the bell for whoever does
/// that.
#[derive(Default)]
pub(crate) struct Incidents {
    open: Mutex<BTreeMap<RecordId, Open>>,
    /// Held by whoever works on them: one at a time.
    working: tokio::sync::Mutex<()>,
    /// The namespaces that a dry run is made for.
    shown: Mutex<BTreeSet<[u8; 16]>>,
    bell: Arc<Notify>,
}

/// One that is not finished.
struct Open {
    scope: [u8; 16],
    /// How often it could not be, one time after the other.
    failures: u32,
    /// When it is tried again, if it could not be.
    again: Option<Instant>,
    /// Why not.
    why: String,
}

impl Open {
    const fn new(scope: [u8; 16]) -> Self {
        Self {
            scope,
            failures: 0,
            again: None,
            why: String::new(),
        }
    }
}

impl Incidents {
    /// Those in the store.
    pub(crate) async fn load(store: &SealedStore, places: &Places) -> Result<Self> {
        let mut open = BTreeMap::new();
        for namespace in places.list() {
            let scope = namespace.id.0;
            for (id, _, record) in places::all::<IncidentRecord>(store, scope).await? {
                if record.finished_at.is_none() {
                    open.insert(id, Open::new(scope));
                }
            }
        }
        Ok(Self {
            open: Mutex::new(open),
            ..Self::default()
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<RecordId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one, and has it worked on if it is in the store.
    fn begin(&self, id: RecordId, scope: [u8; 16]) {
        self.lock().insert(id, Open::new(scope));
        self.bell.notify_one();
    }

    /// The first after `after`, without those that are not due where only such
    /// are wanted.
    fn next(&self, after: Option<RecordId>, due: Option<Instant>) -> Option<(RecordId, [u8; 16])> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let is_due = |open: &Open| {
            let both = due.zip(open.again);
            both.is_none_or(|(now, again)| again <= now)
        };
        let all = self.lock();
        let mut rest = all.range((from, Bound::Unbounded));
        let next = rest.find(|(_, open)| is_due(open));
        next.map(|(id, open)| (*id, open.scope))
    }

    /// The turn of a namespace to be shown what a compromise would do; there are
    /// few, and one for each.
    fn show(&self, scope: [u8; 16]) -> Option<Showing<'_>> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let free = shown.len() < MOST_SHOWN && shown.insert(scope);
        free.then(|| Showing { of: self, scope })
    }

    fn done(&self, id: RecordId) {
        self.lock().remove(&id);
    }

    /// It could not be finished: others go first for a while.
    fn failed(&self, id: RecordId, why: String) {
        if let Some(open) = self.lock().get_mut(&id) {
            let wait = FIRST_WAIT.saturating_mul(1 << open.failures.min(WAIT_DOUBLES));
            open.failures = open.failures.saturating_add(1);
            open.again = Instant::now().checked_add(wait);
            open.why = why;
        }
    }

    /// Why one cannot be finished, as far as it was tried.
    fn why(&self, id: RecordId) -> Option<String> {
        let all = self.lock();
        let open = all.get(&id).filter(|open| open.failures > 0);
        open.map(|open| open.why.clone())
    }

    /// Whether one of a namespace is not finished.
    pub(crate) fn is_open_in(&self, scope: [u8; 16]) -> bool {
        self.lock().values().any(|open| open.scope == scope)
    }
}

/// A dry run that is being made.
struct Showing<'a> {
    of: &'a Incidents,
    scope: [u8; 16],
}

impl Drop for Showing<'_> {
    fn drop(&mut self) {
        let mut shown = (self.of.shown.lock()).unwrap_or_else(PoisonError::into_inner);
        shown.remove(&self.scope);
    }
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
        let mut attempt = 0;
        loop {
            attempt += 1;
            match begin(&entry, &allowed, &order).await {
                // A certificate of the key was issued meanwhile: it goes too.
                Err(Error::Conflict) if attempt < ATTEMPTS => {}
                other => return other,
            }
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
) -> Result<IncidentView> {
    let rooms = &entry.rooms;
    let snapshot = allowed.target().snapshot();
    let scope = snapshot.key().namespace.0;
    let id = RecordId::at(entry.now_ms)?;
    let record = incident(entry, &snapshot, order);
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
        // Which versions there are is known under the key's lock.
        record: Some(Box::new(move |key| {
            first.versions = numbers(key, versions);
            Ok(vec![put(scope, id, &first, None)?])
        })),
        begins: Some(Box::new(move |rooms| rooms.incidents.begin(id, scope))),
        ..With::default()
    };
    let changed = entry.change_key(allowed, with, |key, now| {
        Ok(key.compromise(&revoke, taint, now)?)
    });
    let changed = changed.await?;
    let mut record = record;
    record.versions = numbers(changed.key(), versions);
    Ok(IncidentView::of(id, record))
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
