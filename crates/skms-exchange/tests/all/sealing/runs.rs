//! Messages that arrive as they should.

use skms_crypto::{Algorithm, KeyMaterial, rand};
use skms_exchange::Error;
use skms_exchange::sealing::{
    Described, MAX_CONTENT, Opening, Peeked, Recipient, SealingKey, Status, Validity, seal, state,
};
use skms_exchange::suite::{ALL, POST_QUANTUM};

use super::{ALICE, BOB, CONTENT, LIFETIME, Post, named, query};
use crate::support::{NOW, later, sha512, sign};

fn contains(within: &[u8], what: &[u8]) -> bool {
    within.windows(what.len()).any(|window| window == what)
}

#[test]
fn alice_opens_what_bob_seals_in_every_suite() {
    for suite in ALL {
        let post = Post::with(suite.kem.algorithm(), Algorithm::Ed25519);
        let stated = post.stated();
        let taken = post.take(&stated).unwrap();
        assert_eq!(taken.suite(), suite);
        assert_eq!(taken.owner().name(), ALICE);
        let message = post.sealed(&stated);
        assert!(!contains(&message, CONTENT));
        let opened = post.open(&message, &[stated]).unwrap();
        assert!(opened.content.ct_eq(CONTENT), "{suite:?}");
        assert_eq!(opened.sender.name(), BOB);
        assert_eq!(
            opened.sender.peer().certificate_hash().to_vec(),
            post.bob.hash()
        );
        assert_eq!(opened.time, NOW);
        assert_eq!(opened.statement, *taken.hash());
        let peeked = Peeked::read(&message).unwrap();
        assert_eq!((peeked.id, peeked.recipient), (opened.id, *taken.hash()));
        assert_eq!(peeked.chain, post.bob.chain);
        assert!(!format!("{opened:?}{:?}", post.sealing_key()).contains("planted"));
    }
}

#[test]
fn with_every_kind_of_identity_key() {
    for identity in [
        Algorithm::EcP256,
        Algorithm::EcP384,
        Algorithm::EcP521,
        Algorithm::Rsa2048,
        Algorithm::MlDsa44,
        Algorithm::MlDsa65,
        Algorithm::MlDsa87,
    ] {
        let post = Post::with(Algorithm::XWing, identity);
        let stated = post.stated();
        let message = post.sealed(&stated);
        assert!(post.open(&message, &[stated]).is_ok(), "{identity}");
    }
}

#[test]
fn content_of_every_length_up_to_the_longest() {
    let post = Post::new();
    let stated = post.stated();
    let to = post.take(&stated).unwrap();
    let sealed = |content: &[u8]| {
        let unsigned = seal(&post.bob.identity, &to, content, NOW, &mut rand::fill)?;
        let signature = sign(&post.bob.key, unsigned.tbs(), unsigned.scheme());
        unsigned.signed(&signature)
    };
    for length in [0, 1, MAX_CONTENT] {
        let content = vec![0x5a; length];
        let message = sealed(&content).unwrap();
        let opened = post.open(&message, std::slice::from_ref(&stated)).unwrap();
        assert!(opened.content.ct_eq(&content), "{length}");
    }
    let over = sealed(&vec![0; MAX_CONTENT + 1]).unwrap_err();
    assert!(matches!(over, Error::Input(_)), "{over}");
}

#[test]
fn one_message_twice_has_one_id_and_two_messages_have_two() {
    let post = Post::new();
    let stated = post.stated();
    let (first, second) = (post.sealed(&stated), post.sealed(&stated));
    assert_ne!(first, second);
    let id = |message: &[u8]| {
        let opened = post.open(message, std::slice::from_ref(&stated));
        opened.unwrap().id
    };
    assert_eq!(id(&first), id(&first));
    assert_ne!(id(&first), id(&second));
}

/// Renewing a statement and changing the key: what was sealed to either opens
/// as long as its owner has key and statement.
#[test]
fn messages_to_an_earlier_statement_open() {
    let post = Post::new();
    let stated = [post.stated(), post.stated()];
    let hashes = stated
        .iter()
        .map(|one| Described::read(one).unwrap().hash)
        .collect::<Vec<_>>();
    assert_ne!(hashes[0], hashes[1]);
    for one in &stated {
        assert!(post.open(&post.sealed(one), &stated).is_ok());
    }
    // Statements of other keys are passed over, and one there has to be.
    let other = SealingKey::new(&KeyMaterial::generate(Algorithm::X25519).unwrap()).unwrap();
    let both = [post.stated_by(&post.alice, &other), stated[0].clone()];
    assert!(post.open(&post.sealed(&stated[0]), &both).is_ok());
    let none = Recipient::new(post.sealing_key(), &both[..1]);
    assert!(matches!(none, Err(Error::Input(_))));
}

#[test]
fn one_can_seal_to_oneself() {
    let post = Post::new();
    let stated = post.stated();
    let message = post.sealed_by(&post.alice, &stated);
    assert_eq!(post.open(&message, &[stated]).unwrap().sender.name(), ALICE);
}

#[test]
fn the_one_expected_within_the_age_allowed() {
    let mut post = Post::new();
    let stated = [post.stated()];
    let message = post.sealed(&stated[0]);
    let opening = |from, max_age_seconds| Opening {
        from,
        max_age_seconds,
        ..Opening::default()
    };
    let name = |post: &Post, opening| match post.open_as(&message, &stated, opening) {
        Ok(_) => "opened",
        Err(error) => error.name(),
    };
    assert_eq!(name(&post, opening(Some(BOB), Some(0))), "opened");
    assert_eq!(name(&post, opening(Some(ALICE), None)), "wrong-sender");
    post.now = later(3660);
    assert_eq!(name(&post, opening(None, Some(3600))), "opened");
    post.now = later(3661);
    assert_eq!(name(&post, opening(None, Some(3600))), "stale");
    assert_eq!(name(&post, opening(None, None)), "opened");
    post.now = later(-60);
    assert_eq!(name(&post, opening(None, None)), "opened");
    post.now = later(-61);
    assert_eq!(name(&post, opening(None, None)), "from-the-future");
}

#[test]
fn the_directory_says_how_a_statement_stands() {
    let post = Post::new();
    let hash = Described::read(&post.stated()).unwrap().hash;
    for (status, name) in [
        (Status::Good, None),
        (Status::Superseded, Some("statement-superseded")),
        (Status::Withdrawn, Some("statement-withdrawn")),
        (Status::Expired, Some("statement-expired")),
        (Status::CertificateOnHold, Some("certificate-on-hold")),
        (Status::CertificateRevoked, Some("certificate-revoked")),
        (Status::CertificateExpired, Some("certificate-expired")),
        (Status::Unregistered, Some("principal-unknown")),
    ] {
        let query = query();
        let answer = post.word(&query, &hash, status);
        let verdict = post.heard(query, &answer, &hash).unwrap();
        assert_eq!((verdict.status, verdict.time), (status, NOW));
        assert_eq!(verdict.server.certificate(), post.server.chain[0]);
        let refused = status.ensure_good().err().map(|error| error.name());
        assert_eq!(refused, name, "{}", status.name());
    }
}

#[test]
fn statements_that_nobody_could_make_are_not_made() {
    let post = Post::new();
    let (key, random) = (post.sealing_key(), &mut rand::fill);
    let mut of = |party: &crate::support::Party, from: i64, seconds: u32| {
        let validity = Validity::for_seconds(later(from), seconds);
        state(&party.identity, &key, validity, NOW, random).map(drop)
    };
    let year = 366 * 86_400;
    assert_eq!(of(&post.alice, 0, year), Ok(()));
    assert_eq!(of(&post.alice, 86_400, 0), Ok(()));
    for error in [
        of(&post.alice, 0, year + 1),
        of(&post.alice, -3_000_000_000, 1),
        // The server's certificate has a name that is no URI.
        of(&post.server, 0, 60),
    ] {
        assert!(matches!(error, Err(Error::Input(_))), "{error:?}");
    }
    // Nor does anybody seal who has no name.
    let to = post.take(&post.stated()).unwrap();
    let nameless = post.pki.client(Algorithm::Ed25519);
    let sealed = seal(&nameless.identity, &to, CONTENT, NOW, &mut rand::fill);
    assert!(matches!(sealed, Err(Error::Input(_))));
    // Signing keys and symmetric ones are no sealing keys.
    for algorithm in [Algorithm::Ed25519, Algorithm::Aes256Gcm] {
        let key = KeyMaterial::generate(algorithm).unwrap();
        assert!(SealingKey::new(&key).is_err(), "{algorithm}");
    }
}

#[test]
fn a_sender_takes_what_withstands_quantum_computers_unless_told() {
    let mut post = Post::new();
    let stated = post.stated();
    assert!(post.take(&stated).is_ok());
    post.suites = POST_QUANTUM.to_vec();
    assert_eq!(post.untaken(&stated), "no-common-suite");
    let mut post = Post::with(Algorithm::XWing, Algorithm::Ed25519);
    post.suites = POST_QUANTUM.to_vec();
    assert!(post.take(&post.stated()).is_ok());
}

/// Who is shown the commitment's key with message and content can tell that
/// the sender signed for that content.
#[test]
fn the_content_can_be_shown_to_others() {
    let post = Post::new();
    let stated = post.stated();
    let message = post.sealed(&stated);
    let opened = post.open(&message, &[stated]).unwrap();
    let mut read = crate::support::Opened::of(&message);
    let commitment = read.field(9).as_bytes().unwrap().clone();
    read.payload.truncate(7);
    let head = read.payload();
    let key = opened.commitment_key.expose();
    let key = KeyMaterial::from_record(Algorithm::HmacSha512, key).unwrap();
    let key = skms_crypto::OpenKey::open(&key).unwrap();
    assert_eq!(key.mac(&[&head[..], CONTENT].concat()).unwrap(), commitment);
    assert_ne!(
        key.mac(&[&head[..], b"other"].concat()).unwrap(),
        commitment
    );
}

#[test]
fn a_statement_is_known_by_its_payload() {
    let post = Post::new();
    let stated = post.stated();
    let payload = crate::support::Opened::of(&stated).payload();
    let label = b"skms-sealing-v1 statement hash";
    let hash = sha512(&[&label[..], &payload].concat());
    let described = Described::read(&stated).unwrap();
    assert_eq!(described.hash.to_vec(), hash);
    assert_eq!(described.name, ALICE);
    assert_eq!(described.not_after, later(LIFETIME.into()));
    assert_eq!(described.chain, post.alice.chain);
    assert_eq!(described.public, post.sealing_key().public());
    // The same payload with another of the signatures that ECDSA can make.
    let post = Post::with(Algorithm::X25519, Algorithm::EcP256);
    let stated = post.stated();
    let payload = crate::support::Opened::of(&stated).payload();
    let again = post.alice.seal(super::STATEMENT, &payload);
    assert_ne!(again, stated);
    let message = post.sealed(&again);
    assert!(post.open(&message, &[stated]).is_ok());
}

#[test]
fn a_party_with_a_later_certificate_is_another() {
    let post = Post::new();
    let renewed = named(&post.pki, Algorithm::Ed25519, ALICE);
    let stated = [post.stated(), post.stated_by(&renewed, &post.sealing_key())];
    let hash = |at: usize| Described::read(&stated[at]).unwrap().hash;
    assert_ne!(hash(0), hash(1));
    let message = post.sealed(&stated[1]);
    assert_eq!(post.unopened(&message, &stated[..1]), "wrong-recipient");
    assert!(post.open(&message, &stated).is_ok());
}
