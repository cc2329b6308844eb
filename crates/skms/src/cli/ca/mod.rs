//! `skms ca`: certificate authorities.

mod create;
mod profile;
mod watch;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skms_wire::native::authorities::{
    AuthorityRules, AuthorityView, CertifyRequest, InstallCertificateRequest, NameConstraints,
    RenewAuthorityRequest, UpdateAuthorityRequest,
};

use super::Global;
use super::cert::print as print_certificate;
use super::duration;
use super::error::Result;
use super::keyname::KeyName;
use super::{input, output};

/// The longest file of certificates or requests read, in bytes.
pub const PEM_MAX: u64 = 512 * 1024;

/// Make, show, renew and certify certificate authorities.
#[derive(Debug, Subcommand)]
pub enum Ca {
    /// Make an authority: a root, one below another, or one that waits for a
    /// certificate from elsewhere
    Create(Box<create::Create>),
    /// List the authorities
    List,
    /// Show an authority
    Show {
        /// Its name
        name: String,
    },
    /// Print an authority's certificate, PEM
    Cert {
        /// Its name
        name: String,
        /// With those above it
        #[arg(long)]
        chain: bool,
        /// Of this issuer, by number; by default the one that issues now
        #[arg(long)]
        issuer: Option<u32>,
    },
    /// Print the request of an authority that waits for a certificate, PEM
    Request {
        /// Its name
        name: String,
    },
    /// Give an authority a certificate from elsewhere
    Install {
        /// Its name
        name: String,
        /// The certificate and those above it, PEM; `-` for standard input
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Certify an authority anew: on a new key, or on the same one for another
    /// lifetime
    Renew {
        /// Its name
        name: String,
        /// The new key. The one before goes on signing revocation lists for
        /// what it issued: leave it active until all of that has ended
        #[arg(long, value_name = "KEY")]
        key: Option<KeyName>,
        /// How long the new certificate is to last, such as 1825d
        #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
        lifetime: Option<u64>,
    },
    /// Certify another authority
    Certify(Certify),
    /// Change how an authority issues and publishes
    Update {
        /// Its name
        name: String,
        #[command(flatten)]
        rules: RuleOptions,
    },
    /// Profiles of an authority's own: those that come along, held to less
    #[command(subcommand)]
    Profile(profile::Profile),
    /// Make an authority's revocation lists anew
    Publish {
        /// Its name
        name: String,
    },
    /// Say what ends soon and nothing has taken the place of; for a timer
    Watch(watch::Watch),
    /// Delete an authority whose certificates have all ended
    Delete {
        /// Its name
        name: String,
    },
}

/// Certify another authority.
#[derive(Debug, Args)]
pub struct Certify {
    /// The authority that certifies
    name: String,
    /// An authority of this namespace, which gets a cross-certificate
    #[arg(long, value_name = "NAME", required_unless_present = "request")]
    authority: Option<String>,
    /// Another authority's request, PEM; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "authority")]
    request: Option<PathBuf>,
    #[command(flatten)]
    extent: ExtentOptions,
}

/// What an authority's certificate is to be like.
#[derive(Debug, Args)]
pub struct ExtentOptions {
    /// How long the certificate is to last, such as 1825d
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    pub lifetime: Option<u64>,
    /// How many authorities may stand below it
    #[arg(long, value_name = "NUMBER")]
    pub path_length: Option<u8>,
    /// Names it may issue for, such as dns:example.org or ip:10.0.0.0/8
    #[arg(long, value_name = "FORM:BASE")]
    pub permit: Vec<String>,
    /// Names it may not issue for
    #[arg(long, value_name = "FORM:BASE")]
    pub exclude: Vec<String>,
}

impl ExtentOptions {
    /// The names it is held to, if any are given.
    pub fn constraints(&self) -> Option<NameConstraints> {
        (!self.permit.is_empty() || !self.exclude.is_empty()).then(|| NameConstraints {
            permitted: self.permit.clone(),
            excluded: self.exclude.clone(),
        })
    }
}

/// How an authority issues and publishes.
#[derive(Debug, Args)]
pub struct RuleOptions {
    /// The profiles it issues by; separated by commas
    #[arg(long = "profile", value_name = "PROFILES", value_delimiter = ',')]
    profiles: Vec<String>,
    /// Issue by the authority's own profiles alone
    #[arg(long, conflicts_with = "profiles")]
    own_profiles_only: bool,
    /// The longest lifetime of its certificates, such as 90d
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    max_lifetime: Option<u64>,
    /// Where others find what the server publishes, such as
    /// http://pki.example.org; certificates point there
    #[arg(long, value_name = "URL")]
    publish_url: Option<String>,
    /// How long a revocation list is good
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    crl_lifetime: Option<u64>,
    /// Into how many lists the certificates are divided
    #[arg(long, value_name = "NUMBER")]
    crl_shards: Option<u32>,
    /// How long an OCSP response is good
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    ocsp_lifetime: Option<u64>,
    /// The key that signs OCSP responses instead of the authority's own; it
    /// gets a certificate for that. An empty text takes it away
    #[arg(long, value_name = "KEY")]
    ocsp_signer: Option<String>,
    /// Sign OCSP responses before anybody asks
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    ocsp_presign: Option<bool>,
    /// Hold the certificates of a key that is kept here while it is suspended
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    hold_suspended: Option<bool>,
    /// The server takes its own listener's certificate from it: one authority
    /// of the root namespace
    #[arg(long, value_name = "YES", num_args = 0..=1, default_missing_value = "true")]
    listener: Option<bool>,
}

impl RuleOptions {
    /// As the server takes them.
    pub fn rules(self) -> AuthorityRules {
        AuthorityRules {
            profiles: (self.own_profiles_only || !self.profiles.is_empty())
                .then_some(self.profiles),
            max_lifetime_seconds: self.max_lifetime,
            publish_url: self.publish_url,
            crl_seconds: self.crl_lifetime,
            crl_shards: self.crl_shards,
            ocsp_seconds: self.ocsp_lifetime,
            ocsp_signer: self.ocsp_signer,
            ocsp_presign: self.ocsp_presign,
            hold_suspended: self.hold_suspended,
            listener: self.listener,
        }
    }
}

impl Ca {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::Create(create) => create.run(global, &client).await,
            Self::Profile(profile) => profile.run(global, &client).await,
            Self::Watch(watch) => watch.run(global, &client).await,
            Self::List => {
                let all = super::every(async |page| client.authorities(&page).await).await?;
                global.show(&all, |all| {
                    let rows: Vec<_> = all.iter().map(row).collect();
                    output::table(&["NAME", "SUBJECT", "KEY", "UNTIL", "REVOKED"], &rows)
                })
            }
            Self::Show { name } => global.show(&client.authority(&name).await?, print),
            Self::Cert {
                name,
                chain,
                issuer,
            } => {
                let found = client.authority(&name).await?;
                let one = match issuer {
                    None => found.issuers.last(),
                    Some(number) => found.issuers.iter().find(|one| one.number == number),
                };
                let one = one.ok_or_else(|| {
                    super::CliError::usage("the authority has no such certificate (yet)")
                })?;
                global.show(one, |one| {
                    output::line(one.certificate.trim_end())?;
                    for above in one.chain.iter().filter(|_| chain) {
                        output::line(above.trim_end())?;
                    }
                    Ok(())
                })
            }
            Self::Request { name } => {
                let found = client.authority(&name).await?;
                let request = found.request.ok_or_else(|| {
                    super::CliError::usage("the authority does not wait for a certificate")
                })?;
                global.show(&serde_json::json!({ "request": request }), |_| {
                    output::line(request.trim_end())
                })
            }
            Self::Install { name, file } => {
                let request = InstallCertificateRequest {
                    certificates: input::read_text(&file, PEM_MAX)?,
                };
                global.show(&client.install_certificate(&name, &request).await?, print)
            }
            Self::Renew {
                name,
                key,
                lifetime,
            } => {
                let request = RenewAuthorityRequest {
                    keyring: key.as_ref().map(|key| key.keyring.clone()),
                    key: key.map(|key| key.name),
                    lifetime_seconds: lifetime,
                };
                global.show(&client.renew_authority(&name, &request).await?, print)
            }
            Self::Certify(certify) => {
                let request = CertifyRequest {
                    authority: certify.authority,
                    request: certify
                        .request
                        .map(|file| input::read_text(&file, PEM_MAX))
                        .transpose()?,
                    lifetime_seconds: certify.extent.lifetime,
                    path_length: certify.extent.path_length,
                    name_constraints: certify.extent.constraints(),
                };
                let made = client.certify(&certify.name, &request).await?;
                global.show(&made, |made| {
                    print_certificate(made)?;
                    output::line(made.certificate.as_deref().unwrap_or_default().trim_end())
                })
            }
            Self::Update { name, rules } => {
                let request = UpdateAuthorityRequest {
                    rules: rules.rules(),
                };
                global.show(&client.update_authority(&name, &request).await?, print)
            }
            Self::Publish { name } => global.show(&client.publish(&name).await?, |_| {
                output::line("The revocation lists are made anew.")
            }),
            Self::Delete { name } => {
                client.delete_authority(&name).await?;
                global.show(&serde_json::json!({ "deleted": name }), |_| {
                    output::line("The authority is deleted.")
                })
            }
        }
    }
}

fn row(one: &AuthorityView) -> Vec<String> {
    let until = one.issuers.last().map_or_else(
        || "waits for its certificate".to_owned(),
        |issuer| issuer.not_after.to_string(),
    );
    let revoked: u64 = one.issuers.iter().map(|issuer| issuer.revoked).sum();
    vec![
        one.name.clone(),
        one.subject.clone(),
        format!("{}/{}", one.keyring, one.key),
        until,
        revoked.to_string(),
    ]
}

fn print(one: &AuthorityView) -> Result<()> {
    output::fields(&[
        ("name", one.name.clone()),
        ("subject", one.subject.clone()),
        ("key", format!("{}/{}", one.keyring, one.key)),
        (
            "profiles",
            one.rules.profiles.clone().unwrap_or_default().join(", "),
        ),
        (
            "published at",
            one.rules.publish_url.clone().unwrap_or_default(),
        ),
        (
            "certifies",
            match one.rules.listener {
                Some(true) => "the server's own listener".to_owned(),
                _ => String::new(),
            },
        ),
    ])?;
    if one.issuers.is_empty() {
        return output::line("It waits for a certificate from elsewhere: skms ca request");
    }
    let rows: Vec<_> = one
        .issuers
        .iter()
        .map(|issuer| {
            vec![
                issuer.number.to_string(),
                format!(
                    "{}/{} version {}",
                    issuer.keyring, issuer.key, issuer.key_version
                ),
                issuer.not_before.to_string(),
                issuer.not_after.to_string(),
                issuer.revoked.to_string(),
                issuer.serial.clone(),
            ]
        })
        .collect();
    output::table(
        &["ISSUER", "KEY", "FROM", "UNTIL", "REVOKED", "SERIAL"],
        &rows,
    )
}
