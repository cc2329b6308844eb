//! `cargo xtask fips`: a build on the FIPS 140-3 module that carries the
//! certificate, which is not the newest module there is, and the proof that it
//! is one.
//!
//! The workspace follows the newest `aws-lc-rs`, whose FIPS feature takes a
//! module that has no certificate yet. So the build happens in a copy of the
//! sources, pinned to the last `aws-lc-rs` that can take the one that has, and
//! otherwise to the versions in the workspace's own lock. docs/fips.md says
//! what the certificate covers.

mod copy;
mod proof;

use std::path::Path;
use std::process::Command;

use crate::command::{cargo, run, say, target_folder};
use crate::{Result, machine};

/// What the copy is pinned to, besides `aws-lc-fips-sys`, whose exact version
/// stands in the workspace's manifest already: the last releases on the module
/// of the certificate, and the library that they would use beside it.
const PINS: &[(&str, &str)] = &[
    ("aws-lc-rs", "1.17.1"),
    ("aws-lc-sys", "0.42.0"),
    ("rcgen", "0.14.7"),
    ("rustls", "0.23.40"),
];

/// The crate that carries AWS-LC FIPS 3.1.0: CMVP certificate 5314 (static).
const MODULE: (&str, &str) = ("aws-lc-fips-sys", "0.13.11");

/// Tests the crypto room on the module, builds the server on it, and tries the
/// result; with `--build-only` it builds and looks which module is in it.
///
/// # Errors
/// When a tool is missing and cannot be had, or a step fails.
pub fn build(arguments: &[String]) -> Result {
    let only = match arguments {
        [] => false,
        [one] if one == "--build-only" => true,
        _ => return Err("usage: cargo xtask fips [--build-only]".into()),
    };
    machine::provide(machine::FOR_TESTS)?;
    machine::provide(machine::FOR_FIPS)?;
    // In folders of its own: the feature changes nearly every dependency, and
    // an ordinary build afterwards would start from nothing.
    let folder = target_folder().join("fips");
    let sources = folder.join("sources");
    copy::make(&sources)?;
    // Adapts the lock to the pins, and to nothing else.
    run(on_module(&sources, &folder).args(["update", "--workspace", "--quiet"]))?;
    copy::check_lock(&sources)?;
    if !only {
        run(on_module(&sources, &folder)
            .args(["test", "--locked", "--release", "--package", "skms-crypto"])
            .args(["--lib", "--features", "fips"]))?;
    }
    run(on_module(&sources, &folder)
        .args(["build", "--locked", "--release", "--package", "skms"])
        .args(["--features", "fips"]))?;
    let built = folder.join("release/skms");
    proof::one_module(&built)?;
    if !only {
        proof::try_it(&built)?;
    }
    say(&format!("built {}", built.display()));
    Ok(())
}

/// Cargo in the copy.
fn on_module(sources: &Path, target: &Path) -> Command {
    let mut command = cargo();
    command
        .current_dir(sources)
        .env("CARGO_TARGET_DIR", target)
        // The module's build runs Go programs of its own: they need no other
        // modules and no other Go, and are to fetch none.
        .env("GOPROXY", "off")
        .env("GOFLAGS", "")
        .env("GOTOOLCHAIN", "local");
    // What would change how the module is built, or take another one.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_LC_") {
            command.env_remove(name);
        }
    }
    command
}
