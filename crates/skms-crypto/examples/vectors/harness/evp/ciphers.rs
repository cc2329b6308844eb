//! Symmetric stanzas.

use skms_crypto::{Algorithm, EncryptOptions, Hash};

use super::super::case::{Expect, Refusal, not_offered};
use super::super::cavp::symmetric::wraps;
use super::super::product::{self, Aead, symmetric};
use super::super::text::hex;
use super::super::wycheproof::mac as macs;
use super::{Prepared, Stanza};

/// `Cipher`.
pub fn cipher(name: &str, stanza: &Stanza) -> Result<Prepared, Refusal> {
    let lower = name.to_ascii_lowercase();
    let plain = lower.trim_start_matches("id-").replace("aes-", "aes");
    let parsed = plain
        .strip_prefix("aes")
        .and_then(|rest| rest.split_once('-'));
    let algorithm: Algorithm = match parsed {
        Some((bits, "wrap")) => format!("AES-{bits}-KW").parse()?,
        Some((bits, "wrap-pad")) => format!("AES-{bits}-KWP").parse()?,
        Some((bits, "gcm")) => format!("AES-{bits}-GCM").parse()?,
        Some(("256", "gcm-siv")) => Algorithm::Aes256GcmSiv,
        None if plain == "chacha20-poly1305" => Algorithm::ChaCha20Poly1305,
        _ => return not_offered(format!("cipher {lower}")),
    };
    let key = stanza.bytes("Key")?;
    let plaintext = stanza.bytes("Plaintext")?;
    let ciphertext = stanza.bytes("Ciphertext")?;
    let expect = stanza.expect();
    if lower.contains("wrap") {
        let wrapping = stanza.text("Operation") == Some("ENCRYPT");
        return Ok((
            expect,
            Box::new(move || {
                if wrapping && expect == Expect::Invalid {
                    symmetric(algorithm, &key)?.wrap(&plaintext, &EncryptOptions::default())?;
                    return Ok(false);
                }
                wraps(algorithm, &key, Some(&plaintext), &ciphertext, expect)
            }),
        ));
    }
    let tag = stanza.bytes("Tag")?;
    if tag.len() != 16 {
        return not_offered(format!("{algorithm} with another tag length"));
    }
    let aead = Aead {
        algorithm,
        key,
        nonce: stanza.bytes("IV")?,
        aad: stanza.bytes("AAD")?,
        message: plaintext,
        sealed: [ciphertext, tag].concat(),
        expect,
    };
    Ok((expect, Box::new(move || aead.run())))
}

/// `MAC`.
pub fn mac(name: &str, stanza: &Stanza) -> Result<Prepared, Refusal> {
    let with = stanza.text("Algorithm").unwrap_or_default();
    let key = stanza.bytes("Key")?;
    let algorithm = match name {
        "HMAC" => match product::hash(with)? {
            Hash::Sha256 => Algorithm::HmacSha256,
            Hash::Sha384 => Algorithm::HmacSha384,
            Hash::Sha512 => Algorithm::HmacSha512,
            other => return not_offered(format!("HMAC with {other}")),
        },
        "CMAC" if with.to_ascii_uppercase().starts_with("AES") => product::aes("CMAC", key.len())?,
        _ => return not_offered(format!("MAC {name} {with}")),
    };
    let (message, tag) = (stanza.bytes("Input")?, stanza.bytes("Output")?);
    Ok((
        stanza.expect(),
        Box::new(move || macs::check(algorithm, &key, &message, &tag, tag.len())),
    ))
}

/// `KDF`: HKDF, both steps.
pub fn kdf(name: &str, stanza: &Stanza) -> Result<Prepared, Refusal> {
    let mode = stanza.control("mode").unwrap_or("EXTRACT_AND_EXPAND");
    if name != "HKDF" || mode != "EXTRACT_AND_EXPAND" {
        return not_offered(format!("KDF {name} {mode}"));
    }
    let algorithm = match product::hash(stanza.control("digest").unwrap_or_default())? {
        Hash::Sha256 => Algorithm::HkdfSha256,
        Hash::Sha384 => Algorithm::HkdfSha384,
        Hash::Sha512 => Algorithm::HkdfSha512,
        other => return not_offered(format!("HKDF with {other}")),
    };
    let input = |name: &str| -> Result<Vec<u8>, Refusal> {
        match (stanza.control(&format!("hex{name}")), stanza.control(name)) {
            (Some(text), _) => hex(text)
                .ok_or_else(|| Refusal::Refused(format!("the file's {name} is not readable"))),
            (None, text) => Ok(text.unwrap_or_default().as_bytes().to_vec()),
        }
    };
    let (ikm, salt, info) = (input("key")?, input("salt")?, input("info")?);
    let okm = stanza.bytes("Output")?;
    Ok((
        stanza.expect(),
        Box::new(move || macs::derive(algorithm, &ikm, &salt, &info, okm.len(), &okm)),
    ))
}

/// `Digest`.
pub fn digest(name: &str, stanza: &Stanza) -> Result<Prepared, Refusal> {
    let hash = product::hash(name)?;
    if stanza.text("Count").is_some() || stanza.text("Ncopy").is_some() {
        return not_offered("digests of repeated input");
    }
    let (message, output) = (stanza.bytes("Input")?, stanza.bytes("Output")?);
    Ok((
        stanza.expect(),
        Box::new(move || Ok(hash.digest(&message) == output)),
    ))
}
