//! The loop behind the acts: settled outbox rows go, dates are attended to,
//! records move to the newest storage key.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::error::Error;

/// Between two looks at the agenda and the outbox.
const TICK: Duration = Duration::from_millis(500);
/// Ticks between two looks at what is kept for a time, such as orders: an hour.
const SWEEP_TICKS: u64 = 7200;
/// Ticks between two walks over every stored key: a day.
const WALK_TICKS: u64 = 172_800;
/// Ticks between two looks for exchanges that have ended, each of which leaves
/// a record: two minutes.
const EXCHANGE_TICKS: u64 = 240;
/// Between two looks whether somebody left.
const LEAVERS_EVERY: Duration = Duration::from_secs(1);
/// As many times as long as such a look took nobody looks again: with many
/// credentials it takes a while.
const LEAVERS_SHARE: u32 = 30;
/// Records that move to the newest storage key in one tick.
const RESEAL_AT_ONCE: usize = 512;

/// Runs until the engine is gone. A sealed server is left alone.
pub(crate) async fn run(engine: Weak<Engine>) {
    let mut tick: u64 = 0;
    let mut unsealed_before = false;
    let mut leavers_at = Instant::now();
    loop {
        tokio::time::sleep(TICK).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        let unsealed = engine.rooms().is_ok();
        let sweep = unsealed && (!unsealed_before || tick.is_multiple_of(SWEEP_TICKS));
        unsealed_before = unsealed;
        let walk = tick % WALK_TICKS == WALK_TICKS / 2;
        let forget = tick % SWEEP_TICKS == SWEEP_TICKS / 2;
        let exchanges = tick % EXCHANGE_TICKS == EXCHANGE_TICKS / 2;
        tick = tick.wrapping_add(1);
        if !unsealed {
            continue;
        }
        if let Some(why) = engine.lost() {
            // What memory holds may be revoked elsewhere: better no answer.
            engine.note_trouble(&Error::Store(skms_store::Error::Failed(why)));
            // Its last writes fail, as they must.
            let _ = engine.shut().await;
            continue;
        }
        let mut kept = engine.keep(sweep, forget, walk).await;
        if exchanges && kept.is_ok() {
            kept = engine.forget_ended_exchanges().await.map(drop);
        }
        if exchanges && kept.is_ok() {
            kept = engine.expire_approvals().await.map(drop);
        }
        if leavers_at <= Instant::now() && kept.is_ok() {
            let began = Instant::now();
            kept = engine.look_for_leavers().await.map(drop);
            leavers_at = Instant::now() + LEAVERS_EVERY + began.elapsed() * LEAVERS_SHARE;
        }
        match kept {
            Ok(()) | Err(Error::Sealed) => {}
            Err(error) => engine.note_trouble(&error),
        }
    }
}

impl Engine {
    /// Why the database is no longer ours, if so.
    fn lost(&self) -> Option<String> {
        self.rooms().ok()?.store.store().lost()
    }

    /// One round of the work that [`Engine::start_jobs`] has done every now
    /// and then; `sweep` looks at every stored key as well, `forget` at every
    /// remembered idempotency key.
    ///
    /// # Errors
    /// [`Error::Sealed`], and what kept it from being done.
    pub async fn keep_house(self: &Arc<Self>, sweep: bool, forget: bool) -> Result<(), Error> {
        if sweep {
            self.sweep_agenda().await?;
            self.look_for_leavers().await?;
        }
        self.keep(sweep, forget, false).await
    }

    async fn keep(self: &Arc<Self>, sweep: bool, forget: bool, walk: bool) -> Result<(), Error> {
        self.rooms()?.catch_up().await;
        if forget {
            self.forget_ended_idempotency_keys().await?;
            self.forget_ended_exchanges().await?;
            self.forget_ended_jobs().await?;
        }
        if sweep {
            self.keep_acme_orders().await?;
        }
        if walk {
            self.begin_walk()?;
        }
        self.step_walk().await?;
        self.do_what_is_due().await?;
        let rooms = self.rooms()?;
        rooms.recorder.sweep().await?;
        rooms.recorder.note_length().await?;
        rooms.store.reseal_some(RESEAL_AT_ONCE).await?;
        Ok(())
    }
}
