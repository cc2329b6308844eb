//! The files as an attacker or a failing disk changes them. Whatever it is,
//! it is refused by name, and nothing is answered from it.

use std::path::Path;

use rusqlite::{Connection, params};
use skms_store::{Change, Error, Kind, SealedStore};

use crate::common::*;

/// A store with records of two namespaces, changed once, and an event.
async fn sample(directory: &Path) -> SealedStore {
    let store = init(directory).await;
    store
        .commit(
            vec![
                put(1, Some("one"), None, "first"),
                put(2, Some("two"), None, "second"),
            ],
            Some(skms_store::sealed::OutboxEvent {
                id: [7; 16],
                salt: [7; 32],
                bytes: b"event".to_vec(),
            }),
        )
        .await
        .unwrap();
    store
        .commit(
            vec![
                put(1, Some("one"), Some(1), "changed"),
                Change::Put {
                    namespace: OTHER_NS,
                    kind: Kind::Key,
                    id: id(3),
                    name: Some("one".into()),
                    expected: None,
                    plaintext: secret("other"),
                },
            ],
            None,
        )
        .await
        .unwrap();
    store
}

fn raw(directory: &Path) -> Connection {
    Connection::open(database(directory)).unwrap()
}

/// Whether the damage shows: at unsealing, or else in what verifying finds
/// and reading refuses.
async fn noticed(directory: &Path) -> Result<(), String> {
    let store = match unseal(directory).await {
        Ok(store) => store,
        Err(
            Error::Altered { .. }
            | Error::HeadMismatch { .. }
            | Error::HeadReplayed
            | Error::HeaderAltered
            | Error::Malformed(_)
            | Error::NoSuchSeal(_)
            | Error::WrongPassphrase
            | Error::Newer { .. }
            | Error::StaleKeys
            | Error::Backend(_)
            | Error::Crypto(_),
        ) => return Ok(()),
        Err(other) => return Err(format!("refused, but as {other:?}")),
    };
    let report = store.verify().await.unwrap();
    if report.is_sound() {
        return Err("nobody noticed".into());
    }
    // The records that are whole are still read; the others are refused.
    let mut refused = 0;
    for number in 1..=2 {
        match value(&store, number).await {
            Ok(Some(value)) => assert!(["changed", "second"].contains(&value.as_str())),
            Err(Error::Altered { .. }) => refused += 1,
            other => return Err(format!("{other:?}")),
        }
    }
    let other = store.get(OTHER_NS, Kind::Key, id(3)).await;
    refused += u32::from(matches!(other, Err(Error::Altered { .. })));
    refused += u32::from(store.pending().await.is_err());
    (refused > 0)
        .then_some(())
        .ok_or_else(|| format!("found, but everything was answered: {:?}", report.faults))
}

#[tokio::test]
async fn a_flipped_bit_in_any_column_of_any_record_is_noticed() {
    let original = tempfile::tempdir().unwrap();
    close(sample(original.path()).await).await;
    let rows: Vec<(i64, Vec<u8>)> = raw(original.path())
        .prepare("SELECT kind, id FROM record WHERE kind <> 9 OR id IN (x'000000000000000000000000000000ff', x'ffffffffffffffffffffffffffffffff', x'00000000000000000000000000000001', x'00000000000000000000000000000002')")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(rows.len() >= 6, "{}", rows.len());
    let copy_directory = tempfile::tempdir().unwrap();
    let mut tried = 0;
    for (kind, id) in &rows {
        for column in ["id", "revision", "entry", "scope", "sealed"] {
            let value: Option<Vec<u8>> = raw(original.path())
                .query_row(
                    &format!(
                        "SELECT CAST({column} AS BLOB) FROM record WHERE kind = ?1 AND id = ?2"
                    ),
                    params![kind, id],
                    |row| row.get(0),
                )
                .unwrap();
            let Some(value) = value else { continue };
            let last = value.len() - 1;
            // The term, the nonce, the ciphertext and the tag.
            let mut places = vec![0, 3, 5, 17, 19, last / 2, last.saturating_sub(9), last];
            places.retain(|place| *place <= last);
            places.sort_unstable();
            places.dedup();
            for place in places {
                copy(original.path(), copy_directory.path());
                if column == "revision" {
                    raw(copy_directory.path())
                        .execute(
                            "UPDATE record SET revision = revision + 1 WHERE kind = ?1 AND id = ?2",
                            params![kind, id],
                        )
                        .unwrap();
                } else {
                    let mut bad = value.clone();
                    bad[place] ^= 1 << (tried % 8);
                    let changed = raw(copy_directory.path()).execute(
                        &format!("UPDATE record SET {column} = ?3 WHERE kind = ?1 AND id = ?2"),
                        params![kind, id, bad],
                    );
                    if changed.is_err() && column == "id" {
                        // One head's id, one bit off, is another's.
                        continue;
                    }
                    assert_eq!(changed.unwrap(), 1);
                }
                noticed(copy_directory.path())
                    .await
                    .unwrap_or_else(|why| panic!("kind {kind} {column} byte {place}: {why}"));
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

#[tokio::test]
async fn a_flipped_bit_anywhere_in_the_header_is_noticed() {
    let original = tempfile::tempdir().unwrap();
    close(sample(original.path()).await).await;
    let header: Vec<u8> = raw(original.path())
        .query_row("SELECT bytes FROM meta WHERE name = 'header'", [], |row| {
            row.get(0)
        })
        .unwrap();
    let copy_directory = tempfile::tempdir().unwrap();
    for place in (0..header.len()).step_by(61).chain([header.len() - 1]) {
        copy(original.path(), copy_directory.path());
        let mut bad = header.clone();
        bad[place] ^= 1 << (place % 8);
        raw(copy_directory.path())
            .execute("UPDATE meta SET bytes = ?1 WHERE name = 'header'", [bad])
            .unwrap();
        noticed(copy_directory.path())
            .await
            .unwrap_or_else(|why| panic!("byte {place}: {why}"));
    }
}

async fn after(change: impl Fn(&Connection)) -> Error {
    let directory = tempfile::tempdir().unwrap();
    close(sample(directory.path()).await).await;
    change(&raw(directory.path()));
    unseal(directory.path()).await.unwrap_err()
}

#[tokio::test]
async fn a_missing_record_is_noticed() {
    for condition in [
        "kind = 3 AND id = x'01010101010101010101010101010101'",
        "kind = 3 AND id = x'03030303030303030303030303030303'",
        "kind = 8",
        "kind = 3",
    ] {
        let error = after(|raw| {
            let gone = raw
                .execute(&format!("DELETE FROM record WHERE {condition}"), [])
                .unwrap();
            assert!(gone > 0);
        })
        .await;
        let Error::HeadMismatch {
            expected, found, ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert!(found < expected);
    }
    let everything = after(|raw| {
        raw.execute("DELETE FROM record", []).unwrap();
    });
    assert!(matches!(everything.await, Error::Altered { .. }));
    let head = after(|raw| {
        raw.execute(
            "DELETE FROM record WHERE kind = 9 AND id <> x'ffffffffffffffffffffffffffffffff'",
            [],
        )
        .unwrap();
    });
    assert!(matches!(head.await, Error::Altered { .. }));
    let header = after(|raw| {
        raw.execute("DELETE FROM meta", []).unwrap();
    });
    assert!(matches!(header.await, Error::HeaderAltered));
}

#[tokio::test]
async fn a_record_moved_elsewhere_is_noticed() {
    let to_another_id = after(|raw| {
        raw.execute(
            "DELETE FROM record WHERE kind = 3 AND id = x'02020202020202020202020202020202'",
            [],
        )
        .unwrap();
        raw.execute("UPDATE record SET id = x'02020202020202020202020202020202' WHERE kind = 3 AND id = x'01010101010101010101010101010101'", []).unwrap();
    });
    assert!(matches!(to_another_id.await, Error::HeadMismatch { .. }));
    let to_another_kind = after(|raw| {
        raw.execute("UPDATE record SET kind = 4 WHERE kind = 3", [])
            .unwrap();
    });
    assert!(matches!(to_another_kind.await, Error::HeadMismatch { .. }));
    let to_another_namespace = after(|raw| {
        raw.execute("UPDATE record SET scope = (SELECT scope FROM record WHERE id = x'03030303030303030303030303030303') WHERE kind = 3", []).unwrap();
    });
    assert!(matches!(
        to_another_namespace.await,
        Error::HeadMismatch { .. }
    ));
    let names_swapped = after(|raw| {
        raw.execute_batch(
            "CREATE TEMP TABLE swap AS SELECT id, entry FROM record WHERE kind = 3;
             UPDATE record SET entry = NULL WHERE kind = 3;
             UPDATE record SET entry = (SELECT entry FROM swap WHERE swap.id <> record.id LIMIT 1)
             WHERE kind = 3 AND id = x'01010101010101010101010101010101';
             UPDATE record SET entry = (SELECT entry FROM swap WHERE id = x'01010101010101010101010101010101')
             WHERE kind = 3 AND id = x'02020202020202020202020202020202';",
        )
        .unwrap();
    });
    assert!(matches!(names_swapped.await, Error::HeadMismatch { .. }));
}

#[tokio::test]
async fn a_record_of_another_install_is_noticed() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    close(sample(one.path()).await).await;
    close(sample(two.path()).await).await;
    let theirs = database(one.path());
    let theirs = theirs.to_str().unwrap();
    let connection = raw(two.path());
    connection.execute("ATTACH ?1 AS theirs", [theirs]).unwrap();
    let replaced = connection
        .execute(
            "UPDATE record SET sealed = (SELECT sealed FROM theirs.record t WHERE t.kind = record.kind AND t.id = record.id) WHERE kind = 3 AND id = x'01010101010101010101010101010101'",
            [],
        )
        .unwrap();
    assert_eq!(replaced, 1);
    drop(connection);
    assert!(matches!(
        unseal(two.path()).await.unwrap_err(),
        Error::HeadMismatch { .. }
    ));
}

type Saved = Vec<(i64, Vec<u8>, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>)>;

fn save(raw: &Connection, condition: &str) -> Saved {
    raw.prepare(&format!(
        "SELECT kind, id, revision, entry, scope, sealed FROM record WHERE {condition}"
    ))
    .unwrap()
    .query_map([], |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
        ))
    })
    .unwrap()
    .collect::<Result<_, _>>()
    .unwrap()
}

fn replay(raw: &Connection, saved: &Saved) {
    for (kind, id, revision, entry, scope, sealed) in saved {
        raw.execute(
            "INSERT OR REPLACE INTO record (kind, id, revision, entry, scope, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![kind, id, revision, entry, scope, sealed],
        )
        .unwrap();
    }
}

#[tokio::test]
async fn an_older_record_is_noticed_with_its_head_or_without() {
    let directory = tempfile::tempdir().unwrap();
    let store = sample(directory.path()).await;
    let key = "kind = 3 AND id = x'02020202020202020202020202020202'";
    let old = save(&raw(directory.path()), key);
    let heads = save(
        &raw(directory.path()),
        "kind = 9 AND id <> x'ffffffffffffffffffffffffffffffff'",
    );
    assert_eq!((old.len(), heads.len()), (1, 64));
    store
        .commit(vec![put(2, Some("two"), Some(1), "newer")], None)
        .await
        .unwrap();
    close(store).await;

    replay(&raw(directory.path()), &old);
    assert!(matches!(
        unseal(directory.path()).await.unwrap_err(),
        Error::HeadMismatch { .. }
    ));
    // With the partitions' heads the sums agree; the top head does not.
    replay(&raw(directory.path()), &heads);
    assert!(matches!(
        unseal(directory.path()).await.unwrap_err(),
        Error::HeadReplayed
    ));
}

#[tokio::test]
async fn a_deleted_record_brought_back_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let store = sample(directory.path()).await;
    let old = save(
        &raw(directory.path()),
        "kind = 3 AND id = x'02020202020202020202020202020202'",
    );
    store.commit(vec![delete(2, 1)], None).await.unwrap();
    close(store).await;
    replay(&raw(directory.path()), &old);
    let error = unseal(directory.path()).await.unwrap_err();
    assert!(
        matches!(error, Error::HeadMismatch { expected, found, .. } if found == expected + 1),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_change_behind_a_running_server_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let store = sample(directory.path()).await;
    let everything = save(&raw(directory.path()), "true");
    store
        .commit(vec![put(2, Some("two"), Some(1), "newer")], None)
        .await
        .unwrap();
    // The whole table goes back, heads and all, while the server runs.
    replay(&raw(directory.path()), &everything);
    let commits = store.commits();
    assert!(matches!(
        store
            .commit(vec![put(2, Some("two"), Some(1), "again")], None)
            .await,
        Err(Error::HeadReplayed)
    ));
    assert!(matches!(
        store.rotate_storage_key().await,
        Err(Error::HeadReplayed)
    ));
    assert_eq!(store.commits(), commits);
}

#[tokio::test]
async fn an_older_header_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let store = sample(directory.path()).await;
    let header: Vec<u8> = raw(directory.path())
        .query_row("SELECT bytes FROM meta WHERE name = 'header'", [], |row| {
            row.get(0)
        })
        .unwrap();
    store
        .add_seal(passphrase_seal("second", "the second passphrase"))
        .await
        .unwrap();
    close(store).await;
    raw(directory.path())
        .execute("UPDATE meta SET bytes = ?1 WHERE name = 'header'", [header])
        .unwrap();
    assert!(matches!(
        unseal(directory.path()).await.unwrap_err(),
        Error::HeaderAltered
    ));
}

#[tokio::test]
async fn a_seal_slipped_into_the_header_is_noticed() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    close(sample(one.path()).await).await;
    close(sample(two.path()).await).await;
    let header = |directory: &Path| -> Vec<u8> {
        raw(directory)
            .query_row("SELECT bytes FROM meta WHERE name = 'header'", [], |row| {
                row.get(0)
            })
            .unwrap()
    };
    let split = |bytes: &[u8]| {
        let len = u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
        let json: serde_json::Value = serde_json::from_slice(&bytes[12..12 + len]).unwrap();
        (json, bytes[12 + len..].to_vec())
    };
    let (mut ours, rest) = split(&header(one.path()));
    let (theirs, _) = split(&header(two.path()));
    let seal = theirs["seals"][0].clone();
    ours["seals"].as_array_mut().unwrap().push(seal);
    let json = serde_json::to_vec(&ours).unwrap();
    let mut forged = header(one.path())[..8].to_vec();
    forged.extend_from_slice(&(json.len() as u32).to_be_bytes());
    forged.extend_from_slice(&json);
    forged.extend_from_slice(&rest);
    raw(one.path())
        .execute("UPDATE meta SET bytes = ?1 WHERE name = 'header'", [forged])
        .unwrap();
    assert!(matches!(
        unseal(one.path()).await.unwrap_err(),
        Error::HeaderAltered
    ));
}

#[tokio::test]
async fn shares_that_make_up_another_key_are_refused_and_forgotten() {
    use skms_store::sealed::Progress;
    use skms_store::{NewSeal, SealInput, Sealed};

    let shamir = || NewSeal::Shamir {
        name: "board".into(),
        threshold: 2,
        shares: 3,
    };
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ours = SealedStore::init(open_store(one.path()).unwrap(), vec![shamir()])
        .await
        .unwrap();
    let theirs = SealedStore::init(open_store(two.path()).unwrap(), vec![shamir()])
        .await
        .unwrap();
    close(ours.store).await;
    close(theirs.store).await;
    // Our header says that the other's set is the one to give.
    let set = |directory: &Path| -> String {
        let header: Vec<u8> = raw(directory)
            .query_row("SELECT bytes FROM meta", [], |row| row.get(0))
            .unwrap();
        let text = String::from_utf8_lossy(&header).into_owned();
        let (_, rest) = text.split_once("\"set\":\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let (old, new) = (set(one.path()), set(two.path()));
    assert_eq!(old.len(), new.len());
    let mut header: Vec<u8> = raw(one.path())
        .query_row("SELECT bytes FROM meta", [], |row| row.get(0))
        .unwrap();
    let at = header
        .windows(old.len())
        .position(|window| window == old.as_bytes())
        .unwrap();
    header[at..at + old.len()].copy_from_slice(new.as_bytes());
    raw(one.path())
        .execute("UPDATE meta SET bytes = ?1", [header])
        .unwrap();

    let sealed = Sealed::open(open_store(one.path()).unwrap()).await.unwrap();
    let give = async |number: usize| {
        let text = theirs.shares[0].shares[number].to_text();
        sealed.submit(SealInput::Share(text)).await
    };
    assert!(matches!(give(0).await, Ok(Progress::Waiting { .. })));
    assert!(matches!(give(1).await, Err(Error::WrongShares)));
    assert_eq!(sealed.shares(), None);
    assert!(matches!(give(1).await, Ok(Progress::Waiting { .. })));
}
