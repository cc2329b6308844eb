//! Exchanges that go as they should.

use skms_crypto::Algorithm;
use skms_exchange::suite::{ALL, X_WING, X25519};
use skms_exchange::{AwaitingConfirmation, Outcome, Peer, Standing};

use crate::support::{NOW, SECRET, World, agreement, distribution, later};

fn agreed(outcome: Outcome) -> skms_exchange::Agreed {
    match outcome {
        Outcome::Agreed(agreed) => agreed,
        Outcome::Distributed(_) => panic!("a distribution"),
    }
}

fn distributed(outcome: Outcome) -> skms_exchange::Distributed {
    match outcome {
        Outcome::Distributed(distributed) => distributed,
        Outcome::Agreed(_) => panic!("an agreement"),
    }
}

#[test]
fn both_agree_on_a_key_in_every_suite() {
    let world = World::new();
    let mut keys = Vec::new();
    for suite in ALL {
        let (first, waiting) = world.begin(agreement(), &[suite]);
        let reply = world.respond(&first).unwrap();
        let agreed = agreed(world.receive(waiting, &reply.message).unwrap());
        let ours = reply.agreed.unwrap();
        assert!(ours.key.ct_eq(agreed.key.expose()), "{suite:?}");
        assert_eq!(agreed.key.len(), 32);
        assert_eq!(agreed.grant, ours.grant);
        assert_eq!(agreed.server.certificate(), world.server.chain[0]);
        // The store is all that connects the answer with its confirmation.
        let record = ours.waiting.to_record();
        let waiting = AwaitingConfirmation::from_record(record.expose()).unwrap();
        let named = AwaitingConfirmation::exchange_of(&agreed.confirmation).unwrap();
        assert_eq!(named, *waiting.exchange());
        waiting.receive(&agreed.confirmation, NOW).unwrap();
        keys.push(agreed.key.expose().to_vec());
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), ALL.len(), "two exchanges gave one key");
}

#[test]
fn a_key_is_handed_over_in_every_suite() {
    let world = World::new();
    for suite in ALL {
        let (first, waiting) = world.begin(distribution(), &[suite]);
        let reply = world.respond(&first).unwrap();
        assert!(reply.agreed.is_none());
        assert!(!contains(&reply.message, SECRET));
        let got = distributed(world.receive(waiting, &reply.message).unwrap());
        assert!(got.key.ct_eq(SECRET), "{suite:?}");
        assert_eq!(got.grant.version, 3);
        assert!(!format!("{got:?}").contains("planted"));
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn every_kind_of_identity_key_signs() {
    let mut tried = 0;
    for algorithm in [
        Algorithm::Ed25519,
        Algorithm::EcP256,
        Algorithm::EcP384,
        Algorithm::EcP521,
        Algorithm::Rsa2048,
        Algorithm::MlDsa44,
        Algorithm::MlDsa65,
        Algorithm::MlDsa87,
    ] {
        let world = World::with(algorithm, algorithm);
        let (first, waiting) = world.begin(agreement(), &[X_WING]);
        let reply = world.respond(&first).unwrap();
        let got = agreed(world.receive(waiting, &reply.message).unwrap());
        assert!(reply.agreed.unwrap().key.ct_eq(got.key.expose()));
        tried += 1;
    }
    assert_eq!(tried, 8);
}

#[test]
fn the_responder_takes_the_suite_it_likes_best() {
    let world = World::new();
    let (first, waiting) = world.begin(agreement(), &[X25519, X_WING]);
    let received = world
        .trusting(|trust| {
            let own = &world.server.identity;
            world.responder.receive(&first, own, trust, NOW)
        })
        .unwrap();
    assert_eq!(received.client().certificate(), world.client.chain[0]);
    assert_eq!(received.request(), &agreement());
    let Ok(admitted) = received.admit_by(&world.store);
    let admitted = admitted.unwrap();
    assert_eq!(admitted.suite(), X_WING);
    let unsigned = admitted
        .answer(&crate::support::agreed(), NOW, &mut skms_crypto::rand::fill)
        .unwrap();
    let signature = crate::support::sign(&world.server.key, unsigned.tbs(), unsigned.scheme());
    let reply = unsigned.signed(&signature).unwrap();
    world.receive(waiting, &reply.message).unwrap();
}

#[test]
fn who_asks_is_known_by_the_whole_path() {
    let world = World::new();
    let (first, _) = world.begin(agreement(), &[X_WING]);
    let seen = std::cell::RefCell::new(Vec::new());
    let told = |path: &skms_pki::ValidPath<'_, '_>| {
        let ders = path.certificates.iter().map(|one| one.as_der().to_vec());
        seen.borrow_mut().extend(ders);
        Standing::Good
    };
    let anchors = [skms_pki::Certificate::from_der(&world.pki.root).unwrap()];
    let evidence = skms_pki::Evidence {
        anchors: &anchors,
        ..Default::default()
    };
    let trust = skms_exchange::Trust::new(evidence).told(&told);
    let received = world
        .responder
        .receive(&first, &world.server.identity, &trust, NOW)
        .unwrap();
    let client: &Peer = received.client();
    assert_eq!(client.path(), seen.borrow().as_slice());
    assert_eq!(client.path().len(), 3);
    assert_eq!(
        client.certificate_hash(),
        world.client.identity.certificate_hash()
    );
}

#[test]
fn a_forged_confirmation_does_not_stop_the_true_one() {
    let world = World::new();
    let (first, waiting) = world.begin(agreement(), &[X_WING]);
    let reply = world.respond(&first).unwrap();
    let ours = reply.agreed.unwrap();
    let got = agreed(world.receive(waiting, &reply.message).unwrap());
    for at in 0..got.confirmation.len() {
        let mut forged = got.confirmation.clone();
        forged[at] ^= 1 << (at % 8);
        assert!(ours.waiting.receive(&forged, NOW).is_err(), "byte {at}");
    }
    ours.waiting.receive(&got.confirmation, later(180)).unwrap();
    let late = ours.waiting.receive(&got.confirmation, later(181));
    assert_eq!(late.unwrap_err().name(), "too-late");
}

/// The server's steps lie between awaits, on whichever thread.
#[test]
fn every_state_can_change_threads() {
    fn sent<T: Send>() {}
    sent::<skms_exchange::UnsignedRequest>();
    sent::<skms_exchange::AwaitingReply>();
    sent::<skms_exchange::Received>();
    sent::<skms_exchange::Admitted>();
    sent::<skms_exchange::UnsignedReply>();
    sent::<skms_exchange::Reply>();
    sent::<AwaitingConfirmation>();
}
