//! COSE_Sign1 with certificates, what is none, and the published examples.

use coset::cbor::Value;
use coset::{
    CborSerializable as _, CoseSign1, Header, HeaderBuilder, ProtectedHeader,
    RegisteredLabelWithPrivate, SignatureContext, TaggedCborSerializable as _, iana,
};
use skms_crypto::{Algorithm, EcdsaEncoding, Hash, Message, SignOptions};
use skms_pki::certificate::KeyUsage;
use skms_pki::documents::{DocumentError, SignedBy, Trust, cose};
use skms_pki::issue::{ProfileKind, SigningScheme};
use skms_pki::path::{Options, Purpose};
use skms_pki::{Certificate, Evidence};

use crate::documents::{Somebody, sign};
use crate::support::{NOW, good_request, spki};

const TEXT: &[u8] = b"What I have written, I have written.";
const X5CHAIN: i64 = 33;
const X5T: i64 = 34;

fn made(ann: &Somebody, scheme: SigningScheme, detached: bool) -> Vec<u8> {
    let planned = cose::plan(&ann.signer(scheme), TEXT).unwrap();
    let signature = sign(&ann.key, planned.tbs(), planned.scheme());
    planned.signed(&signature, detached).unwrap()
}

fn judge(message: &[u8], detached: Option<&[u8]>, root: &[u8]) -> Result<SignedBy, DocumentError> {
    judge_beside(message, detached, root, &[])
}

fn judge_beside(
    message: &[u8],
    detached: Option<&[u8]>,
    root: &[u8],
    beside: &[Vec<u8>],
) -> Result<SignedBy, DocumentError> {
    let anchors = [Certificate::from_der(root).unwrap()];
    let beside: Vec<_> = beside
        .iter()
        .map(|der| Certificate::from_der(der).unwrap())
        .collect();
    let trust = Trust {
        evidence: Evidence {
            anchors: &anchors,
            intermediates: &beside,
            ..Evidence::default()
        },
        options: Options::new(NOW),
    };
    cose::verify(&cose::Sign1::from_cbor(message)?, detached, &trust)
}

/// A message with these headers, properly signed by an EC-P256 key.
fn with_headers(ann: &Somebody, protected: Vec<u8>, unprotected: Header) -> Vec<u8> {
    let protected = ProtectedHeader {
        original_data: Some(protected),
        header: Header::default(),
    };
    let context = SignatureContext::CoseSign1;
    let tbs = coset::sig_structure_data(context, protected.clone(), None, &[], TEXT);
    let options = SignOptions {
        encoding: EcdsaEncoding::P1363,
        ..ann.scheme().sign_options()
    };
    let message = CoseSign1 {
        protected,
        unprotected,
        payload: Some(TEXT.to_vec()),
        signature: ann.key.sign(Message::Raw(&tbs), &options).unwrap(),
    };
    message.to_tagged_vec().unwrap()
}

fn x5chain(ann: &Somebody) -> Value {
    Value::Array(ann.chain[..2].iter().cloned().map(Value::Bytes).collect())
}

fn x5t(hash: iana::Algorithm, value: Vec<u8>) -> Value {
    Value::Array(vec![Value::from(hash as i64), Value::Bytes(value)])
}

fn es256() -> HeaderBuilder {
    HeaderBuilder::new().algorithm(iana::Algorithm::ES256)
}

fn bytes(header: HeaderBuilder) -> Vec<u8> {
    header.build().to_vec().unwrap()
}

#[test]
fn every_kind_of_key_signs_attached_and_detached() {
    let mut tried = 0;
    for algorithm in [
        Algorithm::Rsa2048,
        Algorithm::EcP256,
        Algorithm::EcP384,
        Algorithm::EcP521,
        Algorithm::Ed25519,
        Algorithm::MlDsa44,
        Algorithm::MlDsa65,
        Algorithm::MlDsa87,
    ] {
        let ann = Somebody::new(algorithm, ProfileKind::SMime);
        for scheme in SigningScheme::all_for(algorithm) {
            let attached = made(&ann, scheme, false);
            let by = judge(&attached, None, ann.root()).unwrap();
            assert_eq!(by.path, ann.chain);
            let read = cose::Sign1::from_cbor(&attached).unwrap();
            assert_eq!(read.content(), Some(TEXT));
            let detached = made(&ann, scheme, true);
            assert_eq!(cose::Sign1::from_cbor(&detached).unwrap().content(), None);
            judge(&detached, Some(TEXT), ann.root()).unwrap();
            assert!(matches!(
                judge(&detached, Some(b"What?"), ann.root()),
                Err(DocumentError::Signature(_))
            ));
            for (message, body) in [(&detached, None), (&attached, Some(TEXT))] {
                assert!(matches!(
                    judge(message, body, ann.root()),
                    Err(DocumentError::Content(_))
                ));
            }
            tried += 1;
        }
    }
    assert_eq!(tried, 6 + 7);
}

#[test]
fn what_is_written_is_deterministic() {
    let ann = Somebody::new(Algorithm::EcP256, ProfileKind::SMime);
    let message = made(&ann, ann.scheme(), true);
    let length = |der: &[u8]| u16::try_from(der.len()).unwrap().to_be_bytes();
    let certificates = ann.chain[..2]
        .iter()
        .flat_map(|der| [&[0x59][..], &length(der), der].concat());
    let inside: Vec<u8> = [0xa2, 0x01, 0x26, 0x18, 0x21, 0x82]
        .into_iter()
        .chain(certificates)
        .collect();
    let head = [&[0xd2, 0x84, 0x59][..], &length(&inside), &inside].concat();
    let signature = message.len() - 64;
    let rest = [0xa0, 0xf6, 0x58, 0x40];
    assert_eq!(message[..signature], [&head[..], &rest].concat());
    // One certificate stands alone.
    let mut alone = ann;
    alone.chain.drain(1..2);
    let signer = skms_pki::documents::Signer::new(alone.chain[..1].to_vec(), alone.scheme());
    let planned = cose::plan(&signer.unwrap(), TEXT).unwrap();
    let signature = sign(&alone.key, planned.tbs(), planned.scheme());
    let message = planned.signed(&signature, true).unwrap();
    assert_eq!(
        message[5..12],
        [
            0xa2,
            0x01,
            0x26,
            0x18,
            0x21,
            0x59,
            length(&alone.chain[0])[0]
        ]
    );
    let read = cose::Sign1::from_cbor(&message).unwrap();
    assert_eq!(read.certificates(), &alone.chain[..1]);
}

#[test]
fn algorithms_cannot_be_bent() {
    let ann = Somebody::new(Algorithm::EcP256, ProfileKind::SMime);
    let with = |alg| {
        let header = HeaderBuilder::new()
            .algorithm(alg)
            .value(X5CHAIN, x5chain(&ann));
        judge(
            &with_headers(&ann, bytes(header), Header::default()),
            None,
            ann.root(),
        )
    };
    with(iana::Algorithm::ES256).unwrap();
    with(iana::Algorithm::ESP256).unwrap();
    for other in [
        iana::Algorithm::ES384,
        iana::Algorithm::ES256K,
        iana::Algorithm::EdDSA,
        iana::Algorithm::RS256,
        iana::Algorithm::ML_DSA_44,
        iana::Algorithm::HMAC_256_256,
        iana::Algorithm::SHA_256,
    ] {
        assert!(
            matches!(with(other), Err(DocumentError::Algorithm(_))),
            "{other:?}"
        );
    }
    let refused = |protected: Vec<u8>, open: Header| {
        judge(&with_headers(&ann, protected, open), None, ann.root())
    };
    // alg in the open, in both headers, as a text, private, and nowhere.
    let chain = HeaderBuilder::new().value(X5CHAIN, x5chain(&ann));
    let open = refused(bytes(chain), es256().build());
    assert!(matches!(open, Err(DocumentError::Algorithm(_))));
    let nowhere = refused(
        Vec::new(),
        HeaderBuilder::new().value(X5CHAIN, x5chain(&ann)).build(),
    );
    assert!(matches!(nowhere, Err(DocumentError::Algorithm(_))));
    let both = refused(
        bytes(es256().value(X5CHAIN, x5chain(&ann))),
        es256().build(),
    );
    assert!(matches!(both, Err(DocumentError::Attribute(_))));
    for label in [
        RegisteredLabelWithPrivate::Text("ES256".to_owned()),
        RegisteredLabelWithPrivate::PrivateUse(-70_000),
    ] {
        let header = HeaderBuilder::new().algorithm_label(label);
        let private = refused(
            bytes(header.value(X5CHAIN, x5chain(&ann))),
            Header::default(),
        );
        assert!(matches!(private, Err(DocumentError::Algorithm(_))));
    }
}

#[test]
fn headers_cannot_be_bent() {
    let ann = Somebody::new(Algorithm::EcP256, ProfileKind::SMime);
    let good = || es256().value(X5CHAIN, x5chain(&ann));
    let asked = |protected: HeaderBuilder, open: HeaderBuilder| {
        let message = with_headers(&ann, bytes(protected), open.build());
        judge(&message, None, ann.root())
    };
    let none = HeaderBuilder::new;
    asked(good(), none()).unwrap();
    // What is not known is passed over, unless it is critical.
    asked(good().value(99, Value::from(1)), none().key_id(vec![7])).unwrap();
    asked(good().add_critical(iana::HeaderParameter::X5Chain), none()).unwrap();
    for critical in [
        good().add_critical(iana::HeaderParameter::CwtClaims),
        good().add_critical(iana::HeaderParameter::X5T),
        good().add_critical_label(RegisteredLabelWithPrivate::Text("mine".to_owned())),
        good().add_critical_label(RegisteredLabelWithPrivate::PrivateUse(-70_000)),
    ] {
        let result = asked(critical, none());
        assert!(
            matches!(result, Err(DocumentError::Attribute(_))),
            "{result:?}"
        );
    }
    let open = none().add_critical(iana::HeaderParameter::Alg);
    let result = asked(good(), open);
    assert!(matches!(result, Err(DocumentError::Attribute(_))));
    // In both headers.
    for (one, other) in [
        (good(), none().value(X5CHAIN, x5chain(&ann))),
        (good().key_id(vec![7]), none().key_id(vec![7])),
        (
            good().text_value("x".into(), Value::Null),
            none().text_value("x".into(), Value::Null),
        ),
    ] {
        let result = asked(one, other);
        assert!(
            matches!(result, Err(DocumentError::Attribute(_))),
            "{result:?}"
        );
    }
    // A label twice: coset writes none such, so that it is put in by hand.
    let mut twice = bytes(good().value(99, Value::Null));
    twice[0] += 1;
    twice.extend([0x18, 99, 0xf6]);
    let result = judge(
        &with_headers(&ann, twice, Header::default()),
        None,
        ann.root(),
    );
    assert!(
        matches!(result, Err(DocumentError::Unreadable(_))),
        "{result:?}"
    );
    // Chains that are none.
    for chain in [
        Value::Null,
        Value::Array(vec![]),
        Value::Array(vec![Value::Null]),
    ] {
        let result = asked(es256().value(X5CHAIN, chain), none());
        assert!(
            matches!(result, Err(DocumentError::Attribute(_))),
            "{result:?}"
        );
    }
    let many = Value::Array(vec![Value::Bytes(ann.chain[0].clone()); 65]);
    let result = asked(es256().value(X5CHAIN, many), none());
    assert!(matches!(result, Err(DocumentError::Attribute(_))));
    let junk = asked(es256().value(X5CHAIN, Value::Bytes(vec![0x30, 0])), none());
    assert!(matches!(junk, Err(DocumentError::Unreadable(_))));
    // What was signed, and was changed.
    let signed = with_headers(&ann, bytes(good()), Header::default());
    let mut message = CoseSign1::from_tagged_slice(&signed).unwrap();
    message.protected.original_data = Some(bytes(good().key_id(vec![7])));
    let result = judge(&message.clone().to_tagged_vec().unwrap(), None, ann.root());
    assert!(matches!(result, Err(DocumentError::Signature(_))));
    message.signature.pop();
    let result = judge(&message.to_tagged_vec().unwrap(), None, ann.root());
    assert!(matches!(result, Err(DocumentError::Signature(_))));
    let ben = Somebody::new(Algorithm::EcP256, ProfileKind::SMime);
    let result = judge(&signed, None, ben.root());
    assert!(matches!(result, Err(DocumentError::Path(_))));
}

#[test]
fn certificates_are_found_and_held_to_their_thumbprint() {
    let ann = Somebody::new(Algorithm::EcP256, ProfileKind::SMime);
    let beside = &ann.chain[..2];
    let open = HeaderBuilder::new().value(X5CHAIN, x5chain(&ann)).build();
    judge(
        &with_headers(&ann, bytes(es256()), open.clone()),
        None,
        ann.root(),
    )
    .unwrap();
    let bare = with_headers(&ann, bytes(es256()), Header::default());
    let result = judge_beside(&bare, None, ann.root(), beside);
    assert_eq!(result, Err(DocumentError::NoCertificate));
    for (name, hash) in [
        (iana::Algorithm::SHA_256, Hash::Sha256),
        (iana::Algorithm::SHA_384, Hash::Sha384),
        (iana::Algorithm::SHA_512, Hash::Sha512),
    ] {
        let named = bytes(es256().value(X5T, x5t(name, hash.digest(&ann.chain[0]))));
        let alone = with_headers(&ann, named.clone(), Header::default());
        judge_beside(&alone, None, ann.root(), beside).unwrap();
        let result = judge(&alone, None, ann.root());
        assert_eq!(result, Err(DocumentError::NoCertificate));
        judge(&with_headers(&ann, named, open.clone()), None, ann.root()).unwrap();
        let other = bytes(es256().value(X5T, x5t(name, hash.digest(&ann.chain[1]))));
        let other = judge(&with_headers(&ann, other, open.clone()), None, ann.root());
        assert!(matches!(other, Err(DocumentError::Attribute(_))));
    }
    let digest = Hash::Sha256.digest(&ann.chain[0]);
    for bad in [
        x5t(iana::Algorithm::SHA_256_64, digest[..8].to_vec()),
        x5t(iana::Algorithm::SHA_256, digest[..8].to_vec()),
        x5t(iana::Algorithm::SHA_1, vec![0; 20]),
        Value::Bytes(digest.clone()),
        Value::Null,
    ] {
        let named = bytes(es256().value(X5T, bad));
        assert!(judge(&with_headers(&ann, named, open.clone()), None, ann.root()).is_err());
    }
}

#[test]
fn a_key_for_agreement_alone_signs_no_documents() {
    let mut ann = Somebody::new(Algorithm::EcP256, ProfileKind::SMime);
    let mut profile = ProfileKind::SMime.profile();
    profile.usage.key_usage = KeyUsage::KEY_AGREEMENT;
    let request = good_request(ProfileKind::SMime, spki(&ann.key));
    ann.chain[0] = ann.ca.issue(&profile, &request).unwrap();
    let header = es256().value(X5CHAIN, x5chain(&ann));
    let message = with_headers(&ann, bytes(header), Header::default());
    let result = judge(&message, None, ann.root());
    assert!(matches!(result, Err(DocumentError::Usage(_))), "{result:?}");
}

#[test]
fn the_purpose_that_is_asked_for_counts() {
    let ca = Somebody::new(Algorithm::EcP256, ProfileKind::SMime).ca;
    let server = Somebody::of(ca, Algorithm::EcP256, ProfileKind::TlsServer);
    let header = es256().value(X5CHAIN, x5chain(&server));
    let message = with_headers(&server, bytes(header), Header::default());
    let anchors = [Certificate::from_der(server.root()).unwrap()];
    let mut trust = Trust {
        evidence: Evidence {
            anchors: &anchors,
            ..Evidence::default()
        },
        options: Options::new(NOW),
    };
    let read = cose::Sign1::from_cbor(&message).unwrap();
    cose::verify(&read, None, &trust).unwrap();
    trust.options.purpose = Purpose::CodeSigning;
    let result = cose::verify(&read, None, &trust);
    assert!(matches!(result, Err(DocumentError::Path(_))));
}

/// SubjectPublicKeyInfo of the keys "11" and "P384" of the examples.
const KEY_11: &str = "3059301306072a8648ce3d020106082a8648ce3d03010703420004\
    bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff\
    20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e";

const KEY_P384: &str = "3076301006072a8648ce3d020106052b8104002203620004\
    9132723f6292b010619dbe248d698c17b58756c639e7150f81bee4eb8ac37236ad0a1a19d67be32a66263e1e524d129c\
    98cd3078c554d832ac603c4326410ff61662459b41f1f3df5dbcc83598ff7c5ed8411ca735679d1c4cb3009397d9ef2c";

/// `ecdsa-examples/ecdsa-sig-02`.
const SIG_02: &str = "D28444A1013822A104445033383454546869732069732074686520636F6E74656E742E5860B8F85EFF78C88F5351CED2F1887B79B296490795594B62E41E22529BB90208B7D8CDDD4A46D0E9C986464D83D0A5D1EDF39B3E2C5750364230D0E8D76460D8808E76C83830FBBD1978CC174066EB437F17887979ECF027DCC9D51BAF6C4FD8C0";

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

/// RFC 9052, appendix C.2.1, and the files `ecdsa-examples/ecdsa-sig-01` and
/// `sign1-tests/*` of github.com/cose-wg/Examples, which that appendix names.
const EXAMPLES: [(&str, &str, &str); 11] = [
    (
        "C.2.1",
        "good",
        "d28443a10126a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c465ab05aac34cc6b23d58fef5c083106c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36",
    ),
    (
        "ecdsa-sig-01",
        "good",
        "D28445A201260300A10442313154546869732069732074686520636F6E74656E742E5840EAE868ECC176883766C5DC5BA5B8DCA25DAB3C2E56A551CE5705B793914348E172727F48461FABBBA2E343492DDECAC3983686250BC68E9F1A7A07D41225B59F",
    ),
    // Good by COSE's rules, and refused by ours: alg is not protected, there is
    // external data, there is no tag.
    (
        "sign-pass-01",
        "alg",
        "D28441A0A201260442313154546869732069732074686520636F6E74656E742E5840EAE868ECC176883766C5DC5BA5B8DCA25DAB3C2E56A551CE5705B793914348E11A02E5F0344BF2D4EE5C7FD75A68A9F5E0B3CC1F1FC1409C189566586FF9D610",
    ),
    (
        "sign-pass-02",
        "signature",
        "D28443A10126A10442313154546869732069732074686520636F6E74656E742E5840EAE868ECC176883766C5DC5BA5B8DCA25DAB3C2E56A551CE5705B793914348E155388B10C4F1B59A6733EAB416870A945111A4B2FBDBEF33A77234B1DEFF2F9B",
    ),
    (
        "sign-pass-03",
        "form",
        "8443A10126A10442313154546869732069732074686520636F6E74656E742E5840EAE868ECC176883766C5DC5BA5B8DCA25DAB3C2E56A551CE5705B793914348E19F43D6C6BA654472DA301B645B293C9BA939295B97C4BDB847782BFF384C5794",
    ),
    (
        "sign-fail-01",
        "form",
        "D903E68443A10126A10442313154546869732069732074686520636F6E74656E742E5840EAE868ECC176883766C5DC5BA5B8DCA25DAB3C2E56A551CE5705B793914348E19F43D6C6BA654472DA301B645B293C9BA939295B97C4BDB847782BFF384C5794",
    ),
    (
        "sign-fail-02",
        "signature",
        "D28443A10126A10442313154546869732069732074686520636F6E74656E742F5840EAE868ECC176883766C5DC5BA5B8DCA25DAB3C2E56A551CE5705B793914348E19F43D6C6BA654472DA301B645B293C9BA939295B97C4BDB847782BFF384C5794",
    ),
    (
        "sign-fail-03",
        "form",
        "D28445A1013903E6A10442313154546869732069732074686520636F6E74656E742E5840EAE868ECC176883766C5DC5BA5B8DCA25DAB3C2E56A551CE5705B793914348E19F43D6C6BA654472DA301B645B293C9BA939295B97C4BDB847782BFF384C5794",
    ),
    (
        "sign-fail-04",
        "alg",
        "D2844AA10167756E6B6E6F776EA10442313154546869732069732074686520636F6E74656E742E5840EAE868ECC176883766C5DC5BA5B8DCA25DAB3C2E56A551CE5705B793914348E19F43D6C6BA654472DA301B645B293C9BA939295B97C4BDB847782BFF384C5794",
    ),
    (
        "sign-fail-06",
        "signature",
        "D28445A201260300A10442313154546869732069732074686520636F6E74656E742E5840EAE868ECC176883766C5DC5BA5B8DCA25DAB3C2E56A551CE5705B793914348E19F43D6C6BA654472DA301B645B293C9BA939295B97C4BDB847782BFF384C5794",
    ),
    (
        "sign-fail-07",
        "signature",
        "D28443A10126A10442313154546869732069732074686520636F6E74656E742E5840EAE868ECC176883766C5DC5BA5B8DCA25DAB3C2E56A551CE5705B793914348E172727F48461FABBBA2E343492DDECAC3983686250BC68E9F1A7A07D41225B59F",
    ),
];

#[test]
fn the_published_examples_come_out_as_they_should() {
    let key = unhex(KEY_11);
    let judge = |message: &[u8]| match cose::Sign1::from_cbor(message)
        .and_then(|read| read.check(&key, None))
    {
        Ok(scheme) => {
            assert_eq!(Some(scheme), SigningScheme::for_key(Algorithm::EcP256));
            "good"
        }
        Err(DocumentError::Algorithm(_)) => "alg",
        Err(DocumentError::Signature(_)) => "signature",
        Err(DocumentError::Unreadable(_)) => "form",
        Err(other) => panic!("{other}"),
    };
    for (name, expected, message) in EXAMPLES {
        assert_eq!(judge(&unhex(message)), expected, "{name}");
    }
    let p384 = cose::Sign1::from_cbor(&unhex(SIG_02)).unwrap();
    let scheme = p384.check(&unhex(KEY_P384), None).unwrap();
    assert_eq!(Some(scheme), SigningScheme::for_key(Algorithm::EcP384));
    let other = p384.check(&key, None);
    assert!(matches!(other, Err(DocumentError::Algorithm(_))));
}

#[test]
fn external_data_is_signed_along_and_not_in_the_message() {
    let ann = Somebody::new(Algorithm::EcP256, ProfileKind::SMime);
    let signer = ann.signer(ann.scheme());
    let planned = cose::plan_with(&signer, TEXT, b"label").unwrap();
    let signature = sign(&ann.key, planned.tbs(), planned.scheme());
    let message = planned.signed(&signature, false).unwrap();
    let read = cose::Sign1::from_cbor(&message).unwrap();
    let spki = spki(&ann.key);
    read.check_with(&spki, None, b"label").unwrap();
    for other in [&b""[..], b"labe1", b"label "] {
        let refused = read.check_with(&spki, None, other);
        assert!(matches!(refused, Err(DocumentError::Signature(_))));
    }
    assert!(!message.windows(5).any(|part| part == b"label"));
    // And what was signed without is nothing with.
    let plain = made(&ann, ann.scheme(), false);
    let read = cose::Sign1::from_cbor(&plain).unwrap();
    assert!(read.check_with(&spki, None, b"label").is_err());
    read.check(&spki, None).unwrap();
}

#[test]
fn plain_headers_are_those_that_we_write() {
    let ann = Somebody::new(Algorithm::EcP256, ProfileKind::SMime);
    let plain = |message: &[u8]| cose::Sign1::from_cbor(message).unwrap().is_plain();
    for scheme in SigningScheme::all_for(Algorithm::EcP256) {
        assert!(plain(&made(&ann, scheme, false)));
        assert!(plain(&made(&ann, scheme, true)));
    }
    let chained = || es256().value(X5CHAIN, x5chain(&ann));
    let nothing = Header::default;
    assert!(plain(&with_headers(&ann, bytes(chained()), nothing())));
    let kid = || HeaderBuilder::new().key_id(vec![1]).build();
    let open = HeaderBuilder::new().value(X5CHAIN, x5chain(&ann)).build();
    for (protected, unprotected) in [
        (bytes(chained().key_id(vec![1])), nothing()),
        (bytes(chained()), kid()),
        (bytes(es256()), open),
    ] {
        assert!(!plain(&with_headers(&ann, protected, unprotected)));
    }
    // The same two in another order.
    let two = Value::Map(vec![
        (Value::from(X5CHAIN), x5chain(&ann)),
        (Value::from(1), Value::from(iana::Algorithm::ES256 as i64)),
    ]);
    let turned = with_headers(&ann, two.to_vec().unwrap(), nothing());
    assert!(!plain(&turned));
}
