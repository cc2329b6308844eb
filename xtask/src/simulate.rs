//! `cargo xtask simulate`: the engine over a simulated disk, with as many
//! seeds as one likes.

use crate::command::{Output, cargo, colour, watch};
use crate::{Result, Told, tools};

/// Seeds of a night.
const SEEDS: u64 = 10_000;

const USAGE: &str = "usage: cargo xtask simulate [--seeds N] [--from N] | --seed N";

/// Which seeds are run.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    from: u64,
    seeds: u64,
    /// Every operation of the disk is printed.
    trace: bool,
}

impl Wanted {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut wanted = Self {
            from: 0,
            seeds: SEEDS,
            trace: false,
        };
        let mut rest = arguments.iter();
        while let Some(flag) = rest.next() {
            let number = rest
                .next()
                .and_then(|number| number.parse().ok())
                .ok_or(USAGE)?;
            match flag.as_str() {
                "--seeds" => wanted.seeds = number,
                "--from" => wanted.from = number,
                "--seed" => {
                    wanted = Self {
                        from: number,
                        seeds: 1,
                        trace: true,
                    };
                }
                _ => return Err(USAGE.into()),
            }
        }
        Ok(wanted)
    }
}

/// Runs seeds of the simulation: [`SEEDS`] of them, unless told otherwise, or
/// one with every step it takes.
///
/// # Errors
/// The arguments are wrong, or a seed found something that does not hold.
pub fn run(arguments: &[String]) -> Result {
    let wanted = Wanted::parse(arguments)?;
    tools::provide(&tools::NEXTEST)?;
    let mut nextest = cargo();
    nextest
        .args(["nextest", "run", "--color", colour(), "--profile", "crash"])
        .args(["--package", "skms-engine", "--test", "simulation"])
        .args(["--no-fail-fast", "--success-output", "immediate"])
        .args(["-E", "test(seeds_part)"])
        .env("SKMS_SIMULATE_FROM", wanted.from.to_string())
        .env("SKMS_SIMULATE_SEEDS", wanted.seeds.to_string());
    if wanted.trace {
        nextest.env("SKMS_SIMULATE_TRACE", "1");
    }
    if watch(&mut nextest, Output::Error, |_| ())? {
        Ok(())
    } else {
        Err(Told.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Wanted> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Wanted::parse(&arguments)
    }

    #[test]
    fn seeds_are_chosen_by_their_numbers() {
        let all = parse("").unwrap();
        assert_eq!((all.from, all.seeds, all.trace), (0, SEEDS, false));
        let some = parse("--seeds 50 --from 7").unwrap();
        assert_eq!((some.from, some.seeds, some.trace), (7, 50, false));
        let one = parse("--seed 12").unwrap();
        assert_eq!((one.from, one.seeds, one.trace), (12, 1, true));
        for bad in ["--seeds", "--seeds many", "--other 3"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
