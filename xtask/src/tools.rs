//! Programs that come from crates.io and PyPI rather than from Debian.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::command::{cargo, root, run, say, succeeds, target_folder};

/// A Cargo subcommand and the version that is installed where it is missing.
/// Any version that is there already will do.
pub struct Subcommand {
    name: &'static str,
    version: &'static str,
    /// What else `cargo install` is told.
    options: &'static [&'static str],
}

/// The test runner.
pub const NEXTEST: Subcommand = Subcommand {
    name: "nextest",
    version: "0.9.128",
    // Without what it needs to update itself, a third of it.
    options: &["--no-default-features", "--features", "default-no-update"],
};

/// The checks of licences, bans and sources.
pub const DENY: Subcommand = Subcommand {
    name: "deny",
    version: "0.20.2",
    options: &[],
};

/// Makes sure that the subcommand is there, building it from crates.io with
/// its own lock file where it is not.
///
/// # Errors
/// It is missing and could not be built.
pub fn provide(tool: &Subcommand) -> Result {
    if succeeds(cargo().args([tool.name, "--version"])) {
        return Ok(());
    }
    say(&format!(
        "cargo-{} is missing; building version {} from crates.io (some minutes)",
        tool.name, tool.version
    ));
    run(cargo()
        .args(["install", "--locked", "--version", tool.version])
        .arg(format!("cargo-{}", tool.name))
        .args(tool.options)
        .arg("--target-dir")
        .arg(target_folder().join("tools"))
        // The tool runs for seconds: building it quickly matters more than
        // making it quick.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "false")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"))
}

/// A Python with the pinned packages of `xtask/requirements.txt`, in a virtual
/// environment of its own below `target/`; made once and reused while the pins
/// stay the same. `SKMS_TEST_PYTHON`, where it is set, is used instead.
///
/// # Errors
/// The environment could not be made or the packages not installed.
pub fn python() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("SKMS_TEST_PYTHON") {
        return Ok(given.into());
    }
    let requirements = root().join("xtask/requirements.txt");
    let pins = fs::read_to_string(&requirements)?;
    let folder = target_folder().join("test-python");
    let python = folder.join("bin/python");
    let stamp = folder.join("installed-requirements.txt");
    let current = fs::read_to_string(&stamp).is_ok_and(|installed| installed == pins);
    if current && succeeds(Command::new(&python).args(["-c", "import cryptography"])) {
        return Ok(python);
    }
    say("making a Python environment for the cross-checks");
    fs::create_dir_all(target_folder())?;
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--only-binary=:all:"])
        .args(["--disable-pip-version-check", "--requirement"])
        .arg(&requirements))?;
    fs::write(stamp, pins)?;
    Ok(python)
}
