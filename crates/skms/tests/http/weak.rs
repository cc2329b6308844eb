//! Weak and known keys, over the wire.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use skms_weak::blocklist::spki_hashes;

use crate::describe::Described;

/// A key that looks like one: others are refused.
pub const DRAWN: [u8; 32] = [
    0x3b, 0x8e, 0x51, 0xd6, 0x07, 0xfa, 0x94, 0x2c, 0xc9, 0x1d, 0x70, 0xa3, 0xe8, 0x45, 0x66, 0xbf,
    0x12, 0xd9, 0x8a, 0x3f, 0x5c, 0xe1, 0x04, 0xb7, 0x6d, 0xf0, 0x29, 0x9e, 0x43, 0xca, 0x15, 0x88,
];

fn list(name: &str, hash: &str) -> Value {
    let file = spki_hashes(name, hash).unwrap().to_file();
    json!({"file": STANDARD.encode(file)})
}

/// Every route, as the description has it.
pub fn described(api: &Described<'_>) {
    // A key that is let in and stays on record, and one that is not.
    let typed = STANDARD.encode(b"correct horse battery staple!!!!");
    let mut key = json!({"name": "typed", "algorithm": "AES-256-GCM", "format": "raw",
        "key": typed});
    assert_eq!(
        api.bad("key-import", &["default"], Some(key.clone())),
        "weak-key"
    );
    key["rules"] = json!({"legacy": ["weak-material"]});
    let made = api.good("key-import", &["default"], Some(key));
    assert_eq!(
        made["key"]["rules"]["legacy"],
        json!(["weak-material"]),
        "{made}"
    );
    let begun = std::time::Instant::now();
    let found = loop {
        let page = api.good("weak-list", &[], None);
        let found = page["items"].as_array().unwrap().first().cloned();
        match found {
            Some(found) => break found,
            None => assert!(begun.elapsed().as_secs() < 60, "{page}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    assert_eq!(found["name"], "default/typed");
    assert_eq!(found["kind"], "key");
    assert_eq!(found["version"], 1);
    assert_eq!(found["detector"], "lowentropy");
    assert_eq!(found["gravity"], "weak");
    assert!(found["public_key_sha256"].is_null());

    let imported = api.good(
        "blocklist-import",
        &[],
        Some(list("known", &"ab".repeat(32))),
    );
    assert_eq!(imported["entries"], 1);
    assert_eq!(imported["hash"], "spki-sha256");
    let mut cut = spki_hashes("known", &"cd".repeat(32)).unwrap().to_file();
    cut.pop();
    let cut = json!({"file": STANDARD.encode(cut)});
    assert_eq!(
        api.bad("blocklist-import", &[], Some(cut)),
        "invalid-argument"
    );
    let all = api.good("blocklist-list", &[], None);
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    api.good("blocklist-remove", &["known"], None);
    assert_eq!(api.bad("blocklist-remove", &["known"], None), "not-found");
    let swept = api.good("weak-sweep", &[], None);
    assert_eq!(swept["running"], true);
    api.good("weak-sweep-read", &[], None);
}
