//! JSON web signatures over keys imported from JSON web keys. The compact
//! form is taken apart here, strictly; keys, algorithms and verdicts are the
//! library's.

use serde_json::Value;
use skms_crypto::{
    EcdsaEncoding, Format, Hash, KeyMaterial, Message, OpenKey, PublicKey, SignOptions,
    SignatureScheme,
};

use super::super::case::{Attempt, Expect, Refusal, not_offered, verdict};
use super::super::text::{base64url, list, string};
use super::{Action, Prepare, Test, unreadable};

/// `JsonWebSignature` and `JsonWebKey`. A public key verifies if there is
/// one; a MAC key is private.
pub fn signature(group: &Value) -> Prepare {
    let keys = group
        .get("public")
        .or_else(|| group.get("private"))
        .cloned();
    let is_valid = |test: &&Value| string(test, "result") == Some("valid");
    let valid = list(group, "tests").iter().filter(is_valid);
    let valid: Vec<Value> = valid.filter_map(|test| test.get("jws").cloned()).collect();
    Box::new(move |test: &Test<'_>| -> Result<Action, Refusal> {
        let keys = keys.clone().ok_or_else(|| unreadable("private"))?;
        let jws = test
            .test
            .get("jws")
            .cloned()
            .ok_or_else(|| unreadable("jws"))?;
        if test.expect == Expect::Invalid && valid.contains(&jws) {
            return not_offered("the file calls the same JWS both valid and invalid");
        }
        Ok(Box::new(move || match jws.as_str() {
            Some(compact) => verify(&keys, compact),
            None => not_offered("JWS with JSON serialization"),
        }))
    })
}

/// Algorithms of RFC 7518 that a key in these files may be for.
const REGISTERED: &[&str] = &[
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "A128KW",
    "A256KW",
    "A128GCM",
    "A256GCM",
];

fn policy<T>(why: &str) -> Result<T, Refusal> {
    Err(Refusal::Policy(why.to_owned()))
}

fn refuse<T>(why: &str) -> Result<T, Refusal> {
    Err(Refusal::Refused(why.to_owned()))
}

fn verify(keys: &Value, compact: &str) -> Attempt {
    let parts: Vec<&str> = compact.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        return refuse("not three parts");
    };
    let (Some(json), Some(_), Some(signature)) =
        (base64url(header), base64url(payload), base64url(signature))
    else {
        return policy("characters outside base64url (RFC 7515, section 2)");
    };
    let Ok(fields) = serde_json::from_slice::<Value>(&json) else {
        return refuse("header is not JSON");
    };
    if fields.get("crit").is_some() {
        return refuse("critical header parameters");
    }
    let key = choose(keys, string(&fields, "kid"))?;
    let Some(algorithm) = string(&fields, "alg") else {
        return refuse("no algorithm");
    };
    match string(key, "alg") {
        Some(wanted) if !REGISTERED.contains(&wanted) => {
            return policy("a key for an algorithm that JOSE does not have");
        }
        Some(wanted) if wanted != algorithm => {
            return policy("a key for another algorithm (RFC 8725, section 3.1)");
        }
        _ => {}
    }
    if string(key, "use").is_some_and(|purpose| purpose != "sig") {
        return refuse("not a signature key");
    }
    let operations = list(key, "key_ops");
    let signs = |one: &Value| one.as_str().is_some_and(|one| one.contains("verify"));
    if !operations.is_empty() && !operations.iter().any(signs) {
        return refuse("not a signature key");
    }
    let signed = &compact[..header.len() + 1 + payload.len()];
    check(key, algorithm, signed.as_bytes(), &signature)
}

/// The one key that is meant: a set must have it once, and may not mix MAC
/// keys with public ones.
fn choose<'a>(keys: &'a Value, kid: Option<&str>) -> Result<&'a Value, Refusal> {
    if keys.get("keys").is_none() {
        return Ok(keys);
    }
    let set = list(keys, "keys");
    let macs = set
        .iter()
        .filter(|key| string(key, "kty") == Some("oct"))
        .count();
    if macs != 0 && macs != set.len() {
        return refuse("a set of MAC keys and public keys");
    }
    let mut found = set
        .iter()
        .filter(|key| kid.is_none() || string(key, "kid") == kid);
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key),
        _ => refuse("no one key of that name"),
    }
}

fn check(key: &Value, algorithm: &str, signed: &[u8], signature: &[u8]) -> Attempt {
    let hash = match algorithm.get(2..) {
        Some("256") => Hash::Sha256,
        Some("384") => Hash::Sha384,
        Some("512") => Hash::Sha512,
        _ => return refuse("no such algorithm"),
    };
    let text = key.to_string();
    let (scheme, family) = match &algorithm[..2] {
        "HS" => {
            let name = format!("HMAC-{}", hash.name());
            let expected = name.parse().map_err(Refusal::from)?;
            let material = KeyMaterial::import(text.as_bytes(), Format::Jwk, Some(expected), None)?;
            let open = OpenKey::open(&material)?;
            return verdict(open.mac_verify(signed, signature)?);
        }
        "RS" => (SignatureScheme::RsaPkcs1v15, "RSA"),
        "PS" => (SignatureScheme::RsaPss, "RSA"),
        "ES" => (SignatureScheme::Ecdsa, "EC"),
        _ => return refuse("no such algorithm"),
    };
    if string(key, "kty") != Some(family) {
        return refuse("another type of key than the algorithm's");
    }
    let public = PublicKey::import(text.as_bytes(), Format::Jwk, None)?;
    let curve = match hash {
        Hash::Sha256 => "EC-P256",
        Hash::Sha384 => "EC-P384",
        _ => "EC-P521",
    };
    if family == "EC" && public.algorithm().name() != curve {
        return refuse("another curve than the algorithm's");
    }
    let options = SignOptions {
        scheme: Some(scheme),
        hash: Some(hash),
        encoding: if family == "EC" {
            EcdsaEncoding::P1363
        } else {
            EcdsaEncoding::Der
        },
        ..SignOptions::default()
    };
    verdict(public.verify(Message::Raw(signed), signature, &options)?)
}
