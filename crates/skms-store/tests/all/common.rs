//! What the tests share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use skms_crypto::SecretBytes;
use skms_crypto::passphrase::Argon2id;
use skms_store::file_journal::{FileJournal, OpenReport, Options as JournalOptions};
use skms_store::sealed::Progress;
use skms_store::sqlite::Options;
use skms_store::{
    Change, Error, Kind, NewSeal, RecordId, SealInput, Sealed, SealedStore, SqliteStore, Store,
};

pub const PASSPHRASE: &str = "correct horse battery staple";
pub const NS: [u8; 16] = [0x11; 16];
pub const OTHER_NS: [u8; 16] = [0x22; 16];

pub fn secret(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

pub fn passphrase_seal(name: &str, passphrase: &str) -> NewSeal {
    NewSeal::Passphrase {
        name: name.into(),
        passphrase: secret(passphrase),
        cost: Argon2id::fast_for_tests(),
    }
}

pub fn database(directory: &Path) -> PathBuf {
    directory.join("skms.db")
}

pub fn open_store(directory: &Path) -> Result<Arc<dyn Store>, Error> {
    let options = Options {
        readers: 1,
        reserve_bytes: 0,
        ..Options::default()
    };
    Ok(Arc::new(SqliteStore::open_with(
        database(directory),
        &options,
    )?))
}

/// A new store with one passphrase seal.
pub async fn init(directory: &Path) -> SealedStore {
    let store = open_store(directory).unwrap();
    SealedStore::init(store, vec![passphrase_seal("main", PASSPHRASE)])
        .await
        .unwrap()
        .store
}

pub async fn unseal_with(directory: &Path, input: SealInput) -> Result<SealedStore, Error> {
    let sealed = Sealed::open(open_store(directory)?).await?;
    match sealed.submit(input).await? {
        Progress::Unsealed(store) => Ok(store),
        waiting => panic!("{waiting:?}"),
    }
}

pub async fn unseal(directory: &Path) -> Result<SealedStore, Error> {
    unseal_with(directory, SealInput::Passphrase(secret(PASSPHRASE))).await
}

pub async fn close(store: SealedStore) {
    store.store().close().await.unwrap();
}

pub fn id(number: u8) -> RecordId {
    RecordId([number; 16])
}

pub fn put(number: u8, name: Option<&str>, expected: Option<u64>, value: &str) -> Change {
    Change::Put {
        namespace: NS,
        kind: Kind::Key,
        id: id(number),
        name: name.map(str::to_owned),
        expected,
        plaintext: secret(value),
    }
}

pub fn delete(number: u8, expected: u64) -> Change {
    Change::Delete {
        namespace: NS,
        kind: Kind::Key,
        id: id(number),
        expected,
    }
}

pub async fn value(store: &SealedStore, number: u8) -> Result<Option<String>, Error> {
    let record = store.get(NS, Kind::Key, id(number)).await?;
    Ok(record.map(|record| String::from_utf8(record.plaintext.expose().to_vec()).unwrap()))
}

pub fn small_segments() -> JournalOptions {
    JournalOptions {
        segment_bytes: 4096,
        ..JournalOptions::default()
    }
}

pub fn open_journal(
    store: &SealedStore,
    directory: &Path,
    options: &JournalOptions,
) -> Result<(FileJournal, OpenReport), Error> {
    FileJournal::open(directory.join("journal"), store.journal_keys(), options)
}

/// Copies a directory of plain files and directories.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
