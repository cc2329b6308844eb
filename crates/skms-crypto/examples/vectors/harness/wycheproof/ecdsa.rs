//! ECDSA and Ed25519 verification.

use serde_json::Value;
use skms_crypto::{Algorithm, EcdsaEncoding, Format, Message, PublicKey, SignOptions};

use super::super::case::{Refusal, Shared, not_offered, verdict};
use super::super::product::{curve, hash, public};
use super::super::text::{bytes, string};
use super::{Action, Prepare, Test, decided, unreadable};

/// `EcdsaVerify` (DER signatures) and `EcdsaP1363Verify` (r ‖ s).
pub fn ecdsa(group: &Value) -> Prepare {
    let parameters = || {
        let key = group
            .get("publicKey")
            .ok_or_else(|| unreadable("publicKey"))?;
        let name = string(key, "curve").ok_or_else(|| unreadable("curve"))?;
        let (algorithm, _) = curve(name)?;
        let hash = hash(string(group, "sha").ok_or_else(|| unreadable("sha"))?)?;
        Ok((algorithm, hash))
    };
    let (algorithm, hash) = match parameters() {
        Ok(parameters) => parameters,
        Err(refusal) => return decided(refusal),
    };
    let fixed = string(group, "type") == Some("EcdsaP1363Verify");
    let key = key(group, algorithm);
    Box::new(move |test: &Test<'_>| {
        let options = SignOptions {
            hash: Some(hash),
            encoding: if fixed {
                EcdsaEncoding::P1363
            } else {
                EcdsaEncoding::Der
            },
            ..SignOptions::default()
        };
        verify(&key, test, options)
    })
}

/// `EddsaVerify`.
pub fn eddsa(group: &Value) -> Prepare {
    let curve = ["publicKey", "key"]
        .iter()
        .find_map(|field| string(group.get(field)?, "curve"))
        .unwrap_or_default();
    if curve != "edwards25519" {
        return decided(Refusal::NotOffered(format!(
            "algorithm not offered: {curve}"
        )));
    }
    let key = key(group, Algorithm::Ed25519);
    Box::new(move |test: &Test<'_>| verify(&key, test, SignOptions::default()))
}

/// Verifies the test's `sig` of its `msg`.
pub(super) fn verify(
    key: &Shared<PublicKey>,
    test: &Test<'_>,
    options: SignOptions,
) -> Result<Action, Refusal> {
    let message = test.bytes("msg")?;
    let signature = test.bytes("sig")?;
    let key = key.clone();
    Ok(Box::new(move || {
        let key = key.get()?;
        verdict(key.verify(Message::Raw(&message), &signature, &options)?)
    }))
}

/// The group's public key, which must come out the same from every encoding
/// that the group has it in.
fn key(group: &Value, algorithm: Algorithm) -> Shared<PublicKey> {
    let der = ["publicKeyDer", "keyDer"]
        .iter()
        .find_map(|field| bytes(group, field));
    let pem = ["publicKeyPem", "keyPem"]
        .iter()
        .find_map(|field| string(group, field))
        .map(str::to_owned);
    let jwk = ["publicKeyJwk", "jwk"]
        .iter()
        .find_map(|field| group.get(field))
        .cloned();
    Shared::new(move || {
        let mut keys = Vec::new();
        if let Some(der) = der {
            keys.push(public(&der, Format::SpkiDer, Some(algorithm))?);
        }
        if let Some(pem) = pem {
            keys.push(public(pem.as_bytes(), Format::SpkiPem, Some(algorithm))?);
        }
        if let Some(jwk) = jwk {
            let jwk = jwk.to_string();
            keys.push(public(jwk.as_bytes(), Format::Jwk, Some(algorithm))?);
        }
        if keys
            .windows(2)
            .any(|two| two[0].spki_der() != two[1].spki_der())
        {
            return Err(Refusal::Refused("encodings of one key disagree".to_owned()));
        }
        keys.pop()
            .map_or_else(|| not_offered("a group without an encoded key"), Ok)
    })
}
