//! Certificates that others issued, validated by the server.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{describe::Described, house::House};

const NOW: &str = "2030-06-15T12:00:00Z";

/// A file of the certificate room's suite, base64.
fn suite(name: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = folder.join("../skms-pki/testdata/rfc5280-section-6");
    STANDARD.encode(std::fs::read(folder.join(name)).unwrap())
}

/// A valid question with some members changed.
fn question(changed: Value) -> Value {
    let mut question = json!({
        "certificate": suite("certs/Leaf.crt"),
        "chain": [suite("certs/CA.crt")],
        "anchors": [suite("certs/Root.crt")],
        "at": NOW,
    });
    for (member, value) in changed.as_object().unwrap() {
        question[member] = value.clone();
    }
    question
}

pub fn validated(api: &Described<'_>) {
    let ask = |changed| api.good("certificate-validate", &[], Some(question(changed)));
    let rule = |changed| {
        let verdict = ask(changed);
        assert_eq!(verdict["valid"], false);
        verdict["refusal"]["rule"].as_str().unwrap().to_owned()
    };
    let verdict = ask(json!({}));
    assert_eq!(verdict["valid"], true);
    let path = verdict["path"].as_array().unwrap();
    let names: Vec<_> = path.iter().map(|one| one["subject"].clone()).collect();
    assert_eq!(names, ["CN=Leaf", "CN=CA", "CN=Root"]);
    assert_eq!(verdict["work"]["signatures"], 2);

    // By the server's clock it is not valid yet or any more.
    let expired = rule(json!({"at": "2050-01-01T00:00:00Z"}));
    assert_eq!(expired, "expired");
    assert_eq!(rule(json!({"chain": []})), "no-issuer");
    assert_eq!(rule(json!({"names": ["a.example"]})), "name");
    assert_eq!(rule(json!({"policies": ["2.999.1"]})), "policy");
    assert_eq!(
        rule(json!({"profile": "web", "purpose": "server"})),
        "extension-presence"
    );
    let lists = [suite("crls/Root.crl"), suite("crls/CA.crl")];
    let checked = json!({"crls": lists, "revocation": "required"});
    assert_eq!(ask(checked)["valid"], true);
    assert_eq!(
        rule(json!({"revocation": "required"})),
        "revocation-unknown"
    );
    let lists = [suite("crls/Root.crl"), suite("crls/CA-revokes.crl")];
    for how in ["known", "required"] {
        let revoked = rule(json!({"crls": lists, "revocation": how}));
        assert_eq!(revoked, "revoked");
    }
    let unasked = json!({"crls": lists, "revocation": "off"});
    assert_eq!(ask(unasked)["valid"], true);
}

#[test]
fn questions_that_cannot_be_put() {
    let house = House::new();
    let server = house.serve();
    let api = Described::new(&server);
    let problem = |changed| api.bad("certificate-validate", &[], Some(question(changed)));
    for changed in [
        json!({"anchors": []}),
        json!({"certificate": STANDARD.encode(b"\x30\x01")}),
        json!({"chain": [STANDARD.encode(b"-----BEGIN CERTIFICATE-----\nMAA=\n")]}),
        json!({"crls": [suite("certs/CA.crt")]}),
        json!({"ocsp_responses": [suite("certs/CA.crt")]}),
        json!({"purpose": "everything"}),
        json!({"names": ["not a name"]}),
        json!({"policies": ["one"]}),
    ] {
        assert_eq!(problem(changed.clone()), "invalid-argument", "{changed}");
    }
    let many = vec![suite("certs/CA.crt"); 255];
    assert_eq!(problem(json!({"chain": many})), "invalid-argument");
    let many = vec![suite("certs/CA.crt"); 254];
    let verdict = api.good(
        "certificate-validate",
        &[],
        Some(question(json!({"chain": many}))),
    );
    assert_eq!(verdict["valid"], true);
    let many = vec![suite("crls/CA.crl"); 65];
    assert_eq!(problem(json!({"crls": many})), "invalid-argument");
    // What the description forbids is refused all the same.
    for changed in [json!({"profile": "mine"}), json!({"certificate": "?"})] {
        let body = Some(question(changed));
        let answer = server.ask("POST", "/api/v1/certificates/validate", body);
        assert_eq!(answer.problem(), "malformed-request");
    }
}
