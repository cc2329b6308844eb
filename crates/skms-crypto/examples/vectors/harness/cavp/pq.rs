//! Known-answer records of ML-DSA and ML-KEM, in the form their submitters
//! gave them.

use skms_crypto::{Algorithm, Format, KeyMaterial, Message, SignOptions, raw};

use super::super::case::{Expect, Refusal, not_offered};
use super::super::product::{private, public};
use super::super::records::Record;
use super::super::wycheproof::mlkem::{encapsulates_to, expands_to};
use super::{Prepared, need};

/// `xi`, `pk`, `sk`, `msg`, `ctx` and `sm`, which is signature and message:
/// deterministic signatures.
pub fn mldsa(record: &Record) -> Result<Prepared, Refusal> {
    let (seed, pk, sk) = (
        need(record, "xi")?,
        need(record, "pk")?,
        need(record, "sk")?,
    );
    let algorithm = match pk.len() {
        1312 => Algorithm::MlDsa44,
        1952 => Algorithm::MlDsa65,
        2592 => Algorithm::MlDsa87,
        other => return not_offered(format!("ML-DSA with a public key of {other} bytes")),
    };
    let (message, signed) = (need(record, "msg")?, need(record, "sm")?);
    let context = record.bytes("ctx").unwrap_or_default();
    Ok((
        Expect::Valid,
        Box::new(move || {
            let material = KeyMaterial::import(&seed, Format::Raw, Some(algorithm), None)?;
            let half = material
                .public_key()?
                .map(|key| key.export(Format::Raw))
                .transpose()?;
            let expanded = raw::expanded_private_key(&material)?;
            if half.as_deref() != Some(&pk[..]) || expanded.expose() != sk {
                return Ok(false);
            }
            let Some(signature) = signed.strip_suffix(&message[..]) else {
                return Ok(false);
            };
            let length = u8::try_from(context.len()).unwrap_or(u8::MAX);
            let encoded = [&[0, length][..], &context, &message].concat();
            let made = raw::mldsa_sign_internal(&material, &encoded, &[0; 32])?;
            let options = SignOptions {
                context,
                ..SignOptions::default()
            };
            let key = public(&pk, Format::Raw, Some(algorithm))?;
            Ok(made == signature && key.verify(Message::Raw(&message), signature, &options)?)
        }),
    ))
}

/// `d`, `z`, `pk`, `sk`, `msg`, `ct`, `ss`, and `ct_n`, `ss_n` for implicit
/// rejection.
pub fn mlkem(record: &Record) -> Result<Prepared, Refusal> {
    let seed = [need(record, "d")?, need(record, "z")?].concat();
    let (pk, sk) = (need(record, "pk")?, need(record, "sk")?);
    let algorithm = match pk.len() {
        800 => Algorithm::MlKem512,
        1184 => Algorithm::MlKem768,
        1568 => Algorithm::MlKem1024,
        other => return not_offered(format!("ML-KEM with a public key of {other} bytes")),
    };
    let (message, ct, ss) = (
        need(record, "msg")?,
        need(record, "ct")?,
        need(record, "ss")?,
    );
    let rejected = record.bytes("ct_n").zip(record.bytes("ss_n"));
    Ok((
        Expect::Valid,
        Box::new(move || {
            let key = private(&seed, Format::Raw, Some(algorithm))?;
            let mut good = expands_to(algorithm, &seed, &pk, &sk)?
                && encapsulates_to(algorithm, &pk, &message, &ct, &ss)?
                && key.decapsulate(&ct)?.expose() == ss;
            if let Some((ct, ss)) = rejected {
                good &= key.decapsulate(&ct)?.expose() == ss;
            }
            Ok(good)
        }),
    ))
}
