//! The checks that guard a change, besides the tests.

use std::time::Instant;

use crate::command::{cargo, run, say};
use crate::{Result, machine, test_run, tidy, tools};

/// Everything, the quick checks first and the tests last, so that the tests'
/// count is the last line.
///
/// # Errors
/// The first check that failed.
pub fn ci() -> Result {
    machine::provide(machine::FOR_TESTS)?;
    timed("fmt", format)?;
    timed("tidy", tidy::run)?;
    timed("deny", deny)?;
    timed("clippy", clippy)?;
    test_run::test(&[])
}

fn timed(name: &str, check: fn() -> Result) -> Result {
    let start = Instant::now();
    check()?;
    say(&format!("{name}: {} s", start.elapsed().as_secs()));
    Ok(())
}

/// Licences, banned crates and sources of all dependencies, by `deny.toml`.
/// The advisory database is another matter: see `SECURITY.md`.
///
/// # Errors
/// A rule is broken, or cargo-deny cannot be had.
pub fn deny() -> Result {
    tools::provide(&tools::DENY)?;
    run(cargo().args(["deny", "--locked", "check", "bans", "licenses", "sources"]))
}

/// Measures what idle TLS connections cost the server's release build.
///
/// # Errors
/// It does not build, or the measurement failed.
pub fn idle(rest: &[String]) -> Result {
    machine::provide(machine::FOR_TESTS)?;
    let build = ["build", "--release", "--locked", "--package", "skms"];
    run(cargo()
        .args(build)
        .args(["--bin", "skms", "--example", "idle"]))?;
    let folder = crate::command::target_folder().join("release");
    let mut measure = std::process::Command::new(folder.join("examples/idle"));
    run(measure.arg(folder.join("skms")).args(rest))
}

fn format() -> Result {
    run(cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result {
    run(cargo()
        .args(["clippy", "--workspace", "--all-targets", "--locked"])
        .args(["--", "-D", "warnings"]))
}
