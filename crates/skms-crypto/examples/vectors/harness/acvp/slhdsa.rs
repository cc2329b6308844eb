//! SLH-DSA (FIPS 205): the internal interface, and the external ones.

use skms_crypto::{Algorithm, Family, Format, KeyMaterial, Message, SignOptions, raw};

use super::super::case::{Attempt, Expect, Refusal, not_offered, verdict};
use super::super::product::public;
use super::{Prepared, Test};

fn algorithm(test: &Test) -> Result<Algorithm, Refusal> {
    let name = test.text("parameterSet").unwrap_or_default();
    match name.parse::<Algorithm>() {
        Ok(algorithm) if algorithm.family() == Family::SlhDsa => Ok(algorithm),
        _ => not_offered(format!("parameter set {name}")),
    }
}

/// keyGen: from the three seeds to both keys, which must also import.
pub fn keygen(test: &Test) -> Result<Prepared, Refusal> {
    let algorithm = algorithm(test)?;
    let (seed, prf) = (test.bytes("skSeed")?, test.bytes("skPrf")?);
    let public_seed = test.bytes("pkSeed")?;
    let (secret, public_key) = (test.bytes("sk")?, test.bytes("pk")?);
    Ok((
        Expect::Valid,
        Box::new(move || {
            let made = raw::slhdsa_keygen(algorithm, &seed, &prf, &public_seed)?;
            let material = KeyMaterial::import(&secret, Format::Raw, Some(algorithm), None)?;
            let half = material
                .public_key()?
                .map(|key| key.export(Format::Raw))
                .transpose()?;
            Ok(made.expose() == secret && half == Some(public_key))
        }),
    ))
}

/// sigGen: the signature is compared.
pub fn sign(test: &Test) -> Result<Prepared, Refusal> {
    let algorithm = algorithm(test)?;
    let (secret, signature) = (test.bytes("sk")?, test.bytes("signature")?);
    // FIPS 205, algorithm 19: deterministic signing takes PK.seed as opt_rand,
    // which is what the library does when it is given none.
    let randomness = match test.flag("deterministic") {
        Some(false) => Some(test.bytes("additionalRandomness")?),
        _ => None,
    };
    let message = internal_message(test)?;
    Ok((
        Expect::Valid,
        Box::new(move || {
            let made =
                raw::slhdsa_sign_internal(algorithm, &secret, &message, randomness.as_deref())?;
            Ok(made == signature)
        }),
    ))
}

/// sigVer. The pure external interface is the product's own.
pub fn verify(test: &Test) -> Result<Prepared, Refusal> {
    let algorithm = algorithm(test)?;
    let (key, signature) = (test.bytes("pk")?, test.bytes("signature")?);
    let external = test.text("signatureInterface") == Some("external");
    if external && test.text("preHash") != Some("preHash") {
        let (message, context) = (test.bytes("message")?, test.bytes_or_empty("context")?);
        return Ok((
            test.expect(),
            Box::new(move || verify_external(algorithm, &key, &message, &signature, context)),
        ));
    }
    let message = internal_message(test)?;
    Ok((
        test.expect(),
        Box::new(move || {
            verdict(raw::slhdsa_verify_internal(
                algorithm, &key, &message, &signature,
            )?)
        }),
    ))
}

fn verify_external(
    algorithm: Algorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
    context: Vec<u8>,
) -> Attempt {
    let key = public(key, Format::Raw, Some(algorithm))?;
    let options = SignOptions {
        context,
        ..SignOptions::default()
    };
    verdict(key.verify(Message::Raw(message), signature, &options)?)
}

/// What the internal functions sign: the message itself, or what the external
/// interface makes of it (FIPS 205, algorithms 22 and 23).
fn internal_message(test: &Test) -> Result<Vec<u8>, Refusal> {
    let message = test.bytes("message")?;
    if test.text("signatureInterface") != Some("external") {
        return Ok(message);
    }
    let context = test.bytes_or_empty("context")?;
    framed(test, &context, message)
}

/// The external interface's framing, shared by FIPS 204 and FIPS 205.
pub(super) fn framed(test: &Test, context: &[u8], message: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    let Ok(length) = u8::try_from(context.len()) else {
        return Err(Refusal::Refused("context over 255 bytes".to_owned()));
    };
    let hashed = test.text("preHash") == Some("preHash");
    let mut out = vec![u8::from(hashed), length];
    out.extend_from_slice(context);
    if hashed {
        let hash = test.hash("hashAlg")?;
        let Some(arc) = nist_hash_arc(hash) else {
            return not_offered(format!("pre-hash {hash}"));
        };
        // 2.16.840.1.101.3.4.2.arc, as DER.
        out.extend_from_slice(&[
            0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc,
        ]);
        out.extend(hash.digest(&message));
    } else {
        out.extend(message);
    }
    Ok(out)
}

fn nist_hash_arc(hash: skms_crypto::Hash) -> Option<u8> {
    use skms_crypto::Hash;
    match hash {
        Hash::Sha256 => Some(1),
        Hash::Sha384 => Some(2),
        Hash::Sha512 => Some(3),
        Hash::Sha512_256 => Some(6),
        Hash::Sha3_256 => Some(8),
        Hash::Sha3_384 => Some(9),
        Hash::Sha3_512 => Some(10),
        _ => None,
    }
}
