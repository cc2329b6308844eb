//! JSON Web Keys: RFC 7517, RFC 7518 (oct, RSA, EC), RFC 8037 (OKP), RFC 8812
//! (secp256k1), and AKP for the post-quantum ones (draft-ietf-cose-dilithium,
//! draft-ietf-jose-pqc-kem; seeds as private keys).
//!
//! Stricter than RFC 7517 asks: a member that appears twice, an algorithm or a
//! use that contradicts the key, and lengths other than the exact ones are
//! refused. Members nobody here knows are ignored, as section 4 demands, save
//! `crit`, by which somebody says that they must not be.

mod members;
mod usage;

use zeroize::Zeroizing;

use crate::algorithm::{Algorithm, Family};
use crate::asymmetric::{Private, ec, ed25519, mldsa, mlkem, rsa, x25519};
use crate::awslc::ec::Curve;
use crate::awslc::pkey::PKey;
use crate::error::{Error, Result};
use crate::public::PublicKey;
use crate::secret::SecretBytes;

use super::Imported;
use super::der::{SEQUENCE, integer, tlv};
use members::{Members, Writer};

/// Whether the text is meant as a JWK: it begins like a JSON object, and is
/// printable throughout or names a key type. A raw key may begin with a brace
/// too, but is neither.
pub(super) fn looks_like(text: &[u8]) -> bool {
    let printable = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
        && (text.iter().all(printable) || text.windows(5).any(|five| five == b"\"kty\""))
}

fn curve_named(name: &str) -> Result<Curve> {
    match name {
        "P-256" => Ok(Curve::P256),
        "P-384" => Ok(Curve::P384),
        "P-521" => Ok(Curve::P521),
        "secp256k1" => Ok(Curve::Secp256k1),
        _ => Err(Error::UnknownAlgorithm),
    }
}

fn curve_name(curve: Curve) -> &'static str {
    match curve {
        Curve::P256 => "P-256",
        Curve::P384 => "P-384",
        Curve::P521 => "P-521",
        Curve::Secp256k1 => "secp256k1",
    }
}

/// AKP algorithms, whose JOSE names are the registry's.
fn akp(members: &Members) -> Result<Algorithm> {
    let algorithm: Algorithm = members.text("alg")?.parse()?;
    let offered = matches!(
        algorithm.family(),
        Family::MlDsa | Family::SlhDsa | Family::Kem
    );
    if offered && algorithm.name() == members.text("alg")? {
        Ok(algorithm)
    } else {
        Err(Error::UnknownAlgorithm)
    }
}

/// The public half of a parsed key.
fn public(members: &Members) -> Result<PublicKey> {
    match members.text("kty")? {
        "RSA" => {
            let (n, e) = (members.integer("n")?, members.integer("e")?);
            let key = PKey::rsa_public_numbers(&n, &e).ok_or(Error::InvalidKey("RSA numbers"))?;
            PublicKey::from_raw(rsa::check_public(&key)?, &key.rsa_public_to_pkcs1()?)
        }
        "EC" => {
            let curve = curve_named(members.text("crv")?)?;
            PublicKey::from_raw(ec::algorithm(curve), &point(members, curve)?)
        }
        "OKP" => PublicKey::from_raw(okp(members)?, &members.exact("x", 32)?),
        "AKP" => PublicKey::from_raw(akp(members)?, &members.bytes("pub")?),
        "oct" => Err(Error::InvalidKey(
            "a secret key where a public one is needed",
        )),
        _ => Err(Error::UnknownAlgorithm),
    }
}

fn okp(members: &Members) -> Result<Algorithm> {
    match members.text("crv")? {
        "Ed25519" => Ok(Algorithm::Ed25519),
        "X25519" => Ok(Algorithm::X25519),
        _ => Err(Error::UnknownAlgorithm),
    }
}

fn point(members: &Members, curve: Curve) -> Result<Vec<u8>> {
    let mut point = vec![4];
    point.extend_from_slice(&members.exact("x", curve.field_bytes())?);
    point.extend_from_slice(&members.exact("y", curve.field_bytes())?);
    Ok(point)
}

/// Reads a public key; one with private members is refused.
pub(super) fn read_public(text: &[u8]) -> Result<PublicKey> {
    let members = Members::parse(text)?;
    if ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"]
        .iter()
        .any(|name| members.has(name))
    {
        return Err(Error::InvalidKey(
            "a private key where a public one is needed",
        ));
    }
    let key = public(&members)?;
    usage::check(&members, key.algorithm())?;
    Ok(key)
}

/// The modulus and the exponent that an RSA key names, unchecked.
pub(super) fn rsa_numbers(text: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let members = Members::parse(text)?;
    match members.text("kty")? {
        "RSA" => {
            let (n, e) = (members.integer("n")?, members.integer("e")?);
            Ok((n.to_vec(), e.to_vec()))
        }
        _ => Err(Error::UnknownAlgorithm),
    }
}

/// Reads a private or symmetric key.
pub(super) fn read_private(text: &[u8], expect: Option<Algorithm>) -> Result<Imported> {
    let members = Members::parse(text)?;
    let key = match members.text("kty")? {
        "oct" => return symmetric(&members, expect),
        "RSA" => rsa_private(&members)?,
        "EC" => {
            let curve = curve_named(members.text("crv")?)?;
            let scalar = members.exact("d", curve.field_bytes())?;
            let point = point(&members, curve)?;
            Private::held(
                ec::algorithm(curve),
                ec::private(curve, &scalar, Some(&point))?,
            )
        }
        "OKP" => {
            let (x, d) = (members.exact("x", 32)?, members.exact("d", 32)?);
            match okp(&members)? {
                Algorithm::Ed25519 => {
                    Private::held(Algorithm::Ed25519, ed25519::private(&d, Some(&x))?)
                }
                algorithm => Private::held(algorithm, x25519::private(&d, Some(&x))?),
            }
        }
        "AKP" => akp_private(&members)?,
        _ => return Err(Error::UnknownAlgorithm),
    };
    usage::check(&members, key.algorithm())?;
    Ok(Imported::Private(key))
}

fn akp_private(members: &Members) -> Result<Private> {
    let algorithm = akp(members)?;
    let private = members.bytes("priv")?;
    // The drafts carry seeds only.
    let seed = match algorithm.family() {
        Family::MlDsa => Some(mldsa::SEED_BYTES),
        Family::Kem if algorithm != Algorithm::XWing => Some(mlkem::SEED_BYTES),
        _ => None,
    };
    if seed.is_some_and(|length| length != private.len()) {
        return Err(Error::InvalidKey("JWK private key must be the seed"));
    }
    let key = Private::from_raw(algorithm, &private, true)?;
    if key.public_raw()? == *members.bytes("pub")? {
        Ok(key)
    } else {
        Err(Error::InvalidKey("public key is not the private key's"))
    }
}

fn rsa_private(members: &Members) -> Result<Private> {
    if members.has("oth") {
        return Err(Error::InvalidKey("RSA keys of more than two primes"));
    }
    let mut parts = vec![integer(&[0])];
    for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        parts.push(integer(&members.integer(name)?));
    }
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_slice()).collect();
    super::pkcs1::decode(&tlv(SEQUENCE, &parts), true)
}

fn symmetric(members: &Members, expect: Option<Algorithm>) -> Result<Imported> {
    let key = members.bytes("k")?;
    let named = match members.optional_text("alg")? {
        None => None,
        Some(name) => Some(usage::symmetric(name)?),
    };
    let algorithm = match (expect, named) {
        (Some(expected), Some(named)) if !usage::may_serve(named, expected) => {
            return Err(Error::WrongAlgorithm {
                expected,
                found: named,
            });
        }
        (Some(algorithm), _) | (None, Some(algorithm)) => algorithm,
        (None, None) => {
            return Err(Error::InvalidOption(
                "this JWK does not name its algorithm: say which",
            ));
        }
    };
    if !algorithm.is_symmetric() {
        return Err(Error::InvalidKey("a secret key where a key pair is needed"));
    }
    if let Some(named) = named {
        usage::check_length(named, key.len())?;
    }
    usage::check(members, algorithm)?;
    Ok(Imported::Symmetric(
        algorithm,
        SecretBytes::new(key.to_vec()),
    ))
}

/// Writes a public key.
pub(super) fn write_public(key: &PublicKey) -> Result<Vec<u8>> {
    let mut out = Writer::new();
    write_public_members(&mut out, key.algorithm(), &key.to_raw()?)?;
    // A public key is no secret.
    Ok(out.finish().into_public())
}

fn write_public_members(out: &mut Writer, algorithm: Algorithm, raw: &[u8]) -> Result<()> {
    match algorithm.family() {
        Family::Rsa => {
            let (n, e) = PKey::rsa_public(raw)
                .and_then(|key| key.rsa_public_parts())
                .ok_or(Error::Library("cannot read a public key"))?;
            out.text("kty", "RSA");
            out.bytes("n", &n);
            out.bytes("e", &e);
        }
        Family::Ec => {
            let curve = ec::curve(algorithm)?;
            let (x, y) = raw
                .get(1..)
                .and_then(|xy| xy.split_at_checked(curve.field_bytes()))
                .ok_or(Error::Library("cannot read a public key"))?;
            out.text("kty", "EC");
            out.text("crv", curve_name(curve));
            out.bytes("x", x);
            out.bytes("y", y);
        }
        Family::EdDsa | Family::Montgomery => {
            out.text("kty", "OKP");
            out.text("crv", algorithm.name());
            out.bytes("x", raw);
        }
        Family::MlDsa | Family::SlhDsa | Family::Kem => {
            out.text("kty", "AKP");
            out.text("alg", algorithm.name());
            out.bytes("pub", raw);
        }
        _ => {
            return Err(Error::Unsupported {
                algorithm,
                what: "JWK",
            });
        }
    }
    Ok(())
}

/// Writes a private key with its public half.
pub(super) fn write_private(key: &Private) -> Result<SecretBytes> {
    let algorithm = key.algorithm();
    let mut out = Writer::new();
    write_public_members(&mut out, algorithm, &key.public_raw()?)?;
    match algorithm.family() {
        Family::Rsa => {
            let numbers = key
                .as_held()
                .and_then(|held| held.rsa_numbers())
                .ok_or(Error::Library("cannot read a private key"))?;
            out.bytes("d", numbers.d.expose());
            out.bytes("p", numbers.p.expose());
            out.bytes("q", numbers.q.expose());
            out.bytes("dp", numbers.dp.expose());
            out.bytes("dq", numbers.dq.expose());
            out.bytes("qi", numbers.qi.expose());
        }
        Family::MlDsa | Family::SlhDsa | Family::Kem => {
            let raw = key.to_raw()?;
            let seed = match algorithm.family() {
                Family::MlDsa => raw.len() == mldsa::SEED_BYTES,
                Family::Kem if algorithm != Algorithm::XWing => raw.len() == mlkem::SEED_BYTES,
                _ => true,
            };
            if !seed {
                return Err(Error::Unsupported {
                    algorithm,
                    what: "JWK for a key whose seed is not known",
                });
            }
            out.bytes("priv", raw.expose());
        }
        _ => out.bytes("d", key.to_raw()?.expose()),
    }
    Ok(out.finish())
}

/// Writes a symmetric key, its `alg` where JOSE has a name for it.
pub(super) fn write_symmetric(algorithm: Algorithm, key: &[u8]) -> Result<SecretBytes> {
    let mut out = Writer::new();
    out.text("kty", "oct");
    if let Some(name) = usage::symmetric_name(algorithm, key.len()) {
        out.text("alg", name);
    }
    out.bytes("k", key);
    Ok(out.finish())
}

/// Bytes that are erased when dropped.
type Bytes = Zeroizing<Vec<u8>>;
