//! `skms cert`: certificates.

mod bundle;
mod issue;
mod manage;
mod own;
mod validate;

use clap::Subcommand;
use skms_wire::native::certificates::{CertificateStatus, CertificateView};

use super::Global;
use super::error::Result;
use super::output;

/// Issue, list, show, renew, revoke and validate certificates.
#[derive(Debug, Subcommand)]
pub enum Cert {
    /// Issue a certificate for a key kept here, or for one that is made and
    /// handed out
    Issue(Box<issue::Issue>),
    /// Issue a certificate for a request (PKCS #10)
    Sign(issue::Sign),
    /// List an authority's certificates
    List(manage::List),
    /// Show a certificate
    Show(manage::Show),
    /// Write a certificate, with those above it, to a file
    Export(manage::Export),
    /// Issue a certificate like one that ends soon, such as one's own
    Renew(issue::Renew),
    /// Revoke a certificate, or hold it
    Revoke(manage::Revoke),
    /// End a certificate's hold
    Release(manage::Which),
    /// Say whether a certificate is valid, and why not; needs no server
    Validate(Box<validate::Validate>),
}

impl Cert {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        match self {
            Self::Issue(issue) => issue.run(global).await,
            Self::Sign(sign) => sign.run(global).await,
            Self::List(list) => list.run(global).await,
            Self::Show(show) => show.run(global).await,
            Self::Export(export) => export.run(global).await,
            Self::Renew(renew) => renew.run(global).await,
            Self::Revoke(revoke) => revoke.run(global).await,
            Self::Release(which) => which.release(global).await,
            Self::Validate(validate) => validate.run(global),
        }
    }
}

/// The word for a status.
fn status(view: &CertificateView) -> String {
    let word = match view.status {
        CertificateStatus::Good => "good",
        CertificateStatus::OnHold => "on hold",
        CertificateStatus::Revoked => "revoked",
        CertificateStatus::Expired => "expired",
    };
    match &view.revocation {
        Some(why) => format!("{word}: {} at {}", why.reason, why.revoked_at),
        None => word.to_owned(),
    }
}

/// Prints what is known about a certificate.
pub fn print(view: &CertificateView) -> Result<()> {
    let key = view.key.as_ref().map(|key| {
        let version = key.version.unwrap_or_default();
        format!("{}/{} version {version}", key.keyring, key.key)
    });
    output::fields(&[
        ("serial", view.serial.clone()),
        ("status", status(view)),
        ("subject", view.subject.clone()),
        ("names", view.names.join(", ")),
        (
            "authority",
            format!("{} issuer {}", view.authority, view.issuer),
        ),
        ("profile", view.profile.clone()),
        ("from", view.not_before.to_string()),
        ("until", view.not_after.to_string()),
        ("SHA-256", view.fingerprint.clone()),
        ("key", key.unwrap_or_default()),
        ("issued to", view.issued_to.clone()),
    ])
}
