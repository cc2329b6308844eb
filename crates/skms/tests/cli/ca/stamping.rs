//! Time-stamps for whoever asks, as OpenSSL and curl see them, and what is not
//! stamped.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use skms_policy::ROOT_NAMESPACE;

use super::documents::certified_for;
use super::stage::Stage;

const POLICY: &str = "1.3.6.1.4.1.99999.1";
const OTHER: &str = "1.3.6.1.4.1.99999.2";
const QUERY: &str = "application/timestamp-query";

/// A stage with the authority `clock` over a key of that name, and the serial
/// number of its certificate.
fn stage(more: &[&str]) -> Option<(Stage, String)> {
    let stage = Stage::set()?;
    stage.authorities();
    stage.server.file("text", b"What I have written.\n");
    stage.server.file("other", b"What?\n");
    let serial = certified_for(&stage, "clock", "EC-P256", "time-stamping");
    let certificate = format!("issuing/{serial}");
    let policies = format!("{POLICY},{OTHER}");
    let create = ["tsa", "create", "clock", "--key", "clock", "--certificate"];
    let rest = [certificate.as_str(), "--policy", &policies];
    stage.server.run(&[&create[..], &rest, more].concat()).ok();
    Some((stage, serial))
}

fn path() -> String {
    format!("/tsa/{ROOT_NAMESPACE}/clock")
}

/// One request over plain HTTP: the head and the body of the answer.
fn send(address: &str, (method, path): (&str, &str), kind: &str, body: &[u8]) -> (String, Vec<u8>) {
    let address = address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut whole = Vec::new();
    stream.read_to_end(&mut whole).unwrap();
    let end = whole.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = whole.split_at(end.unwrap() + 4);
    (String::from_utf8_lossy(head).into_owned(), body.to_vec())
}

impl Stage {
    /// A request for the file `text`, made by OpenSSL.
    fn query(&self, more: &[&str]) -> Vec<u8> {
        let query = ["ts", "-query", "-data", "text", "-out", "query"];
        let made = self.openssl(&[&query[..], more].concat());
        assert!(made.status.success(), "{made:?}");
        std::fs::read(self.server.path("query")).unwrap()
    }

    /// Has a request answered; the answer is in the file `answer`.
    fn answer(&self, query: &[u8]) {
        let (head, body) = send(&self.url, ("POST", &path()), QUERY, query);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("application/timestamp-reply"), "{head}");
        self.server.file("answer", &body);
    }

    /// What OpenSSL reads in the answer.
    fn says(&self) -> String {
        let read = self.openssl(&["ts", "-reply", "-in", "answer", "-text"]);
        String::from_utf8_lossy(&read.stdout).into_owned()
    }

    /// Whether OpenSSL believes the answer.
    fn believes(&self, more: &[&str]) -> bool {
        let verify = ["ts", "-verify", "-in", "answer", "-CAfile", "root.pem"];
        let done = self.openssl(&[&verify[..], more].concat());
        done.status.success()
    }

    /// Panics unless a good request is refused so.
    fn refuses(&self, query: &[u8], why: &str) {
        self.answer(query);
        let said = self.says();
        assert!(said.contains("Status: Rejected."), "{said}");
        assert!(said.contains(why), "{why:?} is not in {said}");
        assert!(!self.believes(&["-data", "text"]));
    }

    /// Panics unless a good request is stamped.
    fn stamps(&self) {
        self.answer(&self.query(&["-cert"]));
        assert!(self.believes(&["-queryfile", "query"]), "{}", self.says());
    }

    /// The events about stamps, as lines of JSON.
    fn events(&self) -> Vec<String> {
        let log = self
            .server
            .run(&["--json", "log", "tail", "--lines", "500"]);
        let log = log.ok();
        let lines = log.text().lines();
        let stamps = lines.filter(|line| line.contains("\"tsa.stamp\""));
        stamps.map(str::to_owned).collect()
    }
}

#[test]
fn openssl_believes_the_stamps_that_anybody_gets() {
    let Some((stage, _)) = stage(&["--accuracy", "2", "--ordering"]) else {
        return;
    };
    let mut times = Vec::new();
    for more in [
        &["-cert"][..],
        &["-cert", "-sha512"],
        &["-cert", "-sha384", "-no_nonce"],
    ] {
        let query = stage.query(more);
        stage.answer(&query);
        assert!(stage.believes(&["-queryfile", "query"]), "{more:?}");
        assert!(stage.believes(&["-data", "text"]));
        assert!(!stage.believes(&["-data", "other"]));
        let said = stage.says();
        for part in [
            "Status: Granted.",
            "Ordering: yes",
            "Accuracy: 0x02 seconds",
            &format!("Policy OID: {POLICY}"),
        ] {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
        assert_eq!(
            said.contains("Nonce: unspecified"),
            more.contains(&"-no_nonce")
        );
        let time = said.lines().find(|line| line.starts_with("Time stamp:"));
        times.push(time.unwrap().to_owned());
    }
    times.dedup();
    assert_eq!(times.len(), 3, "{times:?}");

    // Another request's nonce is not this one's.
    stage.answer(&stage.query(&["-cert"]));
    stage.query(&["-cert"]);
    assert!(!stage.believes(&["-queryfile", "query"]));

    // The other policy, and no certificates where none are asked for.
    stage.answer(&stage.query(&["-tspolicy", OTHER]));
    assert!(stage.says().contains(&format!("Policy OID: {OTHER}")));
    assert!(!stage.believes(&["-queryfile", "query"]));
    let above = std::fs::read(stage.server.path("issuing.pem")).unwrap();
    let own = std::fs::read(stage.server.path("clock.pem")).unwrap();
    stage.server.file("both.pem", &[own, above].concat());
    assert!(stage.believes(&["-queryfile", "query", "-untrusted", "both.pem"]));

    // At the main port too.
    let query = stage.query(&["-cert"]);
    let (head, body) = send(&stage.server.address, ("POST", &path()), QUERY, &query);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    stage.server.file("answer", &body);
    assert!(stage.believes(&["-queryfile", "query"]));

    let events = stage.events();
    assert_eq!(events.len(), 6);
    for event in &events {
        for part in [
            "\"success\"",
            "127.0.0.1",
            "root/clock\"",
            "root/default/clock\"",
            "\"serial\"",
        ] {
            assert!(event.contains(part), "{part} is not in {event}");
        }
    }
}

#[test]
fn curl_gets_a_stamp() {
    let curl = Command::new("curl").arg("--version").output();
    if !curl.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: needs curl");
        return;
    }
    let Some((stage, _)) = stage(&[]) else { return };
    stage.query(&["-cert"]);
    let done = Command::new("curl")
        .args(["-sS", "--fail", "-o", "answer", "--data-binary", "@query"])
        .args(["-H", "Content-Type: application/timestamp-query"])
        .arg(format!("{}{}", stage.url, path()))
        .current_dir(stage.server.folder.path())
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(stage.believes(&["-queryfile", "query"]));
    let said = stage.says();
    for part in ["Ordering: no", "Accuracy: unspecified"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
}

#[test]
fn what_is_not_stamped_is_told_by_name_and_leaves_nothing() {
    let Some((stage, _)) = stage(&[]) else { return };
    let algorithm = "unrecognized or unsupported algorithm identifier";
    for hash in ["-sha1", "-md5", "-sha224"] {
        stage.refuses(&stage.query(&[hash]), algorithm);
    }
    let policy = stage.query(&["-tspolicy", "1.2.3"]);
    stage.refuses(&policy, "policy is not supported");
    let good = stage.query(&["-no_nonce"]);
    let mut extended = good.clone();
    extended.extend([0xa0, 10, 0x30, 8, 0x06, 2, 0x2a, 3, 0x04, 2, 0x05, 0]);
    extended[1] += 12;
    stage.refuses(&extended, "extension is not supported");
    let format = "the data submitted has the wrong format";
    stage.refuses(b"", format);
    stage.refuses(b"<html>", format);
    stage.refuses(&good[..good.len() - 1], format);
    stage.refuses(&[&good[..], &[0]].concat(), format);
    // A digest that is not as long as its hash's: SHA-256 is told to be SHA-512.
    let mut short = good.clone();
    let at = short.windows(2).position(|two| two == [4, 2]).unwrap() + 2;
    assert_eq!(short[at], 1);
    short[at] = 3;
    stage.refuses(&short, format);

    let refused = |(method, path): (&str, &str), kind: &str, body: &[u8], status: &str| {
        let (head, _) = send(&stage.url, (method, path), kind, body);
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
    };
    let nowhere = format!("/tsa/{ROOT_NAMESPACE}/nobody");
    refused(("POST", &nowhere), QUERY, &good, "404");
    refused(("POST", "/tsa/team/clock"), QUERY, &good, "404");
    refused(("POST", &format!("{}/x", path())), QUERY, &good, "404");
    refused(("GET", &path()), QUERY, b"", "405");
    refused(("POST", &path()), "application/octet-stream", &good, "415");
    refused(("POST", &path()), QUERY, &[0; 5_000], "413");
    refused(("GET", "/api/v1/health"), QUERY, b"", "404");
    assert_eq!(stage.events(), Vec::<String>::new());
    stage.stamps();
}

#[test]
fn what_is_withdrawn_stamps_nothing_from_then_on() {
    let Some((stage, serial)) = stage(&[]) else {
        return;
    };
    let server = &stage.server;
    let query = stage.query(&["-cert"]);
    let failure = "system failure";
    stage.stamps();
    server.run(&["key", "suspend", "clock"]).ok();
    stage.refuses(&query, failure);
    server.run(&["key", "resume", "clock"]).ok();
    stage.stamps();
    let revoke = ["cert", "revoke", "--ca", "issuing", &serial, "--reason"];
    server
        .run(&[&revoke[..], &["certificateHold"]].concat())
        .ok();
    stage.refuses(&query, failure);
    server
        .run(&["cert", "release", "--ca", "issuing", &serial])
        .ok();
    stage.stamps();
    server.run(&[&revoke[..], &["superseded"]].concat()).ok();
    stage.refuses(&query, failure);
    server.run(&["tsa", "delete", "clock"]).ok();
    let (head, _) = send(&stage.url, ("POST", &path()), QUERY, &query);
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    server
        .run(&["tsa", "show", "clock"])
        .fails(3, "no such time-stamping authority");
}

#[test]
fn its_key_signs_nothing_else_and_its_certificate_is_for_that_alone() {
    let Some((stage, serial)) = stage(&[]) else {
        return;
    };
    let server = &stage.server;
    let certificate = format!("issuing/{serial}");
    let stands = "a time-stamping authority stands on this key";
    server.run(&["sign", "clock", "text"]).fails(2, stands);
    let document = ["document", "sign", "clock", "text", "--certificate"];
    server
        .run(&[&document[..], &[&certificate, "--out", "x"]].concat())
        .fails(2, stands);
    server.run(&["key", "rotate", "clock"]).fails(2, "clock");
    let code = certified_for(&stage, "code", "EC-P256", "code-signing");
    let code = format!("issuing/{code}");
    let create = |name: &str, key: &str, certificate: &str, more: &[&str]| {
        let create = ["tsa", "create", name, "--key", key, "--certificate"];
        let rest = [certificate, "--policy", POLICY];
        server.run(&[&create[..], &rest, more].concat())
    };
    create("code", "code", &code, &[]).fails(2, "time-stamps alone");
    create("code", "code", &certificate, &[]).fails(2, "not one of the key");
    create("none", "none", &certificate, &[]).fails(3, "no such key");
    create("clock", "clock", &certificate, &[]).fails(4, "of that name");
    create("x", "clock", &certificate, &["--accuracy", "0"]).fails(2, "accuracy");
    create("x", "clock", &certificate, &["--per-second", "0"]).fails(2, "a second");
    create("x", "clock", &certificate, &["--policy", "x"]).fails(2, "object identifier");
    create("x", "clock", &certificate, &["--scheme", "RSA-PSS-SHA-256"]).fails(2, "do not sign so");
    create("x", "issuing", &certificate, &[]).fails(2, "not one of the key");
    // By the certificates themselves, in their order.
    let above = std::fs::read(server.path("issuing.pem")).unwrap();
    let own = std::fs::read(server.path("clock.pem")).unwrap();
    let own = String::from_utf8(own).unwrap();
    let first = own.split_inclusive("-----END CERTIFICATE-----\n").next();
    let first = first.unwrap().as_bytes();
    server.file("good.pem", &[first, &above].concat());
    server.file("bad.pem", &[first, first].concat());
    let by_chain = |file: &str| {
        let create = ["tsa", "create", "second", "--key", "clock", "--chain", file];
        server.run(&[&create[..], &["--policy", POLICY]].concat())
    };
    by_chain("good.pem").fails(2, "stands on this key already");
    server.run(&["tsa", "delete", "clock"]).ok();
    by_chain("bad.pem").fails(2, "its issuer's");
    by_chain("good.pem").ok();
    let all = server.json(&["tsa", "list"]);
    let paths: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["path"])
        .collect();
    assert_eq!(paths, [&format!("/tsa/{ROOT_NAMESPACE}/second")]);
    // What is known here of a certificate counts, however it was handed in.
    let revoke = ["cert", "revoke", "--ca", "issuing", &serial, "--reason"];
    server.run(&[&revoke[..], &["superseded"]].concat()).ok();
    by_chain("good.pem").fails(4, "of that name");
    let query = stage.query(&["-cert"]);
    let second = format!("/tsa/{ROOT_NAMESPACE}/second");
    let (_, body) = send(&stage.url, ("POST", &second), QUERY, &query);
    server.file("answer", &body);
    assert!(stage.says().contains("system failure"), "{}", stage.says());
}
