//! Every profile, with keys of several kinds, from the request to our own
//! verdict.

use skms_crypto::Algorithm;
use skms_pki::certificate::{GeneralName, PointName};
use skms_pki::issue::{AltName, Authority, ProfileKind, Request, Serial, SigningScheme};
use skms_pki::path::{Purpose, validate};
use skms_pki::{Certificate, Evidence, Moment, Options, ReferenceName};

use crate::support::{Ca, NOW, good_request, key, serial, sign, spki};

fn purpose(kind: ProfileKind) -> Purpose {
    match kind {
        ProfileKind::TlsServer | ProfileKind::TlsServerWeb | ProfileKind::TlsMutual => {
            Purpose::ServerAuth
        }
        ProfileKind::TlsClient | ProfileKind::Principal => Purpose::ClientAuth,
        ProfileKind::SMime => Purpose::EmailProtection,
        ProfileKind::CodeSigning => Purpose::CodeSigning,
        ProfileKind::OcspSigner => Purpose::OcspSigning,
        ProfileKind::TimeStamping => Purpose::TimeStamping,
        _ => Purpose::Any,
    }
}

/// Validates below the root, with real signature checks.
pub fn accepted(chain: &[Vec<u8>], options: &Options<'_>) -> Result<(), String> {
    let all: Vec<_> = chain
        .iter()
        .map(|der| Certificate::from_der(der).unwrap())
        .collect();
    let (target, rest) = all.split_first().unwrap();
    let (anchor, intermediates) = rest.split_last().unwrap();
    let evidence = Evidence {
        anchors: std::slice::from_ref(anchor),
        intermediates,
        ..Evidence::default()
    };
    match validate(target, &evidence, options) {
        Ok(path) if path.certificates.len() == chain.len() => Ok(()),
        Ok(_) => Err("a shorter path".to_owned()),
        Err(refusal) => Err(refusal.to_string()),
    }
}

fn options(kind: ProfileKind) -> Options<'static> {
    Options {
        purpose: purpose(kind),
        ..Options::new(NOW)
    }
}

fn every_profile(algorithm: Algorithm, subject_key: Algorithm) {
    let ca = Ca::issuing(algorithm);
    for &kind in ProfileKind::all() {
        if matches!(kind, ProfileKind::Root | ProfileKind::Intermediate) {
            continue;
        }
        let web = kind == ProfileKind::TlsServerWeb;
        let unfit =
            |algorithm: Algorithm| algorithm.row().post_quantum || algorithm == Algorithm::Ed25519;
        if web && (unfit(algorithm) || unfit(subject_key)) {
            continue;
        }
        let request = good_request(kind, spki(&key(subject_key)));
        let der = ca
            .issue(&kind.profile(), &request)
            .unwrap_or_else(|why| panic!("{kind}: {why}"));
        let mut chain = vec![der];
        chain.extend(ca.authority.chain.clone());
        assert_eq!(accepted(&chain, &options(kind)), Ok(()), "{kind}");
        // An altered bit is refused.
        let middle = chain[0].len() / 2;
        chain[0][middle] ^= 1;
        if Certificate::from_der(&chain[0]).is_ok() {
            assert!(accepted(&chain, &options(kind)).is_err(), "{kind}");
        }
    }
}

#[test]
fn with_p256_keys() {
    every_profile(Algorithm::EcP256, Algorithm::EcP256);
}

#[test]
fn with_p384_and_p521_keys() {
    every_profile(Algorithm::EcP384, Algorithm::EcP521);
}

#[test]
fn with_rsa_keys() {
    every_profile(Algorithm::Rsa3072, Algorithm::Rsa3072);
}

#[test]
fn with_ed25519_keys() {
    every_profile(Algorithm::Ed25519, Algorithm::Ed25519);
}

#[test]
fn with_ml_dsa_keys() {
    every_profile(Algorithm::MlDsa65, Algorithm::MlDsa65);
    every_profile(Algorithm::MlDsa87, Algorithm::MlDsa44);
}

#[test]
fn with_an_slh_dsa_authority() {
    every_profile(Algorithm::SlhDsaSha2_128f, Algorithm::EcP256);
}

#[test]
fn rsa_signs_by_every_scheme() {
    let root = Ca::root(Algorithm::Rsa2048);
    for scheme in SigningScheme::all_for(Algorithm::Rsa2048) {
        let mut authority = root.authority.clone();
        authority.scheme = scheme;
        let request = good_request(ProfileKind::TlsServer, spki(&key(Algorithm::EcP256)));
        let profile = ProfileKind::TlsServer.profile();
        let planned = profile.plan(&authority, &request, serial(), NOW).unwrap();
        let chain = [sign(&planned, &root.key), root.authority.chain[0].clone()];
        let verdict = accepted(&chain, &options(ProfileKind::TlsServer));
        assert_eq!(verdict, Ok(()), "{}", scheme.name());
    }
}

#[test]
fn a_web_server_passes_the_webs_profile_by_name() {
    let ca = Ca::issuing(Algorithm::EcP256);
    let request = good_request(ProfileKind::TlsServerWeb, spki(&key(Algorithm::EcP256)));
    let profile = ProfileKind::TlsServerWeb.profile();
    let mut chain = vec![ca.issue(&profile, &request).unwrap()];
    chain.extend(ca.authority.chain.clone());
    let name = |host| Options::web_server(NOW, ReferenceName::host(host).unwrap());
    assert_eq!(accepted(&chain, &name("www.skms-demo.org")), Ok(()));
    assert_eq!(accepted(&chain, &name("9.9.9.9")), Ok(()));
    assert!(accepted(&chain, &name("skms-demo.org")).is_err());
}

#[test]
fn a_cross_certificate_makes_a_second_path() {
    let old = Ca::root(Algorithm::EcP256);
    let new = Ca::issuing(Algorithm::MlDsa65);
    let new_root = new.authority.chain[1].clone();
    let request = Request::cross(&Certificate::from_der(&new_root).unwrap());
    let mut profile = ProfileKind::Intermediate.profile();
    profile.authority.as_mut().unwrap().path_len = Some(1);
    let cross = old.issue(&profile, &request).unwrap();
    let leaf = new
        .issue(
            &ProfileKind::TlsServer.profile(),
            &good_request(ProfileKind::TlsServer, spki(&key(Algorithm::EcP256))),
        )
        .unwrap();
    let issuing = new.authority.chain[0].clone();
    let by_new = [leaf.clone(), issuing.clone(), new_root.clone()];
    let by_old = [leaf, issuing, cross.clone(), old.authority.chain[0].clone()];
    let options = options(ProfileKind::TlsServer);
    assert_eq!(accepted(&by_new, &options), Ok(()));
    assert_eq!(accepted(&by_old, &options), Ok(()));
    // Name, key and key identifier are the same in both.
    let (cross, root) = (
        Certificate::from_der(&cross).unwrap(),
        Certificate::from_der(&new_root).unwrap(),
    );
    assert_eq!(cross.subject().as_der(), root.subject().as_der());
    assert_eq!(
        cross.extensions().subject_key_identifier,
        root.extensions().subject_key_identifier
    );
}

#[test]
fn an_authoritys_key_rolls_over_by_certificates_it_issues_to_itself() {
    let root = Ca::root(Algorithm::EcP256);
    let old = root.below(&ProfileKind::Intermediate.profile(), Algorithm::EcP256);
    // New with old: same name, new key, signed by the old one. It is self-issued
    // and takes nothing of the path length, which is zero.
    let new_key = key(Algorithm::EcP384);
    let request = Request::new(old.authority.name.clone(), spki(&new_key));
    let new_with_old = old
        .issue(&ProfileKind::Intermediate.profile(), &request)
        .unwrap();
    let mut chain = vec![new_with_old];
    chain.extend(old.authority.chain.clone());
    let scheme = SigningScheme::for_key(Algorithm::EcP384).unwrap();
    let new = Ca::of(chain.clone(), new_key, scheme, NOW);
    let request = good_request(ProfileKind::TlsClient, spki(&key(Algorithm::EcP256)));
    let leaf = new
        .issue(&ProfileKind::TlsClient.profile(), &request)
        .unwrap();
    chain.insert(0, leaf);
    assert_eq!(accepted(&chain, &options(ProfileKind::TlsClient)), Ok(()));
}

#[test]
fn times_serial_names_and_locations_are_what_was_planned() {
    let ca = Ca::issuing(Algorithm::EcP256);
    let mut profile = ProfileKind::TlsServer.profile();
    let mut request = good_request(ProfileKind::TlsServer, spki(&key(Algorithm::EcP256)));
    let serial = Serial::from_random([0xab; 20]);
    let plan = |profile: &skms_pki::issue::Profile, request: &Request| {
        profile.plan(&ca.authority, request, serial, NOW).unwrap()
    };
    let planned = plan(&profile, &request);
    // Nobody can backdate below the authority, which began an hour ago itself.
    assert_eq!(planned.not_before(), Moment(NOW.0 - 3_600));
    let lifetime = planned.not_after().0 - planned.not_before().0 + 1;
    assert_eq!(lifetime, profile.lifetime.default_seconds);
    let der = sign(&planned, &ca.key);
    let read = Certificate::from_der(&der).unwrap();
    assert_eq!(read.serial(), serial.as_bytes());
    let names = read.extensions().subject_alt_name.unwrap();
    let names: Vec<_> = names
        .iter()
        .map(|name| AltName::from_general(&name).unwrap())
        .collect();
    assert_eq!(names, request.names);
    let points = read.extensions().crl_distribution_points.unwrap();
    let Some(PointName::Full(names)) = points.iter().next().unwrap().name else {
        panic!("a distribution point without a full name");
    };
    let GeneralName::Uri(url) = names.iter().next().unwrap() else {
        panic!("a distribution point that is no URI");
    };
    assert!(
        url.ends_with(&format!("/{}.crl", serial.shard(16))),
        "{url}"
    );

    request.not_before = Some(Moment(NOW.0 + 100));
    request.not_after = Some(Moment(NOW.0 + 200));
    let planned = plan(&profile, &request);
    assert_eq!(planned.not_before(), Moment(NOW.0 + 100));
    assert_eq!(planned.not_after(), Moment(NOW.0 + 200));
    // Where nobody asks, the authority's end is the end.
    (request.not_before, request.not_after) = (None, None);
    profile.lifetime.max_seconds = i64::MAX;
    profile.lifetime.default_seconds = i64::MAX;
    let planned = plan(&profile, &request);
    assert_eq!(Some(planned.not_after()), ca.authority.not_after().unwrap());
}

#[test]
fn a_wrong_signature_gives_no_certificate() {
    let ca = Ca::issuing(Algorithm::EcP256);
    let other = Ca::root(Algorithm::EcP256);
    let request = good_request(ProfileKind::TlsClient, spki(&key(Algorithm::EcP256)));
    let planned = ProfileKind::TlsClient
        .profile()
        .plan(&ca.authority, &request, serial(), NOW)
        .unwrap();
    let options = planned.scheme().sign_options();
    let message = skms_crypto::Message::Raw(planned.tbs());
    let mut signature = ca.key.sign(message, &options).unwrap();
    assert!(planned.signed(&signature).is_ok());
    assert!(
        planned
            .signed(&other.key.sign(message, &options).unwrap())
            .is_err()
    );
    let last = signature.len() - 1;
    signature[last] ^= 1;
    assert!(planned.signed(&signature).is_err());
    assert!(planned.signed(&[]).is_err());
}

#[test]
fn a_root_can_be_made_again_with_the_same_key() {
    let root = Ca::root(Algorithm::EcP256);
    let request = Request::cross(&Certificate::from_der(&root.authority.chain[0]).unwrap());
    let maker = Authority::root(&request, root.authority.scheme).unwrap();
    let later = Moment(NOW.0 + 19 * 365 * 86_400);
    let planned = ProfileKind::Root
        .profile()
        .plan(&maker, &request, serial(), later)
        .unwrap();
    assert!(planned.not_after() > root.authority.not_after().unwrap().unwrap());
}
