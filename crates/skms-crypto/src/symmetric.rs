//! Symmetric algorithms.
pub(crate) mod hkdf;
