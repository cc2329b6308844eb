//! `cargo xtask test` and its relatives.

use std::path::PathBuf;
use std::process::Command;

use crate::command::{Output, cargo, colour, say, watch};
use crate::count::Count;
use crate::postgres::Private;
use crate::{Result, Told, machine, tools};

/// Runs all tests, or with arguments those that the test runner makes of them,
/// after installing what they need. Prints one closing line with the sum.
///
/// # Errors
/// Something that tests need cannot be had, or a test failed.
pub fn test(arguments: &[String]) -> Result {
    let install = !arguments.iter().any(|argument| argument == "--no-install");
    let chosen: Vec<&String> = arguments
        .iter()
        .filter(|argument| *argument != "--no-install")
        .collect();
    let python = if install { Some(set_up()?) } else { None };
    // Stopped when this function ends, however it does.
    let postgres = Private::start(install)?;
    let tell = |command: &mut Command| {
        if let Some(postgres) = &postgres {
            postgres.tell(command);
        }
    };

    // No feature is named: what tests need beyond the defaults comes in by
    // their dev-dependencies, so that every command here, clippy's too, builds
    // the same set and nothing twice. `--all-features` would ask for the FIPS
    // module and its tool chain.
    let mut tests = Tests::default();
    if crate::command::succeeds(cargo().args(["nextest", "--version"])) {
        let mut nextest = cargo();
        nextest
            .args(["nextest", "run", "--color", colour(), "--no-fail-fast"])
            .args(scope(&chosen));
        tell(&mut nextest);
        tests.run(&mut nextest, python.as_ref(), Runner::Nextest)?;
    } else {
        let mut libtest = cargo();
        libtest
            .args(["test", "--no-fail-fast", "--lib", "--bins", "--tests"])
            .args(["--examples"])
            .args(scope(&chosen));
        tell(&mut libtest);
        tests.run(&mut libtest, python.as_ref(), Runner::Libtest)?;
    }
    if chosen.is_empty() {
        let mut documentation = cargo();
        documentation.args(["test", "--doc", "--workspace", "--no-fail-fast"]);
        tests.run(&mut documentation, python.as_ref(), Runner::Libtest)?;
    }
    tests.close()
}

/// Installs what the tests need and returns the Python for the cross-checks.
///
/// # Errors
/// Something is missing and cannot be installed. The test runner is no such
/// thing: without it the tests run under `cargo test`.
pub fn set_up() -> Result<PathBuf> {
    machine::provide(machine::FOR_TESTS)?;
    if let Err(reason) = tools::provide(&tools::NEXTEST) {
        say(&format!("{reason}; going on with cargo test"));
    }
    tools::python()
}

/// The crash test with many rounds: a server is killed under write load, and
/// every change that it had acknowledged must be there afterwards.
///
/// # Errors
/// The arguments are wrong, or a round failed.
pub fn crash(arguments: &[String]) -> Result {
    let rounds = match arguments {
        [] => 200,
        [flag, number] if flag == "--rounds" => number
            .parse::<u32>()
            .map_err(|_| format!("--rounds takes a number, not {number:?}"))?,
        _ => return Err("usage: cargo xtask crash [--rounds N]".into()),
    };
    tools::provide(&tools::NEXTEST)?;
    let mut tests = Tests::default();
    let mut nextest = cargo();
    nextest
        .args(["nextest", "run", "--profile", "crash", "--package", "skms"])
        .args(["--no-capture", "-E", "binary(~crash) | test(crash)"])
        .env("SKMS_CRASH_ROUNDS", rounds.to_string());
    tests.run(&mut nextest, None, Runner::Nextest)?;
    tests.close()
}

fn scope<'a>(chosen: &[&'a String]) -> Vec<&'a str> {
    let names_packages = chosen
        .iter()
        .any(|argument| argument.starts_with("-p") || argument.starts_with("--package"));
    let mut scope: Vec<&str> = chosen.iter().map(|argument| argument.as_str()).collect();
    if !names_packages {
        scope.insert(0, "--workspace");
    }
    scope
}

/// Who runs the tests, and so how its report reads.
#[derive(Clone, Copy)]
enum Runner {
    Nextest,
    Libtest,
}

impl Runner {
    fn output(self) -> Output {
        match self {
            Self::Nextest => Output::Error,
            Self::Libtest => Output::Standard,
        }
    }

    fn count(self, line: &str) -> Option<Count> {
        match self {
            Self::Nextest => Count::from_nextest(line),
            Self::Libtest => Count::from_libtest(line),
        }
    }
}

/// What ran so far.
#[derive(Default)]
struct Tests {
    sum: Count,
    unexplained: Option<String>,
}

impl Tests {
    fn run(&mut self, command: &mut Command, python: Option<&PathBuf>, runner: Runner) -> Result {
        if let Some(python) = python {
            command.env("SKMS_TEST_PYTHON", python);
        }
        let mut count = Count::default();
        let success = watch(command, runner.output(), |line| {
            if let Some(part) = runner.count(line) {
                count += part;
            }
        })?;
        self.sum += count;
        if !success && count.failed == 0 {
            // Nothing ran to its end, for example because it did not compile.
            self.sum.failed += 1;
            self.unexplained = Some("the tests did not build or did not run to their end".into());
        }
        Ok(())
    }

    /// Prints the sum, alone on the last line; fails if anything failed or
    /// nothing ran.
    fn close(self) -> Result {
        let Count { passed, failed, .. } = self.sum;
        let reason = match self.unexplained {
            Some(reason) => Some(reason),
            None if failed > 0 => Some(format!("{failed} tests failed")),
            None if passed == 0 => Some("no test ran".to_owned()),
            None => None,
        };
        if let Some(reason) = &reason {
            say(reason);
        }
        println!("{}", self.sum);
        match reason {
            Some(_) => Err(Told.into()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_tests_is_no_success() {
        assert!(Tests::default().close().is_err());
    }

    #[test]
    fn a_run_that_breaks_off_counts_as_a_failure() {
        let mut tests = Tests::default();
        let mut broken = Command::new("sh");
        broken.args(["-c", "echo 'error: could not compile'; exit 101"]);
        tests.run(&mut broken, None, Runner::Libtest).unwrap();
        assert_eq!(tests.sum.failed, 1);
        assert!(tests.close().is_err());
    }

    #[test]
    fn counts_of_several_runs_are_added() {
        let mut tests = Tests::default();
        for _ in 0..2 {
            let mut good = Command::new("sh");
            good.args([
                "-c",
                "echo 'Summary [0.1s] 2 tests run: 2 passed, 1 skipped' >&2",
            ]);
            tests.run(&mut good, None, Runner::Nextest).unwrap();
        }
        assert_eq!(tests.sum.to_string(), "4 passed, 0 failed, 2 skipped");
        assert!(tests.close().is_ok());
    }

    #[test]
    fn packages_named_by_hand_replace_the_workspace() {
        let package = "--package=skms-crypto".to_owned();
        assert_eq!(scope(&[&package]), ["--package=skms-crypto"]);
        let filter = "keys".to_owned();
        assert_eq!(scope(&[&filter]), ["--workspace", "keys"]);
    }
}
