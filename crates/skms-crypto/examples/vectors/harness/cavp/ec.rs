//! Elliptic-curve records: key pairs, public keys, ECDSA and ECDH.

use skms_crypto::{Algorithm, EcdsaEncoding, Format, Hash, Message, SignOptions};

use super::super::case::{Expect, Refusal, not_offered, verdict};
use super::super::product::{self, curve, ec_spki, private, public, sec1};
use super::super::records::Record;
use super::super::text::fixed;
use super::super::wycheproof::agreement::agree as agrees;
use super::{Prepared, expect, need};

/// The hash of a signature file. Those of FIPS 186-2 name none: it is SHA-1.
fn signature_parameters(record: &Record) -> Result<(Algorithm, usize, Hash), Refusal> {
    let (algorithm, len, named) = parameters(record)?;
    let hash = named.map_or_else(|| product::hash("SHA-1"), Ok)?;
    Ok((algorithm, len, hash))
}

/// The section `[P-256]` or `[P-256,SHA-256]`.
fn parameters(record: &Record) -> Result<(Algorithm, usize, Option<Hash>), Refusal> {
    // Where several sections stand together, only one names a curve.
    let mut found = None;
    for section in &record.sections {
        let mut words = section.split(',').map(str::trim);
        let name = words.next().unwrap_or_default();
        match curve(name) {
            Ok((algorithm, len)) => {
                let hash = words.next().map(product::hash).transpose()?;
                return Ok((algorithm, len, hash));
            }
            Err(refusal) => found = found.or(Some(refusal)),
        }
    }
    found.map_or_else(|| not_offered("no curve given"), Err)
}

/// A number of the curve's length; one that is longer stays longer, so that
/// the library has to refuse it.
fn number(record: &Record, field: &str, len: usize) -> Result<Vec<u8>, Refusal> {
    let bytes = need(record, field)?;
    Ok(fixed(&bytes, len).unwrap_or(bytes))
}

/// `KeyPair.rsp`: the public point of a private scalar.
pub fn key_pair(record: &Record) -> Result<Prepared, Refusal> {
    let (algorithm, len, _) = parameters(record)?;
    let secret = sec1(algorithm, &number(record, "d", len)?);
    let spki = ec_spki(
        algorithm,
        &number(record, "Qx", len)?,
        &number(record, "Qy", len)?,
    );
    Ok((
        Expect::Valid,
        Box::new(move || {
            let key = private(&secret, Format::Sec1Der, Some(algorithm))?;
            let stated = public(&spki, Format::SpkiDer, Some(algorithm))?;
            Ok(key
                .public_key()
                .is_some_and(|key| key.spki_der() == stated.spki_der()))
        }),
    ))
}

/// `PKV.rsp`: whether a point is on its curve.
pub fn public_key(record: &Record) -> Result<Prepared, Refusal> {
    let (algorithm, len, _) = parameters(record)?;
    let spki = ec_spki(
        algorithm,
        &number(record, "Qx", len)?,
        &number(record, "Qy", len)?,
    );
    Ok((
        expect(record),
        Box::new(move || public(&spki, Format::SpkiDer, Some(algorithm)).map(|_| true)),
    ))
}

fn signature(record: &Record, len: usize) -> Result<Vec<u8>, Refusal> {
    Ok([number(record, "R", len)?, number(record, "S", len)?].concat())
}

fn options(hash: Hash) -> SignOptions {
    SignOptions {
        hash: Some(hash),
        encoding: EcdsaEncoding::P1363,
        ..SignOptions::default()
    }
}

/// `SigGen.txt`. Nonces are random here, so the stated signature is verified,
/// and so is one made with the private scalar.
pub fn sign(record: &Record) -> Result<Prepared, Refusal> {
    let (algorithm, len, hash) = signature_parameters(record)?;
    let secret = sec1(algorithm, &number(record, "d", len)?);
    let spki = ec_spki(
        algorithm,
        &number(record, "Qx", len)?,
        &number(record, "Qy", len)?,
    );
    let message = need(record, "Msg")?;
    let stated = signature(record, len)?;
    let options = options(hash);
    Ok((
        Expect::Valid,
        Box::new(move || {
            let key = private(&secret, Format::Sec1Der, Some(algorithm))?;
            let public = public(&spki, Format::SpkiDer, Some(algorithm))?;
            let made = key.sign(Message::Raw(&message), &options)?;
            Ok(public.verify(Message::Raw(&message), &stated, &options)?
                && public.verify(Message::Raw(&message), &made, &options)?)
        }),
    ))
}

/// `SigVer.rsp`.
pub fn verify(record: &Record) -> Result<Prepared, Refusal> {
    let (algorithm, len, hash) = signature_parameters(record)?;
    let spki = ec_spki(
        algorithm,
        &number(record, "Qx", len)?,
        &number(record, "Qy", len)?,
    );
    let message = need(record, "Msg")?;
    let signature = signature(record, len)?;
    let options = options(hash);
    Ok((
        expect(record),
        Box::new(move || {
            let key = public(&spki, Format::SpkiDer, Some(algorithm))?;
            verdict(key.verify(Message::Raw(&message), &signature, &options)?)
        }),
    ))
}

/// `KAS_ECC_CDH_PrimitiveTest.txt`.
pub fn agree(record: &Record) -> Result<Prepared, Refusal> {
    let (algorithm, len, _) = parameters(record)?;
    let ours = (
        sec1(algorithm, &number(record, "dIUT", len)?),
        Format::Sec1Der,
    );
    let theirs = ec_spki(
        algorithm,
        &number(record, "QCAVSx", len)?,
        &number(record, "QCAVSy", len)?,
    );
    let shared = number(record, "ZIUT", len)?;
    Ok((
        Expect::Valid,
        Box::new(move || agrees(algorithm, ours, (theirs, Format::SpkiDer), &shared)),
    ))
}
