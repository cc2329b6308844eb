//! RSA signatures and OAEP.

use serde_json::Value;
use skms_crypto::raw::rsa::Rsa;
use skms_crypto::{
    EncryptOptions, Format, KeyMaterial, Message, OpenKey, PublicKey, SignOptions, SignatureScheme,
};

use super::super::case::{Refusal, Shared, not_offered, verdict};
use super::super::product::{hash, private, public, rsa_length, rsa_pkcs1};
use super::super::text::{bytes, number, string};
use super::ecdsa::verify;
use super::{Action, Prepare, Test, decided, unreadable};

/// `RsassaPkcs1Verify`.
pub fn verify_pkcs1(group: &Value) -> Prepare {
    if let Err(refusal) = length(group) {
        return decided(refusal);
    }
    let hash = match string(group, "sha").map(hash) {
        Some(Ok(hash)) => hash,
        Some(Err(refusal)) => return decided(refusal),
        None => return decided(unreadable("sha")),
    };
    let key = public_key(group);
    Box::new(move |test: &Test<'_>| {
        let options = SignOptions {
            scheme: Some(SignatureScheme::RsaPkcs1v15),
            hash: Some(hash),
            ..SignOptions::default()
        };
        verify(&key, test, options)
    })
}

/// `RsassaPkcs1Generate`: deterministic, so signatures are compared.
pub fn generate_pkcs1(group: &Value) -> Prepare {
    if let Err(refusal) = length(group) {
        return decided(refusal);
    }
    let hash = match string(group, "sha").map(hash) {
        Some(Ok(hash)) => hash,
        Some(Err(refusal)) => return decided(refusal),
        None => return decided(unreadable("sha")),
    };
    let key = private_key(group);
    Box::new(move |test: &Test<'_>| -> Result<Action, Refusal> {
        let options = SignOptions {
            scheme: Some(SignatureScheme::RsaPkcs1v15),
            hash: Some(hash),
            ..SignOptions::default()
        };
        let message = test.bytes("msg")?;
        let signature = test.bytes("sig")?;
        let key = key.clone();
        Ok(Box::new(move || {
            let made = key.get()?.sign(Message::Raw(&message), &options)?;
            Ok(made == signature)
        }))
    })
}

/// `RsassaPssVerify` and `RsassaPssWithParametersVerify`.
pub fn verify_pss(group: &Value) -> Prepare {
    let parameters = || {
        length(group)?;
        let digest = hash(string(group, "sha").ok_or_else(|| unreadable("sha"))?)?;
        match string(group, "mgf") {
            Some("MGF1") => {}
            Some(other) => return not_offered(format!("mask generation {other}")),
            None => return Err(unreadable("mgf")),
        }
        let mask = hash(string(group, "mgfSha").ok_or_else(|| unreadable("mgfSha"))?)?;
        let salt = number(group, "sLen").ok_or_else(|| unreadable("sLen"))?;
        Ok((digest, mask, salt))
    };
    let (digest, mask, salt) = match parameters() {
        Ok(parameters) => parameters,
        Err(refusal) => return decided(refusal),
    };
    let key = public_key(group);
    Box::new(move |test: &Test<'_>| -> Result<Action, Refusal> {
        if mask != digest {
            // Not the product's to offer; the primitive below it is tried.
            let (message, signature) = (test.bytes("msg")?, test.bytes("sig")?);
            let key = key.clone();
            return Ok(Box::new(move || {
                let below = Rsa::from_spki(key.get()?.spki_der())?;
                let hashes = (digest.into(), mask.into());
                verdict(below.verify_pss(hashes, salt, &message, &signature))
            }));
        }
        let options = SignOptions {
            scheme: Some(SignatureScheme::RsaPss),
            hash: Some(digest),
            salt_length: Some(salt),
            ..SignOptions::default()
        };
        verify(&key, test, options)
    })
}

/// `RsaesOaepDecrypt`; the label is the associated data.
pub fn decrypt_oaep(group: &Value) -> Prepare {
    let parameters = || {
        length(group)?;
        let digest = hash(string(group, "sha").ok_or_else(|| unreadable("sha"))?)?;
        let mask = hash(string(group, "mgfSha").ok_or_else(|| unreadable("mgfSha"))?)?;
        Ok((digest, mask))
    };
    let (digest, mask) = match parameters() {
        Ok(parameters) => parameters,
        Err(refusal) => return decided(refusal),
    };
    let key = private_key(group);
    Box::new(move |test: &Test<'_>| -> Result<Action, Refusal> {
        let options = EncryptOptions {
            oaep_hash: Some(digest),
            oaep_mgf_hash: Some(mask),
            ..EncryptOptions::default()
        };
        let message = test.bytes("msg")?;
        let ciphertext = test.bytes("ct")?;
        let label = test.bytes_or_empty("label")?;
        let key = key.clone();
        Ok(Box::new(move || {
            let opened = key.get()?.decrypt(&ciphertext, &label, &options)?;
            Ok(opened.expose() == message)
        }))
    })
}

/// Whether the group's modulus has a length that the library may take.
fn length(group: &Value) -> Result<(), Refusal> {
    number(group, "keySize").map_or(Ok(()), rsa_length)
}

/// id-RSASSA-PSS, 1.2.840.113549.1.1.10.
const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];

fn public_key(group: &Value) -> Shared<PublicKey> {
    let der = ["publicKeyDer", "keyDer"]
        .iter()
        .find_map(|field| bytes(group, field));
    let pkcs1 = ["publicKeyAsn", "keyAsn"]
        .iter()
        .find_map(|field| bytes(group, field));
    let numbers = group.get("publicKey").and_then(|key| {
        let modulus = bytes(key, "modulus")?;
        Some(rsa_pkcs1(&modulus, &bytes(key, "publicExponent")?))
    });
    // Parameters in such a key only repeat the group's; what is judged here
    // is signatures, so the bare key is taken.
    let bound_to_pss = |der: &Vec<u8>| der.windows(RSASSA_PSS.len()).any(|part| part == RSASSA_PSS);
    let pkcs1 = pkcs1.or(numbers);
    let der = der.filter(|der| pkcs1.is_none() || !bound_to_pss(der));
    Shared::new(move || match (der, pkcs1) {
        (Some(der), None) => public(&der, Format::SpkiDer, None),
        (None, Some(pkcs1)) => public(&pkcs1, Format::Pkcs1Der, None),
        (Some(der), Some(pkcs1)) => {
            let key = public(&der, Format::SpkiDer, None)?;
            if key.spki_der() == public(&pkcs1, Format::Pkcs1Der, None)?.spki_der() {
                Ok(key)
            } else {
                Err(Refusal::Refused("encodings of one key disagree".to_owned()))
            }
        }
        (None, None) => not_offered("a group without an encoded key"),
    })
}

fn private_key(group: &Value) -> Shared<OpenKey> {
    let der = bytes(group, "privateKeyPkcs8");
    let pem = string(group, "privateKeyPem").map(str::to_owned);
    let jwk = group.get("privateKeyJwk").cloned();
    Shared::new(move || {
        let Some(der) = der else {
            return not_offered("a group without a PKCS#8 key");
        };
        let key = private(&der, Format::Pkcs8Der, None)?;
        let ours = key.public_key().map(PublicKey::spki_der);
        let others = [
            pem.map(|pem| (pem.into_bytes(), Format::Auto)),
            jwk.map(|jwk| (jwk.to_string().into_bytes(), Format::Jwk)),
        ];
        for (bytes, format) in others.into_iter().flatten() {
            let other = KeyMaterial::import(&bytes, format, None, None)?.public_key()?;
            if other.as_ref().map(PublicKey::spki_der) != ours {
                return Err(Refusal::Refused("encodings of one key disagree".to_owned()));
            }
        }
        Ok(key)
    })
}
