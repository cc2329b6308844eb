//! The load: wrk, told by `load.lua` what to send.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::process;
use crate::Result;

/// What is sent, and to whom.
pub struct Request<'a> {
    /// The address: scheme, host and port.
    pub origin: &'a str,
    /// The path; with `{name}` in it, each request has its own.
    pub path: &'a str,
    /// The body, the same.
    pub body: &'a str,
    /// The bearer token, if any.
    pub token: Option<&'a str>,
    /// The server's process, whose CPU time is read.
    pub process: u32,
    /// POST, or what is said.
    pub method: &'a str,
    /// Which names `{name}` stands for; names that nobody had before if this
    /// is left out.
    pub names: Option<Names<'a>>,
}

/// Names that can be used again later.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    /// What they begin with; a hyphen and a number follow.
    pub prefix: &'a str,
    /// From 0 up in turn, or drawn from so many.
    pub range: Option<u64>,
}

/// How it is sent.
#[derive(Clone, Copy)]
pub struct Pressure {
    /// Connections, kept alive, each with one request at a time.
    pub connections: u32,
    /// For how long.
    pub time: Duration,
}

/// What one run measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Good answers.
    pub requests: f64,
    /// Good answers a second.
    pub rps: f64,
    /// CPU time of the server's process for each request, in microseconds.
    pub cpu_us: f64,
    /// Half of the answers took at most this, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 answers took at most this, in milliseconds.
    pub p99_ms: f64,
    /// CPU time of the load itself for each second, in cores.
    pub load_cores: f64,
}

/// Sends for as long as is asked, in whole seconds, and measures.
///
/// # Errors
/// wrk cannot be started, or requests were refused or broken off: then the
/// figures would not be what they say.
pub fn run(request: &Request<'_>, pressure: Pressure, scratch: &Path) -> Result<Figures> {
    let body = scratch.join("body.json");
    fs::write(&body, request.body)?;
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "--timeout", "30s"])
        .arg(format!("-c{}", pressure.connections))
        .arg(format!("-d{}s", pressure.time.as_secs().max(1)))
        .arg("-s")
        .arg(script(scratch)?)
        .arg(format!("{}{}", request.origin, request.path))
        .env("BENCH_BODY", &body)
        .env("BENCH_METHOD", request.method)
        .env_remove("BENCH_TOKEN")
        .stdin(Stdio::null());
    if let Some(token) = request.token {
        wrk.env("BENCH_TOKEN", token);
    }
    for name in ["BENCH_NAMES", "BENCH_FROM", "BENCH_RANGE"] {
        wrk.env_remove(name);
    }
    if request.path.contains("{name}") || request.body.contains("{name}") {
        match request.names {
            None => _ = wrk.env("BENCH_NAMES", unique()),
            Some(Names { prefix, range }) => {
                wrk.env("BENCH_NAMES", prefix);
                if let Some(range) = range {
                    wrk.env("BENCH_RANGE", range.to_string());
                }
            }
        }
    }
    let (server_before, load_before) =
        (process::cpu(request.process)?, process::cpu_of_children()?);
    let output = wrk
        .output()
        .map_err(|error| format!("cannot start wrk: {error}"))?;
    let (server_after, load_after) = (process::cpu(request.process)?, process::cpu_of_children()?);
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(counted) = Counted::read(&text) else {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("wrk says: {text}{complaint}").into());
    };
    if counted.refused + counted.broken > 0 {
        let Counted {
            requests,
            refused,
            broken,
            ..
        } = counted;
        return Err(format!(
            "of {requests} requests to {}, {refused} were refused and {broken} broken off",
            request.path
        )
        .into());
    }
    let seconds = counted.microseconds as f64 / 1e6;
    let requests = counted.requests.max(1) as f64;
    Ok(Figures {
        requests,
        rps: counted.requests as f64 / seconds,
        cpu_us: server_after.saturating_sub(server_before).as_secs_f64() * 1e6 / requests,
        p50_ms: counted.p50 as f64 / 1e3,
        p99_ms: counted.p99 as f64 / 1e3,
        load_cores: load_after.saturating_sub(load_before).as_secs_f64() / seconds,
    })
}

/// The script is part of this program, so that both are of one version.
fn script(scratch: &Path) -> Result<PathBuf> {
    let path = scratch.join("load.lua");
    fs::write(&path, include_str!("load.lua"))?;
    Ok(path)
}

/// What the names of one run begin with: no two runs make the same key.
fn unique() -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    format!("b{:x}", now.as_micros())
}

/// The line that the script writes at the end.
#[derive(Debug, Default, PartialEq)]
struct Counted {
    requests: u64,
    microseconds: u64,
    p50: u64,
    p99: u64,
    refused: u64,
    broken: u64,
}

impl Counted {
    fn read(text: &str) -> Option<Self> {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("figures "))?;
        let field = |name: &str| -> Option<u64> {
            line.split(' ')
                .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))?
                .parse()
                .ok()
        };
        let counted = Self {
            requests: field("requests")?,
            microseconds: field("microseconds")?,
            p50: field("p50")?,
            p99: field("p99")?,
            refused: field("refused")?,
            broken: field("broken")?,
        };
        (counted.microseconds > 0 && counted.requests > 0).then_some(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_and_its_reader_agree() {
        let line =
            "figures requests=10 microseconds=2000000 p50=5 p90=6 p99=7 max=9 refused=1 broken=2";
        let counted = Counted::read(&format!("Running\n{line}\nRequests/sec: 5\n")).unwrap();
        assert_eq!(
            (
                counted.requests,
                counted.p99,
                counted.refused,
                counted.broken
            ),
            (10, 7, 1, 2)
        );
        for name in [
            "requests",
            "microseconds",
            "p50",
            "p99",
            "refused",
            "broken",
        ] {
            assert!(
                include_str!("load.lua").contains(&format!("{name}=%d")),
                "{name}"
            );
        }
        assert_eq!(Counted::read("unable to connect"), None);
        let nothing = line.replace("requests=10", "requests=0");
        assert_eq!(
            Counted::read(&nothing),
            None,
            "a run without answers is none"
        );
    }
}
