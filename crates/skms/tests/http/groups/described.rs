//! The routes of groups, as the served description has them.

use std::thread;

use serde_json::{Value, json};

use super::named;
use crate::describe::Described;

/// Every route, as the description has it, with what it refuses.
pub fn described(api: &Described<'_>) {
    let new_key = |name: &str, algorithm: &str, exportable: bool| {
        let rules = json!({"destroy_window_seconds": 0});
        let new = json!({"name": name, "algorithm": algorithm, "exportable": exportable,
            "rules": rules});
        api.good("key-create", &["default"], Some(new));
    };
    new_key("common", "AES-256-GCM", true);
    new_key("inside", "AES-256-GCM", false);
    new_key("pair", "EC-P256", true);
    for (name, digits) in [("first", "11"), ("second", "22"), ("third", "33")] {
        let new = json!({"name": name, "fingerprint": digits.repeat(32)});
        api.good("principal-create", &[], Some(new));
    }
    let group =
        |key: &str, members: Value| Some(json!({"name": "circle", "key": key, "members": members}));
    for (key, members, problem) in [
        ("nonesuch", json!([]), "not-found"),
        ("inside", json!([]), "not-exportable"),
        ("pair", json!([]), "unsupported-operation"),
        ("common", named(&["first", "nobody"]), "invalid-argument"),
        ("common", named(&["first", "first"]), "invalid-argument"),
        (
            "common",
            json!([{"name": "first", "namespace": "team"}]),
            "invalid-argument",
        ),
        ("common", named(&["x"; 1001]), "invalid-argument"),
    ] {
        assert_eq!(
            api.bad("group-create", &[], group(key, members)),
            problem,
            "{key}"
        );
    }
    let made = api.good("group-create", &[], group("common", named(&["first"])));
    assert_eq!(made["members"], 1);
    let again = api.bad("group-create", &[], group("common", json!([])));
    assert_eq!(again, "already-exists");
    let other = json!({"name": "other", "key": "common"});
    assert_eq!(
        api.bad("group-create", &[], Some(other)),
        "unsupported-operation"
    );

    api.good("group-read", &["circle"], None);
    assert_eq!(api.bad("group-read", &["nobody"], None), "not-found");
    api.good("group-list", &[], None);
    let members = |names: &[&str]| Some(json!({"members": named(names)}));
    let at = ["circle"];
    let added = api.good("group-member-add", &at, members(&["second", "third"]));
    assert_eq!(added["members"], 3);
    for bad in [members(&["third"]), members(&["nobody"]), members(&[])] {
        assert_eq!(api.bad("group-member-add", &at, bad), "invalid-argument");
    }
    assert_eq!(
        api.bad("group-member-add", &["nobody"], members(&["first"])),
        "not-found"
    );
    let page = api.good("group-member-list", &["circle", "?limit=2"], None);
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let next = page["next"].as_str().unwrap().to_owned();
    let page = api.good(
        "group-member-list",
        &["circle", &format!("?after={next}")],
        None,
    );
    assert_eq!(
        (&page["items"][0]["name"], &page["next"]),
        (&json!("third"), &Value::Null)
    );
    assert_eq!(
        api.bad("group-member-list", &["circle", "?after=x"], None),
        "invalid-argument"
    );
    assert_eq!(
        api.bad("group-member-list", &["circle", "?limit=0"], None),
        "invalid-argument"
    );

    for bad in [
        members(&["nobody"]),
        members(&["first", "nobody"]),
        members(&[]),
    ] {
        assert_eq!(api.bad("group-member-remove", &at, bad), "invalid-argument");
    }
    let changed = api.good("group-member-remove", &at, members(&["second", "first"]));
    assert_eq!(
        (&changed["members"], &changed["latest_version"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(api.good("group-rekey", &at, None)["latest_version"], 3);

    // A key that cannot be rotated stays as it is if it is told to.
    api.good("key-suspend", &["default", "common"], None);
    let third = members(&["third"]);
    assert_eq!(api.bad("group-member-remove", &at, third), "wrong-state");
    let left = json!({"members": named(&["third"]), "rekey": false});
    let left = api.good("group-member-remove", &at, Some(left));
    assert_eq!(
        (&left["members"], &left["rekey_due"]),
        (&json!(0), &json!(true))
    );
    api.good("key-resume", &["default", "common"], None);
    assert_eq!(api.good("group-rekey", &at, None)["rekey_due"], false);

    api.good("group-holders", &at, None);
    api.good("key-holders", &["default", "common"], None);
    // What a group stands on stays.
    api.good("key-destroy", &["default", "common"], None);
    while api.good("key-read", &["default", "common"], None)["state"] != "destroyed" {
        thread::yield_now();
    }
    assert_eq!(
        api.bad("key-delete", &["default", "common"], None),
        "not-empty"
    );
    api.good("group-delete", &at, None);
    assert_eq!(api.bad("group-delete", &at, None), "not-found");
    api.good("key-delete", &["default", "common"], None);
}
