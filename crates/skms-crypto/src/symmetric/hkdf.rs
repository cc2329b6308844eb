//! HKDF (RFC 5869) over AWS-LC.

use aws_lc_rs::hkdf::{Algorithm, KeyType, Salt};

use crate::error::{Error, Result};

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// Extracts with `salt`, expands with `info` into the whole of `out`.
///
/// # Errors
/// [`Error::TooLong`] past 255 blocks of output.
pub(crate) fn expand_into(
    algorithm: Algorithm,
    ikm: &[u8],
    salt: &[u8],
    info: &[u8],
    out: &mut [u8],
) -> Result<()> {
    let limit = 255 * algorithm.hmac_algorithm().tag_len();
    if out.len() > limit {
        return Err(Error::TooLong {
            what: "derived key",
            limit: limit as u64,
        });
    }
    if out.is_empty() {
        return Ok(());
    }
    Salt::new(algorithm, salt)
        .extract(ikm)
        .expand(&[info], Length(out.len()))
        .and_then(|okm| okm.fill(out))
        .map_err(|_| Error::Library("HKDF"))
}
