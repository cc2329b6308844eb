//! `skms sign` and `skms verify`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use skms_crypto::hash::{Hash, Hasher};
use skms_wire::Bytes;
use skms_wire::native::operations::{SignRequest, VerifyRequest};
use skms_wire::native::terms::{SignatureEncoding, SignatureScheme};

use super::Global;
use super::crypt::DATA_MAX;
use super::error::{CliError, Result};
use super::exit::Exit;
use super::keyname::KeyName;
use super::output::{self, Encoding, Out};
use super::{input, progress};

/// The longest signature read, in bytes.
const SIGNATURE_MAX: u64 = 128 * 1024;

/// How a signature is made.
#[derive(Debug, Args)]
pub struct How {
    /// The hash, such as SHA-256; the algorithm's default if left out
    #[arg(long, value_name = "NAME")]
    hash: Option<String>,
    /// The scheme, where the key allows more than one: rsa-pss, rsa-pkcs1-v1_5
    #[arg(long, value_name = "SCHEME")]
    scheme: Option<SignatureScheme>,
    /// The context string of ML-DSA and SLH-DSA
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,
    /// How an ECDSA signature is written: der or p1363
    #[arg(long, value_name = "FORM")]
    signature_form: Option<SignatureEncoding>,
    /// The length of the PSS salt in bytes
    #[arg(long, value_name = "BYTES")]
    salt_length: Option<u32>,
    /// The file holds the message's digest by --hash, raw or base64
    #[arg(long, requires = "hash", conflicts_with = "prehash")]
    digest: bool,
    /// Hash the file here and send only its digest; for large files
    #[arg(long, requires = "hash")]
    prehash: bool,
}

impl How {
    /// The message, or its digest.
    fn subject(&self, file: &Path) -> Result<(Option<Bytes>, Option<Bytes>)> {
        if self.digest {
            let mut digest = input::read_either(file, 64)?;
            return Ok((None, Some(Bytes::new(std::mem::take(&mut *digest)))));
        }
        if self.prehash {
            let name = self.hash.as_deref().unwrap_or_default();
            return Ok((None, Some(Bytes::new(digest_here(file, name)?))));
        }
        let mut message = input::read(file, DATA_MAX).map_err(|error| {
            error.hint("for a large file add --prehash --hash SHA-256 (RSA, ECDSA)")
        })?;
        Ok((Some(Bytes::new(std::mem::take(&mut *message))), None))
    }

    fn context(&self) -> Option<Bytes> {
        self.context
            .as_ref()
            .map(|text| Bytes::new(text.clone().into_bytes()))
    }
}

/// Hashes a file of any size without sending it.
pub fn digest_here(file: &Path, name: &str) -> Result<Vec<u8>> {
    let hash: Hash = name
        .parse()
        .map_err(|_| CliError::usage(format!("{name} is not a hash; try SHA-256")))?;
    let mut hasher = Hasher::new(hash);
    let mut source = input::open(file)?;
    let length = std::fs::metadata(file)
        .ok()
        .filter(|_| file != Path::new("-"));
    let bar = progress::Bytes::new("Hashing", length.map(|metadata| metadata.len()));
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = source.read(&mut buffer).map_err(|error| {
            CliError::usage(format!("cannot read {}: {error}", input::name(file)))
        })?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else {
            return Ok(hasher.finish());
        };
        hasher.update(read);
        bar.add(count as u64);
    }
}

/// Sign a file or standard input.
#[derive(Debug, Args)]
pub struct Sign {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The file; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    out: Out,
}

impl Sign {
    /// Signs.
    pub async fn run(self, global: &Global) -> Result<()> {
        let (message, digest) = self.how.subject(&self.file)?;
        let request = SignRequest {
            message,
            digest,
            context: self.how.context(),
            hash: self.how.hash,
            scheme: self.how.scheme,
            encoding: self.how.signature_form,
            salt_length_bytes: self.how.salt_length,
        };
        let client = global.client()?;
        let work = client.sign(&self.key.keyring, &self.key.name, &request);
        let answer = progress::wait("Signing", work).await?;
        if global.json && self.out.out.is_none() {
            return output::json(&answer);
        }
        self.out.bytes(&answer.signature, Encoding::Base64)
    }
}

/// Verify a signature; exits with 5 if it is not right.
#[derive(Debug, Args)]
pub struct Verify {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The file; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// The signature's file, raw or base64
    #[arg(long, short = 's', value_name = "FILE")]
    signature: PathBuf,
    /// The version that signed; the newest if left out
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    #[command(flatten)]
    how: How,
}

impl Verify {
    /// Verifies.
    pub async fn run(self, global: &Global) -> Result<()> {
        let mut signature = input::read_either(&self.signature, SIGNATURE_MAX)?;
        let (message, digest) = self.how.subject(&self.file)?;
        let request = VerifyRequest {
            message,
            digest,
            signature: Bytes::new(std::mem::take(&mut *signature)),
            version: self.version,
            context: self.how.context(),
            hash: self.how.hash,
            scheme: self.how.scheme,
            encoding: self.how.signature_form,
            salt_length_bytes: self.how.salt_length,
        };
        let client = global.client()?;
        let work = client.verify(&self.key.keyring, &self.key.name, &request);
        let answer = progress::wait("Verifying", work).await?;
        let valid = answer.valid;
        global.show(&answer, |answer| match answer.valid {
            true => output::line(format!("valid (version {})", answer.version)),
            false => Ok(()),
        })?;
        if valid {
            return Ok(());
        }
        Err(
            CliError::new(Exit::Verification, "the signature is not valid")
                .hint("another message, key, --version, --hash or --scheme than when signing?"),
        )
    }
}
