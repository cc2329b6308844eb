//! Keys change while everything runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use skms_store::{Error, Kind, NewSeal, RecordId, SealInput, SealedStore};

use crate::common::*;

async fn reseal_all(store: &SealedStore, limit: usize) -> u64 {
    let mut resealed = 0;
    for _ in 0..10_000 {
        let step = store.reseal_some(limit).await.unwrap();
        resealed += step.resealed;
        if step.remaining == 0 {
            return resealed;
        }
    }
    panic!("re-sealing does not end");
}

fn terms(status: &skms_store::sealed::Status) -> Vec<u32> {
    status.terms.iter().map(|term| term.term).collect()
}

#[tokio::test]
async fn records_move_to_the_new_storage_key() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    for number in 0..50 {
        let name = format!("name {number}");
        store
            .commit(vec![put(number, Some(&name), None, "old")], None)
            .await
            .unwrap();
    }
    assert_eq!(store.rotate_storage_key().await.unwrap(), 2);
    store
        .commit(vec![put(1, Some("name 1"), Some(1), "new")], None)
        .await
        .unwrap();
    let status = store.status().await.unwrap();
    assert_eq!(terms(&status), [1, 2]);
    assert_eq!((status.terms[0].records, status.terms[1].records), (49, 1));
    assert!(store.verify().await.unwrap().is_sound());

    let step = store.reseal_some(10).await.unwrap();
    assert!(step.remaining > 0 && step.remaining < 49);
    close(store).await;

    // Half-way, over a restart.
    let store = unseal(directory.path()).await.unwrap();
    reseal_all(&store, 7).await;
    let status = store.status().await.unwrap();
    assert_eq!(terms(&status), [2]);
    assert_eq!(status.journal_only_terms, [1]);
    assert!(store.verify().await.unwrap().is_sound());
    close(store).await;

    let store = unseal(directory.path()).await.unwrap();
    for number in 0..50 {
        let record = store
            .find(NS, Kind::Key, &format!("name {number}"))
            .await
            .unwrap()
            .unwrap();
        let changed = number == 1;
        assert_eq!(record.revision, if changed { 2 } else { 1 });
        assert_eq!(
            record.plaintext.expose(),
            if changed { b"new" } else { b"old" }
        );
    }
    let step = store.reseal_some(10).await.unwrap();
    assert_eq!((step.resealed, step.remaining), (0, 0));
    store.forget_journal_keys_before(2).await.unwrap();
    assert!(store.status().await.unwrap().journal_only_terms.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_and_writers_do_not_disturb_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4_u8)
        .map(|writer| {
            let (store, stop) = (store.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut written = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    let number = writer * 32 + (written % 32) as u8;
                    let expected = (written >= 32).then_some(written / 32);
                    store
                        .commit(vec![put(number, None, expected, "v")], None)
                        .await
                        .unwrap();
                    written += 1;
                }
                written
            })
        })
        .collect();
    for round in 0..5 {
        store.rotate_storage_key().await.unwrap();
        if round % 2 == 0 {
            store.rotate_root().await.unwrap();
        }
        reseal_all(&store, 16).await;
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        assert!(writer.await.unwrap() > 0);
    }
    reseal_all(&store, 1000).await;
    let report = store.verify().await.unwrap();
    assert!(report.is_sound(), "{:?}", report.faults);
    assert_eq!(terms(&store.status().await.unwrap()), [6]);
    close(store).await;
    unseal(directory.path()).await.unwrap();
}

#[tokio::test]
async fn the_root_key_rotates_without_the_seals_holders() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    store
        .commit(vec![put(1, None, None, "v")], None)
        .await
        .unwrap();
    let (_, shares) = store
        .add_seal(NewSeal::Shamir {
            name: "board".into(),
            threshold: 2,
            shares: 2,
        })
        .await
        .unwrap();
    assert_eq!(store.rotate_root().await.unwrap(), 2);
    assert_eq!(store.rotate_root().await.unwrap(), 3);
    assert_eq!(store.status().await.unwrap().root_version, 3);
    store
        .commit(vec![put(2, None, None, "w")], None)
        .await
        .unwrap();
    close(store).await;
    let store = unseal(directory.path()).await.unwrap();
    assert_eq!(value(&store, 2).await.unwrap().as_deref(), Some("w"));
    let sealed = skms_store::Sealed::open(Arc::clone(store.store()))
        .await
        .unwrap();
    let shares = shares.unwrap().shares;
    let _ = sealed
        .submit(SealInput::Share(shares[0].to_text()))
        .await
        .unwrap();
    let opened = sealed.submit(SealInput::Share(shares[1].to_text())).await;
    assert!(matches!(
        opened,
        Ok(skms_store::sealed::Progress::Unsealed(_))
    ));
}

#[tokio::test]
async fn a_removed_seal_opens_nothing_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    store
        .commit(vec![put(1, None, None, "v")], None)
        .await
        .unwrap();
    let only = store.seals()[0].id;
    assert!(matches!(
        store.remove_seal(only).await,
        Err(Error::LastSeal)
    ));
    let (second, _) = store
        .add_seal(passphrase_seal("second", "the second passphrase"))
        .await
        .unwrap();
    assert!(matches!(
        store.remove_seal(RecordId([9; 16])).await,
        Err(Error::NoSuchSeal(_))
    ));
    let second_input = || SealInput::Passphrase(secret("the second passphrase"));
    close(store).await;
    let store = unseal_with(directory.path(), second_input()).await.unwrap();
    store.remove_seal(second).await.unwrap();
    let status = store.status().await.unwrap();
    assert_eq!((status.seals.len(), status.root_version), (1, 2));
    assert_eq!(
        terms(&status),
        [1, 2],
        "removing a seal renews the storage key"
    );
    reseal_all(&store, 100).await;
    close(store).await;
    assert!(matches!(
        unseal_with(directory.path(), second_input()).await,
        Err(Error::WrongPassphrase)
    ));
    let store = unseal(directory.path()).await.unwrap();
    assert_eq!(value(&store, 1).await.unwrap().as_deref(), Some("v"));
}

#[tokio::test]
async fn an_altered_record_keeps_its_old_key() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    store
        .commit(vec![put(1, None, None, "v")], None)
        .await
        .unwrap();
    store.rotate_storage_key().await.unwrap();
    let raw = rusqlite::Connection::open(database(directory.path())).unwrap();
    raw.execute(
        "UPDATE record SET sealed = CAST(substr(sealed, 1, 18) || x'00' || substr(sealed, 20) AS BLOB) WHERE kind = 3",
        [],
    )
    .unwrap();
    drop(raw);
    assert!(matches!(
        store.reseal_some(100).await,
        Err(Error::Altered { .. })
    ));
    assert_eq!(terms(&store.status().await.unwrap()), [1, 2]);
}
