//! `cargo xtask tidy`: the rules of the house that the compiler does not see.
//!
//! It reads the tree and changes nothing. Each rule lives in a file of its own
//! and returns its findings as lines of `file:line: what is wrong`; the same
//! check runs as a test (`xtask/tests/tidy.rs`).

mod fuzzing;
mod manifest;
mod papers;
mod places;
mod rooms;
mod rust;
mod sources;
mod svg;
mod tree;

use std::path::Path;

use crate::Result;
use crate::command::{root, say};

pub use tree::Tree;

/// Checks the workspace and prints what is wrong.
///
/// # Errors
/// The tree could not be read, or something is wrong.
pub fn run() -> Result {
    let findings = check(&root())?;
    if findings.is_empty() {
        say("the house is tidy");
        return Ok(());
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    Err(format!("{} findings", findings.len()).into())
}

/// Everything that is wrong in the tree below `root`, in words.
///
/// # Errors
/// The tree could not be read.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let tree = Tree::read(root)?;
    let mut findings = Vec::new();
    findings.extend(rooms::check(&tree));
    findings.extend(sources::check(&tree));
    findings.extend(papers::check(&tree));
    findings.extend(places::check(&tree, &places::of_this_machine(root)));
    findings.extend(svg::check(&tree));
    findings.extend(fuzzing::check(&tree));
    Ok(findings)
}
