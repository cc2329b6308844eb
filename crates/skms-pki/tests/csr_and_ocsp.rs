//! pyca/cryptography's requests and OCSP messages (testdata/csr,
//! testdata/ocsp-der): parsing and proofs agree with OpenSSL, but for what is
//! written here.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../examples/shared/pem.rs"]
mod pem;
mod support;

use pem::pem;
use skms_pki::{Csr, Error, OcspRequest, OcspResponse};

/// Everything that can go wrong here.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Malformed,
    BadProof,
    Good,
}

fn judge(file: &str, sha1: bool) -> Verdict {
    let bytes = std::fs::read(support::testdata("csr").join(file)).unwrap();
    let der = match std::str::from_utf8(&bytes) {
        Ok(text) if file.ends_with(".pem") => pem(text).unwrap().remove(0).1,
        _ => bytes,
    };
    let request = match Csr::from_der(&der) {
        Ok(request) => request,
        Err(_) => return Verdict::Malformed,
    };
    let found = match sha1 {
        true => request.verify_with(&support::WithSha1),
        false => request.verify(),
    };
    match found {
        Ok(_) => Verdict::Good,
        Err(Error::Signature { .. }) => Verdict::BadProof,
        Err(other) => panic!("{file}: {other}"),
    }
}

#[test]
fn requests() {
    use Verdict::{BadProof, Good, Malformed};
    // OpenSSL's `req -verify` says OK to those marked so.
    let cases = [
        ("ec_sha256.pem", Good), // OK
        ("invalid_signature.pem", BadProof),
        ("challenge.pem", Good),              // OK
        ("challenge-unstructured.pem", Good), // OK
        ("challenge-multi-valued.der", Malformed),
        ("challenge-invalid.der", Malformed),
        ("zero-element-attribute.pem", Good), // OK
        ("two_basic_constraints.pem", BadProof),
        ("freeipa-bad-critical.pem", Good), // OK
        ("rsa_md4.der", BadProof),
        // A weak hash, or DSA: OpenSSL has them still.
        ("rsa_sha1.der", BadProof), // OK
        ("dsa_sha1.pem", BadProof), // OK
    ];
    let found: Vec<_> = cases
        .iter()
        .map(|(file, _)| (*file, judge(file, false)))
        .collect();
    assert_eq!(found, cases);
}

#[test]
fn a_verifier_that_knows_sha1_takes_the_old_one() {
    assert_eq!(judge("rsa_sha1.der", true), Verdict::Good);
}

#[test]
fn extensions_nobody_may_issue_are_told() {
    for file in ["freeipa-bad-critical.pem", "two_basic_constraints.pem"] {
        let text = std::fs::read_to_string(support::testdata("csr").join(file)).unwrap();
        let der = pem(&text).unwrap().remove(0).1;
        let request = Csr::from_der(&der).unwrap();
        assert!(request.extensions().is_err(), "{file}");
    }
}

fn ocsp(file: &str) -> Vec<u8> {
    std::fs::read(support::testdata("ocsp-der").join(file)).unwrap()
}

#[test]
fn ocsp_requests() {
    for (file, count) in [
        ("ocsp-army.inapplicable-req.der", Some(1)),
        ("ocsp-army.revoked-req.der", Some(1)),
        ("ocsp-army.valid-req.der", Some(1)),
        ("req-multi-sha1.der", Some(2)),
        ("req-duplicate-ext.der", None),
    ] {
        let der = ocsp(file);
        let found = OcspRequest::from_der(&der)
            .ok()
            .map(|request| request.requests.len());
        assert_eq!(found, count, "{file}");
    }
}

#[test]
fn ocsp_responses() {
    for (file, good) in [
        ("resp-sha256.der", true),
        ("resp-responder-key-hash.der", true),
        ("resp-delegate-unknown-cert.der", true),
        // What it was signed with matters when it is checked.
        ("resp-invalid-signature-oid.der", true),
        ("resp-unknown-hash-alg.der", true),
        ("resp-single-extension-reason.der", true),
        // OpenSSL prints "Version: 2" and goes on; there is no such version.
        ("resp-invalid-version.der", false),
        ("resp-response-type-unknown-oid.der", false),
    ] {
        let der = ocsp(file);
        let found = OcspResponse::from_der(&der);
        assert_eq!(found.is_ok(), good, "{file}: {found:?}");
    }
}

#[test]
fn cut_short_or_with_a_tail_nothing_is_read() {
    for file in ["resp-sha256.der", "ocsp-army.valid-req.der"] {
        let mut der = ocsp(file);
        for length in 0..der.len() {
            assert!(OcspResponse::from_der(&der[..length]).is_err());
            assert!(OcspRequest::from_der(&der[..length]).is_err());
        }
        der.push(0);
        assert!(OcspResponse::from_der(&der).is_err());
        assert!(OcspRequest::from_der(&der).is_err());
    }
}
