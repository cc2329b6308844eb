//! Authorities and certificates through the command line, with OpenSSL as the
//! one who believes them or not.

mod authorities;
mod documents;
mod stage;
mod stamping;

use stage::{Stage, get};

use crate::support::is_private;

#[test]
fn openssl_believes_what_is_issued_and_what_is_revoked() {
    let Some(stage) = Stage::set() else { return };
    stage.authorities();
    let serial = stage.issue("www");
    stage.issue("other");
    let chain = ["-CAfile", "root.pem", "-untrusted", "issuing.pem"];
    let whole = [
        &chain[..],
        &[
            "-verify_hostname",
            "www.example.org",
            "-x509_strict",
            "www.pem",
        ],
    ];
    assert!(stage.verifies(&whole.concat()));
    let another = [
        &chain[..],
        &["-verify_hostname", "xyz.example.org", "www.pem"],
    ];
    assert!(!stage.verifies(&another.concat()));
    assert!(stage.ocsp("www.pem").contains("www.pem: good"));

    let server = &stage.server;
    let revoke = |reason| {
        [
            "cert", "revoke", "--ca", "issuing", &serial, "--reason", reason,
        ]
    };
    assert_eq!(server.json(&revoke("certificateHold"))["status"], "on-hold");
    assert!(stage.ocsp("www.pem").contains("certificateHold"));
    let release = ["cert", "release", "--ca", "issuing", &serial];
    assert_eq!(server.json(&release)["status"], "good");
    assert!(stage.ocsp("www.pem").contains("www.pem: good"));
    assert_eq!(server.json(&revoke("keyCompromise"))["status"], "revoked");
    assert!(stage.ocsp("www.pem").contains("keyCompromise"));
    assert!(stage.ocsp("other.pem").contains("other.pem: good"));
    server
        .run(&revoke("superseded"))
        .fails(2, "revoked already");

    // The lists follow by themselves.
    let serial_bytes: Vec<u8> = (0..serial.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&serial[at..at + 2], 16).unwrap())
        .collect();
    let names = |list: &[u8]| {
        list.windows(serial_bytes.len())
            .any(|part| part == serial_bytes)
    };
    let list = stage.published("/pki/root/issuing/1/crl/0.crl", names);
    let delta = stage.published("/pki/root/issuing/1/delta/0.crl", names);
    let above = stage.published("/pki/root/root/1/crl/0.crl", |_| true);
    let mut pem = Vec::new();
    for (name, der) in [("list", &list), ("above", &above)] {
        server.file(name, der);
        let output = stage.openssl(&["crl", "-inform", "DER", "-in", name]);
        assert!(output.status.success(), "{output:?}");
        pem.extend(output.stdout);
    }
    server.file("lists.pem", &pem);
    let checked = [&chain[..], &["-CRLfile", "lists.pem", "-crl_check_all"]].concat();
    assert!(stage.verifies(&[&checked[..], &["other.pem"]].concat()));
    assert!(!stage.verifies(&[&checked[..], &["www.pem"]].concat()));
    server.file("delta", &delta);
    let read = stage.openssl(&["crl", "-inform", "DER", "-in", "delta", "-noout", "-text"]);
    assert!(String::from_utf8_lossy(&read.stdout).contains("Delta CRL Indicator: critical"));
    // Its key is spoilt for good.
    stage.openssl(&[
        "req",
        "-new",
        "-key",
        "www.key",
        "-subj",
        "/CN=x.example.org",
        "-out",
        "again.csr",
    ]);
    let again = [
        "cert",
        "sign",
        "--ca",
        "issuing",
        "--name",
        "x.example.org",
        "again.csr",
    ];
    server.run(&again).fails(2, "compromised");
}

#[test]
fn requests_are_signed_and_bad_ones_refused() {
    let Some(stage) = Stage::set() else { return };
    stage.authorities();
    let server = &stage.server;
    let request = |subject: &str, name: &str, key: &str| {
        let extension = format!("subjectAltName={name}");
        let made = stage.openssl(&[
            "req", "-new", "-newkey", key, "-nodes", "-keyout", "new.key", "-subj", subject,
            "-addext", &extension, "-out", "new.csr",
        ]);
        assert!(made.status.success(), "{made:?}");
    };
    let sign = [
        "cert", "sign", "--ca", "issuing", "new.csr", "--out", "new.pem",
    ];
    request(
        "/CN=a.example.org",
        "DNS:a.example.org,IP:192.0.2.7",
        "rsa:2048",
    );
    let made = server.json(&sign);
    assert_eq!(
        made["certificate"]["names"],
        serde_json::json!(["dns:a.example.org", "ip:192.0.2.7"])
    );
    assert!(stage.verifies(&[
        "-CAfile",
        "root.pem",
        "-untrusted",
        "issuing.pem",
        "new.pem"
    ]));

    // Another key's signature, a weak key, names that are none.
    let csr = String::from_utf8(std::fs::read(server.path("new.csr")).unwrap()).unwrap();
    let mut der = stage
        .openssl(&["req", "-in", "new.csr", "-outform", "DER"])
        .stdout;
    let last = der.len() - 1;
    der[last] ^= 1;
    server.file("bad.der", &der);
    let bad = stage
        .openssl(&["req", "-inform", "DER", "-in", "bad.der"])
        .stdout;
    server.file("bad.csr", &bad);
    let with = |file: &'static str| ["cert", "sign", "--ca", "issuing", file];
    server
        .run(&with("bad.csr"))
        .fails(2, "certification request");
    server.file("cut.csr", &csr.as_bytes()[..csr.len() / 2]);
    server.run(&with("cut.csr")).fails(2, "PEM");
    request("/CN=a.example.org", "DNS:a.example.org", "rsa:1024");
    server.run(&sign).fails(2, "key");
    let issue = |name: &str| {
        server.run(&[
            "cert",
            "issue",
            "--ca",
            "issuing",
            "--key-out",
            "x.key",
            "--name",
            name,
        ])
    };
    for name in [
        "p\u{430}ypal.example",
        "a..example.org",
        "*.*.example.org",
        "a_b.example.org\u{7f}",
    ] {
        let refused = issue(name);
        assert_eq!(refused.code, 2, "{name}: {}", refused.said);
    }
    assert!(
        !server.path("x.key").exists(),
        "a key without a certificate was written"
    );
    issue("a.example.org").ok();
    let files = ["--key-out", "one.pem", "--out", "one.pem"];
    let one = [
        "cert",
        "issue",
        "--ca",
        "issuing",
        "--name",
        "b.example.org",
    ];
    let refused = server.run(&[&one[..], &files].concat());
    refused.fails(2, "the same file");

    // What is asked about must be a serial number, and one of this authority.
    let show = |serial: &str| server.run(&["cert", "show", "--ca", "issuing", serial]);
    show("zz").fails(2, "hexadecimal");
    show(&"7f".repeat(21)).fails(2, "hexadecimal");
    show("1234").fails(3, "certificate");
    show(made["certificate"]["serial"].as_str().unwrap()).ok();
}

#[test]
fn what_is_published_is_served_to_anyone_and_nothing_else() {
    let Some(stage) = Stage::set() else { return };
    stage.authorities();
    let address = stage.url.trim_start_matches("http://");
    let (head, body) = get(address, "/pki/root/issuing/1/ca.crt");
    assert!(head.contains("application/pkix-cert"), "{head}");
    stage.server.file("ca.crt", &body);
    let read = stage.openssl(&[
        "x509", "-inform", "DER", "-in", "ca.crt", "-noout", "-subject",
    ]);
    assert!(String::from_utf8_lossy(&read.stdout).contains("Test Issuing"));
    stage.published("/pki/root/issuing/1/crl/0.crl", |_| true);
    let (head, _) = get(address, "/pki/root/issuing/1/crl/0.crl");
    for header in [
        "application/pkix-crl",
        "max-age=",
        "last-modified:",
        "expires:",
        "etag:",
    ] {
        assert!(head.contains(header), "{header} is not in {head}");
    }
    // OCSP by GET (RFC 6960, appendix A.1), as caches like it.
    stage.issue("www");
    let asked = stage.openssl(&[
        "ocsp",
        "-issuer",
        "issuing.pem",
        "-cert",
        "www.pem",
        "-no_nonce",
        "-reqout",
        "asked",
    ]);
    assert!(asked.status.success());
    let encoded = stage.openssl(&["base64", "-A", "-in", "asked"]).stdout;
    let encoded = String::from_utf8(encoded).unwrap();
    let encoded = encoded
        .trim()
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let (head, body) = get(address, &format!("/pki/root/issuing/1/ocsp/{encoded}"));
    assert!(
        head.contains("application/ocsp-response") && head.contains("max-age="),
        "{head}"
    );
    stage.server.file("answer", &body);
    let read = stage.openssl(&[
        "ocsp",
        "-respin",
        "answer",
        "-issuer",
        "issuing.pem",
        "-cert",
        "www.pem",
        "-CAfile",
        "root.pem",
        "-verify_other",
        "issuing.pem",
        "-no_nonce",
    ]);
    assert!(
        String::from_utf8_lossy(&read.stdout).contains("www.pem: good"),
        "{read:?}"
    );
    for (path, status) in [
        ("/pki/root/issuing/2/ca.crt", "404"),
        ("/pki/root/nobody/1/ca.crt", "404"),
        ("/pki/root/issuing/1/crl/1.crl", "404"),
        ("/pki/root/issuing/1/ocsp", "405"),
        ("/pki/root/issuing/1/ocsp/%zz", "400"),
        ("/api/v1/health", "404"),
        ("/", "404"),
    ] {
        let (head, _) = get(address, path);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{path}: {head}"
        );
    }
}

#[test]
fn a_key_is_delivered_with_its_certificates_in_one_file() {
    let Some(stage) = Stage::set() else { return };
    stage.authorities();
    let server = &stage.server;
    server.file("phrase", b"a passphrase\n");
    let issue = |out: &str| {
        server.run(&[
            "cert",
            "issue",
            "--ca",
            "issuing",
            "--name",
            "www.example.org",
            "--p12-out",
            out,
            "--p12-passphrase-file",
            "phrase",
        ])
    };
    issue("www.p12").ok();
    assert!(is_private(&server.path("www.p12")));
    let read = |phrase: &str| {
        let phrase = format!("pass:{phrase}");
        stage.openssl(&["pkcs12", "-in", "www.p12", "-passin", &phrase, "-nodes"])
    };
    assert!(!read("another").status.success());
    let opened = read("a passphrase");
    let text = String::from_utf8(opened.stdout).unwrap();
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 3);
    assert_eq!(text.matches("BEGIN PRIVATE KEY").count(), 1);
    server.file("opened.pem", text.as_bytes());
    let chain = [
        "-CAfile",
        "root.pem",
        "-untrusted",
        "issuing.pem",
        "opened.pem",
    ];
    assert!(stage.verifies(&chain));
    server.file("phrase", b"\n");
    assert_ne!(issue("empty.p12").code, 0);
    assert!(!server.path("empty.p12").exists());
}

#[test]
fn a_delegate_signs_ocsp_responses_that_openssl_takes() {
    let Some(stage) = Stage::set() else { return };
    stage.authorities();
    let server = &stage.server;
    stage.issue("www");
    assert!(stage.ocsp("www.pem").contains("www.pem: good"));
    let update = |signer: &str| server.run(&["ca", "update", "issuing", "--ocsp-signer", signer]);
    update("nobody").fails(3, "key");
    server
        .run(&[
            "key",
            "create",
            "responder",
            "--algorithm",
            "EC-P256",
            "--use",
            "sign",
        ])
        .ok();
    update("responder").ok();
    server
        .run(&["ca", "update", "issuing", "--ocsp-presign"])
        .ok();
    let shown = server.run(&["--json", "ca", "show", "issuing"]).json();
    assert_eq!(shown["rules"]["ocsp_signer"], "default/responder");
    assert_eq!(shown["rules"]["ocsp_presign"], true);
    // Its certificate is among those issued.
    let delegate = || {
        let all = server
            .run(&["--json", "cert", "list", "--ca", "issuing"])
            .json();
        let items = all.as_array().unwrap().iter();
        let mut found = items.filter(|one| one["profile"] == "ocsp-signer");
        found
            .next()
            .map(|one| one["serial"].as_str().unwrap().to_owned())
    };
    let mut found = None;
    for _ in 0..100 {
        found = delegate();
        if found.is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(found.is_some(), "no certificate for the signer");
    stage.issue("new");
    assert!(stage.ocsp("new.pem").contains("new.pem: good"));
    let asked = stage.openssl(&[
        "ocsp",
        "-issuer",
        "issuing.pem",
        "-cert",
        "new.pem",
        "-url",
        &stage.responder(),
        "-CAfile",
        "root.pem",
        "-verify_other",
        "issuing.pem",
        "-resp_text",
    ]);
    let text = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert!(
        text.contains("CN=OCSP signer") || text.contains("CN = OCSP signer"),
        "{text}"
    );
}

#[test]
fn what_ends_soon_is_told_until_it_is_renewed() {
    let Some(stage) = Stage::set() else { return };
    stage.authorities();
    let server = &stage.server;
    stage.issue("www");
    let watch = |within: &str| server.run(&["--json", "ca", "watch", "--within", within]);
    assert_eq!(watch("30d").ok().json().as_array().unwrap().len(), 0);
    let brief = |name: &str, lifetime: &str| {
        server
            .run(&[
                "cert",
                "issue",
                "--ca",
                "issuing",
                "--name",
                name,
                "--lifetime",
                lifetime,
                "--key-out",
                &format!("{name}-{lifetime}.key"),
                "--out",
                &format!("{name}-{lifetime}.pem"),
            ])
            .ok();
    };
    brief("brief.example.org", "20d");
    let told = watch("30d").fails(5, "1 end by").json();
    assert_eq!(told[0]["kind"], "certificate");
    assert_eq!(told[0]["subject"], "dns:brief.example.org");
    watch("10d").ok();
    brief("brief.example.org", "60d");
    watch("30d").ok();
    // Authorities too, in the metrics as well.
    let told = watch("7300d").fails(5, "end by").json();
    let kinds = told.as_array().unwrap().iter();
    assert_eq!(kinds.filter(|one| one["kind"] == "authority").count(), 2);
    server.run(&["ca", "watch", "nobody"]).fails(3, "authority");
    server.run(&["ca", "watch", "root"]).ok();
}

#[test]
fn an_authority_issues_by_a_profile_of_its_own() {
    let Some(stage) = Stage::set() else { return };
    stage.authorities();
    let server = &stage.server;
    let put = [
        "ca",
        "profile",
        "put",
        "issuing",
        "team",
        "--base",
        "tls-server",
    ];
    let narrow = ["--domain", "team.example.org", "--max-lifetime", "30d"];
    server
        .run(&[&put[..], &["--purpose", "1.2"]].concat())
        .fails(2, "purposes");
    server.run(&[&put[..], &narrow].concat()).ok();
    let listed = server.run(&["ca", "profile", "list", "issuing"]).ok();
    assert!(
        listed.text().contains("team.example.org"),
        "{}",
        listed.text()
    );
    let issue = |name: &str, out: &str| {
        server.run(&[
            "cert",
            "issue",
            "--ca",
            "issuing",
            "--profile",
            "team",
            "--name",
            name,
            "--key-out",
            &format!("{out}.key"),
            "--out",
            &format!("{out}.pem"),
        ])
    };
    issue("www.team.example.org", "good").ok();
    issue("ip:10.0.0.1", "address").fails(2, "10.0.0.1");
    server
        .run(&["ca", "update", "issuing", "--own-profiles-only"])
        .ok();
    issue("mail.team.example.org", "more").ok();
    server
        .run(&[
            "cert",
            "issue",
            "--ca",
            "issuing",
            "--name",
            "www.example.org",
            "--key-out",
            "w.key",
        ])
        .fails(2, "issues by: team");
    assert!(stage.verifies(&[
        "-CAfile",
        "root.pem",
        "-untrusted",
        "issuing.pem",
        "good.pem"
    ]));
    issue("www.example.org", "bad").fails(2, "www.example.org");
    server
        .run(&["ca", "profile", "delete", "issuing", "team"])
        .ok();
    issue("www.team.example.org", "late").fails(2, "issues by");
}
