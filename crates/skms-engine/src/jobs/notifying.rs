//! Delivers notifications: reads the journal for all channels, sends what is
//! due, and writes down how far each has come.
//!
//! An event is never lost between its commit and its delivery: a channel's
//! place in the journal moves on only with what waits before it, both in one
//! record. It can be delivered twice, after a crash, and has the same
//! identifier then.

mod saving;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Weak};
use std::time::Duration;

use skms_crypto::rand;
use skms_evidence::{DetailKey, Outcome};
use skms_store::{Change, Kind, RecordId};
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;

use crate::act::act;
use crate::acts::events::Recorded;
use crate::caller::Caller;
use crate::courier::{Mail, Undelivered, Webhook};
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::notify::state::{MAIL_GATHERS_MS, News};
use crate::notify::{Channel, GIVEN_UP};
use crate::records;
use crate::records::notification::{DeadLetterRecord, WayRecord};
use crate::sessions::hex;
use crate::tail::Reader;
use crate::target::Target;

use saving::save;
pub(crate) use saving::save_all;

act!(Deliver, NotificationDeliver, "Delivers notifications.");

/// How long it waits when nothing is to be done, and after a failure.
const TICK: Duration = Duration::from_secs(1);
/// A busy record is looked at this much later, many events at once.
const GATHER: Duration = Duration::from_millis(10);
/// Progress is written down this often at most, unless something is to be told.
const SAVE_MS: i64 = 1_000;
/// Pages of the journal that one round reads.
const PAGES: usize = 64;
/// The most dead letters of a channel.
pub(crate) const DEAD_MAX: usize = 1000;

/// What a round began and left.
pub(crate) struct Round {
    underway: Vec<JoinHandle<()>>,
    /// How long nothing is to be done, unless something happens.
    idle: Duration,
    /// The length of the journal that something more is at.
    more_at: Option<u64>,
}

/// Runs until the engine is gone. A sealed server is left alone.
pub(crate) async fn run(engine: Weak<Engine>) {
    loop {
        let Some(engine) = engine.upgrade() else {
            return;
        };
        let round = engine.notify_round().await;
        if let Err(error) = &round
            && !matches!(error, Error::Sealed)
        {
            engine.note_trouble(error);
        }
        let idle = round.as_ref().map_or(TICK, |round| round.idle);
        let wakes = engine.rooms().ok().zip(round.ok()).map(|(rooms, round)| {
            let durability = Arc::clone(rooms.journal.durability());
            let more = round.more_at.map(|at| durability.wait(at));
            (Arc::clone(&rooms.channels.stirred), more)
        });
        drop(engine);
        let Some((stirred, more)) = wakes else {
            tokio::time::sleep(TICK).await;
            continue;
        };
        let more = async {
            let more = match more {
                Some(more) => more.await.is_ok(),
                None => false,
            };
            if !more {
                // A journal that failed says so at once, again and again.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = more => tokio::time::sleep(GATHER).await,
            () = stirred.notified() => {}
            () = tokio::time::sleep(idle) => {}
        }
    }
}

impl Engine {
    /// Does what is due, and what becomes due by that, to the end: for tests
    /// and simulations, beside [`Engine::start_jobs`] or without.
    ///
    /// # Errors
    /// [`Error::Sealed`], and what kept it from being done.
    pub async fn deliver_due(self: &Arc<Self>) -> Result<()> {
        loop {
            let round = self.notify_round().await?;
            if round.underway.is_empty() && !round.idle.is_zero() {
                return Ok(());
            }
            for one in round.underway {
                one.await
                    .map_err(|_| Error::Internal("a delivery panicked"))?;
            }
        }
    }

    /// One look at the journal and at what waits.
    async fn notify_round(self: &Arc<Self>) -> Result<Round> {
        let rooms = self.rooms()?;
        let now_ms = rooms.clock.now_ms();
        let channels: Vec<_> = (rooms.channels.all().into_iter())
            .filter(|channel| channel.record.enabled)
            .collect();
        let more = look(&rooms, &channels, now_ms).await?;
        let mut round = Round {
            underway: Vec::new(),
            idle: TICK,
            more_at: None,
        };
        self.send_due(&rooms, &channels, now_ms, &mut round).await?;
        for channel in &channels {
            let (next, full, wakes) = {
                let state = channel.progress.state();
                let full = !state.takes_more(channel.gathers());
                (state.next, full, state.wakes(now_ms))
            };
            if !full {
                let at = next.saturating_add(1);
                round.more_at = Some(round.more_at.map_or(at, |least| least.min(at)));
            }
            if let Some(at) = wakes {
                let wait = u64::try_from(at.saturating_sub(now_ms)).unwrap_or_default();
                // What waits for a turn is told of by the one that ends.
                round.idle = round.idle.min(Duration::from_millis(wait.max(100)));
            }
        }
        // Those that are switched off, too: their last deliveries end later.
        let mut saved = Ok(());
        for channel in rooms.channels.all() {
            let due = channel.progress.state().is_to_save(now_ms, SAVE_MS);
            if due && let Err(error) = save(&rooms, &channel).await {
                saved = Err(error);
            }
        }
        saved?;
        if more {
            round.idle = Duration::ZERO;
        }
        Ok(round)
    }

    /// Begins the deliveries that are due, one for each namespace after the
    /// other, as long as there are turns.
    async fn send_due(
        self: &Arc<Self>,
        rooms: &Arc<Rooms>,
        channels: &[Arc<Channel>],
        now_ms: i64,
        round: &mut Round,
    ) -> Result<()> {
        let mut order = rooms.channels.turns.order(channels);
        while let Some(mut own) = order.pop_front() {
            let mut begun = None;
            for _ in 0..own.len() {
                let Some(channel) = own.pop_front() else {
                    break;
                };
                let one = self.send_one(rooms, &channel, now_ms).await?;
                own.push_back(channel);
                if one.is_some() {
                    begun = one;
                    break;
                }
            }
            // A namespace without anything to send, or without a turn, is done.
            if let Some(begun) = begun {
                round.underway.push(begun);
                order.push_back(own);
            }
        }
        Ok(())
    }

    /// Begins a channel's next delivery, if one is due and there is a turn.
    async fn send_one(
        self: &Arc<Self>,
        rooms: &Arc<Rooms>,
        channel: &Arc<Channel>,
        now_ms: i64,
    ) -> Result<Option<JoinHandle<()>>> {
        let turns = &rooms.channels.turns;
        let Some(turn) = turns.take(&channel.namespace_name, channel.gathers(), now_ms) else {
            return Ok(None);
        };
        let due = match channel.gathers() {
            true => channel.progress.state().due_together(now_ms),
            false => channel.progress.state().due_one(now_ms),
        };
        if due.is_empty() {
            return Ok(None);
        }
        turns.served(channel, now_ms);
        let left_out = channel.progress.state().left_out;
        let events = match events(rooms, channel, &due).await {
            Ok(events) => events,
            Err(error) => {
                channel.progress.state().put_back(&due, now_ms + SAVE_MS);
                return Err(error);
            }
        };
        let (engine, channel) = (Arc::clone(self), Arc::clone(channel));
        let stirred = Arc::clone(&rooms.channels.stirred);
        Ok(Some(tokio::spawn(async move {
            let result = engine.deliver(&channel, &events, left_out).await;
            if result.is_ok() && channel.gathers() {
                let now_ms = engine.config.clock.now_ms();
                channel.progress.state().mailed(left_out, now_ms);
            }
            // Nor is it any trouble that a channel was deleted meanwhile.
            if let Err(error) = engine.delivered(&channel, &due, result).await
                && !matches!(error, Error::Sealed | Error::Conflict)
            {
                engine.note_trouble(&error);
            }
            drop(turn);
            stirred.notify_one();
        })))
    }

    /// Sends; nothing of the rooms is held meanwhile.
    pub(crate) async fn deliver(
        &self,
        channel: &Channel,
        events: &[Arc<Recorded>],
        left_out: u64,
    ) -> std::result::Result<String, Undelivered> {
        let courier = &self.config.courier;
        let now = self.config.clock.now();
        match (&channel.record.way, events) {
            (WayRecord::Email { to }, events) => {
                let at = (&*channel.namespace_name, channel.record.name.as_str());
                let channel = at;
                courier
                    .mail(Mail {
                        to,
                        channel,
                        events,
                        left_out,
                    })
                    .await
            }
            (WayRecord::Webhook { url, .. }, [event]) => {
                let signing = channel.record.way.signing(now).ok().flatten();
                let signing = signing
                    .ok_or_else(|| Undelivered("the channel's secrets cannot be read".into()))?;
                let webhook = Webhook {
                    url,
                    event,
                    at: now,
                    signing: &signing,
                };
                courier.webhook(webhook).await
            }
            (WayRecord::Webhook { .. }, _) => Ok("nothing to send".into()),
        }
    }

    /// Takes down what became of a delivery, and tells what has to be told.
    async fn delivered(
        &self,
        channel: &Arc<Channel>,
        sequences: &[u64],
        result: std::result::Result<String, Undelivered>,
    ) -> Result<()> {
        let now_ms = self.config.clock.now_ms();
        let gives_up = i64::try_from(self.config.gives_up.as_millis()).unwrap_or(i64::MAX);
        let rooms = self.rooms();
        if let Ok(rooms) = &rooms {
            rooms.channels.count(result.is_ok(), sequences.len());
        }
        let saving = channel.progress.save().await;
        let news = {
            let mut state = channel.progress.state();
            match &result {
                Ok(_) => state.delivered(sequences, now_ms),
                Err(why) => {
                    let spread = |below: u64| spread(below);
                    state.failed(sequences, &why.0, now_ms, gives_up, spread)
                }
            }
        };
        if news == News::default() {
            return Ok(());
        }
        let news = Arc::new(news);
        let told = match &rooms {
            Ok(rooms) => {
                let told = self.write_news(rooms, channel, &news, (saving, now_ms));
                told.await
            }
            Err(_) => Err(Error::Sealed),
        };
        if let Err(error) = &told {
            let again = now_ms + 60 * SAVE_MS;
            channel.progress.state().not_told(&news, now_ms, again);
            if let Ok(rooms) = &rooms {
                channel.reread_after(&rooms.store, error).await;
            }
        }
        told
    }

    /// Writes down progress, dead letters and the event that tells of them, in
    /// one batch, with the right to save. Memory says the same once it is there.
    async fn write_news(
        &self,
        rooms: &Arc<Rooms>,
        channel: &Arc<Channel>,
        news: &Arc<News>,
        (saving, now_ms): (OwnedMutexGuard<()>, i64),
    ) -> Result<()> {
        let caller = Caller::system("notifier")?;
        let entry = self.enter(&caller)?;
        let target = Target::channel(&channel.namespace_name, &channel.record.name)
            .stored(channel.id.0, channel.revision);
        let allowed = entry.authorize_target_as_system::<Deliver>(target)?;
        let (cursor, revision, error, surplus) = {
            let mut state = channel.progress.state();
            // What changes from here on is not in this batch.
            state.dirty_since = None;
            let over = (state.dead.len() + news.dead.len()).saturating_sub(DEAD_MAX);
            let surplus: Vec<_> = state
                .dead
                .iter()
                .take(over)
                .map(|(a, b)| (*a, *b))
                .collect();
            let error = state.last_error.clone().unwrap_or_default();
            let cursor = state.record_with(news, now_ms);
            (cursor, state.revision, error, surplus)
        };
        let state = match (&*news.dead, news.recovered) {
            ([], true) => "recovered",
            ([], false) => "failing",
            _ => GIVEN_UP,
        };
        let outcome = match news.recovered {
            true => Outcome::Success,
            false => Outcome::failed(&error),
        };
        let mut event =
            EventDraft::of(&entry, &allowed, outcome)?.detail(DetailKey::ToState, state);
        if !news.dead.is_empty() {
            event = event.detail(DetailKey::Count, news.dead.len() as u64);
        }
        if !surplus.is_empty() {
            let dropped = format!("the oldest {} dead letters were dropped", surplus.len());
            event = event.detail(DetailKey::Reason, dropped);
        }
        let mut changes = vec![channel.put_cursor(&cursor, Some(revision))?];
        let mut buried = Vec::new();
        for recorded in events(rooms, channel, &news.dead).await? {
            let (id, change) = bury(channel, &recorded, &error, now_ms)?;
            buried.push(id);
            changes.push(change);
        }
        changes.extend(surplus.iter().map(|(id, expected)| Change::Delete {
            namespace: channel.namespace.0,
            kind: Kind::DeadLetter,
            id: *id,
            expected: *expected,
        }));
        let (of, news) = (Arc::clone(channel), Arc::clone(news));
        entry
            .change(saving, changes, event, move |_, revisions| {
                let mut state = of.progress.state();
                if let Some(revision) = revisions.first() {
                    state.revision = *revision;
                }
                state.told(&news, now_ms);
                for (id, _) in surplus {
                    state.dead.remove(&id);
                }
                state.dead.extend(buried.into_iter().map(|id| (id, 1)));
                Ok(())
            })
            .await
    }
}

/// Lets every channel look at the journal as far as it may; whether there is
/// more. Those at the same place look at it together.
async fn look(rooms: &Arc<Rooms>, channels: &[Arc<Channel>], now_ms: i64) -> Result<bool> {
    for _ in 0..PAGES {
        let durable = rooms.journal.durable_sequence();
        let behind: Vec<_> = (channels.iter())
            .filter_map(|channel| {
                let state = channel.progress.state();
                let may = state.next < durable && state.takes_more(channel.gathers());
                may.then_some((state.next, channel))
            })
            .collect();
        let Some(next) = behind.iter().map(|(next, _)| *next).min() else {
            return Ok(false);
        };
        let page = rooms
            .tail
            .read(rooms.journal.as_ref(), next, Reader::Channel)
            .await?;
        if page.is_empty() {
            return Ok(false);
        }
        for (_, channel) in behind.iter().filter(|(at, _)| *at == next) {
            let gathers = if channel.gathers() {
                MAIL_GATHERS_MS
            } else {
                0
            };
            let takes = |event: &skms_evidence::Event| channel.takes(event);
            let mut state = channel.progress.state();
            state.look_at(&page, takes, now_ms, gathers);
        }
    }
    Ok(true)
}

/// The events at these places: as they were read, or read again.
async fn events(
    rooms: &Arc<Rooms>,
    channel: &Channel,
    sequences: &[u64],
) -> Result<Vec<Arc<Recorded>>> {
    let mut found = Vec::with_capacity(sequences.len());
    for sequence in sequences {
        let known = {
            let state = channel.progress.state();
            let waiting = state.waiting.get(sequence);
            waiting.and_then(|one| one.event.clone())
        };
        let event = match known {
            Some(event) => event,
            None => {
                let page = rooms.journal.read(*sequence, 1).await?;
                let stored = page.into_iter().next();
                let stored = stored.ok_or(Error::Internal("an event that is gone"))?;
                Arc::new(Recorded {
                    sequence: stored.sequence,
                    event: skms_evidence::Event::decode(&stored.entry.bytes)?,
                })
            }
        };
        found.push(event);
    }
    Ok(found)
}

/// The record of a notification that is given up.
fn bury(
    channel: &Channel,
    recorded: &Recorded,
    reason: &str,
    now_ms: i64,
) -> Result<(RecordId, Change)> {
    let (attempts, first_ms) = {
        let state = channel.progress.state();
        let waiting = state.waiting.get(&recorded.sequence);
        waiting.map_or((0, now_ms), |one| (one.attempts, one.first_ms))
    };
    let record = DeadLetterRecord {
        channel: channel.id_text(),
        sequence: recorded.sequence,
        event: hex(&recorded.event.id.0),
        action: recorded.event.action.to_string(),
        attempts,
        first_at: first_ms.div_euclid(1000),
        died_at: now_ms.div_euclid(1000),
        reason: reason.to_owned(),
    };
    let id = RecordId::at(now_ms)?;
    let change = Change::Put {
        namespace: channel.namespace.0,
        kind: Kind::DeadLetter,
        id,
        name: None,
        expected: None,
        plaintext: records::encode(&record)?,
    };
    Ok((id, change))
}

/// A random number below another.
fn spread(below: u64) -> u64 {
    let drawn = rand::array::<8>().map_or(0, u64::from_be_bytes);
    drawn.checked_rem(below).unwrap_or_default()
}
