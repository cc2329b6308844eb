//! `skms group`, by the certificate that `skms init` made.

use serde_json::json;

use crate::mutual::{serve, with_settings};

#[test]
fn a_group_is_made_fetched_by_and_left() {
    let server = serve();
    let run = |arguments: &[&str]| with_settings(&server, arguments);
    let make = [
        "group",
        "create",
        "orders",
        "--algorithm",
        "AES-256-GCM",
        "--member",
    ];
    run(&[&make[..], &["nobody"]].concat()).fails(2, "no principal root/nobody");
    // The key was made before.
    let made = ["group", "create", "orders", "--member", "admin"];
    assert_eq!(run(&made).ok().json()["members"], 1);
    run(&[
        "principal",
        "create",
        "other",
        "--fingerprint",
        &"ab".repeat(32),
    ])
    .ok();
    run(&["group", "add", "orders", "other"]).ok();
    run(&["group", "add", "orders", "other"]).fails(2, "a member already");
    run(&["exchange", "fetch", "orders", "-o", "orders.key"]).ok();

    let held = run(&["group", "holders", "orders"]).ok().json();
    assert_eq!(held["holders"][0]["name"], "admin");
    assert_eq!(held["missing"], json!(["root/other"]));
    let removed = run(&["group", "remove", "orders", "admin"]).ok().json();
    assert_eq!(
        (&removed["members"], &removed["latest_version"]),
        (&json!(1), &json!(2))
    );
    run(&["group", "remove", "orders", "admin"]).fails(2, "root/admin is no member");
    let held = run(&["key", "holders", "orders"]).ok().json();
    assert_eq!(
        (&held[0]["standing"], &held[0]["version"]),
        (&json!("removed"), &json!(1))
    );
    let shown = run(&["group", "show", "orders"]).ok().json();
    assert_eq!(shown["member_list"][0]["name"], "other");
    let kept = ["group", "remove", "orders", "root/other", "--no-rekey"];
    assert_eq!(run(&kept).ok().json()["rekey_due"], true);
    assert_eq!(run(&["group", "list"]).ok().json()[0]["rekey_due"], true);
    assert_eq!(
        run(&["group", "rekey", "orders"]).ok().json()["latest_version"],
        3
    );
    run(&["group", "delete", "orders"]).ok();
    run(&["group", "show", "orders"]).fails(3, "no such group");
    assert_eq!(
        run(&["key", "holders", "orders"]).ok().json()[0]["name"],
        "admin"
    );
}
