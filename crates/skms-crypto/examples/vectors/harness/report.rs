//! What is printed: a line a file, reasons below it, a total at the end.

use std::collections::BTreeMap;
use std::fmt;

use super::case::Outcome;

/// How many failures are printed for one file.
const FAILURES_SHOWN: usize = 20;

/// Counts of outcomes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Cases found.
    pub cases: usize,
    /// Run, and as the vector wants it.
    pub passed: usize,
    /// Run, and not as the vector wants it.
    pub failed: usize,
    /// Valid, and refused by policy.
    pub refused: usize,
    /// Not something this library does.
    pub not_applicable: usize,
}

impl Counts {
    /// Cases that were put to the library and judged.
    pub fn run(&self) -> usize {
        self.passed + self.failed
    }

    fn add(&mut self, other: &Counts) {
        self.cases += other.cases;
        self.passed += other.passed;
        self.failed += other.failed;
        self.refused += other.refused;
        self.not_applicable += other.not_applicable;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cases: {} run, {} passed, {} failed, {} refused by policy, {} not applicable",
            self.cases,
            self.run(),
            self.passed,
            self.failed,
            self.refused,
            self.not_applicable
        )
    }
}

/// What happened to one file.
#[derive(Default)]
pub struct FileReport {
    /// Its path below the folder that was given.
    pub path: String,
    /// What its contents were taken for.
    pub kind: String,
    /// The outcomes, counted.
    pub counts: Counts,
    /// Why the file has no cases, if it has none.
    pub skipped: Option<String>,
    failures: Vec<String>,
    reasons: BTreeMap<(&'static str, String), usize>,
}

impl FileReport {
    /// Takes in one outcome.
    pub fn record(&mut self, id: &str, outcome: Outcome) {
        self.counts.cases += 1;
        match outcome {
            Outcome::Passed => self.counts.passed += 1,
            Outcome::Failed(why) => {
                self.counts.failed += 1;
                self.failures.push(format!("{id}: {why}"));
            }
            Outcome::RefusedByPolicy(why) => {
                self.counts.refused += 1;
                *self.reasons.entry(("refused by policy", why)).or_default() += 1;
            }
            Outcome::NotApplicable(what) => {
                self.counts.not_applicable += 1;
                *self.reasons.entry(("not applicable", what)).or_default() += 1;
            }
        }
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.skipped {
            return write!(f, "{}: not applicable: {why}", self.path);
        }
        write!(f, "{} ({}): {}", self.path, self.kind, self.counts)?;
        for ((what, why), count) in &self.reasons {
            write!(f, "\n    {count} {what}: {why}")?;
        }
        for failure in self.failures.iter().take(FAILURES_SHOWN) {
            write!(f, "\n    FAILED {failure}")?;
        }
        if self.failures.len() > FAILURES_SHOWN {
            let more = self.failures.len() - FAILURES_SHOWN;
            write!(f, "\n    and {more} more failures")?;
        }
        Ok(())
    }
}

/// What happened to a folder.
#[derive(Default)]
pub struct Report {
    /// One entry a file, by path.
    pub files: Vec<FileReport>,
}

impl Report {
    /// All files' counts together.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for file in &self.files {
            total.add(&file.counts);
        }
        total
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        if total.run() == 0 {
            writeln!(f, "nothing was run: no file here has an applicable case")?;
        }
        write!(f, "total of {} files, {total}", self.files.len())
    }
}
