//! Backups: made while others write, checked with and without a secret,
//! restored, and refused when anything is wrong with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use skms_store::backup::{
    BackupKeys, BackupProgress, Copied, Notes, Opening, RestoreMark, Sink, inspect, restore,
};
use skms_store::file_journal::survey;
use skms_store::sealed::OutboxEvent;
use skms_store::store::BoxFuture;
use skms_store::{Entry, Error, FileJournal, Journal, SealInput, SealedStore};

use crate::common::*;

struct ToFile(fs::File);

impl Sink for ToFile {
    fn put(&mut self, bytes: Vec<u8>) -> BoxFuture<'_, Result<(), Error>> {
        use std::io::Write as _;
        self.0.write_all(&bytes).unwrap();
        Box::pin(std::future::ready(Ok(())))
    }
}

async fn back_up(store: &SealedStore, journal: &dyn Journal, path: &Path) -> Copied {
    let notes = Notes {
        now_ms: 1_000,
        server_version: "test",
        time_of: &|bytes| Some(bytes.len() as i64),
    };
    let mut sink = ToFile(fs::File::create(path).unwrap());
    store.backup(journal, &notes, &mut sink).await.unwrap()
}

fn event(number: u8) -> OutboxEvent {
    OutboxEvent {
        id: [number; 16],
        salt: [number; 32],
        bytes: vec![number; 200],
    }
}

/// A change with its event, as the engine makes it.
async fn change(store: &SealedStore, journal: &dyn Journal, number: u8) {
    let name = format!("planted-name-{number}");
    let done = store
        .commit(
            vec![put(number, Some(&name), None, "planted value")],
            Some(event(number)),
        )
        .await
        .unwrap();
    journal
        .append(vec![event(number).into_entry(done.commit)])
        .unwrap()
        .wait()
        .await
        .unwrap();
}

fn plain(number: u8) -> Entry {
    Entry {
        id: [number; 16],
        salt: [0; 32],
        bytes: b"planted event".to_vec(),
        commit: None,
    }
}

async fn keys(path: &Path) -> BackupKeys {
    let opening = Opening::of(path).unwrap();
    match opening
        .submit(SealInput::Passphrase(secret(PASSPHRASE)))
        .await
        .unwrap()
    {
        BackupProgress::Open(keys) => keys,
        BackupProgress::Waiting { .. } => panic!("a passphrase is enough"),
    }
}

fn mark() -> RestoreMark {
    RestoreMark::new("storage.restore", 5, "words".into()).unwrap()
}

async fn put_back(file: &Path, into: &Path) -> Result<(), Error> {
    fs::create_dir_all(into).unwrap();
    let store = open_store(into).unwrap();
    let done = restore(file, store.as_ref(), &into.join("journal"), &mark(), |_| {}).await;
    store.close().await.unwrap();
    done.map(drop)
}

/// A store with a few changes in several segments, and its backup.
async fn sample(folder: &Path) -> (SealedStore, FileJournal, PathBuf) {
    let here = folder.join("here");
    fs::create_dir(&here).unwrap();
    let store = init(&here).await;
    let (journal, _) = open_journal(&store, &here, &small_segments()).unwrap();
    for number in 1..=30 {
        change(&store, &journal, number).await;
    }
    journal
        .append(vec![plain(200)])
        .unwrap()
        .wait()
        .await
        .unwrap();
    let file = folder.join("backup");
    let copied = back_up(&store, &journal, &file).await;
    assert_eq!(copied.summary.events, 31);
    assert_eq!(copied.bytes, fs::metadata(&file).unwrap().len());
    (store, journal, file)
}

#[tokio::test]
async fn what_was_there_comes_back_and_the_journal_goes_on_in_a_new_segment() {
    let folder = tempfile::tempdir().unwrap();
    let (store, journal, file) = sample(folder.path()).await;
    let segments = journal.verify().await.unwrap().segments;
    assert!(segments > 2);
    // Later than the backup: not in it.
    change(&store, &journal, 99).await;

    let inspected = inspect(&file).unwrap();
    assert_eq!(inspected.report.manifest.server_version, "test");
    assert_eq!(inspected.report.summary.rows["key"], 30);
    assert_eq!(inspected.report.summary.last_event_at_ms, Some(13));
    let keys = keys(&file).await;
    let verified = keys.verify(&file).unwrap();
    assert_eq!((verified.events, verified.commits), (31, 31));

    let there = folder.path().join("there");
    put_back(&file, &there).await.unwrap();
    let back = unseal(&there).await.unwrap();
    let (journal, report) = open_journal(&back, &there, &small_segments()).unwrap();
    assert_eq!((report.entries, report.truncated_bytes), (31, 0));
    let recovered = back.recover(&journal).await.unwrap();
    // None was marked done: all wait in the outbox, and all are there.
    assert_eq!((recovered.fed, recovered.already_there), (0, 30));
    assert_eq!(value(&back, 7).await.unwrap().unwrap(), "planted value");
    assert_eq!(value(&back, 99).await.unwrap(), None);
    assert!(back.verify().await.unwrap().is_sound());
    assert_eq!(back.restore_mark().await.unwrap().unwrap().words, "words");
    back.clear_mark().await.unwrap();
    assert_eq!(back.restore_mark().await.unwrap(), None);

    journal
        .append(vec![plain(201)])
        .unwrap()
        .wait()
        .await
        .unwrap();
    let verified = journal.verify().await.unwrap();
    assert_eq!(verified.entries, 32);
    assert_eq!(verified.segments, segments + 1);
    journal.close().await.unwrap();
    close(back).await;

    // A backup of what was restored is as good.
    let back = unseal(&there).await.unwrap();
    let (journal, _) = open_journal(&back, &there, &small_segments()).unwrap();
    let again = folder.path().join("again");
    back_up(&back, &journal, &again).await;
    keys.verify(&again).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_under_load_is_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    fs::create_dir(&here).unwrap();
    let store = init(&here).await;
    let (journal, _) = open_journal(&store, &here, &small_segments()).unwrap();
    let journal = Arc::new(journal);
    let writers: Vec<_> = (0..4_u8)
        .map(|lane| {
            let (store, journal) = (store.clone(), Arc::clone(&journal));
            tokio::spawn(async move {
                for step in 0..60 {
                    let number = lane * 60 + step + 1;
                    change(&store, journal.as_ref(), number).await;
                    if step % 7 == 6 {
                        let durable = journal.durable_sequence();
                        store.mark_done(&[[number; 16]], durable).await.unwrap();
                    }
                }
            })
        })
        .collect();
    let mut files = Vec::new();
    for round in 0..5 {
        let (commits, events) = (store.commits(), journal.durable_sequence());
        let file = folder.path().join(format!("backup-{round}"));
        let copied = back_up(&store, journal.as_ref(), &file).await;
        assert!(copied.summary.commits >= commits && copied.summary.events >= events);
        files.push(file);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    for (round, file) in files.iter().enumerate() {
        let verified = keys(file).await.verify(file).unwrap();
        let there = folder.path().join(format!("there-{round}"));
        put_back(file, &there).await.unwrap();
        let back = unseal(&there).await.unwrap();
        let (journal, _) = open_journal(&back, &there, &small_segments()).unwrap();
        back.recover(&journal).await.unwrap();
        // Every change that is there has its event, and the other way round.
        let rows = back.verify().await.unwrap();
        assert!(rows.is_sound());
        let keys = rows.records.get(&skms_store::Kind::Key).copied();
        assert_eq!(journal.durable_sequence(), keys.unwrap_or(0));
        assert!(verified.events <= journal.durable_sequence());
    }
}

#[tokio::test]
async fn no_bit_of_a_backup_may_change_and_no_end_may_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    fs::create_dir(&here).unwrap();
    let store = init(&here).await;
    let (journal, _) = open_journal(&store, &here, &small_segments()).unwrap();
    change(&store, &journal, 1).await;
    let file = folder.path().join("backup");
    back_up(&store, &journal, &file).await;
    let good = fs::read(&file).unwrap();
    let bad = folder.path().join("bad");
    for at in (0..good.len()).step_by(23) {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&bad, &bytes).unwrap();
        assert!(inspect(&bad).is_err(), "byte {at}");
    }
    for len in (0..good.len()).step_by(97) {
        fs::write(&bad, &good[..len]).unwrap();
        assert!(
            matches!(inspect(&bad), Err(Error::BackupDamaged { .. })),
            "{len}"
        );
    }
    let mut longer = good.clone();
    longer.push(0);
    fs::write(&bad, &longer).unwrap();
    assert!(matches!(inspect(&bad), Err(Error::BackupDamaged { .. })));
    let there = folder.path().join("there");
    assert!(put_back(&bad, &there).await.is_err());
    assert!(!there.join("journal").exists(), "nothing was written");
}

/// Chunks of a file: where each begins, its sort, its whole length.
fn chunks(bytes: &[u8]) -> Vec<(usize, u8, usize)> {
    let (mut at, mut found) = (8, Vec::new());
    while at < bytes.len() {
        let len = u32::from_be_bytes(bytes[at + 1..at + 5].try_into().unwrap()) as usize + 5;
        found.push((at, bytes[at], len));
        at += len;
    }
    found
}

/// Puts a right checksum at the end, as whoever forges one would.
fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - 37;
    let checksum = skms_crypto::Hash::Sha256.digest(&bytes[..end]);
    bytes.truncate(end + 5);
    bytes.extend(checksum);
    bytes
}

#[tokio::test]
async fn a_forger_without_the_root_key_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (store, journal, file) = sample(folder.path()).await;
    let later = folder.path().join("later");
    change(&store, &journal, 99).await;
    back_up(&store, &journal, &later).await;
    let (old, new) = (fs::read(&file).unwrap(), fs::read(&later).unwrap());
    let chunk = |bytes: &[u8], wanted: u8| {
        let (at, _, len) = chunks(bytes)
            .into_iter()
            .find(|(_, sort, _)| *sort == wanted)
            .unwrap();
        at..at + len
    };
    let forged = folder.path().join("forged");
    let keys = keys(&file).await;

    // One byte of a row, with a right checksum.
    let mut bytes = new.clone();
    let rows = chunk(&new, 3);
    bytes[rows.start + 5 + 60] ^= 1;
    fs::write(&forged, with_checksum(bytes)).unwrap();
    assert!(inspect(&forged).is_ok());
    assert!(keys.verify(&forged).is_err());

    // Older rows among newer events.
    let mut bytes = new[..rows.start].to_vec();
    bytes.extend_from_slice(&old[chunk(&old, 3)]);
    bytes.extend_from_slice(&new[rows.end..]);
    fs::write(&forged, with_checksum(bytes)).unwrap();
    // Counts in the summary show it already; with a right one the keys do.
    assert!(matches!(inspect(&forged), Err(Error::BackupDamaged { .. })));

    // Everything old but the keyed digest.
    let mut bytes = old.clone();
    bytes[chunk(&old, 6)].copy_from_slice(&new[chunk(&new, 6)]);
    fs::write(&forged, with_checksum(bytes)).unwrap();
    assert!(matches!(keys.verify(&forged), Err(Error::BackupForged)));

    // Restored without a secret, such rows do not open.
    let mut bytes = new.clone();
    bytes[rows.start + 5 + 60] ^= 1;
    fs::write(&forged, with_checksum(bytes)).unwrap();
    let there = folder.path().join("there");
    put_back(&forged, &there).await.unwrap();
    assert!(unseal(&there).await.is_err());
}

#[tokio::test]
async fn another_installs_backup_opens_with_another_seal_only() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, _journal, file) = sample(folder.path()).await;
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    let (_other_store, _other_journal, foreign) = sample(&other).await;
    let keys = keys(&file).await;
    assert!(keys.verify(&foreign).is_err());
    let opening = Opening::of(&file).unwrap();
    let wrong = opening
        .submit(SealInput::Passphrase(secret("another passphrase")))
        .await;
    assert!(matches!(wrong, Err(Error::WrongPassphrase)));
}

#[tokio::test]
async fn an_occupied_place_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, _journal, file) = sample(folder.path()).await;
    let there = folder.path().join("there");
    put_back(&file, &there).await.unwrap();
    let again = put_back(&file, &there).await;
    assert!(matches!(again, Err(Error::Occupied(_))));
    let back = unseal(&there).await.unwrap();
    assert!(back.verify().await.unwrap().is_sound());
    close(back).await;
    // A journal alone counts too.
    fs::remove_file(database(&there)).unwrap();
    let again = put_back(&file, &there).await;
    assert!(matches!(again, Err(Error::Occupied(_))));
}

#[tokio::test]
async fn nothing_planted_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, _journal, file) = sample(folder.path()).await;
    let bytes = fs::read(&file).unwrap();
    for planted in [
        "planted value",
        "planted-name-7",
        "planted event",
        PASSPHRASE,
    ] {
        let found = bytes
            .windows(planted.len())
            .any(|window| window == planted.as_bytes());
        assert!(!found, "{planted}");
    }
}

#[tokio::test]
async fn a_backup_survives_the_rotation_of_every_key() {
    let folder = tempfile::tempdir().unwrap();
    let (store, journal, file) = sample(folder.path()).await;
    store.rotate_root().await.unwrap();
    store.rotate_storage_key().await.unwrap();
    while store.reseal_some(50).await.unwrap().remaining > 0 {}
    change(&store, &journal, 99).await;
    let later = folder.path().join("later");
    back_up(&store, &journal, &later).await;
    // Each opens with the seal as it was then, by its own header.
    keys(&file).await.verify(&file).unwrap();
    keys(&later).await.verify(&later).unwrap();
    assert!(keys(&file).await.verify(&later).is_err());
}

#[tokio::test]
async fn a_journal_is_surveyed_without_being_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (store, journal, file) = sample(folder.path()).await;
    change(&store, &journal, 99).await;
    journal.close().await.unwrap();
    let directory = folder.path().join("here/journal");
    let counted = survey(&directory, None, 0, |_| {}).unwrap();
    assert_eq!((counted.entries, counted.opened), (32, 0));
    let keys = keys(&file).await;
    let mut later = Vec::new();
    let seen = survey(&directory, Some(&keys), 31, |stored| later.push(stored)).unwrap();
    assert_eq!(
        (seen.entries, seen.opened, seen.highest_commit),
        (32, 32, 32)
    );
    assert_eq!(later.len(), 1);
    assert_eq!(later[0].entry.id, [99; 16]);
    assert!(seen.unopened_segments.is_empty());
    assert_eq!(seen.install, Some(store.install()));
}
