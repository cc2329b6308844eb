//! Files: `skms file` beside `age`, `rage` and `openssl speed`, on one file in
//! memory, so that no disk is measured. A part of the document of its own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::document::{or_nothing, whole};
use super::goals::{Goal, at_least};
use super::options::Options;
use super::ours::Ours;
use super::server::{answer, built};
use super::{about, document, median, parts};
use crate::Result;
use crate::command::{root, say, succeeds};

/// The file's length in bytes.
const SIZE: u64 = 1 << 30;

/// What is done to the file.
const WORKS: [&str; 3] = ["encrypt", "encrypt, thrown away", "decrypt"];

/// Who does it.
const WHO: [&str; 3] = ["skms file", "age", "rage"];

/// How fast something was, in millions of bytes a second.
#[derive(Clone, Default)]
struct Rates {
    /// By the clock.
    wall: Vec<f64>,
    /// By the processor's time, user and system.
    cpu: Vec<f64>,
}

/// The rounds' figures.
#[derive(Default)]
struct Figures {
    /// By who and work, in the order of the constants.
    files: [[Rates; 3]; 3],
    /// `openssl speed`, in millions of bytes a second of one thread's time.
    openssl: Vec<f64>,
    /// AWS-LC, the same.
    library: Vec<f64>,
}

/// Measures, prints the table, and writes it where that is wanted.
///
/// # Errors
/// Something does not start, or a program refuses the file.
pub fn bench(options: &Options, folder: &Path) -> Result {
    let stage = Stage::set(&folder.join("files"))?;
    let mut figures = Figures::default();
    for round in 1..=options.rounds {
        say(&format!("round {round} of {}: files", options.rounds));
        figures.openssl.push(openssl(options.time.as_secs())?);
        figures.library.push(library(options.time.as_secs())?);
        for (who, name) in WHO.iter().enumerate() {
            if !stage.has(name) {
                continue;
            }
            for (work, what) in WORKS.iter().enumerate() {
                let (wall, cpu) = stage
                    .rate(name, what)
                    .map_err(|reason| format!("{name}, {what}: {reason}"))?;
                figures.files[who][work].wall.push(wall);
                figures.files[who][work].cpu.push(cpu);
            }
        }
    }
    let text = figures.text(options, &stage);
    print!("{text}");
    if options.write {
        let path = root().join("docs/performance.md");
        parts::write(&path, "files", &text)?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}

/// The server, the file and whom it is for.
struct Stage {
    ours: Ours,
    folder: Memory,
    recipient: String,
    has_rage: bool,
    file_system: String,
}

/// A folder in memory, where there is one; it goes away with what is in it.
struct Memory(PathBuf);

impl Drop for Memory {
    fn drop(&mut self) {
        // What cannot be removed is nobody's but ours.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Stage {
    fn set(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let ours = Ours::dev(folder)?;
        let shared = Path::new("/dev/shm");
        let place = if shared.is_dir() { shared } else { folder };
        let memory = Memory(place.join(format!("skms-bench-{}", std::process::id())));
        fs::create_dir_all(&memory.0)?;
        let file_system = about::file_system(&memory.0);
        let recipient = answer(
            Command::new("age-keygen")
                .arg("-o")
                .arg(memory.0.join("identity")),
        )
        .and_then(|_| {
            answer(
                Command::new("age-keygen")
                    .arg("-y")
                    .arg(memory.0.join("identity")),
            )
        })?;
        answer(Command::new("dd").args([
            "if=/dev/urandom".to_owned(),
            format!("of={}", memory.0.join("plain").display()),
            "bs=1M".to_owned(),
            format!("count={}", SIZE >> 20),
            "status=none".to_owned(),
        ]))?;
        Ok(Self {
            ours,
            folder: memory,
            recipient,
            has_rage: succeeds(Command::new("rage").arg("--version")),
            file_system,
        })
    }

    fn has(&self, name: &str) -> bool {
        name != "rage" || self.has_rage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// How fast one does it once: millions of bytes a second by the clock, and
    /// by the processor's time.
    fn rate(&self, name: &str, what: &str) -> Result<(f64, f64)> {
        let decrypts = what == "decrypt";
        let sealed = self.path(&format!("{}.age", name.replace(' ', "-")));
        let out = match decrypts {
            true => self.path("back"),
            false => sealed.clone(),
        };
        let mut command = self.command(name, decrypts);
        let input = match decrypts {
            true => sealed,
            false => self.path("plain"),
        };
        if what == "encrypt, thrown away" {
            command.arg(input).stdout(fs::File::create("/dev/null")?);
        } else {
            // A file that is there would be written over faster.
            let _ = fs::remove_file(&out);
            command.arg("-o").arg(&out).arg(input);
        }
        let took = command.stderr(Stdio::piped()).spawn()?.wait_with_output()?;
        let said = String::from_utf8_lossy(&took.stderr);
        if !took.status.success() {
            return Err(said.into_owned().into());
        }
        let [wall, user, system] = times(&said).ok_or("bash tells no times")?;
        if decrypts {
            answer(Command::new("cmp").arg(self.path("plain")).arg(&out))?;
            fs::remove_file(&out)?;
        }
        let bytes = SIZE as f64 / 1e6;
        Ok((bytes / wall, bytes / (user + system)))
    }

    fn command(&self, name: &str, decrypts: bool) -> Command {
        // Its `time` is the one that is everywhere.
        let mut command = Command::new("bash");
        command.args(["-c", "TIMEFORMAT='%R %U %S'; time \"$@\"", "bash"]);
        if name == "skms file" {
            let ours = self.ours.cli();
            for (name, value) in ours.get_envs() {
                match value {
                    Some(value) if name != "SKMS_CACERT" => command.env(name, value),
                    _ => command.env_remove(name),
                };
            }
            command.arg(ours.get_program()).arg("file");
            match decrypts {
                true => command.arg("decrypt"),
                false => command.args(["encrypt", "--key", "aes"]),
            };
            return command;
        }
        command.arg(name);
        match decrypts {
            true => command.args(["-d", "-i"]).arg(self.path("identity")),
            false => command.args(["-r", &self.recipient]),
        };
        command
    }
}

/// `openssl speed` on one thread, with pieces as long as age's chunks.
fn openssl(seconds: u64) -> Result<f64> {
    let said = answer(Command::new("openssl").args([
        "speed",
        "-seconds",
        &seconds.to_string(),
        "-bytes",
        "65536",
        "-evp",
        "chacha20-poly1305",
    ]))?;
    speed(&said).ok_or_else(|| "openssl speed says something else now".into())
}

/// The figure in `ChaCha20-Poly1305  5125520.15k`, in millions a second.
fn speed(said: &str) -> Option<f64> {
    let line = said
        .lines()
        .rfind(|line| line.to_lowercase().starts_with("chacha20-poly1305"))?;
    let thousands: f64 = line
        .split_whitespace()
        .nth(1)?
        .strip_suffix('k')?
        .parse()
        .ok()?;
    Some(thousands / 1e3)
}

/// Seconds by the clock, of the user and of the system.
fn times(said: &str) -> Option<[f64; 3]> {
    let mut words = said.lines().last()?.split(' ').map(str::parse);
    let mut next = || words.next()?.ok();
    Some([next()?, next()?, next()?])
}

/// AWS-LC on one thread, with the same pieces.
fn library(seconds: u64) -> Result<f64> {
    let said = answer(Command::new(built("skms-bench")).args([
        "chunks",
        "--seconds",
        &seconds.to_string(),
    ]))?;
    Ok(said.trim().parse::<f64>()? / 1e6)
}

impl Figures {
    fn rates(&self, who: &str, work: &str) -> Option<&Rates> {
        let who = WHO.iter().position(|one| *one == who)?;
        let work = WORKS.iter().position(|one| *one == work)?;
        Some(&self.files[who][work])
    }

    fn of(&self, who: &str, work: &str) -> Option<f64> {
        median(&self.rates(who, work)?.wall)
    }

    fn by_cpu(&self, who: &str, work: &str) -> Option<f64> {
        median(&self.rates(who, work)?.cpu)
    }

    fn goals(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        let ours = |work| self.of(WHO[0], work);
        for work in [WORKS[0], WORKS[1]] {
            if let (Some(rate), Some(measured)) = (median(&self.openssl), self.by_cpu(WHO[0], work))
            {
                goals.push(at_least(
                    &format!("{work}: MB a second of a core's time, 80 % of `openssl speed`"),
                    0.8 * rate,
                    measured,
                ));
            }
        }
        for who in ["age", "rage"] {
            for work in [WORKS[0], WORKS[2]] {
                if let (Some(theirs), Some(measured)) = (self.of(who, work), ours(work)) {
                    goals.push(at_least(
                        &format!("{work}: MB a second, 1.5 times {who}"),
                        1.5 * theirs,
                        measured,
                    ));
                }
            }
        }
        goals
    }

    fn text(&self, options: &Options, stage: &Stage) -> String {
        let mut out = String::new();
        let version = |name: &str| {
            answer(Command::new(name).arg("--version")).unwrap_or_else(|_| "not there".to_owned())
        };
        // Writing to a string does not fail.
        let _ = write!(
            out,
            "| | |\n| --- | --- |\n\
             | commit | {} |\n\
             | machine | {} |\n\
             | file | {} MB of random bytes, on {} |\n\
             | rounds | {}, in turn; medians |\n\
             | age, rage | {}; {} |\n\
             | openssl | {} |\n\n\
             | MB a second (of CPU time) | {} |\n| --- | --: | --: | --: |\n",
            about::commit(),
            about::processor(),
            whole(SIZE as f64 / 1e6),
            stage.file_system,
            options.rounds,
            version("age").trim(),
            version("rage").trim(),
            answer(Command::new("openssl").arg("version"))
                .unwrap_or_default()
                .trim(),
            WHO.join(" | "),
        );
        for work in WORKS {
            let _ = write!(out, "| {work} |");
            for who in WHO {
                let wall = or_nothing(self.of(who, work), whole);
                let cpu = or_nothing(self.by_cpu(who, work), whole);
                let _ = write!(out, " {wall} ({cpu}) |");
            }
            out.push('\n');
        }
        let alone = median(&self.library);
        let part = self
            .by_cpu(WHO[0], WORKS[1])
            .and_then(|ours| Some(100.0 * ours / alone?));
        let _ = write!(
            out,
            "\nChaCha20-Poly1305 in pieces of 64 KiB, MB a second of one thread's time: \
             `openssl speed` {}, AWS-LC {}. `skms file encrypt`, its output thrown away, does \
             {} % of AWS-LC alone.\n\n",
            or_nothing(median(&self.openssl), whole),
            or_nothing(alone, whole),
            or_nothing(part, whole),
        );
        document::table_of_goals(&mut out, &self.goals());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_read() {
        let said = "The 'numbers' are in 1000s of bytes per second processed.\n\
                    type          65536 bytes\nChaCha20-Poly1305  5125520.15k\n";
        assert_eq!(speed(said), Some(5125.52015));
        assert_eq!(speed("ChaCha20-Poly1305  fast"), None);
        assert_eq!(speed(""), None);
        assert_eq!(
            times("noise\n0.512 0.700 0.250\n"),
            Some([0.512, 0.7, 0.25])
        );
        assert_eq!(times("0.512 0.700"), None);
    }

    #[test]
    fn goals_need_both_sides() {
        let mut figures = Figures::default();
        figures.files[0][0].wall = vec![900.0];
        assert!(figures.goals().is_empty());
        figures.files[1][0].wall = vec![500.0, 700.0];
        let goals = figures.goals();
        assert_eq!(goals.len(), 1);
        assert_eq!(goals[0].met, Some(true));
        figures.files[1][0].wall = vec![601.0];
        assert_eq!(figures.goals()[0].met, Some(false));
    }
}
