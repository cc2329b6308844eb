//! No room left: what must get through does, and nothing half-done stays.

use std::sync::Arc;

use skms_store::file_journal::Options as JournalOptions;
use skms_store::sqlite::Options;
use skms_store::{Entry, Error, Journal, SealedStore, SqliteStore, Store};

use crate::common::*;

fn limited(directory: &std::path::Path) -> Arc<dyn Store> {
    let options = Options {
        readers: 1,
        reserve_bytes: 256 << 10,
        limit_bytes: Some(512 << 10),
        ..Options::default()
    };
    Arc::new(SqliteStore::open_with(database(directory), &options).unwrap())
}

#[tokio::test]
async fn urgent_commits_draw_on_the_reserve() {
    let directory = tempfile::tempdir().unwrap();
    let store = SealedStore::init(
        limited(directory.path()),
        vec![passphrase_seal("main", PASSPHRASE)],
    )
    .await
    .unwrap()
    .store;
    let reserve = directory.path().join("skms.db.reserve");
    assert_eq!(std::fs::metadata(&reserve).unwrap().len(), 256 << 10);
    store
        .commit(vec![put(0, None, None, "to be revoked")], None)
        .await
        .unwrap();
    let big = "x".repeat(20_000);
    let mut written = 0;
    let error = loop {
        match store
            .commit(vec![put(written + 1, None, None, &big)], None)
            .await
        {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100, "the limit holds");
    };
    assert!(matches!(error, Error::Full), "{error:?}");
    assert_eq!(value(&store, written + 1).await.unwrap(), None);
    assert!(matches!(
        store.commit(vec![put(200, None, None, &big)], None).await,
        Err(Error::Full)
    ));
    assert!(reserve.exists(), "ordinary commits leave the reserve alone");

    // Urgent and ordinary at once: only the urgent one passes.
    let (urgent, ordinary) = tokio::join!(
        store.commit_urgent(vec![put(0, None, Some(1), &big)], None),
        store.commit(vec![put(201, None, None, &big)], None),
    );
    urgent.unwrap();
    drop(ordinary);
    assert!(!reserve.exists());
    assert_eq!(value(&store, 0).await.unwrap().unwrap(), big);
    assert!(store.verify().await.unwrap().is_sound());
    close(store).await;

    let sealed = skms_store::Sealed::open(limited(directory.path()))
        .await
        .unwrap();
    let opened = sealed
        .submit(skms_store::SealInput::Passphrase(secret(PASSPHRASE)))
        .await
        .unwrap();
    let skms_store::sealed::Progress::Unsealed(store) = opened else {
        panic!("one passphrase suffices");
    };
    assert_eq!(value(&store, 0).await.unwrap().unwrap(), big);
    assert_eq!(value(&store, written).await.unwrap().unwrap(), big);
    assert!(reserve.exists(), "made again at the next start");
}

#[tokio::test]
async fn the_journal_keeps_a_segment_for_urgent_events() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    let options = JournalOptions {
        segments_max: Some(4),
        ..small_segments()
    };
    let (journal, _) = open_journal(&store, directory.path(), &options).unwrap();
    let entry = |number: u16| {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        Entry {
            id,
            salt: [0; 32],
            bytes: vec![1; 400],
            commit: None,
        }
    };
    let mut ordinary = 0;
    let error = loop {
        match journal.append(vec![entry(ordinary)]) {
            Ok(ticket) => {
                ticket.wait().await.unwrap();
                ordinary += 1;
            }
            Err(error) => break error,
        }
        assert!(ordinary < 100);
    };
    assert!(matches!(error, Error::Full), "{error:?}");
    let mut urgent = 0;
    while let Ok(ticket) = journal.append_as(vec![entry(1000 + urgent)], true) {
        ticket.wait().await.unwrap();
        urgent += 1;
    }
    assert!(urgent >= 4, "{urgent} urgent events");
    let durable = u64::from(ordinary + urgent);
    assert_eq!(journal.durable_sequence(), durable);
    assert_eq!(journal.verify().await.unwrap().entries, durable);
    journal.close().await.unwrap();
    let (journal, report) = open_journal(&store, directory.path(), &options).unwrap();
    assert_eq!(report.entries, durable);
    assert!(journal.append(vec![entry(9)]).is_err());

    // Room again: everything goes on.
    drop(journal);
    let (journal, _) = open_journal(&store, directory.path(), &small_segments()).unwrap();
    journal
        .append(vec![entry(9)])
        .unwrap()
        .wait()
        .await
        .unwrap();
}
