//! SSH certificates and key revocation lists, as OpenSSH has them: made as
//! bytes, in the same two steps as everything in [`crate::issue`]. Keys live
//! elsewhere and sign in their own time; nothing here reads a clock or draws
//! random numbers.
//!
//! Standards: RFC 4251 (data types), RFC 4253, section 6.6, RFC 5656, RFC 8332
//! and RFC 8709 (keys and signatures), OpenSSH's PROTOCOL.certkeys, PROTOCOL.u2f
//! and PROTOCOL.krl.

pub mod certificate;
pub mod error;
pub mod krl;
pub mod options;
pub mod public;
pub mod role;
pub mod serials;
pub mod signature;
mod wire;

pub use certificate::{Certificate, CertificateType, Unsigned};
pub use error::Error;
pub use krl::{Krl, KrlRead, Revoked};
pub use public::PublicKey;
pub use role::{Asked, Grant, Role};
pub use serials::Serials;
pub use signature::{DEFAULT_RSA, scheme, signature_name};
