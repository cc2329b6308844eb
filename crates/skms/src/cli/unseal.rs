//! `skms unseal`, `skms seal` and `skms status`.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use skms_client::Client;
use skms_wire::native::health::ServerStatus;
use skms_wire::native::seals::{SealStatus, SealView, UnsealRequest};
use skms_wire::native::terms::SealKind;
use skms_wire::{SecretB64, SecretText};

use super::Global;
use super::error::{CliError, Result};
use super::exit::Exit;
use super::{input, output, progress};

/// What every share's text begins with.
const SHARE_PREFIX: &str = "skms-share-";

/// The longest key file, in bytes.
const KEY_FILE_MAX: u64 = 4096;

/// Give the server what opens its store. Without options: from standard input,
/// or asked for until the server is unsealed.
#[derive(Debug, Args)]
pub struct Unseal {
    /// A file that holds the passphrase
    #[arg(long, value_name = "FILE", group = "secret")]
    passphrase_file: Option<PathBuf>,
    /// A file that holds a share; may be repeated
    #[arg(long, value_name = "FILE", group = "secret")]
    share_file: Vec<PathBuf>,
    /// A key file
    #[arg(long, value_name = "FILE", group = "secret")]
    key_file: Option<PathBuf>,
}

impl Unseal {
    /// Gives what there is to give.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let mut status = client.seal_status().await?;
        if !status.initialized {
            return Err(CliError::new(Exit::Sealed, "the server has no store yet")
                .hint("set it up with `skms init` on the server's machine"));
        }
        if !status.sealed {
            return global.show(&status, |_| output::line("The server is unsealed already."));
        }
        if let Some(path) = &self.passphrase_file {
            status = give(&client, passphrase(input::secret_file(path)?)).await?;
        } else if let Some(path) = &self.key_file {
            let bytes = std::mem::take(&mut *input::read(path, KEY_FILE_MAX)?);
            let request = UnsealRequest {
                key_file: Some(SecretB64::new(bytes)),
                ..UnsealRequest::default()
            };
            status = give(&client, request).await?;
        } else if !self.share_file.is_empty() {
            for path in &self.share_file {
                if status.sealed {
                    status = give(&client, share(input::secret_file(path)?)).await?;
                }
            }
        } else if std::io::stdin().is_terminal() {
            while status.sealed {
                let secret = input::prompt(&question(&status))?;
                status = give(&client, either(secret)).await?;
                if status.sealed {
                    output::note(describe(&status))?;
                }
            }
        } else {
            status = give(&client, either(input::secret_stdin("passphrase or share")?)).await?;
        }
        global.show(&status, |status| output::line(describe(status)))
    }
}

async fn give(client: &Client, request: UnsealRequest) -> Result<SealStatus> {
    Ok(progress::wait("Unsealing", client.unseal(&request)).await?)
}

fn passphrase(text: SecretText) -> UnsealRequest {
    UnsealRequest {
        passphrase: Some(text),
        ..UnsealRequest::default()
    }
}

fn share(text: SecretText) -> UnsealRequest {
    UnsealRequest {
        share: Some(text),
        ..UnsealRequest::default()
    }
}

/// A share says by its beginning that it is one.
fn either(text: SecretText) -> UnsealRequest {
    let is_share = text
        .expose()
        .get(..SHARE_PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(SHARE_PREFIX));
    if is_share {
        share(text)
    } else {
        passphrase(text)
    }
}

fn question(status: &SealStatus) -> String {
    let has = |kind| status.seals.iter().any(|seal| seal.kind == kind);
    match (has(SealKind::Passphrase), has(SealKind::Shamir)) {
        (true, false) => "passphrase",
        (false, true) => "share",
        _ => "passphrase or share",
    }
    .to_owned()
}

/// A seal status in a line.
fn describe(status: &SealStatus) -> String {
    if !status.initialized {
        return "The server has no store yet.".to_owned();
    }
    if !status.sealed {
        return "The server is unsealed.".to_owned();
    }
    let shares: Vec<_> = status
        .progress
        .iter()
        .map(|seal| format!(" {} of {} shares are given.", seal.provided, seal.threshold))
        .collect();
    format!("The server is sealed.{}", shares.concat())
}

/// Make the server forget every key until it is unsealed again.
#[derive(Debug, Args)]
pub struct Seal {}

impl Seal {
    /// Seals.
    pub async fn run(self, global: &Global) -> Result<()> {
        let status = global.client()?.seal().await?;
        global.show(&status, |status| output::line(describe(status)))
    }
}

/// Show how the server is. Without a token that may read more, only whether it
/// is sealed.
#[derive(Debug, Args)]
pub struct Status {}

#[derive(Serialize)]
struct Whole {
    address: String,
    seal: SealStatus,
    server: Option<ServerStatus>,
    tls: Option<Connection>,
}

#[derive(Serialize)]
struct Connection {
    version: Option<String>,
    cipher_suite: Option<String>,
    key_exchange: Option<String>,
    http2: bool,
}

impl Status {
    /// Asks, and prints.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let seal = client.seal_status().await?;
        // Whoever may not know more is told less, without an error.
        let server = client.status().await.ok();
        let tls = client.peer().map(|peer| Connection {
            version: peer.tls_version,
            cipher_suite: peer.cipher_suite,
            key_exchange: peer.key_exchange,
            http2: peer.http2,
        });
        let whole = Whole {
            address: client.address().to_owned(),
            seal,
            server,
            tls,
        };
        global.show(&whole, print)
    }
}

fn print(whole: &Whole) -> Result<()> {
    let mut fields = vec![
        ("address", whole.address.clone()),
        ("state", state(&whole.seal)),
    ];
    if let Some(tls) = &whole.tls {
        let parts = [&tls.version, &tls.key_exchange, &tls.cipher_suite];
        let parts: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
        fields.push(("connection", parts.join(" ")));
    }
    for seal in &whole.seal.seals {
        fields.push(("seal", describe_seal(seal)));
    }
    if let Some(server) = &whole.server {
        let yes = |value: bool| if value { "yes" } else { "no" }.to_owned();
        fields.extend([
            ("version", server.version.clone()),
            ("up for", format!("{} s", server.uptime_seconds)),
            ("memory locked", yes(server.memory_locked)),
            ("key slab locked", yes(server.key_slab_locked)),
            ("core dumps off", yes(server.core_dumps_disabled)),
            ("not dumpable", yes(server.not_dumpable)),
            ("strength", server.weakest_seal.clone().unwrap_or_default()),
            ("storage key term", shown(server.storage_key_term)),
            ("older records", shown(server.records_remaining)),
            ("newest event", shown(server.journal_sequence)),
        ]);
        for note in &server.notes {
            fields.push(("note", note.clone()));
        }
    }
    output::fields(&fields)
}

fn state(status: &SealStatus) -> String {
    match (status.initialized, status.sealed) {
        (false, _) => "not initialised",
        (true, true) => "sealed",
        (true, false) => "unsealed",
    }
    .to_owned()
}

fn shown<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A seal in a few words.
pub fn describe_seal(seal: &SealView) -> String {
    match (seal.threshold, seal.shares) {
        (Some(threshold), Some(shares)) => format!("{} {threshold} of {shares}", seal.kind),
        _ => seal.kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_from_passphrases() {
        assert!(
            either(SecretText::new("skms-share-ABCDE".into()))
                .share
                .is_some()
        );
        assert!(
            either(SecretText::new("SKMS-SHARE-ABCDE".into()))
                .share
                .is_some()
        );
        assert!(
            either(SecretText::new("correct horse".into()))
                .passphrase
                .is_some()
        );
        assert!(either(SecretText::new("é".into())).passphrase.is_some());
    }
}
