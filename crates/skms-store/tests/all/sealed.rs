//! The sealed layer as the engine uses it.

use std::sync::Arc;

use skms_crypto::SecretArray;
use skms_store::sealed::{NAME_MAX, Progress, RECORD_MAX, SealKind};
use skms_store::{Change, Conflict, Error, Kind, NewSeal, SealInput, Sealed, SealedStore};

use crate::common::*;

fn conflict<T: std::fmt::Debug>(result: Result<T, Error>) -> Conflict {
    match result {
        Err(Error::Conflict { conflict, .. }) => conflict,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn records_come_back_by_id_and_name() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    let done = store
        .commit(
            vec![
                put(1, Some("signing"), None, "one"),
                put(2, None, None, "two"),
            ],
            None,
        )
        .await
        .unwrap();
    assert_eq!(done.revisions, [1, 1]);
    let next = store
        .commit(
            vec![put(1, Some("signing"), Some(1), "uno"), delete(2, 1)],
            None,
        )
        .await
        .unwrap();
    assert_eq!(next.revisions, [2, 0]);
    assert_eq!(next.commit, done.commit + 1);
    assert_eq!(store.commits(), next.commit);

    let check = async |store: &SealedStore| {
        assert_eq!(value(store, 1).await.unwrap().as_deref(), Some("uno"));
        assert_eq!(value(store, 2).await.unwrap(), None);
        let found = store.find(NS, Kind::Key, "signing").await.unwrap().unwrap();
        assert_eq!((found.id, found.revision), (id(1), 2));
        assert_eq!(found.name.as_deref(), Some("signing"));
        assert!(store.find(NS, Kind::Key, "other").await.unwrap().is_none());
        assert!(
            store
                .find(NS, Kind::Policy, "signing")
                .await
                .unwrap()
                .is_none()
        );
        assert!(store.verify().await.unwrap().is_sound());
    };
    check(&store).await;
    close(store).await;
    check(&unseal(directory.path()).await.unwrap()).await;
}

#[tokio::test]
async fn ids_come_in_order_and_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut last = None;
    for _run in 0..3 {
        let store = match last {
            None => init(directory.path()).await,
            Some(_) => unseal(directory.path()).await.unwrap(),
        };
        for _ in 0..20 {
            let id = store.next_id().unwrap();
            assert!(last.is_none_or(|last| last < id), "{last:?} before {id}");
            last = Some(id);
            let change = Change::Put {
                namespace: NS,
                kind: Kind::Key,
                id,
                name: None,
                expected: None,
                plaintext: secret("value"),
            };
            store.commit(vec![change], None).await.unwrap();
        }
        assert!(store.verify().await.unwrap().is_sound());
        close(store).await;
    }
}

#[tokio::test]
async fn namespaces_do_not_see_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    let other = |number, name: &str, expected| Change::Put {
        namespace: OTHER_NS,
        kind: Kind::Key,
        id: id(number),
        name: Some(name.into()),
        expected,
        plaintext: secret("theirs"),
    };
    store
        .commit(
            vec![put(1, Some("same"), None, "ours"), other(2, "same", None)],
            None,
        )
        .await
        .unwrap();
    assert!(
        store
            .get(OTHER_NS, Kind::Key, id(1))
            .await
            .unwrap()
            .is_none()
    );
    assert!(store.get(NS, Kind::Key, id(2)).await.unwrap().is_none());
    let found = store.find(OTHER_NS, Kind::Key, "same").await.unwrap();
    assert_eq!(found.unwrap().id, id(2));
    assert_eq!(store.scan(NS, Kind::Key, None, 9).await.unwrap().len(), 1);
    let all = store.scan_all(Kind::Key, None, 9).await.unwrap();
    let namespaces: Vec<_> = all.iter().map(|(namespace, _)| *namespace).collect();
    assert_eq!(namespaces, [NS, OTHER_NS]);

    // What belongs to another looks absent to writers too.
    assert_eq!(
        conflict(store.commit(vec![other(1, "x", Some(1))], None).await),
        Conflict::Missing
    );
    assert_eq!(
        conflict(store.commit(vec![delete(2, 1)], None).await),
        Conflict::Missing
    );
    assert!(store.verify().await.unwrap().is_sound());
}

#[tokio::test]
async fn conflicts_change_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    store
        .commit(vec![put(1, Some("a"), None, "one")], None)
        .await
        .unwrap();
    let commits = store.commits();
    for (change, expected) in [
        (put(1, None, None, "x"), Conflict::Exists),
        (put(1, None, Some(2), "x"), Conflict::Revision),
        (put(3, None, Some(1), "x"), Conflict::Missing),
        (put(3, Some("a"), None, "x"), Conflict::Index),
        (delete(1, 9), Conflict::Revision),
        (delete(3, 1), Conflict::Missing),
    ] {
        let result = store
            .commit(vec![put(7, None, None, "with it"), change], None)
            .await;
        assert_eq!(conflict(result), expected);
        assert_eq!(value(&store, 7).await.unwrap(), None);
    }
    assert_eq!(store.commits(), commits);
    close(store).await;
    let store = unseal(directory.path()).await.unwrap();
    assert_eq!(store.commits(), commits);
    assert_eq!(value(&store, 1).await.unwrap().as_deref(), Some("one"));
}

#[tokio::test]
async fn inputs_have_limits() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    let refused = |changes| {
        let store = store.clone();
        async move { matches!(store.commit(changes, None).await, Err(Error::Invalid(_))) }
    };
    let long = "n".repeat(NAME_MAX + 1);
    assert!(refused(vec![put(1, Some(&long), None, "x")]).await);
    assert!(refused(vec![put(1, None, None, &"x".repeat(RECORD_MAX + 1))]).await);
    assert!(refused(vec![put(1, None, None, "x"), put(1, None, None, "y")]).await);
    assert!(refused(vec![put(1, None, None, "x"), delete(1, 1)]).await);
    for kind in [Kind::Head, Kind::Outbox] {
        let change = Change::Put {
            namespace: NS,
            kind,
            id: id(1),
            name: None,
            expected: None,
            plaintext: secret("x"),
        };
        assert!(refused(vec![change]).await);
    }
    let name = "n".repeat(NAME_MAX);
    store
        .commit(
            vec![put(1, Some(&name), None, &"x".repeat(RECORD_MAX))],
            None,
        )
        .await
        .unwrap();
    assert!(store.find(NS, Kind::Key, &name).await.unwrap().is_some());
    store.commit(Vec::new(), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_commits_at_once_keep_the_heads_right() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    let tasks: Vec<_> = (0..240_u8)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut changes = vec![put(number, None, None, "v")];
                if number % 5 == 4 {
                    // Fails, after its neighbours in the group have passed.
                    changes.push(put(255, None, Some(9), "x"));
                }
                let event = (number % 2 == 0).then(|| skms_store::sealed::OutboxEvent {
                    id: [number; 16],
                    salt: [0; 32],
                    bytes: vec![number],
                });
                store.commit(changes, event).await
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for (number, task) in tasks.into_iter().enumerate() {
        match task.await.unwrap() {
            Ok(done) => {
                assert_ne!(number % 5, 4);
                numbers.push(done.commit);
            }
            Err(error) => assert_eq!(conflict::<()>(Err(error)), Conflict::Missing),
        }
    }
    numbers.sort_unstable();
    let expected: Vec<u64> = (1..=192).collect();
    assert_eq!(numbers, expected, "each commit has a number of its own");
    assert!(store.verify().await.unwrap().is_sound());
    let pending = store.pending().await.unwrap();
    assert_eq!(pending.len(), 96);
    assert!(
        pending
            .windows(2)
            .all(|pair| pair[0].commit < pair[1].commit)
    );
    close(store).await;
    let store = unseal(directory.path()).await.unwrap();
    assert_eq!(
        store.scan(NS, Kind::Key, None, 999).await.unwrap().len(),
        192
    );
}

#[tokio::test]
async fn a_store_is_initialised_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_store(directory.path()).unwrap();
    assert!(matches!(
        Sealed::open(Arc::clone(&store)).await,
        Err(Error::NotInitialised)
    ));
    assert!(matches!(
        SealedStore::init(Arc::clone(&store), Vec::new()).await,
        Err(Error::Invalid(_))
    ));
    assert!(matches!(
        SealedStore::init(Arc::clone(&store), vec![passphrase_seal("main", "short")]).await,
        Err(Error::Invalid(_))
    ));
    SealedStore::init(
        Arc::clone(&store),
        vec![passphrase_seal("main", PASSPHRASE)],
    )
    .await
    .unwrap();
    assert!(matches!(
        SealedStore::init(
            Arc::clone(&store),
            vec![passphrase_seal("main", PASSPHRASE)]
        )
        .await,
        Err(Error::AlreadyInitialised)
    ));
    let sealed = Sealed::open(store).await.unwrap();
    assert_eq!(sealed.seals().await.unwrap()[0].name, "main");
}

#[tokio::test]
async fn wrong_secrets_change_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    store
        .commit(vec![put(1, None, None, "v")], None)
        .await
        .unwrap();
    close(store).await;
    let sealed = Sealed::open(open_store(directory.path()).unwrap())
        .await
        .unwrap();
    for wrong in [
        "",
        "correct horse battery stapl",
        "correct horse battery staplE",
    ] {
        assert!(matches!(
            sealed.submit(SealInput::Passphrase(secret(wrong))).await,
            Err(Error::WrongPassphrase)
        ));
    }
    assert!(matches!(
        sealed
            .submit(SealInput::KeyFile(SecretArray::random().unwrap()))
            .await,
        Err(Error::NoSuchSeal(_))
    ));
    let right = sealed
        .submit(SealInput::Passphrase(secret(PASSPHRASE)))
        .await;
    let Progress::Unsealed(store) = right.unwrap() else {
        panic!("one passphrase suffices");
    };
    assert_eq!(value(&store, 1).await.unwrap().as_deref(), Some("v"));
}

#[tokio::test]
async fn shares_open_progressively() {
    let directory = tempfile::tempdir().unwrap();
    let shamir = |name: &str| NewSeal::Shamir {
        name: name.into(),
        threshold: 3,
        shares: 5,
    };
    let made = SealedStore::init(open_store(directory.path()).unwrap(), vec![shamir("a")])
        .await
        .unwrap();
    let (_, foreign) = {
        let other = tempfile::tempdir().unwrap();
        let store = init(other.path()).await;
        store.add_seal(shamir("b")).await.unwrap()
    };
    let foreign = foreign.unwrap();
    close(made.store).await;

    let sealed = Sealed::open(open_store(directory.path()).unwrap())
        .await
        .unwrap();
    let shares = &made.shares[0].shares;
    assert_eq!(shares.len(), 5);
    let give = async |number: usize| {
        sealed
            .submit(SealInput::Share(shares[number].to_text()))
            .await
    };
    assert!(matches!(
        give(4).await,
        Ok(Progress::Waiting { have: 1, need: 3 })
    ));
    assert!(matches!(
        give(4).await,
        Err(Error::DuplicateShare { index: 5 })
    ));
    assert!(matches!(
        sealed
            .submit(SealInput::Share(foreign.shares[0].to_text()))
            .await,
        Err(Error::ForeignShare)
    ));
    let mistyped = shares[1].to_text().expose().replace('a', "b");
    assert!(matches!(
        sealed
            .submit(SealInput::Share(skms_crypto::secret::SecretText::new(
                mistyped
            )))
            .await,
        Err(Error::Crypto(_))
    ));
    assert_eq!(sealed.shares(), Some((1, 3)));
    assert!(matches!(
        give(0).await,
        Ok(Progress::Waiting { have: 2, need: 3 })
    ));
    assert!(matches!(give(2).await, Ok(Progress::Unsealed(_))));
    assert_eq!(sealed.shares(), None);
    assert!(matches!(
        sealed.submit(SealInput::Passphrase(secret("x"))).await,
        Err(Error::NoSuchSeal(_))
    ));
}

#[tokio::test]
async fn any_of_several_seals_opens() {
    let directory = tempfile::tempdir().unwrap();
    let key_path = directory.path().join("unseal.key");
    let key = skms_store::sealed::key_file::create(&key_path).unwrap();
    let made = SealedStore::init(
        open_store(directory.path()).unwrap(),
        vec![
            passphrase_seal("words", PASSPHRASE),
            passphrase_seal("other words", "another passphrase"),
            NewSeal::KeyFile {
                name: "file".into(),
                key,
            },
            NewSeal::Shamir {
                name: "board".into(),
                threshold: 2,
                shares: 3,
            },
        ],
    )
    .await
    .unwrap();
    let store = made.store;
    store
        .commit(vec![put(1, None, None, "v")], None)
        .await
        .unwrap();
    let status = store.status().await.unwrap();
    assert_eq!(status.seals.len(), 4);
    assert!(matches!(
        status.seals[3].kind,
        SealKind::Shamir {
            threshold: 2,
            shares: 3
        }
    ));
    assert!(
        status.strength.contains("passphrase"),
        "{}",
        status.strength
    );
    assert_eq!(status.terms.len(), 1);
    assert_eq!(status.terms[0].records, 1);
    assert!(!status.notes.is_empty());
    close(store).await;

    let read = || skms_store::sealed::key_file::read(&key_path).unwrap();
    let inputs = [
        SealInput::Passphrase(secret(PASSPHRASE)),
        SealInput::Passphrase(secret("another passphrase")),
        SealInput::KeyFile(read()),
    ];
    for input in inputs {
        let store = unseal_with(directory.path(), input).await.unwrap();
        assert_eq!(value(&store, 1).await.unwrap().as_deref(), Some("v"));
        close(store).await;
    }
    assert!(matches!(
        unseal_with(
            directory.path(),
            SealInput::KeyFile(SecretArray::random().unwrap())
        )
        .await,
        Err(Error::WrongKeyFile)
    ));
}

#[tokio::test]
async fn sealing_erases_the_keys_and_unsealing_brings_them_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    store
        .commit(vec![put(1, None, None, "v")], None)
        .await
        .unwrap();
    store.seal();
    assert!(store.is_sealed());
    assert!(matches!(value(&store, 1).await, Err(Error::Sealed)));
    assert!(matches!(
        store.commit(vec![put(2, None, None, "w")], None).await,
        Err(Error::Sealed)
    ));
    assert!(matches!(store.rotate_root().await, Err(Error::Sealed)));
    assert!(matches!(store.verify().await, Err(Error::Sealed)));

    let sealed = Sealed::open(Arc::clone(store.store())).await.unwrap();
    let Progress::Unsealed(store) = sealed
        .submit(SealInput::Passphrase(secret(PASSPHRASE)))
        .await
        .unwrap()
    else {
        panic!("one passphrase suffices");
    };
    assert_eq!(value(&store, 1).await.unwrap().as_deref(), Some("v"));
    assert_eq!(value(&store, 2).await.unwrap(), None);
}
