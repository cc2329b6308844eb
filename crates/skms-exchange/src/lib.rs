//! # The exchange room
//!
//! Both roles of the authenticated key exchange of `docs/exchange.md` as state
//! machines: a client agrees with a server on a key, or fetches one, so that
//! nobody between them learns or changes anything. And the sealed messages of
//! `docs/sealing.md`, which one client sends to another.
//!
//! What it is not: it opens no sockets, reads no clock, draws no random
//! numbers, and holds no identity key: messages, moments, randomness and
//! signatures are passed in. It decides no policy, and stores nothing: what has
//! to be durable is handed out.
//!
//! The initiator: [`initiator::begin`], sign, send, [`AwaitingReply::receive`];
//! with its key in memory, [`LocalIdentity::ask`].
//! The responder: [`Responder::receive`], record the replay entry,
//! [`Received::admit`], ask policy, [`Admitted::answer`], sign, make durable,
//! send; in an agreement [`AwaitingConfirmation::receive`].
//!
//! Between two clients, without a server between them: [`sealing`].
//!
//! An agreement, both sides of it:
//!
//! ```
//! # use skms_crypto::{Algorithm, KeyMaterial, Message, OpenKey, rand};
//! # use skms_pki::issue::{self, Authority, ProfileKind, Serial, SigningScheme};
//! # use skms_pki::{Certificate, Evidence, Moment};
//! use skms_exchange::{
//!     Agreement, Answer, Identity, Intent, KeyName, Outcome, Request, Responder, Seen,
//!     ServerName, Standing, Trust, Uses, initiator,
//! };
//!
//! # const NOW: Moment = Moment(1_800_000_000);
//! # type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
//! # fn key() -> Result<OpenKey> { Ok(OpenKey::open(&KeyMaterial::generate(Algorithm::Ed25519)?)?) }
//! # fn sign(key: &OpenKey, tbs: &[u8], scheme: SigningScheme) -> Result<Vec<u8>> {
//! #     Ok(key.sign(Message::Raw(tbs), &scheme.sign_options())?)
//! # }
//! # fn certify(
//! #     kind: ProfileKind, by: Option<(&Authority, &OpenKey)>, own: &OpenKey, name: &str, number: u8,
//! # ) -> Result<Vec<u8>> {
//! #     let spki = own.public_key().ok_or("no public key")?.spki_der().to_vec();
//! #     let mut request = issue::Request::new(format!("CN={name}").parse()?, spki);
//! #     if kind == ProfileKind::TlsServer { request.names.push(format!("dns:{name}").parse()?); }
//! #     let scheme = SigningScheme::for_key(Algorithm::Ed25519).ok_or("no scheme")?;
//! #     let root = Authority::root(&request, scheme)?;
//! #     let (authority, key) = by.unwrap_or((&root, own));
//! #     let serial = Serial::from_random([number; 20]);
//! #     let planned = kind.profile().plan(authority, &request, serial, NOW)?;
//! #     Ok(planned.signed(&sign(key, planned.tbs(), scheme)?)?)
//! # }
//! # fn main() -> Result<()> {
//! # let root_key = key()?;
//! # let root = certify(ProfileKind::Root, None, &root_key, "Root", 1)?;
//! # let scheme = SigningScheme::for_key(Algorithm::Ed25519).ok_or("no scheme")?;
//! # let authority = Authority::from_chain(vec![root.clone()], scheme)?;
//! # let by = Some((&authority, &root_key));
//! # let (client_key, server_key) = (key()?, key()?);
//! # let client_chain = vec![certify(ProfileKind::TlsClient, by, &client_key, "client", 2)?];
//! # let server_chain = vec![certify(ProfileKind::TlsServer, by, &server_key, "kms.example.org", 3)?];
//! // Both: an identity is a chain and how its key signs; the key is elsewhere.
//! let scheme = Identity::scheme_for(Algorithm::Ed25519).ok_or("no scheme")?;
//! let client = Identity::new(client_chain, scheme)?;
//! let server = Identity::new(server_chain, scheme)?;
//! let anchors = [Certificate::from_der(&root)?];
//! let evidence = Evidence { anchors: &anchors, ..Evidence::default() };
//! let standing = |_: &skms_pki::ValidPath<'_, '_>| Standing::Good;
//! let trust = Trust::new(evidence).told(&standing);
//!
//! // The client asks.
//! let name = ServerName::host("kms.example.org")?;
//! let request = Request::Agreement(Agreement {
//!     key: KeyName::new("root", "payments", "session"),
//!     algorithm: "AES-256-GCM".to_owned(),
//!     uses: Uses::new(["encrypt", "decrypt"])?,
//!     lifetime_seconds: Some(3600),
//! });
//! let unsigned = initiator::begin(&client, Intent::new(name.clone(), request), NOW, &mut rand::fill)?;
//! let signature = sign(&client_key, unsigned.tbs(), unsigned.scheme())?;
//! let (message_1, awaiting_reply) = unsigned.signed(&signature)?;
//!
//! // The server judges, records the replay entry durably, asks its policy,
//! // answers, stores the key pre-activation, and only then sends.
//! let received = Responder::new(vec![name]).receive(&message_1, &server, &trust, NOW)?;
//! let seen = Seen::First; // what the store says of received.replay_entry()
//! let admitted = received.admit(seen)?;
//! let answer = Answer::Agreement {
//!     id: "0192f5c7".to_owned(),
//!     version: 1,
//!     length: 32,
//!     uses: Uses::new(["encrypt", "decrypt"])?,
//!     lifetime_seconds: Some(3600),
//! };
//! let unsigned = admitted.answer(&answer, NOW, &mut rand::fill)?;
//! let signature = sign(&server_key, unsigned.tbs(), unsigned.scheme())?;
//! let reply = unsigned.signed(&signature)?;
//! let pre_active = reply.agreed.ok_or("a distribution")?;
//!
//! // The client has the key, and confirms.
//! let Outcome::Agreed(agreed) = awaiting_reply.receive(&reply.message, &trust, NOW)? else {
//!     return Err("a distribution".into());
//! };
//!
//! // The server makes its own copy active.
//! pre_active.waiting.receive(&agreed.confirmation, NOW)?;
//! assert!(pre_active.key.ct_eq(agreed.key.expose()));
//! # Ok(()) }
//! ```
//!
//! Standards: RFC 2119, 5280, 5869, 8949, 9052, 9053, 9180, 9360, 9525, 9964;
//! SP 800-56C; FIPS 198-1, 203, 204; draft-ietf-hpke-pq;
//! draft-connolly-cfrg-xwing-kem.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cbor;
pub mod channel;
pub mod confirmation;
mod envelope;
pub mod error;
pub mod freshness;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod grant;
mod identity;
pub mod initiator;
mod local;
mod message;
mod name;
pub mod peer;
pub mod request;
pub mod responder;
mod schedule;
pub mod sealing;
pub mod static_key;
pub mod suite;

pub use confirmation::{AwaitingConfirmation, Confirmed};
pub use error::{CertificateFault, Error, Result};
pub use freshness::{Freshness, ReplayEntry, ReplayStore, Seen};
pub use grant::{Given, Grant, KeyFormat};
pub use identity::Identity;
pub use initiator::{Agreed, AwaitingReply, Distributed, Intent, Outcome, UnsignedRequest};
pub use local::LocalIdentity;
pub use message::{Digest, NONCE};
pub use name::ServerName;
pub use peer::{Peer, Revocations, Standing, Trust};
pub use request::{Agreement, Distribution, KeyName, Kind, Request, Uses};
pub use responder::{Admitted, Answer, PreActive, Received, Reply, Responder, UnsignedReply};

/// What a client needs of the rooms below, which it does not use by itself.
pub mod below {
    pub use skms_crypto::hpke::{Fill, Suite};
    pub use skms_crypto::{Algorithm, Format, KeyMaterial, OpenKey, PublicKey, SecretBytes, rand};
    pub use skms_pki::issue::SigningScheme;
    pub use skms_pki::{Certificate, Crl, Evidence, Moment, OcspResponse, Options, ValidPath, pem};
}
pub use below::Suite;
