//! Names and subtrees that own their bytes: what is asked for and written.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::certificate::{Form, GeneralName};
use crate::error::{Error, Result};
use crate::oid::OidBuf;
use crate::parse::cursor::tag;

use super::der;
use super::name::NameBuf;

/// A GeneralName (RFC 5280, section 4.2.1.6) that owns its value. The two
/// forms that nobody uses, x400Address and ediPartyName, are not written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AltName {
    /// dNSName, in A-labels.
    Dns(String),
    /// rfc822Name: a mailbox.
    Email(String),
    /// uniformResourceIdentifier.
    Uri(String),
    /// iPAddress.
    Ip(IpAddr),
    /// directoryName.
    Directory(NameBuf),
    /// otherName: its type, and its value's DER.
    Other(OidBuf, Vec<u8>),
    /// registeredID.
    RegisteredId(OidBuf),
}

fn ip_octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    }
}

impl AltName {
    /// Takes a name that was read.
    ///
    /// # Errors
    /// [`Error::Malformed`] for the forms that are not written.
    pub fn from_general(name: &GeneralName<'_>) -> Result<Self> {
        Ok(match *name {
            GeneralName::Dns(text) => Self::Dns(text.to_owned()),
            GeneralName::Email(text) => Self::Email(text.to_owned()),
            GeneralName::Uri(text) => Self::Uri(text.to_owned()),
            GeneralName::Directory(ref name) => Self::Directory(name.into()),
            GeneralName::Other(kind, value) => Self::Other(kind.into(), value.to_vec()),
            GeneralName::RegisteredId(oid) => Self::RegisteredId(oid.into()),
            GeneralName::Ip(_) => match name.ip() {
                Some(address) => Self::Ip(address),
                None => return Err(unknown("an iPAddress of a wrong length")),
            },
            _ => return Err(unknown("a name of a form that is not issued")),
        })
    }

    /// Which form it is of.
    #[must_use]
    pub fn form(&self) -> Form {
        match self {
            Self::Dns(_) => Form::Dns,
            Self::Email(_) => Form::Email,
            Self::Uri(_) => Form::Uri,
            Self::Ip(_) => Form::Ip,
            Self::Directory(_) => Form::Directory,
            Self::Other(..) => Form::Other,
            Self::RegisteredId(_) => Form::RegisteredId,
        }
    }

    /// Its DER. Domain names are written in lower case.
    pub(crate) fn der(&self) -> Vec<u8> {
        match self {
            Self::Dns(text) => der::tlv(tag::context(2), &[text.to_ascii_lowercase().as_bytes()]),
            Self::Email(text) => der::tlv(tag::context(1), &[text.as_bytes()]),
            Self::Uri(text) => der::tlv(tag::context(6), &[text.as_bytes()]),
            Self::Ip(address) => der::tlv(tag::context(7), &[&ip_octets(*address)]),
            Self::Directory(name) => der::constructed(4, &[name.as_der()]),
            Self::Other(kind, value) => other(kind, value),
            Self::RegisteredId(oid) => der::tlv(tag::context(8), &[oid.as_oid().as_bytes()]),
        }
    }
}

fn other(kind: &OidBuf, value: &[u8]) -> Vec<u8> {
    let value = der::constructed(0, &[value]);
    der::constructed(0, &[&der::oid(kind.as_oid()), &value])
}

fn unknown(why: &'static str) -> Error {
    Error::Malformed {
        what: "subject alternative name",
        why,
    }
}

impl FromStr for AltName {
    type Err = Error;

    /// From `dns:`, `email:`, `uri:`, `ip:`, `dn:` or `rid:` and the value. A
    /// text without one of them is an address if it reads as one, a mailbox if
    /// it has an `@`, a URI if it has a `://`, else a domain name.
    fn from_str(text: &str) -> Result<Self> {
        let address = |text: &str| {
            text.parse()
                .map(Self::Ip)
                .map_err(|_| unknown("not an address"))
        };
        let (form, value) = text.split_once(':').unwrap_or(("", text));
        Ok(match form.to_ascii_lowercase().as_str() {
            "dns" => Self::Dns(value.to_owned()),
            "email" => Self::Email(value.to_owned()),
            "uri" => Self::Uri(value.to_owned()),
            "ip" => address(value)?,
            "dn" => Self::Directory(value.parse()?),
            "rid" => Self::RegisteredId(value.parse()?),
            _ if text.parse::<IpAddr>().is_ok() => address(text)?,
            _ if text.contains("://") => Self::Uri(text.to_owned()),
            _ if text.contains('@') => Self::Email(text.to_owned()),
            "" => Self::Dns(text.to_owned()),
            _ => return Err(unknown("a name of no known form")),
        })
    }
}

impl fmt::Display for AltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(text) => write!(f, "dns:{}", text.escape_debug()),
            Self::Email(text) => write!(f, "email:{}", text.escape_debug()),
            Self::Uri(text) => write!(f, "uri:{}", text.escape_debug()),
            Self::Ip(address) => write!(f, "ip:{address}"),
            Self::Directory(name) => write!(f, "dn:{name}"),
            Self::Other(kind, _) => write!(f, "otherName:{kind}"),
            Self::RegisteredId(oid) => write!(f, "rid:{oid}"),
        }
    }
}

/// A network: an address, and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpNetwork {
    address: IpAddr,
    bits: u8,
}

impl IpNetwork {
    /// A network from an address in it and the length of its prefix.
    ///
    /// # Errors
    /// [`Error::Malformed`] for more bits than the address has.
    pub fn new(address: IpAddr, bits: u8) -> Result<Self> {
        if usize::from(bits) > 8 * ip_octets(address).len() {
            return Err(unknown("a prefix longer than its address"));
        }
        Ok(Self { address, bits })
    }

    /// Network and mask, the host's bits zero.
    fn octets(self) -> (Vec<u8>, Vec<u8>) {
        let address = ip_octets(self.address);
        let mask: Vec<u8> = (0..address.len())
            .map(|index| {
                let ones = usize::from(self.bits).saturating_sub(8 * index).min(8);
                !(0xffu32 >> ones) as u8
            })
            .collect();
        let network = address.iter().zip(&mask).map(|(a, m)| a & m).collect();
        (network, mask)
    }

    /// Whether all of the other network is in it.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.bits <= other.bits && self.contains(other.address)
    }

    /// Whether its address has no bits beyond its prefix.
    #[must_use]
    pub fn is_canonical(self) -> bool {
        self.octets().0 == ip_octets(self.address)
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let own = ip_octets(address);
        let (network, mask) = self.octets();
        own.len() == network.len()
            && own
                .iter()
                .zip(&mask)
                .zip(&network)
                .all(|((own, mask), network)| own & mask == *network)
    }
}

impl FromStr for IpNetwork {
    type Err = Error;

    /// From `192.0.2.0/24` or one address.
    fn from_str(text: &str) -> Result<Self> {
        let bad = unknown("not a network");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| bad)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad)?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        Self::new(address, bits.unwrap_or(all))
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// The base of a GeneralSubtree (RFC 5280, section 4.2.1.10).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subtree {
    /// A domain and everything below it; empty: every domain.
    Dns(String),
    /// A mailbox, a host, or with a leading period every host below a domain.
    Email(String),
    /// A host, or with a leading period every host below a domain.
    Uri(String),
    /// A network.
    Ip(IpNetwork),
    /// All names that begin with these parts.
    Directory(NameBuf),
    /// otherName. RFC 5280 gives it no meaning: a validator that follows it
    /// refuses every name of this form once one is constrained.
    Other(OidBuf, Vec<u8>),
    /// registeredID, of which the same is true.
    RegisteredId(OidBuf),
}

impl Subtree {
    /// A GeneralSubtree's DER.
    pub(crate) fn der(&self) -> Vec<u8> {
        let base = match self {
            Self::Dns(text) => der::tlv(tag::context(2), &[text.as_bytes()]),
            Self::Email(text) => der::tlv(tag::context(1), &[text.as_bytes()]),
            Self::Uri(text) => der::tlv(tag::context(6), &[text.as_bytes()]),
            Self::Ip(network) => {
                let (network, mask) = network.octets();
                der::tlv(tag::context(7), &[&network, &mask])
            }
            Self::Directory(name) => der::constructed(4, &[name.as_der()]),
            Self::Other(kind, value) => other(kind, value),
            Self::RegisteredId(oid) => der::tlv(tag::context(8), &[oid.as_oid().as_bytes()]),
        };
        der::sequence(&[&base])
    }
}

impl FromStr for Subtree {
    type Err = Error;

    /// From `dns:`, `email:`, `uri:`, `ip:`, `dn:` or `rid:` and the base: a
    /// network is an address and the length of its prefix.
    fn from_str(text: &str) -> Result<Self> {
        let (form, base) = text.split_once(':').ok_or_else(|| {
            unknown("a subtree says its form before a colon: dns, email, uri, ip, dn or rid")
        })?;
        let plain = || {
            if base.bytes().all(|byte| byte.is_ascii_graphic()) {
                Ok(base.to_owned())
            } else {
                Err(unknown(
                    "a subtree with spaces, control characters or letters beyond ASCII",
                ))
            }
        };
        Ok(match form.to_ascii_lowercase().as_str() {
            "dns" => Self::Dns(plain()?),
            "email" => Self::Email(plain()?),
            "uri" => Self::Uri(plain()?),
            "ip" => Self::Ip(base.parse()?),
            "dn" => Self::Directory(base.parse()?),
            "rid" => Self::RegisteredId(base.parse()?),
            _ => return Err(unknown("a subtree of no known form")),
        })
    }
}

impl fmt::Display for Subtree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(text) => write!(f, "dns:{}", text.escape_debug()),
            Self::Email(text) => write!(f, "email:{}", text.escape_debug()),
            Self::Uri(text) => write!(f, "uri:{}", text.escape_debug()),
            Self::Ip(network) => write!(f, "ip:{network}"),
            Self::Directory(name) => write!(f, "dn:{name}"),
            Self::Other(kind, _) => write!(f, "otherName:{kind}"),
            Self::RegisteredId(oid) => write!(f, "rid:{oid}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::GeneralNames;

    #[test]
    fn every_form_is_read_back() {
        let names: Vec<AltName> = [
            "dns:a.example",
            "email:a@b.example",
            "uri:https://a.example/x",
            "ip:192.0.2.1",
            "ip:2001:db8::1",
            "dn:C=DE, CN=x",
            "rid:1.2.3",
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .chain([AltName::Other("1.2.3".parse().unwrap(), vec![5, 0])])
        .collect();
        for name in &names {
            let der = name.der();
            let read = GeneralNames::from_contents(&der).unwrap();
            let found = read.iter().next().unwrap();
            assert_eq!(AltName::from_general(&found).unwrap(), *name);
            assert_eq!(found.form(), name.form());
            if !matches!(name, AltName::Other(..)) {
                assert_eq!(name.to_string().parse::<AltName>().unwrap(), *name);
            }
        }
        for (text, form) in [
            ("192.0.2.1", Form::Ip),
            ("::1", Form::Ip),
            ("a@b.example", Form::Email),
            ("https://a.example", Form::Uri),
            ("a.example", Form::Dns),
        ] {
            assert_eq!(text.parse::<AltName>().unwrap().form(), form, "{text}");
        }
        assert!("ip:a.example".parse::<AltName>().is_err());
        assert!("carrier:pigeon".parse::<AltName>().is_err());
    }

    #[test]
    fn subtrees_are_read_back() {
        for text in [
            "dns:example.org",
            "dns:",
            "email:.example.org",
            "uri:.example.org",
            "ip:10.0.0.0/8",
            "ip:2001:db8::/32",
            "dn:O=Example",
            "rid:1.2.3",
        ] {
            let subtree: Subtree = text.parse().unwrap();
            assert_eq!(subtree.to_string(), text);
        }
        for bad in [
            "example.org",
            "ip:10.0.0.0/33",
            "dns:a b",
            "x400:a",
            "dns:\u{e4}.org",
        ] {
            assert!(bad.parse::<Subtree>().is_err(), "{bad}");
        }
    }

    #[test]
    fn networks_contain_their_addresses() {
        let network: IpNetwork = "192.0.2.77/26".parse().unwrap();
        assert!(network.contains("192.0.2.64".parse().unwrap()));
        assert!(!network.contains("192.0.2.63".parse().unwrap()));
        assert!(!network.contains("::1".parse().unwrap()));
        let all: IpNetwork = "::/0".parse().unwrap();
        assert!(all.contains("2001:db8::1".parse().unwrap()));
        let one: IpNetwork = "192.0.2.1".parse().unwrap();
        assert_eq!(one.to_string(), "192.0.2.1/32");
        assert_eq!(
            Subtree::Ip(network).der(),
            [0x30, 10, 0x87, 8, 192, 0, 2, 64, 255, 255, 255, 192]
        );
        assert!("192.0.2.0/33".parse::<IpNetwork>().is_err());
        assert!("192.0.2/8".parse::<IpNetwork>().is_err());
    }
}
