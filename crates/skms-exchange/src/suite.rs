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
    fn the_default_suites_are_post_quantum() {
        for suite in POST_QUANTUM {
            assert!(suite.kem.algorithm().row().post_quantum);
        }
    }
}
