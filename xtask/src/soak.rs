//! `cargo xtask soak`: a server under a mixed load that goes on, watched from
//! outside.
//!
//! The load removes what it makes, so the server has no reason to grow. The
//! rule: once it has warmed up (the first third of the time), the median of its
//! memory in the last third is at most a tenth above that in the middle third;
//! threads and descriptors likewise do not grow; and when the load has gone,
//! its descriptors are back at what they were before.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::ours::Ours;
use crate::bench::server::{Process, built};
use crate::bench::{Folder, build_programs, median, process};
use crate::command::say;
use crate::{Result, machine};

/// How much more memory the last third may take than the middle third.
const GROWTH: f64 = 1.10;
/// Descriptors and threads that may come and go at any time.
const SLACK: f64 = 4.0;

/// What the server used at one time.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Since the load began.
    seconds: f64,
    resident: f64,
    descriptors: f64,
    threads: f64,
}

impl Sample {
    fn of(server: u32, start: Instant) -> Result<Self> {
        Ok(Self {
            seconds: start.elapsed().as_secs_f64(),
            resident: process::resident(server)? as f64,
            descriptors: process::descriptors(server)? as f64,
            threads: process::threads(server)? as f64,
        })
    }

    fn line(&self, what: &str) -> String {
        format!(
            "{what:>8} {:>8.1} {:>12} {:>8}",
            self.resident / f64::from(1 << 20),
            self.descriptors,
            self.threads
        )
    }
}

/// Loads a server and watches it.
///
/// # Errors
/// It does not build or start, the load found something wrong, or the server
/// grew.
pub fn run(arguments: &[String]) -> Result {
    let (mut seconds, mut build) = (600, true);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--no-build" => build = false,
            "--seconds" => {
                let text = rest.next().ok_or("--seconds needs a value")?;
                seconds = text
                    .parse::<u64>()
                    .ok()
                    .filter(|seconds| *seconds >= 10)
                    .ok_or_else(|| format!("--seconds takes a number from 10, not {text:?}"))?;
            }
            _ => return Err("usage: cargo xtask soak [--seconds N] [--no-build]".into()),
        }
    }
    machine::provide(machine::FOR_TESTS)?;
    if build {
        build_programs()?;
    }
    let folder = Folder::new()?;
    let ours = Ours::start(&folder.path().join("ours"))?;
    let server = ours.process.id();
    let before = Sample::of(server, Instant::now())?;
    let mut load = Process::start(
        Command::new(built("skms-bench"))
            .args(["soak", "--address", &ours.origin, "--ca-file"])
            .arg(ours.data().join("ca.pem"))
            .arg("--token-file")
            .arg(folder.path().join("ours/root.token"))
            .args(["--seconds", &seconds.to_string()]),
        &folder.path().join("load.log"),
    )?;
    let (start, mut samples) = (Instant::now(), Vec::new());
    let step = Duration::from_secs_f64((seconds as f64 / 60.0).clamp(0.5, 5.0));
    while !load.ended()? {
        thread::sleep(step);
        if start.elapsed().as_secs() < seconds {
            samples.push(Sample::of(server, start)?);
        }
    }
    let said = load.said();
    if !load.succeeded()? {
        return Err(format!("the load found something wrong:\n{said}").into());
    }
    // Connections that were closed are noticed a moment later.
    thread::sleep(Duration::from_secs(2));
    let after = Sample::of(server, start)?;
    println!(
        "{:>8} {:>8} {:>12} {:>8}",
        "seconds", "MiB", "descriptors", "threads"
    );
    println!("{}", before.line("before"));
    for sample in samples.iter().step_by(samples.len().div_ceil(12).max(1)) {
        println!("{}", sample.line(&format!("{:.0}", sample.seconds)));
    }
    println!("{}", after.line("after"));
    say(said.trim());
    let faults = faults(&before, &samples, &after);
    match faults.as_slice() {
        [] => {
            say("memory, descriptors and threads stayed");
            Ok(())
        }
        faults => Err(faults.join("; ").into()),
    }
}

/// What grew that should not.
fn faults(before: &Sample, samples: &[Sample], after: &Sample) -> Vec<String> {
    let third = samples.len() / 3;
    let (middle, last) = (
        samples.get(third..2 * third).unwrap_or_default(),
        samples.get(2 * third..).unwrap_or_default(),
    );
    let mut faults = Vec::new();
    let mut compare = |what: &str, figure: fn(&Sample) -> f64, most: &dyn Fn(f64) -> f64| {
        let middle = median(&middle.iter().map(figure).collect::<Vec<_>>());
        let last = median(&last.iter().map(figure).collect::<Vec<_>>());
        match (middle, last) {
            (Some(middle), Some(last)) if last <= most(middle) => {}
            (Some(middle), Some(last)) => {
                faults.push(format!("{what} grew from {middle:.1} to {last:.1}"));
            }
            _ => faults.push(format!("{what}: too few samples")),
        }
    };
    let mebibytes: fn(&Sample) -> f64 = |sample| sample.resident / f64::from(1 << 20);
    compare("memory (MiB)", mebibytes, &|middle| middle * GROWTH);
    compare("descriptors", |sample| sample.descriptors, &|middle| {
        middle + SLACK + 8.0
    });
    compare("threads", |sample| sample.threads, &|middle| middle + SLACK);
    if after.descriptors > before.descriptors + SLACK {
        faults.push(format!(
            "{} descriptors were left open, {} before",
            after.descriptors, before.descriptors
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(mebibytes: f64, descriptors: f64) -> Sample {
        Sample {
            seconds: 0.0,
            resident: mebibytes * 1024.0 * 1024.0,
            descriptors,
            threads: 5.0,
        }
    }

    #[test]
    fn warming_up_is_no_growth_but_a_leak_is() {
        let still = sample(50.0, 10.0);
        let warm: Vec<Sample> = (0..30)
            .map(|at| sample(if at < 10 { 20.0 } else { 50.0 }, 10.0))
            .collect();
        assert!(faults(&still, &warm, &still).is_empty());
        let leak: Vec<Sample> = (0..30)
            .map(|at| sample(50.0 + f64::from(at), 10.0))
            .collect();
        assert_eq!(faults(&still, &leak, &still).len(), 1);
        let left = sample(50.0, 20.0);
        assert_eq!(faults(&still, &warm, &left).len(), 1);
        assert_eq!(faults(&still, &[], &still).len(), 3, "nothing was seen");
    }
}
