//! The published vectors in `testdata/sealing`: every statement, message and
//! directory's word of them is made again from its recorded keys, randomness
//! and signatures, and must give the same bytes; and Python, which shares no
//! code with us, reads them too.
//!
//! `SKMS_WRITE_VECTORS=1` writes them anew.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use skms_crypto::hpke::{KeyPair, Sender, Suite};
use skms_crypto::{Algorithm, Format, KeyMaterial, OpenKey, PublicKey};
use skms_exchange::sealing::{
    Opening, Recipient, SealingKey, Statement, Status, StatusAnswer, StatusQuery, Validity, Wanted,
    seal, state,
};
use skms_exchange::suite::{ALL, X_WING};
use skms_exchange::{ServerName, Standing, Trust};
use skms_pki::issue::{ProfileKind, Request};
use skms_pki::{Certificate, Evidence};

use super::{ALICE, BOB, CONTENT, LIFETIME};
use crate::support::{NOW, Pki, SERVER, counting, sign, spki};
use crate::vectors::{OTHER_KEYS, Recorded, hex, python_says, replaying, unhex};

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/sealing/vectors.json")
}

fn make_party(pki: &Pki, algorithm: Algorithm, name: &str) -> Recorded {
    Recorded::certify(pki, algorithm, |key| {
        let request = Request::new("O=Example".parse().unwrap(), spki(key));
        let request = request.with_name(name.parse().unwrap());
        pki.certify(&ProfileKind::Principal.profile(), &request)
    })
}

/// What a case is made of: all that is not computed.
struct Inputs {
    name: String,
    anchor: Vec<u8>,
    suite: Suite,
    recipient: Recorded,
    sender: Recorded,
    directory: Recorded,
    /// For the sealing key, the statement, the message, and the question.
    random: [Vec<u8>; 4],
    /// Of the statement, the message and the directory's word, where they were
    /// made before.
    signatures: Option<[Vec<u8>; 3]>,
}

/// Makes everything and writes it down.
fn run(inputs: &Inputs) -> Value {
    let anchors = [Certificate::from_der(&inputs.anchor).unwrap()];
    let told = |_: &skms_pki::ValidPath<'_, '_>| Standing::Good;
    let trust = Trust::new(Evidence {
        anchors: &anchors,
        ..Evidence::default()
    })
    .told(&told);
    let signature = |which: usize, key: &OpenKey, tbs: &[u8], scheme| match &inputs.signatures {
        Some(made) => made[which].clone(),
        None => sign(key, tbs, scheme),
    };

    let suite = inputs.suite;
    let pair = KeyPair::generate(suite.kem, &mut replaying(&inputs.random[0])).unwrap();
    let algorithm = suite.kem.algorithm();
    let key = KeyMaterial::import(pair.expose(), Format::Raw, Some(algorithm), None).unwrap();
    let sealing_key = SealingKey::new(&key).unwrap();
    assert_eq!(sealing_key.public(), pair.public());
    let validity = Validity::for_seconds(NOW, LIFETIME);
    let random = &mut replaying(&inputs.random[1]);
    let recipient = &inputs.recipient;
    let unsigned = state(&recipient.identity, &sealing_key, validity, NOW, random).unwrap();
    let stated = signature(0, &recipient.key, unsigned.tbs(), unsigned.scheme());
    let statement = unsigned.signed(&stated).unwrap();

    let wanted = Wanted {
        name: ALICE,
        suites: &ALL,
    };
    let taken = Statement::receive(&statement, wanted, &trust, NOW).unwrap();
    let random = &mut replaying(&inputs.random[2]);
    let unsigned = seal(&inputs.sender.identity, &taken, CONTENT, NOW, random).unwrap();
    let id = *unsigned.id();
    let sent = signature(1, &inputs.sender.key, unsigned.tbs(), unsigned.scheme());
    let message = unsigned.signed(&sent).unwrap();

    let owner = Recipient::new(sealing_key, std::slice::from_ref(&statement)).unwrap();
    let opened = owner
        .open(&message, Opening::default(), &trust, NOW)
        .unwrap();
    assert!(opened.content.ct_eq(CONTENT));
    assert_eq!((opened.sender.name(), opened.id), (BOB, id));

    let question = StatusQuery::new(&mut replaying(&inputs.random[3])).unwrap();
    let (by, nonce) = (&inputs.directory.identity, question.nonce());
    let planned = StatusAnswer::plan(by, taken.hash(), Status::Good, nonce, NOW).unwrap();
    let word = signature(2, &inputs.directory.key, planned.tbs(), planned.scheme());
    let answer = planned.signed(&word).unwrap();
    let server = ServerName::host(SERVER).unwrap();
    let verdict = question.receive(&answer, taken.hash(), &server, &trust, NOW);
    assert_eq!(verdict.unwrap().status, Status::Good);

    json!({
        "name": inputs.name,
        "suite": [suite.kem.id(), suite.kdf.id(), suite.aead.id()],
        "time": NOW.0,
        "not_after": NOW.0 + i64::from(LIFETIME),
        "recipient_name": ALICE,
        "sender_name": BOB,
        "anchor": hex(&inputs.anchor),
        "recipient": recipient.json,
        "sender": inputs.sender.json,
        "directory": inputs.directory.json,
        "key_random": hex(&inputs.random[0]),
        "statement_random": hex(&inputs.random[1]),
        "message_random": hex(&inputs.random[2]),
        "nonce": hex(&inputs.random[3]),
        "statement_signature": hex(&stated),
        "message_signature": hex(&sent),
        "status_signature": hex(&word),
        "sealing_private_key": hex(pair.expose()),
        "sealing_public_key": hex(pair.public()),
        "statement": hex(&statement),
        "statement_hash": hex(taken.hash()),
        "content": hex(CONTENT),
        "message": hex(&message),
        "commitment_key": hex(opened.commitment_key.expose()),
        "status": hex(&answer),
    })
}

fn make() -> Vec<Value> {
    let pki = Pki::new();
    let every = ALL.into_iter().map(|suite| (suite, Algorithm::Ed25519));
    let others = OTHER_KEYS.into_iter().map(|identity| (X_WING, identity));
    let numbered = every.chain(others).zip(0_u8..);
    let case = |((suite, algorithm), number): ((Suite, Algorithm), u8)| {
        let mut drawn = 100 + number;
        let mut draw = |length: usize| {
            let mut bytes = vec![0; length];
            counting(drawn)(&mut bytes).unwrap();
            drawn = drawn.wrapping_add(37);
            bytes
        };
        let (for_key, for_message) = lengths(suite);
        run(&Inputs {
            name: format!("{}, {algorithm}", suite.kem.algorithm()),
            anchor: pki.root.clone(),
            suite,
            recipient: make_party(&pki, algorithm, ALICE),
            sender: make_party(&pki, algorithm, BOB),
            directory: Recorded::make(&pki, algorithm, true),
            random: [draw(for_key), draw(32), draw(for_message), draw(32)],
            signatures: None,
        })
    };
    numbered.map(case).collect()
}

/// As many bytes as are drawn for a key pair, and for a message: its id, and
/// the encapsulation.
fn lengths(suite: Suite) -> (usize, usize) {
    let mut count = 0;
    let pair = KeyPair::generate(suite.kem, &mut |out: &mut [u8]| {
        count += out.len();
        counting(0)(out)
    });
    let for_key = count;
    let pair = pair.unwrap();
    let algorithm = suite.kem.algorithm();
    let public = PublicKey::import(pair.public(), Format::Raw, Some(algorithm)).unwrap();
    let mut count = 32;
    Sender::setup_with(&public, suite, b"", &mut |out: &mut [u8]| {
        count += out.len();
        counting(0)(out)
    })
    .unwrap();
    (for_key, count)
}

fn recorded() -> Vec<Value> {
    let text = std::fs::read_to_string(file()).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn inputs(case: &Value) -> Inputs {
    let suite = ALL
        .into_iter()
        .find(|suite| json!([suite.kem.id(), suite.kdf.id(), suite.aead.id()]) == case["suite"]);
    let fields = |names: [&str; 4]| names.map(|name| unhex(&case[name]));
    Inputs {
        name: case["name"].as_str().unwrap().to_owned(),
        anchor: unhex(&case["anchor"]),
        suite: suite.unwrap(),
        recipient: Recorded::read(&case["recipient"]),
        sender: Recorded::read(&case["sender"]),
        directory: Recorded::read(&case["directory"]),
        random: fields(["key_random", "statement_random", "message_random", "nonce"]),
        signatures: Some(
            [
                "statement_signature",
                "message_signature",
                "status_signature",
            ]
            .map(|name| unhex(&case[name])),
        ),
    }
}

#[test]
fn every_recorded_message_comes_out_the_same() {
    if std::env::var_os("SKMS_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(&make()).unwrap() + "\n";
        std::fs::write(file(), text).unwrap();
    }
    let cases = recorded();
    assert_eq!(cases.len(), ALL.len() + OTHER_KEYS.len());
    for case in &cases {
        let again = run(&inputs(case));
        for (field, value) in case.as_object().unwrap() {
            assert_eq!(&again[field], value, "{}: {field}", case["name"]);
        }
    }
}

#[test]
fn python_opens_the_vectors_as_we_do() {
    let cases = recorded();
    let Some(checked) = python_says("check_sealing.py", &cases) else {
        return;
    };
    assert_eq!(checked, Ok(cases.len()));
    // And it looks at what it reads.
    for field in [
        "key_random",
        "statement_random",
        "message_random",
        "nonce",
        "sealing_private_key",
        "statement",
        "statement_hash",
        "content",
        "message",
        "commitment_key",
        "status",
    ] {
        let mut bent = cases[0].clone();
        let mut text = bent[field].as_str().unwrap().to_owned();
        let last = text.pop().unwrap();
        text.push(if last == '0' { '1' } else { '0' });
        bent[field] = Value::from(text);
        let said = python_says("check_sealing.py", &[bent]);
        assert!(said.unwrap().is_err(), "{field}");
    }
}
