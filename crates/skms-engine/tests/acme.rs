//! ACME under time and policies: orders end, and a policy that forbids is
//! heard.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::House;
use skms_crypto::options::EcdsaEncoding;
use skms_crypto::{Algorithm, KeyMaterial, Message, OpenKey, SignOptions};
use skms_engine::Error;
use skms_engine::acts::acme::{Entrant, NewAccount, Opening, OrderView, Refusal, Signed, SignedBy};
use skms_engine::acts::authorities::{
    Extent, Foundation, NamedProfile, NewAuthority, Rules, end_entities,
};
use skms_engine::acts::certificates::ProfileChoice;
use skms_engine::probe::{Answer, ProbeError, Prober};
use skms_pki::acme::{
    AccountKey, AuthorizationStatus, ChallengeKind, Identifier, KeyAuthorization, OrderStatus,
    SignatureAlgorithm,
};
use skms_pki::issue::{NameBuf, ProfileKind, Request, SigningScheme};

const PLACE: (&str, &str) = ("root", "ca");
const HTTP: ChallengeKind = ChallengeKind::Http01;

/// Answers what it was told to; until then nobody gets an answer.
#[derive(Default)]
struct Told(Mutex<Option<String>>);

impl Prober for Told {
    fn http<'a>(&'a self, _: &'a Identifier, _: &'a str) -> Answer<'a, Vec<u8>> {
        let told = self.0.lock().unwrap().clone();
        Box::pin(async move {
            match told {
                Some(text) => Ok(text.into_bytes()),
                None => std::future::pending().await,
            }
        })
    }

    fn txt<'a>(&'a self, _: &'a str) -> Answer<'a, Vec<Vec<u8>>> {
        Box::pin(std::future::ready(Err(ProbeError::Dns("none".into()))))
    }

    fn tls_alpn<'a>(&'a self, _: &'a Identifier) -> Answer<'a, Vec<u8>> {
        Box::pin(std::future::ready(Err(ProbeError::Tls("none".into()))))
    }
}

struct Client {
    open: OpenKey,
    key: AccountKey,
    account: Option<skms_store::RecordId>,
}

impl Client {
    fn new() -> Self {
        let open = OpenKey::open(&KeyMaterial::generate(Algorithm::EcP256).unwrap()).unwrap();
        let key = AccountKey::from_spki(open.public_key().unwrap().spki_der()).unwrap();
        Self {
            open,
            key,
            account: None,
        }
    }

    async fn enter(&self, house: &House) -> Result<Entrant, Error> {
        let options = SignOptions {
            encoding: EcdsaEncoding::P1363,
            ..SignOptions::default()
        };
        let signature = self.open.sign(Message::Raw(b"input"), &options).unwrap();
        let by = match self.account {
            Some(id) => SignedBy::Account(id),
            None => SignedBy::Key(self.key.clone()),
        };
        let signed = Signed {
            by,
            algorithm: SignatureAlgorithm::Es256,
            input: b"input",
            signature: &signature,
            source: None,
            tls: true,
            request_id: "test",
        };
        house.engine.acme_enter(PLACE, signed).await
    }

    async fn order(&self, house: &House) -> Result<OrderView, Error> {
        let names = [Identifier::new("dns", "www.example.org").unwrap()];
        let entrant = self.enter(house).await?;
        house
            .engine
            .acme_new_order(PLACE, &entrant, &names, None)
            .await
    }

    async fn look(&self, house: &House, order: &OrderView) -> OrderView {
        let entrant = self.enter(house).await.unwrap();
        let found = house.engine.acme_order(PLACE, &entrant, order.id).await;
        found.unwrap()
    }
}

async fn open(house: &House, profile: ProfileChoice) -> Result<Option<Opening>, Error> {
    let opening = Opening {
        profile,
        challenges: vec![HTTP],
        external_account_required: false,
        terms_of_service: None,
    };
    let engine = &house.engine;
    engine.acme_open(&house.root, PLACE, Some(opening)).await
}

/// An authority that is open, and a client with an account.
async fn stage() -> (House, Client, Arc<Told>) {
    let told = Arc::new(Told::default());
    let mut house = House::new().await;
    house.config.prober = told.clone();
    let house = house.restart().await;
    house.create("ca", Algorithm::EcP256).await;
    let new = NewAuthority {
        name: "ca".to_owned(),
        keyring: "default".to_owned(),
        key: "ca".to_owned(),
        subject: "CN=ca".parse().unwrap(),
        foundation: Foundation::Root,
        extent: Extent::default(),
        signature: None,
        rules: Rules {
            profiles: end_entities(),
            ..Rules::default()
        },
    };
    let made = house.engine.create_authority(&house.root, "root", new);
    made.await.unwrap();
    let mut client = Client::new();
    // Closed, nobody gets in.
    assert!(matches!(
        client.enter(&house).await,
        Err(Error::NotFound { .. })
    ));
    open(&house, ProfileKind::TlsServer.into()).await.unwrap();
    let entrant = client.enter(&house).await.unwrap();
    let made = house
        .engine
        .acme_new_account(PLACE, &entrant, NewAccount::default());
    client.account = Some(made.await.unwrap().0.id);
    (house, client, told)
}

fn is(refusal: Refusal, result: Result<OrderView, Error>) -> bool {
    matches!(result, Err(Error::Acme(refused)) if refused.refusal == refusal)
}

#[tokio::test]
async fn orders_end_with_their_time() {
    let (house, client, _) = stage().await;
    let order = client.order(&house).await.unwrap();
    house.config.clock.advance_seconds(7 * 86_400 - 1);
    let now = client.look(&house, &order).await;
    assert_eq!(now.status, OrderStatus::Pending);
    house.config.clock.advance_seconds(1);
    let now = client.look(&house, &order).await;
    assert_eq!(now.status, OrderStatus::Invalid);
    assert_eq!(now.authorizations[0].status, AuthorizationStatus::Expired);
    let entrant = client.enter(&house).await.unwrap();
    let engine = &house.engine;
    let answer = engine.acme_respond(PLACE, &entrant, (order.id, 0, HTTP));
    assert!(is(Refusal::Malformed, answer.await));
    let answer = engine.acme_finalize(PLACE, &entrant, order.id, Vec::new());
    assert!(is(Refusal::OrderNotReady, answer.await));
    // No certificate came of it: a day later nothing is left.
    assert_eq!(engine.keep_acme_orders().await.unwrap(), 0);
    house.config.clock.advance_seconds(86_400 + 1);
    assert_eq!(engine.keep_acme_orders().await.unwrap(), 1);
    let gone = engine.acme_order(PLACE, &entrant, order.id).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn an_account_orders_only_so_much() {
    let (house, client, _) = stage().await;
    for _ in 0..300 {
        client.order(&house).await.unwrap();
    }
    let refused = client.order(&house).await;
    assert!(matches!(refused, Err(Error::RateLimited { .. })));
    let mut other = Client::new();
    let entrant = other.enter(&house).await.unwrap();
    let made = house
        .engine
        .acme_new_account(PLACE, &entrant, NewAccount::default());
    other.account = Some(made.await.unwrap().0.id);
    other.order(&house).await.unwrap();
    house.config.clock.advance_seconds(37);
    client.order(&house).await.unwrap();
    assert!(client.order(&house).await.is_err());
}

/// An order whose names are proved.
async fn ready(house: &House, client: &Client, told: &Told) -> OrderView {
    let order = client.order(house).await.unwrap();
    let token = &order.authorizations[0].challenges[0].token;
    let expected = KeyAuthorization::new(token, &client.key);
    *told.0.lock().unwrap() = Some(expected.as_str().to_owned());
    let entrant = client.enter(house).await.unwrap();
    let begun = house
        .engine
        .acme_respond(PLACE, &entrant, (order.id, 0, HTTP));
    begun.await.unwrap();
    loop {
        let now = client.look(house, &order).await;
        match now.status {
            OrderStatus::Pending => tokio::time::sleep(Duration::from_millis(10)).await,
            _ => break now,
        }
    }
}

#[tokio::test]
async fn a_right_answer_makes_the_order_ready() {
    let (house, client, told) = stage().await;
    let order = ready(&house, &client, &told).await;
    assert_eq!(order.status, OrderStatus::Ready);
}

/// The profile `narrow` of the authority.
async fn put(house: &House, base: &str, domain: &str) {
    let profile = NamedProfile {
        name: "narrow".to_owned(),
        base: base.to_owned(),
        domains: match domain {
            "" => Vec::new(),
            domain => vec![domain.to_owned()],
        },
        max_lifetime_seconds: Some(86_400),
        ..NamedProfile::default()
    };
    let engine = &house.engine;
    let put = engine.put_authority_profile(&house.root, PLACE.0, PLACE.1, profile);
    put.await.unwrap();
}

async fn finalize(house: &House, client: &Client, order: &OrderView) -> Result<OrderView, Error> {
    let key = OpenKey::open(&KeyMaterial::generate(Algorithm::EcP256).unwrap()).unwrap();
    let spki = key.public_key().unwrap().spki_der().to_vec();
    let mut request = Request::new(NameBuf::empty(), spki);
    request.names = vec!["www.example.org".parse().unwrap()];
    let scheme = SigningScheme::for_key(Algorithm::EcP256).unwrap();
    let unsigned = request.to_csr(scheme).unwrap();
    let signature = key
        .sign(Message::Raw(unsigned.tbs()), &scheme.sign_options())
        .unwrap();
    let csr = unsigned.signed(&signature).unwrap();
    let entrant = client.enter(house).await.unwrap();
    let engine = &house.engine;
    engine.acme_finalize(PLACE, &entrant, order.id, csr).await
}

#[tokio::test]
async fn nothing_but_names_is_certified_by_acme() {
    let (house, _, _) = stage().await;
    for kind in end_entities() {
        use ProfileKind as Kind;
        let opened = open(&house, kind.into()).await;
        match kind {
            Kind::TlsServer | Kind::TlsServerWeb | Kind::TlsMutual | Kind::TlsClient => {
                opened.unwrap();
            }
            _ => assert!(matches!(opened, Err(Error::Invalid(_))), "{kind}"),
        }
        // Nor by one that is based on it.
        if matches!(kind, Kind::Principal | Kind::OcspSigner | Kind::CodeSigning) {
            put(&house, kind.name(), "").await;
            let opened = open(&house, "narrow".into()).await;
            assert!(matches!(opened, Err(Error::Invalid(_))), "{kind}");
        }
    }
    for name in ["root", "intermediate", "nonesuch"] {
        let opened = open(&house, name.into()).await;
        assert!(matches!(opened, Err(Error::Invalid(_))), "{name}");
    }
    // Confined to names that nobody proves control of.
    let profile = NamedProfile {
        name: "narrow".to_owned(),
        base: "tls-client".to_owned(),
        email_domains: vec!["example.org".to_owned()],
        ..NamedProfile::default()
    };
    let engine = &house.engine;
    let put = engine.put_authority_profile(&house.root, PLACE.0, PLACE.1, profile);
    put.await.unwrap();
    let opened = open(&house, "narrow".into()).await;
    assert!(matches!(opened, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn a_profile_of_its_own_holds_for_each_certificate() {
    let (house, client, told) = stage().await;
    put(&house, "tls-server", "example.org").await;
    open(&house, "narrow".into()).await.unwrap();
    let order = ready(&house, &client, &told).await;
    let done = finalize(&house, &client, &order).await.unwrap();
    assert_eq!(done.status, OrderStatus::Valid);
    let entrant = client.enter(&house).await.unwrap();
    let chain = house
        .engine
        .acme_certificate(PLACE, &entrant, order.id, 0)
        .await
        .unwrap()
        .0;
    let read = skms_pki::Certificate::from_der(&chain[0]).unwrap();
    assert_eq!(read.not_after().0 - read.not_before().0 + 1, 86_400);

    // What it says by then counts, not what it said at the order.
    let order = ready(&house, &client, &told).await;
    put(&house, "tls-server", "example.com").await;
    let refused = finalize(&house, &client, &order).await;
    assert!(is(Refusal::BadCsr, refused));
    // Nor is there an order for what it does not certify.
    let order_now = client.order(&house).await;
    assert!(is(Refusal::RejectedIdentifier, order_now));
    for base in ["principal", "ocsp-signer"] {
        put(&house, base, "").await;
        let refused = finalize(&house, &client, &order).await;
        assert!(is(Refusal::Unauthorized, refused), "{base}");
        assert!(is(Refusal::Unauthorized, client.order(&house).await));
    }
    let engine = &house.engine;
    let gone = engine.remove_authority_profile(&house.root, PLACE.0, PLACE.1, "narrow");
    gone.await.unwrap();
    let refused = finalize(&house, &client, &order).await;
    assert!(is(Refusal::Unauthorized, refused));
    // The order is as good as before once the profile is.
    put(&house, "tls-server", "example.org").await;
    let done = finalize(&house, &client, &order).await.unwrap();
    assert_eq!(done.status, OrderStatus::Valid);
}

#[tokio::test]
async fn a_policy_that_forbids_is_heard() {
    let (house, client, _) = stage().await;
    client.order(&house).await.unwrap();
    let text = r#"forbid (principal, action == SKMS::Action::"acme.order", resource)
        when { principal.kind == "account" };"#;
    let put = house
        .engine
        .write_policy(&house.root, "root", "no-orders", text);
    put.await.unwrap();
    let refused = client.order(&house).await;
    assert!(
        matches!(refused, Err(Error::Forbidden { .. })),
        "{refused:?}"
    );
}
