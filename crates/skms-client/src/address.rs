//! Where the server is.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;

use crate::{Error, Result};

/// The port when an address names none.
const DEFAULT_PORT: u16 = 8200;

/// A server's address: `https://host[:port]`, or `http://` for this machine
/// alone, because a token must not cross a network in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    tls: bool,
}

impl Address {
    /// The host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Host and port as the Host header has them.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |reason| Error::Address {
            address: text.to_owned(),
            reason,
        };
        let whole = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let uri: Uri = whole
            .parse()
            .map_err(|_| refuse("write it as https://host:port"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refuse("only https:// and http:// are spoken")),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(refuse("leave out the path; it is added for each call"));
        }
        let authority = uri.authority().ok_or_else(|| refuse("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("credentials do not belong in an address"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(refuse("it names no host"));
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => DEFAULT_PORT,
            rest => rest
                .and_then(|rest| rest.strip_prefix(':'))
                .and_then(|digits| digits.parse().ok())
                .filter(|port| *port != 0)
                .ok_or_else(|| refuse("the port is not a number from 1 to 65535"))?,
        };
        let address = Self { host, port, tls };
        if !tls && !address.is_loopback() {
            return Err(refuse(
                "plain http is spoken with this machine only; use https://",
            ));
        }
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_usual_spellings() {
        for (text, shown) in [
            ("https://kms.example:8443", "https://kms.example:8443"),
            ("https://kms.example", "https://kms.example:8200"),
            ("https://kms.example/", "https://kms.example:8200"),
            ("kms.example:1", "https://kms.example:1"),
            ("https://[::1]:9", "https://[::1]:9"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]:8200"),
            ("http://127.0.0.1:8200", "http://127.0.0.1:8200"),
            ("http://localhost", "http://localhost:8200"),
        ] {
            assert_eq!(
                text.parse::<Address>().unwrap().to_string(),
                shown,
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_would_leak_or_mislead() {
        for bad in [
            "",
            "https://",
            "http://kms.example:8200",
            "http://10.0.0.1",
            "ftp://localhost",
            "https://kms.example/api/v1",
            "https://user:pass@kms.example",
            "https://kms.example:0",
            "https://kms.example:99999",
            "https://kms.example:x",
            "https://kms example",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad:?}");
        }
    }
}
