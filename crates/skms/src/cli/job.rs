//! `skms job`: re-encryption jobs, what they saw, and their signed reports.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;
use skms_crypto::hash::sha256;
use skms_crypto::{Hash, Hasher};
use skms_engine::acts::compromise::verify_job_report;
use skms_wire::Ciphertext;
use skms_wire::native::jobs::{
    CreateJobRequest, JobFailedItem, JobVersionCount, JobView, UpdateJobRequest,
};
use skms_wire::native::terms::JobStep;

use super::error::{CliError, Result};
use super::exit::Exit;
use super::key::reencrypt::age::Head;
use super::key::reencrypt::line::Line;
use super::key::reencrypt::source::{Piece, Source, Step};
use super::key::reencrypt::{self, Terms};
use super::keyname::KeyName;
use super::{Global, every, input, output};

/// The longest report and key that are read, in bytes.
const REPORT_MAX: u64 = 8 << 20;
const KEY_MAX: u64 = 64 << 10;
/// The most reasons, and items of a reason, that are shown.
const SHOWN: usize = 10;

/// Re-encryption jobs: what they saw, and their signed reports.
#[derive(Debug, Subcommand)]
pub enum Job {
    /// Make a job, to be run by `skms key reencrypt --job`
    Create(Create),
    /// List the jobs
    List,
    /// Show a job
    Show {
        /// Its identifier
        job: String,
    },
    /// Have a job take no batches for now
    Pause {
        /// Its identifier
        job: String,
    },
    /// Go on with a job that was stopped
    Resume(Resume),
    /// Say that a job's lists were all ciphertexts of its key
    Complete {
        /// Its identifier
        job: String,
    },
    /// End a job early
    Cancel {
        /// Its identifier
        job: String,
    },
    /// Write a job's signed report
    Report(Report),
    /// Check a report; needs no server
    Verify(Verify),
}

/// Make a job.
#[derive(Debug, Args)]
pub struct Create {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// Where the ciphertexts come from, in words
    #[arg(long, value_name = "TEXT")]
    input: Option<String>,
    /// Where they go to, in words
    #[arg(long, value_name = "TEXT")]
    output: Option<String>,
}

/// Go on with a job that was stopped, where its journal is on this machine.
#[derive(Debug, Args)]
pub struct Resume {
    /// Its identifier
    job: String,
    /// Where the new list goes, if the job does not say
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
    #[command(flatten)]
    terms: Terms,
}

/// Write a job's signed report.
#[derive(Debug, Args)]
pub struct Report {
    /// Its identifier
    job: String,
    /// Where to write it; standard output if left out
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the server's public key for reports to this file
    #[arg(long, value_name = "FILE")]
    key_out: Option<PathBuf>,
}

/// Check a report's signature, and that it is about these lists.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    skms job report ID -o report.jws --key-out reports.pem\n  \
    skms job verify report.jws --key reports.pem --from old.txt --to new.txt\n\n\
    Of a job over several lists: --from and --to for each, in the order in which they were done.")]
pub struct Verify {
    /// The report
    report: PathBuf,
    /// The server's public key for reports (also `skms incident key`)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A list as it was; again for the next one
    #[arg(long, value_name = "PATH", requires = "to")]
    from: Vec<PathBuf>,
    /// What became of it; as often as --from
    #[arg(long, value_name = "PATH", requires = "from")]
    to: Vec<PathBuf>,
}

impl Job {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        match self {
            Self::Create(command) => {
                let request = CreateJobRequest {
                    input: command.input,
                    output: command.output,
                };
                let key = &command.key;
                let client = global.client()?;
                let made = client.create_job(&key.keyring, &key.name, &request).await?;
                global.show(&made, print)
            }
            Self::List => {
                let client = global.client()?;
                let all = every(async |page| client.jobs(&page).await).await?;
                global.show(&all, |all| {
                    let rows: Vec<_> = all.iter().map(row).collect();
                    let heading = ["ID", "KEY", "STATE", "ITEMS", "MOVED", "FAILED", "CHANGED"];
                    output::table(&heading, &rows)
                })
            }
            Self::Show { job } => global.show(&global.client()?.job(&job).await?, print),
            Self::Pause { job } => tell(global, &job, JobStep::Pause, None).await,
            Self::Complete { job } => tell(global, &job, JobStep::Finish, Some(true)).await,
            Self::Cancel { job } => tell(global, &job, JobStep::Cancel, None).await,
            Self::Resume(command) => resume(global, &command).await,
            Self::Report(command) => report(global, &command).await,
            Self::Verify(command) => verify(global, &command),
        }
    }
}

async fn tell(global: &Global, job: &str, step: JobStep, complete: Option<bool>) -> Result<()> {
    let request = UpdateJobRequest { step, complete };
    let changed = global.client()?.update_job(job, &request).await?;
    global.show(&changed, print)
}

async fn resume(global: &Global, command: &Resume) -> Result<()> {
    let view = global.client()?.job(&command.job).await?;
    let to = command.to.as_deref();
    if reencrypt::resume(global, &view, to, &command.terms).await? {
        return Ok(());
    }
    if to.is_some() {
        return Err(CliError::usage("there is no journal of this job beside it"));
    }
    tell(global, &command.job, JobStep::Resume, None).await?;
    output::note(format!(
        "no journal of it is on this machine: run `skms key reencrypt {}/{} --from LIST --job {}`",
        view.keyring, view.key, view.id
    ))
}

fn row(job: &JobView) -> Vec<String> {
    vec![
        job.id.clone(),
        format!("{}/{}", job.keyring, job.key),
        job.state.to_string(),
        job.items.to_string(),
        job.moved.to_string(),
        job.failed.to_string(),
        job.updated_at.to_string(),
    ]
}

/// Prints a job.
pub fn print(job: &JobView) -> Result<()> {
    let versions = |counts: &[JobVersionCount]| {
        let counts = counts.iter();
        let counts: Vec<_> = counts
            .map(|one| format!("version {}: {}", one.version, one.count))
            .collect();
        counts.join(", ")
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    output::fields(&[
        ("job", job.id.clone()),
        ("key", format!("{}/{}", job.keyring, job.key)),
        ("state", job.state.to_string()),
        ("from", text(&job.input)),
        ("to", text(&job.output)),
        ("incident", text(&job.incident)),
        ("items", job.items.to_string()),
        ("moved", job.moved.to_string()),
        ("newest before", job.newest.to_string()),
        ("failed", job.failed.to_string()),
        ("came from", versions(&job.from)),
        ("are at", versions(&job.to)),
        ("bytes", job.bytes.to_string()),
        ("batches", job.next_batch.saturating_sub(1).to_string()),
        (
            "complete",
            match job.complete {
                true => "these were all".to_owned(),
                false => "not said".to_owned(),
            },
        ),
        ("made", format!("{} by {}", job.created_at, job.created_by)),
        (
            "ended",
            match (job.ended_at, &job.ended_by) {
                (Some(at), Some(by)) => format!("{at} by {by}"),
                _ => String::new(),
            },
        ),
        ("sha256", job.sha256.clone()),
    ])?;
    let kept = job.failures.len() as u64;
    print_failures(&job.failures, job.failed.saturating_sub(kept))
}

async fn report(global: &Global, command: &Report) -> Result<()> {
    let made = global.client()?.job_report(&command.job).await?;
    if let Some(path) = &command.key_out {
        output::write_file(path, made.public_key.as_bytes())?;
    }
    match &command.out {
        Some(path) => output::write_file(path, made.report.as_bytes()),
        None => global.show(&made, |made| output::line(&made.report)),
    }
}

fn verify(global: &Global, command: &Verify) -> Result<()> {
    let report = input::read_text(&command.report, REPORT_MAX)?;
    let key = input::read(&command.key, KEY_MAX)?;
    let report = verify_job_report(&report, &key).map_err(|error| match error {
        skms_engine::Error::Integrity => CliError::new(
            Exit::Verification,
            "the report was altered, or another server signed it",
        ),
        other => CliError::usage(other.to_string()),
    })?;
    if command.from.len() != command.to.len() {
        return Err(CliError::usage(
            "--from and --to belong together, list by list",
        ));
    }
    let lists: Vec<_> = command.from.iter().zip(&command.to).collect();
    if !lists.is_empty() {
        same_lists(&report, &lists)?;
    }
    global.show(&report, |report| {
        output::line("The report is as the server signed it.")?;
        output::line(match lists.as_slice() {
            [] => "It was not compared with lists (--from, --to).",
            _ => "The lists are those of the report.",
        })?;
        for name in [
            "job",
            "key",
            "state",
            "complete",
            "created_at",
            "created_by",
            "started_at",
            "ended_at",
            "ended_by",
            "batches",
            "counts",
            "sha256",
        ] {
            if let Some(value) = report.get(name) {
                output::line(format!("{name}: {}", output::plain(value)))?;
            }
        }
        let failures = report.get("failures").cloned().unwrap_or_default();
        let failures: Vec<JobFailedItem> = serde_json::from_value(failures).unwrap_or_default();
        let more = report.get("failures_more").and_then(Value::as_u64);
        print_failures(&failures, more.unwrap_or_default())
    })
}

/// Prints what could not be moved, and why, by reasons: a wrong list says the
/// same of every line.
fn print_failures(failures: &[JobFailedItem], more: u64) -> Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    let mut by_reason: Vec<(&str, Vec<&JobFailedItem>)> = Vec::new();
    for one in failures {
        match by_reason.iter_mut().find(|(why, _)| *why == one.why) {
            Some((_, alike)) => alike.push(one),
            None => by_reason.push((&one.why, vec![one])),
        }
    }
    output::line("\ncould not be moved:")?;
    for (why, alike) in by_reason.iter().take(SHOWN) {
        output::line(format!("{} because: {why}", alike.len()))?;
        for one in alike.iter().take(SHOWN) {
            let called = one.id.as_deref().unwrap_or_default();
            output::line(format!("  item {}  {called}", one.item).trim_end())?;
        }
        if let Some(rest) = alike.len().checked_sub(SHOWN).filter(|rest| *rest > 0) {
            output::line(format!("  ... and {rest} more"))?;
        }
    }
    if let Some(rest) = by_reason.len().checked_sub(SHOWN).filter(|rest| *rest > 0) {
        output::line(format!("... and for {rest} more reasons (--json has them)"))?;
    }
    match more {
        0 => Ok(()),
        more => output::line(format!(
            "... and {more} more, which are counted and not kept"
        )),
    }
}

/// Whether the report's digest is over what stands in the lists, as they were
/// and as they became.
fn same_lists(report: &Value, lists: &[(&PathBuf, &PathBuf)]) -> Result<()> {
    let text = |name: &str| report.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut chain = sha256(&[text("job").as_bytes()]);
    let key = report.pointer("/key/id").and_then(Value::as_str);
    let key = key.unwrap_or_default();
    for (from, to) in lists {
        let (mut old, mut new) = (Digests::open(from, key)?, Digests::open(to, key)?);
        loop {
            match (old.next()?, new.next()?) {
                (Some(read), Some(made)) => chain = sha256(&[&chain, &read, &made]),
                (None, None) => break,
                (Some(_), None) => return Err(longer(from, to)),
                (None, Some(_)) => return Err(longer(to, from)),
            }
        }
    }
    if output::hex(&chain) == text("sha256") {
        return Ok(());
    }
    Err(differs("the report is about other lists"))
}

fn longer(long: &Path, short: &Path) -> CliError {
    let (long, short) = (long.display(), short.display());
    differs(&format!("{long} is longer than {short}"))
}

fn differs(why: &str) -> CliError {
    CliError::new(Exit::Verification, why)
}

/// The digest of each item of a list.
struct Digests {
    source: Source,
    /// The key's identifier.
    key: String,
    ready: std::vec::IntoIter<[u8; 32]>,
}

impl Digests {
    fn open(path: &Path, key: &str) -> Result<Self> {
        Ok(Self {
            source: Source::open(path, 0)?,
            key: key.to_owned(),
            ready: Vec::new().into_iter(),
        })
    }

    fn next(&mut self) -> Result<Option<[u8; 32]>> {
        loop {
            if let Some(digest) = self.ready.next() {
                return Ok(Some(digest));
            }
            let pieces = match self.source.step()? {
                None => return Ok(None),
                Some(Step::Age { head, .. }) => {
                    let mut hash = Hasher::new(Hash::Sha256);
                    hash.update(&head);
                    self.source.rest(|bit| {
                        hash.update(bit);
                        Ok(())
                    })?;
                    let whole = hash.finish().try_into().unwrap_or_default();
                    let read = Head::read(&head, &self.key);
                    return Ok(Some(
                        read.map_or(whole, |read| of(&read.wrapped.ciphertext)),
                    ));
                }
                Some(Step::Long { .. }) => {
                    let mut hash = Hasher::new(Hash::Sha256);
                    self.source.rest(|bit| {
                        hash.update(bit);
                        Ok(())
                    })?;
                    let digest = hash.finish().try_into().unwrap_or_default();
                    return Ok(Some(digest));
                }
                Some(Step::Pieces(pieces)) => pieces,
            };
            let digests: Vec<_> = pieces.iter().filter_map(digest).collect();
            self.ready = digests.into_iter();
        }
    }
}

fn digest(piece: &Piece) -> Option<[u8; 32]> {
    let Piece::Line { raw, .. } = piece else {
        return None;
    };
    match Line::read(raw) {
        Line::Blank => None,
        Line::Unreadable(_) => Some(sha256(&[raw])),
        Line::Item(item) => Some(of(&item.ciphertext)),
    }
}

fn of(ciphertext: &Ciphertext) -> [u8; 32] {
    sha256(&[&ciphertext.version.to_be_bytes(), &ciphertext.bytes])
}
