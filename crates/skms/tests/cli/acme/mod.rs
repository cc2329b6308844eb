//! ACME: a real client from nothing to a revoked certificate, and what no good
//! client would send.

mod client;
mod pebble;
mod refused;
mod script;
mod stage;

use std::process::{Command, Output};

use client::{Client, Key};
use pebble::Pebble;
use script::{Lego, lacks};
use serde_json::json;
use stage::Stage;

const PRIVATE: &str = "allow_private = true";

fn succeeds(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn lego_enrols_renews_and_revokes() {
    if lacks("lego", "--version") {
        return;
    }
    let stage = Stage::set(PRIVATE, &[]);
    // The same script against the reference server first.
    if !lacks("pebble", "-help") {
        let pebble = Pebble::start(&stage);
        let lego = Lego {
            stage: &stage,
            directory: pebble.directory.clone(),
            folder: stage.server.path("lego-of-pebble"),
            trusted: Some(pebble.trusted.clone()),
        };
        lego.enrols_and_renews();
        lego.revokes();
    }
    let lego = Lego {
        stage: &stage,
        directory: stage.directory(),
        folder: stage.server.path("lego"),
        trusted: None,
    };
    lego.enrols_and_renews();
    let certificates = stage.server.json(&["cert", "list", "--ca", "issuing"]);
    let certificates = certificates.as_array().unwrap();
    assert_eq!(certificates.len(), 3);
    assert!(certificates.iter().all(|one| one["status"] == "good"));
    lego.revokes();
    let certificates = stage.server.json(&["cert", "list", "--ca", "issuing"]);
    let revoked = certificates.as_array().unwrap().iter();
    assert_eq!(revoked.filter(|one| one["status"] == "revoked").count(), 1);

    let chain = ["-CAfile", "root.pem", "-untrusted", "issuing.pem"];
    let verified = Command::new("openssl")
        .current_dir(stage.server.folder.path())
        .arg("verify")
        .args(chain)
        .args(["-verify_hostname", "tls.example.org"])
        .arg("lego/certificates/tls.example.org.crt")
        .output()
        .unwrap();
    succeeds(&verified);
}

#[test]
fn a_wildcard_is_proved_by_dns_and_outlives_a_second_look() {
    let stage = Stage::set(PRIVATE, &[]);
    let client = Client::registered(&stage.directory());
    let (url, order) = client.order(&["*.example.org"]);
    let challenge = client.challenge(&order, "dns-01");
    let record = client.record(&challenge);
    let name = "_acme-challenge.example.org".to_owned();
    stage.texts.lock().unwrap().insert(name, record);
    let ready = client.respond(&challenge, &url);
    assert_eq!(ready["status"], "ready", "{ready}");
    let finalize = ready["finalize"].as_str().unwrap().to_owned();

    // Names other than the order's, fewer and more.
    for names in [
        &["dns:www.example.org"][..],
        &[],
        &["dns:*.example.org", "dns:example.org"],
    ] {
        let csr = Key::new().csr(names);
        let refused = client.post(&finalize, &json!({ "csr": csr }));
        assert_eq!(refused.problem(), "badCSR", "{names:?}");
    }
    let own = client.key.csr(&["dns:*.example.org"]);
    let refused = client.post(&finalize, &json!({ "csr": own }));
    assert_eq!(refused.problem(), "badCSR");
    let subject = Key::new();
    let csr = json!({"csr": subject.csr(&["dns:*.example.org"])});
    let valid = client.post(&finalize, &csr).ok().json();
    assert_eq!(valid["status"], "valid");
    assert_eq!(client.post(&finalize, &csr).problem(), "orderNotReady");

    let certificate = valid["certificate"].as_str().unwrap();
    let chain = client.get(certificate).ok();
    assert_eq!(
        chain.headers["content-type"],
        "application/pem-certificate-chain"
    );
    let text = String::from_utf8(chain.body).unwrap();
    // The root stays away.
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2);
    let stranger = Client::registered(&stage.directory());
    assert_eq!(stranger.get(certificate).status, 404);
    assert_eq!(stranger.get(&url).status, 404);
    assert_eq!(stranger.post(&finalize, &csr).status, 404);
    refused::revocation(&client, &stranger, &subject, &text);
}
