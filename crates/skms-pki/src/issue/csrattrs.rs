//! What clients of EST are told to put into their requests (RFC 7030, section
//! 4.5.2, as RFC 9908 explains it).

use skms_crypto::Algorithm;

use crate::oid::{self, Oid};
use crate::parse::cursor::{Cursor, tag};

use super::der;
use super::profile::Profile;
use super::scheme::SigningScheme;

/// CsrAttrs in DER: the kind of key that is wished for, and the purposes that
/// a certificate of this profile will have. `None` for an algorithm that has
/// no signatures, since a request is signed by its own key.
#[must_use]
pub fn csr_attributes(profile: &Profile, key: Algorithm) -> Option<Vec<u8>> {
    let scheme = SigningScheme::for_key(key)?;
    let attribute = |kind: Oid<'_>, value: Vec<u8>| {
        der::sequence(&[&der::oid(kind), &der::set_of(vec![value])])
    };
    //= https://www.rfc-editor.org/rfc/rfc7030#section-4.5.2
    //# CsrAttrs ::= SEQUENCE SIZE (0..MAX) OF AttrOrOID
    let mut all = vec![match key {
        Algorithm::EcP256 => attribute(oid::EC_PUBLIC_KEY, der::oid(oid::P256)),
        Algorithm::EcP384 => attribute(oid::EC_PUBLIC_KEY, der::oid(oid::P384)),
        Algorithm::EcP521 => attribute(oid::EC_PUBLIC_KEY, der::oid(oid::P521)),
        Algorithm::Rsa2048 => attribute(oid::RSA_ENCRYPTION, der::integer(2048)),
        Algorithm::Rsa3072 => attribute(oid::RSA_ENCRYPTION, der::integer(3072)),
        Algorithm::Rsa4096 => attribute(oid::RSA_ENCRYPTION, der::integer(4096)),
        // The others have one identifier for key and signature.
        _ => Cursor::only(&scheme.identifier(), tag::SEQUENCE)
            .and_then(|mut inner| inner.oid().map(der::oid))
            .ok()?,
    }];
    let purposes = &profile.usage.purposes;
    if !purposes.is_empty() {
        let value = der::sequence_of(purposes.iter().map(|one| der::oid(one.as_oid())));
        let critical = profile.usage.purposes_critical;
        let extension = der::extension(oid::EXTENDED_KEY_USAGE, critical, &value);
        all.push(attribute(
            oid::EXTENSION_REQUEST,
            der::sequence(&[&extension]),
        ));
    }
    Some(der::sequence_of(all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issue::ProfileKind;

    #[test]
    fn a_key_and_purposes_are_told() {
        let profile = ProfileKind::TlsServer.profile();
        let der = csr_attributes(&profile, Algorithm::EcP256).unwrap();
        let hex: String = der.iter().map(|byte| format!("{byte:02x}")).collect();
        // { ecPublicKey { secp256r1 } }, { extensionRequest { { extKeyUsage
        // { serverAuth } } } }: read with OpenSSL's asn1parse.
        assert_eq!(
            hex,
            "303d301506072a8648ce3d0201310a06082a8648ce3d030107\
             302406092a864886f70d01090e3117301530130603551d2504\
             0c300a06082b06010505070301"
        );
        for algorithm in [Algorithm::Rsa3072, Algorithm::Ed25519, Algorithm::MlDsa65] {
            assert!(csr_attributes(&profile, algorithm).is_some(), "{algorithm}");
        }
        assert_eq!(csr_attributes(&profile, Algorithm::X25519), None);
        assert_eq!(csr_attributes(&profile, Algorithm::Aes256Gcm), None);
    }
}
