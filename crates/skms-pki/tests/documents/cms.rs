//! What is signed is verified, and everything else is refused.

use skms_crypto::{Algorithm, Hash};
use skms_pki::certificate::KeyUsage;
use skms_pki::crl::Reason;
use skms_pki::documents::{Body, DocumentError, Signer, cms};
use skms_pki::issue::{DAY, List, ListEntry, ProfileKind, Serial, SigningScheme};
use skms_pki::path::{Options, Purpose, Revocation, RevocationMode, Rule};
use skms_pki::{Certificate, Error, Moment};

use crate::documents::{Somebody, check, sign};
use crate::support::{NOW, good_request, key, spki};

const TEXT: &[u8] = b"What I have written, I have written.";

fn options() -> Options<'static> {
    Options::new(NOW)
}

fn why(result: Result<Vec<skms_pki::documents::SignedBy>, DocumentError>) -> DocumentError {
    result.expect_err("accepted")
}

/// The document with `from` in place of `to`, everywhere.
fn replaced(document: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut out = document.to_vec();
    let mut count = 0;
    for at in 0..=out.len() - from.len() {
        if &out[at..at + from.len()] == from {
            out[at..at + from.len()].copy_from_slice(to);
            count += 1;
        }
    }
    assert!(count > 0, "nothing to replace");
    out
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
            let done = ann.done(scheme, &Body::Whole(TEXT));
            let hash = ann.signer(scheme).hash();
            let digest = hash.digest(TEXT);
            // The others are not deterministic.
            if algorithm == Algorithm::Ed25519 {
                assert_eq!(done, ann.done(scheme, &Body::Digest(hash, &digest)));
            }
            let detached =
                cms::assemble(&cms::DATA, None, std::slice::from_ref(&done), &[]).unwrap();
            let attached = cms::assemble(&cms::DATA, Some(TEXT), &[done], &[]).unwrap();
            let mut options = options();
            options.purpose = Purpose::EmailProtection;
            let said = check(&attached, None, ann.root(), options.clone()).unwrap();
            assert_eq!(said[0].path, ann.chain);
            assert_eq!(said[0].signing_time, Some(NOW));
            assert_eq!(said[0].hash, hash);
            for body in [Body::Whole(TEXT), Body::Digest(hash, &digest)] {
                check(&detached, Some(body), ann.root(), options.clone()).unwrap();
            }
            let altered = check(
                &detached,
                Some(Body::Whole(b"What?")),
                ann.root(),
                options.clone(),
            );
            assert_eq!(why(altered), DocumentError::Altered);
            let bent = replaced(&attached, b"What", b"That");
            assert_eq!(
                why(check(&bent, None, ann.root(), options.clone())),
                DocumentError::Altered
            );
            tried += 1;
        }
    }
    assert_eq!(tried, 6 + 7);
}

#[test]
fn content_is_inside_or_beside_and_not_both() {
    let ann = Somebody::new(Algorithm::EcP256, ProfileKind::CodeSigning);
    let detached = ann.document(TEXT, true);
    let attached = ann.document(TEXT, false);
    let none = check(&detached, None, ann.root(), options());
    assert!(matches!(why(none), DocumentError::Content(_)));
    let both = check(&attached, Some(Body::Whole(TEXT)), ann.root(), options());
    assert!(matches!(why(both), DocumentError::Content(_)));
    // A digest of another hash is no digest of this document's.
    let digest = Hash::Sha384.digest(TEXT);
    let other = Body::Digest(Hash::Sha384, &digest);
    let wrong = check(&detached, Some(other), ann.root(), options());
    assert!(matches!(why(wrong), DocumentError::Hash { .. }));
}

#[test]
fn several_sign_and_all_of_them_count() {
    let ann = Somebody::new(Algorithm::EcP256, ProfileKind::CodeSigning);
    let ben = Somebody::new(Algorithm::Ed25519, ProfileKind::CodeSigning);
    let body = Body::Whole(TEXT);
    let signers = [ann.done(ann.scheme(), &body), ben.done(ben.scheme(), &body)];
    let both = cms::assemble(&cms::DATA, Some(TEXT), &signers, &[]).unwrap();
    let refused = check(&both, None, ann.root(), options());
    assert!(matches!(why(refused), DocumentError::Path(_)));
    let anchors = [
        Certificate::from_der(ann.root()).unwrap(),
        Certificate::from_der(ben.root()).unwrap(),
    ];
    let trust = skms_pki::documents::Trust {
        evidence: skms_pki::Evidence {
            anchors: &anchors,
            ..Default::default()
        },
        options: options(),
    };
    let read = cms::SignedData::from_der(&both).unwrap();
    let said = skms_pki::documents::verify(&read, None, &trust).unwrap();
    assert_eq!(said.len(), 2);
    assert_ne!(said[0].path, said[1].path);
    assert_eq!(
        cms::assemble(&cms::DATA, None, &[], &[]),
        Err(DocumentError::NoSigner)
    );
}

#[test]
fn attributes_cannot_be_bent() {
    let ann = Somebody::new(Algorithm::EcP256, ProfileKind::CodeSigning);
    let document = ann.document(TEXT, false);
    // The moment of signing: 2026 is no 2025.
    let bent = replaced(&document, b"261129120000Z", b"251129120000Z");
    let result = check(&bent, None, ann.root(), options());
    assert!(matches!(
        why(result),
        DocumentError::Signature(_) | DocumentError::Unreadable(_)
    ));
    // contentType and eContentType at once (id-data to 1.7.5): only the
    // attribute is signed.
    let data = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
    let other = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 5];
    let bent = replaced(&document, &data, &other);
    let result = check(&bent, None, ann.root(), options());
    assert!(matches!(why(result), DocumentError::Signature(_)));
    // eContentType alone.
    let at = document.windows(9).position(|part| part == data).unwrap();
    let mut bent = document.clone();
    bent[at + 8] = 5;
    let result = check(&bent, None, ann.root(), options());
    assert!(matches!(why(result), DocumentError::Attribute(_)));
    // No messageDigest: its identifier becomes another's (1.9.4 to 1.9.9).
    let digest = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
    let none = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 9];
    let malformed = |bytes: &[u8], words: &str| {
        let Err(Error::Malformed { why, .. }) = cms::SignedData::from_der(bytes) else {
            panic!("{words}: accepted");
        };
        assert_eq!(why, words);
    };
    malformed(&replaced(&document, &digest, &none), "no messageDigest");
    // signingTime and messageDigest become two of an unknown kind.
    let time = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 5];
    let two = replaced(&replaced(&document, &time, &none), &digest, &none);
    malformed(&two, "a signed attribute twice");
    let kind = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
    malformed(&replaced(&document, &kind, &none), "no contentType");
    // The first two of the SET OF, contentType and signingTime, change places.
    let start = |id: &[u8]| document.windows(9).position(|part| part == id).unwrap() - 4;
    let (first, second) = (start(&kind), start(&time));
    let end = second + 2 + usize::from(document[second + 1]);
    let mut bent = document.clone();
    bent[first..end].rotate_left(second - first);
    malformed(&bent, "signed attributes that are not in DER's order");
}

#[test]
fn hashes_and_keys_are_not_confused() {
    let ann = Somebody::new(Algorithm::Rsa2048, ProfileKind::SMime);
    let scheme = SigningScheme::rsa_pkcs1(Algorithm::Rsa2048, Hash::Sha256).unwrap();
    let done = ann.done(scheme, &Body::Whole(TEXT));
    let document = cms::assemble(&cms::DATA, Some(TEXT), &[done], &[]).unwrap();
    check(&document, None, ann.root(), options()).unwrap();
    // sha256WithRSAEncryption becomes sha512WithRSAEncryption in the
    // signature's identifier (the certificates are signed with ECDSA).
    let (rsa256, rsa512) = (
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11],
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13],
    );
    let bent = replaced(&document, &rsa256, &rsa512);
    assert!(matches!(
        why(check(&bent, None, ann.root(), options())),
        DocumentError::Algorithm(_)
    ));
    // rsaEncryption stands for the hash of the content.
    let plain = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    let same = replaced(&document, &rsa256, &plain);
    check(&same, None, ann.root(), options()).unwrap();
    // SHA-1 with RSA.
    let weak = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5];
    let bent = replaced(&document, &rsa256, &weak);
    assert!(matches!(
        why(check(&bent, None, ann.root(), options())),
        DocumentError::Algorithm(_)
    ));
    // Another's key, and another's scheme, leave no document.
    let planned = ann.signer(scheme).plan(&cms::DATA, &Body::Whole(TEXT), NOW);
    let planned = planned.unwrap();
    let others = sign(&key(Algorithm::Rsa2048), planned.tbs(), scheme);
    assert!(matches!(
        planned.signed(&others),
        Err(DocumentError::Signature(_))
    ));
    let chain = ann.chain.clone();
    let mixed = Signer::new(chain, SigningScheme::for_key(Algorithm::EcP256).unwrap()).unwrap();
    let planned = mixed.plan(&cms::DATA, &Body::Whole(TEXT), NOW).unwrap();
    let signature = sign(&ann.key, planned.tbs(), scheme);
    assert!(planned.signed(&signature).is_err());
    // SLH-DSA has no part in documents here.
    let slow = SigningScheme::for_key(Algorithm::SlhDsaSha2_128f).unwrap();
    assert!(matches!(
        Signer::new(ann.chain.clone(), slow),
        Err(DocumentError::Algorithm(_))
    ));
}

#[test]
fn signers_lead_to_an_anchor_for_the_purpose_in_time() {
    let ann = Somebody::new(Algorithm::EcP256, ProfileKind::CodeSigning);
    let document = ann.document(TEXT, false);
    let rule = |root: &[u8], options| match why(check(&document, None, root, options)) {
        DocumentError::Path(refusal) => refusal.rule(),
        other => panic!("{other}"),
    };
    let stranger = Somebody::new(Algorithm::EcP256, ProfileKind::CodeSigning);
    assert_ne!(rule(stranger.root(), options()), Rule::Expired);
    let late = Options::new(Moment(NOW.0 + 20 * 365 * 86_400));
    assert_eq!(rule(ann.root(), late), Rule::Expired);
    let mut mail = options();
    mail.purpose = Purpose::EmailProtection;
    assert_eq!(rule(ann.root(), mail), Rule::ExtendedKeyUsage);
    // A certificate that came along is needed, and taken out here by making
    // its serial number another's.
    let own = Certificate::from_der(&ann.chain[0]).unwrap();
    let serial = own.serial().to_vec();
    let mut bent = document.clone();
    let found: Vec<usize> = (0..bent.len() - serial.len())
        .filter(|at| bent[*at..].starts_with(&serial))
        .collect();
    // In the certificate, in the signer's identifier, in signingCertificateV2.
    assert_eq!(found.len(), 3);
    for (place, refused) in [
        (found[1], DocumentError::NoCertificate),
        (found[2], DocumentError::NoCertificate),
    ] {
        let last = place + serial.len() - 1;
        bent[last] ^= 1;
        assert_eq!(why(check(&bent, None, ann.root(), options())), refused);
        bent[last] ^= 1;
    }
    // A key for agreement alone signs no documents.
    let mut profile = ProfileKind::SMime.profile();
    profile.usage.key_usage = KeyUsage::KEY_AGREEMENT;
    let request = good_request(ProfileKind::SMime, spki(&ann.key));
    let own = ann.ca.issue(&profile, &request).unwrap();
    assert!(matches!(
        Signer::new(vec![own], ann.scheme()),
        Err(DocumentError::Usage(_))
    ));
}

#[test]
fn revoked_signers_do_not_count() {
    let ann = Somebody::new(Algorithm::EcP256, ProfileKind::CodeSigning);
    let own = Certificate::from_der(&ann.chain[0]).unwrap();
    let serial = Serial::from_contents(own.serial()).unwrap();
    let list = |entries: &[ListEntry]| {
        let list = List {
            point: ann.ca.authority.published.crls_of(&serial),
            ..List::complete(7, NOW, Moment(NOW.0 + DAY))
        };
        let planned = list.plan(&ann.ca.authority, entries.iter().copied());
        let planned = planned.unwrap();
        let signature = sign(&ann.ca.key, planned.tbs(), planned.scheme());
        planned.signed(&signature).unwrap()
    };
    let gone = ListEntry {
        serial,
        date: NOW,
        reason: Some(Reason::KeyCompromise),
        invalidity: None,
    };
    let judged = |crls: &[Vec<u8>]| {
        let done = ann.done(ann.scheme(), &Body::Whole(TEXT));
        let document = cms::assemble(&cms::DATA, Some(TEXT), &[done], crls).unwrap();
        let mut options = options();
        options.revocation = Revocation {
            mode: RevocationMode::Require,
            leaf_only: true,
            ..Revocation::default()
        };
        match check(&document, None, ann.root(), options) {
            Ok(_) => None,
            Err(DocumentError::Path(refusal)) => Some(refusal.rule()),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(judged(&[list(&[])]), None);
    assert_eq!(judged(&[list(&[gone])]), Some(Rule::Revoked));
    assert_eq!(judged(&[]), Some(Rule::RevocationUnknown));
}
