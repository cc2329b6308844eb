//! How long the compromise of a key with many dependents takes, and what it
//! leaves of the throughput of other work: an engine on files of its own, as
//! the server has it, without the network before it.
//!
//! `cargo run --release -p skms-engine --example compromise -- 100000` makes so
//! many keys that are derived from one, has other keys encrypt meanwhile, and
//! prints a line of figures, `name value`.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use skms_crypto::{Algorithm, EncryptOptions, SecretArray, SecretBytes, Use, Uses};
use skms_engine::acts::compromise::{Order, Reach, Rotation};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::derive_key::NewDerivation;
use skms_engine::acts::encrypt;
use skms_engine::{Caller, Config, Engine, Error, KeyRef};
use skms_keys::Versions;
use skms_store::{NewSeal, SealInput};

/// Keys that go on being used.
const BUSY: usize = 16;
/// Who uses them at once.
const USERS: usize = 8;
/// Who makes keys at once.
const MAKERS: usize = 64;
/// How long the server has for what it does once with keys that are new: dates
/// are noted and public values looked at.
const SETTLES: Duration = Duration::from_secs(20);
/// How long the throughput is taken beforehand.
const BEFORE: Duration = Duration::from_secs(8);
/// Dependents that are tried right after the call.
const TRIED: usize = 2_000;

fn at(name: &str) -> KeyRef<'_> {
    KeyRef {
        namespace: skms_policy::ROOT_NAMESPACE,
        keyring: "default",
        name,
    }
}

struct House {
    engine: Arc<Engine>,
    caller: Arc<Caller>,
}

impl House {
    async fn create(&self, name: &str, algorithm: Algorithm, uses: Option<Uses>) {
        let spec = NewKeySpec {
            algorithm: Some(algorithm),
            uses,
            ..NewKeySpec::default()
        };
        let made = self.engine.create_key(&self.caller, at(name), spec);
        made.await.unwrap();
    }

    async fn derive(&self, name: &str) {
        let wanted = NewDerivation {
            version: None,
            context: Vec::new(),
            spec: NewKeySpec {
                algorithm: Some(Algorithm::Xaes256Gcm),
                ..NewKeySpec::default()
            },
        };
        let made = self
            .engine
            .derive_key(&self.caller, at("master"), at(name), wanted);
        made.await.unwrap();
    }

    async fn encrypt(&self, name: &str) -> Result<(), Error> {
        let item = encrypt::Request {
            plaintext: SecretBytes::new(vec![7; 256]),
            associated_data: Vec::new(),
            version: None,
            options: EncryptOptions::default(),
        };
        let done = self
            .engine
            .operate_one::<encrypt::Encrypt>(&self.caller, at(name), item);
        done.await.map(drop)
    }
}

async fn open(folder: &std::path::Path) -> Arc<House> {
    let config = Config::new(folder);
    let key = || SecretArray::from_slice(&[7; 32]).unwrap();
    let seal = NewSeal::KeyFile {
        name: "main".into(),
        key: key(),
    };
    let made = Engine::init(&config, vec![seal]).await.unwrap();
    let token = String::from_utf8(made.root_token.into_public()).unwrap();
    let engine = Engine::open(config).await.unwrap();
    engine.unseal(SealInput::KeyFile(key())).await.unwrap();
    let caller = Arc::new(Caller {
        session: engine.authenticate_token(&token).await.unwrap(),
        source: None,
        request_id: "bench".into(),
        tls: true,
        idempotency: None,
        calling: skms_engine::approvals::Calling::default(),
    });
    Arc::new(House { engine, caller })
}

async fn fill(house: &Arc<House>, dependents: usize) {
    let next = Arc::new(AtomicU64::new(0));
    let mut makers = Vec::new();
    for _ in 0..MAKERS {
        let (house, next) = (Arc::clone(house), Arc::clone(&next));
        makers.push(tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= dependents as u64 {
                    return;
                }
                house.derive(&format!("d{number}")).await;
            }
        }));
    }
    for maker in makers {
        maker.await.unwrap();
    }
}

/// Others at work, counted.
struct Load {
    done: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    users: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(house: &Arc<House>) -> Self {
        let (done, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let users = (0..USERS)
            .map(|user| {
                let (house, done, stop) = (Arc::clone(house), Arc::clone(&done), Arc::clone(&stop));
                tokio::spawn(async move {
                    let mut number = user;
                    while !stop.load(Ordering::Relaxed) {
                        number = (number + 1) % BUSY;
                        house.encrypt(&format!("busy{number}")).await.unwrap();
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        Self { done, stop, users }
    }

    fn count(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for user in self.users {
            user.await.unwrap();
        }
    }
}

async fn measure(dependents: usize) {
    let folder = tempfile::tempdir().unwrap();
    let house = open(folder.path()).await;
    house
        .create(
            "master",
            Algorithm::HkdfSha256,
            Some(Uses::of(&[Use::Derive])),
        )
        .await;
    for number in 0..BUSY {
        let name = format!("busy{number}");
        house.create(&name, Algorithm::Xaes256Gcm, None).await;
    }
    fill(&house, dependents).await;
    house.engine.start_jobs();
    tokio::time::sleep(SETTLES).await;
    let load = Load::start(&house);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (first, begun) = (load.count(), Instant::now());
    tokio::time::sleep(BEFORE).await;
    let before = rate(load.count() - first, begun.elapsed());

    // Somebody uses dependents when it happens.
    let last = dependents.saturating_sub(1);
    let user = {
        let house = Arc::clone(&house);
        tokio::spawn(async move { while house.encrypt(&format!("d{last}")).await.is_ok() {} })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    let order = Order {
        versions: Versions::All,
        reason: "measured".into(),
        since: Some(house.engine.now()),
        reach: Reach::All,
        rotation: Rotation::Rule,
    };
    let (first, begun) = (load.count(), Instant::now());
    let compromised = house
        .engine
        .compromise_key(&house.caller, at("master"), order);
    let incident = compromised.await.unwrap().id;
    let effective = begun.elapsed();
    let step = (dependents / TRIED).max(1);
    for number in (0..dependents).step_by(step) {
        assert!(house.encrypt(&format!("d{number}")).await.is_err());
    }
    let namespace = skms_policy::ROOT_NAMESPACE;
    let done = loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let read = house
            .engine
            .read_incident(&house.caller, namespace, incident)
            .await
            .unwrap();
        if read.finished_at.is_some() {
            break read;
        }
    };
    let cascade = begun.elapsed();
    let during = rate(load.count() - first, cascade);
    load.stop().await;
    user.await.unwrap();
    assert_eq!(done.counts.compromised, dependents as u64 + 1);
    #[allow(clippy::print_stdout)]
    for (name, value) in [
        ("dependents", dependents as f64),
        ("effective_ms", effective.as_secs_f64() * 1e3),
        ("cascade_s", cascade.as_secs_f64()),
        ("before_per_s", before),
        ("during_per_s", during),
    ] {
        println!("{name} {value:.1}");
    }
    house.engine.shut().await.unwrap();
}

fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn main() {
    let dependents = std::env::args().nth(1).and_then(|text| text.parse().ok());
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(measure(dependents.unwrap_or(10_000)));
}
