//! OCSP responses (RFC 6960), and requests to go with them.

use skms_crypto::Hash;
use skms_crypto::hash::sha1_for_identifiers;

use crate::certificate::Certificate;
use crate::ocsp::{CertId, Failure, OcspRequest, OcspResponse, SingleStatus};
use crate::oid;
use crate::parse::cursor::tag;
use crate::time::Moment;

use super::authority::Authority;
use super::der;
use super::error::{Breaches, Demand, IssueError};
use super::key::read;
use super::scheme::SigningScheme;
use super::serial::Serial;

/// A CertID (RFC 6960, section 4.1.1) that owns its DER: what is asked about,
/// and what is answered, byte by byte the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertIdBuf(Vec<u8>);

/// The hash of a CertID. SHA-1 identifies here and protects nothing; it is the
/// one that every client knows (RFC 5019).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertIdHash {
    /// SHA-1.
    #[default]
    Sha1,
    /// SHA-256.
    Sha256,
}

impl CertIdBuf {
    /// Names the certificate with this serial number of this issuer.
    ///
    /// # Errors
    /// [`IssueError::Unreadable`] for a key that does not parse.
    pub fn new(
        hash: CertIdHash,
        issuer_name: &[u8],
        issuer_spki: &[u8],
        serial: &Serial,
    ) -> Result<Self, IssueError> {
        let key = read(issuer_spki).map_err(|why| crate::Error::Malformed {
            what: "SubjectPublicKeyInfo",
            why,
        })?;
        let id = match hash {
            CertIdHash::Sha1 => oid::SHA1,
            CertIdHash::Sha256 => oid::SHA256,
        };
        let digest = |data: &[u8]| match hash {
            CertIdHash::Sha1 => sha1_for_identifiers(data).to_vec(),
            CertIdHash::Sha256 => Hash::Sha256.digest(data),
        };
        Ok(Self(der::sequence(&[
            &der::sequence(&[&der::oid(id), &[tag::NULL, 0]]),
            &der::octets(&digest(issuer_name)),
            &der::octets(&digest(key.key)),
            &serial.der(),
        ])))
    }
}

impl From<&CertId<'_>> for CertIdBuf {
    fn from(id: &CertId<'_>) -> Self {
        let hash = [
            &der::oid(id.hash.oid),
            id.hash.parameters.unwrap_or_default(),
        ]
        .concat();
        Self(der::sequence(&[
            &der::sequence(&[&hash]),
            &der::octets(id.issuer_name_hash),
            &der::octets(id.issuer_key_hash),
            &der::tlv(tag::INTEGER, &[id.serial]),
        ]))
    }
}

/// What is said about one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// About which.
    pub id: CertIdBuf,
    /// What.
    pub status: SingleStatus,
    /// Since when it is known to be so.
    pub this_update: Moment,
    /// By when more will be known.
    pub next_update: Option<Moment>,
    /// For how long answers about expired certificates are kept: the moment
    /// from which on (RFC 6960, section 4.4.4).
    pub archive_cutoff: Option<Moment>,
}

impl Answer {
    fn der(&self) -> Result<Vec<u8>, IssueError> {
        if self
            .next_update
            .is_some_and(|next| next <= self.this_update)
        {
            return Err(IssueError::Input("an answer without time"));
        }
        let status = match self.status {
            SingleStatus::Good => der::tlv(tag::context(0), &[]),
            SingleStatus::Unknown => der::tlv(tag::context(2), &[]),
            SingleStatus::Revoked { date, reason } => {
                let reason = reason.map(|reason| {
                    let number = der::number(tag::ENUMERATED, reason.number().into());
                    der::constructed(0, &[&number])
                });
                let reason = reason.unwrap_or_default();
                der::constructed(1, &[&der::generalized(date)?, &reason])
            }
        };
        let next = match self.next_update {
            Some(next) => der::constructed(0, &[&der::generalized(next)?]),
            None => Vec::new(),
        };
        let extensions = match self.archive_cutoff {
            Some(moment) => {
                let value = der::generalized(moment)?;
                let one = der::extension(oid::OCSP_ARCHIVE_CUTOFF, false, &value);
                der::constructed(1, &[&der::sequence(&[&one])])
            }
            None => Vec::new(),
        };
        Ok(der::sequence(&[
            &self.id.0,
            &status,
            &der::generalized(self.this_update)?,
            &next,
            &extensions,
        ]))
    }
}

/// Who signs responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Responder {
    spki: Vec<u8>,
    scheme: SigningScheme,
    /// What goes along, so that the signature can be checked: for a delegated
    /// signer its own certificate.
    certificates: Vec<Vec<u8>>,
    valid: Option<(Moment, Moment)>,
}

impl Responder {
    /// The authority itself.
    ///
    /// # Errors
    /// [`IssueError::Unreadable`] for a chain that does not parse.
    pub fn authority(authority: &Authority) -> Result<Self, IssueError> {
        let chain = authority.certificates()?;
        let valid = chain.first().map(|own| (own.not_before(), own.not_after()));
        Ok(Self {
            spki: authority.spki.clone(),
            scheme: authority.scheme,
            certificates: Vec::new(),
            valid,
        })
    }

    /// One that the authority delegated it to: the signer's certificate goes
    /// along with each response.
    ///
    /// # Errors
    /// [`IssueError::Refused`] for a certificate without id-kp-OCSPSigning;
    /// [`IssueError::Unreadable`] for one that does not parse.
    pub fn delegated(certificate: Vec<u8>, scheme: SigningScheme) -> Result<Self, IssueError> {
        let own = Certificate::from_der(&certificate)?;
        let purposes = own.extensions().extended_key_usage;
        let mut breaches = Breaches::default();
        breaches.require(
            purposes.is_some_and(|all| all.contains(oid::OCSP_SIGNING)),
            Demand::Authority,
            "an OCSP signer without id-kp-OCSPSigning",
        );
        breaches.outcome()?;
        Ok(Self {
            spki: own.public_key().der.to_vec(),
            scheme,
            valid: Some((own.not_before(), own.not_after())),
            certificates: vec![certificate],
        })
    }

    /// Plans a successful response. A nonce is the request's, echoed
    /// (RFC 9654).
    ///
    /// # Errors
    /// [`IssueError::Refused`] outside the signer's validity;
    /// [`IssueError::Input`] for no answers, too many, a nonce that is not 1 to
    /// 128 octets, and times that contradict each other.
    pub fn plan(
        &self,
        produced_at: Moment,
        answers: &[Answer],
        nonce: Option<&[u8]>,
    ) -> Result<UnsignedResponse, IssueError> {
        if answers.is_empty() || answers.len() > 1024 {
            return Err(IssueError::Input("no answers, or over 1024"));
        }
        if nonce.is_some_and(|nonce| !(1..=128).contains(&nonce.len())) {
            return Err(IssueError::Input("a nonce that is empty or too long"));
        }
        let mut breaches = Breaches::default();
        let valid = self
            .valid
            .is_none_or(|(from, until)| (from..=until).contains(&produced_at));
        breaches.require(
            valid,
            Demand::Authority,
            "the signer's certificate is not valid at this moment",
        );
        breaches.outcome()?;
        let key = read(&self.spki).map_err(|_| IssueError::Input("a signer without a key"))?;
        let by_key = der::octets(&sha1_for_identifiers(key.key));
        let answers: Vec<Vec<u8>> = answers.iter().map(Answer::der).collect::<Result<_, _>>()?;
        let extensions = match nonce {
            Some(nonce) => {
                let value = der::octets(nonce);
                let one = der::extension(oid::OCSP_NONCE, false, &value);
                der::constructed(1, &[&der::sequence(&[&one])])
            }
            None => Vec::new(),
        };
        let tbs = der::sequence(&[
            &der::constructed(2, &[&by_key]),
            &der::generalized(produced_at)?,
            &der::sequence_of(answers),
            &extensions,
        ]);
        let planned = UnsignedResponse {
            tbs,
            scheme: self.scheme,
            spki: self.spki.clone(),
            certificates: self.certificates.clone(),
        };
        OcspResponse::from_der(&planned.around(&[]))?;
        Ok(planned)
    }
}

/// A ResponseData. Sign [`Self::tbs`] with the signer's key by
/// [`Self::scheme`], and give the signature to [`Self::signed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedResponse {
    tbs: Vec<u8>,
    scheme: SigningScheme,
    spki: Vec<u8>,
    certificates: Vec<Vec<u8>>,
}

impl UnsignedResponse {
    /// The bytes to be signed, as they stand.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// How they are to be signed.
    #[must_use]
    pub fn scheme(&self) -> SigningScheme {
        self.scheme
    }

    /// The OCSPResponse's DER, once the signature is there; it is checked.
    ///
    /// # Errors
    /// [`IssueError::Signature`] if it is not the signer's over these bytes.
    pub fn signed(&self, signature: &[u8]) -> Result<Vec<u8>, IssueError> {
        self.scheme.check(&self.spki, &self.tbs, signature)?;
        Ok(self.around(signature))
    }

    fn around(&self, signature: &[u8]) -> Vec<u8> {
        let along = match self.certificates.as_slice() {
            [] => Vec::new(),
            all => der::constructed(0, &[&der::sequence_of(all.iter().cloned())]),
        };
        let basic = der::sequence(&[
            &self.tbs,
            &self.scheme.identifier(),
            &der::bit_string(signature),
            &along,
        ]);
        let bytes = der::sequence(&[&der::oid(oid::OCSP_BASIC), &der::octets(&basic)]);
        der::sequence(&[
            &der::number(tag::ENUMERATED, 0),
            &der::constructed(0, &[&bytes]),
        ])
    }
}

/// A response that says why there is none (RFC 6960, section 4.2.1): unsigned.
#[must_use]
pub fn failure(why: Failure) -> Vec<u8> {
    let number = match why {
        Failure::MalformedRequest => 1,
        Failure::InternalError => 2,
        Failure::TryLater => 3,
        Failure::SigRequired => 5,
        Failure::Unauthorized => 6,
    };
    der::sequence(&[&der::number(tag::ENUMERATED, number)])
}

/// A request about these certificates: unsigned, with a nonce if there is one.
///
/// # Errors
/// [`IssueError::Input`] and [`IssueError::Unreadable`] for what no responder
/// would take: no certificate, too many, a nonce that is not 1 to 128 octets.
pub fn request(ids: &[CertIdBuf], nonce: Option<&[u8]>) -> Result<Vec<u8>, IssueError> {
    let list = der::sequence_of(ids.iter().map(|id| der::sequence(&[&id.0])));
    let extensions = nonce.map(|nonce| {
        let one = der::extension(oid::OCSP_NONCE, false, &der::octets(nonce));
        der::constructed(2, &[&der::sequence(&[&one])])
    });
    let tbs = der::sequence(&[&list, &extensions.unwrap_or_default()]);
    let request = der::sequence(&[&tbs]);
    OcspRequest::from_der(&request)?;
    Ok(request)
}
