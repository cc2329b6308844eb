//! Signed documents, verified by what the server knows of its authorities.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::describe::Described;

const TEXT: &[u8] = b"What I have written, I have written.";

/// An authority on a key of its own, below another or a root.
fn authority(api: &Described<'_>, name: &str, parent: Option<&str>) -> Value {
    let key = json!({"name": name, "algorithm": "EC-P256", "uses": ["sign"]});
    api.good("key-create", &["default"], Some(key));
    let mut wanted = json!({"name": name, "key": name, "subject": format!("CN={name}")});
    match parent {
        Some(parent) => wanted["parent"] = json!(parent),
        None => wanted["path_length"] = json!(1),
    }
    api.good("authority-create", &[], Some(wanted))
}

pub fn verified(api: &Described<'_>) {
    authority(api, "paper-top", None);
    let paper = authority(api, "paper", Some("paper-top"));
    authority(api, "paper-sister", Some("paper-top"));
    authority(api, "stranger", None);
    let key = json!({"name": "author", "algorithm": "EC-P256", "uses": ["sign"]});
    api.good("key-create", &["default"], Some(key));
    let wanted = json!({"profile": "code-signing", "subject": "CN=Author",
        "key": {"keyring": "default", "key": "author"}});
    let own = api.good("certificate-issue", &["paper"], Some(wanted));
    let serial = own["certificate"]["serial"].as_str().unwrap();
    let text = STANDARD.encode(TEXT);
    let sign = |format: &str, detached: bool| {
        let new = json!({"format": format, "content": text, "detached": detached,
            "certificate": {"authority": "paper", "serial": serial}});
        let signed = api.good("sign-document", &["default", "author"], Some(new));
        signed["document"].clone()
    };
    let asked = |question: Value| api.good("document-verify", &[], Some(question));
    let refused = |question: Value| {
        let verdict = asked(question);
        assert_eq!(verdict["valid"], false, "{verdict}");
        assert_eq!(verdict["signers"], json!([]));
        assert!(verdict["content"].is_null());
        verdict["refusal"].as_str().unwrap().to_owned()
    };
    for format in ["cms", "jws", "cose"] {
        let by = |document: &Value, more: Value| {
            let mut question = json!({"format": format, "document": document});
            for (member, value) in more.as_object().unwrap() {
                question[member] = value.clone();
            }
            question
        };
        let attached = sign(format, false);
        let ours = json!({"authorities": ["paper"], "purpose": "code-signing"});
        let verdict = asked(by(&attached, ours));
        assert_eq!(verdict["valid"], true, "{verdict}");
        assert_eq!(verdict["content"], text);
        let path = verdict["signers"][0]["path"].as_array().unwrap();
        let names: Vec<_> = path.iter().map(|one| one["subject"].clone()).collect();
        assert_eq!(names, ["CN=Author", "CN=paper", "CN=paper-top"]);
        let detached = sign(format, true);
        let beside = |content: &[u8]| {
            let content = STANDARD.encode(content);
            by(
                &detached,
                json!({"authorities": ["paper"], "content": content}),
            )
        };
        let verdict = asked(beside(TEXT));
        assert_eq!(
            (&verdict["valid"], &verdict["content"]),
            (&json!(true), &Value::Null)
        );
        refused(beside(b"What?"));
        refused(by(&detached, json!({"authorities": ["paper"]})));
        refused(by(
            &attached,
            json!({"authorities": ["paper"], "purpose": "email"}),
        ));
        refused(by(&attached, json!({"authorities": ["stranger"]})));
        let sister = refused(by(&attached, json!({"authorities": ["paper-sister"]})));
        assert!(
            sister.contains("not of an authority that is trusted"),
            "{sister}"
        );
        refused(by(&json!("AAAA"), json!({"authorities": ["paper"]})));
        // By an anchor that was brought, and by everything above.
        let anchor = paper["issuers"][0]["chain"][0].as_str().unwrap();
        let anchor = STANDARD.encode(anchor);
        let beside = paper["issuers"][0]["certificate"].as_str().unwrap();
        let beside = STANDARD.encode(beside);
        let brought = json!({"anchors": [anchor], "chain": [beside]});
        assert_eq!(asked(by(&attached, brought))["valid"], true);
        let above = json!({"authorities": ["paper-top"]});
        assert_eq!(asked(by(&attached, above))["valid"], true);
        let required = json!({"anchors": [anchor], "revocation": "required"});
        refused(by(&attached, required));
        let bad = |more: Value| api.bad("document-verify", &[], Some(by(&attached, more)));
        assert_eq!(bad(json!({})), "invalid-argument");
        assert_eq!(bad(json!({"authorities": ["nobody"]})), "not-found");
        assert_eq!(bad(json!({"anchors": ["AAAA"]})), "invalid-argument");
        assert_eq!(
            bad(json!({"anchors": [anchor], "crls": ["AAAA"]})),
            "invalid-argument"
        );
        let purpose = json!({"authorities": ["paper"], "purpose": "everything"});
        assert_eq!(bad(purpose), "invalid-argument");
    }
    // With lists, and then before any list says so.
    for name in ["paper-top", "paper"] {
        api.good("authority-publish", &[name], None);
    }
    let document = sign("cose", false);
    let question = json!({"format": "cose", "document": document,
        "authorities": ["paper"], "revocation": "required"});
    assert_eq!(asked(question.clone())["valid"], true);
    let mut unasked = question.clone();
    unasked["revocation"] = json!("off");
    let hold = json!({"reason": "certificateHold"});
    api.good("certificate-revoke", &["paper", serial], Some(hold));
    assert!(refused(unasked.clone()).contains("revoked or held"));
    refused(question.clone());
    api.good("certificate-release", &["paper", serial], None);
    assert_eq!(asked(unasked.clone())["valid"], true);
    // By an authority whose key somebody else may know, nothing is proved.
    authority(api, "spoilt", None);
    let wanted = json!({"profile": "code-signing", "subject": "CN=Author",
        "key": {"keyring": "default", "key": "author"}});
    let by_spoilt = api.good("certificate-issue", &["spoilt"], Some(wanted));
    let new = json!({"format": "cose", "content": text, "certificate":
        {"authority": "spoilt", "serial": by_spoilt["certificate"]["serial"]}});
    let signed = api.good("sign-document", &["default", "author"], Some(new));
    let by_spoilt = json!({"format": "cose", "document": signed["document"],
        "authorities": ["spoilt"], "revocation": "off"});
    assert_eq!(asked(by_spoilt.clone())["valid"], true);
    let compromise = json!({"reason": "keyCompromise"});
    api.good("key-revoke", &["default", "spoilt"], Some(compromise));
    assert!(refused(by_spoilt).contains("compromised"));
    // The authority's own certificate.
    let page = api.good("certificate-list", &["paper-top"], None);
    let items = page["items"].as_array().unwrap();
    let of_paper = items
        .iter()
        .find(|one| one["subject"] == "CN=paper")
        .unwrap();
    let gone = json!({"reason": "superseded"});
    let of_paper = of_paper["serial"].as_str().unwrap();
    api.good("certificate-revoke", &["paper-top", of_paper], Some(gone));
    assert!(refused(unasked).contains("revoked or held"));
}
