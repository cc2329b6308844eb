//! Message authentication codes and HKDF.

use skms_crypto::symmetric::SymmetricKey;
use skms_crypto::{Algorithm, Family};

use super::super::case::{Refusal, not_offered, verdict};
use super::super::product::{aes, refused_by_all, symmetric};
use super::super::text::number;
use super::aead::or_impossible;
use super::{Action, Test};

/// `MacTest`. Whole tags go through the product, which takes no others; a
/// truncated one is compared with the start of the tag it computes.
pub fn mac(test: &Test<'_>) -> Result<Action, Refusal> {
    let key = test.bytes("key")?;
    let message = test.bytes("msg")?;
    let tag = test.bytes("tag")?;
    let found = match test.algorithm {
        "AES-CMAC" => aes("CMAC", key.len()),
        "HMACSHA256" => Ok(Algorithm::HmacSha256),
        "HMACSHA384" => Ok(Algorithm::HmacSha384),
        "HMACSHA512" => Ok(Algorithm::HmacSha512),
        name => return not_offered(format!("algorithm not offered: {name}")),
    };
    let Some(algorithm) = or_impossible(found, test, key.len())? else {
        return Ok(Box::new(move || refused_by_all("CMAC", &key)));
    };
    let tag_len = number(test.group, "tagSize").map_or(tag.len(), |bits| bits / 8);
    Ok(Box::new(move || {
        check(algorithm, &key, &message, &tag, tag_len)
    }))
}

/// Checks a tag of `tag_len` bytes. Keys that the product will not take in
/// because they are short are tried below it.
pub(crate) fn check(
    algorithm: Algorithm,
    key: &[u8],
    message: &[u8],
    tag: &[u8],
    tag_len: usize,
) -> Result<bool, Refusal> {
    match symmetric(algorithm, key) {
        Ok(open) => {
            let whole = open.mac(message)?;
            if tag_len == whole.len() {
                return verdict(open.mac_verify(message, tag)?);
            }
            verdict(whole.get(..tag_len) == Some(tag))
        }
        Err(Refusal::Policy(_)) => {
            let whole = SymmetricKey::new(algorithm, key)?.mac(message)?;
            verdict(whole.get(..tag_len) == Some(tag))
        }
        Err(refusal) => Err(refusal),
    }
}

/// `HkdfTest`.
pub fn hkdf(test: &Test<'_>) -> Result<Action, Refusal> {
    let algorithm = match test.algorithm.parse::<Algorithm>() {
        Ok(algorithm) if algorithm.family() == Family::Kdf => algorithm,
        _ => return not_offered(format!("algorithm not offered: {}", test.algorithm)),
    };
    let ikm = test.bytes("ikm")?;
    let salt = test.bytes("salt")?;
    let info = test.bytes("info")?;
    let size = number(test.test, "size").ok_or_else(|| super::unreadable("size"))?;
    let okm = test.bytes("okm")?;
    Ok(Box::new(move || {
        derive(algorithm, &ikm, &salt, &info, size, &okm)
    }))
}

/// Derives and compares; input keys that the product will not take in because
/// they are short are tried below it.
pub(crate) fn derive(
    algorithm: Algorithm,
    ikm: &[u8],
    salt: &[u8],
    info: &[u8],
    size: usize,
    okm: &[u8],
) -> Result<bool, Refusal> {
    let derived = match symmetric(algorithm, ikm) {
        Ok(open) => open.derive(salt, info, size)?,
        Err(_) => SymmetricKey::new(algorithm, ikm)?.derive(salt, info, size)?,
    };
    Ok(derived.expose() == okm)
}
