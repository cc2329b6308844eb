//! The registry: one row an algorithm, and the only place that lists them.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::uses::{Use, Uses};

/// What kind of key an algorithm has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Family {
    /// Authenticated encryption with associated data.
    Aead,
    /// AES key wrap (RFC 3394, RFC 5649).
    KeyWrap,
    /// Message authentication codes.
    Mac,
    /// Key derivation keys (HKDF).
    Kdf,
    /// RSA.
    Rsa,
    /// Elliptic curves in short Weierstrass form.
    Ec,
    /// Edwards-curve signatures.
    EdDsa,
    /// Diffie-Hellman on Montgomery curves.
    Montgomery,
    /// Finite-field Diffie-Hellman (RFC 7919).
    FiniteField,
    /// Key encapsulation.
    Kem,
    /// ML-DSA (FIPS 204).
    MlDsa,
    /// SLH-DSA (FIPS 205).
    SlhDsa,
}

impl Family {
    /// Whether keys of this family are secret only, with no public half.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(
            self,
            Family::Aead | Family::KeyWrap | Family::Mac | Family::Kdf
        )
    }
}

/// What the registry knows about an algorithm.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The algorithm this row describes.
    pub algorithm: Algorithm,
    /// Its standard name.
    pub name: &'static str,
    /// Its kind of key.
    pub family: Family,
    /// Security strength in bits against classical attack (SP 800-57 part 1,
    /// tables 2 and 4; FIPS 203–205 for the post-quantum ones).
    pub strength_bits: u16,
    /// Everything such a key can do.
    pub uses: Uses,
    /// What such a key is for when nobody says; passes
    /// [`Uses::check_separation`].
    pub default_uses: Uses,
    /// Length of a generated key in bytes; `None` for asymmetric ones.
    pub key_bytes: Option<usize>,
    /// Whether it is FIPS-approved, or made of approved parts only.
    pub fips: bool,
    /// Whether the validated module's certificate covers it, as it is used
    /// here; what a build with the feature `fips` offers (docs/fips.md).
    pub fips_module: bool,
    /// Whether it is believed to withstand quantum computers.
    pub post_quantum: bool,
    /// How many messages one key may encrypt, where a format fixes a random
    /// 96-bit nonce (SP 800-38D, section 8.3); `None` where nonces are long
    /// enough, or reuse is harmless.
    pub max_random_nonce_uses: Option<u64>,
    /// How many bytes one key may encrypt, associated data included, before
    /// the chance to tell its ciphertexts from noise is more than is wanted;
    /// `None` where no such bound is known, or where each message has a key of
    /// its own.
    pub max_bytes: Option<u64>,
    /// Whether generating takes over about a millisecond.
    pub slow_to_generate: bool,
    /// Whether the private operation takes over about a millisecond.
    pub slow_to_use: bool,
}

const AEAD: Uses = Uses::of(&[Use::Encrypt, Use::Decrypt]);
const KEY_WRAP: Uses = Uses::of(&[Use::Wrap, Use::Unwrap]);
const MAC: Uses = Uses::of(&[Use::Mac, Use::MacVerify]);
const KDF: Uses = Uses::of(&[Use::Derive]);
const SIGNATURE: Uses = Uses::of(&[Use::Sign, Use::Verify]);
const AGREEMENT: Uses = Uses::of(&[Use::Agree]);
const KEM: Uses = Uses::of(&[Use::Encapsulate, Use::Decapsulate]);
const RSA: Uses = SIGNATURE.union(AEAD).union(KEY_WRAP);
const EC: Uses = SIGNATURE.union(AGREEMENT);

/// SP 800-38D, section 8.3: at most 2^32 invocations with random 96-bit
/// nonces under one key.
const RANDOM_96_BIT: Option<u64> = Some(1 << 32);

/// draft-irtf-cfrg-aead-limits-12, single-key limits of AES-GCM (section 6.1):
/// `q + s <= p^(1/2) * 2^(129/2) - 1` for `q` messages of `s` blocks in all.
/// With `p` = 2^-60, which the draft gives as what TLS aims at, that is 2^34.5;
/// of which 2^34 blocks of 16 bytes are left beside 2^32 messages.
const GCM_BYTES: u64 = 1 << 38;

macro_rules! registry {
    ($($(#[$doc:meta])* $variant:ident $name:literal $family:ident $bits:literal
        $uses:ident / $default:ident, $key:expr, [$($flag:ident)*], $limit:expr;)*) => {
        /// An algorithm that a key is for, parameters included.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        #[non_exhaustive]
        #[allow(non_camel_case_types)] // `128s` and `128f` are FIPS 205's own words.
        pub enum Algorithm { $($(#[$doc])* $variant,)* }

        const ALL: &[Algorithm] = &[$(Algorithm::$variant,)*];

        const ROWS: &[Row] = &[$(Row {
            algorithm: Algorithm::$variant,
            name: $name,
            family: Family::$family,
            strength_bits: $bits,
            uses: $uses,
            default_uses: $default,
            key_bytes: $key,
            fips: has(&[$(Flag::$flag),*], Flag::Fips),
            fips_module: has(&[$(Flag::$flag),*], Flag::Module),
            post_quantum: has(&[$(Flag::$flag),*], Flag::Pq),
            max_random_nonce_uses: $limit,
            max_bytes: if has(&[$(Flag::$flag),*], Flag::Gcm) { Some(GCM_BYTES) } else { None },
            slow_to_generate: has(&[$(Flag::$flag),*], Flag::SlowGen),
            slow_to_use: has(&[$(Flag::$flag),*], Flag::SlowUse),
        },)*];
    };
}

#[derive(Clone, Copy)]
enum Flag {
    Fips,
    /// Covered by the module's certificate.
    Module,
    Pq,
    /// AES-GCM with one key for all messages: [`GCM_BYTES`].
    Gcm,
    SlowGen,
    SlowUse,
}

const fn has(flags: &[Flag], wanted: Flag) -> bool {
    let mut index = 0;
    while index < flags.len() {
        if flags[index] as u8 == wanted as u8 {
            return true;
        }
        index += 1;
    }
    false
}

// Symmetric keys of 256 bits keep 128 bits against quantum search, and are
// counted as post-quantum; shorter ones are not.
registry! {
    /// AES-128 in Galois/counter mode (SP 800-38D).
    Aes128Gcm "AES-128-GCM" Aead 128 AEAD/AEAD, Some(16), [Fips Module Gcm], RANDOM_96_BIT;
    /// AES-192 in Galois/counter mode (SP 800-38D).
    Aes192Gcm "AES-192-GCM" Aead 192 AEAD/AEAD, Some(24), [Fips Gcm], RANDOM_96_BIT;
    /// AES-256 in Galois/counter mode (SP 800-38D).
    Aes256Gcm "AES-256-GCM" Aead 256 AEAD/AEAD, Some(32), [Fips Module Pq Gcm], RANDOM_96_BIT;
    /// AES-256-GCM with derived keys and 192-bit nonces (C2SP XAES-256-GCM).
    Xaes256Gcm "XAES-256-GCM" Aead 256 AEAD/AEAD, Some(32), [Fips Pq], None;
    /// Nonce-misuse resistant AES-256-GCM-SIV (RFC 8452).
    Aes256GcmSiv "AES-256-GCM-SIV" Aead 256 AEAD/AEAD, Some(32), [Pq], None;
    /// ChaCha20-Poly1305 (RFC 8439).
    ChaCha20Poly1305 "ChaCha20-Poly1305" Aead 256 AEAD/AEAD, Some(32), [Pq], RANDOM_96_BIT;
    /// ChaCha20-Poly1305 with 192-bit nonces (draft-irtf-cfrg-xchacha).
    XChaCha20Poly1305 "XChaCha20-Poly1305" Aead 256 AEAD/AEAD, Some(32), [Pq], None;
    /// AES-256-CBC, then HMAC-SHA-512 (RFC 7518, section 5.2.5).
    A256CbcHs512 "A256CBC-HS512" Aead 256 AEAD/AEAD, Some(64), [Fips Module Pq], None;
    /// AES-128 key wrap (RFC 3394, SP 800-38F).
    Aes128Kw "AES-128-KW" KeyWrap 128 KEY_WRAP/KEY_WRAP, Some(16), [Fips Module], None;
    /// AES-192 key wrap (RFC 3394, SP 800-38F).
    Aes192Kw "AES-192-KW" KeyWrap 192 KEY_WRAP/KEY_WRAP, Some(24), [Fips Module], None;
    /// AES-256 key wrap (RFC 3394, SP 800-38F).
    Aes256Kw "AES-256-KW" KeyWrap 256 KEY_WRAP/KEY_WRAP, Some(32), [Fips Module Pq], None;
    /// AES-128 key wrap with padding (RFC 5649, SP 800-38F).
    Aes128Kwp "AES-128-KWP" KeyWrap 128 KEY_WRAP/KEY_WRAP, Some(16), [Fips Module], None;
    /// AES-192 key wrap with padding (RFC 5649, SP 800-38F).
    Aes192Kwp "AES-192-KWP" KeyWrap 192 KEY_WRAP/KEY_WRAP, Some(24), [Fips Module], None;
    /// AES-256 key wrap with padding (RFC 5649, SP 800-38F).
    Aes256Kwp "AES-256-KWP" KeyWrap 256 KEY_WRAP/KEY_WRAP, Some(32), [Fips Module Pq], None;
    /// HMAC with SHA-256 (FIPS 198-1).
    HmacSha256 "HMAC-SHA-256" Mac 256 MAC/MAC, Some(32), [Fips Module Pq], None;
    /// HMAC with SHA-384 (FIPS 198-1).
    HmacSha384 "HMAC-SHA-384" Mac 384 MAC/MAC, Some(48), [Fips Module Pq], None;
    /// HMAC with SHA-512 (FIPS 198-1).
    HmacSha512 "HMAC-SHA-512" Mac 512 MAC/MAC, Some(64), [Fips Module Pq], None;
    /// CMAC with AES-128 (SP 800-38B).
    Aes128Cmac "AES-128-CMAC" Mac 128 MAC/MAC, Some(16), [Fips Module], None;
    /// CMAC with AES-256 (SP 800-38B).
    Aes256Cmac "AES-256-CMAC" Mac 256 MAC/MAC, Some(32), [Fips Module Pq], None;
    /// Key derivation with HKDF and SHA-256 (RFC 5869).
    HkdfSha256 "HKDF-SHA-256" Kdf 256 KDF/KDF, Some(32), [Fips Module Pq], None;
    /// Key derivation with HKDF and SHA-384 (RFC 5869).
    HkdfSha384 "HKDF-SHA-384" Kdf 384 KDF/KDF, Some(48), [Fips Module Pq], None;
    /// Key derivation with HKDF and SHA-512 (RFC 5869).
    HkdfSha512 "HKDF-SHA-512" Kdf 512 KDF/KDF, Some(64), [Fips Module Pq], None;
    /// RSA with a 2048-bit modulus (RFC 8017).
    Rsa2048 "RSA-2048" Rsa 112 RSA/SIGNATURE, None, [Fips Module SlowGen SlowUse], None;
    /// RSA with a 3072-bit modulus (RFC 8017).
    Rsa3072 "RSA-3072" Rsa 128 RSA/SIGNATURE, None, [Fips Module SlowGen SlowUse], None;
    /// RSA with a 4096-bit modulus (RFC 8017).
    Rsa4096 "RSA-4096" Rsa 152 RSA/SIGNATURE, None, [Fips Module SlowGen SlowUse], None;
    /// NIST curve P-256 (SP 800-186): ECDSA or ECDH.
    EcP256 "EC-P256" Ec 128 EC/SIGNATURE, None, [Fips Module], None;
    /// NIST curve P-384 (SP 800-186): ECDSA or ECDH.
    EcP384 "EC-P384" Ec 192 EC/SIGNATURE, None, [Fips Module], None;
    /// NIST curve P-521 (SP 800-186): ECDSA or ECDH.
    EcP521 "EC-P521" Ec 256 EC/SIGNATURE, None, [Fips Module], None;
    /// SEC 2 curve secp256k1: ECDSA.
    EcSecp256k1 "EC-secp256k1" Ec 128 SIGNATURE/SIGNATURE, None, [], None;
    /// Ed25519 signatures (RFC 8032, FIPS 186-5).
    Ed25519 "Ed25519" EdDsa 128 SIGNATURE/SIGNATURE, None, [Fips Module], None;
    /// X25519 key agreement (RFC 7748).
    X25519 "X25519" Montgomery 128 AGREEMENT/AGREEMENT, None, [], None;
    /// Diffie-Hellman in the group ffdhe2048 (RFC 7919).
    Ffdhe2048 "ffdhe2048" FiniteField 112 AGREEMENT/AGREEMENT, None, [Fips SlowGen SlowUse], None;
    /// Diffie-Hellman in the group ffdhe3072 (RFC 7919).
    Ffdhe3072 "ffdhe3072" FiniteField 128 AGREEMENT/AGREEMENT, None, [Fips SlowGen SlowUse], None;
    /// Diffie-Hellman in the group ffdhe4096 (RFC 7919).
    Ffdhe4096 "ffdhe4096" FiniteField 152 AGREEMENT/AGREEMENT, None, [Fips SlowGen SlowUse], None;
    /// ML-KEM-512 (FIPS 203).
    MlKem512 "ML-KEM-512" Kem 128 KEM/KEM, None, [Fips Module Pq], None;
    /// ML-KEM-768 (FIPS 203).
    MlKem768 "ML-KEM-768" Kem 192 KEM/KEM, None, [Fips Module Pq], None;
    /// ML-KEM-1024 (FIPS 203).
    MlKem1024 "ML-KEM-1024" Kem 256 KEM/KEM, None, [Fips Module Pq], None;
    /// X-Wing: X25519 and ML-KEM-768 together (draft-connolly-cfrg-xwing-kem).
    XWing "X-Wing" Kem 128 KEM/KEM, None, [Pq], None;
    /// ML-DSA-44 (FIPS 204).
    MlDsa44 "ML-DSA-44" MlDsa 128 SIGNATURE/SIGNATURE, None, [Fips Pq], None;
    /// ML-DSA-65 (FIPS 204).
    MlDsa65 "ML-DSA-65" MlDsa 192 SIGNATURE/SIGNATURE, None, [Fips Pq], None;
    /// ML-DSA-87 (FIPS 204).
    MlDsa87 "ML-DSA-87" MlDsa 256 SIGNATURE/SIGNATURE, None, [Fips Pq], None;
    /// SLH-DSA-SHA2-128s (FIPS 205): small.
    SlhDsaSha2_128s "SLH-DSA-SHA2-128s" SlhDsa 128 SIGNATURE/SIGNATURE, None, [Fips Pq SlowGen SlowUse], None;
    /// SLH-DSA-SHA2-128f (FIPS 205): fast.
    SlhDsaSha2_128f "SLH-DSA-SHA2-128f" SlhDsa 128 SIGNATURE/SIGNATURE, None, [Fips Pq SlowGen SlowUse], None;
    /// SLH-DSA-SHA2-192s (FIPS 205): small.
    SlhDsaSha2_192s "SLH-DSA-SHA2-192s" SlhDsa 192 SIGNATURE/SIGNATURE, None, [Fips Pq SlowGen SlowUse], None;
    /// SLH-DSA-SHA2-192f (FIPS 205): fast.
    SlhDsaSha2_192f "SLH-DSA-SHA2-192f" SlhDsa 192 SIGNATURE/SIGNATURE, None, [Fips Pq SlowGen SlowUse], None;
    /// SLH-DSA-SHA2-256s (FIPS 205): small.
    SlhDsaSha2_256s "SLH-DSA-SHA2-256s" SlhDsa 256 SIGNATURE/SIGNATURE, None, [Fips Pq SlowGen SlowUse], None;
    /// SLH-DSA-SHA2-256f (FIPS 205): fast.
    SlhDsaSha2_256f "SLH-DSA-SHA2-256f" SlhDsa 256 SIGNATURE/SIGNATURE, None, [Fips Pq SlowGen SlowUse], None;
    /// SLH-DSA-SHAKE-128s (FIPS 205): small.
    SlhDsaShake128s "SLH-DSA-SHAKE-128s" SlhDsa 128 SIGNATURE/SIGNATURE, None, [Fips Pq SlowGen SlowUse], None;
    /// SLH-DSA-SHAKE-128f (FIPS 205): fast.
    SlhDsaShake128f "SLH-DSA-SHAKE-128f" SlhDsa 128 SIGNATURE/SIGNATURE, None, [Fips Pq SlowGen SlowUse], None;
    /// SLH-DSA-SHAKE-192s (FIPS 205): small.
    SlhDsaShake192s "SLH-DSA-SHAKE-192s" SlhDsa 192 SIGNATURE/SIGNATURE, None, [Fips Pq SlowGen SlowUse], None;
    /// SLH-DSA-SHAKE-192f (FIPS 205): fast.
    SlhDsaShake192f "SLH-DSA-SHAKE-192f" SlhDsa 192 SIGNATURE/SIGNATURE, None, [Fips Pq SlowGen SlowUse], None;
    /// SLH-DSA-SHAKE-256s (FIPS 205): small.
    SlhDsaShake256s "SLH-DSA-SHAKE-256s" SlhDsa 256 SIGNATURE/SIGNATURE, None, [Fips Pq SlowGen SlowUse], None;
    /// SLH-DSA-SHAKE-256f (FIPS 205): fast.
    SlhDsaShake256f "SLH-DSA-SHAKE-256f" SlhDsa 256 SIGNATURE/SIGNATURE, None, [Fips Pq SlowGen SlowUse], None;
}

impl Algorithm {
    /// Every algorithm in the registry, in its order.
    #[must_use]
    pub const fn all() -> &'static [Algorithm] {
        ALL
    }

    /// Its standard name, "AES-256-GCM" for instance.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// What the registry knows about it.
    #[must_use]
    pub const fn row(self) -> &'static Row {
        // The macro writes both lists in the order of the enum.
        &ROWS[self as usize]
    }

    /// Whether this build lets keys of it be made and used. A build on the
    /// validated module refuses what its certificate does not cover.
    #[must_use]
    pub const fn is_offered(self) -> bool {
        !cfg!(feature = "fips") || self.row().fips_module
    }

    /// What keys of it can do in this build: the module's certificate covers
    /// RSA signatures and not RSA-OAEP.
    #[must_use]
    pub const fn offered_uses(self) -> Uses {
        match self.row().family {
            _ if !self.is_offered() => Uses::of(&[]),
            Family::Rsa if cfg!(feature = "fips") => SIGNATURE,
            _ => self.row().uses,
        }
    }

    /// Its kind of key.
    #[must_use]
    pub const fn family(self) -> Family {
        self.row().family
    }

    /// Whether its keys are secret only, with no public half.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        self.row().family.is_symmetric()
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    /// By [`Algorithm::name`], in any case.
    fn from_str(name: &str) -> Result<Self> {
        ALL.iter()
            .copied()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
            .ok_or(Error::UnknownAlgorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_its_own_algorithms() {
        assert_eq!(ALL.len(), ROWS.len());
        for &algorithm in Algorithm::all() {
            let row = algorithm.row();
            assert_eq!(row.algorithm, algorithm);
            assert_eq!(
                algorithm.to_string().parse::<Algorithm>().unwrap(),
                algorithm
            );
            assert_eq!(
                row.name.to_uppercase().parse::<Algorithm>().unwrap(),
                algorithm
            );
            assert_eq!(row.key_bytes.is_some(), algorithm.is_symmetric());
            assert!(row.strength_bits >= 112, "{algorithm}");
        }
    }

    #[test]
    fn defaults_are_possible_and_keep_signing_apart() {
        for &algorithm in Algorithm::all() {
            let row = algorithm.row();
            assert!(!row.default_uses.is_empty());
            assert!(row.default_uses.is_subset_of(row.uses));
            assert!(row.default_uses.check_separation().is_ok());
        }
    }

    #[test]
    fn a_build_on_the_module_offers_what_it_covers_and_another_build_all() {
        for &algorithm in Algorithm::all() {
            let row = algorithm.row();
            assert!(row.fips || !row.fips_module, "{algorithm}");
            let offered = !cfg!(feature = "fips") || row.fips_module;
            assert_eq!(algorithm.is_offered(), offered, "{algorithm}");
            assert_eq!(algorithm.offered_uses().is_empty(), !offered);
            assert!(algorithm.offered_uses().is_subset_of(row.uses));
        }
        let covered = |name: &str| name.parse::<Algorithm>().unwrap().row().fips_module;
        // Each for a reason of its own; see docs/fips.md.
        for outside in [
            "XAES-256-GCM",
            "AES-192-GCM",
            "AES-256-GCM-SIV",
            "ChaCha20-Poly1305",
            "X25519",
            "ffdhe2048",
            "X-Wing",
            "ML-DSA-65",
            "SLH-DSA-SHA2-128s",
            "EC-secp256k1",
        ] {
            assert!(!covered(outside), "{outside}");
        }
        for inside in ["AES-256-GCM", "EC-P256", "ML-KEM-768", "Ed25519"] {
            assert!(covered(inside), "{inside}");
        }
    }

    #[test]
    fn only_short_random_nonces_are_counted() {
        let counted: Vec<_> = Algorithm::all()
            .iter()
            .filter(|a| a.row().max_random_nonce_uses.is_some())
            .map(|a| a.name())
            .collect();
        assert_eq!(
            counted,
            [
                "AES-128-GCM",
                "AES-192-GCM",
                "AES-256-GCM",
                "ChaCha20-Poly1305"
            ]
        );
    }

    #[test]
    fn the_limit_on_bytes_keeps_the_draft_s_bound() {
        let limited: Vec<_> = Algorithm::all()
            .iter()
            .filter(|a| a.row().max_bytes.is_some())
            .map(|a| a.name())
            .collect();
        assert_eq!(limited, ["AES-128-GCM", "AES-192-GCM", "AES-256-GCM"]);
        // (q + s + 1)^2 / 2^129 <= p = 2^-60, in whole numbers.
        let row = Algorithm::Aes256Gcm.row();
        let blocks = u128::from(row.max_bytes.unwrap() / 16);
        let all = blocks + u128::from(row.max_random_nonce_uses.unwrap()) + 1;
        assert!(all * all <= 1 << 69);
        let twice = 2 * blocks + all - blocks;
        assert!(twice * twice > 1 << 69, "twice as much would not keep it");
    }

    #[test]
    fn unknown_names_are_refused() {
        for name in ["", "AES-256-ECB", "AES-256-GCM ", "rsa-1024"] {
            assert!(name.parse::<Algorithm>().is_err(), "{name:?}");
        }
    }
}
