//! The published vectors in `testdata/exchange`: every exchange of them is run
//! again from its recorded keys, randomness and signatures, and must give the
//! same bytes; and Python, which shares no code with us, reads them too.
//!
//! `SKMS_WRITE_VECTORS=1` writes them anew.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use skms_crypto::hpke::{KeyPair, Receiver, Suite};
use skms_crypto::{Algorithm, Format, KeyMaterial, OpenKey, SecretBytes};
use skms_exchange::suite::{ALL, X_WING};
use skms_exchange::{
    Identity, Intent, Outcome, Request, Responder, Seen, ServerName, Standing, Trust, initiator,
};
use skms_pki::issue::ProfileKind;
use skms_pki::{Certificate, Evidence};

use crate::support::{
    NOW, Opened, Pki, SECRET, SERVER, agreed, agreement, client_request, counting, distribution,
    handed_over, server_request, sha512, sign,
};

/// Identity keys of the cases after those of every suite.
pub const OTHER_KEYS: [Algorithm; 7] = [
    Algorithm::EcP256,
    Algorithm::EcP384,
    Algorithm::EcP521,
    Algorithm::Rsa2048,
    Algorithm::MlDsa44,
    Algorithm::MlDsa65,
    Algorithm::MlDsa87,
];

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/exchange/vectors.json")
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

/// An identity as the file has it: chain, and the key in PKCS #8.
pub struct Recorded {
    pub identity: Identity,
    pub key: OpenKey,
    pub json: Value,
}

impl Recorded {
    pub fn read(json: &Value) -> Self {
        let chain: Vec<Vec<u8>> = json["chain"]
            .as_array()
            .unwrap()
            .iter()
            .map(unhex)
            .collect();
        let pkcs8 = unhex(&json["private_key"]);
        let material = KeyMaterial::import(&pkcs8, Format::Pkcs8Der, None, None).unwrap();
        let scheme = Identity::scheme_for(material.algorithm()).unwrap();
        Self {
            identity: Identity::new(chain, scheme).unwrap(),
            key: OpenKey::open(&material).unwrap(),
            json: json.clone(),
        }
    }

    pub fn make(pki: &Pki, algorithm: Algorithm, server: bool) -> Self {
        Self::certify(pki, algorithm, |key| {
            let (kind, request) = match server {
                true => (ProfileKind::TlsServer, server_request(key, SERVER)),
                false => (ProfileKind::TlsClient, client_request(key)),
            };
            pki.certify(&kind.profile(), &request)
        })
    }

    /// With a certificate that is made for its key.
    pub fn certify(
        pki: &Pki,
        algorithm: Algorithm,
        certify: impl FnOnce(&OpenKey) -> Vec<u8>,
    ) -> Self {
        let material = KeyMaterial::generate(algorithm).unwrap();
        let key = OpenKey::open(&material).unwrap();
        let chain = pki.chain(certify(&key));
        let pkcs8 = material.export(Format::Pkcs8Der, None).unwrap();
        let chain: Vec<String> = chain.iter().map(|der| hex(der)).collect();
        Self::read(&json!({ "chain": chain, "private_key": hex(pkcs8.expose()) }))
    }
}

/// What one exchange is made of: all that is not computed.
struct Inputs {
    name: String,
    anchor: Vec<u8>,
    suite: Suite,
    request: Request,
    initiator: Recorded,
    responder: Recorded,
    /// What each draws, in order.
    random: [Vec<u8>; 2],
    /// The signatures of messages 1 and 2, where they were made before.
    signatures: Option<[Vec<u8>; 2]>,
}

/// Draws recorded bytes; all of them have to be drawn.
pub fn replaying(bytes: &[u8]) -> impl FnMut(&mut [u8]) -> skms_crypto::Result<()> {
    let mut rest = bytes.to_vec();
    move |out: &mut [u8]| {
        let drawn: Vec<u8> = rest.drain(..out.len()).collect();
        out.copy_from_slice(&drawn);
        Ok(())
    }
}

/// Runs an exchange and writes down everything about it.
fn run(inputs: &Inputs) -> Value {
    let anchors = [Certificate::from_der(&inputs.anchor).unwrap()];
    let told = |_: &skms_pki::ValidPath<'_, '_>| Standing::Good;
    let evidence = Evidence {
        anchors: &anchors,
        ..Evidence::default()
    };
    let trust = Trust::new(evidence).told(&told);
    let server = ServerName::host(SERVER).unwrap();
    let signature = |which: usize, key: &OpenKey, tbs: &[u8], scheme| match &inputs.signatures {
        Some(made) => made[which].clone(),
        None => sign(key, tbs, scheme),
    };

    let mut intent = Intent::new(server.clone(), inputs.request.clone());
    intent.suites = vec![inputs.suite];
    let mut random = replaying(&inputs.random[0]);
    let unsigned = initiator::begin(&inputs.initiator.identity, intent, NOW, &mut random).unwrap();
    let signed = signature(0, &inputs.initiator.key, unsigned.tbs(), unsigned.scheme());
    let (first, waiting) = unsigned.signed(&signed).unwrap();
    let first_signature = signed;

    let mut responder = Responder::new(vec![server]);
    responder.suites = ALL.to_vec();
    let identity = &inputs.responder.identity;
    let received = responder.receive(&first, identity, &trust, NOW).unwrap();
    let entry = received.replay_entry().id().to_vec();
    let admitted = received.admit(Seen::First).unwrap();
    let secret = SecretBytes::new(SECRET.to_vec());
    let answer = match inputs.request {
        Request::Agreement(_) => agreed(),
        Request::Distribution(_) => handed_over(&secret),
    };
    let mut random = replaying(&inputs.random[1]);
    let unsigned = admitted.answer(&answer, NOW, &mut random).unwrap();
    let signed = signature(1, &inputs.responder.key, unsigned.tbs(), unsigned.scheme());
    let reply = unsigned.signed(&signed).unwrap();

    let (key, third) = match waiting.receive(&reply.message, &trust, NOW).unwrap() {
        Outcome::Agreed(got) => {
            let ours = reply.agreed.unwrap();
            assert!(ours.key.ct_eq(got.key.expose()));
            ours.waiting.receive(&got.confirmation, NOW).unwrap();
            (got.key, Some(got.confirmation))
        }
        Outcome::Distributed(got) => (got.key, None),
    };

    let mut random = replaying(&inputs.random[0]);
    let pair = KeyPair::generate(inputs.suite.kem, &mut random).unwrap();
    let t1 = sha512(&first);
    let enc = Opened::of(&reply.message)
        .field(5)
        .as_bytes()
        .unwrap()
        .clone();
    let info = [&b"skms-exchange-v1 hpke"[..], &t1].concat();
    let context = Receiver::setup_once(&pair, inputs.suite, &enc, &info).unwrap();
    let export = |label: &str| hex(context.export(label.as_bytes(), 64).unwrap().expose());
    json!({
        "name": inputs.name,
        "suite": [inputs.suite.kem.id(), inputs.suite.kdf.id(), inputs.suite.aead.id()],
        "server": SERVER,
        "time": NOW.0,
        "anchor": hex(&inputs.anchor),
        "initiator": inputs.initiator.json,
        "responder": inputs.responder.json,
        "initiator_random": hex(&inputs.random[0]),
        "responder_random": hex(&inputs.random[1]),
        "initiator_signature": hex(&first_signature),
        "responder_signature": hex(&signed),
        "ephemeral_private_key": hex(pair.expose()),
        "ephemeral_public_key": hex(pair.public()),
        "message_1": hex(&first),
        "t1": hex(&t1),
        "replay_entry": hex(&entry),
        "kc2": export("skms-exchange-v1 confirm 2"),
        "kc3": export("skms-exchange-v1 confirm 3"),
        "z": export("skms-exchange-v1 agree"),
        "message_2": hex(&reply.message),
        "t2": hex(&sha512(&reply.message)),
        "message_3": third.map(|third| hex(&third)),
        "key": hex(key.expose()),
    })
}

fn make() -> Vec<Value> {
    let pki = Pki::new();
    let mut wanted = Vec::new();
    for suite in ALL {
        wanted.push((suite, Algorithm::Ed25519, agreement()));
        wanted.push((suite, Algorithm::Ed25519, distribution()));
    }
    for algorithm in OTHER_KEYS {
        wanted.push((X_WING, algorithm, agreement()));
    }
    let numbered = wanted.into_iter().zip(0..);
    let case = |((suite, algorithm, request), number): ((Suite, Algorithm, Request), u8)| {
        let kind = match request {
            Request::Agreement(_) => "agreement",
            Request::Distribution(_) => "distribution",
        };
        let kem = suite.kem.algorithm();
        let inputs = |random: [Vec<u8>; 2]| Inputs {
            name: format!("{kem}, {algorithm}, {kind}"),
            anchor: pki.root.clone(),
            suite,
            request: request.clone(),
            initiator: Recorded::make(&pki, algorithm, false),
            responder: Recorded::make(&pki, algorithm, true),
            random,
            signatures: None,
        };
        run(&inputs([
            drawn(number, suite, true),
            drawn(number, suite, false),
        ]))
    };
    numbered.map(case).collect()
}

/// As many bytes as a role draws: the initiator for its key pair and its nonce,
/// the responder for its nonce and the encapsulation.
fn drawn(number: u8, suite: Suite, initiator: bool) -> Vec<u8> {
    let count = RefCell::new(0);
    let mut zeros = |out: &mut [u8]| {
        *count.borrow_mut() += out.len();
        counting(0)(out)
    };
    let pair = KeyPair::generate(suite.kem, &mut zeros).unwrap();
    if !initiator {
        *count.borrow_mut() = 0;
        let algorithm = suite.kem.algorithm();
        let public = skms_crypto::PublicKey::import(pair.public(), Format::Raw, Some(algorithm));
        let public = public.unwrap();
        skms_crypto::hpke::Sender::setup_with(&public, suite, b"", &mut zeros).unwrap();
    }
    let mut bytes = vec![0; count.take() + 32];
    counting(2 * number + u8::from(initiator))(&mut bytes).unwrap();
    bytes
}

fn recorded() -> Vec<Value> {
    let text = std::fs::read_to_string(file()).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn inputs(case: &Value) -> Inputs {
    let suite = ALL
        .into_iter()
        .find(|suite| json!([suite.kem.id(), suite.kdf.id(), suite.aead.id()]) == case["suite"]);
    Inputs {
        name: case["name"].as_str().unwrap().to_owned(),
        anchor: unhex(&case["anchor"]),
        suite: suite.unwrap(),
        request: match case["message_3"] {
            Value::Null => distribution(),
            _ => agreement(),
        },
        initiator: Recorded::read(&case["initiator"]),
        responder: Recorded::read(&case["responder"]),
        random: [
            unhex(&case["initiator_random"]),
            unhex(&case["responder_random"]),
        ],
        signatures: Some([
            unhex(&case["initiator_signature"]),
            unhex(&case["responder_signature"]),
        ]),
    }
}

#[test]
fn every_recorded_exchange_comes_out_the_same() {
    if std::env::var_os("SKMS_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(&make()).unwrap() + "\n";
        std::fs::write(file(), text).unwrap();
    }
    let cases = recorded();
    assert_eq!(cases.len(), 2 * ALL.len() + OTHER_KEYS.len());
    for case in &cases {
        let again = run(&inputs(case));
        for (field, value) in case.as_object().unwrap() {
            assert_eq!(&again[field], value, "{}: {field}", case["name"]);
        }
    }
}

fn python(cases: &[Value]) -> Option<Result<usize, String>> {
    python_says("check_vectors.py", cases)
}

/// What Python says of vectors: how many it checked, or why not.
pub fn python_says(script: &str, cases: &[Value]) -> Option<Result<usize, String>> {
    let Some(python) = std::env::var_os("SKMS_TEST_PYTHON") else {
        eprintln!("SKIPPED: SKMS_TEST_PYTHON names no interpreter");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/python")
        .join(script);
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), cases).unwrap();
    let output = child.wait_with_output().unwrap();
    Some(match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    })
}

#[test]
fn python_reads_the_vectors_as_we_do() {
    let cases = recorded();
    let Some(checked) = python(&cases) else {
        return;
    };
    assert_eq!(checked, Ok(cases.len()));
    // And it looks at what it reads.
    for field in [
        "initiator_random",
        "responder_random",
        "message_1",
        "message_2",
        "message_3",
        "key",
        "kc3",
        "replay_entry",
    ] {
        let mut bent = cases[0].clone();
        let mut text = bent[field].as_str().unwrap().to_owned();
        let last = text.pop().unwrap();
        text.push(if last == '0' { '1' } else { '0' });
        bent[field] = Value::from(text);
        assert!(python(&[bent]).unwrap().is_err(), "{field}");
    }
}
