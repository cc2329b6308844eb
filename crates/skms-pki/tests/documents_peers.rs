//! Documents as `openssl cms` and `openssl ts` read and write them, and Python's
//! `cryptography` writes them. A peer that is missing is a visible skip.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

#[path = "documents/support.rs"]
#[allow(dead_code)] // Each test program uses a part of what they share.
mod documents;
#[path = "issue/folder.rs"]
#[allow(dead_code)] // Each test program uses a part of what they share.
mod folder;
#[path = "issue/support.rs"]
#[allow(dead_code)] // Each test program uses a part of what they share.
mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use documents::{Somebody, check};
use folder::{Folder, have};
use skms_crypto::{Algorithm, Format, Hash, KeyMaterial, OpenKey};
use skms_pki::documents::timestamp::{
    self, Failure, Query, QueryBuf, Response, Stamping, granted, plan, refused,
};
use skms_pki::documents::{Body, DocumentError, Trust, cms, cose, jws};
use skms_pki::issue::{ProfileKind, Serial, SigningScheme};
use skms_pki::path::Options;
use skms_pki::{Certificate, Evidence, Moment};
use support::{Ca, NOW, good_request, spki};

const TEXT: &[u8] = b"What I have written, I have written.\n";

#[test]
fn openssl_verifies_what_we_sign() {
    if !have("openssl") {
        return;
    }
    let at = NOW.0.to_string();
    let mut tried = 0;
    // OpenSSL 3.0 has no Ed25519 in CMS.
    for algorithm in [Algorithm::Rsa2048, Algorithm::EcP256, Algorithm::EcP384] {
        let ann = Somebody::new(algorithm, ProfileKind::SMime);
        let folder = Folder::new();
        let root = folder.pem("root.pem", "CERTIFICATE", &ann.chain[2..]);
        let text = folder.write("text", TEXT);
        let other = folder.write("other", b"What?\n");
        for scheme in SigningScheme::all_for(algorithm) {
            let done = ann.done(scheme, &Body::Whole(TEXT));
            let detached =
                cms::assemble(&cms::DATA, None, std::slice::from_ref(&done), &[]).unwrap();
            let attached = cms::assemble(&cms::DATA, Some(TEXT), &[done], &[]).unwrap();
            let detached = folder.write("detached.p7s", &detached);
            let attached = folder.write("attached.p7m", &attached);
            let verify = |document: &str, more: &[&str]| {
                let common = [
                    "cms", "-verify", "-binary", "-inform", "DER", "-attime", &at, "-CAfile",
                    &root, "-in", document, "-out", "out",
                ];
                folder.start("openssl", &[&common[..], more].concat())
            };
            for (document, more) in [
                (&detached, &["-content", text.as_str()][..]),
                (&attached, &[][..]),
            ] {
                let said = verify(document, more);
                assert!(said.status.success(), "{}: {said:?}", scheme.name());
                assert_eq!(std::fs::read(folder.path("out")).unwrap(), TEXT);
            }
            assert!(!verify(&detached, &["-content", &other]).status.success());
            let printed = folder.run(
                "openssl",
                &[
                    "cms", "-cmsout", "-print", "-inform", "DER", "-in", &attached,
                ],
            );
            assert!(printed.contains("signingCertificateV2"), "{printed}");
            tried += 1;
        }
    }
    assert_eq!(tried, 6 + 2);
}

/// A key with a certificate of now, as files for a peer.
fn theirs(algorithm: Algorithm) -> (Folder, Somebody, Moment) {
    theirs_for(algorithm, ProfileKind::SMime)
}

fn theirs_for(algorithm: Algorithm, kind: ProfileKind) -> (Folder, Somebody, Moment) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Moment(i64::try_from(now.as_secs()).unwrap());
    let earlier = Moment(now.0 - 3_600);
    let ca = Ca::root_at(Algorithm::EcP256, earlier)
        .below(&ProfileKind::Intermediate.profile(), Algorithm::EcP256);
    let material = KeyMaterial::generate(algorithm).unwrap();
    let key = OpenKey::open(&material).unwrap();
    let own = ca
        .issue(&kind.profile(), &good_request(kind, spki(&key)))
        .unwrap();
    let mut chain = vec![own];
    chain.extend(ca.authority.chain.clone());
    let folder = Folder::new();
    let plain = material.export(Format::Pkcs8Der, None).unwrap();
    folder.pem("key.pem", "PRIVATE KEY", &[plain.expose().to_vec()]);
    folder.pem("own.pem", "CERTIFICATE", &chain[..1]);
    folder.pem("above.pem", "CERTIFICATE", &chain[1..2]);
    folder.write("text", TEXT);
    (folder, Somebody { ca, key, chain }, now)
}

#[test]
fn we_verify_what_openssl_signs() {
    if !have("openssl") {
        return;
    }
    for algorithm in [Algorithm::Rsa2048, Algorithm::EcP256, Algorithm::EcP521] {
        let (folder, ann, now) = theirs(algorithm);
        let hash = match algorithm {
            Algorithm::EcP521 => "sha512",
            _ => "sha256",
        };
        let sign = [
            "cms",
            "-sign",
            "-binary",
            "-outform",
            "DER",
            "-signer",
            "own.pem",
            "-inkey",
            "key.pem",
            "-certfile",
            "above.pem",
            "-in",
            "text",
            "-out",
            "signed",
            "-md",
            hash,
        ];
        let mut ways: Vec<&[&str]> =
            vec![&[], &["-nodetach"], &["-cades"], &["-keyid", "-nodetach"]];
        if algorithm == Algorithm::Rsa2048 {
            ways.push(&[
                "-keyopt",
                "rsa_padding_mode:pss",
                "-keyopt",
                "rsa_pss_saltlen:32",
            ]);
        }
        for way in ways {
            folder.run("openssl", &[&sign[..], way].concat());
            let document = std::fs::read(folder.path("signed")).unwrap();
            let inside = way.contains(&"-nodetach");
            let body = (!inside).then_some(Body::Whole(TEXT));
            let said = check(&document, body, ann.root(), Options::new(now));
            let said = said.unwrap_or_else(|error| panic!("{algorithm} {way:?}: {error}"));
            assert_eq!(said[0].path, ann.chain);
            assert!(said[0].signing_time.is_some());
            if !inside {
                let other = Some(Body::Whole(b"What?"));
                let result = check(&document, other, ann.root(), Options::new(now));
                assert_eq!(result, Err(DocumentError::Altered));
            }
        }
        // What has no signed attributes is refused, see docs/documents.md.
        folder.run("openssl", &[&sign[..], &["-noattr"]].concat());
        let document = std::fs::read(folder.path("signed")).unwrap();
        assert!(cms::SignedData::from_der(&document).is_err());
    }
}

/// Signs with what Python's `cryptography` calls PKCS #7.
const PYTHON: &str = r#"
import sys
try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.serialization import pkcs7
except ImportError:
    sys.exit(77)
read = lambda name: open(name, "rb").read()
key = serialization.load_pem_private_key(read("key.pem"), None)
own = x509.load_pem_x509_certificate(read("own.pem"))
above = x509.load_pem_x509_certificate(read("above.pem"))
O = pkcs7.PKCS7Options
for name, options in (("attached", [O.Binary]), ("detached", [O.Binary, O.DetachedSignature])):
    made = (pkcs7.PKCS7SignatureBuilder().set_data(read("text"))
        .add_signer(own, key, hashes.SHA256()).add_certificate(above)
        .sign(serialization.Encoding.DER, options))
    open(name, "wb").write(made)
"#;

#[test]
fn we_verify_what_cryptography_signs() {
    let Ok(python) = std::env::var("SKMS_TEST_PYTHON") else {
        eprintln!("SKIPPED: SKMS_TEST_PYTHON names no Python with cryptography");
        return;
    };
    for algorithm in [Algorithm::Rsa2048, Algorithm::EcP256] {
        let (folder, ann, now) = theirs(algorithm);
        let output = folder.start(&python, &["-c", PYTHON]);
        if output.status.code() == Some(77) {
            eprintln!("SKIPPED: {python} has no cryptography");
            return;
        }
        assert!(output.status.success(), "{}", folder::said(&output));
        for (name, body) in [("attached", None), ("detached", Some(Body::Whole(TEXT)))] {
            let document = std::fs::read(folder.path(name)).unwrap();
            let said = check(&document, body, ann.root(), Options::new(now));
            assert_eq!(said.unwrap()[0].path, ann.chain, "{name}");
        }
    }
}

/// What `openssl ts` needs to stamp.
const TSA_CONFIG: &str = "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\n\
    default_policy = 1.2.3.4.1\ndigests = sha256, sha384, sha512\nsigner_digest = sha256\n\
    ess_cert_id_alg = sha256\naccuracy = secs:1, millisecs:500\nclock_precision_digits = 0\n";

#[test]
fn openssl_takes_our_stamps() {
    if !have("openssl") {
        return;
    }
    for algorithm in [Algorithm::Rsa3072, Algorithm::EcP256] {
        let (folder, tsa, now) = theirs_for(algorithm, ProfileKind::TimeStamping);
        let root = folder.pem("root.pem", "CERTIFICATE", &tsa.chain[2..]);
        let ask = [
            "ts", "-query", "-data", "text", "-sha512", "-cert", "-out", "query",
        ];
        folder.run("openssl", &ask);
        let query = std::fs::read(folder.path("query")).unwrap();
        let query = Query::from_der(&query).unwrap();
        let planned = plan(&query, &tsa.signer(tsa.scheme()), &stamping(now)).unwrap();
        let signature = documents::sign(&tsa.key, planned.tbs(), planned.scheme());
        let token = planned.signed(&signature).unwrap();
        folder.write("reply", &granted(&token));
        let verify = ["ts", "-verify", "-in", "reply", "-CAfile", root.as_str()];
        for more in [["-queryfile", "query"], ["-data", "text"]] {
            let said = folder.run("openssl", &[&verify[..], &more].concat());
            assert!(said.contains("Verification: OK"), "{said}");
        }
        folder.write("other", b"What?");
        folder.refuses("openssl", &[&verify[..], &["-data", "other"]].concat());
        let said = folder.run("openssl", &["ts", "-reply", "-in", "reply", "-text"]);
        assert!(said.contains("Accuracy: 0x01 seconds"), "{said}");
        folder.write("reply", &refused(Failure::UnacceptedPolicy));
        let said = folder.run("openssl", &["ts", "-reply", "-in", "reply", "-text"]);
        assert!(said.contains("Status: Rejected"), "{said}");
        assert!(said.contains("policy is not supported"), "{said}");
    }
}

#[test]
fn we_take_the_stamps_of_openssl() {
    if !have("openssl") {
        return;
    }
    for algorithm in [Algorithm::Rsa3072, Algorithm::EcP384] {
        let (folder, tsa, now) = theirs_for(algorithm, ProfileKind::TimeStamping);
        folder.write("config", TSA_CONFIG.as_bytes());
        let asked = QueryBuf {
            hash: Hash::Sha384,
            digest: Hash::Sha384.digest(TEXT),
            policy: None,
            nonce: Some([0xa5; 16]),
            certificates: true,
        };
        let query = asked.to_der().unwrap();
        folder.write("query", &query);
        let reply = [
            "ts",
            "-reply",
            "-config",
            "config",
            "-queryfile",
            "query",
            "-signer",
            "own.pem",
            "-inkey",
            "key.pem",
            "-chain",
            "above.pem",
            "-out",
            "reply",
        ];
        folder.run("openssl", &reply);
        let reply = std::fs::read(folder.path("reply")).unwrap();
        let Response::Granted(token) = Response::from_der(&reply).unwrap() else {
            panic!("refused");
        };
        let anchors = [Certificate::from_der(tsa.root()).unwrap()];
        let trust = Trust {
            evidence: Evidence {
                anchors: &anchors,
                ..Evidence::default()
            },
            // The clock may have moved on since.
            options: Options::new(Moment(now.0 + 5)),
        };
        let nonce = Query::from_der(&query).unwrap().nonce;
        let stamp = timestamp::verify(token, &Body::Whole(TEXT), nonce, &trust).unwrap();
        assert!((now.0 - 1..now.0 + 60).contains(&stamp.at.0));
        assert_eq!(stamp.policy.to_string(), "1.2.3.4.1");
        assert_eq!(stamp.accuracy_seconds, Some(2));
        let other = timestamp::verify(token, &Body::Whole(b"What?"), nonce, &trust);
        assert_eq!(other, Err(DocumentError::Altered));
    }
}

fn stamping(at: Moment) -> Stamping {
    Stamping {
        policy: "1.3.6.1.4.1.99999.1".parse().unwrap(),
        serial: Serial::from_random([9; 20]),
        at,
        milliseconds: 0,
        accuracy_seconds: Some(1),
        ordering: false,
    }
}

/// Checks our JWS with `cryptography`, and makes one.
const PYTHON_JWS: &str = r#"
import base64, json, sys
try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, utils
except ImportError:
    sys.exit(77)
read = lambda name: open(name, "rb").read()
dec = lambda part: base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
enc = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
head, body, signature = read("ours").split(b".")
header = json.loads(dec(head))
assert header["alg"] == "ES256" and dec(body) == read("text")
own = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0]))
raw = dec(signature)
r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
method = ec.ECDSA(hashes.SHA256())
own.public_key().verify(utils.encode_dss_signature(r, s), head + b"." + body, method)
key = serialization.load_pem_private_key(read("key.pem"), None)
chain = [x509.load_pem_x509_certificate(read(name)) for name in ("own.pem", "above.pem")]
der = lambda one: one.public_bytes(serialization.Encoding.DER)
x5c = [base64.b64encode(der(one)).decode() for one in chain]
header = {"typ": "JWT", "x5c": x5c, "alg": "ES256", "kid": "7"}
signed = enc(json.dumps(header, indent=1).encode()) + b"." + enc(read("text"))
r, s = utils.decode_dss_signature(key.sign(signed, method))
raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
open("theirs", "wb").write(signed + b"." + enc(raw))
"#;

#[test]
fn cryptography_and_we_take_the_jws_of_each_other() {
    let Ok(python) = std::env::var("SKMS_TEST_PYTHON") else {
        eprintln!("SKIPPED: SKMS_TEST_PYTHON names no Python with cryptography");
        return;
    };
    let (folder, ann, now) = theirs(Algorithm::EcP256);
    let planned = jws::plan(&ann.signer(ann.scheme()), TEXT).unwrap();
    let signature = documents::sign(&ann.key, planned.tbs(), planned.scheme());
    let ours = planned.signed(&signature, false).unwrap();
    folder.write("ours", ours.as_bytes());
    let output = folder.start(&python, &["-c", PYTHON_JWS]);
    if output.status.code() == Some(77) {
        eprintln!("SKIPPED: {python} has no cryptography");
        return;
    }
    assert!(output.status.success(), "{}", folder::said(&output));
    let theirs = std::fs::read_to_string(folder.path("theirs")).unwrap();
    let anchors = [Certificate::from_der(ann.root()).unwrap()];
    let trust = Trust {
        evidence: Evidence {
            anchors: &anchors,
            ..Evidence::default()
        },
        options: Options::new(now),
    };
    let (by, payload) = jws::verify(&theirs, None, &trust).unwrap();
    assert_eq!((by.path, payload.as_slice()), (ann.chain, TEXT));
}

/// Checks our COSE_Sign1 with Python's `cwt`, and makes two.
const PYTHON_COSE: &str = r#"
import sys
try:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cwt import COSE, COSEKey
except ImportError:
    sys.exit(77)
alg = sys.argv[1]
read = lambda name: open(name, "rb").read()
text = read("text")
own, above = (x509.load_pem_x509_certificate(read(name)) for name in ("own.pem", "above.pem"))
der = [one.public_bytes(Encoding.DER) for one in (own, above)]
spki = own.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
public = COSEKey.from_pem(spki, alg=alg)
context = COSE.new()
protected, unprotected, payload = context.decode_with_headers(read("attached"), public)
assert payload == text and protected[33] == der and not unprotected, protected
detached = read("detached")
assert context.decode(detached, public, detached_payload=text) == text
try:
    context.decode(detached, public, detached_payload=b"What?")
    sys.exit(1)
except Exception as error:
    assert "verify" in str(error).lower(), error
private = COSEKey.from_pem(read("key.pem"), alg=alg)
# x5chain protected, and in the open beside a kid.
made = context.encode_and_sign(text, private, protected={1: int(sys.argv[2]), 33: der})
open("protected", "wb").write(made)
made = context.encode_and_sign(text, private, protected={1: int(sys.argv[2])},
    unprotected={4: b"7", 33: der})
open("open", "wb").write(made)
"#;

#[test]
fn cwt_and_we_take_the_messages_of_each_other() {
    let Ok(python) = std::env::var("SKMS_TEST_PYTHON") else {
        eprintln!("SKIPPED: SKMS_TEST_PYTHON names no Python with cwt");
        return;
    };
    for (algorithm, scheme, alg, number) in [
        (Algorithm::EcP256, "ECDSA-SHA-256", "ES256", "-7"),
        (Algorithm::EcP384, "ECDSA-SHA-384", "ES384", "-35"),
        (Algorithm::EcP521, "ECDSA-SHA-512", "ES512", "-36"),
        (Algorithm::Ed25519, "Ed25519", "EdDSA", "-8"),
        (Algorithm::Rsa2048, "RSA-PSS-SHA-384", "PS384", "-38"),
        (Algorithm::Rsa2048, "RSA-PKCS1-SHA-256", "RS256", "-257"),
    ] {
        let (folder, ann, now) = theirs(algorithm);
        let scheme = SigningScheme::by_name(algorithm, scheme).unwrap();
        let planned = cose::plan(&ann.signer(scheme), TEXT).unwrap();
        let signature = documents::sign(&ann.key, planned.tbs(), planned.scheme());
        folder.write(
            "attached",
            &planned.clone().signed(&signature, false).unwrap(),
        );
        folder.write("detached", &planned.signed(&signature, true).unwrap());
        let output = folder.start(&python, &["-c", PYTHON_COSE, alg, number]);
        if output.status.code() == Some(77) {
            eprintln!("SKIPPED: {python} has no cwt");
            return;
        }
        assert!(output.status.success(), "{alg}: {}", folder::said(&output));
        let anchors = [Certificate::from_der(ann.root()).unwrap()];
        let trust = Trust {
            evidence: Evidence {
                anchors: &anchors,
                ..Evidence::default()
            },
            options: Options::new(now),
        };
        for name in ["protected", "open"] {
            let theirs = std::fs::read(folder.path(name)).unwrap();
            let read = cose::Sign1::from_cbor(&theirs).unwrap();
            assert_eq!(read.content(), Some(TEXT));
            let by = cose::verify(&read, None, &trust).unwrap();
            assert_eq!(by.path, ann.chain, "{alg} {name}");
        }
    }
}
