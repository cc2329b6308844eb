//! Approves and rejects.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_policy::PrincipalKind;

use super::{Approve, Reject, View};
use crate::approvals::approvers::{Counting, counting, who};
use crate::approvals::facts::Facts;
use crate::approvals::put;
use crate::approvals::request::{Known, load, over};
use crate::approvals::statement::{Statement, open_own};
use crate::caller::{Authentication, Caller};
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records;
use crate::records::approval::{ApprovalRecord, GivenRecord, RequestState};
use crate::records::der::Der;
use crate::sessions;
use crate::signing::{self, Said};
use crate::target::Target;

/// The most approvals of one request.
const GIVEN_MAX: usize = 64;
/// How far a signed statement's time may be from the server's.
const SKEW_SECONDS: i64 = 300;
/// The longest reason of a rejection, in characters.
const WHY_MAX: usize = 500;

/// An approval that somebody gives.
#[derive(Clone, Debug, Default)]
pub struct NewApproval {
    /// The hash of what the approver was shown, in hexadecimal: an approval of
    /// anything else is refused.
    pub hash: String,
    /// The statement that the approver signed, if it did.
    pub statement: Option<String>,
    /// How long the approval counts; as long as the request stands by default.
    pub valid_seconds: Option<u64>,
}

impl Engine {
    /// Approves of a request.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::ApprovalRefused`] for a request that waits
    /// no more, for one's own, for a hash or statement that is not this
    /// request's, and for whom no mark accepts; [`Error::Exists`] for a second
    /// approval of one principal.
    pub async fn approve(
        &self,
        caller: &Arc<Caller>,
        (namespace, id): (&str, &str),
        new: NewApproval,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Approve>(Target::namespace(namespace))
            .await?;
        let changing = entry.rooms.approvals.changing.lock().await;
        let known = entry.known(&allowed, namespace, id).await?;
        let given = entry.given(&known, &new).await;
        let given = entry.failed(&allowed, given).await?;
        let event = entry
            .about(
                EventDraft::of(&entry, &allowed, Outcome::Success)?,
                &known.record,
            )
            .detail(
                DetailKey::Scheme,
                if given.own { "own key" } else { "server" },
            );
        let mut record = known.record;
        record.given.retain(|one| !one.by.is(&given.by));
        record.given.push(given);
        let change = put(known.id, Some(known.revision), &record)?;
        let committed = (entry.rooms.recorder)
            .commit(vec![change], &event.finish(), false)
            .await?;
        drop(changing);
        entry.rooms.recorder.settle(committed).await?;
        // What a rule asked for by itself is done by the last approval. That it
        // could not be is no fault of the approval: housekeeping tries again.
        if record.facts.requester.kind == PrincipalKind::System.name()
            && let Err(error) = self.release_if_approved(known.id).await
        {
            self.note_trouble(&error);
        }
        entry.view(known.id).await
    }

    /// Rejects a request: nothing is done by it any more.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::ApprovalRefused`] for one that waits no
    /// more; [`Error::Invalid`] for a reason that is too long.
    pub async fn reject_approval(
        &self,
        caller: &Arc<Caller>,
        (namespace, id): (&str, &str),
        why: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Reject>(Target::namespace(namespace))
            .await?;
        let changing = entry.rooms.approvals.changing.lock().await;
        let known = entry.known(&allowed, namespace, id).await?;
        let fit = match why.chars().count() <= WHY_MAX && !why.chars().any(char::is_control) {
            true => waits(&known.record, entry.now().0),
            false => Err(Error::Invalid(format!(
                "a reason has at most {WHY_MAX} characters and no control characters"
            ))),
        };
        entry.failed(&allowed, fit).await?;
        let event = entry.about(
            EventDraft::of(&entry, &allowed, Outcome::Success)?,
            &known.record,
        );
        let event = match why {
            "" => event,
            why => event.detail(DetailKey::Reason, why),
        };
        let record = ApprovalRecord {
            state: RequestState::Rejected,
            ended_at: Some(entry.now().0),
            ended_by: Some(who(&entry.caller.session.principal).path()),
            why: Some(why.to_owned()).filter(|why| !why.is_empty()),
            ..known.record
        };
        let change = put(known.id, Some(known.revision), &record)?;
        let committed = (entry.rooms.recorder)
            .commit(vec![change], &event.finish(), false)
            .await?;
        entry.rooms.approvals.pending.remove(known.id);
        drop(changing);
        entry.rooms.recorder.settle(committed).await?;
        entry.view(known.id).await
    }
}

/// Whether a request still waits.
fn waits(record: &ApprovalRecord, now: i64) -> Result<()> {
    match over(record, now) {
        None => Ok(()),
        Some(why) => Err(Error::ApprovalRefused(why.to_owned())),
    }
}

impl Entry {
    /// The approval that the caller gives, checked.
    async fn given(&self, known: &Known, new: &NewApproval) -> Result<GivenRecord> {
        let refused = |why: &str| Err(Error::ApprovalRefused(why.to_owned()));
        let (facts, now) = (&known.record.facts, self.now().0);
        waits(&known.record, now)?;
        let principal = &self.caller.session.principal;
        let by = who(principal);
        if by.is(&facts.requester) {
            return refused("nobody approves of what they asked for themselves");
        }
        let mut others = known.record.given.iter();
        if others.any(|one| one.by.is(&by) && one.expires_at >= now) {
            return Err(Error::Exists {
                what: "your approval of this request",
            });
        }
        if known.record.given.len() >= GIVEN_MAX {
            return Err(Error::TooLarge {
                what: "the number of approvals of a request",
                limit: GIVEN_MAX as u64,
            });
        }
        let shown = records::unhex(&new.hash);
        if shown.as_deref() != Some(&facts.hash()) {
            return refused("the hash is not that of the request: look at it again");
        }
        let (token, chain) = match &self.caller.session.authentication {
            Authentication::Token { id } => (Some(id.clone()), Vec::new()),
            Authentication::Certificate { .. } => (None, self.caller.calling.shown.clone()),
            _ => return refused("approvals are given by token or certificate"),
        };
        let own = new.statement.is_some();
        let (by, statement, chain, expires_at) = match &new.statement {
            Some(signed) => {
                let (statement, chain) = open_own(signed)?;
                self.is_own(&statement, &chain, facts).await?;
                // As whom the certificate that signed is known, whatever it was
                // sent by.
                let by = statement.approver;
                (by, signed.trim().to_owned(), chain, statement.expires_at)
            }
            None => {
                let valid = new.valid_seconds.and_then(|all| i64::try_from(all).ok());
                let ends = valid.map_or(facts.expires_at, |valid| now.saturating_add(valid));
                let ends = ends.min(facts.expires_at);
                let statement = Statement::new(facts, by.clone(), (now, ends));
                let bytes = statement.bytes()?;
                let signed = signing::sign(&self.rooms, Said::Approval, &bytes).await?;
                (by, signed, chain, ends)
            }
        };
        if token.is_none() && chain.is_empty() {
            return refused("the certificate that you came by is not known here");
        }
        let given = GivenRecord {
            by,
            credential: self.caller.session.label().to_owned(),
            // Who signs stands for it by that certificate alone.
            token: token.filter(|_| !own),
            chain: chain.into_iter().map(Der).collect(),
            source: self.caller.source,
            tls: self.caller.tls,
            at: now,
            expires_at,
            statement,
            own,
        };
        self.is_wanted(known, &given).await?;
        Ok(given)
    }

    /// Whether the caller signed a statement, and it says what it has to.
    async fn is_own(&self, statement: &Statement, chain: &[Vec<u8>], facts: &Facts) -> Result<()> {
        let refused = |why: &str| Err(Error::ApprovalRefused(why.to_owned()));
        statement.is_for(facts)?;
        let (now, principal) = (self.now().0, &self.caller.session.principal);
        let by = who(principal);
        if !statement.approver.is(&by) {
            return refused("somebody else signed it");
        }
        let session =
            match sessions::by_certificate(&self.rooms, chain, principal.namespace()).await {
                Ok(session) => session,
                Err(
                    Error::Unauthenticated
                    | Error::PrincipalSuspended { .. }
                    | Error::CertificateRefused { .. },
                ) => {
                    return refused("the certificate that signed it is no principal's");
                }
                Err(error) => return Err(error),
            };
        if who(&session.principal) != statement.approver {
            return refused("another principal's certificate signed it");
        }
        if (statement.approved_at - now).abs() > SKEW_SECONDS {
            return refused("its time is not now: compare the clocks");
        }
        if statement.expires_at < now || statement.expires_at > facts.expires_at {
            return refused("it does not end between now and the end of the request");
        }
        Ok(())
    }

    /// Whether the approval counts for any of the marks now.
    async fn is_wanted(&self, known: &Known, given: &GivenRecord) -> Result<()> {
        let facts = &known.record.facts;
        let given = std::slice::from_ref(given);
        let (counting, why) = counting(&self.rooms, facts, given).await?;
        if let Some(why) = why.into_iter().next() {
            return Err(Error::ApprovalRefused(why));
        }
        let marks = &known.record.marks;
        let wanted = |one: &Counting| marks.iter().any(|mark| one.fulfils_known(mark));
        match counting.iter().any(wanted) {
            true => Ok(()),
            false if marks.iter().all(|mark| mark.signed) && !given.iter().any(|one| one.own) => {
                Err(Error::ApprovalRefused(
                    "it has to be signed by the approver's own certified key".into(),
                ))
            }
            false => Err(Error::ApprovalRefused(
                "no mark of the act accepts you as an approver".into(),
            )),
        }
    }

    /// What the events about a request say.
    fn about(&self, event: EventDraft, record: &ApprovalRecord) -> EventDraft {
        let facts = &record.facts;
        event
            .detail(DetailKey::Approval, facts.id.as_str())
            .detail(DetailKey::ApprovalHash, sessions::hex(&facts.hash()))
            .detail(DetailKey::ApprovedAction, facts.target.action.as_str())
    }

    async fn view(&self, id: skms_store::RecordId) -> Result<View> {
        let known = load(&self.rooms, id).await?;
        let known = known.ok_or(Error::NotFound {
            what: "request for approval",
        })?;
        View::of(&self.rooms, known).await
    }
}
