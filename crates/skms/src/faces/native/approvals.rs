//! Requests for approval, and approvals.

use skms_engine::acts::approvals::{GivenView, NewApproval, View};
use skms_engine::approvals::{Thing, Who};
use skms_wire::native::Page;
use skms_wire::native::approvals::{
    ApprovalGiven, ApprovalKey, ApprovalMark, ApprovalParameter, ApprovalTarget, ApprovalView,
    ApprovalWho, ApproveRequest, RejectApprovalRequest,
};

use super::{answer::Reply, call::Call, convert::moment, error::Failure, paging};

fn who(who: &Who) -> ApprovalWho {
    ApprovalWho {
        kind: who.kind.clone(),
        namespace: who.namespace.clone(),
        name: who.name.clone(),
    }
}

fn target(thing: &Thing) -> ApprovalTarget {
    ApprovalTarget {
        action: thing.action.clone(),
        kind: thing.kind.clone(),
        name: thing.name.clone(),
        id: thing.id.clone(),
        standing: thing.standing.clone(),
    }
}

fn given(given: &GivenView) -> ApprovalGiven {
    ApprovalGiven {
        by: who(&given.by),
        credential: given.credential.clone(),
        at: moment(given.at),
        expires_at: moment(given.expires_at),
        own_key: given.own,
        statement: given.statement.clone(),
        void: given.void.clone(),
    }
}

fn view(view: &View) -> ApprovalView {
    let facts = &view.facts;
    let parameters = facts.parameters.iter();
    let marks = view.marks.iter().map(|mark| ApprovalMark {
        policy: mark.policy.clone(),
        approvals: mark.approvals as u64,
        approvers: mark.approvers.clone(),
        signed: mark.signed,
    });
    let seconds = |at| moment(skms_keys::UnixSeconds(at));
    ApprovalView {
        id: facts.id.clone(),
        install: facts.install.clone(),
        namespace: facts.namespace.clone(),
        namespace_id: facts.namespace_id.clone(),
        target: target(&facts.target),
        beside: facts.beside.iter().map(target).collect(),
        operation: facts.operation.clone(),
        parameters: parameters
            .map(|(name, value)| ApprovalParameter {
                name: name.clone(),
                value: value.clone(),
            })
            .collect(),
        secrets: facts.secrets.clone(),
        requester: who(&facts.requester),
        reason: facts.reason.clone(),
        requested_at: seconds(facts.requested_at),
        expires_at: seconds(facts.expires_at),
        hash: facts
            .hash()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        words: facts.in_words(),
        state: view.state.to_owned(),
        marks: marks.collect(),
        approvals: view.given.iter().map(given).collect(),
        ended_at: view.ended_at.map(moment),
        ended_by: view.ended_by.clone(),
        event: view.event.clone(),
        why: view.why.clone(),
    }
}

/// Newest first; `after` is the last request of the page before.
pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let limit = paging::limit(&page)?;
    let all = call
        .engine()
        .list_approvals(call.caller()?, &call.namespace)
        .await?;
    let from = match &page.after {
        None => 0,
        Some(after) => {
            let mut ids = all.iter().map(|one| one.id.to_string());
            let at = ids.position(|id| id == *after);
            at.ok_or_else(paging::bad_cursor)? + 1
        }
    };
    let rest = all.get(from..).unwrap_or_default();
    let items: Vec<ApprovalView> = rest.iter().take(limit).map(view).collect();
    let next = items.last().filter(|_| rest.len() > limit);
    Reply::json(&Page {
        next: next.map(|last| last.id.clone()),
        items,
    })
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_approval(call.caller()?, &call.namespace, call.param("approval"))
        .await?;
    Reply::json(&view(&found))
}

pub async fn approve(call: Call) -> Result<Reply, Failure> {
    let request: ApproveRequest = call.json()?;
    let new = NewApproval {
        hash: request.hash,
        statement: request.statement,
        valid_seconds: request.valid_seconds,
    };
    let at = (&*call.namespace, call.param("approval"));
    let done = call.engine().approve(call.caller()?, at, new).await?;
    Reply::json(&view(&done))
}

pub async fn reject(call: Call) -> Result<Reply, Failure> {
    let request: RejectApprovalRequest = call.optional_json()?;
    let at = (&*call.namespace, call.param("approval"));
    let done = call
        .engine()
        .reject_approval(call.caller()?, at, &request.reason)
        .await?;
    Reply::json(&view(&done))
}

pub async fn key(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let key = call
        .engine()
        .approval_key(call.caller()?, &call.namespace)
        .await?;
    Reply::json(&ApprovalKey {
        public_key: String::from_utf8(key.pem)
            .map_err(|_| Failure::internal("a PEM that is no text"))?,
        fingerprint: key.fingerprint,
    })
}
