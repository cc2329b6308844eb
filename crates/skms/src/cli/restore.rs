//! `skms restore`: puts a backup in the place of a store, with no server
//! running, and says first what that would lose.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde::Serialize;
use skms_evidence::{Event, Outcome};
use skms_policy::Action;
use skms_store::backup::{BackupKeys, Inspected, Opening, RestoreMark, restore_into};
use skms_store::file_journal::{SegmentKeys, Surveyed, survey};
use skms_store::{Sealed, SqliteStore, Store};

use super::Global;
use super::backup::{open, unsound, when};
use super::error::{CliError, Result, with_causes};
use super::exit::Exit;
use super::secrets::Secrets;
use super::{output, progress};

/// Put a backup in the place of a lost or damaged store. The server must not
/// be running.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  skms restore monday.backup --to /var/lib/skms\n  \
    skms restore monday.backup --to /var/lib/skms --key-file k --accept-loss\n  \
    skms restore monday.backup --to new --journal /mnt/old/journal --unseal"
)]
pub struct Restore {
    /// The backup's file
    file: PathBuf,
    /// The data directory to restore into
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// A journal (or data directory) of the lost store, to say what came after
    /// the backup; never changed
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Restore although something newer is known, which is then lost; what
    /// lies in DIR is moved aside, not removed
    #[arg(long)]
    accept_loss: bool,
    #[command(flatten)]
    secrets: Secrets,
}

/// What came after the backup, as a journal shows it.
#[derive(Debug, Default, Serialize)]
struct Loss {
    /// Where it was seen.
    place: PathBuf,
    /// Events after the backup's last.
    events: u64,
    /// Commits after the backup's last; absent without a secret.
    commits: Option<u64>,
    /// The last commit that is known; absent without a secret.
    last_commit: Option<u64>,
    /// When the first of those events was.
    from: Option<String>,
    /// When the last of them was.
    to: Option<String>,
    /// Segments of the journal that the backup's keys do not open.
    unopened_segments: Vec<u64>,
    unreadable_segments: Vec<u64>,
    /// What was revoked, suspended, destroyed or forbidden, and comes back.
    withdrawn: Vec<Withdrawn>,
}

/// Something that comes back with a restore.
#[derive(Debug, Serialize)]
struct Withdrawn {
    at: String,
    action: String,
    target: String,
    by: String,
}

#[derive(Serialize)]
struct Report {
    restored: PathBuf,
    commit: u64,
    events: u64,
    records: u64,
    lost: Vec<Loss>,
    moved_aside: Option<PathBuf>,
}

impl Restore {
    /// Checks, says, restores.
    pub async fn run(self, global: &Global) -> Result<()> {
        let opening = Opening::of(&self.file).map_err(|error| unsound(&error))?;
        let keys = match self.secrets.given() {
            true => Some(open(&opening, &self.secrets).await?),
            false => None,
        };
        if let Some(keys) = &keys {
            keys.verify(&self.file).map_err(|error| unsound(&error))?;
        }
        let inspected = opening.inspected();
        let losses = self.losses(inspected, keys.as_ref()).await?;
        let occupied = is_occupied(&self.to);
        let lost = losses.iter().any(Loss::is_any);
        if !global.json {
            for loss in &losses {
                loss.print(keys.is_some())?;
            }
        }
        if (occupied || lost) && !self.accept_loss {
            return Err(refusal(&self.to, occupied, &losses, keys.is_some()));
        }
        let words = words(inspected, &losses);
        let moved_aside = self.put_back(&words).await?;
        let summary = &inspected.report.summary;
        let report = Report {
            restored: self.to.clone(),
            commit: summary.commits,
            events: summary.events,
            records: summary.total_rows(),
            lost: losses,
            moved_aside,
        };
        global.show(&report, print)
    }

    /// What is known of a time after the backup.
    async fn losses(&self, inspected: &Inspected, keys: Option<&BackupKeys>) -> Result<Vec<Loss>> {
        let mut losses = Vec::new();
        let own = self.to.join("journal");
        let named = self.journal.as_ref().map(|path| {
            let inside = path.join("journal");
            if inside.is_dir() {
                inside
            } else {
                path.clone()
            }
        });
        if let Some(path) = named.as_ref().filter(|path| !path.is_dir()) {
            return Err(CliError::usage(format!("{} is no folder", path.display())));
        }
        for place in named.into_iter().chain(own.is_dir().then_some(own)) {
            losses.push(journal_loss(&place, inspected, keys)?);
        }
        let database = self.to.join("skms.db");
        if database.exists() {
            let known = existing_commits(&database, inspected, keys).await?;
            let ours = inspected.report.summary.commits;
            losses.push(Loss {
                place: database,
                commits: known.map(|known| known.saturating_sub(ours)),
                last_commit: known,
                ..Loss::default()
            });
        }
        Ok(losses)
    }

    /// Restores beside the target first, then changes places.
    async fn put_back(&self, words: &str) -> Result<Option<PathBuf>> {
        folder(&self.to)?;
        let now = now_ms();
        let beside = self.to.join(format!("restoring-{now}"));
        folder(&beside)?;
        let done = self.restore_beside(&beside, now, words).await;
        if let Err(error) = done {
            // Nothing else is touched yet.
            let _ = fs::remove_dir_all(&beside);
            return Err(error);
        }
        let aside = self.to.join(format!("replaced-{now}"));
        let moved = is_occupied(&self.to);
        if moved {
            folder(&aside)?;
            move_store(&self.to, &aside)?;
        }
        move_store(&beside, &self.to)?;
        fs::remove_dir(&beside).map_err(|error| cannot("remove", &beside, &error))?;
        sync(&self.to)?;
        Ok(moved.then_some(aside))
    }

    async fn restore_beside(&self, beside: &Path, now: i64, words: &str) -> Result<()> {
        let mark = RestoreMark::new("storage.restore", now, words.to_owned())
            .map_err(|error| CliError::failure(with_causes(&error)))?;
        let total = fs::metadata(&self.file).map(|data| data.len()).ok();
        let bar = progress::Bytes::new("Restoring", total);
        let store = SqliteStore::open(beside.join("skms.db"))
            .map_err(|error| CliError::failure(with_causes(&error)))?;
        let mut before = 0;
        let done = restore_into(&self.file, &store, &beside.join("journal"), &mark, |at| {
            bar.add(at - before);
            before = at;
        })
        .await;
        store
            .close()
            .await
            .map_err(|error| CliError::failure(with_causes(&error)))?;
        done.map(drop).map_err(|error| unsound(&error))
    }
}

impl Loss {
    fn is_any(&self) -> bool {
        self.events > 0
            || self.commits.is_some_and(|commits| commits > 0)
            // What is not known may be newer.
            || !self.unreadable_segments.is_empty()
    }

    fn print(&self, with_keys: bool) -> Result<()> {
        let place = self.place.display();
        if !self.is_any() {
            return output::note(format!("{place}: nothing there is newer than the backup."));
        }
        output::note(format!(
            "{place} is, or may be, newer than the backup. Restoring loses:"
        ))?;
        if self.events > 0 {
            let span = match (&self.from, &self.to) {
                (Some(from), Some(to)) => format!(", from {from} to {to}"),
                _ => String::new(),
            };
            output::note(format!("  {} events{span}", self.events))?;
        }
        if let (Some(commits), Some(last)) = (self.commits, self.last_commit)
            && commits > 0
        {
            output::note(format!(
                "  {commits} commits, {} to {last}",
                last - commits + 1
            ))?;
        }
        if !self.unreadable_segments.is_empty() {
            output::note(format!(
                "  journal segments {:?} are missing or damaged: what was in them is not known",
                self.unreadable_segments
            ))?;
        }
        if !self.unopened_segments.is_empty() {
            output::note(format!(
                "  journal segments {:?} do not open with the backup's keys: what is in them is \
                 not shown",
                self.unopened_segments
            ))?;
        }
        if !with_keys {
            return output::note("  (give a seal's secret to see commits, times and revocations)");
        }
        if !self.withdrawn.is_empty() {
            output::note("  AND THESE COME BACK, until you withdraw them again:")?;
        }
        for one in &self.withdrawn {
            output::note(format!(
                "  {}  {}  {}  (by {})",
                one.at, one.action, one.target, one.by
            ))?;
        }
        Ok(())
    }
}

fn journal_loss(place: &Path, inspected: &Inspected, keys: Option<&BackupKeys>) -> Result<Loss> {
    let summary = &inspected.report.summary;
    let mut loss = Loss {
        place: place.to_owned(),
        ..Loss::default()
    };
    let (mut first, mut last) = (None, None);
    let mut see = |event: Event| {
        first.get_or_insert(event.at_millis);
        last = Some(event.at_millis);
        let withdraws = event.action.as_str().parse().is_ok_and(Action::withdraws);
        if withdraws && event.outcome == Outcome::Success {
            loss.withdrawn.push(Withdrawn {
                at: when(event.at_millis),
                action: event.action.as_str().to_owned(),
                target: event
                    .targets
                    .iter()
                    .map(|target| match target.version {
                        Some(version) => format!("{} version {version}", target.name.as_str()),
                        None => target.name.as_str().to_owned(),
                    })
                    .collect::<Vec<_>>()
                    .join(", "),
                by: event.principal.as_str().to_owned(),
            });
        }
    };
    let found: Surveyed = survey(
        place,
        keys.map(|keys| keys as &dyn SegmentKeys),
        summary.events,
        |stored| {
            if let Ok(event) = Event::decode(&stored.entry.bytes) {
                see(event);
            }
        },
    )
    .map_err(|error| CliError::failure(with_causes(&error)))?;
    check_install(place, found.install, inspected)?;
    loss.events = found.entries.saturating_sub(summary.events);
    if keys.is_some() {
        loss.last_commit = Some(found.highest_commit);
        loss.commits = Some(found.highest_commit.saturating_sub(summary.commits));
    }
    loss.unopened_segments = found.unopened_segments;
    loss.unreadable_segments = found.unreadable_segments;
    (loss.from, loss.to) = (first.map(when), last.map(when));
    Ok(loss)
}

/// The last commit of the database that lies there, if the keys open it; and
/// that nobody has it open, and that it is of the same install.
async fn existing_commits(
    path: &Path,
    inspected: &Inspected,
    keys: Option<&BackupKeys>,
) -> Result<Option<u64>> {
    let failed = |error: skms_store::Error| match error {
        skms_store::Error::InUse { .. } => {
            CliError::new(Exit::State, with_causes(&error)).hint("stop the server first")
        }
        other => CliError::failure(with_causes(&other)),
    };
    let store = match SqliteStore::open(path) {
        Ok(store) => std::sync::Arc::new(store),
        Err(error @ skms_store::Error::InUse { .. }) => return Err(failed(error)),
        // Damaged: that may be why it is replaced.
        Err(_) => return Ok(None),
    };
    let install = match Sealed::open(store.clone()).await {
        Ok(sealed) => sealed.install().await.ok(),
        Err(_) => None,
    };
    let commits = match keys {
        Some(keys) => keys.commits_of(store.as_ref()).await.unwrap_or_default(),
        None => None,
    };
    store.close().await.map_err(failed)?;
    check_install(path, install, inspected)?;
    Ok(commits)
}

fn check_install(place: &Path, found: Option<[u8; 16]>, inspected: &Inspected) -> Result<()> {
    let ours = &inspected.report.manifest.install;
    match found.map(|install| output::hex(&install)) {
        Some(theirs) if theirs != *ours => Err(CliError::new(
            Exit::State,
            format!(
                "{} belongs to another install ({theirs}) than the backup ({ours})",
                place.display()
            ),
        )
        .hint("choose another --to or --journal")),
        _ => Ok(()),
    }
}

fn refusal(to: &Path, occupied: bool, losses: &[Loss], with_keys: bool) -> CliError {
    let lost: u64 = losses.iter().map(|loss| loss.events).max().unwrap_or(0);
    let commits = losses.iter().filter_map(|loss| loss.commits).max();
    let mut message = match (occupied, lost) {
        (true, _) => format!(
            "{} holds a store already; nothing was touched",
            to.display()
        ),
        _ => "the backup is older than what is known; nothing was touched".to_owned(),
    };
    if lost > 0 || commits.is_some_and(|commits| commits > 0) {
        message.push_str(&format!("; restoring would lose {lost} events"));
        if let Some(commits) = commits.filter(|_| with_keys) {
            message.push_str(&format!(" and {commits} commits"));
        }
    }
    CliError::new(Exit::State, message)
        .hint("add --accept-loss to restore all the same; what lies there is moved aside")
}

/// For the event that the next unsealing records.
fn words(inspected: &Inspected, losses: &[Loss]) -> String {
    let (manifest, summary) = (&inspected.report.manifest, &inspected.report.summary);
    let mut words = format!(
        "restored the backup of {}: commit {}, {} events",
        when(manifest.created_at_ms),
        summary.commits,
        summary.events
    );
    if let Some(loss) = losses.iter().max_by_key(|loss| loss.events)
        && loss.is_any()
    {
        words.push_str(&format!("; accepted the loss of {} events", loss.events));
        if let Some(commits) = loss.commits {
            words.push_str(&format!(" and {commits} commits"));
        }
        if let Some(to) = &loss.to {
            words.push_str(&format!(" up to {to}"));
        }
        if !loss.withdrawn.is_empty() {
            words.push_str(&format!(
                ", {} withdrawals among them",
                loss.withdrawn.len()
            ));
        }
    }
    words
}

/// Whether a store, or a part of one, lies there.
fn is_occupied(to: &Path) -> bool {
    to.join("skms.db").exists() || to.join("journal").exists()
}

/// Moves the database's and the journal's files.
fn move_store(from: &Path, to: &Path) -> Result<()> {
    for name in [
        "skms.db",
        "skms.db-wal",
        "skms.db-shm",
        "skms.db.reserve",
        "skms.db.lock",
        "journal",
    ] {
        let (source, target) = (from.join(name), to.join(name));
        if source.exists() {
            fs::rename(&source, &target).map_err(|error| cannot("move", &source, &error))?;
        }
    }
    sync(from)?;
    sync(to)
}

fn folder(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| cannot("make", path, &error))
}

fn sync(path: &Path) -> Result<()> {
    fs::File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| cannot("sync", path, &error))
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> CliError {
    CliError::failure(format!("cannot {what} {}: {error}", path.display()))
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}

fn print(report: &Report) -> Result<()> {
    output::line(format!(
        "Restored into {}: {} records, commit {}, {} events.",
        report.restored.display(),
        report.records,
        report.commit,
        report.events
    ))?;
    if let Some(aside) = &report.moved_aside {
        output::line(format!("What lay there is in {}.", aside.display()))?;
    }
    output::line(
        "Keys, tokens and policies are as they were at the backup: what was revoked or suspended\n\
         since is live again. Withdraw it again before you let clients in.",
    )?;
    output::line(
        "At the next unsealing, uses of keys with random nonces count as used up, and those keys\n\
         are rotated.",
    )?;
    output::line(format!(
        "\nNext:\n  skms serve --data-dir {}\n  skms unseal\n  skms storage verify",
        report.restored.display()
    ))
}
