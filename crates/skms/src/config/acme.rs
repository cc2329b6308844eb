//! The `[acme]` table: what this server is called, and where it looks for the
//! answers to challenges.

use serde::Deserialize;

use super::{ConfigError, Reach, value};

/// The `[acme]` table of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcmeSettings {
    /// As [`AcmeConfig::url`].
    pub url: Option<String>,
    /// As [`Reach::resolver`].
    pub resolver: Option<String>,
    /// As [`AcmeConfig::http_port`].
    pub http_port: Option<u16>,
    /// As [`AcmeConfig::tls_port`].
    pub tls_port: Option<u16>,
    /// As [`Reach::allow_private`].
    pub allow_private: Option<bool>,
    /// As [`Reach::allow`].
    pub allow: Option<Vec<String>>,
    /// As [`Reach::timeout`], in seconds.
    pub timeout_seconds: Option<u64>,
}

/// How ACME is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeConfig {
    /// How clients call this server, such as `https://acme.example.org`;
    /// requests for another are refused. By default the names of `tls.names`,
    /// this machine's loopback names and the addresses listened at.
    pub url: Option<String>,
    /// The port that http-01 is looked for at, 80 by the standard.
    pub http_port: u16,
    /// The port that tls-alpn-01 is looked for at, 443 by the standard.
    pub tls_port: u16,
    /// Where it connects to, and how long one look may take.
    pub reach: Reach,
}

impl Default for AcmeConfig {
    fn default() -> Self {
        Self {
            url: None,
            http_port: 80,
            tls_port: 443,
            reach: Reach::default(),
        }
    }
}

impl AcmeSettings {
    /// What `other` says, and where it says nothing, what this says.
    #[must_use]
    pub fn overridden_by(self, other: Self) -> Self {
        Self {
            url: other.url.or(self.url),
            resolver: other.resolver.or(self.resolver),
            http_port: other.http_port.or(self.http_port),
            tls_port: other.tls_port.or(self.tls_port),
            allow_private: other.allow_private.or(self.allow_private),
            allow: other.allow.or(self.allow),
            timeout_seconds: other.timeout_seconds.or(self.timeout_seconds),
        }
    }

    /// Fills in the defaults and checks the whole.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for the first setting that cannot be.
    pub fn resolve(self) -> Result<AcmeConfig, ConfigError> {
        let usual = AcmeConfig::default();
        let url = self.url.map(|url| url.trim_end_matches('/').to_owned());
        let web = |url: &String| {
            url.strip_prefix("https://")
                .is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']))
        };
        if url.as_ref().is_some_and(|url| !web(url)) {
            return Err(value("acme.url", "it is https:// and a host, with no path"));
        }
        let port = |setting, given: Option<u16>, otherwise| match given {
            Some(0) => Err(value(setting, "it is from 1 to 65535")),
            other => Ok(other.unwrap_or(otherwise)),
        };
        Ok(AcmeConfig {
            url,
            http_port: port("acme.http_port", self.http_port, usual.http_port)?,
            tls_port: port("acme.tls_port", self.tls_port, usual.tls_port)?,
            reach: Reach::of(
                ["acme.resolver", "acme.allow", "acme.timeout_seconds"],
                self.resolver,
                self.allow_private,
                self.allow,
                self.timeout_seconds,
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        let read = |text: &str| toml::from_str::<AcmeSettings>(text).unwrap().resolve();
        let good = read(
            "url = 'https://acme.example.org/'\nresolver = '127.0.0.1:53'\nallow = ['10.0.0.0/8']",
        );
        let good = good.unwrap();
        assert_eq!(good.url.as_deref(), Some("https://acme.example.org"));
        assert_eq!(good.http_port, 80);
        assert!(!good.reach.allow_private);
        for bad in [
            "url = 'http://acme.example.org'",
            "url = 'https://acme.example.org/x'",
            "resolver = '127.0.0.1'",
            "http_port = 0",
            "allow = ['10.0.0.0/33']",
            "timeout_seconds = 0",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
