//! What is asked for.

use crate::certificate::{BasicConstraints, Certificate, KeyUsage};
use crate::csr::VerifiedCsr;
use crate::oid::{self, OidBuf};
use crate::time::Moment;

use super::altname::AltName;
use super::error::IssueError;
use super::key::key_identifier;
use super::name::NameBuf;

/// What a request says about extensions. A wish: the profile decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wished {
    /// keyUsage.
    pub key_usage: Option<KeyUsage>,
    /// extKeyUsage; empty if it does not say.
    pub purposes: Vec<OidBuf>,
    /// basicConstraints.
    pub basic_constraints: Option<BasicConstraints>,
    /// Other extensions that it asked for and that nobody here gives.
    pub others: Vec<OidBuf>,
    /// Those of them that it called critical.
    pub critical_others: Vec<OidBuf>,
}

/// A certificate to be issued. Nothing of it is trusted: the profile says what
/// of it is let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The subject.
    pub subject: NameBuf,
    /// The names of subjectAltName, in their order.
    pub names: Vec<AltName>,
    /// The key: SubjectPublicKeyInfo in DER. That who asks has its private half
    /// is for the caller to know.
    pub spki: Vec<u8>,
    /// The first valid second, if not the profile's.
    pub not_before: Option<Moment>,
    /// The last valid second, if not the profile's.
    pub not_after: Option<Moment>,
    /// The subject's key identifier, where it has one already; else it is made
    /// by RFC 7093.
    pub key_id: Option<Vec<u8>>,
    /// What it says about extensions.
    pub wished: Wished,
}

impl Request {
    /// A request for this subject and key, and nothing else.
    #[must_use]
    pub fn new(subject: NameBuf, spki: Vec<u8>) -> Self {
        Self {
            subject,
            names: Vec::new(),
            spki,
            not_before: None,
            not_after: None,
            key_id: None,
            wished: Wished::default(),
        }
    }

    /// The same with one more name.
    #[must_use]
    pub fn with_name(mut self, name: AltName) -> Self {
        self.names.push(name);
        self
    }

    /// What a certification request asks for; its proof of possession has been
    /// checked. The key identifier that it may ask for is not taken over.
    ///
    /// # Errors
    /// [`IssueError::Unreadable`] for extensions that are malformed, and names
    /// of forms that are not issued.
    pub fn from_csr(csr: &VerifiedCsr<'_>) -> Result<Self, IssueError> {
        let csr = csr.csr();
        let spki = csr.public_key().der.to_vec();
        let mut request = Self::new(csr.subject().into(), spki);
        let Some(extensions) = csr.extensions()? else {
            return Ok(request);
        };
        for name in extensions
            .subject_alt_name
            .iter()
            .flat_map(|all| all.iter())
        {
            request.names.push(AltName::from_general(&name)?);
        }
        let purposes = extensions.extended_key_usage.iter();
        request.wished = Wished {
            key_usage: extensions.key_usage,
            purposes: purposes
                .flat_map(|all| all.iter())
                .map(Into::into)
                .collect(),
            basic_constraints: extensions.basic_constraints,
            ..Wished::default()
        };
        let known = [
            oid::SUBJECT_ALT_NAME,
            oid::KEY_USAGE,
            oid::EXTENDED_KEY_USAGE,
            oid::BASIC_CONSTRAINTS,
            oid::SUBJECT_KEY_IDENTIFIER,
        ];
        for one in extensions.iter().filter(|one| !known.contains(&one.id)) {
            request.wished.others.push(one.id.into());
            if one.critical {
                request.wished.critical_others.push(one.id.into());
            }
        }
        Ok(request)
    }

    /// A request to certify an authority that exists, with its own name, key
    /// and key identifier: for cross-certificates.
    #[must_use]
    pub fn cross(certificate: &Certificate<'_>) -> Self {
        let spki = certificate.public_key().der.to_vec();
        let mut request = Self::new(certificate.subject().into(), spki);
        request.key_id = certificate
            .extensions()
            .subject_key_identifier
            .map(<[u8]>::to_vec);
        request
    }

    /// The key identifier that the certificate will have.
    pub(crate) fn key_id(&self) -> crate::Result<Vec<u8>> {
        match &self.key_id {
            Some(given) => Ok(given.clone()),
            None => key_identifier(&self.spki).map(|id| id.to_vec()),
        }
    }
}
