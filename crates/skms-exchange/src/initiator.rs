//! The client's side: [`begin`] → [`UnsignedRequest`] → [`AwaitingReply`] →
//! [`Outcome`]. Each step takes the one before, so that none is taken twice.

use std::fmt;

use skms_crypto::SecretBytes;
use skms_crypto::hpke::{Fill, KeyPair, Receiver, Suite};
use skms_pki::Moment;
use skms_pki::issue::SigningScheme;

use crate::envelope::{Envelope, Unsigned};
use crate::error::{Error, Message, Result, own};
use crate::freshness::Freshness;
use crate::grant::{Given, Grant};
use crate::identity::Identity;
use crate::message::first::{First, MAX_OFFERS, Offer};
use crate::message::second::Second;
use crate::message::{Digest, NONCE, VERSION, third};
use crate::name::ServerName;
use crate::peer::{Peer, Role, Trust, judge};
use crate::request::Request;
use crate::schedule::{Between, Secrets, hash, info, label};
use crate::suite;

/// What an initiator wants, and from whom.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The server that is meant; its certificate has to have this name.
    pub server: ServerName,
    /// What is asked for.
    pub request: Request,
    /// The suites that are offered, the one liked best first. The responder
    /// may take any of them: who wants to be safe from quantum computers offers
    /// no other.
    pub suites: Vec<Suite>,
    /// How long an answer may take, and how far the clocks may be apart.
    pub freshness: Freshness,
}

impl Intent {
    /// An exchange with X-Wing and the usual window.
    #[must_use]
    pub fn new(server: ServerName, request: Request) -> Self {
        Self {
            server,
            request,
            suites: vec![suite::X_WING],
            freshness: Freshness::default(),
        }
    }
}

/// Begins an exchange: makes the ephemeral keys and message 1, to be signed.
///
/// # Errors
/// [`Error::Input`] for an intent that has no place in a message: no suites,
/// one twice or more than eight, a name or number outside its limits;
/// [`Error::Own`] where there is no randomness.
pub fn begin(
    identity: &Identity,
    intent: Intent,
    now: Moment,
    random: &mut Fill<'_>,
) -> Result<UnsignedRequest> {
    intent.request.check()?;
    if now.0 < 0 {
        return Err(Error::Input("a moment before 1970"));
    }
    if !(1..=MAX_OFFERS).contains(&intent.suites.len()) {
        return Err(Error::Input("no suites, or more than eight"));
    }
    let mut offers: Vec<Offer> = Vec::with_capacity(intent.suites.len());
    let mut pairs = Vec::with_capacity(intent.suites.len());
    for &suite in &intent.suites {
        let doubled = pairs.iter().any(|(other, _)| *other == suite);
        if doubled || !suite::ALL.contains(&suite) {
            return Err(Error::Input("a suite twice, or one that there is not"));
        }
        let pair = KeyPair::generate(suite.kem, random).map_err(own)?;
        offers.push(Offer {
            suite: suite.into(),
            public: pair.public().to_vec(),
        });
        pairs.push((suite, pair));
    }
    let mut nonce = [0; NONCE];
    random(&mut nonce).map_err(own)?;
    let first = First {
        versions: vec![VERSION],
        offers,
        certificate: *identity.certificate_hash(),
        server: intent.server,
        nonce,
        time: now,
        request: intent.request,
    };
    Ok(UnsignedRequest {
        unsigned: Unsigned::plan(identity, &first.encode(), Message::First)?,
        state: State {
            first,
            pairs,
            freshness: intent.freshness,
            spki: identity.spki().to_vec(),
        },
    })
}

struct State {
    first: First,
    pairs: Vec<(Suite, KeyPair)>,
    freshness: Freshness,
    /// One's own key, to be told from the peer's.
    spki: Vec<u8>,
}

/// Message 1, to be signed. Sign [`Self::tbs`] with the identity key by
/// [`Self::scheme`], and give the signature to [`Self::signed`].
pub struct UnsignedRequest {
    unsigned: Unsigned,
    state: State,
}

impl UnsignedRequest {
    /// The bytes to be signed, as they stand.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        self.unsigned.tbs()
    }

    /// How they are to be signed; ECDSA signatures in DER.
    #[must_use]
    pub fn scheme(&self) -> SigningScheme {
        self.unsigned.scheme()
    }

    /// Message 1, to be sent, and what waits for the answer.
    ///
    /// # Errors
    /// [`Error::Own`] if the signature is not the identity key's;
    /// [`Error::TooLong`] for a chain that makes the message too long.
    pub fn signed(self, signature: &[u8]) -> Result<(Vec<u8>, AwaitingReply)> {
        let message = self.unsigned.signed(signature)?;
        let waiting = AwaitingReply {
            digest: hash(&[&message]),
            state: self.state,
        };
        Ok((message, waiting))
    }
}

/// An exchange that waits for message 2.
pub struct AwaitingReply {
    state: State,
    /// T1.
    digest: Digest,
}

/// What came of an exchange.
#[derive(Debug)]
pub enum Outcome {
    /// A key was agreed on; message 3 is to be sent.
    Agreed(Agreed),
    /// A key was handed over.
    Distributed(Distributed),
}

/// An agreed key.
#[derive(Debug)]
pub struct Agreed {
    /// The key. The server uses its own copy once it has message 3.
    pub key: SecretBytes,
    /// What is said about it.
    pub grant: Grant,
    /// When, by the server's clock.
    pub time: Moment,
    /// The server.
    pub server: Peer,
    /// Message 3, to be sent.
    pub confirmation: Vec<u8>,
}

/// A key that was handed over.
#[derive(Debug)]
pub struct Distributed {
    /// The key, in the grant's format.
    pub key: SecretBytes,
    /// What is said about it.
    pub grant: Grant,
    /// When, by the server's clock.
    pub time: Moment,
    /// The server.
    pub server: Peer,
}

impl AwaitingReply {
    /// Takes message 2. Whatever is wrong with it ends the exchange: the
    /// ephemeral keys are erased, and another try is another exchange.
    ///
    /// # Errors
    /// Why it was refused: docs/exchange.md, "Errors".
    pub fn receive(
        self,
        message: &[u8],
        trust: &Trust<'_, '_, '_>,
        now: Moment,
    ) -> Result<Outcome> {
        let envelope = Envelope::read(message)?;
        let second = Second::decode(envelope.payload())?;
        let State {
            first,
            pairs,
            freshness,
            spki,
        } = &self.state;
        let head = &second.head;
        if head.first != self.digest {
            return Err(Error::Transcript);
        }
        let (suite, pair) = pairs
            .iter()
            .find(|(suite, _)| head.suite == (*suite).into())
            .ok_or(Error::SuiteNotOffered)?;
        freshness.check(head.time, now)?;
        if now > freshness.answer_until(first.time) {
            return Err(Error::TooLate);
        }
        let role = Role::Responder(&first.server);
        let chain = envelope.chain();
        let server = judge(chain, &head.certificate, spki, role, trust, now)?;
        envelope.check(server.certificate(), Message::Second)?;

        if suite::gives_zero(*suite, &head.encapsulation) {
            return Err(Error::Encapsulation);
        }
        let info = info(&self.digest);
        let mut context = Receiver::setup_once(pair, *suite, &head.encapsulation, &info)
            .map_err(|_| Error::Encapsulation)?;
        let secrets = Secrets::of(&context)?;
        let expected = secrets.confirm_2(&second.body())?;
        if !skms_crypto::ct_eq(&expected, &second.confirmation) {
            return Err(Error::Confirmation);
        }
        head.grant.fits(&first.request)?;

        match (head.grant.given, &second.sealed) {
            (Given::Sealed { .. }, Some(sealed)) => {
                let key = context
                    .open(&head.encode(), sealed)
                    .map_err(|_| Error::Sealed)?;
                Ok(Outcome::Distributed(Distributed {
                    key,
                    time: head.time,
                    grant: second.head.grant,
                    server,
                }))
            }
            _ => {
                let digest = hash(&[message]);
                let key = secrets.agreed(&Between {
                    initiator: &first.certificate,
                    responder: &head.certificate,
                    server: &first.server,
                    grant: &head.grant,
                    second: &digest,
                })?;
                let payload = third::payload(&digest);
                let structure = third::to_be_maced(&payload, label(Message::Third));
                let tag = secrets.confirm_3(&structure)?;
                Ok(Outcome::Agreed(Agreed {
                    key,
                    time: head.time,
                    grant: second.head.grant,
                    server,
                    confirmation: third::encode(&payload, &tag),
                }))
            }
        }
    }
}

impl fmt::Debug for UnsignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "UnsignedRequest({}, <redacted>)",
            self.state.first.server
        )
    }
}

impl fmt::Debug for AwaitingReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwaitingReply({}, <redacted>)", self.state.first.server)
    }
}
