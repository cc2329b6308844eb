//! ML-DSA, with its external interface and with mu given.

use serde_json::Value;
use skms_crypto::{
    Algorithm, Family, Format, KeyMaterial, Message, OpenKey, PublicKey, SignOptions, raw,
};

use super::super::case::{Refusal, Shared, not_offered, verdict};
use super::super::product::public;
use super::super::text::{bytes, string};
use super::{Action, Prepare, Test};

/// `MlDsaVerify`.
pub fn verify(group: &Value) -> Prepare {
    let (raw_key, der) = (bytes(group, "publicKey"), bytes(group, "publicKeyDer"));
    Box::new(move |test: &Test<'_>| {
        let algorithm = algorithm(test)?;
        let (raw_key, der) = (raw_key.clone(), der.clone());
        let key = Shared::new(move || {
            let Some(raw_key) = raw_key else {
                return not_offered("a group without a key");
            };
            let key = public(&raw_key, Format::Raw, Some(algorithm))?;
            match der.filter(|der| !der.is_empty()) {
                Some(der)
                    if public(&der, Format::SpkiDer, Some(algorithm))?.spki_der()
                        != key.spki_der() =>
                {
                    Err(Refusal::Refused("encodings of one key disagree".to_owned()))
                }
                _ => Ok(key),
            }
        });
        if !test.has("msg") && test.has("mu") {
            let (mu, signature) = (test.bytes("mu")?, test.bytes("sig")?);
            return Ok(Box::new(move || {
                verdict(raw::mldsa_verify_mu(key.get()?, &mu, &signature)?)
            }));
        }
        let options = SignOptions {
            context: test.bytes_or_empty("ctx")?,
            ..SignOptions::default()
        };
        super::ecdsa::verify(&key, test, options)
    })
}

/// `MlDsaSign`, from a seed or an expanded key. The product's signatures are
/// hedged, so it must verify the stated one and its own; the stated one is
/// reproduced below it, where the randomness is given.
pub fn sign(group: &Value) -> Prepare {
    let seed = bytes(group, "privateSeed").or_else(|| bytes(group, "privateKey"));
    let pkcs8 = bytes(group, "privateKeyPkcs8").filter(|der| !der.is_empty());
    let public_key = bytes(group, "publicKey");
    Box::new(move |test: &Test<'_>| -> Result<Action, Refusal> {
        let algorithm = algorithm(test)?;
        let (seed, pkcs8, public_key) = (seed.clone(), pkcs8.clone(), public_key.clone());
        let key = move || {
            key(
                algorithm,
                seed.as_deref(),
                pkcs8.as_deref(),
                public_key.as_deref(),
            )
        };
        let signature = test.bytes("sig")?;
        let context = test.bytes_or_empty("ctx")?;
        let mut randomness = test.bytes_or_empty("rnd")?;
        randomness.resize(32, 0);
        if !test.has("msg") && test.has("mu") {
            let mu = test.bytes("mu")?;
            return Ok(Box::new(move || {
                let (material, _) = key()?;
                Ok(raw::mldsa_sign_mu(&material, &mu, &randomness)? == signature)
            }));
        }
        let message = test.bytes("msg")?;
        Ok(Box::new(move || {
            let (material, open) = key()?;
            let options = SignOptions {
                context: context.clone(),
                ..SignOptions::default()
            };
            let hedged = open.sign(Message::Raw(&message), &options)?;
            let verifies =
                |signature: &[u8]| open.verify(Message::Raw(&message), signature, &options);
            let length = u8::try_from(context.len()).unwrap_or(u8::MAX);
            // FIPS 204, algorithm 2: M' = 0 ‖ |ctx| ‖ ctx ‖ M.
            let encoded = [&[0, length][..], &context, &message].concat();
            let exact = raw::mldsa_sign_internal(&material, &encoded, &randomness)?;
            Ok(verifies(&hedged)? && verifies(&signature)? && exact == signature)
        }))
    })
}

fn algorithm(test: &Test<'_>) -> Result<Algorithm, Refusal> {
    let name = string(test.group, "parameterSet").unwrap_or(test.algorithm);
    match name.parse::<Algorithm>() {
        Ok(algorithm) if algorithm.family() == Family::MlDsa => Ok(algorithm),
        _ => not_offered(format!("algorithm not offered: {name}")),
    }
}

fn key(
    algorithm: Algorithm,
    secret: Option<&[u8]>,
    pkcs8: Option<&[u8]>,
    public: Option<&[u8]>,
) -> Result<(KeyMaterial, OpenKey), Refusal> {
    let Some(secret) = secret else {
        return not_offered("a group without a private key");
    };
    let material = KeyMaterial::import(secret, Format::Raw, Some(algorithm), None)?;
    let mut halves = vec![material.public_key()?];
    if let Some(pkcs8) = pkcs8 {
        let other = KeyMaterial::import(pkcs8, Format::Pkcs8Der, Some(algorithm), None)?;
        halves.push(other.public_key()?);
    }
    for half in halves {
        let half = half
            .as_ref()
            .map(|half: &PublicKey| half.export(Format::Raw))
            .transpose()?;
        if public.is_some() && half.as_deref() != public {
            return Err(Refusal::Refused(
                "public key is another than stated".to_owned(),
            ));
        }
    }
    let open = OpenKey::open(&material)?;
    Ok((material, open))
}
