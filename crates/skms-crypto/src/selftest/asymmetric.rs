//! Curves, lattices and X-Wing.

use crate::algorithm::Algorithm;
use crate::error::Result;
use crate::formats::Format;
use crate::hash::sha256;
use crate::material::KeyMaterial;
use crate::open::{Message, OpenKey, SignOptions};
use crate::public::PublicKey;
use crate::secret::SecretBytes;

use super::{LABEL, MESSAGE, Test, WRONG, counted, demand};

/// The seed of Wycheproof's first valid case for ML-KEM-512.
#[rustfmt::skip]
const SEED_512: &[u8] = &[
    0xa3, 0x89, 0x6e, 0x30, 0x89, 0x22, 0x30, 0xa6, 0xc1, 0xdf, 0xf6, 0x67, 0xf8, 0xca, 0xee, 0x75,
    0x9f, 0xf8, 0x4a, 0x08, 0xe3, 0x46, 0x2a, 0xe4, 0x84, 0xfc, 0xbc, 0xa9, 0x97, 0x1d, 0x79, 0x59,
    0xcd, 0xc6, 0xc5, 0xec, 0x65, 0xf1, 0x0a, 0x5a, 0x24, 0xb5, 0x14, 0x5a, 0xac, 0x86, 0x32, 0x32,
    0xee, 0x3b, 0x22, 0x29, 0xca, 0x3a, 0x6c, 0x4b, 0x9c, 0x8a, 0x2d, 0xaf, 0xc3, 0x15, 0xd9, 0xd4,
];

/// The seed of the first test vector of draft-connolly-cfrg-xwing-kem.
#[rustfmt::skip]
const SEED_X_WING: &[u8] = &[
    0x7f, 0x9c, 0x2b, 0xa4, 0xe8, 0x8f, 0x82, 0x7d, 0x61, 0x60, 0x45, 0x50, 0x76, 0x05, 0x85, 0x3e,
    0xd7, 0x3b, 0x80, 0x93, 0xf6, 0xef, 0xbc, 0x88, 0xeb, 0x1a, 0x6e, 0xac, 0xfa, 0x66, 0xef, 0x26,
];

pub(super) const TESTS: &[Test] = &[
    Test {
        name: "EC-P256",
        run: || {
            curve(
                Algorithm::EcP256,
                "304602210083d441aebc83f64008865edf8a28ba6400c057d32d10f87dec408b72ce72f17d022100919dacee9f3466fab3f436a58fc0eada49393628b02405cdbd6dd6d2563d13be",
            )
        },
        expected: "340201a0bfa0f8907d84aeb70222878da8d519f29f120ab985011afc78eb1f39",
    },
    Test {
        name: "EC-P384",
        run: || {
            curve(
                Algorithm::EcP384,
                "3065023100de3159b60b3b784c951a973f82daa91e3fcfef7e4070cc9d16941067ad33b776953e8ad1a02fcfd1ffbbb4ee9fe78ebf023079f6c6c9b5d293ca0ccab1ef9bccf7a14c5269de015ba653ded7795c2d44781e786a0903c67b48a0e4be476baa78c0b6",
            )
        },
        expected: "d941e0be002b8eb1537a410e3685fa459ef1520749fe6f36c178bed9820a6baebd8b94d45ce926b7764452f09832dd4e",
    },
    Test {
        name: "EC-P521",
        run: || {
            curve(
                Algorithm::EcP521,
                "308188024200b57ae1e5f699fb5aa02709b00346a600c5f7feff667042a9b56013b85c300b5695c0ec40912bc2a1813d459860e52cf9c1db47d46a57fc86b22e0cc377f1c6a1650242015f84858d47ac27d392c8216e9b72d43b69ad145290fd52ccbfd2cf662c3bf2bc22b7b84e7b9d9e344be98aad4adb85024d978f5e3980b3e25e87047efdbf203583",
            )
        },
        expected: "00f50e8ffaa97440e840dfb6cec9ea027f522eceb63b92a9c9f50e5118c2a8083a635053ed3cf5835d120b01e420c779278499020fe9d112b20813336b8d4bbd9dfb",
    },
    Test {
        name: "EC-secp256k1",
        run: || {
            signature_curve(
                Algorithm::EcSecp256k1,
                "3044022028169d0ccdf92a66f76586b9fbbec0290c4b6505104a6cd184330c0cd75b427102201fa6befab8cf460e59fba70b57ae213e8ca6d6839f28afaa185ae1550f54f0ea",
            )
        },
        expected: "4cf7011cc613a9fa115451664c73c07338608d61cb5c744d1418ce185a007ef7",
    },
    Test {
        name: "Ed25519",
        run: || ed25519(),
        expected: "58730d51d554dbacaeaaa079faa18c14f1a0bbfedbfe88332ed126de0cfe6662a1e911b0716f07ff6c54ee4426dbcea9308601caea7d9482a3f212fad7b5200f",
    },
    Test {
        name: "X25519",
        run: || x25519(),
        expected: "74b43a90417395b74f29f89461d912822d9e7c2e60a899d47504fe4a367fb47f",
    },
    Test {
        name: "ML-KEM-512",
        run: || {
            kem(
                Algorithm::MlKem512,
                SEED_512,
                include_bytes!("known/ml-kem-512.ct"),
            )
        },
        expected: "3399ef1223024bd0f646ce6f860fd99557b67058fa620850e772f8531af36231cf3bcfeb2679cb43658fcdcd01aa1505bcea1e72a165ccac7bfb66d9dc0c0e90",
    },
    Test {
        name: "ML-KEM-768",
        run: || {
            kem(
                Algorithm::MlKem768,
                &counted::<64>(0),
                include_bytes!("known/ml-kem-768.ct"),
            )
        },
        expected: "0b7934c83125c788995e2ba6bd761e33046b3e40571be53e023309a29f398cc90bc2a58fad6ea1bc9954206756e3745b7ac7b844888a46dabb48b65d93901b3a",
    },
    Test {
        name: "ML-KEM-1024",
        run: || {
            kem(
                Algorithm::MlKem1024,
                &counted::<64>(0),
                include_bytes!("known/ml-kem-1024.ct"),
            )
        },
        expected: "c7b8fa0aa471d5ae18922d6ccad5b31e1d84f92ae723abfd13747018740a8530cf144279e15ed52f97e962ab13b9cd0af64e9a3a4c392deabdb18e59877c5feb",
    },
    Test {
        name: "X-Wing",
        run: || {
            kem(
                Algorithm::XWing,
                SEED_X_WING,
                include_bytes!("known/x-wing.ct"),
            )
        },
        expected: "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bbd2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384",
    },
    Test {
        name: "ML-DSA-44",
        run: || ml_dsa(Algorithm::MlDsa44, include_bytes!("known/ml-dsa-44.sig")),
        expected: "9f107644c1084526af3bc8098680b05499a2325a644e388fb4f970e058d19d46",
    },
    Test {
        name: "ML-DSA-65",
        run: || ml_dsa(Algorithm::MlDsa65, include_bytes!("known/ml-dsa-65.sig")),
        expected: "d666806e11cee19a7c989f7445f90dd419cf4d2d51db8c0fdb4c0f0a542238c9",
    },
    Test {
        name: "ML-DSA-87",
        run: || ml_dsa(Algorithm::MlDsa87, include_bytes!("known/ml-dsa-87.sig")),
        expected: "91dc389cfaa01470b7f66eee45a4ae9026d154817c754dfe22298b3fa241ffcd",
    },
];

pub(super) fn open(algorithm: Algorithm, raw: &[u8]) -> Result<OpenKey> {
    OpenKey::open(&KeyMaterial::import(
        raw,
        Format::Raw,
        Some(algorithm),
        None,
    )?)
}

pub(super) fn public(key: &OpenKey) -> Result<&PublicKey> {
    key.public_key().ok_or(WRONG)
}

/// Signs and verifies, and sees another message refused.
pub(super) fn sign_and_verify(key: &OpenKey, options: &SignOptions) -> Result<Vec<u8>> {
    let signature = key.sign(Message::Raw(MESSAGE), options)?;
    demand(key.verify(Message::Raw(MESSAGE), &signature, options)?)?;
    demand(!key.verify(Message::Raw(LABEL), &signature, options)?)?;
    Ok(signature)
}

/// A scalar that is certainly below the order: its first byte is zero.
fn scalar(algorithm: Algorithm, start: u8) -> Result<Vec<u8>> {
    let len = match algorithm {
        Algorithm::EcP384 => 48,
        Algorithm::EcP521 => 66,
        _ => 32,
    };
    let mut bytes = vec![0];
    bytes.extend_from_slice(counted::<65>(start).get(..len - 1).ok_or(WRONG)?);
    Ok(bytes)
}

/// Verifies a known signature, signs its own, and gives the public key's
/// fingerprint.
fn signature_curve(algorithm: Algorithm, signature: &str) -> Result<Vec<u8>> {
    let key = open(algorithm, &scalar(algorithm, 1)?)?;
    let mut signature = unhex(signature);
    let options = SignOptions::default();
    demand(key.verify(Message::Raw(MESSAGE), &signature, &options)?)?;
    *signature.last_mut().ok_or(WRONG)? ^= 1;
    demand(!key.verify(Message::Raw(MESSAGE), &signature, &options)?)?;
    sign_and_verify(&key, &options)?;
    Ok(public(&key)?.fingerprint().to_vec())
}

/// As [`signature_curve`], then gives a shared secret.
fn curve(algorithm: Algorithm, signature: &str) -> Result<Vec<u8>> {
    signature_curve(algorithm, signature)?;
    let key = open(algorithm, &scalar(algorithm, 1)?)?;
    let peer = open(algorithm, &scalar(algorithm, 0x81)?)?;
    // A known answer is no secret; nor are those below.
    key.agree(public(&peer)?).map(SecretBytes::into_public)
}

fn ed25519() -> Result<Vec<u8>> {
    let key = open(Algorithm::Ed25519, &counted::<32>(0))?;
    sign_and_verify(&key, &SignOptions::default())
}

fn x25519() -> Result<Vec<u8>> {
    let key = open(Algorithm::X25519, &counted::<32>(0))?;
    let peer = open(Algorithm::X25519, &counted::<32>(0x80))?;
    key.agree(public(&peer)?).map(SecretBytes::into_public)
}

/// Decapsulates a known ciphertext and one of its own; gives the hash of the
/// public key and the known secret.
fn kem(algorithm: Algorithm, seed: &[u8], ciphertext: &[u8]) -> Result<Vec<u8>> {
    let key = open(algorithm, seed)?;
    let secret = key.decapsulate(ciphertext)?;
    let (own_ciphertext, own_secret) = public(&key)?.encapsulate()?;
    demand(key.decapsulate(&own_ciphertext)?.ct_eq(own_secret.expose()))?;
    // An altered ciphertext gives another secret (implicit rejection).
    let mut altered = ciphertext.to_vec();
    *altered.first_mut().ok_or(WRONG)? ^= 1;
    demand(!key.decapsulate(&altered)?.ct_eq(secret.expose()))?;
    let mut answer = sha256(&[&public(&key)?.to_raw()?]).to_vec();
    answer.extend_from_slice(secret.expose());
    Ok(answer)
}

/// Verifies a known signature and one of its own; gives the hash of the public
/// key.
fn ml_dsa(algorithm: Algorithm, signature: &[u8]) -> Result<Vec<u8>> {
    let key = open(algorithm, &counted::<32>(0))?;
    let options = SignOptions::default();
    demand(key.verify(Message::Raw(MESSAGE), signature, &options)?)?;
    demand(!key.verify(Message::Raw(LABEL), signature, &options)?)?;
    sign_and_verify(&key, &options)?;
    Ok(sha256(&[&public(&key)?.to_raw()?]).to_vec())
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| (pair[0] << 4) | pair[1])
        .collect()
}
