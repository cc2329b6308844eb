//! Keys that are bound to a TLS connection: docs/exchange.md, "Keys bound to a
//! TLS connection". Both ends compute them from what the connection exports
//! (RFC 8446, section 7.5), so that two connections with somebody between them
//! give two keys, and MACs that do not hold.

use std::fmt;

use skms_crypto::hash::sha256;
use skms_crypto::{Hash, SecretBytes, ct_eq, hkdf};

use crate::cbor::Writer;
use crate::error::{Error, Result, own};
use crate::grant::{Given, Grant};
use crate::message::{Digest, HASH, NONCE};
use crate::request::{Agreement, Request};
use crate::schedule::{hash, mac};

// Labels that are not registered begin so (RFC 5705, section 4).
const REQUEST: &str = "EXPERIMENTAL skms-bind-v1 request";
const ANSWER: &str = "EXPERIMENTAL skms-bind-v1 answer";
const KEY: &str = "EXPERIMENTAL skms-bind-v1 key";

const REQUEST_STRUCTURE: &str = "skms-bind-v1 request";
const ANSWER_STRUCTURE: &str = "skms-bind-v1 answer";
const FIXED_INFO: &str = "skms-bind-v1 key";

/// A TLS connection between two ends that have both shown a certificate, as
/// either of them sees it.
pub struct Channel {
    request: SecretBytes,
    answer: SecretBytes,
    key: SecretBytes,
    client: Digest,
    server: Digest,
    fingerprint: [u8; 32],
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Channel(<redacted>)")
    }
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The key.
    pub wanted: Agreement,
    /// Random, never used before.
    pub nonce: [u8; NONCE],
}

/// What the server gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The key.
    pub grant: Grant,
    /// Random.
    pub nonce: [u8; NONCE],
}

impl Channel {
    /// From the certificates (DER) that both ends showed, and the connection's
    /// exporter: it gets a label, a context, and what it is to fill.
    ///
    /// # Errors
    /// [`Error::Own`] for a connection that exports nothing.
    pub fn of<E>(
        client: &[u8],
        server: &[u8],
        mut export: impl FnMut(&[u8], &[u8], &mut [u8]) -> std::result::Result<(), E>,
    ) -> Result<Self> {
        let hashed = (hash(&[client]), hash(&[server]));
        let context = [hashed.0, hashed.1].concat();
        let mut secret = |label: &str| {
            let mut done = false;
            let secret = SecretBytes::with_len(HASH, |out| {
                done = export(label.as_bytes(), &context, out).is_ok();
            });
            match done {
                true => Ok(secret),
                false => Err(Error::Own("the connection exports nothing")),
            }
        };
        Ok(Self {
            request: secret(REQUEST)?,
            answer: secret(ANSWER)?,
            key: secret(KEY)?,
            client: hashed.0,
            server: hashed.1,
            fingerprint: sha256(&[client]),
        })
    }

    /// SHA-256 of the client's certificate.
    #[must_use]
    pub fn client_fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// The client's MAC.
    ///
    /// # Errors
    /// [`Error::Input`] for what has no place in a request.
    pub fn request_mac(&self, asked: &Asked) -> Result<Digest> {
        mac(&self.request, &asked.structure()?)
    }

    /// Whether it is the client at the other end of this connection that asks.
    ///
    /// # Errors
    /// [`Error::Channel`]; [`Error::Malformed`] for what has no place in a
    /// request.
    pub fn check_request(&self, asked: &Asked, found: &[u8]) -> Result<()> {
        let structure = asked.structure();
        let structure = structure.map_err(|_| Error::Malformed("names, words or lifetime"))?;
        holds(&mac(&self.request, &structure)?, found)
    }

    /// The server's MAC.
    ///
    /// # Errors
    /// [`Error::Input`] for what has no place in an answer.
    pub fn answer_mac(&self, asked: &Asked, answered: &Answered) -> Result<Digest> {
        mac(&self.answer, &answered.structure(asked)?)
    }

    /// Whether it is the server at the other end of this connection that
    /// answers, and with what was asked for.
    ///
    /// # Errors
    /// [`Error::Channel`], [`Error::Grant`].
    pub fn check_answer(&self, asked: &Asked, answered: &Answered, found: &[u8]) -> Result<()> {
        let structure = answered.structure(asked);
        let structure = structure.map_err(|_| Error::Malformed("an answer that is none"))?;
        holds(&mac(&self.answer, &structure)?, found)?;
        answered.grant.fits(&asked.request())
    }

    /// The key.
    ///
    /// # Errors
    /// [`Error::Input`] for what no key is made of.
    pub fn key(&self, asked: &Asked, answered: &Answered) -> Result<SecretBytes> {
        let grant = &answered.grant;
        let Given::Agreed { length } = grant.given else {
            return Err(Error::Input("a key that was not agreed on"));
        };
        let salt = hash(&[&answered.structure(asked)?]);
        let mut info = Writer::default();
        info.array(10).text(FIXED_INFO);
        info.bytes(&self.client).bytes(&self.server);
        let name = &grant.key;
        info.text(&name.namespace)
            .text(&name.keyring)
            .text(&name.name);
        info.text(&grant.id).uint(grant.version);
        info.text(&grant.algorithm).uint(length as u64);
        let secret = self.key.expose();
        hkdf(Hash::Sha512, secret, &salt, &info.finish(), length).map_err(own)
    }
}

impl Asked {
    fn request(&self) -> Request {
        Request::Agreement(self.wanted.clone())
    }

    /// What the client's MAC is over.
    fn structure(&self) -> Result<Vec<u8>> {
        let request = self.request();
        request.check()?;
        let mut out = Writer::default();
        out.array(3).text(REQUEST_STRUCTURE).bytes(&self.nonce);
        request.write(&mut out);
        Ok(out.finish())
    }
}

impl Answered {
    /// What the server's MAC is over.
    fn structure(&self, asked: &Asked) -> Result<Vec<u8>> {
        self.grant.check()?;
        let mut out = Writer::default();
        out.array(4).text(ANSWER_STRUCTURE);
        out.bytes(&hash(&[&asked.structure()?])).bytes(&self.nonce);
        self.grant.write(&mut out);
        Ok(out.finish())
    }
}

fn holds(expected: &Digest, found: &[u8]) -> Result<()> {
    match ct_eq(expected, found) {
        true => Ok(()),
        false => Err(Error::Channel),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{KeyName, Uses};

    /// Stands for an exporter: what it gives depends on connection, label and
    /// context.
    fn channel(connection: u8, client: &[u8], server: &[u8]) -> Channel {
        let export = |label: &[u8], context: &[u8], out: &mut [u8]| {
            let ikm = [connection; 32];
            let exported = hkdf(Hash::Sha512, &ikm, label, context, out.len())?;
            out.copy_from_slice(exported.expose());
            Ok::<(), skms_crypto::Error>(())
        };
        Channel::of(client, server, export).unwrap()
    }

    fn asked() -> Asked {
        Asked {
            wanted: Agreement {
                key: KeyName::new("team", "default", "k"),
                algorithm: "AES-256-GCM".to_owned(),
                uses: Uses::new(["encrypt", "decrypt"]).unwrap(),
                lifetime_seconds: Some(60),
            },
            nonce: [1; NONCE],
        }
    }

    fn answered() -> Answered {
        Answered {
            grant: Grant {
                key: KeyName::new("team", "default", "k"),
                algorithm: "AES-256-GCM".to_owned(),
                uses: Uses::new(["encrypt", "decrypt"]).unwrap(),
                lifetime_seconds: Some(60),
                version: 1,
                id: "an-id".to_owned(),
                given: Given::Agreed { length: 32 },
            },
            nonce: [2; NONCE],
        }
    }

    #[test]
    fn both_ends_have_one_key_and_nobody_else() {
        let (client, server) = (channel(1, b"c", b"s"), channel(1, b"c", b"s"));
        let (asked, answered) = (asked(), answered());
        let first = client.request_mac(&asked).unwrap();
        server.check_request(&asked, &first).unwrap();
        let second = server.answer_mac(&asked, &answered).unwrap();
        client.check_answer(&asked, &answered, &second).unwrap();
        let key = client.key(&asked, &answered).unwrap();
        assert!(server.key(&asked, &answered).unwrap().ct_eq(key.expose()));
        assert_eq!(key.len(), 32);
        // The two MACs and the key have keys of their own.
        assert_ne!(first, second);
        // Another connection, or one between other certificates.
        for other in [
            channel(2, b"c", b"s"),
            channel(1, b"d", b"s"),
            channel(1, b"c", b"t"),
        ] {
            let refused = other.check_request(&asked, &first).unwrap_err();
            assert_eq!(refused, Error::Channel);
            let refused = other.check_answer(&asked, &answered, &second);
            assert_eq!(refused.unwrap_err(), Error::Channel);
            assert!(!other.key(&asked, &answered).unwrap().ct_eq(key.expose()));
        }
        // A reflection.
        assert!(server.check_request(&asked, &second).is_err());
        assert!(client.check_answer(&asked, &answered, &first).is_err());
        assert!(server.check_request(&asked, &first[..63]).is_err());
        assert!(server.check_request(&asked, b"").is_err());
    }

    #[test]
    fn whatever_is_asked_or_given_counts() {
        let channel = channel(1, b"c", b"s");
        let (one, given) = (asked(), answered());
        let first = channel.request_mac(&one).unwrap();
        let second = channel.answer_mac(&one, &given).unwrap();
        let key = channel.key(&one, &given).unwrap();
        type ChangeOfAsked = fn(&mut Asked);
        let changes: [ChangeOfAsked; 7] = [
            |asked| asked.nonce[0] ^= 1,
            |asked| asked.wanted.key.namespace.push('x'),
            |asked| asked.wanted.key.keyring.push('x'),
            |asked| asked.wanted.key.name.push('x'),
            |asked| asked.wanted.algorithm = "AES-128-GCM".to_owned(),
            |asked| asked.wanted.uses = Uses::default(),
            |asked| asked.wanted.lifetime_seconds = None,
        ];
        for change in changes {
            let mut other = asked();
            change(&mut other);
            assert_eq!(channel.check_request(&other, &first), Err(Error::Channel));
            let refused = channel.check_answer(&other, &given, &second);
            assert_eq!(refused, Err(Error::Channel));
            assert!(!channel.key(&other, &given).unwrap().ct_eq(key.expose()));
        }
        type ChangeOfAnswer = fn(&mut Answered);
        let changes: [ChangeOfAnswer; 5] = [
            |answered| answered.nonce[0] ^= 1,
            |answered| answered.grant.id.push('x'),
            |answered| answered.grant.version = 2,
            |answered| answered.grant.lifetime_seconds = Some(59),
            |answered| answered.grant.uses = Uses::default(),
        ];
        for change in changes {
            let mut other = answered();
            change(&mut other);
            let refused = channel.check_answer(&one, &other, &second);
            assert_eq!(refused, Err(Error::Channel));
            assert!(!channel.key(&one, &other).unwrap().ct_eq(key.expose()));
        }
        // True, and not what was asked for.
        let mut longer = answered();
        longer.grant.lifetime_seconds = Some(61);
        let mac = channel.answer_mac(&one, &longer).unwrap();
        let refused = channel.check_answer(&one, &longer, &mac).unwrap_err();
        assert_eq!(refused.name(), "grant");
        // What has no place in either.
        let mut empty = asked();
        empty.wanted.key.name.clear();
        let refused = channel.check_request(&empty, &first).unwrap_err();
        assert_eq!(refused.name(), "malformed");
    }

    #[test]
    fn a_connection_that_exports_nothing_is_none() {
        let failing = |_: &[u8], _: &[u8], _: &mut [u8]| Err::<(), ()>(());
        assert!(Channel::of(b"c", b"s", failing).is_err());
    }
}
