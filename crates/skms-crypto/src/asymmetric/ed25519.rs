//! Ed25519 signatures (RFC 8032, section 5.1; FIPS 186-5, section 7).

use crate::algorithm::Algorithm;
use crate::awslc::bignum::Bn;
use crate::awslc::pkey::PKey;
use crate::error::{Error, Result};
use crate::open::{Message, SignOptions, SignatureScheme};

/// A fresh key.
pub(crate) fn generate() -> Result<PKey> {
    // On the validated module its own generation, which is an approved service.
    #[cfg(feature = "fips")]
    return PKey::generate_ed25519().ok_or(Error::Library("Ed25519 key generation"));
    #[cfg(not(feature = "fips"))]
    private(crate::rand::secret(32)?.expose(), None)
}

/// From a 32-byte seed. The public key is computed: one that came along must
/// be the same, because signing with a public key that does not belong to the
/// seed gives the seed away (double public key oracle).
pub(crate) fn private(seed: &[u8], claimed: Option<&[u8]>) -> Result<PKey> {
    let key = PKey::ed25519_private(seed).ok_or(Error::InvalidKey("Ed25519 seed of 32 bytes"))?;
    if claimed.is_some() && key.raw_public().as_deref() != claimed {
        return Err(Error::InvalidKey("Ed25519 public key is not the seed's"));
    }
    Ok(key)
}

/// From a 32-byte public key: a point on the curve, canonically encoded, and
/// none of the eight of small order, for which anybody can sign.
pub(crate) fn public(bytes: &[u8]) -> Result<PKey> {
    let key =
        PKey::ed25519_public(bytes).ok_or(Error::InvalidKey("Ed25519 public key of 32 bytes"))?;
    check_point(bytes)?;
    Ok(key)
}

/// p = 2^255 - 19, big-endian.
const P: [u8; 32] = {
    let mut p = [0xff; 32];
    p[0] = 0x7f;
    p[31] = 0xed;
    p
};

/// d = -121665/121666 mod p (RFC 8032, section 5.1), big-endian.
const D: [u8; 32] = [
    0x52, 0x03, 0x6c, 0xee, 0x2b, 0x6f, 0xfe, 0x73, 0x8c, 0xc7, 0x40, 0x79, 0x77, 0x79, 0xe8, 0x98,
    0x00, 0x70, 0x0a, 0x4d, 0x41, 0x41, 0xd8, 0xab, 0x75, 0xeb, 0x4d, 0xca, 0x13, 0x59, 0x78, 0xa3,
];

/// The y coordinates of the points of order 8, big-endian; orders 1, 2 and 4
/// have y = 1, -1 and 0.
const ORDER_EIGHT: [[u8; 32]; 2] = [
    [
        0x7a, 0x03, 0xac, 0x92, 0x77, 0xfd, 0xc7, 0x4e, 0xc6, 0xcc, 0x39, 0x2c, 0xfa, 0x53, 0x20,
        0x2a, 0x0f, 0x67, 0x10, 0x0d, 0x76, 0x0b, 0x3c, 0xba, 0x4f, 0xd8, 0x4d, 0x3d, 0x70, 0x6a,
        0x17, 0xc7,
    ],
    [
        0x05, 0xfc, 0x53, 0x6d, 0x88, 0x02, 0x38, 0xb1, 0x39, 0x33, 0xc6, 0xd3, 0x05, 0xac, 0xdf,
        0xd5, 0xf0, 0x98, 0xef, 0xf2, 0x89, 0xf4, 0xc3, 0x45, 0xb0, 0x27, 0xb2, 0xc2, 0x8f, 0x95,
        0xe8, 0x26,
    ],
];

/// RFC 8032, section 5.1.3, as far as deciding whether decoding succeeds. The
/// input is public, so branches on it are no leak.
fn check_point(bytes: &[u8]) -> Result<()> {
    let mut y: Vec<u8> = bytes.iter().rev().copied().collect();
    if let Some(top) = y.first_mut() {
        *top &= 0x7f;
    }
    if y.as_slice() >= P.as_slice() {
        return Err(Error::InvalidKey("Ed25519 point not canonical"));
    }
    let (p, one) = (Bn::from_bytes(&P)?, Bn::from_bytes(&[1])?);
    let value = Bn::from_bytes(&y)?;
    let minus_one = one.sub_from(&p)?;
    if value.bits() <= 1
        || !value.less_than(&minus_one)
        || ORDER_EIGHT
            .iter()
            .any(|small| small.as_slice() == y.as_slice())
    {
        return Err(Error::WeakKey("Ed25519 point of small order"));
    }
    // x^2 = (y^2 - 1) / (d y^2 + 1); a quotient is a square exactly when the
    // product is, and d y^2 + 1 is never zero because -1/d is no square.
    let square = value.mul_mod(&value, &p)?;
    let numerator = square.add_mod(&minus_one, &p)?;
    let denominator = Bn::from_bytes(&D)?
        .mul_mod(&square, &p)?
        .add_mod(&one, &p)?;
    let product = numerator.mul_mod(&denominator, &p)?;
    let legendre = product.power_mod(&Bn::from_bytes(&crate::awslc::dh::half(&P))?, &p)?;
    // The sign bit was dropped above: only x = 0 has one sign, and that is
    // y = 1 or -1, which are gone.
    if legendre.bits() == 1 {
        Ok(())
    } else {
        Err(Error::InvalidKey("Ed25519 point not on the curve"))
    }
}

fn whole<'a>(message: Message<'a>, options: &SignOptions) -> Result<&'a [u8]> {
    options.check(Algorithm::Ed25519, SignatureScheme::Ed25519)?;
    if options.hash.is_some() {
        return Err(Error::InvalidOption("Ed25519 has its own hash"));
    }
    match message {
        Message::Raw(bytes) => Ok(bytes),
        Message::Digest(..) => Err(Error::Unsupported {
            algorithm: Algorithm::Ed25519,
            what: "signatures over a digest",
        }),
    }
}

/// Signs; 64 bytes, deterministic.
pub(crate) fn sign(key: &PKey, message: Message<'_>, options: &SignOptions) -> Result<Vec<u8>> {
    key.sign_message(whole(message, options)?, &[])
}

/// Verifies.
pub(crate) fn verify(
    key: &PKey,
    message: Message<'_>,
    signature: &[u8],
    options: &SignOptions,
) -> Result<bool> {
    let message = whole(message, options)?;
    Ok(signature.len() == 64 && key.verify_message(message, signature, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_small_order_and_off_the_curve_are_refused() {
        let mut one = [0u8; 32];
        one[0] = 1;
        assert!(matches!(public(&one), Err(Error::WeakKey(_))));
        assert!(matches!(public(&[0; 32]), Err(Error::WeakKey(_))));
        for y in ORDER_EIGHT {
            let little: Vec<u8> = y.iter().rev().copied().collect();
            assert!(matches!(public(&little), Err(Error::WeakKey(_))));
        }
        // About half of all y have no x.
        let refused = (2u8..200)
            .filter(|&first| {
                let mut y = [0x11; 32];
                y[0] = first;
                public(&y).is_err()
            })
            .count();
        assert!((60..140).contains(&refused), "{refused}");
        assert!(public(&[0xff; 32]).is_err());
    }

    #[test]
    fn generated_keys_pass_the_point_check() {
        for _ in 0..20 {
            let key = generate().unwrap();
            public(&key.raw_public().unwrap()).unwrap();
        }
    }
}
