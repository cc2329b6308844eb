//! A client with its key in a file.

use skms_crypto::{Algorithm, Format, KeyMaterial, rand};
use skms_exchange::{Intent, LocalIdentity, ServerName};
use skms_pki::issue::ProfileKind;
use skms_pki::pem;

use crate::support::{NOW, SERVER, World, agreement, client_request};

fn chain_pem(chain: &[Vec<u8>]) -> String {
    let blocks = chain
        .iter()
        .map(|der| pem::encode("CERTIFICATE", der).unwrap());
    blocks.collect()
}

#[test]
fn asks_by_itself() {
    let world = World::new();
    for algorithm in [
        Algorithm::Ed25519,
        Algorithm::EcP384,
        Algorithm::Rsa2048,
        Algorithm::MlDsa65,
    ] {
        let material = KeyMaterial::generate(algorithm).unwrap();
        let open = skms_crypto::OpenKey::open(&material).unwrap();
        let profile = ProfileKind::TlsClient.profile();
        let own = world.pki.certify(&profile, &client_request(&open));
        let chain = chain_pem(&world.pki.chain(own));
        let file = material
            .export(Format::Pkcs8Pem, Some(b"passphrase"))
            .unwrap();
        let read = |passphrase| LocalIdentity::from_pem(&chain, file.expose(), passphrase);
        let client = read(Some(b"passphrase")).unwrap();
        let intent = Intent::new(ServerName::host(SERVER).unwrap(), agreement());
        let (first, waiting) = client.ask(intent, NOW, &mut rand::fill).unwrap();
        let reply = world.respond(&first).unwrap();
        world.receive(waiting, &reply.message).unwrap();
        assert_eq!(read(Some(b"wrong")).unwrap_err().name(), "input");
        assert_eq!(read(None).unwrap_err().name(), "input");
        assert!(!format!("{client:?}").contains("key:"));
    }
}

#[test]
fn another_key_is_refused_before_anything_is_sent() {
    let world = World::new();
    let chain = || world.client.chain.clone();
    let other = KeyMaterial::generate(Algorithm::Ed25519).unwrap();
    let refused = LocalIdentity::new(chain(), &other).unwrap_err();
    assert_eq!(refused.to_string(), "the key is not the certificate's");
    for algorithm in [Algorithm::X25519, Algorithm::MlKem768, Algorithm::Aes256Gcm] {
        let other = KeyMaterial::generate(algorithm).unwrap();
        assert!(LocalIdentity::new(chain(), &other).is_err());
    }
    assert!(LocalIdentity::from_pem("nothing", b"nothing", None).is_err());
}
