//! Safe wrappers over the AWS-LC calls that `aws-lc-rs` does not offer.
//!
//! The only place, beside `locked`, where `unsafe` is allowed. Each submodule
//! owns one kind of handle; nothing unsafe leaks out of it: slices go in, owned
//! values come out.

pub(crate) mod aead;
pub(crate) mod aes;
pub(crate) mod bignum;
pub(crate) mod dh;
pub(crate) mod ec;
pub(crate) mod kdf;
#[cfg(feature = "known-answers")]
pub(crate) mod known;
pub(crate) mod md;
pub(crate) mod oaep;
pub(crate) mod pkey;
pub(crate) mod rsa;
