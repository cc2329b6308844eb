//! What can go wrong in this room, and whose fault it is.

use crate::algorithm::Algorithm;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a cryptographic act was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller's mistake: no such algorithm in the registry.
    #[error("unknown algorithm")]
    UnknownAlgorithm,
    /// The caller's mistake: a name that is not in the named list.
    #[error("unknown {0}")]
    UnknownName(&'static str),
    /// The caller's mistake: the key's algorithm does not do this.
    #[error("{algorithm} does not support {what}")]
    Unsupported {
        /// The key's algorithm.
        algorithm: Algorithm,
        /// What was asked for.
        what: &'static str,
    },
    /// The caller's mistake on a build that uses the validated module: its
    /// certificate does not cover this.
    #[error("{algorithm}: {what} is not covered by the FIPS 140-3 module of this build")]
    OutsideModule {
        /// The algorithm.
        algorithm: Algorithm,
        /// What of it.
        what: &'static str,
    },
    /// The caller's mistake: options that do not fit together.
    #[error("invalid option: {0}")]
    InvalidOption(&'static str),
    /// The caller's mistake: well-formed bytes that are not a valid key
    /// (wrong curve, halves that disagree, out of range).
    #[error("invalid key: {0}")]
    InvalidKey(&'static str),
    /// The caller's mistake: bytes that do not parse.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// The caller's mistake: a key of another algorithm than expected.
    #[error("expected a key for {expected}, found one for {found}")]
    WrongAlgorithm {
        /// What the caller said it would be.
        expected: Algorithm,
        /// What it is.
        found: Algorithm,
    },
    /// The caller's mistake: the key is too weak to be let in.
    #[error("weak key: {0}")]
    WeakKey(&'static str),
    /// The caller's mistake: sound cryptographically, ruled out by policy.
    #[error("refused by policy: {0}")]
    RefusedByPolicy(&'static str),
    /// The caller's mistake: more bytes than the algorithm takes.
    #[error("{what} is too long: at most {limit} bytes")]
    TooLong {
        /// Which input.
        what: &'static str,
        /// The most it may have, in bytes.
        limit: u64,
    },
    /// The caller's mistake: an input whose length is fixed.
    #[error("{what} has {found} bytes where {expected} are needed")]
    InvalidLength {
        /// Which input.
        what: &'static str,
        /// The length it must have, in bytes.
        expected: usize,
        /// The length it has, in bytes.
        found: usize,
    },
    /// The caller's mistake or an attack. Wrong key, wrong associated data or
    /// altered bytes: deliberately one variant, so that nobody learns which.
    #[error("cannot decrypt")]
    Decrypt,
    /// The caller's mistake or an attack: a wrapped key that does not open
    /// under this key. Deliberately one variant, as for [`Error::Decrypt`].
    #[error("cannot unwrap")]
    Unwrap,
    /// The caller's mistake: shares that do not belong together, or too few.
    #[error("shares: {0}")]
    Shares(&'static str),
    /// Ours, and grave: a known-answer test failed; nothing may be answered.
    #[error("self-test failed: {0}")]
    SelfTest(&'static str),
    /// The machine's: no randomness, no lockable memory, or a failure inside
    /// the crypto library that no input should be able to cause.
    #[error("crypto library failed: {0}")]
    Library(&'static str),
}
