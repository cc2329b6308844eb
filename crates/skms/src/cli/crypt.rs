//! `skms encrypt`, `skms decrypt` and `skms rewrap`.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use skms_client::Client;
use skms_client::file::{ARMOR_BEGIN, MAGIC, SealedFile, seal};
use skms_wire::native::operations::{DecryptRequest, EncryptRequest, ReencryptRequest};
use skms_wire::{Bytes, Ciphertext, SecretB64};
use zeroize::Zeroizing;

use super::Global;
use super::error::{CliError, Result};
use super::file::{self, Recipients};
use super::keyname::KeyName;
use super::output::{self, Encoding, Out};
use super::target::Target;
use super::{input, progress};

/// The most data sent in one call, in bytes; as base64 it must fit in a body.
pub const DATA_MAX: u64 = 700 * 1024;

/// The longest ciphertext text read, in bytes.
const TEXT_MAX: u64 = 1 << 20;

/// What is bound to a ciphertext without being inside it.
#[derive(Debug, Args)]
pub struct AssociatedData {
    /// Bind this text to the ciphertext; decryption needs it again
    #[arg(long, value_name = "TEXT")]
    aad: Option<String>,
    /// The same, from a file
    #[arg(long, value_name = "FILE", conflicts_with = "aad")]
    aad_file: Option<PathBuf>,
}

impl AssociatedData {
    /// Reads it, if any was given.
    pub fn read(&self) -> Result<Option<Bytes>> {
        match (&self.aad, &self.aad_file) {
            (Some(text), _) => Ok(Some(Bytes::new(text.clone().into_bytes()))),
            (None, Some(path)) => {
                let mut bytes = input::read(path, DATA_MAX)?;
                Ok(Some(Bytes::new(std::mem::take(&mut *bytes))))
            }
            (None, None) => Ok(None),
        }
    }
}

/// Encrypt a file or standard input. Up to 700 KiB the server encrypts and the
/// result is a line of text; more is encrypted here, under a data key that the
/// server keeps, into a file in the age format.
#[derive(Debug, Args)]
pub struct Encrypt {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The file; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    aad: AssociatedData,
    /// The OAEP hash (RSA)
    #[arg(long, value_name = "NAME")]
    oaep_hash: Option<String>,
    /// Encrypt here into the age format, whatever the size
    #[arg(long)]
    age: bool,
    /// Write the result to this file (all or nothing)
    #[arg(long, short = 'o', value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Encrypt {
    /// Encrypts.
    pub async fn run(self, global: &Global) -> Result<()> {
        let (mut source, _) = file::open(&self.file)?;
        let mut data = Zeroizing::new(Vec::new());
        if !self.age {
            (&mut source)
                .take(DATA_MAX + 1)
                .read_to_end(&mut data)
                .map_err(|error| cannot_read(&self.file, &error))?;
        }
        if self.age || data.len() as u64 > DATA_MAX {
            let mut whole = std::io::Cursor::new(data).chain(source);
            return self.here(&mut whole, global).await;
        }
        let client = global.client()?;
        let request = EncryptRequest {
            plaintext: SecretB64::new(std::mem::take(&mut *data)),
            associated_data: self.aad.read()?,
            oaep_hash: self.oaep_hash,
            oaep_mgf_hash: None,
        };
        let work = client.encrypt(&self.key.keyring, &self.key.name, &request);
        let answer = progress::wait("Encrypting", work).await?;
        match &self.out {
            Some(path) => output::write_file(path, format!("{}\n", answer.ciphertext).as_bytes()),
            None => global.show(&answer, |answer| {
                output::line(answer.ciphertext.to_string())
            }),
        }
    }

    async fn here(&self, source: &mut (dyn Read + Send), global: &Global) -> Result<()> {
        file::is_offered()?;
        let mut to = Target::of_bytes(self.out.as_deref(), true, "an age file")?;
        let bound = self.aad.read()?;
        let (key, stanzas) = Recipients::key(self.key.clone())
            .wrap(global, bound.as_deref())
            .await?;
        let bar = progress::Bytes::new("Encrypting", length(&self.file));
        let told = |count| bar.add(count);
        let count = seal(&key, &stanzas, source, &mut to, file::threads(), &told)
            .map_err(|error| file::explain(error, &self.file))?;
        to.finish()?;
        if global.json && self.out.is_some() {
            return output::json(&serde_json::json!({ "bytes": count }));
        }
        Ok(())
    }
}

/// Decrypt what encrypt made, text or age file.
#[derive(Debug, Args)]
pub struct Decrypt {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The ciphertext's file; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    aad: AssociatedData,
    /// The OAEP hash (RSA)
    #[arg(long, value_name = "NAME")]
    oaep_hash: Option<String>,
    #[command(flatten)]
    out: Out,
}

impl Decrypt {
    /// Decrypts.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let mut source = BufReader::new(file::open(&self.file)?.0);
        let start = source
            .fill_buf()
            .map_err(|error| cannot_read(&self.file, &error))?;
        if start.starts_with(MAGIC) || start.starts_with(ARMOR_BEGIN.as_bytes()) {
            return self.here(&client, source).await;
        }
        let ciphertext = read_ciphertext(&self.file, source)?;
        let plaintext = self.call(&client, ciphertext).await?;
        if global.json && self.out.out.is_none() {
            return output::json(&serde_json::json!({ "plaintext": plaintext }));
        }
        self.out.bytes(plaintext.expose(), Encoding::Raw)
    }

    async fn call(&self, client: &Client, ciphertext: Ciphertext) -> Result<SecretB64> {
        let request = DecryptRequest {
            ciphertext,
            associated_data: self.aad.read()?,
            oaep_hash: self.oaep_hash.clone(),
            oaep_mgf_hash: None,
        };
        let work = client.decrypt(&self.key.keyring, &self.key.name, &request);
        Ok(progress::wait("Decrypting", work).await?.plaintext)
    }

    async fn here(&self, client: &Client, source: impl Read + Send) -> Result<()> {
        file::is_offered()?;
        let sealed = SealedFile::read(source).map_err(|error| file::explain(error, &self.file))?;
        let bound = self.aad.read()?;
        let key =
            file::open_with_key(&sealed, client, &self.key, bound.as_deref(), &self.file).await?;
        let mut to = Target::of_bytes(self.out.out.as_deref(), true, "a decrypted file")?;
        let bar = progress::Bytes::new("Decrypting", length(&self.file));
        sealed
            .open(&key, &mut to, file::threads(), &|count| bar.add(count))
            .map_err(|error| file::explain(error, &self.file))?;
        to.finish()
    }
}

/// Move a ciphertext to the key's newest version; the data does not leave the
/// server.
#[derive(Debug, Args)]
pub struct Rewrap {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The ciphertext's file; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    aad: AssociatedData,
    /// The OAEP hash (RSA)
    #[arg(long, value_name = "NAME")]
    oaep_hash: Option<String>,
    /// Write the result to this file (all or nothing); may be the input
    #[arg(long, short = 'o', value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Rewrap {
    /// Rewraps.
    pub async fn run(self, global: &Global) -> Result<()> {
        let mut source = BufReader::new(input::open(&self.file)?);
        let start = source
            .fill_buf()
            .map_err(|error| cannot_read(&self.file, &error))?;
        if start.starts_with(MAGIC) || start.starts_with(ARMOR_BEGIN.as_bytes()) {
            return Err(CliError::usage("an age file cannot be rewrapped")
                .hint("its header is bound to its data key; decrypt it and encrypt it again"));
        }
        let request = ReencryptRequest {
            ciphertext: read_ciphertext(&self.file, source)?,
            associated_data: self.aad.read()?,
            oaep_hash: self.oaep_hash,
            oaep_mgf_hash: None,
        };
        let client = global.client()?;
        let answer = client
            .reencrypt(&self.key.keyring, &self.key.name, &request)
            .await?;
        match &self.out {
            Some(path) => output::write_file(path, format!("{}\n", answer.ciphertext).as_bytes()),
            None => global.show(&answer, |answer| {
                output::line(answer.ciphertext.to_string())
            }),
        }
    }
}

fn read_ciphertext(path: &Path, source: impl Read) -> Result<Ciphertext> {
    let mut text = String::new();
    source
        .take(TEXT_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| cannot_read(path, &error))?;
    text.trim().parse().map_err(|error| {
        CliError::usage(format!("{}: {error}", input::name(path)))
            .hint("a ciphertext begins with skms:v")
    })
}

fn length(path: &Path) -> Option<u64> {
    if path == Path::new("-") {
        return None;
    }
    std::fs::metadata(path).ok().map(|metadata| metadata.len())
}

fn cannot_read(path: &Path, error: &std::io::Error) -> CliError {
    CliError::usage(format!("cannot read {}: {error}", input::name(path)))
}
