//! What is kept of key exchanges: that a message was here, and what waits for
//! its confirmation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use skms_crypto::SecretBytes;
use skms_store::Kind;
use zeroize::Zeroizing;

use super::Record;
use super::der::Der;

/// That a message 1 was here.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReplayRecord {
    /// When it is forgotten, in seconds since the Unix epoch.
    pub(crate) ends_at: i64,
}

impl Record for ReplayRecord {
    const KIND: Kind = Kind::ExchangeReplay;
}

/// An agreement that waits for message 3.
#[derive(Serialize, Deserialize)]
pub(crate) struct ExchangeRecord {
    /// When the wait ends, in seconds since the Unix epoch.
    pub(crate) ends_at: i64,
    /// The names of the key that it activates.
    pub(crate) namespace: String,
    pub(crate) keyring: String,
    pub(crate) key: String,
    /// The key's identifier: another one of that name is not meant.
    pub(crate) id: String,
    /// The initiator's certificate (DER): it must still be good.
    pub(crate) certificate: Der,
    /// Those above it, to the anchor, where it was good by them.
    #[serde(default)]
    pub(crate) above: Vec<Der>,
    /// The server's certificate and those above it: as who it answered.
    #[serde(default)]
    pub(crate) server: Vec<Der>,
    /// What waits, as the exchange room writes it.
    pub(crate) waiting: Waiting,
}

impl ExchangeRecord {
    /// Every certificate (DER) that it stands on, the client's and the server's.
    pub(crate) fn stands_on(&self) -> impl Iterator<Item = &[u8]> {
        let client = std::iter::once(&self.certificate).chain(&self.above);
        client.chain(&self.server).map(|der| der.0.as_slice())
    }
}

impl Record for ExchangeRecord {
    const KIND: Kind = Kind::Exchange;
}

/// What is expected of message 3, in base64. Who can read it can confirm.
pub(crate) struct Waiting(pub(crate) SecretBytes);

impl Serialize for Waiting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(STANDARD.encode(self.0.expose()));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Waiting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        STANDARD
            .decode(text.as_bytes())
            .map(|bytes| Self(SecretBytes::new(bytes)))
            .map_err(|_| serde::de::Error::custom("base64"))
    }
}
