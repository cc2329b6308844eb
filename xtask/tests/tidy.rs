//! The rules of the house hold for the tree as it is.

#![allow(missing_docs)]

use std::path::Path;

#[test]
fn the_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root
        .canonicalize()
        .expect("the workspace is where the crate is");
    let findings = xtask::tidy::check(&root).expect("the tree can be read");
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}
