//! Incidents that cannot be finished, and what is left of them when their
//! namespace goes.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use skms_crypto::{Algorithm, Format, SecretBytes};
use skms_engine::acts::compromise::{Order, Rotation};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::derive_key::NewDerivation;
use skms_engine::acts::import_key::Incoming;
use skms_engine::{Error, KeyRef};
use skms_evidence::DetailKey;
use skms_keys::{Defaults, Legacy, Rules, Versions};
use skms_store::{Kind, RecordId};

use super::common::House;
use super::{compromise, derive, master, order};

fn database(house: &House) -> Connection {
    Connection::open(house.dir.path().join("skms.db")).unwrap()
}

/// Puts other bytes in a row's place, and gives those that were there.
pub fn put_sealed(house: &House, kind: Kind, id: RecordId, sealed: &[u8]) -> Vec<u8> {
    let database = database(house);
    let place = params![kind.number(), id.0];
    let before = database
        .query_row(
            "SELECT sealed FROM record WHERE kind = ?1 AND id = ?2",
            place,
            |row| row.get(0),
        )
        .unwrap();
    let set = "UPDATE record SET sealed = ?3 WHERE kind = ?1 AND id = ?2";
    let changed = database.execute(set, params![kind.number(), id.0, sealed]);
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
    let whole = put_sealed(&house, Kind::Incident, stuck.id, b"nothing that opens");
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
    put_sealed(&house, Kind::Incident, stuck.id, &whole);
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

#[tokio::test]
async fn namespaces_take_turns_and_nothing_waits_for_reports() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    engine.create_namespace(root, "tenant").await.unwrap();
    let ring = engine.create_keyring(root, "tenant", "ring", Defaults::default());
    ring.await.unwrap();
    for number in 0..4 {
        let name = format!("k{number}");
        let made = engine.create_key(root, at(&name), spec(Algorithm::HkdfSha256));
        made.await.unwrap();
        let begun = engine.compromise_key(root, at(&name), order());
        begun.await.unwrap();
    }
    master(&house, "victim").await;
    let victim = compromise(&house, "victim", order()).await;
    assert_eq!(engine.finish_incidents().await.unwrap(), 5);
    // When each incident was first worked on, and when last: for its report.
    let mut worked = BTreeMap::<String, (u64, u64)>::new();
    for namespace in ["root", "tenant"] {
        let read = engine.read_events(root, namespace, 0, 1000).await;
        for one in read.unwrap().0 {
            let incident = one.event.details.get(DetailKey::Incident);
            let (Some(incident), "incident") = (incident, one.event.principal.as_str()) else {
                continue;
            };
            let times = worked.entry(format!("{incident:?}"));
            let (first, last) = times.or_insert((one.sequence, one.sequence));
            (*first, *last) = ((*first).min(one.sequence), (*last).max(one.sequence));
        }
    }
    assert_eq!(worked.len(), 5);
    let mine = worked
        .iter()
        .find(|(id, _)| id.contains(&victim.id.to_string()));
    let mine = mine.unwrap().1.0;
    let earlier = worked.values().filter(|(first, _)| *first < mine).count();
    assert!(earlier <= 1, "it waited for {earlier} of another's");
    let began = worked.values().map(|(first, _)| *first).max().unwrap();
    let told = worked.values().map(|(_, last)| *last).min().unwrap();
    assert!(began < told, "one waited for another's report");
}

#[tokio::test]
async fn an_order_that_is_under_way_is_no_incident_more() {
    let house = House::new().await;
    master(&house, "master").await;
    let first = compromise(&house, "master", order()).await;
    let again = compromise(&house, "master", order()).await;
    assert_eq!(first.id, again.id);
    let further = Order {
        rotation: Rotation::All,
        ..order()
    };
    let further = compromise(&house, "master", further).await;
    assert_ne!(first.id, further.id);
    let house = house.restart().await;
    let again = compromise(&house, "master", order()).await;
    assert_eq!(first.id, again.id);
    assert_eq!(house.engine.finish_incidents().await.unwrap(), 2);
    let later = compromise(&house, "master", order()).await;
    assert!(later.id != first.id && later.id != further.id);
}
