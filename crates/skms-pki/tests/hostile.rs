//! Evidence made to keep a validator busy, and evidence that only looks so:
//! what the work comes to, in the units of `Limits`.
#![allow(clippy::unwrap_used, missing_docs, dead_code)]

#[path = "../examples/make_suite/der.rs"]
mod der;
#[path = "../examples/make_suite/maker.rs"]
mod maker;
#[path = "made/ocsp.rs"]
mod ocsp;

use std::path::Path;

use der::{At, General, Point, Scope, distribution_points, integer, issuing_distribution_point};
use maker::{Cert, List, Maker};
use ocsp::{Response, Says};
use skms_pki::certificate::{PublicKeyInfo, Signed};
use skms_pki::path::{Limits, Profile, RevocationMode, Rule, Work, validate_and_count};
use skms_pki::signature::{SignatureFault, Verify};
use skms_pki::{Certificate, Crl, Evidence, Moment, OcspResponse, Options};

/// 2030-06-15T12:00:00Z, as the suite asks.
const NOW: Moment = Moment(1_907_755_200);

/// Accepts every signature and key: what an attacker with keys can have.
struct Credulous;

impl Verify for Credulous {
    fn verify(&self, _: &PublicKeyInfo<'_>, _: &Signed<'_>) -> Result<(), SignatureFault> {
        Ok(())
    }

    fn accept_key(&self, _: &PublicKeyInfo<'_>, _: bool) -> Result<(), &'static str> {
        Ok(())
    }
}

fn maker() -> Maker {
    Maker::without_folder(Path::new(""))
}

fn cert(maker: &mut Maker, cert: Cert) -> Vec<u8> {
    maker.cert_der(&cert).unwrap()
}

/// Copies of a certificate that differ in serial number and key.
fn copies(der: &[u8], count: u32) -> Vec<Vec<u8>> {
    let whole = Certificate::from_der(der).unwrap();
    let start = |part: &[u8]| part.as_ptr() as usize - der.as_ptr() as usize;
    let serial = start(whole.serial()) + 1;
    let key = start(whole.public_key().key) + 1;
    let copy = |number: u32| {
        let mut copy = der.to_vec();
        copy[serial..serial + 4].copy_from_slice(&number.to_be_bytes());
        copy[key..key + 4].copy_from_slice(&number.to_be_bytes());
        copy
    };
    (0..count).map(copy).collect()
}

/// What is put before a validation.
#[derive(Default)]
struct Case {
    anchors: Vec<Vec<u8>>,
    intermediates: Vec<Vec<u8>>,
    target: Vec<u8>,
    crls: Vec<Vec<u8>>,
    ocsp: Vec<Vec<u8>>,
    credulous: bool,
    profile: Profile,
    limits: Limits,
}

impl Case {
    /// The rule broken, if one was, what was said about it, and the work.
    fn run(&self) -> (Option<Rule>, String, Work) {
        let parse = |der| Certificate::from_der(der).unwrap();
        let anchors: Vec<_> = self.anchors.iter().map(|der| parse(der)).collect();
        let intermediates: Vec<_> = self.intermediates.iter().map(|der| parse(der)).collect();
        let target = parse(&self.target);
        let crls: Vec<_> = self
            .crls
            .iter()
            .map(|der| Crl::from_der(der).unwrap())
            .collect();
        let ocsp: Vec<_> = self
            .ocsp
            .iter()
            .map(|der| OcspResponse::from_der(der).unwrap())
            .collect();
        let evidence = Evidence {
            anchors: &anchors,
            intermediates: &intermediates,
            crls: &crls,
            ocsp: &ocsp,
        };
        let mut options = Options::new(NOW);
        options.profile = self.profile;
        options.limits = self.limits;
        if self.credulous {
            options.verifier = &Credulous;
        }
        if !self.crls.is_empty() || !self.ocsp.is_empty() {
            options.revocation.mode = RevocationMode::Require;
            options.revocation.leaf_only = true;
        }
        let (found, work) = validate_and_count(&target, &evidence, &options);
        match found {
            Ok(_) => (None, String::new(), work),
            Err(refusal) => (Some(refusal.rule()), refusal.to_string(), work),
        }
    }

    #[track_caller]
    fn is_stopped(&self, why: &str) {
        let (rule, text, work) = self.run();
        assert_eq!(rule, Some(Rule::WorkLimit), "{text} {work:?}");
        assert!(text.contains(why), "{text}");
    }

    /// Passes, and with at least half of every limit left.
    #[track_caller]
    fn is_easy(&self) -> Work {
        let (rule, text, work) = self.run();
        assert_eq!(rule, None, "{text}");
        let limits = Limits::default();
        assert!(
            work.signatures <= limits.signatures / 2
                && work.comparisons <= limits.comparisons / 2
                && work.candidates <= limits.candidates / 2
                && work.steps <= limits.steps / 2,
            "{work:?}"
        );
        work
    }
}

/// An anchor, an authority and a leaf.
fn ordinary(maker: &mut Maker) -> Case {
    Case {
        anchors: vec![cert(maker, Cert::ca("Root", "Root"))],
        intermediates: vec![cert(maker, Cert::ca("CA", "Root"))],
        target: cert(maker, Cert::leaf("Leaf", "CA")),
        ..Case::default()
    }
}

#[test]
fn thousands_of_authorities_of_one_name() {
    let mut maker = maker();
    let same = cert(&mut maker, Cert::ca("Same", "Same"));
    let mut case = Case {
        anchors: vec![cert(&mut maker, Cert::ca("Root", "Root"))],
        intermediates: copies(&same, 3000),
        target: cert(&mut maker, Cert::leaf("Leaf", "Same")),
        credulous: true,
        ..Case::default()
    };
    case.is_stopped("too many certificates to try");
    // With these for nothing, it ends all the same.
    case.limits.candidates = u32::MAX;
    case.limits.signatures = u32::MAX;
    case.is_stopped("too much evidence to search");
    // None of them can be tried further: each is looked at once.
    let old = Cert::ca("Same", "Same").validity("250101000000Z", "260101000000Z");
    let old = cert(&mut maker, old);
    case.intermediates = copies(&old, 3000);
    case.limits = Limits::default();
    let (rule, _, work) = case.run();
    assert_eq!(rule, Some(Rule::Expired));
    assert_eq!((work.signatures, work.candidates), (0, 3000));
    let least = 3000 * (old.len() as u64 / 64);
    assert!(work.steps > least && work.steps < 8 * least, "{work:?}");
}

#[test]
fn certificates_of_one_long_name() {
    let mut maker = maker();
    // The last letter tells them apart.
    let long = |last: &str| format!("{}{last}", "n".repeat(64_000));
    let one = cert(&mut maker, Cert::ca("CA", "Root").subject(&long("a")));
    let mut target = Cert::leaf("Leaf", "CA");
    target = target.issuer_der(der::name(&long("b")));
    let mut case = Case {
        anchors: vec![cert(&mut maker, Cert::ca("Root", "Root"))],
        intermediates: copies(&one, 200),
        target: cert(&mut maker, target),
        ..Case::default()
    };
    let (rule, _, work) = case.run();
    assert_eq!(rule, Some(Rule::NoIssuer));
    assert!(work.steps > 200 * 1000, "{work:?}");
    case.limits.steps = 100_000;
    case.is_stopped("too much evidence to search");
}

#[test]
fn responses_that_speak_of_everybody() {
    let mut maker = maker();
    let mut case = ordinary(&mut maker);
    // The serial number is the leaf's in all, the issuer is not: each entry's
    // hashes have to be made.
    let other = cert(&mut maker, Cert::ca("Other", "Root"));
    let mut response = Response::new("CA");
    for _ in 0..1024 {
        response = response.about(&case.target, &other, Says::Good);
    }
    let response = response.write(&mut maker).unwrap();
    case.ocsp = vec![response; 20];
    let (rule, _, work) = case.run();
    assert_eq!(rule, Some(Rule::RevocationUnknown));
    assert!(work.steps > 20 * 1024 * 2, "{work:?}");
    case.limits.steps = 20 * 1024 * 2;
    case.is_stopped("too much evidence to search");
    // Of other serial numbers they are only passed by.
    let mut response = Response::new("CA");
    for _ in 0..1024 {
        response = response.about(&other, &other, Says::Good);
    }
    let of_leaf = Response::new("CA").about(&case.target, &case.intermediates[0], Says::Good);
    case.ocsp = vec![response.write(&mut maker).unwrap(); 500];
    case.ocsp.push(of_leaf.write(&mut maker).unwrap());
    case.limits = Limits::default();
    let work = case.is_easy();
    assert!(work.steps > 500 * 128, "{work:?}");
}

#[test]
fn responders_that_vouch_for_each_other() {
    let mut maker = maker();
    let mut case = ordinary(&mut maker);
    let ca = case.intermediates[0].clone();
    let purpose = der::sequence(&[&der::oid(&[0x2b, 6, 1, 5, 5, 7, 3, 9])]);
    let names: Vec<String> = (0..30)
        .map(|number| format!("Responder {number}"))
        .collect();
    let delegates: Vec<_> = names
        .iter()
        .map(|name| {
            let delegate = Cert::leaf(name, "CA");
            cert(
                &mut maker,
                delegate.with((&[0x55, 0x1d, 37], false, purpose.clone())),
            )
        })
        .collect();
    for (name, own) in names.iter().zip(&delegates) {
        let mut response = Response::new(name).with(own);
        response = response.about(&case.target, &ca, Says::Good);
        for other in &delegates {
            response = response.about(other, &ca, Says::Good);
        }
        case.ocsp.push(response.write(&mut maker).unwrap());
    }
    let (rule, text, work) = case.run();
    assert!(
        matches!(rule, Some(Rule::WorkLimit | Rule::RevocationUnknown)),
        "{text} {work:?}"
    );
    case.limits.signatures = u32::MAX;
    case.is_stopped("too much evidence to search");
}

/// A list with this many entries of others, and a signature.
fn long_list(maker: &mut Maker, number: u32, entries: u32, last: &[u8]) -> Vec<u8> {
    let date = der::time("300602000000Z");
    let mut body = Vec::new();
    for serial in 0..entries {
        body.extend(der::sequence(&[&integer(0x1000_0000 + serial), &date]));
    }
    if !last.is_empty() {
        body.extend(der::sequence(&[&der::tlv(2, &[last]), &date]));
    }
    let algorithm = der::sequence(&[&der::oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2])]);
    let tbs = der::sequence(&[
        &integer(1),
        &algorithm,
        &der::name("CA"),
        &der::time("300601000000Z"),
        &der::time("300701000000Z"),
        &der::sequence(&[&body]),
        &der::tlv(
            0xa0,
            &[&der::sequence(&[&der::extension(&der::crl_number(number))])],
        ),
    ]);
    maker.sign("CA", &tbs, false, &[]).unwrap()
}

#[test]
fn a_long_list_is_searched_once_for_all_paths() {
    let mut maker = maker();
    let mut case = ordinary(&mut maker);
    let serial = Certificate::from_der(&case.target)
        .unwrap()
        .serial()
        .to_vec();
    case.crls = vec![long_list(&mut maker, 1, 50_000, &serial)];
    let through = case.crls[0].len() as u64 / 64;
    let (rule, _, one) = case.run();
    assert_eq!(rule, Some(Rule::Revoked));
    // Hashed for its signature, and searched.
    assert!(one.steps > 2 * through - 10, "{one:?}");
    // Seven more anchors with the same name and key: eight paths.
    for number in 0..7 {
        let again = Cert::ca(&format!("Root {number}"), "Root");
        let again = again.subject("Root").key("Root");
        case.anchors.push(cert(&mut maker, again));
    }
    let (rule, text, eight) = case.run();
    assert_eq!(rule, Some(Rule::Revoked));
    assert!(text.contains("7 other paths"), "{text}");
    assert!(eight.steps < one.steps + through / 2, "{one:?} {eight:?}");
    case.limits.steps = through;
    case.is_stopped("too much evidence to search");
}

#[test]
fn lists_that_nobody_known_signed() {
    let mut maker = maker();
    let mut case = ordinary(&mut maker);
    for number in 0..200 {
        let list = List::new("CA", "CA").signer("Stranger");
        let list = list.with(der::crl_number(number));
        case.crls.push(maker.list_der(&list).unwrap());
    }
    case.is_stopped("too many signatures");
}

#[test]
fn points_and_lists_with_names_without_end() {
    let mut maker = maker();
    let mut case = ordinary(&mut maker);
    let points: Vec<At> = (0..1700)
        .map(|_| At {
            name: Some(Point::Full(General::Uri("http://crl.test/one"))),
            ..At::default()
        })
        .collect();
    let leaf = Cert::leaf("Leaf", "CA").with(distribution_points(&points));
    case.target = cert(&mut maker, leaf);
    let scope = issuing_distribution_point(&Scope {
        name: Some(Point::Full(General::Uri("http://crl.test/two"))),
        ..Scope::default()
    });
    let list = List::new("CA", "CA").with(scope);
    case.crls = vec![maker.list_der(&list).unwrap(); 500];
    let (rule, _, work) = case.run();
    assert_eq!(rule, Some(Rule::WorkLimit), "{work:?}");
    case.limits.steps = 1 << 30;
    let (rule, _, work) = case.run();
    assert_eq!(rule, Some(Rule::RevocationUnknown));
    assert!(work.steps > 1700 * 500 * 5, "{work:?}");
}

#[test]
fn what_is_sensible_is_far_from_the_limits() {
    let mut maker = maker();
    let mut case = ordinary(&mut maker);
    let work = case.is_easy();
    assert_eq!((work.signatures, work.candidates), (2, 2));
    assert!(work.steps < 200, "{work:?}");
    // Everybody's anchors and intermediates.
    let ca = case.intermediates[0].clone();
    let one = cert(&mut maker, Cert::ca("Somebody else", "Root"));
    case.intermediates = copies(&one, 2500);
    case.intermediates.push(ca.clone());
    case.anchors.extend(copies(&one, 200));
    let work = case.is_easy();
    assert!(work.steps > 2 * 2700, "{work:?}");
    // An authority with twenty certificates for its key and name, not all of
    // which lead anywhere.
    case.intermediates = (0..20)
        .map(|number| {
            let cross = Cert::ca(&format!("CA {number}"), "Nobody");
            cert(&mut maker, cross.subject("CA").key("CA"))
        })
        .collect();
    case.intermediates.push(ca);
    case.is_easy();
    // Lists and responses of a hundred others.
    for number in 0..100 {
        let other = format!("Other {number}");
        case.crls
            .push(maker.list_der(&List::new(&other, &other)).unwrap());
    }
    let list = maker.list_der(&List::new("CA", "CA")).unwrap();
    case.crls.push(list);
    case.is_easy();
}

#[test]
fn a_list_of_a_million_entries_is_no_attack() {
    let mut maker = maker();
    let mut case = ordinary(&mut maker);
    case.crls = vec![long_list(&mut maker, 1, 1_000_000, &[])];
    let work = case.is_easy();
    assert!(work.steps > case.crls[0].len() as u64 / 32, "{work:?}");
}
