//! Fuzz targets as plain functions: each takes any bytes and must return.
//!
//! The checks inside are properties that hold for every accepted input: what
//! was read can be written and read again, and is then the same key.

use crate::algorithm::Algorithm;
use crate::formats::Format;
use crate::material::KeyMaterial;
use crate::public::PublicKey;

fn private(data: &[u8], format: Format, expect: Option<Algorithm>) {
    let Ok(key) = KeyMaterial::import(data, format, expect, None) else {
        return;
    };
    let record = key.to_record();
    let again = KeyMaterial::from_record(key.algorithm(), record.expose());
    assert!(again.is_ok_and(|again| again.to_record().ct_eq(record.expose())));
    if key.algorithm().is_symmetric() {
        return;
    }
    let written = key.export(Format::Pkcs8Der, None);
    let back = written.and_then(|der| KeyMaterial::import(der.expose(), Format::Auto, None, None));
    assert!(back.is_ok_and(|back| back.to_record().ct_eq(record.expose())));
    let half = key.public_key();
    assert!(half.is_ok_and(|half| half.is_some()));
}

fn public(data: &[u8], format: Format, expect: Option<Algorithm>) {
    let Ok(key) = PublicKey::import(data, format, expect) else {
        return;
    };
    for format in [Format::SpkiDer, Format::SpkiPem, Format::Jwk, Format::Raw] {
        if let Ok(written) = key.export(format) {
            let back = PublicKey::import(&written, format, Some(key.algorithm()));
            assert!(back.is_ok_and(|back| back == key));
        }
    }
}

/// Any key in any format, private or public.
pub fn import_any(data: &[u8]) {
    private(data, Format::Auto, None);
    public(data, Format::Auto, None);
}

/// PKCS#8, plain or (without its passphrase) encrypted.
pub fn pkcs8(data: &[u8]) {
    private(data, Format::Pkcs8Der, None);
}

/// SubjectPublicKeyInfo.
pub fn spki(data: &[u8]) {
    public(data, Format::SpkiDer, None);
}

/// ECPrivateKey.
pub fn sec1(data: &[u8]) {
    private(data, Format::Sec1Der, None);
}

/// RSAPrivateKey and RSAPublicKey.
pub fn pkcs1(data: &[u8]) {
    private(data, Format::Pkcs1Der, None);
    public(data, Format::Pkcs1Der, None);
}

/// JSON Web Keys.
pub fn jwk(data: &[u8]) {
    private(data, Format::Jwk, None);
    private(data, Format::Jwk, Some(Algorithm::Aes256Gcm));
    public(data, Format::Jwk, None);
}

/// PEM of every label.
pub fn pem(data: &[u8]) {
    for format in [Format::Pkcs8Pem, Format::Sec1Pem, Format::Pkcs1Pem] {
        private(data, format, None);
    }
    for format in [Format::SpkiPem, Format::Pkcs1Pem] {
        public(data, format, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PARSERS: [fn(&[u8]); 7] = [import_any, pkcs8, spki, sec1, pkcs1, jwk, pem];

    /// Real files of several kinds, for altering.
    fn seeds() -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        for algorithm in [
            Algorithm::EcP256,
            Algorithm::Ed25519,
            Algorithm::X25519,
            Algorithm::MlKem512,
            Algorithm::MlDsa44,
            Algorithm::Ffdhe2048,
        ] {
            if !algorithm.is_offered() {
                continue;
            }
            let key = KeyMaterial::generate(algorithm).unwrap();
            let half = key.public_key().unwrap().unwrap();
            for &format in Format::all() {
                if let Ok(written) = key.export(format, None) {
                    seeds.push(written.into_public());
                }
                if let Ok(written) = half.export(format) {
                    seeds.push(written);
                }
            }
        }
        seeds
    }

    #[test]
    fn altered_keys_never_panic() {
        for seed in seeds() {
            for step in 0..24 {
                let at = step * seed.len() / 24;
                let mut bad = seed.clone();
                bad[at] ^= 1 << (step % 8);
                import_any(&bad);
                import_any(&seed[..at]);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn any_bytes_return(data in prop::collection::vec(any::<u8>(), 0..300)) {
            for parser in PARSERS {
                parser(&data);
            }
        }

        #[test]
        fn any_object_returns(data in r#"\{("(kty|crv|alg|k|x|y|d|n|e|pub|priv|use)":"(oct|EC|RSA|OKP|AKP|P-256|Ed25519|ML-DSA-44|AQAB|[A-Za-z0-9_-]{0,50})",){0,8}"z":1\}"#) {
            jwk(data.as_bytes());
            import_any(data.as_bytes());
        }
    }
}
