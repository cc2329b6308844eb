//! ECDSA, Ed25519 and RSA verification.

use skms_crypto::{Algorithm, EcdsaEncoding, Format, Message, SignOptions, SignatureScheme};

use super::super::case::{Expect, Refusal, not_offered, verdict};
use super::super::product::{curve, ec_spki, public, rsa_length, rsa_pkcs1};
use super::super::text::fixed;
use super::{Prepared, Test};

/// A public point: its curve and its encoding.
fn point(test: &Test) -> Result<(Algorithm, usize, Vec<u8>), Refusal> {
    let (algorithm, len) = curve(test.text("curve").unwrap_or_default())?;
    let coordinate = |field| {
        fixed(&test.bytes(field)?, len)
            .ok_or_else(|| Refusal::Refused("coordinate out of range".to_owned()))
    };
    let spki = ec_spki(algorithm, &coordinate("qx")?, &coordinate("qy")?);
    Ok((algorithm, len, spki))
}

/// keyVer: whether a point is on its curve.
pub fn ecdsa_key(test: &Test) -> Result<Prepared, Refusal> {
    match point(test) {
        Ok((algorithm, _, spki)) => Ok((
            test.expect(),
            Box::new(move || public(&spki, Format::SpkiDer, Some(algorithm)).map(|_| true)),
        )),
        Err(Refusal::Refused(why)) if test.expect() == Expect::Invalid => Ok((
            Expect::Invalid,
            Box::new(move || Err(Refusal::Refused(why))),
        )),
        Err(refusal) => Err(refusal),
    }
}

/// sigVer.
pub fn ecdsa(test: &Test) -> Result<Prepared, Refusal> {
    let (algorithm, len, spki) = point(test)?;
    let options = SignOptions {
        hash: Some(test.hash("hashAlg")?),
        encoding: EcdsaEncoding::P1363,
        ..SignOptions::default()
    };
    let message = test.bytes("message")?;
    let mut signature = Vec::new();
    for part in ["r", "s"] {
        let number = test.bytes(part)?;
        // A number too long for the curve stays too long.
        signature.extend(fixed(&number, len).unwrap_or(number));
    }
    Ok((
        test.expect(),
        Box::new(move || {
            let key = public(&spki, Format::SpkiDer, Some(algorithm))?;
            verdict(key.verify(Message::Raw(&message), &signature, &options)?)
        }),
    ))
}

/// sigVer of Ed25519.
pub fn eddsa(test: &Test) -> Result<Prepared, Refusal> {
    let curve = test.text("curve").unwrap_or_default();
    if curve != "ED-25519" || test.flag("preHash") == Some(true) {
        return not_offered(format!("{curve}, or its pre-hashed form"));
    }
    let (key, message) = (test.bytes("q")?, test.bytes("message")?);
    let signature = test.bytes("signature")?;
    Ok((
        test.expect(),
        Box::new(move || {
            let key = public(&key, Format::Raw, Some(Algorithm::Ed25519))?;
            let options = SignOptions::default();
            verdict(key.verify(Message::Raw(&message), &signature, &options)?)
        }),
    ))
}

/// sigVer of RSA.
pub fn rsa(test: &Test) -> Result<Prepared, Refusal> {
    let mut options = SignOptions {
        hash: Some(test.hash("hashAlg")?),
        ..SignOptions::default()
    };
    test.number("modulo").map_or(Ok(()), rsa_length)?;
    match test.text("sigType") {
        Some("pkcs1v1.5") => options.scheme = Some(SignatureScheme::RsaPkcs1v15),
        Some("pss") => {
            options.scheme = Some(SignatureScheme::RsaPss);
            options.salt_length = test.number("saltLen");
            if !matches!(test.text("maskFunction"), None | Some("mgf1")) {
                return not_offered("RSA-PSS with a mask function other than MGF1");
            }
        }
        other => return not_offered(format!("signature type {other:?}")),
    }
    let key = rsa_pkcs1(&test.bytes("n")?, &test.bytes("e")?);
    let (message, signature) = (test.bytes("message")?, test.bytes("signature")?);
    Ok((
        test.expect(),
        Box::new(move || {
            let key = public(&key, Format::Pkcs1Der, None)?;
            verdict(key.verify(Message::Raw(&message), &signature, &options)?)
        }),
    ))
}
