//! Which one name of a certificate says who its holder is, and how that name
//! is written so that two are one exactly when their texts are.
//!
//! Only a certificate that has exactly one name of the form that is asked for
//! says anything: of several, an authority could have meant any, and a
//! verifier that picks one lets the others pass for it.

use std::fmt;
use std::str::FromStr;

use crate::certificate::{Certificate, GeneralName, Name};
use crate::error::{Error, Result};
use crate::issue::NameBuf;
use crate::issue::name::attribute_row;
use crate::oid;
use crate::parse::cursor::tag;

/// The longest name, in bytes.
const LONGEST: usize = 1024;

/// The form of the name that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// The one uniformResourceIdentifier, as it is written.
    Uri,
    /// The one dNSName, without wildcards.
    Dns,
    /// The one rfc822Name; letter case counts before the `@`.
    Email,
    /// The one commonName of the subject, as it is written.
    CommonName,
    /// The whole subject.
    Subject,
}

impl Identity {
    /// Every form.
    pub const ALL: [Self; 5] = [
        Self::Uri,
        Self::Dns,
        Self::Email,
        Self::CommonName,
        Self::Subject,
    ];

    /// Its name: `uri`, `dns`, `email`, `cn` or `subject`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uri => "uri",
            Self::Dns => "dns",
            Self::Email => "email",
            Self::CommonName => "cn",
            Self::Subject => "subject",
        }
    }

    /// A name of this form as somebody wrote it, in the one way of writing it.
    ///
    /// # Errors
    /// [`Error::Malformed`] for what no certificate can have as such a name.
    pub fn read(self, text: &str) -> Result<String> {
        let found = match self {
            Self::Uri => uri(text),
            Self::Dns => dns(text),
            Self::Email => email(text),
            Self::CommonName => plain(text),
            Self::Subject => {
                let name: NameBuf = text.parse()?;
                subject(&name.as_name())
            }
        };
        found.ok_or(Error::Malformed {
            what: "identity",
            why: match self {
                Self::Uri => "not a URI with a scheme, in ASCII",
                Self::Dns => "not a host's name, or one with a wildcard",
                Self::Email => "not a mailbox",
                Self::CommonName => "empty, too long, or with control characters",
                Self::Subject => "not a distinguished name",
            },
        })
    }

    /// The one name of this form that a certificate has, likewise written;
    /// `None` if it has none, several, or one that is not well formed.
    #[must_use]
    pub fn of(self, certificate: &Certificate<'_>) -> Option<String> {
        let alternative = |pick: fn(GeneralName<'_>) -> Option<String>| {
            let names = certificate.extensions().subject_alt_name?;
            // What is of the form and not well formed counts as a name too.
            let mut found = names.iter().filter(|name| self.is_form_of(name)).map(pick);
            found.next().filter(|_| found.next().is_none()).flatten()
        };
        match self {
            Self::Uri => alternative(|name| match name {
                GeneralName::Uri(text) => uri(text),
                _ => None,
            }),
            Self::Dns => alternative(|name| match name {
                GeneralName::Dns(text) => dns(text),
                _ => None,
            }),
            Self::Email => alternative(|name| match name {
                GeneralName::Email(text) => email(text),
                _ => None,
            }),
            Self::CommonName => {
                let attributes = certificate.subject().attributes();
                let mut found = attributes.filter(|one| one.kind == oid::COMMON_NAME);
                let one = found.next().filter(|_| found.next().is_none())?;
                plain(&value(one.raw())?)
            }
            Self::Subject => subject(certificate.subject()),
        }
    }

    fn is_form_of(self, name: &GeneralName<'_>) -> bool {
        matches!(
            (self, name),
            (Self::Uri, GeneralName::Uri(_))
                | (Self::Dns, GeneralName::Dns(_))
                | (Self::Email, GeneralName::Email(_))
        )
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Identity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.name() == text).ok_or(Error::Malformed {
            what: "form of identity",
            why: "not uri, dns, email, cn or subject",
        })
    }
}

/// Text of bounded length without anything that is not seen.
fn plain(text: &str) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

fn ascii(text: &str) -> Option<&str> {
    let fits = !text.is_empty() && text.len() <= LONGEST;
    (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(text)
}

/// RFC 3986, section 3.1: a scheme begins with a letter. Nothing is folded: two
/// writings of one place are two identities.
fn uri(text: &str) -> Option<String> {
    let (scheme, rest) = ascii(text)?.split_once(':')?;
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let good = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(letters)
        && !rest.is_empty();
    good.then(|| text.to_owned())
}

/// RFC 1123, section 2.1: letters, digits and hyphens; case does not count.
fn dns(text: &str) -> Option<String> {
    let label = |label: &str| {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(letters)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let good = ascii(text)?.len() <= 253 && text.split('.').all(label);
    good.then(|| text.to_ascii_lowercase())
}

/// RFC 5280, section 4.2.1.6: the local part's case counts, the host's does
/// not.
fn email(text: &str) -> Option<String> {
    let (local, host) = ascii(text)?.rsplit_once('@')?;
    let good = !local.is_empty() && !local.contains('@');
    let host = dns(host).filter(|_| good)?;
    Some(format!("{local}@{host}"))
}

/// An attribute's text, from the kinds of string that have one meaning.
fn value((kind, bytes): (u8, &[u8])) -> Option<String> {
    let known = [tag::UTF8_STRING, tag::PRINTABLE_STRING, tag::IA5_STRING].contains(&kind);
    let text = std::str::from_utf8(bytes).ok().filter(|_| known)?;
    let alike = kind == tag::UTF8_STRING || text.is_ascii();
    plain(text).filter(|_| alike)
}

/// A subject as [`NameBuf`] reads it: outermost part first, one attribute a
/// part. Letter case and spaces count, which is stricter than RFC 5280, section
/// 7.1, and so mistakes nobody for somebody else.
fn subject(name: &Name<'_>) -> Option<String> {
    let mut parts = Vec::new();
    for rdn in name.rdns() {
        let mut attributes = crate::parse::name::attributes(rdn);
        let one = attributes.next().filter(|_| attributes.next().is_none())?;
        let text = value(one.raw())?;
        let kind = match attribute_row(one.kind) {
            Some(row) => row.short.to_owned(),
            None => one.kind.to_string(),
        };
        parts.push(format!("{kind}={}", escaped(&text)));
    }
    let all = parts.join(", ");
    (!all.is_empty() && all.len() <= LONGEST).then_some(all)
}

fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(text.len());
    for (at, letter) in text.chars().enumerate() {
        let edge = letter == ' ' && (at == 0 || at == last);
        if edge || letter == ',' || letter == '\\' {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_in_one_way() {
        use Identity::{CommonName, Dns, Email, Subject, Uri};
        for (form, text, wanted) in [
            (Uri, "spiffe://a.example/B", "spiffe://a.example/B"),
            (Dns, "Host-1.Example.ORG", "host-1.example.org"),
            (Email, "Al@Example.ORG", "Al@example.org"),
            (CommonName, "Alice (1), \\x", "Alice (1), \\x"),
            (
                Subject,
                "c=CH,O=A\\, B ,  cn=al ice",
                "C=CH, O=A\\, B, CN=al ice",
            ),
            (Subject, "2.5.4.3=x, 1.2.3=y", "CN=x, 1.2.3=y"),
        ] {
            let read = form.read(text).unwrap();
            assert_eq!(read, wanted);
            assert_eq!(form.read(&read).unwrap(), wanted, "read again");
            assert_eq!(form.name().parse::<Identity>().unwrap(), form);
        }
        for (form, text) in [
            (Uri, ""),
            (Uri, "no-scheme"),
            (Uri, "1a:b"),
            (Uri, "a:"),
            (Uri, "a:b c"),
            (Uri, "a:é"),
            (Dns, "*.example.org"),
            (Dns, "a..b"),
            (Dns, "a."),
            (Dns, "-a"),
            (Email, "a@b@c"),
            (Email, "@c"),
            (Email, "a"),
            (CommonName, ""),
            (CommonName, "a\nb"),
            (Subject, ""),
            (Subject, "alice"),
        ] {
            assert!(form.read(text).is_err(), "{form} {text:?}");
        }
        assert!("URI".parse::<Identity>().is_err());
    }

    #[test]
    fn escapes_tell_apart_what_differs() {
        let one = Identity::Subject.read("O=a\\, CN=b").unwrap();
        let two = Identity::Subject.read("O=a, CN=b").unwrap();
        assert_ne!(one, two);
        assert_eq!(escaped(" a "), "\\ a\\ ");
    }
}
