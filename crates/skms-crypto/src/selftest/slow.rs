//! RSA, finite-field Diffie-Hellman and SLH-DSA, each before its first use.

use crate::algorithm::Algorithm;
use crate::asymmetric::slhdsa;
use crate::error::Result;
use crate::hash::sha256;
use crate::material::KeyMaterial;
use crate::open::{EncryptOptions, Message, OpenKey, SignOptions, SignatureScheme};

use super::asymmetric::{open, public, sign_and_verify};
use super::{LABEL, MESSAGE, Test, WRONG, counted, demand};

pub(super) const TESTS: &[Test] = &[
    Test {
        name: "RSA-2048",
        run: || rsa(),
        expected: "9b1e449ddd6313df908b51e1f8f1f9ebb3e030c28dac5927b2fc62adca57c99d",
    },
    Test {
        name: "ffdhe2048",
        run: || ffdhe(Algorithm::Ffdhe2048, 256),
        expected: "53b37a098c5882b9f56495d787706d354ac8ebc273e680a7047c70228ce24ad306cd0393695dda3b1414715ea92e7cf8069be0b776c3da68ebfb993b88b7b454",
    },
    Test {
        name: "ffdhe3072",
        run: || ffdhe(Algorithm::Ffdhe3072, 384),
        expected: "5ce6aecb28dab50aef2dd058a154cd16b913aab8e2d8dc2f8dc7a0cd3079b6e586d1a49bff5c5044eff79d0a2bd082f14a8cb0137768442f90cd58143b6d2c4f",
    },
    Test {
        name: "ffdhe4096",
        run: || ffdhe(Algorithm::Ffdhe4096, 512),
        expected: "1d46e247a26f3855c1d0e01b4a689d19d0c093dff1bfd06aa3d6d7e74c6dfe98ca5bd77957499220ed3f4ac5457566fa2c0c525531c43ae7c99f03e34e1a46d1",
    },
    Test {
        name: "SLH-DSA-SHA2-128s",
        run: || slh_dsa(Algorithm::SlhDsaSha2_128s),
        expected: "9d5b69aa74c4939468bae5108568a4d0926f2532c96b0742eda0a7eff4c99c3e06aa80a90a4de508c027bd2f6fba9b6e860b2b7e693bff67a41b0d78557095f2",
    },
    Test {
        name: "SLH-DSA-SHA2-128f",
        run: || slh_dsa(Algorithm::SlhDsaSha2_128f),
        expected: "f577b74987c6313ffa546b8885ca8450c7f427c20f0d9b52d166264016b8beba311a3bf9efa105ddcc8ea06283dd9ca6e18775198bd57e6155613cd14714f9d1",
    },
    Test {
        name: "SLH-DSA-SHA2-192s",
        run: || slh_dsa(Algorithm::SlhDsaSha2_192s),
        expected: "ea0e06991d977e4766be1a49fedf2132dcf7361e36e41e999e1b9d292368574355d3f8fc533e3cf823112ef3d9876e9a7121f304542f8dc92d86d49638d9a766",
    },
    Test {
        name: "SLH-DSA-SHA2-192f",
        run: || slh_dsa(Algorithm::SlhDsaSha2_192f),
        expected: "305951b67f8a79021a7f6ad01ac0e4ecc111f7c8aeb07579741431f1e6cbe9d9578a7ce089f8ccb61cff4b4d2d3959c5251315b210e076a80043e6b450adac41",
    },
    Test {
        name: "SLH-DSA-SHA2-256s",
        run: || slh_dsa(Algorithm::SlhDsaSha2_256s),
        expected: "77bc2592929e69ec3a8546a07b032c8c61db4b1241f89d06821a842e39bb8edd75bf5f723699e8c23f3fb9dee26cbb17b791abdd02e5dfdb9c3e61d35735d59f",
    },
    Test {
        name: "SLH-DSA-SHA2-256f",
        run: || slh_dsa(Algorithm::SlhDsaSha2_256f),
        expected: "6aea562ed5cc1b0883f84bb6e198b32f0a00e62fc96da86efc1b199b4ab09a226ae3781fe24815a2fa2a1a1d82e5a02152e436e4d37afee9e6bc594249f6f2f3",
    },
    Test {
        name: "SLH-DSA-SHAKE-128s",
        run: || slh_dsa(Algorithm::SlhDsaShake128s),
        expected: "00bcf55c114dd213b09d26bf41dbc06a423ca37c5a52d912c0d8a376ca99bf9f95ca068094dff52fe1640630789951eff412ad4c72d957779bd24f4dadaa082d",
    },
    Test {
        name: "SLH-DSA-SHAKE-128f",
        run: || slh_dsa(Algorithm::SlhDsaShake128f),
        expected: "99197c0060fec43eaefd42ebb68848f66cf3b2db814670dee2ac5c37d4aade64df8e83d3e3cb57c06b5c4cbb971f96a524c25d61cf39eee6173d1d676bde2c8e",
    },
    Test {
        name: "SLH-DSA-SHAKE-192s",
        run: || slh_dsa(Algorithm::SlhDsaShake192s),
        expected: "ffb7e28bb0e77087cbbf2ebcb443675845b1641feac49ac4b3245fb7dea60c9ae821c39a26d15bae0102975098048af3441fcb8658c73bac5045b4b033d7dacc",
    },
    Test {
        name: "SLH-DSA-SHAKE-192f",
        run: || slh_dsa(Algorithm::SlhDsaShake192f),
        expected: "9fe0ba0705788e84b64e4b9135e57653f10d86f151fefd650148a345b31dc5a9d504f949299f5efc9108828e5e1b7e79d80aeb368ef027a0f369ad84a1557fbc",
    },
    Test {
        name: "SLH-DSA-SHAKE-256s",
        run: || slh_dsa(Algorithm::SlhDsaShake256s),
        expected: "00080bd75052db3647b01a476d5c3b36b7f8623012c24fb5faac608db02ecef528424b0edd79fb639a77bda0c91877f2cd0097f17f8f4b24d3341c6e7cd7953e",
    },
    Test {
        name: "SLH-DSA-SHAKE-256f",
        run: || slh_dsa(Algorithm::SlhDsaShake256f),
        expected: "dd5905dec5af9c92a466e9bae1935ecdc05a4b714604999effae812b1ce3ae5e82dd61597334413bd04841410440d6bee3d9c445b14296cc003adeb941b9a27d",
    },
];

/// The 2048-bit test stands for the other sizes: the code is one.
fn rsa() -> Result<Vec<u8>> {
    let der = include_bytes!("known/rsa-2048.der");
    let key = OpenKey::open(&KeyMaterial::from_record(Algorithm::Rsa2048, der)?)?;
    let pss = SignOptions::default();
    let known = include_bytes!("known/rsa-2048.pss");
    demand(key.verify(Message::Raw(MESSAGE), known, &pss)?)?;
    demand(!key.verify(Message::Raw(LABEL), known, &pss)?)?;
    sign_and_verify(&key, &pss)?;

    let oaep = EncryptOptions::default();
    let sealed = include_bytes!("known/rsa-2048.oaep");
    demand(key.decrypt(sealed, LABEL, &oaep)?.ct_eq(MESSAGE))?;
    demand(key.decrypt(sealed, MESSAGE, &oaep).is_err())?;
    let own = key.encrypt(MESSAGE, LABEL, &oaep)?;
    demand(key.decrypt(&own, LABEL, &oaep)?.ct_eq(MESSAGE))?;

    let pkcs1 = SignOptions {
        scheme: Some(SignatureScheme::RsaPkcs1v15),
        ..pss
    };
    Ok(sha256(&[&sign_and_verify(&key, &pkcs1)?]).to_vec())
}

/// The hash of a public value, and that of a shared secret.
fn ffdhe(algorithm: Algorithm, len: usize) -> Result<Vec<u8>> {
    let exponent = |start| {
        let mut bytes = vec![0; len - 32];
        bytes.extend_from_slice(&counted::<32>(start));
        open(algorithm, &bytes)
    };
    let (key, peer) = (exponent(1)?, exponent(0x81)?);
    let secret = key.agree(public(&peer)?)?;
    demand(peer.agree(public(&key)?)?.ct_eq(secret.expose()))?;
    let mut answer = sha256(&[&public(&key)?.to_raw()?]).to_vec();
    answer.extend_from_slice(&sha256(&[secret.expose()]));
    Ok(answer)
}

/// The hash of a public key made from counted seeds, and that of its
/// deterministic signature.
fn slh_dsa(algorithm: Algorithm) -> Result<Vec<u8>> {
    let n = slhdsa::n_bytes(algorithm)?;
    let seeds = counted::<96>(0);
    let seed = |index: usize| seeds.get(index * n..(index + 1) * n).ok_or(WRONG);
    let private = slhdsa::from_seeds(algorithm, seed(0)?, seed(1)?, seed(2)?)?;
    let public = slhdsa::public_of(algorithm, private.expose())?;
    let signature = slhdsa::sign_internal(algorithm, private.expose(), &[MESSAGE], None)?;
    demand(slhdsa::verify_internal(
        algorithm,
        &public,
        &[MESSAGE],
        &signature,
    )?)?;
    demand(!slhdsa::verify_internal(
        algorithm,
        &public,
        &[LABEL],
        &signature,
    )?)?;
    let mut answer = sha256(&[&public]).to_vec();
    answer.extend_from_slice(&sha256(&[&signature]));
    Ok(answer)
}
