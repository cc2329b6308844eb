//! The wire room: bytes to typed messages and back, for every face.
//!
//! What it is: the request and answer types of the native HTTP face
//! ([`native`]) and of ACME ([`acme`]), the text forms they are made of (base64 values, RFC 3339
//! instants, the ciphertext text form), the problem details of RFC 9457 and
//! the table of routes that the face, the OpenAPI document and the sweep
//! tests share.
//!
//! What it is not: it decides nothing, holds no state, does no I/O and knows
//! no domain type. Faces convert between these types and the engine's.
//!
//! Standards: RFC 8259 (JSON), RFC 4648 section 4 (base64, padded, canonical),
//! RFC 3339 (instants), RFC 9457 (problem details), OpenAPI 3.1; RFC 7515 (JWS),
//! RFC 8555 and RFC 9773 (ACME); RFC 5321 and RFC 5322 (mail).
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod acme;
pub mod ciphertext;
pub mod encoding;
pub mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod moment;
pub mod native;
pub mod secret;
pub mod smtp;

pub use ciphertext::Ciphertext;
pub use encoding::Bytes;
pub use error::{Error, Result};
pub use moment::Moment;
pub use secret::{SecretB64, SecretText};
