//! Who used the key since the compromise, and from where: counted from the
//! journal, each principal, source and action once.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use serde::Serialize;
use skms_evidence::Event;
use skms_store::Journal;

use super::report::instant;
use crate::error::Result;

/// Entries that one step reads.
const STEP: usize = 512;
/// How far events may be out of the order of their times, in milliseconds.
const SLACK_MS: i64 = 300_000;
/// The longest that it looks.
const LONGEST: Duration = Duration::from_secs(60);
/// It rests so many times as long as it worked, so that other work goes on.
const REST: u32 = 2;
/// The most rows of a list.
const ROWS: usize = 1000;

/// Who did what, how often.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    principal: String,
    authentication: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    action: String,
    calls: u64,
    items: u64,
    refused: u64,
    first: String,
    last: String,
}

/// What the journal says.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Usage {
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// The first and last entries that were looked at.
    from: u64,
    to: u64,
    /// Whether all of them were.
    complete: bool,
    of_key: Vec<Row>,
    of_dependents: Vec<Row>,
    /// Rows that were left out of either.
    more: usize,
}

type Who = (String, String, Option<String>, String);

#[derive(Default)]
struct Tally {
    calls: u64,
    items: u64,
    refused: u64,
    first: i64,
    last: i64,
}

/// Counts the uses of a key and of those that depend on it, by identifiers.
pub(super) async fn count(
    journal: &dyn Journal,
    key: &str,
    dependents: &HashSet<String>,
    since: Option<i64>,
) -> Result<Usage> {
    let begun = Instant::now();
    let end = journal.durable_sequence();
    let since_ms = since.map_or(i64::MIN, |since| since.saturating_mul(1000));
    let from = match since {
        None => 0,
        Some(_) => first(journal, end, since_ms.saturating_sub(SLACK_MS)).await?,
    };
    let (mut own, mut others) = (BTreeMap::new(), BTreeMap::new());
    let mut next = from;
    let mut complete = true;
    while next < end {
        if begun.elapsed() > LONGEST {
            complete = false;
            break;
        }
        let worked = Instant::now();
        let page = journal.read(next, STEP).await?;
        if page.is_empty() {
            break;
        }
        for stored in page {
            next = stored.sequence.saturating_add(1);
            let event = Event::decode(&stored.entry.bytes)?;
            // What the server did about it is no use of the key.
            if event.at_millis < since_ms || event.authentication.as_str() == "system" {
                continue;
            }
            let targets = || event.targets.iter().map(|target| target.id.as_str());
            if targets().any(|id| id == key) {
                tally(&mut own, &event);
            } else if targets().any(|id| dependents.contains(id)) {
                tally(&mut others, &event);
            }
        }
        tokio::time::sleep(worked.elapsed() * REST).await;
    }
    let (of_key, less) = rows(own);
    let (of_dependents, fewer) = rows(others);
    Ok(Usage {
        since: since.map(instant),
        from,
        to: next,
        complete,
        of_key,
        of_dependents,
        more: less + fewer,
    })
}

fn tally(all: &mut BTreeMap<Who, Tally>, event: &Event) {
    let who = (
        event.principal.as_str().to_owned(),
        event.authentication.as_str().to_owned(),
        event.source.map(|source| source.to_string()),
        event.action.as_str().to_owned(),
    );
    let tally = all.entry(who).or_insert_with(|| Tally {
        first: event.at_millis,
        ..Tally::default()
    });
    tally.calls += 1;
    tally.items += u64::from(event.items.unwrap_or(1));
    tally.refused += u64::from(event.outcome.reason().is_some());
    tally.first = tally.first.min(event.at_millis);
    tally.last = tally.last.max(event.at_millis);
}

/// The busiest first, and how many there are beyond.
fn rows(all: BTreeMap<Who, Tally>) -> (Vec<Row>, usize) {
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by(|(one, less), (other, more)| (more.calls, one).cmp(&(less.calls, other)));
    let more = all.len().saturating_sub(ROWS);
    all.truncate(ROWS);
    let row = |((principal, authentication, source, action), tally): (Who, Tally)| Row {
        principal,
        authentication,
        source,
        action,
        calls: tally.calls,
        items: tally.items,
        refused: tally.refused,
        first: instant(tally.first.div_euclid(1000)),
        last: instant(tally.last.div_euclid(1000)),
    };
    (all.into_iter().map(row).collect(), more)
}

/// The first entry that is no older than `at_ms`, events being in the order of
/// their times but for the slack.
async fn first(journal: &dyn Journal, end: u64, at_ms: i64) -> Result<u64> {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low + (high - low) / 2;
        let page = journal.read(middle, 1).await?;
        let Some(stored) = page.first() else {
            high = middle;
            continue;
        };
        match Event::decode(&stored.entry.bytes)?.at_millis < at_ms {
            true => low = stored.sequence.saturating_add(1),
            false => high = middle,
        }
    }
    Ok(low)
}
