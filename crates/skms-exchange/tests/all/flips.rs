//! Every byte of every message counts.

use skms_exchange::suite::{X_WING, X25519};
use skms_exchange::{Error, Outcome};

use crate::support::{NOW, World, agreement, counting, distribution};

/// Bits are flipped one to a byte, another one in the next.
fn flipped(message: &[u8], at: usize) -> Vec<u8> {
    let mut flipped = message.to_vec();
    flipped[at] ^= 1 << (at % 8);
    flipped
}

#[test]
fn no_byte_of_the_request_can_be_flipped() {
    let world = World::new();
    let (first, _) = world.begin(agreement(), &[X_WING, X25519]);
    let own = &world.server.identity;
    world.trusting(|trust| {
        for at in 0..first.len() {
            let message = flipped(&first, at);
            let result = world.responder.receive(&message, own, trust, NOW);
            let error = result.expect_err("accepted");
            assert!(
                !matches!(error, Error::Input(_) | Error::Own(_)),
                "byte {at}: {error}"
            );
        }
    });
    assert!(world.respond(&first).is_ok());
}

#[test]
fn no_byte_of_the_answer_can_be_flipped() {
    let world = World::new();
    for request in [agreement, distribution] {
        // The same request each time: who receives is used up by it.
        let again = || world.begin_with(request(), &[X25519], &mut counting(1));
        let (first, waiting) = again();
        assert_eq!(first, again().0);
        let reply = respond_once(&world, &first, request);
        for at in 0..reply.len() {
            let error = world
                .receive(again().1, &flipped(&reply, at))
                .expect_err("accepted");
            assert!(
                !matches!(error, Error::Input(_) | Error::Own(_)),
                "byte {at}: {error}"
            );
        }
        match world.receive(waiting, &reply).unwrap() {
            Outcome::Agreed(_) | Outcome::Distributed(_) => {}
        }
    }
}

/// The nonce is the same in both requests, so each has a store of its own.
fn respond_once(world: &World, first: &[u8], request: fn() -> skms_exchange::Request) -> Vec<u8> {
    let received = world
        .trusting(|trust| {
            let own = &world.server.identity;
            world.responder.receive(first, own, trust, NOW)
        })
        .unwrap();
    let admitted = received.admit(skms_exchange::Seen::First).unwrap();
    let key = skms_crypto::SecretBytes::new(crate::support::SECRET.to_vec());
    let answer = match request() {
        skms_exchange::Request::Agreement(_) => crate::support::agreed(),
        skms_exchange::Request::Distribution(_) => crate::support::handed_over(&key),
    };
    let unsigned = admitted
        .answer(&answer, NOW, &mut skms_crypto::rand::fill)
        .unwrap();
    let signature = crate::support::sign(&world.server.key, unsigned.tbs(), unsigned.scheme());
    unsigned.signed(&signature).unwrap().message
}
