//! Looking for the answers to ACME's challenges: the engine's
//! [`Prober`](skms_engine::probe::Prober) over sockets.
//!
//! Whoever orders a certificate chooses where this server connects to. So it
//! connects to the ports that challenges have, to addresses that [`reach`] lets
//! it connect to; answers are small, and everything ends in time.

mod http;
mod tls;

use std::time::Duration;

use skms_engine::probe::{Answer, ProbeError, Prober};
use skms_pki::acme::Identifier;
use tokio::net::TcpStream;

use super::reach;
use crate::config::AcmeConfig;

/// Asks servers out there.
pub struct Probes {
    config: AcmeConfig,
}

impl Probes {
    /// By these settings.
    #[must_use]
    pub fn new(config: AcmeConfig) -> Self {
        Self { config }
    }

    async fn connect(&self, host: &Identifier, port: u16) -> Result<TcpStream, ProbeError> {
        reach::connect(&self.config.reach, host, port).await
    }

    /// Ends what takes too long.
    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, ProbeError>>,
    ) -> Result<T, ProbeError> {
        let late = |limit: Duration| {
            ProbeError::Connection(format!("no answer within {} seconds", limit.as_secs()))
        };
        let limit = self.config.reach.timeout;
        tokio::time::timeout(limit, work)
            .await
            .unwrap_or_else(|_| Err(late(limit)))
    }
}

impl Prober for Probes {
    fn http<'a>(&'a self, identifier: &'a Identifier, token: &'a str) -> Answer<'a, Vec<u8>> {
        Box::pin(self.in_time(http::fetch(self, identifier, token)))
    }

    fn txt<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<Vec<u8>>> {
        Box::pin(self.in_time(reach::dns::texts(&self.config.reach, name)))
    }

    fn tls_alpn<'a>(&'a self, identifier: &'a Identifier) -> Answer<'a, Vec<u8>> {
        Box::pin(self.in_time(tls::challenge(self, identifier)))
    }
}
