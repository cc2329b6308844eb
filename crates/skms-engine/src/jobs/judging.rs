//! Asks the automatic rules and does what they say, on a thread of its own: a
//! walk over very many keys is a long computation, and on the thread that
//! starts the jobs it would hold up new connections, notifications and lists of
//! revocations. Events, walks and answers go on beside each other there, and
//! each namespace's answers beside those of the others.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use skms_store::priority::{SLOW_WORK, give_way};
use tokio::sync::Semaphore;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::rules::rounds::Turn;

/// Between two looks.
const TICK: Duration = Duration::from_millis(500);

/// Acts that are carried out at once: those that take something away, and the
/// others. Whoever waits for a turn has it in the order of asking.
const URGENT_AT_ONCE: usize = 8;
const OTHERS_AT_ONCE: usize = 2;

/// Starts the thread. It ends when the engine is gone.
///
/// # Errors
/// [`Error::Internal`] where there is no thread to be had.
pub(crate) fn start(engine: Weak<Engine>) -> Result<()> {
    let run = move || {
        give_way(SLOW_WORK);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        if let Ok(runtime) = runtime {
            runtime.spawn(walks(engine.clone()));
            runtime.block_on(events(engine));
        }
    };
    let thread = std::thread::Builder::new().name("rules".to_owned());
    thread
        .spawn(run)
        .map(drop)
        .map_err(|_| Error::Internal("no thread for the rules"))
}

/// A sealed server is left alone, and one without rules reads nothing.
async fn events(engine: Weak<Engine>) {
    let desk = Arc::new(Desk::default());
    loop {
        let more = {
            let Some(engine) = engine.upgrade() else {
                return;
            };
            let round = noted(&engine, engine.judge_round().await);
            let to_do = noted(&engine, engine.to_do().await);
            for namespace in to_do.unwrap_or_default() {
                for urgent in [true, false] {
                    desk.answer(&engine, &namespace, urgent);
                }
            }
            round.flatten().is_some_and(|round| round.more)
        };
        match more {
            true => tokio::task::yield_now().await,
            false => tokio::time::sleep(TICK).await,
        }
    }
}

async fn walks(engine: Weak<Engine>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        noted(&engine, engine.walk_where_due().await);
    }
}

fn noted<T>(engine: &Engine, result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::Sealed) => None,
        Err(error) => {
            engine.note_trouble(&error);
            None
        }
    }
}

/// Who carries acts out.
struct Desk {
    urgent: Semaphore,
    others: Semaphore,
    /// The namespaces whose acts of a kind are being carried out.
    busy: Mutex<HashSet<(String, bool)>>,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            urgent: Semaphore::new(URGENT_AT_ONCE),
            others: Semaphore::new(OTHERS_AT_ONCE),
            busy: Mutex::default(),
        }
    }
}

impl Desk {
    fn busy(&self) -> std::sync::MutexGuard<'_, HashSet<(String, bool)>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that a namespace's acts of a kind are carried out: one after
    /// the other, and after each those of others have their turn.
    fn answer(self: &Arc<Self>, engine: &Arc<Engine>, namespace: &str, urgent: bool) {
        let of = (namespace.to_owned(), urgent);
        if !self.busy().insert(of.clone()) {
            return;
        }
        let (desk, engine) = (Arc::clone(self), Arc::downgrade(engine));
        tokio::spawn(async move {
            let turns = match urgent {
                true => &desk.urgent,
                false => &desk.others,
            };
            let mut tried = HashSet::new();
            loop {
                let Ok(_turn) = turns.acquire().await else {
                    break;
                };
                let Some(engine) = engine.upgrade() else {
                    break;
                };
                match engine.answer_one(&of.0, urgent, &mut tried).await {
                    Ok(Turn::Done) => {}
                    Ok(Turn::Trouble(error)) => engine.note_trouble(&error),
                    Ok(Turn::Nothing) | Err(Error::Sealed) => break,
                    Err(error) => {
                        engine.note_trouble(&error);
                        break;
                    }
                }
            }
            desk.busy().remove(&of);
        });
    }
}
