//! What is due for keys.

use skms_engine::acts::due::MAX_DUE;
use skms_wire::native::due::{DueItem, DueQuery, DueView};

use super::{answer::Reply, call::Call, convert::moment, error::Failure};

/// How far ahead is looked where nobody says: 30 days.
const WITHIN_SECONDS: u64 = 30 * 24 * 60 * 60;

pub async fn due(call: Call) -> Result<Reply, Failure> {
    let query: DueQuery = call.query()?;
    let limit = match query.limit {
        None => MAX_DUE,
        Some(limit) => usize::try_from(limit)
            .ok()
            .filter(|limit| (1..=MAX_DUE).contains(limit))
            .ok_or_else(|| Failure::invalid("limit is from 1 to 1000"))?,
    };
    let within = query.within_seconds.unwrap_or(WITHIN_SECONDS);
    let found = call
        .engine()
        .keys_due(call.caller()?, &call.namespace, within, limit)
        .await?;
    Reply::json(&DueView {
        items: found
            .items
            .into_iter()
            .map(|item| DueItem {
                at: moment(item.due.at),
                act: item.due.act.name().to_owned(),
                why: item.due.why.name().to_owned(),
                keyring: item.keyring.as_ref().to_owned(),
                key: item.name.as_ref().to_owned(),
                id: item.key.to_string(),
                version: item.due.version.0,
            })
            .collect(),
        more: found.more,
        complete: found.complete,
        until: moment(found.until),
    })
}
