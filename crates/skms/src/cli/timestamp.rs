//! `skms timestamp`: RFC 3161.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use skms_crypto::{Hash, rand};
use skms_pki::Certificate;
use skms_pki::documents::timestamp::{Query, QueryBuf, Response, verify};
use skms_pki::documents::{Body, DocumentError};
use skms_wire::Bytes;
use skms_wire::native::documents::StampRequest;

use super::Global;
use super::document::{Trusted, named, not_valid};
use super::error::{CliError, Result};
use super::keyname::KeyName;
use super::output::{self, Encoding, Out};
use super::sign::digest_here;
use super::{input, progress};
use crate::cli::exit::Exit;

/// The longest request or token read, in bytes.
const TOKEN_MAX: u64 = 1 << 20;

/// Stamp files with the time, and verify such stamps (RFC 3161).
#[derive(Debug, Subcommand)]
pub enum Timestamp {
    /// Stamp a file, or answer a request, with a key kept here
    Create(Box<Create>),
    /// Verify the time-stamp of a file; needs no server
    Verify(Box<Verify>),
}

impl Timestamp {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        match self {
            Self::Create(create) => create.run(global).await,
            Self::Verify(verify) => verify.run(global),
        }
    }
}

/// Stamp a file, or answer a request, with a key kept here.
#[derive(Debug, Args)]
pub struct Create {
    /// The file; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// The file is a request (TimeStampReq, DER) and not what is stamped
    #[arg(long)]
    query: bool,
    /// The hash of the file
    #[arg(long, default_value = "SHA-256", conflicts_with = "query")]
    hash: String,
    /// The key: KEYRING/NAME or NAME
    #[arg(long)]
    key: KeyName,
    /// Its certificate for time-stamps: AUTHORITY/SERIAL
    #[arg(long, value_name = "AUTHORITY/SERIAL")]
    certificate: String,
    /// The policy to stamp under, as an object identifier
    #[arg(long, value_name = "OID")]
    policy: String,
    #[command(flatten)]
    out: Out,
}

impl Create {
    async fn run(self, global: &Global) -> Result<()> {
        let query = match self.query {
            true => input::read(&self.file, TOKEN_MAX)?.to_vec(),
            false => {
                let digest = digest_here(&self.file, &self.hash)?;
                let hash: Hash = self.hash.parse().map_err(|_| bad_hash())?;
                let nonce = rand::array().map_err(|_| CliError::failure("no random bytes"))?;
                let asked = QueryBuf {
                    hash,
                    digest,
                    policy: None,
                    nonce: Some(nonce),
                    certificates: true,
                };
                asked.to_der().map_err(|_| bad_hash())?
            }
        };
        let request = StampRequest {
            query: Bytes::new(query),
            policy: self.policy,
            certificate: Some(named(&self.certificate)?),
            chain: None,
            scheme: None,
            version: None,
        };
        let client = global.client()?;
        let work = client.stamp(&self.key.keyring, &self.key.name, &request);
        let answer = progress::wait("Stamping", work).await?;
        if global.json && self.out.out.is_none() {
            return output::json(&answer);
        }
        self.out.bytes(&answer.response, Encoding::Base64)
    }
}

fn bad_hash() -> CliError {
    CliError::usage("time-stamps are by SHA-256, SHA-384 or SHA-512")
}

/// Verify the time-stamp of a file; exits with 5 if it does not hold.
#[derive(Debug, Args)]
pub struct Verify {
    /// The file; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// The time-stamp: a response or a token (DER)
    #[arg(long, value_name = "FILE")]
    token: PathBuf,
    /// The request that it answers, for its nonce
    #[arg(long, value_name = "FILE")]
    query: Option<PathBuf>,
    #[command(flatten)]
    trusted: Trusted,
}

/// What a stamp proves, as JSON.
#[derive(Debug, Serialize)]
struct Shown {
    time: String,
    accuracy_seconds: Option<u32>,
    policy: String,
    serial: String,
    subject: String,
}

impl Verify {
    fn run(self, global: &Global) -> Result<()> {
        let file = input::read(&self.file, super::document::DOCUMENT_MAX)?;
        let bytes = input::read(&self.token, TOKEN_MAX)?;
        let token = match Response::from_der(&bytes) {
            Ok(Response::Granted(token)) => token,
            Ok(Response::Refused(_)) => {
                return Err(CliError::new(
                    Exit::Verification,
                    "no stamp: it was refused",
                ));
            }
            Err(_) => &bytes,
        };
        let query = match &self.query {
            Some(path) => Some(input::read(path, TOKEN_MAX)?),
            None => None,
        };
        let nonce = match &query {
            Some(query) => {
                let query = Query::from_der(query).map_err(|error| not_valid(error.into()))?;
                query.nonce
            }
            None => None,
        };
        let stamp = self
            .trusted
            .with(|trust| verify(token, &Body::Whole(&file), nonce, trust))?
            .map_err(not_valid)?;
        let own = stamp.by.path.first().map(Vec::as_slice).unwrap_or_default();
        let own =
            Certificate::from_der(own).map_err(|error| not_valid(DocumentError::from(error)))?;
        let shown = Shown {
            time: stamp.at.to_string(),
            accuracy_seconds: stamp.accuracy_seconds,
            policy: stamp.policy.to_string(),
            serial: output::hex(&stamp.serial),
            subject: own.subject().to_string(),
        };
        global.show(&shown, |shown| {
            output::line(format!("valid: {} says {}", shown.subject, shown.time))
        })
    }
}
