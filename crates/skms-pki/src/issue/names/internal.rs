//! Names and addresses that exist in no public network (TLS Baseline
//! Requirements, section 4.2.2 and 7.1.4.2.1).

use std::net::{IpAddr, Ipv6Addr};

/// Top level names that are reserved (RFC 6761, RFC 6762, RFC 7686, RFC 8375,
/// RFC 9476 and ICANN's `internal`), and those that home and office networks
/// use without leave.
const RESERVED: &[&str] = &[
    "alt",
    "corp",
    "domain",
    "example",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "mail",
    "onion",
    "private",
    "test",
    "workgroup",
];

/// Whether a domain name can be nobody's in public. Which top level names
/// exist changes; those known never to are refused.
pub(crate) fn is_internal_domain(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    match name.rsplit_once('.') {
        None => true,
        Some((rest, last)) => {
            RESERVED.contains(&last)
                || last == "arpa" && (rest == "home" || rest.ends_with(".home"))
        }
    }
}

/// Whether IANA keeps an address for other uses than public ones.
pub(crate) fn is_reserved_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            let [a, b, c, _] = four.octets();
            four.is_private()
                || four.is_loopback()
                || four.is_link_local()
                || four.is_broadcast()
                || four.is_documentation()
                || four.is_multicast()
                || four.is_unspecified()
                || a == 0
                || a >= 240
                || a == 100 && b & 0xc0 == 64
                || a == 198 && b & 0xfe == 18
                || a == 192 && b == 0 && c == 0
        }
        IpAddr::V6(six) => is_reserved_six(six),
    }
}

fn is_reserved_six(six: Ipv6Addr) -> bool {
    if let Some(four) = six.to_ipv4_mapped() {
        return is_reserved_address(IpAddr::V4(four));
    }
    let [first, second, ..] = six.segments();
    // Only 2000::/3 is global unicast; of it, documentation (RFC 3849, RFC
    // 9637) and IANA's special-purpose block are not.
    first & 0xe000 != 0x2000
        || first == 0x2001 && second == 0x0db8
        || first == 0x2001 && second < 0x0200
        || first == 0x3fff && second < 0x1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_and_internal_are_told_apart() {
        for name in ["example.com", "a.b.de", "xn--bcher-kva.ch"] {
            assert!(!is_internal_domain(name), "{name}");
        }
        for name in [
            "localhost",
            "host",
            "a.local",
            "a.INTERNAL",
            "x.home.arpa",
            "a.test",
        ] {
            assert!(is_internal_domain(name), "{name}");
        }
        for text in ["9.9.9.9", "2620:fe::9", "193.0.6.139"] {
            assert!(!is_reserved_address(text.parse().unwrap()), "{text}");
        }
        for text in [
            "10.1.2.3",
            "127.0.0.1",
            "100.64.0.1",
            "169.254.1.1",
            "192.0.2.1",
            "198.18.0.1",
            "0.1.2.3",
            "255.255.255.255",
            "::1",
            "fe80::1",
            "fd00::1",
            "2001:db8::1",
            "::ffff:9.9.9.9",
            "::ffff:10.0.0.1",
        ] {
            let reserved = is_reserved_address(text.parse().unwrap());
            assert_eq!(reserved, text != "::ffff:9.9.9.9", "{text}");
        }
    }
}
