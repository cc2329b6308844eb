//! Parties with real keys, the steps of an exchange, and messages taken apart
//! by another library than the one that wrote them.

use std::cell::RefCell;
use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU8, Ordering};

use coset::cbor::Value;
use coset::{CoseSign1, TaggedCborSerializable as _};
use skms_crypto::{Algorithm, EcdsaEncoding, Family, KeyMaterial, Message, OpenKey, SecretBytes};
use skms_exchange::{
    Agreement, Answer, AwaitingReply, Distribution, Error, Identity, Intent, KeyFormat, KeyName,
    Outcome, ReplayEntry, ReplayStore, Reply, Request, Responder, Seen, ServerName, Standing,
    Suite, Trust, Uses, initiator,
};
use skms_pki::documents::{Signer, cose};
use skms_pki::issue::{
    Authority, Profile, ProfileKind, Request as CertificateRequest, Serial, SigningScheme,
};
use skms_pki::{Certificate, Evidence, Moment};

/// 2026-11-29T12:00:00Z.
pub const NOW: Moment = Moment(1_795_953_600);
pub const SERVER: &str = "kms.example.org";
pub const OTHER: &str = "other.example.org";
pub const LABEL_1: &str = "skms-exchange-v1 message 1";
pub const LABEL_2: &str = "skms-exchange-v1 message 2";
/// What is handed over in tests.
pub const SECRET: &[u8] = b"planted: thirty-two secret bytes";

pub fn later(seconds: i64) -> Moment {
    Moment(NOW.0 + seconds)
}

pub fn key(algorithm: Algorithm) -> OpenKey {
    OpenKey::open(&KeyMaterial::generate(algorithm).unwrap()).unwrap()
}

pub fn spki(key: &OpenKey) -> Vec<u8> {
    key.public_key().unwrap().spki_der().to_vec()
}

pub fn serial() -> Serial {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    Serial::from_random([NEXT.fetch_add(1, Ordering::Relaxed); 20])
}

pub fn sign(key: &OpenKey, tbs: &[u8], scheme: SigningScheme) -> Vec<u8> {
    key.sign(Message::Raw(tbs), &scheme.sign_options()).unwrap()
}

/// A root with an authority below it.
pub struct Pki {
    pub root: Vec<u8>,
    pub authority: Authority,
    pub key: OpenKey,
}

impl Pki {
    pub fn new() -> Self {
        let scheme = SigningScheme::for_key(Algorithm::EcP256).unwrap();
        let root_key = key(Algorithm::EcP256);
        let request = CertificateRequest::new("CN=Root".parse().unwrap(), spki(&root_key));
        let maker = Authority::root(&request, scheme).unwrap();
        let root = plan(&ProfileKind::Root.profile(), &maker, &request, &root_key);
        let above = Authority::from_chain(vec![root.clone()], scheme).unwrap();
        let own_key = key(Algorithm::EcP256);
        let request = CertificateRequest::new("CN=Issuing".parse().unwrap(), spki(&own_key));
        let own = plan(
            &ProfileKind::Intermediate.profile(),
            &above,
            &request,
            &root_key,
        );
        Self {
            authority: Authority::from_chain(vec![own, root.clone()], scheme).unwrap(),
            root,
            key: own_key,
        }
    }

    /// A certificate of a profile that somebody may have changed.
    pub fn certify(&self, profile: &Profile, request: &CertificateRequest) -> Vec<u8> {
        plan(profile, &self.authority, request, &self.key)
    }

    pub fn client(&self, algorithm: Algorithm) -> Party {
        let key = key(algorithm);
        let request = client_request(&key);
        let own = self.certify(&ProfileKind::TlsClient.profile(), &request);
        Party::new(key, self.chain(own))
    }

    pub fn server(&self, algorithm: Algorithm, name: &str) -> Party {
        let key = key(algorithm);
        let request = server_request(&key, name);
        let own = self.certify(&ProfileKind::TlsServer.profile(), &request);
        Party::new(key, self.chain(own))
    }

    /// A certificate and the authority's, without the root's.
    pub fn chain(&self, own: Vec<u8>) -> Vec<Vec<u8>> {
        vec![own, self.authority.chain[0].clone()]
    }
}

fn plan(
    profile: &Profile,
    authority: &Authority,
    request: &CertificateRequest,
    key: &OpenKey,
) -> Vec<u8> {
    let planned = profile.plan(authority, request, serial(), NOW).unwrap();
    let signature = sign(key, planned.tbs(), planned.scheme());
    planned.signed(&signature).unwrap()
}

pub fn client_request(key: &OpenKey) -> CertificateRequest {
    CertificateRequest::new("O=Example, CN=client".parse().unwrap(), spki(key))
}

pub fn server_request(key: &OpenKey, name: &str) -> CertificateRequest {
    CertificateRequest::new(format!("CN={name}").parse().unwrap(), spki(key))
        .with_name(format!("dns:{name}").parse().unwrap())
}

/// Somebody with an identity key and its certificate.
pub struct Party {
    pub key: OpenKey,
    pub chain: Vec<Vec<u8>>,
    pub identity: Identity,
}

impl Party {
    pub fn new(key: OpenKey, chain: Vec<Vec<u8>>) -> Self {
        let scheme = Identity::scheme_for(key.algorithm()).unwrap();
        let identity = Identity::new(chain.clone(), scheme).unwrap();
        Self {
            key,
            chain,
            identity,
        }
    }

    /// Signs any payload under any label: what a dishonest party can do.
    pub fn seal(&self, label: &str, payload: &[u8]) -> Vec<u8> {
        let scheme = Identity::scheme_for(self.key.algorithm()).unwrap();
        self.seal_by(scheme, label, payload)
    }

    pub fn seal_by(&self, scheme: SigningScheme, label: &str, payload: &[u8]) -> Vec<u8> {
        let signer = Signer::new(self.chain.clone(), scheme).unwrap();
        let planned = cose::plan_with(&signer, payload, label.as_bytes()).unwrap();
        let signature = sign(&self.key, planned.tbs(), planned.scheme());
        planned.signed(&signature, false).unwrap()
    }

    pub fn hash(&self) -> Vec<u8> {
        sha512(&self.chain[0])
    }
}

pub fn sha512(bytes: &[u8]) -> Vec<u8> {
    skms_crypto::Hash::Sha512.digest(bytes)
}

/// Remembers entries in memory, for as long as the test runs.
#[derive(Default)]
pub struct Remembered(RefCell<HashSet<[u8; 32]>>);

impl ReplayStore for Remembered {
    type Error = Infallible;

    fn record(&self, entry: &ReplayEntry) -> Result<Seen, Infallible> {
        match self.0.borrow_mut().insert(*entry.id()) {
            true => Ok(Seen::First),
            false => Ok(Seen::Again),
        }
    }
}

pub fn key_name() -> KeyName {
    KeyName::new("root", "payments", "session")
}

pub fn agreement() -> Request {
    Request::Agreement(Agreement {
        key: key_name(),
        algorithm: "AES-256-GCM".to_owned(),
        uses: Uses::new(["encrypt", "decrypt"]).unwrap(),
        lifetime_seconds: Some(3600),
    })
}

pub fn distribution() -> Request {
    Request::Distribution(Distribution {
        key: key_name(),
        version: None,
    })
}

/// Draws from a counter: the same bytes each time.
pub fn counting(start: u8) -> impl FnMut(&mut [u8]) -> skms_crypto::Result<()> {
    let mut drawn = 0u32;
    move |out: &mut [u8]| {
        for chunk in out.chunks_mut(32) {
            let digest =
                skms_crypto::Hash::Sha256.digest(&[&[start][..], &drawn.to_be_bytes()].concat());
            chunk.copy_from_slice(&digest[..chunk.len()]);
            drawn += 1;
        }
        Ok(())
    }
}

/// A client, a server, and what both believe.
pub struct World {
    pub pki: Pki,
    pub client: Party,
    pub server: Party,
    pub responder: Responder,
    pub store: Remembered,
    pub standing: Standing,
}

impl World {
    pub fn new() -> Self {
        Self::with(Algorithm::Ed25519, Algorithm::Ed25519)
    }

    pub fn with(client: Algorithm, server: Algorithm) -> Self {
        let pki = Pki::new();
        let mut responder = Responder::new(vec![ServerName::host(SERVER).unwrap()]);
        responder.suites = skms_exchange::suite::ALL.to_vec();
        Self {
            client: pki.client(client),
            server: pki.server(server, SERVER),
            pki,
            responder,
            store: Remembered::default(),
            standing: Standing::Good,
        }
    }

    /// Calls with a trust in this world's root.
    pub fn trusting<T>(&self, call: impl FnOnce(&Trust<'_, '_, '_>) -> T) -> T {
        let anchors = [Certificate::from_der(&self.pki.root).unwrap()];
        let evidence = Evidence {
            anchors: &anchors,
            ..Evidence::default()
        };
        let told = |_: &skms_pki::ValidPath<'_, '_>| self.standing;
        call(&Trust::new(evidence).told(&told))
    }

    pub fn begin(&self, request: Request, suites: &[Suite]) -> (Vec<u8>, AwaitingReply) {
        self.begin_with(request, suites, &mut skms_crypto::rand::fill)
    }

    pub fn begin_with(
        &self,
        request: Request,
        suites: &[Suite],
        random: &mut dyn FnMut(&mut [u8]) -> skms_crypto::Result<()>,
    ) -> (Vec<u8>, AwaitingReply) {
        let mut intent = Intent::new(ServerName::host(SERVER).unwrap(), request);
        intent.suites = suites.to_vec();
        let unsigned = initiator::begin(&self.client.identity, intent, NOW, random).unwrap();
        let signature = sign(&self.client.key, unsigned.tbs(), unsigned.scheme());
        unsigned.signed(&signature).unwrap()
    }

    /// The server's whole way.
    pub fn respond(&self, message: &[u8]) -> Result<Reply, Error> {
        self.respond_with(message, &mut skms_crypto::rand::fill)
    }

    pub fn respond_with(
        &self,
        message: &[u8],
        random: &mut dyn FnMut(&mut [u8]) -> skms_crypto::Result<()>,
    ) -> Result<Reply, Error> {
        let received = self.trusting(|trust| {
            self.responder
                .receive(message, &self.server.identity, trust, NOW)
        })?;
        let Ok(admitted) = received.admit_by(&self.store);
        let admitted = admitted?;
        let unsigned = match admitted.request().clone() {
            Request::Agreement(_) => admitted.answer(&agreed(), NOW, random)?,
            Request::Distribution(_) => {
                let key = SecretBytes::new(SECRET.to_vec());
                admitted.answer(&handed_over(&key), NOW, random)?
            }
        };
        let signature = sign(&self.server.key, unsigned.tbs(), unsigned.scheme());
        unsigned.signed(&signature)
    }

    pub fn receive(&self, waiting: AwaitingReply, message: &[u8]) -> Result<Outcome, Error> {
        self.trusting(|trust| waiting.receive(message, trust, NOW))
    }

    /// What the client says of an answer, by name.
    pub fn refusal(&self, waiting: AwaitingReply, message: &[u8]) -> &'static str {
        self.receive(waiting, message).unwrap_err().name()
    }

    /// What the server says of a request, by name.
    pub fn refused(&self, message: &[u8]) -> &'static str {
        self.respond(message).unwrap_err().name()
    }
}

pub fn agreed() -> Answer<'static> {
    Answer::Agreement {
        id: "0192f5c7-key".to_owned(),
        version: 1,
        length: 32,
        uses: Uses::new(["encrypt", "decrypt"]).unwrap(),
        lifetime_seconds: Some(3600),
    }
}

pub fn handed_over(key: &SecretBytes) -> Answer<'_> {
    Answer::Distribution {
        id: "0192f5c7-key".to_owned(),
        version: 3,
        algorithm: "AES-256-GCM".to_owned(),
        uses: Uses::new(["decrypt"]).unwrap(),
        lifetime_seconds: None,
        format: KeyFormat::Raw,
        key,
    }
}

/// A message taken apart.
pub struct Opened {
    pub message: CoseSign1,
    pub payload: Vec<(Value, Value)>,
}

impl Opened {
    pub fn of(message: &[u8]) -> Self {
        let message = CoseSign1::from_tagged_slice(message).unwrap();
        let payload = from_cbor(message.payload.as_ref().unwrap());
        Self {
            payload: payload.into_map().unwrap(),
            message,
        }
    }

    pub fn field(&mut self, key: u64) -> &mut Value {
        let wanted = Value::from(key);
        let found = self.payload.iter_mut().find(|(key, _)| *key == wanted);
        &mut found.unwrap().1
    }

    pub fn payload(&self) -> Vec<u8> {
        to_cbor(&Value::Map(self.payload.clone()))
    }

    /// Put together again, with the signature that it had.
    pub fn close(mut self) -> Vec<u8> {
        self.message.payload = Some(self.payload());
        self.message.to_tagged_vec().unwrap()
    }
}

/// A message with one field of its payload changed, and its old signature.
pub fn edited(message: &[u8], key: u64, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut opened = Opened::of(message);
    change(opened.field(key));
    opened.close()
}

pub fn to_cbor(value: &Value) -> Vec<u8> {
    use coset::CborSerializable as _;
    value.clone().to_vec().unwrap()
}

pub fn from_cbor(bytes: &[u8]) -> Value {
    use coset::CborSerializable as _;
    Value::from_slice(bytes).unwrap()
}

/// Flips the first bit of a byte string.
pub fn flip(value: &mut Value) {
    value.as_bytes_mut().unwrap()[0] ^= 0x80;
}

/// A COSE_Sign1 put together by hand: any alg, any chain, any payload.
pub fn sign1(key: &OpenKey, alg: i64, chain: &[Vec<u8>], label: &str, payload: &[u8]) -> Vec<u8> {
    let x5chain = match chain {
        [one] => Value::Bytes(one.clone()),
        all => Value::Array(all.iter().cloned().map(Value::Bytes).collect()),
    };
    let protected = to_cbor(&Value::Map(vec![
        (Value::from(1), Value::from(alg)),
        (Value::from(33), x5chain),
    ]));
    sign1_with(key, &protected, Value::Map(Vec::new()), label, payload)
}

/// The same with headers of one's choice.
pub fn sign1_with(
    key: &OpenKey,
    protected: &[u8],
    unprotected: Value,
    label: &str,
    payload: &[u8],
) -> Vec<u8> {
    let structure = to_cbor(&Value::Array(vec![
        Value::from("Signature1"),
        Value::Bytes(protected.to_vec()),
        Value::Bytes(label.as_bytes().to_vec()),
        Value::Bytes(payload.to_vec()),
    ]));
    let scheme = Identity::scheme_for(key.algorithm()).unwrap();
    let mut options = scheme.sign_options();
    if key.algorithm().family() == Family::Ec {
        options.encoding = EcdsaEncoding::P1363;
    }
    let signature = key.sign(Message::Raw(&structure), &options).unwrap();
    let message = Value::Array(vec![
        Value::Bytes(protected.to_vec()),
        unprotected,
        Value::Bytes(payload.to_vec()),
        Value::Bytes(signature),
    ]);
    to_cbor(&Value::Tag(18, Box::new(message)))
}
