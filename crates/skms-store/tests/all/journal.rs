//! The journal's files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use skms_crypto::rest::RecordKey;
use skms_store::conformance::journal_suite;
use skms_store::file_journal::{FileJournal, OpenReport, Options, SegmentKeys};
use skms_store::{Entry, Error, Journal};

use crate::common::{copy, small_segments};

struct Fixed([u8; 16]);

impl SegmentKeys for Fixed {
    fn install(&self) -> [u8; 16] {
        self.0
    }

    fn current_term(&self) -> Result<u32, Error> {
        Ok(1)
    }

    fn segment_key(&self, term: u32, segment: u64, salt: &[u8; 32]) -> Result<RecordKey, Error> {
        let info: [&[u8]; 3] = [&term.to_be_bytes(), &segment.to_be_bytes(), salt];
        Ok(RecordKey::derive(&[3; 32], &self.0, &info)?)
    }
}

fn open_as(
    install: u8,
    directory: &Path,
    options: &Options,
) -> Result<(FileJournal, OpenReport), Error> {
    FileJournal::open(directory, Arc::new(Fixed([install; 16])), options)
}

fn open(directory: &Path) -> Result<(FileJournal, OpenReport), Error> {
    open_as(1, directory, &small_segments())
}

fn entry(number: u64) -> Entry {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Entry {
        id,
        salt: [9; 32],
        bytes: format!("event {number}").into_bytes(),
        commit: Some(number),
    }
}

async fn append(journal: &FileJournal, numbers: impl IntoIterator<Item = u64>) {
    let entries = numbers.into_iter().map(entry).collect();
    journal.append(entries).unwrap().wait().await.unwrap();
}

async fn numbers(journal: &FileJournal) -> Vec<u64> {
    let read = journal.read(0, 10_000).await.unwrap();
    for (expected, stored) in (0..).zip(&read) {
        assert_eq!(stored.sequence, expected);
    }
    read.iter()
        .map(|stored| u64::from_be_bytes(stored.entry.id[..8].try_into().unwrap()))
        .collect()
}

fn segment(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:012}.segment"))
}

/// Where a segment's last frame ends. Not at its last byte that is not zero: one
/// tag in 256 ends in a zero.
fn end_of_frames(bytes: &[u8]) -> usize {
    let mut end = bytes
        .windows(4)
        .position(|at| at == b"SKFE" || at == b"SKFM")
        .unwrap();
    while bytes[end..].starts_with(b"SKF") {
        let len = u32::from_be_bytes(bytes[end + 4..end + 8].try_into().unwrap());
        end += 24 + len as usize;
    }
    end
}

/// Drops a journal as a crash would: no mark at its end.
async fn crash(journal: FileJournal, directory: &Path) -> tempfile::TempDir {
    let left = tempfile::tempdir().unwrap();
    copy(directory, left.path());
    drop(journal);
    left
}

#[tokio::test]
async fn passes_the_suite() {
    let directory = tempfile::tempdir().unwrap();
    let count = AtomicU32::new(0);
    let make = |options: Options| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let path = directory.path().join(number.to_string());
        let (journal, _) = open_as(1, &path, &options).unwrap();
        Arc::new(journal) as Arc<dyn Journal>
    };
    journal_suite(|| async { make(Options::default()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_suite_on_threads() {
    let directory = tempfile::tempdir().unwrap();
    let count = AtomicU32::new(0);
    journal_suite(|| async {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let path = directory.path().join(number.to_string());
        let options = Options {
            segment_bytes: 3 << 20,
            ..Options::default()
        };
        let (journal, _) = open_as(1, &path, &options).unwrap();
        Arc::new(journal) as Arc<dyn Journal>
    })
    .await;
}

/// The writer waits a moment for those it has just answered; that they are
/// gone must not keep it from whoever comes instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_comes_alone_after_a_crowd_is_served() {
    const CROWD: u64 = 8;
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = open(directory.path()).unwrap();
    for round in 0..20 {
        let first = round * (CROWD + 2);
        let crowd = (first..first + CROWD)
            .map(|number| journal.append(vec![entry(number)]).unwrap().wait());
        for waits in crowd.collect::<Vec<_>>() {
            waits.await.unwrap();
        }
        append(&journal, [first + CROWD]).await;
        let urgent = vec![entry(first + CROWD + 1)];
        journal
            .append_as(urgent, true)
            .unwrap()
            .wait()
            .await
            .unwrap();
    }
    let all: Vec<u64> = (0..20 * (CROWD + 2)).collect();
    assert_eq!(numbers(&journal).await, all);
    journal.close().await.unwrap();
}

#[tokio::test]
async fn goes_on_where_it_stopped_over_many_segments() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..6 {
        let (journal, report) = open(directory.path()).unwrap();
        assert_eq!(report.entries, round * 50);
        assert_eq!(report.truncated_bytes, 0);
        assert_eq!(journal.durable_sequence(), round * 50);
        assert_eq!(
            journal.highest_commit(),
            if round == 0 { 0 } else { round * 50 - 1 }
        );
        for number in 0..50 {
            append(&journal, [round * 50 + number]).await;
        }
        if round % 2 == 0 {
            journal.close().await.unwrap();
        }
    }
    let (journal, report) = open(directory.path()).unwrap();
    assert!(report.segments > 5, "{report:?}");
    assert_eq!(numbers(&journal).await, (0..300).collect::<Vec<_>>());
    let verified = journal.verify().await.unwrap();
    assert_eq!(
        (verified.entries, verified.segments),
        (300, report.segments)
    );
    // Only what was asked for is known by id, and that for certain.
    drop(journal);
    let options = Options {
        ids_from: 250,
        ids_kept: 0,
        ..small_segments()
    };
    let (journal, _) = open_as(1, directory.path(), &options).unwrap();
    for number in 250..300 {
        assert!(journal.contains(entry(number).id).await.unwrap());
    }
    assert!(!journal.contains(entry(0).id).await.unwrap());
}

#[tokio::test]
async fn a_torn_tail_is_cut_off_at_every_byte() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = open(directory.path()).unwrap();
    append(&journal, [0, 1]).await;
    append(&journal, [2]).await;
    let end_of_durable = {
        let bytes = std::fs::read(segment(directory.path(), 1)).unwrap();
        end_of_frames(&bytes)
    };
    append(&journal, [3, 4]).await;
    let left = crash(journal, directory.path()).await;
    let whole = std::fs::read(segment(left.path(), 1)).unwrap();
    let end = end_of_frames(&whole);

    let scratch = tempfile::tempdir().unwrap();
    for cut in end_of_durable..=end {
        for zeros in [false, true] {
            copy(left.path(), scratch.path());
            let mut bytes = whole.clone();
            if zeros {
                bytes[cut..].fill(0);
            } else {
                bytes.truncate(cut);
            }
            std::fs::write(segment(scratch.path(), 1), bytes).unwrap();
            let (journal, report) = open(scratch.path()).unwrap();
            let found = numbers(&journal).await;
            assert!(
                (3..=5).contains(&found.len())
                    && found == (0..found.len() as u64).collect::<Vec<_>>(),
                "cut at {cut}: {found:?}"
            );
            assert_eq!(report.entries, found.len() as u64);
            append(&journal, [77]).await;
            assert_eq!(journal.verify().await.unwrap().entries, report.entries + 1);
            drop(journal);
            // And it is whole again for the next one.
            let (journal, report) = open(scratch.path()).unwrap();
            assert_eq!(report.truncated_bytes, 0);
            assert_eq!(numbers(&journal).await.last(), Some(&77));
            drop(journal);
            for entry in std::fs::read_dir(scratch.path()).unwrap() {
                std::fs::remove_file(entry.unwrap().path()).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn garbage_after_the_tail_is_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = open(directory.path()).unwrap();
    append(&journal, 0..3).await;
    let left = crash(journal, directory.path()).await;
    let path = segment(left.path(), 1);
    let mut bytes = std::fs::read(&path).unwrap();
    let end = end_of_frames(&bytes);
    bytes[end..end + 100].fill(0x53);
    std::fs::write(&path, bytes).unwrap();
    let (journal, report) = open(left.path()).unwrap();
    assert!(report.truncated_bytes > 0);
    assert_eq!(numbers(&journal).await, [0, 1, 2]);
    append(&journal, [3]).await;
    drop(journal);
    let (journal, report) = open(left.path()).unwrap();
    assert_eq!((report.segments, report.truncated_bytes), (2, 0));
    assert_eq!(numbers(&journal).await, [0, 1, 2, 3]);
}

#[tokio::test]
async fn damage_to_what_was_durable_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = open(directory.path()).unwrap();
    append(&journal, 0..3).await;
    // A clean stop: its mark shows that all before it was durable.
    journal.close().await.unwrap();
    let path = segment(directory.path(), 1);
    let whole = std::fs::read(&path).unwrap();
    let end = end_of_frames(&whole);
    let mark = 24 + 16;
    for at in 0..end - mark {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&path, bytes).unwrap();
        let error = open(directory.path()).map(drop).unwrap_err();
        assert!(
            matches!(
                error,
                Error::JournalCorrupt { segment: 1, .. }
                    | Error::OtherInstall { .. }
                    | Error::Newer { .. }
                    | Error::Malformed(_)
            ),
            "byte {at}: {error:?}"
        );
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(numbers(&open(directory.path()).unwrap().0).await, [0, 1, 2]);
}

/// Six segments and some of ready ones.
async fn several(directory: &Path, install: u8) {
    let (journal, _) = open_as(install, directory, &small_segments()).unwrap();
    for number in 0..200 {
        append(&journal, [number]).await;
    }
    journal.close().await.unwrap();
}

fn refused(directory: &Path) -> Error {
    open(directory).map(drop).unwrap_err()
}

#[tokio::test]
async fn missing_replayed_and_transplanted_segments_are_refused() {
    let original = tempfile::tempdir().unwrap();
    several(original.path(), 1).await;
    let other = tempfile::tempdir().unwrap();
    several(other.path(), 1).await;
    let foreign = tempfile::tempdir().unwrap();
    several(foreign.path(), 2).await;
    let segments = {
        let (journal, report) = open(original.path()).unwrap();
        drop(journal);
        report.segments
    };
    assert!(segments >= 5, "{segments}");

    let scratch = tempfile::tempdir().unwrap();
    let fresh = || {
        for entry in std::fs::read_dir(scratch.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        copy(original.path(), scratch.path());
    };
    for number in 1..segments {
        fresh();
        std::fs::remove_file(segment(scratch.path(), number)).unwrap();
        assert!(matches!(
            refused(scratch.path()),
            Error::JournalCorrupt {
                what: "the segment is missing",
                ..
            }
        ));
        // Emptied instead of removed.
        fresh();
        std::fs::write(segment(scratch.path(), number), vec![0; 4096]).unwrap();
        assert!(matches!(
            refused(scratch.path()),
            Error::JournalCorrupt { .. }
        ));
        // Another segment of the same journal in its place.
        fresh();
        std::fs::copy(
            segment(original.path(), number + 1),
            segment(scratch.path(), number),
        )
        .unwrap();
        assert!(matches!(
            refused(scratch.path()),
            Error::JournalCorrupt { .. }
        ));
        // The same segment of another install's journal.
        fresh();
        std::fs::copy(
            segment(foreign.path(), number),
            segment(scratch.path(), number),
        )
        .unwrap();
        assert!(matches!(
            refused(scratch.path()),
            Error::OtherInstall { .. }
        ));
        // The same segment of a journal made anew with the same keys: found
        // at once where it joins the last ones, and by verifying elsewhere.
        fresh();
        std::fs::copy(
            segment(other.path(), number),
            segment(scratch.path(), number),
        )
        .unwrap();
        match open(scratch.path()) {
            Err(error) => assert!(matches!(error, Error::JournalCorrupt { .. })),
            Ok((journal, _)) => assert!(matches!(
                journal.verify().await,
                Err(Error::JournalCorrupt { .. })
            )),
        }
    }
    fresh();
    assert_eq!(open(scratch.path()).unwrap().1.entries, 200);
}

#[tokio::test]
async fn damage_in_an_old_segment_is_found_by_reading_and_verifying() {
    let directory = tempfile::tempdir().unwrap();
    several(directory.path(), 1).await;
    let path = segment(directory.path(), 2);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let options = Options {
        ids_from: 190,
        ..small_segments()
    };
    let (journal, _) = open_as(1, directory.path(), &options).unwrap();
    for result in [
        journal.read(0, 1000).await.map(drop),
        journal.verify().await.map(drop),
    ] {
        assert!(matches!(
            result,
            Err(Error::JournalCorrupt { segment: 2, .. })
        ));
    }
    // What does not need the damaged part still works.
    append(&journal, [200]).await;
    assert_eq!(journal.read(199, 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn pages_from_anywhere_have_what_was_written_whatever_its_length() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::default();
    let (journal, _) = open_as(1, directory.path(), &options).unwrap();
    // Frames that end within, at and beyond what is read at once.
    let lengths = [1, 70_000, 130_900, 131_072, 400_000, 5, 1_000_000, 64];
    let sized = |number: u64| Entry {
        bytes: vec![number as u8; lengths[number as usize % lengths.len()]],
        ..entry(number)
    };
    let count = 60;
    let all: Vec<Entry> = (0..count).map(sized).collect();
    for some in all.chunks(4) {
        let written = journal.append(some.to_vec()).unwrap();
        written.wait().await.unwrap();
    }
    for from in (0..=count).rev() {
        for limit in [1, 7, 1000] {
            let page = journal.read(from, limit).await.unwrap();
            let expected = all.iter().skip(from as usize).take(limit);
            assert_eq!(page.len(), expected.len(), "{limit} from {from}");
            for ((stored, expected), number) in page.iter().zip(expected).zip(from..) {
                assert_eq!(stored.sequence, number);
                assert!(stored.entry == *expected, "{number}");
            }
        }
    }
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = open(directory.path()).unwrap();
    assert!(matches!(refused(directory.path()), Error::InUse { .. }));
    journal.close().await.unwrap();
    open(directory.path()).unwrap();
}

#[tokio::test]
async fn what_a_crash_left_of_a_segment_in_the_making_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    several(directory.path(), 1).await;
    let files = std::fs::read_dir(directory.path()).unwrap().count() as u64 - 1;
    for len in [0, 1, 100, 4095] {
        std::fs::write(segment(directory.path(), files + 1), vec![0; len]).unwrap();
        let (journal, report) = open(directory.path()).unwrap();
        assert_eq!(report.entries, 200);
        drop(journal);
        std::fs::remove_file(segment(directory.path(), files + 1)).unwrap_or_default();
    }
    // A header that was being written when the power went.
    let number = open(directory.path()).unwrap().1.segments + 1;
    let path = segment(directory.path(), number);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..50].fill(0x41);
    std::fs::write(&path, bytes).unwrap();
    let (journal, report) = open(directory.path()).unwrap();
    assert_eq!(report.entries, 200);
    assert!(report.truncated_bytes > 0);
    for number in 200..260 {
        append(&journal, [number]).await;
    }
    drop(journal);
    assert_eq!(open(directory.path()).unwrap().1.entries, 260);
}

#[test]
fn parsers_of_files_and_inputs_do_not_panic() {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};
    let targets: [fn(&[u8]); 5] = [
        skms_store::fuzzing::journal_segment,
        skms_store::fuzzing::journal_frame,
        skms_store::fuzzing::store_header,
        skms_store::fuzzing::share_text,
        skms_store::fuzzing::key_file,
    ];
    let starts: [&[u8]; 5] = [
        b"SKMSJNL\x01",
        b"SKFE\0\0\0\x50",
        b"SKMSHDR\x01",
        b"skms-share-",
        b"",
    ];
    let mut runner = TestRunner::new(Config::with_cases(300));
    runner
        .run(
            &(0..5_usize, prop::collection::vec(any::<u8>(), 0..600)),
            |(target, bytes)| {
                targets[target](&bytes);
                let mut started = starts[target].to_vec();
                started.extend_from_slice(&bytes);
                targets[target](&started);
                Ok(())
            },
        )
        .unwrap();
}
