//! Whom to trust, and how to be known.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::{Config, Error, Result};

/// Where systems keep the authorities they trust.
const SYSTEM_ROOTS: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// TLS 1.3 only, post-quantum key exchange preferred, HTTP/2 offered.
pub(crate) fn client_config(config: &Config) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| Error::Credential(error.to_string()))?
        .with_root_certificates(roots(config.ca_pem.as_deref())?);
    let mut tls = match &config.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = certificates(&identity.certificates_pem)
                .map_err(|_| bad("the client certificate is not PEM"))?;
            if chain.is_empty() {
                return Err(bad("the client certificate file holds no certificate"));
            }
            let key = PrivateKeyDer::from_pem_slice(&identity.private_key_pem)
                .map_err(|_| bad("the client key is not an unencrypted PEM private key"))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| Error::Credential(format!("the client certificate: {error}")))?
        }
    };
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(tls))
}

/// The certificate (DER) that is shown to servers.
pub(crate) fn own_certificate(config: &Config) -> Option<Vec<u8>> {
    let shown = config.identity.as_ref()?;
    let chain = certificates(&shown.certificates_pem).ok()?;
    Some(chain.first()?.as_ref().to_vec())
}

fn roots(ca_pem: Option<&[u8]>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match ca_pem {
        Some(pem) => {
            let pinned = certificates(pem).map_err(|_| bad("the CA file is not PEM"))?;
            for certificate in pinned {
                roots
                    .add(certificate)
                    .map_err(|error| Error::Credential(format!("the CA file: {error}")))?;
            }
            if roots.is_empty() {
                return Err(bad("the CA file holds no certificate"));
            }
        }
        None => {
            let system = SYSTEM_ROOTS
                .iter()
                .find_map(|path| std::fs::read(path).ok());
            let known = system.as_deref().map(certificates).transpose();
            // One that cannot be read does not spoil the others.
            roots.add_parsable_certificates(known.ok().flatten().unwrap_or_default());
        }
    }
    Ok(roots)
}

fn certificates(
    pem: &[u8],
) -> std::result::Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_slice_iter(pem).collect()
}

fn bad(message: &str) -> Error {
    Error::Credential(message.to_owned())
}
