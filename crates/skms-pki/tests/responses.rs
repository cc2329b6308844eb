//! OCSP responses inside a validation: whose word counts, and beside lists.
#![allow(
    clippy::unwrap_used,
    clippy::cloned_ref_to_slice_refs,
    missing_docs,
    dead_code
)]

#[path = "../examples/make_suite/der.rs"]
mod der;
#[path = "../examples/make_suite/maker.rs"]
mod maker;
#[path = "made/ocsp.rs"]
mod ocsp;

use std::path::Path;

use der::{Extension, oid, reason, sequence, tlv};
use maker::{Cert, List, Maker};
use ocsp::{Response, Says};
use skms_pki::path::{Revocation, RevocationMode, Rule};
use skms_pki::{Certificate, Crl, Evidence, Moment, OcspResponse, Options, validate};

/// 2030-06-15T12:00:00Z, as the suite asks.
const NOW: Moment = Moment(1_907_755_200);

/// id-kp-OCSPSigning.
fn ocsp_signing() -> Extension {
    let purpose = oid(&[0x2b, 6, 1, 5, 5, 7, 3, 9]);
    (&[0x55, 0x1d, 37], false, sequence(&[&purpose]))
}

/// id-pkix-ocsp-nocheck.
fn no_check() -> Extension {
    (&[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 5], false, tlv(5, &[]))
}

/// An anchor, an authority below it, and what it issued.
struct World {
    maker: Maker,
    root: Vec<u8>,
    ca: Vec<u8>,
    leaf: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let mut maker = Maker::without_folder(Path::new(""));
        let root = maker.cert_der(&Cert::ca("Root", "Root")).unwrap();
        let ca = maker.cert_der(&Cert::ca("CA", "Root")).unwrap();
        let leaf = maker.cert_der(&Cert::leaf("Leaf", "CA")).unwrap();
        Self {
            maker,
            root,
            ca,
            leaf,
        }
    }

    fn responder(&mut self, name: &str) -> Vec<u8> {
        let cert = Cert::leaf(name, "CA").with(ocsp_signing());
        self.maker.cert_der(&cert).unwrap()
    }

    fn trusted_responder(&mut self, name: &str) -> Vec<u8> {
        let cert = Cert::leaf(name, "CA").with(ocsp_signing());
        self.maker.cert_der(&cert.with(no_check())).unwrap()
    }

    /// A response about the leaf.
    fn of_leaf(&self, signer: &str, says: Says) -> Response {
        Response::new(signer).about(&self.leaf, &self.ca, says)
    }

    fn write(&mut self, response: &Response) -> Vec<u8> {
        response.write(&mut self.maker).unwrap()
    }

    fn list(&mut self, list: &List) -> Vec<u8> {
        self.maker.list_der(list).unwrap()
    }

    /// The rule that the leaf broke, by these responses and lists.
    fn ask_for(
        &self,
        mode: RevocationMode,
        target: &[u8],
        responses: &[Vec<u8>],
        lists: &[Vec<u8>],
    ) -> Option<Rule> {
        let anchors = [Certificate::from_der(&self.root).unwrap()];
        let intermediates = [Certificate::from_der(&self.ca).unwrap()];
        let leaf = Certificate::from_der(target).unwrap();
        let ocsp: Vec<_> = responses
            .iter()
            .map(|der| OcspResponse::from_der(der).unwrap())
            .collect();
        let crls: Vec<_> = lists
            .iter()
            .map(|der| Crl::from_der(der).unwrap())
            .collect();
        let evidence = Evidence {
            anchors: &anchors,
            intermediates: &intermediates,
            crls: &crls,
            ocsp: &ocsp,
        };
        let mut options = Options::new(NOW);
        options.revocation = Revocation {
            mode,
            leaf_only: true,
            ..Revocation::default()
        };
        validate(&leaf, &evidence, &options)
            .err()
            .map(|refusal| refusal.rule())
    }

    fn require(&self, responses: &[Vec<u8>], lists: &[Vec<u8>]) -> Option<Rule> {
        self.ask_for(RevocationMode::Require, &self.leaf, responses, lists)
    }

    fn when_known(&self, responses: &[Vec<u8>], lists: &[Vec<u8>]) -> Option<Rule> {
        self.ask_for(RevocationMode::WhenKnown, &self.leaf, responses, lists)
    }
}

const UNKNOWN: Option<Rule> = Some(Rule::RevocationUnknown);
const REVOKED: Option<Rule> = Some(Rule::Revoked);
const KEY_COMPROMISE: Says = Says::Revoked(1);
const HOLD: Says = Says::Revoked(6);

#[test]
fn the_issuer_says_good_revoked_or_held() {
    let mut world = World::new();
    assert_eq!(world.require(&[], &[]), UNKNOWN);
    for (says, require, when_known) in [
        (Says::Good, None, None),
        (Says::Unknown, UNKNOWN, None),
        (KEY_COMPROMISE, REVOKED, REVOKED),
        (HOLD, Some(Rule::Held), Some(Rule::Held)),
    ] {
        let response = world.of_leaf("CA", says);
        let response = [world.write(&response)];
        assert_eq!(world.require(&response, &[]), require);
        assert_eq!(world.when_known(&response, &[]), when_known);
    }
}

#[test]
fn a_response_is_current_and_about_the_certificate() {
    let mut world = World::new();
    let good = world.of_leaf("CA", Says::Good);
    let last_second = good.clone().times("20300610000000Z", "20300615120000Z");
    let response = [world.write(&last_second)];
    assert_eq!(world.require(&response, &[]), None);
    let bad = [
        good.clone().times("20300601000000Z", "20300615115959Z"),
        good.clone().times("20300615120001Z", "20300620000000Z"),
        good.clone().damaged(),
        // Of an issuer with another name and key; of another serial number.
        Response::new("CA").about(&world.leaf, &world.root, Says::Good),
        Response::new("CA").about(&world.ca, &world.ca, Says::Good),
    ];
    for response in bad {
        let response = [world.write(&response)];
        assert_eq!(world.require(&response, &[]), UNKNOWN);
    }
}

#[test]
fn nobody_signs_but_the_issuer_and_whom_it_named() {
    let mut world = World::new();
    let by_root = world.of_leaf("Root", Says::Good);
    let by_root = [world.write(&by_root)];
    assert_eq!(world.require(&by_root, &[]), UNKNOWN);

    let good = world.trusted_responder("Responder");
    let response = world.of_leaf("Responder", Says::Good).with(&good);
    let response = [world.write(&response)];
    assert_eq!(world.require(&response, &[]), None);

    let without = world.of_leaf("Responder", Says::Good);
    let without = [world.write(&without)];
    assert_eq!(world.require(&without, &[]), UNKNOWN);

    let plain = Cert::leaf("Plain", "CA").with(no_check());
    let of_root = Cert::leaf("Of root", "Root")
        .with(ocsp_signing())
        .with(no_check());
    let expired = Cert::leaf("Old", "CA")
        .with(ocsp_signing())
        .with(no_check())
        .validity("250101000000Z", "300614000000Z");
    let forged = Cert::leaf("Forged", "CA")
        .with(ocsp_signing())
        .with(no_check())
        .signer("Root");
    for (name, cert) in [
        ("Plain", plain),
        ("Of root", of_root),
        ("Old", expired),
        ("Forged", forged),
    ] {
        let der = world.maker.cert_der(&cert).unwrap();
        let response = world.of_leaf(name, Says::Good).with(&der);
        let response = [world.write(&response)];
        assert_eq!(world.require(&response, &[]), UNKNOWN, "{name}");
    }
}

#[test]
fn a_delegate_has_nocheck_or_a_status_of_its_own() {
    let mut world = World::new();
    let delegate = world.responder("Responder");
    let good = world.of_leaf("Responder", Says::Good).with(&delegate);
    let revoked = world.of_leaf("Responder", KEY_COMPROMISE).with(&delegate);
    let (good, revoked) = (world.write(&good), world.write(&revoked));
    assert_eq!(world.require(&[good.clone()], &[]), UNKNOWN);
    // What it says against a certificate is believed.
    assert_eq!(world.when_known(&[revoked], &[]), REVOKED);

    let root_list = world.list(&List::new("Root list", "Root"));
    assert_eq!(world.require(&[good.clone()], &[root_list]), UNKNOWN);
    let of_it = Response::new("CA").about(&delegate, &world.ca, Says::Good);
    let of_it = world.write(&of_it);
    assert_eq!(world.require(&[good.clone(), of_it], &[]), None);

    // It may not vouch for itself, nor two for one another.
    let itself = Response::new("Responder")
        .about(&delegate, &world.ca, Says::Good)
        .with(&delegate);
    let itself = world.write(&itself);
    assert_eq!(world.require(&[good.clone(), itself], &[]), UNKNOWN);
    let other = world.responder("Other");
    let of_it = Response::new("Other")
        .about(&delegate, &world.ca, Says::Good)
        .with(&other);
    let of_other = Response::new("Responder")
        .about(&other, &world.ca, Says::Good)
        .with(&delegate);
    let pair = [world.write(&of_it), world.write(&of_other)];
    assert_eq!(
        world.require(&[&[good.clone()], &pair[..]].concat(), &[]),
        UNKNOWN
    );
    // Through another it may, once that one's status is known.
    let of_other = Response::new("CA").about(&other, &world.ca, Says::Good);
    let chain = [good, world.write(&of_it), world.write(&of_other)];
    assert_eq!(world.require(&chain, &[]), None);
}

#[test]
fn a_responder_does_not_vouch_for_itself() {
    let mut world = World::new();
    let delegate = world.trusted_responder("Responder");
    let itself = Response::new("Responder")
        .about(&delegate, &world.ca, Says::Good)
        .with(&delegate);
    let itself = [world.write(&itself)];
    let found = world.ask_for(RevocationMode::Require, &delegate, &itself, &[]);
    assert_eq!(found, UNKNOWN);
    let by_issuer = Response::new("CA").about(&delegate, &world.ca, Says::Good);
    let by_issuer = [world.write(&by_issuer)];
    let found = world.ask_for(RevocationMode::Require, &delegate, &by_issuer, &[]);
    assert_eq!(found, None);
}

#[test]
fn a_revoked_delegate_is_not_believed() {
    for trusted in [false, true] {
        let mut world = World::new();
        let delegate = if trusted {
            world.trusted_responder("Responder")
        } else {
            world.responder("Responder")
        };
        let good = world.of_leaf("Responder", Says::Good).with(&delegate);
        let good = world.write(&good);
        // By a list that covers some reasons only: it says nothing of the leaf.
        let scope = der::issuing_distribution_point(&der::Scope {
            reasons: Some(&[1, 2]),
            ..der::Scope::default()
        });
        let list = List::new("CA list", "CA").with(scope);
        let revoking = world.list(&list.revoke("Responder"));
        assert_eq!(world.require(&[good.clone()], &[revoking]), UNKNOWN);
        for says in [KEY_COMPROMISE, HOLD] {
            let of_it = Response::new("CA").about(&delegate, &world.ca, says);
            let of_it = world.write(&of_it);
            assert_eq!(world.require(&[good.clone(), of_it.clone()], &[]), UNKNOWN);
            // Nor what it says against a certificate.
            let bad = world.of_leaf("Responder", KEY_COMPROMISE).with(&delegate);
            let bad = world.write(&bad);
            assert_eq!(world.when_known(&[bad.clone()], &[]), REVOKED);
            assert_eq!(world.when_known(&[bad, of_it], &[]), None);
        }
    }
}

#[test]
fn revoked_counts_whoever_says_it() {
    let mut world = World::new();
    let good = world.of_leaf("CA", Says::Good);
    let gone = world.of_leaf("CA", KEY_COMPROMISE);
    let older = gone.clone().times("20300601000000Z", "20300620000000Z");
    let empty = world.list(&List::new("CA list", "CA"));
    let listed = world.list(&List::new("CA list 2", "CA").revoke("Leaf"));
    let responses = [&good, &gone, &older].map(|one| one.write(&mut world.maker).unwrap());
    let [good, gone, older] = responses;
    assert_eq!(world.require(&[good.clone()], &[empty.clone()]), None);
    assert_eq!(world.require(&[good.clone()], &[listed]), REVOKED);
    assert_eq!(world.require(&[gone], &[empty]), REVOKED);
    assert_eq!(world.require(&[good.clone(), older.clone()], &[]), REVOKED);
    assert_eq!(world.require(&[older, good], &[]), REVOKED);
}

#[test]
fn a_hold_is_taken_back_by_what_is_newer() {
    let mut world = World::new();
    let listed = List::new("Held", "CA").revoke_with("Leaf", vec![reason(6)]);
    let listed = world.list(&listed.times("300605000000Z", "300701000000Z"));
    let good = world.of_leaf("CA", Says::Good);
    for (from, wanted) in [
        ("20300605000001Z", None),
        ("20300605000000Z", Some(Rule::Held)),
        ("20300604000000Z", Some(Rule::Held)),
    ] {
        let good = world.write(&good.clone().times(from, "20300620000000Z"));
        assert_eq!(world.require(&[good], &[listed.clone()]), wanted, "{from}");
    }
    let held = world.of_leaf("CA", HOLD);
    for (from, wanted) in [("300611000000Z", None), ("300609000000Z", Some(Rule::Held))] {
        let held = world.write(&held);
        let empty = List::new("Empty", "CA").times(from, "300701000000Z");
        let empty = world.list(&empty);
        assert_eq!(world.require(&[held], &[empty]), wanted, "{from}");
    }
}

#[test]
fn a_list_answers_what_a_responder_does_not_know() {
    let mut world = World::new();
    let unknown = world.of_leaf("CA", Says::Unknown);
    let unknown = world.write(&unknown);
    let empty = world.list(&List::new("CA list", "CA"));
    assert_eq!(world.require(&[unknown], &[empty]), None);
}
