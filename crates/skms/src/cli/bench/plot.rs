//! The measurement as a picture: throughput over time, and how the times to
//! the answer are spread. Plain SVG that suits light and dark surroundings.

use std::fmt::Write as _;

use super::histogram::Histogram;
use super::report::Report;

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 620.0;
/// Where both panels begin and how wide they are.
const LEFT: f64 = 84.0;
const PANEL_WIDTH: f64 = WIDTH - LEFT - 32.0;
const PANEL_HEIGHT: f64 = 180.0;
const TOPS: [f64; 2] = [108.0, 372.0];
/// Bars of the distribution.
const BARS: usize = 72;

const STYLE: &str = "\
:root{--ground:#fff;--ink:#1c2430;--faint:#5d6878;--grid:#e3e7ee;--one:#2563c9;--two:#0f8a72;--mark:#b4441b}\
@media(prefers-color-scheme:dark){:root{--ground:#12161d;--ink:#e8ecf3;--faint:#9aa6b8;--grid:#2a313d;--one:#6ea8ff;--two:#4fd1b5;--mark:#ff9d6e}}\
text{font:13px system-ui,sans-serif;fill:var(--ink)}\
.title{font-size:18px;font-weight:600}.head{font-weight:600}.faint{fill:var(--faint);font-size:12px}\
.grid{stroke:var(--grid)}.line{fill:none;stroke:var(--one);stroke-width:2;stroke-linejoin:round}\
.area{fill:var(--one);fill-opacity:.14}.dot{fill:var(--one)}.bar{fill:var(--two)}.mark{stroke:var(--mark);stroke-dasharray:4 3}.label{fill:var(--mark);font-size:12px}";

/// Draws the report.
pub fn svg(report: &Report, times: &Histogram) -> String {
    let mut out = String::with_capacity(16 * 1024);
    // Writing to a string does not fail.
    let _ = write!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><title>{title}</title><style>{STYLE}</style><rect width="100%" height="100%" rx="10" style="fill:var(--ground)"/><text class="title" x="{LEFT}" y="40">{title}</text><text class="faint" x="{LEFT}" y="62">{below}</text>"#,
        title = escape(&title(report)),
        below = escape(&below(report)),
    );
    throughput(&mut out, report);
    distribution(&mut out, report, times);
    out.push_str("</svg>\n");
    out
}

fn title(report: &Report) -> String {
    let what = match &report.algorithm {
        Some(algorithm) => format!("{}, {algorithm}", report.operation),
        None => report.operation.to_owned(),
    };
    format!(
        "{what}: {} requests a second",
        thousands(report.requests_per_second)
    )
}

fn below(report: &Report) -> String {
    let mut text = format!(
        "{} bytes, {} connections, {:.0} s",
        report.size_bytes, report.concurrency, report.seconds
    );
    if report.batch > 1 {
        let items = thousands(report.items_per_second);
        let _ = write!(
            text,
            ", {} items a request, {items} items a second",
            report.batch
        );
    }
    if let Some(cpu) = report.server_cpu_us {
        let _ = write!(text, ", {cpu:.1} µs of server CPU a request");
    }
    text
}

fn throughput(out: &mut String, report: &Report) {
    let top = TOPS[0];
    let _ = write!(
        out,
        r#"<text class="head" x="{LEFT}" y="{}">Requests in each second</text>"#,
        top - 14.0
    );
    // The last second is a part of one; it would look like a fall.
    let whole = report.seconds.floor() as usize;
    let counts = match report.each_second.get(..whole.max(1)) {
        Some(counts) => counts,
        None => &report.each_second,
    };
    let highest = round_up(counts.iter().copied().max().unwrap_or(1).max(1) as f64);
    grid(out, top, highest);
    let bottom = top + PANEL_HEIGHT;
    let steps = counts.len().saturating_sub(1).max(1) as f64;
    let place = |(at, count): (usize, &u64)| {
        (
            LEFT + PANEL_WIDTH * at as f64 / steps,
            bottom - PANEL_HEIGHT * (*count as f64 / highest).min(1.0),
        )
    };
    let points: Vec<(f64, f64)> = counts.iter().enumerate().map(place).collect();
    match points.as_slice() {
        [] => {}
        [(x, y)] => {
            let _ = write!(
                out,
                r#"<circle class="dot" cx="{x:.1}" cy="{y:.1}" r="4"/>"#
            );
        }
        [(first, _), .., (last, _)] => {
            let path: Vec<String> = points
                .iter()
                .map(|(x, y)| format!("{x:.1},{y:.1}"))
                .collect();
            let path = path.join(" ");
            let _ = write!(
                out,
                r#"<polygon class="area" points="{first:.1},{bottom:.1} {path} {last:.1},{bottom:.1}"/><polyline class="line" points="{path}"/>"#
            );
        }
    }
    let below = bottom + 20.0;
    let end = LEFT + PANEL_WIDTH;
    let _ = write!(
        out,
        r#"<text class="faint" x="{LEFT}" y="{below}">1 s</text><text class="faint" x="{end}" y="{below}" text-anchor="end">{} s</text>"#,
        counts.len()
    );
}

fn distribution(out: &mut String, report: &Report, times: &Histogram) {
    let top = TOPS[1];
    let bottom = top + PANEL_HEIGHT;
    let _ = write!(
        out,
        r#"<text class="head" x="{LEFT}" y="{}">Time to the answer (logarithmic)</text>"#,
        top - 14.0
    );
    let lowest = times.buckets().next().map_or(1, |(value, _)| value.max(1)) as f64;
    let longest = (times.max_us().max(1) as f64).max(lowest * 1.2);
    let scale = |microseconds: f64| {
        let part = (microseconds.max(lowest) / lowest).ln() / (longest / lowest).ln();
        part.clamp(0.0, 1.0)
    };
    let mut bars = [0_u64; BARS];
    for (value, count) in times.buckets() {
        let at = (scale(value as f64) * BARS as f64) as usize;
        if let Some(bar) = bars.get_mut(at.min(BARS - 1)) {
            *bar += count;
        }
    }
    let highest = bars.iter().copied().max().unwrap_or(1).max(1) as f64;
    let highest = round_up(highest);
    grid(out, top, highest);
    let width = PANEL_WIDTH / BARS as f64;
    for (at, count) in bars.iter().enumerate().filter(|(_, count)| **count > 0) {
        // A bar that is there can be seen.
        let height = (PANEL_HEIGHT * *count as f64 / highest).max(1.0);
        let _ = write!(
            out,
            r#"<rect class="bar" x="{:.1}" y="{:.1}" width="{:.1}" height="{height:.1}"/>"#,
            LEFT + width * at as f64 + 0.5,
            bottom - height,
            width - 1.0,
        );
    }
    let latency = &report.latency_ms;
    for (at, (name, milliseconds)) in [
        ("p50", latency.p50),
        ("p90", latency.p90),
        ("p99", latency.p99),
    ]
    .into_iter()
    .enumerate()
    {
        let x = LEFT + PANEL_WIDTH * scale(milliseconds * 1e3);
        // Near the right edge the label stands on the other side; and each a
        // line lower than the one before, so that none covers another.
        let (anchor, shift) = match x > LEFT + PANEL_WIDTH * 0.8 {
            true => ("end", -5.0),
            false => ("start", 5.0),
        };
        let _ = write!(
            out,
            r#"<line class="mark" x1="{x:.1}" x2="{x:.1}" y1="{top}" y2="{bottom}"/><text class="label" x="{:.1}" y="{:.1}" text-anchor="{anchor}">{name} {}</text>"#,
            x + shift,
            top + 14.0 + 16.0 * at as f64,
            time(milliseconds * 1e3),
        );
    }
    let below = bottom + 20.0;
    for at in 0..=4 {
        let part = f64::from(at) / 4.0;
        let value = lowest * (longest / lowest).powf(part);
        let anchor = ["start", "middle", "middle", "middle", "end"][at as usize % 5];
        let _ = write!(
            out,
            r#"<text class="faint" x="{:.1}" y="{below}" text-anchor="{anchor}">{}</text>"#,
            LEFT + PANEL_WIDTH * part,
            time(value),
        );
    }
}

/// Four lines across a panel, with what they stand for.
fn grid(out: &mut String, top: f64, highest: f64) {
    let right = LEFT + PANEL_WIDTH;
    for step in 0..=4 {
        let part = f64::from(step) / 4.0;
        let y = top + PANEL_HEIGHT * (1.0 - part);
        let _ = write!(
            out,
            r#"<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1}" y2="{y:.1}"/><text class="faint" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            LEFT - 8.0,
            y + 4.0,
            thousands(highest * part)
        );
    }
}

/// The next of 1, 2, 4, 5, 8 or 10 times a power of ten: a quarter of each can
/// be read.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    for step in [1.0, 2.0, 4.0, 5.0, 8.0] {
        if value <= step * power {
            return step * power;
        }
    }
    10.0 * power
}

fn time(microseconds: f64) -> String {
    match microseconds {
        value if value < 1e3 => format!("{value:.0} µs"),
        value if value < 1e6 => format!("{:.2} ms", value / 1e3),
        value => format!("{:.2} s", value / 1e6),
    }
}

fn thousands(value: f64) -> String {
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

/// What the user named may hold anything.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other if other.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::report::Latency;
    use super::*;
    use std::time::Duration;

    fn report(times: &Histogram, each_second: Vec<u64>) -> Report {
        Report {
            operation: "encrypt",
            algorithm: Some("<A&\"B>".to_owned()),
            size_bytes: 32,
            batch: 2,
            concurrency: 4,
            seconds: each_second.len() as f64,
            requests: times.total(),
            refused: 0,
            requests_per_second: 12_345.0,
            items_per_second: 24_690.0,
            latency_ms: Latency::of(times),
            server_cpu_us: Some(20.0),
            each_second,
            interrupted: false,
        }
    }

    /// Every element that is opened is closed, in order, and no figure is none.
    fn check(picture: &str) {
        let mut open = Vec::new();
        for part in picture.split('<').skip(1) {
            let (tag, text) = part.split_once('>').unwrap();
            assert!(
                !text.contains('>') || open.last() == Some(&"style"),
                "{part}"
            );
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(tag.split(' ').next().unwrap());
            }
        }
        assert!(open.is_empty());
        assert!(!picture.contains("NaN") && !picture.contains("inf"));
    }

    #[test]
    fn pictures_are_whole_whatever_was_measured() {
        let mut times = Histogram::default();
        check(&svg(&report(&times, vec![]), &times));
        times.record(Duration::ZERO);
        check(&svg(&report(&times, vec![1]), &times));
        for at in 0..1000 {
            times.record(Duration::from_micros(at * at));
        }
        let picture = svg(&report(&times, vec![500, 501]), &times);
        check(&picture);
        assert!(picture.contains("&lt;A&amp;&quot;B&gt;"));
        assert!(picture.contains("12,345 requests a second"));
        assert!(picture.contains("p99"));
    }

    #[test]
    fn scales_end_at_round_numbers() {
        for (value, end) in [(1.0, 1.0), (3.0, 4.0), (41.0, 50.0), (9001.0, 10_000.0)] {
            assert_eq!(round_up(value), end);
        }
    }
}
