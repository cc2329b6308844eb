//! The server's side: [`Responder::receive`] → [`Received`] → [`Admitted`] →
//! [`UnsignedReply`] → [`Reply`], and in an agreement
//! [`crate::confirmation::AwaitingConfirmation`].

use std::fmt;

use skms_crypto::hpke::{Fill, Sender, Suite};
use skms_crypto::{Format, PublicKey, SecretBytes};
use skms_pki::Moment;
use skms_pki::issue::SigningScheme;

use crate::confirmation::AwaitingConfirmation;
use crate::envelope::{Envelope, Unsigned};
use crate::error::{Error, Message, Result, own};
use crate::freshness::{Freshness, ReplayEntry, ReplayStore, Seen};
use crate::grant::{Given, Grant, KeyFormat};
use crate::identity::Identity;
use crate::message::first::First;
use crate::message::second::{Head, SEALED};
use crate::message::{Digest, NONCE, third};
use crate::name::ServerName;
use crate::peer::{Peer, Role, Trust, judge};
use crate::request::{KeyName, Request, Uses};
use crate::schedule::{Between, Secrets, hash, info, label, replay};
use crate::suite;

/// What a responder answers to, and by which rules.
#[derive(Clone, Debug)]
pub struct Responder {
    /// Its names: a message for another one is refused.
    pub names: Vec<ServerName>,
    /// The suites that it accepts, the one liked best first.
    pub suites: Vec<Suite>,
    /// How old a message may be.
    pub freshness: Freshness,
}

impl Responder {
    /// A responder of these names with the post-quantum suites and the usual
    /// window.
    #[must_use]
    pub fn new(names: Vec<ServerName>) -> Self {
        Self {
            names,
            suites: suite::POST_QUANTUM.to_vec(),
            freshness: Freshness::default(),
        }
    }

    /// Which key a message 1 is about; nothing of it is to be believed yet.
    ///
    /// # Errors
    /// What [`Responder::receive`] says of a message that cannot be read.
    pub fn asked_for(message: &[u8]) -> Result<KeyName> {
        let envelope = Envelope::read(message)?;
        let first = First::decode(envelope.payload())?;
        Ok(first.request.key().clone())
    }

    /// Takes message 1: checks everything about it but whether it was here
    /// before.
    ///
    /// # Errors
    /// Why it was refused: docs/exchange.md, "Errors".
    pub fn receive(
        &self,
        message: &[u8],
        identity: &Identity,
        trust: &Trust<'_, '_, '_>,
        now: Moment,
    ) -> Result<Received> {
        let envelope = Envelope::read(message)?;
        let first = First::decode(envelope.payload())?;
        if !self.names.contains(&first.server) {
            return Err(Error::WrongServer);
        }
        self.freshness.check(first.time, now)?;
        let client = judge(
            envelope.chain(),
            &first.certificate,
            identity.spki(),
            Role::Initiator,
            trust,
            now,
        )?;
        envelope.check(client.certificate(), Message::First)?;
        let id = replay(&first.certificate, &first.nonce);
        Ok(Received {
            entry: ReplayEntry::new(id, first.time),
            state: State {
                digest: hash(&[message]),
                first,
                client,
                identity: identity.clone(),
                freshness: self.freshness,
            },
            suites: self.suites.clone(),
        })
    }
}

struct State {
    /// T1.
    digest: Digest,
    first: First,
    client: Peer,
    identity: Identity,
    freshness: Freshness,
}

/// A message 1 by whom it says, for us, in time. Whether it was here before is
/// to be found out.
pub struct Received {
    state: State,
    entry: ReplayEntry,
    suites: Vec<Suite>,
}

impl Received {
    /// What is to be recorded, by the contract of [`ReplayStore`], and handed to
    /// [`Self::admit`].
    #[must_use]
    pub fn replay_entry(&self) -> &ReplayEntry {
        &self.entry
    }

    /// Who asks.
    #[must_use]
    pub fn client(&self) -> &Peer {
        &self.state.client
    }

    /// What is asked for. It is not to be acted on yet.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.state.first.request
    }

    /// Goes on, by what the store of replay entries said.
    ///
    /// # Errors
    /// [`Error::Replayed`]; [`Error::NoCommonSuite`], [`Error::PublicKey`].
    pub fn admit(self, seen: Seen) -> Result<Admitted> {
        if seen == Seen::Again {
            return Err(Error::Replayed);
        }
        let first = &self.state.first;
        let offer = |suite: &Suite| first.offered(*suite).map(|offer| (*suite, offer));
        let (suite, offer) = self
            .suites
            .iter()
            .find_map(offer)
            .ok_or(Error::NoCommonSuite)?;
        let algorithm = suite.kem.algorithm();
        let public = PublicKey::import(&offer.public, Format::Raw, Some(algorithm))
            .map_err(|_| Error::PublicKey)?;
        // Compressed points read as well, and are not what HPKE has.
        let same = public.to_raw().ok().as_ref() == Some(&offer.public);
        if !same || suite::gives_zero(suite, &offer.public) {
            return Err(Error::PublicKey);
        }
        Ok(Admitted {
            state: self.state,
            suite,
            public,
        })
    }

    /// Asks a store and goes on.
    ///
    /// # Errors
    /// The store's own, else as [`Self::admit`].
    pub fn admit_by<S: ReplayStore>(
        self,
        store: &S,
    ) -> std::result::Result<Result<Admitted>, S::Error> {
        let seen = store.record(&self.entry)?;
        Ok(self.admit(seen))
    }
}

/// A message 1 that may be acted on, if policy lets it.
pub struct Admitted {
    state: State,
    suite: Suite,
    public: PublicKey,
}

/// What a responder gives.
pub enum Answer<'k> {
    /// A new key, agreed upon. It takes its names and its algorithm from the
    /// request.
    Agreement {
        /// The key's identifier.
        id: String,
        /// The version's number, from 1.
        version: u64,
        /// Bytes: what the algorithm's keys have.
        length: usize,
        /// What the key may do: what was asked for, unless nothing was.
        uses: Uses,
        /// For how many seconds; no longer than was asked for.
        lifetime_seconds: Option<u64>,
    },
    /// A key that there is.
    Distribution {
        /// The key's identifier.
        id: String,
        /// The version's number, from 1.
        version: u64,
        /// The registry's name of its algorithm.
        algorithm: String,
        /// What the key may do.
        uses: Uses,
        /// For how many seconds.
        lifetime_seconds: Option<u64>,
        /// How it is written.
        format: KeyFormat,
        /// The key itself.
        key: &'k SecretBytes,
    },
}

impl Answer<'_> {
    fn grant(&self, request: &Request) -> Result<Grant> {
        let key = request.key().clone();
        Ok(match self {
            Self::Agreement {
                id,
                version,
                length,
                uses,
                lifetime_seconds,
            } => {
                let Request::Agreement(wanted) = request else {
                    return Err(Error::Input("a distribution answered by an agreement"));
                };
                Grant {
                    key,
                    algorithm: wanted.algorithm.clone(),
                    uses: uses.clone(),
                    lifetime_seconds: *lifetime_seconds,
                    version: *version,
                    id: id.clone(),
                    given: Given::Agreed { length: *length },
                }
            }
            Self::Distribution {
                id,
                version,
                algorithm,
                uses,
                lifetime_seconds,
                format,
                ..
            } => Grant {
                key,
                algorithm: algorithm.clone(),
                uses: uses.clone(),
                lifetime_seconds: *lifetime_seconds,
                version: *version,
                id: id.clone(),
                given: Given::Sealed { format: *format },
            },
        })
    }
}

impl Admitted {
    /// Who asks.
    #[must_use]
    pub fn client(&self) -> &Peer {
        &self.state.client
    }

    /// What is asked for.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.state.first.request
    }

    /// By which of its names the server was asked.
    #[must_use]
    pub fn server(&self) -> &ServerName {
        &self.state.first.server
    }

    /// The suite in use.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Makes message 2, to be signed. Policy has decided before.
    ///
    /// # Errors
    /// [`Error::PublicKey`] for an ephemeral key that gives a zero secret;
    /// [`Error::Input`] for an answer that is not to this request or has no
    /// place in a message; [`Error::Own`].
    pub fn answer(
        self,
        answer: &Answer<'_>,
        now: Moment,
        random: &mut Fill<'_>,
    ) -> Result<UnsignedReply> {
        let State { digest, first, .. } = &self.state;
        let grant = answer.grant(&first.request)?;
        grant.check()?;
        grant
            .fits(&first.request)
            .map_err(|_| Error::Input("an answer that is not what was asked for"))?;
        if now.0 < 0 {
            return Err(Error::Input("a moment before 1970"));
        }
        let mut nonce = [0; NONCE];
        random(&mut nonce).map_err(own)?;
        let (encapsulation, mut context) =
            Sender::setup_with(&self.public, self.suite, &info(digest), random).map_err(
                |error| match error {
                    // What setup says of a key whose secret is zero.
                    skms_crypto::Error::InvalidKey(_) => Error::PublicKey,
                    other => own(other),
                },
            )?;
        let secrets = Secrets::of(&context)?;
        let head = Head {
            first: *digest,
            suite: self.suite.into(),
            encapsulation,
            certificate: *self.state.identity.certificate_hash(),
            nonce,
            time: now,
            grant,
        };
        let sealed = match answer {
            Answer::Agreement { .. } => None,
            Answer::Distribution { key, .. } => {
                let sealed = context.seal(&head.encode(), key.expose()).map_err(own)?;
                if !SEALED.contains(&sealed.len()) {
                    return Err(Error::Input("a key that is too long"));
                }
                Some(sealed)
            }
        };
        let confirmation = secrets.confirm_2(&head.body(sealed.as_deref()))?;
        let payload = head.payload(sealed.as_deref(), &confirmation);
        Ok(UnsignedReply {
            unsigned: Unsigned::plan(&self.state.identity, &payload, Message::Second)?,
            secrets,
            grant: head.grant,
            time: now,
            state: self.state,
        })
    }
}

/// Message 2, to be signed. Sign [`Self::tbs`] with the identity key by
/// [`Self::scheme`], and give the signature to [`Self::signed`].
pub struct UnsignedReply {
    unsigned: Unsigned,
    secrets: Secrets,
    grant: Grant,
    time: Moment,
    state: State,
}

/// Message 2, and what is agreed by it.
#[derive(Debug)]
pub struct Reply {
    /// The message, to be sent once all that it stands for is durable.
    pub message: Vec<u8>,
    /// In an agreement, the key in waiting.
    pub agreed: Option<PreActive>,
}

/// An agreed key that is not to be used before it is confirmed.
#[derive(Debug)]
pub struct PreActive {
    /// The key, to be stored pre-activation.
    pub key: SecretBytes,
    /// What is said about it.
    pub grant: Grant,
    /// What waits for message 3; to be stored too.
    pub waiting: AwaitingConfirmation,
}

impl UnsignedReply {
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

    /// Message 2, once the signature is there.
    ///
    /// # Errors
    /// [`Error::Own`] if it is not the identity key's.
    pub fn signed(self, signature: &[u8]) -> Result<Reply> {
        let message = self.unsigned.signed(signature)?;
        if let Given::Sealed { .. } = self.grant.given {
            return Ok(Reply {
                message,
                agreed: None,
            });
        }
        let digest = hash(&[&message]);
        let key = self.secrets.agreed(&Between {
            initiator: self.state.client.certificate_hash(),
            responder: self.state.identity.certificate_hash(),
            server: &self.state.first.server,
            grant: &self.grant,
            second: &digest,
        })?;
        let structure = third::to_be_maced(&third::payload(&digest), label(Message::Third));
        let tag = self.secrets.confirm_3(&structure)?;
        let until = self.state.freshness.confirm_until(self.time);
        Ok(Reply {
            message,
            agreed: Some(PreActive {
                key,
                grant: self.grant,
                waiting: AwaitingConfirmation::new(digest, &tag, until),
            }),
        })
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Received({:?})", self.request())
    }
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Admitted({:?})", self.request())
    }
}

impl fmt::Debug for UnsignedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnsignedReply({:?}, <redacted>)", self.grant.key)
    }
}
