//! ACME: a real client from nothing to a revoked certificate, and what no good
//! client would send.

mod client;
mod refused;
mod stage;

use std::process::{Command, Output};

use client::{Client, Key};
use serde_json::json;
use stage::Stage;

const PRIVATE: &str = "allow_private = true";

fn lego(stage: &Stage, arguments: &[&str]) -> Output {
    let folder = stage.server.path("lego");
    let mut command = Command::new("lego");
    command
        .args(["--server", &stage.directory()])
        .args(["--email", "admin@example.org", "--accept-tos", "--path"])
        .arg(folder)
        .args(arguments);
    command.output().unwrap()
}

fn succeeds(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn lego_enrols_renews_and_revokes() {
    if !Command::new("lego")
        .arg("--version")
        .output()
        .is_ok_and(|out| out.status.success())
    {
        eprintln!("SKIPPED: needs lego");
        return;
    }
    let stage = Stage::set(PRIVATE, &[]);
    let http = format!("127.0.0.1:{}", stage.http_port);
    let by_http = ["--http", "--http.port", &http];
    let names = ["--domains", "www.example.org", "--domains", "b.example.org"];
    let whole = [&names[..], &by_http[..]].concat();
    succeeds(&lego(&stage, &[&whole[..], &["run"]].concat()));
    let tls = format!("127.0.0.1:{}", stage.tls_port);
    let by_tls = [
        "--domains",
        "tls.example.org",
        "--tls",
        "--tls.port",
        &tls,
        "run",
    ];
    succeeds(&lego(&stage, &by_tls));
    let renew = ["renew", "--days", "400", "--no-random-sleep"];
    succeeds(&lego(&stage, &[&whole[..], &renew[..]].concat()));

    let certificates = stage.server.json(&["cert", "list", "--ca", "issuing"]);
    let certificates = certificates.as_array().unwrap();
    assert_eq!(certificates.len(), 3);
    assert!(certificates.iter().all(|one| one["status"] == "good"));
    succeeds(&lego(&stage, &["--domains", "www.example.org", "revoke"]));
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
