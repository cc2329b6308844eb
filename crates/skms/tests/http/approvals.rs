//! Acts that wait for the approval of others, over the native face.

use serde_json::{Value, json};

use crate::describe::Described;
use crate::house::{House, Server};
use crate::wire::Answer;

const OFFICERS: &str = r#"permit (principal in SKMS::Group::"officers",
action in [SKMS::Action::"approval.approve", SKMS::Action::"approval.read"], resource);"#;

fn mark(action: &str) -> String {
    format!(
        "@approvals(\"2\") @approvers(\"SKMS::Group::\\\"officers\\\"\") \
         forbid (principal, action == SKMS::Action::\"{action}\", resource);"
    )
}

/// That every route is as it is described.
pub fn described(api: &Described<'_>) {
    let key = json!({"name": "waits", "algorithm": "AES-256-GCM"});
    api.good("key-create", &["default"], Some(key));
    let text = mark("key.destroy").replace("\"2\"", "\"1\"");
    api.good("policy-write", &["marks"], Some(json!({"policy": text})));
    let wrong = text.replace("approvals", "aprovals");
    let wrong = json!({"policy": wrong});
    assert_eq!(
        api.bad("policy-write", &["wrong"], Some(wrong)),
        "policy-invalid"
    );
    for _ in 0..2 {
        let destroyed = api.bad("key-destroy", &["default", "waits"], None);
        assert_eq!(destroyed, "approval-required");
    }
    let page = api.good("approval-list", &["?limit=1"], None);
    let request = page["items"][0].clone();
    let id = request["id"].as_str().unwrap();
    assert_eq!(page["next"], Value::Null);
    let shown = api.good("approval-read", &[id], None);
    assert_eq!(shown["hash"], request["hash"]);
    assert_eq!(api.bad("approval-read", &["none"], None), "not-found");
    let own = json!({"hash": shown["hash"]});
    assert_eq!(
        api.bad("approval-approve", &[id], Some(own)),
        "approval-refused"
    );
    let why = json!({"reason": "a test"});
    let rejected = api.good("approval-reject", &[id], Some(why));
    assert_eq!(
        (&rejected["state"], &rejected["why"]),
        (&json!("rejected"), &json!("a test"))
    );
    assert_eq!(api.bad("approval-reject", &[id], None), "approval-refused");
    let key = api.good("approval-key", &[], None);
    assert!(key["public_key"].as_str().unwrap().contains("PUBLIC KEY"));

    // Asked by another, it can be approved by whom this is.
    let text = "@approvals(\"1\") forbid (principal, action == SKMS::Action::\"key.destroy\", \
                resource) unless { principal.id == \"root\" };";
    api.good("policy-write", &["marks"], Some(json!({"policy": text})));
    let token = json!({"principal": "dora", "groups": ["root"]});
    let token = api.good("token-create", &[], Some(token));
    let asked = api.as_other(
        token["token"].as_str().unwrap(),
        "POST",
        "/api/v1/keyrings/default/keys/waits/destroy",
    );
    assert_eq!(asked.status, 409, "{}", asked.text());
    let id = asked.json()["approval"].as_str().unwrap().to_owned();
    let shown = api.good("approval-read", &[&id], None);
    let approves = json!({"hash": shown["hash"], "valid_seconds": 600});
    let approved = api.good("approval-approve", &[&id], Some(approves));
    assert_eq!(approved["approvals"][0]["by"]["name"], "root");
    api.good("policy-delete", &["marks"], None);
}

fn token(server: &Server, principal: &str, group: &str) -> String {
    let new = json!({"principal": principal, "groups": [group]});
    let made = server.must("POST", "/api/v1/tokens", Some(new));
    made["token"].as_str().unwrap().to_owned()
}

#[test]
fn two_officers_open_an_export_and_never_see_its_passphrase() {
    let house = House::new();
    let server = house.serve();
    server.must(
        "POST",
        "/api/v1/keyrings/default/keys",
        Some(json!({"name": "k", "algorithm": "EC-P256", "exportable": true})),
    );
    let policy = |name: &str, text: &str| {
        let path = format!("/api/v1/policies/{name}");
        server.must("PUT", &path, Some(json!({"policy": text})));
    };
    policy("officers", OFFICERS);
    policy("marks", &mark("key.export"));
    let dora = token(&server, "dora", "root");
    let officers = ["alice", "bob"].map(|name| token(&server, name, "officers"));
    let export = |token: &str, passphrase: &str, headers: &[(&str, &str)]| -> Answer {
        let body = json!({"format": "pkcs8-pem", "passphrase": passphrase});
        let path = "/api/v1/keyrings/default/keys/k/export";
        server
            .connect()
            .ask(token, "POST", path, Some(&body), headers)
    };
    let asked = export(&dora, "hunter2", &[("SKMS-Approval-Reason", "a move")]);
    assert_eq!(
        (asked.status, asked.problem().as_str()),
        (409, "approval-required")
    );
    let id = asked.json()["approval"].as_str().unwrap().to_owned();
    assert!(asked.json()["detail"].as_str().unwrap().contains(&id));

    let path = format!("/api/v1/approvals/{id}");
    for officer in &officers {
        let shown = server.ask_as(officer, "GET", &path, None);
        assert_eq!(shown.status, 200, "{}", shown.text());
        assert!(!shown.text().contains("hunter2"), "{}", shown.text());
        let shown = shown.json();
        assert_eq!(shown["operation"], "key-export");
        assert_eq!(shown["reason"], "a move");
        assert_eq!(shown["requester"]["name"], "dora");
        let parameters = shown["parameters"].as_array().unwrap();
        let says = |name: &str| {
            let found = parameters.iter().find(|one| one["name"] == name);
            found.map(|one| one["value"].as_str().unwrap().to_owned())
        };
        assert_eq!(says(":key").unwrap(), "\"k\"");
        assert_eq!(says("format").unwrap(), "\"pkcs8-pem\"");
        assert_eq!(says("passphrase").unwrap(), "\"(secret)\"");
        let approve = format!("{path}/approve");
        let body = json!({"hash": shown["hash"]});
        let wrong = json!({"hash": "00".repeat(32)});
        let refused = server.ask_as(officer, "POST", &approve, Some(wrong));
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (403, "approval-refused")
        );
        let approved = server.ask_as(officer, "POST", &approve, Some(body.clone()));
        assert_eq!(approved.status, 200, "{}", approved.text());
        let twice = server.ask_as(officer, "POST", &approve, Some(body));
        assert_eq!(twice.problem(), "already-exists");
    }
    let with: &[(&str, &str)] = &[("SKMS-Approval", &id)];
    // Another passphrase is another act; so is another caller's.
    assert_eq!(export(&dora, "hunter3", with).problem(), "approval-refused");
    assert_eq!(
        export(&server.token, "hunter2", with).problem(),
        "approval-refused"
    );
    for odd in ["", "x", &[id.as_str(); 9].join(",")] {
        let answer = export(&dora, "hunter2", &[("SKMS-Approval", odd)]);
        assert_eq!(answer.problem(), "invalid-argument", "{odd}");
    }
    let twice: &[(&str, &str)] = &[("SKMS-Approval", &id), ("SKMS-Approval", &id)];
    assert_eq!(
        export(&dora, "hunter2", twice).problem(),
        "malformed-request"
    );
    let done = export(&dora, "hunter2", with);
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(export(&dora, "hunter2", with).problem(), "approval-refused");
    // A batch of operations waits as well, where it is marked.
    policy("marks", &mark("key.sign"));
    let sign = json!({"batch": [{"message": "AAAA"}, {"message": "AAAB"}]});
    let path = "/api/v1/keyrings/default/keys/k/sign";
    let answer = server.ask_as(&dora, "POST", path, Some(sign));
    assert_eq!(answer.problem(), "approval-required", "{}", answer.text());
    let shown = format!(
        "/api/v1/approvals/{}",
        answer.json()["approval"].as_str().unwrap()
    );
    let shown = server.ask_as(&officers[0], "GET", &shown, None).text();
    assert!(shown.contains("batch/1/message"), "{shown}");
}
