//! Counting tests from what the runners print.

use std::fmt;
use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Tests that held.
    pub passed: u64,
    /// Tests that failed, ran out of time or could not be started.
    pub failed: u64,
    /// Tests that were left out.
    pub skipped: u64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

impl Count {
    /// Reads nextest's closing line; `None` for any other line. Colours are
    /// ignored.
    pub fn from_nextest(line: &str) -> Option<Self> {
        let plain = without_colours(line);
        let text = plain.trim();
        let (_, rest) = text.strip_prefix("Summary [")?.split_once("run:")?;
        Some(Self::from_parts(rest.split(',')))
    }

    /// Reads a closing line of Rust's own test harness; `None` for any other
    /// line, one that a failed test printed with an indent included.
    pub fn from_libtest(line: &str) -> Option<Self> {
        let plain = without_colours(line);
        let (_, rest) = plain.strip_prefix("test result: ")?.split_once(". ")?;
        Some(Self::from_parts(rest.split(';')))
    }

    fn from_parts<'a>(parts: impl Iterator<Item = &'a str>) -> Self {
        let mut count = Self::default();
        for part in parts {
            let Some((number, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            // nextest adds remarks in brackets: "3 passed (1 slow)".
            let what = what.split('(').next().unwrap_or(what).trim();
            match what {
                "passed" => count.passed += number,
                "failed" | "timed out" | "exec failed" => count.failed += number,
                "skipped" | "ignored" => count.skipped += number,
                _ => {}
            }
        }
        count
    }
}

fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            for skipped in characters.by_ref() {
                if skipped.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(passed: u64, failed: u64, skipped: u64) -> Option<Count> {
        Some(Count {
            passed,
            failed,
            skipped,
        })
    }

    #[test]
    fn reads_nextest() {
        let line = "     Summary [   1.035s] 6 tests run: 3 passed (1 slow, 1 leaky), 1 failed, 1 timed out, 1 exec failed, 2 skipped";
        assert_eq!(Count::from_nextest(line), count(3, 3, 2));
        let line = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.1s] \u{1b}[1m9\u{1b}[0m tests run: \u{1b}[1m9\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, \u{1b}[1m0\u{1b}[0m \u{1b}[33;1mskipped\u{1b}[0m\n";
        assert_eq!(Count::from_nextest(line), count(9, 0, 0));
    }

    #[test]
    fn reads_a_cancelled_nextest_run() {
        let line = "     Summary [   1.0s] 2/5 tests run: 1 passed, 1 failed, 0 skipped";
        assert_eq!(Count::from_nextest(line), count(1, 1, 0));
    }

    #[test]
    fn reads_libtest() {
        let line = "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 7 filtered out; finished in 0.05s";
        assert_eq!(Count::from_libtest(line), count(3, 1, 2));
    }

    #[test]
    fn leaves_other_lines_alone() {
        assert_eq!(Count::from_libtest("test tests::reads ... ok"), None);
        assert_eq!(Count::from_nextest("Summary of 3 passed"), None);
        assert_eq!(Count::from_nextest(""), None);
        // A failed test's own output, as nextest repeats it.
        let inner = "    test result: FAILED. 0 passed; 1 failed; 0 ignored";
        assert_eq!(Count::from_nextest(inner), None);
        assert_eq!(Count::from_libtest(inner), None);
    }

    #[test]
    fn prints_the_closing_line() {
        let mut sum = Count::default();
        sum += Count {
            passed: 2,
            failed: 1,
            skipped: 0,
        };
        sum += Count {
            passed: 1,
            failed: 0,
            skipped: 4,
        };
        assert_eq!(sum.to_string(), "3 passed, 1 failed, 4 skipped");
    }
}
