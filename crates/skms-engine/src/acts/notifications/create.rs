//! Makes a channel.

use std::sync::Arc;

use skms_crypto::SecretText;
use skms_evidence::{DetailKey, Outcome};
use skms_keys::Name;
use skms_store::RecordId;

use super::{ALL_CHANNELS_MAX, CHANNELS_MAX, Manage, View, Way, check};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::filter::EventFilter;
use crate::gate::{Authorized, Entry};
use crate::idempotency::Once;
use crate::notify::state::State;
use crate::notify::{Channel, Progress, signing};
use crate::records::notification::{ChannelRecord, CursorRecord, WayRecord};
use crate::target::Target;

/// What is said about a new channel.
#[derive(Clone, Debug)]
pub struct NewChannel {
    /// Its name in the namespace.
    pub name: String,
    /// Where it goes.
    pub way: Way,
    /// Which events.
    pub wanted: EventFilter,
    /// Whether it delivers from the start.
    pub enabled: bool,
}

/// A channel, and the secret that its receiver is to have: given once.
pub struct Made {
    /// The channel.
    pub view: View,
    /// The secret of a webhook, where one was made.
    pub secret: Option<SecretText>,
}

impl Engine {
    /// Has events of the namespace delivered from now on.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::Forbidden`] for who may not read events;
    /// [`Error::Invalid`] for addresses that nothing is sent to;
    /// [`Error::TooLarge`].
    pub async fn create_channel(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        new: NewChannel,
    ) -> Result<Made> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Manage>(Target::channel(namespace, &new.name))
            .await?;
        let made = self.make(&entry, &allowed, namespace, new).await;
        entry.failed(&allowed, made).await
    }

    async fn make(
        &self,
        entry: &Entry,
        allowed: &Authorized<Manage, Target>,
        namespace: &str,
        new: NewChannel,
    ) -> Result<Made> {
        entry.may_read_events(namespace)?;
        let rooms = &entry.rooms;
        let guard = rooms.lock_changes().await;
        let place = rooms.places.namespace(namespace);
        let place = place.ok_or(Error::NotFound { what: "namespace" })?;
        let whose = (place.id, Arc::from(namespace));
        let claim = match entry.once::<ChannelRecord>(place.id.0).await? {
            Once::First(claim) => claim,
            Once::Again(id, record) => {
                entry.record_again(allowed, id).await?;
                let known = rooms.channels.find(namespace, &record.name);
                let known = match known.filter(|known| known.id == id) {
                    Some(known) => known,
                    None => Arc::new(Channel::new((id, 1), whose, record, Arc::default())?),
                };
                return Ok(Made {
                    view: View::of(entry, &known)?,
                    secret: None,
                });
            }
        };
        let name = Name::new(&new.name)?;
        if rooms.channels.find(namespace, name.as_str()).is_some() {
            return Err(Error::Exists {
                what: "a notification channel of that name",
            });
        }
        if rooms.channels.of(namespace).len() >= CHANNELS_MAX
            || rooms.channels.all().len() >= ALL_CHANNELS_MAX
        {
            return Err(Error::TooLarge {
                what: "the number of notification channels",
                limit: CHANNELS_MAX as u64,
            });
        }
        check(self.config.courier.as_ref(), &new.way)?;
        let (way, secret) = match &new.way {
            Way::Email { to } => (WayRecord::Email { to: to.clone() }, None),
            Way::Webhook { url } => {
                let (shown, kept) = signing::new_secret()?;
                let way = WayRecord::Webhook {
                    url: url.clone(),
                    secrets: vec![kept],
                    key: Some(signing::new_key()?),
                };
                (way, Some(shown))
            }
        };
        let record = |way| ChannelRecord {
            name: new.name.clone(),
            enabled: new.enabled,
            way,
            actions: new.wanted.actions().to_vec(),
            outcomes: new.wanted.outcomes().to_vec(),
            targets: new.wanted.targets().to_vec(),
            created_at: entry.now().0,
            changed_at: entry.now().0,
        };
        let id = RecordId::random()?;
        // From now on: the event of this act is about the channel itself.
        let cursor = CursorRecord {
            next: rooms.journal.durable_sequence(),
            ..CursorRecord::default()
        };
        let progress = Progress::new(State::of(1, cursor.clone()));
        let channel = Channel::new((id, 1), whose, record(way), progress)?;
        let mut changes = vec![channel.put(None)?, channel.put_cursor(&cursor, None)?];
        // Nothing secret is remembered beside the record itself.
        let remembered = record(match new.way {
            Way::Email { to } => WayRecord::Email { to },
            Way::Webhook { url } => WayRecord::Webhook {
                url,
                secrets: Vec::new(),
                key: None,
            },
        });
        changes.extend(claim.remember(id, &remembered)?);
        let view = View::of(entry, &channel)?;
        let event = EventDraft::of(entry, allowed, Outcome::Success)?
            .target_id(id)
            .detail(DetailKey::Changed, "created");
        entry
            .change((guard, claim), changes, event, move |rooms, _| {
                rooms.channels.put(channel);
                Ok(Made { view, secret })
            })
            .await
    }
}
