//! The suite of our own over RFC 5280, sections 6.1 and 6.3
//! (testdata/rfc5280-section-6, made by the example `make_suite`).
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../examples/shared/moment.rs"]
mod moment;
#[path = "../examples/shared/suite.rs"]
mod suite;

use std::path::Path;

/// Everything that can go wrong here.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[test]
fn every_step_of_section_6() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rfc5280-section-6");
    let lines = suite::run(&folder).unwrap();
    let wrong: Vec<_> = lines
        .iter()
        .filter(|line| line.got != line.expected)
        .map(|line| format!("{}: {}", line.id, line.reason))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let good = lines.iter().filter(|line| line.expected).count();
    let paper = std::fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(
        lines
            .iter()
            .all(|line| paper.contains(&format!("`{}`", line.id)))
    );
    assert!(
        good > 50 && lines.len() - good > 70,
        "{good} of {}",
        lines.len()
    );
}
