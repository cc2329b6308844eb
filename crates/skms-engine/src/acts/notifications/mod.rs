//! Notification channels: make, list, read, change, test and delete them, and
//! handle what was given up.
//!
//! A channel shows events of its namespace to whoever is at its other end, for
//! as long as it is there. So making or changing one takes the right to read
//! them (`event.read`) beside `notification.manage`. What delivers is
//! [`crate::jobs`]' `notifying`.

mod create;
mod letters;
mod manage;
mod read;

use std::sync::Arc;

use skms_keys::UnixSeconds;
use skms_policy::Action;
use skms_store::RecordId;

use crate::act::act;
use crate::acts::events::place_of;
use crate::courier::Courier;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::notify::Channel;
use crate::records::notification::WayRecord;
use crate::target::Target;

pub use create::{Made, NewChannel};
pub use letters::{DeadLetter, Letters};
pub use manage::{Changes, Tested};

act!(List, NotificationList, "Lists the channels.");
act!(Read, NotificationRead, "Reads a channel.");
act!(Manage, NotificationManage, "Makes or changes a channel.");

/// The most channels of a namespace, and of all.
const CHANNELS_MAX: usize = 32;
const ALL_CHANNELS_MAX: usize = 256;
/// The most mailboxes of a channel.
const MAILBOXES_MAX: usize = 32;
/// The longest address.
const ADDRESS_MAX: usize = 2048;

/// Where a channel's notifications go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// To a web server.
    Webhook {
        /// Its address.
        url: String,
    },
    /// To mailboxes.
    Email {
        /// Whose.
        to: Vec<String>,
    },
}

/// How a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It delivers.
    Working,
    /// What it delivers is not taken.
    Failing,
    /// It is switched off: events pass it by.
    Disabled,
}

/// What is told about a channel.
#[derive(Clone, Debug)]
pub struct View {
    /// Its identifier.
    pub id: RecordId,
    /// Its name.
    pub name: String,
    /// Where it goes.
    pub way: Way,
    /// What verifies a webhook's `v1a` signatures.
    pub public_key: Option<String>,
    /// How many secrets sign a webhook's messages now.
    pub secrets: usize,
    /// Which events: actions, outcomes and targets.
    pub wanted: (Vec<String>, Vec<String>, Vec<String>),
    /// How it stands.
    pub standing: Standing,
    /// Since when it has been failing.
    pub failing_since: Option<UnixSeconds>,
    /// Why the last delivery was not taken.
    pub last_error: Option<String>,
    /// When one was last taken.
    pub last_delivered_at: Option<UnixSeconds>,
    /// How many events were delivered.
    pub delivered: u64,
    /// How many wait.
    pub waiting: usize,
    /// How many entries of the journal it has not looked at.
    pub behind: u64,
    /// How many were given up.
    pub dead: usize,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// When it was last changed.
    pub changed_at: UnixSeconds,
}

impl View {
    fn of(entry: &Entry, channel: &Channel) -> Result<Self> {
        let (record, now) = (&channel.record, entry.now());
        let (way, secrets) = match &record.way {
            WayRecord::Webhook { url, secrets, .. } => {
                let counts = |until: Option<i64>| until.is_none_or(|until| now.0 < until);
                let all = secrets.iter().filter(|one| counts(one.until)).count();
                (Way::Webhook { url: url.clone() }, all)
            }
            WayRecord::Email { to } => (Way::Email { to: to.clone() }, 0),
        };
        // What is remembered of a create has no key.
        let signing = record.way.signing(now).ok().flatten();
        let durable = entry.rooms.journal.durable_sequence();
        let state = channel.progress.state();
        Ok(Self {
            id: channel.id,
            name: record.name.clone(),
            way,
            public_key: signing.map(|signing| signing.public()).transpose()?,
            secrets,
            wanted: (
                record.actions.clone(),
                record.outcomes.clone(),
                record.targets.clone(),
            ),
            standing: match (record.enabled, state.failing_since) {
                (false, _) => Standing::Disabled,
                (true, Some(_)) => Standing::Failing,
                (true, None) => Standing::Working,
            },
            failing_since: state.failing_since.map(UnixSeconds),
            last_error: state.last_error.clone(),
            last_delivered_at: state.last_delivered_at.map(UnixSeconds),
            delivered: state.delivered,
            waiting: state.waiting.len(),
            behind: durable.saturating_sub(state.next),
            dead: state.dead.len(),
            created_at: UnixSeconds(record.created_at),
            changed_at: UnixSeconds(record.changed_at),
        })
    }
}

impl Entry {
    /// The channel as a target: with its revision if there is one.
    fn channel_target(&self, namespace: &str, name: &str) -> Target {
        let target = Target::channel(namespace, name);
        match self.rooms.channels.find(namespace, name) {
            Some(found) => target.stored(found.id.0, found.revision),
            None => target,
        }
    }

    /// The channel of that name.
    fn channel(&self, namespace: &str, name: &str) -> Result<Arc<Channel>> {
        let found = self.rooms.channels.find(namespace, name);
        found.ok_or(Error::NotFound {
            what: "notification channel",
        })
    }

    /// Whoever has events sent somewhere can read them.
    fn may_read_events(&self, namespace: &str) -> Result<()> {
        let place = place_of(namespace);
        if self.may_see(Action::EventRead, &place.resource()) {
            return Ok(());
        }
        Err(Error::Forbidden {
            action: Action::EventRead.name(),
            target: place.path(),
        })
    }
}

/// Refuses addresses that nothing would be sent to.
fn check(courier: &dyn Courier, way: &Way) -> Result<()> {
    let refused = |why: crate::courier::Undelivered| Error::Invalid(why.0);
    match way {
        Way::Webhook { url } if url.len() > ADDRESS_MAX => Err(Error::TooLarge {
            what: "the length of the address",
            limit: ADDRESS_MAX as u64,
        }),
        Way::Webhook { url } => courier.check_url(url).map_err(refused),
        Way::Email { to } if to.is_empty() => {
            Err(Error::Invalid("a channel has a mailbox at least".into()))
        }
        Way::Email { to } if to.len() > MAILBOXES_MAX => Err(Error::TooLarge {
            what: "the number of mailboxes",
            limit: MAILBOXES_MAX as u64,
        }),
        Way::Email { to } => to
            .iter()
            .try_for_each(|one| courier.check_mailbox(one).map_err(refused)),
    }
}
