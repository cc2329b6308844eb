//! AES-GCM, key wrap, HMAC, CMAC and HKDF records.

use skms_crypto::symmetric::SymmetricKey;
use skms_crypto::{Algorithm, EncryptOptions, Hash};

use super::super::case::{Attempt, Expect, Refusal, not_offered};
use super::super::product::{self, Aead, aes, symmetric};
use super::super::records::Record;
use super::super::wycheproof::mac;
use super::{File, Prepared, expect, need};

/// `gcmEncryptExtIV*.rsp` and `gcmDecrypt*.rsp`.
pub fn gcm(record: &Record) -> Result<Prepared, Refusal> {
    let key = need(record, "Key")?;
    let algorithm = aes("GCM", key.len())?;
    let tag = need(record, "Tag")?;
    if tag.len() != 16 {
        return not_offered(format!("{algorithm} with a tag of {} bits", tag.len() * 8));
    }
    let aead = Aead {
        algorithm,
        key,
        nonce: need(record, "IV")?,
        aad: need(record, "AAD")?,
        message: record.bytes("PT").unwrap_or_default(),
        sealed: [need(record, "CT")?, tag].concat(),
        expect: expect(record),
    };
    Ok((aead.expect, Box::new(move || aead.run())))
}

/// Whether any plaintext can only be wrapped with padding.
pub fn pads(records: &[Record]) -> bool {
    records.iter().any(|record| {
        record
            .bytes("P")
            .is_some_and(|plaintext| plaintext.len() < 16 || plaintext.len() % 8 != 0)
    })
}

/// `KW_AE_*.txt`, `KW_AD_*.txt`, `KWP_AE_*.txt`, `KWP_AD_*.txt`. The comments
/// say which; without them, the lengths do, or both are tried: their
/// integrity values differ, so that what is right for one is wrong for the
/// other.
pub fn key_wrap(file: &File, record: &Record) -> Result<Prepared, Refusal> {
    let comments = file.comments.to_ascii_uppercase();
    if comments.contains("TKW") || comments.contains("INVERSE") {
        return not_offered("key wrap with triple DES or with the inverse cipher");
    }
    let padded = comments.contains("KWP");
    let plain = !padded && (comments.contains("KW-A") || comments.contains("KW_A"));
    let modes: &[&str] = match (padded || file.pads, plain) {
        (true, _) => &["KWP"],
        (false, true) => &["KW"],
        (false, false) => &["KW", "KWP"],
    };
    let kek = need(record, "K")?;
    let wrapped = need(record, "C")?;
    let key = record.bytes("P");
    let expect = expect(record);
    let mut algorithms = Vec::new();
    for mode in modes {
        algorithms.push(aes(mode, kek.len())?);
    }
    Ok((
        expect,
        Box::new(move || {
            let mut last = not_offered("no key wrap");
            for algorithm in algorithms {
                last = wraps(algorithm, &kek, key.as_deref(), &wrapped, expect);
                if last.is_ok() {
                    break;
                }
            }
            last
        }),
    ))
}

/// Unwraps, and wraps again where that must succeed.
pub(crate) fn wraps(
    algorithm: Algorithm,
    kek: &[u8],
    key: Option<&[u8]>,
    wrapped: &[u8],
    expect: Expect,
) -> Attempt {
    let options = EncryptOptions::default();
    let open = symmetric(algorithm, kek)?;
    let unwrapped = open.unwrap(wrapped, &options)?;
    let key = key.unwrap_or_default();
    let again = expect == Expect::Invalid || open.wrap(key, &options)? == wrapped;
    Ok(unwrapped.expose() == key && again)
}

/// Botan's records, in a `[KW]` or `[KWP]` section.
pub fn botan(record: &Record) -> Result<Prepared, Refusal> {
    let mode = record.sections.first().map_or("", String::as_str);
    let kek = need(record, "Key")?;
    let algorithm = aes(mode, kek.len())?;
    let (key, wrapped) = (need(record, "Input")?, need(record, "Output")?);
    Ok((
        Expect::Valid,
        Box::new(move || wraps(algorithm, &kek, Some(&key), &wrapped, Expect::Valid)),
    ))
}

/// `HMAC.rsp` and RFC 4231's records.
pub fn hmac(file: &File, record: &Record) -> Result<Prepared, Refusal> {
    let (key, mut message) = (need(record, "Key")?, need(record, "Msg")?);
    let tag = need(record, if record.has("Mac") { "Mac" } else { "MD" })?;
    if file.comments.to_ascii_uppercase().contains("SHA3-") {
        return not_offered("HMAC with SHA-3");
    }
    let algorithm = match record.section_number("L").unwrap_or(tag.len()) {
        32 => Algorithm::HmacSha256,
        48 => Algorithm::HmacSha384,
        64 => Algorithm::HmacSha512,
        bytes => return not_offered(format!("HMAC with a hash of {bytes} bytes")),
    };
    if let Some(bits) = record.number("Len") {
        message.truncate(bits / 8);
    }
    let tag_len = record.number("Tlen").unwrap_or(tag.len());
    Ok((
        expect(record),
        Box::new(move || mac::check(algorithm, &key, &message, &tag, tag_len)),
    ))
}

/// `CMACGenAES*.rsp` and `CMACVerAES*.rsp`, and SP 800-38B's examples.
pub fn cmac(record: &Record) -> Result<Prepared, Refusal> {
    if !record.has("Key") {
        return not_offered("CMAC with triple DES");
    }
    let key = need(record, "Key")?;
    let algorithm = aes("CMAC", key.len())?;
    let short = record.has("MESSAGE");
    let mut message = need(record, if short { "MESSAGE" } else { "Msg" })?;
    let tag = need(record, if short { "OUTPUT" } else { "Mac" })?;
    message.truncate(record.number("Mlen").unwrap_or(message.len()));
    let tag_len = record.number("Tlen").unwrap_or(tag.len());
    Ok((
        expect(record),
        Box::new(move || mac::check(algorithm, &key, &message, &tag, tag_len)),
    ))
}

/// RFC 5869's records. The pseudorandom key in the middle is HMAC of the
/// input key under the salt.
pub fn hkdf(record: &Record) -> Result<Prepared, Refusal> {
    let hash = product::hash(record.text("Hash").unwrap_or_default())?;
    let (hkdf, hmac) = match hash {
        Hash::Sha256 => (Algorithm::HkdfSha256, Algorithm::HmacSha256),
        Hash::Sha384 => (Algorithm::HkdfSha384, Algorithm::HmacSha384),
        Hash::Sha512 => (Algorithm::HkdfSha512, Algorithm::HmacSha512),
        other => return not_offered(format!("HKDF with {other}")),
    };
    let (ikm, okm) = (need(record, "IKM")?, need(record, "OKM")?);
    let salt = record.bytes("salt").unwrap_or_default();
    let info = record.bytes("info").unwrap_or_default();
    let prk = record.bytes("PRK");
    let size = record.number("L").unwrap_or(okm.len());
    Ok((
        Expect::Valid,
        Box::new(move || {
            let salted = if salt.is_empty() {
                vec![0; hash.output_len()]
            } else {
                salt.clone()
            };
            let extracted = SymmetricKey::new(hmac, &salted)?.mac(&ikm)?;
            Ok(mac::derive(hkdf, &ikm, &salt, &info, size, &okm)?
                && prk.is_none_or(|prk| prk == extracted))
        }),
    ))
}
