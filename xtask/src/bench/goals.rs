//! What was asked for, beside what was measured.

use super::document::{tenths, thousandths, whole};
use super::load::Figures;
use super::results::Who;
use super::{Measured, SLOW_SYNC, about, certificates};

/// One goal.
pub struct Goal {
    /// What it is about.
    pub what: String,
    /// What was asked.
    pub asked: String,
    /// What came out.
    pub measured: String,
    /// Whether that is enough; none where the goal does not apply.
    pub met: Option<bool>,
}

/// All goals that this run says something about.
pub fn all(measured: &Measured) -> Vec<Goal> {
    let mut goals = Vec::new();
    for case in ["encrypt-32", "decrypt-32"] {
        single(&mut goals, measured, case);
    }
    let cell = |name: &str, who| measured.results.of(name, who);
    let ours = |name: &str| cell(name, Who::Ours);
    if let (Some(ours), Some(seal)) = (
        ours("encrypt-4096-tls"),
        cell("encrypt-4096-tls", Who::Seal),
    ) {
        goals.push(at_most(
            "encrypt 4 KiB: server CPU",
            1.5 * seal.cpu_us,
            ours.cpu_us,
            tenths,
            "µs",
        ));
    }
    if let Some(batch) = ours("batch-100-tls") {
        goals.push(at_least(
            "batches of 100: items a second",
            400_000.0,
            batch.rps * 100.0,
        ));
    }
    for (name, what, rate) in [
        ("sign-p256-tls", "ECDSA P-256 signatures a second", 25_000.0),
        ("sign-ed25519-tls", "Ed25519 signatures a second", 25_000.0),
        (
            "create-aes-tls",
            "AES keys made a second, each durable",
            5000.0,
        ),
    ] {
        if let Some(figures) = ours(name) {
            goals.push(at_least(what, rate, figures.rps));
        }
    }
    for (name, what, part) in [
        ("sign-rsa2048", "RSA-2048 signatures a second", 0.85),
        ("sign-mldsa65", "ML-DSA-65 signatures a second", 0.8),
    ] {
        if let (Some(figures), Some(rate)) = (ours(&format!("{name}-tls")), measured.rate(name)) {
            let left = about::cores() as f64 - figures.load_cores;
            let mut goal = at_least("", part * rate * left, figures.rps);
            goal.what = format!(
                "{what}: {:.0} % of the library's {} on one thread times the {left:.2} cores that the load leaves",
                part * 100.0,
                whole(rate)
            );
            goals.push(goal);
        }
    }
    if let (Some(one), Some(sync)) = (
        ours("encrypt-32-tls-1"),
        measured.results.sync("encrypt-32-tls-1"),
    ) {
        goals.push(at_most(
            "encrypt over one connection: p50, one sync and 0.1 ms",
            sync / 1e3 + 0.1,
            one.p50_ms,
            thousandths,
            "ms",
        ));
    }
    certificates::goals(&mut goals, measured);
    measured.extra.goals(&mut goals);
    goals
}

/// The goals of one encryption or decryption.
fn single(goals: &mut Vec<Goal>, measured: &Measured, case: &str) {
    let cell = format!("{case}-tls");
    let results = &measured.results;
    let (Some(ours), Some(sync)) = (results.of(&cell, Who::Ours), results.sync(&cell)) else {
        return;
    };
    let what = |text: &str| format!("{case}: {text}");
    goals.push(at_most(
        &what("server CPU"),
        25.0,
        ours.cpu_us,
        tenths,
        "µs",
    ));
    let mut rate = at_least(
        &what("answers a second where a sync takes at most 0.3 ms"),
        35_000.0,
        ours.rps,
    );
    if sync > SLOW_SYNC {
        rate.met = None;
    }
    goals.push(rate);
    if let Some(many) = results.of(&format!("{cell}-256"), Who::Ours) {
        // With C callers and sync time s the ceiling is about C/(1.5·s).
        let ceiling = 256.0 / (1.5 * sync / 1e6);
        let mut rate = at_least(
            &what(
                "answers a second over 256 connections (35,000, or the disk's ceiling C/(1.5·s))",
            ),
            ceiling.min(35_000.0),
            many.rps,
        );
        if sync <= SLOW_SYNC {
            rate.met = None;
        }
        goals.push(rate);
    }
    if let Some(Figures { rps, .. }) = results.of(&cell, Who::OpenBao) {
        goals.push(at_least(
            &what("answers a second, 5 times OpenBao with its audit on"),
            5.0 * rps,
            ours.rps,
        ));
    }
    if let Some(echo) = results.of(&cell, Who::Echo) {
        goals.push(at_least(
            &what("answers a second, 70 % of the bare echo (aimed for)"),
            0.7 * echo.rps,
            ours.rps,
        ));
        goals.push(at_most(
            &what("p99 under load, 3 times the bare echo's and a sync"),
            3.0 * echo.p99_ms + sync / 1e3,
            ours.p99_ms,
            thousandths,
            "ms",
        ));
    }
}

/// A goal that more is better than.
pub fn at_least(what: &str, asked: f64, measured: f64) -> Goal {
    Goal {
        what: what.to_owned(),
        asked: format!("≥ {}", whole(asked)),
        measured: whole(measured),
        met: Some(measured >= asked),
    }
}

/// A goal that less is better than.
pub fn at_most(what: &str, asked: f64, measured: f64, form: fn(f64) -> String, unit: &str) -> Goal {
    Goal {
        what: what.to_owned(),
        asked: format!("≤ {} {unit}", form(asked)),
        measured: format!("{} {unit}", form(measured)),
        met: Some(measured <= asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_met_at_their_edge() {
        assert_eq!(at_least("", 10.0, 10.0).met, Some(true));
        assert_eq!(at_least("", 10.0, 9.9).met, Some(false));
        assert_eq!(at_most("", 10.0, 10.0, tenths, "µs").met, Some(true));
        assert_eq!(at_most("", 10.0, 10.1, tenths, "µs").met, Some(false));
    }
}
