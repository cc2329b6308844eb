//! AES-GCM, key wrap, CMAC, HMAC and hashes.

use skms_crypto::EncryptOptions;

use super::super::case::{Expect, Refusal, not_offered, verdict};
use super::super::product::{self, Aead, aes, symmetric};
use super::super::wycheproof::mac;
use super::{Prepared, Test};

fn encrypts(test: &Test) -> bool {
    test.text("direction") == Some("encrypt")
}

/// Whether a decryption test has a plaintext, or says it must fail.
fn expect(test: &Test) -> Expect {
    Expect::when(
        test.flag("testPassed")
            .unwrap_or(encrypts(test) || test.has("pt")),
    )
}

/// ACVP-AES-GCM.
pub fn gcm(test: &Test) -> Result<Prepared, Refusal> {
    let key = test.bytes("key")?;
    let algorithm = aes("GCM", key.len())?;
    if test.number("tagLen") != Some(128) {
        return not_offered(format!("{algorithm} with truncated tags"));
    }
    let mut sealed = test.bytes("ct")?;
    sealed.extend(test.bytes("tag")?);
    let aead = Aead {
        algorithm,
        key,
        nonce: test.bytes("iv")?,
        aad: test.bytes_or_empty("aad")?,
        message: test.bytes_or_empty("pt")?,
        sealed,
        expect: expect(test),
    };
    Ok((aead.expect, Box::new(move || aead.run())))
}

/// ACVP-AES-KW and ACVP-AES-KWP.
pub fn wrap(mode: &str, test: &Test) -> Result<Prepared, Refusal> {
    if test.text("kwCipher") == Some("inverse") {
        return not_offered("key wrap with the inverse cipher");
    }
    let kek = test.bytes("key")?;
    let algorithm = aes(mode, kek.len())?;
    let (wrapped, key) = (test.bytes("ct")?, test.bytes_or_empty("pt")?);
    let expect = expect(test);
    Ok((
        expect,
        Box::new(move || {
            let options = EncryptOptions::default();
            let open = symmetric(algorithm, &kek)?;
            let unwrapped = open.unwrap(&wrapped, &options)?;
            let same = unwrapped.expose() == key;
            Ok(same && (expect == Expect::Invalid || open.wrap(&key, &options)? == wrapped))
        }),
    ))
}

/// CMAC-AES.
pub fn cmac(test: &Test) -> Result<Prepared, Refusal> {
    let key = test.bytes("key")?;
    let algorithm = aes("CMAC", key.len())?;
    let (message, tag) = (test.bytes("message")?, test.bytes("mac")?);
    let tag_len = test.number("macLen").map_or(tag.len(), |bits| bits / 8);
    Ok((
        test.expect(),
        Box::new(move || mac::check(algorithm, &key, &message, &tag, tag_len)),
    ))
}

/// HMAC-SHA2-256 and its like.
pub fn hmac(name: &str, test: &Test) -> Result<Prepared, Refusal> {
    let hash = product::hash(name.trim_start_matches("HMAC-"))?;
    let ours = format!("HMAC-{}", hash.name());
    let algorithm = ours.parse().or_else(|_| not_offered(name))?;
    let (key, message, tag) = (test.bytes("key")?, test.bytes("msg")?, test.bytes("mac")?);
    let tag_len = test.number("macLen").map_or(tag.len(), |bits| bits / 8);
    Ok((
        test.expect(),
        Box::new(move || mac::check(algorithm, &key, &message, &tag, tag_len)),
    ))
}

/// SHA2-256, SHA3-256 and their like: whole-byte messages.
pub fn hash(name: &str, test: &Test) -> Result<Prepared, Refusal> {
    let hash = product::hash(name)?;
    if test.text("testType") != Some("AFT") {
        return not_offered("Monte Carlo and large-data tests");
    }
    let (mut message, digest) = (test.bytes("msg")?, test.bytes("md")?);
    match test.number("len") {
        Some(bits) if bits % 8 != 0 => return not_offered("messages of a part of a byte"),
        Some(bits) => message.truncate(bits / 8),
        None => {}
    }
    Ok((
        Expect::Valid,
        Box::new(move || verdict(hash.digest(&message) == digest)),
    ))
}
