//! The notebook in `examples`: from top to bottom, against this binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn examples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// Runs a copy of the notebook in that folder; `None`, and a visible skip,
/// without a Python.
fn run(folder: &Path, binary: &str) -> Option<Output> {
    let Some(python) = std::env::var_os("SKMS_TEST_PYTHON") else {
        eprintln!("SKIPPED: SKMS_TEST_PYTHON names no interpreter");
        return None;
    };
    let ran = Command::new(python)
        .args(["notebook.py", "run"])
        .current_dir(folder)
        // The tree is left as it was.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SKMS_BINARY", binary)
        .output()
        .unwrap();
    Some(ran)
}

#[test]
fn the_notebook_runs_and_draws() {
    let Some(ran) = run(&examples(), env!("CARGO_BIN_EXE_skms")) else {
        return;
    };
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    let counted = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(counted.trim(), "16 cells ran, 0 faults");
}

/// What the test above would not let pass.
#[test]
fn a_cell_that_fails_and_a_picture_that_is_not_drawn_are_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(
        examples().join("notebook.py"),
        folder.path().join("notebook.py"),
    )
    .unwrap();
    let told = |source: &str, tags: &str| {
        let cell = format!(
            r#"{{"cell_type": "code", "id": "a", "execution_count": 1, "outputs": [],
                "metadata": {{"tags": [{tags}]}}, "source": "{source}"}}"#
        );
        let notebook = format!(
            r#"{{"nbformat": 4, "nbformat_minor": 5, "metadata": {{}}, "cells": [{cell}]}}"#
        );
        std::fs::write(folder.path().join("skms.ipynb"), notebook).unwrap();
        let ran = run(folder.path(), "unused")?;
        assert!(!ran.status.success(), "{source}");
        Some(String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let Some(fails) = told("1 / 0", "") else {
        return;
    };
    assert!(fails.contains("ZeroDivisionError"), "{fails}");
    let draws_not = told("1 + 1", r#""picture""#).unwrap();
    assert!(
        draws_not.contains("a picture that is not there"),
        "{draws_not}"
    );
    let complains = told("import sys; print(1, file=sys.stderr)", "").unwrap();
    assert!(complains.contains("complains"), "{complains}");
}
