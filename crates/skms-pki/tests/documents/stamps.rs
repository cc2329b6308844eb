//! Time-stamps, and those that are none.

use skms_crypto::{Algorithm, Hash};
use skms_pki::documents::timestamp::{
    Failure, Query, QueryBuf, Response, Stamp, Stamping, granted, plan, refused, verify,
};
use skms_pki::documents::{Body, DocumentError, Trust, cms};
use skms_pki::issue::{ProfileKind, Serial};
use skms_pki::path::{Options, Rule};
use skms_pki::{Certificate, Evidence, Moment};

use crate::documents::{Somebody, sign};
use crate::support::NOW;

const TEXT: &[u8] = b"What I have written, I have written.";

fn asked(certificates: bool) -> QueryBuf {
    QueryBuf {
        hash: Hash::Sha256,
        digest: Hash::Sha256.digest(TEXT),
        policy: Some("1.2.3".parse().unwrap()),
        nonce: Some([0x80; 16]),
        certificates,
    }
}

fn stamping() -> Stamping {
    Stamping {
        policy: "1.2.3".parse().unwrap(),
        serial: Serial::from_random([7; 20]),
        at: NOW,
        milliseconds: 0,
        accuracy_seconds: Some(1),
        ordering: false,
    }
}

fn token(tsa: &Somebody, query: &[u8]) -> Vec<u8> {
    let query = Query::from_der(query).unwrap();
    let planned = plan(&query, &tsa.signer(tsa.scheme()), &stamping()).unwrap();
    let signature = sign(&tsa.key, planned.tbs(), planned.scheme());
    planned.signed(&signature).unwrap()
}

fn judge(
    token: &[u8],
    content: &[u8],
    nonce: Option<&[u8]>,
    tsa: &Somebody,
    beside: &[&[u8]],
    now: Moment,
) -> Result<Stamp, DocumentError> {
    let anchors = [Certificate::from_der(tsa.root()).unwrap()];
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
        options: Options::new(now),
    };
    verify(token, &Body::Whole(content), nonce, &trust)
}

#[test]
fn every_kind_of_key_stamps() {
    for algorithm in [
        Algorithm::Rsa3072,
        Algorithm::EcP256,
        Algorithm::Ed25519,
        Algorithm::MlDsa65,
    ] {
        let tsa = Somebody::new(algorithm, ProfileKind::TimeStamping);
        let query = asked(true).to_der().unwrap();
        let read = Query::from_der(&query).unwrap();
        assert!(read.certificates && !read.extensions);
        assert_eq!(read.policy.unwrap().to_string(), "1.2.3");
        let token = token(&tsa, &query);
        let reply = granted(&token);
        assert_eq!(Response::from_der(&reply), Ok(Response::Granted(&token)));
        let stamp = judge(&token, TEXT, read.nonce, &tsa, &[], NOW).unwrap();
        assert_eq!(stamp.at, NOW);
        assert_eq!(stamp.accuracy_seconds, Some(1));
        assert_eq!(stamp.policy, stamping().policy);
        assert_eq!(stamp.serial, stamping().serial.as_bytes());
        assert_eq!(stamp.by.path, tsa.chain);
    }
}

#[test]
fn a_stamp_is_for_its_content_and_its_request() {
    let tsa = Somebody::new(Algorithm::EcP256, ProfileKind::TimeStamping);
    let query = asked(true).to_der().unwrap();
    let nonce = Query::from_der(&query).unwrap().nonce;
    let token = token(&tsa, &query);
    let at = |content: &[u8], nonce, now| judge(&token, content, nonce, &tsa, &[], now);
    assert!(at(TEXT, None, NOW).is_ok());
    assert_eq!(at(b"What?", nonce, NOW), Err(DocumentError::Altered));
    assert!(matches!(
        at(TEXT, Some(&[5]), NOW),
        Err(DocumentError::Content(_))
    ));
    let late = at(TEXT, nonce, Moment(NOW.0 + 20 * 365 * 86_400));
    let Err(DocumentError::Path(refusal)) = late else {
        panic!("accepted");
    };
    assert_eq!(refusal.rule(), Rule::Expired);
    // A minute later, in TSTInfo alone.
    let time = b"20261129120000Z";
    let place = token.windows(15).position(|part| part == time).unwrap();
    let mut bent = token.clone();
    bent[place + 11] = b'1';
    let bent = judge(&bent, TEXT, nonce, &tsa, &[], NOW);
    assert_eq!(bent, Err(DocumentError::Altered));
}

#[test]
fn certificates_come_where_they_are_asked_for() {
    let tsa = Somebody::new(Algorithm::EcP256, ProfileKind::TimeStamping);
    let token = token(&tsa, &asked(false).to_der().unwrap());
    let read = cms::SignedData::from_der(&token).unwrap();
    assert!(read.certificates.is_empty());
    let alone = judge(&token, TEXT, None, &tsa, &[], NOW);
    assert_eq!(alone, Err(DocumentError::NoCertificate));
    let beside: Vec<&[u8]> = tsa.chain.iter().map(Vec::as_slice).collect();
    assert!(judge(&token, TEXT, None, &tsa, &beside, NOW).is_ok());
}

#[test]
fn only_an_authority_of_time_stamps() {
    let ann = Somebody::new(Algorithm::EcP256, ProfileKind::CodeSigning);
    let query = asked(true).to_der().unwrap();
    let query = Query::from_der(&query).unwrap();
    assert!(matches!(
        plan(&query, &ann.signer(ann.scheme()), &stamping()),
        Err(DocumentError::Usage(_))
    ));
    let document = ann.document(TEXT, false);
    assert!(matches!(
        judge(&document, TEXT, None, &ann, &[], NOW),
        Err(DocumentError::Content(_))
    ));
}

#[test]
fn odd_requests_and_responses_are_refused() {
    let wrong = QueryBuf {
        digest: vec![1; 31],
        ..asked(true)
    };
    assert!(wrong.to_der().is_err());
    let query = asked(true).to_der().unwrap();
    assert!(Query::from_der(&query[..query.len() - 1]).is_err());
    // SHA-256 becomes SHA-224.
    let sha256 = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    let place = query.windows(9).position(|part| part == sha256).unwrap();
    let mut weak = query.clone();
    weak[place + 8] = 4;
    let read = Query::from_der(&weak).unwrap();
    assert!(matches!(read.digest(), Err(DocumentError::Algorithm(_))));
    for why in [
        Failure::BadAlgorithm,
        Failure::UnacceptedPolicy,
        Failure::SystemFailure,
    ] {
        assert_eq!(Response::from_der(&refused(why)), Ok(Response::Refused(2)));
    }
    let mut granted_nothing = refused(Failure::BadRequest);
    let status = granted_nothing.iter().position(|byte| *byte == 2).unwrap();
    granted_nothing[status + 2] = 0;
    assert!(Response::from_der(&granted_nothing).is_err());
}
