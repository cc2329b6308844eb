//! `cargo xtask bench`: how fast the server is, beside a bare one and OpenBao.
//!
//! All servers run side by side and are loaded in turn, round after round, so
//! that whatever else the machine does hits all of them alike. Figures are
//! medians over the rounds.

pub(crate) mod about;
pub(crate) mod case;
mod certificates;
mod compromise;
mod disk;
mod document;
mod exchange;
mod extra;
mod files;
mod goals;
pub(crate) mod load;
mod more;
mod openbao;
mod options;
pub(crate) mod ours;
pub(crate) mod parts;
pub(crate) mod process;
mod results;
mod schedule;
pub(crate) mod server;
mod weak;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::command::{cargo, root, run, say, target_folder};
use crate::{Result, machine};

use case::{Call, Case};
use extra::Extra;
use load::{Figures, Pressure, Request};
use openbao::OpenBao;
use options::Options;
use ours::Ours;
use results::{Results, Who};
use server::Echo;

/// Connections of the ordinary load.
const CONNECTIONS: u32 = 32;
/// Connections where the disk is slow.
const MANY: u32 = 256;
/// A disk is slow whose sync takes longer, in microseconds.
const SLOW_SYNC: f64 = 300.0;

/// The middle value; for an even number of them, the mean of the middle two.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    match sorted.len() % 2 {
        1 => Some(upper),
        _ => Some((sorted.get(middle - 1)? + upper) / 2.0),
    }
}

/// Measures, prints the figures, and writes what it is asked to.
///
/// # Errors
/// Something does not build or start, or a server refuses the load.
pub fn bench(arguments: &[String]) -> Result {
    let options = Options::parse(arguments)?;
    machine::provide(machine::FOR_TESTS)?;
    machine::provide(machine::FOR_BENCH)?;
    if options.build {
        build(&options)?;
    }
    let begun = Instant::now();
    let folder = Folder::new()?;
    if options.measures("files") {
        // By themselves: nothing else runs meanwhile.
        files::bench(&options, folder.path())?;
    }
    if options.measures("exchange") {
        exchange::bench(&options)?;
    }
    if options.measures("compromise") {
        compromise::bench(&options)?;
    }
    if options.measures("weak") {
        weak::bench(&options)?;
    }
    if options.measures("schedule") {
        schedule::bench(&options)?;
    }
    if options.measures_apart() {
        say(&format!("measured in {} s", begun.elapsed().as_secs()));
        return Ok(());
    }
    let mut stage = Stage::set(folder.path())?;
    say(&format!(
        "all servers are up after {} s",
        begun.elapsed().as_secs()
    ));
    stage.measure(&options)?;
    if options.measures("more")
        && let Err(reason) = stage.measure_more(&options)
    {
        stage.failures.push(format!("more cells: {reason}"));
    }
    if options.measures("certificates")
        && let Err(reason) = stage.measure_certificates(&options)
    {
        stage.failures.push(format!("certificates: {reason}"));
    }
    let (ours, failures) = (&stage.ours, &mut stage.failures);
    let extra = more::measure(folder.path(), ours, &options, failures);
    let failures = stage.failures;
    let measured = Measured {
        openbao: stage.openbao.map(|openbao| openbao.version),
        file_system: about::file_system(folder.path()),
        rounds: options.rounds,
        seconds: options.time.as_secs(),
        results: stage.results,
        extra,
    };
    let results = &measured.results;
    print!("{}", document::summary(results, &options.cells()));
    if let Some(path) = &options.json {
        fs::write(path, results.json(&options.cells()))?;
        say(&format!("wrote {}", path.display()));
    }
    if !options.write {
        let mut tables = String::new();
        extra::write(&mut tables, &measured);
        print!("{tables}");
    }
    if options.write {
        let path = root().join("docs/performance.md");
        parts::write(&path, "figures", &document::part(&measured, &options.cases))?;
        say(&format!("wrote {}", path.display()));
    }
    say(&format!("measured in {} s", begun.elapsed().as_secs()));
    match failures.as_slice() {
        [] => Ok(()),
        failures => Err(format!("not all was measured:\n{}", failures.join("\n")).into()),
    }
}

/// All that the document tells.
struct Measured {
    results: Results,
    extra: Extra,
    /// OpenBao's version, or why it was not measured.
    openbao: std::result::Result<String, String>,
    /// Of the folder where the data lay.
    file_system: String,
    rounds: u32,
    /// Of one server in one round.
    seconds: u64,
}

impl Measured {
    /// How often a second the library does something by itself.
    fn rate(&self, name: &str) -> Option<f64> {
        self.extra.rates.get(name).copied()
    }
}

/// Builds what is measured and what it is measured against.
fn build(options: &Options) -> Result {
    run(cargo().args(["build", "--release", "--locked"]).args([
        "--package",
        "skms",
        "--package",
        "skms-bench",
    ]))?;
    if options.measures("growth") {
        // By itself: an example's own needs must not change the server's build.
        run(cargo().args(["build", "--release", "--locked"]).args([
            "--package",
            "skms-engine",
            "--example",
            "fill",
        ]))?;
    }
    Ok(())
}

/// Builds the server and its load.
///
/// # Errors
/// It does not build.
pub(crate) fn build_programs() -> Result {
    run(cargo().args(["build", "--release", "--locked"]).args([
        "--package",
        "skms",
        "--package",
        "skms-bench",
    ]))
}

/// Where the servers' data lie: on the disk that holds the target folder. It
/// goes away with what is in it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new one.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn new() -> Result<Self> {
        let path = target_folder().join(format!("bench-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed lies below the target folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The servers, and what was measured.
struct Stage {
    folder: PathBuf,
    ours: Ours,
    echo: Echo,
    seal: Echo,
    /// Or why there is none.
    openbao: std::result::Result<OpenBao, String>,
    results: Results,
    /// Cells that could not be measured, and why: the others go on.
    failures: Vec<String>,
}

impl Stage {
    fn set(folder: &Path) -> Result<Self> {
        let certificate = server::certificate(folder)?;
        let openbao = OpenBao::start(folder, &certificate).map_err(|reason| {
            say(&format!("going on without OpenBao: {reason}"));
            reason.to_string()
        });
        Ok(Self {
            folder: folder.to_owned(),
            ours: Ours::start(&folder.join("ours"))?,
            echo: Echo::start(folder, "echo", Some(&certificate), false)?,
            seal: Echo::start(folder, "seal", Some(&certificate), true)?,
            openbao,
            results: Results::default(),
            failures: Vec::new(),
        })
    }

    fn measure(&mut self, options: &Options) -> Result {
        if let Some(case) = options.cases.first() {
            // Caches are filled and files are made at the first requests.
            let warm = Pressure {
                connections: CONNECTIONS,
                time: Duration::from_secs(1),
            };
            for who in Who::ALL {
                // Whatever is wrong shows again when it is measured.
                drop(self.load(who, case, warm));
            }
        }
        for round in 1..=options.rounds {
            for case in &options.cases {
                say(&format!(
                    "round {round} of {}: {}",
                    options.rounds, case.name
                ));
                let cell = format!("{}-tls", case.name);
                self.cell(&cell, case, &Who::ALL, options.pressure(CONNECTIONS))?;
            }
        }
        let sync = self.results.sync_of_all().unwrap_or_default();
        if sync > SLOW_SYNC && options.cases.iter().any(|case| case.name == "encrypt-32") {
            say(&format!(
                "a sync takes {sync:.0} µs: also {MANY} connections"
            ));
            let case = case::named("encrypt-32").ok_or("no such case")?;
            for _ in 0..options.rounds {
                self.cell(&many(case), case, &Who::ALL, options.pressure(MANY))?;
            }
        }
        Ok(())
    }

    /// One round of one cell: each server in turn, right after each other.
    fn cell(&mut self, cell: &str, case: &Case, servers: &[Who], pressure: Pressure) -> Result {
        let sync = disk::sync_us(&self.ours.data())?;
        self.results.add_sync(cell, sync);
        for &who in servers {
            match self.load(who, case, pressure) {
                None => {}
                Some(Ok(figures)) => self.results.add(cell, who, figures),
                Some(Err(reason)) => {
                    let reason = format!("{cell}, {}: {reason}", who.name());
                    say(&reason);
                    self.failures.push(reason);
                }
            }
        }
        Ok(())
    }

    /// Loads one server; nothing if it is not there or has no such thing.
    fn load(&self, who: Who, case: &Case, pressure: Pressure) -> Option<Result<Figures>> {
        let target = self.target(who)?;
        let (path, body) = address(who, case)?;
        let request = Request {
            origin: target.origin,
            path: &path,
            body: &body.replace("{ciphertext}", target.ciphertext),
            token: target.token,
            process: target.process,
            method: "POST",
            names: None,
        };
        Some(load::run(&request, pressure, &self.folder))
    }

    fn target(&self, who: Who) -> Option<Target<'_>> {
        match who {
            Who::Echo => Some(Target::bare(&self.echo)),
            Who::Seal => Some(Target::bare(&self.seal)),
            Who::Ours => Some(Target {
                origin: &self.ours.origin,
                token: Some(&self.ours.token),
                ciphertext: &self.ours.ciphertext,
                process: self.ours.process.id(),
            }),
            Who::OpenBao => self.openbao.as_ref().ok().map(|openbao| Target {
                origin: &openbao.origin,
                token: Some(&openbao.token),
                ciphertext: &openbao.ciphertext,
                process: openbao.process.id(),
            }),
        }
    }
}

/// A server, as the load sees it.
struct Target<'a> {
    origin: &'a str,
    token: Option<&'a str>,
    /// One that it can open.
    ciphertext: &'a str,
    process: u32,
}

impl<'a> Target<'a> {
    fn bare(echo: &'a Echo) -> Self {
        Self {
            origin: &echo.origin,
            token: None,
            ciphertext: &echo.ciphertext,
            process: echo.process.id(),
        }
    }
}

/// The path and the body of a case at a server; none if it has no such thing.
fn address(who: Who, case: &Case) -> Option<(String, String)> {
    let Call { path, body } = &case.ours;
    match who {
        Who::Ours => Some((format!("/api/v1{path}"), body.text())),
        Who::Echo | Who::Seal => Some((case.echo.to_owned(), body.text())),
        Who::OpenBao => {
            let Call { path, body } = case.openbao.as_ref()?;
            Some((format!("/v1/transit{path}"), body.text()))
        }
    }
}

/// A case with many connections.
fn many(case: &Case) -> String {
    format!("{}-tls-{MANY}", case.name)
}
