//! ML-KEM (FIPS 203).

use skms_crypto::{Algorithm, Family, Format};

use super::super::case::{Expect, Refusal, not_offered};
use super::super::product::{private, public};
use super::super::wycheproof::mlkem::{encapsulates_to, expands_to};
use super::{Prepared, Test};

fn algorithm(test: &Test) -> Result<Algorithm, Refusal> {
    let name = test.text("parameterSet").unwrap_or_default();
    match name.parse::<Algorithm>() {
        Ok(algorithm) if algorithm.family() == Family::Kem => Ok(algorithm),
        _ => not_offered(format!("parameter set {name}")),
    }
}

/// keyGen: d and z are the seed.
pub fn keygen(test: &Test) -> Result<Prepared, Refusal> {
    let algorithm = algorithm(test)?;
    let mut seed = test.bytes("d")?;
    seed.extend(test.bytes("z")?);
    let (ek, dk) = (test.bytes("ek")?, test.bytes("dk")?);
    Ok((
        Expect::Valid,
        Box::new(move || expands_to(algorithm, &seed, &ek, &dk)),
    ))
}

/// encapDecap, with its four functions.
pub fn encap_decap(test: &Test) -> Result<Prepared, Refusal> {
    let algorithm = algorithm(test)?;
    match test.text("function") {
        Some("encapsulation") => {
            let (ek, message) = (test.bytes("ek")?, test.bytes("m")?);
            let (ciphertext, secret) = (test.bytes("c")?, test.bytes("k")?);
            Ok((
                Expect::Valid,
                Box::new(move || encapsulates_to(algorithm, &ek, &message, &ciphertext, &secret)),
            ))
        }
        Some("decapsulation") => {
            let (dk, ciphertext) = (test.bytes("dk")?, test.bytes("c")?);
            let secret = test.bytes("k")?;
            Ok((
                Expect::Valid,
                Box::new(move || {
                    let key = private(&dk, Format::Raw, Some(algorithm))?;
                    Ok(key.decapsulate(&ciphertext)?.expose() == secret)
                }),
            ))
        }
        Some("encapsulationKeyCheck") => {
            let key = test.bytes("ek")?;
            Ok((
                test.expect(),
                Box::new(move || public(&key, Format::Raw, Some(algorithm)).map(|_| true)),
            ))
        }
        Some("decapsulationKeyCheck") => {
            let key = test.bytes("dk")?;
            Ok((
                test.expect(),
                Box::new(move || private(&key, Format::Raw, Some(algorithm)).map(|_| true)),
            ))
        }
        other => not_offered(format!("function {other:?}")),
    }
}
