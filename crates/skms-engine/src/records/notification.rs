//! Where notifications go, how far they have come, and those that were given
//! up.

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;
use super::acme::SecretField;

/// A channel's record.
#[derive(Serialize, Deserialize)]
pub(crate) struct ChannelRecord {
    pub(crate) name: String,
    pub(crate) enabled: bool,
    pub(crate) way: WayRecord,
    pub(crate) actions: Vec<String>,
    pub(crate) outcomes: Vec<String>,
    pub(crate) targets: Vec<String>,
    pub(crate) created_at: i64,
    pub(crate) changed_at: i64,
}

impl Record for ChannelRecord {
    const KIND: Kind = Kind::Channel;
}

/// How a channel's notifications go.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum WayRecord {
    Webhook {
        url: String,
        /// The one that is in use first, then those that still count.
        secrets: Vec<SecretRecord>,
        /// The Ed25519 key that signs, as the crypto room writes it; none in
        /// what is remembered of a create.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<SecretField>,
    },
    Email {
        to: Vec<String>,
    },
}

/// A secret that receivers have, too.
#[derive(Serialize, Deserialize)]
pub(crate) struct SecretRecord {
    /// Its bytes, in base64.
    pub(crate) secret: SecretField,
    /// When it counts no longer; the one in use has no such time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<i64>,
}

/// How far a channel has come. Its identifier is the channel's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct CursorRecord {
    /// The first event of the journal that was not looked at.
    pub(crate) next: u64,
    /// Events before that which are still to be delivered.
    pub(crate) waiting: Vec<WaitingRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failing_since: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_delivered_at: Option<i64>,
    pub(crate) delivered: u64,
    /// Events that were left out of mails, and are still to be counted in one.
    #[serde(default)]
    pub(crate) left_out: u64,
}

impl CursorRecord {
    /// These are to be delivered after all.
    pub(crate) fn bring_back(&mut self, sequences: &[u64], now_ms: i64) {
        for sequence in sequences {
            if self.waiting.iter().all(|one| one.sequence != *sequence) {
                self.waiting.push(WaitingRecord {
                    sequence: *sequence,
                    attempts: 0,
                    first_ms: now_ms,
                    next_ms: now_ms,
                });
            }
        }
    }
}

impl Record for CursorRecord {
    const KIND: Kind = Kind::ChannelCursor;
}

/// An event that is to be delivered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WaitingRecord {
    pub(crate) sequence: u64,
    pub(crate) attempts: u32,
    /// When it was tried first, or was to be, in milliseconds.
    pub(crate) first_ms: i64,
    /// When it is tried next.
    pub(crate) next_ms: i64,
}

/// A notification that was given up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DeadLetterRecord {
    /// The channel's identifier.
    pub(crate) channel: String,
    /// The event's place in the journal.
    pub(crate) sequence: u64,
    /// The event's identifier.
    pub(crate) event: String,
    pub(crate) action: String,
    pub(crate) attempts: u32,
    pub(crate) first_at: i64,
    pub(crate) died_at: i64,
    pub(crate) reason: String,
}

impl Record for DeadLetterRecord {
    const KIND: Kind = Kind::DeadLetter;
}
