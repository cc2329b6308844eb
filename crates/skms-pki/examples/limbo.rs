//! Runs a file in the x509-limbo schema:
//! `cargo run --release -p skms-pki --example limbo -- FILE.json [--json] [--profile web|rfc5280]`.
//!
//! A line a case and totals; with `--json` one object a line and nothing else.
//! The profile is the web's unless another is named; `docs/validation.md` says
//! which cases that decides.
#![allow(missing_docs)]

#[path = "shared/limbo.rs"]
mod limbo;
#[path = "shared/moment.rs"]
mod moment;
#[path = "shared/pem.rs"]
mod pem;

use std::io::Write;
use std::time::{Duration, Instant};

use serde::Serialize;
use skms_pki::path::Profile;

use limbo::{Case, Verdict, read_cases, run};

/// Everything that can go wrong here.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Serialize)]
struct Line<'l> {
    id: &'l str,
    expected: &'l str,
    got: &'l str,
    reason: String,
}

fn main() -> Result<()> {
    let mut json = false;
    let mut profile = Profile::WebPki;
    let mut file = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => json = true,
            "--profile" => {
                profile = match arguments.next().as_deref() {
                    Some("web") => Profile::WebPki,
                    Some("rfc5280") => Profile::Rfc5280,
                    _ => return Err("--profile takes web or rfc5280".into()),
                }
            }
            _ => file = Some(argument),
        }
    }
    let file = file.ok_or("usage: limbo FILE.json [--json] [--profile web|rfc5280]")?;
    let cases = read_cases(file.as_ref())?;
    let mut out = std::io::stdout().lock();
    let mut totals = Totals::default();
    for case in &cases {
        let start = Instant::now();
        let verdict = run(case, profile);
        let took = start.elapsed();
        totals.add(case, &verdict, took);
        let line = Line {
            id: &case.id,
            expected: &case.expected_result,
            got: verdict.got,
            reason: verdict.reason,
        };
        if json {
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
        } else {
            let mark = if line.got == line.expected || line.got == "SKIPPED" {
                "  "
            } else {
                "! "
            };
            writeln!(
                out,
                "{mark}{} expected {} got {} in {} ms: {}",
                line.id,
                line.expected,
                line.got,
                took.as_millis(),
                line.reason
            )?;
        }
    }
    if !json {
        totals.print(&mut out)?;
    }
    Ok(())
}

#[derive(Default)]
struct Totals {
    success: [usize; 2],
    failure: [usize; 2],
    skipped: usize,
    slowest: (Duration, String),
}

impl Totals {
    fn add(&mut self, case: &Case, verdict: &Verdict, took: Duration) {
        if took > self.slowest.0 {
            self.slowest = (took, case.id.clone());
        }
        let right = usize::from(verdict.got == case.expected_result);
        match (verdict.got, case.expected_result.as_str()) {
            ("SKIPPED", _) => self.skipped += 1,
            (_, "SUCCESS") => self.success[right] += 1,
            _ => self.failure[right] += 1,
        }
    }

    fn print(&self, out: &mut impl Write) -> Result<()> {
        let [refused, accepted] = self.success;
        let [wrong, right] = self.failure;
        writeln!(
            out,
            "SUCCESS: {accepted} accepted, {refused} refused; \
             FAILURE: {right} refused, {wrong} accepted; {} skipped; slowest {} ms ({})",
            self.skipped,
            self.slowest.0.as_millis(),
            self.slowest.1
        )?;
        Ok(())
    }
}
