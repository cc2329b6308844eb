//! `skms exchange`, by the certificate that `skms init` made.

use crate::mutual::{serve, with_settings};
use crate::support::is_private;

#[test]
fn a_key_is_agreed_on_and_one_is_fetched() {
    let server = serve();
    let agree = ["exchange", "agree", "shared", "-o", "shared.key"];
    let agreed = with_settings(&server, &agree).ok().json();
    assert_eq!(agreed["algorithm"], "AES-256-GCM");
    assert!(agreed["key"].is_null(), "{agreed}");
    assert_eq!(std::fs::read(server.path("shared.key")).unwrap().len(), 32);
    assert!(is_private(&server.path("shared.key")));
    let shown = with_settings(&server, &["key", "show", "shared"])
        .ok()
        .json();
    assert_eq!(
        shown["key"]["state"].as_str().or(shown["state"].as_str()),
        Some("active")
    );
    let again = ["exchange", "agree", "shared", "-o", "again.key"];
    with_settings(&server, &again).fails(4, "exists already");
    assert!(!server.path("again.key").exists());
    // A key that is there is not written over, and none is agreed on for which
    // there is no room.
    let first = std::fs::read(server.path("shared.key")).unwrap();
    for file in ["shared.key", "missing/x.key"] {
        let other = ["exchange", "agree", "other", "-o", file];
        assert_ne!(with_settings(&server, &other).code, 0, "{file}");
    }
    assert_eq!(std::fs::read(server.path("shared.key")).unwrap(), first);
    with_settings(&server, &["key", "show", "other"]).fails(3, "no such key");
    let forced = ["exchange", "agree", "other", "-o", "shared.key", "--force"];
    with_settings(&server, &forced).ok();
    assert_ne!(std::fs::read(server.path("shared.key")).unwrap(), first);

    let new = [
        "key",
        "create",
        "leaves",
        "-a",
        "AES-256-GCM",
        "--exportable",
    ];
    with_settings(&server, &new).ok();
    let fetched = with_settings(&server, &["exchange", "fetch", "leaves"])
        .ok()
        .json();
    let exported = with_settings(&server, &["key", "export", "leaves"])
        .ok()
        .json();
    assert_eq!(fetched["key"], exported["key"]);
    with_settings(&server, &["exchange", "fetch", "shared"]).fails(4, "may not leave");

    let bind = ["exchange", "bind", "bound", "-o", "bound.key"];
    let bound = with_settings(&server, &bind).ok().json();
    assert_eq!(bound["name"], "bound");
    assert_eq!(std::fs::read(server.path("bound.key")).unwrap().len(), 32);
    assert!(is_private(&server.path("bound.key")));
    with_settings(&server, &bind).fails(4, "exists already");
    let again = ["exchange", "bind", "bound", "-o", "again.key"];
    with_settings(&server, &again).fails(4, "exists already");

    // Somebody has to be known by a certificate, and to know the server.
    let bad = ["exchange", "agree", "x", "--algorithm", "RSA-2048"];
    with_settings(&server, &bad).fails(2, "symmetric");
    let settings = std::fs::read_to_string(server.path("root.toml")).unwrap();
    let bare: Vec<&str> = settings
        .lines()
        .filter(|line| !line.starts_with("client_"))
        .collect();
    server.file("root.toml", bare.join("\n").as_bytes());
    with_settings(&server, &["exchange", "fetch", "leaves"]).fails(2, "client certificate");
    with_settings(&server, &["exchange", "bind", "other"]).fails(2, "client certificate");
}
