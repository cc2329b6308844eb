//! What the full run measures beside the main cases: the measuring of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::case::{self, MORE};
use super::extra::{Extra, Growth, Loaded, SlowWork};
use super::load::{self, Figures, Names, Pressure, Request};
use super::options::Options;
use super::ours::Ours;
use super::results::Who;
use super::server::{Echo, answer, built};
use super::{CONNECTIONS, MANY, Stage, certificates, process};
use crate::Result;
use crate::command::say;

/// Policies of the loaded server.
const POLICIES: u64 = 10_000;
/// Its keys.
const KEYS: u64 = 100_000;
/// Keys of the very full server.
const VERY_MANY: u64 = 1_000_000;
/// How long a server rests so that its stock is full.
const REST: Duration = Duration::from_secs(30);

impl Stage {
    /// More cells of the servers that run already.
    pub fn measure_more(&mut self, options: &Options) -> Result {
        let encrypt = case::named("encrypt-32").ok_or("no such case")?;
        let plain = [
            Echo::start(&self.folder, "echo-http", None, false)?,
            Echo::start(&self.folder, "seal-http", None, true)?,
        ];
        let dev = Ours::dev(&self.folder.join("dev"))?;
        for round in 1..=options.rounds {
            say(&format!("round {round} of {}: more cells", options.rounds));
            for case in MORE {
                let cell = format!("{}-tls", case.name);
                self.cell(
                    &cell,
                    case,
                    &[Who::Ours, Who::OpenBao],
                    options.pressure(CONNECTIONS),
                )?;
            }
            for connections in [1, MANY] {
                let cell = format!("encrypt-32-tls-{connections}");
                self.cell(&cell, encrypt, &Who::ALL, options.pressure(connections))?;
            }
            let pressure = options.pressure(CONNECTIONS);
            let body = encrypt.ours.body.text();
            for (who, origin, path, token, process) in [
                (
                    Who::Ours,
                    &dev.origin,
                    format!("/api/v1{}", encrypt.ours.path),
                    Some(dev.token.as_str()),
                    dev.process.id(),
                ),
                (
                    Who::Echo,
                    &plain[0].origin,
                    encrypt.echo.to_owned(),
                    None,
                    plain[0].process.id(),
                ),
                (
                    Who::Seal,
                    &plain[1].origin,
                    encrypt.echo.to_owned(),
                    None,
                    plain[1].process.id(),
                ),
            ] {
                let request = Request {
                    origin,
                    path: &path,
                    body: &body,
                    token,
                    process,
                    method: "POST",
                    names: None,
                };
                let figures = load::run(&request, pressure, &self.folder)?;
                self.results.add("encrypt-32-http", who, figures);
            }
        }
        Ok(())
    }
}

/// What is measured once. What fails is told and left out: the rest took long
/// enough to be worth keeping.
pub fn measure(folder: &Path, ours: &Ours, options: &Options, failures: &mut Vec<String>) -> Extra {
    let mut attempt = Attempt(failures);
    let mut extra = Extra::default();
    if options.measures("rsa-keys") {
        extra.rates = attempt
            .at("the library's own rates", rates)
            .unwrap_or_default();
        let make = |seconds| create(folder, ours, "RSA-2048", CONNECTIONS, seconds);
        extra.rsa_after_rest = attempt.at("RSA-2048 keys after a rest", || {
            thread::sleep(REST);
            make(1)
        });
        extra.rsa_sustained = attempt.at("RSA-2048 keys without a rest", || make(10));
    }
    if options.measures("certificates") {
        extra.library = attempt
            .at("validation and lists by the library", certificates::library)
            .unwrap_or_default();
    }
    if options.measures("slow-work") {
        for connections in [4, CONNECTIONS] {
            let what = format!("slow work beside {connections} connections");
            let slow = attempt.at(&what, || slow_work(folder, ours, connections, options));
            extra.slow_work.extend(slow);
        }
    }
    if options.measures("loaded") {
        extra.loaded = attempt.at("many policies and keys", || {
            loaded(&folder.join("loaded"), options)
        });
    }
    if options.measures("growth") {
        extra.growth = attempt.at("very many keys", || growth(&folder.join("growth")));
    }
    extra
}

/// Collects what fails.
struct Attempt<'a>(&'a mut Vec<String>);

impl Attempt<'_> {
    fn at<T>(&mut self, what: &str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        say(what);
        match work() {
            Ok(done) => Some(done),
            Err(reason) => {
                let reason = format!("{what}: {reason}");
                say(&reason);
                self.0.push(reason);
                None
            }
        }
    }
}

/// How often the cryptographic library does each thing, on one thread.
fn rates() -> Result<BTreeMap<String, f64>> {
    let mut rates = BTreeMap::new();
    for line in answer(Command::new(built("skms-bench")).arg("rates"))?.lines() {
        let mut words = line.split(' ').skip(1);
        if let (Some(name), Some(rate)) = (words.next(), words.next()) {
            rates.insert(name.to_owned(), rate.parse()?);
        }
    }
    Ok(rates)
}

fn encrypt(
    folder: &Path,
    ours: &Ours,
    key: &str,
    names: Option<Names<'_>>,
    pressure: Pressure,
) -> Result<Figures> {
    let case = case::named("encrypt-32").ok_or("no such case")?;
    load::run(
        &Request {
            origin: &ours.origin,
            path: &format!("/api/v1/keyrings/default/keys/{key}/encrypt"),
            body: &case.ours.body.text(),
            token: Some(&ours.token),
            process: ours.process.id(),
            method: "POST",
            names,
        },
        pressure,
        folder,
    )
}

fn create(
    folder: &Path,
    ours: &Ours,
    algorithm: &str,
    connections: u32,
    seconds: u64,
) -> Result<Figures> {
    load::run(
        &Request {
            origin: &ours.origin,
            path: "/api/v1/keyrings/default/keys",
            body: &format!(r#"{{"name":"{{name}}","algorithm":"{algorithm}"}}"#),
            token: Some(&ours.token),
            process: ours.process.id(),
            method: "POST",
            names: None,
        },
        Pressure {
            connections,
            time: Duration::from_secs(seconds),
        },
        folder,
    )
}

fn slow_work(folder: &Path, ours: &Ours, connections: u32, options: &Options) -> Result<SlowWork> {
    let pressure = Pressure {
        connections,
        time: options.time * 2,
    };
    let alone = encrypt(folder, ours, "aes", None, pressure)?;
    let beside_folder = folder.join("beside");
    fs::create_dir_all(&beside_folder)?;
    let done = AtomicBool::new(false);
    let seconds = pressure.time.as_secs() + 2;
    thread::scope(|scope| {
        let keys = scope.spawn(|| {
            create(&beside_folder, ours, "RSA-4096", 4, seconds).map_err(|error| error.to_string())
        });
        let passphrases = scope.spawn(|| -> std::result::Result<u32, String> {
            let file = beside_folder.join("passphrase");
            fs::write(&file, "a passphrase for measuring\n").map_err(|error| error.to_string())?;
            let mut count = 0;
            while !done.load(Ordering::Relaxed) {
                answer(
                    ours.cli()
                        .args(["seals", "add", "--passphrase-file"])
                        .arg(&file),
                )
                .map_err(|error| error.to_string())?;
                count += 1;
            }
            Ok(count)
        });
        // Until both are well under way.
        thread::sleep(Duration::from_secs(1));
        let beside = encrypt(folder, ours, "aes", None, pressure);
        done.store(true, Ordering::Relaxed);
        let keys = keys.join().map_err(|_| "the load of keys broke off")??;
        let passphrases = passphrases
            .join()
            .map_err(|_| "the load of passphrases broke off")??;
        Ok(SlowWork {
            connections,
            alone,
            beside: beside?,
            keys: keys.requests,
            passphrases,
        })
    })
}

fn loaded(folder: &Path, options: &Options) -> Result<Loaded> {
    let ours = Ours::start(folder)?;
    let pressure = options.pressure(CONNECTIONS);
    let before = encrypt(folder, &ours, "aes", None, pressure)?;
    let fill =
        |method: &'static str, path: &str, body: &str, prefix: &str, wanted: u64| -> Result<u64> {
            let run = |prefix: &str, seconds| {
                load::run(
                    &Request {
                        origin: &ours.origin,
                        path,
                        body,
                        token: Some(&ours.token),
                        process: ours.process.id(),
                        method,
                        names: Some(Names {
                            prefix,
                            range: None,
                        }),
                    },
                    Pressure {
                        connections: CONNECTIONS,
                        time: Duration::from_secs(seconds),
                    },
                    folder,
                )
            };
            // The rate first, under names of its own, then as long as it takes,
            // and half as long again: later ones may come more slowly.
            let rate = run(&format!("{prefix}-first"), 2)?.rps;
            let seconds = (1.5 * wanted as f64 / rate).ceil().clamp(1.0, 300.0);
            Ok(run(prefix, seconds as u64 + 1)?.requests as u64)
        };
    let policy = r#"{"policy":"permit(principal == SKMS::Principal::\"{name}\", action == SKMS::Action::\"key.encrypt\", resource);"}"#;
    let policies = fill("PUT", "/api/v1/policies/{name}", policy, "p", POLICIES)?;
    let key = r#"{"name":"{name}","algorithm":"AES-256-GCM"}"#;
    let keys = fill("POST", "/api/v1/keyrings/default/keys", key, "k", KEYS)?;
    let warm = encrypt(folder, &ours, "aes", None, pressure)?;
    // The last few of a load may not have been made.
    let range = keys.saturating_sub(u64::from(2 * CONNECTIONS)).max(1);
    let names = Names {
        prefix: "k",
        range: Some(range),
    };
    let cold = encrypt(folder, &ours, "{name}", Some(names), pressure)?;
    Ok(Loaded {
        policies,
        keys,
        before,
        warm,
        cold,
    })
}

fn growth(folder: &Path) -> Result<Growth> {
    fs::create_dir_all(folder)?;
    let start = |folder: &Path| -> Result<(f64, u64)> {
        let begun = Instant::now();
        let ours = Ours::serve(folder)?;
        let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
        Ok((milliseconds, process::resident(ours.process.id())?))
    };
    let empty = folder.join("empty");
    Ours::init(&empty)?;
    let (empty_start_ms, empty_bytes) = start(&empty)?;
    let full = folder.join("full");
    Ours::init(&full)?;
    answer(
        Command::new(built("examples/fill"))
            .arg(full.join("data"))
            .arg(full.join("unseal.key"))
            .arg(full.join("root.token"))
            .arg(VERY_MANY.to_string()),
    )?;
    let (start_ms, bytes) = start(&full)?;
    Ok(Growth {
        keys: VERY_MANY,
        start_ms,
        empty_start_ms,
        bytes_a_key: bytes.saturating_sub(empty_bytes) as f64 / VERY_MANY as f64,
    })
}
