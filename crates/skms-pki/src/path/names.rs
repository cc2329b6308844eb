//! Name constraints (RFC 5280, sections 4.2.1.10, 6.1.3(b) and (c), 6.1.4(g)).
//!
//! Each certificate's names are held against the constraints of every
//! certificate above it, which is the same as carrying intersections of
//! permitted and unions of excluded subtrees along.

use crate::certificate::{Certificate, GeneralName, NameConstraints};
use crate::parse::general::Form;
use crate::reference::{is_domain, mailbox};

use super::budget::Budget;
use super::rule::{Checked, Fault, Rule, fail};

/// The subtrees of one extension, sorted by form, each known to be well-formed.
pub(crate) struct Subtrees<'a> {
    permitted: [Vec<GeneralName<'a>>; FORMS],
    excluded: [Vec<GeneralName<'a>>; FORMS],
}

const FORMS: usize = Form::RegisteredId as usize + 1;

impl<'a> Subtrees<'a> {
    /// Sorts an extension's subtrees.
    pub(crate) fn new(constraints: &NameConstraints<'a>, budget: &mut Budget) -> Checked<Self> {
        let mut all = Self {
            permitted: Default::default(),
            excluded: Default::default(),
        };
        for base in constraints.permitted() {
            budget.compare(1)?;
            check_base(&base)?;
            all.permitted[base.form() as usize].push(base);
        }
        for base in constraints.excluded() {
            budget.compare(1)?;
            check_base(&base)?;
            all.excluded[base.form() as usize].push(base);
        }
        Ok(all)
    }

    /// Holds one name against the subtrees.
    fn check(&self, name: &GeneralName<'_>, budget: &mut Budget) -> Checked {
        let form = name.form() as usize;
        let (permitted, excluded) = (&self.permitted[form], &self.excluded[form]);
        if permitted.is_empty() && excluded.is_empty() {
            return Ok(());
        }
        //= https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.10
        //# If a name constraints extension that is marked as critical
        //# imposes constraints on a particular name form, and an instance of
        //# that name form appears in the subject field or subjectAltName
        //# extension of a subsequent certificate, then the application MUST
        //# either process the constraint or reject the certificate.
        let name = Constrained::read(name).ok_or_else(|| {
            Fault::new(
                Rule::NameConstraintForm,
                format!("{name} is malformed or of a form that cannot be constrained"),
            )
        })?;
        for base in excluded {
            budget.compare(weight(base))?;
            if name.touches(base) {
                return fail(
                    Rule::NameConstraints,
                    format!("{name} is excluded by {base}"),
                );
            }
        }
        for base in permitted {
            budget.compare(weight(base))?;
            if name.is_within(base) {
                return Ok(());
            }
        }
        if permitted.is_empty() {
            Ok(())
        } else {
            fail(
                Rule::NameConstraints,
                format!("{name} is in no permitted subtree"),
            )
        }
    }

    /// Holds all names of a certificate against the subtrees.
    pub(crate) fn check_all(&self, certificate: &Certificate<'_>, budget: &mut Budget) -> Checked {
        let subject = certificate.subject();
        if !subject.is_empty() {
            self.check(&GeneralName::Directory(*subject), budget)?;
        }
        let mut has_email = false;
        if let Some(names) = certificate.extensions().subject_alt_name {
            for name in names.iter() {
                has_email |= name.form() == Form::Email;
                self.check(&name, budget)?;
            }
        }
        let email = Form::Email as usize;
        if has_email || self.permitted[email].is_empty() && self.excluded[email].is_empty() {
            return Ok(());
        }
        //= https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.10
        //# the rfc822Name constraint MUST be applied to the attribute of type
        //# emailAddress in the subject distinguished name.
        for email in certificate.subject_emails() {
            match email {
                Some(email) => self.check(&GeneralName::Email(email), budget)?,
                None => {
                    return fail(
                        Rule::NameConstraintForm,
                        "an emailAddress in the subject that is no string of ASCII",
                    );
                }
            }
        }
        Ok(())
    }
}

fn weight(base: &GeneralName<'_>) -> u64 {
    match base {
        GeneralName::Directory(name) => name.weight(),
        GeneralName::Dns(text) | GeneralName::Email(text) | GeneralName::Uri(text) => {
            1 + text.len() as u64 / 64
        }
        _ => 1,
    }
}

/// Whether a constraint is one at all.
fn check_base(base: &GeneralName<'_>) -> Checked {
    let good = match base {
        // No leading period here: that is the form of URI constraints.
        GeneralName::Dns(text) => text.is_empty() || is_domain(text),
        GeneralName::Email(text) if text.contains('@') => mailbox(text).is_some(),
        GeneralName::Email(text) | GeneralName::Uri(text) => {
            is_domain(text.strip_prefix('.').unwrap_or(text))
        }
        GeneralName::Ip(bytes) => has_prefix_mask(bytes),
        _ => true,
    };
    if good {
        Ok(())
    } else {
        fail(
            Rule::NameConstraintForm,
            format!("the constraint {base} is malformed"),
        )
    }
}

fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes
        .split_at_checked(bytes.len() / 2)
        .unwrap_or((bytes, &[]))
}

/// An address and a mask in the style of RFC 4632: ones, then zeros.
fn has_prefix_mask(bytes: &[u8]) -> bool {
    let (_, mask) = halves(bytes);
    let mut rest = mask.iter().skip_while(|&&byte| byte == 0xff);
    let edge = rest.next().copied().unwrap_or(0);
    edge.count_ones() == edge.leading_ones() && rest.all(|&byte| byte == 0)
}

/// A name of a form that constraints can be judged for, known to be well-formed.
enum Constrained<'a> {
    Dns(&'a str),
    /// The parent of a wildcard.
    Wildcard(&'a str),
    Email(&'a str, &'a str),
    UriHost(&'a str),
    Ip(&'a [u8]),
    Directory(crate::certificate::Name<'a>),
}

impl std::fmt::Display for Constrained<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns(text) => write!(f, "DNS {text}"),
            Self::Wildcard(parent) => write!(f, "DNS *.{parent}"),
            Self::Email(local, host) => write!(f, "email {local}@{host}"),
            Self::UriHost(host) => write!(f, "a URI at {host}"),
            Self::Ip(bytes) => GeneralName::Ip(bytes).fmt(f),
            Self::Directory(name) => write!(f, "directory name {name}"),
        }
    }
}

impl<'a> Constrained<'a> {
    fn read(name: &GeneralName<'a>) -> Option<Self> {
        match *name {
            GeneralName::Dns(text) => match text.strip_prefix("*.") {
                Some(parent) => is_domain(parent).then_some(Self::Wildcard(parent)),
                None => is_domain(text).then_some(Self::Dns(text)),
            },
            GeneralName::Email(text) => mailbox(text).map(|(local, host)| Self::Email(local, host)),
            GeneralName::Uri(text) => uri_host(text).map(Self::UriHost),
            GeneralName::Ip(bytes) => Some(Self::Ip(bytes)),
            GeneralName::Directory(name) => Some(Self::Directory(name)),
            _ => None,
        }
    }

    /// Whether every name that this one stands for lies below `base`.
    fn is_within(&self, base: &GeneralName<'_>) -> bool {
        match (self, base) {
            (Self::Dns(name) | Self::Wildcard(name), GeneralName::Dns(base)) => {
                is_below(name, base)
            }
            (Self::Email(local, host), GeneralName::Email(base)) => match base.split_once('@') {
                Some((their_local, their_host)) => {
                    *local == their_local && host.eq_ignore_ascii_case(their_host)
                }
                None => is_host_or_below(host, base),
            },
            (Self::UriHost(host), GeneralName::Uri(base)) => is_host_or_below(host, base),
            (Self::Ip(address), GeneralName::Ip(base)) => {
                let (network, mask) = halves(base);
                address.len() == network.len()
                    && address
                        .iter()
                        .zip(network)
                        .zip(mask)
                        .all(|((own, theirs), mask)| own & mask == theirs & mask)
            }
            (Self::Directory(name), GeneralName::Directory(base)) => name.is_within(base),
            _ => false,
        }
    }

    /// Whether any name that this one stands for lies below `base`. A wildcard
    /// stands for every name with one more label, so that excluding one of
    /// them excludes it (CVE-2025-61727).
    fn touches(&self, base: &GeneralName<'_>) -> bool {
        if self.is_within(base) {
            return true;
        }
        match (self, base) {
            (Self::Wildcard(parent), GeneralName::Dns(base)) => base
                .split_once('.')
                .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
            _ => false,
        }
    }
}

/// Whether `name` is `base` with zero or more labels before it; everything is
/// below the empty name.
fn is_below(name: &str, base: &str) -> bool {
    if base.is_empty() {
        return true;
    }
    let Some(start) = name.len().checked_sub(base.len()) else {
        return false;
    };
    name.get(start..)
        .is_some_and(|tail| tail.eq_ignore_ascii_case(base))
        && (start == 0 || name.as_bytes().get(start - 1) == Some(&b'.'))
}

/// Constraints on mailboxes and URIs: a host, or with a leading period every
/// host below a domain but not the domain's own name.
fn is_host_or_below(host: &str, base: &str) -> bool {
    match base.strip_prefix('.') {
        Some(domain) => host.len() > domain.len() && is_below(host, domain),
        None => host.eq_ignore_ascii_case(base),
    }
}

/// The host of a URI, where it is a domain name.
fn uri_host(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once("://")?;
    if scheme.is_empty() {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) => return None,
        None => host,
    };
    //= https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.10
    //# If a constraint is applied to the uniformResourceIdentifier name form
    //# and a subsequent certificate includes a subjectAltName extension with
    //# a uniformResourceIdentifier that does not include an authority
    //# component with a host name specified as a fully qualified domain
    //# name (e.g., if the URI either does not include an authority component
    //# or includes an authority component in which the host name is
    //# specified as an IP address), then the application MUST reject the
    //# certificate.
    is_domain(host).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(name: GeneralName<'_>, base: GeneralName<'_>) -> Option<bool> {
        check_base(&base).ok()?;
        Constrained::read(&name).map(|name| name.is_within(&base))
    }

    fn touches(name: &str, base: &str) -> bool {
        Constrained::read(&GeneralName::Dns(name))
            .unwrap()
            .touches(&GeneralName::Dns(base))
    }

    #[test]
    fn dns() {
        use GeneralName::Dns;
        assert_eq!(within(Dns("a.example.com"), Dns("example.com")), Some(true));
        assert_eq!(within(Dns("EXAMPLE.com"), Dns("example.COM")), Some(true));
        assert_eq!(within(Dns("aexample.com"), Dns("example.com")), Some(false));
        assert_eq!(within(Dns("com"), Dns("example.com")), Some(false));
        assert_eq!(within(Dns("a.b"), Dns("")), Some(true));
        assert_eq!(within(Dns("*.example.com"), Dns("example.com")), Some(true));
        assert_eq!(
            within(Dns("*.example.com"), Dns("a.example.com")),
            Some(false)
        );
        for bad in [".example.com", "*.example.com", "a b"] {
            assert_eq!(within(Dns("a.example.com"), Dns(bad)), None);
        }
        assert_eq!(within(Dns(".example.com"), Dns("example.com")), None);
        assert!(touches("*.example.com", "bar.example.com"));
        assert!(!touches("*.example.com", "bar.bar.example.com"));
        assert!(!touches("*.example.com", "example.org"));
        assert!(touches("*.example.com", "com"));
    }

    #[test]
    fn mailboxes() {
        use GeneralName::Email;
        let name = Email("Ann@mail.example.com");
        assert_eq!(within(name, Email("mail.EXAMPLE.com")), Some(true));
        assert_eq!(within(name, Email("example.com")), Some(false));
        assert_eq!(within(name, Email(".example.com")), Some(true));
        assert_eq!(within(name, Email(".mail.example.com")), Some(false));
        assert_eq!(within(name, Email("Ann@mail.example.com")), Some(true));
        assert_eq!(within(name, Email("ann@mail.example.com")), Some(false));
        assert_eq!(within(Email("a@b@c"), Email("c")), None);
        assert_eq!(within(name, Email("a@b@c")), None);
    }

    #[test]
    fn uris() {
        use GeneralName::Uri;
        let name = Uri("https://user@host.example.com:8443/path?q#f");
        assert_eq!(within(name, Uri("host.example.com")), Some(true));
        assert_eq!(within(name, Uri("example.com")), Some(false));
        assert_eq!(within(name, Uri(".example.com")), Some(true));
        assert_eq!(within(name, Uri(".host.example.com")), Some(false));
        for bad in [
            "urn:a:b",
            "https://192.0.2.1/",
            "https://[::1]/",
            "https:///a",
            "://a.b/",
        ] {
            assert_eq!(within(Uri(bad), Uri("example.com")), None, "{bad}");
        }
    }

    #[test]
    fn addresses() {
        use GeneralName::Ip;
        let base = Ip(&[192, 0, 2, 0, 255, 255, 255, 0]);
        assert_eq!(within(Ip(&[192, 0, 2, 77]), base), Some(true));
        assert_eq!(within(Ip(&[192, 0, 3, 77]), base), Some(false));
        assert_eq!(within(Ip(&[0; 16]), base), Some(false));
        let everything = Ip(&[0; 8]);
        assert_eq!(within(Ip(&[192, 0, 2, 77]), everything), Some(true));
        let holes = Ip(&[192, 0, 2, 0, 255, 0, 255, 0]);
        assert_eq!(within(Ip(&[192, 0, 2, 77]), holes), None);
        let odd = Ip(&[192, 0, 2, 0, 255, 255, 253, 0]);
        assert_eq!(within(Ip(&[192, 0, 2, 77]), odd), None);
    }

    #[test]
    fn other_forms_are_refused_once_constrained() {
        let name = GeneralName::RegisteredId(crate::oid::SHA256);
        assert_eq!(within(name, name), None);
    }
}
