//! A thief has every file. Nothing in them may be readable.

use std::path::{Path, PathBuf};

use skms_store::sealed::{OutboxEvent, key_file};
use skms_store::{Change, Journal, Kind, NewSeal, SealedStore};

use crate::common::*;

const PLANTED_NAME: &str = "planted-name-4711";
const PLANTED_VALUE: &str = "planted-value-0815";
const PLANTED_EVENT: &str = "planted-event-1234";
const PLANTED_NAMESPACE: [u8; 16] = *b"planted-tenant-1";

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn hunt(directory: &Path, needles: &[&[u8]]) -> usize {
    let mut paths = Vec::new();
    files(directory, &mut paths);
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        for needle in needles {
            let found = bytes.windows(needle.len()).any(|window| window == *needle);
            assert!(
                !found,
                "{} holds {}",
                path.display(),
                String::from_utf8_lossy(needle)
            );
        }
    }
    paths.len()
}

#[tokio::test]
async fn nothing_readable_is_in_any_file() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let key_path = elsewhere.path().join("key");
    let key = key_file::create(&key_path).unwrap();
    let key_bytes = key.expose().to_vec();
    let made = SealedStore::init(
        open_store(directory.path()).unwrap(),
        vec![
            passphrase_seal("main", PASSPHRASE),
            NewSeal::KeyFile {
                name: "file".into(),
                key,
            },
        ],
    )
    .await
    .unwrap();
    let store = made.store;
    let (journal, _) = open_journal(&store, directory.path(), &small_segments()).unwrap();
    for number in 0..20 {
        let event = OutboxEvent {
            id: [number; 16],
            salt: [number; 32],
            bytes: PLANTED_EVENT.into(),
        };
        let done = store
            .commit(
                vec![Change::Put {
                    namespace: PLANTED_NAMESPACE,
                    kind: Kind::Material,
                    id: id(number),
                    name: Some(format!("{PLANTED_NAME}-{number}")),
                    expected: None,
                    plaintext: secret(PLANTED_VALUE),
                }],
                Some(event.clone()),
            )
            .await
            .unwrap();
        let entry = event.into_entry(done.commit);
        journal.append(vec![entry]).unwrap().wait().await.unwrap();
    }
    let key_text = std::fs::read(&key_path).unwrap();
    let needles: [&[u8]; 7] = [
        PLANTED_NAME.as_bytes(),
        PLANTED_VALUE.as_bytes(),
        PLANTED_EVENT.as_bytes(),
        &PLANTED_NAMESPACE,
        PASSPHRASE.as_bytes(),
        &key_bytes,
        key_text.trim_ascii_end(),
    ];
    // Live, with its write-ahead log; while rotating; and at rest.
    assert!(hunt(directory.path(), &needles) >= 6);
    store.rotate_storage_key().await.unwrap();
    while store.reseal_some(7).await.unwrap().remaining > 0 {
        hunt(directory.path(), &needles);
    }
    store.mark_done(&[[1; 16], [2; 16]], 3).await.unwrap();
    journal.close().await.unwrap();
    close(store).await;
    assert!(hunt(directory.path(), &needles) >= 4);

    // The hunt itself finds what is there.
    std::fs::write(directory.path().join("leak"), PLANTED_VALUE).unwrap();
    let caught = std::panic::catch_unwind(|| hunt(directory.path(), &needles));
    assert!(caught.is_err());
}

#[tokio::test]
async fn errors_and_debug_show_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    let change = || Change::Put {
        namespace: PLANTED_NAMESPACE,
        kind: Kind::Material,
        id: id(1),
        name: Some(PLANTED_NAME.into()),
        expected: None,
        plaintext: secret(PLANTED_VALUE),
    };
    let mut texts = vec![format!("{:?}", change()), format!("{store:?}")];
    store.commit(vec![change()], None).await.unwrap();
    let error = store.commit(vec![change()], None).await.unwrap_err();
    texts.push(format!("{error} {error:?}"));
    let record = store
        .get(PLANTED_NAMESPACE, Kind::Material, id(1))
        .await
        .unwrap()
        .unwrap();
    texts.push(format!("{record:?}"));
    texts.push(format!("{:?}", passphrase_seal("main", PASSPHRASE)));
    texts.push(format!("{:?}", store.status().await.unwrap()));
    for text in texts {
        assert!(!text.contains(PLANTED_VALUE), "{text}");
        assert!(!text.contains(PASSPHRASE), "{text}");
    }
}
