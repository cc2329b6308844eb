use super::*;

const ID: RecordId = RecordId([7; 16]);

fn row(tag: u8, index: Option<u8>) -> Row {
    Row {
        kind: Kind::Token,
        id: ID,
        revision: 1,
        index: index.map(|index| [index; 32]),
        scope: Some([1; 32]),
        sealed: vec![tag; 32],
    }
}

fn flight(row: Option<&Row>) -> Vec<Flight> {
    vec![Flight {
        kind: Kind::Token,
        id: ID,
        scope: [1; 4],
        after: row.and_then(print),
        name: row.and_then(|row| row.index),
    }]
}

fn accepts(known: &Known, row: Option<&Row>) -> bool {
    known.accepts(Kind::Token, [1; 4], ID, row)
}

fn with(row: &Row) -> Known {
    let mut collected = Collected::default();
    collected.take(row);
    Known::new(collected)
}

#[test]
fn the_later_commit_stands_whoever_tells_first() {
    let (first, second, third) = (row(1, Some(1)), row(2, Some(2)), row(3, Some(1)));
    for later_first in [false, true] {
        let known = with(&first);
        let one = known.announce(flight(Some(&second))).unwrap();
        let two = known.announce(flight(Some(&third))).unwrap();
        for row in [&first, &second, &third] {
            assert!(accepts(&known, Some(row)));
        }
        assert!(!accepts(&known, None));
        known.replaces(one, &[Some(first.clone())], 5);
        known.replaces(two, &[Some(second.clone())], 6);
        if later_first {
            known.settle(two, 6);
            known.settle(one, 5);
        } else {
            known.settle(one, 5);
            known.settle(two, 6);
        }
        assert!(accepts(&known, Some(&third)));
        assert!(!accepts(&known, Some(&first)) && !accepts(&known, Some(&second)));
        assert!(!accepts(&known, None));
        assert!(known.accepts_no(&[2; 32]) && !known.accepts_no(&[1; 32]));
        known.look(|state| {
            assert!(state.busy.is_empty() && state.batches.is_empty());
            assert!(state.names_off.is_empty());
        });
    }
}

#[test]
fn what_failed_never_was_and_what_is_doubtful_may_be() {
    let (old, new, newer) = (row(1, None), row(2, None), row(3, None));
    let known = with(&old);
    let failed = known.announce(flight(None)).unwrap();
    assert!(accepts(&known, None));
    known.forget(failed);
    assert!(!accepts(&known, None) && accepts(&known, Some(&old)));

    let doubtful = known.announce(flight(Some(&new))).unwrap();
    known.replaces(doubtful, &[Some(old.clone())], 8);
    known.doubt(doubtful);
    assert!(accepts(&known, Some(&old)) && accepts(&known, Some(&new)));
    let sure = known.announce(flight(Some(&newer))).unwrap();
    known.settle(sure, 9);
    assert!(!accepts(&known, Some(&old)) && !accepts(&known, Some(&new)));
    assert!(accepts(&known, Some(&newer)));
    known.look(|state| assert!(state.busy.is_empty() && state.doubtful.is_empty()));
}

#[test]
fn missing_rows_are_named_within_the_page_only() {
    let mut collected = Collected::default();
    for (scope, id) in [(1, 1), (1, 3), (2, 2), (9, 4)] {
        collected.take(&Row {
            id: RecordId([id; 16]),
            scope: Some([scope; 32]),
            ..row(1, None)
        });
    }
    let known = Known::new(collected);
    let id = |number: u8| RecordId([number; 16]);
    let missing = |scope: Option<u8>, after: Option<u8>, last: Option<u8>, found: &[u8]| {
        let mut ids: Vec<u8> = known
            .missing(
                Kind::Token,
                scope.map(|scope| [scope; 4]),
                after.map(id),
                last.map(id),
                &found.iter().map(|number| id(*number)).collect(),
            )
            .into_iter()
            .map(|(_, id)| id.0[0])
            .collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(missing(None, None, None, &[]), [1, 2, 3, 4]);
    assert_eq!(missing(None, Some(1), Some(3), &[3]), [2]);
    assert_eq!(missing(Some(1), None, None, &[1]), [3]);
    assert_eq!(missing(Some(1), Some(3), None, &[]), [0; 0]);
    assert_eq!(missing(Some(5), None, None, &[]), [0; 0]);
    assert_eq!(missing(None, Some(3), Some(2), &[]), [0; 0]);
}
