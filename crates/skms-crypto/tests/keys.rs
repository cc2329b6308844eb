//! Every algorithm through its whole life: generated, recorded, exported,
//! imported, used; and what must be refused.
#![allow(clippy::unwrap_used, missing_docs)]

use skms_crypto::open::{EcdsaEncoding, Message, SignOptions, SignatureScheme};
use skms_crypto::{
    Algorithm, EncryptOptions, Error, Family, Format, Hash, KeyMaterial, OpenKey, PublicKey, Use,
};

/// The small SLH-DSA sets take seconds; one of each hash stands for them where
/// a test walks over everything.
fn quick() -> impl Iterator<Item = Algorithm> {
    Algorithm::all().iter().copied().filter(|algorithm| {
        algorithm.family() != Family::SlhDsa
            || matches!(
                algorithm,
                Algorithm::SlhDsaSha2_128f | Algorithm::SlhDsaShake192f
            )
    })
}

fn asymmetric() -> impl Iterator<Item = Algorithm> {
    quick().filter(|algorithm| !algorithm.is_symmetric())
}

fn generate(algorithm: Algorithm) -> (KeyMaterial, OpenKey) {
    let material = KeyMaterial::generate(algorithm).unwrap();
    let open = OpenKey::open(&material).unwrap();
    (material, open)
}

fn same(a: &KeyMaterial, b: &KeyMaterial) -> bool {
    a.algorithm() == b.algorithm() && a.to_record().ct_eq(b.to_record().expose())
}

#[test]
fn records_come_back_as_they_were() {
    for algorithm in quick() {
        let (material, open) = generate(algorithm);
        assert_eq!(material.algorithm(), algorithm);
        let record = material.to_record();
        let again = KeyMaterial::from_record(algorithm, record.expose()).unwrap();
        assert!(same(&material, &again), "{algorithm}");
        assert_eq!(
            open.public_key().map(PublicKey::fingerprint),
            again.public_key().unwrap().map(|key| key.fingerprint())
        );
        assert!(KeyMaterial::from_record(algorithm, &[]).is_err());
    }
}

#[test]
fn private_keys_survive_every_format_they_have() {
    for algorithm in quick() {
        let (material, _) = generate(algorithm);
        let mut formats = 0;
        for &format in Format::all() {
            let Ok(exported) = material.export(format, None) else {
                continue;
            };
            formats += 1;
            for read_as in [format, Format::Auto] {
                let back =
                    KeyMaterial::import(exported.expose(), read_as, Some(algorithm), None).unwrap();
                assert!(same(&material, &back), "{algorithm} {format} {read_as}");
            }
            if format != Format::Raw && !algorithm.is_symmetric() {
                let back = KeyMaterial::import(exported.expose(), format, None, None).unwrap();
                assert!(same(&material, &back), "{algorithm} {format}");
                let other = if algorithm == Algorithm::EcP256 {
                    Algorithm::EcP384
                } else {
                    Algorithm::EcP256
                };
                assert!(matches!(
                    KeyMaterial::import(exported.expose(), format, Some(other), None),
                    Err(Error::WrongAlgorithm { .. })
                ));
            }
            // Truncated, it is nothing; a private key is no public one.
            let half = &exported.expose()[..exported.len() / 2];
            // MAC and derivation keys have no fixed length.
            if !(format == Format::Raw && matches!(algorithm.family(), Family::Mac | Family::Kdf)) {
                assert!(
                    KeyMaterial::import(half, format, Some(algorithm), None).is_err(),
                    "{algorithm} {format}"
                );
            }
            if format != Format::Raw {
                assert!(PublicKey::import(exported.expose(), Format::Auto, None).is_err());
            }
        }
        assert!(formats >= 1, "{algorithm}");
        assert!(algorithm.is_symmetric() || formats >= 2, "{algorithm}");
    }
}

#[test]
fn public_keys_survive_every_format_they_have() {
    for algorithm in asymmetric() {
        let (_, open) = generate(algorithm);
        let public = open.public_key().unwrap();
        for &format in Format::all() {
            let Ok(exported) = public.export(format) else {
                continue;
            };
            for read_as in [format, Format::Auto] {
                let back = PublicKey::import(&exported, read_as, Some(algorithm)).unwrap();
                assert_eq!(*public, back, "{algorithm} {format}");
                assert_eq!(public.fingerprint(), back.fingerprint());
            }
            if format != Format::Raw {
                assert!(KeyMaterial::import(&exported, Format::Auto, None, None).is_err());
            }
            let cut = &exported[..exported.len() - 2];
            assert!(
                PublicKey::import(cut, format, Some(algorithm)).is_err(),
                "{algorithm} {format}"
            );
        }
    }
}

#[test]
fn encrypted_pkcs8_opens_with_its_passphrase_only() {
    let (material, _) = generate(Algorithm::EcP256);
    for format in [Format::Pkcs8Der, Format::Pkcs8Pem] {
        let sealed = material.export(format, Some(b"correct horse")).unwrap();
        for read_as in [format, Format::Auto] {
            let back = KeyMaterial::import(sealed.expose(), read_as, None, Some(b"correct horse"))
                .unwrap();
            assert!(same(&material, &back));
        }
        assert!(matches!(
            KeyMaterial::import(sealed.expose(), format, None, Some(b"wrong horse")),
            Err(Error::Decrypt)
        ));
        assert!(matches!(
            KeyMaterial::import(sealed.expose(), format, None, None),
            Err(Error::InvalidOption(_))
        ));
    }
    assert!(material.export(Format::Jwk, Some(b"x")).is_err());
    assert!(material.export(Format::Pkcs8Der, Some(b"")).is_err());
}

#[test]
fn signatures_verify_and_altered_ones_do_not() {
    for algorithm in asymmetric().filter(|a| a.row().uses.contains(Use::Sign)) {
        let (_, key) = generate(algorithm);
        let (_, other) = generate(algorithm);
        let options = SignOptions::default();
        let signature = key.sign(Message::Raw(b"message"), &options).unwrap();
        let verify = |key: &OpenKey, message: &[u8], signature: &[u8]| {
            key.verify(Message::Raw(message), signature, &options)
                .unwrap()
        };
        assert!(verify(&key, b"message", &signature), "{algorithm}");
        let public = key.public_key().unwrap().open().unwrap();
        assert!(verify(&public, b"message", &signature));
        assert!(public.sign(Message::Raw(b"message"), &options).is_err());
        assert!(!verify(&key, b"messagf", &signature));
        assert!(!verify(&other, b"message", &signature));
        assert!(!verify(&key, b"message", &[]));
        for at in [0, signature.len() / 2, signature.len() - 1] {
            let mut bad = signature.clone();
            bad[at] ^= 1;
            assert!(!verify(&key, b"message", &bad), "{algorithm} byte {at}");
        }
        assert!(!verify(&key, b"message", &signature[..signature.len() - 1]));
        let mut long = signature.clone();
        long.push(0);
        assert!(!verify(&key, b"message", &long));
    }
}

#[test]
fn digests_sign_like_their_messages_where_the_standard_says_so() {
    for algorithm in [Algorithm::Rsa2048, Algorithm::EcP256, Algorithm::EcP521] {
        let (_, key) = generate(algorithm);
        for &hash in Hash::all() {
            let options = SignOptions {
                hash: Some(hash),
                ..SignOptions::default()
            };
            let digest = hash.digest(b"message");
            let signature = key.sign(Message::Digest(&digest, hash), &options).unwrap();
            assert!(
                key.verify(Message::Raw(b"message"), &signature, &options)
                    .unwrap()
            );
            assert!(
                key.sign(Message::Digest(&digest[1..], hash), &options)
                    .is_err()
            );
        }
        let options = SignOptions {
            hash: Some(Hash::Sha384),
            ..SignOptions::default()
        };
        assert!(
            key.sign(Message::Digest(&[0; 32], Hash::Sha256), &options)
                .is_err()
        );
    }
    // Pre-hashed ML-DSA and SLH-DSA are schemes of their own.
    for algorithm in [Algorithm::MlDsa44, Algorithm::SlhDsaSha2_128f] {
        let (_, key) = generate(algorithm);
        let options = SignOptions {
            context: b"ctx".to_vec(),
            ..SignOptions::default()
        };
        let digest = Hash::Sha512.digest(b"message");
        let prehashed = Message::Digest(&digest, Hash::Sha512);
        let signature = key.sign(prehashed, &options).unwrap();
        assert!(key.verify(prehashed, &signature, &options).unwrap());
        assert!(
            !key.verify(Message::Raw(b"message"), &signature, &options)
                .unwrap()
        );
        assert!(
            !key.verify(prehashed, &signature, &SignOptions::default())
                .unwrap()
        );
    }
    let (_, strong) = generate(Algorithm::MlDsa87);
    let short = Hash::Sha256.digest(b"message");
    assert!(
        strong
            .sign(
                Message::Digest(&short, Hash::Sha256),
                &SignOptions::default()
            )
            .is_err()
    );
    let (_, ed) = generate(Algorithm::Ed25519);
    assert!(matches!(
        ed.sign(
            Message::Digest(&short, Hash::Sha256),
            &SignOptions::default()
        ),
        Err(Error::Unsupported { .. })
    ));
}

#[test]
fn options_that_do_not_belong_are_refused() {
    let (_, rsa) = generate(Algorithm::Rsa2048);
    let (_, ec) = generate(Algorithm::EcP384);
    let (_, ed) = generate(Algorithm::Ed25519);
    let (_, ml) = generate(Algorithm::MlDsa65);
    let refused = |key: &OpenKey, options: &SignOptions| {
        assert!(key.sign(Message::Raw(b"m"), options).is_err());
        assert!(key.verify(Message::Raw(b"m"), &[0; 64], options).is_err());
    };
    let context = SignOptions {
        context: vec![1],
        ..SignOptions::default()
    };
    refused(&rsa, &context);
    refused(&ec, &context);
    refused(&ed, &context);
    refused(
        &ml,
        &SignOptions {
            context: vec![0; 256],
            ..SignOptions::default()
        },
    );
    let p1363 = SignOptions {
        encoding: EcdsaEncoding::P1363,
        ..SignOptions::default()
    };
    refused(&rsa, &p1363);
    let signature = ec.sign(Message::Raw(b"m"), &p1363).unwrap();
    assert_eq!(signature.len(), 96);
    assert!(ec.verify(Message::Raw(b"m"), &signature, &p1363).unwrap());
    assert!(
        !ec.verify(Message::Raw(b"m"), &signature, &SignOptions::default())
            .unwrap()
    );
    for salt in [Some(0), Some(20), Some(222), None] {
        let pss = SignOptions {
            salt_length: salt,
            ..SignOptions::default()
        };
        let signature = rsa.sign(Message::Raw(b"m"), &pss).unwrap();
        assert!(rsa.verify(Message::Raw(b"m"), &signature, &pss).unwrap());
    }
    refused(
        &rsa,
        &SignOptions {
            salt_length: Some(223),
            ..SignOptions::default()
        },
    );
    let v15 = SignOptions {
        scheme: Some(SignatureScheme::RsaPkcs1v15),
        ..SignOptions::default()
    };
    let signature = rsa.sign(Message::Raw(b"m"), &v15).unwrap();
    assert!(rsa.verify(Message::Raw(b"m"), &signature, &v15).unwrap());
    assert!(
        !rsa.verify(Message::Raw(b"m"), &signature, &SignOptions::default())
            .unwrap()
    );
    refused(&ec, &v15);
}

#[test]
fn oaep_binds_its_label_and_hashes() {
    let (_, key) = generate(Algorithm::Rsa2048);
    let options = EncryptOptions::default();
    let sealed = key.encrypt(b"secret", b"label", &options).unwrap();
    assert!(
        key.decrypt(&sealed, b"label", &options)
            .unwrap()
            .ct_eq(b"secret")
    );
    let other = EncryptOptions {
        oaep_mgf_hash: Some(Hash::Sha384),
        ..EncryptOptions::default()
    };
    for (label, options) in [
        (&b"labem"[..], &options),
        (b"", &options),
        (b"label", &other),
    ] {
        assert!(matches!(
            key.decrypt(&sealed, label, options),
            Err(Error::Decrypt)
        ));
    }
    let mixed = key.encrypt(b"secret", b"", &other).unwrap();
    assert!(key.decrypt(&mixed, b"", &other).unwrap().ct_eq(b"secret"));
    assert!(matches!(
        key.encrypt(&[0; 191], b"", &options),
        Err(Error::TooLong { limit: 190, .. })
    ));
    assert!(key.encrypt(&[0; 190], b"", &options).is_ok());
    assert!(matches!(
        key.decrypt(&sealed[1..], b"label", &options),
        Err(Error::Decrypt)
    ));
}

#[test]
fn both_sides_agree_and_strangers_are_refused() {
    for algorithm in asymmetric().filter(|a| a.row().uses.contains(Use::Agree)) {
        let ((_, a), (_, b)) = (generate(algorithm), generate(algorithm));
        let one = a.agree(b.public_key().unwrap()).unwrap();
        let two = b.agree(a.public_key().unwrap()).unwrap();
        assert!(one.ct_eq(two.expose()), "{algorithm}");
        let stranger = if algorithm == Algorithm::X25519 {
            Algorithm::EcP256
        } else {
            Algorithm::X25519
        };
        let (_, stranger) = generate(stranger);
        assert!(matches!(
            a.agree(stranger.public_key().unwrap()),
            Err(Error::WrongAlgorithm { .. })
        ));
    }
    let (_, koblitz) = generate(Algorithm::EcSecp256k1);
    assert!(koblitz.agree(koblitz.public_key().unwrap()).is_err());
}

#[test]
fn encapsulated_secrets_arrive_and_altered_ones_differ() {
    for algorithm in asymmetric().filter(|a| a.family() == Family::Kem) {
        let (_, key) = generate(algorithm);
        let (ciphertext, secret) = key.public_key().unwrap().encapsulate().unwrap();
        assert_eq!(secret.len(), 32);
        assert!(key.decapsulate(&ciphertext).unwrap().ct_eq(secret.expose()));
        let mut bad = ciphertext.clone();
        bad[5] ^= 1;
        assert!(!key.decapsulate(&bad).unwrap().ct_eq(secret.expose()));
        assert!(key.decapsulate(&ciphertext[1..]).is_err());
        let (_, signer) = generate(Algorithm::Ed25519);
        assert!(signer.decapsulate(&ciphertext).is_err());
    }
}

#[test]
fn raw_keys_that_begin_like_a_container_are_still_raw() {
    for start in [&b"{"[..], b" {", b"0\x82", b"-----BEGI"] {
        let mut raw = vec![0x91; 32];
        raw[..start.len()].copy_from_slice(start);
        for algorithm in [
            Algorithm::Aes256Gcm,
            Algorithm::HmacSha256,
            Algorithm::X25519,
        ] {
            let key = KeyMaterial::import(&raw, Format::Auto, Some(algorithm), None).unwrap();
            assert!(
                key.export(Format::Raw, None).unwrap().ct_eq(&raw),
                "{algorithm} {start:?}"
            );
        }
        PublicKey::import(&raw, Format::Auto, Some(Algorithm::X25519)).unwrap();
    }
    // A cut or misspelt JWK is not taken for a key of that many bytes.
    for text in ["{", r#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAA"#] {
        for algorithm in [Algorithm::HmacSha256, Algorithm::X25519] {
            assert!(
                KeyMaterial::import(text.as_bytes(), Format::Auto, Some(algorithm), None).is_err()
            );
        }
    }
}

#[test]
fn names_parse_back() {
    for &format in Format::all() {
        assert_eq!(format.name().parse::<Format>().unwrap(), format);
    }
    for &scheme in SignatureScheme::all() {
        assert_eq!(scheme.name().parse::<SignatureScheme>().unwrap(), scheme);
    }
    assert!("pkcs9".parse::<Format>().is_err());
}
