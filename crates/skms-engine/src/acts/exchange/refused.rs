//! Messages that are refused before anybody is known to have sent them leave
//! an event, too: a few a second, under the name of what was wrong.

use skms_exchange::Error as Refusal;

use super::Sender;
use crate::engine::Engine;
use crate::error::Result;

impl Engine {
    /// Leaves the event of a refused message, and gives the refusal.
    ///
    /// # Errors
    /// [`crate::Error::Exchange`] always, unless the event could not be recorded.
    pub(super) async fn refuse_exchange<T>(&self, sender: &Sender, why: Refusal) -> Result<T> {
        self.record_refused(
            ("exchange", "exchange.refused", why.name()),
            sender.source,
            &sender.request_id,
        )
        .await?;
        Err(why.into())
    }
}
