//! What is said against a key.

use std::fmt;
use std::str::FromStr;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gravity {
    /// Worth a look; nobody is known to break such keys.
    Unusual,
    /// Weaker than its kind should be.
    Weak,
    /// The private half is known, or can be computed, or what was looked at is no
    /// key at all: it protects nothing.
    Compromised,
}

impl Gravity {
    /// All of them, the mildest first.
    pub const ALL: [Self; 3] = [Self::Unusual, Self::Weak, Self::Compromised];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unusual => "unusual",
            Self::Weak => "weak",
            Self::Compromised => "compromised",
        }
    }
}

impl FromStr for Gravity {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.name() == name).ok_or(())
    }
}

macro_rules! detectors {
    ($($(#[$doc:meta])* $variant:ident $name:literal;)*) => {
        /// Who found it. Where badkeys has the same detector it has the same name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Detector { $($(#[$doc])* $variant,)* }

        impl Detector {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

detectors! {
    /// Made by the library of the Infineon chips (CVE-2017-15361).
    Roca "roca";
    /// Factors that are close to each other.
    Fermat "fermat";
    /// Factors up to 65537.
    SmallFactors "smallfactors";
    /// A factor that keys in the wild are known to share.
    SharedPrimes "sharedprimes";
    /// A factor shared with another key that is known here.
    SharedFactor "sharedfactor";
    /// A private exponent so small that it can be computed.
    SmallD "smalld";
    /// A modulus of many zeros, by which it can be factored.
    RsaPoly "rsapoly";
    /// A modulus with many more ones than zeros, or the other way round.
    RsaBias "rsabias";
    /// One byte many times in the modulus.
    Pattern "pattern";
    /// A modulus that carries the payload of the backdoor in xz.
    XzBackdoor "xzbackdoor";
    /// Numbers that no RSA key has.
    RsaInvalid "rsainvalid";
    /// A modulus too short or of an unusual length; an exponent that is low or
    /// unusual.
    RsaWarnings "rsawarnings";
    /// A DSA group with a sparse prime.
    DsaSparse "dsasparse";
    /// A DSA or Diffie-Hellman group that is too small, or a public value that is
    /// no one's.
    DhInvalid "dhinvalid";
    /// A point that is not on its curve, or a curve that is nobody's.
    CurvePoint "curvepoint";
    /// A private key that is a small number.
    SmallScalar "smallscalar";
    /// A point of small order.
    SmallOrder "smallorder";
    /// A secret that nobody drew at random.
    LowEntropy "lowentropy";
    /// On a list of keys that are known.
    Blocklist "blocklist";
}

impl FromStr for Detector {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let mut all = Self::ALL.iter().copied();
        all.find(|one| one.name() == name).ok_or(())
    }
}

/// What is said against a key. It carries no secret: not the factor, not the
/// private exponent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Who found it.
    pub detector: Detector,
    /// How bad it is.
    pub gravity: Gravity,
    /// What it is, in words.
    pub words: String,
}

impl Finding {
    pub(crate) fn new(detector: Detector, gravity: Gravity, words: impl Into<String>) -> Self {
        Self {
            detector,
            gravity,
            words: words.into(),
        }
    }

    pub(crate) fn compromised(detector: Detector, words: impl Into<String>) -> Self {
        Self::new(detector, Gravity::Compromised, words)
    }

    pub(crate) fn weak(detector: Detector, words: impl Into<String>) -> Self {
        Self::new(detector, Gravity::Weak, words)
    }

    pub(crate) fn unusual(detector: Detector, words: impl Into<String>) -> Self {
        Self::new(detector, Gravity::Unusual, words)
    }

    /// The finding of a key that shares a factor with another one here.
    #[must_use]
    pub fn shared_factor() -> Self {
        Self::compromised(
            Detector::SharedFactor,
            "the modulus shares a prime factor with another RSA key that is known here: both \
             private keys can be computed",
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (detector, gravity) = (self.detector.name(), self.gravity.name());
        write!(f, "{gravity} ({detector}): {}", self.words)
    }
}
