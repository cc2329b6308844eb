//! # The crypto room
//!
//! The algorithm registry, secret types, randomness, share splitting,
//! self-tests, and the seam over the crypto libraries: everything above sees
//! keys, bytes and [`Error`]s, never a library's own types.
//!
//! What it is not: it knows no namespaces, states, policies, files or sockets,
//! and implements no primitive of its own. What libraries lack is composed
//! from theirs by a published specification.
//!
//! Standards: FIPS 180-4, 186-5, 197, 198-1, 202, 203, 204, 205; SP 800-38A/B/D/F,
//! 800-56A/B/C; RFC 3394, 5649, 5869, 7292, 7518, 7748, 7919, 8017, 8032, 8439, 8452,
//! 9106, 9180, 9579; C2SP XAES-256-GCM; draft-connolly-cfrg-xwing-kem.
//!
//! Unsafe code lives in two modules, `locked` and `awslc`, and nowhere else.

#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod algorithm;
mod asymmetric;
#[allow(unsafe_code)]
mod awslc;
pub mod byok;
pub mod error;
pub mod fips;
pub mod formats;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod hash;
pub mod hpke;
mod kdf;
#[allow(unsafe_code)]
pub mod locked;
pub mod material;
pub mod open;
pub mod options;
pub mod passphrase;
pub mod pkcs12;
pub mod public;
pub mod rand;
#[cfg(feature = "known-answers")]
pub mod raw;
pub mod rest;
pub mod sealbox;
pub mod secret;
pub mod selftest;
pub mod shamir;
pub mod symmetric;
pub mod uses;
pub mod verifying;

pub use algorithm::{Algorithm, Family, Row};
pub use error::{Error, Result};
pub use formats::Format;
pub use hash::{Hash, Hasher};
pub use kdf::hkdf;
pub use material::KeyMaterial;
pub use open::{
    EcdsaEncoding, EncryptOptions, Message, OpenKey, SignOptions, SignatureScheme, WrapMode,
};
pub use public::PublicKey;
pub use secret::{SecretArray, SecretBytes, SecretText, ct_eq};
pub use uses::{Use, Uses};
pub use verifying::VerifyingKey;
