//! Why a policy document was refused, and where in it.

use std::fmt;

/// The result of compiling policies.
pub type Result<T> = std::result::Result<T, Error>;

/// A place in a policy document, counted as an editor counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

impl Position {
    /// The place of a byte offset in a text; past the end means its end.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        let mut line = 1u32;
        let mut column = 1u32;
        for (at, character) in text.char_indices() {
            if at >= offset {
                break;
            }
            if character == '\n' {
                line = line.saturating_add(1);
                column = 1;
            } else {
                column = column.saturating_add(1);
            }
        }
        Self { line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// One thing wrong (or doubtful) in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where, when the parser could tell.
    pub position: Option<Position>,
    /// What is wrong, in words.
    pub message: String,
    /// What would mend it, when that is known.
    pub help: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.position {
            write!(f, "{position}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// Why policies were not accepted. Every variant but [`Error::Schema`] is the
/// author's mistake.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not Cedar.
    #[error("policy {policy} does not parse: {}", list(.findings))]
    Syntax {
        /// The document, as `namespace/name`.
        policy: String,
        /// Everything the parser found, in order of place.
        findings: Vec<Finding>,
    },
    /// The text is Cedar but disagrees with the schema: an unknown action,
    /// attribute or type.
    #[error("policy {policy} does not fit the schema: {}", list(.findings))]
    Validation {
        /// The document, as `namespace/name`.
        policy: String,
        /// Everything the validator found, in order of place.
        findings: Vec<Finding>,
    },
    /// Templates have slots that nothing here would fill.
    #[error("policy {policy} is a template: {finding}")]
    Template {
        /// The document, as `namespace/name`.
        policy: String,
        /// Where the first slot stands.
        finding: Finding,
    },
    /// A document without a single statement, which would silently permit
    /// nothing.
    #[error("policy {policy} contains no permit or forbid")]
    Empty {
        /// The document, as `namespace/name`.
        policy: String,
    },
    /// Larger, longer or more deeply nested than is accepted.
    #[error("policy {policy} has {what} over the limit of {limit}")]
    TooLarge {
        /// The document, as `namespace/name`.
        policy: String,
        /// What there is too much of.
        what: &'static str,
        /// The largest value accepted.
        limit: usize,
    },
    /// A text that is not a rule, or a rule that says what it cannot mean.
    #[error("rule {rule} {what}{}", after_colon(.findings))]
    Rule {
        /// The rule, as `namespace/name`.
        rule: String,
        /// What is wrong with it.
        what: String,
        /// Everything that was found, in order of place.
        findings: Vec<Finding>,
    },
    /// A mark (a `forbid` with `@approvals`) that cannot mean what it says.
    #[error("policy {policy} has a mark that does not hold: {finding}")]
    Mark {
        /// The document, as `namespace/name`.
        policy: String,
        /// What is wrong, and where.
        finding: Finding,
    },
    /// Two documents of one name in a set.
    #[error("policy {policy} is given twice")]
    Duplicate {
        /// The document, as `namespace/name`.
        policy: String,
    },
    /// A name that could be mistaken for another: empty, or with a `/`, a
    /// quote or a control character in it.
    #[error("{what} is not a usable name")]
    Name {
        /// The kind of name.
        what: &'static str,
    },
    /// No action of that name.
    #[error("no such action")]
    UnknownAction,
    /// The built-in schema does not load: a defect of this program.
    #[error("the built-in policy schema does not load: {0}")]
    Schema(String),
}

impl Error {
    /// Where the first mistake stands, when that is known.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Syntax { findings, .. }
            | Self::Validation { findings, .. }
            | Self::Rule { findings, .. } => findings.iter().find_map(|finding| finding.position),
            Self::Template { finding, .. } | Self::Mark { finding, .. } => finding.position,
            _ => None,
        }
    }
}

fn after_colon(findings: &[Finding]) -> String {
    match findings {
        [] => String::new(),
        some => format!(": {}", list(some)),
    }
}

fn list(findings: &[Finding]) -> String {
    let mut text = String::new();
    for (at, finding) in findings.iter().enumerate() {
        if at > 0 {
            text.push_str("; ");
        }
        text.push_str(&finding.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let text = "ab\nä€x\n";
        assert_eq!(Position::of(text, 0), Position { line: 1, column: 1 });
        assert_eq!(Position::of(text, 3), Position { line: 2, column: 1 });
        let x = text.find('x').unwrap();
        assert_eq!(Position::of(text, x), Position { line: 2, column: 3 });
        assert_eq!(Position::of(text, 999), Position { line: 3, column: 1 });
    }
}
