//! Challenges and their answers (RFC 8555, section 8).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use skms_crypto::{ct_eq, hash::sha256};

use super::identifier::Identifier;
use super::key::AccountKey;
use crate::error::{Error, Result};

/// A way to prove control of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChallengeKind {
    /// A file on a web server (section 8.3).
    Http01,
    /// A TXT record (section 8.4).
    Dns01,
    /// A TLS handshake (RFC 8737).
    TlsAlpn01,
}

impl ChallengeKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Http01, Self::Dns01, Self::TlsAlpn01];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }

    /// Whether it can prove control of that identifier: wildcards by DNS alone
    /// (RFC 8555, section 7.1.3), and addresses by anything but DNS (RFC 8738,
    /// section 7).
    #[must_use]
    pub fn proves(self, identifier: &Identifier) -> bool {
        match identifier {
            Identifier::Dns(_) if identifier.is_wildcard() => self == Self::Dns01,
            Identifier::Dns(_) => true,
            Identifier::Ip(_) => self != Self::Dns01,
        }
    }
}

impl std::str::FromStr for ChallengeKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or(Error::Malformed {
                what: "challenge",
                why: "known are http-01, dns-01 and tls-alpn-01",
            })
    }
}

/// What the holder of an account key shows for a token (RFC 8555, section
/// 8.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAuthorization(String);

impl KeyAuthorization {
    /// That of this token and key.
    #[must_use]
    pub fn new(token: &str, key: &AccountKey) -> Self {
        Self(format!("{token}.{}", key.thumbprint()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// SHA-256 of it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(&[self.0.as_bytes()])
    }

    /// Whether a web server's answer is this.
    #[must_use]
    pub fn is_body(&self, body: &[u8]) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc8555#section-8.3
        //# The server SHOULD ignore whitespace characters at the end of the
        //# body.
        ct_eq(body.trim_ascii_end(), self.0.as_bytes())
    }

    /// Whether a TXT record is this one's.
    #[must_use]
    pub fn is_record(&self, text: &[u8]) -> bool {
        ct_eq(text, URL_SAFE_NO_PAD.encode(self.digest()).as_bytes())
    }
}

/// Where the TXT record of a domain is (RFC 8555, section 8.4).
#[must_use]
pub fn dns_name(domain: &str) -> String {
    format!("_acme-challenge.{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_proved_by_dns_and_addresses_by_anything_else() {
        let proving = |identifier: Identifier| {
            ChallengeKind::ALL
                .into_iter()
                .filter(|kind| kind.proves(&identifier))
                .map(ChallengeKind::name)
                .collect::<Vec<_>>()
        };
        let all = proving(Identifier::new("dns", "a.example").unwrap());
        assert_eq!(all, ["http-01", "dns-01", "tls-alpn-01"]);
        let wild = proving(Identifier::new("dns", "*.a.example").unwrap());
        assert_eq!(wild, ["dns-01"]);
        let address = proving(Identifier::new("ip", "192.0.2.1").unwrap());
        assert_eq!(address, ["http-01", "tls-alpn-01"]);
    }

    #[test]
    fn only_the_exact_key_authorization_is_taken() {
        let key = KeyAuthorization("token.thumb".to_owned());
        assert!(key.is_body(b"token.thumb"));
        assert!(key.is_body(b"token.thumb\r\n "));
        for bad in [
            &b""[..],
            b"token",
            b" token.thumb",
            b"token.thumbs",
            b"TOKEN.thumb",
        ] {
            assert!(!key.is_body(bad));
        }
        let record = URL_SAFE_NO_PAD.encode(sha256(&[b"token.thumb"]));
        assert!(key.is_record(record.as_bytes()));
        assert!(!key.is_record(b"token.thumb"));
        assert!(!key.is_record(format!("{record}=").as_bytes()));
    }
}
