//! `skms ca profile`: profiles of an authority's own.

use clap::{Args, Subcommand};
use skms_client::Client;
use skms_wire::native::authorities::AuthorityProfile;

use crate::cli::error::Result;
use crate::cli::{Global, duration, output};

/// Profiles of an authority's own: those that come along, held to less.
#[derive(Debug, Subcommand)]
pub enum Profile {
    /// Write a profile; certificates that were issued stay as they are
    Put(Box<Put>),
    /// List an authority's own profiles
    List {
        /// The authority
        authority: String,
    },
    /// Take a profile away
    Delete {
        /// The authority
        authority: String,
        /// The profile
        name: String,
    },
}

/// Write a profile.
#[derive(Debug, Args)]
pub struct Put {
    /// The authority
    authority: String,
    /// The profile's name
    name: String,
    /// The profile that it is based on, such as tls-server
    #[arg(long, value_name = "PROFILE")]
    base: String,
    /// Domains that DNS names must be in or below, separated by commas
    #[arg(long = "domain", value_name = "DOMAINS", value_delimiter = ',')]
    domains: Vec<String>,
    /// The same of mailboxes
    #[arg(long = "email-domain", value_name = "DOMAINS", value_delimiter = ',')]
    email_domains: Vec<String>,
    /// The same of hosts of URIs
    #[arg(long = "uri-host", value_name = "DOMAINS", value_delimiter = ',')]
    uri_hosts: Vec<String>,
    /// Networks that addresses must be in, such as 10.0.0.0/8
    #[arg(long = "network", value_name = "NETWORKS", value_delimiter = ',')]
    networks: Vec<String>,
    /// A distinguished name that subjects must begin with; may be repeated
    #[arg(long = "subject", value_name = "NAME")]
    subjects: Vec<String>,
    /// Refuse wildcards
    #[arg(long)]
    no_wildcards: bool,
    /// Refuse certificates without a subject
    #[arg(long)]
    subject_required: bool,
    /// The most names of a certificate
    #[arg(long, value_name = "NUMBER")]
    most_names: Option<u32>,
    /// Algorithms that keys may be for, separated by commas
    #[arg(long = "algorithm", value_name = "ALGORITHMS", value_delimiter = ',')]
    algorithms: Vec<String>,
    /// From so many bits of security strength
    #[arg(long, value_name = "BITS")]
    minimum_strength: Option<u16>,
    /// The longest lifetime, such as 30d
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    max_lifetime: Option<u64>,
    /// The lifetime where nobody asks
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    lifetime: Option<u64>,
    /// Purposes (extKeyUsage) out of the base's, dotted, separated by commas
    #[arg(long = "purpose", value_name = "OIDS", value_delimiter = ',')]
    purposes: Vec<String>,
    /// Certificate policies, dotted, separated by commas
    #[arg(long = "policy", value_name = "OIDS", value_delimiter = ',')]
    policies: Vec<String>,
}

impl Profile {
    /// Does it.
    pub async fn run(self, global: &Global, client: &Client) -> Result<()> {
        match self {
            Self::Put(put) => {
                let (authority, name) = (put.authority.clone(), put.name.clone());
                let profile = put.profile();
                let changed = client
                    .put_authority_profile(&authority, &name, &profile)
                    .await?;
                global.show(&changed, |_| output::line(format!("wrote {name}")))
            }
            Self::List { authority } => {
                let found = client.authority(&authority).await?;
                global.show(&found.profiles, |all| {
                    let rows: Vec<_> = all.iter().map(row).collect();
                    output::table(&["NAME", "BASE", "NAMES IN", "KEYS", "LONGEST"], &rows)
                })
            }
            Self::Delete { authority, name } => {
                let changed = client.delete_authority_profile(&authority, &name).await?;
                global.show(&changed, |_| output::line(format!("deleted {name}")))
            }
        }
    }
}

impl Put {
    fn profile(self) -> AuthorityProfile {
        AuthorityProfile {
            base: self.base,
            domains: self.domains,
            email_domains: self.email_domains,
            uri_hosts: self.uri_hosts,
            networks: self.networks,
            subjects: self.subjects,
            no_wildcards: self.no_wildcards,
            subject_required: self.subject_required,
            most_names: self.most_names,
            algorithms: self.algorithms,
            minimum_strength_bits: self.minimum_strength,
            max_lifetime_seconds: self.max_lifetime,
            default_lifetime_seconds: self.lifetime,
            purposes: self.purposes,
            policies: self.policies,
        }
    }
}

fn row((name, one): (&String, &AuthorityProfile)) -> Vec<String> {
    let names = [
        &one.domains,
        &one.email_domains,
        &one.uri_hosts,
        &one.networks,
        &one.subjects,
    ];
    let names: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
    vec![
        name.clone(),
        one.base.clone(),
        names.join(" "),
        one.algorithms.join(" "),
        one.max_lifetime_seconds
            .map(|seconds| format!("{} d", seconds / 86_400))
            .unwrap_or_default(),
    ]
}
