//! What a client needs to know.

use std::time::Duration;

use skms_wire::SecretText;
use skms_wire::native::routes::DEFAULT_NAMESPACE;
use zeroize::Zeroizing;

use crate::{Address, Retry};

/// A client certificate and its private key.
pub struct Identity {
    /// The certificate, then any intermediates, PEM.
    pub certificates_pem: Vec<u8>,
    /// The private key (PKCS#8, SEC 1 or PKCS#1), PEM.
    pub private_key_pem: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(<redacted>)")
    }
}

/// Where the server is, whom to trust, and who asks.
#[derive(Debug)]
pub struct Config {
    /// Where the server is.
    pub address: Address,
    /// The only authorities trusted, PEM; the system's own if absent.
    pub ca_pem: Option<Vec<u8>>,
    /// The certificate to show, if any.
    pub identity: Option<Identity>,
    /// The token to send, if any.
    pub token: Option<SecretText>,
    /// The namespace asked of.
    pub namespace: String,
    /// The approvals that calls come with, by the identifiers of their requests
    /// and with commas between them.
    pub approvals: Option<String>,
    /// Why something is to be done, for those who are to approve of it.
    pub approval_reason: Option<String>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a call may take, its retries not counted.
    pub timeout: Duration,
    /// When and how often to try again.
    pub retry: Retry,
}

impl Config {
    /// The usual settings for an address.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            ca_pem: None,
            identity: None,
            token: None,
            namespace: DEFAULT_NAMESPACE.to_owned(),
            approvals: None,
            approval_reason: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            retry: Retry::default(),
        }
    }
}
