//! Withdraws an algorithm, and takes that back.

use std::sync::Arc;

use skms_crypto::Algorithm;
use skms_evidence::{DetailKey, Outcome};
use skms_keys::{Key, KeyState, UnixSeconds, Version};
use skms_store::Kind;

use super::rotate::would_follow;
use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::records;
use crate::records::key::KeyRecord;
use crate::target::Target;
use crate::withdrawn::WithdrawalRecord;

act!(
    Withdraw,
    AlgorithmWithdraw,
    "Withdraws an algorithm, or takes that back."
);
act!(List, AlgorithmList, "Lists the withdrawn algorithms.");

/// The longest reason, in bytes.
const REASON_MAX: usize = 256;
/// How many keys are named.
const NAMED: usize = 1000;
/// How many records one step reads.
const STEP: usize = 512;

/// What is ordered.
#[derive(Clone, Debug)]
pub struct Order {
    /// What is withdrawn, by its name.
    pub algorithm: String,
    /// Why, in words.
    pub reason: String,
    /// When its keys stop protecting; now if left out.
    pub protects_until: Option<UnixSeconds>,
    /// What is to be used instead.
    pub successor: Option<String>,
    /// Only says what it would reach.
    pub dry_run: bool,
}

/// What is told about a withdrawn algorithm.
#[derive(Clone, Debug)]
pub struct View {
    /// Its name.
    pub algorithm: String,
    /// When it was withdrawn.
    pub at: UnixSeconds,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When its keys stop protecting.
    pub protects_until: UnixSeconds,
    /// What is to be used instead.
    pub successor: Option<String>,
}

impl From<WithdrawalRecord> for View {
    fn from(record: WithdrawalRecord) -> Self {
        Self {
            algorithm: record.algorithm,
            at: UnixSeconds(record.at),
            by: record.by,
            reason: record.reason,
            protects_until: UnixSeconds(record.protects_until),
            successor: record.successor,
        }
    }
}

/// What a withdrawal reaches.
#[derive(Clone, Debug)]
pub struct Withdrawal {
    /// As it is told.
    pub view: View,
    /// How many keys would protect otherwise.
    pub keys: u64,
    /// The first of them: namespace, keyring and name.
    pub named: Vec<String>,
    /// Those among the named that rotate into the successor by themselves.
    pub rotating: Vec<String>,
}

impl Engine {
    /// Withdraws an algorithm everywhere: no new key or version of it is made,
    /// and from a day on its keys protect nothing. Said again, the newer word
    /// counts.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a reason that is none, and for a successor that is
    /// withdrawn or the algorithm itself.
    pub async fn withdraw_algorithm(
        &self,
        caller: &Arc<Caller>,
        order: Order,
    ) -> Result<Withdrawal> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Withdraw>(Target::system()).await?;
        let now = entry.now();
        // Counted before anybody is locked out: it takes as long as there are keys.
        let counted = async {
            let (algorithm, successor) = check(&entry.rooms, &order)?;
            let reached = reached(&entry.rooms, algorithm, successor, now).await?;
            Ok((algorithm, successor, reached))
        };
        let counted = counted.await;
        let (algorithm, successor, reached) = entry.failed(&allowed, counted).await?;
        let guard = entry.rooms.lock_changes().await;
        let worked = async {
            check(&entry.rooms, &order)?;
            let record = WithdrawalRecord {
                algorithm: algorithm.name().to_owned(),
                at: now.0,
                by: entry.caller.session.principal.id().to_owned(),
                reason: order.reason.clone(),
                protects_until: order.protects_until.unwrap_or(now).0,
                successor: successor.map(|one| one.name().to_owned()),
            };
            let changing = entry.rooms.withdrawn.with(record.clone())?;
            Ok((record, changing))
        };
        let worked = worked.await;
        let (record, (changing, change)) = entry.failed(&allowed, worked).await?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
            .detail(DetailKey::Algorithm, record.algorithm.as_str())
            .detail(DetailKey::Reason, order.reason.as_str())
            .detail(DetailKey::Count, reached.keys);
        let until = u64::try_from(record.protects_until).unwrap_or_default();
        let mut event = event.detail(DetailKey::ExpiresAt, until);
        if let Some(successor) = &record.successor {
            event = event.detail(DetailKey::Changed, format!("succeeded by {successor}"));
        }
        let done = Withdrawal {
            view: record.into(),
            keys: reached.keys,
            named: reached.named,
            rotating: reached.rotating,
        };
        if order.dry_run {
            entry
                .record(event.detail(DetailKey::Changed, "dry run"))
                .await?;
            return Ok(done);
        }
        entry
            .change(guard, vec![change], event, move |rooms, revisions| {
                let revision = revisions.first().copied().unwrap_or_default();
                changing.put_in_force(rooms, revision);
                Ok(done)
            })
            .await
    }

    /// Takes a withdrawal back.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is not withdrawn.
    pub async fn readmit_algorithm(&self, caller: &Arc<Caller>, algorithm: &str) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Withdraw>(Target::system()).await?;
        let guard = entry.rooms.lock_changes().await;
        let worked = named(algorithm).and_then(|one| entry.rooms.withdrawn.without(one));
        let (changing, change) = entry.failed(&allowed, worked).await?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
            .detail(DetailKey::Algorithm, algorithm)
            .detail(DetailKey::ToState, "readmitted");
        entry
            .change(guard, vec![change], event, move |rooms, revisions| {
                let revision = revisions.first().copied().unwrap_or_default();
                changing.put_in_force(rooms, revision);
                Ok(())
            })
            .await
    }

    /// The withdrawn algorithms, by name.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no policy lets the caller list them.
    pub async fn list_withdrawn(&self, caller: &Arc<Caller>) -> Result<Vec<View>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<List>(Target::system()).await?;
        let all = entry.rooms.withdrawn.list();
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(all.into_iter().map(View::from).collect())
    }
}

fn named(algorithm: &str) -> Result<Algorithm> {
    let known = algorithm.parse();
    known.map_err(|_| Error::Invalid("unknown algorithm; GET /api/v1/algorithms lists them".into()))
}

fn check(rooms: &Rooms, order: &Order) -> Result<(Algorithm, Option<Algorithm>)> {
    let reason = &order.reason;
    if reason.is_empty() || reason.len() > REASON_MAX || reason.chars().any(char::is_control) {
        return Err(Error::Invalid(format!(
            "say why, in at most {REASON_MAX} bytes without control characters"
        )));
    }
    let algorithm = named(&order.algorithm)?;
    let successor = order.successor.as_deref().map(named).transpose()?;
    if let Some(successor) = successor {
        if successor == algorithm {
            return Err(Error::Invalid(
                "an algorithm does not succeed itself".into(),
            ));
        }
        let (own, theirs) = (algorithm.row().uses, successor.row().uses);
        let alike = algorithm.is_symmetric() == successor.is_symmetric();
        if !alike || own.intersection(theirs).is_empty() {
            return Err(Error::Invalid(format!(
                "{successor} does nothing that {algorithm} does"
            )));
        }
        rooms.withdrawn.admits(successor)?;
    }
    Ok((algorithm, successor))
}

/// Whether a version is of an algorithm and in no state that ends its protecting.
fn could_protect(key: &Key, version: &Version, algorithm: Algorithm) -> bool {
    let ended = matches!(
        version.state,
        KeyState::Deactivated | KeyState::Compromised | KeyState::Destroyed
    );
    !ended && key.algorithm_of(version.number) == algorithm
}

/// The keys of an algorithm that could protect now.
#[derive(Default)]
struct Reached {
    keys: u64,
    named: Vec<String>,
    rotating: Vec<String>,
}

async fn reached(
    rooms: &Rooms,
    algorithm: Algorithm,
    successor: Option<Algorithm>,
    now: UnixSeconds,
) -> Result<Reached> {
    let mut reached = Reached::default();
    for namespace in rooms.places.list() {
        let mut after = None;
        loop {
            let page = rooms
                .store
                .scan(namespace.id.0, Kind::Key, after, STEP)
                .await?;
            let full = page.len() == STEP;
            after = page.last().map(|record| record.id);
            for stored in page {
                let record: KeyRecord = records::decode(stored.plaintext.expose())?;
                let key = record.into_domain(stored.id, namespace.id)?;
                if !key
                    .versions
                    .iter()
                    .any(|one| could_protect(&key, one, algorithm))
                {
                    continue;
                }
                reached.keys += 1;
                if reached.named.len() < NAMED {
                    let mut rings = namespace.keyrings.iter();
                    let ring = rings.find(|(_, ring)| ring.ring.id == key.keyring);
                    let ring = ring.map_or("", |(name, _)| name.as_str());
                    let name = format!("{}/{ring}/{}", namespace.name, key.name.as_str());
                    let follows = |successor| {
                        key.algorithm == algorithm
                            && would_follow(rooms, &namespace.name, &key, successor, now)
                    };
                    if successor.is_some_and(follows) {
                        reached.rotating.push(name.clone());
                    }
                    reached.named.push(name);
                }
            }
            if !full {
                break;
            }
        }
    }
    Ok(reached)
}
