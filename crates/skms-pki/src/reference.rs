//! The names that a caller looks for in a certificate (RFC 9525, and mailboxes
//! by RFC 5280, section 4.2.1.6).

use std::fmt;
use std::net::IpAddr;

use crate::certificate::{Certificate, GeneralName};
use crate::error::{Error, Result};

/// A name that a certificate must bear.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReferenceName(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Dns(String),
    Ip(IpAddr),
    Email(String),
    Uri(String),
}

impl ReferenceName {
    /// A host: an IP address if it reads as one, else a domain name. A final
    /// dot is dropped. International names are given as A-labels (`xn--…`).
    ///
    /// # Errors
    /// [`Error::ReferenceName`] for what is neither.
    pub fn host(text: &str) -> Result<Self> {
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(Self(Kind::Ip(address)));
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        if is_domain(text) {
            Ok(Self(Kind::Dns(text.to_ascii_lowercase())))
        } else {
            Err(Error::ReferenceName("not a domain name of A-labels"))
        }
    }

    /// An IP address.
    #[must_use]
    pub fn ip(address: IpAddr) -> Self {
        Self(Kind::Ip(address))
    }

    /// A mailbox, `local@host`.
    ///
    /// # Errors
    /// [`Error::ReferenceName`] for what is none.
    pub fn email(text: &str) -> Result<Self> {
        match mailbox(text) {
            Some(_) => Ok(Self(Kind::Email(text.to_owned()))),
            None => Err(Error::ReferenceName("not a mailbox")),
        }
    }

    /// A URI, matched whole.
    #[must_use]
    pub fn uri(text: &str) -> Self {
        Self(Kind::Uri(text.to_owned()))
    }

    /// Whether the certificate's subjectAltName has it. The subject's common
    /// name is never looked at.
    #[must_use]
    pub fn is_in(&self, certificate: &Certificate<'_>) -> bool {
        self.find(certificate, 1)
    }

    /// As [`Self::is_in`]; a wildcard counts only above so many labels.
    pub(crate) fn find(&self, certificate: &Certificate<'_>, labels: usize) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9525#section-2
        //# The Common Name RDN MUST NOT be used to identify a service
        let Some(names) = certificate.extensions().subject_alt_name else {
            return false;
        };
        names.iter().any(|name| self.matches(&name, labels))
    }

    fn matches(&self, presented: &GeneralName<'_>, labels: usize) -> bool {
        match (&self.0, presented) {
            (Kind::Dns(wanted), GeneralName::Dns(found)) => dns_matches(wanted, found, labels),
            (Kind::Ip(wanted), found) => found.ip() == Some(*wanted),
            (Kind::Email(wanted), found) => GeneralName::Email(wanted).matches(found),
            (Kind::Uri(wanted), found) => GeneralName::Uri(wanted).matches(found),
            _ => false,
        }
    }
}

impl fmt::Display for ReferenceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Dns(text) | Kind::Email(text) | Kind::Uri(text) => f.write_str(text),
            Kind::Ip(address) => address.fmt(f),
        }
    }
}

/// Letters, digits, hyphens and (as hosts in use have them) underscores; no
/// hyphen at either end.
fn is_label(label: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len())
        && label.bytes().all(good)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// A domain name of A-labels, without a final dot, and not one that reads as
/// an address.
pub(crate) fn is_domain(text: &str) -> bool {
    let numeric = text
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    text.len() <= 253 && text.split('.').all(is_label) && !numeric
}

/// Takes a mailbox apart. Quoted local parts are not taken: nobody uses them,
/// and readers disagree about them.
pub(crate) fn mailbox(text: &str) -> Option<(&str, &str)> {
    let (local, host) = text.split_once('@')?;
    let good = !local.is_empty()
        && local.len() <= 64
        && !local
            .bytes()
            .any(|byte| byte <= b' ' || b"\"(),:;<>[\\]@".contains(&byte))
        && !local.starts_with('.')
        && !local.ends_with('.');
    (good && is_domain_or_number(host)).then_some((local, host))
}

/// A host name as mailboxes have it.
fn is_domain_or_number(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

/// `wanted` is lower case. A wildcard is a whole leftmost label and stands for
/// one label (RFC 9525, section 6.3), with at least `labels` labels after it.
fn dns_matches(wanted: &str, presented: &str, labels: usize) -> bool {
    if let Some(parent) = presented.strip_prefix("*.") {
        return is_domain(parent)
            && parent.split('.').count() >= labels
            && wanted
                .split_once('.')
                .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent));
    }
    is_domain(presented) && wanted.eq_ignore_ascii_case(presented)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(wanted: &str, presented: &str) -> bool {
        ReferenceName::host(wanted)
            .unwrap()
            .matches(&GeneralName::Dns(presented), 2)
    }

    #[test]
    fn wildcards_are_whole_leftmost_labels() {
        assert!(matches("foo.example.com", "*.example.com"));
        assert!(matches("FOO.example.com", "*.EXAMPLE.com"));
        assert!(matches("foo.example.com.", "foo.example.com"));
        for presented in [
            "*.com",
            "*",
            "*.",
            "f*.example.com",
            "*oo.example.com",
            "foo.*.com",
            "*.*.com",
            ".example.com",
            "foo.example.com.",
            "*.foo.example.com",
            "bar.example.com",
        ] {
            assert!(!matches("foo.example.com", presented), "{presented}");
        }
        assert!(!matches("example.com", "*.example.com"));
        assert!(!matches("a.b.example.com", "*.example.com"));
        assert!(!matches(
            "xn--bliss-1b3c148a.example.com",
            "xn--*-1b3c148a.example.com"
        ));
    }

    #[test]
    fn addresses_match_addresses_only() {
        let wanted = ReferenceName::host("192.0.2.1").unwrap();
        assert!(wanted.matches(&GeneralName::Ip(&[192, 0, 2, 1]), 2));
        assert!(!wanted.matches(&GeneralName::Ip(&[192, 0, 2, 2]), 2));
        assert!(!wanted.matches(&GeneralName::Dns("192.0.2.1"), 2));
        assert_eq!(ReferenceName::host("[::1]"), ReferenceName::host("::1"));
    }

    #[test]
    fn names_nobody_can_have_are_refused() {
        for bad in [
            "",
            ".",
            "*.example.com",
            "a..b",
            "exa mple.com",
            "é.com",
            "-a.com",
            "1.2.3.4.5",
        ] {
            assert!(ReferenceName::host(bad).is_err(), "{bad:?}");
        }
        for bad in ["a", "a@", "@b", "a@b@c", "\"a\"@b", "a b@c"] {
            assert!(ReferenceName::email(bad).is_err(), "{bad:?}");
        }
        assert!(ReferenceName::email("a.b@c.example").is_ok());
    }
}
