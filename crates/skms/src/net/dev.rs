//! A server to try things with: a store in a folder of its own that is gone
//! when the server stops, already unsealed, with a token that is known.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use skms_crypto::{SecretArray, SecretBytes, rand};
use skms_engine::Engine;
use skms_store::{NewSeal, SealInput};

/// A folder that is removed with everything in it when this is dropped.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one, in memory where the system offers that.
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
        let path = parent.join(format!("skms-dev-{name}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed holds sealed records whose key is gone.
        let _ = fs::remove_dir_all(&self.0);
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
