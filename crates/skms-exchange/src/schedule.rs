//! The key schedule: docs/exchange.md, "Key schedule". Every label of the
//! exchange stands here.

use skms_crypto::hpke::{Receiver, Sender};
use skms_crypto::{Algorithm, Hash, Hasher, KeyMaterial, OpenKey, SecretBytes, hkdf};

use crate::cbor::Writer;
use crate::error::{Error, Message, Result, own};
use crate::grant::{Given, Grant};
use crate::message::{Digest, HASH};
use crate::name::ServerName;

const INFO: &[u8] = b"skms-exchange-v1 hpke";
const CONFIRM_2: &[u8] = b"skms-exchange-v1 confirm 2";
const CONFIRM_3: &[u8] = b"skms-exchange-v1 confirm 3";
const AGREE: &[u8] = b"skms-exchange-v1 agree";
const KEY: &str = "skms-exchange-v1 key";
const REPLAY: &[u8] = b"skms-exchange-v1 replay";

/// The external data of a message: no signature and no MAC made for anything
/// else is one of these.
pub(crate) const fn label(message: Message) -> &'static str {
    match message {
        Message::First => "skms-exchange-v1 message 1",
        Message::Second => "skms-exchange-v1 message 2",
        Message::Third => "skms-exchange-v1 message 3",
    }
}

/// SHA-512 of parts, one after the other.
pub(crate) fn hash(parts: &[&[u8]]) -> Digest {
    let mut hasher = Hasher::new(Hash::Sha512);
    for part in parts {
        hasher.update(part);
    }
    let mut digest = [0; HASH];
    digest.copy_from_slice(&hasher.finish());
    digest
}

/// The replay entry of a message 1.
pub(crate) fn replay(certificate: &Digest, nonce: &[u8]) -> [u8; 32] {
    let digest = hash(&[REPLAY, certificate, nonce]);
    let mut entry = [0; 32];
    entry.copy_from_slice(&digest[..32]);
    entry
}

/// HPKE's info.
pub(crate) fn info(first: &Digest) -> Vec<u8> {
    [INFO, first].concat()
}

/// Either side of an HPKE context.
pub(crate) trait Export {
    fn secret(&self, label: &[u8], length: usize) -> skms_crypto::Result<SecretBytes>;
}

impl Export for Sender {
    fn secret(&self, label: &[u8], length: usize) -> skms_crypto::Result<SecretBytes> {
        self.export(label, length)
    }
}

impl Export for Receiver {
    fn secret(&self, label: &[u8], length: usize) -> skms_crypto::Result<SecretBytes> {
        self.export(label, length)
    }
}

/// What a context exports, once and each for one purpose.
pub(crate) struct Secrets {
    confirm_2: SecretBytes,
    confirm_3: SecretBytes,
    agree: SecretBytes,
}

impl Secrets {
    pub(crate) fn of(context: &impl Export) -> Result<Self> {
        let export = |label| context.secret(label, HASH).map_err(own);
        Ok(Self {
            confirm_2: export(CONFIRM_2)?,
            confirm_3: export(CONFIRM_3)?,
            agree: export(AGREE)?,
        })
    }

    /// The responder's MAC, over the body of message 2.
    pub(crate) fn confirm_2(&self, body: &[u8]) -> Result<Digest> {
        mac(&self.confirm_2, body)
    }

    /// The initiator's MAC, over the MAC_structure of message 3.
    pub(crate) fn confirm_3(&self, structure: &[u8]) -> Result<Digest> {
        mac(&self.confirm_3, structure)
    }

    /// The agreed key.
    pub(crate) fn agreed(&self, between: &Between<'_>) -> Result<SecretBytes> {
        let Given::Agreed { length } = between.grant.given else {
            return Err(Error::Input("no key is agreed on in a distribution"));
        };
        let info = between.fixed_info(length);
        let secret = self.agree.expose();
        hkdf(Hash::Sha512, secret, between.second, &info, length).map_err(own)
    }
}

/// What is bound into an agreed key.
pub(crate) struct Between<'a> {
    pub(crate) initiator: &'a Digest,
    pub(crate) responder: &'a Digest,
    pub(crate) server: &'a ServerName,
    pub(crate) grant: &'a Grant,
    /// T2.
    pub(crate) second: &'a Digest,
}

impl Between<'_> {
    fn fixed_info(&self, length: usize) -> Vec<u8> {
        let mut out = Writer::default();
        out.array(11)
            .text(KEY)
            .bytes(self.initiator)
            .bytes(self.responder);
        self.server.write(&mut out);
        let key = &self.grant.key;
        out.text(&key.namespace).text(&key.keyring).text(&key.name);
        out.text(&self.grant.id)
            .uint(self.grant.version)
            .text(&self.grant.algorithm)
            .uint(length as u64);
        out.finish()
    }
}

/// HMAC-SHA-512.
pub(crate) fn mac(key: &SecretBytes, message: &[u8]) -> Result<Digest> {
    let key = KeyMaterial::from_record(Algorithm::HmacSha512, key.expose()).map_err(own)?;
    let tag = OpenKey::open(&key)
        .and_then(|key| key.mac(message))
        .map_err(own)?;
    tag.try_into()
        .map_err(|_| Error::Own("a MAC of another length"))
}
