//! `skms cert issue`, `sign` and `renew`.

use std::path::PathBuf;

use clap::Args;
use skms_wire::native::certificates::{
    CertificateView, IssueCertificateRequest, IssuedCertificate, SubjectKey,
};

use super::bundle::Bundle;
use super::{own, print};
use crate::cli::Global;
use crate::cli::ca::PEM_MAX;
use crate::cli::duration;
use crate::cli::error::{CliError, Result};
use crate::cli::keyname::KeyName;
use crate::cli::{input, output};

/// What every certificate may be told.
#[derive(Debug, Args)]
struct Wanted {
    /// The authority
    #[arg(long, value_name = "NAME")]
    ca: String,
    /// Issue it to this principal of the namespace: the profile `principal` and
    /// the name that goes with it
    #[arg(long, value_name = "NAME", conflicts_with_all = ["profile", "names"])]
    principal: Option<String>,
    /// What it is for: tls-server, tls-client, tls-mutual, s-mime,
    /// code-signing, ocsp-signer, time-stamping, principal, tls-server-web
    #[arg(long, default_value = "tls-server")]
    profile: String,
    /// Whom it is for, such as "CN=Example"
    #[arg(long)]
    subject: Option<String>,
    /// Its names: www.example.org, 192.0.2.1, a@example.org, uri:…
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// How long it is to last, such as 90d
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    lifetime: Option<u64>,
}

/// Where the result goes.
#[derive(Debug, Args)]
struct Files {
    /// Write the certificate and those above it to this file (PEM)
    #[arg(long, short = 'o', value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Wanted {
    fn request(self, global: &Global) -> Result<(String, IssueCertificateRequest)> {
        let (profile, names) = match self.principal {
            None => (self.profile, self.names),
            Some(name) => {
                let namespace = global.namespace()?;
                let uri = format!("uri:skms://{namespace}/certificate/{name}");
                ("principal".to_owned(), vec![uri])
            }
        };
        let request = IssueCertificateRequest {
            profile,
            subject: self.subject,
            names,
            lifetime_seconds: self.lifetime,
            ..IssueCertificateRequest::default()
        };
        Ok((self.ca, request))
    }
}

/// Issue a certificate for a key kept here (--key), or for one that is made
/// and handed out (--new-key).
#[derive(Debug, Args)]
pub struct Issue {
    #[command(flatten)]
    wanted: Wanted,
    /// A key kept here
    #[arg(long, value_name = "KEY", conflicts_with = "new_key")]
    key: Option<KeyName>,
    /// Its version; the newest by default
    #[arg(long, requires = "key")]
    version: Option<u32>,
    /// The algorithm of a key that is made, such as EC-P256 (the default),
    /// RSA-3072 or ML-DSA-65
    #[arg(long, value_name = "ALGORITHM")]
    new_key: Option<String>,
    /// Write the new key to this file (PEM, PKCS #8, mode 0600)
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    key_out: Option<PathBuf>,
    #[command(flatten)]
    bundle: Bundle,
    #[command(flatten)]
    files: Files,
}

impl Issue {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let (ca, mut request) = self.wanted.request(global)?;
        match self.key {
            Some(key) => {
                request.key = Some(SubjectKey {
                    keyring: key.keyring,
                    key: key.name,
                    version: self.version,
                });
            }
            None => {
                if self.key_out.is_none() && !self.bundle.is_wanted() && !global.json {
                    return Err(CliError::usage("where is the new key to go?").hint(
                        "add --key-out FILE or --p12-out FILE, or --key for one that stays in \
                         the server",
                    ));
                }
                request.new_key = Some(self.new_key.unwrap_or_else(|| "EC-P256".to_owned()));
            }
        }
        if self.key_out.is_some() && self.key_out == self.files.out {
            return Err(CliError::usage(
                "the key and the certificate cannot go to the same file",
            ));
        }
        let passphrase = self.bundle.passphrase()?;
        let made = global.client()?.issue_certificate(&ca, &request).await?;
        self.bundle.write(&made, passphrase)?;
        if let (Some(path), Some(key)) = (&self.key_out, &made.private_key) {
            output::write_file(path, key.expose().as_bytes())?;
        }
        let written = self.key_out.is_some() || self.bundle.is_wanted();
        deliver(global, &made, &self.files, written)
    }
}

/// Issue a certificate for a request (PKCS #10, PEM).
#[derive(Debug, Args)]
pub struct Sign {
    #[command(flatten)]
    wanted: Wanted,
    /// The request; `-` for standard input
    #[arg(default_value = "-")]
    request: PathBuf,
    #[command(flatten)]
    files: Files,
}

impl Sign {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let (ca, mut request) = self.wanted.request(global)?;
        request.request = Some(input::read_text(&self.request, PEM_MAX)?);
        let made = global.client()?.issue_certificate(&ca, &request).await?;
        deliver(global, &made, &self.files, false)
    }
}

/// Issue a certificate like one that ends soon: the same profile, subject,
/// names and key, or the key of a new request. With --own, the one that this
/// command line is known by, on a new key that is made here.
#[derive(Debug, Args)]
pub struct Renew {
    /// The authority
    #[arg(long, value_name = "NAME", required_unless_present = "own")]
    ca: Option<String>,
    /// The certificate's serial number
    #[arg(required_unless_present = "own")]
    serial: Option<String>,
    /// Renew the client certificate, and replace its file and its key's
    #[arg(long, conflicts_with_all = ["ca", "serial", "request", "out"])]
    own: bool,
    /// A request with the key to go on with, PEM; needed unless the key is
    /// kept here
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// How long it is to last, such as 90d; the profile's usual time by default
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    lifetime: Option<u64>,
    #[command(flatten)]
    files: Files,
}

impl Renew {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let (Some(ca), Some(serial)) = (self.ca, self.serial) else {
            return own::renew(global, self.lifetime).await;
        };
        let client = global.client()?;
        let before = client.certificate(&ca, &serial).await?;
        let mut request = IssueCertificateRequest {
            profile: before.profile,
            subject: Some(before.subject),
            names: before.names,
            lifetime_seconds: self.lifetime,
            ..IssueCertificateRequest::default()
        };
        match (self.request, before.key) {
            (Some(file), _) => request.request = Some(input::read_text(&file, PEM_MAX)?),
            (None, Some(key)) => {
                request.key = Some(SubjectKey {
                    version: None,
                    ..key
                });
            }
            (None, None) => {
                return Err(CliError::usage("the certificate's key is not kept here")
                    .hint("add --request FILE, a request made with the key"));
            }
        }
        let made = client.issue_certificate(&ca, &request).await?;
        deliver(global, &made, &self.files, false)
    }
}

/// Prints what was issued, or writes it where it is to go.
fn deliver(
    global: &Global,
    made: &IssuedCertificate,
    files: &Files,
    key_written: bool,
) -> Result<()> {
    if let Some(path) = &files.out {
        output::write_file(path, bundle(&made.certificate).as_bytes())?;
    }
    if global.json && !key_written {
        return output::json(made);
    }
    global.show(&made.certificate, |view| {
        print(view)?;
        match files.out {
            Some(_) => Ok(()),
            None => output::line(bundle(view).trim_end()),
        }
    })
}

/// The certificate and those above it, without the root, as servers want them.
pub(super) fn bundle(view: &CertificateView) -> String {
    let mut text = view.certificate.clone().unwrap_or_default();
    let above = view.chain.len().saturating_sub(1);
    for one in view.chain.iter().take(above) {
        text.push_str(one);
    }
    text
}
