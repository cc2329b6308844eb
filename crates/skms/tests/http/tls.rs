//! The transport: TLS 1.3, post-quantum first, client certificates, HTTP/2.

use std::{fs, sync::Arc};

use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, NamedGroup, ProtocolVersion, RootCertStore};
use serde_json::json;
use tokio_rustls::TlsConnector;

use crate::{
    house::{House, Server},
    wire::{Connection, Identity},
};

fn identity(name: &str) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    Identity {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

fn roots(house: &House) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let pem = fs::read(house.data_dir().join("ca.pem")).unwrap();
    roots
        .add(CertificateDer::from_pem_slice(&pem).unwrap())
        .unwrap();
    roots
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn tls_1_3_with_hybrid_key_exchange_and_http_2() {
    let house = House::new();
    let server = house.serve();
    let mut config = ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(roots(&house))
    .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let token = server.token.clone();
    runtime().block_on(async {
        let tcp = tokio::net::TcpStream::connect(server.address)
            .await
            .unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
            .unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        let group = session.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(group, NamedGroup::X25519MLKEM768);
        assert_eq!(session.alpn_protocol(), Some(&b"h2"[..]));
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        let ask = |path: &'static str| {
            let mut sender = sender.clone();
            let request = http::Request::builder()
                .method("POST")
                .uri(format!("https://localhost{path}"))
                .header("Authorization", format!("Bearer {token}"))
                .header("Content-Type", "application/json")
                .body(Full::<hyper::body::Bytes>::from("{}"))
                .unwrap();
            async move {
                let answer = sender.send_request(request).await.unwrap();
                let status = answer.status().as_u16();
                (
                    status,
                    answer.into_body().collect().await.unwrap().to_bytes(),
                )
            }
        };
        let (one, two) = tokio::join!(ask("/api/v1/random"), ask("/api/v1/random"));
        assert_eq!((one.0, two.0), (200, 200));
        assert_ne!(one.1, two.1);
        assert_eq!(ask("/api/v1/nonesuch").await.0, 404);
    });
}

#[test]
fn tls_1_2_and_plain_http_are_not_spoken() {
    let house = House::new();
    let server = house.serve();
    let config = ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_protocol_versions(&[&rustls::version::TLS12])
    .unwrap()
    .with_root_certificates(roots(&house))
    .with_no_client_auth();
    assert!(Connection::open(server.address, Some(&Arc::new(config))).is_err());
    let mut plain = Connection::open(server.address, None).unwrap();
    plain
        .write(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let said = plain.until_closed();
    assert!(
        !said.starts_with(b"HTTP/"),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

#[test]
fn a_registered_certificate_is_an_identity() {
    let house = House::new();
    let mut server = house.serve();
    let (known, stranger) = (identity("known"), identity("stranger"));
    server.must(
        "POST",
        "/api/v1/principals",
        Some(
            json!({"name": "machine", "certificate": known.certificate, "groups": ["crypto-user"]}),
        ),
    );
    server.must(
        "POST",
        "/api/v1/keyrings/default/keys",
        Some(json!({"name": "k", "algorithm": "AES-256-GCM"})),
    );
    let authority = house.data_dir().join("ca.pem");
    let encrypt = "/api/v1/keyrings/default/keys/k/encrypt";
    let body = || Some(json!({"plaintext": "AA=="}));

    server.trust_as(&authority, &stranger);
    assert_eq!(server.ask_as("", "POST", encrypt, body()).status, 401);
    server.trust_as(&authority, &known);
    assert_eq!(server.ask_as("", "POST", encrypt, body()).status, 200);
    let own = server.ask_as("", "GET", "/api/v1/tokens/self", None).json();
    assert_eq!(
        (&own["principal"], &own["authentication"]),
        (&json!("machine"), &json!("certificate"))
    );
    let create = json!({"name": "no", "algorithm": "AES-256-GCM"});
    let refused = server.ask_as("", "POST", "/api/v1/keyrings/default/keys", Some(create));
    assert!(matches!(refused.status, 403 | 404), "{}", refused.text());
    // A wrong token is not made good by the certificate beside it.
    assert_eq!(server.ask_as("x", "POST", encrypt, body()).status, 401);
    // Its own connection is cut off with the registration.
    let mut open = server.connect();
    assert_eq!(
        open.ask("", "POST", encrypt, body().as_ref(), &[]).status,
        200
    );
    server.must("DELETE", "/api/v1/principals/machine", None);
    assert_eq!(
        open.ask("", "POST", encrypt, body().as_ref(), &[]).status,
        401
    );

    // The certificate of one with the key of another proves nothing.
    let forged = Identity {
        certificate: known.certificate.clone(),
        key: stranger.key.clone(),
    };
    let config = std::panic::catch_unwind(|| crate::wire::client_config(&authority, Some(&forged)));
    if let Ok(config) = config {
        assert!(Connection::open(server.address, Some(&config)).is_err());
    }
}

/// Whether a connection with this certificate gets an answer at all. In
/// TLS 1.3 a client learns of its rejection only when it goes on.
fn is_let_through(server: &Server) -> bool {
    let Ok(mut connection) = Connection::open(server.address, server.tls.as_ref()) else {
        return false;
    };
    connection
        .send("GET", "/api/v1/health", None, &[])
        .is_ok_and(|answer| answer.status == 200)
}

#[test]
fn certificates_out_of_date_are_turned_away() {
    let house = House::new();
    let mut server = house.serve();
    let authority = house.data_dir().join("ca.pem");
    for (from, to, expected) in [(2020, 2021, false), (2090, 2091, false), (2020, 2091, true)] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        let identity = Identity {
            certificate: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        };
        server.trust_as(&authority, &identity);
        assert_eq!(is_let_through(&server), expected, "{from} to {to}");
    }
}

#[test]
fn client_authorities_keep_strangers_out_and_let_nobody_in_by_themselves() {
    let house = House::new();
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_file = house.path("clients.pem");
    fs::write(&ca_file, ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["machine".to_owned()]).unwrap();
    let ours = Identity {
        certificate: params.signed_by(&key, &issuer).unwrap().pem(),
        key: key.serialize_pem(),
    };
    let mut server = house.serve_with(&["--client-ca", &ca_file.display().to_string()]);
    let authority = house.data_dir().join("ca.pem");
    assert!(is_let_through(&server));
    server.trust_as(&authority, &identity("stranger"));
    assert!(!is_let_through(&server));
    server.trust_as(&authority, &ours);
    assert!(is_let_through(&server));
    let own = "/api/v1/tokens/self";
    assert_eq!(server.ask_as("", "GET", own, None).status, 401);
    let new = json!({"name": "machine", "certificate": ours.certificate});
    server.must("POST", "/api/v1/principals", Some(new));
    assert_eq!(server.ask_as("", "GET", own, None).status, 200);
}

#[test]
fn certificates_are_reloaded_on_a_hangup() {
    let house = House::new();
    let key = KeyPair::generate().unwrap();
    let (certificate, key_path) = (house.path("server.pem"), house.path("server.key"));
    let write = |key: &KeyPair| {
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        fs::write(&certificate, params.self_signed(key).unwrap().pem()).unwrap();
        fs::write(&key_path, key.serialize_pem()).unwrap();
    };
    write(&key);
    let mut arguments = house.arguments();
    for (flag, path) in [
        ("--tls-certificate", &certificate),
        ("--tls-key", &key_path),
    ] {
        arguments.extend([flag.to_owned(), path.display().to_string()]);
    }
    let mut server = Server::start(&arguments).unwrap();
    server.trust(&certificate);
    assert_eq!(server.ask_as("", "GET", "/api/v1/health", None).status, 200);
    let old = server.tls.clone();

    let reloads = |server: &Server, word: &str| {
        let before = server.log().matches(word).count();
        server.signal("HUP");
        while server.log().matches(word).count() == before {
            std::thread::yield_now();
        }
    };
    // A bad pair is refused, and the good one stays in use.
    fs::write(&key_path, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    reloads(&server, "was not reloaded");
    assert_eq!(server.ask_as("", "GET", "/api/v1/health", None).status, 200);

    write(&KeyPair::generate().unwrap());
    reloads(&server, "certificate reloaded");
    assert!(Connection::open(server.address, old.as_ref()).is_err());
    server.trust(&certificate);
    assert_eq!(server.ask_as("", "GET", "/api/v1/health", None).status, 200);
}
