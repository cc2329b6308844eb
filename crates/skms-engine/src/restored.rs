//! The first unsealing of a store that was restored from a backup, or whose
//! losses were accepted.
//!
//! Such a store does not know what happened since it was copied. What was
//! lost is lost, but one thing must not be got wrong: how often keys were
//! used with a random nonce. The place that the copy was taken from may have
//! used up every use that was left, up to the limit of 2^32 (SP 800-38D,
//! section 8.3); so all of them count as used here. Nor does it know who used
//! keys and who came since: rules about time take the restore for a use, and
//! hold for a day what they would take away. The versions go on
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
use crate::rules::judge::note_restore;
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
    note_restore(rooms).await?;
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

#[cfg(test)]
mod of_rules {
    use std::sync::Arc;

    use skms_crypto::{Algorithm, SecretArray};
    use skms_keys::KeyState;
    use skms_store::{NewSeal, SealInput};

    use super::*;
    use crate::acts::create_key::NewKeySpec;
    use crate::acts::rules::NewRule;
    use crate::caller::Caller;
    use crate::clock::Clock;
    use crate::engine::Engine;
    use crate::gate::KeyRef;

    const DAY: i64 = 86_400;

    struct House {
        _dir: tempfile::TempDir,
        clock: Clock,
        engine: Arc<Engine>,
        root: Arc<Caller>,
    }

    async fn house() -> House {
        let dir = tempfile::TempDir::new().unwrap();
        let mut config = Config::new(dir.path());
        config.clock = Clock::fixed(1_767_225_600_000);
        let key = || SecretArray::from_slice(&[7; 32]).unwrap();
        let seal = NewSeal::KeyFile {
            name: "test".into(),
            key: key(),
        };
        let clock = config.clock.clone();
        let made = Engine::init(&config, vec![seal]).await.unwrap();
        let engine = Engine::open(config).await.unwrap();
        engine.unseal(SealInput::KeyFile(key())).await.unwrap();
        let token = String::from_utf8(made.root_token.into_public()).unwrap();
        let root = Arc::new(Caller {
            session: engine.authenticate_token(&token).await.unwrap(),
            source: None,
            request_id: "test".into(),
            tls: true,
            idempotency: None,
            calling: crate::approvals::Calling::default(),
        });
        House {
            _dir: dir,
            clock,
            engine,
            root,
        }
    }

    impl House {
        async fn key(&self, name: &str) {
            let spec = NewKeySpec {
                algorithm: Some(Algorithm::Aes256Gcm),
                ..NewKeySpec::default()
            };
            let made = self.engine.create_key(&self.root, at(name), spec);
            made.await.unwrap();
        }

        async fn rule(&self, name: &str, condition: &str) {
            let new = NewRule {
                text: format!(
                    "@answer(\"suspend\") @limit(\"9 per day\") permit (principal, action == \
                     SKMS::Action::\"rule.time\", resource) when {{ {condition} }};"
                ),
                enabled: true,
                dry_run: false,
            };
            let written = self.engine.write_rule(&self.root, ("root", name), new);
            written.await.unwrap();
            self.engine.judge_time().await.unwrap();
        }

        async fn state(&self, name: &str) -> KeyState {
            let read = self.engine.read_key(&self.root, at(name)).await.unwrap();
            read.key().versions.last().unwrap().state
        }
    }

    fn at(name: &str) -> KeyRef<'_> {
        KeyRef {
            namespace: "root",
            keyring: "default",
            name,
        }
    }

    #[tokio::test]
    async fn a_restore_is_a_use_of_every_key() {
        let house = house().await;
        house.key("old").await;
        house.clock.advance_seconds(40 * DAY);
        note_restore(&house.engine.rooms().unwrap()).await.unwrap();
        house.clock.advance_seconds(2 * DAY);
        house
            .rule("unused", "resource.unused_seconds > 2592000")
            .await;
        assert_eq!(house.state("old").await, KeyState::Active);
        house.key("new").await;
        house.clock.advance_seconds(29 * DAY);
        house.engine.judge_time().await.unwrap();
        assert_eq!(house.state("old").await, KeyState::Suspended);
        assert_eq!(house.state("new").await, KeyState::Active);
        // What was made since was never there to be used before.
        house.rule("never", "!resource.used").await;
        assert_eq!(house.state("new").await, KeyState::Suspended);
    }

    #[tokio::test]
    async fn what_a_walk_finds_right_after_a_restore_is_held() {
        let house = house().await;
        house.key("one").await;
        house.key("two").await;
        note_restore(&house.engine.rooms().unwrap()).await.unwrap();
        house.rule("gone", "resource.name == \"one\"").await;
        assert_eq!(house.state("one").await, KeyState::Active);
        let rule = ("root", "gone");
        let released = house.engine.release_rule(&house.root, rule, false).await;
        assert_eq!(released.unwrap().done, 1);
        assert_eq!(house.state("one").await, KeyState::Suspended);
        house.clock.advance_seconds(DAY);
        house.rule("late", "resource.name == \"two\"").await;
        assert_eq!(house.state("two").await, KeyState::Suspended);
    }
}
