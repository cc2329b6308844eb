//! The compromise of a key with 100,000 dependents: an example of the engine's
//! measures it, beside other work. A part of the document of its own.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::goals::{Goal, at_least, at_most};
use super::options::Options;
use super::{about, document, median, parts};
use crate::Result;
use crate::command::{Output, cargo, root, say, watch};

/// Keys that depend on the one.
const DEPENDENTS: &str = "100000";
/// Each takes minutes, most of it for making the keys.
const ROUNDS: usize = 3;

/// Measures, prints the table, and writes it where that is wanted.
///
/// # Errors
/// The example does not build, or fails.
pub fn bench(options: &Options) -> Result {
    let mut rounds: Vec<HashMap<String, f64>> = Vec::new();
    for round in 1..=ROUNDS {
        say(&format!("round {round} of {ROUNDS}: compromise"));
        let mut said = String::new();
        let mut command = cargo();
        command
            .args(["run", "--release", "--locked", "--quiet"])
            .args(["--package", "skms-engine", "--example", "compromise"])
            .args(["--", DEPENDENTS]);
        let ran = watch(&mut command, Output::Standard, |line| {
            said.push_str(line);
        })?;
        if !ran {
            return Err("the example failed".into());
        }
        rounds.push(read(&said)?);
    }
    let text = text(&rounds);
    print!("{text}");
    if options.write {
        let path = root().join("docs/performance.md");
        parts::write(&path, "compromise", &text)?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}

fn read(said: &str) -> Result<HashMap<String, f64>> {
    let figures: HashMap<String, f64> = said
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, value)| Some((name.to_owned(), value.trim().parse().ok()?)))
        .collect();
    match figures.len() {
        5 => Ok(figures),
        _ => Err(format!("the example says something else now: {said}").into()),
    }
}

fn middle(rounds: &[HashMap<String, f64>], name: &str) -> Option<f64> {
    let values: Vec<f64> = rounds
        .iter()
        .filter_map(|one| one.get(name).copied())
        .collect();
    median(&values)
}

fn kept(rounds: &[HashMap<String, f64>]) -> Option<f64> {
    let kept: Vec<f64> = rounds
        .iter()
        .filter_map(|one| Some(100.0 * one.get("during_per_s")? / one.get("before_per_s")?))
        .collect();
    median(&kept)
}

fn text(rounds: &[HashMap<String, f64>]) -> String {
    let mut out = String::new();
    let cell = |name: &str, digits: usize| {
        middle(rounds, name).map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
    };
    // Writing to a string does not fail.
    let _ = write!(
        out,
        "| | |\n| --- | --- |\n| commit | {} |\n| machine | {} |\n| rounds | {} of {} dependents; \
         medians |\n| the call returned after | {} ms |\n| the cascade had finished after | {} s \
         |\n| other encryptions a second, before | {} |\n| and until then | {} |\n\n",
        about::commit(),
        about::processor(),
        rounds.len(),
        DEPENDENTS,
        cell("effective_ms", 1),
        cell("cascade_s", 1),
        cell("before_per_s", 0),
        cell("during_per_s", 0),
    );
    document::table_of_goals(&mut out, &goals(rounds));
    out
}

fn goals(rounds: &[HashMap<String, f64>]) -> Vec<Goal> {
    let mut goals = Vec::new();
    let one = |value: f64| format!("{value:.1}");
    goals.extend(
        middle(rounds, "effective_ms").map(|ms| at_most("uses are refused", 100.0, ms, one, "ms")),
    );
    goals.extend(
        middle(rounds, "cascade_s").map(|s| at_most("the cascade has finished", 30.0, s, one, "s")),
    );
    goals.extend(
        kept(rounds)
            .map(|share| at_least("what other work keeps meanwhile, in percent", 80.0, share)),
    );
    goals
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "dependents 100000.0\neffective_ms 12.5\ncascade_s 31.0\n\
                        before_per_s 1000.0\nduring_per_s 900.0\n";

    #[test]
    fn figures_are_read_and_held_against_the_goals() {
        let goals = goals(&[read(SAID).unwrap()]);
        let met: Vec<_> = goals.iter().map(|goal| goal.met).collect();
        assert_eq!(met, [Some(true), Some(false), Some(true)]);
        assert!(read("nothing").is_err());
    }
}
