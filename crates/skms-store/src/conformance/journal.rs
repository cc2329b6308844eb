//! The suite for [`Journal`].

use std::future::Future;
use std::sync::Arc;

use super::together;
use crate::error::Error;
use crate::journal::{ENTRY_MAX, Entry, Journal};

type Made = Arc<dyn Journal>;

fn entry(number: u64) -> Entry {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Entry {
        id,
        salt: [number as u8; 32],
        bytes: format!("event {number}").into_bytes(),
        commit: (number.is_multiple_of(3)).then_some(number),
    }
}

/// Runs the suite.
///
/// # Panics
/// Where the contract of [`Journal`] is broken.
pub async fn journal_suite<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Made>,
{
    entries_come_back_in_order(make().await).await;
    an_empty_journal_is_empty(make().await).await;
    what_is_waited_for_is_durable(make().await).await;
    appends_from_everywhere_leave_no_gap(make().await).await;
    entries_of_every_size_pass(make().await).await;
    closing_ends_everything(make().await).await;
}

async fn entries_come_back_in_order(journal: Made) {
    let ticket = journal.append((0..10).map(entry).collect()).unwrap();
    assert_eq!((ticket.first(), ticket.count(), ticket.end()), (0, 10, 10));
    let next = journal.append(vec![entry(10)]).unwrap();
    assert_eq!(next.first(), 10);
    let none = journal.append(Vec::new()).unwrap();
    assert_eq!((none.first(), none.count()), (11, 0));
    next.wait().await.unwrap();
    ticket.wait().await.unwrap();
    none.wait().await.unwrap();
    assert_eq!(journal.durable_sequence(), 11);
    assert_eq!(journal.highest_commit(), 9);

    let read = journal.read(0, 100).await.unwrap();
    assert_eq!(read.len(), 11);
    for (number, stored) in (0..).zip(&read) {
        assert_eq!(stored.sequence, number);
        assert_eq!(stored.entry, entry(number));
    }
    let sequences = async |from, limit| -> Vec<u64> {
        let read = journal.read(from, limit).await.unwrap();
        read.iter().map(|stored| stored.sequence).collect()
    };
    assert_eq!(sequences(4, 3).await, [4, 5, 6]);
    assert_eq!(sequences(7, 3).await, [7, 8, 9]);
    assert_eq!(sequences(2, 1).await, [2]);
    assert_eq!(sequences(10, 5).await, [10]);
    assert!(sequences(11, 5).await.is_empty());
    assert!(sequences(0, 0).await.is_empty());
    assert!(journal.contains(entry(3).id).await.unwrap());
    assert!(!journal.contains(entry(99).id).await.unwrap());
    assert_eq!(journal.verify().await.unwrap().entries, 11);
}

async fn an_empty_journal_is_empty(journal: Made) {
    assert_eq!(journal.durable_sequence(), 0);
    assert_eq!(journal.highest_commit(), 0);
    assert!(journal.read(0, 10).await.unwrap().is_empty());
    assert!(!journal.contains([0; 16]).await.unwrap());
    assert_eq!(journal.verify().await.unwrap().entries, 0);
}

async fn what_is_waited_for_is_durable(journal: Made) {
    for number in 0..20 {
        let ticket = journal.append(vec![entry(number)]).unwrap();
        ticket.wait().await.unwrap();
        assert!(journal.durable_sequence() > ticket.first());
        let read = journal.read(ticket.first(), 1).await.unwrap();
        assert_eq!(read[0].entry, entry(number));
    }
}

async fn appends_from_everywhere_leave_no_gap(journal: Made) {
    let tasks = (0..40)
        .map(|task: u64| {
            let journal = Arc::clone(&journal);
            async move {
                let mut places = Vec::new();
                for number in 0..10 {
                    let own = entry(task * 100 + number);
                    let ticket = journal.append_as(vec![own], number % 4 == 0).unwrap();
                    ticket.wait().await.unwrap();
                    places.push((ticket.first(), task * 100 + number));
                }
                places
            }
        })
        .collect();
    let mut places: Vec<_> = together(tasks).await.into_iter().flatten().collect();
    places.sort_unstable();
    let read = journal.read(0, 1000).await.unwrap();
    assert_eq!(read.len(), 400);
    for (expected, ((place, number), stored)) in (0..).zip(places.iter().zip(&read)) {
        assert_eq!(*place, expected);
        assert_eq!(stored.entry, entry(*number));
    }
    assert_eq!(journal.verify().await.unwrap().entries, 400);
}

async fn entries_of_every_size_pass(journal: Made) {
    let sized = |len: usize| Entry {
        bytes: vec![7; len],
        ..entry(len as u64)
    };
    let sizes = [0, 1, 1000, 65_536, ENTRY_MAX];
    for size in sizes {
        let ticket = journal.append(vec![sized(size)]).unwrap();
        ticket.wait().await.unwrap();
    }
    for (place, size) in (0..).zip(sizes) {
        let read = journal.read(place, 1).await.unwrap();
        assert_eq!(read[0].entry, sized(size));
    }
    // All or none, and no place is used up by what is refused.
    let refused = journal.append(vec![entry(1), sized(ENTRY_MAX + 1)]);
    assert!(matches!(refused, Err(Error::Invalid(_))));
    let ticket = journal.append(vec![entry(2)]).unwrap();
    assert_eq!(ticket.first(), 5);
    ticket.wait().await.unwrap();
}

async fn closing_ends_everything(journal: Made) {
    let ticket = journal.append(vec![entry(1)]).unwrap();
    journal.close().await.unwrap();
    ticket.wait().await.unwrap();
    assert!(matches!(journal.append(vec![entry(2)]), Err(Error::Closed)));
    journal.close().await.unwrap();
}
