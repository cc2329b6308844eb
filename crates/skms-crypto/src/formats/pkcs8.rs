//! PKCS#8 (RFC 5208) and OneAsymmetricKey (RFC 5958), plain.

use der::asn1::{OctetStringRef, UintRef};
use der::{Decode, Reader, SliceReader, Tag, TagNumber};
use pkcs8::PrivateKeyInfoRef;
use zeroize::Zeroizing;

use crate::algorithm::{Algorithm, Family};
use crate::asymmetric::{Private, ec, ed25519, ffdh, mldsa, mlkem, slhdsa, x25519, xwing};
use crate::error::{Error, Result};
use crate::secret::SecretBytes;

use super::der::{OCTET_STRING, SEQUENCE, integer, tlv};
use super::oids::{self, Kind};
use super::{pkcs1, sec1};

/// Tag of `seed [0] IMPLICIT OCTET STRING` (RFC 9881, RFC 9935).
const SEED_TAG: u8 = 0x80;

fn malformed() -> Error {
    Error::Malformed("PrivateKeyInfo")
}

/// Whether the bytes have the outer shape of a PrivateKeyInfo.
pub(super) fn looks_like(der: &[u8]) -> bool {
    PrivateKeyInfoRef::try_from(der).is_ok()
}

/// Writes a version 1 structure: seeds where they are known, EC with its
/// curve and public point inside.
pub(super) fn encode(key: &Private) -> Result<SecretBytes> {
    let algorithm = key.algorithm();
    let identifier = oids::identifier(algorithm)?;
    let inner = inner(key)?;
    let whole = tlv(
        SEQUENCE,
        &[&integer(&[0]), &identifier, &tlv(OCTET_STRING, &[&inner])],
    );
    Ok(SecretBytes::new(whole.to_vec()))
}

fn inner(key: &Private) -> Result<Zeroizing<Vec<u8>>> {
    let algorithm = key.algorithm();
    Ok(match algorithm.family() {
        Family::Rsa => pkcs1::encode(key)?,
        Family::Ec => sec1::encode(key, false)?,
        Family::EdDsa | Family::Montgomery => tlv(OCTET_STRING, &[key.to_raw()?.expose()]),
        Family::FiniteField => integer(key.to_raw()?.expose()),
        Family::Kem | Family::MlDsa if algorithm != Algorithm::XWing => {
            let raw = key.to_raw()?;
            let seed = matches!(
                (algorithm.family(), raw.len()),
                (Family::Kem, mlkem::SEED_BYTES) | (Family::MlDsa, mldsa::SEED_BYTES)
            );
            tlv(if seed { SEED_TAG } else { OCTET_STRING }, &[raw.expose()])
        }
        _ => Zeroizing::new(key.to_raw()?.into_public()),
    })
}

/// Reads a key. `check` runs the checks that only an imported one needs.
pub(super) fn decode(der: &[u8], check: bool) -> Result<Private> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| malformed())?;
    let kind = oids::identify(&info.algorithm)?;
    let bytes = info.private_key.as_bytes();
    let claimed = match &info.public_key {
        None => None,
        Some(bits) => Some(bits.as_bytes().ok_or_else(malformed)?),
    };
    let key = match kind {
        Kind::Rsa => pkcs1::decode(bytes, check)?,
        Kind::Of(algorithm) => read(algorithm, bytes, claimed, check)?,
    };
    if let Some(claimed) = claimed {
        check_claimed(&key, claimed)?;
    }
    Ok(key)
}

/// The public key of a version 2 structure must be the private key's.
fn check_claimed(key: &Private, claimed: &[u8]) -> Result<()> {
    let computed = key.public_raw()?;
    let same = match key.algorithm().family() {
        // Compared as points: the claimed one may be compressed.
        Family::Ec => true,
        Family::FiniteField => {
            let y = UintRef::from_der(claimed).map_err(|_| malformed())?;
            integer(y.as_bytes()) == integer(&computed)
        }
        _ => computed == claimed,
    };
    if same {
        Ok(())
    } else {
        Err(Error::InvalidKey("public key is not the private key's"))
    }
}

fn read(
    algorithm: Algorithm,
    bytes: &[u8],
    claimed: Option<&[u8]>,
    check: bool,
) -> Result<Private> {
    let octets = || {
        <&OctetStringRef>::from_der(bytes)
            .map(OctetStringRef::as_bytes)
            .map_err(|_| malformed())
    };
    Ok(match algorithm.family() {
        Family::Ec => {
            let curve = ec::curve(algorithm)?;
            let key = sec1::decode(bytes, Some(curve))?;
            if let (Some(claimed), Some(held)) = (claimed, key.as_held()) {
                let scalar = held.ec_scalar().ok_or_else(malformed)?;
                ec::private(curve, scalar.expose(), Some(claimed))?;
            }
            key
        }
        Family::EdDsa => Private::held(algorithm, ed25519::private(octets()?, claimed)?),
        Family::Montgomery => Private::held(algorithm, x25519::private(octets()?, claimed)?),
        Family::FiniteField => {
            let x = UintRef::from_der(bytes).map_err(|_| malformed())?;
            Private::dh(algorithm, ffdh::private(algorithm, x.as_bytes())?)
        }
        Family::Kem if algorithm == Algorithm::XWing => Private::xwing(xwing::private(bytes)?),
        Family::Kem => Private::held(
            algorithm,
            match choice(bytes)? {
                Choice::Seed(seed) => mlkem::from_seed(algorithm, seed)?,
                Choice::Expanded(expanded) => mlkem::from_expanded(algorithm, expanded)?,
                Choice::Both(seed, expanded) => mlkem::from_both(algorithm, seed, expanded)?,
            },
        ),
        Family::MlDsa => Private::held(
            algorithm,
            match choice(bytes)? {
                Choice::Seed(seed) => mldsa::from_seed(algorithm, seed)?,
                Choice::Expanded(expanded) => mldsa::from_expanded(algorithm, expanded)?,
                Choice::Both(seed, expanded) => mldsa::from_both(algorithm, seed, expanded)?,
            },
        ),
        Family::SlhDsa if check => Private::slhdsa(algorithm, slhdsa::private(algorithm, bytes)?),
        _ => Private::from_raw(algorithm, bytes, check)?,
    })
}

/// The three forms of an ML-KEM or ML-DSA private key (RFC 9935 and RFC 9881, section 6).
enum Choice<'a> {
    Seed(&'a [u8]),
    Expanded(&'a [u8]),
    Both(&'a [u8], &'a [u8]),
}

fn choice(bytes: &[u8]) -> Result<Choice<'_>> {
    let parse = || -> der::Result<Choice<'_>> {
        let mut reader = SliceReader::new(bytes)?;
        match Tag::peek(&reader)? {
            Tag::OctetString => {
                let expanded = <&OctetStringRef>::decode(&mut reader)?;
                reader.finish()?;
                Ok(Choice::Expanded(expanded.as_bytes()))
            }
            Tag::Sequence => {
                let both = reader.sequence(|inner| {
                    let seed: &OctetStringRef = inner.decode()?;
                    let expanded: &OctetStringRef = inner.decode()?;
                    Ok::<_, der::Error>((seed, expanded))
                })?;
                reader.finish()?;
                Ok(Choice::Both(both.0.as_bytes(), both.1.as_bytes()))
            }
            _ => {
                let seed: Option<&OctetStringRef> =
                    reader.context_specific(TagNumber(0), der::TagMode::Implicit)?;
                let seed = seed.ok_or_else(|| Tag::OctetString.value_error())?;
                reader.finish()?;
                Ok(Choice::Seed(seed.as_bytes()))
            }
        }
    };
    parse().map_err(|_| malformed())
}
