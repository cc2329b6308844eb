//! The sealed store against a map: whatever the order of changes, conflicts,
//! rotations and restarts, both hold the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use skms_store::{Conflict, Error, Kind};

use crate::common::*;

#[derive(Clone, Debug)]
enum Step {
    Put {
        number: u8,
        name: Option<u8>,
        /// Added to the true revision: 0 is right.
        off: u64,
        value: u8,
    },
    Delete {
        number: u8,
        off: u64,
    },
    Rotate,
    Reseal,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..6_u8, prop::option::of(0..3_u8), prop_oneof![9 => Just(0), 1 => 1..3_u64], any::<u8>())
            .prop_map(|(number, name, off, value)| Step::Put { number, name, off, value }),
        3 => (0..6_u8, prop_oneof![9 => Just(0), 1 => 1..3_u64])
            .prop_map(|(number, off)| Step::Delete { number, off }),
        1 => Just(Step::Rotate),
        1 => Just(Step::Reseal),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Clone, Debug, PartialEq)]
struct Held {
    revision: u64,
    name: Option<u8>,
    value: u8,
}

async fn run(steps: Vec<Step>) {
    let directory = tempfile::tempdir().unwrap();
    let mut store = init(directory.path()).await;
    let mut model: BTreeMap<u8, Held> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Put {
                number,
                name,
                off,
                value,
            } => {
                let held = model.get(&number).cloned();
                let expected = match (&held, off) {
                    (held, 0) => held.as_ref().map(|held| held.revision),
                    (held, off) => Some(held.as_ref().map_or(0, |held| held.revision) + off),
                };
                let text = name.map(|name| name.to_string());
                let result = store
                    .commit(
                        vec![put(number, text.as_deref(), expected, &value.to_string())],
                        None,
                    )
                    .await;
                let taken = name.is_some()
                    && model
                        .iter()
                        .any(|(other, held)| *other != number && held.name == name);
                match result {
                    Ok(done) => {
                        assert!(off == 0 && !taken);
                        let revision = done.revisions[0];
                        assert_eq!(revision, held.map_or(1, |held| held.revision + 1));
                        model.insert(
                            number,
                            Held {
                                revision,
                                name,
                                value,
                            },
                        );
                    }
                    Err(Error::Conflict { conflict, .. }) => match conflict {
                        Conflict::Index => assert!(taken),
                        Conflict::Revision => assert!(off > 0 && held.is_some()),
                        Conflict::Missing => assert!(off > 0 && held.is_none()),
                        other => panic!("{other:?}"),
                    },
                    Err(error) => panic!("{error:?}"),
                }
            }
            Step::Delete { number, off } => {
                let held = model.get(&number).map(|held| held.revision);
                let result = store
                    .commit(vec![delete(number, held.unwrap_or(1) + off)], None)
                    .await;
                assert_eq!(result.is_ok(), held.is_some() && off == 0);
                if result.is_ok() {
                    model.remove(&number);
                }
            }
            Step::Rotate => {
                store.rotate_storage_key().await.unwrap();
            }
            Step::Reseal => {
                store.reseal_some(3).await.unwrap();
            }
            Step::Reopen => {
                close(store).await;
                store = unseal(directory.path()).await.unwrap();
            }
        }
    }
    let records = store.scan(NS, Kind::Key, None, 100).await.unwrap();
    let found: BTreeMap<u8, Held> = records
        .iter()
        .map(|record| {
            let text = std::str::from_utf8(record.plaintext.expose()).unwrap();
            let held = Held {
                revision: record.revision,
                name: record.name.as_ref().map(|name| name.parse().unwrap()),
                value: text.parse().unwrap(),
            };
            (record.id.0[0], held)
        })
        .collect();
    assert_eq!(found, model);
    for name in 0..3_u8 {
        let record = store.find(NS, Kind::Key, &name.to_string()).await.unwrap();
        let expected = model
            .iter()
            .find(|(_, held)| held.name == Some(name))
            .map(|(number, _)| id(*number));
        assert_eq!(record.map(|record| record.id), expected);
    }
    assert!(store.verify().await.unwrap().is_sound());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn behaves_as_a_map(steps in prop::collection::vec(step(), 1..40)) {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(run(steps));
    }
}
