//! Measures the store room on this machine and its disk:
//! `cargo run --release -p skms-store --example measure -- [DIRECTORY] [RECORDS]`.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use skms_crypto::passphrase::Argon2id;
use skms_crypto::{SecretBytes, rand};
use skms_store::file_journal::Options;
use skms_store::sealed::{OutboxEvent, Progress};
use skms_store::{
    Change, Entry, FileJournal, Journal, Kind, NewSeal, RecordId, Result, SealInput, Sealed,
    SealedStore, SqliteStore,
};

fn passphrase() -> SecretBytes {
    SecretBytes::new(b"only for measuring".to_vec())
}

fn per_second(count: usize, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}

fn change(bytes: usize) -> Result<Change> {
    Ok(Change::Put {
        namespace: [1; 16],
        kind: Kind::Key,
        id: RecordId::random()?,
        name: None,
        expected: None,
        plaintext: SecretBytes::new(vec![7; bytes]),
    })
}

async fn commits(store: &SealedStore, tasks: usize, each: usize) -> Result<()> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    let event = OutboxEvent {
                        id: rand::array()?,
                        salt: [0; 32],
                        bytes: vec![0; 250],
                    };
                    store.commit(vec![change(300)?], Some(event)).await?;
                }
                Result::Ok(())
            })
        })
        .collect();
    let count = tasks.len();
    for task in tasks {
        task.await.map_err(|_| skms_store::Error::Closed)??;
    }
    println!(
        "commits, {count} at once: {:.0} a second",
        per_second(count * each, start)
    );
    Ok(())
}

async fn events(journal: &Arc<FileJournal>, tasks: usize, each: usize) -> Result<()> {
    let start = Instant::now();
    let lane = Arc::new(journal.durability().lane());
    let driver = tokio::spawn(lane.drive());
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            let (journal, lane) = (Arc::clone(journal), Arc::clone(&lane));
            tokio::spawn(async move {
                for _ in 0..each {
                    let entry = Entry {
                        id: rand::array()?,
                        salt: [0; 32],
                        bytes: vec![0; 250],
                        commit: None,
                    };
                    let ticket = journal.append(vec![entry])?;
                    lane.wait(ticket.end()).await?;
                }
                Result::Ok(())
            })
        })
        .collect();
    let count = tasks.len();
    for task in tasks {
        task.await.map_err(|_| skms_store::Error::Closed)??;
    }
    driver.abort();
    println!(
        "journal, {count} waiting at once: {:.0} events a second",
        per_second(count * each, start)
    );
    Ok(())
}

async fn run(directory: &Path, records: usize) -> Result<()> {
    let path = directory.join("measure.db");
    let seal = NewSeal::Passphrase {
        name: "measure".into(),
        passphrase: passphrase(),
        cost: Argon2id::fast_for_tests(),
    };
    let store: Arc<dyn skms_store::Store> = Arc::new(SqliteStore::open(&path)?);
    let store = SealedStore::init(store, vec![seal]).await?.store;
    commits(&store, 1, 200).await?;
    commits(&store, 64, 50).await?;
    commits(&store, 512, 20).await?;

    let (journal, _) = FileJournal::open(
        directory.join("journal"),
        store.journal_keys(),
        &Options::default(),
    )?;
    let journal = Arc::new(journal);
    events(&journal, 1, 500).await?;
    events(&journal, 64, 300).await?;
    events(&journal, 1024, 100).await?;

    let start = Instant::now();
    for _ in 0..records / 1000 {
        let changes = (0..1000).map(|_| change(300)).collect::<Result<_>>()?;
        store.commit(changes, None).await?;
    }
    println!("{records} records written in {:.1?}", start.elapsed());
    let start = Instant::now();
    let report = store.verify().await?;
    println!(
        "{} rows verified in {:.1?}",
        report.total(),
        start.elapsed()
    );
    journal.close().await?;
    store.store().close().await?;
    drop(store);

    let store: Arc<dyn skms_store::Store> = Arc::new(SqliteStore::open(&path)?);
    let sealed = Sealed::open(store).await?;
    let start = Instant::now();
    let opened = sealed.submit(SealInput::Passphrase(passphrase())).await?;
    println!("unsealed, all rows checked, in {:.1?}", start.elapsed());
    if let Progress::Unsealed(store) = opened {
        println!("commits so far: {}", store.commits());
    }
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from)
        .join(format!("skms-measure-{}", std::process::id()));
    let records = arguments
        .next()
        .map_or(Ok(1_000_000), |text| text.parse())?;
    std::fs::create_dir_all(&directory)?;
    let result = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run(&directory, records));
    std::fs::remove_dir_all(&directory)?;
    Ok(result?)
}
