//! Says what comes near: once, in the batch that notes it, so that everybody who
//! follows the record or is notified of it hears of it.

use skms_evidence::{DetailKey, DetailValue};
use skms_keys::{Due, DueAct, Key, UnixSeconds};

use super::Attended;
use crate::act::act;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyTarget};
use crate::keychange::With;

act!(Warn, KeyWarn, "Warns of what comes near.");

/// Says what is due to be said of a key.
pub(super) async fn warn(entry: &Entry, cell: &KeyTarget) -> Result<Attended> {
    let snapshot = cell.snapshot();
    let due = warnings(snapshot.key(), entry.now());
    if due.is_empty() {
        return Ok(Attended::Nothing);
    }
    let allowed = entry.authorize_as_system::<Warn>(cell)?;
    let with = With {
        said: explained(snapshot.key(), &due),
        ..With::default()
    };
    let said: Vec<_> = due.iter().map(|item| (item.version, item.why)).collect();
    entry
        .change_key(&allowed, with, move |key, now| {
            let still = warnings(key, now);
            match due.iter().all(|item| still.contains(item)) {
                true => Ok(key.note_warned(&said, now)?),
                false => Err(Error::Conflict),
            }
        })
        .await?;
    Ok(Attended::Changed)
}

fn warnings(key: &Key, now: UnixSeconds) -> Vec<Due> {
    let mut due = key.due(now);
    due.retain(|item| item.act == DueAct::Warn);
    due
}

/// What the event says: of which rules, and the first of their dates.
fn explained(key: &Key, due: &[Due]) -> Vec<(DetailKey, DetailValue)> {
    let mut names: Vec<_> = due.iter().map(|item| item.why.name()).collect();
    names.dedup();
    let mut said: Vec<(DetailKey, DetailValue)> = vec![(DetailKey::Reason, names.join(" ").into())];
    let mut versions: Vec<_> = due.iter().map(|item| item.version.0.to_string()).collect();
    versions.sort();
    versions.dedup();
    said.push((DetailKey::Versions, versions.join(" ").into()));
    let dates = due
        .iter()
        .filter_map(|item| key.warned_date(item.version, item.why));
    if let Some(at) = dates.min().and_then(|at| u64::try_from(at.0).ok()) {
        said.push((DetailKey::DueAt, at.into()));
    }
    said
}
