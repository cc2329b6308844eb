//! What a build on the validated FIPS 140-3 module offers, and what it refuses.
//!
//! Two things decide. The registry's column says which algorithms the module's
//! certificate covers as they are used here; and where parameters matter, the
//! module's own service indicator is asked after each operation. `docs/fips.md`
//! says which module it is and what lies outside it. An ordinary build refuses
//! nothing here.

use crate::algorithm::Algorithm;
#[cfg(feature = "fips")]
use crate::awslc::module;
use crate::error::{Error, Result};
#[cfg(feature = "fips")]
use crate::selftest;
use crate::uses::{Use, Uses};

/// The module that the certificate names, as it names itself.
#[cfg(feature = "fips")]
const MODULE: &str = "AWS-LC FIPS 3.1.0";

const ALGORITHM: &str = "the algorithm";

/// The module that this build uses, as it names itself; `None` in an ordinary
/// build.
#[must_use]
pub fn module() -> Option<&'static str> {
    #[cfg(feature = "fips")]
    return Some(module::version());
    #[cfg(not(feature = "fips"))]
    None
}

/// What an operator of a build on the validated module has to know; nothing
/// in another build. The whole of it is in docs/fips.md.
pub fn notes() -> impl Iterator<Item = &'static str> {
    const NOTES: &[&str] = &[
        "FIPS build: keys are used by AWS-LC FIPS 3.1.0 (CMVP certificate 5314, static); what that does not cover is refused",
        "FIPS build: the store's own sealing (AES-256-GCM-SIV), its seals (X-Wing, Argon2id, Shamir) and the encryption of PKCS#8 files lie outside the module",
    ];
    let shown = if cfg!(feature = "fips") { NOTES } else { &[] };
    shown.iter().copied()
}

/// Refuses a new key whose uses this build does not offer.
///
/// # Errors
/// [`Error::OutsideModule`].
pub fn ensure_uses(algorithm: Algorithm, uses: Uses) -> Result<()> {
    ensure_offered(algorithm)?;
    let covered = !cfg!(feature = "fips") || uses.is_subset_of(algorithm.offered_uses());
    ensure(algorithm, covered, "one of these uses")
}

/// Refuses an algorithm that this build does not offer. Self-tests try it all
/// the same: the store's own sealing uses some of them.
pub(crate) fn ensure_offered(algorithm: Algorithm) -> Result<()> {
    ensure(algorithm, algorithm.is_offered(), ALGORITHM)
}

/// Refuses a use that the certificate does not cover although it covers the
/// algorithm: RSA-OAEP.
pub(crate) fn ensure_use(algorithm: Algorithm, wanted: Use) -> Result<()> {
    let covered = !cfg!(feature = "fips")
        || algorithm.offered_uses().contains(wanted)
        // Not even elsewhere: that is another error.
        || !algorithm.row().uses.contains(wanted);
    ensure(algorithm, covered, "RSA-OAEP")
}

pub(crate) fn ensure(algorithm: Algorithm, covered: bool, what: &'static str) -> Result<()> {
    #[cfg(feature = "fips")]
    let covered = covered || selftest::is_testing();
    if covered {
        Ok(())
    } else {
        Err(Error::OutsideModule { algorithm, what })
    }
}

/// Runs an operation, and gives its result only if the module counted it as an
/// approved service.
#[cfg(feature = "fips")]
pub(crate) fn approved<T>(
    algorithm: Algorithm,
    what: &'static str,
    run: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let before = module::approved_services();
    let done = run()?;
    ensure(algorithm, module::approved_services() != before, what)?;
    Ok(done)
}

/// Runs an operation: an ordinary build has no module to ask.
#[cfg(not(feature = "fips"))]
#[inline]
pub(crate) fn approved<T>(
    _algorithm: Algorithm,
    _what: &'static str,
    run: impl FnOnce() -> Result<T>,
) -> Result<T> {
    run()
}

/// As [`approved`] for a verification: one that failed is no service at all,
/// and needs no approval.
#[cfg(feature = "fips")]
pub(crate) fn approved_check(
    algorithm: Algorithm,
    what: &'static str,
    run: impl FnOnce() -> Result<bool>,
) -> Result<bool> {
    let before = module::approved_services();
    let good = run()?;
    ensure(
        algorithm,
        !good || module::approved_services() != before,
        what,
    )?;
    Ok(good)
}

/// Runs a verification.
#[cfg(not(feature = "fips"))]
#[inline]
pub(crate) fn approved_check(
    _algorithm: Algorithm,
    _what: &'static str,
    run: impl FnOnce() -> Result<bool>,
) -> Result<bool> {
    run()
}

/// Checks at start that everything here runs on the module that the
/// certificate names, and on nothing beside it.
#[cfg(feature = "fips")]
pub(crate) fn check() -> Result<()> {
    let failed = |why| Err(Error::SelfTest(why));
    if !module::in_fips_mode() || aws_lc_rs::try_fips_mode().is_err() {
        return failed("the FIPS module: it is not in FIPS mode");
    }
    if module::version() != MODULE {
        return failed("the FIPS module: it is not the version that the certificate names");
    }
    // aws-lc-rs and rustls could have been linked to another module than the
    // calls of this crate. A hash by the one moves the other's indicator only
    // if they are the same.
    let before = module::approved_services();
    let _ = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"one module");
    if module::approved_services() == before {
        return failed(
            "the FIPS module: aws-lc-rs was built on another one; build with `cargo xtask fips`",
        );
    }
    Ok(())
}

#[cfg(test)]
#[cfg(feature = "fips")]
#[path = "fips/tests.rs"]
mod tests;

#[cfg(test)]
#[cfg(not(feature = "fips"))]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_build_refuses_nothing_and_claims_nothing() {
        assert_eq!(module(), None);
        assert_eq!(notes().count(), 0);
        for &algorithm in Algorithm::all() {
            ensure_uses(algorithm, algorithm.row().uses).unwrap();
        }
        let refused = ensure(Algorithm::XWing, false, ALGORITHM).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "X-Wing: the algorithm is not covered by the FIPS 140-3 module of this build"
        );
    }
}
