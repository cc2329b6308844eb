//! `skms log`: the record of what was done.

use clap::{Args, Subcommand};
use skms_client::{Client, EventSelection};
use skms_wire::native::events::EventView;
use skms_wire::native::page::PageQuery;
use skms_wire::native::terms::Outcome;

use super::Global;
use super::error::Result;
use super::output;

/// The fewest entries that are looked through for those that are wanted.
const LOOK: u64 = 1000;

/// Read the record of what was done.
#[derive(Debug, Subcommand)]
pub enum Log {
    /// Show the latest events
    Tail(Tail),
}

/// Show the latest events, oldest first.
#[derive(Debug, Args)]
pub struct Tail {
    /// How many; with --follow the newest come first, and none with 0
    #[arg(long, short = 'l', default_value_t = 20, value_name = "COUNT")]
    lines: usize,
    /// Show what follows this place in the journal instead
    #[arg(long, value_name = "SEQUENCE", conflicts_with = "lines")]
    after: Option<u64>,
    /// Keep showing new events until stopped, also across restarts of the server
    #[arg(long, short = 'f')]
    follow: bool,
    #[command(flatten)]
    only: Only,
}

/// Which events are wanted.
#[derive(Debug, Default, Args)]
pub struct Only {
    /// Only these actions: key.revoke, or key.* for all that begin so
    #[arg(long = "action", value_name = "ACTION", value_delimiter = ',')]
    actions: Vec<String>,
    /// Only those that ended so: success, denied, failed
    #[arg(long = "outcome", value_name = "OUTCOME", value_delimiter = ',')]
    outcomes: Vec<Outcome>,
    /// Only these targets, by their whole names (team/default/orders) or the
    /// last part; * stands for any characters, ? for one
    #[arg(long = "target", value_name = "NAME", value_delimiter = ',')]
    targets: Vec<String>,
}

impl Only {
    fn selection(self) -> EventSelection {
        EventSelection {
            actions: self.actions,
            outcomes: self.outcomes,
            targets: self.targets,
        }
    }
}

impl Log {
    /// Shows them.
    pub async fn run(self, global: &Global) -> Result<()> {
        let Self::Tail(tail) = self;
        let client = global.client()?;
        let wanted = tail.only.selection();
        // From now on, and nothing of what was before.
        let only_new = tail.follow && tail.after.is_none() && tail.lines == 0;
        let (events, seen) = match tail.after {
            _ if only_new => (Vec::new(), None),
            Some(after) => read_on(&client, &wanted, Some(after)).await?,
            None => latest(&client, &wanted, tail.lines).await?,
        };
        show(global, &events)?;
        if !tail.follow {
            return Ok(());
        }
        // Where there was nothing, everything but the record's very first
        // entry is new.
        let after = (!only_new).then(|| seen.unwrap_or(0));
        let mut following = client.follow(&wanted, after);
        loop {
            show(global, &[following.next().await?])?;
        }
    }
}

/// The latest events of those wanted, and the place up to which they are.
async fn latest(
    client: &Client,
    wanted: &EventSelection,
    lines: usize,
) -> Result<(Vec<EventView>, Option<u64>)> {
    // Where nobody says how long the record is, it is read from its beginning:
    // too many streams are open, say. Whoever may not read it is told so then.
    let newest = client.newest_event().await.ok().flatten();
    let all = wanted.actions.is_empty() && wanted.outcomes.is_empty() && wanted.targets.is_empty();
    let mut look = match all {
        true => (lines as u64).saturating_add(1),
        false => LOOK.max(lines as u64),
    };
    loop {
        let from = newest.and_then(|newest| newest.checked_sub(look));
        let (mut events, seen) = read_on(client, wanted, from).await?;
        // What came of asking where the record ends is not what was looked for.
        events.retain(|event| Some(event.sequence) != newest || event.action != "event.read");
        if events.len() >= lines || from.is_none() {
            let surplus = events.len().saturating_sub(lines);
            events.drain(..surplus);
            return Ok((events, seen.or(newest)));
        }
        look = look.saturating_mul(8);
    }
}

/// Every event after a place, and the place of the last of them.
async fn read_on(
    client: &Client,
    wanted: &EventSelection,
    mut after: Option<u64>,
) -> Result<(Vec<EventView>, Option<u64>)> {
    let mut events = Vec::new();
    let mut page = PageQuery {
        limit: Some(PageQuery::LIMIT_MAX),
        after: after.map(|after| after.to_string()),
    };
    loop {
        let answer = client.select_events(wanted, &page).await?;
        if let Some(last) = answer.items.last() {
            after = Some(last.sequence);
        }
        events.extend(answer.items);
        match answer.next {
            Some(next) => page.after = Some(next),
            None => return Ok((events, after)),
        }
    }
}

/// One event a line, in JSON too, so that lines can be followed.
fn show(global: &Global, events: &[EventView]) -> Result<()> {
    for event in events {
        if global.json {
            output::json(event)?;
        } else {
            output::line(one_line(event))?;
        }
    }
    Ok(())
}

fn one_line(event: &EventView) -> String {
    let targets: Vec<_> = event
        .targets
        .iter()
        .map(|target| {
            let name = target
                .name
                .as_deref()
                .or(target.id.as_deref())
                .unwrap_or(&target.kind);
            match target.version {
                Some(version) => format!("{name}@{version}"),
                None => name.to_owned(),
            }
        })
        .collect();
    let mut text = format!(
        "{} {} {} {} {} {}",
        event.sequence,
        event.at,
        event.outcome,
        event.action,
        if targets.is_empty() {
            "-".to_owned()
        } else {
            targets.join(",")
        },
        event.principal,
    );
    if let Some(source) = &event.source {
        text.push_str(&format!(" from {source}"));
    }
    for (name, value) in event.told() {
        // Quoted where it could be taken for something else.
        let plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '"');
        match plain {
            true => text.push_str(&format!(" {name}={value}")),
            false => text.push_str(&format!(" {name}={value:?}")),
        }
    }
    if let (Outcome::Denied | Outcome::Failed, Some(reason)) = (event.outcome, &event.reason) {
        text.push_str(&format!(": {reason}"));
    }
    // Names come from callers; a control character must not reach a terminal.
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use skms_wire::Moment;
    use skms_wire::native::events::TargetView;

    #[test]
    fn a_line_has_no_control_characters() {
        let event = EventView {
            sequence: 7,
            id: "i".into(),
            at: Moment::from_unix_seconds(0),
            namespace: None,
            principal: "mal\u{1b}[2Jlory".into(),
            authentication: "token".into(),
            source: Some("127.0.0.1".into()),
            action: "key.encrypt".into(),
            targets: vec![TargetView {
                kind: "key".into(),
                id: None,
                name: Some("orders".into()),
                version: Some(2),
            }],
            outcome: Outcome::Denied,
            reason: Some("no\npolicy".into()),
            request_id: "r".into(),
            items: None,
            details: [
                ("reason", "two words\u{1b}"),
                ("rule", "ending"),
                ("policies", "root/root"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        };
        let line = one_line(&event);
        assert!(
            line.starts_with("7 1970-01-01T00:00:00Z denied key.encrypt orders@2"),
            "{line}"
        );
        assert!(
            line.ends_with("127.0.0.1 reason=\"two words\\u{1b}\" rule=ending: no\u{fffd}policy"),
            "{line}"
        );
        assert!(!line.contains('\u{1b}') && !line.contains('\n'), "{line:?}");
    }
}
