//! Requests for approval: list and read them, approve and reject them, note
//! that they have run out. How one is made and used is in [`crate::approvals`].

mod decide;
mod ended;
mod expire;
mod read;

pub use decide::NewApproval;

use skms_keys::UnixSeconds;
use skms_store::RecordId;

use crate::act::act;
use crate::approvals::approvers::counting;
use crate::approvals::facts::{Facts, Who};
use crate::approvals::request::Known;
use crate::engine::Rooms;
use crate::error::Result;
use crate::records::approval::{GivenRecord, MarkRecord, RequestState};

act!(List, ApprovalList, "Lists requests for approval.");
act!(Read, ApprovalRead, "Reads a request for approval.");
act!(Approve, ApprovalApprove, "Approves of a marked act.");
act!(Reject, ApprovalReject, "Rejects a request for approval.");
act!(
    Expire,
    ApprovalExpire,
    "Notes that a request for approval has run out."
);

/// What is told about a request for approval.
#[derive(Clone, Debug)]
pub struct View {
    /// Its identifier.
    pub id: RecordId,
    /// What is approved.
    pub facts: Facts,
    /// `pending`, `used`, `rejected` or `expired`.
    pub state: &'static str,
    /// What marked the act when it was asked for.
    pub marks: Vec<MarkView>,
    /// The approvals.
    pub given: Vec<GivenView>,
    /// When it ended.
    pub ended_at: Option<UnixSeconds>,
    /// Who used or rejected it.
    pub ended_by: Option<String>,
    /// The event of the act.
    pub event: Option<String>,
    /// Why it was rejected.
    pub why: Option<String>,
}

/// What an act was marked by.
#[derive(Clone, Debug)]
pub struct MarkView {
    /// The policy.
    pub policy: String,
    /// How many approvals it asks for.
    pub approvals: usize,
    /// Whose, as policies write them; anybody's who may approve, if empty.
    pub approvers: Vec<String>,
    /// Whether each has to be signed by its giver's own key.
    pub signed: bool,
}

/// An approval.
#[derive(Clone, Debug)]
pub struct GivenView {
    /// Who gave it.
    pub by: Who,
    /// How the log names the credential.
    pub credential: String,
    /// When.
    pub at: UnixSeconds,
    /// The last moment at which it counts.
    pub expires_at: UnixSeconds,
    /// The statement, a JWS in its compact form.
    pub statement: String,
    /// Whether the approver's own key signed it; the server's otherwise.
    pub own: bool,
    /// Why it does not count, if it does not.
    pub void: Option<String>,
}

impl View {
    /// As it stands now: what does not count any more says why.
    async fn of(rooms: &std::sync::Arc<Rooms>, known: Known) -> Result<Self> {
        let Known { id, record, .. } = known;
        let now = rooms.clock.now().0;
        let mut given = Vec::with_capacity(record.given.len());
        for one in &record.given {
            let void = match record.state {
                RequestState::Pending => {
                    let (_, why) =
                        counting(rooms, &record.facts, std::slice::from_ref(one)).await?;
                    why.into_iter().next()
                }
                _ => None,
            };
            given.push(GivenView::of(one, void));
        }
        let over = record.facts.expires_at < now;
        Ok(Self {
            id,
            state: match record.state {
                RequestState::Pending if over => "expired",
                RequestState::Pending => "pending",
                RequestState::Used => "used",
                RequestState::Rejected => "rejected",
                RequestState::Expired => "expired",
            },
            facts: record.facts,
            marks: record.marks.into_iter().map(MarkView::of).collect(),
            given,
            ended_at: record.ended_at.map(UnixSeconds),
            ended_by: record.ended_by,
            event: record.event,
            why: record.why,
        })
    }
}

impl MarkView {
    fn of(mark: MarkRecord) -> Self {
        Self {
            policy: mark.policy,
            approvals: mark.approvals,
            approvers: mark.approvers,
            signed: mark.signed,
        }
    }
}

impl GivenView {
    fn of(given: &GivenRecord, void: Option<String>) -> Self {
        Self {
            by: given.by.clone(),
            credential: given.credential.clone(),
            at: UnixSeconds(given.at),
            expires_at: UnixSeconds(given.expires_at),
            statement: given.statement.clone(),
            own: given.own,
            void,
        }
    }
}
