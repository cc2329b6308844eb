//! The Python package in `clients/python`: its own tests, against this binary.

use std::path::PathBuf;
use std::process::Command;

/// Runs modules of its tests; `None`, and a visible skip, without a Python.
fn unittest(binary: &str, arguments: &[&str]) -> Option<(bool, String)> {
    let Some(python) = std::env::var_os("SKMS_TEST_PYTHON") else {
        eprintln!("SKIPPED: SKMS_TEST_PYTHON names no interpreter");
        return None;
    };
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../clients/python");
    let output = Command::new(python)
        .args(["-W", "error::DeprecationWarning:skms", "-m", "unittest"])
        .args(arguments)
        .current_dir(&package)
        .env("PYTHONPATH", &package)
        // The tree is left as it was.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SKMS_TEST_BINARY", binary)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Some((output.status.success(), said))
}

#[test]
fn the_python_package_passes_its_tests() {
    let all = ["discover", "--top-level-directory", ".", "tests"];
    let Some((passed, said)) = unittest(env!("CARGO_BIN_EXE_skms"), &all) else {
        return;
    };
    assert!(passed, "{said}");
    // None went missing: neither by not being found nor by being skipped.
    let ran = said
        .lines()
        .find_map(|line| line.strip_prefix("Ran ")?.split(' ').next()?.parse().ok());
    assert!(ran.is_some_and(|ran: u32| ran >= 65), "{said}");
    assert!(!said.contains("skipped"), "{said}");
}

#[test]
fn the_tests_of_the_python_package_need_the_server() {
    let real = ["tests.test_server.Exchange"];
    let Some((passed, said)) = unittest("/bin/false", &real) else {
        return;
    };
    assert!(!passed, "{said}");
}
