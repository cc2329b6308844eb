//! Whom a message is for.

use std::fmt;
use std::net::IpAddr;

use skms_pki::ReferenceName;

use crate::cbor::{Parse, Reader, Writer, plain_text};
use crate::error::{Error, Result};

/// Bytes of the longest URI.
pub(crate) const MAX_URI: usize = 1024;

/// The name of a server, as its certificate has it in subjectAltName.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerName(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Dns(String),
    Uri(String),
    Ip(IpAddr),
}

/// The numbers of GeneralName (RFC 5280, section 4.2.1.6).
const DNS: u64 = 2;
const URI: u64 = 6;
const IP: u64 = 7;

impl ServerName {
    /// A domain name of A-labels, or an IP address if it reads as one. Letters
    /// become lower case and a final dot is dropped.
    ///
    /// # Errors
    /// [`Error::Input`] for what is neither.
    pub fn host(text: &str) -> Result<Self> {
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(Self::ip(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        match ReferenceName::host(&name) {
            Ok(_) => Ok(Self(Kind::Dns(name))),
            Err(_) => Err(Error::Input("not a domain name of A-labels")),
        }
    }

    /// An IP address.
    #[must_use]
    pub fn ip(address: IpAddr) -> Self {
        Self(Kind::Ip(address))
    }

    /// A URI, compared whole.
    ///
    /// # Errors
    /// [`Error::Input`] for what is empty, longer than 1,024 bytes, or not of
    /// visible ASCII.
    pub fn uri(text: &str) -> Result<Self> {
        match is_uri(text) {
            true => Ok(Self(Kind::Uri(text.to_owned()))),
            false => Err(Error::Input("not a URI")),
        }
    }

    /// The name to look for in the server's certificate.
    pub(crate) fn reference(&self) -> Parse<ReferenceName> {
        match &self.0 {
            Kind::Dns(name) => ReferenceName::host(name).map_err(|_| "no domain name"),
            Kind::Uri(text) => Ok(ReferenceName::uri(text)),
            Kind::Ip(address) => Ok(ReferenceName::ip(*address)),
        }
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.array(2);
        match &self.0 {
            Kind::Dns(name) => out.uint(DNS).text(name),
            Kind::Uri(text) => out.uint(URI).text(text),
            Kind::Ip(IpAddr::V4(address)) => out.uint(IP).bytes(&address.octets()),
            Kind::Ip(IpAddr::V6(address)) => out.uint(IP).bytes(&address.octets()),
        };
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Parse<Self> {
        if reader.array()? != 2 {
            return Err("a server's name that is not of two parts");
        }
        let kind = match reader.uint()? {
            DNS => {
                let name = reader.text(253)?;
                // One name, one form: what would be changed is refused.
                match Self::host(name) {
                    Ok(Self(Kind::Dns(read))) if read == name => Kind::Dns(read),
                    _ => return Err("a domain name that is none, or not in lower case"),
                }
            }
            URI => {
                let text = reader.text(MAX_URI)?;
                if !is_uri(text) {
                    return Err("a URI that is none");
                }
                Kind::Uri(text.to_owned())
            }
            IP => {
                let bytes = reader.bytes()?;
                let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
                let address = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
                Kind::Ip(address.map_err(|_| "an address of neither 4 nor 16 bytes")?)
            }
            _ => return Err("a name of a form that is not known"),
        };
        Ok(Self(kind))
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Dns(text) | Kind::Uri(text) => f.write_str(text),
            Kind::Ip(address) => address.fmt(f),
        }
    }
}

/// Whether text may stand where a URI belongs.
pub(crate) fn is_uri(text: &str) -> bool {
    plain_text(text, MAX_URI) && text.contains(':') && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &ServerName) -> Vec<u8> {
        let mut out = Writer::default();
        name.write(&mut out);
        out.finish()
    }

    #[test]
    fn every_form_is_read_back() {
        for name in [
            ServerName::host("KMS.example.com.").unwrap(),
            ServerName::host("192.0.2.1").unwrap(),
            ServerName::host("[2001:db8::1]").unwrap(),
            ServerName::uri("spiffe://example.com/kms").unwrap(),
        ] {
            assert_eq!(
                ServerName::read(&mut Reader::new(&written(&name))),
                Ok(name)
            );
        }
        assert_eq!(
            ServerName::host("KMS.example.com.").unwrap().to_string(),
            "kms.example.com"
        );
    }

    #[test]
    fn names_in_another_form_are_refused() {
        let dns = |text: &str| Writer::default().array(2).uint(2).text(text).finish();
        assert!(ServerName::read(&mut Reader::new(&dns("a.example"))).is_ok());
        for bad in [
            "A.example",
            "a.example.",
            "*.example",
            "192.0.2.1",
            "a b",
            "[::1]",
        ] {
            assert!(
                ServerName::read(&mut Reader::new(&dns(bad))).is_err(),
                "{bad}"
            );
        }
        for bad in [
            Writer::default()
                .array(2)
                .uint(1)
                .text("a@b.example")
                .finish(),
            Writer::default().array(2).uint(6).text("no").finish(),
            Writer::default().array(2).uint(6).text("a: b").finish(),
            Writer::default()
                .array(2)
                .uint(7)
                .bytes(&[1, 2, 3])
                .finish(),
            Writer::default()
                .array(2)
                .uint(7)
                .text("192.0.2.1")
                .finish(),
            Writer::default()
                .array(3)
                .uint(2)
                .text("a.example")
                .uint(1)
                .finish(),
        ] {
            assert!(
                ServerName::read(&mut Reader::new(&bad)).is_err(),
                "{bad:x?}"
            );
        }
        assert!(ServerName::host("*.example.com").is_err());
        assert!(ServerName::uri("").is_err());
    }
}
