//! What a server costs that has many keys with dates and nothing to do: an
//! engine on files of its own, as the server has it, without the network before
//! it.
//!
//! `cargo run --release -p skms-engine --example schedule -- 1000000` makes so
//! many keys that rotate every 90 days, starts anew, and prints a line of
//! figures, `name value`: how long the walk takes that fills the index of dates,
//! how much memory the process has then, and how much of a core it takes while
//! nothing is due.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use skms_crypto::{Algorithm, SecretArray};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::{Caller, Config, Engine, KeyRef};
use skms_keys::Rules;
use skms_store::{NewSeal, SealInput};

/// Who makes keys at once.
const MAKERS: usize = 64;
/// How long the idle server is watched, once it is idle.
const WATCHED: Duration = Duration::from_secs(60);
/// Ticks of the kernel's clock in a second, as Linux tells them to programs.
const TICKS: f64 = 100.0;

fn key() -> SecretArray<32> {
    SecretArray::from_slice(&[7; 32]).unwrap()
}

async fn open(folder: &Path, token: &str) -> (Arc<Engine>, Arc<Caller>) {
    let engine = Engine::open(Config::new(folder)).await.unwrap();
    engine.unseal(SealInput::KeyFile(key())).await.unwrap();
    let caller = Arc::new(Caller {
        session: engine.authenticate_token(token).await.unwrap(),
        source: None,
        request_id: "bench".into(),
        tls: true,
        idempotency: None,
        calling: skms_engine::approvals::Calling::default(),
    });
    (engine, caller)
}

async fn fill(engine: &Arc<Engine>, caller: &Arc<Caller>, keys: u64) {
    let next = Arc::new(AtomicU64::new(0));
    let makers = (0..MAKERS).map(|_| {
        let (engine, caller, next) = (Arc::clone(engine), Arc::clone(caller), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= keys {
                    return;
                }
                let spec = NewKeySpec {
                    algorithm: Some(Algorithm::Xaes256Gcm),
                    rules: Some(Rules {
                        rotate_after_seconds: Some(90 * 86_400),
                        ..Rules::default()
                    }),
                    ..NewKeySpec::default()
                };
                let name = format!("k{number}");
                let at = KeyRef {
                    namespace: skms_policy::ROOT_NAMESPACE,
                    keyring: "default",
                    name: &name,
                };
                engine.create_key(&caller, at, spec).await.unwrap();
            }
        })
    });
    for maker in makers.collect::<Vec<_>>() {
        maker.await.unwrap();
    }
}

/// Seconds of processor time that this process has taken.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<_> = rest.split_ascii_whitespace().collect();
    let ticks = [11, 12].map(|at| fields[at].parse::<f64>().unwrap());
    (ticks[0] + ticks[1]) / TICKS
}

/// Memory that is resident, in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: f64 = line
        .split_ascii_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kib / 1024.0
}

#[tokio::main]
async fn main() {
    let keys: u64 = std::env::args()
        .nth(1)
        .map_or(10_000, |keys| keys.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let seal = NewSeal::KeyFile {
        name: "main".into(),
        key: key(),
    };
    let made = Engine::init(&Config::new(folder.path()), vec![seal])
        .await
        .unwrap();
    let token = String::from_utf8(made.root_token.into_public()).unwrap();
    let (engine, caller) = open(folder.path(), &token).await;
    fill(&engine, &caller, keys).await;
    engine.shut().await.unwrap();
    drop((engine, caller));

    let (engine, caller) = open(folder.path(), &token).await;
    let (begun, before) = (Instant::now(), processor_seconds());
    engine.start_jobs();
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let due = engine
            .keys_due(&caller, skms_policy::ROOT_NAMESPACE, 0, 1)
            .await;
        if due.unwrap().complete {
            break;
        }
    }
    let (index, cost) = (begun.elapsed(), processor_seconds() - before);
    // Other walks that follow an unseal, for weak keys say, end first.
    let mut idle = f64::INFINITY;
    for _ in 0..10 {
        let (from, spent) = (Instant::now(), processor_seconds());
        tokio::time::sleep(WATCHED).await;
        let share = (processor_seconds() - spent) / from.elapsed().as_secs_f64();
        let settled = (idle - share).abs() < 0.001;
        idle = share;
        if settled {
            break;
        }
    }
    let text = format!(
        "keys {keys}\nindex_s {:.1}\nindex_cpu_s {cost:.1}\nresident_mib {:.0}\nidle_percent {:.3}\n",
        index.as_secs_f64(),
        resident(),
        100.0 * idle,
    );
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes()).unwrap();
}
