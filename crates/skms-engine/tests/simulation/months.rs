//! Months of schedules in a second: keys with rules of every kind on a clock
//! that jumps both ways, on a server that dies and comes back, on a disk that
//! fails. What must hold is said in `docs/testing.md`.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;

use skms_crypto::rand::seeded::Seeded;
use skms_crypto::{Algorithm, EncryptOptions, SecretBytes};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::derive_key::NewDerivation;
use skms_engine::acts::encrypt::{self, Encrypt};
use skms_engine::acts::events::Recorded;
use skms_engine::{Clock, Error};
use skms_evidence::{DetailKey, DetailValue, Outcome};
use skms_keys::{DueAct, Key, KeyState, Rules, Schedule, UnixSeconds, VersionNumber};
use skms_store::simulation::{Faults, Loss, Random, SimulatedDisk};

use crate::machine::{Up, alive, installed};
use crate::workload::at;

const DAY: u64 = 86_400;
/// Most lives of a machine.
const LIVES: u64 = 4;
/// Most looks at the clock in a life.
const STEPS: u64 = 24;
/// A crash comes within so many operations of the disk.
const CRASH_WITHIN: u64 = 2_000;
/// Rounds until nothing is due any more.
const ROUNDS: usize = 200;

/// What the seeds came to.
#[derive(Debug, Default)]
pub struct Months {
    pub days: u64,
    pub rotations: u64,
    pub followed: u64,
    pub warnings: u64,
    pub destroyed: u64,
    pub kept: u64,
    pub crashes: u64,
    pub back: u64,
}

/// The keys: a name, its algorithm, its rules, and with whom it rotates.
fn keys() -> Vec<(&'static str, Algorithm, Rules, Option<&'static str>)> {
    let aead = Algorithm::Xaes256Gcm;
    let by_clock = |cron, zone| Rules {
        rotate_at: Some(Schedule::read(cron, Some(zone)).unwrap()),
        ..Rules::default()
    };
    let fading = Rules {
        rotate_after_seconds: Some(20 * DAY),
        originator_usage_period_seconds: Some(25 * DAY),
        recipient_usage_period_seconds: Some(60 * DAY),
        destroy_old_after_seconds: Some(2 * DAY),
        destroy_window_seconds: DAY,
        ..Rules::default()
    };
    vec![
        (
            "monthly",
            aead,
            by_clock("0 3 1 * *", "Europe/Berlin"),
            None,
        ),
        (
            "nightly",
            aead,
            by_clock("30 2 * * *", "Europe/Berlin"),
            None,
        ),
        (
            "sundays",
            aead,
            by_clock("15 0 * * sun", "America/Havana"),
            None,
        ),
        (
            "period",
            aead,
            Rules {
                rotate_after_seconds: Some(9 * DAY),
                ..Rules::default()
            },
            None,
        ),
        (
            "age",
            aead,
            Rules {
                rotate_at_age_seconds: Some(14 * DAY),
                ..Rules::default()
            },
            None,
        ),
        ("fading", aead, fading, None),
        ("master", Algorithm::HkdfSha256, fading, None),
        ("follows", aead, Rules::default(), Some("monthly")),
        ("follows-that", aead, Rules::default(), Some("follows")),
    ]
}

struct Driver {
    disk: Arc<SimulatedDisk>,
    random: Random,
    clock: Clock,
    /// The latest that the clock ever showed.
    latest: UnixSeconds,
    sum: Months,
}

/// Runs a seed to its end.
pub fn run(seed: u64) -> Result<Months, String> {
    let disk = installed().copy(seed);
    let _seeded = Seeded::begin(seed);
    let clock = Clock::fixed(crate::machine::START_MS);
    let mut driver = Driver {
        disk,
        random: Random::new(seed ^ 0x0a0_7125),
        latest: clock.now(),
        clock,
        sum: Months::default(),
    };
    let ran = driver.lives();
    driver.disk.restart(Loss::Process);
    ran.map(|()| driver.sum)
}

impl AddAssign for Months {
    fn add_assign(&mut self, more: Self) {
        self.days += more.days;
        self.rotations += more.rotations;
        self.followed += more.followed;
        self.warnings += more.warnings;
        self.destroyed += more.destroyed;
        self.kept += more.kept;
        self.crashes += more.crashes;
        self.back += more.back;
    }
}

impl Driver {
    fn lives(&mut self) -> Result<(), String> {
        self.peaceful(async |up, _| make(up).await)?;
        for _ in 0..1 + self.random.below(LIVES) {
            self.live()?;
            let (latest, mut seen) = (self.latest, Months::default());
            self.peaceful(async |up, clock| {
                // A clock that is behind shows nothing that is due.
                let behind = latest.since(clock.now());
                clock.advance_seconds(i64::try_from(behind).unwrap());
                settle(up).await?;
                check(up, clock.now(), &mut seen).await
            })?;
            // What is counted by a check is counted from the beginning.
            self.sum = Months {
                days: self.sum.days,
                crashes: self.sum.crashes,
                back: self.sum.back,
                ..seen
            };
        }
        let start = crate::machine::START_MS / 1000;
        self.sum.days = self.latest.since(UnixSeconds(start)) / DAY;
        Ok(())
    }

    /// A life in which nothing fails.
    fn peaceful(
        &mut self,
        work: impl AsyncFnOnce(&Up, &Clock) -> Result<(), String>,
    ) -> Result<(), String> {
        let (disk, clock) = (Arc::clone(&self.disk), self.clock.clone());
        alive(&disk, async {
            let up = Up::boot_at(&disk, clock.clone()).await;
            let up = up.map_err(|error| format!("it does not open: {error}"))?;
            work(&up, &clock).await?;
            let shut = up.engine.shut().await;
            shut.map_err(|error| format!("it does not close: {error}"))
        })??;
        self.disk.restart(Loss::Process);
        Ok(())
    }

    /// A life with a clock that jumps, and an end at any moment.
    fn live(&mut self) -> Result<(), String> {
        let (disk, clock) = (Arc::clone(&self.disk), self.clock.clone());
        let outcome = alive(&disk, async {
            let up = Up::boot_at(&disk, clock.clone()).await;
            let up = up.map_err(|error| format!("it does not open: {error}"))?;
            self.arm();
            for _ in 0..self.random.below(STEPS) {
                self.pass(&clock);
                for _ in 0..1 + self.random.below(4) {
                    // What fails here is done another time.
                    let _ = up.engine.keep_house(self.random.one_in(6), false).await;
                }
                self.use_one(&up, clock.now()).await?;
                if self.disk.is_dead() {
                    break;
                }
            }
            self.disk.kill();
            drop(up);
            Ok(())
        })?;
        self.disk.set_faults(Faults::default());
        self.disk.crash_after(None);
        self.sum.crashes += 1;
        let loss = match self.random.one_in(3) {
            true => Loss::Process,
            false => Loss::Power,
        };
        self.disk.restart(loss);
        outcome
    }

    fn arm(&mut self) {
        let random = &mut self.random;
        if random.one_in(3) {
            self.disk.set_faults(Faults {
                reads: 0,
                writes: 300 + random.below(300),
                syncs: 300 + random.below(300),
                names: 0,
            });
        }
        if !random.one_in(4) {
            let after = random.below(CRASH_WITHIN);
            self.disk.crash_after(Some(after));
        }
    }

    /// Lets time pass, or has the clock go back.
    fn pass(&mut self, clock: &Clock) {
        let random = &mut self.random;
        let seconds = match random.below(20) {
            0 => {
                self.sum.back += 1;
                -(random.below(3 * DAY).cast_signed())
            }
            1 => random.below(50 * DAY).cast_signed(),
            2..8 => random.below(3600).cast_signed(),
            _ => random.below(3 * DAY).cast_signed(),
        };
        clock.advance_seconds(seconds);
        self.latest = self.latest.max(clock.now());
    }

    /// No key protects after its originator-usage period, whatever was done
    /// about that yet.
    async fn use_one(&mut self, up: &Up, now: UnixSeconds) -> Result<(), String> {
        let name = *self.random.pick(&["fading", "nightly", "follows"]);
        let request = encrypt::Request {
            plaintext: SecretBytes::new(b"x".to_vec()),
            associated_data: Vec::new(),
            version: None,
            options: EncryptOptions::default(),
        };
        let caller = up.caller("use");
        let Ok(made) = up
            .engine
            .operate_one::<Encrypt>(&caller, at(name), request)
            .await
        else {
            return Ok(());
        };
        let Ok(read) = up.engine.read_key(&caller, at(name)).await else {
            return Ok(());
        };
        let version = read
            .key()
            .version(made.version)
            .map_err(|error| error.to_string())?;
        let ended = read
            .key()
            .rules
            .originator_usage_period_seconds
            .zip(version.activated_at)
            .map(|(period, from)| from.plus(period));
        match ended {
            Some(end) if end <= now => Err(format!(
                "{name} version {} protected at {now}, and its period ended at {end}",
                made.version
            )),
            _ => Ok(()),
        }
    }
}

/// Makes the keys, and one that another's first version is needed for.
async fn make(up: &Up) -> Result<(), String> {
    let caller = up.caller("make");
    for (name, algorithm, mut rules, leader) in keys() {
        if let Some(leader) = leader {
            let leader = up
                .engine
                .read_key(&caller, at(leader))
                .await
                .map_err(stopped)?;
            rules.rotate_with = Some(leader.key().id);
        }
        let spec = NewKeySpec {
            algorithm: Some(algorithm),
            rules: Some(rules),
            ..NewKeySpec::default()
        };
        up.engine
            .create_key(&caller, at(name), spec)
            .await
            .map_err(stopped)?;
    }
    let child = NewDerivation {
        version: None,
        context: Vec::new(),
        spec: NewKeySpec {
            algorithm: Some(Algorithm::Xaes256Gcm),
            ..NewKeySpec::default()
        },
    };
    let made = up
        .engine
        .derive_key(&caller, at("master"), at("child"), child)
        .await;
    made.map(drop).map_err(stopped)
}

fn stopped(error: Error) -> String {
    format!("it was stopped: {error}")
}

/// Everything that is due.
async fn settle(up: &Up) -> Result<(), String> {
    up.engine.sweep_agenda().await.map_err(stopped)?;
    for _ in 0..ROUNDS {
        if up.engine.do_what_is_due().await.map_err(stopped)? == 0 {
            return Ok(());
        }
    }
    Err("there is always more to do".to_owned())
}

async fn check(up: &Up, now: UnixSeconds, sum: &mut Months) -> Result<(), String> {
    let events = by_agenda(up).await?;
    let caller = up.caller("check");
    let mut found = BTreeMap::new();
    for (name, ..) in keys() {
        let read = up
            .engine
            .read_key(&caller, at(name))
            .await
            .map_err(stopped)?;
        found.insert(name, read.key().clone());
    }
    for (name, key) in &found {
        nothing_is_lost(name, key, now)?;
        nothing_is_doubled(name, key, &events, sum)?;
    }
    for (follower, leader) in [("follows", "monthly"), ("follows-that", "follows")] {
        let (follower, leader) = (&found[follower], &found[leader]);
        if follower.followed != leader.newest_in_use() {
            return Err(format!("{} has not followed", follower.name.as_str()));
        }
        let (count, most) = (follower.versions.len(), leader.versions.len());
        if count > most {
            return Err(format!(
                "{} rotated more often than its leader",
                follower.name.as_str()
            ));
        }
        sum.followed += count as u64 - 1;
    }
    // The child's version is derived from the master's first, and lives.
    let first = found["master"]
        .version(VersionNumber::FIRST)
        .map_err(|error| error.to_string())?;
    if first.state == KeyState::Destroyed || first.is_pending_destruction() {
        return Err("the master's first version went, and a key needs it".to_owned());
    }
    sum.kept += u64::from(found["master"].versions.len() > 4);
    Ok(())
}

/// After everything was done there is nothing to do.
fn nothing_is_lost(name: &str, key: &Key, now: UnixSeconds) -> Result<(), String> {
    let mut due = key.due(now);
    // What something needs is kept, and stays due.
    due.retain(|item| item.act != DueAct::DestroyOld || name != "master");
    match due.first() {
        None => Ok(()),
        Some(left) => Err(format!("{name}: {left:?} was not done by {now}")),
    }
}

/// Each version has its event, no version came before it was due, and each
/// warning was said once.
fn nothing_is_doubled(
    name: &str,
    key: &Key,
    events: &[Recorded],
    sum: &mut Months,
) -> Result<(), String> {
    let of_key = |action: &str| {
        let id = key.id.to_string();
        events
            .iter()
            .filter(move |one| {
                let target = one.event.targets.first();
                target.is_some_and(|target| target.id.as_str() == id)
            })
            .filter(|one| one.event.action.as_str() == action)
            .collect::<Vec<_>>()
    };
    let rotations = of_key("key.rotate");
    if rotations.len() + 1 != key.versions.len() {
        let (events, versions) = (rotations.len(), key.versions.len());
        return Err(format!(
            "{name} has {versions} versions and {events} events of rotations"
        ));
    }
    sum.rotations += rotations.len() as u64;
    let mut base = UnixSeconds::MIN;
    for pair in key.versions.windows(2) {
        let [before, after] = pair else { continue };
        let (Some(from), Some(to)) = (before.activated_at, after.activated_at) else {
            return Err(format!("{name} has a version that was never in use"));
        };
        base = base.max(from);
        let rules = &key.rules;
        let earliest = match (
            rules.rotate_at,
            rules.rotate_after_seconds,
            rules.rotate_at_age_seconds,
        ) {
            (Some(schedule), ..) => schedule.next_after(base),
            (_, Some(period), _) => from.plus(period - rules.spread_of(period)),
            (.., Some(age)) => before.created_at.plus(age - rules.spread_of(age)),
            _ => continue,
        };
        if to < earliest {
            let number = after.number;
            return Err(format!(
                "{name} version {number} came at {to}, not due before {earliest}"
            ));
        }
    }
    let mut said = BTreeMap::new();
    for one in of_key("key.warn") {
        let words = [DetailKey::Reason, DetailKey::Versions].map(|detail| {
            match one.event.details.get(detail) {
                Some(DetailValue::Text(text)) => text.as_str().to_owned(),
                _ => String::new(),
            }
        });
        sum.warnings += 1;
        if said.insert(words.clone(), ()).is_some() {
            return Err(format!("{name} was warned of twice: {words:?}"));
        }
    }
    let gone = key
        .versions
        .iter()
        .filter(|version| version.state == KeyState::Destroyed);
    sum.destroyed += gone.count() as u64;
    Ok(())
}

async fn by_agenda(up: &Up) -> Result<Vec<Recorded>, String> {
    let caller = up.caller("check");
    let mut all: Vec<Recorded> = Vec::new();
    loop {
        let from = all.last().map_or(0, |last| last.sequence + 1);
        let read = up.engine.read_events(&caller, "root", from, 1000).await;
        let (some, _) = read.map_err(stopped)?;
        let less = some.len() < 1000;
        all.extend(some);
        if less {
            break;
        }
    }
    all.retain(|one| {
        one.event.principal.as_str() == "agenda" && one.event.outcome == Outcome::Success
    });
    Ok(all)
}
