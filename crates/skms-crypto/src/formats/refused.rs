//! The public half of RSA keys that are not let in, of whatever size.

use der::Decode;
use pkcs8::PrivateKeyInfoRef;
use zeroize::Zeroizing;

use super::der::{SEQUENCE, integer, tlv};
use super::oids::{self, Kind};
use super::{ENCRYPTED_PRIVATE_KEY, PRIVATE_KEY, RSA_PRIVATE_KEY, jwk, pbes2, pem};

/// The RSAPublicKey that an RSA private key says it has; none for what is no
/// RSA key, does not parse or does not open.
pub(crate) fn rsa_public(bytes: &[u8], passphrase: Option<&[u8]>) -> Option<Vec<u8>> {
    if jwk::looks_like(bytes) {
        let (n, e) = jwk::rsa_numbers(bytes).ok()?;
        return Some(public(&n, &e));
    }
    if pem::looks_like(bytes) {
        let block = pem::decode(bytes).ok()?;
        return match block.label.as_str() {
            PRIVATE_KEY | ENCRYPTED_PRIVATE_KEY | RSA_PRIVATE_KEY => of_der(&block.der, passphrase),
            _ => None,
        };
    }
    of_der(bytes, passphrase)
}

fn of_der(der: &[u8], passphrase: Option<&[u8]>) -> Option<Vec<u8>> {
    if pbes2::looks_like(der) {
        let plain = pbes2::decrypt(der, passphrase?).ok()?;
        return of_plain(plain.expose());
    }
    of_plain(der)
}

fn of_plain(der: &[u8]) -> Option<Vec<u8>> {
    let Ok(info) = PrivateKeyInfoRef::try_from(der) else {
        return of_pkcs1(der);
    };
    match oids::identify(&info.algorithm) {
        Ok(Kind::Rsa) => of_pkcs1(info.private_key.as_bytes()),
        _ => None,
    }
}

fn of_pkcs1(der: &[u8]) -> Option<Vec<u8>> {
    let key = ::pkcs1::RsaPrivateKeyRef::from_der(der).ok()?;
    Some(public(
        key.modulus.as_bytes(),
        key.public_exponent.as_bytes(),
    ))
}

/// RSAPublicKey (RFC 8017, appendix A.1.1).
fn public(n: &[u8], e: &[u8]) -> Vec<u8> {
    let whole: Zeroizing<Vec<u8>> = tlv(SEQUENCE, &[&integer(n), &integer(e)]);
    whole.to_vec()
}
