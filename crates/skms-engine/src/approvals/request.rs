//! What the gate does where it meets a mark: a request is recorded, or one that
//! was approved is claimed.

use std::sync::Arc;

use skms_crypto::rand;
use skms_evidence::DetailKey;
use skms_policy::{Action, Context, Decision, Mark, Principal, PrincipalKind, ROOT_NAMESPACE};
use skms_store::{Kind, RecordId};

use super::approvers::{counting, who};
use super::asked::Asked;
use super::facts::{Facts, Thing};
use super::pending::PendingRequest;
use super::{Aim, Claim, put};
use crate::act::{Act, act};
use crate::draft::EventDraft;
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::places::{Namespace, SYSTEM_SCOPE};
use crate::records;
use crate::records::approval::{ApprovalRecord, MarkRecord, RequestState};
use crate::sessions::hex;
use crate::target::{Target, TargetKind};

act!(
    Request,
    ApprovalRequest,
    "Asks for approval of an act that a policy marks."
);

/// What this call wants to do, and by which way it came.
struct Marked<'a> {
    action: Action,
    aim: &'a Aim,
    thing: Thing,
}

/// A stored request.
pub(crate) struct Known {
    pub(crate) id: RecordId,
    pub(crate) revision: u64,
    pub(crate) record: ApprovalRecord,
}

/// The request with this identifier.
pub(crate) async fn load(rooms: &Rooms, id: RecordId) -> Result<Option<Known>> {
    let found = rooms.store.get(SYSTEM_SCOPE, Kind::Approval, id).await?;
    let Some(stored) = found else {
        return Ok(None);
    };
    Ok(Some(Known {
        id,
        revision: stored.revision,
        record: records::decode(stored.plaintext.expose())?,
    }))
}

impl Entry {
    /// Lets a marked act pass if its approvals are there.
    ///
    /// # Errors
    /// [`Error::ApprovalRequired`] with the request's identifier, for whoever
    /// calls by a way that can ask; [`Error::ApprovalRefused`] for approvals that
    /// do not count.
    pub(crate) async fn approved<A: Act>(&self, decision: &Decision, aim: &Aim) -> Result<()> {
        let marked = Marked {
            action: A::ACTION,
            aim,
            thing: aim.thing(A::ACTION),
        };
        if self.claims.covers(&marked.thing) {
            return Ok(());
        }
        let outcome = self.ask_or_claim(decision, &marked).await;
        if let Err(refused @ Error::ApprovalRefused(_)) = &outcome {
            let event = EventDraft::refused::<A>(self, &aim.target(), &refused.to_string())?;
            let event = match self.caller.calling.asked.as_ref() {
                Some(asked) if !asked.approvals.is_empty() => {
                    let ids: Vec<_> = asked.approvals.iter().map(RecordId::to_string).collect();
                    event.detail(DetailKey::Approval, ids.join(" "))
                }
                _ => event,
            };
            self.record(event).await?;
        }
        outcome
    }

    async fn ask_or_claim(&self, decision: &Decision, marked: &Marked<'_>) -> Result<()> {
        let Some(asked) = self.caller.calling.asked.clone() else {
            return Err(Error::ApprovalRefused(format!(
                "{} on {} waits for approval, which this way of calling cannot ask for: \
                 use the native interface",
                marked.action, marked.thing.name
            )));
        };
        asked.check()?;
        let home = self.home(marked.action, marked.aim)?;
        let facts = self.facts(&asked, marked, &home);
        let mut named = asked.approvals.iter().copied();
        if named.all(|id| self.claims.has(id)) {
            return Err(self
                .ask_approval(&asked, facts, decision, &marked.aim.target())
                .await?);
        }
        self.claim(&asked, facts, decision, marked).await
    }

    /// The namespace whose approvers an act is for. What is done to a namespace
    /// itself is for the root's: it may not be there before or after.
    fn home(&self, action: Action, aim: &Aim) -> Result<Arc<Namespace>> {
        let target = aim.target();
        let above = matches!(target.kind, TargetKind::System)
            || matches!(action, Action::NamespaceCreate | Action::NamespaceDelete);
        let places = &self.rooms.places;
        let own = (!above)
            .then(|| places.namespace(&target.namespace))
            .flatten();
        own.or_else(|| places.namespace(ROOT_NAMESPACE))
            .ok_or(Error::NotFound { what: "namespace" })
    }

    /// What this call would be approved for; the parts that only a request has
    /// are empty.
    fn facts(&self, asked: &Asked, marked: &Marked<'_>, home: &Namespace) -> Facts {
        Facts {
            id: String::new(),
            install: hex(&self.rooms.store.install()),
            namespace: home.name.clone(),
            namespace_id: RecordId(home.id.0).to_string(),
            target: marked.thing.clone(),
            beside: self.claims.reached(),
            operation: asked.operation.clone(),
            parameters: asked.parameters.clone(),
            secrets: None,
            requester: who(&self.caller.session.principal),
            reason: None,
            requested_at: 0,
            expires_at: 0,
        }
    }

    /// Makes a request on behalf of a principal that is to do something later,
    /// or of a part of the server that is let do it by the last approval: as if
    /// `requester` had made the call that `asked` says. Gives its identifier;
    /// nothing where no policy marks the act. Earlier requests of this requester
    /// for this act on this thing end by it, unless they are the same.
    ///
    /// Marks whose `principal` names a group do not match here: which groups
    /// a requester will have is not known.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`] where too many wait; what the store refuses.
    pub(crate) async fn prepare(
        &self,
        requester: &Arc<Principal>,
        (action, aim): (Action, &Aim),
        asked: &Asked,
    ) -> Result<Option<String>> {
        let target = aim.target();
        let marks = self.marks_on(requester, action, &target)?;
        if marks.is_empty() {
            return Ok(None);
        }
        let marked = Marked {
            action,
            aim,
            thing: aim.thing(action),
        };
        let home = self.home(action, aim)?;
        let facts = Facts {
            beside: Vec::new(),
            requester: who(requester),
            ..self.facts(asked, &marked, &home)
        };
        let draft = EventDraft::for_request::<Request>(self, &target)?;
        let instead = facts.target.id.clone();
        let (id, _) = request(&self.rooms, draft, asked, (facts, instead), &marks).await?;
        Ok(Some(id))
    }

    /// What marks an act of somebody who is not calling.
    pub(crate) fn marks_on(
        &self,
        requester: &Arc<Principal>,
        action: Action,
        target: &Target,
    ) -> Result<Vec<Arc<Mark>>> {
        let context = Context {
            now_unix: self.now().0,
            source_ip: None,
            tls: true,
            certificate: requester.kind() == PrincipalKind::Certificate,
        };
        let policies = self.rooms.policies.load();
        if !policies.may_mark(action) {
            return Ok(Vec::new());
        }
        let marks = policies.marks(&skms_policy::Request {
            principal: requester,
            action,
            resource: &target.resource(),
            context: &context,
        });
        marks.map_err(|_| Error::Internal("an act that policy cannot be asked about"))
    }

    /// Records a request, unless an equal one waits already.
    async fn ask_approval(
        &self,
        asked: &Asked,
        facts: Facts,
        decision: &Decision,
        target: &Target,
    ) -> Result<Error> {
        if self.is_forbidden::<Request>(&Target::namespace(&facts.namespace)) {
            return Ok(Error::ApprovalRefused(
                "a policy forbids to ask for approval".into(),
            ));
        }
        let draft = EventDraft::for_request::<Request>(self, target)?;
        let (id, told) = request(&self.rooms, draft, asked, (facts, None), &decision.marks).await?;
        Ok(Error::ApprovalRequired { id, told })
    }

    async fn claim(
        &self,
        asked: &Asked,
        facts: Facts,
        decision: &Decision,
        marked: &Marked<'_>,
    ) -> Result<()> {
        let refused = |id: RecordId, why: &str| {
            Err(Error::ApprovalRefused(format!("the approval {id}: {why}")))
        };
        let mut first = None;
        for id in &asked.approvals {
            if self.claims.has(*id) {
                continue;
            }
            let held = match self.rooms.approvals.hold(*id) {
                Ok(held) => held,
                Err(_) => return refused(*id, "another call is using it right now"),
            };
            let Some(known) = load(&self.rooms, *id).await? else {
                first.get_or_insert((*id, "there is none of that name".to_owned()));
                continue;
            };
            let this = for_request(facts.clone(), &known.record, asked);
            // First how it stands, for whom it is: a request that was used is
            // about something that has changed since.
            let record = &known.record;
            if record.facts.requester == this.requester
                && let Some(why) = over(record, self.now().0)
            {
                return refused(*id, why);
            }
            if this.hash() != record.facts.hash() {
                first.get_or_insert((*id, record.facts.difference(&this)));
                continue;
            }
            let (counting, others) = counting(&self.rooms, &this, &known.record.given).await?;
            if let Some(told) = lacking(&decision.marks, &counting, &others) {
                return Err(Error::ApprovalRequired {
                    id: id.to_string(),
                    told,
                });
            }
            self.claims.put(Claim {
                held,
                revision: known.revision,
                record: known.record,
                approvers: counting.into_iter().map(|one| one.who).collect(),
                key: marked.aim.key(),
                spent: false,
            });
            return Ok(());
        }
        match first {
            Some((id, why)) => refused(id, &why),
            None => Err(Error::Internal("an approval that was claimed twice")),
        }
    }
}

/// Why a request waits no more, if it does not.
pub(crate) fn over(record: &ApprovalRecord, now: i64) -> Option<&'static str> {
    match record.state {
        RequestState::Pending if record.facts.expires_at < now => Some("it has expired"),
        RequestState::Pending => None,
        RequestState::Used => Some("it was used"),
        RequestState::Rejected => Some("it was rejected"),
        RequestState::Expired => Some("it has expired"),
    }
}

/// The call's facts with what only the request says.
fn for_request(facts: Facts, record: &ApprovalRecord, asked: &Asked) -> Facts {
    let salt = salt_of(record);
    let known = &record.facts;
    Facts {
        id: known.id.clone(),
        secrets: asked.secrets(&salt).map(|digest| hex(&digest)),
        reason: known.reason.clone(),
        requested_at: known.requested_at,
        expires_at: known.expires_at,
        ..facts
    }
}

fn salt_of(record: &ApprovalRecord) -> [u8; 32] {
    let bytes = records::unhex(&record.salt).and_then(|bytes| bytes.try_into().ok());
    bytes.unwrap_or_default()
}

/// What is lacking, in words, if anything is.
pub(crate) fn lacking(
    marks: &[Arc<Mark>],
    counting: &[super::approvers::Counting],
    others: &[String],
) -> Option<String> {
    let lacks = marks.iter().filter_map(|mark| {
        let have = counting.iter().filter(|one| one.fulfils(mark)).count();
        (have < mark.approvals()).then(|| {
            let signed = if mark.signed() { " signed" } else { "" };
            format!(
                "{have} of {}{signed} approvals for {}",
                mark.approvals(),
                mark.policy()
            )
        })
    });
    let mut all: Vec<String> = lacks.collect();
    if all.is_empty() {
        return None;
    }
    all.extend(others.iter().map(|why| format!("not counted: {why}")));
    Some(all.join("; "))
}

/// Records a request for an act of `facts`, unless an equal one waits already;
/// gives its identifier, and what it lacks. `draft` is its event. Other requests
/// of the same requester about the thing with the identifier `instead` end by it.
pub(crate) async fn request(
    rooms: &Arc<Rooms>,
    draft: EventDraft,
    asked: &Asked,
    (facts, instead): (Facts, Option<String>),
    marks: &[Arc<Mark>],
) -> Result<(String, String)> {
    let now = rooms.clock.now().0;
    // What makes two requests the same: neither when nor why they were made.
    let mut same = facts.clone();
    same.secrets = asked.secrets(&[0; 32]).map(|digest| hex(&digest));
    let subject = hex(&same.hash());
    let (approvals, pending) = (&rooms.approvals, &rooms.approvals.pending);
    let changing = approvals.changing.lock().await;
    pending.read(&rooms.store).await?;
    let found = rooms.store.find(SYSTEM_SCOPE, Kind::Approval, &subject);
    let (mut changes, mut ended) = (Vec::new(), Vec::new());
    if let Some(stored) = found.await? {
        let mut record: ApprovalRecord = records::decode(stored.plaintext.expose())?;
        if record.facts.expires_at >= now {
            let (counting, others) = counting(rooms, &record.facts, &record.given).await?;
            let mut told = lacking(marks, &counting, &others)
                .unwrap_or_else(|| "it is approved: name it in the call".to_owned());
            if asked.reason.is_some() && asked.reason != record.facts.reason {
                told.push_str("; the reason given now is not taken: it was asked for before");
            }
            return Ok((stored.id.to_string(), told));
        }
        record.state = RequestState::Expired;
        record.ended_at = Some(now);
        changes.push(put(stored.id, Some(stored.revision), &record)?);
        ended.push(stored.id);
    }
    if let Some(instead) = &instead {
        for id in pending.about(&facts.requester, &facts.target.action, instead) {
            let known = load(rooms, id).await?;
            let Some(known) = known.filter(|known| over(&known.record, now).is_none()) else {
                continue;
            };
            let record = ApprovalRecord {
                state: RequestState::Expired,
                ended_at: Some(now),
                why: Some("it is asked for anew".to_owned()),
                ..known.record
            };
            changes.push(put(id, Some(known.revision), &record)?);
            ended.push(id);
        }
    }
    let salt: [u8; 32] = rand::array()?;
    let id = RecordId::at(rooms.clock.now_ms())?;
    let valid = marks.iter().map(|mark| mark.valid_seconds()).min();
    let facts = Facts {
        id: id.to_string(),
        secrets: asked.secrets(&salt).map(|digest| hex(&digest)),
        reason: asked.reason.clone(),
        requested_at: now,
        expires_at: now.saturating_add(valid.unwrap_or(skms_policy::DEFAULT_VALID_SECONDS)),
        ..facts
    };
    let event = draft
        .detail(DetailKey::Approval, id.to_string())
        .detail(DetailKey::ApprovalHash, hex(&facts.hash()))
        .detail(DetailKey::ApprovedAction, facts.target.action.as_str());
    let event = match &facts.reason {
        Some(reason) => event.detail(DetailKey::Reason, reason.as_str()),
        None => event,
    };
    let record = ApprovalRecord {
        facts,
        salt: hex(&salt),
        subject,
        marks: marks.iter().map(|mark| shown(mark)).collect(),
        given: Vec::new(),
        state: RequestState::Pending,
        ended_at: None,
        ended_by: None,
        event: None,
        why: None,
    };
    let new = put(id, None, &record)?;
    let waits = PendingRequest::of(&record, &new);
    changes.push(new);
    pending.room(&waits, &ended, now)?;
    // Before the commit: also one that is not waited for to its end counts.
    pending.add(id, waits);
    let committed = rooms
        .recorder
        .commit(changes, &event.finish(), false)
        .await?;
    ended.into_iter().for_each(|id| pending.remove(id));
    drop(changing);
    rooms.recorder.settle(committed).await?;
    let told = lacking(marks, &[], &[]).unwrap_or_default();
    Ok((id.to_string(), told))
}

fn shown(mark: &Mark) -> MarkRecord {
    MarkRecord {
        policy: mark.policy().to_string(),
        approvals: mark.approvals(),
        approvers: mark.approvers().iter().map(|one| one.text()).collect(),
        signed: mark.signed(),
    }
}
