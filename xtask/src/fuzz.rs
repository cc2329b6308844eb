//! `cargo xtask fuzz`: libFuzzer on the parsers, with the stable compiler.
//!
//! The coverage instrumentation that libFuzzer needs is a matter of stable
//! code-generation options, so neither a nightly compiler nor another tool is
//! needed. The address sanitizer (`--asan`) is not stable: it asks the
//! compiler to lift its own ban, which only a developer's machine should do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, cargo, root, say, target_folder};
use crate::{Result, machine};

/// What libFuzzer's run time expects of the code it drives.
const COVERAGE: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
    "-Coverflow-checks",
];

/// One invocation's choices.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    target: Option<String>,
    seconds: u32,
    asan: bool,
    list: bool,
}

/// Builds the fuzz targets and runs one of them or all in turn.
///
/// # Errors
/// The arguments are wrong, the targets do not build, or one found something:
/// the input that did it is then in `fuzz/artifacts/<target>/`.
pub fn run(arguments: &[String]) -> Result {
    let choice = Choice::from_arguments(arguments)?;
    let targets = targets(&root())?;
    if choice.list {
        for target in &targets {
            println!("{target}");
        }
        return Ok(());
    }
    let chosen: Vec<&String> = match &choice.target {
        None => targets.iter().collect(),
        Some(name) => {
            let chosen: Vec<_> = targets.iter().filter(|target| *target == name).collect();
            if chosen.is_empty() {
                let names = targets.join(", ");
                return Err(format!("no fuzz target {name:?}; there are {names}").into());
            }
            chosen
        }
    };
    machine::provide(machine::FOR_TESTS)?;
    machine::provide(machine::FOR_FUZZING)?;
    let host = host()?;
    build(&choice, &host)?;
    for target in chosen {
        fuzz(target, &choice, &host)?;
    }
    Ok(())
}

/// The fuzz targets' names, sorted: one for each file in `fuzz/fuzz_targets/`.
///
/// # Errors
/// The folder cannot be read.
pub fn targets(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("fuzz/fuzz_targets"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_stem()
        {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

impl Choice {
    fn from_arguments(arguments: &[String]) -> Result<Self> {
        let mut choice = Self {
            target: None,
            seconds: 60,
            asan: false,
            list: false,
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--seconds" => {
                    let number = rest.next().ok_or("--seconds takes a number")?;
                    choice.seconds = number
                        .parse()
                        .map_err(|_| format!("--seconds takes a number, not {number:?}"))?;
                }
                "--asan" => choice.asan = true,
                "--list" => choice.list = true,
                name if !name.starts_with('-') && choice.target.is_none() => {
                    choice.target = Some(name.to_owned());
                }
                other => return Err(format!("{other:?} is not understood").into()),
            }
        }
        Ok(choice)
    }

    /// Where it is built: one folder for each set of flags, so that neither
    /// makes the other build anew.
    fn folder(&self) -> PathBuf {
        target_folder().join(if self.asan { "fuzz-asan" } else { "fuzz" })
    }

    fn flags(&self) -> String {
        let mut flags = COVERAGE.join(" ");
        if self.asan {
            flags.push_str(" -Zsanitizer=address");
        }
        flags
    }
}

fn build(choice: &Choice, host: &str) -> Result {
    // What is fuzzed is what ships: the same versions of everything. Cargo
    // adds the fuzzers' own few dependencies to the copy.
    fs::copy(root().join("Cargo.lock"), root().join("fuzz/Cargo.lock"))?;
    let mut build = cargo();
    build
        .args(["build", "--release", "--bins", "--manifest-path"])
        .arg(root().join("fuzz/Cargo.toml"))
        .arg("--target-dir")
        .arg(choice.folder())
        // With a target named, build scripts and macros stay uninstrumented.
        .args(["--target", host])
        .env("RUSTFLAGS", choice.flags());
    if choice.asan {
        build.env("RUSTC_BOOTSTRAP", "1");
    }
    command::run(&mut build)
}

fn fuzz(target: &str, choice: &Choice, host: &str) -> Result {
    let seeds = root().join("fuzz/corpus").join(target);
    let found = target_folder().join("fuzz/corpus").join(target);
    let artifacts = root().join("fuzz/artifacts").join(target);
    for folder in [&found, &artifacts] {
        fs::create_dir_all(folder)?;
    }
    say(&format!("{target}: {} s", choice.seconds));
    let binary = choice.folder().join(host).join("release").join(target);
    let mut fuzzer = Command::new(binary);
    fuzzer
        .arg(format!("-max_total_time={}", choice.seconds))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    // New finds go to the first folder; the seeds stay as committed.
    fuzzer.arg(found);
    if seeds.is_dir() {
        fuzzer.arg(seeds);
    }
    command::run(&mut fuzzer)
}

fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| "rustc -vV names no host".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(arguments: &[&str]) -> Result<Choice> {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        Choice::from_arguments(&arguments)
    }

    #[test]
    fn arguments_are_read() {
        let plain = choice(&[]).unwrap();
        assert_eq!((plain.target, plain.seconds, plain.asan), (None, 60, false));
        let full = choice(&["wire_json", "--seconds", "5", "--asan"]).unwrap();
        assert_eq!(full.target.as_deref(), Some("wire_json"));
        assert_eq!((full.seconds, full.asan), (5, true));
    }

    #[test]
    fn wrong_arguments_are_refused() {
        assert!(choice(&["--seconds"]).is_err());
        assert!(choice(&["--seconds", "many"]).is_err());
        assert!(choice(&["--quickly"]).is_err());
        assert!(choice(&["one", "two"]).is_err());
    }

    #[test]
    fn only_the_sanitizer_needs_an_unstable_flag() {
        assert!(!choice(&[]).unwrap().flags().contains("-Z"));
        assert!(choice(&["--asan"]).unwrap().flags().contains("-Zsanitizer"));
    }
}
