//! A machine with a simulated disk: it is switched on, works, and dies.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use skms_crypto::SecretArray;
use skms_crypto::rand::seeded::Seeded;
use skms_engine::{Caller, Clock, Config, Engine, Error, Files, UnsealProgress};
use skms_store::simulation::SimulatedDisk;
use skms_store::{Disk, NewSeal, SealInput};

/// 2026-01-01T00:00:00Z.
pub const START_MS: i64 = 1_767_225_600_000;

const KEY_FILE: [u8; 32] = [7; 32];

/// Small, so that segments end often.
const SEGMENT_BYTES: u64 = 16 << 10;
const RESERVE_BYTES: u64 = 256 << 10;

/// A disk with a new installation, and its first token.
pub struct Installed {
    disk: Arc<SimulatedDisk>,
    root_token: String,
}

/// Made once, and copied for every seed.
pub fn installed() -> &'static Installed {
    static INSTALLED: OnceLock<Installed> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let _seeded = Seeded::begin(u64::MAX);
        let disk = SimulatedDisk::new(u64::MAX);
        let config = config(&disk);
        let seal = NewSeal::KeyFile {
            name: "simulated".into(),
            key: SecretArray::from_slice(&KEY_FILE).unwrap(),
        };
        let made = alive(&disk, Engine::init(&config, vec![seal]))
            .unwrap()
            .unwrap();
        Installed {
            disk,
            root_token: String::from_utf8(made.root_token.into_public()).unwrap(),
        }
    })
}

impl Installed {
    /// Another machine with the same files.
    pub fn copy(&self, seed: u64) -> Arc<SimulatedDisk> {
        self.disk.copy(seed)
    }
}

pub fn config(disk: &Arc<SimulatedDisk>) -> Config {
    let mut config = Config::new(Path::new("/simulated"));
    config.clock = Clock::fixed(START_MS);
    config.slow_threads = 1;
    config.rsa_stock = 0;
    config.files = Files {
        disk: Disk::simulated(Arc::clone(disk)),
        segment_bytes: SEGMENT_BYTES,
        reserve_bytes: RESERVE_BYTES,
        ..Files::default()
    };
    config
}

/// Runs on one thread, with the work behind the store and the journal.
pub fn alive<T>(disk: &Arc<SimulatedDisk>, life: impl Future<Output = T>) -> Result<T, String> {
    disk.live(life)
        .map_err(|error| format!("it hangs: {error}"))
}

/// An unsealed server.
pub struct Up {
    pub engine: Arc<Engine>,
    root: Arc<Caller>,
}

impl Up {
    /// Opens what is on the disk, as a start of the server does.
    pub async fn boot(disk: &Arc<SimulatedDisk>) -> Result<Self, Error> {
        Self::boot_at(disk, Clock::fixed(START_MS)).await
    }

    /// As [`Up::boot`], by a clock of its own.
    pub async fn boot_at(disk: &Arc<SimulatedDisk>, clock: Clock) -> Result<Self, Error> {
        let mut config = config(disk);
        config.clock = clock;
        let engine = Engine::open(config).await?;
        let key = SecretArray::from_slice(&KEY_FILE).map_err(Error::from)?;
        match engine.unseal(SealInput::KeyFile(key)).await? {
            UnsealProgress::Unsealed => {}
            UnsealProgress::Waiting { .. } => return Err(Error::Sealed),
        }
        let session = engine.authenticate_token(&installed().root_token).await?;
        let root = Arc::new(Caller {
            session,
            source: None,
            request_id: "check".into(),
            tls: true,
            idempotency: None,
            calling: skms_engine::approvals::Calling::default(),
        });
        Ok(Self { engine, root })
    }

    /// The operator, under a request's name.
    pub fn caller(&self, request_id: &str) -> Arc<Caller> {
        Arc::new(Caller {
            session: Arc::clone(&self.root.session),
            source: None,
            request_id: request_id.into(),
            tls: true,
            idempotency: None,
            calling: skms_engine::approvals::Calling::default(),
        })
    }
}
