//! GeneralName (RFC 5280, section 4.2.1.6) and lists of it.

use std::fmt;
use std::net::IpAddr;

use crate::error::Parse;
use crate::oid::Oid;

use super::cursor::{Cursor, tag};
use super::name::Name;

/// A name of one of the nine forms.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum GeneralName<'a> {
    /// otherName: its type, and its value's DER.
    Other(Oid<'a>, &'a [u8]),
    /// rfc822Name: a mailbox.
    Email(&'a str),
    /// dNSName.
    Dns(&'a str),
    /// x400Address, as its DER contents.
    X400(&'a [u8]),
    /// directoryName.
    Directory(Name<'a>),
    /// ediPartyName, as its DER contents.
    EdiParty(&'a [u8]),
    /// uniformResourceIdentifier.
    Uri(&'a str),
    /// iPAddress: 4 or 16 octets; in a name constraint 8 or 32, with a mask.
    Ip(&'a [u8]),
    /// registeredID.
    RegisteredId(Oid<'a>),
}

/// The form of a name, without its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // As `GeneralName` has them.
pub enum Form {
    Other,
    Email,
    Dns,
    X400,
    Directory,
    EdiParty,
    Uri,
    Ip,
    RegisteredId,
}

/// Where a name stands, which decides how long an address is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Name,
    Constraint,
}

fn ascii(value: &[u8]) -> Parse<&str> {
    //= https://www.rfc-editor.org/rfc/rfc5280#section-7.2
    //# conforming implementations MUST convert internationalized domain names
    //# to the ASCII Compatible Encoding (ACE) format
    if value
        .iter()
        .any(|&byte| !byte.is_ascii() || byte.is_ascii_control())
    {
        return Err("a name of ASCII with control or other bytes");
    }
    std::str::from_utf8(value).map_err(|_| "a name of ASCII with other bytes")
}

impl<'a> GeneralName<'a> {
    pub(crate) fn read(cursor: &mut Cursor<'a>, place: Place) -> Parse<Self> {
        const OTHER: u8 = tag::constructed(0);
        const EMAIL: u8 = tag::context(1);
        const DNS: u8 = tag::context(2);
        const X400: u8 = tag::constructed(3);
        const DIRECTORY: u8 = tag::constructed(4);
        const EDI: u8 = tag::constructed(5);
        const URI: u8 = tag::context(6);
        const IP: u8 = tag::context(7);
        const RID: u8 = tag::context(8);
        let tlv = cursor.any()?;
        Ok(match tlv.tag {
            OTHER => {
                let mut inner = Cursor::new(tlv.value);
                let kind = inner.oid()?;
                let mut value = inner.enter(tag::constructed(0))?;
                inner.end()?;
                let whole = value.any()?.whole;
                value.end()?;
                Self::Other(kind, whole)
            }
            EMAIL => Self::Email(ascii(tlv.value)?),
            DNS => Self::Dns(ascii(tlv.value)?),
            X400 => Self::X400(tlv.value),
            DIRECTORY => {
                let mut inner = Cursor::new(tlv.value);
                let name = Name::read(&mut inner)?;
                inner.end()?;
                Self::Directory(name)
            }
            EDI => Self::EdiParty(tlv.value),
            URI => Self::Uri(ascii(tlv.value)?),
            IP => match (place, tlv.value.len()) {
                (Place::Name, 4 | 16) | (Place::Constraint, 8 | 32) => Self::Ip(tlv.value),
                _ => return Err("an iPAddress of a wrong length"),
            },
            RID => Self::RegisteredId(Oid::from_contents(tlv.value)?),
            _ => return Err("a name of no known form"),
        })
    }

    /// Which form it is of.
    #[must_use]
    pub fn form(&self) -> Form {
        match self {
            Self::Other(..) => Form::Other,
            Self::Email(_) => Form::Email,
            Self::Dns(_) => Form::Dns,
            Self::X400(_) => Form::X400,
            Self::Directory(_) => Form::Directory,
            Self::EdiParty(_) => Form::EdiParty,
            Self::Uri(_) => Form::Uri,
            Self::Ip(_) => Form::Ip,
            Self::RegisteredId(_) => Form::RegisteredId,
        }
    }

    /// The address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        let Self::Ip(bytes) = self else {
            return None;
        };
        if let Ok(four) = <[u8; 4]>::try_from(*bytes) {
            return Some(IpAddr::from(four));
        }
        <[u8; 16]>::try_from(*bytes).ok().map(IpAddr::from)
    }

    /// Whether both are the same name: directory names by RFC 5280, section
    /// 7.1, host names in any case, URIs with scheme and host in any case
    /// (section 7.4), everything else byte by byte.
    #[must_use]
    pub fn matches(&self, other: &GeneralName<'_>) -> bool {
        match (self, other) {
            (Self::Directory(left), GeneralName::Directory(right)) => left.matches(right),
            (Self::Dns(left), GeneralName::Dns(right)) => left.eq_ignore_ascii_case(right),
            (Self::Email(left), GeneralName::Email(right)) => {
                match (left.rsplit_once('@'), right.rsplit_once('@')) {
                    (Some((own, host)), Some((theirs, there))) => {
                        own == theirs && host.eq_ignore_ascii_case(there)
                    }
                    _ => left == right,
                }
            }
            (Self::Uri(left), GeneralName::Uri(right)) => same_uri(left, right),
            (Self::Ip(left), GeneralName::Ip(right)) => left == right,
            (Self::RegisteredId(left), GeneralName::RegisteredId(right)) => left == right,
            (Self::Other(kind, left), GeneralName::Other(other, right)) => {
                kind == other && left == right
            }
            (Self::X400(left), GeneralName::X400(right))
            | (Self::EdiParty(left), GeneralName::EdiParty(right)) => left == right,
            _ => false,
        }
    }
}

fn same_uri(left: &str, right: &str) -> bool {
    /// Everything up to the end of the authority, and the rest.
    fn split(uri: &str) -> (&str, &str) {
        let start = uri.find("//").map_or(0, |at| at + 2);
        let length = uri
            .get(start..)
            .and_then(|rest| rest.find(['/', '?', '#']))
            .map_or(uri.len(), |at| start + at);
        uri.split_at_checked(length).unwrap_or((uri, ""))
    }
    if !left.contains("//") {
        return left == right;
    }
    let ((left, left_path), (right, right_path)) = (split(left), split(right));
    left.eq_ignore_ascii_case(right) && left_path == right_path
}

impl fmt::Display for GeneralName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(kind, _) => write!(f, "otherName {kind}"),
            Self::Email(text) => write!(f, "email {text}"),
            Self::Dns(text) => write!(f, "DNS {text}"),
            Self::X400(_) => f.write_str("x400Address"),
            Self::Directory(name) => write!(f, "directory name {name}"),
            Self::EdiParty(_) => f.write_str("ediPartyName"),
            Self::Uri(text) => write!(f, "URI {text}"),
            Self::Ip(bytes) => match self.ip() {
                Some(address) => write!(f, "IP {address}"),
                None => write!(f, "IP {bytes:02x?}"),
            },
            Self::RegisteredId(oid) => write!(f, "registeredID {oid}"),
        }
    }
}

/// A list of names that has been read once and found good.
#[derive(Clone, Copy, Debug)]
pub struct GeneralNames<'a>(&'a [u8]);

impl<'a> GeneralNames<'a> {
    /// Checks the contents of a `GeneralNames`: SEQUENCE SIZE (1..MAX).
    pub(crate) fn from_contents(contents: &'a [u8]) -> Parse<Self> {
        if contents.is_empty() {
            return Err("an empty list of names");
        }
        let mut cursor = Cursor::new(contents);
        while !cursor.is_empty() {
            GeneralName::read(&mut cursor, Place::Name)?;
        }
        Ok(Self(contents))
    }

    /// How many bytes they take.
    pub(crate) fn size(&self) -> usize {
        self.0.len()
    }

    /// The names in their order.
    pub fn iter(&self) -> impl Iterator<Item = GeneralName<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.0);
        std::iter::from_fn(move || GeneralName::read(&mut cursor, Place::Name).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_or_refused() {
        let read = |der: &[u8]| GeneralNames::from_contents(der).map(|_| ());
        assert_eq!(read(b"\x82\x01a"), Ok(()));
        assert_eq!(read(b"\x87\x04\x7f\0\0\x01"), Ok(()));
        assert_eq!(read(b"\x88\x01\x2a"), Ok(()));
        assert_eq!(read(b"\xa4\x02\x30\0"), Ok(()));
        assert_eq!(read(b"\xa0\x07\x06\x01\x2a\xa0\x02\x05\0"), Ok(()));
        for bad in [
            &b""[..],
            b"\x82\x03a\0b",
            b"\x82\x02\xc3\xa9",
            b"\x81\x02a\n",
            b"\x87\x05\x7f\0\0\x01\0",
            b"\x87\x08\x7f\0\0\x01\xff\xff\xff\xff",
            b"\xa0\x03\x06\x01\x2a",
            b"\xa4\x04\x30\0\x30\0",
            b"\x89\x01a",
            b"\x30\0",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn uris_compare_by_scheme_and_host_in_any_case() {
        assert!(same_uri("HTTP://A.example/x", "http://a.EXAMPLE/x"));
        assert!(!same_uri("http://a.example/x", "http://a.example/X"));
        assert!(!same_uri("http://a.example/%73", "http://a.example/s"));
        assert!(same_uri("ldap:cn=a", "ldap:cn=a"));
    }
}
