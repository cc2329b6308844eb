//! A COSE_Sign1 made in two steps, as all documents are.

use coset::cbor::Value;
use coset::{
    CborSerializable as _, CoseError, CoseSign1, Header, HeaderBuilder, ProtectedHeader,
    SignatureContext, TaggedCborSerializable as _, iana,
};

use crate::issue::SigningScheme;

use super::super::ecdsa;
use super::super::signer::Signer;
use super::{DocumentError, algorithm, certificates};

/// A COSE_Sign1 to be signed. Sign [`Self::tbs`] with the certified key by
/// [`Self::scheme`], and give the signature to [`Self::signed`].
#[derive(Clone, Debug)]
pub struct UnsignedSign1 {
    protected: ProtectedHeader,
    payload: Vec<u8>,
    tbs: Vec<u8>,
    signer: Signer,
}

/// Plans a COSE_Sign1 over this payload: alg and x5chain are protected, and
/// there is nothing else in the headers.
///
/// # Errors
/// [`DocumentError::Algorithm`] for a scheme that COSE has no number for.
pub fn plan(signer: &Signer, payload: &[u8]) -> Result<UnsignedSign1, DocumentError> {
    plan_with(signer, payload, &[])
}

/// As [`plan`], with external data (RFC 9052, section 4.3) that is signed too
/// and not in the message: a protocol's label for its messages, for instance.
///
/// # Errors
/// As [`plan`].
pub fn plan_with(
    signer: &Signer,
    payload: &[u8],
    external: &[u8],
) -> Result<UnsignedSign1, DocumentError> {
    let alg =
        algorithm::number(signer.scheme()).ok_or(DocumentError::Algorithm("none that COSE has"))?;
    let header = plain(alg, signer.chain())?;
    let protected = ProtectedHeader::from_cbor_bstr(Value::Bytes(header)).map_err(unwritable)?;
    let context = SignatureContext::CoseSign1;
    Ok(UnsignedSign1 {
        tbs: coset::sig_structure_data(context, protected.clone(), None, external, payload),
        protected,
        payload: payload.to_vec(),
        signer: signer.clone(),
    })
}

/// The protected header with alg and x5chain and nothing else.
pub(super) fn plain(alg: iana::Algorithm, chain: &[Vec<u8>]) -> Result<Vec<u8>, DocumentError> {
    // Labels in their deterministic order (RFC 8949, section 4.2.1): 1, 33.
    HeaderBuilder::new()
        .algorithm(alg)
        .value(
            iana::HeaderParameter::X5Chain as i64,
            certificates::write(chain),
        )
        .build()
        .to_vec()
        .map_err(unwritable)
}

impl UnsignedSign1 {
    /// The bytes to be signed, as they stand: the Sig_structure.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// How they are to be signed; ECDSA signatures in DER.
    #[must_use]
    pub fn scheme(&self) -> SigningScheme {
        self.signer.scheme()
    }

    /// The message, once the signature is there; it is checked.
    ///
    /// # Errors
    /// [`DocumentError::Signature`] if it is not the certified key's own.
    pub fn signed(self, signature: &[u8], detached: bool) -> Result<Vec<u8>, DocumentError> {
        let scheme = self.signer.scheme();
        scheme.check(self.signer.spki(), &self.tbs, signature)?;
        let message = CoseSign1 {
            protected: self.protected,
            unprotected: Header::default(),
            payload: (!detached).then_some(self.payload),
            signature: ecdsa::to_fixed(scheme.algorithm(), signature)?,
        };
        message.to_tagged_vec().map_err(unwritable)
    }
}

/// Nothing that is put together here is without an encoding.
fn unwritable(_: CoseError) -> DocumentError {
    DocumentError::Input("a message without an encoding")
}
