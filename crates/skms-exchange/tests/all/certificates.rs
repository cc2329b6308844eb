//! Certificates that do not do, on either side.

use coset::cbor::Value;
use skms_crypto::Algorithm;
use skms_exchange::suite::X_WING;
use skms_exchange::{Identity, Standing, Trust};
use skms_pki::certificate::KeyUsage;
use skms_pki::crl::Reason;
use skms_pki::issue::{
    Authority, List, ListEntry, Profile, ProfileKind, Request, Serial, SigningScheme,
};
use skms_pki::{Certificate, Crl, Evidence, oid};

use crate::support::{
    LABEL_1, NOW, OTHER, Opened, Party, Pki, SERVER, World, agreement, client_request, key, later,
    server_request, sha512, sign, sign1,
};

/// A party of this world's authority with a certificate of one's choice.
fn party(
    world: &World,
    profile: &Profile,
    request: impl FnOnce(&skms_crypto::OpenKey) -> Request,
) -> Party {
    let key = key(Algorithm::Ed25519);
    let own = world.pki.certify(profile, &request(&key));
    let chain = world.pki.chain(own);
    Party::new(key, chain)
}

/// What the server says of a client like this.
fn of_client(mut world: World, client: Party) -> &'static str {
    world.client = client;
    let (first, _) = world.begin(agreement(), &[X_WING]);
    world.refused(&first)
}

/// What the client says of a server like this. The server itself is content.
fn of_server(mut world: World, server: Party) -> &'static str {
    world.server = server;
    let (first, waiting) = world.begin(agreement(), &[X_WING]);
    let reply = world.respond(&first).unwrap();
    world.refusal(waiting, &reply.message)
}

fn client_profile() -> Profile {
    ProfileKind::TlsClient.profile()
}

fn server_profile() -> Profile {
    ProfileKind::TlsServer.profile()
}

#[test]
fn expired_and_not_yet_valid() {
    for (from, until, name) in [
        (-3000, -1, "certificate-expired"),
        (1, 86_400, "certificate-not-yet-valid"),
    ] {
        let timed = |mut request: Request| {
            request.not_before = Some(later(from));
            request.not_after = Some(later(until));
            request
        };
        let world = World::new();
        // The authority would not issue what is over already: so it is asked
        // at a moment when it is not.
        let early = World::at(&world, later(from));
        let client = early.timed_party(&client_profile(), |key| timed(client_request(key)));
        assert_eq!(of_client(world, client), name);
        let world = World::new();
        let early = World::at(&world, later(from));
        let server = early.timed_party(&server_profile(), |key| timed(server_request(key, SERVER)));
        assert_eq!(of_server(world, server), name);
    }
}

/// The authority of a world at another moment.
struct Early<'w> {
    pki: &'w Pki,
    now: skms_pki::Moment,
}

impl World {
    fn at(&self, now: skms_pki::Moment) -> Early<'_> {
        Early {
            pki: &self.pki,
            now: skms_pki::Moment(now.0.min(NOW.0)),
        }
    }
}

impl Early<'_> {
    fn timed_party(
        &self,
        profile: &Profile,
        request: impl FnOnce(&skms_crypto::OpenKey) -> Request,
    ) -> Party {
        let key = key(Algorithm::Ed25519);
        let serial = crate::support::serial();
        let planned = profile
            .plan(&self.pki.authority, &request(&key), serial, self.now)
            .unwrap();
        let own = planned
            .signed(&sign(&self.pki.key, planned.tbs(), planned.scheme()))
            .unwrap();
        Party::new(key, self.pki.chain(own))
    }
}

#[test]
fn for_another_purpose() {
    // A server's for a client and the other way round; code signing; any
    // purpose; none at all.
    let mut any = client_profile();
    any.usage.purposes = vec![oid::ANY_EXTENDED_KEY_USAGE.into()];
    let mut silent = client_profile();
    silent.usage.purposes = Vec::new();
    for profile in [&any, &silent] {
        let world = World::new();
        let client = party(&world, profile, client_request);
        assert_eq!(of_client(world, client), "certificate-purpose");
    }
    let world = World::new();
    let client = party(&world, &server_profile(), |key| server_request(key, SERVER));
    assert_eq!(of_client(world, client), "certificate-purpose");
    for purposes in [
        vec![oid::CLIENT_AUTH.into()],
        vec![oid::ANY_EXTENDED_KEY_USAGE.into()],
        vec![],
    ] {
        let mut profile = server_profile();
        profile.usage.purposes = purposes;
        let world = World::new();
        let server = party(&world, &profile, |key| server_request(key, SERVER));
        assert_eq!(of_server(world, server), "certificate-purpose");
    }
}

/// A key that may agree on keys and not sign: our own side would not even begin.
#[test]
fn with_a_key_that_may_not_sign() {
    let world = World::new();
    let (first, _) = world.begin(agreement(), &[X_WING]);
    let key = key(Algorithm::EcP256);
    let mut profile = client_profile();
    profile.usage.key_usage = KeyUsage::KEY_AGREEMENT;
    let own = world.pki.certify(&profile, &client_request(&key));
    let chain = world.pki.chain(own);
    let scheme = Identity::scheme_for(Algorithm::EcP256).unwrap();
    assert!(Identity::new(chain.clone(), scheme).is_err());
    let mut opened = Opened::of(&first);
    *opened.field(4) = Value::Bytes(sha512(&chain[0]));
    let message = sign1(&key, -7, &chain, LABEL_1, &opened.payload());
    assert_eq!(world.refused(&message), "certificate-purpose");
}

#[test]
fn by_somebody_else_or_by_itself() {
    let world = World::new();
    let stranger = Pki::new();
    assert_eq!(
        of_client(world, stranger.client(Algorithm::Ed25519)),
        "certificate-untrusted"
    );
    let world = World::new();
    let server = stranger.server(Algorithm::Ed25519, SERVER);
    assert_eq!(of_server(world, server), "certificate-untrusted");

    // Signed with their own keys, purposes and names as they should be.
    let itself = |server: bool| {
        let key = key(Algorithm::EcP256);
        let mut profile = ProfileKind::Root.profile();
        let purpose = if server {
            oid::SERVER_AUTH
        } else {
            oid::CLIENT_AUTH
        };
        profile.usage.purposes = vec![purpose.into()];
        profile.names.forms = server_profile().names.forms;
        let mut request = server_request(&key, SERVER);
        if !server {
            request.names.clear();
        }
        let scheme = SigningScheme::for_key(Algorithm::EcP256).unwrap();
        let maker = Authority::root(&request, scheme).unwrap();
        let planned = profile
            .plan(&maker, &request, crate::support::serial(), NOW)
            .unwrap();
        let own = planned.signed(&sign(&key, planned.tbs(), scheme)).unwrap();
        Party::new(key, vec![own])
    };
    assert_eq!(
        of_client(World::new(), itself(false)),
        "certificate-untrusted"
    );
    assert_eq!(
        of_server(World::new(), itself(true)),
        "certificate-untrusted"
    );
}

#[test]
fn of_another_server() {
    let world = World::new();
    let server = world.pki.server(Algorithm::Ed25519, OTHER);
    assert_eq!(of_server(world, server), "certificate-name");
}

#[test]
fn revoked_on_hold_or_unknown_by_word() {
    for (standing, name) in [
        (Standing::Revoked, "certificate-revoked"),
        (Standing::OnHold, "certificate-on-hold"),
        (Standing::Unknown, "revocation-unknown"),
    ] {
        let mut world = World::new();
        let (first, waiting) = world.begin(agreement(), &[X_WING]);
        let reply = world.respond(&first).unwrap();
        world.standing = standing;
        assert_eq!(world.refusal(waiting, &reply.message), name);
        let (first, _) = world.begin(agreement(), &[X_WING]);
        assert_eq!(world.refused(&first), name);
    }
}

/// A list of the intermediate with these entries, and an empty one of the root.
fn list(pki: &Pki, entries: &[ListEntry]) -> Vec<u8> {
    let list = List::complete(7, NOW, later(86_400));
    let planned = list.plan(&pki.authority, entries.iter().copied()).unwrap();
    let signature = sign(&pki.key, planned.tbs(), planned.scheme());
    planned.signed(&signature).unwrap()
}

#[test]
fn revoked_on_hold_or_unknown_by_lists() {
    let world = World::new();
    let (first, _) = world.begin(agreement(), &[X_WING]);
    let own = Certificate::from_der(&world.client.chain[0]).unwrap();
    let entry = |reason| ListEntry {
        serial: Serial::from_contents(own.serial()).unwrap(),
        date: NOW,
        reason: Some(reason),
        invalidity: None,
    };
    // The intermediate is the anchor here, so that its list is all there is.
    let anchors = [Certificate::from_der(&world.pki.authority.chain[0]).unwrap()];
    let judged = |lists: &[Vec<u8>]| {
        let crls: Vec<Crl<'_>> = lists
            .iter()
            .map(|der| Crl::from_der(der).unwrap())
            .collect();
        let trust = Trust::new(Evidence {
            anchors: &anchors,
            crls: &crls,
            ..Evidence::default()
        });
        let own = &world.server.identity;
        match world.responder.receive(&first, own, &trust, NOW) {
            Ok(_) => "accepted",
            Err(error) => error.name(),
        }
    };
    assert_eq!(judged(&[]), "revocation-unknown");
    assert_eq!(judged(&[list(&world.pki, &[])]), "accepted");
    let revoked = list(&world.pki, &[entry(Reason::KeyCompromise)]);
    assert_eq!(judged(&[revoked]), "certificate-revoked");
    let held = list(&world.pki, &[entry(Reason::CertificateHold)]);
    assert_eq!(judged(&[held]), "certificate-on-hold");
}

#[test]
fn identities_that_the_protocol_has_not() {
    let world = World::new();
    let own = |algorithm| world.pki.client(algorithm).chain;
    let pkcs1 = SigningScheme::for_key(Algorithm::Rsa2048).unwrap();
    assert!(Identity::new(own(Algorithm::Rsa2048), pkcs1).is_err());
    let slow = Algorithm::SlhDsaSha2_128f;
    assert!(Identity::scheme_for(slow).is_none());
    assert!(Identity::scheme_for(Algorithm::X25519).is_none());
    let scheme = Identity::scheme_for(Algorithm::Ed25519).unwrap();
    assert!(Identity::new(Vec::new(), scheme).is_err());
    let chain = vec![own(Algorithm::Ed25519)[0].clone(); 9];
    assert!(Identity::new(chain, scheme).is_err());
    assert!(Identity::new(vec![vec![0x30, 0]], scheme).is_err());
}
