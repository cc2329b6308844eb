//! One seed: a few lives of a machine, each with work, faults and an end.

use std::sync::Arc;

use skms_crypto::rand::seeded::Seeded;
use skms_store::simulation::{Faults, Loss, Random, SimulatedDisk};

use crate::check::Known;
use crate::machine::{Up, alive, installed};
use crate::workload::{Act, Asked, draw, perform, request_id};

/// Most lives of a machine.
const LIVES: u64 = 4;
/// Most rounds of work in a life.
const ROUNDS: u64 = 24;
/// A crash comes within so many operations of the disk.
const CRASH_WITHIN: u64 = 400;
/// A start takes about so many.
const START_WITHIN: u64 = 120;

/// What is done to a seed beyond what follows from it.
#[derive(Clone, Copy, Default)]
pub struct Twist {
    /// Syncs lie from the first life on.
    pub lying_disk: bool,
    /// Keeps the lines of the trace.
    pub trace: bool,
}

/// What a seed came to.
pub struct Ran {
    /// A digest of everything that the disk was asked for, in order.
    pub digest: u64,
    /// What does not hold, if anything.
    pub broken: Option<String>,
    /// The trace, if it was wanted.
    pub lines: Vec<String>,
    /// Operations of the disk, and how many failed by chance.
    pub operations: u64,
    pub failed: u64,
    /// Acts that were answered, and all.
    pub answered: u64,
    pub asked: u64,
    /// Times the machine lost power.
    pub crashes: u64,
}

/// Runs a seed to its end.
pub fn run(seed: u64, twist: Twist) -> Ran {
    let disk = installed().copy(seed);
    let _seeded = Seeded::begin(seed);
    if twist.trace {
        disk.keep_trace();
    }
    if twist.lying_disk {
        disk.lie();
    }
    let mut driver = Driver {
        disk: Arc::clone(&disk),
        random: Random::new(seed ^ 0x5eed),
        known: Known::default(),
        next: 0,
        crashes: 0,
    };
    let broken = driver.lives().err();
    // What it holds of the disk goes with it.
    disk.restart(Loss::Process);
    let answered = driver
        .known
        .asked
        .iter()
        .filter(|asked| asked.answer.is_ok());
    Ran {
        digest: disk.digest(),
        broken,
        lines: disk.lines(),
        operations: disk.operations(),
        failed: disk.failed(),
        answered: answered.count() as u64,
        asked: driver.known.asked.len() as u64,
        crashes: driver.crashes,
    }
}

struct Driver {
    disk: Arc<SimulatedDisk>,
    random: Random,
    known: Known,
    next: u64,
    crashes: u64,
}

impl Driver {
    fn lives(&mut self) -> Result<(), String> {
        let lives = 1 + self.random.below(LIVES);
        for life in 0..lives {
            self.disk.note(&format!("life {life}"));
            self.start_under_fire()?;
            self.live()?;
        }
        // At last in peace.
        self.check_in_peace()
    }

    /// Starts that fail or die are tried again.
    fn start_under_fire(&mut self) -> Result<(), String> {
        while self.random.one_in(3) {
            let (disk, before) = (Arc::clone(&self.disk), self.disk.failed());
            self.arm(START_WITHIN);
            let started = alive(&disk, async { Up::boot(&disk).await.map(drop) })?;
            let untouched = self.disk.failed() == before && !self.disk.is_dead();
            self.disarm();
            if let (Err(error), true) = (started, untouched) {
                return Err(format!(
                    "it does not open, with nothing in its way: {error}"
                ));
            }
            self.end();
        }
        Ok(())
    }

    /// Starts in peace, checks, works under fire, ends.
    fn live(&mut self) -> Result<(), String> {
        let disk = Arc::clone(&self.disk);
        let outcome = alive(&disk, async {
            let up = Up::boot(&disk)
                .await
                .map_err(|error| format!("it does not open: {error}"))?;
            self.known.check(&up).await?;
            self.work(&up).await;
            if self.random.one_in(3) {
                // A failing disk may keep it from ending well.
                let _ = up.engine.shut().await;
            }
            // No more: what goes on while it goes down is of no account.
            disk.kill();
            drop(up);
            Ok(())
        })?;
        self.disarm();
        self.end();
        outcome
    }

    fn check_in_peace(&mut self) -> Result<(), String> {
        let disk = Arc::clone(&self.disk);
        alive(&disk, async {
            let up = Up::boot(&disk)
                .await
                .map_err(|error| format!("it does not open: {error}"))?;
            self.known.check(&up).await?;
            up.engine
                .shut()
                .await
                .map_err(|error| format!("it does not close: {error}"))
        })??;
        match self.disk.reused_nonces().first() {
            Some(reused) => Err(reused.clone()),
            None => Ok(()),
        }
    }

    /// What goes wrong from here on.
    fn arm(&mut self, within: u64) {
        let random = &mut self.random;
        let often = 10 + random.below(150);
        let sometimes = |random: &mut Random| if random.one_in(3) { often } else { 0 };
        self.disk.set_faults(Faults {
            reads: sometimes(random) * 4,
            writes: sometimes(random),
            syncs: sometimes(random),
            names: sometimes(random),
        });
        if !random.one_in(3) {
            let after = random.below(within);
            self.disk.crash_after(Some(after));
        }
        if random.one_in(4) {
            let room = random.below(192 << 10);
            self.disk.set_room(Some(room));
        }
    }

    fn disarm(&self) {
        self.disk.set_faults(Faults::default());
        self.disk.crash_after(None);
        self.disk.set_room(None);
    }

    fn end(&mut self) {
        let loss = if self.random.one_in(4) {
            Loss::Process
        } else {
            self.crashes += 1;
            Loss::Power
        };
        self.disk.restart(loss);
    }

    async fn work(&mut self, up: &Up) {
        self.arm(CRASH_WITHIN);
        for _ in 0..self.random.below(ROUNDS) {
            let acts = draw(&mut self.random, &self.known.tokens());
            self.ask_for(up, acts).await;
            if self.random.one_in(4) {
                let swept = up.engine.keep_house(self.random.one_in(4), false).await;
                self.disk.note(&format!("kept house: {}", swept.is_ok()));
            }
            if self.random.one_in(8) {
                self.disk.set_room(None);
                self.disk.retry();
            }
            if self.disk.is_dead() {
                return;
            }
        }
    }

    /// All at once; waits for the last.
    async fn ask_for(&mut self, up: &Up, acts: Vec<Act>) {
        let mut running = Vec::new();
        for act in acts {
            let number = self.next;
            self.next += 1;
            self.disk.note(&format!("ask  {number} {act:?}"));
            let (engine, caller) = (Arc::clone(&up.engine), up.caller(&request_id(number)));
            let doing = act.clone();
            let task = tokio::spawn(async move { perform(&engine, &caller, number, &doing).await });
            running.push((number, act, task));
        }
        for (number, act, task) in running {
            let answer = match task.await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => Err(error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let told = match &answer {
                Ok(_) => "done",
                Err(error) => error,
            };
            self.disk.note(&format!("told {number} {told}"));
            self.known.learn(Asked {
                number,
                act,
                answer,
            });
        }
    }
}
