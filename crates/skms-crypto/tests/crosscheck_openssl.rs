//! Cross-checks with the `openssl` program, both ways: what we write it must
//! read, what it writes we must read. Needs OpenSSL 3; what the installed one
//! lacks is skipped, visibly.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod openssl;

use openssl::{Openssl, hex};
use skms_crypto::{
    Algorithm, EncryptOptions, Family, Format, Hash, KeyMaterial, Message, OpenKey, PublicKey,
    SignOptions, SignatureScheme,
};

const MESSAGE: &[u8] = b"cross-checked, both ways";

/// Algorithms with keys that every OpenSSL 3 knows, and how it makes them.
const KEYS: &[(Algorithm, &[&str])] = &[
    (
        Algorithm::Rsa2048,
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    ),
    (
        Algorithm::Rsa3072,
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
    ),
    (
        Algorithm::EcP256,
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ),
    (
        Algorithm::EcP384,
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    ),
    (
        Algorithm::EcP521,
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    ),
    (
        Algorithm::EcSecp256k1,
        &[
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:secp256k1",
        ],
    ),
    (Algorithm::Ed25519, &["-algorithm", "ED25519"]),
    (Algorithm::X25519, &["-algorithm", "X25519"]),
    (
        Algorithm::Ffdhe2048,
        &["-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"],
    ),
    (
        Algorithm::Ffdhe3072,
        &["-algorithm", "DH", "-pkeyopt", "group:ffdhe3072"],
    ),
    (
        Algorithm::Ffdhe4096,
        &["-algorithm", "DH", "-pkeyopt", "group:ffdhe4096"],
    ),
    (Algorithm::MlKem512, &["-algorithm", "ML-KEM-512"]),
    (Algorithm::MlKem768, &["-algorithm", "ML-KEM-768"]),
    (Algorithm::MlKem1024, &["-algorithm", "ML-KEM-1024"]),
    (Algorithm::MlDsa44, &["-algorithm", "ML-DSA-44"]),
    (Algorithm::MlDsa65, &["-algorithm", "ML-DSA-65"]),
    (Algorithm::MlDsa87, &["-algorithm", "ML-DSA-87"]),
    (
        Algorithm::SlhDsaSha2_128f,
        &["-algorithm", "SLH-DSA-SHA2-128f"],
    ),
];

/// The rows of [`KEYS`] that this OpenSSL can make.
fn known(openssl: &Openssl) -> Vec<(Algorithm, &'static [&'static str])> {
    let (known, lacking): (Vec<_>, Vec<_>) = KEYS
        .iter()
        .copied()
        .partition(|(algorithm, _)| !algorithm.row().post_quantum || openssl.knows(*algorithm));
    if !lacking.is_empty() {
        let names: Vec<_> = lacking
            .iter()
            .map(|(algorithm, _)| algorithm.name())
            .collect();
        eprintln!("SKIPPED: this openssl does not know {}", names.join(", "));
    }
    known
}

fn generate(algorithm: Algorithm) -> (KeyMaterial, OpenKey, PublicKey) {
    let material = KeyMaterial::generate(algorithm).unwrap();
    let open = OpenKey::open(&material).unwrap();
    let public = open.public_key().unwrap().clone();
    (material, open, public)
}

#[test]
fn openssl_reads_every_export() {
    let Some(openssl) = Openssl::find() else {
        return;
    };
    for (algorithm, _) in known(&openssl) {
        let (material, _, public) = generate(algorithm);
        let mut formats = vec![
            (Format::Pkcs8Der, "DER", None),
            (Format::Pkcs8Pem, "PEM", None),
            (Format::Pkcs8Der, "DER", Some("correct horse")),
            (Format::Pkcs8Pem, "PEM", Some("correct horse")),
        ];
        match algorithm.family() {
            Family::Rsa => {
                formats.push((Format::Pkcs1Der, "DER", None));
                formats.push((Format::Pkcs1Pem, "PEM", None));
            }
            Family::Ec => {
                formats.push((Format::Sec1Der, "DER", None));
                formats.push((Format::Sec1Pem, "PEM", None));
            }
            _ => {}
        }
        for (format, form, passphrase) in formats {
            let exported = material
                .export(format, passphrase.map(str::as_bytes))
                .unwrap();
            let file = openssl.file("key", exported.expose());
            let password = format!("pass:{}", passphrase.unwrap_or_default());
            let spki = openssl.run(&[
                "pkey", "-in", &file, "-inform", form, "-passin", &password, "-pubout", "-outform",
                "DER",
            ]);
            assert_eq!(spki, public.spki_der(), "{algorithm} as {format}");
            if let Some(wrong) = passphrase.map(|_| "pass:incorrect") {
                openssl.refuses(&[
                    "pkey", "-in", &file, "-inform", form, "-passin", wrong, "-noout",
                ]);
            }
        }
        for (format, form) in [(Format::SpkiDer, "DER"), (Format::SpkiPem, "PEM")] {
            let file = openssl.file("public", &public.export(format).unwrap());
            let spki = openssl.run(&[
                "pkey", "-pubin", "-in", &file, "-inform", form, "-outform", "DER",
            ]);
            assert_eq!(spki, public.spki_der(), "{algorithm} as {format}");
        }
    }
}

#[test]
fn we_read_every_key_that_openssl_makes() {
    let Some(openssl) = Openssl::find() else {
        return;
    };
    for (algorithm, arguments) in known(&openssl) {
        let file = openssl.path("theirs.pem");
        openssl.run(&[&["genpkey", "-out", &file], arguments].concat());
        let der = ["pkey", "-in", &file, "-outform", "DER"];
        let spki = openssl.run(&[&der[..], &["-pubout"]].concat());
        let mut encodings = vec![
            (openssl.run(&der), None),
            (openssl.read("theirs.pem"), None),
            (
                openssl.run(&[
                    "pkey",
                    "-in",
                    &file,
                    "-aes256",
                    "-passout",
                    "pass:correct horse",
                ]),
                Some(&b"correct horse"[..]),
            ),
        ];
        match algorithm.family() {
            Family::Rsa => {
                encodings.push((openssl.run(&["rsa", "-in", &file, "-traditional"]), None))
            }
            Family::Ec => encodings.push((openssl.run(&["ec", "-in", &file]), None)),
            _ => {}
        }
        for (encoding, passphrase) in encodings {
            let material =
                KeyMaterial::import(&encoding, Format::Auto, Some(algorithm), passphrase).unwrap();
            let public = material.public_key().unwrap().unwrap();
            assert_eq!(public.spki_der(), spki, "{algorithm}");
            if passphrase.is_some() {
                let wrong = Some(&b"incorrect"[..]);
                assert!(KeyMaterial::import(&encoding, Format::Auto, None, wrong).is_err());
                assert!(KeyMaterial::import(&encoding, Format::Auto, None, None).is_err());
            }
        }
        let public = PublicKey::import(&spki, Format::Auto, Some(algorithm)).unwrap();
        assert_eq!(public.spki_der(), spki);
    }
}

/// A way to sign, as both sides say it.
struct Scheme {
    algorithm: Algorithm,
    options: SignOptions,
    openssl: &'static [&'static str],
}

fn schemes() -> Vec<Scheme> {
    let rsa = |scheme, hash| SignOptions {
        scheme: Some(scheme),
        hash: Some(hash),
        ..SignOptions::default()
    };
    let row = |algorithm, options, openssl| Scheme {
        algorithm,
        options,
        openssl,
    };
    const PSS: SignatureScheme = SignatureScheme::RsaPss;
    const PKCS1: SignatureScheme = SignatureScheme::RsaPkcs1v15;
    let plain = SignOptions::default;
    vec![
        row(
            Algorithm::Rsa2048,
            rsa(PSS, Hash::Sha256),
            &[
                "-sha256",
                "-sigopt",
                "rsa_padding_mode:pss",
                "-sigopt",
                "rsa_pss_saltlen:digest",
            ],
        ),
        row(
            Algorithm::Rsa3072,
            rsa(PSS, Hash::Sha512),
            &[
                "-sha512",
                "-sigopt",
                "rsa_padding_mode:pss",
                "-sigopt",
                "rsa_pss_saltlen:digest",
            ],
        ),
        row(Algorithm::Rsa2048, rsa(PKCS1, Hash::Sha256), &["-sha256"]),
        row(Algorithm::Rsa2048, rsa(PKCS1, Hash::Sha384), &["-sha384"]),
        row(Algorithm::EcP256, plain(), &["-sha256"]),
        row(Algorithm::EcP384, plain(), &["-sha384"]),
        row(Algorithm::EcP521, plain(), &["-sha512"]),
        row(Algorithm::EcSecp256k1, plain(), &["-sha256"]),
        row(
            Algorithm::EcP256,
            SignOptions {
                hash: Some(Hash::Sha512),
                ..plain()
            },
            &["-sha512"],
        ),
    ]
}

#[test]
fn signatures_verify_on_both_sides() {
    let Some(openssl) = Openssl::find() else {
        return;
    };
    for Scheme {
        algorithm,
        options,
        openssl: arguments,
    } in schemes()
    {
        let (material, open, public) = generate(algorithm);
        let private = material.export(Format::Pkcs8Pem, None).unwrap();
        let private = openssl.file("private", private.expose());
        let spki = openssl.file("public", &public.export(Format::SpkiPem).unwrap());
        let message = openssl.file("message", MESSAGE);
        let altered = openssl.file("altered", b"cross-checked, both waya");

        let ours = open.sign(Message::Raw(MESSAGE), &options).unwrap();
        let digest = options.hash.unwrap_or(match algorithm {
            Algorithm::EcP384 => Hash::Sha384,
            Algorithm::EcP521 => Hash::Sha512,
            _ => Hash::Sha256,
        });
        let hashed = digest.digest(MESSAGE);
        let prehashed = open
            .sign(Message::Digest(&hashed, digest), &options)
            .unwrap();
        for signature in [ours, prehashed] {
            let signature = openssl.file("signature", &signature);
            let verify = ["dgst", "-verify", &spki, "-signature", &signature];
            openssl.run(&[&verify[..], arguments, &[&message]].concat());
            openssl.refuses(&[&verify[..], arguments, &[&altered]].concat());
        }

        let theirs = openssl.run(&[&["dgst", "-sign", &private], arguments, &[&message]].concat());
        assert!(
            public
                .verify(Message::Raw(MESSAGE), &theirs, &options)
                .unwrap(),
            "{algorithm}"
        );
        assert!(
            !public
                .verify(Message::Raw(b"altered"), &theirs, &options)
                .unwrap()
        );
    }
}

#[test]
fn one_shot_signatures_verify_on_both_sides() {
    let Some(openssl) = Openssl::find() else {
        return;
    };
    let options = SignOptions::default();
    for (algorithm, _) in known(&openssl) {
        if !matches!(
            algorithm.family(),
            Family::EdDsa | Family::MlDsa | Family::SlhDsa
        ) {
            continue;
        }
        let (material, open, public) = generate(algorithm);
        let private = material.export(Format::Pkcs8Pem, None).unwrap();
        let private = openssl.file("private", private.expose());
        let spki = openssl.file("public", &public.export(Format::SpkiPem).unwrap());
        let message = openssl.file("message", MESSAGE);
        let altered = openssl.file("altered", b"cross-checked, both waya");

        let ours = open.sign(Message::Raw(MESSAGE), &options).unwrap();
        let ours = openssl.file("signature", &ours);
        let verify = [
            "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", &spki, "-sigfile", &ours,
        ];
        openssl.run(&[&verify[..], &["-in", &message]].concat());
        openssl.refuses(&[&verify[..], &["-in", &altered]].concat());

        let theirs = openssl.run(&[
            "pkeyutl", "-sign", "-rawin", "-inkey", &private, "-in", &message,
        ]);
        assert!(
            public
                .verify(Message::Raw(MESSAGE), &theirs, &options)
                .unwrap(),
            "{algorithm}"
        );
        assert!(
            !public
                .verify(Message::Raw(b"altered"), &theirs, &options)
                .unwrap()
        );
    }
}

#[test]
fn oaep_opens_on_both_sides() {
    let Some(openssl) = Openssl::find() else {
        return;
    };
    let (material, open, public) = generate(Algorithm::Rsa2048);
    let private = material.export(Format::Pkcs8Pem, None).unwrap();
    let private = openssl.file("private", private.expose());
    let spki = openssl.file("public", &public.export(Format::SpkiPem).unwrap());
    for (hash, name) in [
        (Hash::Sha256, "sha256"),
        (Hash::Sha384, "sha384"),
        (Hash::Sha512, "sha512"),
    ] {
        for label in [&b""[..], b"label"] {
            let options = EncryptOptions {
                oaep_hash: Some(hash),
                ..EncryptOptions::default()
            };
            let (md, mask) = (format!("rsa_oaep_md:{name}"), format!("rsa_mgf1_md:{name}"));
            let text = format!("rsa_oaep_label:{}", hex(label));
            let mut padding = vec![
                "-pkeyopt",
                "rsa_padding_mode:oaep",
                "-pkeyopt",
                &md,
                "-pkeyopt",
                &mask,
            ];
            if !label.is_empty() {
                padding.extend(["-pkeyopt", &text]);
            }

            let ours = public.encrypt(MESSAGE, label, &options).unwrap();
            let ours = openssl.file("ours", &ours);
            let decrypt = ["pkeyutl", "-decrypt", "-inkey", &private, "-in", &ours];
            assert_eq!(openssl.run(&[&decrypt[..], &padding].concat()), MESSAGE);

            let message = openssl.file("message", MESSAGE);
            let encrypt = [
                "pkeyutl", "-encrypt", "-pubin", "-inkey", &spki, "-in", &message,
            ];
            let theirs = openssl.run(&[&encrypt[..], &padding].concat());
            assert_eq!(
                open.decrypt(&theirs, label, &options).unwrap().expose(),
                MESSAGE
            );
            assert!(open.decrypt(&theirs, b"another label", &options).is_err());
        }
    }
}

#[test]
fn both_sides_agree_on_secrets() {
    let Some(openssl) = Openssl::find() else {
        return;
    };
    for (algorithm, arguments) in known(&openssl) {
        if !matches!(
            algorithm,
            Algorithm::X25519
                | Algorithm::EcP256
                | Algorithm::EcP384
                | Algorithm::EcP521
                | Algorithm::Ffdhe2048
                | Algorithm::Ffdhe3072
                | Algorithm::Ffdhe4096
        ) {
            continue;
        }
        let (_, open, public) = generate(algorithm);
        let ours = openssl.file("ours", &public.export(Format::SpkiPem).unwrap());
        let theirs = openssl.path("theirs");
        openssl.run(&[&["genpkey", "-out", &theirs], arguments].concat());
        let peer = openssl.run(&["pkey", "-in", &theirs, "-pubout", "-outform", "DER"]);
        let peer = PublicKey::import(&peer, Format::SpkiDer, Some(algorithm)).unwrap();

        let mut derive = vec!["pkeyutl", "-derive", "-inkey", &theirs, "-peerkey", &ours];
        if algorithm.family() == Family::FiniteField {
            derive.extend(["-pkeyopt", "dh_pad:1"]);
        }
        assert_eq!(
            open.agree(&peer).unwrap().expose(),
            openssl.run(&derive),
            "{algorithm}"
        );
    }
}

#[test]
fn kem_secrets_agree_where_openssl_has_ml_kem() {
    let Some(openssl) = Openssl::find() else {
        return;
    };
    for (algorithm, _) in known(&openssl) {
        if algorithm.family() != Family::Kem {
            continue;
        }
        let (material, open, public) = generate(algorithm);
        let private = material.export(Format::Pkcs8Pem, None).unwrap();
        let private = openssl.file("private", private.expose());
        let spki = openssl.file("public", &public.export(Format::SpkiPem).unwrap());
        let (ciphertext, secret) = (openssl.path("ciphertext"), openssl.path("secret"));

        openssl.run(&[
            "pkeyutl",
            "-encap",
            "-pubin",
            "-inkey",
            &spki,
            "-out",
            &ciphertext,
            "-secret",
            &secret,
        ]);
        let found = open.decapsulate(&openssl.read("ciphertext")).unwrap();
        assert_eq!(found.expose(), openssl.read("secret"), "{algorithm}");

        let (made, shared) = public.encapsulate().unwrap();
        let made = openssl.file("made", &made);
        openssl.run(&[
            "pkeyutl", "-decap", "-inkey", &private, "-in", &made, "-secret", &secret,
        ]);
        assert_eq!(shared.expose(), openssl.read("secret"), "{algorithm}");
    }
}

#[test]
fn wrapped_keys_unwrap_on_both_sides() {
    let Some(openssl) = Openssl::find() else {
        return;
    };
    let options = EncryptOptions::default();
    let rows = [
        (
            Algorithm::Aes128Kw,
            "-id-aes128-wrap",
            "A6A6A6A6A6A6A6A6",
            &[7_u8; 24][..],
        ),
        (
            Algorithm::Aes192Kw,
            "-id-aes192-wrap",
            "A6A6A6A6A6A6A6A6",
            &[7; 24],
        ),
        (
            Algorithm::Aes256Kw,
            "-id-aes256-wrap",
            "A6A6A6A6A6A6A6A6",
            &[7; 24],
        ),
        (
            Algorithm::Aes128Kwp,
            "-id-aes128-wrap-pad",
            "A65959A6",
            &[7; 21],
        ),
        (
            Algorithm::Aes192Kwp,
            "-id-aes192-wrap-pad",
            "A65959A6",
            &[7; 21],
        ),
        (
            Algorithm::Aes256Kwp,
            "-id-aes256-wrap-pad",
            "A65959A6",
            &[7; 21],
        ),
    ];
    for (algorithm, cipher, iv, key) in rows {
        let material = KeyMaterial::generate(algorithm).unwrap();
        let open = OpenKey::open(&material).unwrap();
        let kek = hex(material.export(Format::Raw, None).unwrap().expose());
        let wrapped = open.wrap(key, &options).unwrap();
        let file = openssl.file("key", key);
        let arguments = ["enc", cipher, "-K", &kek, "-iv", iv, "-in"];
        let theirs = openssl.run(&[&arguments[..], &[&file]].concat());
        assert_eq!(theirs, wrapped, "{algorithm}");
        let wrapped = openssl.file("wrapped", &wrapped);
        let unwrapped = openssl.run(&[&arguments[..], &[&wrapped, "-d"]].concat());
        assert_eq!(unwrapped, key);
        assert_eq!(open.unwrap(&theirs, &options).unwrap().expose(), key);
    }
}

#[test]
fn macs_and_derived_keys_are_the_same() {
    let Some(openssl) = Openssl::find() else {
        return;
    };
    let message = openssl.file("message", MESSAGE);
    let rows = [
        (Algorithm::HmacSha256, "-digest", "SHA256", "HMAC"),
        (Algorithm::HmacSha384, "-digest", "SHA384", "HMAC"),
        (Algorithm::HmacSha512, "-digest", "SHA512", "HMAC"),
        (Algorithm::Aes128Cmac, "-cipher", "AES-128-CBC", "CMAC"),
        (Algorithm::Aes256Cmac, "-cipher", "AES-256-CBC", "CMAC"),
    ];
    for (algorithm, option, with, name) in rows {
        let material = KeyMaterial::generate(algorithm).unwrap();
        let open = OpenKey::open(&material).unwrap();
        let key = format!(
            "hexkey:{}",
            hex(material.export(Format::Raw, None).unwrap().expose())
        );
        let theirs = openssl.run(&[
            "mac", "-binary", option, with, "-macopt", &key, "-in", &message, name,
        ]);
        assert_eq!(open.mac(MESSAGE).unwrap(), theirs, "{algorithm}");
        assert!(open.mac_verify(MESSAGE, &theirs).unwrap());
        assert!(!open.mac_verify(b"altered", &theirs).unwrap());
    }
    let rows = [
        (Algorithm::HkdfSha256, "digest:SHA256"),
        (Algorithm::HkdfSha384, "digest:SHA384"),
        (Algorithm::HkdfSha512, "digest:SHA512"),
    ];
    for (algorithm, digest) in rows {
        let material = KeyMaterial::generate(algorithm).unwrap();
        let open = OpenKey::open(&material).unwrap();
        let key = format!(
            "hexkey:{}",
            hex(material.export(Format::Raw, None).unwrap().expose())
        );
        let theirs = openssl.run(&[
            "kdf",
            "-binary",
            "-keylen",
            "77",
            "-kdfopt",
            digest,
            "-kdfopt",
            &key,
            "-kdfopt",
            "salt:grain",
            "-kdfopt",
            "info:purpose",
            "HKDF",
        ]);
        assert_eq!(
            open.derive(b"grain", b"purpose", 77).unwrap().expose(),
            theirs,
            "{algorithm}"
        );
    }
}
