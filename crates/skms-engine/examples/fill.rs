//! Makes many keys through the real engine, for measuring how a server grows:
//! `cargo run --release -p skms-engine --example fill -- DATA-DIR KEY-FILE TOKEN-FILE COUNT`.
//!
//! The store must have been made by `skms init` and no server may use it.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use skms_crypto::Algorithm;
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::{Caller, Config, Engine, KeyRef};
use skms_store::SealInput;
use skms_store::sealed::key_file;

/// Creations under way at once: the store writes what waits in one batch.
const AT_ONCE: usize = 1024;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

async fn fill(data: &Path, key: &Path, token: &Path, count: u64) -> Result {
    let engine = Engine::open(Config::new(data)).await?;
    engine
        .unseal(SealInput::KeyFile(key_file::read(key)?))
        .await?;
    let token = std::fs::read_to_string(token)?;
    let caller = Arc::new(Caller {
        session: engine.authenticate_token(token.trim()).await?,
        source: None,
        request_id: "fill".to_owned(),
        tls: false,
        idempotency: None,
        calling: skms_engine::approvals::Calling::default(),
    });
    let (start, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (engine, caller) = (Arc::clone(&engine), Arc::clone(&caller));
            let next = Arc::clone(&next);
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return Result::Ok(());
                    }
                    if number > 0 && number.is_multiple_of(100_000) {
                        eprintln!("{number} keys after {:.0?}", start.elapsed());
                    }
                    let name = format!("k-{number}");
                    let at = KeyRef {
                        namespace: "root",
                        keyring: "default",
                        name: &name,
                    };
                    let spec = NewKeySpec {
                        algorithm: Some(Algorithm::Aes256Gcm),
                        ..NewKeySpec::default()
                    };
                    engine.create_key(&caller, at, spec).await?;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    engine.shut().await?;
    println!("{count} keys made in {:.1?}", start.elapsed());
    Ok(())
}

fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, key, token, count] = arguments.as_slice() else {
        return Err("usage: fill DATA-DIR KEY-FILE TOKEN-FILE COUNT".into());
    };
    let count = count.parse()?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(fill(data.as_ref(), key.as_ref(), token.as_ref(), count))
}
