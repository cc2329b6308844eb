//! How control of a name is looked for: the engine asks through this and opens
//! no socket itself.

use std::future::Future;
use std::pin::Pin;

use skms_pki::acme::Identifier;

/// What somebody out there answered, or why nobody did.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ProbeError>> + Send + 'a>>;

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The name does not resolve.
    #[error("{0}")]
    Dns(String),
    /// Nobody answers there, not in time, or not as HTTP or TLS has it.
    #[error("{0}")]
    Connection(String),
    /// It is a place that is not connected to: asking again changes nothing.
    #[error("{0}")]
    Forbidden(String),
    /// The handshake failed.
    #[error("{0}")]
    Tls(String),
    /// There was an answer, and it cannot be the right one.
    #[error("{0}")]
    Incorrect(String),
}

/// Asks servers on the network. Each call ends by itself in bounded time and
/// with bounded memory, resolves names by itself, and connects only to
/// addresses that the operator lets it connect to; what it gives back is not
/// trusted.
pub trait Prober: Send + Sync {
    /// What `http://IDENTIFIER/.well-known/acme-challenge/TOKEN` holds.
    fn http<'a>(&'a self, identifier: &'a Identifier, token: &'a str) -> Answer<'a, Vec<u8>>;

    /// The TXT records of a name.
    fn txt<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<Vec<u8>>>;

    /// The certificate (DER) that a TLS server shows to `acme-tls/1`.
    fn tls_alpn<'a>(&'a self, identifier: &'a Identifier) -> Answer<'a, Vec<u8>>;
}

/// Asks nobody: every answer is that there is none.
pub struct NoProber;

fn nobody<'a, T: Send + 'a>() -> Answer<'a, T> {
    let why = "this server looks for no answers".to_owned();
    Box::pin(std::future::ready(Err(ProbeError::Connection(why))))
}

impl Prober for NoProber {
    fn http<'a>(&'a self, _: &'a Identifier, _: &'a str) -> Answer<'a, Vec<u8>> {
        nobody()
    }

    fn txt<'a>(&'a self, _: &'a str) -> Answer<'a, Vec<Vec<u8>>> {
        nobody()
    }

    fn tls_alpn<'a>(&'a self, _: &'a Identifier) -> Answer<'a, Vec<u8>> {
        nobody()
    }
}
