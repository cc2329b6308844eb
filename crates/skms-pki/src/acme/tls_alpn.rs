//! The answer of a TLS server to tls-alpn-01 (RFC 8737).

use std::net::IpAddr;

use skms_crypto::ct_eq;

use super::challenge::KeyAuthorization;
use super::identifier::Identifier;
use crate::certificate::{Certificate, GeneralName};
use crate::oid;
use crate::parse::cursor::{Cursor, tag};

/// The name that is asked for in the handshake: of an address it is its name
/// for reverse look-ups (RFC 8738, section 6).
#[must_use]
pub fn server_name(identifier: &Identifier) -> String {
    match identifier {
        Identifier::Dns(name) => name.clone(),
        Identifier::Ip(IpAddr::V4(four)) => {
            let [a, b, c, d] = four.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Identifier::Ip(IpAddr::V6(six)) => {
            let mut name = String::with_capacity(72);
            for byte in six.octets().iter().rev() {
                name.push_str(&format!("{:x}.{:x}.", byte & 15, byte >> 4));
            }
            name.push_str("ip6.arpa");
            name
        }
    }
}

/// Whether a server's certificate (DER) answers the challenge.
///
/// # Errors
/// What is wrong with it, in words.
pub fn answers(
    der: &[u8],
    identifier: &Identifier,
    expected: &KeyAuthorization,
) -> Result<(), &'static str> {
    let certificate = Certificate::from_der(der).map_err(|_| "its certificate is malformed")?;
    // RFC 8737, section 3: this name and no other, and the digest. Who signed
    // the certificate does not matter.
    let names = certificate
        .extensions()
        .subject_alt_name
        .as_ref()
        .ok_or("its certificate has no names")?;
    let mut names = names.iter();
    let same = match (names.next(), identifier) {
        (Some(GeneralName::Dns(found)), Identifier::Dns(name)) => found.eq_ignore_ascii_case(name),
        (Some(found @ GeneralName::Ip(_)), Identifier::Ip(address)) => found.ip() == Some(*address),
        _ => false,
    };
    if !same || names.next().is_some() {
        return Err("its certificate is not for this name alone");
    }
    let extension = certificate
        .extensions()
        .iter()
        .find(|one| one.id == oid::ACME_IDENTIFIER)
        .ok_or("its certificate has no acmeIdentifier")?;
    if !extension.critical {
        return Err("its acmeIdentifier is not critical");
    }
    let digest = Cursor::only(extension.value, tag::OCTET_STRING)
        .map_err(|_| "its acmeIdentifier is malformed")?;
    if !ct_eq(digest.rest(), &expected.digest()) {
        return Err("its acmeIdentifier is of another key authorization");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_asked_for_by_their_reverse_names() {
        let name = |text| server_name(&Identifier::new("ip", text).unwrap());
        assert_eq!(name("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        assert_eq!(
            name("2001:db8::1"),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }
}
