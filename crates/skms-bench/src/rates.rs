//! How often the cryptographic library does each thing on one thread: what no
//! server on it can pass for each core.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ML_DSA_65_SIGNING,
    PqdsaKeyPair, RSA_PSS_SHA256, RsaKeyPair,
};

use crate::Result;

/// Prints one line for each: its name and how often a second.
///
/// # Errors
/// The library refuses a key of its own, which it does not.
pub fn run(arguments: &[String]) -> Result {
    let seconds = match arguments {
        [] => 1.0,
        [flag, number] if flag == "--seconds" => number.parse()?,
        _ => return Err("usage: skms-bench rates [--seconds N]".into()),
    };
    let time = Duration::try_from_secs_f64(seconds)?;
    let message = [7; 32];
    let random = SystemRandom::new();

    let ecdsa = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    report("sign-p256", time, || {
        ecdsa
            .sign(&random, &message)
            .is_ok_and(|s| !black_box(s).as_ref().is_empty())
    })?;
    let ed25519 = Ed25519KeyPair::generate()?;
    report("sign-ed25519", time, || {
        !black_box(ed25519.sign(&message)).as_ref().is_empty()
    })?;
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let mut signature = vec![0; rsa.public_modulus_len()];
    report("sign-rsa2048", time, || {
        rsa.sign(&RSA_PSS_SHA256, &random, &message, &mut signature)
            .is_ok()
    })?;
    let mldsa = PqdsaKeyPair::generate(&ML_DSA_65_SIGNING)?;
    let mut signature = vec![0; ML_DSA_65_SIGNING.signature_len()];
    report("sign-mldsa65", time, || {
        mldsa.sign(&message, &mut signature).is_ok()
    })?;
    report("create-rsa2048", time * 4, || {
        RsaKeyPair::generate(KeySize::Rsa2048)
            .is_ok_and(|key| !black_box(key.public_key().as_ref()).is_empty())
    })
}

fn report(name: &str, time: Duration, mut once: impl FnMut() -> bool) -> Result {
    let (start, mut count) = (Instant::now(), 0u32);
    while start.elapsed() < time {
        if !once() {
            return Err(format!("{name} failed").into());
        }
        count += 1;
    }
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    println!("rate {name} {rate:.1}");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_rate_is_measured() {
        let words = ["--seconds", "0.001"].map(str::to_owned);
        super::run(&words).unwrap();
        assert!(super::run(&["--minutes".to_owned()]).is_err());
    }
}
