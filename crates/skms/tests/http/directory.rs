//! Sealed messages between two clients of the real server: what goes past it
//! and never through, and what a lying directory can do.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use skms_client::{
    Client, Config,
    sealing::{
        Algorithm, Correspondent, Format, KeyMaterial, Opening, Recipient, SealingKey, suite,
    },
};
use skms_exchange::{LocalIdentity, sealing::Validity};
use skms_pki::documents::{Signer, cose};
use skms_wire::Bytes;
use skms_wire::native::directory::PublishStatementRequest;

use crate::{
    describe::Described,
    exchange::{bytes, events, now, principal},
    house::Server,
    middle::{Change, Middle},
    mutual::Installed,
    wire::{Answer, Identity, client_config},
};

const DIRECTORY: &str = "/api/v1/directory";
const LOOKUP: &str = "/api/v1/directory/lookup";
const CONTENT: &[u8] = b"planted: what bob has to say to alice";
const LIFETIME: u32 = 30 * 86_400;

/// An installation with people in it.
struct World {
    installed: Installed,
    server: Server,
}

/// One of them.
struct Person {
    identity: Identity,
    serial: String,
}

impl World {
    fn new() -> Self {
        let installed = Installed::new();
        let server = installed.serve_unsealed(&[]);
        Self { installed, server }
    }

    fn person(&self, name: &str) -> Person {
        self.person_of(name, &["crypto-user"])
    }

    fn person_of(&self, name: &str, groups: &[&str]) -> Person {
        let (identity, serial) = principal(&self.server, name, groups);
        Person { identity, serial }
    }

    /// The authorities that certify people.
    fn anchors(&self) -> Vec<u8> {
        let path = "/api/v1/authorities/admins";
        let issuer = self.server.must("GET", path, None)["issuers"][0].clone();
        issuer["certificate"].as_str().unwrap().as_bytes().to_vec()
    }

    fn correspondent(&self, person: &Person) -> Correspondent {
        let own = &person.identity;
        let servers = std::fs::read(self.installed.ca()).unwrap();
        let (certificate, key) = (own.certificate.as_bytes(), own.key.as_bytes());
        Correspondent::from_pem(certificate, key, &servers, &self.anchors()).unwrap()
    }

    /// A client that is known by its certificate.
    fn client(&self, person: &Person) -> Client {
        let mut config = config(self.server.address.port(), &self.installed.ca());
        config.identity = Some(skms_client::Identity {
            certificates_pem: person.identity.certificate.clone().into_bytes(),
            private_key_pem: person.identity.key.clone().into_bytes().into(),
        });
        Client::new(config).unwrap()
    }

    /// Somebody between a person and the server, whom TLS trusts, with the
    /// person's certificate towards the server.
    fn middle(&self, person: &Person, change: Box<Change>) -> (Middle, Client) {
        let tls = client_config(&self.installed.ca(), Some(&person.identity));
        let middle = Middle::over(self.server.address, tls, change);
        let folder = self.installed.path("middle.pem");
        std::fs::write(&folder, &middle.authority).unwrap();
        let client = Client::new(config(middle.address.port(), &folder)).unwrap();
        (middle, client)
    }

    /// One request as a person.
    fn ask(&mut self, person: &Person, method: &str, path: &str, body: Option<Value>) -> Answer {
        let tls = client_config(&self.installed.ca(), Some(&person.identity));
        let before = self.server.tls.replace(tls);
        let answer = self.server.ask_as("", method, path, body);
        self.server.tls = before;
        answer
    }

    fn publish(&mut self, person: &Person, statement: &[u8]) -> Answer {
        let body = json!({"statement": STANDARD.encode(statement)});
        self.ask(person, "POST", DIRECTORY, Some(body))
    }

    /// That a statement was refused by this name.
    fn refused(&mut self, person: &Person, statement: &[u8], name: &str) {
        let answer = self.publish(person, statement);
        assert_eq!(answer.status, 422, "{name}: {}", answer.text());
        assert_eq!(answer.problem(), "statement-refused");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(&format!("{name}:")), "{name}: {detail}");
    }

    fn change(&self, person: &Person, act: &str, body: Option<Value>) {
        let serial = &person.serial;
        let path = format!("/api/v1/authorities/admins/certificates/{serial}/{act}");
        self.server.must("POST", &path, body);
    }
}

fn config(port: u16, authority: &Path) -> Config {
    let mut config = Config::new(format!("https://localhost:{port}").parse().unwrap());
    config.ca_pem = Some(std::fs::read(authority).unwrap());
    config.retry = skms_client::Retry::NEVER;
    config
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

fn sealing_key(algorithm: Algorithm) -> KeyMaterial {
    KeyMaterial::generate(algorithm).unwrap()
}

fn open_key(key: &KeyMaterial) -> SealingKey {
    SealingKey::new(key).unwrap()
}

/// By which name somebody does not seal.
fn unsealed(client: &Client, by: &Correspondent, to: &str) -> String {
    let sealed = block_on(client.seal_to(by, to, &suite::POST_QUANTUM, CONTENT));
    sealed.map(drop).unwrap_err().to_string()
}

/// Whether bytes stand anywhere below a folder.
fn below(folder: &Path, what: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => below(&path, what),
            false => contains(&std::fs::read(&path).unwrap(), what),
        }
    })
}

fn contains(within: &[u8], what: &[u8]) -> bool {
    within.windows(what.len()).any(|window| window == what)
}

#[test]
fn what_bob_seals_alice_opens_and_nobody_in_between_sees_it() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (hers, his) = (world.correspondent(&alice), world.correspondent(&bob));
    let quiet = || Box::new(|_: &str, _: bool, body: Value| body);
    let (her_wire, her_client) = world.middle(&alice, quiet());
    let (his_wire, his_client) = world.middle(&bob, quiet());

    let key = sealing_key(Algorithm::XWing);
    let statement = hers.state(&open_key(&key), LIFETIME).unwrap();
    let request = PublishStatementRequest {
        statement: Bytes::new(statement.clone()),
    };
    let view = block_on(her_client.publish_statement(&request)).unwrap();
    assert_eq!(view.algorithm.as_deref(), Some("X-Wing"));

    let sealed = his_client.seal_to(&his, "alice", &suite::POST_QUANTUM, CONTENT);
    let (message, id) = block_on(sealed).unwrap();
    let recipient = Recipient::new(open_key(&key), &[statement]).unwrap();
    let opening = Opening {
        from: Some("skms://"),
        ..Opening::default()
    };
    let other = her_client.open_message(&hers, &recipient, &message, opening);
    assert!(
        block_on(other)
            .unwrap_err()
            .to_string()
            .contains("wrong-sender")
    );
    let opened = her_client.open_message(&hers, &recipient, &message, Opening::default());
    let opened = block_on(opened).unwrap();
    assert!(opened.content.ct_eq(CONTENT));
    assert_eq!(opened.id, id);
    assert!(opened.sender.name().ends_with("/certificate/bob"));

    // The content, the message and the private key went past the server: not on
    // the wire, not on the disk, not in its log.
    let private = key.export(Format::Raw, None).unwrap();
    let seen = [&her_wire, &his_wire].map(|wire| wire.seen.lock().unwrap().clone());
    assert!(
        contains(&seen[0], view.hash.as_bytes()),
        "the wire was watched"
    );
    let log = world.server.log();
    for secret in [CONTENT, private.expose(), &message[message.len() - 64..]] {
        let text = STANDARD.encode(secret);
        let forms = [secret, text.trim_end_matches('=').as_bytes()];
        for form in forms {
            assert!(!seen.iter().any(|seen| contains(seen, form)));
            assert!(!contains(log.as_bytes(), form));
            assert!(!below(&world.installed.path("data"), form));
        }
    }
    let said = events(&world.server, "directory.publish");
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0]["details"]["statement"], view.hash);
    assert_eq!(events(&world.server, "directory.read").len(), 3);
}

#[test]
fn a_directory_that_lies() {
    let mut world = World::new();
    let people = ["alice", "bob", "mallory"].map(|name| world.person(name));
    let [alice, bob, mallory] = &people;
    let by = people.each_ref().map(|person| world.correspondent(person));
    let [hers, his, theirs] = &by;
    let publish = |world: &mut World, who: &Person, by: &Correspondent| {
        let key = open_key(&sealing_key(Algorithm::XWing));
        let statement = by.state(&key, LIFETIME).unwrap();
        assert_eq!(world.publish(who, &statement).status, 200);
        statement
    };
    let older = publish(&mut world, alice, hers);
    publish(&mut world, alice, hers);
    let mallorys = publish(&mut world, mallory, theirs);
    let recorded: Arc<Mutex<Option<Value>>> = Arc::default();
    let kept = Arc::clone(&recorded);
    // One that only listens: what it heard is played back later.
    let (_wire, client) = world.middle(
        bob,
        Box::new(move |path, answer, body| {
            if path == LOOKUP && answer {
                *kept.lock().unwrap() = Some(body.clone());
            }
            body
        }),
    );
    block_on(client.seal_to(his, "alice", &suite::POST_QUANTUM, CONTENT)).unwrap();

    type Lie = Box<dyn Fn(Value) -> Value + Send + Sync>;
    let put = |field: &'static str, value: Value| -> Lie {
        Box::new(move |mut body: Value| {
            body[field] = value.clone();
            body
        })
    };
    let flip = |field: &'static str| -> Lie {
        Box::new(move |mut body: Value| {
            let mut message = bytes(&body[field]);
            let last = message.len() - 1;
            message[last] ^= 1;
            body[field] = STANDARD.encode(message).into();
            body
        })
    };
    let heard = recorded.lock().unwrap().clone().unwrap();
    let lies: Vec<(&str, Lie)> = vec![
        (
            "wrong-name",
            put("statement", STANDARD.encode(&mallorys).into()),
        ),
        (
            "transcript",
            put("statement", STANDARD.encode(&older).into()),
        ),
        ("signature", flip("statement")),
        ("signature", flip("status")),
        ("transcript", Box::new(move |_| heard.clone())),
        ("revocation-unknown", put("crls", json!([]))),
        (
            "wrong-message",
            put("status", STANDARD.encode(&older).into()),
        ),
        ("malformed", put("status", json!(""))),
    ];
    for (name, lie) in lies {
        let change = move |path: &str, answer: bool, body: Value| match (path, answer) {
            (LOOKUP, true) => lie(body),
            _ => body,
        };
        let (_wire, client) = world.middle(bob, Box::new(change));
        let said = unsealed(&client, his, "alice");
        assert!(said.contains(&format!("{name}:")), "{name}: {said}");
    }

    // An answer that was good once, after the statement was withdrawn.
    let answer = world.ask(alice, "POST", "/api/v1/directory/withdraw", None);
    assert_eq!(answer.json()["status"], "withdrawn", "{}", answer.text());
    let again = recorded.lock().unwrap().clone().unwrap();
    let change = move |path: &str, answer: bool, body: Value| match (path, answer) {
        (LOOKUP, true) => again.clone(),
        _ => body,
    };
    let (_wire, client) = world.middle(bob, Box::new(change));
    let said = unsealed(&client, his, "alice");
    assert!(said.contains("transcript:"), "{said}");
}

#[test]
fn a_statement_stands_as_its_owner_and_its_certificate_do() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (hers, his) = (world.correspondent(&alice), world.correspondent(&bob));
    let key = sealing_key(Algorithm::XWing);
    let state = || hers.state(&open_key(&key), LIFETIME).unwrap();
    let client = world.client(&bob);
    let said = |client: &Client| unsealed(client, &his, "alice");
    assert!(said(&client).contains("sealing key"), "{}", said(&client));
    let first = state();
    assert_eq!(world.publish(&alice, &first).status, 200);
    let sealed = || block_on(client.seal_to(&his, "alice", &suite::POST_QUANTUM, CONTENT));
    let (message, _) = sealed().unwrap();

    // On hold, and again not.
    let hold = json!({"reason": "certificateHold"});
    world.change(&alice, "revoke", Some(hold.clone()));
    assert!(said(&client).contains("certificate-on-hold:"));
    world.change(&alice, "release", None);
    // The next list says so, within a second or two.
    let patience = std::time::Instant::now();
    while let Err(error) = sealed() {
        assert!(patience.elapsed().as_secs() < 60, "{error}");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }

    // Another in its place: one statement counts, and what came before is not
    // brought back, also not by whoever asks after a restart.
    let second = state();
    assert_eq!(world.publish(&alice, &second).status, 200);
    assert_eq!(world.publish(&alice, &second).status, 200, "the same again");
    world.refused(&alice, &first, "statement-superseded");
    let own = world.ask(&alice, "GET", DIRECTORY, None).json();
    let statuses = |own: &Value| {
        let all = own["statements"].as_array().unwrap().clone();
        all.iter()
            .map(|one| one["status"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(statuses(&own), ["good", "superseded"]);
    let withdrawn = world.ask(&alice, "POST", "/api/v1/directory/withdraw", None);
    assert_eq!(withdrawn.status, 200, "{}", withdrawn.text());
    assert!(said(&client).contains("statement-withdrawn:"));
    world.refused(&alice, &second, "statement-withdrawn");
    let twice = world.ask(&alice, "POST", "/api/v1/directory/withdraw", None);
    assert_eq!(twice.problem(), "not-found");
    let World { installed, server } = world;
    server.kill();
    let server = installed.serve_unsealed(&[]);
    let mut world = World { installed, server };
    let client = world.client(&bob);
    assert!(said(&client).contains("statement-withdrawn:"));
    world.refused(&alice, &second, "statement-withdrawn");

    // A third; then alice is nobody any more, and her certificate revoked.
    let third = state();
    assert_eq!(world.publish(&alice, &third).status, 200);
    let own = world.ask(&alice, "GET", DIRECTORY, None).json();
    assert_eq!(statuses(&own), ["good", "withdrawn", "superseded"]);
    let sealed = || block_on(client.seal_to(&his, "alice", &suite::POST_QUANTUM, CONTENT));
    sealed().unwrap();
    world
        .server
        .must_nothing("DELETE", "/api/v1/principals/alice");
    assert!(
        said(&client).contains("principal-unknown:"),
        "{}",
        said(&client)
    );
    let known = json!({"name": "alice", "authority": "admins", "groups": []});
    world.server.must("POST", "/api/v1/principals", Some(known));
    sealed().unwrap();
    let reason = json!({"reason": "keyCompromise"});
    world.change(&alice, "revoke", Some(reason.clone()));
    assert!(said(&client).contains("certificate-revoked:"));

    // She has her key still, and what was sealed to the first statement opens:
    // until bob's certificate is revoked.
    let recipient = Recipient::new(open_key(&key), &[first, second, third]).unwrap();
    let open = || {
        let carol = world.client(&bob);
        block_on(carol.open_message(&hers, &recipient, &message, Opening::default()))
    };
    assert!(open().unwrap().content.ct_eq(CONTENT));
    world.change(&bob, "revoke", Some(reason));
    // The list that names him is made before the revocation returns or soon
    // after; his own client is cut off, so another one asks.
    let dave = world.person("dave");
    let dave = world.client(&dave);
    let patience = std::time::Instant::now();
    loop {
        let opened = dave.open_message(&hers, &recipient, &message, Opening::default());
        match block_on(opened) {
            Err(error) if error.to_string().contains("certificate-revoked:") => break,
            other => assert!(patience.elapsed().as_secs() < 60, "{other:?}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

/// A statement with one part of its payload changed, signed as it should be.
fn forged(person: &Person, statement: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let read = cose::Sign1::from_cbor(statement).unwrap();
    let payload = read.content().unwrap();
    let at = payload.windows(from.len()).position(|part| part == from);
    let mut payload = payload.to_vec();
    payload[at.unwrap()..][..to.len()].copy_from_slice(to);
    let key = person.identity.key.as_bytes();
    let local = LocalIdentity::from_pem(&person.identity.certificate, key, None).unwrap();
    let scheme = skms_exchange::Identity::scheme_for(Algorithm::EcP256).unwrap();
    let signer = Signer::new(read.certificates().to_vec(), scheme).unwrap();
    let label = b"skms-sealing-v1 statement";
    let planned = cose::plan_with(&signer, &payload, label).unwrap();
    let signature = local.sign(planned.tbs(), planned.scheme()).unwrap();
    planned.signed(&signature, false).unwrap()
}

#[test]
fn the_directory_takes_ones_own_good_key_and_nothing_else() {
    let mut world = World::new();
    let (alice, mallory) = (world.person("alice"), world.person("mallory"));
    let (hers, theirs) = (world.correspondent(&alice), world.correspondent(&mallory));
    let key = open_key(&sealing_key(Algorithm::X25519));
    let statement = hers.state(&key, LIFETIME).unwrap();

    world.refused(&mallory, &statement, "wrong-name");
    let mallorys = theirs.state(&key, LIFETIME).unwrap();
    world.refused(&alice, &mallorys, "wrong-name");
    let claimed = forged(
        &mallory,
        &mallorys,
        b"certificate/mallory",
        b"certificate/mallorx",
    );
    world.refused(&mallory, &claimed, "wrong-name");
    for zero in [[0; 32], {
        let mut one = [0; 32];
        one[0] = 1;
        one
    }] {
        let low = forged(&alice, &statement, key.public(), &zero);
        world.refused(&alice, &low, "public-key");
    }
    let mut broken = statement.clone();
    *broken.last_mut().unwrap() ^= 1;
    world.refused(&alice, &broken, "signature");
    world.refused(&alice, b"", "malformed");
    world.refused(&alice, &vec![0; 65_537], "too-long");

    // An old one, one that comes too early, one that ended.
    let key_pem = alice.identity.key.as_bytes();
    let local = LocalIdentity::from_pem(&alice.identity.certificate, key_pem, None).unwrap();
    let random = &mut skms_crypto::rand::fill;
    let mut made = |age: i64, from: i64, seconds: u32| {
        let at = |seconds: i64| skms_pki::Moment(now().0 + seconds);
        let validity = Validity::for_seconds(at(from), seconds);
        local.state(&key, validity, at(-age), random).unwrap()
    };
    let (old, early, ended) = (
        made(400, -400, LIFETIME),
        made(0, 100, 60),
        made(0, -100, 60),
    );
    let ahead = made(-400, -400, LIFETIME);
    world.refused(&alice, &old, "stale");
    world.refused(&alice, &early, "statement-not-yet-valid");
    world.refused(&alice, &ended, "statement-expired");
    world.refused(&alice, &ahead, "from-the-future");

    // By a certificate that somebody made himself, or of an authority of
    // another purpose; revoked ones say nothing at all any more.
    let own = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    let uri = hers_name("alice");
    params.subject_alt_names = vec![rcgen::SanType::URI(uri.try_into().unwrap())];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let itself = params.self_signed(&own).unwrap().pem();
    let itself = LocalIdentity::from_pem(&itself, own.serialize_pem().as_bytes(), None).unwrap();
    let validity = Validity::for_seconds(now(), LIFETIME);
    let itself = itself.state(&key, validity, now(), random).unwrap();
    world.refused(&alice, &itself, "certificate-untrusted");

    // Nobody publishes by a token, not even root.
    let body = json!({"statement": STANDARD.encode(&statement)});
    let by_token = world.server.ask("POST", DIRECTORY, Some(body));
    assert_eq!(
        by_token.problem(),
        "invalid-argument",
        "{}",
        by_token.text()
    );
    assert_eq!(world.publish(&alice, &statement).status, 200);
    let refusals = events(&world.server, "directory.publish");
    let failed = refusals
        .iter()
        .filter(|one| one["outcome"]["result"] != "success");
    assert!(failed.count() >= 10, "{refusals:?}");
}

fn hers_name(name: &str) -> String {
    skms_exchange::sealing::principal_name(skms_policy::ROOT_NAMESPACE, name).unwrap()
}

#[test]
fn policies_decide_who_publishes_and_who_looks() {
    let mut world = World::new();
    let (alice, guest) = (world.person("alice"), world.person_of("guest", &[]));
    let reader = world.person_of("reader", &["reader"]);
    let hers = world.correspondent(&alice);
    let key = open_key(&sealing_key(Algorithm::XWing));
    assert_eq!(
        world
            .publish(&alice, &hers.state(&key, LIFETIME).unwrap())
            .status,
        200
    );

    let nonce = STANDARD.encode([7; 32]);
    let lookup = |name: &str| Some(json!({"principal": name, "nonce": nonce.clone()}));
    let there = world.ask(&guest, "POST", LOOKUP, lookup("alice"));
    let absent = world.ask(&guest, "POST", LOOKUP, lookup("nobody"));
    assert_eq!((there.status, absent.status), (404, 404));
    assert_eq!(there.json()["detail"], absent.json()["detail"]);
    let crls = Some(json!({"certificates": []}));
    let lists = "/api/v1/directory/crls";
    assert_eq!(world.ask(&guest, "POST", lists, crls.clone()).status, 404);

    // Who reads may look, and not publish.
    assert_eq!(
        world.ask(&reader, "POST", LOOKUP, lookup("alice")).status,
        200
    );
    assert_eq!(
        world.ask(&reader, "POST", LOOKUP, lookup("nobody")).status,
        404
    );
    assert_eq!(world.ask(&reader, "POST", lists, crls).status, 200);
    let own = world.correspondent(&reader).state(&key, LIFETIME).unwrap();
    assert!([403, 404].contains(&world.publish(&reader, &own).status));

    // A policy that forbids by the groups of whom it is about.
    let policy = r#"forbid (
        principal in SKMS::Group::"reader",
        action == SKMS::Action::"directory.read",
        resource in SKMS::Group::"crypto-user"
    );"#;
    let body = Some(json!({"policy": policy}));
    world.server.must("PUT", "/api/v1/policies/private", body);
    let answer = world.ask(&reader, "POST", LOOKUP, lookup("alice"));
    assert!([403, 404].contains(&answer.status), "{}", answer.text());
}

/// The routes answer as the served description says.
#[test]
fn the_routes_are_as_described() {
    let mut world = World::new();
    let alice = world.person("alice");
    let hers = world.correspondent(&alice);
    let key = open_key(&sealing_key(Algorithm::XWing));
    world
        .server
        .trust_as(&world.installed.ca(), &alice.identity);
    world.server.token.clear();
    let api = Described::new(&world.server);
    let own = api.good("directory-own", &[], None);
    assert_eq!(own["statements"], json!([]));
    assert_eq!(api.bad("directory-withdraw", &[], None), "not-found");
    let body = |statement: &[u8]| Some(json!({"statement": STANDARD.encode(statement)}));
    assert_eq!(
        api.bad("directory-publish", &[], body(b"")),
        "statement-refused"
    );
    let statement = hers.state(&key, LIFETIME).unwrap();
    let view = api.good("directory-publish", &[], body(&statement));
    assert_eq!(bytes(&view["statement"]), statement);
    api.good("directory-own", &[], None);
    let nonce = |length: usize| STANDARD.encode(vec![1; length]);
    let asked = |length: usize| Some(json!({"principal": "alice", "nonce": nonce(length)}));
    api.good("directory-lookup", &[], asked(32));
    assert_eq!(
        api.bad("directory-lookup", &[], asked(31)),
        "invalid-argument"
    );
    let chain = |count: usize| Some(json!({"certificates": vec!["AA=="; count]}));
    assert_eq!(api.good("directory-crls", &[], chain(8))["crls"], json!([]));
    assert_eq!(api.bad("directory-crls", &[], chain(9)), "invalid-argument");
    assert_eq!(
        api.good("directory-withdraw", &[], None)["status"],
        "withdrawn"
    );
}
