//! The first unsealing of a store that was restored from a backup, or whose
//! losses were accepted.
//!
//! Such a store does not know what happened since it was copied. What was
//! lost is lost, but one thing must not be got wrong: how often keys were
//! used with a random nonce. The place that the copy was taken from may have
//! used up every use that was left, up to the limit of 2^32 (SP 800-38D,
//! section 8.3); so all of them count as used here. The versions go on
//! decrypting, and those in use are rotated at once where their rules let
//! them be.

use skms_evidence::{DetailKey, EventId};
use skms_store::backup::RestoreMark;
use skms_store::{Change, Kind};

use crate::acts::exchange::close_replays;
use crate::draft::Final;
use crate::engine::{Config, Rooms};
use crate::error::Result;
use crate::keychange::put_key;
use crate::records;
use crate::records::key::KeyRecord;
use crate::unsealing::server_event;
use skms_keys::NamespaceId;

/// Keys read at a time, and written in one batch.
const PAGE: usize = 256;

/// Does what the mark asks for, before anybody is let in. Says whether there
/// was one. What is done twice after a crash does no harm.
pub(crate) async fn attend(config: &Config, rooms: &Rooms) -> Result<bool> {
    let Some(mark) = rooms.store.restore_mark().await? else {
        return Ok(false);
    };
    let burnt = burn_uses(rooms).await?;
    close_replays(rooms).await?;
    record(config, rooms, &mark, burnt).await?;
    rooms.store.clear_mark().await?;
    Ok(true)
}

/// Counts every use that is left of every counted version as used. How many
/// keys that changed.
async fn burn_uses(rooms: &Rooms) -> Result<u64> {
    let (mut after, mut burnt) = (None, 0);
    loop {
        let page = rooms.store.scan_all(Kind::Key, after, PAGE).await?;
        let Some((_, last)) = page.last() else {
            return Ok(burnt);
        };
        after = Some(last.id);
        let mut changes: Vec<Change> = Vec::new();
        for (namespace, stored) in page {
            let record: KeyRecord = records::decode(stored.plaintext.expose())?;
            let key = record.into_domain(stored.id, NamespaceId(namespace))?;
            if let Some(key) = key.burn_uses()? {
                changes.push(put_key(&key, Some(stored.revision))?);
                burnt += 1;
            }
        }
        if !changes.is_empty() {
            rooms.store.commit(changes, None).await?;
        }
    }
}

/// Leaves the event, once: its id is the mark's.
async fn record(config: &Config, rooms: &Rooms, mark: &RestoreMark, burnt: u64) -> Result<()> {
    let id = mark.event_id()?;
    if rooms.journal.contains(id).await? {
        return Ok(());
    }
    let mut event = server_event(config, &mark.action)?;
    event.id = EventId(id);
    event.details.set(DetailKey::Reason, mark.words.as_str());
    event.details.set(DetailKey::Count, burnt);
    // An outbox row makes the event part of the database too, so that this
    // restore is itself a commit that a later roll-back is measured against.
    let committed = rooms
        .recorder
        .commit(Vec::new(), &Final::plain(event), false)
        .await?;
    rooms.recorder.settle(committed).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_mark_fit_an_event() {
        let mark = RestoreMark::new("storage.restore", 0, "x".repeat(10_000)).unwrap();
        let mut details = skms_evidence::Details::new();
        details.set(DetailKey::Reason, mark.words.as_str());
        let id = skms_store::RecordId(mark.event_id().unwrap()).to_string();
        assert_eq!(id.replace('-', ""), mark.id);
    }
}
