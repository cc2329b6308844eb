use super::*;
use proptest::prelude::*;

fn of_family(family: Family) -> impl Iterator<Item = Algorithm> {
    Algorithm::all()
        .iter()
        .copied()
        .filter(move |algorithm| algorithm.family() == family)
}

fn fresh(algorithm: Algorithm) -> SymmetricKey {
    SymmetricKey::new(algorithm, generate(algorithm).unwrap().expose()).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|d| d as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

#[test]
fn every_cipher_opens_its_own_and_nothing_else() {
    for algorithm in of_family(Family::Aead) {
        let key = fresh(algorithm);
        for len in [0, 1, 15, 16, 17, 100] {
            let plaintext = vec![7; len];
            let sealed = key.encrypt(&plaintext, b"place").unwrap();
            assert_eq!(
                sealed.len(),
                len + key.overhead(len).unwrap(),
                "{algorithm}"
            );
            assert!(
                key.decrypt(&sealed, b"place").unwrap().ct_eq(&plaintext),
                "{algorithm}"
            );
            assert!(matches!(
                key.decrypt(&sealed, b"elsewhere"),
                Err(Error::Decrypt)
            ));
            assert!(matches!(
                fresh(algorithm).decrypt(&sealed, b"place"),
                Err(Error::Decrypt)
            ));
            for index in 0..sealed.len() {
                let mut bad = sealed.clone();
                bad[index] ^= 0x80;
                assert!(
                    matches!(key.decrypt(&bad, b"place"), Err(Error::Decrypt)),
                    "{algorithm} byte {index}"
                );
                assert!(matches!(
                    key.decrypt(&sealed[..index], b"place"),
                    Err(Error::Decrypt)
                ));
            }
        }
    }
}

#[test]
fn nonces_never_repeat_and_encrypting_appends() {
    for algorithm in of_family(Family::Aead) {
        let key = fresh(algorithm);
        let mut seen = std::collections::HashSet::new();
        let mut out = b"before".to_vec();
        for _ in 0..2000 {
            out.truncate(6);
            key.encrypt_into(b"x", b"", &mut out).unwrap();
            assert_eq!(&out[..6], b"before");
            let nonce_len = key.aead().unwrap().nonce_len();
            assert!(seen.insert(out[6..6 + nonce_len].to_vec()), "{algorithm}");
        }
    }
}

#[test]
fn a_refused_encryption_leaves_the_buffer_alone() {
    let key = fresh(Algorithm::Aes256Gcm);
    assert!(matches!(
        key.answer(&[0; 11], b"", b""),
        Err(Error::InvalidLength {
            expected: 12,
            found: 11,
            ..
        })
    ));
    let mut out = vec![1, 2];
    assert!(
        key.aead()
            .unwrap()
            .seal(&[0; 13], b"plain", b"", &mut out)
            .is_err()
    );
    assert_eq!(out, [1, 2]);
}

#[test]
fn wrapping_opens_its_own_and_nothing_else() {
    for algorithm in of_family(Family::KeyWrap) {
        let key = fresh(algorithm);
        for len in [16, 24, 32, 64] {
            let wrapped = key.wrap(&vec![9; len]).unwrap();
            assert!(
                key.unwrap(&wrapped).unwrap().ct_eq(&vec![9; len]),
                "{algorithm}"
            );
            assert!(matches!(
                fresh(algorithm).unwrap(&wrapped),
                Err(Error::Unwrap)
            ));
            for index in 0..wrapped.len() {
                let mut bad = wrapped.clone();
                bad[index] ^= 1;
                assert!(
                    matches!(key.unwrap(&bad), Err(Error::Unwrap)),
                    "{algorithm}"
                );
                assert!(matches!(key.unwrap(&wrapped[..index]), Err(Error::Unwrap)));
            }
        }
    }
}

#[test]
fn codes_verify_whole_and_unaltered_only() {
    for algorithm in of_family(Family::Mac) {
        let key = fresh(algorithm);
        let tag = key.mac(b"data").unwrap();
        assert!(key.mac_verify(b"data", &tag).unwrap());
        assert!(!key.mac_verify(b"Data", &tag).unwrap());
        assert!(!key.mac_verify(b"data", &tag[1..]).unwrap());
        assert!(!key.mac_verify(b"data", &[]).unwrap());
        assert!(!fresh(algorithm).mac_verify(b"data", &tag).unwrap());
        for index in 0..tag.len() {
            let mut bad = tag.clone();
            bad[index] ^= 1;
            assert!(!key.mac_verify(b"data", &bad).unwrap(), "{algorithm}");
        }
    }
}

#[test]
fn derived_keys_depend_on_everything_and_have_bounds() {
    for algorithm in of_family(Family::Kdf) {
        let key = fresh(algorithm);
        let derived = key.derive(b"salt", b"info", 40).unwrap();
        assert!(
            key.derive(b"salt", b"info", 40)
                .unwrap()
                .ct_eq(derived.expose())
        );
        assert!(
            !key.derive(b"Salt", b"info", 40)
                .unwrap()
                .ct_eq(derived.expose())
        );
        assert!(
            !key.derive(b"salt", b"Info", 40)
                .unwrap()
                .ct_eq(derived.expose())
        );
        assert!(
            !fresh(algorithm)
                .derive(b"salt", b"info", 40)
                .unwrap()
                .ct_eq(derived.expose())
        );
        let limit = 255 * algorithm.row().key_bytes.unwrap();
        assert_eq!(key.derive(b"", b"", limit).unwrap().len(), limit);
        assert!(matches!(
            key.derive(b"", b"", limit + 1),
            Err(Error::TooLong { .. })
        ));
        assert!(key.derive(b"", b"", 0).is_err());
    }
}

#[test]
fn keys_do_only_what_their_family_does() {
    for &algorithm in Algorithm::all() {
        let Ok(bytes) = generate(algorithm) else {
            assert!(!algorithm.is_symmetric());
            assert!(SymmetricKey::new(algorithm, &[0; 32]).is_err());
            assert!(check_length(algorithm, 32).is_err());
            continue;
        };
        let key = SymmetricKey::new(algorithm, bytes.expose()).unwrap();
        let family = algorithm.family();
        assert_eq!(key.encrypt(b"", b"").is_ok(), family == Family::Aead);
        assert_eq!(key.overhead(0).is_some(), family == Family::Aead);
        assert_eq!(key.wrap(&[0; 16]).is_ok(), family == Family::KeyWrap);
        assert_eq!(key.mac(b"").is_ok(), family == Family::Mac);
        assert_eq!(key.derive(b"", b"", 1).is_ok(), family == Family::Kdf);
        assert!(format!("{key:?}").contains("redacted"));
    }
}

#[test]
fn key_lengths_are_checked() {
    for &algorithm in Algorithm::all().iter().filter(|a| a.is_symmetric()) {
        let len = algorithm.row().key_bytes.unwrap();
        assert!(check_length(algorithm, len).is_ok());
        assert!(check_length(algorithm, 0).is_err());
        assert!(check_length(algorithm, KEY_MAX + 1).is_err());
        let fixed = !matches!(algorithm.name().split('-').next(), Some("HMAC" | "HKDF"));
        assert_eq!(
            check_length(algorithm, len + 1).is_err(),
            fixed,
            "{algorithm}"
        );
        assert_eq!(
            SymmetricKey::new(algorithm, &vec![0; len - 1]).is_err(),
            fixed
        );
    }
    assert!(matches!(
        check_length(Algorithm::HmacSha256, 13),
        Err(Error::WeakKey(_))
    ));
    assert!(check_length(Algorithm::HmacSha256, 14).is_ok());
}

/// C2SP XAES-256-GCM, "Test vectors": one with the top bit of CMAC's L clear,
/// one with it set.
#[test]
fn xaes_answers_as_c2sp_says() {
    let nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX";
    for (key, aad, expected) in [
        (
            1,
            &b""[..],
            "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271",
        ),
        (
            3,
            &b"c2sp.org/XAES-256-GCM"[..],
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
        ),
    ] {
        let key = SymmetricKey::new(Algorithm::Xaes256Gcm, &[key; 32]).unwrap();
        let sealed = key.answer(nonce, b"XAES-256-GCM", aad).unwrap();
        assert_eq!(sealed[24..], hex(expected));
        assert!(key.decrypt(&sealed, aad).unwrap().ct_eq(b"XAES-256-GCM"));
    }
}

/// C2SP XAES-256-GCM, "Accumulated randomized tests": inputs from a SHAKE-128
/// stream, ciphertexts into another.
fn accumulate(iterations: u32) -> Vec<u8> {
    use shake::digest::{ExtendableOutput, Update, XofReader};
    let mut source = shake::Shake128::default().finalize_xof();
    let mut sink = shake::Shake128::default();
    let mut draw = |len: usize| {
        let mut bytes = vec![0; len];
        source.read(&mut bytes);
        bytes
    };
    for _ in 0..iterations {
        let key = SymmetricKey::new(Algorithm::Xaes256Gcm, &draw(32)).unwrap();
        let nonce = draw(24);
        let plaintext_len = draw(1)[0];
        let plaintext = draw(plaintext_len.into());
        let aad_len = draw(1)[0];
        let aad = draw(aad_len.into());
        let sealed = key.answer(&nonce, &plaintext, &aad).unwrap();
        assert!(key.decrypt(&sealed, &aad).unwrap().ct_eq(&plaintext));
        sink.update(&sealed[24..]);
    }
    let mut out = vec![0; 32];
    sink.finalize_xof().read(&mut out);
    out
}

#[test]
fn xaes_accumulates_as_c2sp_says() {
    assert_eq!(
        accumulate(10_000),
        hex("e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939")
    );
}

#[test]
fn xaes_accumulates_a_million_as_c2sp_says() {
    assert_eq!(
        accumulate(1_000_000),
        hex("2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15")
    );
}

/// RFC 7518, appendix B.3.
#[test]
fn cbc_hmac_answers_as_rfc_7518_says() {
    let raw: Vec<u8> = (0..64).collect();
    let key = SymmetricKey::new(Algorithm::A256CbcHs512, &raw).unwrap();
    let iv = hex("1af38c2dc2b96ffdd86694092341bc04");
    let plaintext = b"A cipher system must not be required to be secret, and it must be able \
        to fall into the hands of the enemy without inconvenience";
    let aad = b"The second principle of Auguste Kerckhoffs";
    let sealed = key.answer(&iv, plaintext, aad).unwrap();
    let expected = hex(
        "4affaaadb78c31c5da4b1b590d10ffbd3dd8d5d302423526912da037ecbcc7bd
         822c301dd67c373bccb584ad3e9279c2e6d12a1374b77f077553df829410446b
         36ebd97066296ae6427ea75c2e0846a11a09ccf5370dc80bfecbad28c73f09b3
         a3b75e662a2594410ae496b2e2e6609e31e6e02cc837f053d21f37ff4f51950b
         be2638d09dd7a4930930806d0703b1f6
         4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5",
    );
    assert_eq!(sealed[16..], expected);
    assert!(key.decrypt(&sealed, aad).unwrap().ct_eq(plaintext));
}

/// A right tag over a wrong padding: only the key's holder can make it, and
/// it is refused like everything else.
#[test]
fn cbc_hmac_refuses_bad_padding_under_a_good_tag() {
    use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
    let raw = [5; 64];
    let key = SymmetricKey::new(Algorithm::A256CbcHs512, &raw).unwrap();
    let cipher = EncryptingKey::cbc(UnboundCipherKey::new(&AES_256, &raw[32..]).unwrap()).unwrap();
    let forge = |last: [u8; 16], len: usize| {
        let mut body = last[..len].to_vec();
        if len == 16 {
            cipher
                .less_safe_encrypt(&mut body, EncryptionContext::Iv128([0; 16].into()))
                .unwrap();
        }
        let mac = hmac::Key::new(hmac::HMAC_SHA512, &raw[..32]);
        let tag = hmac::sign(&mac, &[&[0; 16][..], &body, &[0; 8]].concat());
        [&[0; 16][..], &body, &tag.as_ref()[..32]].concat()
    };
    let mut last = [1; 16];
    assert_eq!(key.decrypt(&forge(last, 16), b"").unwrap().len(), 15);
    for (byte, before) in [(0, 0), (17, 17), (2, 3), (255, 255)] {
        last = [before; 16];
        last[15] = byte;
        assert!(
            matches!(key.decrypt(&forge(last, 16), b""), Err(Error::Decrypt)),
            "{byte}"
        );
    }
    assert!(matches!(
        key.decrypt(&forge(last, 0), b""),
        Err(Error::Decrypt)
    ));
    assert!(matches!(
        key.decrypt(&forge(last, 7), b""),
        Err(Error::Decrypt)
    ));
}

proptest! {
    #[test]
    fn ciphers_round_trip(plain: Vec<u8>, aad: Vec<u8>, pick in 0usize..8) {
        let algorithm = of_family(Family::Aead).nth(pick).unwrap();
        let key = fresh(algorithm);
        let sealed = key.encrypt(&plain, &aad).unwrap();
        prop_assert!(key.decrypt(&sealed, &aad).unwrap().ct_eq(&plain));
    }

    #[test]
    fn any_bytes_are_refused(bytes: Vec<u8>, pick in 0usize..8) {
        let algorithm = of_family(Family::Aead).nth(pick).unwrap();
        prop_assert!(matches!(fresh(algorithm).decrypt(&bytes, b""), Err(Error::Decrypt)));
    }
}
