//! How notifications leave: the engine asks through this and opens no socket
//! itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use skms_keys::UnixSeconds;

use crate::acts::events::Recorded;
pub use crate::notify::signing::Signing;

/// What became of a delivery.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<String, Undelivered>> + Send + 'a>>;

/// Why something was not taken, in words for the operator: without secrets,
/// and without what the other side answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undelivered(pub String);

/// One event for a webhook.
pub struct Webhook<'a> {
    /// Where it goes, as [`Courier::check_url`] let it pass.
    pub url: &'a str,
    /// The event.
    pub event: &'a Recorded,
    /// When it is sent.
    pub at: UnixSeconds,
    /// What signs it.
    pub signing: &'a Signing,
}

/// Events for mailboxes, in one message.
pub struct Mail<'a> {
    /// To whom, as [`Courier::check_mailbox`] let them pass.
    pub to: &'a [String],
    /// The channel's namespace and name.
    pub channel: (&'a str, &'a str),
    /// The events, in order.
    pub events: &'a [Arc<Recorded>],
    /// How many more there were meanwhile than one mail holds.
    pub left_out: u64,
}

/// Delivers. Each call ends by itself in bounded time and with bounded memory,
/// resolves names by itself, and connects only to addresses that the operator
/// lets it connect to; what the other side says is not trusted. Success is
/// told in a few words.
pub trait Courier: Send + Sync {
    /// Whether webhooks are sent to such an address at all.
    ///
    /// # Errors
    /// Why not.
    fn check_url(&self, url: &str) -> Result<(), Undelivered>;

    /// Whether mail is sent to such a mailbox at all.
    ///
    /// # Errors
    /// Why not.
    fn check_mailbox(&self, mailbox: &str) -> Result<(), Undelivered>;

    /// Sends one event to a webhook.
    fn webhook<'a>(&'a self, webhook: Webhook<'a>) -> Sending<'a>;

    /// Sends events by mail.
    fn mail<'a>(&'a self, mail: Mail<'a>) -> Sending<'a>;
}

/// Delivers nothing.
pub struct NoCourier;

fn nobody() -> Undelivered {
    Undelivered("this server delivers no notifications".to_owned())
}

impl Courier for NoCourier {
    fn check_url(&self, _: &str) -> Result<(), Undelivered> {
        Err(nobody())
    }

    fn check_mailbox(&self, _: &str) -> Result<(), Undelivered> {
        Err(nobody())
    }

    fn webhook<'a>(&'a self, _: Webhook<'a>) -> Sending<'a> {
        Box::pin(std::future::ready(Err(nobody())))
    }

    fn mail<'a>(&'a self, _: Mail<'a>) -> Sending<'a> {
        Box::pin(std::future::ready(Err(nobody())))
    }
}
