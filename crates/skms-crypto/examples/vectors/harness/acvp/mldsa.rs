//! ML-DSA (FIPS 204): internal and external interfaces.

use skms_crypto::{Algorithm, Family, Format, KeyMaterial, Message, SignOptions, raw};

use super::super::case::{Expect, Refusal, not_offered, verdict};
use super::super::product::public;
use super::slhdsa::framed;
use super::{Prepared, Test};

fn algorithm(test: &Test) -> Result<Algorithm, Refusal> {
    let name = test.text("parameterSet").unwrap_or_default();
    match name.parse::<Algorithm>() {
        Ok(algorithm) if algorithm.family() == Family::MlDsa => Ok(algorithm),
        _ => not_offered(format!("parameter set {name}")),
    }
}

/// keyGen: from the seed to both keys.
pub fn keygen(test: &Test) -> Result<Prepared, Refusal> {
    let algorithm = algorithm(test)?;
    let (seed, pk, sk) = (test.bytes("seed")?, test.bytes("pk")?, test.bytes("sk")?);
    Ok((
        Expect::Valid,
        Box::new(move || {
            let material = KeyMaterial::import(&seed, Format::Raw, Some(algorithm), None)?;
            let half = material
                .public_key()?
                .map(|key| key.export(Format::Raw))
                .transpose()?;
            let expanded = raw::expanded_private_key(&material)?;
            Ok(half == Some(pk) && expanded.expose() == sk)
        }),
    ))
}

/// What is signed: mu itself, or the internal function's message.
enum Signed {
    Mu(Vec<u8>),
    Message(Vec<u8>),
}

fn signed(test: &Test) -> Result<Signed, Refusal> {
    if test.flag("externalMu") == Some(true) {
        return Ok(Signed::Mu(test.bytes("mu")?));
    }
    let message = test.bytes("message")?;
    if test.text("signatureInterface") == Some("external") {
        let context = test.bytes_or_empty("context")?;
        return Ok(Signed::Message(framed(test, &context, message)?));
    }
    Ok(Signed::Message(message))
}

/// sigGen: the signature is compared.
pub fn sign(test: &Test) -> Result<Prepared, Refusal> {
    let algorithm = algorithm(test)?;
    let (secret, signature) = (test.bytes("sk")?, test.bytes("signature")?);
    let randomness = match test.flag("deterministic") {
        Some(false) => test.bytes("rnd")?,
        _ => vec![0; 32],
    };
    let signed = signed(test)?;
    Ok((
        Expect::Valid,
        Box::new(move || {
            let material = KeyMaterial::import(&secret, Format::Raw, Some(algorithm), None)?;
            let made = match &signed {
                Signed::Mu(mu) => raw::mldsa_sign_mu(&material, mu, &randomness)?,
                Signed::Message(message) => {
                    raw::mldsa_sign_internal(&material, message, &randomness)?
                }
            };
            Ok(made == signature)
        }),
    ))
}

/// sigVer. The pure external interface is the product's own.
pub fn verify(test: &Test) -> Result<Prepared, Refusal> {
    let algorithm = algorithm(test)?;
    let (key, signature) = (test.bytes("pk")?, test.bytes("signature")?);
    let external = test.text("signatureInterface") == Some("external");
    if external && test.text("preHash") != Some("preHash") {
        let message = test.bytes("message")?;
        let options = SignOptions {
            context: test.bytes_or_empty("context")?,
            ..SignOptions::default()
        };
        return Ok((
            test.expect(),
            Box::new(move || {
                let key = public(&key, Format::Raw, Some(algorithm))?;
                verdict(key.verify(Message::Raw(&message), &signature, &options)?)
            }),
        ));
    }
    let signed = signed(test)?;
    Ok((
        test.expect(),
        Box::new(move || {
            let key = public(&key, Format::Raw, Some(algorithm))?;
            verdict(match &signed {
                Signed::Mu(mu) => raw::mldsa_verify_mu(&key, mu, &signature)?,
                Signed::Message(message) => raw::mldsa_verify_internal(&key, message, &signature)?,
            })
        }),
    ))
}
