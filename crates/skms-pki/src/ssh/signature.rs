//! Signatures as SSH writes them: RFC 5656, section 3.1.2; RFC 8332,
//! section 3; RFC 8709, section 6.

use skms_crypto::{Algorithm, Family};

use super::error::{Error, Result};
use super::wire::Writer;
use crate::issue::SigningScheme;
use crate::parse::cursor::{Cursor, tag};

/// How RSA keys sign where nothing else is said.
pub const DEFAULT_RSA: &str = "RSA-PKCS1-SHA-512";

/// How a key of this algorithm signs SSH certificates: by the scheme of that
/// name, or the usual one. `None` for keys and schemes that SSH does not have;
/// SHA-1 is not among them.
#[must_use]
pub fn scheme(algorithm: Algorithm, name: Option<&str>) -> Option<SigningScheme> {
    let scheme = match (name, algorithm.family()) {
        (Some(name), _) => SigningScheme::by_name(algorithm, name),
        (None, Family::Rsa) => SigningScheme::by_name(algorithm, DEFAULT_RSA),
        (None, _) => SigningScheme::for_key(algorithm),
    }?;
    signature_name(scheme).map(|_| scheme)
}

/// SSH's name of a scheme, such as `rsa-sha2-512`.
#[must_use]
pub fn signature_name(scheme: SigningScheme) -> Option<&'static str> {
    match (scheme.algorithm(), scheme.name().as_str()) {
        (Algorithm::Ed25519, _) => Some("ssh-ed25519"),
        (Algorithm::EcP256, _) => Some("ecdsa-sha2-nistp256"),
        (Algorithm::EcP384, _) => Some("ecdsa-sha2-nistp384"),
        (Algorithm::EcP521, _) => Some("ecdsa-sha2-nistp521"),
        (_, "RSA-PKCS1-SHA-256") => Some("rsa-sha2-256"),
        (_, "RSA-PKCS1-SHA-512") => Some("rsa-sha2-512"),
        _ => None,
    }
}

/// A signature that a key gave for X.509, as SSH writes it.
pub(super) fn encode(scheme: SigningScheme, signature: &[u8]) -> Result<Vec<u8>> {
    let name = signature_name(scheme).ok_or(Error::Signature("SSH has no such signatures"))?;
    let body = if scheme.algorithm().family() == Family::Ec {
        // The contents of a DER INTEGER are those of an mpint.
        let numbers = || {
            let mut body = Cursor::only(signature, tag::SEQUENCE)?;
            let (r, s) = (body.integer()?, body.integer()?);
            body.end()?;
            Ok((r, s))
        };
        let (r, s) = numbers().map_err(Error::Signature)?;
        Writer::default().string(r).string(s).finish()
    } else {
        signature.to_vec()
    };
    Ok(Writer::default()
        .string(name.as_bytes())
        .string(&body)
        .finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_signs_as_ssh_has_it_and_others_not_at_all() {
        let name = |algorithm, asked| scheme(algorithm, asked).and_then(signature_name);
        assert_eq!(name(Algorithm::Rsa4096, None), Some("rsa-sha2-512"));
        let sha256 = Some("RSA-PKCS1-SHA-256");
        assert_eq!(name(Algorithm::Rsa2048, sha256), Some("rsa-sha2-256"));
        assert_eq!(name(Algorithm::EcP521, None), Some("ecdsa-sha2-nistp521"));
        assert_eq!(name(Algorithm::Ed25519, None), Some("ssh-ed25519"));
        for (algorithm, asked) in [
            (Algorithm::Rsa3072, Some("RSA-PKCS1-SHA-384")),
            (Algorithm::Rsa3072, Some("RSA-PSS-SHA-256")),
            (Algorithm::MlDsa65, None),
            (Algorithm::EcSecp256k1, None),
            (Algorithm::X25519, None),
            (Algorithm::Aes256Gcm, None),
        ] {
            assert_eq!(name(algorithm, asked), None, "{algorithm} {asked:?}");
        }
    }
}
