//! One message, one form: what is encoded otherwise is refused, signed or not.

use coset::cbor::Value;
use skms_exchange::sealing::{Described, Status};

use super::{MESSAGE, Post, STATEMENT, STATUS, query};
use crate::support::{Opened, Party};

fn number(value: u64) -> Value {
    Value::from(value)
}

fn zeros(length: usize) -> Value {
    Value::Bytes(vec![0; length])
}

/// What becomes of a message with each of these changes, signed as it should be.
fn refused(
    message: &[u8],
    (signer, label): (&Party, &str),
    changes: Vec<(u64, Value)>,
    judge: impl Fn(&[u8]) -> &'static str,
) {
    for (key, value) in changes {
        let said = format!("field {key}: {value:?}");
        let mut opened = Opened::of(message);
        *opened.field(key) = value;
        let changed = signer.seal(label, &opened.payload());
        assert_eq!(judge(&changed), "malformed", "{said}");
    }
    let count = Opened::of(message).payload.len();
    for left_out in 0..count {
        let mut opened = Opened::of(message);
        opened.payload.remove(left_out);
        let changed = signer.seal(label, &opened.payload());
        assert_eq!(judge(&changed), "malformed", "without {left_out}");
    }
    for (at, key) in [(count, 99_u64), (0, 0)] {
        let mut opened = Opened::of(message);
        opened.payload.insert(at, (number(key), number(0)));
        let changed = signer.seal(label, &opened.payload());
        assert_eq!(judge(&changed), "malformed", "with {key}");
    }
    let mut opened = Opened::of(message);
    opened.payload.swap(2, 3);
    let changed = signer.seal(label, &opened.payload());
    assert_eq!(judge(&changed), "malformed", "in another order");
    let longer = [&Opened::of(message).payload()[..], &[0]].concat();
    assert_eq!(judge(&signer.seal(label, &longer)), "malformed", "followed");

    let mut opened = Opened::of(message);
    *opened.field(1) = number(2);
    let changed = signer.seal(label, &opened.payload());
    assert_eq!(judge(&changed), "unsupported-version");
    let mut opened = Opened::of(message);
    *opened.field(2) = number(1);
    let changed = signer.seal(label, &opened.payload());
    assert_eq!(judge(&changed), "wrong-message");
}

#[test]
fn statements() {
    let post = Post::new();
    let stated = post.stated();
    let suite = |numbers: &[u64]| Value::Array(numbers.iter().copied().map(number).collect());
    let changes = vec![
        (3, suite(&[0x20, 1])),
        (3, suite(&[0x20, 1, 2, 3])),
        (3, suite(&[0x1_0000, 1, 2])),
        (4, zeros(0)),
        (4, zeros(4097)),
        (5, zeros(63)),
        (6, Value::from("")),
        (6, Value::from("alice")),
        (6, Value::from("skms://team/a b")),
        (6, Value::from(format!("skms:{}", "x".repeat(1020)))),
        (6, Value::Bytes(b"skms://team/a".to_vec())),
        (7, zeros(31)),
        (8, Value::from(-1)),
        (8, number(u64::MAX)),
        (9, number(0)),
        (10, number(0)),
        (10, number(u64::MAX)),
    ];
    let by = (&post.alice, STATEMENT);
    refused(&stated, by, changes, |message| post.untaken(message));
}

#[test]
fn messages() {
    let post = Post::new();
    let stated = [post.stated()];
    let message = post.sealed(&stated[0]);
    let changes = vec![
        (3, zeros(63)),
        (4, zeros(0)),
        (4, zeros(4097)),
        (5, zeros(65)),
        (6, zeros(16)),
        (7, Value::from(1.5)),
        (8, zeros(15)),
        (8, Value::from("text")),
        (9, zeros(32)),
    ];
    let by = (&post.bob, MESSAGE);
    refused(&message, by, changes, |message| {
        post.unopened(message, &stated)
    });
}

#[test]
fn the_directorys_word() {
    let post = Post::new();
    let hash = Described::read(&post.stated()).unwrap().hash;
    let word = post.word(&query(), &hash, Status::Good);
    let changes = vec![
        (3, zeros(32)),
        (4, number(0)),
        (4, number(9)),
        (5, zeros(63)),
        (6, zeros(31)),
        (7, number(u64::MAX)),
    ];
    let by = (&post.server, STATUS);
    refused(&word, by, changes, |message| {
        post.heard(query(), message, &hash).unwrap_err().name()
    });
}

/// Headers as the exchange's: nothing but alg and the chain, both protected.
#[test]
fn headers_leave_no_choice() {
    let post = Post::new();
    let stated = [post.stated()];
    let message = post.sealed(&stated[0]);
    let payload = Opened::of(&message).payload();
    let key = &post.bob.key;
    let many = vec![post.bob.chain[0].clone(); 9];
    let sign1 = |alg, chain: &[Vec<u8>]| crate::support::sign1(key, alg, chain, MESSAGE, &payload);
    assert_eq!(post.unopened(&sign1(-8, &many), &stated), "malformed");
    assert_eq!(post.unopened(&sign1(-8, &[]), &stated), "malformed");
    for alg in [-7, -48] {
        let other = sign1(alg, &post.bob.chain);
        assert_eq!(post.unopened(&other, &stated), "signature-algorithm");
    }
    assert!(post.open(&sign1(-8, &post.bob.chain), &stated).is_ok());
}
