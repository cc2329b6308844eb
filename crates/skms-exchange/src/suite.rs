//! The suites: an HPKE triple each, by IANA's numbers.

use skms_crypto::hpke::{Aead, Kdf, Kem, Suite};

use crate::cbor::{Parse, Reader, Writer};

const fn suite(kem: Kem, kdf: Kdf) -> Suite {
    Suite {
        kem,
        kdf,
        aead: Aead::Aes256Gcm,
    }
}

/// X-Wing: what is offered and accepted where nobody says otherwise.
pub const X_WING: Suite = suite(Kem::XWing, Kdf::HkdfSha256);
/// ML-KEM-768.
pub const ML_KEM_768: Suite = suite(Kem::MlKem768, Kdf::HkdfSha256);
/// ML-KEM-1024.
pub const ML_KEM_1024: Suite = suite(Kem::MlKem1024, Kdf::HkdfSha384);
/// DHKEM(X25519, HKDF-SHA256).
pub const X25519: Suite = suite(Kem::X25519, Kdf::HkdfSha256);
/// DHKEM(P-256, HKDF-SHA256).
pub const P256: Suite = suite(Kem::P256, Kdf::HkdfSha256);
/// DHKEM(P-384, HKDF-SHA384).
pub const P384: Suite = suite(Kem::P384, Kdf::HkdfSha384);
/// DHKEM(P-521, HKDF-SHA512).
pub const P521: Suite = suite(Kem::P521, Kdf::HkdfSha512);

/// Every suite of version 1, the best first.
pub const ALL: [Suite; 7] = [X_WING, ML_KEM_1024, ML_KEM_768, X25519, P521, P384, P256];

/// Those that withstand a quantum computer: what a responder accepts where
/// nobody says otherwise.
pub const POST_QUANTUM: [Suite; 3] = [X_WING, ML_KEM_1024, ML_KEM_768];

/// Points of X25519 whose product with every scalar is zero (RFC 7748, section
/// 6.1), those over p included. The highest bit of a point does not count.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    low(1),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    high(0xec),
    high(0xed),
    high(0xee),
];

const fn low(first: u8) -> [u8; 32] {
    let mut point = [0; 32];
    point[0] = first;
    point
}

/// Around p, which is 2^255 - 19.
const fn high(first: u8) -> [u8; 32] {
    let mut point = [0xff; 32];
    point[0] = first;
    point[31] = 0x7f;
    point
}

/// Whether a key or an encapsulation of X-Wing, both of which end with a point
/// of X25519, has one that gives zero. X-Wing takes it, since ML-KEM makes up
/// for it; but nobody honest has one, and whoever sends one does without half of
/// the suite.
pub(crate) fn gives_zero(suite: Suite, received: &[u8]) -> bool {
    let Some(mut point) = received.last_chunk().copied() else {
        return false;
    };
    point[31] &= 0x7f;
    suite == X_WING && SMALL_ORDER.contains(&point)
}

/// A suite's numbers, whether it is known or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    kem: u16,
    kdf: u16,
    aead: u16,
}

impl From<Suite> for Numbers {
    fn from(suite: Suite) -> Self {
        Self {
            kem: suite.kem.id(),
            kdf: suite.kdf.id(),
            aead: suite.aead.id(),
        }
    }
}

impl Numbers {
    /// The suite of version 1 with these numbers.
    pub(crate) fn known(self) -> Option<Suite> {
        ALL.into_iter().find(|suite| self == (*suite).into())
    }

    pub(crate) fn write(self, out: &mut Writer) {
        for number in [self.kem, self.kdf, self.aead] {
            out.uint(number.into());
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Parse<Self> {
        let mut number =
            || u16::try_from(reader.uint()?).map_err(|_| "a number of a suite over 65,535");
        Ok(Self {
            kem: number()?,
            kdf: number()?,
            aead: number()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_is_the_usual_one_of_its_keys() {
        for suite in ALL {
            assert_eq!(Suite::for_key(suite.kem.algorithm()).unwrap(), suite);
        }
    }

    #[test]
    fn the_highest_bit_makes_no_other_point() {
        for mut point in SMALL_ORDER {
            assert!(gives_zero(X_WING, &point));
            point[31] |= 0x80;
            assert!(gives_zero(X_WING, &point));
            point[7] ^= 1;
            assert!(!gives_zero(X_WING, &point));
        }
        assert!(!gives_zero(ML_KEM_768, &[0; 1184]));
        assert!(!gives_zero(X_WING, &[0; 31]));
    }

    #[test]
    fn the_default_suites_are_post_quantum() {
        for suite in POST_QUANTUM {
            assert!(suite.kem.algorithm().row().post_quantum);
        }
    }
}
