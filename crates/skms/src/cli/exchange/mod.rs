//! `skms exchange`: keys that nobody between this machine and the server sees.

mod keyout;

use clap::{Args, Subcommand};
use serde::Serialize;
use skms_client::exchange::{Agreement, Distribution, Given};
use skms_client::exchange::{Grant, KeyFormat, KeyName as Wanted, Party, Uses};
use skms_wire::SecretB64;

use super::error::{CliError, Result};
use super::keyname::KeyName;
use super::output;
use super::{Global, duration, progress};
use keyout::{KeyOut, Room};

/// Agree on keys with the server, and fetch keys, end to end: whoever ends TLS
/// in between never sees them. Needs a client certificate of a principal
/// (--client-cert, --client-key) and the server's authority
/// (--exchange-ca-file, or --ca-file).
#[derive(Debug, Subcommand)]
pub enum Exchange {
    /// Agree on a new key with the server
    Agree(Agree),
    /// Agree on a new key that is bound to a TLS connection to the server
    Bind(Bind),
    /// Fetch an exportable key, sealed to this machine
    Fetch(Fetch),
}

impl Exchange {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        match self {
            Self::Agree(agree) => agree.run(global).await,
            Self::Bind(bind) => bind.run(global).await,
            Self::Fetch(fetch) => fetch.run(global).await,
        }
    }
}

/// What a new key is to be.
#[derive(Debug, Args)]
struct Wished {
    /// What the new key is to be called: KEYRING/NAME or NAME
    key: KeyName,
    /// What it is for, by the name of a symmetric algorithm
    #[arg(long, value_name = "NAME", default_value = "AES-256-GCM")]
    algorithm: String,
    /// What the server may use it for, several separated by commas; what is
    /// usual if left out
    #[arg(long, value_name = "USE", value_delimiter = ',')]
    uses: Vec<String>,
    /// How long it is to last, such as 30d
    #[arg(long, value_name = "TIME", value_parser = duration::seconds)]
    lifetime: Option<u64>,
}

impl Wished {
    fn agreement(self, global: &Global) -> Result<Agreement> {
        let uses = Uses::new(self.uses.iter().map(String::as_str));
        Ok(Agreement {
            key: wanted(global, &self.key)?,
            algorithm: self.algorithm,
            uses: uses.map_err(|error| CliError::usage(error.to_string()))?,
            lifetime_seconds: self.lifetime,
        })
    }
}

/// Agree on a new key with the server: both have it, and it was never sent.
#[derive(Debug, Args)]
pub struct Agree {
    #[command(flatten)]
    wished: Wished,
    #[command(flatten)]
    out: KeyOut,
}

/// Agree on a new key that is bound to a TLS connection to the server, made for
/// it. It needs a client certificate, and nobody who ends TLS in between: use
/// `agree` behind a load balancer.
#[derive(Debug, Args)]
pub struct Bind {
    #[command(flatten)]
    wished: Wished,
    #[command(flatten)]
    out: KeyOut,
}

impl Bind {
    async fn run(self, global: &Global) -> Result<()> {
        let room = self.out.room()?;
        // Nothing but TLS says here who the server is.
        let client = global.exchange_client()?;
        let work = client.bind_key(self.wished.agreement(global)?);
        let agreed = progress::wait("Agreeing", work).await?;
        show(global, room, &agreed.grant, agreed.key.expose(), "raw")
    }
}

impl Agree {
    async fn run(self, global: &Global) -> Result<()> {
        let room = self.out.room()?;
        let (client, identity) = (global.client()?, identity(global)?);
        let wanted = self.wished.agreement(global)?;
        let work = client.agree_on_key(&identity, wanted);
        let agreed = progress::wait("Agreeing", work).await?;
        show(global, room, &agreed.grant, agreed.key.expose(), "raw")
    }
}

/// Fetch an exportable key, sealed to a key that is made for this alone.
#[derive(Debug, Args)]
pub struct Fetch {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The version; the newest if left out
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    #[command(flatten)]
    out: KeyOut,
}

impl Fetch {
    async fn run(self, global: &Global) -> Result<()> {
        let room = self.out.room()?;
        let (client, identity) = (global.client()?, identity(global)?);
        let wanted = Distribution {
            key: wanted(global, &self.key)?,
            version: self.version.map(u64::from),
        };
        let work = client.fetch_key(&identity, wanted);
        let fetched = progress::wait("Fetching", work).await?;
        let format = match fetched.grant.given {
            Given::Sealed {
                format: KeyFormat::Pkcs8,
            } => "pkcs8",
            _ => "raw",
        };
        show(global, room, &fetched.grant, fetched.key.expose(), format)
    }
}

/// What is printed with `--json`.
#[derive(Serialize)]
struct Shown<'a> {
    keyring: &'a str,
    name: &'a str,
    id: &'a str,
    version: u64,
    algorithm: &'a str,
    uses: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime_seconds: Option<u64>,
    /// How the key is written.
    format: &'a str,
    /// The key, base64; not where it went to a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<SecretB64>,
}

fn show(global: &Global, room: Room, grant: &Grant, key: &[u8], format: &str) -> Result<()> {
    let in_file = room.is_file();
    if in_file || !global.json {
        room.fill(key)?;
    }
    if global.json {
        let shown = (!in_file).then(|| SecretB64::from(key.to_vec()));
        return output::json(&Shown {
            keyring: &grant.key.keyring,
            name: &grant.key.name,
            id: &grant.id,
            version: grant.version,
            algorithm: &grant.algorithm,
            uses: grant.uses.iter().collect(),
            lifetime_seconds: grant.lifetime_seconds,
            format,
            key: shown,
        });
    }
    output::note(format!(
        "{}, version {}, {} ({format})",
        grant.key.name, grant.version, grant.algorithm
    ))
}

fn identity(global: &Global) -> Result<Party> {
    let (certificates, key, authority) = global.exchange_identity()?;
    Party::from_pem(&certificates, &key, &authority)
        .map_err(|error| CliError::usage(error.to_string()))
}

fn wanted(global: &Global, key: &KeyName) -> Result<Wanted> {
    Ok(Wanted::new(&global.namespace()?, &key.keyring, &key.name))
}
