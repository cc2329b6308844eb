//! Authenticated encryption and key wrap.

use skms_crypto::{Algorithm, EncryptOptions};

use super::super::case::{Expect, Refusal, not_offered};
use super::super::product::{Aead, aes, refused_by_all, symmetric};
use super::super::text::number;
use super::{Action, Test};

/// `AeadTest`.
pub fn aead(test: &Test<'_>) -> Result<Action, Refusal> {
    let key = test.bytes("key")?;
    let mut sealed = test.bytes("ct")?;
    sealed.extend(test.bytes("tag")?);
    let Some(algorithm) = algorithm(test, key.len())? else {
        return Ok(Box::new(move || refused_by_all("GCM", &key)));
    };
    if !number(test.group, "tagSize").is_none_or(|bits| tag_offered(algorithm, bits)) {
        return not_offered(format!("{algorithm} with another tag length"));
    }
    let aead = Aead {
        algorithm,
        key,
        nonce: test.bytes("iv")?,
        aad: test.bytes("aad")?,
        message: test.bytes("msg")?,
        sealed,
        expect: test.expect,
    };
    Ok(Box::new(move || aead.run()))
}

fn tag_offered(algorithm: Algorithm, bits: usize) -> bool {
    match algorithm {
        Algorithm::A256CbcHs512 => bits == 256,
        _ => bits == 128,
    }
}

fn algorithm(test: &Test<'_>, key_len: usize) -> Result<Option<Algorithm>, Refusal> {
    let found = match test.algorithm {
        "AES-GCM" => aes("GCM", key_len),
        "AES-GCM-SIV" => aes("GCM-SIV", key_len),
        "CHACHA20-POLY1305" => Ok(Algorithm::ChaCha20Poly1305),
        "XCHACHA20-POLY1305" => Ok(Algorithm::XChaCha20Poly1305),
        "XAES-256-GCM" => Ok(Algorithm::Xaes256Gcm),
        "A256CBC-HS512" => Ok(Algorithm::A256CbcHs512),
        name => not_offered(format!("algorithm not offered: {name}")),
    };
    or_impossible(found, test, key_len)
}

/// `AES-GCM-SIV` with 128 bits is a thing this library lacks; AES with 72
/// bits is no thing at all, and must be refused.
pub(super) fn or_impossible(
    found: Result<Algorithm, Refusal>,
    test: &Test<'_>,
    key_len: usize,
) -> Result<Option<Algorithm>, Refusal> {
    match found {
        Ok(algorithm) => Ok(Some(algorithm)),
        Err(_) if test.expect == Expect::Invalid && !matches!(key_len, 16 | 24 | 32) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// `KeywrapTest`: both are deterministic, so wrapping is compared as well.
pub fn keywrap(test: &Test<'_>) -> Result<Action, Refusal> {
    let mode = match test.algorithm {
        "AES-WRAP" | "AES-KW" => "KW",
        "AES-KWP" => "KWP",
        name => return not_offered(format!("algorithm not offered: {name}")),
    };
    let kek = test.bytes("key")?;
    let key = test.bytes("msg")?;
    let wrapped = test.bytes("ct")?;
    let Some(algorithm) = or_impossible(aes(mode, kek.len()), test, kek.len())? else {
        return Ok(Box::new(move || refused_by_all(mode, &kek)));
    };
    let expect = test.expect;
    Ok(Box::new(move || {
        let options = EncryptOptions::default();
        let open = symmetric(algorithm, &kek)?;
        let unwrapped = open.unwrap(&wrapped, &options)?;
        if expect == Expect::Invalid {
            return Ok(false);
        }
        let again = open.wrap(&key, &options)?;
        Ok(unwrapped.expose() == key && again == wrapped)
    }))
}
