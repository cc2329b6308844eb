//! Looking for the answers to ACME's challenges: the engine's
//! [`Prober`](skms_engine::probe::Prober) over sockets.
//!
//! Whoever orders a certificate chooses where this server connects to. So it
//! connects to the ports that challenges have and to addresses that anybody
//! may reach, unless the operator says more; names are resolved here and the
//! address that was checked is the one connected to; answers are small, and
//! everything ends in time.

mod addresses;
mod dns;
mod http;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use skms_engine::probe::{Answer, ProbeError, Prober};
use skms_pki::acme::Identifier;
use tokio::net::TcpStream;

use crate::config::AcmeConfig;

/// The most addresses of a name that are tried.
const ADDRESSES: usize = 4;

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

    /// Connects to a name or address, at one of the addresses that may be
    /// connected to.
    async fn connect(&self, host: &Identifier, port: u16) -> Result<TcpStream, ProbeError> {
        let found = match host {
            Identifier::Ip(address) => vec![*address],
            Identifier::Dns(name) => dns::addresses(&self.config, name).await?,
        };
        let allowed: Vec<IpAddr> = found
            .iter()
            .copied()
            .filter(|address| addresses::may_be_asked(&self.config, *address))
            .take(ADDRESSES)
            .collect();
        if allowed.is_empty() {
            return Err(ProbeError::Forbidden(format!(
                "{host}: none of its addresses is one that this server connects to"
            )));
        }
        let each = self.config.timeout / 2;
        for address in allowed {
            let connecting = TcpStream::connect(SocketAddr::new(address, port));
            if let Ok(Ok(stream)) = tokio::time::timeout(each, connecting).await {
                return Ok(stream);
            }
        }
        Err(ProbeError::Connection(format!(
            "{host}: nobody answers at port {port}"
        )))
    }

    /// Ends what takes too long.
    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, ProbeError>>,
    ) -> Result<T, ProbeError> {
        let late = |limit: Duration| {
            ProbeError::Connection(format!("no answer within {} seconds", limit.as_secs()))
        };
        let limit = self.config.timeout;
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
        Box::pin(self.in_time(dns::texts(&self.config, name)))
    }

    fn tls_alpn<'a>(&'a self, identifier: &'a Identifier) -> Answer<'a, Vec<u8>> {
        Box::pin(self.in_time(tls::challenge(self, identifier)))
    }
}
