//! Automatic rules over HTTP: routes as described, and a verdict that shuts a
//! principal out.

use serde_json::{Value, json};

use crate::{describe::Described, house::House};

const ON_VERDICT: &str = r#"@answer("suspend") permit (principal, action == SKMS::Action::"rule.verdict", resource is SKMS::Key);"#;

/// Every route, well and badly.
pub fn described(api: &Described<'_>) {
    let key = json!({"name": "judged", "algorithm": "AES-256-GCM"});
    api.good("key-create", &["default"], Some(key));
    let rule = json!({"rule": ON_VERDICT});
    let written = api.good("rule-write", &["odd"], Some(rule));
    assert_eq!(written["rule"]["edition"], 1);
    let bad = json!({"rule": "permit (principal, action, resource);"});
    assert_eq!(
        api.bad("rule-write", &["odd"], Some(bad.clone())),
        "policy-invalid"
    );
    let tried = json!({"name": "odd", "rule": ON_VERDICT});
    assert_eq!(api.good("rule-test", &[], Some(tried))["would_touch"], 0);
    let bad = json!({"name": "odd", "rule": bad["rule"]});
    assert_eq!(api.bad("rule-test", &[], Some(bad)), "policy-invalid");
    assert_eq!(api.good("rule-read", &["odd"], None)["rule"], ON_VERDICT);
    assert_eq!(api.bad("rule-read", &["none"], None), "not-found");
    let page = api.good("rule-list", &[], None);
    assert_eq!(page["items"].as_array().unwrap().len(), 1);

    let verdict = json!({"key": "judged", "score": 10, "reason": "odd",
        "evidence": ["ab".repeat(16)], "expires_at": "2999-01-01T00:00:00Z"});
    let answered = api.good("verdict-submit", &[], Some(verdict));
    assert_eq!(answered["acts"][0]["state"], "done");
    for wrong in [
        json!({"score": 1, "reason": "x"}),
        json!({"key": "judged", "principal": "p", "score": 1, "reason": "x"}),
        json!({"key": "judged", "score": 1, "reason": "x\ny"}),
        json!({"key": "judged", "score": 1, "reason": "x", "evidence": ["x"]}),
    ] {
        assert_eq!(
            api.bad("verdict-submit", &[], Some(wrong)),
            "invalid-argument"
        );
    }
    let none = json!({"key": "none", "score": 1, "reason": "x"});
    assert_eq!(api.bad("verdict-submit", &[], Some(none)), "not-found");
    let acts = api.good("rule-act-list", &["?limit=1"], None);
    let act = acts["items"][0]["id"].as_str().unwrap();
    assert_eq!(acts["next"], Value::Null);
    assert_eq!(api.good("rule-act-undo", &[act], None)["undone_by"], "root");
    assert_eq!(api.bad("rule-act-undo", &[act], None), "invalid-argument");
    assert_eq!(api.bad("rule-act-undo", &["none"], None), "not-found");

    // With a limit of two, of which one is used up, the second waits.
    let one = ON_VERDICT.replace("@answer", "@limit(\"2 per day\") @answer");
    api.good("rule-write", &["odd"], Some(json!({"rule": one})));
    for name in ["judged", "other"] {
        if name == "other" {
            let key = json!({"name": name, "algorithm": "AES-256-GCM"});
            api.good("key-create", &["default"], Some(key));
        }
        let verdict = json!({"key": name, "score": 10, "reason": "odd"});
        api.good("verdict-submit", &[], Some(verdict));
    }
    assert_eq!(api.good("rule-read", &["odd"], None)["held"], 1);
    assert_eq!(api.good("rule-release", &["odd"], None)["done"], 1);
    assert_eq!(api.bad("rule-release", &["odd"], None), "invalid-argument");
    api.good("rule-delete", &["odd"], None);
    assert_eq!(api.bad("rule-delete", &["odd"], None), "not-found");

    let stolen = ON_VERDICT.replace("suspend", "compromise");
    let stolen = stolen.replace("@answer", "@limit(\"2 per day\") @answer");
    let written = api.good("rule-write", &["stolen"], Some(json!({"rule": stolen})));
    assert_eq!(written["rule"]["answer"], "compromise");
    assert_eq!(written["trial"]["would_reach"], 0);
    let key = json!({"name": "stolen", "algorithm": "AES-256-GCM"});
    api.good("key-create", &["default"], Some(key));
    let verdict = json!({"key": "stolen", "score": 10, "reason": "odd"});
    let answered = api.good("verdict-submit", &[], Some(verdict));
    let incident = answered["acts"][0]["incident"].as_str().unwrap();
    let begun = api.good("incident-read", &[incident], None);
    assert_eq!(
        (&begun["key"], &begun["by"]),
        (&json!("stolen"), &json!("rules"))
    );
    let act = answered["acts"][0]["id"].as_str().unwrap();
    assert_eq!(api.bad("rule-act-undo", &[act], None), "invalid-argument");
    api.good("rule-delete", &["stolen"], None);

    let why = json!({"reason": "odd"});
    api.good("principal-suspend", &["eve"], Some(why.clone()));
    assert_eq!(
        api.bad("principal-suspend", &["eve"], Some(why)),
        "already-exists"
    );
    let page = api.good("principal-suspended-list", &[], None);
    assert_eq!(page["items"][0]["name"], "eve");
    api.good("principal-resume", &["eve"], None);
    assert_eq!(api.bad("principal-resume", &["eve"], None), "not-found");
}

#[test]
fn a_verdict_cuts_off_a_connection_that_is_open() {
    let house = House::new();
    let server = house.serve();
    let rule = r#"@answer("suspend-principal") permit (principal, action == SKMS::Action::"rule.verdict", resource) when { context.score > 900 };"#;
    server.must("PUT", "/api/v1/rules/out", Some(json!({"rule": rule})));
    let made = server.must(
        "POST",
        "/api/v1/tokens",
        Some(json!({"principal": "eve", "groups": ["reader"]})),
    );
    let token = made["token"].as_str().unwrap();
    let mut open = server.connect();
    let mut status = || open.ask(token, "GET", "/api/v1/keyrings", None, &[]).status;
    assert_eq!(status(), 200);
    let verdict = |score: u16| json!({"principal": "eve", "score": score, "reason": "odd"});
    server.must("POST", "/api/v1/verdicts", Some(verdict(900)));
    assert_eq!(status(), 200);
    let answered = server.must("POST", "/api/v1/verdicts", Some(verdict(901)));
    assert_eq!(status(), 401);
    assert_eq!(
        server.ask_as(token, "GET", "/api/v1/keyrings", None).status,
        401
    );
    let act = answered["acts"][0]["id"].as_str().unwrap();
    server.must("POST", &format!("/api/v1/rule-acts/{act}/undo"), None);
    assert_eq!(
        server.ask_as(token, "GET", "/api/v1/keyrings", None).status,
        200
    );
}

#[test]
fn rules_answer_events_by_themselves() {
    let house = House::new();
    let server = house.serve();
    let key = json!({"name": "held", "algorithm": "AES-256-GCM"});
    server.must("POST", "/api/v1/keyrings/default/keys", Some(key));
    let rule = r#"@answer("revoke") @reason("keyCompromise") permit (principal, action == SKMS::Action::"rule.event", resource is SKMS::Key) when { context.outcome == "failed" && resource.state == "suspended" };"#;
    server.must("PUT", "/api/v1/rules/after", Some(json!({"rule": rule})));
    let path = "/api/v1/keyrings/default/keys/held";
    server.must("POST", &format!("{path}/suspend"), None);
    let used = server.ask(
        "POST",
        &format!("{path}/encrypt"),
        Some(json!({"plaintext": ""})),
    );
    assert_eq!(used.problem(), "wrong-state");
    for _ in 0..100 {
        let acts = server.must("GET", "/api/v1/rule-acts", None);
        if acts["items"][0]["state"] == "done" {
            let version = server.must("GET", &format!("{path}/versions/1"), None);
            assert_eq!(version["state"], "compromised");
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("no rule acted");
}
