//! Client certificates without an authority: the peer proves that it holds
//! the private key, and whose the certificate is is looked up later. No
//! authorities are named to the peer, so that what is trusted can change while
//! the server runs, and nobody learns whom a namespace trusts.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use skms_engine::acts::trusts::SENT_MAX;
use x509_cert::der::Decode as _;

/// The most bytes of certificates that a peer may show.
const SHOWN_BYTES: usize = 64 * 1024;

/// Lets any certificate through whose dates are right and whose key the peer
/// holds.
pub struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyCertificate {
    pub fn new(provider: &Arc<CryptoProvider>) -> Self {
        Self {
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl fmt::Debug for AnyCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyCertificate")
    }
}

/// The last second of a certificate (DER), in seconds since the Unix epoch.
pub fn ends(certificate: &[u8]) -> Option<u64> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let not_after = certificate.tbs_certificate().validity().not_after;
    Some(not_after.to_unix_duration().as_secs())
}

/// Whether what a stranger shows is little enough to be kept and looked at.
fn bounded(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Result<(), Error> {
    let all = std::iter::once(end_entity).chain(intermediates);
    let bytes: usize = all.map(|one| one.as_ref().len()).sum();
    if intermediates.len() > SENT_MAX || bytes > SHOWN_BYTES {
        return Err(Error::General(
            "too long a chain of certificates".to_owned(),
        ));
    }
    Ok(())
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        bounded(end_entity, intermediates)?;
        let certificate = x509_cert::Certificate::from_der(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let validity = certificate.tbs_certificate().validity();
        let now = now.as_secs();
        if now < validity.not_before.to_unix_duration().as_secs() {
            return Err(Error::InvalidCertificate(CertificateError::NotValidYet));
        }
        if now > validity.not_after.to_unix_duration().as_secs() {
            return Err(Error::InvalidCertificate(CertificateError::Expired));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_of_strangers_are_bounded() {
        let one = |length: usize| CertificateDer::from(vec![0; length]);
        let few = vec![one(1); SENT_MAX];
        assert!(bounded(&one(1), &few).is_ok());
        assert!(bounded(&one(1), &vec![one(1); SENT_MAX + 1]).is_err());
        assert!(bounded(&one(SHOWN_BYTES), &[]).is_ok());
        assert!(bounded(&one(SHOWN_BYTES), &[one(1)]).is_err());
    }
}
