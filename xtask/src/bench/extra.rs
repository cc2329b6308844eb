//! What the full run measures beside the main cases: the tables of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::case::{self, MORE};
use super::document::{or_nothing, tenths, thousandths, whole};
use super::goals::{Goal, at_least, at_most};
use super::load::Figures;
use super::results::Who;
use super::{MANY, Measured, certificates};

/// What was measured once, on servers set up for it.
#[derive(Default)]
pub struct Extra {
    /// What the cryptographic library does a second on one thread.
    pub rates: BTreeMap<String, f64>,
    /// RSA-2048 keys a second right after the server has been idle, and on.
    pub rsa_after_rest: Option<Figures>,
    /// The same without a rest before.
    pub rsa_sustained: Option<Figures>,
    /// Encryptions while nothing else goes on, and while slow work does.
    pub slow_work: Vec<SlowWork>,
    /// Encryptions with much loaded.
    pub loaded: Option<Loaded>,
    /// A server with very many keys.
    pub growth: Option<Growth>,
    /// What validation and revocation lists take, in nanoseconds.
    pub library: BTreeMap<&'static str, f64>,
}

/// Encryptions beside slow work.
pub struct SlowWork {
    /// Connections that encrypt.
    pub connections: u32,
    /// Without slow work.
    pub alone: Figures,
    /// With it.
    pub beside: Figures,
    /// RSA-4096 keys made meanwhile.
    pub keys: f64,
    /// Passphrases stretched meanwhile.
    pub passphrases: u32,
}

/// Encryptions with much loaded.
pub struct Loaded {
    /// Policies.
    pub policies: u64,
    /// Keys.
    pub keys: u64,
    /// One key, before any of that was there.
    pub before: Figures,
    /// The same key, with all of it there.
    pub warm: Figures,
    /// A key drawn anew for each request.
    pub cold: Figures,
}

/// A server with very many keys, of which none is open.
pub struct Growth {
    /// Keys.
    pub keys: u64,
    /// From the start of the process until it serves, unsealed.
    pub start_ms: f64,
    /// The same with an empty store.
    pub empty_start_ms: f64,
    /// Memory a key: what the process has more than with an empty store.
    pub bytes_a_key: f64,
}

impl Extra {
    /// What was asked of these.
    pub fn goals(&self, goals: &mut Vec<Goal>) {
        for slow in &self.slow_work {
            goals.push(at_most(
                &format!(
                    "encrypt over {} connections: p99 while RSA-4096 keys are made and Argon2 runs",
                    slow.connections
                ),
                5.0,
                slow.beside.p99_ms,
                thousandths,
                "ms",
            ));
        }
        if let Some(loaded) = &self.loaded {
            for (what, figures) in [("one key", loaded.warm), ("keys drawn anew", loaded.cold)] {
                goals.push(at_least(
                    &format!(
                        "encrypt with {} policies and {} keys loaded, {what}: 80 % of the rate before",
                        whole(loaded.policies as f64),
                        whole(loaded.keys as f64),
                    ),
                    0.8 * loaded.before.rps,
                    figures.rps,
                ));
            }
        }
        if let Some(growth) = &self.growth {
            let keys = whole(growth.keys as f64);
            goals.push(at_most(
                &format!("start and unseal with {keys} keys"),
                3000.0,
                growth.start_ms,
                whole,
                "ms",
            ));
            goals.push(at_most(
                &format!("memory a key that is not open, with {keys} of them"),
                400.0,
                growth.bytes_a_key,
                whole,
                "bytes",
            ));
        }
    }
}

/// The tables.
pub fn write(out: &mut String, measured: &Measured) {
    // Writing to a string does not fail.
    more_operations(out, measured);
    connections(out, measured);
    certificates::write(out, measured);
    let extra = &measured.extra;
    if !extra.rates.is_empty() {
        out.push_str(
            "### The cryptographic library by itself, on one thread\n\n\
             | | a second |\n| --- | --: |\n",
        );
        for (name, rate) in &extra.rates {
            let _ = writeln!(out, "| {name} | {} |", whole(*rate));
        }
        out.push('\n');
    }
    if let (Some(rested), Some(sustained)) = (extra.rsa_after_rest, extra.rsa_sustained) {
        let _ = write!(
            out,
            "### RSA-2048 keys\n\n\
             Right after a rest the server makes {} a second, for as long as its stock lasts; \
             sustained {} a second.\n\n",
            whole(rested.rps),
            whole(sustained.rps)
        );
    }
    if !extra.slow_work.is_empty() {
        out.push_str(
            "### Fast work beside slow work\n\n\
             Encryptions of 32 bytes, alone and while RSA-4096 keys are made over four connections \
             and seals with passphrases (Argon2id) are added one after the other.\n\n\
             | connections | alone: a second | p99 ms | beside slow work: a second | p99 ms | RSA-4096 keys made | passphrases |\n\
             | --: | --: | --: | --: | --: | --: | --: |\n",
        );
        for slow in &extra.slow_work {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {:.0} | {} |",
                slow.connections,
                whole(slow.alone.rps),
                thousandths(slow.alone.p99_ms),
                whole(slow.beside.rps),
                thousandths(slow.beside.p99_ms),
                slow.keys,
                slow.passphrases,
            );
        }
        out.push('\n');
    }
    if let Some(loaded) = &extra.loaded {
        let _ = write!(
            out,
            "### With {} policies and {} keys loaded\n\n\
             | encrypt 32 bytes | a second | CPU µs | p99 ms |\n| --- | --: | --: | --: |\n",
            whole(loaded.policies as f64),
            whole(loaded.keys as f64),
        );
        for (what, figures) in [
            ("one key, before they were loaded", loaded.before),
            ("one key", loaded.warm),
            (
                "a key drawn anew for each request: nothing decided before, most keys not open",
                loaded.cold,
            ),
        ] {
            let _ = writeln!(
                out,
                "| {what} | {} | {} | {} |",
                whole(figures.rps),
                tenths(figures.cpu_us),
                thousandths(figures.p99_ms)
            );
        }
        out.push('\n');
    }
    if let Some(growth) = &extra.growth {
        let _ = write!(
            out,
            "### With {} keys\n\n\
             From the start of the process until it serves, unsealed by a key file: {} ms \
             (with an empty store {} ms). Memory for each key that is not open: {} bytes.\n\n",
            whole(growth.keys as f64),
            whole(growth.start_ms),
            whole(growth.empty_start_ms),
            whole(growth.bytes_a_key),
        );
    }
}

fn more_operations(out: &mut String, measured: &Measured) {
    let results = &measured.results;
    let cell = |name: &str| format!("{name}-tls");
    if MORE
        .iter()
        .all(|case| results.of(&cell(case.name), Who::Ours).is_none())
    {
        return;
    }
    out.push_str(
        "### More operations\n\n\
         | case | SKMS a second | CPU µs | p99 ms | OpenBao a second |\n\
         | --- | --: | --: | --: | --: |\n",
    );
    for case in MORE {
        let ours = results.of(&cell(case.name), Who::Ours);
        let theirs = results.of(&cell(case.name), Who::OpenBao);
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            case.what,
            or_nothing(ours.map(|figures| figures.rps), whole),
            or_nothing(ours.map(|figures| figures.cpu_us), tenths),
            or_nothing(ours.map(|figures| figures.p99_ms), thousandths),
            or_nothing(theirs.map(|figures| figures.rps), whole),
        );
    }
    out.push('\n');
}

fn connections(out: &mut String, measured: &Measured) {
    let many = format!("encrypt-32-tls-{MANY}");
    let rows = [
        ("encrypt-32-tls-1", "TLS, one connection"),
        ("encrypt-32-tls", "TLS, 32 connections"),
        (many.as_str(), "TLS, 256 connections"),
        (
            "encrypt-32-http",
            "plain HTTP, 32 connections (SKMS: `--dev`, its data in memory)",
        ),
    ];
    let Some(case) = case::named("encrypt-32") else {
        return;
    };
    if measured.results.of("encrypt-32-http", Who::Ours).is_none() {
        return;
    }
    let _ = write!(
        out,
        "### Connections and transport\n\n\
         To {}.\n\n\
         | | SKMS a second | CPU µs | p50 ms | p99 ms | echo a second | CPU µs | p50 ms | p99 ms | OpenBao a second | sync µs |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n",
        case.what
    );
    for (cell, what) in rows {
        let results = &measured.results;
        if results.of(cell, Who::Ours).is_none() {
            continue;
        }
        let _ = write!(out, "| {what} |");
        for who in [Who::Ours, Who::Echo] {
            let figures = results.of(cell, who).unwrap_or_default();
            let _ = write!(
                out,
                " {} | {} | {} | {} |",
                whole(figures.rps),
                tenths(figures.cpu_us),
                thousandths(figures.p50_ms),
                thousandths(figures.p99_ms)
            );
        }
        let theirs = results.of(cell, Who::OpenBao).map(|figures| figures.rps);
        let _ = writeln!(
            out,
            " {} | {} |",
            or_nothing(theirs, whole),
            or_nothing(results.sync(cell), whole)
        );
    }
    out.push('\n');
}
