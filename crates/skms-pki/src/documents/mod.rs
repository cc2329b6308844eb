//! Signatures as documents: CMS SignedData (RFC 5652), JWS ([`jws`]: RFC 7515),
//! COSE_Sign1 ([`cose`]: RFC 9052) and time-stamps ([`timestamp`]: RFC 3161),
//! made and checked. Pure functions, as those of [`crate::issue`] are: what is
//! to be signed goes out, the signature comes back and is checked, and only then
//! are there bytes.
//!
//! ```
//! use skms_crypto::{Algorithm, KeyMaterial, Message, OpenKey};
//! use skms_pki::documents::{Body, Signer, cms};
//! use skms_pki::issue::SigningScheme;
//! use skms_pki::Moment;
//!
//! # fn sign(key: &OpenKey, chain: Vec<Vec<u8>>) -> Result<(), Box<dyn std::error::Error>> {
//! let scheme = SigningScheme::for_key(key.algorithm()).ok_or("no scheme")?;
//! let signer = Signer::new(chain, scheme)?;
//! let planned = signer.plan(&cms::DATA, &Body::Whole(b"text"), Moment(1_800_000_000))?;
//! let signature = key.sign(Message::Raw(planned.tbs()), &planned.scheme().sign_options())?;
//! let detached = cms::assemble(&cms::DATA, None, &[planned.signed(&signature)?], &[])?;
//! # Ok(()) }
//! ```
//!
//! `docs/documents.md` says what is written, what is taken and what is not.

mod certified;
pub mod cms;
pub mod cose;
mod ecdsa;
mod error;
mod hash;
pub mod jws;
mod signer;
mod signerinfo;
pub mod timestamp;
mod verify;

pub use error::DocumentError;
pub use signer::{Signer, SignerDone, UnsignedSigner};
pub use signerinfo::{SignerId, SignerInfo};
pub use verify::{SignedBy, Trust, verify};

use skms_crypto::Hash;

/// What was or is to be signed.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// Its digest, made where the content is.
    Digest(Hash, &'a [u8]),
}

impl Body<'_> {
    /// Its digest by `hash`.
    ///
    /// # Errors
    /// [`DocumentError::Hash`] for a digest of another hash or length.
    pub(crate) fn digest(&self, hash: Hash) -> Result<Vec<u8>, DocumentError> {
        match self {
            Self::Whole(bytes) => Ok(hash.digest(bytes)),
            Self::Digest(made, digest) if *made == hash && digest.len() == hash.output_len() => {
                Ok(digest.to_vec())
            }
            Self::Digest(made, _) => Err(DocumentError::Hash {
                given: *made,
                wanted: hash,
            }),
        }
    }
}
