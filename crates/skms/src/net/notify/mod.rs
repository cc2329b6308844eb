//! Delivering notifications: the engine's [`Courier`] over sockets.
//!
//! Whoever makes a channel chooses where this server connects to, so that
//! [`reach`](super::reach) says where it may. What the other side answers is
//! neither kept nor shown, but for the number of its status.

mod mail;
mod webhook;

use std::fs;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use skms_engine::courier::{Courier, Mail, Sending, Undelivered, Webhook};
use skms_wire::smtp::Mailbox;

use super::tls::provider;
use crate::config::NotificationConfig;

/// Where systems keep the authorities they trust.
const SYSTEM_ROOTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Delivers by web and mail.
pub struct Couriers {
    config: NotificationConfig,
    tls: Arc<ClientConfig>,
    /// As `tls`, for a protocol that has no name there.
    mail_tls: Arc<ClientConfig>,
}

impl Couriers {
    /// By these settings.
    ///
    /// # Errors
    /// What is wrong with the file of authorities.
    pub fn new(config: NotificationConfig) -> Result<Self, String> {
        let mut tls = client(&config)?;
        let mail_tls = Arc::new(tls.clone());
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config,
            tls: Arc::new(tls),
            mail_tls,
        })
    }
}

impl Courier for Couriers {
    fn check_url(&self, url: &str) -> Result<(), Undelivered> {
        webhook::Place::of(url, &self.config).map(drop)
    }

    fn check_mailbox(&self, mailbox: &str) -> Result<(), Undelivered> {
        let smtp = self.config.smtp.as_ref().ok_or_else(no_mail)?;
        let read = mailbox.parse::<Mailbox>();
        let read = read.map_err(|error| Undelivered(error.to_string()))?;
        match mail::may_go(smtp, &read) {
            true => Ok(()),
            false => Err(mail::elsewhere(&read)),
        }
    }

    fn webhook<'a>(&'a self, webhook: Webhook<'a>) -> Sending<'a> {
        Box::pin(webhook::send(&self.config, &self.tls, webhook))
    }

    fn mail<'a>(&'a self, mail: Mail<'a>) -> Sending<'a> {
        let Some(smtp) = &self.config.smtp else {
            return Box::pin(std::future::ready(Err(no_mail())));
        };
        Box::pin(mail::send(smtp, &self.mail_tls, mail))
    }
}

fn no_mail() -> Undelivered {
    Undelivered("this server sends no mail: see [notifications.smtp] in its configuration".into())
}

/// Why TLS came to nothing, in words of our own: what a certificate says is what
/// its owner wrote, and of any length.
fn distrusted(error: &std::io::Error) -> &'static str {
    let known = error.get_ref().and_then(|inner| inner.downcast_ref());
    match known {
        Some(rustls::Error::InvalidCertificate(why)) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "no trusted TLS: its certificate has ended"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "no trusted TLS: its certificate is for another name"
            }
            CertificateError::UnknownIssuer => {
                "no trusted TLS: nobody whom this server trusts issued its certificate"
            }
            _ => "no trusted TLS: its certificate is not good",
        },
        Some(_) => "no trusted TLS: it speaks none that is spoken here",
        None => "no trusted TLS: the connection broke",
    }
}

/// TLS to receivers: their certificates have to be good, and ours is nobody's
/// business.
fn client(config: &NotificationConfig) -> Result<ClientConfig, String> {
    Ok(ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots(config)?)
        .with_no_client_auth())
}

fn roots(config: &NotificationConfig) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(path) = &config.ca_file else {
        let system = SYSTEM_ROOTS.iter().find_map(|path| fs::read(path).ok());
        let system = system.unwrap_or_default();
        // One that cannot be read does not spoil the others.
        let known = CertificateDer::pem_slice_iter(&system).filter_map(Result::ok);
        roots.add_parsable_certificates(known);
        return Ok(roots);
    };
    let failed = |why: String| format!("ca_file {}: {why}", path.display());
    let pem = fs::read(path).map_err(|error| failed(error.to_string()))?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| failed("it is not PEM".into()))?;
        let added = roots.add(certificate);
        added.map_err(|error| failed(error.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(failed("it holds no certificate".into())),
        false => Ok(roots),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_certificate_says_is_not_told() {
        let theirs = || "<b>db.inner.example.org</b>".repeat(100);
        let name = rustls::pki_types::ServerName::try_from("hooks.example.org").unwrap();
        let errors = [
            CertificateError::NotValidForNameContext {
                expected: name.to_owned(),
                presented: vec![theirs()],
            },
            CertificateError::UnknownIssuer,
            CertificateError::Expired,
            CertificateError::BadEncoding,
        ];
        let mut all = std::collections::BTreeSet::new();
        for error in errors {
            let error = rustls::Error::InvalidCertificate(error);
            let told = distrusted(&std::io::Error::other(error));
            assert!(told.starts_with("no trusted TLS: ") && !told.contains("inner"));
            all.insert(told);
        }
        assert_eq!(all.len(), 4);
        let general = rustls::Error::General(theirs());
        assert!(!distrusted(&std::io::Error::other(general)).contains("inner"));
        assert!(!distrusted(&std::io::Error::other(theirs())).contains("inner"));
    }
}
