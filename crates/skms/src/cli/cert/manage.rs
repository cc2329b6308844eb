//! `skms cert list`, `show`, `export`, `revoke` and `release`.

use std::path::PathBuf;

use clap::Args;
use skms_wire::Moment;
use skms_wire::native::certificates::RevokeCertificateRequest;
use skms_wire::native::terms::RevocationReason;

use super::{issue, print, status};
use crate::cli::Global;
use crate::cli::error::Result;
use crate::cli::output;

/// List an authority's certificates.
#[derive(Debug, Args)]
pub struct List {
    /// The authority
    #[arg(long, value_name = "NAME")]
    ca: String,
}

impl List {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let ca = self.ca;
        let all = crate::cli::every(async |page| client.certificates(&ca, &page).await).await?;
        global.show(&all, |all| {
            let rows: Vec<_> = all
                .iter()
                .map(|one| {
                    let whom = match one.names.is_empty() {
                        true => one.subject.clone(),
                        false => one.names.join(" "),
                    };
                    vec![
                        one.serial.clone(),
                        one.profile.clone(),
                        whom,
                        one.not_after.to_string(),
                        status(one),
                    ]
                })
                .collect();
            output::table(&["SERIAL", "PROFILE", "FOR", "UNTIL", "STATUS"], &rows)
        })
    }
}

/// Which certificate is meant.
#[derive(Debug, Args)]
pub struct Which {
    /// The authority
    #[arg(long, value_name = "NAME")]
    ca: String,
    /// The certificate's serial number, hexadecimal
    serial: String,
}

impl Which {
    /// Ends its hold.
    pub async fn release(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let view = client.release_certificate(&self.ca, &self.serial).await?;
        global.show(&view, print)
    }
}

/// Show a certificate.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    which: Which,
}

impl Show {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let view = client
            .certificate(&self.which.ca, &self.which.serial)
            .await?;
        global.show(&view, |view| {
            print(view)?;
            output::line(view.certificate.as_deref().unwrap_or_default().trim_end())
        })
    }
}

/// Write a certificate, with those above it but the root, as PEM.
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    which: Which,
    /// The file; standard output by default
    #[arg(long, short = 'o', value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Export {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let view = client
            .certificate(&self.which.ca, &self.which.serial)
            .await?;
        let bundle = issue::bundle(&view);
        match &self.out {
            Some(path) => output::write_file(path, bundle.as_bytes()),
            None => output::line(bundle.trim_end()),
        }
    }
}

/// Revoke a certificate. keyCompromise reaches every certificate of its key
/// and the key itself where it is kept here; certificateHold can be ended with
/// `skms cert release`.
#[derive(Debug, Args)]
pub struct Revoke {
    #[command(flatten)]
    which: Which,
    /// Why (RFC 5280): keyCompromise, superseded, cessationOfOperation, …
    #[arg(long)]
    reason: RevocationReason,
    /// Since when the key is not to be trusted (RFC 3339)
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
}

impl Revoke {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let request = RevokeCertificateRequest {
            reason: self.reason,
            invalid_since: self.since,
        };
        let view = client
            .revoke_certificate(&self.which.ca, &self.which.serial, &request)
            .await?;
        global.show(&view, print)
    }
}
