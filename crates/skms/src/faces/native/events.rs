//! The record of what was done.

use skms_engine::EventFilter;
use skms_engine::acts::events::{MAX_LOOKED_AT, Recorded};
use skms_evidence::{DetailValue, Outcome, Target, Text};
use skms_wire::{
    Moment,
    native::{
        Page,
        events::{EventQuery, EventView, TargetView},
        page::PageQuery,
        terms,
    },
};

use super::{answer::Reply, call::Call, error::Failure, paging};

/// A page of events in their order. `after` is an event's sequence number:
/// the page begins behind it, so whoever keeps the last one they saw can go
/// on from there when there are new ones.
pub async fn list(call: Call) -> Result<Reply, Failure> {
    let query: EventQuery = call.query()?;
    let page = PageQuery {
        limit: query.limit,
        after: None,
    };
    let limit = paging::limit(&page)?;
    let from = match place(query.after.as_deref())? {
        None => 0,
        Some(after) => after.checked_add(1).ok_or_else(no_place)?,
    };
    let filter = filter(&query)?;
    let (found, on) = call
        .engine()
        .select_events(call.caller()?, &call.namespace, from, limit, &filter)
        .await?;
    // Less than a page that stopped short of looking further is the end. That
    // there is an event behind it says nothing: reading leaves one itself.
    let looked_at = usize::try_from(on.saturating_sub(from)).unwrap_or(usize::MAX);
    let more = found.len() == limit || looked_at >= MAX_LOOKED_AT;
    Reply::json(&Page {
        next: (more && on > from).then(|| (on - 1).to_string()),
        items: found.iter().map(view).collect(),
    })
}

/// A place in the record, as a caller writes it.
pub(super) fn place(text: Option<&str>) -> Result<Option<u64>, Failure> {
    let place = text.map(str::parse::<u64>).transpose();
    place.map_err(|_| no_place())
}

/// What `after` should have been.
pub(super) fn no_place() -> Failure {
    Failure::invalid(
        "after is no place in the record: it is an event's sequence number, or the id of one in the stream",
    )
}

/// Which events a query asks for.
pub(super) fn filter(query: &EventQuery) -> Result<EventFilter, Failure> {
    Ok(EventFilter::asked_for(
        &EventQuery::members(query.action.as_deref()),
        &EventQuery::members(query.outcome.as_deref()),
        &EventQuery::members(query.target.as_deref()),
    )?)
}

/// An event as it is shown, on one line: JSON has no line breaks but escaped
/// ones.
pub fn json(recorded: &Recorded) -> String {
    serde_json::to_string(&view(recorded)).unwrap_or_default()
}

/// An event as it is shown.
pub fn view(recorded: &Recorded) -> EventView {
    let event = &recorded.event;
    let (outcome, reason) = match &event.outcome {
        Outcome::Success => (terms::Outcome::Success, None),
        Outcome::Denied { reason } => (terms::Outcome::Denied, Some(reason)),
        Outcome::Failed { reason } => (terms::Outcome::Failed, Some(reason)),
    };
    EventView {
        sequence: recorded.sequence,
        id: event.id.to_string(),
        at: Moment::from_unix_ms(event.at_millis),
        namespace: event.namespace.as_ref().map(Text::to_string),
        principal: event.principal.to_string(),
        authentication: event.authentication.to_string(),
        source: event.source.map(|source| source.to_string()),
        action: event.action.to_string(),
        targets: event.targets.iter().map(target).collect(),
        outcome,
        reason: reason.map(Text::to_string),
        request_id: event.request_id.to_string(),
        items: event.items,
        details: event
            .details
            .iter()
            .map(|(key, value)| (key.name().to_owned(), detail(value)))
            .collect(),
    }
}

fn target(target: &Target) -> TargetView {
    let told = |text: &Text| Some(text.to_string()).filter(|text| !text.is_empty());
    TargetView {
        kind: target.kind.to_string(),
        id: told(&target.id),
        name: told(&target.name),
        version: target.version,
    }
}

fn detail(value: &DetailValue) -> String {
    match value {
        DetailValue::Text(text) => text.to_string(),
        DetailValue::Number(number) => number.to_string(),
        DetailValue::Flag(flag) => flag.to_string(),
    }
}
