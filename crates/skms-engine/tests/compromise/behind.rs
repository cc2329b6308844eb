//! What a compromise holds against whoever does not know of it yet: an epoch in
//! the store against who makes a dependent, and the wait for uses under way.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use skms_crypto::{
    Algorithm, EncryptOptions, Format, Hash, KeyMaterial, SecretBytes, SignOptions, Use, Uses,
};
use skms_engine::acts::agree_key::NewAgreement;
use skms_engine::acts::certificates::{NewCertificate, Status, SubjectKey};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::export_key;
use skms_engine::acts::import_key::{Incoming, WrappedWith};
use skms_engine::acts::payload::Payload;
use skms_engine::acts::sign;
use skms_engine::{Config, Engine, Error, Result};
use skms_pki::issue::ProfileKind;
use skms_store::Kind;
use tempfile::TempDir;

use super::common::{House, at, caller};
use super::{authorities, compromise, derive, master, order};

async fn create(house: &House, name: &str, algorithm: Algorithm, uses: &[Use]) {
    let spec = NewKeySpec {
        algorithm: Some(algorithm),
        uses: (!uses.is_empty()).then(|| Uses::of(uses)),
        exportable: Some(true),
        ..NewKeySpec::default()
    };
    let made = house.engine.create_key(&house.root, at(name), spec);
    made.await.unwrap();
}

fn by_kek() -> WrappedWith {
    WrappedWith {
        keyring: "default".into(),
        name: "kek".into(),
        version: None,
        options: EncryptOptions::default(),
    }
}

async fn wrap(house: &House, name: &str) -> Result<SecretBytes> {
    let request = export_key::Request {
        version: None,
        format: Format::Pkcs8Der,
        passphrase: None,
        wrapped_with: Some(by_kek()),
    };
    let left = house.engine.export_key(&house.root, at(name), request);
    Ok(left.await?.bytes)
}

async fn unwrap(house: &House, name: &str, wrapped: &SecretBytes) -> Result<()> {
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::EcP256),
        ..NewKeySpec::default()
    };
    let incoming = Incoming {
        bytes: SecretBytes::new(wrapped.expose().to_vec()),
        format: Format::Pkcs8Der,
        passphrase: None,
        wrapped_with: Some(by_kek()),
    };
    let made = house
        .engine
        .import_key(&house.root, at(name), spec, incoming);
    made.await.map(drop)
}

async fn agree(house: &House, name: &str) -> Result<()> {
    let peer = KeyMaterial::generate(Algorithm::X25519).unwrap();
    let peer = peer.public_key().unwrap().unwrap().to_raw().unwrap();
    let wanted = NewAgreement {
        peer,
        format: Format::Raw,
        peer_party: "peer".into(),
        own_party: None,
        hash: Hash::Sha256,
        salt: Vec::new(),
        version: None,
        spec: NewKeySpec {
            algorithm: Some(Algorithm::Aes256Gcm),
            ..NewKeySpec::default()
        },
    };
    let agreed = house
        .engine
        .agree_on_key(&house.root, at("dh"), at(name), wanted);
    agreed.await.map(drop)
}

type Rows = Vec<Vec<Value>>;

fn epochs(folder: &Path) -> Rows {
    let database = Connection::open(folder.join("skms.db")).unwrap();
    let sql = "SELECT kind, id, revision, entry, scope, sealed FROM record WHERE kind = ?1";
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([Kind::Epoch.number()], |row| {
        (0..6).map(|column| row.get(column)).collect()
    });
    rows.unwrap().map(|row| row.unwrap()).collect()
}

/// The epochs that the same store has once these keys are compromised.
async fn epochs_elsewhere(house: House, names: &[&str]) -> (House, Rows) {
    house.engine.shut().await.unwrap();
    let copy = TempDir::new().unwrap();
    for entry in std::fs::read_dir(house.dir.path()).unwrap() {
        let entry = entry.unwrap();
        let to = copy.path().join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            for inner in std::fs::read_dir(entry.path()).unwrap() {
                let inner = inner.unwrap();
                std::fs::copy(inner.path(), to.join(inner.file_name())).unwrap();
            }
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
    let mut config = Config::new(copy.path());
    config.clock = house.config.clock.clone();
    let engine = Engine::open(config).await.unwrap();
    engine.unseal(house.key_input()).await.unwrap();
    let root = caller(&engine, &house.root_token).await;
    for name in names {
        let begun = engine.compromise_key(&root, at(name), order());
        begun.await.unwrap();
    }
    engine.shut().await.unwrap();
    (house.restart().await, epochs(copy.path()))
}

#[tokio::test]
async fn an_epoch_in_the_store_stops_who_makes_a_dependent() {
    let house = House::new().await;
    master(&house, "master").await;
    create(&house, "dh", Algorithm::X25519, &[Use::Agree]).await;
    create(&house, "kek", Algorithm::Aes256Kwp, &[]).await;
    create(&house, "pair", Algorithm::EcP256, &[]).await;
    create(&house, "other", Algorithm::EcP256, &[]).await;
    let wrapped = wrap(&house, "other").await.unwrap();
    let (house, rows) = epochs_elsewhere(house, &["master", "dh", "kek"]).await;
    assert_eq!(rows.len(), 3);
    // All is well here before, and nothing in memory knows of it after.
    derive(&house, "master", "d1").await.unwrap();
    agree(&house, "a1").await.unwrap();
    unwrap(&house, "u1", &wrapped).await.unwrap();
    let database = Connection::open(house.dir.path().join("skms.db")).unwrap();
    for row in rows {
        let sql = "INSERT INTO record (kind, id, revision, entry, scope, sealed)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        database.execute(sql, params_from_iter(row)).unwrap();
    }
    let derived = derive(&house, "master", "d2").await.map(drop);
    let agreed = agree(&house, "a2").await;
    let unwrapped = unwrap(&house, "u2", &wrapped).await;
    let left = wrap(&house, "pair").await.map(drop);
    let ways = ["derived", "agreed", "unwrapped", "wrapped"];
    for (way, made) in ways.into_iter().zip([derived, agreed, unwrapped, left]) {
        let barred = matches!(made, Err(Error::AncestorCompromised { .. }));
        assert!(barred, "{way}: {made:?}");
    }
    for name in ["d2", "a2", "u2"] {
        let read = house.engine.read_key(&house.root, at(name)).await;
        assert!(matches!(read, Err(Error::NotFound { .. })), "{name}");
    }
}

/// A signature takes its time, and more of them wait for a thread.
#[tokio::test]
async fn a_compromise_waits_for_uses_of_the_key_and_of_what_depends_on_it() {
    const USES: usize = 48;
    let house = House::new().await;
    create(&house, "kek", Algorithm::Aes256Kwp, &[]).await;
    create(&house, "pair", Algorithm::Rsa3072, &[]).await;
    let house = Arc::new(house);
    let sign = async |house: &House| {
        let request = sign::Request {
            payload: Payload::Raw(b"x".to_vec()),
            version: None,
            options: SignOptions::default(),
        };
        let signed = house
            .engine
            .operate_one::<sign::Sign>(&house.root, at("pair"), request);
        signed.await.map(drop)
    };
    wrap(&house, "pair").await.unwrap();
    sign(&house).await.unwrap();
    // What it depends on, and then the key itself, under a new version.
    for name in ["kek", "pair"] {
        let (begun, ended) = (Arc::default(), Arc::<AtomicUsize>::default());
        let refused = Arc::<AtomicUsize>::default();
        for _ in 0..USES {
            let (house, ended) = (Arc::clone(&house), Arc::clone(&ended));
            let begun: Arc<AtomicUsize> = Arc::clone(&begun);
            let refused = Arc::clone(&refused);
            tokio::spawn(async move {
                begun.fetch_add(1, Ordering::SeqCst);
                let signed = sign(&house).await;
                refused.fetch_add(usize::from(signed.is_err()), Ordering::SeqCst);
                ended.fetch_add(1, Ordering::SeqCst);
            });
        }
        tokio::task::yield_now().await;
        assert_eq!(begun.load(Ordering::SeqCst), USES);
        assert!(
            ended.load(Ordering::SeqCst) < USES,
            "too fast for this test"
        );
        compromise(&house, name, order()).await;
        // One thread runs all of this: nobody ended in between unseen.
        assert_eq!(ended.load(Ordering::SeqCst), USES, "{name}");
        let refused = refused.load(Ordering::SeqCst);
        assert!(refused > 0, "{name}: nobody looked again before answering");
        let house = &house;
        if name == "kek" {
            let rotated = house.engine.rotate_key(&house.root, at("pair"), None);
            rotated.await.unwrap();
            sign(house).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_dependent_s_certificate_falls_with_it() {
    let house = House::new().await;
    authorities::authority(&house).await;
    create(&house, "kek", Algorithm::Aes256Kwp, &[]).await;
    create(&house, "pair", Algorithm::EcP256, &[]).await;
    wrap(&house, "pair").await.unwrap();
    let new = NewCertificate {
        profile: ProfileKind::TlsServer.into(),
        key: SubjectKey::Kept {
            keyring: "default".to_owned(),
            key: "pair".to_owned(),
            version: None,
        },
        subject: None,
        names: vec!["h.example.org".parse().unwrap()],
        lifetime_seconds: None,
    };
    let (engine, root) = (&house.engine, &house.root);
    let issued = engine.issue_certificate(root, "root", "ca", new).await;
    let serial = issued.unwrap().certificate.serial.to_string();
    let begun = compromise(&house, "kek", order()).await;
    engine.finish_incidents().await.unwrap();
    let read = engine.read_certificate(root, "root", "ca", &serial).await;
    assert_eq!(read.unwrap().status, Status::Revoked);
    let done = engine.read_incident(root, "root", begun.id).await.unwrap();
    assert_eq!(done.counts.certificates, 1);
}
