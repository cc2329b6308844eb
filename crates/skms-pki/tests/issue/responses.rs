//! OCSP responses that we made, as our own validation takes them.

use skms_crypto::{Algorithm, Message};
use skms_pki::crl::Reason;
use skms_pki::issue::ocsp::{failure, request};
use skms_pki::issue::{
    Answer, CertIdBuf, CertIdHash, DAY, Demand, IssueError, ProfileKind, Responder, Serial,
    SigningScheme,
};
use skms_pki::ocsp::{Failure, SingleStatus};
use skms_pki::path::{Revocation, RevocationMode, Rule, validate};
use skms_pki::{Certificate, Evidence, Moment, OcspRequest, OcspResponse, Options};

use crate::support::{Ca, NOW, good_request, key, spki};

struct Case {
    ca: Ca,
    leaf: Vec<u8>,
}

impl Case {
    fn new(algorithm: Algorithm) -> Self {
        let ca = Ca::root(algorithm);
        let request = good_request(ProfileKind::TlsServer, spki(&key(Algorithm::EcP256)));
        let leaf = ca
            .issue(&ProfileKind::TlsServer.profile(), &request)
            .unwrap();
        Self { ca, leaf }
    }

    fn id(&self, hash: CertIdHash) -> CertIdBuf {
        let leaf = Certificate::from_der(&self.leaf).unwrap();
        let serial = Serial::from_contents(leaf.serial()).unwrap();
        let authority = &self.ca.authority;
        CertIdBuf::new(hash, authority.name.as_der(), &authority.spki, &serial).unwrap()
    }

    fn answer(&self, hash: CertIdHash, status: SingleStatus) -> Answer {
        Answer {
            id: self.id(hash),
            status,
            this_update: Moment(NOW.0 - 60),
            next_update: Some(Moment(NOW.0 + DAY)),
            archive_cutoff: None,
        }
    }

    fn verdict(&self, response: &[u8]) -> Result<(), Rule> {
        let root = [Certificate::from_der(&self.ca.authority.chain[0]).unwrap()];
        let leaf = Certificate::from_der(&self.leaf).unwrap();
        let responses = [OcspResponse::from_der(response).unwrap()];
        let evidence = Evidence {
            anchors: &root,
            ocsp: &responses,
            ..Evidence::default()
        };
        let mut options = Options::new(NOW);
        options.revocation = Revocation {
            mode: RevocationMode::Require,
            ..Revocation::default()
        };
        validate(&leaf, &evidence, &options)
            .map(|_| ())
            .map_err(|refusal| refusal.rule())
    }
}

fn signed(
    responder: &Responder,
    key: &skms_crypto::OpenKey,
    answers: &[Answer],
    nonce: Option<&[u8]>,
) -> Vec<u8> {
    let planned = responder.plan(NOW, answers, nonce).unwrap();
    let options = planned.scheme().sign_options();
    let signature = key.sign(Message::Raw(planned.tbs()), &options).unwrap();
    planned.signed(&signature).unwrap()
}

#[test]
fn the_authority_itself_and_a_delegate_are_believed() {
    for algorithm in [Algorithm::EcP256, Algorithm::Rsa2048, Algorithm::MlDsa65] {
        let case = Case::new(algorithm);
        let own = Responder::authority(&case.ca.authority).unwrap();
        let signer_key = key(algorithm);
        let asked = good_request(ProfileKind::OcspSigner, spki(&signer_key));
        let profile = ProfileKind::OcspSigner.profile();
        let certificate = case.ca.issue(&profile, &asked).unwrap();
        let scheme = SigningScheme::for_key(algorithm).unwrap();
        let delegate = Responder::delegated(certificate, scheme).unwrap();
        for (responder, key) in [(&own, &case.ca.key), (&delegate, &signer_key)] {
            for hash in [CertIdHash::Sha1, CertIdHash::Sha256] {
                let say = |status| {
                    let answer = case.answer(hash, status);
                    case.verdict(&signed(responder, key, &[answer], None))
                };
                let revoked = |reason| SingleStatus::Revoked {
                    date: Moment(NOW.0 - 600),
                    reason,
                };
                assert_eq!(say(SingleStatus::Good), Ok(()));
                assert_eq!(say(revoked(None)), Err(Rule::Revoked));
                assert_eq!(say(revoked(Some(Reason::CertificateHold))), Err(Rule::Held));
                assert_eq!(say(SingleStatus::Unknown), Err(Rule::RevocationUnknown));
            }
        }
    }
}

#[test]
fn everything_is_read_back() {
    let case = Case::new(Algorithm::EcP256);
    let responder = Responder::authority(&case.ca.authority).unwrap();
    let good = Answer {
        archive_cutoff: Some(Moment(NOW.0 - DAY)),
        ..case.answer(CertIdHash::Sha1, SingleStatus::Good)
    };
    let revoked = case.answer(
        CertIdHash::Sha256,
        SingleStatus::Revoked {
            date: NOW,
            reason: Some(Reason::AaCompromise),
        },
    );
    let der = signed(
        &responder,
        &case.ca.key,
        &[good, revoked.clone()],
        Some(&[9; 32]),
    );
    let response = OcspResponse::from_der(&der).unwrap();
    let basic = response.basic().unwrap();
    assert_eq!(basic.nonce, Some(&[9; 32][..]));
    assert_eq!(basic.produced_at, NOW);
    assert_eq!(basic.responses[1].status, revoked.status);
    assert_eq!(basic.responses[1].next_update, revoked.next_update);
    assert!(!basic.responses[0].unknown_critical);
    let root = Certificate::from_der(&case.ca.authority.chain[0]).unwrap();
    assert!(basic.responder.names(&root));
}

#[test]
fn a_request_comes_back_in_its_answer() {
    let case = Case::new(Algorithm::EcP256);
    let id = case.id(CertIdHash::Sha256);
    let der = request(std::slice::from_ref(&id), Some(&[5; 16])).unwrap();
    let read = OcspRequest::from_der(&der).unwrap();
    assert_eq!(read.nonce, Some(&[5; 16][..]));
    assert_eq!(CertIdBuf::from(&read.requests[0]), id);
    let leaf = Certificate::from_der(&case.leaf).unwrap();
    let root = Certificate::from_der(&case.ca.authority.chain[0]).unwrap();
    assert!(read.requests[0].names(&leaf, &root));
    assert!(request(&[], None).is_err());
    assert!(request(std::slice::from_ref(&id), Some(&[])).is_err());
    assert!(request(&[id], Some(&[1; 129])).is_err());
}

#[test]
fn failures_say_why() {
    for why in [
        Failure::MalformedRequest,
        Failure::InternalError,
        Failure::TryLater,
        Failure::SigRequired,
        Failure::Unauthorized,
    ] {
        let der = failure(why);
        match OcspResponse::from_der(&der).unwrap() {
            OcspResponse::Failed(found) => assert_eq!(found, why),
            OcspResponse::Basic(_) => panic!("{why:?}"),
        }
    }
    // RFC 6960 numbers them: 4 is not used.
    assert_eq!(failure(Failure::Unauthorized), [0x30, 3, 10, 1, 6]);
}

#[test]
fn what_no_client_would_take_is_refused() {
    let case = Case::new(Algorithm::EcP256);
    let responder = Responder::authority(&case.ca.authority).unwrap();
    let good = case.answer(CertIdHash::Sha1, SingleStatus::Good);
    let plan = |answers: &[Answer], nonce| responder.plan(NOW, answers, nonce);
    assert!(plan(std::slice::from_ref(&good), Some(&[1; 128])).is_ok());
    assert!(plan(&[], None).is_err());
    assert!(plan(std::slice::from_ref(&good), Some(&[])).is_err());
    assert!(plan(std::slice::from_ref(&good), Some(&[1; 129])).is_err());
    let timeless = Answer {
        next_update: Some(good.this_update),
        ..good.clone()
    };
    assert!(plan(&[timeless], None).is_err());
    let late = responder.plan(
        Moment(NOW.0 + 40 * 365 * DAY),
        std::slice::from_ref(&good),
        None,
    );
    assert_eq!(late.unwrap_err().demands(), [Demand::Authority]);
    // A certificate for other things signs no answers.
    let refused = Responder::delegated(case.leaf.clone(), case.ca.authority.scheme);
    assert_eq!(refused.unwrap_err().demands(), [Demand::Authority]);
    // Another key's signature.
    let planned = plan(&[good], None).unwrap();
    let options = planned.scheme().sign_options();
    let other = key(Algorithm::EcP256);
    let signature = other.sign(Message::Raw(planned.tbs()), &options).unwrap();
    assert!(matches!(
        planned.signed(&signature),
        Err(IssueError::Signature(_))
    ));
}
