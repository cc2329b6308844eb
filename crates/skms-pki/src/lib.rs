//! # The certificate room
//!
//! Certificates, revocation lists, OCSP messages and certification requests
//! read strictly from DER, and paths of certificates found and validated, with
//! a verdict that says which path broke which rule at which certificate; and
//! certificates made: requests held against profiles, written, linted, and
//! handed over to be signed. Others can use it with no server: it does no I/O,
//! reads no clock, draws no random numbers and keeps no state.
//!
//! Start at [`path::validate`]; `docs/validation.md` says which profiles there
//! are and where they differ from other validators. To issue, start at
//! [`issue`] and `docs/issuing.md`. To sign documents and check such
//! signatures, start at [`documents`] and `docs/documents.md`.
//!
//! What it is not: it holds no private key and signs nothing (what it makes is
//! signed elsewhere, and comes back to be checked), fetches nothing, and
//! implements no primitive: signatures are checked by `skms-crypto`.
//!
//! [`identity`] says which name of a certificate is its holder's.
//!
//! [`acme`] has the states, keys and challenges of ACME. [`ssh`] makes SSH
//! certificates and their revocation lists.
//!
//! Standards: RFC 2986, 3161, 3279, 3492, 4055, 4158, 5035, 5280, 5480, 5652,
//! 5754, 5758, 5890, 5937, 6818, 6960, 7093, 7468, 7515, 7638, 8410, 8419, 8555,
//! 8692, 8737, 8738, 8813, 9525, 9618, 9654, 9773, 9881, 9882, 9909; UTS #39;
//! CA/Browser Forum TLS Baseline Requirements 2.1; X.690.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod acme;
pub mod ask;
pub mod certificate;
pub mod crl;
pub mod csr;
pub mod documents;
pub mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod identity;
pub mod issue;
pub mod ocsp;
pub mod oid;
mod parse;
pub mod path;
pub mod pem;
pub mod reference;
pub mod revocation;
pub mod signature;
pub mod ssh;
pub mod time;

pub use certificate::Certificate;
pub use crl::Crl;
pub use csr::{Csr, VerifiedCsr};
pub use error::{Error, Result};
pub use identity::Identity;
pub use ocsp::{OcspRequest, OcspResponse};
pub use path::{Evidence, Options, Refusal, ValidPath, validate};
pub use reference::ReferenceName;
pub use time::Moment;
