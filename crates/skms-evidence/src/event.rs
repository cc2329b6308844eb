//! An event: who did what to which things, when, and how it ended.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::detail::Details;
use crate::error::{Error, Result};
use crate::text::Text;

/// Names an event for ever: 128 bits from the caller's randomness.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub [u8; 16]);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EventId {
    type Err = Error;

    /// 32 lower-case hexadecimal digits.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::UnknownName("event id");
        let text = text.as_bytes();
        let mut id = [0; 16];
        if text.len() != 2 * id.len() || text.iter().any(u8::is_ascii_uppercase) {
            return Err(wrong());
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        for (byte, pair) in id.iter_mut().zip(text.chunks_exact(2)) {
            let &[high, low] = pair else {
                return Err(wrong());
            };
            let value = digit(high).zip(digit(low)).map(|(h, l)| h << 4 | l);
            *byte = value.and_then(|v| v.try_into().ok()).ok_or_else(wrong)?;
        }
        Ok(Self(id))
    }
}

/// Something an act was about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Target {
    /// What it is: "key", "token", "policy".
    pub kind: Text,
    /// Its identifier; empty if it has none or was not found.
    pub id: Text,
    /// What the caller called it.
    pub name: Text,
    /// Which version of it, where that matters.
    pub version: Option<u32>,
}

/// How an act ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was not allowed.
    Denied {
        /// Why, in words without secrets.
        reason: Text,
    },
    /// It was allowed and did not work.
    Failed {
        /// Why, in words without secrets.
        reason: Text,
    },
}

impl Outcome {
    /// Not allowed, for a reason; errors here never hold secrets.
    #[must_use]
    pub fn denied(reason: impl fmt::Display) -> Self {
        Self::Denied {
            reason: reason.to_string().into(),
        }
    }

    /// Allowed and failed, for a reason; errors here never hold secrets.
    #[must_use]
    pub fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed {
            reason: reason.to_string().into(),
        }
    }

    /// Its name: "success", "denied" or "failed".
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Denied { .. } => "denied",
            Outcome::Failed { .. } => "failed",
        }
    }

    /// Why, unless it was done.
    #[must_use]
    pub const fn reason(&self) -> Option<&Text> {
        match self {
            Outcome::Success => None,
            Outcome::Denied { reason } | Outcome::Failed { reason } => Some(reason),
        }
    }
}

/// What the log keeps of an act.
///
/// Its fields are identifiers, names and short texts of known meaning. There
/// is no place in it for what a request carried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Names it for ever; the journal takes each once.
    pub id: EventId,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_millis: i64,
    /// The namespace, by name; `None` for acts on the server itself.
    pub namespace: Option<Text>,
    /// Who.
    pub principal: Text,
    /// How that was known: "token", "certificate", "system".
    pub authentication: Text,
    /// From where.
    pub source: Option<IpAddr>,
    /// What: "key.create", "key.encrypt".
    pub action: Text,
    /// To which things, all of them.
    pub targets: Vec<Target>,
    /// How it ended.
    pub outcome: Outcome,
    /// The request it belongs to.
    pub request_id: Text,
    /// How many items a batch had; `None` for a single one.
    pub items: Option<u32>,
    /// More, under keys of a closed list.
    pub details: Details,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_spelling() {
        let id = EventId([0xab; 16]);
        assert_eq!(id.to_string(), "ab".repeat(16));
        assert_eq!(id.to_string().parse::<EventId>().unwrap(), id);
        let wrong = [
            "",
            "ab",
            &"AB".repeat(16),
            &"ag".repeat(16),
            &"ab".repeat(17),
        ];
        for text in wrong {
            assert!(text.parse::<EventId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn outcomes_give_their_reason() {
        assert_eq!(Outcome::Success.reason(), None);
        let denied = Outcome::denied("no policy permits it");
        assert_eq!(denied.name(), "denied");
        assert_eq!(denied.reason().unwrap().as_str(), "no policy permits it");
        assert_eq!(Outcome::failed(Error::TreeFull).name(), "failed");
    }
}
