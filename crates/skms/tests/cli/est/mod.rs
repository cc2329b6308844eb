//! EST: real clients from nothing to a renewed certificate, and what no good
//! client would send.

mod bound;
mod refused;
mod stage;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stage::{NAMES, Stage, lacks};

const RENEW: &[&str] = &["--renew-by-certificate"];

#[test]
fn pki_reads_the_authorities_enrols_and_renews() {
    if lacks("pki", "--help") || lacks("openssl", "version") {
        return;
    }
    let stage = Stage::set(RENEW);
    let url = format!("{}/est/root:issuing:tls-server", stage.address());
    let server = ["--url", &url, "--cacert", "data/ca.pem", "--outform", "pem"];
    let estca = [&["--estca"], &server[..], &["--caout", "est-ca"]].concat();
    stage.tool("pki", &estca);
    let mut found: Vec<_> = std::fs::read_dir(stage.server.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("est-ca"))
        .map(|name| stage.says(&name, &["-subject"]))
        .collect();
    found.sort();
    assert_eq!(
        found,
        ["subject=CN = Test issuing\n", "subject=CN = Test top\n"]
    );

    let request = |key: &str, csr: &str| {
        let made = stage.tool("pki", &["--gen", "--type", "ecdsa", "--size", "256"]);
        stage.server.file(key, &made);
        let names = ["--san", "www.example.org", "--san", "b.example.org"];
        let req = [
            "--req",
            "--in",
            key,
            "--type",
            "priv",
            "--dn",
            "CN=www.example.org",
        ];
        stage
            .server
            .file(csr, &stage.tool("pki", &[&req[..], &names].concat()));
    };
    request("first.key", "first.csr");
    let trusted = ["--cacert", "top.pem", "--cacert", "issuing.pem"];
    let est = [&["--est"], &server[..], &trusted[..]].concat();
    let user = format!("device:{}", stage.device);
    let first = ["--in", "first.csr", "--userpass", &user];
    let first = stage.tool("pki", &[&est[..], &first].concat());
    stage.server.file("first.crt", &first);
    stage.verified("first.crt");

    request("second.key", "second.csr");
    let old = ["--cert", "first.crt", "--key", "first.key"];
    let second = [&est[..], &["--in", "second.csr"], &old].concat();
    let second = stage.tool("pki", &second);
    stage.server.file("second.crt", &second);
    stage.verified("second.crt");
    for same in [&["-subject"][..], &["-ext", "subjectAltName"]] {
        assert_eq!(
            stage.says("first.crt", same),
            stage.says("second.crt", same)
        );
    }
    for new in ["-serial", "-pubkey"] {
        assert_ne!(
            stage.says("first.crt", &[new]),
            stage.says("second.crt", &[new])
        );
    }
    let all = stage.server.json(&["cert", "list", "--ca", "issuing"]);
    let to = |at: usize| all[at]["issued_to"].as_str().unwrap().to_owned();
    let serial = all[0]["serial"].as_str().unwrap();
    assert_eq!((to(0), to(1)), ("device".into(), format!("est:{serial}")));

    let wrong = ["--in", "first.csr", "--userpass", "device:skms_wrong"];
    let refused = stage.try_tool("pki", &[&est[..], &wrong].concat());
    assert!(!refused.status.success(), "{refused:?}");
    assert_eq!(stage.count(), 2);
}

#[test]
fn authorities_and_attributes_are_read_without_a_credential() {
    if lacks("curl", "--version") || lacks("openssl", "version") {
        return;
    }
    let stage = Stage::set(&[]);
    let der = stage.curl("cacerts", &[]).der("application/pkcs7-mime");
    let all = stage.certificates(&der);
    for name in ["top", "issuing"] {
        assert!(
            all.contains(&format!("subject=CN = Test {name}\n")),
            "{all}"
        );
    }
    let head = stage.curl("cacerts", &["--head"]);
    assert_eq!(head.status, 200, "{}", head.text());

    let der = stage.curl("csrattrs", &[]).der("application/csrattrs");
    stage.server.file("attributes", &der);
    let read = ["asn1parse", "-inform", "DER", "-in", "attributes"];
    let text = String::from_utf8(stage.tool("openssl", &read)).unwrap();
    for said in ["id-ecPublicKey", "prime256v1", "X509v3 Extended Key Usage"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    stage.server.run(&["est", "disable", "issuing"]).ok();
    for operation in ["cacerts", "csrattrs"] {
        stage.curl(operation, &[]).refused(404, "");
    }
}

#[test]
fn a_key_that_is_made_here_comes_with_its_certificate() {
    if lacks("curl", "--version") || lacks("openssl", "version") {
        return;
    }
    let stage = Stage::set(&["--key-algorithm", "EC-P384"]);
    let mut csr = stage.usual("own");
    let [flag, user] = stage.device();
    // Its own key and signature say nothing here.
    *csr.last_mut().unwrap() ^= 1;
    let got = stage.post("serverkeygen", &csr, &[&flag, &user]);
    assert_eq!(got.status, 200, "{}", got.text());
    let start = "content-type: multipart/mixed; boundary=";
    let kind = got.headers.lines().find(|line| line.starts_with(start));
    let boundary = kind.unwrap().strip_prefix(start).unwrap();
    let text = got.text();
    let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
    assert_eq!((parts.len(), parts[0], parts[3]), (4, "", "--\r\n"));
    let part = |at: usize, kind: &str| {
        let (head, body) = parts[at].split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Type: {kind}\r\n")),
            "{head}"
        );
        assert!(head.contains("Content-Transfer-Encoding: base64"), "{head}");
        STANDARD.decode(body.trim_end()).unwrap()
    };
    stage.server.file("made.key", &part(1, "application/pkcs8"));
    let certificates = part(2, "application/pkcs7-mime; smime-type=certs-only");
    let certificates = stage.certificates(&certificates);
    stage.server.file("made.crt", certificates.as_bytes());
    stage.verified("made.crt");
    let public = ["pkey", "-inform", "DER", "-in", "made.key", "-pubout"];
    let public = String::from_utf8(stage.tool("openssl", &public)).unwrap();
    assert_eq!(stage.says("made.crt", &["-pubkey"]), public);
    assert!(stage.says("made.crt", &["-text"]).contains("P-384"));
    let names = stage.says("made.crt", &["-ext", "subjectAltName"]);
    assert!(names.contains(&NAMES.replace(',', ", ")), "{names}");
}

#[test]
fn a_principal_renews_by_the_same_key_or_by_the_certificate_it_shows() {
    if lacks("curl", "--version") || lacks("openssl", "version") {
        return;
    }
    let stage = Stage::set(&[]);
    stage.enrolled("own");
    let csr = stage.tool("openssl", &["req", "-in", "own.csr", "-outform", "DER"]);
    let [flag, user] = stage.device();
    let again = stage.post("simplereenroll", &csr, &[&flag, &user]);
    stage.keep("again", &again);
    for same in ["-pubkey", "-subject"] {
        assert_eq!(
            stage.says("own.crt", &[same]),
            stage.says("again.crt", &[same])
        );
    }
    let other = stage.usual("other");
    stage
        .post("simplereenroll", &other, &[&flag, &user])
        .refused(400, "there is no certificate to renew");
    let shown = [&flag, &user, "--cert", "own.crt", "--key", "own.key"];
    stage.keep("other", &stage.post("simplereenroll", &other, &shown));
    // Without the token the certificate is not enough, unless it was opened so.
    stage
        .post("simplereenroll", &other, &shown[2..])
        .refused(401, "");
    assert_eq!(stage.count(), 3);
}
