//! Incidents that cannot be finished, and what is left of them when their
//! namespace goes.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use skms_crypto::{Algorithm, Format, SecretBytes};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::derive_key::NewDerivation;
use skms_engine::acts::import_key::Incoming;
use skms_engine::{Error, KeyRef};
use skms_keys::{Defaults, Legacy, Rules, Versions};
use skms_store::{Kind, RecordId};

use super::common::House;
use super::{compromise, derive, master, order};

fn database(house: &House) -> Connection {
    Connection::open(house.dir.path().join("skms.db")).unwrap()
}

/// Puts other bytes in a row's place, and gives those that were there.
fn put_sealed(house: &House, id: RecordId, sealed: &[u8]) -> Vec<u8> {
    let database = database(house);
    let place = params![Kind::Incident.number(), id.0];
    let before = database
        .query_row(
            "SELECT sealed FROM record WHERE kind = ?1 AND id = ?2",
            place,
            |row| row.get(0),
        )
        .unwrap();
    let set = "UPDATE record SET sealed = ?3 WHERE kind = ?1 AND id = ?2";
    let changed = database.execute(set, params![Kind::Incident.number(), id.0, sealed]);
    assert_eq!(changed.unwrap(), 1);
    before
}

#[tokio::test]
async fn one_that_cannot_be_finished_holds_up_no_other() {
    let house = House::new().await;
    let mut begun = Vec::new();
    for name in ["one", "two", "three"] {
        master(&house, name).await;
        derive(&house, name, &format!("below-{name}"))
            .await
            .unwrap();
        begun.push(compromise(&house, name, order()).await);
    }
    // The first that is come to.
    begun.sort_by_key(|incident| incident.id);
    let stuck = begun.remove(0);
    let whole = put_sealed(&house, stuck.id, b"nothing that opens");
    for _ in 0..2 {
        assert!(house.engine.finish_incidents().await.is_err());
    }
    let read = async |id| {
        let read = house.engine.read_incident(&house.root, "root", id);
        read.await.unwrap()
    };
    for other in &begun {
        let other = read(other.id).await;
        assert!(other.finished_at.is_some() && other.trouble.is_none());
    }
    put_sealed(&house, stuck.id, &whole);
    let held = read(stuck.id).await;
    assert!(held.finished_at.is_none());
    assert!(held.trouble.is_some(), "it says what holds it up");
    assert_eq!(house.engine.finish_incidents().await.unwrap(), 1);
    let done = read(stuck.id).await;
    assert!(done.finished_at.is_some() && done.trouble.is_none());
    assert_eq!(done.counts.compromised, 2);
}

/// How many rows there are of each kind, of what acts write.
fn rows(house: &House) -> BTreeMap<u8, i64> {
    let database = database(house);
    let sql = "SELECT kind, count(*) FROM record GROUP BY kind";
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let counted = rows.unwrap().map(Result::unwrap);
    counted
        .filter(|(kind, _)| *kind != Kind::Outbox.number())
        .collect()
}

fn at(name: &str) -> KeyRef<'_> {
    KeyRef {
        namespace: "tenant",
        keyring: "ring",
        name,
    }
}

fn spec(algorithm: Algorithm) -> NewKeySpec {
    NewKeySpec {
        algorithm: Some(algorithm),
        rules: Some(Rules {
            destroy_window_seconds: 0,
            legacy: Legacy {
                weak_material: true,
                ..Legacy::default()
            },
            ..Rules::default()
        }),
        ..NewKeySpec::default()
    }
}

#[tokio::test]
async fn a_deleted_namespace_leaves_nothing() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    // The key for reports is the server's.
    engine.incident_key(root, "root").await.unwrap();
    let before = rows(&house);
    engine.create_namespace(root, "tenant").await.unwrap();
    let ring = engine.create_keyring(root, "tenant", "ring", Defaults::default());
    ring.await.unwrap();
    let made = engine.create_key(root, at("master"), spec(Algorithm::HkdfSha256));
    made.await.unwrap();
    for number in 0..3 {
        let name = format!("k{number}");
        let wanted = NewDerivation {
            version: None,
            context: Vec::new(),
            spec: spec(Algorithm::Aes256Gcm),
        };
        let made = engine.derive_key(root, at("master"), at(&name), wanted);
        made.await.unwrap();
    }
    let incoming = Incoming {
        bytes: SecretBytes::new(vec![0; 32]),
        format: Format::Raw,
        passphrase: None,
        wrapped_with: None,
    };
    let weak = engine.import_key(root, at("weak"), spec(Algorithm::Aes256Gcm), incoming);
    weak.await.unwrap();
    engine.note_weak_keys().await.unwrap();
    let begun = engine.compromise_key(root, at("master"), order());
    begun.await.unwrap();
    let kinds = [
        Kind::WeakFinding,
        Kind::Incident,
        Kind::Epoch,
        Kind::Descent,
    ];
    let there = rows(&house);
    for kind in kinds {
        let less = before.get(&kind.number()).copied().unwrap_or(0);
        assert!(there[&kind.number()] > less, "{kind} has no rows");
    }
    for name in ["master", "k0", "k1", "k2", "weak"] {
        let destroyed = engine.destroy_key(root, at(name), Versions::All, Some(0));
        destroyed.await.unwrap();
    }
    engine.do_what_is_due().await.unwrap();
    for name in ["master", "k0", "k1", "k2", "weak"] {
        engine.delete_key(root, at(name)).await.unwrap();
    }
    engine.delete_keyring(root, "tenant", "ring").await.unwrap();
    // Not before the incident has its report.
    let early = engine.delete_namespace(root, "tenant").await;
    assert!(matches!(early, Err(Error::NotEmpty(_))), "{early:?}");
    assert_eq!(engine.finish_incidents().await.unwrap(), 1);
    engine.delete_namespace(root, "tenant").await.unwrap();
    assert_eq!(rows(&house), before);
    assert!(engine.verify_storage(root).await.unwrap().store.is_sound());
}
