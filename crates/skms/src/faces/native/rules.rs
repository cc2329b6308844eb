//! Automatic rules, verdicts, and suspended principals.

use skms_engine::acts::rules::{ActView, NewRule, Trial, View};
use skms_engine::acts::suspension;
use skms_engine::acts::verdicts::{NewVerdict, Subject};
use skms_evidence::EventId;
use skms_keys::UnixSeconds;
use skms_wire::native::Page;
use skms_wire::native::rules::{
    PutRuleRequest, ReleaseRuleRequest, ReleasedRule, RuleActView, RuleTrial, RuleTrialItem,
    RuleView, SubmitVerdictRequest, SuspendPrincipalRequest, SuspendedPrincipalView,
    TestRuleRequest, VerdictView, WrittenRule,
};

use super::{answer::Reply, call::Call, convert::moment, error::Failure, paging};

fn view(view: &View, with_text: bool) -> RuleView {
    RuleView {
        name: view.name.clone(),
        rule: with_text.then(|| view.text.clone()),
        triggers: view
            .triggers
            .iter()
            .map(|trigger| trigger.name().to_owned())
            .collect(),
        answer: view.answer.to_owned(),
        enabled: view.enabled,
        dry_run: view.dry_run,
        edition: view.edition,
        limit: view.limit.clone(),
        held: view.held as u64,
        created_at: moment(view.created_at),
        updated_at: moment(view.updated_at),
        written_by: view.written_by.clone(),
        doubts: view.doubts.clone(),
    }
}

fn trial(trial: &Trial) -> RuleTrial {
    let some = trial.some.iter().map(|one| RuleTrialItem {
        name: one.name.clone(),
        matched: one.matched.clone(),
        kept_off: one.kept_off.clone(),
    });
    RuleTrial {
        would_touch: trial.would_touch,
        would_reach: trial.would_reach,
        keys: trial.keys,
        limit: trial.limit.clone(),
        would_hold: trial.would_hold,
        events_matched: trial.events.0,
        events_looked_at: trial.events.1,
        some: some.collect(),
        events_behind: trial.behind,
        doubts: trial.doubts.clone(),
    }
}

fn act(view: &ActView) -> RuleActView {
    let key = view.key.as_ref();
    let principal = view.principal.as_ref();
    RuleActView {
        id: view.id.to_string(),
        rule: view.rule.clone(),
        edition: view.edition,
        answer: view.answer.clone(),
        reason: view.reason.clone(),
        incident: view.incident.clone(),
        keyring: key.map(|(keyring, _)| keyring.clone()),
        key: key.map(|(_, name)| name.clone()),
        principal: principal.map(|(namespace, name)| format!("{namespace}/{name}")),
        trigger: view.trigger.clone(),
        trigger_id: view.trigger_id.clone(),
        matched: view.matched.clone(),
        at: moment(view.at),
        state: view.state.to_owned(),
        why: view.why.clone(),
        undone_by: view.undone_by.clone(),
    }
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let all = call
        .engine()
        .list_rules(call.caller()?, &call.namespace)
        .await?;
    let items = all.iter().map(|rule| view(rule, false)).collect();
    Reply::json(&paging::sorted(items, &page, |item: &RuleView| &item.name)?)
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_rule(call.caller()?, &call.namespace, call.param("rule"))
        .await?;
    Reply::json(&view(&found, true))
}

pub async fn write(call: Call) -> Result<Reply, Failure> {
    let request: PutRuleRequest = call.json()?;
    let new = NewRule {
        text: request.rule,
        enabled: request.enabled,
        dry_run: request.dry_run,
    };
    let at = (&*call.namespace, call.param("rule"));
    let (written, tried) = call.engine().write_rule(call.caller()?, at, new).await?;
    Reply::json(&WrittenRule {
        rule: view(&written, true),
        trial: trial(&tried),
    })
}

pub async fn delete(call: Call) -> Result<Reply, Failure> {
    call.engine()
        .delete_rule(call.caller()?, &call.namespace, call.param("rule"))
        .await?;
    Ok(Reply::Empty)
}

pub async fn test(call: Call) -> Result<Reply, Failure> {
    let request: TestRuleRequest = call.json()?;
    let at = (&*call.namespace, request.name.as_str());
    let tried = call
        .engine()
        .test_rule(call.caller()?, at, &request.rule)
        .await?;
    Reply::json(&trial(&tried))
}

pub async fn release(call: Call) -> Result<Reply, Failure> {
    let request: ReleaseRuleRequest = call.optional_json()?;
    let at = (&*call.namespace, call.param("rule"));
    let released = call
        .engine()
        .release_rule(call.caller()?, at, request.discard)
        .await?;
    Reply::json(&ReleasedRule {
        acts: released.acts as u64,
        done: released.done as u64,
    })
}

/// Newest first; `after` is the last act of the page before.
pub async fn acts(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let limit = paging::limit(&page)?;
    let all = call
        .engine()
        .list_rule_acts(call.caller()?, &call.namespace)
        .await?;
    let from = match &page.after {
        None => 0,
        Some(after) => {
            let mut ids = all.iter().map(|act| act.id.to_string());
            let at = ids.position(|id| id == *after);
            at.ok_or_else(paging::bad_cursor)? + 1
        }
    };
    let rest = all.get(from..).unwrap_or_default();
    let items: Vec<RuleActView> = rest.iter().take(limit).map(act).collect();
    let next = items.last().filter(|_| rest.len() > limit);
    Reply::json(&Page {
        next: next.map(|last| last.id.clone()),
        items,
    })
}

pub async fn undo(call: Call) -> Result<Reply, Failure> {
    let undone = call
        .engine()
        .undo_rule_act(call.caller()?, &call.namespace, call.param("act"))
        .await?;
    Reply::json(&act(&undone))
}

pub async fn verdict(call: Call) -> Result<Reply, Failure> {
    let request: SubmitVerdictRequest = call.json()?;
    let subject = match (request.principal, request.key) {
        (Some(name), None) => Subject::Principal(name),
        (None, Some(name)) => Subject::Key {
            keyring: request.keyring,
            name,
        },
        _ => {
            return Err(Failure::invalid(
                "a verdict is about a principal or a key: name one of them",
            ));
        }
    };
    let evidence = request.evidence.iter().map(|id| {
        let plain = id.replace('-', "");
        plain
            .parse::<EventId>()
            .map_err(|_| Failure::invalid("evidence is a list of events' identifiers"))
    });
    let verdict = NewVerdict {
        subject,
        score: request.score,
        reason: request.reason,
        evidence: evidence.collect::<Result<_, _>>()?,
        expires_at: request
            .expires_at
            .map(|end| UnixSeconds(end.unix_seconds())),
    };
    let answered = call
        .engine()
        .submit_verdict(call.caller()?, &call.namespace, verdict)
        .await?;
    Reply::json(&VerdictView {
        id: answered.id.to_string(),
        acts: answered.acts.iter().map(act).collect(),
    })
}

fn suspended(view: &suspension::View) -> SuspendedPrincipalView {
    SuspendedPrincipalView {
        name: view.name.clone(),
        at: moment(view.at),
        by: view.by.clone(),
        reason: view.reason.clone(),
        exists: view.exists,
    }
}

pub async fn suspend_principal(call: Call) -> Result<Reply, Failure> {
    let request: SuspendPrincipalRequest = call.optional_json()?;
    let at = (&*call.namespace, call.param("principal"));
    let done = call
        .engine()
        .suspend_principal(call.caller()?, at, (&request.reason, request.force))
        .await?;
    Reply::json(&suspended(&done))
}

pub async fn resume_principal(call: Call) -> Result<Reply, Failure> {
    let at = (&*call.namespace, call.param("principal"));
    call.engine().resume_principal(call.caller()?, at).await?;
    Ok(Reply::Empty)
}

pub async fn suspended_principals(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let all = call
        .engine()
        .list_suspended(call.caller()?, &call.namespace)
        .await?;
    let items = all.iter().map(suspended).collect();
    Reply::json(&paging::sorted(
        items,
        &page,
        |item: &SuspendedPrincipalView| &item.name,
    )?)
}
