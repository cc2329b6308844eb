//! Acts that wait for the approval of others.
//!
//! A policy marks an act ([`skms_policy::Mark`]); the gate, which is the only
//! one to say that an act may be done, asks here when it meets a mark. Without
//! an approval a request is recorded and the act is refused with its
//! identifier; with one, everything is checked again ([`approvers`]) and the
//! request is *claimed* for this call. The claim goes with the act's event: the
//! batch that commits the event commits, by compare-and-set, that the request is
//! used. So an approval is used once, by the act it was given for, or not at all.

pub(crate) mod approvers;
pub(crate) mod asked;
pub(crate) mod facts;
pub(crate) mod pending;
pub(crate) mod request;
pub(crate) mod statement;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use skms_evidence::EventId;
use skms_policy::Action;
use skms_store::{Change, Kind, RecordId};

use crate::error::{Error, Result};
use crate::gate::KeyTarget;
use crate::opened::KeySnapshot;
use crate::places::SYSTEM_SCOPE;
use crate::records;
use crate::records::approval::{ApprovalRecord, RequestState};
use crate::target::{Target, TargetKind};

use pending::Pending;

pub use asked::Asked;
pub use facts::{Facts, Thing, Who};
pub use statement::{Statement, open_attested, open_own};

/// What the transport knows of a call beside what it is about: only faces that
/// say it can ask for approval.
#[derive(Clone, Debug, Default)]
pub struct Calling {
    /// What the call says, and the approvals it comes with.
    pub asked: Option<Arc<Asked>>,
    /// The certificates that the peer showed, its own first: what an approval
    /// is given by.
    pub shown: Vec<Vec<u8>>,
}

/// What the approvals of a running server need in memory.
#[derive(Default)]
pub(crate) struct Approvals {
    /// Requests are made, approved and rejected one at a time.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// Those that wait.
    pub(crate) pending: Arc<Pending>,
    /// Those that a call has claimed.
    in_use: Arc<Mutex<HashSet<RecordId>>>,
}

impl Approvals {
    /// Keeps a request for one call, so that a second one is told at once. That
    /// only one can use it is the store's doing.
    pub(crate) fn hold(&self, id: RecordId) -> Result<Held> {
        let mut all = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.insert(id) {
            return Err(Error::ApprovalRefused(
                "another call is using it right now".into(),
            ));
        }
        Ok(Held {
            all: Arc::clone(&self.in_use),
            pending: Arc::clone(&self.pending),
            id,
        })
    }
}

/// A request that a call holds.
pub(crate) struct Held {
    all: Arc<Mutex<HashSet<RecordId>>>,
    pending: Arc<Pending>,
    id: RecordId,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.id);
    }
}

/// What an act is aimed at.
pub(crate) enum Aim {
    /// A key.
    Key(KeyTarget),
    /// Anything else.
    Other(Box<Target>),
}

impl Aim {
    /// As the log names it.
    pub(crate) fn target(&self) -> Target {
        match self {
            Self::Key(cell) => Target::of_key(&cell.snapshot()),
            Self::Other(target) => Target::clone(target),
        }
    }

    /// As approvals name it, with how it stands now.
    pub(crate) fn thing(&self, action: Action) -> Thing {
        let target = self.target();
        let standing = match self {
            Self::Key(cell) => standing(&cell.snapshot()),
            Self::Other(target) if target.standing.is_some() => {
                target.standing.clone().unwrap_or_default()
            }
            Self::Other(target) => match (target.kind, target.id) {
                (TargetKind::System, _) => String::new(),
                (_, None) => "not there yet".to_owned(),
                (_, Some(_)) => format!("revision {}", target.revision),
            },
        };
        Thing {
            action: action.name().to_owned(),
            kind: target.kind_word().to_owned(),
            name: target.path(),
            id: target.id.map(|id| RecordId(id).to_string()),
            standing,
        }
    }

    fn key(&self) -> Option<KeyTarget> {
        match self {
            Self::Key(cell) => Some(Arc::clone(cell)),
            Self::Other(_) => None,
        }
    }
}

/// A request that a call is going to use.
pub(crate) struct Claim {
    pub(crate) held: Held,
    pub(crate) revision: u64,
    pub(crate) record: ApprovalRecord,
    /// Whose approvals counted.
    pub(crate) approvers: Vec<Who>,
    /// The key that it is about, if it is about one.
    pub(crate) key: Option<KeyTarget>,
    pub(crate) spent: bool,
}

/// What a call has been let do so far.
#[derive(Default)]
pub(crate) struct Claims(Mutex<State>);

#[derive(Default)]
struct State {
    claims: Vec<Claim>,
    reached: Vec<(Action, Aim)>,
}

impl Claims {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the call uses any approval.
    pub(crate) fn any(&self) -> bool {
        !self.state().claims.is_empty()
    }

    /// Notes what the call was let do, for what it asks next.
    pub(crate) fn reach(&self, action: Action, aim: Aim) {
        self.state().reached.push((action, aim));
    }

    fn reached(&self) -> Vec<Thing> {
        let mut things = Vec::new();
        for (action, aim) in &self.state().reached {
            let thing = aim.thing(*action);
            if !things.contains(&thing) {
                things.push(thing);
            }
        }
        things
    }

    pub(crate) fn put(&self, claim: Claim) {
        self.state().claims.push(claim);
    }

    /// Whether the call has claimed a request for this already.
    fn covers(&self, thing: &Thing) -> bool {
        let state = self.state();
        (state.claims.iter()).any(|claim| claim.record.facts.target == *thing)
    }

    fn has(&self, id: RecordId) -> bool {
        self.state().claims.iter().any(|claim| claim.held.id == id)
    }

    /// The requests and who approved of them, in words.
    pub(crate) fn in_words(&self) -> (String, String) {
        let state = self.state();
        let ids = state.claims.iter().map(|claim| claim.held.id.to_string());
        let mut who: Vec<String> = (state.claims.iter())
            .flat_map(|claim| claim.approvers.iter().map(Who::path))
            .collect();
        who.sort();
        who.dedup();
        (ids.collect::<Vec<_>>().join(" "), who.join(" "))
    }

    /// Whether a key still is as it was when that was approved: asked under the
    /// key's lock.
    ///
    /// # Errors
    /// [`Error::ApprovalRefused`].
    pub(crate) fn still(&self, snapshot: &KeySnapshot) -> Result<()> {
        let state = self.state();
        let about = (state.claims.iter()).filter(|claim| {
            claim.record.facts.target.id.as_deref() == Some(snapshot.id_text()) && !claim.spent
        });
        for claim in about {
            unchanged(claim, snapshot)?;
        }
        Ok(())
    }

    /// The changes that use up what the call has claimed, for the batch that
    /// commits its event.
    ///
    /// # Errors
    /// [`Error::ApprovalRefused`] where what was approved has changed since.
    pub(crate) fn spending(&self, event: Option<EventId>, at: i64) -> Result<Vec<Change>> {
        let state = self.state();
        let unspent = state.claims.iter().filter(|claim| !claim.spent);
        let changes = unspent.map(|claim| {
            if let Some(key) = &claim.key {
                unchanged(claim, &key.snapshot())?;
            }
            let record = ApprovalRecord {
                state: RequestState::Used,
                ended_at: Some(at),
                ended_by: Some(claim.record.facts.requester.path()),
                event: event.map(|id| id.to_string()),
                ..claim.record.clone()
            };
            put(claim.held.id, Some(claim.revision), &record)
        });
        changes.collect()
    }

    /// The batch is committed.
    pub(crate) fn spent(&self) {
        let mut state = self.state();
        for claim in &mut state.claims {
            claim.spent = true;
            claim.held.pending.remove(claim.held.id);
        }
    }
}

fn unchanged(claim: &Claim, snapshot: &KeySnapshot) -> Result<()> {
    match claim.record.facts.target.standing == standing(snapshot) {
        true => Ok(()),
        false => Err(Error::ApprovalRefused(
            "what it is about has changed since".into(),
        )),
    }
}

/// The change that stores a request; one that waits is found by its subject.
pub(crate) fn put(id: RecordId, expected: Option<u64>, record: &ApprovalRecord) -> Result<Change> {
    let waits = record.state == RequestState::Pending;
    Ok(Change::Put {
        namespace: SYSTEM_SCOPE,
        kind: Kind::Approval,
        id,
        name: waits.then(|| record.subject.clone()),
        expected,
        plaintext: records::encode(record)?,
    })
}

/// A key's versions and their states: "1-3 deactivated, 4 active".
pub(crate) fn standing(snapshot: &KeySnapshot) -> String {
    let mut runs: Vec<(u32, u32, String)> = Vec::new();
    for version in &snapshot.key().versions {
        let mut state = version.state.name().to_owned();
        if version.destroy_at.is_some() {
            state.push_str(" until it is destroyed");
        }
        let number = version.number.0;
        match runs.last_mut() {
            Some((_, last, known)) if *known == state && *last + 1 == number => *last = number,
            _ => runs.push((number, number, state)),
        }
    }
    let texts = runs
        .into_iter()
        .map(|(first, last, state)| match first == last {
            true => format!("{first} {state}"),
            false => format!("{first}-{last} {state}"),
        });
    texts.collect::<Vec<_>>().join(", ")
}
