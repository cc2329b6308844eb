//! Requests that are bound to the connection they come by, and one that is too
//! long to be waited for.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::stage::{NAMES, Stage, lacks};

/// A request with this challenge password.
fn request(stage: &Stage, password: &str) -> Vec<u8> {
    let settings = format!(
        "[req]\nprompt = no\ndistinguished_name = name\nattributes = more\nreq_extensions = all\n\
         [name]\nCN = www.example.org\n[more]\nchallengePassword = {password}\n\
         [all]\nsubjectAltName = {NAMES}\n"
    );
    stage.server.file("bound.conf", settings.as_bytes());
    let new = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ];
    let req = [
        "req",
        "-new",
        "-config",
        "bound.conf",
        "-keyout",
        "bound.key",
    ];
    stage.tool("openssl", &[&req[..], &new, &["-outform", "DER"]].concat())
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A connection, and its value by RFC 9266.
fn connect(stage: &Stage) -> (Tls, String) {
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(stage.server.path("data/ca.pem")).unwrap();
    roots
        .add(CertificateDer::from_pem_slice(&pem).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    let (_, port) = stage.server.address.rsplit_once(':').unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut stream).unwrap();
    }
    let value = session
        .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""))
        .unwrap();
    (StreamOwned::new(session, stream), STANDARD.encode(value))
}

fn enrol(stage: &Stage, tls: &mut Tls, csr: &[u8]) -> String {
    let body = STANDARD.encode(csr);
    post(stage, tls, body.len(), &body)
}

/// Posts what is announced to be so long.
fn post(stage: &Stage, tls: &mut Tls, length: usize, body: &str) -> String {
    let user = STANDARD.encode(format!("device:{}", stage.device));
    write!(
        tls,
        "POST /.well-known/est/root:issuing:tls-server/simpleenroll HTTP/1.1\r\n\
         Host: localhost\r\nAuthorization: Basic {user}\r\nConnection: close\r\n\
         Content-Type: application/pkcs10\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut said = Vec::new();
    let _ = tls.read_to_end(&mut said);
    String::from_utf8(said).unwrap()
}

#[test]
fn a_challenge_password_counts_on_its_own_connection_alone() {
    if lacks("openssl", "version") {
        return;
    }
    let stage = Stage::set(&[]);
    let (mut tls, value) = connect(&stage);
    let csr = request(&stage, &value);
    let good = enrol(&stage, &mut tls, &csr);
    assert!(good.starts_with("HTTP/1.1 200 "), "{good}");
    // Sent again by somebody in between, and one that was only made up.
    let made_up = request(&stage, "swordfish");
    for refused in [csr, made_up] {
        let (mut tls, _) = connect(&stage);
        let said = enrol(&stage, &mut tls, &refused);
        assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
        assert!(said.contains("tls-exporter"), "{said}");
    }
    assert_eq!(stage.count(), 1);
}

#[test]
fn what_is_too_long_is_refused_before_it_is_there() {
    if lacks("openssl", "version") {
        return;
    }
    let stage = Stage::set(&[]);
    let (mut tls, _) = connect(&stage);
    let said = post(&stage, &mut tls, 128 * 1024 + 1, "");
    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
    let (mut tls, _) = connect(&stage);
    let longest = 128 * 1024;
    let said = post(&stage, &mut tls, longest, &"A".repeat(longest));
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
}
