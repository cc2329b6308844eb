//! One wake-up a batch for each worker: the calls of a worker wait for the
//! journal together.
//!
//! Without it the journal's thread would wake every waiting call by itself,
//! each across threads. With it the journal wakes each worker once, and the
//! worker's own runtime finds out which of its calls may go on.

use std::cell::RefCell;

use skms_store::Ticket;
use skms_store::durability::Lane;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::error::Result;

/// A worker's lane and the task that drives it.
struct Here {
    runtime: tokio::runtime::Id,
    lane: Lane,
    driver: AbortHandle,
}

impl Drop for Here {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// Waits until what the ticket stands for survives power loss.
///
/// # Errors
/// [`Error::Store`](crate::Error::Store) when the journal can take no more.
pub(crate) async fn durable(ticket: &Ticket) -> Result<()> {
    let in_lane = HERE.with_borrow_mut(|here| {
        let runtime = Handle::try_current().ok();
        let usable = here.as_ref().is_some_and(|here| {
            let same = runtime.as_ref().is_some_and(|now| now.id() == here.runtime);
            same && here.lane.is_for(ticket.durability()) && !here.driver.is_finished()
        });
        if !usable {
            // A journal that was opened anew, or a runtime that has ended.
            *here = runtime.map(|runtime| {
                let lane = ticket.durability().lane();
                let driver = runtime.spawn(lane.drive()).abort_handle();
                Here {
                    runtime: runtime.id(),
                    lane,
                    driver,
                }
            });
        }
        here.as_ref().map(|here| here.lane.wait(ticket.end()))
    });
    match in_lane {
        Some(wait) => wait.await?,
        None => ticket.wait().await?,
    }
    Ok(())
}
