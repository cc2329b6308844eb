//! Runs published test vectors against the library:
//!
//! ```text
//! cargo run --release -p skms-crypto --example vectors -- DIR...
//! ```
//!
//! For each file it prints how many cases were run, passed, failed, were
//! refused by policy, or do not apply and why; the last line is the total.
//! It exits with 1 if any case failed, and with 2 if a folder cannot be read
//! or has no file.

#![allow(clippy::print_stdout, clippy::print_stderr, missing_docs)]

mod harness;

use std::path::PathBuf;
use std::process::ExitCode;

use harness::Report;

fn main() -> ExitCode {
    let folders: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if folders.is_empty() {
        eprintln!("usage: vectors DIR...");
        return ExitCode::from(2);
    }
    // A case that panics is reported as a failure of that case.
    std::panic::set_hook(Box::new(|_| {}));
    let threads = std::thread::available_parallelism()
        .map_or(2, usize::from)
        .max(2);
    let mut all = Report::default();
    for folder in folders {
        match harness::run(&folder, threads, |_| true, |file| println!("{file}")) {
            Ok(report) => all.files.extend(report.files),
            Err(error) => {
                eprintln!("{}: {error}", folder.display());
                return ExitCode::from(2);
            }
        }
    }
    println!("{all}");
    if all.files.is_empty() {
        return ExitCode::from(2);
    }
    if all.total().failed > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
