//! Messages before and after their time.

use skms_crypto::Algorithm;
use skms_exchange::suite::X_WING;
use skms_exchange::{Outcome, Seen};
use skms_pki::Moment;

use crate::support::{NOW, World, agreement, counting, later};

fn at(world: &World, message: &[u8], now: Moment) -> &'static str {
    let own = &world.server.identity;
    match world.trusting(|trust| world.responder.receive(message, own, trust, now)) {
        Ok(_) => "accepted",
        Err(error) => error.name(),
    }
}

#[test]
fn a_request_is_taken_within_the_window_alone() {
    let world = World::new();
    let (first, _) = world.begin(agreement(), &[X_WING]);
    for (seconds, name) in [
        (-61, "from-the-future"),
        (-60, "accepted"),
        (0, "accepted"),
        (180, "accepted"),
        (181, "stale"),
        (86_400, "stale"),
    ] {
        assert_eq!(at(&world, &first, later(seconds)), name, "{seconds}");
    }
}

#[test]
fn an_answer_is_taken_within_the_window_alone() {
    let world = World::new();
    for (seconds, name) in [
        (-61, "from-the-future"),
        (-60, "accepted"),
        (120, "accepted"),
        (121, "too-late"),
        (181, "stale"),
    ] {
        let (first, waiting) = world.begin(agreement(), &[X_WING]);
        let reply = world.respond(&first).unwrap();
        let found =
            world.trusting(
                |trust| match waiting.receive(&reply.message, trust, later(seconds)) {
                    Ok(Outcome::Agreed(_)) => "accepted",
                    Ok(Outcome::Distributed(_)) => "distributed",
                    Err(error) => error.name(),
                },
            );
        assert_eq!(found, name, "{seconds}");
    }
}

#[test]
fn the_entry_is_of_certificate_and_nonce_and_outlives_the_message() {
    let world = World::new();
    let received = |message: &[u8]| {
        let own = &world.server.identity;
        world
            .trusting(|trust| world.responder.receive(message, own, trust, NOW))
            .unwrap()
    };
    let (one, _) = world.begin(agreement(), &[X_WING]);
    let (two, _) = world.begin(agreement(), &[X_WING]);
    let entry = received(&one).replay_entry().clone();
    assert_eq!(received(&one).replay_entry(), &entry);
    assert_ne!(received(&two).replay_entry().id(), entry.id());
    assert_eq!(entry.until(), later(1200));
    // Another client's nonce is another one, if it is the same.
    let mut other = World::new();
    other.pki = world.pki;
    other.server = world.server;
    let entry_of = |world: &World| {
        let (first, _) = world.begin_with(agreement(), &[X_WING], &mut counting(1));
        let own = &world.server.identity;
        let received = world.trusting(|trust| world.responder.receive(&first, own, trust, NOW));
        *received.unwrap().replay_entry().id()
    };
    other.client = other.pki.client(Algorithm::Ed25519);
    let one_client = entry_of(&other);
    assert_eq!(entry_of(&other), one_client);
    other.client = other.pki.client(Algorithm::Ed25519);
    assert_ne!(entry_of(&other), one_client);
}

#[test]
fn what_the_store_has_seen_is_refused() {
    let world = World::new();
    let (one, _) = world.begin(agreement(), &[X_WING]);
    let own = &world.server.identity;
    let received = world.trusting(|trust| world.responder.receive(&one, own, trust, NOW));
    let refused = received.unwrap().admit(Seen::Again).unwrap_err();
    assert_eq!(refused.name(), "replayed");
}
