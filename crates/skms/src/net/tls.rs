//! TLS 1.3 and nothing else, hybrid post-quantum key exchange first.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    HandshakeKind, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{
        ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    sign::CertifiedKey,
    version::TLS13,
};
use skms_engine::acts::exchange::Channel;

use super::{certificate, listener, peer::AnyCertificate};
use crate::config::TlsConfig;

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A PEM file cannot be read.
    #[error("{}: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No certificate could be made.
    #[error(transparent)]
    SelfMade(#[from] certificate::Error),
    /// The library refuses the combination.
    #[error("TLS: {0}")]
    Library(#[from] rustls::Error),
    /// A build on the FIPS module whose TLS would leave it: a defect of ours.
    #[error("TLS: the library does not call this configuration FIPS")]
    OutsideModule,
    /// The authorities for client certificates are none.
    #[error("client authorities: {0}")]
    ClientAuthorities(String),
}

/// The server's side of TLS, whose certificate can be replaced while it runs.
#[derive(Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    settings: TlsConfig,
    data_dir: PathBuf,
    provider: Arc<CryptoProvider>,
}

impl Tls {
    /// Loads or makes the certificate and sets everything up.
    ///
    /// # Errors
    /// [`Error`], naming the file that is at fault.
    pub fn new(settings: &TlsConfig, data_dir: &Path) -> Result<Self, Error> {
        let provider = Arc::new(provider());
        let key = load(settings, data_dir, &provider)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(key))));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(client_verifier(settings, &provider)?)
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Every connection proves its certificate itself: no resumption, and
        // so no early data.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        if cfg!(feature = "fips") && !config.fips() {
            return Err(Error::OutsideModule);
        }
        Ok(Self {
            config: Arc::new(config),
            current,
            settings: settings.clone(),
            data_dir: data_dir.to_owned(),
            provider,
        })
    }

    /// What a connection's handshake is made with.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// The certificate (DER) that the next connection gets.
    pub fn leaf(&self) -> Option<Vec<u8>> {
        let current = self.current();
        current.cert.first().map(|leaf| leaf.as_ref().to_vec())
    }

    /// What the next connection gets: certificate and key.
    pub fn current(&self) -> Arc<CertifiedKey> {
        let current = self.current.0.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the certificate lies if the server has it from its authority.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Reads the certificate and key again, or makes a new one. Connections
    /// that are open keep what they have; on failure everything does.
    ///
    /// # Errors
    /// As for [`Tls::new`].
    pub fn reload(&self) -> Result<(), Error> {
        let key = load(&self.settings, &self.data_dir, &self.provider)?;
        *self
            .current
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
        Ok(())
    }
}

/// What binds messages to a connection: `tls-exporter` (RFC 9266, section 2).
pub(super) fn binding(session: &ServerConnection) -> Option<[u8; 32]> {
    session
        .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""))
        .ok()
}

/// What keys can be bound to: a connection whose client showed a certificate,
/// in a handshake that was made whole, by the server's certificate that was
/// current before it and still is.
pub(super) fn channel(
    session: &ServerConnection,
    (before, after): (&Arc<CertifiedKey>, &Arc<CertifiedKey>),
) -> Option<Channel> {
    let shown = session.peer_certificates()?.first()?;
    let whole = matches!(
        session.handshake_kind(),
        Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest)
    );
    let modern = session.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    // The library does not say which certificate it showed.
    if !whole || !modern || !Arc::ptr_eq(before, after) {
        return None;
    }
    let export = |label: &[u8], context: &[u8], out: &mut [u8]| {
        let exported = session.export_keying_material(out, label, Some(context));
        exported.map(|_| ())
    };
    Channel::of(shown, before.cert.first()?, export).ok()
}

/// The library's own choices, with the key exchanges named here so that an
/// update of the library does not reorder them.
pub(super) fn provider() -> CryptoProvider {
    let mut provider = CryptoProvider {
        kx_groups: vec![
            aws_lc_rs::kx_group::X25519MLKEM768,
            aws_lc_rs::kx_group::X25519,
            aws_lc_rs::kx_group::SECP256R1,
            aws_lc_rs::kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    };
    if cfg!(feature = "fips") {
        provider.kx_groups.retain(|group| group.fips());
        provider.cipher_suites.retain(|suite| suite.fips());
    }
    provider
}

fn load(
    settings: &TlsConfig,
    data_dir: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Error> {
    let (chain, key) = match &settings.identity {
        Some((certificate, key)) => (certificates(certificate)?, private_key(key)?),
        None => match listener::read(data_dir)? {
            Some(identity) => identity,
            None => certificate::issue(data_dir, &settings.names)?,
        },
    };
    // Refuses a key that is not the certificate's.
    Ok(CertifiedKey::from_der(chain, key, provider)?)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bad = |reason: String| Error::Pem {
        path: path.to_owned(),
        reason,
    };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad(error.to_string()))?;
    if found.is_empty() {
        return Err(bad("no certificate in it".to_owned()));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| Error::Pem {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn client_verifier(
    settings: &TlsConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let Some(path) = &settings.client_ca else {
        return Ok(Arc::new(AnyCertificate::new(provider)));
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(path)? {
        roots.add(authority)?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| Error::ClientAuthorities(error.to_string()))
}

/// The certificate that new connections get.
struct Current(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fips_build_offers_fips_choices_alone_and_both_are_post_quantum_first() {
        let provider = provider();
        assert_eq!(provider.fips(), cfg!(feature = "fips"));
        let groups: Vec<_> = provider.kx_groups.iter().map(|one| one.name()).collect();
        assert_eq!(
            groups.first(),
            Some(&rustls::NamedGroup::X25519MLKEM768),
            "{groups:?}"
        );
        assert_eq!(
            groups.contains(&rustls::NamedGroup::X25519),
            !cfg!(feature = "fips")
        );
    }
}
