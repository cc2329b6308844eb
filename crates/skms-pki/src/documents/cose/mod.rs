//! COSE_Sign1 (RFC 9052, section 4.2; algorithms by RFC 9053, 8812, 9864 and
//! 9964), with the payload or detached, and with the signer's certificates in
//! x5chain (RFC 9360).

mod algorithm;
mod certificates;
mod make;
mod strict;

use coset::{CoseError, CoseSign1, Header, Label, SignatureContext, TaggedCborSerializable as _};
use coset::{RegisteredLabelWithPrivate, iana};

use crate::certificate::Certificate;
use crate::error::In;
use crate::issue::SigningScheme;

use super::error::DocumentError;
use super::{SignedBy, Trust, certified, ecdsa};

use certificates::Thumbprint;
pub use make::{UnsignedSign1, plan, plan_with};

/// The header parameters that are acted on, and so may be critical.
const UNDERSTOOD: [iana::HeaderParameter; 3] = [
    iana::HeaderParameter::Alg,
    iana::HeaderParameter::X5Chain,
    iana::HeaderParameter::X5T,
];

/// A COSE_Sign1, read. Reading one checks its structure; [`verify`] says
/// whether its signature counts.
#[derive(Clone, Debug)]
pub struct Sign1 {
    message: CoseSign1,
    alg: iana::Algorithm,
    chain: Vec<Vec<u8>>,
    thumbprint: Option<Thumbprint>,
}

impl Sign1 {
    /// Reads a tagged COSE_Sign1; nothing may follow it. `docs/documents.md`
    /// says what is refused.
    ///
    /// # Errors
    /// [`DocumentError::Unreadable`] for what is none, [`DocumentError::Algorithm`]
    /// if its alg is missing, unprotected or not known, and
    /// [`DocumentError::Attribute`] for other header parameters.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, DocumentError> {
        strict::sign1(bytes).within("COSE_Sign1")?;
        let message = CoseSign1::from_tagged_slice(bytes).map_err(|error| {
            let why = match error {
                CoseError::DuplicateMapKey => "a header with a label twice",
                _ => "a header that is none",
            };
            let what = "COSE_Sign1";
            crate::Error::Malformed { what, why }
        })?;
        let (protected, open) = (&message.protected.header, &message.unprotected);
        twice(protected, open)?;
        critical(protected, open)?;
        // What is not protected could be changed without a trace.
        let alg = match &protected.alg {
            Some(RegisteredLabelWithPrivate::Assigned(alg)) => *alg,
            Some(_) => return Err(DocumentError::Algorithm("alg is not known")),
            None => return Err(DocumentError::Algorithm("alg is not protected")),
        };
        let value = |name| parameter(protected, name).or_else(|| parameter(open, name));
        let chain = match value(iana::HeaderParameter::X5Chain) {
            Some(value) => certificates::chain(value)?,
            None => Vec::new(),
        };
        let thumbprint = value(iana::HeaderParameter::X5T).map(Thumbprint::read);
        let thumbprint = thumbprint.transpose()?;
        Ok(Self {
            alg,
            chain,
            thumbprint,
            message,
        })
    }

    /// The content, if it is in here.
    #[must_use]
    pub fn content(&self) -> Option<&[u8]> {
        self.message.payload.as_deref()
    }

    /// The certificates of its x5chain (DER), the signer's own first.
    #[must_use]
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// Checks the signature alone, by a key (SubjectPublicKeyInfo, DER) that
    /// the caller trusts. `detached` is the content of a message that does not
    /// hold it.
    ///
    /// # Errors
    /// [`DocumentError::Content`] for content that is missing or given twice,
    /// [`DocumentError::Algorithm`] if the key is not one of alg, and
    /// [`DocumentError::Signature`].
    pub fn check(
        &self,
        spki: &[u8],
        detached: Option<&[u8]>,
    ) -> Result<SigningScheme, DocumentError> {
        self.check_with(spki, detached, &[])
    }

    /// As [`Self::check`], with external data (RFC 9052, section 4.3) that was
    /// signed too.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_with(
        &self,
        spki: &[u8],
        detached: Option<&[u8]>,
        external: &[u8],
    ) -> Result<SigningScheme, DocumentError> {
        let payload = match (self.content(), detached) {
            (Some(inside), None) => inside,
            (None, Some(beside)) => beside,
            (None, None) => return Err(DocumentError::Content("it is not in the document")),
            (Some(_), Some(_)) => {
                return Err(DocumentError::Content(
                    "it is in the document and beside it",
                ));
            }
        };
        let scheme = certified::scheme_of(spki, |scheme| algorithm::names(self.alg, scheme))?;
        let signature = ecdsa::from_fixed(scheme.algorithm(), &self.message.signature)?;
        scheme.check(spki, &self.tbs(payload, external), &signature)?;
        Ok(scheme)
    }

    /// The Sig_structure, over the protected header as it came.
    fn tbs(&self, payload: &[u8], external: &[u8]) -> Vec<u8> {
        let protected = self.message.protected.clone();
        let context = SignatureContext::CoseSign1;
        coset::sig_structure_data(context, protected, None, external, payload)
    }

    /// Whether its headers are those that [`plan`] writes, byte for byte: alg
    /// and x5chain protected, and nothing else anywhere. For protocols that
    /// leave their peers no choice.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let written = self.message.protected.original_data.as_deref();
        self.message.unprotected.is_empty()
            && make::plain(self.alg, &self.chain).ok().as_deref() == written
    }
}

/// Checks a message by the certificate of its x5chain, or by the one beside it
/// that its x5t names. `detached` is the content of a message that does not
/// hold it.
///
/// # Errors
/// Why it does not count.
pub fn verify(
    message: &Sign1,
    detached: Option<&[u8]>,
    trust: &Trust<'_, '_, '_>,
) -> Result<SignedBy, DocumentError> {
    let along = message
        .chain
        .iter()
        .map(|der| Certificate::from_der(der))
        .collect::<crate::Result<Vec<_>>>()?;
    let own = match (along.first(), &message.thumbprint) {
        (Some(own), None) => own,
        (Some(own), Some(thumbprint)) if thumbprint.is_of(own) => own,
        (Some(_), Some(_)) => {
            return Err(DocumentError::Attribute("x5t is of another certificate"));
        }
        (None, Some(thumbprint)) => trust
            .evidence
            .intermediates
            .iter()
            .find(|one| thumbprint.is_of(one))
            .ok_or(DocumentError::NoCertificate)?,
        (None, None) => return Err(DocumentError::NoCertificate),
    };
    let scheme = message.check(own.public_key().der, detached)?;
    certified::trusted(own, &along, scheme, trust)
}

fn parameter(header: &Header, name: iana::HeaderParameter) -> Option<&coset::cbor::Value> {
    let wanted = Label::Int(name as i64);
    let found = header.rest.iter().find(|(label, _)| *label == wanted);
    found.map(|(_, value)| value)
}

/// Refuses parameters that are in both headers.
fn twice(protected: &Header, open: &Header) -> Result<(), DocumentError> {
    let common: [fn(&Header) -> bool; 5] = [
        |header| header.alg.is_some(),
        |header| header.content_type.is_some(),
        |header| !header.key_id.is_empty(),
        |header| !header.iv.is_empty(),
        |header| !header.partial_iv.is_empty(),
    ];
    let both = common.iter().any(|has| has(protected) && has(open))
        || (open.rest.iter()).any(|(one, _)| protected.rest.iter().any(|(other, _)| one == other));
    //= https://www.rfc-editor.org/rfc/rfc9052#section-3
    //# Applications SHOULD perform the same checks that the same label does
    //# not occur in both the protected and unprotected header parameters.
    match both {
        true => Err(DocumentError::Attribute("a parameter in both headers")),
        false => Ok(()),
    }
}

/// Refuses critical parameters that are not understood, or not there.
fn critical(protected: &Header, open: &Header) -> Result<(), DocumentError> {
    //= https://www.rfc-editor.org/rfc/rfc9052#section-3.1
    //# This header parameter MUST be placed in the protected header bucket;
    if !open.crit.is_empty() {
        return Err(DocumentError::Attribute("crit is not protected"));
    }
    let good = protected.crit.iter().all(|label| match label {
        RegisteredLabelWithPrivate::Assigned(iana::HeaderParameter::Alg) => protected.alg.is_some(),
        RegisteredLabelWithPrivate::Assigned(name) => {
            UNDERSTOOD.contains(name) && parameter(protected, *name).is_some()
        }
        _ => false,
    });
    match good {
        true => Ok(()),
        false => Err(DocumentError::Attribute(
            "a critical parameter that is not known, or not there",
        )),
    }
}
