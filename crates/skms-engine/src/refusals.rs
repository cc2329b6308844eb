//! Credentials that were refused leave events too, a few a second: whoever
//! guesses tokens is seen, and cannot fill the disk.

use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use skms_crypto::rand;
use skms_evidence::{DetailKey, Details, Event, EventId, Outcome, Text};
use skms_policy::ROOT_NAMESPACE;

use crate::draft::Final;
use crate::engine::Engine;
use crate::error::Result;

/// Most such events in one second; the rest are counted in the next one.
const PER_SECOND: u64 = 10;

/// How many were recorded in the second under way, and how many were not.
#[derive(Default)]
pub(crate) struct Refusals {
    second: AtomicI64,
    recorded: AtomicU64,
    unrecorded: AtomicU64,
}

impl Refusals {
    /// Whether this one may be recorded, and how many before it were not.
    fn admit(&self, second: i64) -> Option<u64> {
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.recorded.store(0, Ordering::Relaxed);
        }
        if self.recorded.fetch_add(1, Ordering::Relaxed) < PER_SECOND {
            Some(self.unrecorded.swap(0, Ordering::Relaxed))
        } else {
            self.unrecorded.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

impl Engine {
    /// Records that a credential was refused: from where and of which kind,
    /// never what it was. Whose it is (namespace and name) and why, where that
    /// is known and not what anybody sent.
    ///
    /// # Errors
    /// [`crate::Error::Sealed`]; what the journal refuses.
    pub async fn record_refused_credential(
        &self,
        (kind, whom, why): (&'static str, Option<(&str, &str)>, Option<&str>),
        source: Option<IpAddr>,
        request_id: &str,
    ) -> Result<()> {
        let why = why.unwrap_or("not a live credential");
        let refused = (kind, "credential.refused", why);
        self.record_refusal(refused, whom, source, request_id).await
    }

    /// As [`Engine::record_refused_credential`], for something else that
    /// somebody who is nobody yet was refused: the kind of credential, what
    /// was tried, and why not.
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn record_refused(
        &self,
        refused: (&'static str, &'static str, &str),
        source: Option<IpAddr>,
        request_id: &str,
    ) -> Result<()> {
        self.record_refusal(refused, None, source, request_id).await
    }

    async fn record_refusal(
        &self,
        (kind, action, why): (&'static str, &'static str, &str),
        whom: Option<(&str, &str)>,
        source: Option<IpAddr>,
        request_id: &str,
    ) -> Result<()> {
        let rooms = self.rooms()?;
        let now_ms = rooms.clock.now_ms();
        let Some(unrecorded) = rooms.refusals.admit(now_ms.div_euclid(1000)) else {
            return Ok(());
        };
        let mut details = Details::new();
        if unrecorded > 0 {
            details.set(DetailKey::Count, unrecorded);
        }
        if let Some((namespace, _)) = whom.filter(|(namespace, _)| *namespace != ROOT_NAMESPACE) {
            details.set(DetailKey::PrincipalNamespace, namespace);
        }
        let principal = whom.map_or("unknown", |(_, name)| name);
        let event = Event {
            id: EventId(rand::array()?),
            at_millis: now_ms,
            namespace: None,
            principal: Text::from(principal),
            authentication: Text::from(kind),
            source,
            action: Text::from(action),
            targets: Vec::new(),
            outcome: Outcome::denied(why),
            request_id: request_id.into(),
            items: None,
            details,
        };
        rooms.recorder.append(&Final::plain(event)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_kept() {
        let refusals = Refusals::default();
        let admitted = (0..100).filter(|_| refusals.admit(7).is_some()).count();
        assert_eq!(admitted, 10);
        assert_eq!(refusals.admit(8), Some(90));
        assert_eq!(refusals.admit(8), Some(0));
    }
}
