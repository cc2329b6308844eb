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
use rustls::{ClientConfig, RootCertStore};
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
        if self.config.smtp.is_none() {
            return Err(no_mail());
        }
        let read = mailbox.parse::<Mailbox>();
        read.map(drop)
            .map_err(|error| Undelivered(error.to_string()))
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
