//! What a million keys with dates cost a server with nothing to do: an example
//! of the engine's measures it. A part of the document of its own.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::goals::{Goal, at_most};
use super::options::Options;
use super::{about, document, parts};
use crate::Result;
use crate::command::{Output, cargo, root, say, watch};

/// Keys that rotate by a date; `SKMS_BENCH_KEYS` for another number, which is
/// not written.
const KEYS: &str = "1000000";

/// Measures, prints the table, and writes it where that is wanted.
///
/// # Errors
/// The example does not build, or fails.
pub fn bench(options: &Options) -> Result {
    let other = std::env::var("SKMS_BENCH_KEYS").ok();
    let keys = other.as_deref().unwrap_or(KEYS);
    say(&format!("schedule: {keys} keys"));
    let mut said = String::new();
    let mut command = cargo();
    command
        .args(["run", "--release", "--locked", "--quiet"])
        .args(["--package", "skms-engine", "--example", "schedule"])
        .args(["--", keys]);
    let ran = watch(&mut command, Output::Standard, |line| said.push_str(line))?;
    if !ran {
        return Err("the example failed".into());
    }
    let text = text(&read(&said)?);
    print!("{text}");
    if options.write && other.is_none() {
        let path = root().join("docs/performance.md");
        parts::write(&path, "schedule", &text)?;
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

fn text(figures: &HashMap<String, f64>) -> String {
    let mut out = String::new();
    let cell = |name: &str, digits: usize| {
        let value = figures.get(name);
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
    };
    // Writing to a string does not fail.
    let _ = write!(
        out,
        "| | |\n| --- | --- |\n| commit | {} |\n| machine | {} |\n| keys that rotate every 90 \
         days | {} |\n| the walk after an unseal | {} s, {} s of a core |\n| memory then | {} MiB \
         |\n| idle | {} % of a core |\n\n",
        about::commit(),
        about::processor(),
        cell("keys", 0),
        cell("index_s", 0),
        cell("index_cpu_s", 1),
        cell("resident_mib", 0),
        cell("idle_percent", 2),
    );
    document::table_of_goals(&mut out, &goals(figures));
    out
}

fn goals(figures: &HashMap<String, f64>) -> Vec<Goal> {
    let two = |value: f64| format!("{value:.2}");
    let idle = figures.get("idle_percent").copied();
    idle.map(|idle| at_most("idle with a million keys", 1.0, idle, two, "% of a core"))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_and_held_against_the_goal() {
        let said = "keys 10\nindex_s 1.0\nindex_cpu_s 0.5\nresident_mib 90\nidle_percent 1.5\n";
        let goals = goals(&read(said).unwrap());
        assert_eq!(
            goals.iter().map(|goal| goal.met).collect::<Vec<_>>(),
            [Some(false)]
        );
        assert!(read("nothing").is_err());
    }
}
