//! Authorities: what they are held to, their keys, and who certifies them.

use super::stage::Stage;
use crate::support::Server;

#[test]
fn authorities_are_held_to_names_and_depth() {
    let Some(stage) = Stage::set() else { return };
    let server = &stage.server;
    server
        .run(&[
            "ca",
            "create",
            "top",
            "--subject",
            "CN=Top",
            "--path-length",
            "1",
        ])
        .ok();
    server
        .run(&[
            "ca",
            "create",
            "held",
            "--subject",
            "CN=Held,O=Test",
            "--parent",
            "top",
            "--permit",
            "dns:example.org",
            "--permit",
            "ip:10.0.0.0/8",
            "--exclude",
            "dns:secret.example.org",
        ])
        .ok();
    let issue = |name: &str| {
        server.run(&[
            "cert",
            "issue",
            "--ca",
            "held",
            "--key-out",
            "x.key",
            "--name",
            name,
        ])
    };
    issue("www.example.org").ok();
    issue("10.1.2.3").ok();
    for name in ["www.example.com", "a.secret.example.org", "192.0.2.1"] {
        issue(name).fails(2, "name-constraints");
    }
    // No authority fits below it.
    let below = [
        "ca",
        "create",
        "below",
        "--subject",
        "CN=Below",
        "--parent",
        "held",
    ];
    server.run(&below).fails(2, "path-length");
    server.run(&["ca", "show", "below"]).fails(3, "authority");
    server.run(&["ca", "delete", "held"]).fails(4, "not ended");
    let wrong = [
        "ca",
        "create",
        "x",
        "--subject",
        "CN=X",
        "--permit",
        "example.org",
    ];
    server.run(&wrong).fails(2, "form");
}

#[test]
fn an_authority_rolls_over_to_a_new_key() {
    let Some(stage) = Stage::set() else { return };
    stage.authorities();
    let server = &stage.server;
    let old = stage.issue("old");
    server
        .run(&["key", "rotate", "issuing"])
        .fails(2, "renew it on a new key");
    for name in ["issuing", "root"] {
        let key = format!("{name}-2");
        server
            .run(&[
                "key",
                "create",
                &key,
                "--algorithm",
                "Ed25519",
                "--use",
                "sign",
            ])
            .ok();
        let renewed = server.json(&["ca", "renew", name, "--key", &key]);
        assert_eq!(renewed["issuers"].as_array().unwrap().len(), 2);
    }
    stage.issue("new");
    let pem = |name: &str, arguments: &[&str]| {
        let text = server.text(&[&["ca", "cert", name], arguments].concat());
        format!("{text}\n")
    };
    server.file("issuing-2.pem", pem("issuing", &[]).as_bytes());
    server.file("root-2.pem", pem("root", &[]).as_bytes());
    // The old root certified the authority before it had a new key itself.
    let verify =
        |root, issuing, leaf| stage.verifies(&["-CAfile", root, "-untrusted", issuing, leaf]);
    assert!(verify("root.pem", "issuing-2.pem", "new.pem"));
    assert!(verify("root.pem", "issuing.pem", "old.pem"));
    assert!(!verify("root.pem", "issuing.pem", "new.pem"));
    // Who trusts either root finds the other through their mutual certificates.
    let issuers = &server.json(&["ca", "show", "root"])["issuers"];
    let cross = |at: usize| issuers[at]["cross"][0].as_str().unwrap().to_owned();
    let with_link = |link: String| {
        let path = pem("issuing", &[]);
        server.file("path.pem", format!("{link}{path}").as_bytes());
    };
    with_link(cross(0));
    assert!(verify("root-2.pem", "path.pem", "new.pem"));
    assert!(!verify("root-2.pem", "issuing-2.pem", "new.pem"));
    // The old issuer still says what became of its certificates.
    let revoke = [
        "cert",
        "revoke",
        "--ca",
        "issuing",
        &old,
        "--reason",
        "superseded",
    ];
    server.run(&revoke).ok();
    assert!(stage.ocsp("old.pem").contains("old.pem: revoked"));
}

#[test]
fn openssl_certifies_an_authority_of_ours() {
    let Some(stage) = Stage::set() else { return };
    let server = &stage.server;
    let create = [
        "ca",
        "create",
        "ours",
        "--subject",
        "CN=Ours,O=Test",
        "--external",
    ];
    let made = server.json(&create);
    assert_eq!(made["issuers"], serde_json::json!([]));
    let issue = [
        "cert",
        "issue",
        "--ca",
        "ours",
        "--key-out",
        "x.key",
        "--out",
        "x.pem",
        "--name",
        "a.example.org",
    ];
    server.run(&issue).fails(2, "waits for its certificate");
    let request = server.text(&["ca", "request", "ours"]);
    server.file("ours.csr", format!("{request}\n").as_bytes());
    let extensions = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
    server.file("ca.ext", extensions.as_bytes());
    server.file("leaf.ext", b"basicConstraints=critical,CA:FALSE\n");
    let made = stage.openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "theirs.key",
        "-subj",
        "/CN=Theirs",
        "-days",
        "3650",
        "-out",
        "theirs.pem",
    ]);
    assert!(made.status.success(), "{made:?}");
    let certify = |csr: &str, extensions: &str, out: &str| {
        let made = stage.openssl(&[
            "x509",
            "-req",
            "-in",
            csr,
            "-CA",
            "theirs.pem",
            "-CAkey",
            "theirs.key",
            "-CAcreateserial",
            "-days",
            "365",
            "-extfile",
            extensions,
            "-out",
            out,
        ]);
        assert!(made.status.success(), "{made:?}");
        let mut chain = std::fs::read(server.path(out)).unwrap();
        chain.extend(std::fs::read(server.path("theirs.pem")).unwrap());
        server.file(out, &chain);
    };
    let install = |file: &'static str| server.run(&["ca", "install", "ours", file]);
    certify("ours.csr", "leaf.ext", "leaf.pem");
    install("leaf.pem").fails(2, "no authority's");
    let made = stage.openssl(&[
        "req",
        "-new",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "y.key",
        "-subj",
        "/O=Test/CN=Ours",
        "-out",
        "y.csr",
    ]);
    assert!(made.status.success());
    certify("y.csr", "ca.ext", "y.pem");
    let refused = install("y.pem");
    assert!(
        refused.code == 2 && refused.said.contains("another"),
        "{}",
        refused.said
    );
    install("theirs.pem").fails(2, "another name");
    certify("ours.csr", "ca.ext", "ours.pem");
    install("ours.pem").ok();
    server.run(&issue).ok();
    assert!(stage.verifies(&["-CAfile", "theirs.pem", "-untrusted", "ours.pem", "x.pem"]));
}

#[test]
fn post_quantum_authorities_issue() {
    let server = Server::dev();
    for (name, algorithm) in [("ml", "ML-DSA-65"), ("slh", "SLH-DSA-SHA2-128f")] {
        let subject = format!("CN={name}");
        server
            .run(&[
                "ca",
                "create",
                name,
                "--algorithm",
                algorithm,
                "--subject",
                &subject,
            ])
            .ok();
        let issue = [
            "cert",
            "issue",
            "--ca",
            name,
            "--name",
            "a.example.org",
            "--new-key",
            "ML-DSA-44",
            "--key-out",
            "pq.key",
        ];
        let made = server.json(&issue);
        let again = [
            "cert",
            "export",
            "--ca",
            name,
            made["serial"].as_str().unwrap(),
        ];
        assert!(
            server
                .text(&again)
                .starts_with("-----BEGIN CERTIFICATE-----")
        );
        std::fs::remove_file(server.path("pq.key")).unwrap();
    }
}
