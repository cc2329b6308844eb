//! The suite for [`Store`].

use std::future::Future;
use std::sync::Arc;

use super::together;
use crate::error::{Conflict, Error, Result};
use crate::store::{Batch, Kind, MetaWrite, RecordId, Row, Seen, Store, Write};

type Made = Arc<dyn Store>;

fn id(number: u8) -> RecordId {
    RecordId([number; 16])
}

fn row(number: u8, revision: u64, sealed: &[u8]) -> Row {
    Row {
        kind: Kind::Key,
        id: id(number),
        revision,
        index: None,
        scope: None,
        sealed: sealed.to_vec(),
    }
}

fn create(row: Row) -> Write {
    Write::Put {
        row,
        expected: None,
    }
}

fn update(row: Row) -> Write {
    let expected = Some(row.revision - 1);
    Write::Put { row, expected }
}

fn delete(number: u8, expected: u64) -> Write {
    Write::Delete {
        kind: Kind::Key,
        id: id(number),
        expected,
    }
}

fn batch(writes: Vec<Write>) -> Batch {
    Batch {
        writes,
        ..Batch::default()
    }
}

fn conflict(result: Result<()>) -> Conflict {
    match result {
        Err(Error::Conflict { conflict, .. } | Error::MetaConflict { conflict, .. }) => conflict,
        other => panic!("expected a conflict, got {other:?}"),
    }
}

/// Runs the suite.
///
/// # Panics
/// Where the contract of [`Store`] is broken.
pub async fn store_suite<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Made>,
{
    rows_come_back_whole(make().await).await;
    revisions_are_compared(make().await).await;
    indexes_are_unique_within_a_kind(make().await).await;
    scans_are_ordered_paged_and_scoped(make().await).await;
    many_are_read_at_once(make().await).await;
    a_row_changes_with_its_index_and_without(make().await).await;
    batches_are_atomic(make().await).await;
    meta_is_compared_and_set(make().await).await;
    finalise_sees_its_own_transaction(make().await).await;
    finalise_can_undo(make().await).await;
    batches_run_one_after_the_other(make().await).await;
    one_of_many_wins(make().await).await;
    neighbours_of_a_conflict_pass(make().await).await;
    snapshots_stand_still(make().await).await;
    a_dropped_commit_is_whole(make().await).await;
    closing_ends_everything(make().await).await;
}

async fn rows_come_back_whole(store: Made) {
    let mut full = row(1, 7, &[9; 3 << 20]);
    full.index = Some([3; 32]);
    full.scope = Some([4; 32]);
    let empty = row(2, 1, b"");
    store
        .commit(batch(vec![create(full.clone()), create(empty.clone())]))
        .await
        .unwrap();
    assert_eq!(
        store.get(Kind::Key, id(1)).await.unwrap(),
        Some(full.clone())
    );
    assert_eq!(store.get(Kind::Key, id(2)).await.unwrap(), Some(empty));
    assert_eq!(store.get(Kind::Key, id(3)).await.unwrap(), None);
    assert_eq!(store.get(Kind::Token, id(1)).await.unwrap(), None);
    assert_eq!(store.find(Kind::Key, [3; 32]).await.unwrap(), Some(full));
    assert_eq!(store.find(Kind::Key, [4; 32]).await.unwrap(), None);
    assert_eq!(store.find(Kind::Token, [3; 32]).await.unwrap(), None);
    store.commit(Batch::default()).await.unwrap();
    let forgotten = store.forget().await.unwrap();
    assert!(!forgotten.erased.is_empty());
}

async fn revisions_are_compared(store: Made) {
    store
        .commit(batch(vec![create(row(1, 1, b"a"))]))
        .await
        .unwrap();
    let again = store.commit(batch(vec![create(row(1, 1, b"b"))])).await;
    assert_eq!(conflict(again), Conflict::Exists);
    let ahead = store.commit(batch(vec![update(row(1, 3, b"b"))])).await;
    assert_eq!(conflict(ahead), Conflict::Revision);
    let absent = store.commit(batch(vec![update(row(2, 2, b"b"))])).await;
    assert_eq!(conflict(absent), Conflict::Missing);
    let absent = store.commit(batch(vec![delete(2, 1)])).await;
    assert_eq!(conflict(absent), Conflict::Missing);
    let ahead = store.commit(batch(vec![delete(1, 2)])).await;
    assert_eq!(conflict(ahead), Conflict::Revision);
    assert_eq!(
        store.get(Kind::Key, id(1)).await.unwrap(),
        Some(row(1, 1, b"a"))
    );

    store
        .commit(batch(vec![update(row(1, 2, b"b"))]))
        .await
        .unwrap();
    // A row may be written anew under the revision it has.
    store
        .commit(batch(vec![Write::Put {
            row: row(1, 2, b"c"),
            expected: Some(2),
        }]))
        .await
        .unwrap();
    assert_eq!(
        store.get(Kind::Key, id(1)).await.unwrap(),
        Some(row(1, 2, b"c"))
    );
    store.commit(batch(vec![delete(1, 2)])).await.unwrap();
    assert_eq!(store.get(Kind::Key, id(1)).await.unwrap(), None);
    store
        .commit(batch(vec![create(row(1, 1, b"d"))]))
        .await
        .unwrap();
}

async fn indexes_are_unique_within_a_kind(store: Made) {
    let named = |number, revision, index| Row {
        index: Some([index; 32]),
        ..row(number, revision, b"x")
    };
    store
        .commit(batch(vec![
            create(named(1, 1, 1)),
            create(row(8, 1, b"unnamed")),
            create(row(9, 1, b"unnamed")),
        ]))
        .await
        .unwrap();
    let taken = store.commit(batch(vec![create(named(2, 1, 1))])).await;
    assert_eq!(conflict(taken), Conflict::Index);
    assert_eq!(store.get(Kind::Key, id(2)).await.unwrap(), None);
    let other_kind = Row {
        kind: Kind::Policy,
        ..named(2, 1, 1)
    };
    store
        .commit(batch(vec![create(other_kind), create(named(2, 1, 2))]))
        .await
        .unwrap();
    let taken = store.commit(batch(vec![update(named(2, 2, 1))])).await;
    assert_eq!(conflict(taken), Conflict::Index);
    // Renamed, and removed: both free the entry.
    store
        .commit(batch(vec![update(named(1, 2, 5)), create(named(3, 1, 1))]))
        .await
        .unwrap();
    store
        .commit(batch(vec![delete(3, 1), create(named(4, 1, 1))]))
        .await
        .unwrap();
    let found = store.find(Kind::Key, [1; 32]).await.unwrap().unwrap();
    assert_eq!(found.id, id(4));
}

async fn scans_are_ordered_paged_and_scoped(store: Made) {
    let writes = [7, 3, 9, 1, 5]
        .into_iter()
        .map(|number| {
            create(Row {
                scope: (number != 9).then_some([number % 2; 32]),
                ..row(number, 1, b"x")
            })
        })
        .collect();
    store.commit(batch(writes)).await.unwrap();
    store
        .commit(batch(vec![create(Row {
            kind: Kind::Token,
            ..row(4, 1, b"x")
        })]))
        .await
        .unwrap();
    let scan = async |scope, after: Option<u8>, limit| -> Vec<u8> {
        let rows = store
            .scan(Kind::Key, scope, after.map(id), limit)
            .await
            .unwrap();
        rows.iter().map(|row| row.id.0[0]).collect()
    };
    assert_eq!(scan(None, None, 100).await, [1, 3, 5, 7, 9]);
    assert_eq!(scan(None, None, 2).await, [1, 3]);
    assert_eq!(scan(None, Some(3), 2).await, [5, 7]);
    assert_eq!(scan(None, Some(4), 2).await, [5, 7]);
    assert!(scan(None, Some(9), 2).await.is_empty());
    assert!(scan(None, None, 0).await.is_empty());
    assert_eq!(scan(Some([1; 32]), None, 100).await, [1, 3, 5, 7]);
    assert_eq!(scan(Some([1; 32]), Some(3), 1).await, [5]);
    assert!(scan(Some([0; 32]), None, 100).await.is_empty());
}

async fn many_are_read_at_once(store: Made) {
    let mut rows: Vec<Row> = (1..=4).map(|number| row(number, 1, &[number])).collect();
    for one in &mut rows {
        one.scope = Some([u8::from(one.id != id(3)); 32]);
    }
    let writes = rows.iter().cloned().map(create).collect();
    store.commit(batch(writes)).await.unwrap();
    let got = store.get_each(Kind::Key, vec![id(4), id(9), id(1), id(4)]);
    let [one, _, _, four] = rows.as_slice() else {
        panic!("four rows")
    };
    let wanted = [
        Some(four.clone()),
        None,
        Some(one.clone()),
        Some(four.clone()),
    ];
    assert_eq!(got.await.unwrap(), wanted);
    assert_eq!(store.get_each(Kind::Key, Vec::new()).await.unwrap(), []);
    assert_eq!(
        store.get_each(Kind::Token, vec![id(1)]).await.unwrap(),
        [None]
    );
    let next = |scope: u8, after: &[u8]| {
        let after = after.iter().copied().map(id).collect();
        store.next_each(Kind::Key, [scope; 32], after)
    };
    let found = next(1, &[2, 0, 4, 1]).await.unwrap();
    assert_eq!(found, [Some(id(4)), Some(id(1)), None, Some(id(2))]);
    assert_eq!(next(0, &[0, 3]).await.unwrap(), [Some(id(3)), None]);
    assert_eq!(next(7, &[0]).await.unwrap(), [None]);
    assert_eq!(next(1, &[]).await.unwrap(), []);
}

async fn a_row_changes_with_its_index_and_without(store: Made) {
    let with = |revision, index: Option<u8>, scope: u8| Row {
        index: index.map(|byte| [byte; 32]),
        scope: Some([scope; 32]),
        ..row(1, revision, &revision.to_be_bytes())
    };
    store
        .commit(batch(vec![create(with(1, Some(3), 4))]))
        .await
        .unwrap();
    let steps = [
        (Some(3), 4),
        (Some(5), 4),
        (Some(5), 6),
        (None, 6),
        (Some(3), 6),
    ];
    for (revision, (index, scope)) in (2..).zip(steps) {
        let row = with(revision, index, scope);
        let changed = store.commit(batch(vec![update(row.clone())]));
        changed.await.unwrap();
        assert_eq!(
            store.get(Kind::Key, id(1)).await.unwrap(),
            Some(row.clone())
        );
        for byte in [3, 5] {
            let found = store.find(Kind::Key, [byte; 32]).await.unwrap();
            assert_eq!(found, (index == Some(byte)).then(|| row.clone()));
        }
        for byte in [4, 6] {
            let scanned = store.scan(Kind::Key, Some([byte; 32]), None, 9);
            assert_eq!(scanned.await.unwrap().len(), usize::from(scope == byte));
        }
    }
}

async fn batches_are_atomic(store: Made) {
    store
        .commit(batch(vec![create(row(1, 1, b"a"))]))
        .await
        .unwrap();
    let failed = store
        .commit(Batch {
            writes: vec![
                update(row(1, 2, b"b")),
                create(row(2, 1, b"b")),
                delete(3, 1),
            ],
            meta: vec![MetaWrite {
                name: "m",
                expected: None,
                bytes: vec![1],
            }],
            ..Batch::default()
        })
        .await;
    assert_eq!(conflict(failed), Conflict::Missing);
    let failed = store
        .commit(Batch {
            writes: vec![create(row(2, 1, b"b"))],
            meta: vec![MetaWrite {
                name: "m",
                expected: Some(1),
                bytes: vec![1],
            }],
            ..Batch::default()
        })
        .await;
    assert_eq!(conflict(failed), Conflict::Missing);
    assert_eq!(
        store.scan(Kind::Key, None, None, 9).await.unwrap(),
        [row(1, 1, b"a")]
    );
    assert_eq!(store.meta("m").await.unwrap(), None);
}

async fn meta_is_compared_and_set(store: Made) {
    let put = |expected, bytes: &[u8]| {
        store.commit(Batch {
            meta: vec![MetaWrite {
                name: "m",
                expected,
                bytes: bytes.to_vec(),
            }],
            ..Batch::default()
        })
    };
    put(None, b"a").await.unwrap();
    assert_eq!(conflict(put(None, b"b").await), Conflict::Exists);
    put(Some(1), b"b").await.unwrap();
    assert_eq!(conflict(put(Some(1), b"c").await), Conflict::Revision);
    let meta = store.meta("m").await.unwrap().unwrap();
    assert_eq!((meta.revision, meta.bytes.as_slice()), (2, &b"b"[..]));
    assert_eq!(store.meta("other").await.unwrap(), None);
}

async fn finalise_sees_its_own_transaction(store: Made) {
    store
        .commit(batch(vec![
            create(row(1, 4, b"old")),
            create(row(2, 5, b"read")),
        ]))
        .await
        .unwrap();
    store
        .commit(Batch {
            writes: vec![update(row(1, 5, b"new")), create(row(3, 1, b"x"))],
            reads: vec![(Kind::Key, id(2)), (Kind::Key, id(9))],
            finalise: Some(Box::new(|seen: &Seen<'_>| {
                assert_eq!(seen.replaced, [Some(row(1, 4, b"old")), None]);
                assert_eq!(seen.read, [Some(row(2, 5, b"read")), None]);
                Ok(vec![
                    update(row(2, 6, b"changed")),
                    create(row(9, 1, b"more")),
                ])
            })),
            ..Batch::default()
        })
        .await
        .unwrap();
    let rows = store.scan(Kind::Key, None, None, 9).await.unwrap();
    assert_eq!(
        rows,
        [
            row(1, 5, b"new"),
            row(2, 6, b"changed"),
            row(3, 1, b"x"),
            row(9, 1, b"more"),
        ]
    );
}

async fn finalise_can_undo(store: Made) {
    let refused = store
        .commit(Batch {
            writes: vec![create(row(1, 1, b"a"))],
            finalise: Some(Box::new(|_: &Seen<'_>| Err(Error::HeadReplayed))),
            ..Batch::default()
        })
        .await;
    assert!(matches!(refused, Err(Error::HeadReplayed)));
    let refused = store
        .commit(Batch {
            writes: vec![create(row(1, 1, b"a"))],
            finalise: Some(Box::new(|_: &Seen<'_>| Ok(vec![update(row(2, 2, b"b"))]))),
            ..Batch::default()
        })
        .await;
    assert_eq!(conflict(refused), Conflict::Missing);
    assert!(
        store
            .scan(Kind::Key, None, None, 9)
            .await
            .unwrap()
            .is_empty()
    );
}

/// Many batches at once add one each to a number they read in their own
/// transaction: none is lost, though none knows of the others.
async fn batches_run_one_after_the_other(store: Made) {
    let counter = |value: u64| row(1, value + 1, &value.to_be_bytes());
    store.commit(batch(vec![create(counter(0))])).await.unwrap();
    let all = (0..200)
        .map(|number: u16| {
            let store = Arc::clone(&store);
            async move {
                let mut own = row(0, 1, b"own");
                own.kind = Kind::Job;
                own.id.0[..2].copy_from_slice(&number.to_be_bytes());
                store
                    .commit(Batch {
                        writes: vec![create(own)],
                        reads: vec![(Kind::Key, id(1))],
                        finalise: Some(Box::new(move |seen: &Seen<'_>| {
                            let found = seen.read[0].as_ref().unwrap();
                            Ok(vec![update(counter(found.revision))])
                        })),
                        ..Batch::default()
                    })
                    .await
            }
        })
        .collect();
    for result in together(all).await {
        result.unwrap();
    }
    assert_eq!(
        store.get(Kind::Key, id(1)).await.unwrap(),
        Some(counter(200))
    );
    let rows = store.scan(Kind::Job, None, None, 1000).await.unwrap();
    assert_eq!(rows.len(), 200);
}

async fn one_of_many_wins(store: Made) {
    store
        .commit(batch(vec![create(row(1, 1, b"a"))]))
        .await
        .unwrap();
    let all = (0..50)
        .map(|number: u8| {
            let store = Arc::clone(&store);
            async move {
                store
                    .commit(batch(vec![update(row(1, 2, &[number]))]))
                    .await
            }
        })
        .collect();
    let results = together(all).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for result in results.into_iter().filter(Result::is_err) {
        assert_eq!(conflict(result), Conflict::Revision);
    }
}

async fn neighbours_of_a_conflict_pass(store: Made) {
    store
        .commit(batch(vec![create(row(0, 1, b"a"))]))
        .await
        .unwrap();
    let all = (1..=60)
        .map(|number: u8| {
            let store = Arc::clone(&store);
            async move {
                let mut writes = vec![create(row(number, 1, b"x"))];
                if number.is_multiple_of(3) {
                    writes.push(create(row(0, 1, b"b")));
                }
                (number, store.commit(batch(writes)).await)
            }
        })
        .collect();
    for (number, result) in together(all).await {
        let there = store.get(Kind::Key, id(number)).await.unwrap().is_some();
        if number.is_multiple_of(3) {
            assert_eq!(conflict(result), Conflict::Exists);
            assert!(!there);
        } else {
            result.unwrap();
            assert!(there);
        }
    }
}

async fn snapshots_stand_still(store: Made) {
    let writes = (0..100)
        .map(|number| create(row(number, 1, b"a")))
        .collect();
    store
        .commit(Batch {
            writes,
            meta: vec![MetaWrite {
                name: "m",
                expected: None,
                bytes: vec![1],
            }],
            ..Batch::default()
        })
        .await
        .unwrap();
    let mut snapshot = store.snapshot().await.unwrap();
    let first = snapshot.next(10).await.unwrap();
    store
        .commit(Batch {
            writes: vec![
                update(row(50, 2, b"b")),
                delete(60, 1),
                create(row(200, 1, b"c")),
            ],
            meta: vec![MetaWrite {
                name: "m",
                expected: Some(1),
                bytes: vec![2],
            }],
            ..Batch::default()
        })
        .await
        .unwrap();
    let mut rows = first;
    loop {
        let page = snapshot.next(7).await.unwrap();
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    let expected: Vec<Row> = (0..100).map(|number| row(number, 1, b"a")).collect();
    assert_eq!(rows, expected);
    assert_eq!(snapshot.meta("m").await.unwrap().unwrap().bytes, [1]);
    assert_eq!(store.meta("m").await.unwrap().unwrap().bytes, [2]);
}

async fn a_dropped_commit_is_whole(store: Made) {
    for number in 0..40 {
        drop(store.commit(batch(vec![
            create(row(number, 1, b"x")),
            create(row(number + 100, 1, b"x")),
        ])));
    }
    // Later than all of them in the order.
    store
        .commit(batch(vec![create(row(255, 1, b"x"))]))
        .await
        .unwrap();
    for number in 0..40 {
        let one = store.get(Kind::Key, id(number)).await.unwrap();
        let other = store.get(Kind::Key, id(number + 100)).await.unwrap();
        assert_eq!(one.is_some(), other.is_some());
    }
}

async fn closing_ends_everything(store: Made) {
    store.close().await.unwrap();
    assert!(matches!(
        store.get(Kind::Key, id(1)).await,
        Err(Error::Closed)
    ));
    assert!(matches!(
        store.commit(Batch::default()).await,
        Err(Error::Closed)
    ));
    assert!(matches!(store.snapshot().await, Err(Error::Closed)));
    store.close().await.unwrap();
}
