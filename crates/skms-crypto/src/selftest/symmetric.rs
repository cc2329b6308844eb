//! Ciphers, key wraps, codes, derivations and hashes.

use crate::algorithm::Algorithm;
use crate::error::Result;
use crate::hash::Hash;
use crate::passphrase::Argon2id;
use crate::symmetric::SymmetricKey;

use super::{LABEL, MESSAGE, Test, WRONG, counted, demand};

pub(super) const TESTS: &[Test] = &[
    Test {
        name: "AES-128-GCM",
        run: || cipher(Algorithm::Aes128Gcm),
        expected: "4a4204b94d2097dffbd7637e90540a9d3e6e680a1af02988a3cbd76749d445cff7",
    },
    Test {
        name: "AES-192-GCM",
        run: || cipher(Algorithm::Aes192Gcm),
        expected: "55673109b13c36da9a7da5dd3340640ffa168928e65e4ce2ce73b1722e5f12d922",
    },
    Test {
        name: "AES-256-GCM",
        run: || cipher(Algorithm::Aes256Gcm),
        expected: "91d2c3500657e96cbaaa3757f517643e0bf0a12c8765ccb728e683e483092c1d42",
    },
    Test {
        name: "XAES-256-GCM",
        run: || cipher(Algorithm::Xaes256Gcm),
        expected: "0daa2ba0c0980b164ec803ecd0499f8b4275a3307e3fc61cece62b016023ef75c5",
    },
    Test {
        name: "AES-256-GCM-SIV",
        run: || cipher(Algorithm::Aes256GcmSiv),
        expected: "eb2457bf1afe04f2a171c5c60a20a7fedb75177d34f97624be5850c4ee25a41acf",
    },
    Test {
        name: "ChaCha20-Poly1305",
        run: || cipher(Algorithm::ChaCha20Poly1305),
        expected: "8b3f11f25221806e2fa1d661d59c1aa8c6036b3e686bd5e4803982d50ad282541b",
    },
    Test {
        name: "XChaCha20-Poly1305",
        run: || cipher(Algorithm::XChaCha20Poly1305),
        expected: "a7526803f08b1779f89aa7dfc1ef12f7e0e3f0b94aa442104cf333a08dd1c1af10",
    },
    Test {
        name: "A256CBC-HS512",
        run: || cipher(Algorithm::A256CbcHs512),
        expected: "39cd323565eb7489819b7997abb49d187ac662b0e205d58de90f51c51b47881817bb651c0ae194a4051162a1e32cfe79641d38d6cb1687f54bb52a7c7ce65ff9",
    },
    Test {
        name: "AES-128-KW",
        run: || wrap(Algorithm::Aes128Kw, &counted::<16>(0x80)),
        expected: "a34bfb2e62d85aa787eeb4074f38a7f0ff55aba1dddc3973",
    },
    Test {
        name: "AES-192-KW",
        run: || wrap(Algorithm::Aes192Kw, &counted::<16>(0x80)),
        expected: "b8e32705174cbdf08738791e3caf46f14984793218875c12",
    },
    Test {
        name: "AES-256-KW",
        run: || wrap(Algorithm::Aes256Kw, &counted::<16>(0x80)),
        expected: "e00eb04aa60826b26483901e212b48727383741b858bd1ce",
    },
    Test {
        name: "AES-128-KWP",
        run: || wrap(Algorithm::Aes128Kwp, MESSAGE),
        expected: "fc0e757240ed476b7a9e0b44edf71a19efb5a4582795b9bd77cdf08d6f78bd85",
    },
    Test {
        name: "AES-192-KWP",
        run: || wrap(Algorithm::Aes192Kwp, MESSAGE),
        expected: "24c6d990ff4e4d9fee87ec26de1d16dc0000f5b17d37013aec22ccb35e4d6b47",
    },
    Test {
        name: "AES-256-KWP",
        run: || wrap(Algorithm::Aes256Kwp, MESSAGE),
        expected: "db0f558dbb2a0d5a0528de45f66f77096bed26f735fd7eaa2c8821ad7cc31c84",
    },
    Test {
        name: "HMAC-SHA-256",
        run: || code(Algorithm::HmacSha256),
        expected: "9e6a37b876850feefdb8a47f07fd265cacf5cc31d0244c081709ab133d9eb7c4",
    },
    Test {
        name: "HMAC-SHA-384",
        run: || code(Algorithm::HmacSha384),
        expected: "0f65c26747c120b45aa19cf85394a6225e9ed9f531cae3d663c23df7e42b5c4ac88e7d1d3d0c503199a7111725422f52",
    },
    Test {
        name: "HMAC-SHA-512",
        run: || code(Algorithm::HmacSha512),
        expected: "d8eb313b1d2b5a6a3d63e66e39159f2b364e57b3602456589f06d9469fc08d09587aedd8d51c1cf1094daf97f6a80514586a1b427dce4d005206f4bd97bb5d2e",
    },
    Test {
        name: "AES-128-CMAC",
        run: || code(Algorithm::Aes128Cmac),
        expected: "14e28f52ff1f1d3a225c4cddd96f4357",
    },
    Test {
        name: "AES-256-CMAC",
        run: || code(Algorithm::Aes256Cmac),
        expected: "d28f969a40f22f4c8ca04984c31648b1",
    },
    Test {
        name: "HKDF-SHA-256",
        run: || derived(Algorithm::HkdfSha256),
        expected: "afdc7c7c96a738561037a675523523eb6437dbde30ec2fb5d45c28fb0b24d47f2cce1776ec5106b9d27a",
    },
    Test {
        name: "HKDF-SHA-384",
        run: || derived(Algorithm::HkdfSha384),
        expected: "da3532332f98bc520854f087ad936a7733f7559ec7a7a84800be04af1876d73892e4ba02ea7007d18fa6",
    },
    Test {
        name: "HKDF-SHA-512",
        run: || derived(Algorithm::HkdfSha512),
        expected: "d3dab6b369a07d857014874fd817247c5e318ba986ad9af80ee7c4e4785bad4c63389633ad5c1bc55252",
    },
    Test {
        name: "SHA-256",
        run: || Ok(Hash::Sha256.digest(MESSAGE)),
        expected: "0a2f62ea84e4c644725a6835faf59c92cafa42d331198b482359d922dbf1b043",
    },
    Test {
        name: "SHA-384",
        run: || Ok(Hash::Sha384.digest(MESSAGE)),
        expected: "8a270b9818cfab6c848c75eecea62fbd727b13bce3dd7ddc27193e97bcbf29d994cc4335bfcc5b19ff2d105fae6bcdde",
    },
    Test {
        name: "SHA-512",
        run: || Ok(Hash::Sha512.digest(MESSAGE)),
        expected: "f57ed105f07a7e1c71bc4ebeeb7828e05dbcbfcc316d368c165f630098c4566c8d8f041a6ec3fc6eb238a5954790ca194e9bc00f9aff156d34073010fa6dc8ae",
    },
    Test {
        name: "SHA-512/256",
        run: || Ok(Hash::Sha512_256.digest(MESSAGE)),
        expected: "a1233c7a3cac527ce440bfef24eb981f77fc39d61381d34a151cb00dd5ba5c56",
    },
    Test {
        name: "SHA3-256",
        run: || Ok(Hash::Sha3_256.digest(MESSAGE)),
        expected: "64dc09ce56bbdfee3ce4779c6057d22de782e81b8eae9b548869d8692ba016d8",
    },
    Test {
        name: "SHA3-384",
        run: || Ok(Hash::Sha3_384.digest(MESSAGE)),
        expected: "8b6c2799f8c3331c64a54e69685329b4f03250861d104dc2292b008236a83ca63f11a676acfb522316d9130ebd07789c",
    },
    Test {
        name: "SHA3-512",
        run: || Ok(Hash::Sha3_512.digest(MESSAGE)),
        expected: "3a5c9e2f04d0ba7518591ce35277764fb6b9cb0c6a9dfbe672d8b1640736306b38bbd36ca95521b695eaa6329c9cc8a610f11762ae5de50ee0cc0e47094e08e1",
    },
    Test {
        name: "Argon2id",
        run: || stretched(),
        expected: "0af4baff167379967ae02120f35a3e1aef758d07490d35598b4532fbd0be5abd",
    },
];

fn key(algorithm: Algorithm) -> Result<SymmetricKey> {
    let len = algorithm.row().key_bytes.ok_or(WRONG)?;
    let bytes = counted::<64>(0);
    SymmetricKey::new(algorithm, bytes.get(..len).ok_or(WRONG)?)
}

/// Seals, opens, and sees an altered ciphertext refused.
fn cipher(algorithm: Algorithm) -> Result<Vec<u8>> {
    let key = key(algorithm)?;
    let nonce_len = match algorithm {
        Algorithm::Xaes256Gcm | Algorithm::XChaCha20Poly1305 => 24,
        Algorithm::A256CbcHs512 => 16,
        _ => 12,
    };
    let nonce = counted::<24>(0x40);
    let nonce = nonce.get(..nonce_len).ok_or(WRONG)?;
    let sealed = key.answer(nonce, MESSAGE, LABEL)?;
    demand(key.decrypt(&sealed, LABEL)?.ct_eq(MESSAGE))?;
    let mut altered = sealed.clone();
    *altered.last_mut().ok_or(WRONG)? ^= 1;
    demand(key.decrypt(&altered, LABEL).is_err())?;
    Ok(sealed.get(nonce_len..).ok_or(WRONG)?.to_vec())
}

/// Wraps, unwraps, and sees an altered wrapping refused.
fn wrap(algorithm: Algorithm, inner: &[u8]) -> Result<Vec<u8>> {
    let key = key(algorithm)?;
    let wrapped = key.wrap(inner)?;
    demand(key.unwrap(&wrapped)?.ct_eq(inner))?;
    let mut altered = wrapped.clone();
    *altered.last_mut().ok_or(WRONG)? ^= 1;
    demand(key.unwrap(&altered).is_err())?;
    Ok(wrapped)
}

fn code(algorithm: Algorithm) -> Result<Vec<u8>> {
    let key = key(algorithm)?;
    let code = key.mac(MESSAGE)?;
    demand(key.mac_verify(MESSAGE, &code)?)?;
    demand(!key.mac_verify(LABEL, &code)?)?;
    Ok(code)
}

fn derived(algorithm: Algorithm) -> Result<Vec<u8>> {
    // A known answer over public inputs is no secret.
    key(algorithm)?
        .derive(LABEL, MESSAGE, 42)
        .map(crate::SecretBytes::into_public)
}

fn stretched() -> Result<Vec<u8>> {
    let cost = Argon2id {
        memory_kib: 64,
        iterations: 2,
        parallelism: 2,
    };
    let key = cost.derive(MESSAGE, &counted::<16>(0x40))?;
    Ok(key.expose().to_vec())
}
