//! What seals data at rest: keys derived per record or segment, and keyed
//! digests for blind indexes and heads.
//!
//! Every multi-part input (associated data, HKDF info, PRF input) is encoded
//! part by part, each with its length in front as 64 bits big-endian, so that
//! no two different lists of parts encode to the same bytes.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};

use crate::error::{Error, Result};
use crate::secret::{SecretArray, SecretBytes};

/// Length of a GCM-SIV nonce, in bytes.
const NONCE_LEN: usize = 12;
/// Length of a GCM-SIV tag, in bytes.
const TAG_LEN: usize = 16;
/// What a random-nonce seal adds to its plaintext, in bytes.
pub const SEAL_OVERHEAD: usize = NONCE_LEN + TAG_LEN;

/// An AES-256-GCM-SIV key (RFC 8452) for one record or one segment.
///
/// GCM-SIV because a nonce that repeats, after a restored backup for
/// instance, then shows only that two plaintexts are equal.
pub struct RecordKey(LessSafeKey);

impl RecordKey {
    /// Derives the key with HKDF-SHA-256.
    ///
    /// # Errors
    /// [`Error::Library`], which no input causes.
    pub fn derive(ikm: &[u8], salt: &[u8], info: &[&[u8]]) -> Result<Self> {
        let key = SecretArray::<32>::try_init_with(|key| hkdf_sha256(ikm, salt, info, key))?;
        Self::new(&key)
    }

    /// Uses these bytes as the key.
    ///
    /// # Errors
    /// [`Error::Library`], which no input causes.
    pub fn new(key: &SecretArray<32>) -> Result<Self> {
        UnboundKey::new(&AES_256_GCM_SIV, key.expose())
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_| Error::Library("AES-256-GCM-SIV key"))
    }

    /// Seals under a random nonce: nonce (12 bytes) ‖ ciphertext ‖ tag (16).
    ///
    /// # Errors
    /// [`Error::Library`] without randomness; [`Error::TooLong`] past 2^36
    /// bytes.
    pub fn seal(&self, aad_parts: &[&[u8]], plaintext: &[u8]) -> Result<Vec<u8>> {
        let nonce = crate::rand::array::<NONCE_LEN>()?;
        let mut sealed = Vec::with_capacity(plaintext.len() + SEAL_OVERHEAD);
        sealed.extend_from_slice(&nonce);
        self.append(nonce, aad_parts, plaintext, &mut sealed)?;
        Ok(sealed)
    }

    /// Opens what [`RecordKey::seal`] made.
    ///
    /// # Errors
    /// [`Error::Decrypt`] for another key, other associated data or altered
    /// bytes.
    pub fn open(&self, aad_parts: &[&[u8]], sealed: &[u8]) -> Result<SecretBytes> {
        let (nonce, rest) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(Error::Decrypt)?;
        self.open_with(*nonce, aad_parts, rest)
    }

    /// Seals under a counter nonce that the reader knows from the place:
    /// ciphertext ‖ tag (16 bytes). The caller uses each counter once.
    ///
    /// # Errors
    /// [`Error::TooLong`] past 2^36 bytes.
    pub fn seal_with_counter(
        &self,
        counter: u64,
        aad_parts: &[&[u8]],
        plaintext: &[u8],
    ) -> Result<Vec<u8>> {
        let mut sealed = Vec::with_capacity(plaintext.len() + TAG_LEN);
        self.append(counter_nonce(counter), aad_parts, plaintext, &mut sealed)?;
        Ok(sealed)
    }

    /// As [`RecordKey::seal_with_counter`], of what `out` holds from `start`
    /// on, in its place; the tag is appended.
    ///
    /// # Errors
    /// [`Error::TooLong`] past 2^36 bytes; then `out` ends at `start`.
    pub fn seal_tail_with_counter(
        &self,
        counter: u64,
        aad_parts: &[&[u8]],
        out: &mut Vec<u8>,
        start: usize,
    ) -> Result<()> {
        self.seal_tail(counter_nonce(counter), aad_parts, out, start)
    }

    /// Opens what [`RecordKey::seal_with_counter`] made under this counter.
    ///
    /// # Errors
    /// [`Error::Decrypt`] for another key, counter or associated data, or
    /// altered bytes.
    pub fn open_with_counter(
        &self,
        counter: u64,
        aad_parts: &[&[u8]],
        sealed: &[u8],
    ) -> Result<SecretBytes> {
        self.open_with(counter_nonce(counter), aad_parts, sealed)
    }

    fn append(
        &self,
        nonce: [u8; NONCE_LEN],
        aad_parts: &[&[u8]],
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        out.extend_from_slice(plaintext);
        self.seal_tail(nonce, aad_parts, out, start)
    }

    fn seal_tail(
        &self,
        nonce: [u8; NONCE_LEN],
        aad_parts: &[&[u8]],
        out: &mut Vec<u8>,
        start: usize,
    ) -> Result<()> {
        let body = out.get_mut(start..).unwrap_or_default();
        let tag = with_encoded(aad_parts, |aad| {
            let nonce = Nonce::assume_unique_for_key(nonce);
            self.0
                .seal_in_place_separate_tag(nonce, Aad::from(aad), body)
        });
        match tag {
            Ok(tag) => {
                out.extend_from_slice(tag.as_ref());
                Ok(())
            }
            Err(_) => {
                // The plaintext must not stay behind in the caller's buffer.
                zeroize::Zeroize::zeroize(body);
                out.truncate(start);
                Err(Error::TooLong {
                    what: "plaintext",
                    limit: 1 << 36,
                })
            }
        }
    }

    fn open_with(
        &self,
        nonce: [u8; NONCE_LEN],
        aad_parts: &[&[u8]],
        sealed: &[u8],
    ) -> Result<SecretBytes> {
        let (body, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(Error::Decrypt)?;
        SecretBytes::try_with_len(body.len(), |out| {
            with_encoded(aad_parts, |aad| {
                let nonce = Nonce::assume_unique_for_key(nonce);
                self.0
                    .open_separate_gather(nonce, Aad::from(aad), body, tag, out)
            })
            .map_err(|_| Error::Decrypt)
        })
    }
}

impl std::fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecordKey(<redacted>)")
    }
}

/// HKDF-SHA-256 (RFC 5869), extract and expand, into `out`.
///
/// # Errors
/// [`Error::TooLong`] past 8160 bytes of output.
pub fn hkdf_sha256(ikm: &[u8], salt: &[u8], info_parts: &[&[u8]], out: &mut [u8]) -> Result<()> {
    with_encoded(info_parts, |info| {
        crate::symmetric::hkdf::expand_into(hkdf::HKDF_SHA256, ikm, salt, info, out)
    })
}

/// HMAC-SHA-256 over length-prefixed parts.
#[must_use]
pub fn prf(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    Prf::new(key).compute(parts)
}

/// A prepared key for [`prf`]: the two inner hash states are computed once.
pub struct Prf(hmac::Key);

impl Prf {
    /// Prepares the key.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// HMAC-SHA-256 over length-prefixed parts.
    #[must_use]
    pub fn compute(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

impl std::fmt::Debug for Prf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prf(<redacted>)")
    }
}

fn counter_nonce(counter: u64) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    nonce
}

/// Hands the encoded parts to `act`; on the stack when they are short, as
/// the names of places are.
fn with_encoded<R>(parts: &[&[u8]], act: impl FnOnce(&[u8]) -> R) -> R {
    let len = parts
        .iter()
        .fold(0usize, |sum, part| sum.saturating_add(8 + part.len()));
    let mut short = [0; 256];
    let mut long = Vec::new();
    let buffer = match short.get_mut(..len) {
        Some(buffer) => buffer,
        None => {
            long.resize(len, 0);
            long.as_mut_slice()
        }
    };
    let mut rest = &mut *buffer;
    for part in parts {
        let (prefix, tail) = rest.split_at_mut(8);
        prefix.copy_from_slice(&(part.len() as u64).to_be_bytes());
        let (body, tail) = tail.split_at_mut(part.len());
        body.copy_from_slice(part);
        rest = tail;
    }
    act(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(info: &[&[u8]]) -> RecordKey {
        RecordKey::derive(&[7; 32], b"salt", info).unwrap()
    }

    #[test]
    fn opens_only_in_its_own_place() {
        let sealed = key(&[b"record"]).seal(&[b"ns", b"id"], b"secret").unwrap();
        let open = |info: &[&[u8]], aad: &[&[u8]], sealed: &[u8]| key(info).open(aad, sealed);
        assert_eq!(
            open(&[b"record"], &[b"ns", b"id"], &sealed)
                .unwrap()
                .expose(),
            b"secret"
        );
        assert!(matches!(
            open(&[b"other"], &[b"ns", b"id"], &sealed),
            Err(Error::Decrypt)
        ));
        // The same bytes cut elsewhere are another place.
        assert!(matches!(
            open(&[b"record"], &[b"nsi", b"d"], &sealed),
            Err(Error::Decrypt)
        ));
        assert!(matches!(
            open(&[b"record"], &[b"nsid"], &sealed),
            Err(Error::Decrypt)
        ));
        for index in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[index] ^= 1;
            assert!(
                open(&[b"record"], &[b"ns", b"id"], &bad).is_err(),
                "byte {index}"
            );
            assert!(open(&[b"record"], &[b"ns", b"id"], &sealed[..index]).is_err());
        }
    }

    #[test]
    fn counters_are_part_of_the_place() {
        let key = key(&[]);
        let sealed = key.seal_with_counter(5, &[b"segment"], b"event").unwrap();
        assert_eq!(sealed.len(), 5 + TAG_LEN);
        assert_eq!(
            key.open_with_counter(5, &[b"segment"], &sealed)
                .unwrap()
                .expose(),
            b"event"
        );
        let mut in_place = b"before event".to_vec();
        key.seal_tail_with_counter(5, &[b"segment"], &mut in_place, 7)
            .unwrap();
        assert_eq!(in_place, [&b"before "[..], &sealed].concat());
        assert!(key.open_with_counter(6, &[b"segment"], &sealed).is_err());
        assert!(key.open_with_counter(5, &[], &sealed).is_err());
        assert!(key.open_with_counter(5, &[b"segment"], &[]).is_err());
    }

    #[test]
    fn long_and_short_encodings_are_one_format() {
        let long = vec![3; 1000];
        for parts in [&[b"a".as_slice(), &long[..]][..], &[&long[..200], b""], &[]] {
            let mut expected = Vec::new();
            for part in parts {
                expected.extend_from_slice(&(part.len() as u64).to_be_bytes());
                expected.extend_from_slice(part);
            }
            assert_eq!(with_encoded(parts, <[u8]>::to_vec), expected);
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"k"), &expected);
            assert_eq!(tag.as_ref(), prf(b"k", parts));
        }
    }

    #[test]
    fn hkdf_refuses_what_rfc_5869_cannot_give() {
        assert!(hkdf_sha256(b"ikm", b"", &[], &mut [0; 8160]).is_ok());
        assert!(hkdf_sha256(b"ikm", b"", &[], &mut [0; 8161]).is_err());
    }

    proptest! {
        #[test]
        fn seals_round_trip(plain: Vec<u8>, a: Vec<u8>, b: Vec<u8>, counter: u64) {
            let key = key(&[&a]);
            let sealed = key.seal(&[&a, &b], &plain).unwrap();
            let opened = key.open(&[&a, &b], &sealed).unwrap();
            prop_assert_eq!(opened.expose(), &plain[..]);
            let sealed = key.seal_with_counter(counter, &[&b], &plain).unwrap();
            let opened = key.open_with_counter(counter, &[&b], &sealed).unwrap();
            prop_assert_eq!(opened.expose(), &plain[..]);
        }
    }
}
