//! Documents signed with keys that stay in the server, as OpenSSL and our own
//! command see them.

use super::stage::Stage;

const TEXT: &[u8] = b"What I have written, I have written.\n";

/// A key of this algorithm with a certificate; gives the serial number.
fn certified(stage: &Stage, name: &str, algorithm: &str) -> String {
    certified_for(stage, name, algorithm, "code-signing")
}

pub fn certified_for(stage: &Stage, name: &str, algorithm: &str, profile: &str) -> String {
    let server = &stage.server;
    let create = [
        "key",
        "create",
        name,
        "--algorithm",
        algorithm,
        "--use",
        "sign",
    ];
    server.run(&create).ok();
    let made = server.json(&[
        "cert",
        "issue",
        "--ca",
        "issuing",
        "--profile",
        profile,
        "--subject",
        "CN=Releases",
        "--key",
        name,
        "--out",
        &format!("{name}.pem"),
    ]);
    made["certificate"]["serial"].as_str().unwrap().to_owned()
}

#[test]
fn openssl_and_we_believe_what_is_signed() {
    let Some(stage) = Stage::set() else { return };
    stage.authorities();
    let server = &stage.server;
    server.file("text", TEXT);
    server.file("other", b"What?\n");
    server
        .run(&["ca", "create", "stranger", "--subject", "CN=Stranger"])
        .ok();
    let stranger = server.text(&["ca", "cert", "stranger"]);
    server.file("stranger.pem", format!("{stranger}\n").as_bytes());
    for (name, algorithm) in [("curve", "EC-P256"), ("ring", "RSA-3072")] {
        let certificate = format!("issuing/{}", certified(&stage, name, algorithm));
        let sign = |more: &[&str]| {
            let sign = ["document", "sign", name, "text", "--certificate"];
            server.run(&[&sign[..], &[&certificate, "--out", "signed"], more].concat())
        };
        let believed = |more: &[&str]| {
            let verify = [
                "cms", "-verify", "-binary", "-inform", "DER", "-in", "signed", "-purpose", "any",
                "-CAfile", "root.pem", "-out", "out",
            ];
            let output = stage.openssl(&[&verify[..], more].concat());
            output.status.success()
        };
        let verify = |file: &str, more: &[&str]| {
            let verify = ["document", "verify", file, "--anchor", "root.pem"];
            server.run(&[&verify[..], more].concat())
        };
        let beside = ["--signature", "signed", "--for", "code-signing"];
        for more in [&["--detached"][..], &["--detached", "--prehash", "SHA-256"]] {
            sign(more).ok();
            assert!(believed(&["-content", "text"]));
            assert!(!believed(&["-content", "other"]));
            verify("text", &beside).ok();
            verify("other", &beside).fails(5, "not the one that was signed");
        }
        verify("text", &["--signature", "signed", "--for", "email"]).fails(5, "extended-key-usage");
        verify("text", &["--signature", "text"]).fails(5, "malformed");
        sign(&["--detached", "--prehash", "SHA-512"]).fails(2, "SHA-256");
        sign(&["--prehash", "SHA-256"]).fails(2, "--detached");
        sign(&[]).ok();
        assert!(believed(&[]));
        verify("signed", &["--out", "back"]).ok();
        assert_eq!(std::fs::read(server.path("back")).unwrap(), TEXT);
        verify("signed", &["--signature", "signed"]).fails(5, "in the document and beside it");
        sign(&["--format", "jws"]).ok();
        let jws = ["--format", "jws"];
        let signed = std::fs::read_to_string(server.path("signed")).unwrap();
        assert_eq!(signed.split('.').count(), 3);
        verify("signed", &[&jws[..], &["--out", "back"]].concat()).ok();
        assert_eq!(std::fs::read(server.path("back")).unwrap(), TEXT);
        let beside = [&jws[..], &["--signature", "signed"]].concat();
        sign(&["--format", "jws", "--detached"]).ok();
        verify("text", &beside).ok();
        verify("other", &beside).fails(5, "does not hold");
        let cose = ["--format", "cose"];
        sign(&cose).ok();
        assert_eq!(
            std::fs::read(server.path("signed")).unwrap()[..2],
            [0xd2, 0x84]
        );
        verify("signed", &[&cose[..], &["--out", "back"]].concat()).ok();
        assert_eq!(std::fs::read(server.path("back")).unwrap(), TEXT);
        server
            .run(&[
                "document",
                "verify",
                "signed",
                "--format",
                "cose",
                "--anchor",
                "stranger.pem",
            ])
            .fails(5, "not valid");
        let beside = [&cose[..], &["--signature", "signed"]].concat();
        verify("text", &beside).fails(5, "in the document and beside it");
        sign(&["--format", "cose", "--detached"]).ok();
        verify("text", &beside).ok();
        verify("other", &beside).fails(5, "does not hold");
        verify("signed", &cose).fails(5, "not in the document");
        verify("text", &cose).fails(5, "malformed");
        let prehash = ["--format", "cose", "--detached", "--prehash", "SHA-256"];
        sign(&prehash).fails(2, "not a digest");
        sign(&[]).ok();
        // Somebody else's root.
        server
            .run(&["document", "verify", "signed", "--anchor", "stranger.pem"])
            .fails(5, "not valid");
    }
}

#[test]
fn only_the_certificate_of_a_key_that_may_sign_goes_with_it() {
    let Some(stage) = Stage::set() else { return };
    stage.authorities();
    let server = &stage.server;
    server.file("text", TEXT);
    let one = format!("issuing/{}", certified(&stage, "one", "EC-P256"));
    let serial = certified(&stage, "two", "EC-P256");
    let two = format!("issuing/{serial}");
    let sign = |key: &str, more: &[&str]| {
        server.run(&[&["document", "sign", key, "text", "--out", "signed"], more].concat())
    };
    sign("one", &["--certificate", &two]).fails(2, "not one of version 1");
    sign("one", &["--chain", "two.pem"]).fails(2, "not one of version 1");
    sign("one", &["--chain", "one.pem"]).ok();
    sign("one", &["--certificate", "issuing"]).fails(2, "AUTHORITY/SERIAL");
    sign("one", &["--certificate", "issuing/77"]).fails(3, "certificate");
    sign("none", &["--certificate", &one]).fails(3, "key");
    server.run(&["key", "suspend", "one"]).ok();
    sign("one", &["--certificate", &one]).fails(4, "suspended");
    sign("two", &["--certificate", &two]).ok();
    // A list that knows of the revocation.
    server
        .run(&[
            "cert",
            "revoke",
            "--ca",
            "issuing",
            &serial,
            "--reason",
            "superseded",
        ])
        .ok();
    sign("two", &["--certificate", &two]).fails(2, "revoked");
    // What was done is in the log, once for each use of a key.
    let log = server
        .run(&["--json", "log", "tail", "--lines", "200"])
        .ok();
    let signed = log
        .text()
        .lines()
        .filter(|line| line.contains("\"key.sign\"") && line.contains("\"success\""))
        .count();
    assert_eq!(signed, 2, "{}", log.text());
}

#[test]
fn openssl_and_we_believe_what_is_stamped() {
    let Some(stage) = Stage::set() else { return };
    stage.authorities();
    let server = &stage.server;
    server.file("text", TEXT);
    server.file("other", b"What?\n");
    let clock = certified_for(&stage, "clock", "EC-P256", "time-stamping");
    let clock = format!("issuing/{clock}");
    let code = format!("issuing/{}", certified(&stage, "code", "EC-P256"));
    let create = |what: &str, key: &str, certificate: &str, more: &[&str]| {
        let create = [
            "timestamp",
            "create",
            what,
            "--key",
            key,
            "--certificate",
            certificate,
            "--policy",
            "1.2.3.4",
            "--out",
            "stamp",
        ];
        server.run(&[&create[..], more].concat())
    };
    let verify = |file: &str, more: &[&str]| {
        let verify = ["timestamp", "verify", file, "--token", "stamp"];
        server.run(&[&verify[..], &["--anchor", "root.pem"], more].concat())
    };
    let believed = |more: &[&str]| {
        let verify = ["ts", "-verify", "-in", "stamp", "-CAfile", "root.pem"];
        stage
            .openssl(&[&verify[..], more].concat())
            .status
            .success()
    };
    for hash in ["SHA-256", "SHA-512"] {
        create("text", "clock", &clock, &["--hash", hash]).ok();
        assert!(believed(&["-data", "text"]));
        assert!(!believed(&["-data", "other"]));
        verify("text", &[]).ok();
        verify("other", &[]).fails(5, "not the one that was signed");
    }
    // A request of OpenSSL's, with a nonce.
    let ask = |file: &str, policy: &str| {
        let query = ["ts", "-query", "-data", "text", "-cert", "-out", file];
        let output = stage.openssl(&[&query[..], &["-tspolicy", policy, "-sha256"]].concat());
        assert!(output.status.success());
    };
    ask("query", "1.2.3.4");
    ask("again", "1.2.3.4");
    ask("foreign", "1.2.3.5");
    create("query", "clock", &clock, &["--query"]).ok();
    assert!(believed(&["-queryfile", "query"]));
    verify("text", &["--query", "query"]).ok();
    verify("text", &["--query", "again"]).fails(5, "nonce");
    create("foreign", "clock", &clock, &["--query"]).fails(2, "policy");
    create("text", "clock", &clock, &["--query"]).fails(2, "malformed");
    create("text", "code", &code, &[]).fails(2, "time-stamps");
    create("text", "clock", &clock, &["--hash", "SHA3-256"]).fails(2, "SHA-256");
}
