//! # The room of weak keys
//!
//! What can be said against a key by looking at it: that its private half is
//! known or can be computed, that it is no key at all, or that it is weaker than
//! its kind should be. [`check`] looks at a public key by itself and in lists of
//! keys that are known ([`Blocklist`]); [`Moduli`] and [`batch`] look for factors
//! that RSA keys share; [`secret`] looks at the bytes of a secret.
//!
//! What it is not: it does no I/O, reads no clock, holds no key and refuses
//! nothing; who asks decides what follows from a [`Finding`].
//!
//! Arithmetic here takes the time that its numbers take, and may: all of it is
//! on public values. Secrets go to [`secret`] alone, which does no arithmetic on
//! them and takes a time that depends on their length only.
//!
//! `docs/weak-keys.md` says what each detector finds, how often it is wrong, and
//! where it comes from.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod batch;
pub mod blocklist;
mod curve;
mod edwards;
mod error;
mod finding;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod key;
mod moduli;
mod number;
mod rsa;
pub mod secret;
mod ssh;

pub use blocklist::Blocklist;
pub use error::{Error, Result};
pub use finding::{Detector, Finding, Gravity};
pub use key::{Kind, PublicKey};
pub use moduli::{Moduli, Sharing};

/// Looks at a public key, and for it in lists.
#[must_use]
pub fn check<'a>(key: &PublicKey, lists: impl IntoIterator<Item = &'a Blocklist>) -> Vec<Finding> {
    let mut findings = match key.kind() {
        Kind::Rsa { n, e } => rsa::check(n, e),
        Kind::Ec(point) => curve::check(point),
        Kind::Edwards { form, bytes } => edwards::check(*form, bytes).into_iter().collect(),
        Kind::Dsa { p, .. } => rsa::dsa::check(p),
        Kind::Dh { p, y } => rsa::dsa::check_dh(p.as_ref(), y),
        Kind::Other => Vec::new(),
    };
    findings.extend(lists.into_iter().filter_map(|list| list.find(key)));
    findings
}
