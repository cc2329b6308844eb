//! Certification requests that we make, and what ours and others' ask for.

use skms_crypto::{Algorithm, Message, OpenKey};
use skms_pki::certificate::{BasicConstraints, KeyUsage};
use skms_pki::issue::{Demand, IssueError, ProfileKind, Request, SigningScheme};
use skms_pki::{Certificate, Csr, oid};

use crate::support::{Ca, key, spki};

fn signed(request: &Request, key: &OpenKey) -> Vec<u8> {
    let scheme = SigningScheme::for_key(key.algorithm()).unwrap();
    let planned = request.to_csr(scheme).unwrap();
    let options = planned.scheme().sign_options();
    let signature = key.sign(Message::Raw(planned.tbs()), &options).unwrap();
    planned.signed(&signature).unwrap()
}

fn asks(key: &OpenKey) -> Request {
    let mut request = Request::new("O=Example, CN=a.example.org".parse().unwrap(), spki(key));
    for name in ["dns:a.example.org", "ip:2001:db8::1"] {
        request.names.push(name.parse().unwrap());
    }
    request.wished.key_usage = Some(KeyUsage::DIGITAL_SIGNATURE);
    request.wished.purposes = vec![oid::SERVER_AUTH.into()];
    request.wished.basic_constraints = Some(BasicConstraints {
        ca: false,
        path_len: None,
    });
    request
}

#[test]
fn what_is_asked_comes_back() {
    for algorithm in [
        Algorithm::EcP256,
        Algorithm::Ed25519,
        Algorithm::Rsa2048,
        Algorithm::MlDsa65,
        Algorithm::SlhDsaSha2_128f,
    ] {
        let key = key(algorithm);
        for request in [
            asks(&key),
            Request::new("CN=x".parse().unwrap(), spki(&key)),
        ] {
            let der = signed(&request, &key);
            let csr = Csr::from_der(&der).unwrap().verify().unwrap();
            assert_eq!(Request::from_csr(&csr).unwrap(), request, "{algorithm}");
        }
    }
}

#[test]
fn a_request_becomes_a_certificate() {
    let ca = Ca::root(Algorithm::EcP256);
    let key = key(Algorithm::EcP384);
    let der = signed(&asks(&key), &key);
    let csr = Csr::from_der(&der).unwrap().verify().unwrap();
    let request = Request::from_csr(&csr).unwrap();
    let issued = ca
        .issue(&ProfileKind::TlsMutual.profile(), &request)
        .unwrap();
    let read = Certificate::from_der(&issued).unwrap();
    // The profile gives two purposes, one was asked for.
    let purposes: Vec<_> = read
        .extensions()
        .extended_key_usage
        .unwrap()
        .iter()
        .collect();
    assert_eq!(purposes, [oid::SERVER_AUTH]);
    assert_eq!(read.subject().as_der(), csr.csr().subject().as_der());
}

#[test]
fn anothers_signature_proves_nothing() {
    let (own, other) = (key(Algorithm::EcP256), key(Algorithm::EcP256));
    let scheme = SigningScheme::for_key(Algorithm::EcP256).unwrap();
    let planned = asks(&own).to_csr(scheme).unwrap();
    let options = planned.scheme().sign_options();
    let signature = other.sign(Message::Raw(planned.tbs()), &options).unwrap();
    assert!(matches!(
        planned.signed(&signature),
        Err(IssueError::Signature(_))
    ));
    // An altered request is not believed when it is read.
    let mut der = signed(&asks(&own), &own);
    let at = der
        .windows(9)
        .position(|part| part == b"a.example")
        .unwrap();
    der[at] = b'b';
    assert!(Csr::from_der(&der).unwrap().verify().is_err());
}

#[test]
fn what_a_request_may_not_have_is_refused() {
    let ca = Ca::root(Algorithm::EcP256);
    let key = key(Algorithm::EcP256);
    let mut request = asks(&key);
    request.wished.basic_constraints = Some(BasicConstraints {
        ca: true,
        path_len: Some(3),
    });
    request
        .names
        .push("dns:a.example.org\0.evil.test".parse().unwrap());
    // NUL bytes are refused before they are even signed.
    let scheme = SigningScheme::for_key(Algorithm::EcP256).unwrap();
    assert!(request.to_csr(scheme).is_err());
    request.names.pop();
    let der = signed(&request, &key);
    let csr = Csr::from_der(&der).unwrap().verify().unwrap();
    let read = Request::from_csr(&csr).unwrap();
    let refused = ca
        .issue(&ProfileKind::TlsServer.profile(), &read)
        .unwrap_err();
    assert_eq!(refused.demands(), [Demand::Usage]);
}
