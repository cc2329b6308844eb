//! Public values that are none, by parties whose signatures hold.

use coset::cbor::Value;
use skms_exchange::Suite;
use skms_exchange::suite::{ALL, ML_KEM_768, ML_KEM_1024, P256, P384, P521, X_WING, X25519};

use crate::forged::{Lies, agreement_grant, reply};
use crate::support::{LABEL_1, Opened, World, agreement};

/// Points of X25519 whose product with every scalar is zero (RFC 7748,
/// section 6.1), the twist's and those over p included.
fn low_order() -> Vec<Vec<u8>> {
    let point = |text: &str| {
        (0..32)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
            .collect()
    };
    [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ]
    .map(point)
    .to_vec()
}

fn off_the_curve(bytes: usize) -> Vec<u8> {
    let mut point = vec![1; bytes];
    point[0] = 4;
    point
}

/// What is wrong by its length, shape or place, whatever it is used for.
pub fn bad_points(suite: Suite, good: &[u8]) -> Vec<Vec<u8>> {
    let mut bad = vec![
        good[1..].to_vec(),
        [good, &[0]].concat(),
        good[..good.len() / 2].to_vec(),
        vec![0; 1],
    ];
    if suite == X25519 {
        bad.extend(low_order());
    } else if suite == X_WING {
        // X25519's half is at the end.
        let rest = &good[..good.len() - 32];
        bad.extend(
            low_order()
                .iter()
                .map(|point| [rest, point.as_slice()].concat()),
        );
    } else if [P256, P384, P521].contains(&suite) {
        bad.push(off_the_curve(good.len()));
        bad.push(vec![0; good.len()]);
        bad.push([&[4][..], &vec![0xff; good.len() - 1]].concat());
        // Compressed and hybrid forms.
        bad.push([&[2][..], &good[1..=good.len() / 2]].concat());
        bad.push([&[6][..], &good[1..]].concat());
    }
    bad
}

#[test]
fn the_responder_refuses_ephemeral_keys_that_are_none() {
    let world = World::new();
    for suite in ALL {
        let (first, _) = world.begin(agreement(), &[suite]);
        let good = Opened::of(&first).field(3).as_array().unwrap()[0]
            .as_array()
            .unwrap()[3]
            .as_bytes()
            .unwrap()
            .clone();
        let mut bad = bad_points(suite, &good);
        if [X_WING, ML_KEM_768, ML_KEM_1024].contains(&suite) {
            // Coefficients past q, everywhere and in the first place alone.
            bad.push(vec![0xff; good.len()]);
            let mut one = good.clone();
            one[0] = 0x01;
            one[1] = (one[1] & 0xf0) | 0x0d;
            bad.push(one);
        }
        for (number, public) in bad.into_iter().enumerate() {
            let mut opened = Opened::of(&world.begin(agreement(), &[suite]).0);
            let offer = opened.field(3).as_array_mut().unwrap()[0]
                .as_array_mut()
                .unwrap();
            offer[3] = Value::Bytes(public);
            let message = world.client.seal(LABEL_1, &opened.payload());
            assert_eq!(world.refused(&message), "public-key", "{suite:?} {number}");
        }
    }
}

#[test]
fn the_initiator_refuses_encapsulations_that_are_none() {
    let world = World::new();
    for suite in ALL {
        let good = {
            let (first, _) = world.begin(agreement(), &[suite]);
            let message = world.respond(&first).unwrap().message;
            Opened::of(&message).field(5).as_bytes().unwrap().clone()
        };
        for (number, encapsulation) in bad_points(suite, &good).into_iter().enumerate() {
            let (first, waiting) = world.begin(agreement(), &[suite]);
            let mut lies = Lies::none(suite, agreement_grant());
            lies.encapsulation = Some(encapsulation);
            let (message, _) = reply(&world, &first, &lies);
            let name = world.refusal(waiting, &message);
            assert_eq!(name, "encapsulation", "{suite:?} {number}");
        }
        // One that is well formed and for somebody else: implicit rejection
        // gives another secret, and the MAC does not hold.
        let (first, waiting) = world.begin(agreement(), &[suite]);
        let mut lies = Lies::none(suite, agreement_grant());
        lies.encapsulation = Some(good);
        let (message, _) = reply(&world, &first, &lies);
        assert_eq!(
            world.refusal(waiting, &message),
            "confirmation",
            "{suite:?}"
        );
    }
}
