//! The engine over a simulated disk: seeds of work, faults and crashes, and
//! what must hold after each. `docs/testing.md` says what it covers.
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(
    clippy::print_stdout,
    reason = "a seed that breaks is to be seen and replayed"
)]

mod check;
mod driver;
mod machine;
mod months;
mod workload;

use std::sync::{Mutex, PoisonError};

use driver::{Ran, Twist, run};
use months::Months;

/// Seeds in the tests; `cargo xtask simulate` asks for more.
const SEEDS: u64 = 200;
/// Seeds of months.
const MONTHS: u64 = 24;
/// The tests they are spread over.
const PARTS: u64 = 4;

/// The seed of the whole process's randomness belongs to one run at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn asked_for(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn alone<T>(work: impl FnOnce() -> T) -> T {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// Every fourth seed, beginning with this one.
fn part(part: u64) {
    let from = asked_for("SKMS_SIMULATE_FROM").unwrap_or(0);
    let seeds = asked_for("SKMS_SIMULATE_SEEDS").unwrap_or(SEEDS);
    let twist = Twist {
        trace: std::env::var_os("SKMS_SIMULATE_TRACE").is_some(),
        ..Twist::default()
    };
    let mut broken = Vec::new();
    let mut sum = [0; 6];
    for seed in (from..from + seeds).filter(|seed| seed % PARTS == part) {
        let ran = alone(|| run(seed, twist));
        print(&ran);
        let numbers = [
            1,
            ran.operations,
            ran.failed,
            ran.crashes,
            ran.asked,
            ran.answered,
        ];
        for (sum, number) in sum.iter_mut().zip(numbers) {
            *sum += number;
        }
        if let Some(why) = ran.broken {
            let line = format!("seed {seed}: {why}");
            println!("{line}");
            broken.push(line);
        }
    }
    let [seeds, operations, failed, crashes, asked, answered] = sum;
    println!(
        "{seeds} seeds: {operations} operations of the disk, {failed} failed, {crashes} losses of \
         power, {answered} of {asked} acts answered, {} seeds broken",
        broken.len()
    );
    assert!(
        broken.is_empty(),
        "{}\nreplay one with: cargo xtask simulate --seed N",
        broken.join("\n")
    );
}

fn print(ran: &Ran) {
    for line in &ran.lines {
        println!("{line}");
    }
}

#[test]
fn seeds_part_0() {
    part(0);
}

#[test]
fn seeds_part_1() {
    part(1);
}

#[test]
fn seeds_part_2() {
    part(2);
}

#[test]
fn seeds_part_3() {
    part(3);
}

#[test]
fn months_of_schedules() {
    let from = asked_for("SKMS_SIMULATE_FROM").unwrap_or(0);
    let seeds = asked_for("SKMS_SIMULATE_MONTHS").unwrap_or(MONTHS);
    let (mut sum, mut broken) = (Months::default(), Vec::new());
    for seed in from..from + seeds {
        match alone(|| months::run(seed)) {
            Ok(ran) => sum += ran,
            Err(why) => broken.push(format!("seed {seed}: {why}")),
        }
    }
    println!("{seeds} seeds of months: {sum:?}");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    // All that is looked for has to have been there.
    let numbers = [
        sum.rotations,
        sum.followed,
        sum.warnings,
        sum.destroyed,
        sum.kept,
        sum.back,
    ];
    let seen = numbers.iter().all(|number| *number > 0);
    assert!(seen || seeds < MONTHS, "{sum:?}");
}

#[test]
fn the_same_seed_does_the_same() {
    alone(|| {
        for seed in [3, 4, 5] {
            let twist = Twist {
                trace: true,
                ..Twist::default()
            };
            let (first, second) = (run(seed, twist), run(seed, twist));
            for (line, other) in first.lines.iter().zip(&second.lines) {
                assert_eq!(line, other, "seed {seed}");
            }
            assert_eq!(first.digest, second.digest, "seed {seed}");
        }
    });
}

#[test]
fn a_disk_that_lies_about_syncs_is_found_out() {
    alone(|| {
        let twist = Twist {
            lying_disk: true,
            ..Twist::default()
        };
        let found = (0..20).filter_map(|seed| run(seed, twist).broken).count();
        assert!(found > 0, "twenty seeds found nothing");
    });
}
