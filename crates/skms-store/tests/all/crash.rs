//! `kill -9` in the middle of writing, again and again on the same files.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use skms_store::file_journal::Options;
use skms_store::sealed::OutboxEvent;
use skms_store::{Change, Journal, Kind, RecordId, SealedStore};

use crate::common::*;

const DIRECTORY: &str = "SKMS_STORE_CRASH_DIRECTORY";
const KILLS: u64 = 6;
const WRITERS: u64 = 4;

fn id_of(number: u64, half: u8) -> RecordId {
    let mut id = [half; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    RecordId(id)
}

fn pair(number: u64) -> Vec<Change> {
    (0..2)
        .map(|half| Change::Put {
            namespace: NS,
            kind: Kind::Key,
            id: id_of(number, half),
            name: Some(format!("{number}-{half}")),
            expected: None,
            plaintext: secret(&number.to_string()),
        })
        .collect()
}

async fn open_both(directory: &Path) -> (SealedStore, skms_store::FileJournal) {
    let store = unseal(directory).await.unwrap();
    let options = Options {
        segment_bytes: 64 << 10,
        ids_from: store.journal_position().floor,
        ..Options::default()
    };
    let (journal, _) = open_journal(&store, directory, &options).unwrap();
    store.recover(&journal).await.unwrap();
    (store, journal)
}

fn tell(number: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "done {number}").unwrap();
    out.flush().unwrap();
}

/// Not a test of its own: writes until killed, when the parent asks it to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let (store, journal) = open_both(Path::new(&directory)).await;
    let journal = std::sync::Arc::new(journal);
    let start = store.commits() * 1000;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, journal) = (store.clone(), std::sync::Arc::clone(&journal));
            tokio::spawn(async move {
                let mut number = start + writer;
                for _ in 0..1_000_000 {
                    let event = OutboxEvent {
                        id: id_of(number, 9).0,
                        salt: [1; 32],
                        bytes: number.to_string().into_bytes(),
                    };
                    let done = store.commit(pair(number), Some(event.clone())).await;
                    let id = event.id;
                    let entry = event.into_entry(done.unwrap().commit);
                    journal.append(vec![entry]).unwrap().wait().await.unwrap();
                    // Acknowledged.
                    tell(number);
                    let durable = journal.durable_sequence();
                    store.mark_done(&[id], durable).await.unwrap();
                    if number % 8 == writer {
                        store.reseal_some(50).await.unwrap();
                    }
                    if number % 64 == writer {
                        store.rotate_storage_key().await.unwrap();
                    }
                    number += WRITERS;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn every_acknowledged_change_survives_and_no_half_of_one() {
    let directory = tempfile::tempdir().unwrap();
    close(init(directory.path()).await).await;
    let mut acknowledged = Vec::new();
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::child", "--exact", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut seen, wanted) = (0, 20 + kill * 7);
        for line in lines {
            let line = line.unwrap();
            let Some(number) = line
                .split_once("done ")
                .and_then(|(_, number)| number.parse::<u64>().ok())
            else {
                continue;
            };
            acknowledged.push(number);
            seen += 1;
            if seen == wanted {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= wanted, "the child stopped by itself after {seen}");

        let (store, journal) = open_both(directory.path()).await;
        let report = store.verify().await.unwrap();
        assert!(report.is_sound(), "{:?}", report.faults);
        assert_eq!(store.waiting_events(), 0);
        journal.verify().await.unwrap();
        let events = journal.read(0, usize::MAX).await.unwrap();
        let mut ids: Vec<_> = events.iter().map(|stored| stored.entry.id).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count, "no event twice");
        for number in &acknowledged {
            for half in 0..2 {
                let record = store.get(NS, Kind::Key, id_of(*number, half)).await;
                let record = record.unwrap().unwrap();
                assert_eq!(record.plaintext.expose(), number.to_string().as_bytes());
            }
            assert!(ids.binary_search(&id_of(*number, 9).0).is_ok());
        }
        // Every change is whole, and has its event.
        let records = store.scan(NS, Kind::Key, None, usize::MAX).await.unwrap();
        assert_eq!(records.len(), count * 2);
        journal.close().await.unwrap();
        close(store).await;
    }
}
