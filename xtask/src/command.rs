//! Running other programs: what is run is always shown.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;

/// Tells the reader what is going on, on standard error.
pub fn say(text: &str) {
    eprintln!("xtask: {text}");
}

/// The workspace's top folder.
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or(here.clone(), Path::to_path_buf)
}

/// Where Cargo puts what it builds.
pub fn target_folder() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// The same Cargo that runs this chore, started in the workspace's top folder.
///
/// What `cargo run` adds to the environment is taken away again: it would make
/// a build from here differ from the same build typed by hand, and so build
/// everything twice.
pub fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let added_by_cargo_run = text.starts_with("CARGO_PKG_")
            || text.starts_with("CARGO_MANIFEST_")
            || text.starts_with("CARGO_BIN_")
            || text == "CARGO_CRATE_NAME"
            || text == "CARGO_PRIMARY_PACKAGE";
        if added_by_cargo_run {
            command.env_remove(&name);
        }
    }
    command
}

/// Shows the command, runs it with no standard input, and fails if it fails.
///
/// # Errors
/// The command could not be started, or ended with a code other than 0.
pub fn run(command: &mut Command) -> Result {
    show(command);
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("cannot start {}: {error}", name(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} failed ({status})", line(command)).into())
    }
}

/// Runs the command unseen; true if it could be started and ended with 0.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Which of its outputs a program writes its report to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Standard,
    /// Standard error.
    Error,
}

/// Shows the command, runs it, passes its report on to standard error line by
/// line and hands each line to `see` as well. Returns whether it succeeded.
///
/// # Errors
/// The command could not be started or its output could not be read.
pub fn watch(command: &mut Command, report: Output, mut see: impl FnMut(&str)) -> Result<bool> {
    show(command);
    command.stdin(Stdio::null());
    match report {
        Output::Standard => command.stdout(Stdio::piped()),
        Output::Error => command.stderr(Stdio::piped()),
    };
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", name(command)))?;
    let pipe: Box<dyn std::io::Read> = match (child.stdout.take(), child.stderr.take()) {
        (Some(pipe), _) => Box::new(pipe),
        (_, Some(pipe)) => Box::new(pipe),
        (None, None) => return Err("the report's pipe was not made".into()),
    };
    let mut lines = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while lines.read_until(b'\n', &mut bytes)? != 0 {
        std::io::stderr().write_all(&bytes)?;
        see(&String::from_utf8_lossy(&bytes));
        bytes.clear();
    }
    Ok(child.wait()?.success())
}

/// `always` when a person watches, so that a piped report keeps its colours.
pub fn colour() -> &'static str {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if std::io::stderr().is_terminal() && !plain {
        "always"
    } else {
        "never"
    }
}

pub(crate) fn show(command: &Command) {
    eprintln!("+ {}", line(command));
}

fn name(command: &Command) -> String {
    Path::new(command.get_program())
        .file_name()
        .unwrap_or(OsStr::new("?"))
        .to_string_lossy()
        .into_owned()
}

fn line(command: &Command) -> String {
    let mut text = name(command);
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}
