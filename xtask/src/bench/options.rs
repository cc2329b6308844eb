//! What `cargo xtask bench` is told.

use std::path::PathBuf;
use std::time::Duration;

use super::case::{self, Case, MAIN};
use super::load::Pressure;
use crate::Result;

/// What the full run measures beside the main cases; `--only` takes these too.
pub const PARTS: [&str; 11] = [
    "more",
    "certificates",
    "files",
    "exchange",
    "compromise",
    "weak",
    "schedule",
    "rsa-keys",
    "slow-work",
    "loaded",
    "growth",
];

/// How it is measured, and what becomes of it.
pub struct Options {
    /// How often all of it is measured.
    pub rounds: u32,
    /// How long one server is loaded in one round.
    pub time: Duration,
    /// The cases.
    pub cases: Vec<&'static Case>,
    /// Those of [`PARTS`] that are measured.
    parts: Vec<&'static str>,
    /// Where the list goes.
    pub json: Option<PathBuf>,
    /// Write docs/performance.md.
    pub write: bool,
    /// Build first.
    pub build: bool,
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// An option or a case that does not exist, or a value that is none.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let quick = arguments.iter().any(|argument| argument == "--quick");
        let mut options = Self {
            rounds: if quick { 2 } else { 5 },
            time: Duration::from_secs(if quick { 2 } else { 4 }),
            cases: MAIN.iter().collect(),
            parts: if quick { Vec::new() } else { PARTS.into() },
            json: None,
            write: !quick,
            build: true,
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--quick" => {}
                "--write" => options.write = true,
                "--no-build" => options.build = false,
                "--json" => options.json = Some(PathBuf::from(value()?)),
                "--rounds" => options.rounds = at_least_one(argument, value()?)?,
                "--seconds" => {
                    options.time = Duration::from_secs(at_least_one(argument, value()?)?.into());
                }
                "--only" => {
                    (options.cases, options.parts) = (Vec::new(), Vec::new());
                    for name in value()?.split(',') {
                        match PARTS.into_iter().find(|part| *part == name) {
                            Some(part) => options.parts.push(part),
                            None => options
                                .cases
                                .push(case::named(name).ok_or(format!("there is no case {name}"))?),
                        }
                    }
                    options.write = false;
                }
                _ => return Err(format!("no such option: {argument}").into()),
            }
        }
        Ok(options)
    }

    /// Whether one of [`PARTS`] is measured.
    pub fn measures(&self, part: &str) -> bool {
        self.parts.contains(&part)
    }

    /// Whether nothing is measured but what needs no server beside others.
    pub fn measures_apart(&self) -> bool {
        let apart = |part: &&str| {
            let alone = ["files", "exchange", "compromise", "weak", "schedule"];
            alone.contains(part)
        };
        self.cases.is_empty() && self.parts.iter().all(apart)
    }

    /// The names of the main cells.
    pub fn cells(&self) -> Vec<String> {
        self.cases
            .iter()
            .map(|case| format!("{}-tls", case.name))
            .collect()
    }

    /// The load of one round.
    pub fn pressure(&self, connections: u32) -> Pressure {
        // Many handshakes come first and must not be most of it.
        let handshakes = Duration::from_secs(u64::from(connections) / 64);
        Pressure {
            connections,
            time: self.time + handshakes,
        }
    }
}

fn at_least_one(option: &str, text: &str) -> Result<u32> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{option} takes a number from 1, not {text:?}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn quick_writes_no_document_unless_told() {
        assert!(parse("").unwrap().write);
        assert!(!parse("--quick --json f").unwrap().write);
        assert!(parse("--quick --write").unwrap().write);
        assert!(!parse("--only sign-p256-tls").unwrap().write);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for bad in [
            "--fast",
            "--json",
            "--rounds 0",
            "--rounds x",
            "--only nonesuch",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let options = parse("--only slow-work,sign-mldsa65").unwrap();
        assert_eq!(options.cells(), ["sign-mldsa65-tls"]);
        assert!(options.measures("slow-work") && !options.measures("loaded"));
        assert!(!parse("--quick").unwrap().measures("slow-work"));
        assert!(!options.measures_apart());
        assert!(parse("--only files,exchange").unwrap().measures_apart());
        assert!(!parse("--only files,more").unwrap().measures_apart());
        assert!(!parse("").unwrap().measures_apart());
        assert!(parse("").unwrap().measures("growth"));
        let options = parse("--only sign-p256-tls,create-aes --rounds 3 --seconds 1").unwrap();
        assert_eq!(options.cells(), ["sign-p256-tls", "create-aes-tls"]);
        assert_eq!((options.rounds, options.time.as_secs()), (3, 1));
    }
}
