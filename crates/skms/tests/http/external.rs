//! Key exchanges by principals whose certificates external authorities issued.

use std::{process::Command, thread::sleep, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use skms_client::exchange::{Agreement, KeyName, Outcome, Party, Request};
use skms_exchange::AwaitingReply;
use tempfile::TempDir;

use crate::{
    exchange::{agreement, begin, mac, mac_here, now, refused, replied, send, state},
    house::Server,
    mutual::Installed,
    trusts::openssl::{AUTHORITY, Ca, EVER, Leaf},
    wire::Answer,
};

const PATH: &str = "/api/v1/exchange";
const TRUSTS: &str = "/api/v1/trusts";
const TEAM: &str = "team";

/// A server, and an authority that it trusts to say who alice and bob are.
struct Stage {
    installed: Installed,
    server: Server,
    folder: TempDir,
    corp: Ca,
}

impl Stage {
    fn new() -> Self {
        let installed = Installed::new();
        let server = installed.serve_unsealed(&[]);
        let folder = tempfile::tempdir().unwrap();
        let corp = Ca::root(folder.path(), "corp", "/O=Corp/CN=Corp", AUTHORITY);
        let stage = Self {
            installed,
            server,
            folder,
            corp,
        };
        stage.trust(None);
        stage
    }

    fn must(&self, namespace: Option<&str>, path: &str, body: &Value) {
        let headers: Vec<_> = namespace
            .iter()
            .map(|name| ("X-SKMS-Namespace", *name))
            .collect();
        let (server, token) = (&self.server, &self.server.token);
        let answer = server
            .connect()
            .ask(token, "POST", path, Some(body), &headers);
        assert!(answer.status < 300, "{path}: {}", answer.text());
    }

    /// Trusts the authority in a namespace, and binds alice and bob there.
    fn trust(&self, namespace: Option<&str>) {
        let anchors = [STANDARD.encode(self.corp.pem())];
        let new = json!({"name": "corp", "anchors": anchors, "identity": "uri"});
        self.must(namespace, TRUSTS, &new);
        for name in ["alice", "bob"] {
            let identity = format!("spiffe://corp/{name}");
            let new = json!({"name": name, "trust": "corp", "identity": identity,
                "groups": ["root"]});
            self.must(namespace, "/api/v1/principals", &new);
        }
    }

    fn import(&self, list: Vec<u8>) {
        let body = json!({"crl": STANDARD.encode(list)});
        self.must(None, &format!("{TRUSTS}/corp/crls"), &body);
    }

    fn party(&self, leaf: &Leaf, above: &[&Ca]) -> Party {
        let mut chain = leaf.pem.clone().into_bytes();
        above.iter().for_each(|ca| chain.extend(ca.pem()));
        let authority = std::fs::read(self.installed.ca()).unwrap();
        Party::from_pem(&chain, leaf.key.as_bytes(), &authority).unwrap()
    }

    fn ask(&self, by: &Party, name: &str) -> Answer {
        self.first(by, name).0
    }

    fn first(&self, by: &Party, name: &str) -> (Answer, AwaitingReply) {
        let (first, waiting) = begin(by, Request::Agreement(agreement(name)));
        (send(&self.server, PATH, &first), waiting)
    }
}

fn alice(ca: &Ca, file: &str) -> Leaf {
    ca.client(file, "URI:spiffe://corp/alice")
}

#[test]
fn a_principal_by_an_external_authority_agrees_once_its_lists_are_here() {
    let mut stage = Stage::new();
    let alice = stage.party(&alice(&stage.corp, "alice"), &[]);
    // No news is a refusal, although the trust lets such principals in
    // elsewhere as long as there are no lists.
    refused(&stage.ask(&alice, "early"), "revocation-unknown");
    stage.import(stage.corp.crl(EVER));
    let (answer, waiting) = stage.first(&alice, "hers");
    let (second, lists) = replied(&answer);
    let agreed = match alice.receive(waiting, &second, &lists, now()).unwrap() {
        Outcome::Agreed(agreed) => agreed,
        Outcome::Distributed(_) => panic!("a distribution"),
    };
    let done = send(
        &stage.server,
        "/api/v1/exchange/confirm",
        &agreed.confirmation,
    );
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(mac(&stage.server, "hers"), mac_here(agreed.key.expose()));

    // Below an authority of its own: that one's list counts too, and what came
    // with message 1 is known at message 3, also after a restart.
    let below = stage.corp.below("below", "/O=Corp/CN=Below", AUTHORITY);
    let bob = below.client("bob", "URI:spiffe://corp/bob");
    let bob = stage.party(&bob, &[&below]);
    refused(&stage.ask(&bob, "half"), "revocation-unknown");
    let known = json!({"intermediates": [STANDARD.encode(below.pem())]});
    stage
        .server
        .must("PATCH", &format!("{TRUSTS}/corp"), Some(known));
    stage.import(below.crl(EVER));
    let known = json!({"intermediates": []});
    stage
        .server
        .must("PATCH", &format!("{TRUSTS}/corp"), Some(known));
    let (answer, waiting) = stage.first(&bob, "his");
    let (second, lists) = replied(&answer);
    let agreed = match bob.receive(waiting, &second, &lists, now()).unwrap() {
        Outcome::Agreed(agreed) => agreed,
        Outcome::Distributed(_) => panic!("a distribution"),
    };
    stage.server.kill();
    stage.server = stage.installed.serve_unsealed(&[]);
    let done = send(
        &stage.server,
        "/api/v1/exchange/confirm",
        &agreed.confirmation,
    );
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(mac(&stage.server, "his"), mac_here(agreed.key.expose()));
}

#[test]
fn what_a_list_names_or_no_list_in_date_is_about_gets_no_key() {
    let stage = Stage::new();
    let (one, two) = (alice(&stage.corp, "one"), alice(&stage.corp, "two"));
    stage.import(stage.corp.crl(EVER));
    let (first, second) = (stage.party(&one, &[]), stage.party(&two, &[]));
    let (waits, waiting) = stage.first(&first, "waits");
    let (answer, lists) = replied(&waits);
    let Outcome::Agreed(agreed) = first.receive(waiting, &answer, &lists, now()).unwrap() else {
        panic!("a distribution");
    };
    assert_eq!(stage.ask(&second, "good").status, 200);
    stage.corp.revoke(&one);
    stage.import(stage.corp.crl(EVER));
    refused(&stage.ask(&first, "revoked"), "certificate-revoked");
    // Not at message 3 either.
    let late = send(
        &stage.server,
        "/api/v1/exchange/confirm",
        &agreed.confirmation,
    );
    assert_eq!(late.status, 401, "{}", late.text());
    assert_eq!(state(&stage.server, "waits"), "pre-activation");
    assert_eq!(stage.ask(&second, "still").status, 200);

    // A list that soon is out of date.
    let soon = Command::new("date")
        .args(["-u", "-d", "+4 seconds", "+%Y%m%d%H%M%SZ"])
        .output()
        .unwrap();
    let soon = String::from_utf8(soon.stdout).unwrap();
    stage.import(stage.corp.crl((EVER.0, soon.trim())));
    sleep(Duration::from_secs(6));
    refused(&stage.ask(&second, "stale"), "revocation-unknown");
    // What it names is refused all the same.
    refused(&stage.ask(&first, "both"), "certificate-revoked");
    // That the trust asks for less does not count here.
    let less = json!({"revocation": "if-known"});
    stage
        .server
        .must("PATCH", &format!("{TRUSTS}/corp"), Some(less));
    refused(&stage.ask(&second, "less"), "revocation-unknown");
    stage.import(stage.corp.crl(EVER));
    assert_eq!(stage.ask(&second, "again").status, 200);
}

#[test]
fn nobody_else_s_certificate_counts() {
    let stage = Stage::new();
    stage.import(stage.corp.crl(EVER));
    // Of the authority, and nobody here.
    let stranger = stage.corp.client("stranger", "URI:spiffe://corp/stranger");
    let answer = stage.ask(&stage.party(&stranger, &[]), "stranger");
    assert_eq!(answer.status, 401, "{}", answer.text());
    // Another authority, of the same name.
    let folder = tempfile::tempdir().unwrap();
    let other = Ca::root(folder.path(), "corp", "/O=Corp/CN=Corp", AUTHORITY);
    let forged = stage.party(&alice(&other, "alice"), &[&other]);
    refused(&stage.ask(&forged, "forged"), "certificate-untrusted");
    for name in ["stranger", "forged"] {
        let path = format!("{}/{name}", crate::exchange::KEYS);
        assert_eq!(stage.server.ask("GET", &path, None).status, 404);
    }
}

/// A trust of another namespace is none; one of the root namespace counts
/// everywhere.
#[test]
fn the_trust_is_the_key_s_namespace_s_or_the_root_namespace_s() {
    let stage = Stage::new();
    stage.import(stage.corp.crl(EVER));
    stage.must(None, "/api/v1/namespaces", &json!({"name": TEAM}));
    let second = Ca::root(stage.folder.path(), "second", "/O=Two/CN=Two", AUTHORITY);
    let theirs = json!({"name": "two", "anchors": [STANDARD.encode(second.pem())],
        "identity": "uri"});
    stage.must(Some(TEAM), TRUSTS, &theirs);
    let carol = json!({"name": "carol", "trust": "two", "identity": "spiffe://two/carol",
        "groups": ["root"]});
    stage.must(Some(TEAM), "/api/v1/principals", &carol);
    let list = json!({"crl": STANDARD.encode(second.crl(EVER))});
    stage.must(Some(TEAM), &format!("{TRUSTS}/two/crls"), &list);
    let carol = second.client("carol", "URI:spiffe://two/carol");
    let carol = stage.party(&carol, &[]);
    let in_team = |by: &Party, name: &str| {
        let wanted = Agreement {
            key: KeyName::new(TEAM, "default", name),
            ..agreement(name)
        };
        let (first, _) = begin(by, Request::Agreement(wanted));
        send(&stage.server, PATH, &first)
    };
    refused(&stage.ask(&carol, "hers"), "certificate-untrusted");
    // Known there, and up to the policies of that namespace.
    let answer = in_team(&carol, "hers");
    assert!(
        [200, 403, 404].contains(&answer.status),
        "{}",
        answer.text()
    );
    let alice = stage.party(&alice(&stage.corp, "alice"), &[]);
    let answer = in_team(&alice, "alices");
    assert!([200, 404].contains(&answer.status), "{}", answer.text());
}
