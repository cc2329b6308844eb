//! Runs a suite of certificate and CRL files:
//! `cargo run --release -p skms-pki --example paths -- DIR [--json]`.
//!
//! `DIR/expected.json` is a list of cases:
//! `{"id", "certs": [names, anchor first, target last, the others
//! intermediates], "crls": [names], "initial_policy_set": [dotted OIDs],
//! "initial_explicit_policy", "initial_policy_mapping_inhibit",
//! "initial_inhibit_any_policy": booleans, "time": RFC 3339,
//! "should_validate": boolean}`, with DER in `DIR/certs/NAME.crt` and
//! `DIR/crls/NAME.crl`. Revocation is checked for the whole path.
//!
//! A line a case and totals; with `--json` one object a line and nothing else.
#![allow(missing_docs)]

#[path = "shared/moment.rs"]
mod moment;
#[path = "shared/suite.rs"]
mod suite;

use std::io::Write;

/// Everything that can go wrong here.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let mut json = false;
    let mut folder = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => json = true,
            _ => folder = Some(argument),
        }
    }
    let folder = folder.ok_or("usage: paths DIR [--json]")?;
    let lines = suite::run(folder.as_ref())?;
    let mut out = std::io::stdout().lock();
    let mut right = 0;
    for line in &lines {
        right += usize::from(line.got == line.expected);
        if json {
            writeln!(out, "{}", serde_json::to_string(line)?)?;
        } else {
            let mark = if line.got == line.expected {
                "  "
            } else {
                "! "
            };
            writeln!(
                out,
                "{mark}{} expected {} got {}: {}",
                line.id, line.expected, line.got, line.reason
            )?;
        }
    }
    if !json {
        writeln!(out, "{right} of {} as expected", lines.len())?;
    }
    Ok(())
}
