//! What the simulation once found, each by itself, and the disk itself.

use std::path::Path;
use std::sync::Arc;

use skms_crypto::SecretArray;
use skms_store::file_journal::{FileJournal, OpenReport, Options as JournalOptions};
use skms_store::sealed::Progress;
use skms_store::simulation::{Faults, Loss, SimulatedDisk};
use skms_store::sqlite::Options;
use skms_store::{
    Disk, Entry, Error, Journal, NewSeal, SealInput, Sealed, SealedStore, SqliteStore,
};

use crate::common::{delete, put, value};

const KEY: [u8; 32] = [5; 32];

fn open(disk: &Arc<SimulatedDisk>) -> Result<Arc<SqliteStore>, Error> {
    let options = Options {
        reserve_bytes: 0,
        disk: Disk::simulated(Arc::clone(disk)),
        ..Options::default()
    };
    SqliteStore::open_with("/simulated/skms.db", &options).map(Arc::new)
}

async fn init(disk: &Arc<SimulatedDisk>) -> SealedStore {
    let seal = NewSeal::KeyFile {
        name: "main".into(),
        key: SecretArray::from_slice(&KEY).unwrap(),
    };
    SealedStore::init(open(disk).unwrap(), vec![seal])
        .await
        .unwrap()
        .store
}

async fn unseal(disk: &Arc<SimulatedDisk>) -> SealedStore {
    let sealed = Sealed::open(open(disk).unwrap()).await.unwrap();
    let input = SealInput::KeyFile(SecretArray::from_slice(&KEY).unwrap());
    match sealed.submit(input).await.unwrap() {
        Progress::Unsealed(store) => store,
        waiting => panic!("{waiting:?}"),
    }
}

fn open_journal(
    disk: &Arc<SimulatedDisk>,
    store: &SealedStore,
) -> Result<(FileJournal, OpenReport), Error> {
    let options = JournalOptions {
        segment_bytes: 4096,
        disk: Disk::simulated(Arc::clone(disk)),
        ..JournalOptions::default()
    };
    FileJournal::open("/simulated/journal", store.journal_keys(), &options)
}

fn entry(number: u8) -> Entry {
    Entry {
        id: [number; 16],
        salt: [number; 32],
        bytes: vec![number; 100],
        commit: None,
    }
}

/// The second rotation made another key for the same term, and sealed the
/// heads under the first's, which nobody kept: the store never opened again.
#[test]
fn a_rotation_that_found_no_room_leaves_the_next_one_whole() {
    let disk = SimulatedDisk::new(1);
    disk.live(async {
        let store = init(&disk).await;
        store
            .commit(vec![put(1, None, None, "one")], None)
            .await
            .unwrap();
        disk.set_room(Some(0));
        let full = store.rotate_storage_key().await;
        assert!(matches!(full, Err(Error::Full)), "{full:?}");
        disk.set_room(None);
        assert_eq!(store.rotate_storage_key().await.unwrap(), 2);
        store
            .commit(vec![put(2, None, None, "two")], None)
            .await
            .unwrap();
        assert!(store.verify().await.unwrap().is_sound());
    })
    .unwrap();
    disk.restart(Loss::Power);
    disk.live(async {
        let store = unseal(&disk).await;
        assert_eq!(value(&store, 1).await.unwrap().unwrap(), "one");
        assert_eq!(value(&store, 2).await.unwrap().unwrap(), "two");
        assert!(store.verify().await.unwrap().is_sound());
    })
    .unwrap();
}

#[test]
fn what_was_committed_survives_power_and_what_was_not_is_whole() {
    for seed in 0..20 {
        let disk = SimulatedDisk::new(seed);
        let mut acknowledged = 0;
        disk.live(async {
            let store = init(&disk).await;
            disk.crash_after(Some(seed * 7));
            for number in 0..60 {
                let kept = store.commit(vec![put(number, None, None, "kept")], None);
                if kept.await.is_err() {
                    break;
                }
                acknowledged = number + 1;
            }
        })
        .unwrap();
        disk.restart(Loss::Power);
        disk.live(async {
            let store = unseal(&disk).await;
            for number in 0..acknowledged {
                let found = value(&store, number).await.unwrap();
                assert_eq!(found.as_deref(), Some("kept"), "seed {seed}, {number}");
            }
            assert!(store.verify().await.unwrap().is_sound(), "seed {seed}");
            store
                .commit(vec![delete(0, 1)], None)
                .await
                .unwrap_or_else(|error| {
                    assert_eq!(acknowledged, 0, "seed {seed}: {error}");
                    skms_store::sealed::Committed {
                        revisions: Vec::new(),
                        commit: 0,
                    }
                });
        })
        .unwrap();
    }
}

/// A header of which a failing write left a part was taken for another
/// install's.
#[test]
fn part_of_a_header_without_entries_is_what_a_failed_write_left() {
    let disk = SimulatedDisk::new(2);
    disk.live(async {
        let store = init(&disk).await;
        let (journal, _) = open_journal(&disk, &store).unwrap();
        journal.close().await.unwrap();
        drop(journal);
        // "SKMSJNL", the format, and a byte of the install.
        let mut part = b"SKMSJNL\x01".to_vec();
        part.push(store.install()[0]);
        disk.overwrite(Path::new("/simulated/journal/000000000001.segment"), &part);
        let (journal, report) = open_journal(&disk, &store).unwrap();
        assert_eq!(report.entries, 0);
        journal
            .append(vec![entry(1)])
            .unwrap()
            .wait()
            .await
            .unwrap();
        journal.close().await.unwrap();
    })
    .unwrap();
}

#[test]
fn a_journal_on_a_failing_disk_acknowledges_only_what_it_has() {
    for seed in 0..40 {
        let disk = SimulatedDisk::new(seed);
        let mut acknowledged = 0;
        disk.live(async {
            let store = init(&disk).await;
            let (journal, _) = open_journal(&disk, &store).unwrap();
            disk.set_faults(Faults {
                syncs: 12,
                writes: 12,
                ..Faults::default()
            });
            for number in 0..30 {
                let Ok(ticket) = journal.append(vec![entry(number)]) else {
                    break;
                };
                if ticket.wait().await.is_err() {
                    break;
                }
                acknowledged = u64::from(number) + 1;
            }
            disk.set_faults(Faults::default());
        })
        .unwrap();
        // The process is started again, and goes on where it thinks it was;
        // only then is power lost.
        for loss in [Loss::Process, Loss::Power] {
            disk.restart(loss);
            disk.live(async {
                let store = unseal(&disk).await;
                let (journal, report) = open_journal(&disk, &store).unwrap();
                assert!(report.entries >= acknowledged, "seed {seed} after {loss:?}");
                journal
                    .append(vec![entry(200)])
                    .unwrap()
                    .wait()
                    .await
                    .unwrap();
                acknowledged = report.entries + 1;
                journal.verify().await.unwrap();
            })
            .unwrap();
        }
        assert_eq!(disk.reused_nonces(), Vec::<String>::new(), "seed {seed}");
    }
}
