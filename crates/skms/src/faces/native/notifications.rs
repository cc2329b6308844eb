//! Where notifications go, and those that were given up.

use skms_engine::EventFilter;
use skms_engine::acts::notifications::{
    Changes, DeadLetter, Letters, Made, NewChannel, Standing, View, Way,
};
use skms_store::RecordId;
use skms_wire::SecretText;
use skms_wire::native::{
    Page,
    notifications::{
        ChannelSecretResponse, ChannelTested, ChannelView, CreateChannelRequest, DeadLetterView,
        DeadLettersDone, DeadLettersRequest, RotateChannelSecretRequest, UpdateChannelRequest,
    },
};

use super::{answer::Reply, call::Call, convert::moment, error::Failure, paging};

fn view(view: View, namespace: &str) -> ChannelView {
    let (kind, url, to) = match view.way {
        Way::Webhook { url } => ("webhook", Some(url), Vec::new()),
        Way::Email { to } => ("email", None, to),
    };
    let (actions, outcomes, targets) = view.wanted;
    ChannelView {
        id: view.id.to_string(),
        namespace: namespace.to_owned(),
        name: view.name,
        kind: kind.to_owned(),
        url,
        to,
        public_key: view.public_key,
        secrets: u32::try_from(view.secrets).unwrap_or(u32::MAX),
        actions,
        outcomes,
        targets,
        status: match view.standing {
            Standing::Working => "working",
            Standing::Failing => "failing",
            Standing::Disabled => "disabled",
        }
        .to_owned(),
        failing_since: view.failing_since.map(moment),
        last_error: view.last_error,
        last_delivered_at: view.last_delivered_at.map(moment),
        delivered: view.delivered,
        waiting: view.waiting as u64,
        behind: view.behind,
        dead_letters: view.dead as u64,
        created_at: moment(view.created_at),
        changed_at: moment(view.changed_at),
    }
}

/// The secret's one way out.
fn made(made: Made, namespace: &str) -> ChannelSecretResponse {
    ChannelSecretResponse {
        channel: view(made.view, namespace),
        secret: made
            .secret
            .map(|secret| SecretText::new(secret.into_public())),
    }
}

fn letter(letter: DeadLetter) -> DeadLetterView {
    DeadLetterView {
        id: letter.id.to_string(),
        sequence: letter.sequence,
        event: letter.event,
        action: letter.action,
        attempts: letter.attempts,
        first_at: moment(letter.first_at),
        died_at: moment(letter.died_at),
        reason: letter.reason,
    }
}

/// One of the two ways.
fn way(url: Option<String>, to: Option<Vec<String>>) -> Result<Option<Way>, Failure> {
    match (url, to) {
        (Some(url), None) => Ok(Some(Way::Webhook { url })),
        (None, Some(to)) => Ok(Some(Way::Email { to })),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Failure::invalid(
            "a channel has a url or mailboxes, not both",
        )),
    }
}

fn at(call: &Call) -> (&str, &str) {
    (&call.namespace, call.param("channel"))
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let all = call
        .engine()
        .list_channels(call.caller()?, &call.namespace)
        .await?;
    let items = all.into_iter().map(|one| view(one, &call.namespace));
    Reply::json(&paging::sorted(
        items.collect(),
        &page,
        |item: &ChannelView| &item.name,
    )?)
}

pub async fn create(call: Call) -> Result<Reply, Failure> {
    let request: CreateChannelRequest = call.json()?;
    let to = Some(request.to).filter(|to| !to.is_empty());
    let way = way(request.url, to)?;
    let new = NewChannel {
        name: request.name,
        way: way.ok_or_else(|| Failure::invalid("a channel has a url or mailboxes"))?,
        wanted: EventFilter::asked_for(&request.actions, &request.outcomes, &request.targets)?,
        enabled: request.enabled,
    };
    let done = call
        .engine()
        .create_channel(call.caller()?, &call.namespace, new)
        .await?;
    Reply::json(&made(done, &call.namespace))
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let (namespace, name) = at(&call);
    let found = call
        .engine()
        .read_channel(call.caller()?, namespace, name)
        .await?;
    Reply::json(&view(found, namespace))
}

pub async fn update(call: Call) -> Result<Reply, Failure> {
    let request: UpdateChannelRequest = call.json()?;
    let changes = Changes {
        way: way(request.url, request.to)?,
        actions: request.actions,
        outcomes: request.outcomes,
        targets: request.targets,
        enabled: request.enabled,
    };
    let changed = call
        .engine()
        .update_channel(call.caller()?, at(&call), changes)
        .await?;
    Reply::json(&view(changed, &call.namespace))
}

pub async fn delete(call: Call) -> Result<Reply, Failure> {
    let (namespace, name) = at(&call);
    call.engine()
        .delete_channel(call.caller()?, namespace, name)
        .await?;
    Ok(Reply::Empty)
}

pub async fn rotate_secret(call: Call) -> Result<Reply, Failure> {
    let request: RotateChannelSecretRequest = call.optional_json()?;
    let overlap = request
        .overlap_seconds
        .unwrap_or(RotateChannelSecretRequest::OVERLAP_DEFAULT);
    let done = call
        .engine()
        .rotate_channel_secret(call.caller()?, at(&call), overlap)
        .await?;
    Reply::json(&made(done, &call.namespace))
}

pub async fn test(call: Call) -> Result<Reply, Failure> {
    let (namespace, name) = at(&call);
    let tested = call
        .engine()
        .test_channel(call.caller()?, namespace, name)
        .await?;
    Reply::json(&ChannelTested {
        taken: tested.taken,
        said: tested.said,
        milliseconds: tested.milliseconds,
    })
}

pub async fn dead_letters(call: Call) -> Result<Reply, Failure> {
    let query = call.page()?;
    let limit = paging::limit(&query)?;
    let after = query.after.as_deref().map(str::parse::<RecordId>);
    let after = after.transpose().map_err(|_| paging::bad_cursor())?;
    let (found, more) = call
        .engine()
        .dead_letters(call.caller()?, at(&call), after, limit)
        .await?;
    let last = found.last().filter(|_| more);
    Reply::json(&Page {
        next: last.map(|last| last.id.to_string()),
        items: found.into_iter().map(letter).collect(),
    })
}

fn letters(call: &Call) -> Result<Letters, Failure> {
    let request: DeadLettersRequest = call.optional_json()?;
    let Some(ids) = request.ids else {
        return Ok(Letters::All);
    };
    let ids = ids.iter().map(|id| id.parse::<RecordId>());
    let ids = ids.collect::<Result<_, _>>();
    ids.map(Letters::These)
        .map_err(|_| Failure::invalid("ids are those of dead letters"))
}

pub async fn retry(call: Call) -> Result<Reply, Failure> {
    let which = letters(&call)?;
    let count = call
        .engine()
        .retry_dead_letters(call.caller()?, at(&call), which)
        .await?;
    Reply::json(&DeadLettersDone {
        count: count as u64,
    })
}

pub async fn discard(call: Call) -> Result<Reply, Failure> {
    let which = letters(&call)?;
    let count = call
        .engine()
        .discard_dead_letters(call.caller()?, at(&call), which)
        .await?;
    Reply::json(&DeadLettersDone {
        count: count as u64,
    })
}
