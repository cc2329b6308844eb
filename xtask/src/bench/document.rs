//! The figures as text: a table for the terminal, and the measured part of
//! docs/performance.md.

use std::fmt::Write as _;

use super::case::Case;
use super::goals::{self, Goal};
use super::results::{Results, Who};
use super::{Measured, about, extra};

/// A short table of the cells: for whoever waits before the terminal.
pub fn summary(results: &Results, cells: &[String]) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        out,
        "{:<20} {:>9} {:>9} {:>9} {:>9}   {:>7} {:>7} {:>7} {:>8}   {:>8} {:>8} {:>8}   {:>7}",
        "answers a second",
        "ours",
        "echo",
        "seal",
        "openbao",
        "ours µs",
        "echo µs",
        "seal µs",
        "obao µs",
        "p50 ms",
        "p99 ms",
        "echo p99",
        "sync µs",
    );
    for cell in cells {
        let _ = write!(out, "{cell:<20}");
        for who in Who::ALL {
            match results.of(cell, who) {
                Some(figures) => _ = write!(out, " {:>9.0}", figures.rps),
                None => _ = write!(out, " {:>9}", "-"),
            }
        }
        out.push_str("  ");
        for (who, width) in Who::ALL.into_iter().zip([7, 7, 7, 8]) {
            match results.of(cell, who) {
                Some(figures) => _ = write!(out, " {:>width$.1}", figures.cpu_us),
                None => _ = write!(out, " {:>width$}", "-"),
            }
        }
        let ours = results.of(cell, Who::Ours).unwrap_or_default();
        let echo = results.of(cell, Who::Echo).unwrap_or_default();
        let _ = writeln!(
            out,
            "   {:>8.3} {:>8.3} {:>8.3}   {:>7.0}",
            ours.p50_ms,
            ours.p99_ms,
            echo.p99_ms,
            results.sync(cell).unwrap_or_default()
        );
    }
    out
}

/// The measured part of the document.
pub fn part(measured: &Measured, cases: &[&Case]) -> String {
    let mut out = String::new();
    head(&mut out, measured);
    let goals = goals::all(measured);
    table_of_goals(&mut out, &goals);
    main_tables(&mut out, measured, cases);
    extra::write(&mut out, measured);
    losses(&mut out, measured, cases, &goals);
    out
}

fn head(out: &mut String, measured: &Measured) {
    let sync = measured.results.sync_of_all().unwrap_or_default();
    let openbao = match &measured.openbao {
        Ok(version) => format!("{version}, storage in memory, file audit on, TLS 1.3"),
        Err(reason) => format!("not measured: {reason}"),
    };
    let _ = write!(
        out,
        "| | |\n| --- | --- |\n\
         | commit | {} |\n\
         | machine | {} |\n\
         | system | {} |\n\
         | disk | {}; writing 4 KiB and syncing it takes {sync:.0} µs (median) |\n\
         | load | wrk, one thread, {} connections kept alive, on the same cores |\n\
         | rounds | {} of {} s for each server and case, in turn; medians |\n\
         | OpenBao | {openbao} |\n\n",
        about::commit(),
        about::processor(),
        about::kernel(),
        measured.file_system,
        super::CONNECTIONS,
        measured.rounds,
        measured.seconds,
    );
}

/// Goals, with what came of them.
pub fn table_of_goals(out: &mut String, goals: &[Goal]) {
    out.push_str("### Goals\n\n| goal | asked | measured | |\n| --- | --: | --: | --- |\n");
    for goal in goals {
        let verdict = match goal.met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "does not apply here",
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {verdict} |",
            goal.what, goal.asked, goal.measured
        );
    }
    out.push('\n');
}

fn main_tables(out: &mut String, measured: &Measured, cases: &[&Case]) {
    let results = &measured.results;
    out.push_str(
        "### Answers a second\n\n\
         | case | SKMS | lowest to highest | bare echo | echo and seal | OpenBao | SKMS ÷ echo | SKMS ÷ OpenBao |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: |\n",
    );
    for case in cases {
        let cell = format!("{}-tls", case.name);
        let rate = |who| results.of(&cell, who).map(|figures| figures.rps);
        let ratio = |who| Some(rate(Who::Ours)? / rate(who)?);
        let spread = results
            .spread(&cell, Who::Ours)
            .map_or(NOTHING.to_owned(), |(low, high)| {
                format!("{} to {}", whole(low), whole(high))
            });
        let _ = writeln!(
            out,
            "| {} | {} | {spread} | {} | {} | {} | {} | {} |",
            case.what,
            or_nothing(rate(Who::Ours), whole),
            or_nothing(rate(Who::Echo), whole),
            or_nothing(rate(Who::Seal), whole),
            or_nothing(rate(Who::OpenBao), whole),
            or_nothing(ratio(Who::Echo), |value| format!("{:.0} %", value * 100.0)),
            or_nothing(ratio(Who::OpenBao), |value| format!("{value:.1}")),
        );
    }
    out.push_str(
        "\nA batch counts as one answer: times 100 for items.\n\n\
         ### Server CPU for each answer, in microseconds\n\n\
         | case | SKMS | bare echo | echo and seal | OpenBao | SKMS ÷ echo and seal |\n\
         | --- | --: | --: | --: | --: | --: |\n",
    );
    for case in cases {
        let cell = format!("{}-tls", case.name);
        let cpu = |who| results.of(&cell, who).map(|figures| figures.cpu_us);
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            case.what,
            or_nothing(cpu(Who::Ours), tenths),
            or_nothing(cpu(Who::Echo), tenths),
            or_nothing(cpu(Who::Seal), tenths),
            or_nothing(cpu(Who::OpenBao), tenths),
            or_nothing(
                cpu(Who::Ours).and_then(|ours| Some(ours / cpu(Who::Seal)?)),
                |value| format!("{value:.2}")
            ),
        );
    }
    out.push_str(
        "\n### Time to the answer under this load, in milliseconds\n\n\
         | case | SKMS p50 | SKMS p99 | echo p50 | echo p99 | OpenBao p50 | OpenBao p99 |\n\
         | --- | --: | --: | --: | --: | --: | --: |\n",
    );
    for case in cases {
        let cell = format!("{}-tls", case.name);
        let _ = write!(out, "| {} |", case.what);
        for who in [Who::Ours, Who::Echo, Who::OpenBao] {
            let figures = results.of(&cell, who);
            let _ = write!(
                out,
                " {} | {} |",
                or_nothing(figures.map(|figures| figures.p50_ms), thousandths),
                or_nothing(figures.map(|figures| figures.p99_ms), thousandths),
            );
        }
        out.push('\n');
    }
    out.push('\n');
}

/// What is not as good as it should be, in one place and in plain words.
fn losses(out: &mut String, measured: &Measured, cases: &[&Case], goals: &[Goal]) {
    out.push_str("### Where SKMS loses\n\n");
    let before = out.len();
    for goal in goals.iter().filter(|goal| goal.met == Some(false)) {
        let _ = writeln!(
            out,
            "- Goal missed: {}: asked {}, measured {}.",
            goal.what, goal.asked, goal.measured
        );
    }
    for case in cases {
        let cell = format!("{}-tls", case.name);
        let results = &measured.results;
        if let (Some(ours), Some(theirs)) = (
            results.of(&cell, Who::Ours),
            results.of(&cell, Who::OpenBao),
        ) {
            for (figure, ours, theirs, worse) in [
                (
                    "answers a second",
                    ours.rps,
                    theirs.rps,
                    ours.rps < theirs.rps,
                ),
                (
                    "p99 in ms",
                    ours.p99_ms,
                    theirs.p99_ms,
                    ours.p99_ms > theirs.p99_ms,
                ),
            ] {
                if worse {
                    let _ = writeln!(
                        out,
                        "- Worse than OpenBao: {}: {figure} {ours:.1} against {theirs:.1}.",
                        case.what
                    );
                }
            }
        }
    }
    if out.len() == before {
        out.push_str("Nowhere in this run.\n");
    }
}

/// What stands where nothing was measured.
const NOTHING: &str = "–";

/// A figure, or a dash.
pub fn or_nothing(value: Option<f64>, form: impl Fn(f64) -> String) -> String {
    value.map_or(NOTHING.to_owned(), form)
}

/// A number without decimals, its thousands apart.
pub fn whole(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with one decimal.
pub fn tenths(value: f64) -> String {
    format!("{value:.1}")
}

/// A number with three decimals.
pub fn thousandths(value: f64) -> String {
    format!("{value:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (value, text) in [
            (0.4, "0"),
            (999.0, "999"),
            (1000.0, "1,000"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(whole(value), text);
        }
    }
}
