//! The client's role in the key exchange (docs/exchange.md): a key that is
//! agreed upon, or fetched, so that whoever ends TLS in between never sees it.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use skms_exchange::below::{Certificate, Crl, Evidence, pem, rand};
use skms_exchange::channel::{Answered, Asked, Channel};
use skms_exchange::{AwaitingReply, LocalIdentity, NONCE, Trust};
use skms_wire::Bytes;
use skms_wire::native::exchange::{BindKeyRequest, BindKeyResponse, ExchangeMessage};
use skms_wire::native::keys::KeyView;
use skms_wire::native::routes::{Route, route};
use skms_wire::native::terms::KeyUse;

pub use skms_exchange::below::{Moment, SecretBytes};
pub use skms_exchange::suite;
pub use skms_exchange::{
    Agreement, Distributed, Distribution, Error as Refusal, Given, Grant, Intent, KeyFormat,
    KeyName, Outcome, Request, ServerName, Uses,
};

use crate::{Client, Result};

/// A client of the exchange: its identity key, and whom it trusts.
pub struct Party {
    identity: LocalIdentity,
    anchors: Vec<Vec<u8>>,
}

impl Party {
    /// From PEM: the certificate with those above it, its private key in any
    /// format that is imported, and the authorities that certify servers.
    ///
    /// # Errors
    /// [`Refusal::Input`] for what is none of these, or do not belong together.
    pub fn from_pem(
        certificates: &[u8],
        private_key: &[u8],
        authorities: &[u8],
    ) -> std::result::Result<Self, Refusal> {
        let chain = std::str::from_utf8(certificates)
            .map_err(|_| Refusal::Input("not a chain of certificates in PEM"))?;
        let unknown = Refusal::Input("no authority (PEM) to trust");
        let text = std::str::from_utf8(authorities).map_err(|_| unknown.clone())?;
        Ok(Self {
            identity: LocalIdentity::from_pem(chain, private_key, None)?,
            anchors: pem::decode(pem::CERTIFICATE, text).map_err(|_| unknown)?,
        })
    }

    /// Message 1, and what waits for the answer.
    ///
    /// # Errors
    /// As [`LocalIdentity::ask`].
    pub fn begin(
        &self,
        intent: Intent,
        now: Moment,
    ) -> std::result::Result<(Vec<u8>, AwaitingReply), Refusal> {
        self.identity.ask(intent, now, &mut rand::fill)
    }

    /// Takes message 2. `lists` are revocation lists (DER) that came from
    /// wherever: they are judged like the certificates.
    ///
    /// # Errors
    /// As [`AwaitingReply::receive`].
    pub fn receive(
        &self,
        waiting: AwaitingReply,
        message: &[u8],
        lists: &[Vec<u8>],
        now: Moment,
    ) -> std::result::Result<Outcome, Refusal> {
        let anchors: Vec<_> = (self.anchors.iter())
            .filter_map(|der| Certificate::from_der(der).ok())
            .collect();
        let crls: Vec<_> = (lists.iter())
            .filter_map(|der| Crl::from_der(der).ok())
            .collect();
        let trust = Trust::new(Evidence {
            anchors: &anchors,
            crls: &crls,
            ..Evidence::default()
        });
        waiting.receive(message, &trust, now)
    }
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Party(<redacted>)")
    }
}

/// A key that both sides have, and that the server uses from now on.
#[derive(Debug)]
pub struct AgreedKey {
    /// The key.
    pub key: SecretBytes,
    /// What is said about it.
    pub grant: Grant,
    /// The server's view of it.
    pub view: KeyView,
}

impl Client {
    /// Agrees on a new key with the server.
    ///
    /// # Errors
    /// [`crate::Error::Exchange`] for an answer that does not hold, and what a call
    /// gives.
    pub async fn agree_on_key(&self, party: &Party, wanted: Agreement) -> Result<AgreedKey> {
        let request = Request::Agreement(wanted);
        let Outcome::Agreed(agreed) = self.exchange_with(party, request).await? else {
            return Err(Refusal::Input("a key that was not agreed on").into());
        };
        let message = Bytes::new(agreed.confirmation);
        let confirmed = self.confirm_exchange(&ExchangeMessage { message }).await?;
        Ok(AgreedKey {
            key: agreed.key,
            grant: agreed.grant,
            view: confirmed.key,
        })
    }

    /// Has a key sealed to this client.
    ///
    /// # Errors
    /// As [`Self::agree_on_key`].
    pub async fn fetch_key(&self, party: &Party, wanted: Distribution) -> Result<Distributed> {
        match self
            .exchange_with(party, Request::Distribution(wanted))
            .await?
        {
            Outcome::Distributed(key) => Ok(key),
            Outcome::Agreed(_) => Err(Refusal::Input("a key that was agreed on").into()),
        }
    }

    /// Agrees on a new key that is bound to a TLS connection, made for it: by
    /// the client certificate of this client, and nothing else.
    ///
    /// # Errors
    /// [`crate::Error::Exchange`] with `channel` where somebody ends TLS in
    /// between, and what a call gives.
    pub async fn bind_key(&self, wanted: Agreement) -> Result<AgreedKey> {
        const ROUTE: &Route = route("exchange-bind");
        let mut nonce = [0; NONCE];
        rand::fill(&mut nonce).map_err(|_| Refusal::Own("no randomness"))?;
        let asked = Asked { wanted, nonce };
        let named = &asked.wanted;
        let words = named.uses.iter().map(|word| {
            let known = KeyUse::ALL.iter().find(|known| known.word() == word);
            known.copied().ok_or(Refusal::Input("a use of keys"))
        });
        let words = words.collect::<std::result::Result<Vec<_>, _>>()?;
        let request = |channel: &Channel| -> Result<BindKeyRequest> {
            Ok(BindKeyRequest {
                keyring: named.key.keyring.clone(),
                name: named.key.name.clone(),
                algorithm: named.algorithm.clone(),
                uses: (!words.is_empty()).then_some(words),
                lifetime_seconds: named.lifetime_seconds,
                nonce: Bytes::new(nonce.to_vec()),
                mac: Bytes::new(channel.request_mac(&asked)?.to_vec()),
            })
        };
        let called = self.bound::<_, BindKeyResponse>(ROUTE, &named.key.namespace, request);
        let (channel, answer) = called.await?;
        let answered = answered(&asked, &answer)?;
        channel.check_answer(&asked, &answered, &answer.mac)?;
        Ok(AgreedKey {
            key: channel.key(&asked, &answered)?,
            grant: answered.grant,
            view: answer.key,
        })
    }

    async fn exchange_with(&self, party: &Party, request: Request) -> Result<Outcome> {
        let server = ServerName::host(self.host())?;
        let (message, waiting) = party.begin(Intent::new(server, request), now())?;
        let message = Bytes::new(message);
        let reply = self.begin_exchange(&ExchangeMessage { message }).await?;
        let lists: Vec<_> = reply.crls.into_iter().map(Bytes::into_inner).collect();
        Ok(party.receive(waiting, &reply.message, &lists, now())?)
    }
}

/// What the server says that it gave; nothing of it is believed before its MAC
/// was checked.
fn answered(asked: &Asked, answer: &BindKeyResponse) -> std::result::Result<Answered, Refusal> {
    let malformed = |_| Refusal::Malformed("an answer that is none");
    let nonce = <[u8; NONCE]>::try_from(answer.nonce.as_ref());
    let length = usize::try_from(answer.length_bytes);
    Ok(Answered {
        grant: Grant {
            key: asked.wanted.key.clone(),
            algorithm: answer.key.algorithm.clone(),
            uses: Uses::new(answer.key.uses.iter().map(|one| one.word()))?,
            lifetime_seconds: answer.lifetime_seconds,
            version: answer.version.into(),
            id: answer.key.id.clone(),
            given: Given::Agreed {
                length: length.map_err(|_| Refusal::Malformed("a long key"))?,
            },
        },
        nonce: nonce.map_err(malformed)?,
    })
}

pub(crate) fn now() -> Moment {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = elapsed.map_or(0, |elapsed| elapsed.as_secs());
    Moment(i64::try_from(seconds).unwrap_or(i64::MAX))
}
