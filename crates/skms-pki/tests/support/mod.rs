//! What the tests over published vectors share.

use std::path::{Path, PathBuf};

use skms_crypto::raw::rsa::{Digest, Rsa};
use skms_pki::certificate::{PublicKeyInfo, Signed};
use skms_pki::oid;
use skms_pki::signature::{SignatureFault, Standard, Verify};

/// A folder of published vectors.
pub fn testdata(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .join(folder)
}

/// The standard rules, and beside them RSA with SHA-1 and from 1024 bits: some
/// corpora are old.
pub struct WithSha1;

impl Verify for WithSha1 {
    fn verify(&self, key: &PublicKeyInfo<'_>, signed: &Signed<'_>) -> Result<(), SignatureFault> {
        if signed.algorithm.oid != oid::RSA_SHA1 {
            return Standard.verify(key, signed);
        }
        let key = Rsa::from_spki(key.der).map_err(|_| SignatureFault::BadKey)?;
        if key.verify_pkcs1(Digest::Sha1, signed.message, signed.signature) {
            Ok(())
        } else {
            Err(SignatureFault::Mismatch)
        }
    }

    fn accept_key(&self, key: &PublicKeyInfo<'_>, strict: bool) -> Result<(), &'static str> {
        match Rsa::from_spki(key.der) {
            Ok(found) if found.bits() >= 1024 => Ok(()),
            Ok(_) => Err("an RSA key under 1024 bits"),
            Err(_) => Standard.accept_key(key, strict),
        }
    }
}
