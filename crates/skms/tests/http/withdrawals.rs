//! Withdrawn algorithms, as their description has them.

use serde_json::json;

use crate::describe::Described;

/// Withdraws an algorithm that no other part uses, and takes that back.
pub fn described(api: &Described<'_>) {
    let make = |name: &str, algorithm: &str| json!({"name": name, "algorithm": algorithm});
    let old = make("dusty", "A256CBC-HS512");
    api.good("key-create", &["default"], Some(old));
    let at = ["default", "dusty"];
    let one = api.good("encrypt", &at, Some(json!({"plaintext": "eA=="})));
    let order = json!({"reason": "too slow", "successor": "AES-256-GCM"});
    let mut dry = order.clone();
    dry["dry_run"] = json!(true);
    let withdrawal = ["A256CBC-HS512"];
    let shown = api.good("algorithm-withdraw", &withdrawal, Some(dry));
    assert_eq!(shown["named"], json!(["root/default/dusty"]));
    let none = api.good("algorithm-withdrawal-list", &[], None);
    assert_eq!(none["items"], json!([]));
    let mut later = order.clone();
    later["protects_until"] = json!("2099-01-01T00:00:00Z");
    let done = api.good("algorithm-withdraw", &withdrawal, Some(later));
    assert_eq!(done["keys"], 1);
    // New ones are refused at once, what is there goes on to its day.
    let new = make("dustier", "A256CBC-HS512");
    let refused = api.bad("key-create", &["default"], Some(new.clone()));
    assert_eq!(refused, "unsupported-operation");
    assert_eq!(
        api.bad("key-rotate", &at, Some(json!({}))),
        "unsupported-operation"
    );
    api.good("encrypt", &at, Some(json!({"plaintext": "eA=="})));
    api.good("algorithm-withdraw", &withdrawal, Some(order));
    let refused = api.bad("encrypt", &at, Some(json!({"plaintext": "eA=="})));
    assert_eq!(refused, "unsupported-operation");
    api.good(
        "decrypt",
        &at,
        Some(json!({"ciphertext": one["ciphertext"]})),
    );
    let listed = api.good("algorithm-withdrawal-list", &[], None);
    assert_eq!(listed["items"][0]["algorithm"], "A256CBC-HS512");
    for (algorithm, wrong) in [
        ("nonesuch", json!({"reason": "x"})),
        ("AES-128-KW", json!({"reason": ""})),
        (
            "AES-128-KW",
            json!({"reason": "x", "successor": "AES-128-KW"}),
        ),
    ] {
        let refused = api.bad("algorithm-withdraw", &[algorithm], Some(wrong));
        assert_eq!(refused, "invalid-argument");
    }
    let chained = json!({"reason": "x", "successor": "A256CBC-HS512"});
    let refused = api.bad("algorithm-withdraw", &["AES-128-GCM"], Some(chained));
    assert_eq!(refused, "unsupported-operation");
    api.good("algorithm-readmit", &withdrawal, None);
    assert_eq!(api.bad("algorithm-readmit", &withdrawal, None), "not-found");
    api.good("key-create", &["default"], Some(new));
    api.good("encrypt", &at, Some(json!({"plaintext": "eA=="})));
}
