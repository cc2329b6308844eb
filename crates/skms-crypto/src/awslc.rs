//! Safe wrappers over the AWS-LC calls that `aws-lc-rs` does not offer.
//!
//! The only place, beside `locked`, where `unsafe` is allowed. Each submodule
//! owns one kind of handle; nothing unsafe leaks out of it: slices go in, owned
//! values come out.

#[cfg(not(feature = "fips"))]
pub(crate) use aws_lc_sys as sys;

// The validated module: the same functions under names of their own, so that
// a build has either library or the other.
#[cfg(feature = "fips")]
pub(crate) use aws_lc_fips_sys as sys;

pub(crate) mod aead;
pub(crate) mod aes;
pub(crate) mod bignum;
pub(crate) mod dh;
pub(crate) mod ec;
pub(crate) mod kdf;
#[cfg(all(feature = "known-answers", not(feature = "fips")))]
pub(crate) mod known;
pub(crate) mod md;
#[cfg(feature = "fips")]
pub(crate) mod module;
pub(crate) mod oaep;
pub(crate) mod pkey;
#[cfg(not(feature = "fips"))]
#[path = "awslc/pqdsa.rs"]
pub(crate) mod pqdsa;
#[cfg(feature = "fips")]
#[path = "awslc/pqdsa_absent.rs"]
pub(crate) mod pqdsa;
pub(crate) mod rsa;
