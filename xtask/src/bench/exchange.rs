//! The key exchange beside the primitives that it is made of: `benches/exchange.rs`
//! of its room, round after round. A part of the document of its own.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::goals::{Goal, at_most};
use super::options::Options;
use super::{about, document, median, parts};
use crate::Result;
use crate::command::{cargo, root, run, say, target_folder};

/// The cases of the benchmark: suite and identity keys.
const CASES: [&str; 4] = [
    "X-Wing, Ed25519",
    "X-Wing, ML-DSA-65",
    "X25519, Ed25519",
    "P-256, P-256",
];

/// Microseconds, and one by the other, round by round.
#[derive(Default)]
struct Figures {
    whole: Vec<f64>,
    primitives: Vec<f64>,
    ratio: Vec<f64>,
}

/// Measures, prints the table, and writes it where that is wanted.
///
/// # Errors
/// The benchmark does not build, or fails.
pub fn bench(options: &Options) -> Result {
    let mut figures: [Figures; 4] = Default::default();
    let seconds = options.time.as_secs().to_string();
    for round in 1..=options.rounds {
        say(&format!("round {round} of {}: exchange", options.rounds));
        run(cargo()
            .args(["bench", "--locked", "--package", "skms-exchange"])
            .args(["--bench", "exchange", "--", "--noplot", "--quiet"])
            .args(["--warm-up-time", "1", "--measurement-time", &seconds]))?;
        for (case, figures) in CASES.iter().zip(&mut figures) {
            let whole = estimate(case, "whole exchange")?;
            let primitives = estimate(case, "primitives")?;
            figures.whole.push(whole);
            figures.primitives.push(primitives);
            figures.ratio.push(whole / primitives);
        }
    }
    let text = text(options, &figures);
    print!("{text}");
    if options.write {
        let path = root().join("docs/performance.md");
        parts::write(&path, "exchange", &text)?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}

/// What criterion found, in microseconds.
fn estimate(case: &str, what: &str) -> Result<f64> {
    let path = target_folder()
        .join("criterion")
        .join(case)
        .join(what)
        .join("new/estimates.json");
    read(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn read(path: &Path) -> Result<f64> {
    let said = fs::read_to_string(path)?;
    let nanoseconds = middle(&said).ok_or("criterion says something else now")?;
    Ok(nanoseconds / 1e3)
}

/// The median in criterion's estimates, in nanoseconds.
fn middle(said: &str) -> Option<f64> {
    let (_, from) = said.split_once("\"median\":")?;
    let (_, from) = from.split_once("\"point_estimate\":")?;
    from.split([',', '}']).next()?.trim().parse().ok()
}

fn text(options: &Options, figures: &[Figures]) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        out,
        "| | |\n| --- | --- |\n| commit | {} |\n| machine | {} |\n\
         | rounds | {} of {} s for each figure, in turn; medians |\n\n\
         | suite, identity keys | primitives, µs | whole exchange, µs | ratio |\n\
         | --- | --: | --: | --: |\n",
        about::commit(),
        about::processor(),
        options.rounds,
        options.time.as_secs(),
    );
    for (case, figures) in CASES.iter().zip(figures) {
        let cell = |values: &[f64], digits: usize| {
            median(values).map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
        };
        let _ = writeln!(
            out,
            "| {case} | {} | {} | {} |",
            cell(&figures.primitives, 0),
            cell(&figures.whole, 0),
            cell(&figures.ratio, 2),
        );
    }
    out.push('\n');
    document::table_of_goals(&mut out, &goals(figures));
    out
}

fn goals(figures: &[Figures]) -> Vec<Goal> {
    let goal = |(case, figures): (&&str, &Figures)| {
        let ratio = median(&figures.ratio)?;
        let what = format!("{case}: whole exchange, 1.3 times its primitives");
        Some(at_most(
            &what,
            1.3,
            ratio,
            |ratio| format!("{ratio:.2}"),
            "times",
        ))
    };
    CASES.iter().zip(figures).filter_map(goal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_read() {
        let said = "{\"mean\":{\"point_estimate\":1.5},\"median\":{\"confidence_interval\":\
                    {\"lower_bound\":2.0},\"point_estimate\":3.25,\"standard_error\":4.0}}";
        assert_eq!(middle(said), Some(3.25));
        assert_eq!(middle("{\"mean\":{\"point_estimate\":1.5}}"), None);
        assert_eq!(middle("{\"median\":{\"point_estimate\":\"fast\"}}"), None);
    }

    #[test]
    fn the_goal_is_held_against_the_ratio() {
        let figures = |ratio| Figures {
            ratio: vec![ratio],
            ..Figures::default()
        };
        let goals = goals(&[figures(1.29), figures(1.31)]);
        let met: Vec<_> = goals.iter().map(|goal| goal.met).collect();
        assert_eq!(met, [Some(true), Some(false)]);
    }
}
