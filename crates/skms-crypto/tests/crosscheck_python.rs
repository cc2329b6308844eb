//! Cross-checks with Python's `cryptography`, both ways, post-quantum
//! algorithms included. `SKMS_TEST_PYTHON` names an interpreter that has it,
//! which `cargo xtask test` sees to; without one the tests skip, visibly.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod python;

use python::{Python, bytes, hex};
use serde_json::{Value, json};
use skms_crypto::symmetric::SymmetricKey;
use skms_crypto::{
    Algorithm, EncryptOptions, Family, Format, Hash, KeyMaterial, Message, OpenKey, PublicKey,
    SignOptions, SignatureScheme,
};

const MESSAGE: &[u8] = b"cross-checked, both ways";
const PASSPHRASE: &str = "correct horse";

/// The algorithms with keys that both sides have.
const KEYS: &[Algorithm] = &[
    Algorithm::Rsa2048,
    Algorithm::Rsa3072,
    Algorithm::EcP256,
    Algorithm::EcP384,
    Algorithm::EcP521,
    Algorithm::EcSecp256k1,
    Algorithm::Ed25519,
    Algorithm::X25519,
    Algorithm::Ffdhe2048,
    Algorithm::Ffdhe3072,
    Algorithm::MlKem768,
    Algorithm::MlKem1024,
    Algorithm::MlDsa44,
    Algorithm::MlDsa65,
    Algorithm::MlDsa87,
];

/// A key of ours.
struct Ours {
    open: OpenKey,
    public: PublicKey,
    material: KeyMaterial,
}

impl Ours {
    fn generate(algorithm: Algorithm) -> Self {
        let material = KeyMaterial::generate(algorithm).unwrap();
        Self::from(material)
    }

    fn from(material: KeyMaterial) -> Self {
        let open = OpenKey::open(&material).unwrap();
        let public = open.public_key().unwrap().clone();
        Self {
            open,
            public,
            material,
        }
    }

    /// Its PKCS#8 form in hex, for a request.
    fn pkcs8(&self) -> String {
        hex(self
            .material
            .export(Format::Pkcs8Der, None)
            .unwrap()
            .expose())
    }

    fn spki(&self) -> String {
        hex(self.public.spki_der())
    }
}

/// Asks for a key of theirs.
fn request_key(algorithm: Algorithm, passphrase: Option<&str>) -> Value {
    let mut request = json!({"act": "generate", "algorithm": algorithm.name()});
    if let Some(passphrase) = passphrase {
        request["passphrase"] = json!(passphrase);
    }
    if algorithm.family() == Family::FiniteField {
        // The prime, from our own encoding of a key: the first INTEGER of the
        // group, after its two bytes of length and a leading zero.
        let spki = Ours::generate(algorithm).spki();
        let start = spki.find("00ffffffffffffffff").unwrap();
        let digits = match algorithm {
            Algorithm::Ffdhe2048 => 512,
            Algorithm::Ffdhe3072 => 768,
            _ => 1024,
        };
        request["prime"] = json!(&spki[start..start + 2 + digits]);
    }
    request
}

/// The public key in an answer, as we write it: Python writes finite-field
/// ones in the form of X9.42, with q.
fn same_form(answer: &Value) -> String {
    let spki = bytes(answer, "spki");
    let public = PublicKey::import(&spki, Format::SpkiDer, None).unwrap();
    hex(public.spki_der())
}

#[test]
fn python_reads_every_export() {
    let Some(python) = Python::find() else { return };
    let mut requests = Vec::new();
    let mut expected = Vec::new();
    for &algorithm in KEYS {
        let ours = Ours::generate(algorithm);
        let passphrase = Some(PASSPHRASE.as_bytes());
        let encrypted = ours.material.export(Format::Pkcs8Der, passphrase).unwrap();
        let encrypted = hex(encrypted.expose());
        requests.push(json!({"act": "load", "key": ours.pkcs8()}));
        requests.push(json!({"act": "load", "key": encrypted, "passphrase": PASSPHRASE}));
        requests.push(json!({"act": "reload", "key": ours.spki()}));
        expected.extend([Some(ours.spki()), Some(ours.spki()), Some(ours.spki())]);
        requests.push(json!({"act": "load", "key": encrypted, "passphrase": "incorrect"}));
        expected.push(None);
        if matches!(
            algorithm.family(),
            Family::Rsa | Family::Ec | Family::EdDsa | Family::Montgomery
        ) {
            let jwk = String::from_utf8(ours.public.export(Format::Jwk).unwrap()).unwrap();
            requests.push(json!({"act": "from-jwk", "jwk": jwk}));
            expected.push(Some(ours.spki()));
        }
    }
    for ((request, answer), expected) in requests.iter().zip(python.ask(&requests)).zip(expected) {
        match expected {
            Some(public) => assert_eq!(same_form(&answer), public, "{request}: {answer}"),
            None => assert!(
                answer.get("error").is_some(),
                "a wrong passphrase opened {request}"
            ),
        }
    }
}

#[test]
fn we_read_every_key_that_python_makes() {
    let Some(python) = Python::find() else { return };
    let mut requests = Vec::new();
    for &algorithm in KEYS {
        requests.push(request_key(algorithm, None));
        requests.push(request_key(algorithm, Some(PASSPHRASE)));
    }
    let answers = python.ask(&requests);
    for (pair, &algorithm) in answers.chunks(2).zip(KEYS) {
        for (answer, passphrase) in pair.iter().zip([None, Some(PASSPHRASE.as_bytes())]) {
            let (key, spki) = (bytes(answer, "key"), bytes(answer, "spki"));
            let material =
                KeyMaterial::import(&key, Format::Auto, Some(algorithm), passphrase).unwrap();
            let ours = Ours::from(material);
            assert_eq!(ours.spki(), same_form(answer), "{algorithm}");
            if algorithm.family() != Family::FiniteField {
                assert_eq!(ours.public.spki_der(), spki, "{algorithm}");
            }
            if passphrase.is_some() {
                let wrong = Some(&b"incorrect"[..]);
                assert!(KeyMaterial::import(&key, Format::Auto, None, wrong).is_err());
            }
        }
    }
}

/// Ways to sign that both sides have.
fn schemes() -> Vec<(Algorithm, SignOptions)> {
    let rsa = |scheme, hash| SignOptions {
        scheme: Some(scheme),
        hash: Some(hash),
        ..SignOptions::default()
    };
    let with_hash = |hash| SignOptions {
        hash: Some(hash),
        ..SignOptions::default()
    };
    let with_context = |context: &[u8]| SignOptions {
        context: context.to_vec(),
        ..SignOptions::default()
    };
    vec![
        (
            Algorithm::Rsa2048,
            rsa(SignatureScheme::RsaPss, Hash::Sha256),
        ),
        (
            Algorithm::Rsa3072,
            rsa(SignatureScheme::RsaPss, Hash::Sha512),
        ),
        (
            Algorithm::Rsa2048,
            rsa(SignatureScheme::RsaPkcs1v15, Hash::Sha384),
        ),
        (Algorithm::EcP256, with_hash(Hash::Sha256)),
        (Algorithm::EcP384, with_hash(Hash::Sha384)),
        (Algorithm::EcP521, with_hash(Hash::Sha512)),
        (Algorithm::EcSecp256k1, with_hash(Hash::Sha256)),
        (Algorithm::Ed25519, SignOptions::default()),
        (Algorithm::MlDsa44, with_context(b"")),
        (Algorithm::MlDsa44, with_context(b"a context")),
        (Algorithm::MlDsa65, with_context(b"a context")),
        (Algorithm::MlDsa87, with_context(&[7; 255])),
    ]
}

#[test]
fn signatures_verify_on_both_sides() {
    let Some(python) = Python::find() else { return };
    for (algorithm, options) in schemes() {
        let ours = Ours::generate(algorithm);
        let scheme = options.scheme.map_or(
            match algorithm.family() {
                Family::Ec => "ECDSA",
                Family::MlDsa => "ML-DSA",
                _ => "",
            },
            SignatureScheme::name,
        );
        let hash = options.hash.map_or("", Hash::name);
        let with = |act: &str, key: String, message: &[u8], signature: &[u8], prehashed: bool| {
            json!({
                "act": act, "key": key, "scheme": scheme, "hash": hash,
                "context": hex(&options.context), "message": hex(message),
                "signature": hex(signature), "prehashed": prehashed,
            })
        };
        let signature = ours.open.sign(Message::Raw(MESSAGE), &options).unwrap();
        let mut requests = vec![
            with("sign", ours.pkcs8(), MESSAGE, &[], false),
            with("verify", ours.spki(), MESSAGE, &signature, false),
            with("verify", ours.spki(), b"altered", &signature, false),
        ];
        if let Some(hash) = options.hash {
            let digest = hash.digest(MESSAGE);
            let signature = ours
                .open
                .sign(Message::Digest(&digest, hash), &options)
                .unwrap();
            requests.push(with("verify", ours.spki(), MESSAGE, &signature, false));
            requests.push(with("verify", ours.spki(), &digest, &signature, true));
        }
        let answers = python.ask(&requests);
        let theirs = bytes(&answers[0], "signature");
        assert!(
            ours.public
                .verify(Message::Raw(MESSAGE), &theirs, &options)
                .unwrap()
        );
        assert!(
            !ours
                .public
                .verify(Message::Raw(b"altered"), &theirs, &options)
                .unwrap()
        );
        assert_eq!(answers[1], json!({"valid": true}), "{algorithm}");
        assert_eq!(answers[2], json!({"valid": false}), "{algorithm}");
        for answer in &answers[3..] {
            assert_eq!(*answer, json!({"valid": true}), "{algorithm}, prehashed");
        }
    }
}

#[test]
fn kem_secrets_agree() {
    let Some(python) = Python::find() else { return };
    for algorithm in [Algorithm::MlKem768, Algorithm::MlKem1024] {
        let ours = Ours::generate(algorithm);
        let (ciphertext, secret) = ours.public.encapsulate().unwrap();
        let mut altered = ciphertext.clone();
        altered[0] ^= 1;
        let answers = python.ask(&[
            json!({"act": "encapsulate", "key": ours.spki()}),
            json!({"act": "decapsulate", "key": ours.pkcs8(), "ciphertext": hex(&ciphertext)}),
            json!({"act": "decapsulate", "key": ours.pkcs8(), "ciphertext": hex(&altered)}),
        ]);
        let found = ours
            .open
            .decapsulate(&bytes(&answers[0], "ciphertext"))
            .unwrap();
        assert_eq!(found.expose(), bytes(&answers[0], "data"), "{algorithm}");
        assert_eq!(secret.expose(), bytes(&answers[1], "data"), "{algorithm}");
        // Implicit rejection gives the same pseudorandom secret on both sides.
        let rejected = ours.open.decapsulate(&altered).unwrap();
        assert_eq!(rejected.expose(), bytes(&answers[2], "data"), "{algorithm}");
        assert_ne!(rejected.expose(), secret.expose());
    }
}

#[test]
fn agreed_secrets_are_the_same() {
    let Some(python) = Python::find() else { return };
    for algorithm in [
        Algorithm::X25519,
        Algorithm::EcP256,
        Algorithm::EcP384,
        Algorithm::EcP521,
        Algorithm::Ffdhe2048,
        Algorithm::Ffdhe3072,
    ] {
        let (ours, peer) = (Ours::generate(algorithm), Ours::generate(algorithm));
        let request = json!({"act": "agree", "key": peer.pkcs8(), "peer": ours.spki()});
        let answers = python.ask(&[request]);
        let secret = ours.open.agree(&peer.public).unwrap();
        assert_eq!(secret.expose(), bytes(&answers[0], "data"), "{algorithm}");
    }
}

#[test]
fn ciphertexts_open_on_both_sides() {
    let Some(python) = Python::find() else { return };
    const AAD: &[u8] = b"header";
    let options = EncryptOptions::default();
    for algorithm in [
        Algorithm::Aes128Gcm,
        Algorithm::Aes192Gcm,
        Algorithm::Aes256Gcm,
        Algorithm::Aes256GcmSiv,
        Algorithm::ChaCha20Poly1305,
    ] {
        let material = KeyMaterial::generate(algorithm).unwrap();
        let open = OpenKey::open(&material).unwrap();
        let key = material.export(Format::Raw, None).unwrap();
        let ours = open.encrypt(MESSAGE, AAD, &options).unwrap();
        let (nonce, sealed) = ours.split_at(12);
        let ask = |act: &str, data: &[u8], aad: &[u8]| {
            json!({
                "act": act, "algorithm": algorithm.name(), "key": hex(key.expose()),
                "nonce": hex(nonce), "aad": hex(aad), "data": hex(data),
            })
        };
        let answers = python.ask(&[
            ask("open", sealed, AAD),
            ask("open", sealed, b"another header"),
            ask("seal", b"their message", AAD),
        ]);
        assert_eq!(bytes(&answers[0], "data"), MESSAGE, "{algorithm}");
        assert!(
            answers[1].get("error").is_some(),
            "{algorithm}: other associated data"
        );
        let theirs = [nonce, &bytes(&answers[2], "data")].concat();
        let opened = open.decrypt(&theirs, AAD, &options).unwrap();
        assert_eq!(opened.expose(), b"their message", "{algorithm}");
        assert!(open.decrypt(&theirs, b"another header", &options).is_err());
        let known = SymmetricKey::new(algorithm, key.expose()).unwrap();
        let same = known
            .encrypt_with_known_nonce(nonce, b"their message", AAD)
            .unwrap();
        assert_eq!(same, theirs, "{algorithm}");
    }
}

#[test]
fn oaep_opens_on_both_sides() {
    let Some(python) = Python::find() else { return };
    let ours = Ours::generate(Algorithm::Rsa2048);
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        for label in [&b""[..], b"label"] {
            let options = EncryptOptions {
                oaep_hash: Some(hash),
                ..EncryptOptions::default()
            };
            let made = ours.public.encrypt(MESSAGE, label, &options).unwrap();
            let ask = |act: &str, key: String, data: &[u8]| {
                json!({
                    "act": act, "key": key, "data": hex(data), "hash": hash.name(),
                    "label": hex(label),
                })
            };
            let answers = python.ask(&[
                ask("oaep-decrypt", ours.pkcs8(), &made),
                ask("oaep-encrypt", ours.spki(), MESSAGE),
            ]);
            assert_eq!(bytes(&answers[0], "data"), MESSAGE, "{hash}");
            let theirs = bytes(&answers[1], "data");
            assert_eq!(
                ours.open
                    .decrypt(&theirs, label, &options)
                    .unwrap()
                    .expose(),
                MESSAGE
            );
            assert!(ours.open.decrypt(&theirs, b"another", &options).is_err());
        }
    }
}

#[test]
fn wrapped_keys_macs_and_derived_keys_are_the_same() {
    let Some(python) = Python::find() else { return };
    let options = EncryptOptions::default();
    for &algorithm in Algorithm::all() {
        if !matches!(
            algorithm.family(),
            Family::KeyWrap | Family::Mac | Family::Kdf
        ) {
            continue;
        }
        let material = KeyMaterial::generate(algorithm).unwrap();
        let open = OpenKey::open(&material).unwrap();
        let key = hex(material.export(Format::Raw, None).unwrap().expose());
        let name = algorithm.name();
        match algorithm.family() {
            Family::KeyWrap => {
                let secret = [7; 32];
                let ours = open.wrap(&secret, &options).unwrap();
                let answers = python.ask(&[
                    json!({"act": "wrap", "algorithm": name, "key": key, "data": hex(&secret)}),
                    json!({"act": "unwrap", "algorithm": name, "key": key, "data": hex(&ours)}),
                ]);
                assert_eq!(bytes(&answers[0], "data"), ours, "{algorithm}");
                assert_eq!(bytes(&answers[1], "data"), secret, "{algorithm}");
            }
            Family::Mac => {
                let request =
                    json!({"act": "mac", "algorithm": name, "key": key, "data": hex(MESSAGE)});
                let theirs = bytes(&python.ask(&[request])[0], "data");
                assert_eq!(open.mac(MESSAGE).unwrap(), theirs, "{algorithm}");
                assert!(open.mac_verify(MESSAGE, &theirs).unwrap());
            }
            _ => {
                let request = json!({
                    "act": "derive", "algorithm": name, "key": key, "salt": hex(b"grain"),
                    "info": hex(b"purpose"), "length": 77,
                });
                let theirs = bytes(&python.ask(&[request])[0], "data");
                let ours = open.derive(b"grain", b"purpose", 77).unwrap();
                assert_eq!(ours.expose(), theirs, "{algorithm}");
            }
        }
    }
}
