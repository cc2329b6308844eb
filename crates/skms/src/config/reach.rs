//! Where this server connects to because somebody else says so.

use std::net::SocketAddr;
use std::time::Duration;

use skms_pki::issue::IpNetwork;

use super::{ConfigError, value};

/// Which addresses are connected to, and how they are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The resolver that is asked; the system's by default.
    pub resolver: Option<SocketAddr>,
    /// Whether addresses are connected to that are not for anybody to reach.
    pub allow_private: bool,
    /// Networks of such addresses that are connected to all the same.
    pub allow: Vec<IpNetwork>,
    /// How long one exchange may take in all.
    pub timeout: Duration,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            resolver: None,
            allow_private: false,
            allow: Vec::new(),
            timeout: Duration::from_secs(10),
        }
    }
}

impl Reach {
    /// From the settings of a table, by the names of three of them.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for the first that cannot be.
    pub fn of(
        [resolver_setting, allow_setting, timeout_setting]: [&'static str; 3],
        resolver: Option<String>,
        allow_private: Option<bool>,
        allow: Option<Vec<String>>,
        timeout_seconds: Option<u64>,
    ) -> Result<Self, ConfigError> {
        let usual = Self::default();
        let resolver = resolver.map(|text| {
            let address = text.parse();
            address.map_err(|_| value(resolver_setting, "it is an address with its port"))
        });
        let network = |text: &String| {
            let network = text.parse();
            network.map_err(|_| value(allow_setting, format!("{text:?} is no network")))
        };
        Ok(Self {
            resolver: resolver.transpose()?,
            allow_private: allow_private.unwrap_or(usual.allow_private),
            allow: allow
                .unwrap_or_default()
                .iter()
                .map(network)
                .collect::<Result<_, _>>()?,
            timeout: match timeout_seconds {
                None => usual.timeout,
                Some(seconds @ 1..=60) => Duration::from_secs(seconds),
                Some(_) => return Err(value(timeout_setting, "it is from 1 to 60")),
            },
        })
    }
}
