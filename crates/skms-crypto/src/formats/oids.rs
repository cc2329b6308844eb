//! Object identifiers of keys, and the algorithm identifiers around them.

use der::Reader as _;
use der::asn1::{AnyRef, ObjectIdentifier, UintRef};
use spki::AlgorithmIdentifierRef;
use zeroize::Zeroizing;

use crate::algorithm::{Algorithm, Family};
use crate::asymmetric::{ec, ffdh};
use crate::awslc::dh::half;
use crate::awslc::ec::Curve;
use crate::error::{Error, Result};

use super::der::{NULL, OID, SEQUENCE, integer, tlv};

/// rsaEncryption (RFC 8017, appendix C).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// id-RSASSA-PSS: keys bound to one padding.
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
/// id-ecPublicKey (RFC 5480, section 2.1.1).
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// dhKeyAgreement (PKCS #3).
const DH_PKCS3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.3.1");
/// dhpublicnumber (RFC 3279, section 2.3.3).
const DH_X942: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10046.2.1");

/// Algorithms whose identifier is an object identifier and nothing else:
/// RFC 8410, RFC 9881, RFC 9935, RFC 9909, draft-connolly-cfrg-xwing-kem.
const PLAIN: [(Algorithm, ObjectIdentifier); 21] = {
    const fn oid(text: &str) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(text)
    }
    use Algorithm as A;
    [
        (A::X25519, oid("1.3.101.110")),
        (A::Ed25519, oid("1.3.101.112")),
        (A::MlKem512, oid("2.16.840.1.101.3.4.4.1")),
        (A::MlKem768, oid("2.16.840.1.101.3.4.4.2")),
        (A::MlKem1024, oid("2.16.840.1.101.3.4.4.3")),
        (A::XWing, oid("1.3.6.1.4.1.62253.25722")),
        (A::MlDsa44, oid("2.16.840.1.101.3.4.3.17")),
        (A::MlDsa65, oid("2.16.840.1.101.3.4.3.18")),
        (A::MlDsa87, oid("2.16.840.1.101.3.4.3.19")),
        (A::SlhDsaSha2_128s, oid("2.16.840.1.101.3.4.3.20")),
        (A::SlhDsaSha2_128f, oid("2.16.840.1.101.3.4.3.21")),
        (A::SlhDsaSha2_192s, oid("2.16.840.1.101.3.4.3.22")),
        (A::SlhDsaSha2_192f, oid("2.16.840.1.101.3.4.3.23")),
        (A::SlhDsaSha2_256s, oid("2.16.840.1.101.3.4.3.24")),
        (A::SlhDsaSha2_256f, oid("2.16.840.1.101.3.4.3.25")),
        (A::SlhDsaShake128s, oid("2.16.840.1.101.3.4.3.26")),
        (A::SlhDsaShake128f, oid("2.16.840.1.101.3.4.3.27")),
        (A::SlhDsaShake192s, oid("2.16.840.1.101.3.4.3.28")),
        (A::SlhDsaShake192f, oid("2.16.840.1.101.3.4.3.29")),
        (A::SlhDsaShake256s, oid("2.16.840.1.101.3.4.3.30")),
        (A::SlhDsaShake256f, oid("2.16.840.1.101.3.4.3.31")),
    ]
};

/// What an AlgorithmIdentifier says about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// RSA; the modulus's size is in the key.
    Rsa,
    /// Everything else.
    Of(Algorithm),
}

/// The object identifier of a named curve (RFC 5480, section 2.1.1.1; SEC 2).
pub(super) const fn curve_oid(curve: Curve) -> ObjectIdentifier {
    match curve {
        Curve::P256 => ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
        Curve::P384 => ObjectIdentifier::new_unwrap("1.3.132.0.34"),
        Curve::P521 => ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        Curve::Secp256k1 => ObjectIdentifier::new_unwrap("1.3.132.0.10"),
    }
}

/// The curve of an object identifier.
pub(super) fn curve_of(oid: ObjectIdentifier) -> Result<Curve> {
    Curve::ALL
        .into_iter()
        .find(|&curve| curve_oid(curve) == oid)
        .ok_or(Error::UnknownAlgorithm)
}

/// Reads an AlgorithmIdentifier, parameters included.
pub(super) fn identify(identifier: &AlgorithmIdentifierRef<'_>) -> Result<Kind> {
    let oid = identifier.oid;
    if let Some((algorithm, _)) = PLAIN.iter().find(|(_, known)| *known == oid) {
        //= https://www.rfc-editor.org/rfc/rfc8410#section-3
        //# the parameters MUST be absent
        return match identifier.parameters {
            None => Ok(Kind::Of(*algorithm)),
            Some(_) => Err(Error::Malformed("algorithm parameters")),
        };
    }
    if oid == RSA_PSS {
        return Err(Error::RefusedByPolicy(
            "keys bound to RSASSA-PSS are not supported; re-encode as rsaEncryption",
        ));
    }
    let parameters = match (oid, identifier.parameters) {
        (RSA, Some(parameters)) if parameters.is_null() => return Ok(Kind::Rsa),
        (RSA, _) => return Err(Error::Malformed("algorithm parameters")),
        (EC | DH_PKCS3 | DH_X942, Some(parameters)) => parameters,
        (EC | DH_PKCS3 | DH_X942, None) => {
            return Err(Error::Malformed("algorithm parameters"));
        }
        _ => return Err(Error::UnknownAlgorithm),
    };
    match oid {
        EC => {
            let curve = parameters.decode_as::<ObjectIdentifier>().map_err(|_| {
                Error::InvalidKey("explicit curve parameters; only named curves are accepted")
            })?;
            Ok(Kind::Of(ec::algorithm(curve_of(curve)?)))
        }
        DH_PKCS3 => group(parameters, false).map(Kind::Of),
        _ => group(parameters, true).map(Kind::Of),
    }
}

/// The RFC 7919 group of Diffie-Hellman parameters: PKCS #3's
/// `{ p, g, privateValueLength? }` or X9.42's `{ p, g, q, j?, validation? }`.
fn group(parameters: AnyRef<'_>, x942: bool) -> Result<Algorithm> {
    let malformed = |_| Error::Malformed("Diffie-Hellman parameters");
    let (p, g, q) = parameters
        .sequence(|reader| {
            let p: UintRef<'_> = reader.decode()?;
            let g: UintRef<'_> = reader.decode()?;
            let q: Option<UintRef<'_>> = reader.decode()?;
            while x942 && !reader.is_finished() {
                let _: AnyRef<'_> = reader.decode()?;
            }
            Ok::<_, der::Error>((p, g, q))
        })
        .map_err(malformed)?;
    let algorithm = ffdh::GROUPS
        .into_iter()
        .find(|&group| ffdh::prime(group).is_ok_and(|prime| prime == p.as_bytes()))
        .ok_or(Error::InvalidKey("not a group of RFC 7919"))?;
    let order = half(ffdh::prime(algorithm)?);
    let right_order = !x942 || q.is_some_and(|q| q.as_bytes() == order);
    if g.as_bytes() == [2] && right_order {
        Ok(algorithm)
    } else {
        Err(Error::InvalidKey("not a group of RFC 7919"))
    }
}

/// Writes the AlgorithmIdentifier of an algorithm.
pub(super) fn identifier(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>> {
    let oid = |oid: ObjectIdentifier| tlv(OID, &[oid.as_bytes()]);
    Ok(match algorithm.family() {
        Family::Rsa => tlv(SEQUENCE, &[&oid(RSA), &tlv(NULL, &[])]),
        Family::Ec => tlv(
            SEQUENCE,
            &[&oid(EC), &oid(curve_oid(ec::curve(algorithm)?))],
        ),
        Family::FiniteField => {
            let parameters = tlv(
                SEQUENCE,
                &[&integer(ffdh::prime(algorithm)?), &integer(&[2])],
            );
            tlv(SEQUENCE, &[&oid(DH_PKCS3), &parameters])
        }
        _ => {
            let (_, known) =
                PLAIN
                    .iter()
                    .find(|(known, _)| *known == algorithm)
                    .ok_or(Error::Unsupported {
                        algorithm,
                        what: "this key format",
                    })?;
            tlv(SEQUENCE, &[&oid(*known)])
        }
    })
}
