//! Where notifications go, in memory: channels by namespace and name, an
//! immutable snapshot that a change replaces, and beside each what its
//! deliveries have come to.

pub(crate) mod signing;
pub(crate) mod state;
pub(crate) mod turns;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use skms_evidence::{DetailKey, DetailValue, Event};
use skms_keys::NamespaceId;
use skms_policy::Action;
use skms_store::{Change, Kind, RecordId, SealedStore};
use tokio::sync::{Notify, OwnedMutexGuard};

use crate::acts::events::is_of;
use crate::error::{Error, Result};
use crate::filter::EventFilter;
use crate::places::{self, Places};
use crate::records;
use crate::records::notification::{ChannelRecord, CursorRecord, DeadLetterRecord, WayRecord};
use state::State;
use turns::Turns;

/// What the details of an event say when a notification was given up.
pub(crate) const GIVEN_UP: &str = "dead-letter";

/// One channel at one revision of its record.
pub(crate) struct Channel {
    pub(crate) id: RecordId,
    pub(crate) namespace: NamespaceId,
    pub(crate) namespace_name: Arc<str>,
    pub(crate) revision: u64,
    pub(crate) record: ChannelRecord,
    pub(crate) filter: EventFilter,
    pub(crate) progress: Arc<Progress>,
}

/// What a channel's deliveries have come to; it outlasts changes of the
/// channel.
#[derive(Default)]
pub(crate) struct Progress {
    state: Mutex<State>,
    /// One writes it down at a time. Whoever holds this does not wait for the
    /// lock on changes, which is taken before it.
    pub(crate) saving: Arc<tokio::sync::Mutex<()>>,
}

impl Progress {
    pub(crate) fn new(state: State) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(state),
            saving: Arc::default(),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to write it down, for a change that keeps it to its end.
    pub(crate) async fn save(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.saving).lock_owned().await
    }
}

impl Channel {
    pub(crate) fn new(
        (id, revision): (RecordId, u64),
        (namespace, namespace_name): (NamespaceId, Arc<str>),
        record: ChannelRecord,
        progress: Arc<Progress>,
    ) -> Result<Self> {
        let filter = EventFilter::new(&record.actions, &record.outcomes, &record.targets)?;
        Ok(Self {
            id,
            namespace,
            namespace_name,
            revision,
            record,
            filter,
            progress,
        })
    }

    /// Its identifier, as records and events write it.
    pub(crate) fn id_text(&self) -> String {
        self.id.to_string()
    }

    /// Whether it is for mailboxes.
    pub(crate) fn gathers(&self) -> bool {
        matches!(self.record.way, WayRecord::Email { .. })
    }

    /// Whether an event goes there. What is about this channel does not, and
    /// of other channels nothing that a notification of it would cause again:
    /// so that none causes another without end.
    pub(crate) fn takes(&self, event: &Event) -> bool {
        if !is_of(event, &self.namespace_name) || !self.filter.takes(event) {
            return false;
        }
        if !event.action.as_str().starts_with("notification.") {
            return true;
        }
        let own = self.id_text();
        let of_own = event.targets.iter().any(|target| target.id.as_str() == own);
        let given_up = event.action.as_str() == Action::NotificationDeliver.name()
            && event.details.get(DetailKey::ToState) == Some(&DetailValue::from(GIVEN_UP));
        !of_own && !given_up
    }

    /// The change that writes its progress down.
    pub(crate) fn put_cursor(
        &self,
        cursor: &CursorRecord,
        revision: Option<u64>,
    ) -> Result<Change> {
        Ok(Change::Put {
            namespace: self.namespace.0,
            kind: Kind::ChannelCursor,
            id: self.id,
            name: None,
            expected: revision,
            plaintext: records::encode(cursor)?,
        })
    }

    /// Takes over which revision the record of its progress has: after a commit
    /// of which nobody knows whether it happened, it may be a later one. The
    /// caller holds the right to save.
    pub(crate) async fn reread(&self, store: &SealedStore) -> Result<()> {
        let scope = self.namespace.0;
        let found = store.get(scope, Kind::ChannelCursor, self.id).await?;
        if let Some(found) = found {
            self.progress.state().revision = found.revision;
        }
        Ok(())
    }

    /// As [`Channel::reread`], after a change that came to nothing since the
    /// revision was another; the caller has not the right to save.
    pub(crate) async fn reread_after(&self, store: &SealedStore, error: &Error) {
        if matches!(error, Error::Conflict) {
            let _one = self.progress.saving.lock().await;
            // Where it cannot be read now, whoever meets the next conflict does.
            let _ = self.reread(store).await;
        }
    }

    /// The change that makes this its record.
    pub(crate) fn put(&self, revision: Option<u64>) -> Result<Change> {
        Ok(Change::Put {
            namespace: self.namespace.0,
            kind: Kind::Channel,
            id: self.id,
            name: Some(self.record.name.clone()),
            expected: revision,
            plaintext: records::encode(&self.record)?,
        })
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct Channels {
    all: ArcSwap<BTreeMap<String, Arc<Channel>>>,
    /// Told when there is something to do that the journal does not tell of.
    pub(crate) stirred: Arc<Notify>,
    /// What all deliveries at once share.
    pub(crate) turns: Arc<Turns>,
    delivered: AtomicU64,
    failed: AtomicU64,
}

/// Names hold no NUL, so this tells apart what differs.
fn place(namespace: &str, name: &str) -> String {
    format!("{namespace}\0{name}")
}

/// What there is and was, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Channels that deliver.
    pub working: usize,
    /// Channels that are failing.
    pub failing: usize,
    /// Channels that are switched off.
    pub disabled: usize,
    /// Notifications that wait.
    pub waiting: usize,
    /// Dead letters.
    pub dead: usize,
    /// Notifications delivered since the server was unsealed.
    pub delivered: u64,
    /// Deliveries that failed since then.
    pub failed: u64,
}

impl Channels {
    /// Takes over what was read anew. Progress that is under way goes on, on
    /// what is on record.
    pub(crate) fn replace(&self, other: &Self) {
        let before = self.all.load_full();
        let mut all = BTreeMap::clone(&other.all.load());
        for (place, fresh) in &mut all {
            let Some(known) = before.get(place).filter(|known| known.id == fresh.id) else {
                continue;
            };
            std::mem::swap(&mut *known.progress.state(), &mut *fresh.progress.state());
            let (record, filter) = match records::encode(&fresh.record)
                .and_then(|bytes| records::decode::<ChannelRecord>(bytes.expose()))
            {
                Ok(record) => (record, fresh.filter.clone()),
                Err(_) => continue,
            };
            *fresh = Arc::new(Channel {
                id: fresh.id,
                namespace: fresh.namespace,
                namespace_name: Arc::clone(&fresh.namespace_name),
                revision: fresh.revision,
                record,
                filter,
                progress: Arc::clone(&known.progress),
            });
        }
        self.all.store(Arc::new(all));
        self.stirred.notify_one();
    }

    /// The channel of that name.
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<Arc<Channel>> {
        self.all.load().get(&place(namespace, name)).cloned()
    }

    /// The channels of a namespace, by name.
    pub(crate) fn of(&self, namespace: &str) -> Vec<Arc<Channel>> {
        let all = self.all.load();
        let from = all.range(place(namespace, "")..);
        let ours = from.take_while(|(_, one)| &*one.namespace_name == namespace);
        ours.map(|(_, one)| Arc::clone(one)).collect()
    }

    /// Every channel.
    pub(crate) fn all(&self) -> Vec<Arc<Channel>> {
        self.all.load().values().cloned().collect()
    }

    /// Adds or replaces one; the caller holds the rooms' change lock.
    pub(crate) fn put(&self, channel: Channel) {
        let mut all = BTreeMap::clone(&self.all.load());
        let place = place(&channel.namespace_name, &channel.record.name);
        all.insert(place, Arc::new(channel));
        self.all.store(Arc::new(all));
        self.stirred.notify_one();
    }

    /// Forgets one; the caller holds the rooms' change lock.
    pub(crate) fn remove(&self, namespace: &str, name: &str) {
        let mut all = BTreeMap::clone(&self.all.load());
        all.remove(&place(namespace, name));
        self.all.store(Arc::new(all));
    }

    /// Counts what became of deliveries.
    pub(crate) fn count(&self, taken: bool, events: usize) {
        let counter = if taken { &self.delivered } else { &self.failed };
        counter.fetch_add(events as u64, Ordering::Relaxed);
    }

    /// What there is and was.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts {
            delivered: self.delivered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            ..Counts::default()
        };
        for channel in self.all.load().values() {
            let state = channel.progress.state();
            counts.waiting += state.waiting.len();
            counts.dead += state.dead.len();
            let of = match (channel.record.enabled, state.failing_since) {
                (false, _) => &mut counts.disabled,
                (true, Some(_)) => &mut counts.failing,
                (true, None) => &mut counts.working,
            };
            *of += 1;
        }
        counts
    }
}

/// Every channel of every namespace.
pub(crate) async fn load(store: &SealedStore, places: &Places) -> Result<Channels> {
    let mut all = BTreeMap::new();
    for namespace in places.list() {
        let name: Arc<str> = Arc::from(namespace.name.as_str());
        let scope = namespace.id.0;
        let channels = places::all::<ChannelRecord>(store, scope).await?;
        if channels.is_empty() {
            continue;
        }
        let mut states: BTreeMap<RecordId, State> = BTreeMap::new();
        for (id, revision, record) in places::all::<CursorRecord>(store, scope).await? {
            states.insert(id, State::of(revision, record));
        }
        for (id, revision, record) in places::all::<DeadLetterRecord>(store, scope).await? {
            let of = record.channel.parse::<RecordId>()?;
            if let Some(state) = states.get_mut(&of) {
                state.dead.insert(id, revision);
            }
        }
        for (id, revision, record) in channels {
            let progress = Progress::new(states.remove(&id).unwrap_or_default());
            let whose = (namespace.id, Arc::clone(&name));
            let place = place(&name, &record.name);
            let channel = Channel::new((id, revision), whose, record, progress)?;
            all.insert(place, Arc::new(channel));
        }
    }
    let channels = Channels::default();
    channels.all.store(Arc::new(all));
    Ok(channels)
}

#[cfg(test)]
mod tests {
    use skms_evidence::{Details, EventId, Outcome, Target, Text};

    use super::*;

    fn channel(namespace: &str, actions: &[&str]) -> Channel {
        let record = ChannelRecord {
            name: "pager".into(),
            enabled: true,
            way: WayRecord::Email { to: Vec::new() },
            actions: actions.iter().map(|one| (*one).to_owned()).collect(),
            outcomes: Vec::new(),
            targets: Vec::new(),
            created_at: 0,
            changed_at: 0,
        };
        let whose = (NamespaceId([1; 16]), Arc::from(namespace));
        Channel::new((RecordId([7; 16]), 1), whose, record, Arc::default()).unwrap()
    }

    fn event(namespace: &str, action: &str, target: [u8; 16], state: Option<&str>) -> Event {
        let mut details = Details::new();
        if let Some(state) = state {
            details.set(DetailKey::ToState, state);
        }
        Event {
            id: EventId([0; 16]),
            at_millis: 0,
            namespace: Some(namespace.into()),
            principal: Text::default(),
            authentication: Text::default(),
            source: None,
            action: action.into(),
            targets: vec![Target {
                id: RecordId(target).to_string().into(),
                ..Target::default()
            }],
            outcome: Outcome::Success,
            request_id: Text::default(),
            items: None,
            details,
        }
    }

    #[test]
    fn no_notification_causes_another_without_end() {
        let team = channel("team", &[]);
        let deliver = "notification.deliver";
        for (namespace, action, target, state, takes) in [
            ("team", "key.revoke", [7; 16], None, true),
            ("other", "key.revoke", [1; 16], None, false),
            // Of its own nothing, of another what does not come again.
            ("team", deliver, [7; 16], Some("failing"), false),
            ("team", "notification.manage", [7; 16], None, false),
            ("team", deliver, [8; 16], Some("failing"), true),
            ("team", deliver, [8; 16], Some(GIVEN_UP), false),
            ("team", "notification.manage", [8; 16], None, true),
        ] {
            let event = event(namespace, action, target, state);
            assert_eq!(team.takes(&event), takes, "{action} {state:?}");
        }
        let narrow = channel("team", &["token.*"]);
        assert!(!narrow.takes(&event("team", "key.revoke", [1; 16], None)));
        assert!(channel("root", &[]).takes(&event("team", "key.revoke", [1; 16], None)));
    }
}
