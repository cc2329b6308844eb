//! Whether the other side is who it says, by its certificate.

use skms_pki::certificate::KeyUsage;
use skms_pki::oid;
use skms_pki::path::{Purpose, Revocation, RevocationMode};
use skms_pki::{Certificate, Evidence, Moment, Options, ValidPath, validate};

use crate::error::{CertificateFault, Error, Result};
use crate::message::Digest;
use crate::name::ServerName;
use crate::schedule::hash;

/// What somebody who issued a certificate knows of it and those above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// None of the path is revoked or on hold.
    Good,
    /// One is revoked.
    Revoked,
    /// One is on hold.
    OnHold,
    /// Of at least one nothing is known.
    Unknown,
}

/// Where it is known from whether a certificate is revoked. There is no third
/// way: what nobody knows anything about is refused.
#[derive(Clone, Copy)]
pub enum Revocations<'v> {
    /// From lists and OCSP responses among the evidence.
    Evidence,
    /// From whoever issued it: asked about the whole path, the certificate
    /// in question first.
    Told(&'v (dyn Fn(&ValidPath<'_, '_>) -> Standing + 'v)),
}

/// Whom one believes.
#[derive(Clone)]
pub struct Trust<'r, 'a, 'v> {
    /// Anchors, intermediates, lists and OCSP responses. The chain that comes
    /// with a message is added.
    pub evidence: Evidence<'r, 'a>,
    /// Profile, policies, limits. The moment, the purpose, the names, keyUsage
    /// and whether to ask after revocation are set by the exchange.
    pub options: Options<'v>,
    /// Where revocations are known from.
    pub revocations: Revocations<'v>,
}

impl<'r, 'a> Trust<'r, 'a, 'static> {
    /// RFC 5280 with these anchors and this evidence.
    #[must_use]
    pub fn new(evidence: Evidence<'r, 'a>) -> Self {
        Self {
            evidence,
            // The moment is the exchange's.
            options: Options::new(Moment(0)),
            revocations: Revocations::Evidence,
        }
    }
}

impl<'v> Trust<'_, '_, 'v> {
    /// The same, told about revocations by whoever issued the certificates.
    #[must_use]
    pub fn told(mut self, by: &'v (dyn Fn(&ValidPath<'_, '_>) -> Standing + 'v)) -> Self {
        self.revocations = Revocations::Told(by);
        self
    }
}

/// A party whose certificate was validated, and whose signature held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    path: Vec<Vec<u8>>,
    hash: Digest,
}

impl Peer {
    /// Its certificate (DER).
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        self.path.first().map(Vec::as_slice).unwrap_or_default()
    }

    /// Its certificate, then those above it to the anchor (DER).
    #[must_use]
    pub fn path(&self) -> &[Vec<u8>] {
        &self.path
    }

    /// SHA-512 of its certificate: who it is in this protocol.
    #[must_use]
    pub fn certificate_hash(&self) -> &Digest {
        &self.hash
    }
}

/// Which side the peer is on.
#[derive(Clone, Copy)]
pub(crate) enum Role<'n> {
    Initiator,
    /// A server, by this name.
    Responder(&'n ServerName),
}

/// Validates a chain, its own certificate first, for a role.
pub(crate) fn judge(
    chain: &[Vec<u8>],
    claimed: &Digest,
    own_spki: &[u8],
    role: Role<'_>,
    trust: &Trust<'_, '_, '_>,
    now: Moment,
) -> Result<Peer> {
    let read = |der: &Vec<u8>| hash(&[der]);
    let found = chain.first().map(read).ok_or(Error::WrongCertificate)?;
    if found != *claimed {
        return Err(Error::WrongCertificate);
    }
    let along = chain
        .iter()
        .map(|der| Certificate::from_der(der))
        .collect::<skms_pki::Result<Vec<_>>>()
        .map_err(|_| Error::Malformed("a certificate that is none"))?;
    let own = along.first().ok_or(Error::WrongCertificate)?;
    // Two who are one could be played off against each other.
    if own.public_key().der == own_spki {
        return Err(Error::SameParty);
    }
    check_purpose(own, role)?;
    let path = validate_for(own, &along, role, trust, now)?;
    Ok(Peer { path, hash: found })
}

/// extKeyUsage has to say it: RFC 5280 takes silence and anyExtendedKeyUsage
/// for yes, and this protocol does not.
fn check_purpose(own: &Certificate<'_>, role: Role<'_>) -> Result<()> {
    let wanted = match role {
        Role::Initiator => oid::CLIENT_AUTH,
        Role::Responder(_) => oid::SERVER_AUTH,
    };
    let usages = &own.extensions().extended_key_usage;
    match usages.as_ref().is_some_and(|all| all.contains(wanted)) {
        true => Ok(()),
        false => Err(Error::Certificate(CertificateFault::Purpose)),
    }
}

fn validate_for(
    own: &Certificate<'_>,
    along: &[Certificate<'_>],
    role: Role<'_>,
    trust: &Trust<'_, '_, '_>,
    now: Moment,
) -> Result<Vec<Vec<u8>>> {
    let mut options = trust.options.clone();
    options.now = now;
    options.key_usage = Some(KeyUsage::DIGITAL_SIGNATURE);
    (options.purpose, options.names) = match role {
        Role::Initiator => (Purpose::ClientAuth, Vec::new()),
        Role::Responder(name) => {
            let name = name.reference().map_err(Error::Input)?;
            (Purpose::ServerAuth, vec![name])
        }
    };
    options.revocation = Revocation {
        mode: match trust.revocations {
            Revocations::Evidence => RevocationMode::Require,
            Revocations::Told(_) => RevocationMode::WhenKnown,
        },
        leaf_only: false,
        ..options.revocation
    };
    let intermediates: Vec<Certificate<'_>> = along
        .iter()
        .skip(1)
        .chain(trust.evidence.intermediates)
        .copied()
        .collect();
    let evidence = Evidence {
        intermediates: &intermediates,
        ..trust.evidence
    };
    let path = validate(own, &evidence, &options)
        .map_err(|refusal| Error::Certificate(CertificateFault::from(&refusal)))?;
    if let Revocations::Told(ask) = trust.revocations {
        let fault = match ask(&path) {
            Standing::Good => None,
            Standing::Revoked => Some(CertificateFault::Revoked),
            Standing::OnHold => Some(CertificateFault::OnHold),
            Standing::Unknown => Some(CertificateFault::RevocationUnknown),
        };
        if let Some(fault) = fault {
            return Err(Error::Certificate(fault));
        }
    }
    let path = path.certificates.iter().map(|one| one.as_der().to_vec());
    Ok(path.collect())
}
