//! `skms ca watch`: what ends soon, of authorities and of what they issued.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde::Serialize;
use skms_client::Client;
use skms_wire::Moment;
use skms_wire::native::authorities::AuthorityView;
use skms_wire::native::certificates::{CertificateStatus, CertificateView};

use crate::cli::error::{CliError, Result};
use crate::cli::exit::Exit;
use crate::cli::{Global, duration, every, output};

/// Say what ends soon and nothing has taken the place of; for a timer.
#[derive(Debug, Args)]
pub struct Watch {
    /// Only of these authorities; of all in the namespace by default
    names: Vec<String>,
    /// What counts as soon
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = duration::seconds)]
    within: u64,
}

/// Something that ends soon.
#[derive(Serialize)]
struct Ending {
    /// `authority` or `certificate`.
    kind: &'static str,
    authority: String,
    serial: String,
    /// Whom it is for.
    subject: String,
    not_after: Moment,
}

impl Watch {
    /// Does it. Something that ends soon is a failure, so that a timer tells.
    pub async fn run(self, global: &Global, client: &Client) -> Result<()> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let limit = now.saturating_add(self.within);
        let limit = Moment::from_unix_seconds(i64::try_from(limit).unwrap_or(i64::MAX));
        let mut authorities = every(async |page| client.authorities(&page).await).await?;
        for name in &self.names {
            if !authorities.iter().any(|one| one.name == *name) {
                // Absent, or not to be seen: the server says which.
                client.authority(name).await?;
            }
        }
        if !self.names.is_empty() {
            authorities.retain(|one| self.names.contains(&one.name));
        }
        let mut ending = Vec::new();
        for authority in &authorities {
            ending.extend(of_authority(authority, limit));
            let name = authority.name.as_str();
            let all = every(async |page| client.certificates(name, &page).await).await?;
            ending.extend(of_certificates(&all, limit));
        }
        ending.sort_by_key(|one| one.not_after);
        global.show(&ending, |ending| {
            let rows: Vec<_> = ending
                .iter()
                .map(|one| {
                    vec![
                        one.kind.to_owned(),
                        one.authority.clone(),
                        one.subject.clone(),
                        one.not_after.to_string(),
                        one.serial.clone(),
                    ]
                })
                .collect();
            output::table(&["WHAT", "AUTHORITY", "FOR", "UNTIL", "SERIAL"], &rows)
        })?;
        match ending.len() {
            0 => Ok(()),
            count => Err(CliError::new(
                Exit::Verification,
                format!("{count} end by {limit}"),
            )),
        }
    }
}

/// An authority's newest certificate: older ones are kept for what they issued.
fn of_authority(authority: &AuthorityView, limit: Moment) -> Option<Ending> {
    let newest = authority.issuers.last()?;
    (newest.not_after <= limit).then(|| Ending {
        kind: "authority",
        authority: authority.name.clone(),
        serial: newest.serial.clone(),
        subject: authority.subject.clone(),
        not_after: newest.not_after,
    })
}

/// Good certificates that end by then, but for those that another one of the
/// same profile, subject and names outlasts.
fn of_certificates(all: &[CertificateView], limit: Moment) -> Vec<Ending> {
    let what = |one: &CertificateView| {
        let mut names = one.names.clone();
        names.sort();
        (one.profile.clone(), one.subject.clone(), names)
    };
    let mut last = HashMap::new();
    for one in all
        .iter()
        .filter(|one| one.status == CertificateStatus::Good)
    {
        let known = last.entry(what(one)).or_insert(one);
        if one.not_after > known.not_after {
            *known = one;
        }
    }
    last.into_values()
        .filter(|one| one.not_after <= limit)
        // The server renews those of OCSP signers by itself.
        .filter(|one| one.profile != "ocsp-signer")
        .map(|one| Ending {
            kind: "certificate",
            authority: one.authority.clone(),
            serial: one.serial.clone(),
            subject: match one.names.is_empty() {
                true => one.subject.clone(),
                false => one.names.join(" "),
            },
            not_after: one.not_after,
        })
        .collect()
}
