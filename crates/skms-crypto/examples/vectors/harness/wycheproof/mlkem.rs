//! ML-KEM.

use skms_crypto::{Algorithm, Family, Format, KeyMaterial, raw};

use super::super::case::{Attempt, Refusal, not_offered};
use super::super::product::{private, public};
use super::super::text::string;
use super::{Action, Test, unreadable};

fn algorithm(test: &Test<'_>) -> Result<Algorithm, Refusal> {
    let name = string(test.group, "parameterSet").ok_or_else(|| unreadable("parameterSet"))?;
    match name.parse::<Algorithm>() {
        Ok(algorithm) if algorithm.family() == Family::Kem => Ok(algorithm),
        _ => not_offered(name),
    }
}

/// `MLKEMTest`: a seed, a ciphertext, and what it decapsulates to. A rejected
/// ciphertext decapsulates too, to the stated pseudorandom key.
pub fn decapsulate(test: &Test<'_>) -> Result<Action, Refusal> {
    let algorithm = algorithm(test)?;
    let seed = test.bytes("seed")?;
    let ek = if test.has("ek") {
        Some(test.bytes("ek")?)
    } else {
        None
    };
    let (ciphertext, secret) = (test.bytes("c")?, test.bytes("K")?);
    Ok(Box::new(move || {
        let key = private(&seed, Format::Raw, Some(algorithm))?;
        let found = key.decapsulate(&ciphertext)?;
        let public = key
            .public_key()
            .map(|public| public.export(Format::Raw))
            .transpose()?;
        Ok(found.expose() == secret && (ek.is_none() || public == ek))
    }))
}

/// `MLKEMEncapsTest`: encapsulation with its randomness given.
pub fn encapsulate(test: &Test<'_>) -> Result<Action, Refusal> {
    let algorithm = algorithm(test)?;
    let (ek, message) = (test.bytes("ek")?, test.bytes("m")?);
    let (ciphertext, secret) = (test.bytes("c")?, test.bytes("K")?);
    Ok(Box::new(move || {
        encapsulates_to(algorithm, &ek, &message, &ciphertext, &secret)
    }))
}

/// Encapsulates with `message` as the randomness, and compares. A key that is
/// not one must be refused by the import.
pub(crate) fn encapsulates_to(
    algorithm: Algorithm,
    ek: &[u8],
    message: &[u8],
    ciphertext: &[u8],
    secret: &[u8],
) -> Attempt {
    let key = public(ek, Format::Raw, Some(algorithm))?;
    let (made, shared) = raw::encapsulate(&key, message)?;
    Ok(made == ciphertext && shared.expose() == secret)
}

/// `MLKEMKeyGen`: from the seed to both expanded keys.
pub fn keygen(test: &Test<'_>) -> Result<Action, Refusal> {
    let algorithm = algorithm(test)?;
    let seed = test.bytes("seed")?;
    let (ek, dk) = (test.bytes("ek")?, test.bytes("dk")?);
    Ok(Box::new(move || expands_to(algorithm, &seed, &ek, &dk)))
}

/// Expands a seed and compares both halves.
pub(crate) fn expands_to(algorithm: Algorithm, seed: &[u8], ek: &[u8], dk: &[u8]) -> Attempt {
    let material = KeyMaterial::import(seed, Format::Raw, Some(algorithm), None)?;
    let public = material
        .public_key()?
        .map(|key| key.export(Format::Raw))
        .transpose()?;
    let expanded = raw::expanded_private_key(&material)?;
    Ok(public.as_deref() == Some(ek) && expanded.expose() == dk)
}

/// `MLKEMDecapsValidationTest`: expanded keys, some of them inconsistent.
pub fn decapsulate_expanded(test: &Test<'_>) -> Result<Action, Refusal> {
    let algorithm = algorithm(test)?;
    let (dk, ciphertext) = (test.bytes("dk")?, test.bytes("c")?);
    let secret = test.bytes_or_empty("K")?;
    let ek = test.bytes_or_empty("ek")?;
    Ok(Box::new(move || {
        let key = private(&dk, Format::Raw, Some(algorithm))?;
        let found = key.decapsulate(&ciphertext)?;
        let public = key
            .public_key()
            .map(|public| public.export(Format::Raw))
            .transpose()?;
        Ok(found.expose() == secret && (ek.is_empty() || public == Some(ek)))
    }))
}
