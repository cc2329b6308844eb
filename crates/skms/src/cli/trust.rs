//! `skms trust`: external authorities that say who principals are.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use skms_wire::Bytes;
use skms_wire::native::trusts::{
    CreateTrustRequest, ImportTrustCrlRequest, TrustCrlView, TrustIdentity, TrustRevocation,
    TrustView, UpdateTrustRequest,
};

use super::Global;
use super::error::Result;
use super::{input, output};

/// The longest file of certificates or lists that is read, in bytes.
const FILE_MAX: u64 = 8 << 20;

/// Trust external authorities to say who principals are.
#[derive(Debug, Subcommand)]
pub enum Trust {
    /// Name an external authority; nobody is a principal by that alone
    Add(Add),
    /// List the external authorities
    List,
    /// Show an external authority, with its revocation lists
    Show {
        /// Its name
        name: String,
    },
    /// Change the intermediates, or how much must be known of revocation
    Update(Update),
    /// Import revocation lists; whom they name is cut off at once
    Crl {
        /// The authority's name
        name: String,
        /// The lists (DER or PEM)
        file: PathBuf,
    },
    /// Trust an authority no longer; who is known by it is cut off at once
    Delete {
        /// Its name
        name: String,
    },
}

/// Which name of a certificate counts.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Identity {
    /// The one URI of the subject alternative names (SPIFFE)
    Uri,
    /// Their one DNS name
    Dns,
    /// Their one mailbox
    Email,
    /// The subject's one common name
    Cn,
    /// The whole subject
    Subject,
}

/// How much must be known about revocation.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Revocation {
    /// What a list names is refused; what none is about passes
    IfKnown,
    /// A list that is up to date must be about the principal's certificate
    Leaf,
    /// And about those above it, but for the anchor
    Path,
}

/// Name an external authority; nobody is a principal by that alone.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  skms trust add corp --anchor corp-root.pem --crl corp.crl --identity uri\n  \
    skms principal create deploy --trust corp --identity spiffe://corp.example/deploy --group crypto-user"
)]
pub struct Add {
    /// Its name
    name: String,
    /// Certificates that paths end at (DER or PEM); may be repeated
    #[arg(long, value_name = "FILE", required = true)]
    anchor: Vec<PathBuf>,
    /// Certificates below them that clients do not send, or that sign
    /// revocation lists; may be repeated
    #[arg(long, value_name = "FILE")]
    intermediates: Vec<PathBuf>,
    /// Revocation lists; may be repeated
    #[arg(long, value_name = "FILE")]
    crl: Vec<PathBuf>,
    /// Which name of a certificate says whose it is
    #[arg(long, value_name = "FORM")]
    identity: Identity,
    /// How much must be known about revocation; path once there are lists if
    /// left out
    #[arg(long, value_name = "HOW")]
    require_crl: Option<Revocation>,
}

/// Change the intermediates, or how much must be known of revocation.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct Update {
    /// The authority's name
    name: String,
    /// Certificates in the place of those before; may be repeated
    #[arg(long, value_name = "FILE", group = "what")]
    intermediates: Vec<PathBuf>,
    /// How much must be known about revocation
    #[arg(long, value_name = "HOW", group = "what")]
    require_crl: Option<Revocation>,
}

impl From<Identity> for TrustIdentity {
    fn from(identity: Identity) -> Self {
        match identity {
            Identity::Uri => Self::Uri,
            Identity::Dns => Self::Dns,
            Identity::Email => Self::Email,
            Identity::Cn => Self::Cn,
            Identity::Subject => Self::Subject,
        }
    }
}

impl From<Revocation> for TrustRevocation {
    fn from(revocation: Revocation) -> Self {
        match revocation {
            Revocation::IfKnown => Self::IfKnown,
            Revocation::Leaf => Self::Leaf,
            Revocation::Path => Self::Path,
        }
    }
}

fn file(path: &Path) -> Result<Bytes> {
    Ok(Bytes::new(input::read(path, FILE_MAX)?.to_vec()))
}

fn files(paths: &[PathBuf]) -> Result<Vec<Bytes>> {
    paths.iter().map(|path| file(path)).collect()
}

impl Trust {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::Add(add) => {
                let request = CreateTrustRequest {
                    name: add.name,
                    anchors: files(&add.anchor)?,
                    identity: add.identity.into(),
                    intermediates: files(&add.intermediates)?,
                    crls: files(&add.crl)?,
                    revocation: add.require_crl.map(Into::into),
                };
                global.show(&client.create_trust(&request).await?, print)
            }
            Self::List => {
                let all = super::every(async |page| client.trusts(&page).await).await?;
                global.show(&all, |all| {
                    let rows: Vec<_> = all.iter().map(row).collect();
                    let columns = ["NAME", "IDENTITY", "REVOCATION", "ANCHORS", "NEXT LIST DUE"];
                    output::table(&columns, &rows)
                })
            }
            Self::Show { name } => global.show(&client.trust(&name).await?, print),
            Self::Update(update) => {
                let intermediates = match update.intermediates.is_empty() {
                    true => None,
                    false => Some(files(&update.intermediates)?),
                };
                let request = UpdateTrustRequest {
                    intermediates,
                    revocation: update.require_crl.map(Into::into),
                };
                let changed = client.update_trust(&update.name, &request).await?;
                global.show(&changed, print)
            }
            Self::Crl { name, file: path } => {
                let request = ImportTrustCrlRequest { crl: file(&path)? };
                let changed = client.import_trust_crl(&name, &request).await?;
                global.show(&changed, print)
            }
            Self::Delete { name } => {
                client.delete_trust(&name).await?;
                global.show(&serde_json::json!({ "deleted": name }), |_| {
                    output::line("The authority is trusted no longer.")
                })
            }
        }
    }
}

fn word(value: impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn row(one: &TrustView) -> Vec<String> {
    let anchors: Vec<&str> = one.anchors.iter().map(|one| &*one.subject).collect();
    let due = one.crls.iter().map(|list| list.next_update).min();
    vec![
        one.name.clone(),
        word(one.identity),
        word(one.revocation),
        anchors.join("; "),
        due.map(|due| due.to_string()).unwrap_or_default(),
    ]
}

fn list(one: &TrustCrlView) -> String {
    format!(
        "{}: number {}, of {}, next by {}, {} entries",
        one.issuer,
        one.number.as_deref().unwrap_or("none"),
        one.this_update,
        one.next_update,
        one.entries
    )
}

fn print(one: &TrustView) -> Result<()> {
    let mut fields = vec![
        ("name", one.name.clone()),
        ("id", one.id.clone()),
        ("namespace", one.namespace.clone()),
        ("identity", word(one.identity)),
        ("revocation", word(one.revocation)),
    ];
    for anchor in &one.anchors {
        let text = format!(
            "{}, until {}, SHA-256 {}",
            anchor.subject, anchor.not_after, anchor.fingerprint
        );
        fields.push(("anchor", text));
    }
    for below in &one.intermediates {
        fields.push((
            "intermediate",
            format!("{}, until {}", below.subject, below.not_after),
        ));
    }
    fields.extend(one.crls.iter().map(|crl| ("revocation list", list(crl))));
    fields.push(("created", one.created_at.to_string()));
    output::fields(&fields)
}
