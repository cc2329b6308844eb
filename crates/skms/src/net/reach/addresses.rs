//! Which addresses are connected to on somebody else's behalf.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::Reach;

/// Whether this server connects there because somebody else says so.
pub fn may_be_asked(reach: &Reach, address: IpAddr) -> bool {
    let address = address.to_canonical();
    reach.allow_private
        || reach.allow.iter().any(|network| network.contains(address))
        || is_public(address)
}

/// Whether anybody may reach it: neither this machine, nor networks of its
/// own, nor what IANA's registries of special addresses keep from routing.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => is_public_v4(four),
        IpAddr::V6(six) => match embedded(six) {
            Some(four) => is_public_v4(four),
            None => is_public_v6(six),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _) // this network, private, loopback, multicast, reserved
            | (100, 64..=127, _)         // shared by carriers
            | (169, 254, _)              // link-local
            | (172, 16..=31, _)          // private
            | (192, 0, 0)                // protocol assignments
            | (192, 0, 2)                // documentation
            | (192, 88, 99)              // relays of 6to4
            | (192, 168, _)              // private
            | (198, 18..=19, _)          // benchmarks
            | (198, 51, 100)             // documentation
            | (203, 0, 113) // documentation
    );
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Only global unicast is routed, and of that neither documentation nor
    // protocol assignments.
    let global = a & 0xe000 == 0x2000;
    let special = matches!((a, b), (0x2001, 0..=0x1ff | 0x0db8) | (0x3fff, 0..=0x0fff));
    global && !special
}

/// An IPv4 address that a translator would take out of this one.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b, c, d, e, f) {
        // RFC 6052's well-known prefix; IPv4-compatible.
        (0x64, 0xff9b, 0, 0, 0, 0) | (0, 0, 0, 0, 0, 0) => Some(of(g, h)),
        // 6to4.
        (0x2002, high, low, ..) => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> bool {
        may_be_asked(&Reach::default(), text.parse().unwrap())
    }

    #[test]
    fn only_what_anybody_may_reach_is_asked() {
        for good in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "2606:4700::1111",
            "2002:0101:0101::1",
        ] {
            assert!(public(good), "{good}");
        }
        for bad in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "198.18.0.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            // RFC 8215: who knows where a local translator has the address.
            "64:ff9b:1::808:808",
            "64:ff9b:1:a00:0:100:808:808",
            "2002:7f00:1::",
            "::7f00:1",
            "2001::1",
            "64:ff9b:1::a00:1",
        ] {
            assert!(!public(bad), "{bad}");
        }
    }

    #[test]
    fn the_operator_may_allow_more() {
        let config = Reach {
            allow: vec!["10.1.0.0/16".parse().unwrap()],
            ..Reach::default()
        };
        let may = |config: &Reach, text: &str| may_be_asked(config, text.parse().unwrap());
        assert!(may(&config, "10.1.2.3"));
        assert!(may(&config, "::ffff:10.1.2.3"));
        assert!(!may(&config, "10.2.2.3"));
        assert!(!may(&config, "127.0.0.1"));
        let all = Reach {
            allow_private: true,
            ..Reach::default()
        };
        assert!(may(&all, "127.0.0.1") && may(&all, "::1"));
    }
}
