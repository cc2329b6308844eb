//! Connecting where somebody else says: a challenge of ACME, a webhook.
//!
//! Whoever says so must not reach through this server what they do not reach
//! themselves. So it connects to addresses that anybody may reach, unless the
//! operator says more; names are resolved here, and the address that was
//! checked is the one connected to.

pub mod addresses;
pub mod dns;

use std::net::{IpAddr, SocketAddr};

use skms_engine::probe::ProbeError;
use skms_pki::acme::Identifier;
use tokio::net::TcpStream;

use crate::config::Reach;

/// The most addresses of a name that are tried.
const ADDRESSES: usize = 4;

/// Connects to a name or address, at one of the addresses that may be connected
/// to.
///
/// # Errors
/// [`ProbeError::Forbidden`] where there is none.
pub async fn connect(reach: &Reach, host: &Identifier, port: u16) -> Result<TcpStream, ProbeError> {
    let found = match host {
        Identifier::Ip(address) => vec![*address],
        Identifier::Dns(name) => dns::addresses(reach, name).await?,
    };
    let allowed: Vec<IpAddr> = found
        .iter()
        .copied()
        .filter(|address| addresses::may_be_asked(reach, *address))
        .take(ADDRESSES)
        .collect();
    if allowed.is_empty() {
        return Err(ProbeError::Forbidden(format!(
            "{host}: none of its addresses is one that this server connects to"
        )));
    }
    let each = reach.timeout / 2;
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
