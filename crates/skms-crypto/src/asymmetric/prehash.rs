//! What the pre-hash forms of FIPS 204 and FIPS 205 have in common.

use crate::algorithm::Algorithm;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::open::{Message, SignOptions, SignatureScheme};

/// The DER object identifier of a hash (2.16.840.1.101.3.4.2.x), tag and length included.
fn hash_oid(hash: Hash) -> [u8; 11] {
    let last = match hash {
        Hash::Sha256 => 1,
        Hash::Sha384 => 2,
        Hash::Sha512 => 3,
        Hash::Sha512_256 => 6,
        Hash::Sha3_256 => 8,
        Hash::Sha3_384 => 9,
        Hash::Sha3_512 => 10,
    };
    [
        0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last,
    ]
}

/// What goes into the internal signing function for a pre-hashed message:
/// `1 ‖ |ctx| ‖ ctx ‖ OID ‖ digest` (FIPS 204, algorithm 4; FIPS 205, algorithm 23).
pub(super) fn prehashed(digest: &[u8], hash: Hash, context: &[u8]) -> Result<Vec<u8>> {
    let length = u8::try_from(context.len()).map_err(|_| Error::TooLong {
        what: "context string",
        limit: 255,
    })?;
    let mut out = vec![1, length];
    out.extend_from_slice(context);
    out.extend_from_slice(&hash_oid(hash));
    out.extend_from_slice(digest);
    Ok(out)
}

/// Either the whole message, or the encoded pre-hash.
pub(super) enum Input<'a> {
    Whole(&'a [u8]),
    Prehashed(Vec<u8>),
}

/// Checks the options and encodes a pre-hash; the hash must be at least as
/// strong as the key (`strength_bits` against collisions).
pub(super) fn input<'a>(
    algorithm: Algorithm,
    scheme: SignatureScheme,
    message: Message<'a>,
    options: &SignOptions,
) -> Result<Input<'a>> {
    options.check(algorithm, scheme)?;
    match message {
        Message::Raw(bytes) => {
            if options.hash.is_some() {
                return Err(Error::InvalidOption(
                    "this scheme has its own hash; pass a digest for the pre-hash form",
                ));
            }
            Ok(Input::Whole(bytes))
        }
        Message::Digest(digest, hash) => {
            crate::options::check_digest(digest, hash, options.hash)?;
            //= https://doi.org/10.6028/NIST.FIPS.204#section-5.4
            //# In order to maintain the same level of security strength when
            //# the content is hashed at the application level, the digest
            //# needs to be at least twice the claimed security strength
            if hash.output_len() * 4 < usize::from(algorithm.row().strength_bits) {
                return Err(Error::InvalidOption("hash too short for this key"));
            }
            Ok(Input::Prehashed(prehashed(digest, hash, &options.context)?))
        }
    }
}
