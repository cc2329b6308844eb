//! Changes a channel, tries it, gives it another secret, and ends it.

use std::sync::Arc;
use std::time::Instant;

use skms_evidence::{DetailKey, Outcome};
use skms_store::{Change, Kind};

use super::{Made, Manage, View, Way, check};
use crate::acts::events::Recorded;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::filter::EventFilter;
use crate::gate::{Authorized, Entry};
use crate::notify::{Channel, signing};
use crate::records;
use crate::records::notification::{ChannelRecord, CursorRecord, WayRecord};
use crate::target::Target;

/// The longest time that a secret counts beside its successor: a week.
pub const OVERLAP_MAX: u64 = 7 * 86_400;

/// What is to be different; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Where it goes: of the kind that it is.
    pub way: Option<Way>,
    /// Actions.
    pub actions: Option<Vec<String>>,
    /// Outcomes.
    pub outcomes: Option<Vec<String>>,
    /// Targets.
    pub targets: Option<Vec<String>>,
    /// Whether it delivers. Switched on again, it delivers what is done from
    /// then on.
    pub enabled: Option<bool>,
}

/// What came of a test.
#[derive(Clone, Debug)]
pub struct Tested {
    /// Whether the message was taken.
    pub taken: bool,
    /// What was said, in a few words.
    pub said: String,
    /// How long it took.
    pub milliseconds: u64,
}

impl Engine {
    /// Changes a channel.
    ///
    /// # Errors
    /// [`Error::NotFound`]; as [`Engine::create_channel`]; [`Error::Invalid`]
    /// for no change at all, and for another kind of channel.
    pub async fn update_channel(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        changes: Changes,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Manage>(entry.channel_target(namespace, name))
            .await?;
        let done = async {
            entry.may_read_events(namespace)?;
            let guard = entry.rooms.lock_changes().await;
            let found = entry.channel(namespace, name)?;
            let mut record = copy(&found.record)?;
            let mut changed = Vec::new();
            if let Some(way) = changes.way {
                check(self.config.courier.as_ref(), &way)?;
                match (&mut record.way, way) {
                    (WayRecord::Webhook { url, .. }, Way::Webhook { url: new }) => *url = new,
                    (WayRecord::Email { to }, Way::Email { to: new }) => *to = new,
                    _ => {
                        return Err(Error::Invalid(
                            "a channel stays of its kind: make another one".into(),
                        ));
                    }
                }
                changed.push("address");
            }
            for (what, of, new) in [
                ("actions", &mut record.actions, changes.actions),
                ("outcomes", &mut record.outcomes, changes.outcomes),
                ("targets", &mut record.targets, changes.targets),
            ] {
                if let Some(new) = new {
                    *of = new;
                    changed.push(what);
                }
            }
            let wanted = EventFilter::new(&record.actions, &record.outcomes, &record.targets)?;
            if changed.contains(&"actions") {
                wanted.only_known()?;
            }
            let on_again = changes.enabled == Some(true) && !record.enabled;
            if let Some(enabled) = changes.enabled {
                record.enabled = enabled;
                changed.push("enabled");
            }
            if changed.is_empty() {
                return Err(Error::Invalid("nothing is to change".into()));
            }
            let saving = found.progress.save().await;
            let next = on_again.then(|| entry.rooms.journal.durable_sequence());
            let (guard, changed) = ((guard, saving), changed.join(" "));
            let channel = put(&entry, &allowed, (&found, next), guard, record, &changed).await?;
            View::of(&entry, &channel)
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// Gives a webhook another secret. The one before signs beside it for
    /// `overlap_seconds`.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for a channel that has none, and
    /// for a longer time than [`OVERLAP_MAX`].
    pub async fn rotate_channel_secret(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        overlap_seconds: u64,
    ) -> Result<Made> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Manage>(entry.channel_target(namespace, name))
            .await?;
        let done = async {
            if overlap_seconds > OVERLAP_MAX {
                return Err(Error::TooLarge {
                    what: "the overlap in seconds",
                    limit: OVERLAP_MAX,
                });
            }
            let guard = entry.rooms.lock_changes().await;
            let found = entry.channel(namespace, name)?;
            let mut record = copy(&found.record)?;
            let WayRecord::Webhook { secrets, .. } = &mut record.way else {
                return Err(Error::Invalid("only webhooks have secrets".into()));
            };
            let (shown, kept) = signing::new_secret()?;
            let now = entry.now();
            signing::replace(secrets, kept, now.0, now.plus(overlap_seconds).0);
            let channel = put(&entry, &allowed, (&found, None), guard, record, "secret").await?;
            Ok(Made {
                view: View::of(&entry, &channel)?,
                secret: Some(shown),
            })
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// Sends a message to a channel's other end now: the event of this act. It
    /// is sent whether the channel is switched on or not, and once.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Busy`] where its namespace has no turn. That
    /// it was not taken is an answer, and a failure in the event.
    pub async fn test_channel(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<Tested> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Manage>(entry.channel_target(namespace, name))
            .await?;
        let found = entry.channel(namespace, name);
        let found = entry.failed(&allowed, found).await?;
        let turns = &entry.rooms.channels.turns;
        let turn = turns.take(namespace, found.gathers(), entry.now_ms);
        let turn = entry.failed(&allowed, turn.ok_or(Error::Busy)).await?;
        turns.served(&found, entry.now_ms);
        let draft = |outcome| {
            let draft = EventDraft::of(&entry, &allowed, outcome)?;
            Ok::<_, Error>(draft.detail(DetailKey::Changed, "tested").finish())
        };
        let event = draft(Outcome::Success)?;
        let id = event.event.id;
        let sequence = entry.rooms.journal.durable_sequence();
        let began = Instant::now();
        let sent = self
            .deliver(
                &found,
                &[Arc::new(Recorded {
                    sequence,
                    event: event.event,
                })],
                0,
            )
            .await;
        drop(turn);
        entry.rooms.channels.stirred.notify_one();
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (outcome, said) = match &sent {
            Ok(said) => (Outcome::Success, said.clone()),
            Err(why) => (Outcome::failed(why), why.0.clone()),
        };
        let mut event = draft(outcome)?;
        // What was sent is this event, before it was known how it ends.
        event.event.id = id;
        entry.rooms.recorder.append(&event).await?;
        Ok(Tested {
            taken: sent.is_ok(),
            said,
            milliseconds,
        })
    }

    /// Deletes a channel with what waits and its dead letters.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_channel(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Manage>(entry.channel_target(namespace, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let found = entry.channel(namespace, name)?;
            let saving = found.progress.save().await;
            let delete = |kind, id, expected| Change::Delete {
                namespace: found.namespace.0,
                kind,
                id,
                expected,
            };
            let changes = {
                let state = found.progress.state();
                let mut changes = vec![
                    delete(Kind::Channel, found.id, found.revision),
                    delete(Kind::ChannelCursor, found.id, state.revision),
                ];
                let dead = state.dead.iter();
                changes.extend(dead.map(|(id, revision)| delete(Kind::DeadLetter, *id, *revision)));
                changes
            };
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Changed, "deleted");
            let of = Arc::clone(&found);
            let done = entry
                .change((guard, saving), changes, event, move |rooms, _| {
                    let name = &of.record.name;
                    rooms.channels.remove(&of.namespace_name, name);
                    Ok(())
                })
                .await;
            if let Err(error) = &done {
                found.reread_after(&entry.rooms.store, error).await;
            }
            done
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}

/// A record that can be changed.
fn copy(record: &ChannelRecord) -> Result<ChannelRecord> {
    records::decode(records::encode(record)?.expose())
}

/// Puts a changed record in the place of the one before. A channel that is
/// switched on again begins at a place of the journal, in the same batch: then
/// `guard` has the right to save with it.
async fn put<G: Send + 'static>(
    entry: &Entry,
    allowed: &Authorized<Manage, Target>,
    (found, next): (&Arc<Channel>, Option<u64>),
    guard: G,
    mut record: ChannelRecord,
    changed: &str,
) -> Result<Arc<Channel>> {
    record.changed_at = entry.now().0;
    let whose = (found.namespace, Arc::clone(&found.namespace_name));
    let progress = Arc::clone(&found.progress);
    let mut channel = Channel::new((found.id, found.revision), whose, record, progress)?;
    let mut changes = vec![channel.put(Some(found.revision))?];
    if let Some(next) = next {
        let (cursor, revision) = {
            let state = found.progress.state();
            (state.record(), state.revision)
        };
        let cursor = CursorRecord { next, ..cursor };
        changes.push(channel.put_cursor(&cursor, Some(revision))?);
    }
    let event = EventDraft::of(entry, allowed, Outcome::Success)?
        .detail(DetailKey::Changed, changed.to_owned());
    let (namespace, name) = (found.namespace_name.to_string(), found.record.name.clone());
    let put = entry
        .change(guard, changes, event, move |rooms, revisions| {
            let revision = revisions.first().copied();
            channel.revision = revision.ok_or(Error::Internal("a change without a revision"))?;
            if let (Some(next), Some(revision)) = (next, revisions.get(1)) {
                let mut state = channel.progress.state();
                state.next = next;
                state.revision = *revision;
            }
            rooms.channels.put(channel);
            let put = rooms.channels.find(&namespace, &name);
            put.ok_or(Error::Internal("a channel that was just put"))
        })
        .await;
    if let Err(error) = &put {
        found.reread_after(&entry.rooms.store, error).await;
    }
    put
}
