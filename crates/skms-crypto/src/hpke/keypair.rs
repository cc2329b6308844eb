//! Key pairs that are made for one encapsulation, and the randomness that the
//! library draws.

use core::convert::Infallible;
use core::fmt;

use ::hpke::kem::{
    DhP256HkdfSha256, DhP384HkdfSha384, DhP521HkdfSha512, MlKem768, MlKem1024, X25519HkdfSha256,
    XWing,
};
use ::hpke::rand_core::{TryCryptoRng, TryRng};
use ::hpke::{Kem as KemTrait, Serializable};

use super::Kem;
use crate::algorithm::Algorithm;
use crate::error::Result;
use crate::secret::SecretBytes;

/// Fills with random bytes fit for keys: [`crate::rand::fill`] in a product.
pub type Fill<'a> = dyn FnMut(&mut [u8]) -> Result<()> + 'a;

/// An ephemeral key pair of a KEM. Its private half leaves with it.
pub struct KeyPair {
    kem: Kem,
    private: SecretBytes,
    public: Vec<u8>,
}

impl KeyPair {
    /// DeriveKeyPair (RFC 9180, section 7.1.3; draft-ietf-hpke-pq) of as many
    /// random bytes as a private key has.
    ///
    /// # Errors
    /// Those of `random`; [`crate::Error::OutsideModule`] on a build with the feature
    /// `fips`.
    pub fn generate(kem: Kem, random: &mut Fill<'_>) -> Result<Self> {
        // HPKE is put together in another library.
        crate::fips::ensure(kem.algorithm(), !cfg!(feature = "fips"), "HPKE")?;
        match kem {
            Kem::P256 => derive::<DhP256HkdfSha256>(kem, random),
            Kem::P384 => derive::<DhP384HkdfSha384>(kem, random),
            Kem::P521 => derive::<DhP521HkdfSha512>(kem, random),
            Kem::X25519 => derive::<X25519HkdfSha256>(kem, random),
            Kem::XWing => derive::<XWing>(kem, random),
            Kem::MlKem768 => derive::<MlKem768>(kem, random),
            Kem::MlKem1024 => derive::<MlKem1024>(kem, random),
        }
    }

    /// Whose key pair it is.
    #[must_use]
    pub fn kem(&self) -> Kem {
        self.kem
    }

    /// The algorithm of its keys.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.kem.algorithm()
    }

    /// The public half, as HPKE encodes it.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The private half, for the moment of use: a scalar, or a seed.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.private.expose()
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({:?}, <redacted>)", self.kem)
    }
}

fn derive<M: KemTrait>(kem: Kem, random: &mut Fill<'_>) -> Result<KeyPair> {
    let input = SecretBytes::try_with_len(M::PrivateKey::size(), random)?;
    let (private, public) = M::derive_keypair(input.expose());
    Ok(KeyPair {
        kem,
        private: SecretBytes::with_len(M::PrivateKey::size(), |out| private.write_exact(out)),
        public: public.to_bytes().to_vec(),
    })
}

/// A caller's randomness as the library wants it: it cannot fail there, so
/// that a failure is kept and told afterwards.
pub(super) struct Drawn<'a, 'b> {
    fill: &'a mut Fill<'b>,
    outcome: Result<()>,
}

impl<'a, 'b> Drawn<'a, 'b> {
    pub(super) fn from(fill: &'a mut Fill<'b>) -> Self {
        Self {
            fill,
            outcome: Ok(()),
        }
    }

    /// Whether everything that was drawn was random. What was made of it
    /// before this was asked is not to be used.
    pub(super) fn outcome(self) -> Result<()> {
        self.outcome
    }
}

impl TryRng for Drawn<'_, '_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> core::result::Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> core::result::Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> core::result::Result<(), Infallible> {
        if self.outcome.is_ok() {
            self.outcome = (self.fill)(out);
        }
        Ok(())
    }
}

impl TryCryptoRng for Drawn<'_, '_> {}

// A build on the validated module refuses all of it: see `fips/tests.rs`.
#[cfg(test)]
#[cfg(not(feature = "fips"))]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::formats::Format;
    use crate::hpke::{Receiver, Sender, Suite};
    use crate::public::PublicKey;

    const KEMS: [Kem; 7] = [
        Kem::P256,
        Kem::P384,
        Kem::P521,
        Kem::X25519,
        Kem::XWing,
        Kem::MlKem768,
        Kem::MlKem1024,
    ];

    /// The same bytes each time.
    fn counting() -> impl FnMut(&mut [u8]) -> Result<()> {
        let mut next = 0;
        move |out: &mut [u8]| {
            for byte in out {
                *byte = next;
                next += 1;
            }
            Ok(())
        }
    }

    #[test]
    fn the_same_randomness_gives_the_same_keys_and_encapsulations() {
        for kem in KEMS {
            let pair = KeyPair::generate(kem, &mut counting()).unwrap();
            let again = KeyPair::generate(kem, &mut counting()).unwrap();
            let other = KeyPair::generate(kem, &mut crate::rand::fill).unwrap();
            assert_eq!(pair.public(), again.public());
            assert_ne!(pair.public(), other.public());
            let suite = Suite::for_key(pair.algorithm()).unwrap();
            let to = PublicKey::import(pair.public(), Format::Raw, Some(pair.algorithm())).unwrap();
            let (first, sender) = Sender::setup_with(&to, suite, b"info", &mut counting()).unwrap();
            let (second, _) = Sender::setup_with(&to, suite, b"info", &mut counting()).unwrap();
            let (third, _) = Sender::setup(&to, suite, b"info").unwrap();
            assert_eq!(first, second);
            assert_ne!(first, third);
            let export = |own: &KeyPair, info: &[u8]| {
                let receiver = Receiver::setup_once(own, suite, &first, info).unwrap();
                receiver.export(b"", 32).unwrap()
            };
            let sent = sender.export(b"", 32).unwrap();
            assert!(export(&pair, b"info").ct_eq(sent.expose()));
            assert!(!export(&pair, b"inf0").ct_eq(sent.expose()));
            assert!(!export(&other, b"info").ct_eq(sent.expose()));
        }
    }

    #[test]
    fn randomness_that_fails_leaves_nothing() {
        let mut broken = |_: &mut [u8]| Err(Error::Library("no randomness"));
        for kem in KEMS {
            assert!(KeyPair::generate(kem, &mut broken).is_err());
            let pair = KeyPair::generate(kem, &mut crate::rand::fill).unwrap();
            let suite = Suite::for_key(pair.algorithm()).unwrap();
            let to = PublicKey::import(pair.public(), Format::Raw, Some(pair.algorithm())).unwrap();
            assert!(matches!(
                Sender::setup_with(&to, suite, b"", &mut broken).map(|_| ()),
                Err(Error::Library(_))
            ));
        }
    }
}
