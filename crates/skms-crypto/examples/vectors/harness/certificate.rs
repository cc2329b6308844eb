//! Certificates of post-quantum keys: their keys import, and those that sign
//! themselves verify. Everything else about certificates is another room's.

use std::path::Path;

use skms_crypto::{Family, Format, Message, PublicKey, SignOptions};

use super::case::{Attempt, Case, Expect, Refusal, verdict};
use super::keyfile::public_beside;
use super::product::public;
use super::text::{der, der_sequence};

/// The arc of ML-KEM's, ML-DSA's and SLH-DSA's identifiers:
/// 2.16.840.1.101.3.4.3 and .4.
const NIST_ALGORITHMS: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04];

/// What matters here of a certificate.
struct Parts {
    to_be_signed: Vec<u8>,
    signature: Vec<u8>,
    spki: Vec<u8>,
    self_issued: bool,
}

/// The case of a certificate, if its key is a post-quantum one.
pub fn case(path: &Path, certificate: &[u8]) -> Option<Case> {
    let parts = parse(certificate)?;
    let beside = public_beside(path);
    let attempt = move || check(&parts, beside.as_deref());
    Some(Case::new("certificate", Expect::Valid, attempt))
}

fn parse(certificate: &[u8]) -> Option<Parts> {
    let outer = der_sequence(der(certificate)?.body)?;
    let [to_be_signed, _, signature] = &outer[..] else {
        return None;
    };
    let fields = der_sequence(to_be_signed.body)?;
    // version [0], serial, signature, issuer, validity, subject, SPKI
    let spki = fields.get(6)?;
    let identifier = der(der(spki.body)?.body)?;
    if !identifier.body.starts_with(NIST_ALGORITHMS) {
        return None;
    }
    Some(Parts {
        to_be_signed: to_be_signed.whole.to_vec(),
        signature: signature.body.get(1..)?.to_vec(),
        spki: spki.whole.to_vec(),
        self_issued: fields.get(3)?.whole == fields.get(5)?.whole,
    })
}

fn check(parts: &Parts, beside: Option<&Path>) -> Attempt {
    let key = public(&parts.spki, Format::SpkiDer, None)?;
    if let Some(beside) = beside {
        let stated = std::fs::read(beside)
            .map_err(|error| Refusal::Refused(format!("{}: {error}", beside.display())))?;
        let stated = public(&stated, Format::Auto, None)?;
        if PublicKey::spki_der(&stated) != key.spki_der() {
            return Ok(false);
        }
    }
    if !parts.self_issued || key.algorithm().family() == Family::Kem {
        return Ok(true);
    }
    let options = SignOptions::default();
    verdict(key.verify(
        Message::Raw(&parts.to_be_signed),
        &parts.signature,
        &options,
    )?)
}
