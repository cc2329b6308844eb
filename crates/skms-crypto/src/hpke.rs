//! Hybrid public key encryption (RFC 9180) over the crate `hpke`, which
//! nothing outside this module knows.
//!
//! Base mode: whoever has the public key can seal to it; who sent it is for
//! the layer above to prove. One encapsulation gives a context, from which
//! both sides seal in order and export further secrets.

mod context;
mod keypair;

use ::hpke::aead::{AesGcm128, AesGcm256, ChaCha20Poly1305, ExportOnlyAead};
use ::hpke::kdf::{HkdfSha256, HkdfSha384, HkdfSha512};
use ::hpke::kem::{DhP256HkdfSha256, DhP384HkdfSha384, DhP521HkdfSha512, X25519HkdfSha256, XWing};
use ::hpke::kem::{MlKem768, MlKem1024};

use crate::algorithm::Algorithm;
use crate::error::{Error, Result};
use crate::open::OpenKey;
use crate::public::PublicKey;
use crate::secret::SecretBytes;

use context::Context;
pub use keypair::{Fill, KeyPair};

/// Key encapsulation mechanisms (RFC 9180, section 7.1; draft-ietf-hpke-pq).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kem {
    /// DHKEM(P-256, HKDF-SHA256).
    P256,
    /// DHKEM(P-384, HKDF-SHA384).
    P384,
    /// DHKEM(P-521, HKDF-SHA512).
    P521,
    /// DHKEM(X25519, HKDF-SHA256).
    X25519,
    /// X-Wing.
    XWing,
    /// ML-KEM-768.
    MlKem768,
    /// ML-KEM-1024.
    MlKem1024,
}

/// Key derivation functions (RFC 9180, section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kdf {
    /// HKDF-SHA256.
    HkdfSha256,
    /// HKDF-SHA384.
    HkdfSha384,
    /// HKDF-SHA512.
    HkdfSha512,
}

/// Ciphers (RFC 9180, section 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Aead {
    /// AES-128-GCM.
    Aes128Gcm,
    /// AES-256-GCM.
    Aes256Gcm,
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305,
    /// None: the context only exports.
    ExportOnly,
}

macro_rules! ids {
    ($name:ident: $($variant:ident = $id:literal),*) => {
        impl $name {
            /// Its number in IANA's registry.
            #[must_use]
            pub const fn id(self) -> u16 {
                match self { $(Self::$variant => $id),* }
            }

            /// The one with this number in IANA's registry.
            ///
            /// # Errors
            /// [`Error::UnknownName`].
            pub fn from_id(id: u16) -> Result<Self> {
                match id {
                    $($id => Ok(Self::$variant),)*
                    _ => Err(Error::UnknownName("HPKE identifier")),
                }
            }
        }
    };
}

ids!(Kem: P256 = 0x0010, P384 = 0x0011, P521 = 0x0012, X25519 = 0x0020, XWing = 0x647a,
    MlKem768 = 0x0041, MlKem1024 = 0x0042);
ids!(Kdf: HkdfSha256 = 0x0001, HkdfSha384 = 0x0002, HkdfSha512 = 0x0003);
ids!(Aead: Aes128Gcm = 0x0001, Aes256Gcm = 0x0002, ChaCha20Poly1305 = 0x0003, ExportOnly = 0xffff);

impl Kem {
    /// The algorithm of its keys.
    #[must_use]
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Kem::P256 => Algorithm::EcP256,
            Kem::P384 => Algorithm::EcP384,
            Kem::P521 => Algorithm::EcP521,
            Kem::X25519 => Algorithm::X25519,
            Kem::XWing => Algorithm::XWing,
            Kem::MlKem768 => Algorithm::MlKem768,
            Kem::MlKem1024 => Algorithm::MlKem1024,
        }
    }

    /// Bytes of an encapsulated key.
    #[must_use]
    pub const fn encapsulated_bytes(self) -> usize {
        match self {
            Kem::P256 => 65,
            Kem::P384 => 97,
            Kem::P521 => 133,
            Kem::X25519 => 32,
            Kem::XWing => 1120,
            Kem::MlKem768 => 1088,
            Kem::MlKem1024 => 1568,
        }
    }
}

/// Three algorithms that go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Suite {
    /// How the key is encapsulated.
    pub kem: Kem,
    /// How keys are derived.
    pub kdf: Kdf,
    /// What encrypts.
    pub aead: Aead,
}

impl Suite {
    /// The suite used with keys of this algorithm when nobody says: AES-256-GCM,
    /// and the hash that goes with the curve.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for an algorithm without a KEM here.
    pub fn for_key(algorithm: Algorithm) -> Result<Self> {
        let (kem, kdf) = match algorithm {
            Algorithm::EcP256 => (Kem::P256, Kdf::HkdfSha256),
            Algorithm::EcP384 => (Kem::P384, Kdf::HkdfSha384),
            Algorithm::EcP521 => (Kem::P521, Kdf::HkdfSha512),
            Algorithm::X25519 => (Kem::X25519, Kdf::HkdfSha256),
            Algorithm::XWing => (Kem::XWing, Kdf::HkdfSha256),
            Algorithm::MlKem768 => (Kem::MlKem768, Kdf::HkdfSha256),
            Algorithm::MlKem1024 => (Kem::MlKem1024, Kdf::HkdfSha384),
            _ => {
                return Err(Error::Unsupported {
                    algorithm,
                    what: "HPKE",
                });
            }
        };
        Ok(Self {
            kem,
            kdf,
            aead: Aead::Aes256Gcm,
        })
    }

    fn check(self, algorithm: Algorithm) -> Result<()> {
        // HPKE is put together in another library.
        crate::fips::ensure(algorithm, !cfg!(feature = "fips"), "HPKE")?;
        if self.kem.algorithm() == algorithm {
            Ok(())
        } else {
            Err(Error::WrongAlgorithm {
                expected: self.kem.algorithm(),
                found: algorithm,
            })
        }
    }
}

/// What authenticates a context (RFC 9180, section 5). The product seals in
/// base mode, with neither; the others are read for the vectors' sake.
#[derive(Default)]
pub(crate) struct Mode<'a> {
    /// A pre-shared key and its identifier.
    pub(crate) psk: Option<(&'a [u8], &'a [u8])>,
    /// The sender's public key.
    pub(crate) sender: Option<&'a [u8]>,
}

/// Longest `info`, in bytes: the key schedule counts it in 16 bits.
const LONGEST_INFO: usize = 32 * 1024;

fn check_info(info: &[u8]) -> Result<()> {
    if info.len() > LONGEST_INFO {
        return Err(Error::TooLong {
            what: "HPKE info",
            limit: LONGEST_INFO as u64,
        });
    }
    Ok(())
}

/// Runs a generic function for the types that a suite names.
macro_rules! for_suite {
    ($suite:expr, $function:ident($($argument:expr),*)) => {
        match $suite.kem {
            Kem::P256 => for_suite!(@kdf DhP256HkdfSha256, $suite, $function($($argument),*)),
            Kem::P384 => for_suite!(@kdf DhP384HkdfSha384, $suite, $function($($argument),*)),
            Kem::P521 => for_suite!(@kdf DhP521HkdfSha512, $suite, $function($($argument),*)),
            Kem::X25519 => for_suite!(@kdf X25519HkdfSha256, $suite, $function($($argument),*)),
            Kem::XWing => for_suite!(@kdf XWing, $suite, $function($($argument),*)),
            Kem::MlKem768 => for_suite!(@kdf MlKem768, $suite, $function($($argument),*)),
            Kem::MlKem1024 => for_suite!(@kdf MlKem1024, $suite, $function($($argument),*)),
        }
    };
    (@kdf $kem:ty, $suite:expr, $function:ident($($argument:expr),*)) => {
        match $suite.kdf {
            Kdf::HkdfSha256 => for_suite!(@aead $kem, HkdfSha256, $suite, $function($($argument),*)),
            Kdf::HkdfSha384 => for_suite!(@aead $kem, HkdfSha384, $suite, $function($($argument),*)),
            Kdf::HkdfSha512 => for_suite!(@aead $kem, HkdfSha512, $suite, $function($($argument),*)),
        }
    };
    (@aead $kem:ty, $kdf:ty, $suite:expr, $function:ident($($argument:expr),*)) => {
        match $suite.aead {
            Aead::Aes128Gcm => context::$function::<AesGcm128, $kdf, $kem>($($argument),*),
            Aead::Aes256Gcm => context::$function::<AesGcm256, $kdf, $kem>($($argument),*),
            Aead::ChaCha20Poly1305 => {
                context::$function::<ChaCha20Poly1305, $kdf, $kem>($($argument),*)
            }
            Aead::ExportOnly => context::$function::<ExportOnlyAead, $kdf, $kem>($($argument),*),
        }
    };
}

/// The sending side of a context.
pub struct Sender(Box<dyn Context>);

impl Sender {
    /// Encapsulates to a public key. Gives the encapsulated key, for the
    /// receiver, and the context.
    ///
    /// # Errors
    /// [`Error::WrongAlgorithm`] for a key that is not the suite's;
    /// [`Error::TooLong`].
    pub fn setup(to: &PublicKey, suite: Suite, info: &[u8]) -> Result<(Vec<u8>, Self)> {
        Self::setup_with(to, suite, info, &mut crate::rand::fill)
    }

    /// As [`Sender::setup`], with the caller's randomness. It is as secret as
    /// a key: who knows it knows the context.
    ///
    /// # Errors
    /// As [`Sender::setup`], and those of `random`.
    pub fn setup_with(
        to: &PublicKey,
        suite: Suite,
        info: &[u8],
        random: &mut Fill<'_>,
    ) -> Result<(Vec<u8>, Self)> {
        suite.check(to.algorithm())?;
        check_info(info)?;
        let public = to.to_raw()?;
        let (encapsulated, context) = for_suite!(suite, sender(&public, info, random))?;
        Ok((encapsulated, Self(context)))
    }

    /// Seals the next message.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] in an export-only suite; [`Error::Library`]
    /// when the context has sealed too many.
    pub fn seal(&mut self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        self.0.apply(aad, plaintext)
    }

    /// A secret that both sides derive (RFC 9180, section 5.3).
    ///
    /// # Errors
    /// [`Error::TooLong`] past 255 hash lengths.
    pub fn export(&self, context: &[u8], length: usize) -> Result<SecretBytes> {
        self.0.export(context, length)
    }
}

/// The receiving side of a context.
pub struct Receiver(Box<dyn Context>);

impl Receiver {
    /// Decapsulates with a private key.
    ///
    /// # Errors
    /// [`Error::Decrypt`] for an encapsulated key that is none;
    /// [`Error::WrongAlgorithm`], [`Error::TooLong`].
    pub fn setup(own: &OpenKey, suite: Suite, encapsulated: &[u8], info: &[u8]) -> Result<Self> {
        Self::setup_in(&Mode::default(), own, suite, encapsulated, info)
    }

    /// Decapsulates with a key pair that was made for this.
    ///
    /// # Errors
    /// As [`Receiver::setup`].
    pub fn setup_once(
        own: &KeyPair,
        suite: Suite,
        encapsulated: &[u8],
        info: &[u8],
    ) -> Result<Self> {
        suite.check(own.kem().algorithm())?;
        Self::begin(&Mode::default(), own.expose(), suite, encapsulated, info)
    }

    pub(crate) fn setup_in(
        mode: &Mode<'_>,
        own: &OpenKey,
        suite: Suite,
        encapsulated: &[u8],
        info: &[u8],
    ) -> Result<Self> {
        suite.check(own.algorithm())?;
        let private = own.private("HPKE")?.to_raw()?;
        Self::begin(mode, private.expose(), suite, encapsulated, info)
    }

    fn begin(
        mode: &Mode<'_>,
        secret: &[u8],
        suite: Suite,
        encapsulated: &[u8],
        info: &[u8],
    ) -> Result<Self> {
        check_info(info)?;
        if encapsulated.len() != suite.kem.encapsulated_bytes() {
            return Err(Error::Decrypt);
        }
        for_suite!(suite, receiver(mode, secret, encapsulated, info)).map(Self)
    }

    /// Opens the next message.
    ///
    /// # Errors
    /// [`Error::Decrypt`]; the same message can be tried again.
    pub fn open(&mut self, aad: &[u8], ciphertext: &[u8]) -> Result<SecretBytes> {
        self.0.apply(aad, ciphertext).map(SecretBytes::new)
    }

    /// A secret that both sides derive (RFC 9180, section 5.3).
    ///
    /// # Errors
    /// [`Error::TooLong`] past 255 hash lengths.
    pub fn export(&self, context: &[u8], length: usize) -> Result<SecretBytes> {
        self.0.export(context, length)
    }
}

/// Seals one message to a public key: encapsulated key ‖ ciphertext.
///
/// # Errors
/// As [`Sender::setup`] and [`Sender::seal`].
pub fn seal(
    to: &PublicKey,
    suite: Suite,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>> {
    let (mut out, mut context) = Sender::setup(to, suite, info)?;
    out.extend_from_slice(&context.seal(aad, plaintext)?);
    Ok(out)
}

/// Opens what [`seal`] gave.
///
/// # Errors
/// [`Error::Decrypt`]; [`Error::WrongAlgorithm`].
pub fn open(
    own: &OpenKey,
    suite: Suite,
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<SecretBytes> {
    suite.check(own.algorithm())?;
    let (encapsulated, ciphertext) = sealed
        .split_at_checked(suite.kem.encapsulated_bytes())
        .ok_or(Error::Decrypt)?;
    Receiver::setup(own, suite, encapsulated, info)?.open(aad, ciphertext)
}

/// The KEM's shared secret alone, for vectors.
#[cfg(feature = "known-answers")]
pub(crate) fn decapsulate(
    kem: Kem,
    private: &[u8],
    sender: Option<&[u8]>,
    encapsulated: &[u8],
) -> Result<SecretBytes> {
    match kem {
        Kem::P256 => context::decapsulate::<DhP256HkdfSha256>(private, sender, encapsulated),
        Kem::P384 => context::decapsulate::<DhP384HkdfSha384>(private, sender, encapsulated),
        Kem::P521 => context::decapsulate::<DhP521HkdfSha512>(private, sender, encapsulated),
        Kem::X25519 => context::decapsulate::<X25519HkdfSha256>(private, sender, encapsulated),
        Kem::XWing => context::decapsulate::<XWing>(private, sender, encapsulated),
        Kem::MlKem768 => context::decapsulate::<MlKem768>(private, sender, encapsulated),
        Kem::MlKem1024 => context::decapsulate::<MlKem1024>(private, sender, encapsulated),
    }
}

// A build on the validated module refuses all of it: see `fips/tests.rs`.
#[cfg(test)]
#[cfg(not(feature = "fips"))]
mod tests {
    use super::*;
    use crate::material::KeyMaterial;

    const KEMS: [Kem; 7] = [
        Kem::P256,
        Kem::P384,
        Kem::P521,
        Kem::X25519,
        Kem::XWing,
        Kem::MlKem768,
        Kem::MlKem1024,
    ];

    fn key(kem: Kem) -> OpenKey {
        OpenKey::open(&KeyMaterial::generate(kem.algorithm()).unwrap()).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_owner_only() {
        for kem in KEMS {
            let (own, other) = (key(kem), key(kem));
            let suite = Suite::for_key(own.algorithm()).unwrap();
            let to = own.public_key().unwrap();
            let sealed = seal(to, suite, b"info", b"aad", b"plain").unwrap();
            assert!(
                open(&own, suite, b"info", b"aad", &sealed)
                    .unwrap()
                    .ct_eq(b"plain")
            );
            for (key, info, aad) in [
                (&other, &b"info"[..], &b"aad"[..]),
                (&own, b"inf0", b"aad"),
                (&own, b"info", b"aae"),
            ] {
                assert!(matches!(
                    open(key, suite, info, aad, &sealed),
                    Err(Error::Decrypt)
                ));
            }
            for at in [
                1,
                kem.encapsulated_bytes() - 1,
                kem.encapsulated_bytes(),
                sealed.len() - 1,
            ] {
                let mut bad = sealed.clone();
                bad[at] ^= 1;
                assert!(
                    open(&own, suite, b"info", b"aad", &bad).is_err(),
                    "{kem:?} {at}"
                );
            }
            for cut in [0, 1, kem.encapsulated_bytes(), sealed.len() - 1] {
                assert!(matches!(
                    open(&own, suite, b"info", b"aad", &sealed[..cut]),
                    Err(Error::Decrypt)
                ));
            }
        }
    }

    #[test]
    fn contexts_seal_in_order_and_export_alike() {
        for aead in [Aead::Aes128Gcm, Aead::ChaCha20Poly1305] {
            let own = key(Kem::X25519);
            let suite = Suite {
                kem: Kem::X25519,
                kdf: Kdf::HkdfSha512,
                aead,
            };
            let (enc, mut sender) = Sender::setup(own.public_key().unwrap(), suite, b"").unwrap();
            let mut receiver = Receiver::setup(&own, suite, &enc, b"").unwrap();
            let (one, two) = (
                sender.seal(b"", b"1").unwrap(),
                sender.seal(b"", b"2").unwrap(),
            );
            assert!(receiver.open(b"", &two).is_err());
            assert!(receiver.open(b"", &one).unwrap().ct_eq(b"1"));
            assert!(receiver.open(b"", &one).is_err());
            assert!(receiver.open(b"", &two).unwrap().ct_eq(b"2"));
            let exported = sender.export(b"context", 77).unwrap();
            assert!(
                receiver
                    .export(b"context", 77)
                    .unwrap()
                    .ct_eq(exported.expose())
            );
            assert!(
                !receiver
                    .export(b"other", 77)
                    .unwrap()
                    .ct_eq(exported.expose())
            );
            assert!(sender.export(b"", 255 * 64 + 1).is_err());
        }
    }

    #[test]
    fn export_only_contexts_do_not_seal() {
        let own = key(Kem::XWing);
        let suite = Suite {
            kem: Kem::XWing,
            kdf: Kdf::HkdfSha256,
            aead: Aead::ExportOnly,
        };
        let (enc, mut sender) = Sender::setup(own.public_key().unwrap(), suite, b"i").unwrap();
        let mut receiver = Receiver::setup(&own, suite, &enc, b"i").unwrap();
        assert!(sender.seal(b"", b"").is_err());
        assert!(receiver.open(b"", &[0; 16]).is_err());
        let exported = sender.export(b"c", 32).unwrap();
        assert!(receiver.export(b"c", 32).unwrap().ct_eq(exported.expose()));
    }

    #[test]
    fn keys_of_another_algorithm_are_refused() {
        let own = key(Kem::P256);
        let suite = Suite::for_key(Algorithm::X25519).unwrap();
        assert!(seal(own.public_key().unwrap(), suite, b"", b"", b"").is_err());
        assert!(Receiver::setup(&own, suite, &[0; 32], b"").is_err());
        assert!(Suite::for_key(Algorithm::Rsa2048).is_err());
        assert!(Kem::from_id(33).is_err());
        for kem in KEMS {
            assert_eq!(Kem::from_id(kem.id()).unwrap(), kem);
        }
    }
}
