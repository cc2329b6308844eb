//! Known secrets are sent every way there is, rightly and wrongly, and then
//! hunted in everything the server wrote or said.

use std::{collections::HashMap, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    house::{House, Server},
    wire::hex,
};

const PLAINTEXT: &[u8] = b"PLANTED-plaintext-5f1c0a";
const KEY: &[u8] = b"PLANTED\xffimported\xfekey\xfd9b3e7d21aa4";
const PASSPHRASE: &str = "PLANTED-passphrase-77e0";
const TOKEN: &str = "skms_PLANTEDtokenPLANTEDtokenPLANTEDtoken";
const VALUE: &str = "PLANTED-in-the-wrong-place";

/// The spellings in which bytes could come out.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![
        secret.to_vec(),
        hex(secret).into_bytes(),
        hex(secret).to_uppercase().into_bytes(),
    ];
    // Inside a longer text base64 depends on where the secret begins; the
    // middle of each of the three alignments is enough.
    for skip in 0..3 {
        let text = STANDARD.encode(&secret[skip..]);
        all.push(text.as_bytes()[..text.len() - 4].to_vec());
    }
    all
}

/// A secret and one way it could be spelt.
type Needle<'a> = (&'a [u8], Vec<u8>);

#[track_caller]
fn hunt(place: &str, hay: &[u8], secrets: &[&[u8]]) {
    // One pass over the hay, whatever the number of needles.
    let mut by_start: HashMap<[u8; 4], Vec<Needle<'_>>> = HashMap::new();
    for secret in secrets {
        for spelt in spellings(secret) {
            let start = *spelt.first_chunk::<4>().unwrap();
            by_start.entry(start).or_default().push((secret, spelt));
        }
    }
    // Preallocated files end in zeros.
    let end = hay
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    for at in 0..end.saturating_sub(3) {
        let rest = &hay[at..];
        let Some(candidates) = rest
            .first_chunk::<4>()
            .and_then(|start| by_start.get(start))
        else {
            continue;
        };
        for (secret, spelt) in candidates {
            assert!(
                !rest.starts_with(spelt),
                "{} found in {place}",
                String::from_utf8_lossy(secret)
            );
        }
    }
}

#[test]
fn the_hunt_finds_what_is_there() {
    for spelt in spellings(b"hunted") {
        let hay = [b"xyz", &spelt[..], b"\0\0\0"].concat();
        let found = std::panic::catch_unwind(|| hunt("here", &hay, &[b"hunted"]));
        assert!(found.is_err(), "{}", String::from_utf8_lossy(&spelt));
        hunt("here", &hay[..4], &[b"hunted"]);
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Says something and keeps what is answered, unless the secret belongs there.
fn said(server: &Server, answers: &mut Vec<u8>, method: &str, path: &str, body: Value) {
    let answer = server.ask(method, path, Some(body));
    assert!(answer.status >= 400, "{path}: {}", answer.text());
    answers.extend_from_slice(&answer.body);
}

#[test]
fn no_secret_comes_out_where_it_should_not() {
    let house = House::new();
    let server = house.serve();
    let b64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let keys = "/api/v1/keyrings/default/keys";
    let name = "PLANTED-key-name";
    let at = format!("{keys}/{name}");
    let mut answers = Vec::new();

    // Rightly.
    let import = json!({"name": name, "key": b64(KEY), "format": "raw",
        "algorithm": "AES-256-GCM", "exportable": true, "owner": "PLANTED-owner",
        "tags": {"PLANTED-tag": "PLANTED-tag-value"}});
    server.must("POST", &format!("{keys}/import"), Some(import));
    let sealed = server.must(
        "POST",
        &format!("{at}/encrypt"),
        Some(json!({"plaintext": b64(PLAINTEXT)})),
    );
    let opening = json!({"ciphertext": sealed["ciphertext"]});
    let opened = server.must("POST", &format!("{at}/decrypt"), Some(opening));
    assert_eq!(opened["plaintext"], b64(PLAINTEXT));
    let export = server.must("POST", &format!("{at}/export"), None);
    assert_eq!(export["key"], b64(KEY));
    let datakey = server.must("POST", &format!("{at}/datakey"), Some(json!({})));
    let datakey = STANDARD
        .decode(datakey["plaintext"].as_str().unwrap())
        .unwrap();
    let random = server.must("POST", "/api/v1/random", None);
    let random = STANDARD.decode(random["random"].as_str().unwrap()).unwrap();
    let made = server.must(
        "POST",
        "/api/v1/tokens",
        Some(
            json!({"principal": "PLANTED-principal", "groups": ["PLANTED-group"],
            "description": "PLANTED-description"}),
        ),
    );
    let token = made["token"].as_str().unwrap().to_owned();
    let policy = "// PLANTED-policy-text\npermit (principal, action, resource);";
    server.must(
        "PUT",
        "/api/v1/policies/PLANTED-policy",
        Some(json!({"policy": policy})),
    );
    server.must(
        "POST",
        "/api/v1/seals",
        Some(json!({"kind": "passphrase", "passphrase": PASSPHRASE})),
    );
    let shamir = json!({"kind": "shamir", "threshold": 2, "shares": 2});
    let shamir = server.must("POST", "/api/v1/seals", Some(shamir));
    let share = shamir["shares"][0].as_str().unwrap().to_owned();

    // Wrongly: in the wrong member, type and place.
    let planted = b64(PLAINTEXT);
    for body in [
        json!({"plaintext": format!("{planted}!")}),
        json!({"plaintext": VALUE}),
        json!({"plaintext": [VALUE]}),
        json!({"plaintext": planted, "oaep_hash": VALUE}),
        json!({"plaintext": planted, "associated_data": {VALUE: 1}}),
        json!({"batch": [{"plaintext": VALUE}]}),
        json!(VALUE),
        json!([VALUE]),
    ] {
        said(
            &server,
            &mut answers,
            "POST",
            &format!("{at}/encrypt"),
            body,
        );
    }
    for body in [
        json!({"ciphertext": VALUE}),
        json!({"ciphertext": format!("skms:v1:{}", b64(PLAINTEXT))}),
    ] {
        said(
            &server,
            &mut answers,
            "POST",
            &format!("{at}/decrypt"),
            body,
        );
    }
    for body in [
        json!({"name": "bad", "key": b64(KEY), "format": VALUE}),
        json!({"name": "bad", "key": b64(KEY), "format": "pkcs8", "passphrase": PASSPHRASE}),
        json!({"name": "bad", "key": b64(KEY), "format": "pkcs8-pem"}),
        json!({"name": "bad", "key": b64(KEY), "format": "raw", "algorithm": "AES-128-GCM"}),
        json!({"name": "bad", "key": b64(KEY), "format": "raw", "algorithm": VALUE}),
    ] {
        said(
            &server,
            &mut answers,
            "POST",
            &format!("{keys}/import"),
            body,
        );
    }
    said(
        &server,
        &mut answers,
        "POST",
        &format!("{at}/revoke"),
        json!({"reason": VALUE}),
    );
    for secret in [TOKEN, PASSPHRASE, VALUE] {
        let answer = server.ask_as(secret, "GET", keys, None);
        assert_eq!(answer.status, 401);
        answers.extend_from_slice(&answer.body);
    }
    server.must("POST", "/api/v1/seal", None);
    for body in [
        json!({"passphrase": format!("{PASSPHRASE}x")}),
        json!({"share": format!("{share}x")}),
        json!({"share": VALUE}),
        json!({"key_file": b64(KEY)}),
        json!({"passphrase": PASSPHRASE, "share": share}),
        json!({"passphrase": {"text": PASSPHRASE}}),
    ] {
        said(&server, &mut answers, "POST", "/api/v1/unseal", body);
    }
    server.must(
        "POST",
        "/api/v1/unseal",
        Some(json!({"passphrase": PASSPHRASE})),
    );

    let secrets: Vec<&[u8]> = vec![
        PLAINTEXT,
        KEY,
        PASSPHRASE.as_bytes(),
        TOKEN.as_bytes(),
        VALUE.as_bytes(),
        &datakey,
        &random,
        token.as_bytes(),
        share.as_bytes(),
        house.root_token.as_bytes(),
        &house.key,
    ];
    hunt("problems", &answers, &secrets);
    let metrics = server.ask("GET", "/api/v1/metrics", None);
    assert_eq!(metrics.status, 200);
    hunt("the metrics", &metrics.body, &secrets);
    assert!(!metrics.text().contains("PLANTED"), "a name in the metrics");
    let events = server
        .must("GET", "/api/v1/events?limit=1000", None)
        .to_string();
    hunt("the events", events.as_bytes(), &secrets);

    // At rest even the names are unreadable.
    let mut at_rest = secrets.clone();
    let names: [&[u8]; 9] = [
        name.as_bytes(),
        b"PLANTED-owner",
        b"PLANTED-tag",
        b"PLANTED-principal",
        b"PLANTED-group",
        b"PLANTED-description",
        b"PLANTED-policy",
        b"key.encrypt",
        b"AES-256-GCM",
    ];
    at_rest.extend(names);
    // While it runs, with its write-ahead log, and after it has stopped.
    for path in files(&house.data_dir()) {
        hunt(
            &path.display().to_string(),
            &fs::read(&path).unwrap(),
            &at_rest,
        );
    }
    let (status, log) = server.stop();
    assert!(status.success());
    assert!(log.contains("\"encrypt\""), "{log}");
    hunt("the log", log.as_bytes(), &secrets);
    assert!(!log.contains("PLANTED"), "a name in the log: {log}");
    for path in files(&house.data_dir()) {
        hunt(
            &path.display().to_string(),
            &fs::read(&path).unwrap(),
            &at_rest,
        );
    }
}
