//! `skms key reencrypt`: a list of ciphertexts moves to the key's newest version.

pub mod age;
mod install;
pub mod line;
mod own;
mod place;
mod seen;
pub mod source;
mod stage;
mod stop;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use skms_client::{Client, Error as ClientError};
use skms_crypto::hash::sha256;
use skms_crypto::{Hash, Hasher};
use skms_wire::Bytes;
use skms_wire::native::ProblemKind;
use skms_wire::native::jobs::{
    CreateJobRequest, JobBatchRequest, JobBatchResponse, JobItem, JobItemResult, JobView,
    UpdateJobRequest,
};
use skms_wire::native::terms::{JobState, JobStep};

use crate::cli::Global;
use crate::cli::crypt::AssociatedData;
use crate::cli::error::{CliError, Result};
use crate::cli::exit::Exit;
use crate::cli::keyname::KeyName;
use crate::cli::output::hex;
use crate::cli::{job, output, progress};
use age::Head;
use line::Line;
use place::{absolute, check, free};
use seen::Seen;
use source::{Piece, Source, Step};
use stage::{Journal, Stage};
use stop::Watch;

/// Times that a batch is sent when the server cannot be reached or cannot take
/// it now; it counts once.
const ATTEMPTS: u32 = 6;

/// Move every ciphertext of a list to the key's newest version. The data does
/// not leave the server, no line is lost, and what was stopped goes on.
#[derive(Debug, Args)]
#[command(
    after_help = "A list has a ciphertext on each line, or a JSON object with \
    `ciphertext` and perhaps\n`id` and one of `aad`, `context` (text) and `associated_data` \
    (base64). Lines that cannot\nbe moved stay as they are and are in the report.\n\n\
    Examples:\n  \
    skms key reencrypt orders --from orders.txt --to orders.new --complete\n  \
    skms key reencrypt orders --from dump/ --in-place --complete\n  \
    psql -qAtc 'select secret from t' | skms key reencrypt orders --from - --to new.txt"
)]
pub struct Reencrypt {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The list: a file, `-` for standard input, or a folder of lists
    #[arg(long, value_name = "PATH")]
    from: PathBuf,
    /// Where the new list goes, whole or not at all; standard output if left
    /// out
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
    /// Replace what is at --to already; in a folder, the files that the new list
    /// has as well
    #[arg(long, requires = "to")]
    force: bool,
    /// Put the new list in the place of the old one
    #[arg(long, conflicts_with = "to")]
    in_place: bool,
    /// Go on with this job instead of a new one
    #[arg(long, value_name = "ID")]
    job: Option<String>,
    /// These are all ciphertexts of the key: the job may show that older
    /// versions are needed no more
    #[arg(long)]
    complete: bool,
    /// More lists follow: do not finish the job
    #[arg(long, conflicts_with = "complete")]
    more: bool,
    #[command(flatten)]
    terms: Terms,
}

/// What every line was encrypted with.
#[derive(Debug, Args)]
pub struct Terms {
    #[command(flatten)]
    aad: AssociatedData,
    /// The OAEP hash (RSA)
    #[arg(long, value_name = "NAME")]
    oaep_hash: Option<String>,
}

impl Reencrypt {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let from = absolute(&self.from)?;
        let to = match (self.in_place, &self.to) {
            (true, _) if from == Path::new("-") => {
                return Err(CliError::usage("standard input has no place to put it"));
            }
            (true, _) => Some(from.clone()),
            (false, Some(to)) => Some(absolute(to)?),
            (false, None) => None,
        };
        check(&from, to.as_deref())?;
        if let Some(to) = to.as_deref().filter(|_| !self.in_place && !self.force) {
            free(to)?;
        }
        let job = Job {
            client: global.client()?,
            key: self.key,
            key_id: String::new(),
            from,
            id: self.job,
            complete: self.complete,
            more: self.more,
            force: self.force,
            resumes: false,
            done: Arc::default(),
            terms: self.terms.read()?,
        };
        let done = match to {
            Some(to) => job.into_file(to).await?,
            None => return job.into_stdout().await,
        };
        show(global, &done)
    }
}

/// Goes on with a job whose journal is on this machine, if it is.
pub async fn resume(
    global: &Global,
    view: &JobView,
    to: Option<&Path>,
    terms: &Terms,
) -> Result<bool> {
    let to = match (to, &view.output) {
        (Some(to), _) => absolute(to)?,
        (None, Some(to)) => PathBuf::from(to),
        (None, None) => return Ok(false),
    };
    let Some(journal) = stage::found(&to)?.filter(|journal| journal.job == view.id) else {
        return Ok(false);
    };
    let job = Job {
        client: global.client()?,
        key: KeyName {
            keyring: journal.keyring,
            name: journal.key,
        },
        key_id: String::new(),
        from: journal.from,
        id: Some(journal.job),
        complete: journal.complete,
        more: journal.more,
        force: journal.force,
        resumes: true,
        done: Arc::default(),
        terms: terms.read()?,
    };
    let done = job.into_file(to).await?;
    show(global, &done)?;
    Ok(true)
}

fn show(global: &Global, done: &JobView) -> Result<()> {
    global.show(done, job::print)?;
    match done.failed {
        0 => Ok(()),
        failed => Err(CliError::failure(format!(
            "{failed} of {} could not be moved; they are as they were",
            done.items
        ))
        .hint(format!(
            "`skms job report {} -o FILE` keeps the list of them",
            done.id
        ))),
    }
}

impl Terms {
    fn read(&self) -> Result<Read> {
        Ok(Read {
            bound: self.aad.read()?,
            oaep_hash: self.oaep_hash.clone(),
        })
    }
}

/// The same, read.
struct Read {
    bound: Option<Bytes>,
    oaep_hash: Option<String>,
}

impl Read {
    /// Bytes of it in each item of a request.
    fn len(&self) -> usize {
        let bound = self.bound.as_ref().map_or(0, |bound| bound.len());
        bound.div_ceil(3) * 4
    }

    /// What a resume must agree with.
    fn digest(&self) -> String {
        let bound = self.bound.as_ref().map_or(&[][..], AsRef::as_ref);
        let flags = [u8::from(self.bound.is_some())];
        let hash = self.oaep_hash.as_deref().unwrap_or_default();
        hex(&sha256(&[&flags, &sha256(&[bound]), hash.as_bytes()]))
    }
}

struct Job {
    client: Client,
    key: KeyName,
    /// The key's identifier, which age files name it by.
    key_id: String,
    from: PathBuf,
    id: Option<String>,
    complete: bool,
    more: bool,
    /// What is there already is replaced.
    force: bool,
    /// A paused job goes on.
    resumes: bool,
    /// Ciphertexts that the server has answered for.
    done: Arc<AtomicU64>,
    terms: Read,
}

impl Job {
    /// The job to go on with, or a new one.
    async fn begin(&self, to: Option<&Path>) -> Result<JobView> {
        let Some(id) = &self.id else {
            let text = |path: &Path| path.to_str().map(str::to_owned);
            let request = CreateJobRequest {
                input: text(&self.from),
                output: to.and_then(text),
            };
            let made = self
                .client
                .create_job(&self.key.keyring, &self.key.name, &request);
            return Ok(made.await?);
        };
        let view = self.client.job(id).await?;
        if (&view.keyring, &view.key) != (&self.key.keyring, &self.key.name) {
            return Err(CliError::usage(format!(
                "job {id} is about {}/{}",
                view.keyring, view.key
            )));
        }
        match view.state {
            JobState::Paused if self.resumes => self.tell(id, JobStep::Resume, None).await,
            JobState::Paused => Err(CliError::new(Exit::State, format!("job {id} is paused"))
                .hint(format!("`skms job resume {id}` ends that"))),
            _ => Ok(view),
        }
    }

    async fn tell(&self, id: &str, step: JobStep, complete: Option<bool>) -> Result<JobView> {
        let request = UpdateJobRequest { step, complete };
        Ok(self.client.update_job(id, &request).await?)
    }

    async fn end(&self, id: &str) -> Result<JobView> {
        match self.more {
            true => Ok(self.client.job(id).await?),
            false => self.tell(id, JobStep::Finish, Some(self.complete)).await,
        }
    }

    async fn into_file(mut self, to: PathBuf) -> Result<JobView> {
        let journal = match stage::found(&to)? {
            Some(journal) => {
                self.agrees(&journal)?;
                self.id = Some(journal.job.clone());
                // The server's word on it, and that it is not paused.
                self.key_id = self.begin(Some(&to)).await?.key_id;
                journal
            }
            None => {
                // What cannot be read makes no job.
                drop(Source::open(&self.from, self.terms.len())?);
                let view = self.begin(Some(&to)).await?;
                self.key_id = view.key_id;
                Journal {
                    version: stage::VERSION,
                    job: view.id,
                    keyring: self.key.keyring.clone(),
                    key: self.key.name.clone(),
                    from: self.from.clone(),
                    to,
                    terms: self.terms.digest(),
                    steps: 0,
                    number: view.next_batch,
                    chain: hex(&[0; 32]),
                    data: 0,
                    index: 0,
                    read: None,
                    whole: false,
                    complete: self.complete,
                    more: self.more,
                    force: self.force,
                }
            }
        };
        let id = journal.job.clone();
        let goes_on = format!("`skms job resume {id}` goes on");
        let watch = Watch::begin(Arc::clone(&self.done), goes_on)?;
        let stage = Stage::open(journal)?;
        let done = self.through(stage, &id, &watch).await;
        watch.end();
        done.map_err(|error| match error.hint {
            Some(_) => error,
            None => error.hint(format!(
                "what was done is kept; `skms job resume {id}` goes on with it"
            )),
        })
    }

    async fn through(&self, mut stage: Stage, id: &str, watch: &Watch) -> Result<JobView> {
        if !stage.journal.whole {
            let mut source = Source::open(&self.from, self.terms.len())?;
            // The list is read anew, up to where it was and on from there.
            stage.journal.read = source.seen();
            skip(&mut source, &stage.journal)?;
            let bar = progress::Bytes::new("Re-encrypting", length(&self.from));
            let mut number = stage.journal.number;
            while let Some(step) = source.step()? {
                let before = stage.journal.data;
                self.step(id, &mut number, step, &mut source, &mut stage)
                    .await?;
                stage.step(number, &source.chain())?;
                bar.add(stage.journal.data - before);
            }
        }
        watch.whole(|| stage.install())?;
        let done = self.end(id).await?;
        stage.remove()?;
        Ok(done)
    }

    /// Whether a journal is of the same work.
    fn agrees(&self, journal: &Journal) -> Result<()> {
        let what = if self.id.as_ref().is_some_and(|id| *id != journal.job) {
            "another job"
        } else if (&journal.keyring, &journal.key) != (&self.key.keyring, &self.key.name) {
            "another key"
        } else if journal.from != self.from {
            "another list"
        } else if journal.terms != self.terms.digest() {
            "other associated data or another OAEP hash"
        } else {
            return Ok(());
        };
        Err(CliError::usage(format!(
            "{} was begun with {what}",
            stage::beside(&journal.to).display()
        ))
        .hint(format!(
            "go on with it by `skms job resume {}`, or delete it to begin anew",
            journal.job
        )))
    }

    async fn into_stdout(mut self) -> Result<()> {
        let mut source = Source::open(&self.from, self.terms.len())?;
        let view = self.begin(None).await?;
        self.key_id.clone_from(&view.key_id);
        let id = &view.id;
        let lost = format!("what went to standard output is moved; `skms job cancel {id}` ends it");
        let watch = Watch::begin(Arc::clone(&self.done), lost)?;
        let mut number = view.next_batch;
        while let Some(step) = source.step()? {
            self.step(&view.id, &mut number, step, &mut source, &mut Stdout)
                .await?;
        }
        let done = self.end(&view.id).await?;
        watch.end();
        output::note(format!(
            "job {}: {} moved, {} at the newest version before, {} failed",
            done.id, done.moved, done.newest, done.failed
        ))?;
        match done.failed {
            0 => Ok(()),
            failed => Err(CliError::failure(format!(
                "{failed} of {} could not be moved; they are as they were",
                done.items
            ))),
        }
    }

    /// Does a step: its batch, and what becomes of its lines.
    async fn step(
        &self,
        id: &str,
        number: &mut u64,
        step: Step,
        source: &mut Source,
        to: &mut impl Sink,
    ) -> Result<()> {
        let pieces = match step {
            Step::Pieces(pieces) => pieces,
            Step::Age { called, head } => {
                return self.age(id, number, (called, head), source, to).await;
            }
            Step::Long { called, why } => {
                let mut hash = Hasher::new(Hash::Sha256);
                source.rest(|bit| {
                    hash.update(bit);
                    to.add(bit)
                })?;
                let item = unreadable(called, why.to_owned(), hash.finish());
                self.send(id, number, vec![item]).await?;
                return Ok(());
            }
        };
        self.lines(id, number, &pieces, to).await
    }

    /// Makes the header of an age file anew, and passes its payload on.
    async fn age(
        &self,
        id: &str,
        number: &mut u64,
        (called, head): (String, Vec<u8>),
        source: &mut Source,
        to: &mut impl Sink,
    ) -> Result<()> {
        let bound = self.terms.bound.as_deref();
        let server = (&self.client, &self.key);
        let read = match Head::read(&head, &self.key_id) {
            Ok(read) => read,
            Err(why) => {
                let mut hash = Hasher::new(Hash::Sha256);
                hash.update(&head);
                to.add(&head)?;
                source.rest(|bit| {
                    hash.update(bit);
                    to.add(bit)
                })?;
                let item = unreadable(called, why, hash.finish());
                return self.send(id, number, vec![item]).await.map(drop);
            }
        };
        let old = &read.wrapped.ciphertext;
        let file_key = match read.open(server, old, bound).await? {
            Ok(file_key) => file_key,
            Err(why) => {
                let digest = sha256(&[&old.version.to_be_bytes(), &old.bytes]);
                let item = unreadable(called, why, digest.to_vec());
                self.send(id, number, vec![item]).await?;
                to.add(&head)?;
                return source.rest(|bit| to.add(bit));
            }
        };
        let item = read.item(&called, bound);
        let results = self.send(id, number, vec![item]).await?;
        let moved = results.into_iter().next().and_then(|one| one.ciphertext);
        match moved {
            None => to.add(&head)?,
            Some(ciphertext) => {
                // Where the old one opens no more, this is a batch that was
                // answered before.
                let file_key = match file_key {
                    Some(file_key) => Some(file_key),
                    None => (read.open(server, &ciphertext, bound).await?).unwrap_or_default(),
                };
                let file_key = file_key.ok_or_else(|| {
                    CliError::failure(format!("{called}: its file key cannot be had"))
                })?;
                to.add(&read.with(ciphertext, &file_key)?)?;
            }
        }
        source.rest(|bit| to.add(bit))
    }

    /// Does lines that are a batch together.
    async fn lines(
        &self,
        id: &str,
        number: &mut u64,
        pieces: &[Piece],
        to: &mut impl Sink,
    ) -> Result<()> {
        let mut items = Vec::new();
        let mut lines = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let line = match piece {
                Piece::End { .. } => None,
                Piece::Line { raw, called } => {
                    let line = Line::read(raw);
                    items.extend(self.item(&line, raw, called));
                    Some(line)
                }
            };
            lines.push(line);
        }
        let results = match items.is_empty() {
            true => Vec::new(),
            false => self.send(id, number, items).await?,
        };
        let mut results = results.into_iter();
        for (piece, line) in pieces.iter().zip(&lines) {
            match (piece, line) {
                (Piece::End { name, seen }, _) => to.end(name, seen)?,
                (Piece::Line { raw, .. }, Some(Line::Item(item))) => {
                    let moved = results.next().and_then(|result| result.ciphertext);
                    match moved {
                        Some(ciphertext) => to.add(&item.with(raw, &ciphertext))?,
                        None => to.add(raw)?,
                    }
                }
                (Piece::Line { raw, .. }, line) => {
                    if matches!(line, Some(Line::Unreadable(_))) {
                        results.next();
                    }
                    to.add(raw)?;
                }
            }
        }
        Ok(())
    }

    fn item(&self, line: &Line, raw: &[u8], called: &str) -> Option<JobItem> {
        match line {
            Line::Blank => None,
            Line::Unreadable(why) => Some(unreadable(
                called.to_owned(),
                why.clone(),
                sha256(&[raw]).to_vec(),
            )),
            Line::Item(item) => Some(JobItem {
                id: Some(match &item.id {
                    Some(id) => line::short(&format!("{called}: {id}")),
                    None => line::short(called),
                }),
                ciphertext: Some(item.ciphertext.clone()),
                associated_data: (item.associated_data.clone())
                    .or_else(|| self.terms.bound.clone()),
                oaep_hash: self.terms.oaep_hash.clone(),
                ..JobItem::default()
            }),
        }
    }

    /// Sends a batch until it is answered.
    async fn send(
        &self,
        id: &str,
        number: &mut u64,
        items: Vec<JobItem>,
    ) -> Result<Vec<JobItemResult>> {
        let mut request = JobBatchRequest {
            number: *number,
            items,
        };
        let mut attempt = 0;
        let answer: JobBatchResponse = loop {
            attempt += 1;
            match self.client.run_job_batch(id, &request).await {
                Ok(answer) => break answer,
                Err(error) if is_too_large(&error) && spoilt(&mut request) => {}
                Err(error) if attempt < ATTEMPTS && may_pass(&error) => {
                    tokio::time::sleep(Duration::from_millis(250 << attempt)).await;
                }
                Err(error) => return Err(error.into()),
            }
        };
        if answer.results.len() != request.items.len() {
            return Err(CliError::failure("the server answered for other items"));
        }
        *number = answer.next_batch;
        let count = answer.results.len() as u64;
        self.done.fetch_add(count, Ordering::Relaxed);
        Ok(answer.results)
    }
}

fn unreadable(called: String, why: String, sha256: Vec<u8>) -> JobItem {
    JobItem {
        id: Some(line::short(&called)),
        unreadable: Some(line::short(&why)),
        sha256: Some(Bytes::new(sha256)),
        ..JobItem::default()
    }
}

fn is_too_large(error: &ClientError) -> bool {
    let kind = match error {
        ClientError::Problem(problem) => problem.kind(),
        _ => None,
    };
    kind == Some(ProblemKind::PayloadTooLarge)
}

/// Counts the one ciphertext of a batch, which is over the server's limit, as
/// one that cannot be moved.
fn spoilt(request: &mut JobBatchRequest) -> bool {
    let [item] = request.items.as_mut_slice() else {
        return false;
    };
    let Some(ciphertext) = item.ciphertext.take() else {
        return false;
    };
    *item = unreadable(
        item.id.take().unwrap_or_default(),
        "it is over the server's limit for a request".to_owned(),
        sha256(&[&ciphertext.version.to_be_bytes(), &ciphertext.bytes]).to_vec(),
    );
    true
}

/// Whether it is worth asking again. The batch has a number: it counts once.
fn may_pass(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. }
        | ClientError::Timeout { .. }
        | ClientError::Broken { .. } => true,
        ClientError::Problem(problem) => matches!(
            problem.kind(),
            Some(ProblemKind::Unavailable | ProblemKind::TooManyRequests)
        ),
        _ => false,
    }
}

/// Reads over what is done already, which must be what it was.
fn skip(source: &mut Source, journal: &Journal) -> Result<()> {
    for _ in 0..journal.steps {
        match source.step()? {
            Some(Step::Pieces(_)) => {}
            Some(Step::Long { .. } | Step::Age { .. }) => source.rest(|_| Ok(()))?,
            None => break,
        }
    }
    if hex(&source.chain()) == journal.chain {
        return Ok(());
    }
    Err(CliError::usage(format!(
        "{} is not what it was when the job was begun",
        crate::cli::input::name(&journal.from)
    ))
    .hint(format!(
        "begin anew after deleting {} and `skms job cancel {}`",
        stage::beside(&journal.to).display(),
        journal.job
    )))
}

fn length(path: &Path) -> Option<u64> {
    let about = path.metadata().ok()?;
    about.is_file().then_some(about.len())
}

/// Where the new list goes.
trait Sink {
    fn add(&mut self, bytes: &[u8]) -> Result<()>;
    fn end(&mut self, name: &str, seen: &Seen) -> Result<()>;
}

impl Sink for Stage {
    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        Self::add(self, bytes)
    }

    fn end(&mut self, name: &str, seen: &Seen) -> Result<()> {
        Self::end(self, name, seen)
    }
}

struct Stdout;

impl Sink for Stdout {
    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(std::io::stdout().lock().write_all(bytes)?)
    }

    fn end(&mut self, _name: &str, _seen: &Seen) -> Result<()> {
        Ok(())
    }
}
