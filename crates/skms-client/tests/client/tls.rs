//! The client over TLS: whom it trusts, how it is known, what it speaks.

use std::sync::Arc;

use crate::support::{HEALTHY, Server, json};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use skms_client::{Client, Config, Error, Identity, Retry};
use zeroize::Zeroizing;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issue(authority: &Authority, name: &str, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.extended_key_usages = vec![purpose];
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn server_config(
    authority: &Authority,
    versions: &[&'static rustls::SupportedProtocolVersion],
    clients: bool,
) -> Arc<ServerConfig> {
    let (certificate, key) = issue(authority, "127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .unwrap();
    let builder = if clients {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap())
            .unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

fn config(server: &Server, trusted: &Authority) -> Config {
    let mut config = Config::new(format!("https://{}", server.address).parse().unwrap());
    config.ca_pem = Some(trusted.pem().into_bytes());
    config.retry = Retry::NEVER;
    config
}

const TLS13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

#[tokio::test]
async fn speaks_http2_over_post_quantum_tls_13() {
    let ours = authority("ours");
    let server = Server::start(
        Some(server_config(&ours, TLS13, false)),
        Arc::new(|_| json(HEALTHY)),
    )
    .await;
    let client = Client::new(config(&server, &ours)).unwrap();
    let (one, two) = tokio::join!(client.health(), client.health());
    assert_eq!(one.unwrap().status, "ok");
    assert_eq!(two.unwrap().status, "ok");
    let peer = client.peer().unwrap();
    assert_eq!(peer.tls_version.as_deref(), Some("TLSv1_3"));
    assert_eq!(peer.key_exchange.as_deref(), Some("X25519MLKEM768"));
    assert!(peer.http2 && server.seen().iter().all(|seen| seen.http2));
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let server = Server::start(
        Some(server_config(&theirs, TLS13, false)),
        Arc::new(|_| json(HEALTHY)),
    )
    .await;
    let error = Client::new(config(&server, &ours))
        .unwrap()
        .health()
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_server_of_another_name_is_refused() {
    let ours = authority("ours");
    let server = Server::start(
        Some(server_config(&ours, TLS13, false)),
        Arc::new(|_| json(HEALTHY)),
    )
    .await;
    let mut config = config(&server, &ours);
    config.address = format!("https://localhost:{}", server.address.port())
        .parse()
        .unwrap();
    let error = Client::new(config).unwrap().health().await.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error}");
}

#[tokio::test]
async fn tls_12_is_refused() {
    let ours = authority("ours");
    let old = server_config(&ours, &[&rustls::version::TLS12], false);
    let server = Server::start(Some(old), Arc::new(|_| json(HEALTHY))).await;
    let error = Client::new(config(&server, &ours))
        .unwrap()
        .health()
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error}");
}

#[tokio::test]
async fn a_client_certificate_opens_what_demands_one() {
    let ours = authority("ours");
    let server = Server::start(
        Some(server_config(&ours, TLS13, true)),
        Arc::new(|_| json(HEALTHY)),
    )
    .await;
    let (certificate, key) = issue(&ours, "client", ExtendedKeyUsagePurpose::ClientAuth);
    let mut known = config(&server, &ours);
    known.identity = Some(Identity {
        certificates_pem: certificate.into_bytes(),
        private_key_pem: Zeroizing::new(key.into_bytes()),
    });
    Client::new(known).unwrap().health().await.unwrap();

    let unknown = Client::new(config(&server, &ours)).unwrap();
    assert!(unknown.health().await.is_err());
}

#[test]
fn files_that_are_no_certificates_are_refused() {
    let ours = authority("ours");
    for bad in [
        "",
        "not pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let mut config = Config::new("https://localhost".parse().unwrap());
        config.ca_pem = Some(bad.as_bytes().to_vec());
        assert!(
            matches!(Client::new(config), Err(Error::Credential(_))),
            "{bad:?}"
        );
    }
    let mut config = Config::new("https://localhost".parse().unwrap());
    config.ca_pem = Some(ours.pem().into_bytes());
    config.identity = Some(Identity {
        certificates_pem: ours.pem().into_bytes(),
        private_key_pem: Zeroizing::new(b"not a key".to_vec()),
    });
    assert!(matches!(Client::new(config), Err(Error::Credential(_))));
}
