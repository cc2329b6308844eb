//! RSA records: signatures, and OAEP with a label.

use skms_crypto::{EncryptOptions, Format, Message, SignOptions, SignatureScheme};

use super::super::case::{Expect, Refusal, not_offered, verdict};
use super::super::product::{hash, private, public, rsa_length, rsa_pkcs1};
use super::super::records::Record;
use super::{File, Prepared, expect, need};

/// `SigVer15*.rsp`, `SigVerPSS*.rsp` and the signing files, whose signatures
/// are verified. The comments say which scheme; a salt that is not empty says
/// PSS where they do not.
pub fn signature(file: &File, record: &Record) -> Result<Prepared, Refusal> {
    let comments = file.comments.to_ascii_uppercase();
    if comments.contains("X9.31") {
        return not_offered("RSA signatures of X9.31");
    }
    let digest = hash(record.text("SHAAlg").unwrap_or_default())?;
    record.section_number("mod").map_or(Ok(()), rsa_length)?;
    let salt = record.text("SaltVal").filter(|salt| *salt != "00");
    let mut options = SignOptions {
        scheme: Some(SignatureScheme::RsaPkcs1v15),
        hash: Some(digest),
        ..SignOptions::default()
    };
    if comments.contains("PSS") || (salt.is_some() && !comments.contains("1.5")) {
        options.scheme = Some(SignatureScheme::RsaPss);
        let stated = comments
            .lines()
            .find_map(|line| line.strip_prefix("SALT LEN:"));
        let stated = stated.and_then(|length| length.trim().parse().ok());
        options.salt_length = stated.or(salt.map(|salt| salt.len() / 2)).or(Some(0));
    }
    let key = rsa_pkcs1(&need(record, "n")?, &need(record, "e")?);
    let (message, signature) = (need(record, "Msg")?, need(record, "S")?);
    Ok((
        expect(record),
        Box::new(move || {
            let key = public(&key, Format::Pkcs1Der, None)?;
            verdict(key.verify(Message::Raw(&message), &signature, &options)?)
        }),
    ))
}

/// Records with a PKCS#8 `KEY`, `OAEPDigest` and `OAEPLabel`; the output is
/// text in quotes, or hex.
pub fn oaep_label(record: &Record) -> Result<Prepared, Refusal> {
    let digest = hash(record.text("OAEPDigest").unwrap_or("SHA1"))?;
    let options = EncryptOptions {
        oaep_hash: Some(digest),
        oaep_mgf_hash: Some(digest),
        ..EncryptOptions::default()
    };
    let key = need(record, "KEY")?;
    let label = record.bytes("OAEPLabel").unwrap_or_default();
    let ciphertext = need(record, "Input")?;
    let output = record.text("Output").unwrap_or_default();
    let quoted = output
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let plaintext = match quoted {
        Some(text) => text.as_bytes().to_vec(),
        None => need(record, "Output")?,
    };
    Ok((
        Expect::Valid,
        Box::new(move || {
            let key = private(&key, Format::Pkcs8Der, None)?;
            Ok(key.decrypt(&ciphertext, &label, &options)?.expose() == plaintext)
        }),
    ))
}
