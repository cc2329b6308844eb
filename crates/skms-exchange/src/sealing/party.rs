//! Who somebody is: a certificate that was validated, and the one name in it.

use skms_pki::certificate::GeneralName;
use skms_pki::issue::{AltName, principal_uri};
use skms_pki::{Certificate, Moment};

use crate::error::{CertificateFault, Error, Result};
use crate::message::Digest;
use crate::name::is_uri;
use crate::peer::{Peer, Role, Trust, judge};

/// The kind of principal in the names of such certificates.
const PRINCIPAL: &str = "certificate";

/// A party whose certificate was validated, with the name that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertifiedParty {
    peer: Peer,
    name: String,
}

impl CertifiedParty {
    /// Its name: the URI of its certificate.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its certificate, and those above it.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}

/// The name of whoever has this certificate (DER): a URI that is all of its
/// subjectAltName. A certificate with more names, or none, says of nobody that
/// it is them.
#[must_use]
pub fn name_of(certificate: &[u8]) -> Option<String> {
    let read = Certificate::from_der(certificate).ok()?;
    let mut names = read.extensions().subject_alt_name?.iter();
    match (names.next(), names.next()) {
        (Some(GeneralName::Uri(uri)), None) if is_uri(uri) => Some(uri.to_owned()),
        _ => None,
    }
}

/// The name that certificates of a principal of an SKMS server have; none for
/// one that can have no such certificate.
#[must_use]
pub fn principal_name(namespace: &str, principal: &str) -> Option<String> {
    match principal_uri(namespace, PRINCIPAL, principal) {
        Ok(AltName::Uri(uri)) => Some(uri),
        _ => None,
    }
}

/// Validates a chain as a client's of the exchange is, and reads its name.
pub(crate) fn judge_party(
    chain: &[Vec<u8>],
    claimed: &Digest,
    trust: &Trust<'_, '_, '_>,
    now: Moment,
) -> Result<CertifiedParty> {
    // One may seal to oneself: a message names both, and is one way.
    let nobody: &[u8] = &[];
    let peer = judge(chain, claimed, nobody, Role::Initiator, trust, now)?;
    match name_of(peer.certificate()) {
        Some(name) => Ok(CertifiedParty { peer, name }),
        None => Err(Error::Certificate(CertificateFault::Name)),
    }
}
