//! A server to try things with: a store in a folder of its own that is gone
//! when the server stops, already unsealed, with a token that is known.

use std::{
    fs::{self, DirBuilder, DirEntry, File},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use skms_crypto::{SecretArray, SecretBytes, rand};
use skms_engine::Engine;
use skms_store::{NewSeal, SealInput};

/// What the names of such folders begin with.
const PREFIX: &str = "skms-dev-";
/// The file in such a folder that is locked for as long as its server runs.
const RUNNING: &str = "running";

/// A folder that is removed with everything in it when this is dropped.
pub struct Folder {
    path: PathBuf,
    _running: File,
}

impl Folder {
    /// Makes one, in memory where the system offers that, and removes those of
    /// servers that were killed.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn new() -> io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let name: [u8; 8] = rand::array().map_err(io::Error::other)?;
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = parent.join(format!("{PREFIX}{name}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        // It has its name once it is locked: others remove what is not.
        let made = path.join("made");
        let running = File::create_new(&made)?;
        running.lock()?;
        fs::rename(made, path.join(RUNNING))?;
        let folder = Self {
            path,
            _running: running,
        };
        let own = fs::metadata(&folder.path)?.uid();
        for entry in fs::read_dir(&parent)?.flatten() {
            remove_if_left(&entry, own);
        }
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed holds sealed records whose key is gone.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes a folder of this user's whose server runs no more.
fn remove_if_left(entry: &DirEntry, own: u32) {
    let named = entry.file_name().to_string_lossy().starts_with(PREFIX);
    // Not followed: the parent is everybody's.
    let ours = |found: fs::Metadata| found.is_dir() && found.uid() == own;
    if !named || !entry.metadata().is_ok_and(ours) {
        return;
    }
    // One without the file is being made at this moment.
    let running = File::open(entry.path().join(RUNNING));
    if running.is_ok_and(|file| file.try_lock().is_ok()) {
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// An engine on a new store, unsealed, and its first token.
///
/// # Errors
/// As for the engine's own acts.
pub async fn engine(
    config: &skms_engine::Config,
) -> Result<(Arc<Engine>, SecretBytes), skms_engine::Error> {
    let key = SecretArray::<32>::random()?;
    let copy = SecretArray::from_slice(key.expose())?;
    let seal = NewSeal::KeyFile {
        name: "dev".to_owned(),
        key,
    };
    let made = Engine::init(config, vec![seal]).await?;
    let engine = Engine::open(config.clone()).await?;
    engine.unseal(SealInput::KeyFile(copy)).await?;
    Ok((engine, made.root_token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_server_left_goes_with_the_next_one() {
        let running = Folder::new().unwrap();
        let parent = running.path().parent().unwrap();
        let left = parent.join(format!("{PREFIX}test-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&left).unwrap();
        // Nobody holds its lock.
        File::create_new(left.join(RUNNING)).unwrap();
        let other = Folder::new().unwrap();
        assert!(!left.exists());
        assert!(running.path().exists() && other.path().exists());
        let path = other.path().to_owned();
        drop(other);
        assert!(!path.exists() && running.path().exists());
    }
}
