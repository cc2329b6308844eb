//! `cargo xtask profile`: where the time of one encryption goes.
//!
//! Callgrind counts instructions, whatever else the machine does. Two loads of
//! different length are counted and the one is taken from the other, so that
//! handshakes and whatever else happens once drop out. What the kernel does it
//! cannot see: that comes from an ordinary run beside it, as system time.

mod components;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::bench::load::{self, Figures, Pressure, Request};
use crate::bench::ours::Ours;
use crate::bench::{Folder, about, build_programs, case, parts, process};
use crate::command::{root, run as shown, say};
use crate::{Result, machine};

use components::Counts;

/// Connections of the load.
const CONNECTIONS: u32 = 32;
/// How long the two counted loads are, in seconds. Under callgrind everything
/// is some fifty times slower.
const LOADS: [u64; 2] = [15, 40];

/// Counts, prints the table, and writes it if told to.
///
/// # Errors
/// A tool is missing, or the server does not start or answer.
pub fn run(arguments: &[String]) -> Result {
    let (mut build, mut write) = (true, false);
    for argument in arguments {
        match argument.as_str() {
            "--no-build" => build = false,
            "--write" => write = true,
            _ => return Err("usage: cargo xtask profile [--no-build] [--write]".into()),
        }
    }
    machine::provide(machine::FOR_TESTS)?;
    machine::provide(machine::FOR_BENCH)?;
    machine::provide(machine::FOR_PROFILE)?;
    if build {
        build_programs()?;
    }
    let folder = Folder::new()?;
    let native = native(&folder.path().join("native"))?;
    let counted = counted(&folder.path().join("counted"))?;
    let table = table(&native, &counted);
    print!("{table}");
    if write {
        let path = root().join("docs/performance.md");
        parts::write(&path, "profile", &table)?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}

/// CPU time for each request, in microseconds.
struct Native {
    user_us: f64,
    system_us: f64,
}

fn native(folder: &Path) -> Result<Native> {
    let ours = Ours::start(folder)?;
    encrypt(folder, &ours, 2)?;
    let before = process::cpu_apart(ours.process.id())?;
    let requests = encrypt(folder, &ours, 8)?.requests;
    let after = process::cpu_apart(ours.process.id())?;
    let each = |before: Duration, after: Duration| {
        after.saturating_sub(before).as_secs_f64() * 1e6 / requests
    };
    Ok(Native {
        user_us: each(before.0, after.0),
        system_us: each(before.1, after.1),
    })
}

/// Instructions for each request, by component.
fn counted(folder: &Path) -> Result<Counts> {
    Ours::init(folder)?;
    Ours::serve(folder)?.set_up()?;
    let out = folder.join("callgrind.out");
    let ours = Ours::serve_under(
        folder,
        Command::new("valgrind")
            .args(["--tool=callgrind", "--instr-atstart=no"])
            .arg(format!("--callgrind-out-file={}", out.display())),
    )?;
    let control = |what: &[&str]| {
        let mut command = Command::new("callgrind_control");
        command
            .args(what)
            .arg(ours.process.id().to_string())
            .stdout(Stdio::null());
        shown(&mut command)
    };
    encrypt(folder, &ours, LOADS[0])?;
    control(&["-i", "on"])?;
    let mut sums = Vec::new();
    for (number, seconds) in LOADS.into_iter().enumerate() {
        say(&format!("counting for {seconds} s"));
        let requests = encrypt(folder, &ours, seconds)?.requests;
        control(&["-d"])?;
        // It is written when the server next does something.
        let part = folder.join(format!("callgrind.out.{}", number + 1));
        for _ in 0..100 {
            if fs::metadata(&part).is_ok_and(|file| file.len() > 0) {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        sums.push((requests, Counts::read(&part)?));
    }
    let [(few, short), (many, long)] = sums.as_slice() else {
        return Err("two loads were counted".into());
    };
    if many - few < 100.0 {
        return Err(format!("only {} requests lie between the loads", many - few).into());
    }
    Ok(long.without(short, many - few))
}

fn encrypt(folder: &Path, ours: &Ours, seconds: u64) -> Result<Figures> {
    let case = case::named("encrypt-32").ok_or("no such case")?;
    load::run(
        &Request {
            origin: &ours.origin,
            path: &format!("/api/v1{}", case.ours.path),
            body: &case.ours.body.text(),
            token: Some(&ours.token),
            process: ours.process.id(),
            method: "POST",
            names: None,
        },
        Pressure {
            connections: CONNECTIONS,
            time: Duration::from_secs(seconds),
        },
        folder,
    )
}

fn table(native: &Native, counted: &Counts) -> String {
    let total = counted.total();
    let Native { user_us, system_us } = native;
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        out,
        "One encryption of 32 bytes over TLS, {CONNECTIONS} connections, commit {}: {user_us:.1} µs \
         of user and {system_us:.1} µs of system time in an ordinary run; {total:.0} instructions \
         under callgrind. The microseconds beside a component are its part of the instructions \
         times the user time: a guide, not a measurement. Callgrind knows no SHA extensions and no \
         AVX-512: it counts SHA-256 several times too high, and with it the journal.\n\n\
         | component | instructions | part | about µs |\n| --- | --: | --: | --: |\n",
        about::commit()
    );
    for (name, instructions) in counted.by_size() {
        let part = instructions / total.max(1.0);
        let _ = writeln!(
            out,
            "| {name} | {instructions:.0} | {:.1} % | {:.1} |",
            part * 100.0,
            part * user_us
        );
    }
    let _ = writeln!(
        out,
        "| the kernel: sockets, the journal's writes and syncs, waking threads | – | – | {system_us:.1} |"
    );
    out
}
