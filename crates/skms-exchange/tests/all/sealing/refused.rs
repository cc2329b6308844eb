//! Attackers: each is refused by the right side, under the right name.

use coset::cbor::Value;
use skms_crypto::{Algorithm, KeyMaterial, rand};
use skms_exchange::sealing::{SealingKey, Status, Validity, seal, state};
use skms_exchange::suite::ALL;
use skms_exchange::{Standing, Trust};
use skms_pki::issue::{Authority, Profile, ProfileKind, Request, SigningScheme};
use skms_pki::{Certificate, Evidence, oid};

use super::{
    ALICE, BOB, LIFETIME, MALLORY, MESSAGE, Post, STATEMENT, STATUS, certified, named, query,
};
use crate::hostile_keys::bad_points;
use crate::support::{
    NOW, OTHER, Opened, Party, Pki, edited, flip, from_cbor, later, serial, sha512, sign, sign1,
    spki,
};

/// A payload with one field changed.
fn changed(message: &[u8], key: u64, value: Value) -> Vec<u8> {
    let mut opened = Opened::of(message);
    *opened.field(key) = value;
    opened.payload()
}

fn bytes(message: &[u8], key: u64) -> Vec<u8> {
    Opened::of(message).field(key).as_bytes().unwrap().clone()
}

#[test]
fn a_directory_that_swaps_keys_or_statements() {
    let post = Post::new();
    let stated = post.stated();
    let other = SealingKey::new(&KeyMaterial::generate(Algorithm::X25519).unwrap()).unwrap();
    // Another key in alice's statement.
    let swapped = edited(&stated, 4, |key| {
        *key = Value::Bytes(other.public().to_vec())
    });
    assert_eq!(post.untaken(&swapped), "signature");
    // Mallory's statement in the place of hers.
    let mallorys = post.stated_by(&post.mallory, &other);
    assert_eq!(post.untaken(&mallorys), "wrong-name");
    // That says it is hers.
    let claimed = changed(&mallorys, 6, Value::from(ALICE));
    let claimed = post.mallory.seal(STATEMENT, &claimed);
    assert_eq!(post.untaken(&claimed), "certificate-name");
    // With her certificate named, or shown.
    let named = changed(&claimed, 5, Value::Bytes(post.alice.hash()));
    let signed = post.mallory.seal(STATEMENT, &named);
    assert_eq!(post.untaken(&signed), "wrong-certificate");
    let shown = sign1(&post.mallory.key, -8, &post.alice.chain, STATEMENT, &named);
    assert_eq!(post.untaken(&shown), "signature");
    // And her signature for something else is none for this.
    let relabelled = post.alice.seal(MESSAGE, &Opened::of(&stated).payload());
    assert_eq!(post.untaken(&relabelled), "signature");
    assert!(post.take(&stated).is_ok());
}

/// Mallory says that alice's key is hers: what is sealed to mallory stays
/// unopened with alice, and alice's messages with mallory.
#[test]
fn somebody_elses_key_as_ones_own() {
    let post = Post::new();
    let stated = [post.stated()];
    let mallorys = post.stated_by(&post.mallory, &post.sealing_key());
    let wanted = skms_exchange::sealing::Wanted {
        name: MALLORY,
        suites: &ALL,
    };
    let to = post
        .trusting(|trust| skms_exchange::sealing::Statement::receive(&mallorys, wanted, trust, NOW))
        .unwrap();
    let unsigned = seal(
        &post.bob.identity,
        &to,
        b"for mallory",
        NOW,
        &mut rand::fill,
    )
    .unwrap();
    let signature = sign(&post.bob.key, unsigned.tbs(), unsigned.scheme());
    let message = unsigned.signed(&signature).unwrap();
    assert_eq!(post.unopened(&message, &stated), "wrong-recipient");
    let hers = sha512_of_statement(&stated[0]);
    let aimed = edited(&message, 3, |to| *to = Value::Bytes(hers.clone()));
    assert_eq!(post.unopened(&aimed, &stated), "signature");
    // Even if bob helps: the seal itself is to mallory's statement.
    let helped = post
        .bob
        .seal(MESSAGE, &changed(&message, 3, Value::Bytes(hers)));
    assert_eq!(post.unopened(&helped, &stated), "sealed");
}

fn sha512_of_statement(statement: &[u8]) -> Vec<u8> {
    skms_exchange::sealing::Described::read(statement)
        .unwrap()
        .hash
        .to_vec()
}

#[test]
fn before_its_time_after_it_and_from_the_future() {
    let mut post = Post::new();
    let stated = [post.stated()];
    let to = post.take(&stated[0]).unwrap();
    let message = post.sealed(&stated[0]);
    let end = i64::from(LIFETIME);
    // Its certificate ends sooner: the checks of time come first.
    for (seconds, name) in [
        (end + 1, "statement-expired"),
        (-1, "statement-not-yet-valid"),
        (-61, "from-the-future"),
    ] {
        post.now = later(seconds);
        assert_eq!(post.untaken(&stated[0]), name);
    }
    // Nobody seals to it then.
    for (seconds, name) in [
        (end + 1, "statement-expired"),
        (-1, "statement-not-yet-valid"),
    ] {
        let moment = later(seconds);
        let sealed = seal(&post.bob.identity, &to, b"", moment, &mut rand::fill);
        assert_eq!(sealed.unwrap_err().name(), name);
    }
    // And what bob seals all the same is not opened.
    post.now = later(end + 100);
    for (seconds, name) in [
        (end + 61, "statement-expired"),
        (-61, "statement-not-yet-valid"),
    ] {
        let time = u64::try_from(later(seconds).0).unwrap();
        let forced = post
            .bob
            .seal(MESSAGE, &changed(&message, 7, Value::from(time)));
        assert_eq!(post.unopened(&forced, &stated), name);
    }
}

#[test]
fn a_sender_that_is_stripped_or_replaced() {
    let post = Post::new();
    let stated = [post.stated()];
    let message = post.sealed(&stated[0]);
    let payload = Opened::of(&message).payload();
    // Mallory signs what bob sealed: as it is, as her own, as bob's.
    let as_it_is = post.mallory.seal(MESSAGE, &payload);
    assert_eq!(post.unopened(&as_it_is, &stated), "wrong-certificate");
    let own = changed(&message, 5, Value::Bytes(post.mallory.hash()));
    let own = post.mallory.seal(MESSAGE, &own);
    assert_eq!(post.unopened(&own, &stated), "sealed");
    let as_bob = sign1(&post.mallory.key, -8, &post.bob.chain, MESSAGE, &payload);
    assert_eq!(post.unopened(&as_bob, &stated), "signature");
    // Nobody signs.
    let mut unsigned = Opened::of(&message);
    unsigned.message.signature.clear();
    assert_eq!(post.unopened(&unsigned.close(), &stated), "signature");
    // Bob's signature for another purpose.
    let relabelled = post.bob.seal(STATEMENT, &payload);
    assert_eq!(post.unopened(&relabelled, &stated), "signature");
    assert!(post.open(&message, &stated).is_ok());
}

/// Alice opens what bob sealed to her and wants carol to take it as bob's
/// letter to carol.
#[test]
fn a_message_that_is_forwarded() {
    let alice = Post::new();
    let stated = [alice.stated()];
    let message = alice.sealed(&stated[0]);
    let content = alice.open(&message, &stated).unwrap().content;

    // Carol has a key of her own; the authorities are the same.
    let mut carol = Post::new();
    carol.alice = named(&alice.pki, Algorithm::Ed25519, ALICE);
    carol.pki = Pki {
        root: alice.pki.root.clone(),
        authority: alice.pki.authority.clone(),
        key: crate::support::key(Algorithm::EcP256),
    };
    let carols = [carol.stated()];
    assert_eq!(carol.unopened(&message, &carols), "wrong-recipient");
    let hers = Value::Bytes(sha512_of_statement(&carols[0]));
    let aimed = edited(&message, 3, |to| *to = hers.clone());
    assert_eq!(carol.unopened(&aimed, &carols), "signature");
    // Sealed anew to carol under bob's name: the signature is missing.
    let to = carol.take(&carols[0]).unwrap();
    let unsigned = seal(
        &alice.bob.identity,
        &to,
        content.expose(),
        NOW,
        &mut rand::fill,
    )
    .unwrap();
    // Sig_structure: the payload is its last part.
    let structure = from_cbor(unsigned.tbs()).into_array().unwrap();
    let payload = structure[3].as_bytes().unwrap();
    let forged = sign1(&alice.alice.key, -8, &alice.bob.chain, MESSAGE, payload);
    assert_eq!(carol.unopened(&forged, &carols), "signature");
    // Under her own name it is alice's letter.
    let own = alice_to(&alice, &carol, &carols[0], content.expose());
    let opened = carol.open(&own, &carols).unwrap();
    assert_eq!(opened.sender.name(), ALICE);
}

fn alice_to(alice: &Post, carol: &Post, stated: &[u8], content: &[u8]) -> Vec<u8> {
    let to = carol.take(stated).unwrap();
    let unsigned = seal(&alice.alice.identity, &to, content, NOW, &mut rand::fill).unwrap();
    let signature = sign(&alice.alice.key, unsigned.tbs(), unsigned.scheme());
    unsigned.signed(&signature).unwrap()
}

/// Bob himself sends what does not hold together: every field is bound.
#[test]
fn a_sender_that_lies() {
    let post = Post::new();
    let stated = [post.stated(), post.stated()];
    let message = post.sealed(&stated[0]);
    let flipped = |key: u64| {
        let mut value = Opened::of(&message).field(key).clone();
        flip(&mut value);
        value
    };
    let other = Value::Bytes(sha512_of_statement(&stated[1]));
    let earlier = Value::from(u64::try_from(later(-1).0).unwrap());
    for (key, value, name) in [
        // Another statement of the same key.
        (3, other, "sealed"),
        (4, flipped(4), "sealed"),
        (5, flipped(5), "wrong-certificate"),
        (6, flipped(6), "sealed"),
        (7, earlier, "sealed"),
        (8, flipped(8), "sealed"),
        (9, flipped(9), "commitment"),
    ] {
        let forced = post.bob.seal(MESSAGE, &changed(&message, key, value));
        assert_eq!(post.unopened(&forced, &stated), name, "field {key}");
    }
}

#[test]
fn sealing_keys_that_are_none() {
    for suite in ALL {
        let post = Post::with(suite.kem.algorithm(), Algorithm::Ed25519);
        let stated = post.stated();
        let good = bytes(&stated, 4);
        for (number, public) in bad_points(suite, &good).into_iter().enumerate() {
            let bad = post
                .alice
                .seal(STATEMENT, &changed(&stated, 4, Value::Bytes(public)));
            let name = post.untaken(&bad);
            assert_eq!(name, "public-key", "{suite:?} {number}");
        }
        // A key of another suite.
        let numbers = [0x647a_u64, 1, 2].map(Value::from).to_vec();
        if suite != skms_exchange::suite::X_WING {
            let bad = post
                .alice
                .seal(STATEMENT, &changed(&stated, 3, Value::Array(numbers)));
            assert_eq!(post.untaken(&bad), "public-key", "{suite:?}");
        }
        let numbers = [0x9999_u64, 1, 2].map(Value::from).to_vec();
        let bad = post
            .alice
            .seal(STATEMENT, &changed(&stated, 3, Value::Array(numbers)));
        assert_eq!(post.untaken(&bad), "no-common-suite", "{suite:?}");
    }
}

#[test]
fn encapsulations_that_are_none() {
    for suite in ALL {
        let post = Post::with(suite.kem.algorithm(), Algorithm::Ed25519);
        let stated = [post.stated()];
        let message = post.sealed(&stated[0]);
        for (number, bad) in bad_points(suite, &bytes(&message, 4))
            .into_iter()
            .enumerate()
        {
            let forced = post
                .bob
                .seal(MESSAGE, &changed(&message, 4, Value::Bytes(bad)));
            assert_eq!(
                post.unopened(&forced, &stated),
                "encapsulation",
                "{suite:?} {number}"
            );
        }
        // One that is well formed and of another message.
        let other = bytes(&post.sealed(&stated[0]), 4);
        let forced = post
            .bob
            .seal(MESSAGE, &changed(&message, 4, Value::Bytes(other)));
        assert_eq!(post.unopened(&forced, &stated), "sealed", "{suite:?}");
    }
}

/// What is said of a statement, and of a message, by this party: the same.
fn of_party(post: &Post, party: &Party, standing: Standing) -> [&'static str; 2] {
    let mut post = Post {
        alice: named(&post.pki, Algorithm::Ed25519, ALICE),
        ..Post::of(&post.pki)
    };
    let stated = post.stated();
    let payload = changed(&stated, 5, Value::Bytes(party.hash()));
    let theirs = party.seal(STATEMENT, &payload);
    let message = post.sealed(&stated);
    let payload = changed(&message, 5, Value::Bytes(party.hash()));
    let sent = party.seal(MESSAGE, &payload);
    post.standing = standing;
    [post.untaken(&theirs), post.unopened(&sent, &[stated])]
}

impl Post {
    /// A world with the authorities of another.
    fn of(pki: &Pki) -> Self {
        let named = |name| named(pki, Algorithm::Ed25519, name);
        Self {
            alice: named(ALICE),
            bob: named(BOB),
            mallory: named(MALLORY),
            server: pki.server(Algorithm::Ed25519, crate::support::SERVER),
            key: KeyMaterial::generate(Algorithm::X25519).unwrap(),
            standing: Standing::Good,
            suites: ALL.to_vec(),
            now: NOW,
            pki: Pki {
                root: pki.root.clone(),
                authority: pki.authority.clone(),
                key: crate::support::key(Algorithm::EcP256),
            },
        }
    }
}

#[test]
fn certificates_that_do_not_do() {
    let post = Post::new();
    let profile = ProfileKind::Principal.profile();
    let ed = Algorithm::Ed25519;
    let of = |profile: &Profile, names: &[&str]| certified(&post.pki, profile, ed, names);
    let with = |change: fn(&mut Profile)| {
        let mut changed = profile.clone();
        change(&mut changed);
        of(&changed, &[ALICE])
    };
    let client = ProfileKind::TlsClient.profile();
    // Principals' names, and others beside them.
    let mut wide = profile.clone();
    wide.names.most = 2;
    wide.names.forms.clone_from(&client.names.forms);
    let server = ProfileKind::TlsServer.profile();
    for (party, name) in [
        (
            with(|one| one.usage.purposes = Vec::new()),
            "certificate-purpose",
        ),
        (
            with(|one| one.usage.purposes = vec![oid::ANY_EXTENDED_KEY_USAGE.into()]),
            "certificate-purpose",
        ),
        (
            with(|one| one.usage.purposes = vec![oid::SERVER_AUTH.into()]),
            "certificate-purpose",
        ),
        (of(&server, &["dns:alice.example"]), "certificate-purpose"),
        // No name, one of another form, and hers beside another.
        (of(&client, &[]), "certificate-name"),
        (
            of(&client, &["email:alice@example.org"]),
            "certificate-name",
        ),
        (
            of(&wide, &[ALICE, "email:alice@example.org"]),
            "certificate-name",
        ),
        (of(&wide, &[ALICE, BOB]), "certificate-name"),
        (named(&Pki::new(), ed, ALICE), "certificate-untrusted"),
        (itself(), "certificate-untrusted"),
    ] {
        assert_eq!(of_party(&post, &party, Standing::Good), [name; 2]);
    }
    for (standing, name) in [
        (Standing::Revoked, "certificate-revoked"),
        (Standing::OnHold, "certificate-on-hold"),
        (Standing::Unknown, "revocation-unknown"),
    ] {
        assert_eq!(of_party(&post, &post.alice, standing), [name; 2]);
    }
}

/// A certificate that its own key signed.
fn itself() -> Party {
    let key = crate::support::key(Algorithm::EcP256);
    let mut profile = ProfileKind::Root.profile();
    profile.usage.purposes = vec![oid::CLIENT_AUTH.into()];
    profile.names = ProfileKind::Principal.profile().names;
    let subject = "CN=alice".parse().unwrap();
    let request = Request::new(subject, spki(&key)).with_name(ALICE.parse().unwrap());
    let scheme = SigningScheme::for_key(Algorithm::EcP256).unwrap();
    let maker = Authority::root(&request, scheme).unwrap();
    let planned = profile.plan(&maker, &request, serial(), NOW).unwrap();
    let own = planned.signed(&sign(&key, planned.tbs(), scheme)).unwrap();
    Party::new(key, vec![own])
}

#[test]
fn certificates_that_have_ended() {
    let mut post = Post::new();
    let own = Certificate::from_der(&post.alice.chain[0]).unwrap();
    let (from, until) = (own.not_before(), own.not_after());
    let validity = Validity {
        not_before: skms_pki::Moment(from.0 - 1000),
        not_after: later(86_400 * 2),
    };
    let key = post.sealing_key();
    let begun = skms_pki::Moment(from.0 - 500);
    let planned = state(&post.alice.identity, &key, validity, begun, &mut rand::fill).unwrap();
    let signature = sign(&post.alice.key, planned.tbs(), planned.scheme());
    let stated = [planned.signed(&signature).unwrap()];
    let message = post.sealed(&stated[0]);
    post.now = skms_pki::Moment(until.0 + 1);
    assert_eq!(post.untaken(&stated[0]), "certificate-expired");
    assert_eq!(post.unopened(&message, &stated), "certificate-expired");
    post.now = skms_pki::Moment(from.0 - 1);
    assert_eq!(post.untaken(&stated[0]), "certificate-not-yet-valid");
}

#[test]
fn nothing_is_known_of_revocation_without_lists() {
    let post = Post::new();
    let stated = post.stated();
    let anchors = [Certificate::from_der(&post.pki.root).unwrap()];
    let trust = Trust::new(Evidence {
        anchors: &anchors,
        ..Evidence::default()
    });
    let wanted = skms_exchange::sealing::Wanted {
        name: ALICE,
        suites: &ALL,
    };
    let taken = skms_exchange::sealing::Statement::receive(&stated, wanted, &trust, NOW);
    assert_eq!(taken.unwrap_err().name(), "revocation-unknown");
}

#[test]
fn a_directory_whose_word_is_another() {
    let mut post = Post::new();
    let (stated, older) = (post.stated(), post.stated());
    let hash = skms_exchange::sealing::Described::read(&stated)
        .unwrap()
        .hash;
    let old = skms_exchange::sealing::Described::read(&older)
        .unwrap()
        .hash;
    let name = |post: &Post, question, answer: &[u8]| match post.heard(question, answer, &hash) {
        Ok(_) => "heard",
        Err(error) => error.name(),
    };
    // An answer to another question, and one about another statement.
    let answer = post.word(&query(), &hash, Status::Good);
    assert_eq!(name(&post, query(), &answer), "transcript");
    let question = query();
    let answer = post.word(&question, &old, Status::Good);
    assert_eq!(name(&post, question, &answer), "transcript");
    // Of old, and of the future.
    for (seconds, why) in [(181, "stale"), (-61, "from-the-future")] {
        let question = query();
        let answer = post.word(&question, &hash, Status::Good);
        post.now = later(seconds);
        assert_eq!(name(&post, question, &answer), why);
        post.now = NOW;
    }
    // By another server, by a client, by nobody.
    for (party, why) in [
        (
            post.pki.server(Algorithm::Ed25519, OTHER),
            "certificate-name",
        ),
        (
            named(&post.pki, Algorithm::Ed25519, MALLORY),
            "certificate-purpose",
        ),
        (
            Pki::new().server(Algorithm::Ed25519, crate::support::SERVER),
            "certificate-untrusted",
        ),
    ] {
        let question = query();
        let answer = post.word(&question, &hash, Status::Good);
        let payload = changed(&answer, 5, Value::Bytes(party.hash()));
        assert_eq!(name(&post, question, &party.seal(STATUS, &payload)), why);
    }
    let question = query();
    let answer = post.word(&question, &hash, Status::Withdrawn);
    let better = edited(&answer, 4, |status| *status = Value::from(1));
    assert_eq!(name(&post, question, &better), "signature");
    let question = query();
    let answer = post.word(&question, &hash, Status::Good);
    let relabelled = post.server.seal(MESSAGE, &Opened::of(&answer).payload());
    assert_eq!(name(&post, question, &relabelled), "signature");
    // One's own hash is what the others think it is.
    assert_eq!(post.bob.hash(), sha512(&post.bob.chain[0]));
}
