//! Known-answer self-tests: the fast algorithms at start, the slow ones before
//! their first use. Once one has failed, nothing may be answered any more.

mod asymmetric;
mod slow;
mod symmetric;

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::algorithm::{Algorithm, Family};
use crate::error::{Error, Result};

/// What was tested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Names of the tests that passed, in order.
    pub passed: Vec<&'static str>,
}

/// One known-answer test.
struct Test {
    /// The algorithm's name.
    name: &'static str,
    /// Computes the answer, and tries a refusal on the way where there is one.
    run: fn() -> Result<Vec<u8>>,
    /// The answer, in hexadecimal.
    expected: &'static str,
}

/// The message of every test.
const MESSAGE: &[u8] = b"skms known answer";
/// Associated data, salts and labels.
const LABEL: &[u8] = b"self-test";

static FAILED: AtomicBool = AtomicBool::new(false);

const ALGORITHMS: usize = Algorithm::all().len();
static SLOW: [OnceLock<bool>; ALGORITHMS] = [const { OnceLock::new() }; ALGORITHMS];

thread_local! {
    /// Set while this thread is inside a test: tests use what they test.
    static TESTING: Cell<bool> = const { Cell::new(false) };
}

/// Runs every fast test; takes some milliseconds.
///
/// # Errors
/// [`Error::SelfTest`] with the first that failed. The server must not start.
pub fn run_fast() -> Result<Report> {
    let mut report = Report::default();
    #[cfg(feature = "fips")]
    {
        crate::fips::check()?;
        report.passed.push("FIPS module");
    }
    for test in symmetric::TESTS.iter().chain(asymmetric::TESTS) {
        if is_built(test.name) {
            check(test)?;
            report.passed.push(test.name);
        }
    }
    Ok(report)
}

/// Whether the library of this build has it at all: the validated module has
/// no ML-DSA. What it has and does not cover is tested all the same, since the
/// store's own sealing uses some of it.
fn is_built(name: &str) -> bool {
    !cfg!(feature = "fips") || !name.starts_with("ML-DSA")
}

/// Whether this thread is inside a test: tests try what the build refuses.
#[cfg(feature = "fips")]
pub(crate) fn is_testing() -> bool {
    TESTING.get()
}

/// Runs every slow test at once, for whoever would rather wait now; takes
/// some seconds.
///
/// # Errors
/// As [`run_fast`].
pub fn run_slow() -> Result<Report> {
    let mut report = Report::default();
    for test in slow::TESTS {
        check(test)?;
        report.passed.push(test.name);
    }
    Ok(report)
}

/// To be called before `algorithm` is used: runs its test if it is a slow one
/// and this is its first use. Costs an atomic read afterwards.
///
/// # Errors
/// [`Error::SelfTest`] when its test failed, or any test before.
pub fn ensure_slow(algorithm: Algorithm) -> Result<()> {
    if TESTING.get() {
        return Ok(());
    }
    if FAILED.load(Ordering::Acquire) {
        return Err(Error::SelfTest("an earlier one; nothing may be used"));
    }
    let tested = match algorithm.family() {
        Family::Rsa => Algorithm::Rsa2048,
        Family::FiniteField | Family::SlhDsa => algorithm,
        _ => return Ok(()),
    };
    // The index is an algorithm's own, so it is there.
    let passed = SLOW.get(tested as usize).is_some_and(|cell| {
        *cell.get_or_init(|| {
            slow::TESTS
                .iter()
                .find(|test| test.name == tested.name())
                .is_some_and(|test| check(test).is_ok())
        })
    });
    if passed {
        Ok(())
    } else {
        Err(Error::SelfTest(tested.name()))
    }
}

/// Makes the named test fail from now on, in this process. Nothing can make
/// a failing one pass.
#[cfg(any(test, feature = "test-support"))]
pub fn break_for_tests(name: &'static str) {
    // The first name stays; one process tests one failure.
    let _ = BROKEN.set(name);
}

#[cfg(any(test, feature = "test-support"))]
static BROKEN: OnceLock<&str> = OnceLock::new();

fn check(test: &Test) -> Result<()> {
    let was = TESTING.replace(true);
    let answer = (test.run)();
    TESTING.set(was);
    #[cfg(any(test, feature = "test-support"))]
    let answer = answer.map(|mut answer| {
        if BROKEN.get() == Some(&test.name)
            && let Some(first) = answer.first_mut()
        {
            *first ^= 1;
        }
        answer
    });
    if answer.is_ok_and(|answer| hex(&answer) == test.expected) {
        Ok(())
    } else {
        FAILED.store(true, Ordering::Release);
        Err(Error::SelfTest(test.name))
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `N` bytes counted up from `start`.
fn counted<const N: usize>(start: u8) -> [u8; N] {
    std::array::from_fn(|index| start.wrapping_add(index as u8))
}

/// The error of a test whose refusal did not come, or whose answer was no.
const WRONG: Error = Error::SelfTest("wrong answer");

fn demand(good: bool) -> Result<()> {
    if good { Ok(()) } else { Err(WRONG) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Each nextest test is a process of its own; under plain `cargo test` the
    // failing ones would latch their failure for the rest, so these tests
    // share one function.
    #[test]
    fn all_pass_and_a_failed_one_stops_everything() {
        let report = run_fast().unwrap();
        for &algorithm in Algorithm::all() {
            let slow = slow::TESTS.iter().any(|test| test.name == algorithm.name());
            let fast = report.passed.contains(&algorithm.name());
            let shared = matches!(algorithm, Algorithm::Rsa3072 | Algorithm::Rsa4096);
            let absent = !is_built(algorithm.name());
            assert!(slow ^ fast ^ shared ^ absent, "{algorithm} has one test");
            assert!(ensure_slow(algorithm).is_ok(), "{algorithm}");
        }

        break_for_tests("AES-256-GCM");
        assert!(matches!(run_fast(), Err(Error::SelfTest("AES-256-GCM"))));
        for &algorithm in Algorithm::all() {
            assert!(matches!(ensure_slow(algorithm), Err(Error::SelfTest(_))));
        }
        FAILED.store(false, Ordering::Release);
    }

    #[test]
    fn every_answer_matters() {
        for test in symmetric::TESTS.iter().chain(asymmetric::TESTS) {
            if !is_built(test.name) {
                continue;
            }
            assert!(!test.expected.is_empty());
            let other = Test {
                expected: "00",
                ..*test
            };
            assert!(check(&other).is_err(), "{}", test.name);
            let failing = Test {
                run: || Err(WRONG),
                ..*test
            };
            assert!(check(&failing).is_err(), "{}", test.name);
        }
        FAILED.store(false, Ordering::Release);
    }
}
