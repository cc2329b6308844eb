//! TLS to servers whose certificate proves nothing yet: for tls-alpn-01 (RFC
//! 8737), whose certificate is looked at afterwards, and for redirects of
//! http-01, where the file is the proof.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use skms_engine::probe::ProbeError;
use skms_pki::Certificate;
use skms_pki::acme::{Identifier, server_name};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::Probes;
use crate::net::tls::provider;

/// The protocol of the challenge (RFC 8737, section 4).
const ACME_TLS: &[u8] = b"acme-tls/1";

/// The certificate (DER) that a server shows for the challenge.
///
/// # Errors
/// [`ProbeError::Tls`] also for a server that does not speak the protocol.
pub async fn challenge(probes: &Probes, identifier: &Identifier) -> Result<Vec<u8>, ProbeError> {
    let stream = probes.connect(identifier, probes.config.tls_port).await?;
    let stream = open(stream, identifier, &[ACME_TLS]).await?;
    let session = stream.get_ref().1;
    // RFC 8737, section 3: a server that ignores the protocol proves nothing.
    if session.alpn_protocol() != Some(ACME_TLS) {
        return Err(ProbeError::Tls(format!(
            "{identifier}: the server does not speak acme-tls/1"
        )));
    }
    session
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map(|leaf| leaf.as_ref().to_vec())
        .ok_or_else(|| ProbeError::Tls(format!("{identifier}: no certificate")))
}

/// Opens TLS 1.3 with these protocols.
///
/// # Errors
/// [`ProbeError::Tls`].
pub async fn open(
    stream: TcpStream,
    host: &Identifier,
    protocols: &[&[u8]],
) -> Result<TlsStream<TcpStream>, ProbeError> {
    let failed = |why: String| ProbeError::Tls(format!("{host}: {why}"));
    let provider = Arc::new(provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| failed(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config.resumption = rustls::client::Resumption::disabled();
    let name =
        ServerName::try_from(server_name(host)).map_err(|error| failed(error.to_string()))?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| failed(error.to_string()))
}

/// Takes any certificate whose key the server proves to hold.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // Never asked: only TLS 1.3 is offered.
        Err(Error::General("TLS 1.2 is not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        // By the key alone: the library refuses whole certificates with the
        // challenge's critical extension.
        let read = Certificate::from_der(certificate)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let spki = SubjectPublicKeyInfoDer::from(read.public_key().der);
        verify_tls13_signature_with_raw_key(message, &spki, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
