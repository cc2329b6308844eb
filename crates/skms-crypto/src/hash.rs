//! Hash functions: SHA-2 (FIPS 180-4) and SHA-3 (FIPS 202).

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;

use crate::error::{Error, Result};

/// A hash function.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA-512/256.
    Sha512_256,
    /// SHA3-256.
    Sha3_256,
    /// SHA3-384.
    Sha3_384,
    /// SHA3-512.
    Sha3_512,
}

impl Hash {
    /// Every hash function there is here.
    #[must_use]
    pub const fn all() -> &'static [Hash] {
        &[
            Hash::Sha256,
            Hash::Sha384,
            Hash::Sha512,
            Hash::Sha512_256,
            Hash::Sha3_256,
            Hash::Sha3_384,
            Hash::Sha3_512,
        ]
    }

    /// Its name in FIPS 180-4 or FIPS 202, "SHA-256" for instance.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Hash::Sha256 => "SHA-256",
            Hash::Sha384 => "SHA-384",
            Hash::Sha512 => "SHA-512",
            Hash::Sha512_256 => "SHA-512/256",
            Hash::Sha3_256 => "SHA3-256",
            Hash::Sha3_384 => "SHA3-384",
            Hash::Sha3_512 => "SHA3-512",
        }
    }

    /// The length of a digest, in bytes.
    #[must_use]
    pub const fn output_len(self) -> usize {
        match self {
            Hash::Sha256 | Hash::Sha512_256 | Hash::Sha3_256 => 32,
            Hash::Sha384 | Hash::Sha3_384 => 48,
            Hash::Sha512 | Hash::Sha3_512 => 64,
        }
    }

    /// The digest of `data`, [`Hash::output_len`] bytes.
    #[must_use]
    pub fn digest(self, data: &[u8]) -> Vec<u8> {
        digest::digest(self.inner(), data).as_ref().to_vec()
    }

    fn inner(self) -> &'static digest::Algorithm {
        match self {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
            Hash::Sha512_256 => &digest::SHA512_256,
            Hash::Sha3_256 => &digest::SHA3_256,
            Hash::Sha3_384 => &digest::SHA3_384,
            Hash::Sha3_512 => &digest::SHA3_512,
        }
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Hash {
    type Err = Error;

    /// Any case, with or without the hyphens and slashes: "SHA-256" and
    /// "sha256" are one.
    fn from_str(name: &str) -> Result<Self> {
        let plain = |text: &str| {
            text.chars()
                .filter(|c| !matches!(c, '-' | '/' | '_'))
                .map(|c| c.to_ascii_lowercase())
                .collect::<String>()
        };
        let wanted = plain(name);
        Hash::all()
            .iter()
            .copied()
            .find(|hash| plain(hash.name()) == wanted)
            .ok_or(Error::UnknownName("hash"))
    }
}

/// SHA-256 of several parts, one after the other.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// SHA-1, for identifiers alone: the key identifiers of RFC 5280, section
/// 4.2.1.2, and the issuer hashes of OCSP (RFC 6960, section 4.1.1), where
/// nothing rests on collisions being hard. Signatures have no use of it here.
#[must_use]
pub fn sha1_for_identifiers(data: &[u8]) -> [u8; 20] {
    let mut out = [0; 20];
    out.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, data).as_ref());
    out
}

/// A digest made piece by piece.
#[derive(Clone)]
pub struct Hasher(digest::Context);

impl Hasher {
    /// Nothing hashed yet.
    #[must_use]
    pub fn new(hash: Hash) -> Self {
        Self(digest::Context::new(hash.inner()))
    }

    /// Takes the next piece in.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The digest of everything taken in.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_in_any_case_and_lengths_are_true() {
        for &hash in Hash::all() {
            assert_eq!(hash.name().parse::<Hash>().unwrap(), hash);
            assert_eq!(hash.name().to_lowercase().parse::<Hash>().unwrap(), hash);
            assert_eq!(hash.digest(b"abc").len(), hash.output_len());
        }
        assert_eq!("sha256".parse::<Hash>().unwrap(), Hash::Sha256);
        assert!("sha1".parse::<Hash>().is_err());
        assert!("".parse::<Hash>().is_err());
    }

    #[test]
    fn sha1_is_sha1() {
        // FIPS 180-4's example.
        assert_eq!(sha1_for_identifiers(b"abc")[..4], [0xa9, 0x99, 0x3e, 0x36]);
    }

    #[test]
    fn pieces_and_whole_agree() {
        for &hash in Hash::all() {
            let mut hasher = Hasher::new(hash);
            hasher.update(b"a");
            hasher.update(b"");
            hasher.update(b"bc");
            assert_eq!(hasher.finish(), hash.digest(b"abc"));
        }
        assert_eq!(sha256(&[b"a", b"bc"]).to_vec(), Hash::Sha256.digest(b"abc"));
    }
}
