//! How long it takes to find weak keys: the example `shared_factors` of their room,
//! round after round. A part of the document of its own.

use std::fmt::Write as _;

use super::goals::{Goal, at_most};
use super::options::Options;
use super::{about, document, median, parts};
use crate::Result;
use crate::command::{cargo, root, say};

/// As many as the goals are about.
const MODULI: &str = "100000";

/// What a round came to.
#[derive(Default)]
struct Figures {
    batch: Vec<f64>,
    one: Vec<f64>,
    insert: Vec<f64>,
    look: Vec<f64>,
    peak: Vec<f64>,
}

/// Measures, prints the table, and writes it where that is wanted.
///
/// # Errors
/// It does not build, or says something else.
pub fn bench(options: &Options) -> Result {
    let mut figures = Figures::default();
    for round in 1..=options.rounds {
        say(&format!("round {round} of {}: weak keys", options.rounds));
        let output = cargo()
            .args(["run", "--release", "--locked", "--quiet"])
            .args(["--package", "skms-weak", "--example", "shared_factors"])
            .args(["--", MODULI])
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        let read = |name: &str| {
            value(&said, name).ok_or_else(|| format!("the example says no {name}:\n{said}"))
        };
        figures.batch.push(read("batch_seconds")?);
        figures.one.push(read("one_milliseconds")?);
        figures.insert.push(read("insert_microseconds")?);
        figures.look.push(read("look_milliseconds")?);
        figures.peak.push(read("peak_megabytes")?);
    }
    let text = text(options, &figures);
    print!("{text}");
    if options.write {
        let path = root().join("docs/performance.md");
        parts::write(&path, "weak", &text)?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}

fn value(said: &str, name: &str) -> Option<f64> {
    let mut lines = said.lines().filter_map(|line| line.split_once('='));
    lines.find(|(key, _)| *key == name)?.1.parse().ok()
}

fn text(options: &Options, figures: &Figures) -> String {
    let mut out = String::new();
    let cell = |values: &[f64], digits: usize| {
        median(values).map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
    };
    // Writing to a string does not fail.
    let _ = write!(
        out,
        "| | |\n| --- | --- |\n| commit | {} |\n| machine | {} |\n| rounds | {}; medians |\n\n\
         | 100,000 RSA moduli of 2048 bits, one thread | |\n| --- | --: |\n\
         | all against each other (batch GCD) | {} s |\n\
         | a new one against all | {} ms |\n\
         | taking one in | {} µs |\n\
         | all other detectors, one key | {} ms |\n\
         | most memory, of the whole process | {} MB |\n\n",
        about::commit(),
        about::processor(),
        options.rounds,
        cell(&figures.batch, 1),
        cell(&figures.one, 1),
        cell(&figures.insert, 0),
        cell(&figures.look, 1),
        cell(&figures.peak, 0),
    );
    document::table_of_goals(&mut out, &goals(figures));
    out
}

fn goals(figures: &Figures) -> Vec<Goal> {
    let batch = median(&figures.batch).map(|seconds| {
        let what = "batch GCD over 100,000 RSA-2048 moduli, in minutes";
        at_most(what, 600.0, seconds, |value| format!("{value:.0}"), "s")
    });
    let one = median(&figures.one).map(|milliseconds| {
        let what = "one new key against 100,000, in (tens of) milliseconds";
        at_most(
            what,
            100.0,
            milliseconds,
            |value| format!("{value:.0}"),
            "ms",
        )
    });
    batch.into_iter().chain(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_by_their_names() {
        let said = "moduli=100000\nbatch_seconds=123.4\none_milliseconds=80.25\n";
        assert_eq!(value(said, "batch_seconds"), Some(123.4));
        assert_eq!(value(said, "one_milliseconds"), Some(80.25));
        assert_eq!(value(said, "one"), None);
    }

    #[test]
    fn the_goals_are_held_against_the_medians() {
        let figures = Figures {
            batch: vec![599.0, 700.0, 100.0],
            one: vec![101.0],
            ..Figures::default()
        };
        let met: Vec<_> = goals(&figures).iter().map(|goal| goal.met).collect();
        assert_eq!(met, [Some(true), Some(false)]);
    }
}
