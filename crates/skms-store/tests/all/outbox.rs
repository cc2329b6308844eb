//! Events between database and journal, and what each knows of the other.

use skms_store::file_journal::Options;
use skms_store::sealed::OutboxEvent;
use skms_store::{Entry, Error, Journal};

use crate::common::*;

fn event(number: u8) -> OutboxEvent {
    OutboxEvent {
        id: [number; 16],
        salt: [number; 32],
        bytes: format!("event {number}").into_bytes(),
    }
}

#[tokio::test]
async fn events_left_by_a_crash_are_fed_once_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    let (journal, _) = open_journal(&store, directory.path(), &small_segments()).unwrap();
    for number in (1..=5).rev() {
        store
            .commit(vec![put(number, None, None, "v")], Some(event(number)))
            .await
            .unwrap();
    }
    let pending = store.pending().await.unwrap();
    assert_eq!(pending.len(), 5);
    assert_eq!(pending[0].event, event(5));
    // The crash came after the journal had the first two.
    let some: Vec<Entry> = pending.into_iter().take(2).map(Entry::from).collect();
    journal.append(some).unwrap().wait().await.unwrap();
    drop(journal);
    close(store).await;

    let store = unseal(directory.path()).await.unwrap();
    let options = Options {
        ids_from: store.journal_position().floor,
        ..small_segments()
    };
    let (journal, report) = open_journal(&store, directory.path(), &options).unwrap();
    assert_eq!(report.entries, 2);
    let recovered = store.recover(&journal).await.unwrap();
    assert_eq!((recovered.fed, recovered.already_there), (3, 2));
    let again = store.recover(&journal).await.unwrap();
    assert_eq!((again.fed, again.already_there), (0, 0));
    assert_eq!(store.waiting_events(), 0);
    assert_eq!(store.journal_position().durable, 5);
    let entries = journal.read(0, 10).await.unwrap();
    let numbers: Vec<u8> = entries.iter().map(|stored| stored.entry.id[0]).collect();
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
    assert!(entries.iter().all(|stored| stored.entry.commit.is_some()));
    assert_eq!(entries[0].entry.bytes, b"event 5");
    assert!(store.verify().await.unwrap().is_sound());
}

#[tokio::test]
async fn marking_done_may_be_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    for number in 1..=3 {
        store.commit(Vec::new(), Some(event(number))).await.unwrap();
    }
    assert!(store.commit(Vec::new(), Some(event(3))).await.is_err());
    assert_eq!(store.waiting_events(), 3);
    store.mark_done(&[[1; 16]], 1).await.unwrap();
    store
        .mark_done(&[[1; 16], [2; 16], [9; 16]], 2)
        .await
        .unwrap();
    assert_eq!(store.pending().await.unwrap().len(), 1);
    assert_eq!(store.waiting_events(), 1);
    assert_eq!(store.journal_position().durable, 2);
    assert_eq!(store.journal_position().floor, 0, "event 3 may be anywhere");
    store.mark_done(&[[3; 16]], 3).await.unwrap();
    assert!(store.journal_position().floor > 0);
    assert!(store.verify().await.unwrap().is_sound());
}

/// One change, its event in the journal, the outbox emptied.
async fn whole_act(store: &skms_store::SealedStore, journal: &dyn Journal, number: u8) {
    let done = store
        .commit(vec![put(number, None, None, "v")], Some(event(number)))
        .await
        .unwrap();
    let entry = event(number).into_entry(done.commit);
    journal.append(vec![entry]).unwrap().wait().await.unwrap();
    store
        .mark_done(&[event(number).id], journal.durable_sequence())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_database_rolled_back_alone_is_found() {
    let (directory, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = init(directory.path()).await;
    let (journal, _) = open_journal(&store, directory.path(), &small_segments()).unwrap();
    whole_act(&store, &journal, 1).await;
    drop(journal);
    close(store).await;
    copy(directory.path(), old.path());

    let store = unseal(directory.path()).await.unwrap();
    let (journal, _) = open_journal(&store, directory.path(), &small_segments()).unwrap();
    store.recover(&journal).await.unwrap();
    whole_act(&store, &journal, 2).await;
    drop(journal);
    close(store).await;

    std::fs::copy(database(old.path()), database(directory.path())).unwrap();
    let store = unseal(directory.path()).await.unwrap();
    let (journal, _) = open_journal(&store, directory.path(), &small_segments()).unwrap();
    assert!(matches!(
        store.recover(&journal).await,
        Err(Error::RolledBack { .. })
    ));
}

#[tokio::test]
async fn a_journal_cut_short_alone_is_found() {
    let (directory, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = init(directory.path()).await;
    let (journal, _) = open_journal(&store, directory.path(), &small_segments()).unwrap();
    whole_act(&store, &journal, 1).await;
    drop(journal);
    copy(&directory.path().join("journal"), old.path());
    let (journal, _) = open_journal(&store, directory.path(), &small_segments()).unwrap();
    whole_act(&store, &journal, 2).await;
    drop(journal);

    std::fs::remove_dir_all(directory.path().join("journal")).unwrap();
    copy(old.path(), &directory.path().join("journal"));
    let (journal, _) = open_journal(&store, directory.path(), &small_segments()).unwrap();
    assert!(matches!(
        store.recover(&journal).await,
        Err(Error::JournalCut {
            journal: 1,
            database: 2
        })
    ));
}

/// Events that record no change, such as reads and refusals.
async fn append_only(journal: &dyn Journal, numbers: std::ops::RangeInclusive<u8>) {
    for number in numbers {
        let entry = Entry {
            commit: None,
            ..event(number).into_entry(0)
        };
        journal.append(vec![entry]).unwrap().wait().await.unwrap();
    }
}

#[tokio::test]
async fn a_tail_cut_after_the_last_change_is_found_once_it_was_noted() {
    let (directory, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = init(directory.path()).await;
    let (journal, _) = open_journal(&store, directory.path(), &small_segments()).unwrap();
    whole_act(&store, &journal, 1).await;
    append_only(&journal, 2..=3).await;
    drop(journal);
    copy(&directory.path().join("journal"), old.path());
    let (journal, _) = open_journal(&store, directory.path(), &small_segments()).unwrap();
    append_only(&journal, 4..=6).await;

    let commits = store.commits();
    store
        .note_journal(journal.durable_sequence())
        .await
        .unwrap();
    assert_eq!(store.commits(), commits + 1);
    assert_eq!(store.journal_position().durable, 6);
    // Nothing new, nothing older: no commit.
    for known in [6, 5, 0] {
        store.note_journal(known).await.unwrap();
    }
    assert_eq!(store.commits(), commits + 1);
    store.recover(&journal).await.unwrap();
    drop(journal);
    close(store).await;

    std::fs::remove_dir_all(directory.path().join("journal")).unwrap();
    copy(old.path(), &directory.path().join("journal"));
    let store = unseal(directory.path()).await.unwrap();
    let (journal, _) = open_journal(&store, directory.path(), &small_segments()).unwrap();
    assert!(matches!(
        store.recover(&journal).await,
        Err(Error::JournalCut {
            journal: 3,
            database: 6
        })
    ));
}

#[tokio::test]
async fn noting_the_journal_leaves_waiting_events_where_they_may_be() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    store.commit(Vec::new(), Some(event(1))).await.unwrap();
    store.note_journal(9).await.unwrap();
    let position = store.journal_position();
    assert_eq!((position.floor, position.durable), (0, 9));
    assert_eq!(store.pending().await.unwrap().len(), 1);
    assert!(store.verify().await.unwrap().is_sound());
}

#[tokio::test]
async fn a_journal_of_another_install_is_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = init(one.path()).await;
    let (journal, _) = open_journal(&store, one.path(), &small_segments()).unwrap();
    whole_act(&store, &journal, 1).await;
    drop(journal);
    let other = init(two.path()).await;
    copy(&one.path().join("journal"), &two.path().join("journal"));
    assert!(matches!(
        open_journal(&other, two.path(), &small_segments()),
        Err(Error::OtherInstall { .. })
    ));
}

#[tokio::test]
async fn journal_segments_open_after_the_storage_key_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    let (journal, _) = open_journal(&store, directory.path(), &small_segments()).unwrap();
    whole_act(&store, &journal, 1).await;
    store.rotate_storage_key().await.unwrap();
    while store.reseal_some(100).await.unwrap().remaining > 0 {}
    whole_act(&store, &journal, 2).await;
    assert_eq!(journal.read(0, 9).await.unwrap().len(), 2);
    let report = journal.verify().await.unwrap();
    assert_eq!(
        (report.entries, report.segments),
        (2, 2),
        "a term, a segment"
    );
    assert_eq!(journal.oldest_term(), Some(1));
    drop(journal);
    close(store).await;
    let store = unseal(directory.path()).await.unwrap();
    let (journal, report) = open_journal(&store, directory.path(), &small_segments()).unwrap();
    assert_eq!(report.entries, 2);
    store.recover(&journal).await.unwrap();
}
