//! What an order asks a certificate for (RFC 8555, section 9.7.7; RFC 8738).

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use crate::csr::VerifiedCsr;
use crate::error::{Error, Result};
use crate::issue::{AltName, Request};
use crate::oid;

/// The longest domain name (RFC 1035, section 2.3.4), in characters.
const DNS_MAX: usize = 253;

/// An identifier of an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identifier {
    /// A domain name in lower case, with `*.` before it for a wildcard.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

fn bad(why: &'static str) -> Error {
    Error::Malformed {
        what: "identifier",
        why,
    }
}

impl Identifier {
    /// Reads one by its type and value. What a profile allows of it is decided
    /// when the certificate is planned; here it has to be a name at all.
    ///
    /// # Errors
    /// [`Error::Malformed`] for an unknown type, a name that is no domain name,
    /// and an address that is not in its one canonical form.
    pub fn new(kind: &str, value: &str) -> Result<Self> {
        match kind {
            "dns" => dns(value),
            // RFC 8738, section 3: the one form of RFC 1123 or RFC 5952.
            "ip" => {
                let address: IpAddr = value.parse().map_err(|_| bad("not an address"))?;
                if address.to_string() != value {
                    return Err(bad("an address that is not in its canonical form"));
                }
                Ok(Self::Ip(address))
            }
            _ => Err(bad("neither dns nor ip")),
        }
    }

    /// Its type on the wire.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns",
            Self::Ip(_) => "ip",
        }
    }

    /// Whether it stands for every name one label below.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        matches!(self, Self::Dns(name) if name.starts_with("*."))
    }

    /// What control is proved of: itself, or what a wildcard stands below.
    #[must_use]
    pub fn base(&self) -> Self {
        match self {
            Self::Dns(name) => Self::Dns(name.strip_prefix("*.").unwrap_or(name).to_owned()),
            Self::Ip(address) => Self::Ip(*address),
        }
    }

    /// As a certificate has it.
    #[must_use]
    pub fn alt_name(&self) -> AltName {
        match self {
            Self::Dns(name) => AltName::Dns(name.clone()),
            Self::Ip(address) => AltName::Ip(*address),
        }
    }
}

fn dns(value: &str) -> Result<Identifier> {
    let base = value.strip_prefix("*.").unwrap_or(value);
    if base.is_empty() || value.len() > DNS_MAX {
        return Err(bad("a domain name that is empty or too long"));
    }
    let letters = |label: &str| {
        label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let good = |label: &str| {
        (1..=63).contains(&label.len())
            && letters(label)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !base.split('.').all(good) {
        return Err(bad(
            "a domain name of other than letter-digit-hyphen labels",
        ));
    }
    if base.parse::<IpAddr>().is_ok() {
        return Err(bad("an address where a domain name is meant"));
    }
    Ok(Identifier::Dns(value.to_ascii_lowercase()))
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// The identifiers that a certification request asks for, in its common name
/// and its alternative names together.
///
/// # Errors
/// [`Error::Malformed`] for names of other forms, and a common name that is no
/// identifier.
pub fn names_of(csr: &VerifiedCsr<'_>) -> Result<BTreeSet<Identifier>> {
    let request = Request::from_csr(csr).map_err(|_| bad("extensions that cannot be read"))?;
    let mut all = BTreeSet::new();
    for name in &request.names {
        all.insert(match name {
            AltName::Dns(text) => dns(text)?,
            AltName::Ip(address) => Identifier::Ip(*address),
            _ => return Err(bad("a name that is neither a domain name nor an address")),
        });
    }
    let mut attributes = csr.csr().subject().attributes();
    for attribute in attributes
        .by_ref()
        .filter(|one| one.kind == oid::COMMON_NAME)
    {
        let text = attribute
            .text()
            .ok_or(bad("a common name that is no text"))?;
        all.insert(match text.parse::<IpAddr>() {
            Ok(address) => Identifier::Ip(address),
            Err(_) => dns(&text)?,
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        let dns = |text| Identifier::new("dns", text);
        assert_eq!(
            dns("WWW.Example.org").unwrap().to_string(),
            "www.example.org"
        );
        let wild = dns("*.example.org").unwrap();
        assert!(wild.is_wildcard());
        assert_eq!(wild.base(), dns("example.org").unwrap());
        for bad in [
            "",
            "*.",
            "*",
            "a..b",
            ".a",
            "a.",
            "-a.b",
            "a-.b",
            "a_b",
            "a.*.b",
            "*.*.a",
            "192.0.2.1",
            "a b",
            "ä.example",
            "a\0.b",
        ] {
            assert!(dns(bad).is_err(), "{bad:?}");
        }
        assert!(dns(&format!("{}a", "abcdefg.".repeat(32))).is_err());
        let ip = |text| Identifier::new("ip", text);
        assert_eq!(ip("2001:db8::1").unwrap().kind(), "ip");
        for bad in [
            "2001:DB8::1",
            "2001:db8:0::1",
            "192.0.2.01",
            "example.org",
            "*.1.1.1",
        ] {
            assert!(ip(bad).is_err(), "{bad}");
        }
        assert!(Identifier::new("email", "a@example.org").is_err());
    }
}
