//! Certification requests (PKCS #10: RFC 2986), made.

use crate::csr::Csr;
use crate::oid;
use crate::parse::cursor::tag;

use super::altname::AltName;
use super::der;
use super::error::IssueError;
use super::request::Request;
use super::scheme::SigningScheme;

/// A CertificationRequestInfo. Sign [`Self::tbs`] with the key it is about, by
/// [`Self::scheme`], and give the signature to [`Self::signed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedCsr {
    tbs: Vec<u8>,
    scheme: SigningScheme,
    spki: Vec<u8>,
}

impl Request {
    /// Plans a certification request that asks for this: subject, names, and
    /// what it wishes of usages. Times and other extensions have no place in
    /// one, and are left out.
    ///
    /// # Errors
    /// [`IssueError::Unreadable`] for a key, or names, that do not parse.
    pub fn to_csr(&self, scheme: SigningScheme) -> Result<UnsignedCsr, IssueError> {
        let wished = &self.wished;
        let mut all = Vec::new();
        let mut add = |id, critical, value: &[u8]| all.push(der::extension(id, critical, value));
        if !self.names.is_empty() {
            let value = der::sequence_of(self.names.iter().map(AltName::der));
            add(oid::SUBJECT_ALT_NAME, self.subject.is_empty(), &value);
        }
        if let Some(usage) = wished.key_usage {
            add(oid::KEY_USAGE, true, &der::key_usage(usage));
        }
        if !wished.purposes.is_empty() {
            let purposes = wished.purposes.iter().map(|one| der::oid(one.as_oid()));
            add(oid::EXTENDED_KEY_USAGE, false, &der::sequence_of(purposes));
        }
        if let Some(constraints) = wished.basic_constraints {
            let limit = constraints.path_len.map(|limit| der::integer(limit.into()));
            let flag = der::flag(tag::BOOLEAN, constraints.ca);
            let value = der::sequence(&[&flag, &limit.unwrap_or_default()]);
            add(oid::BASIC_CONSTRAINTS, true, &value);
        }
        let attributes = match all.is_empty() {
            true => Vec::new(),
            false => der::sequence(&[
                &der::oid(oid::EXTENSION_REQUEST),
                &der::set_of(vec![der::sequence_of(all)]),
            ]),
        };
        let tbs = der::sequence(&[
            &der::integer(0),
            self.subject.as_der(),
            &self.spki,
            &der::constructed(0, &[&attributes]),
        ]);
        let around = super::tbs::unsigned(&tbs, scheme);
        Csr::from_der(&around)?.extensions()?;
        Ok(UnsignedCsr {
            tbs,
            scheme,
            spki: self.spki.clone(),
        })
    }
}

impl UnsignedCsr {
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

    /// The request's DER, once the signature is there; it is checked.
    ///
    /// # Errors
    /// [`IssueError::Signature`] if it is not the key's own over these bytes.
    pub fn signed(&self, signature: &[u8]) -> Result<Vec<u8>, IssueError> {
        self.scheme.assemble(&self.spki, &self.tbs, signature)
    }
}
