//! Schemes by their numbers in the registry "COSE Algorithms".

use coset::iana::Algorithm as Registered;
use skms_crypto::{Algorithm, Family};

use crate::issue::SigningScheme;

/// The number that a scheme is written with: the one that most can read, where
/// it has two.
pub(super) fn number(scheme: SigningScheme) -> Option<Registered> {
    let bits = scheme.hash().map(|hash| hash.output_len() * 8);
    let pss = scheme.name().starts_with("RSA-PSS");
    Some(match (scheme.algorithm(), bits) {
        // RFC 9053, section 2.
        (Algorithm::EcP256, Some(256)) => Registered::ES256,
        (Algorithm::EcP384, Some(384)) => Registered::ES384,
        (Algorithm::EcP521, Some(512)) => Registered::ES512,
        (Algorithm::Ed25519, _) => Registered::EdDSA,
        // RFC 9964, section 3: without a context, which certificates have none
        // of either.
        (Algorithm::MlDsa44, _) => Registered::ML_DSA_44,
        (Algorithm::MlDsa65, _) => Registered::ML_DSA_65,
        (Algorithm::MlDsa87, _) => Registered::ML_DSA_87,
        // RFC 8230, section 2, and RFC 8812, section 2.
        (rsa, Some(bits)) if rsa.family() == Family::Rsa => match (pss, bits) {
            (true, 256) => Registered::PS256,
            (true, 384) => Registered::PS384,
            (true, 512) => Registered::PS512,
            (false, 256) => Registered::RS256,
            (false, 384) => Registered::RS384,
            (false, 512) => Registered::RS512,
            _ => return None,
        },
        _ => return None,
    })
}

/// Whether a number stands for this scheme. The names of RFC 9053 leave the
/// curve to the key; here each goes with one curve, as RFC 9864 has it.
pub(super) fn names(alg: Registered, scheme: SigningScheme) -> bool {
    let polymorphic = match alg {
        Registered::ESP256 => Registered::ES256,
        Registered::ESP384 => Registered::ES384,
        Registered::ESP512 => Registered::ES512,
        Registered::Ed25519 => Registered::EdDSA,
        other => other,
    };
    number(scheme) == Some(polymorphic)
}
