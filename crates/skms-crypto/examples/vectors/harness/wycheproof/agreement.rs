//! Key agreement: ECDH and X25519, keys given in every encoding.

use skms_crypto::{Algorithm, Format, KeyMaterial, OpenKey, raw};

use super::super::case::{Attempt, Refusal, not_offered};
use super::super::product::{curve, public, sec1};
use super::super::text::{fixed, string};
use super::{Action, Test, unreadable};

/// Bytes of a key and the format they are in.
type Encoded = (Vec<u8>, Format);

/// `EcdhTest` (keys in SPKI), `EcdhEcpointTest` (points), `EcdhPemTest` and
/// `EcdhWebcryptoTest` (JWK).
pub fn ecdh(test: &Test<'_>) -> Result<Action, Refusal> {
    let name = string(test.group, "curve").ok_or_else(|| unreadable("curve"))?;
    let (algorithm, len) = curve(name)?;
    let shared = test.bytes("shared")?;
    let (ours, theirs): (Encoded, Encoded) = match string(test.group, "encoding") {
        Some("webcrypto") => (jwk(test, "private")?, jwk(test, "public")?),
        Some("pem") => (
            (text(test, "private")?, Format::Auto),
            (text(test, "public")?, Format::SpkiPem),
        ),
        encoding => {
            let scalar = fixed(&test.bytes("private")?, len);
            let scalar = scalar.ok_or_else(|| unreadable("private"))?;
            let format = match encoding {
                Some("ecpoint") => Format::Raw,
                _ => Format::SpkiDer,
            };
            let ours = (sec1(algorithm, &scalar), Format::Sec1Der);
            (ours, (test.bytes("public")?, format))
        }
    };
    Ok(Box::new(move || agree(algorithm, ours, theirs, &shared)))
}

/// `XdhComp`: raw keys.
pub fn xdh_raw(test: &Test<'_>) -> Result<Action, Refusal> {
    xdh(test, |test, field| Ok((test.bytes(field)?, Format::Raw)))
}

/// `XdhAsnComp` and `XdhPemComp`: SPKI and PKCS#8.
pub fn xdh_encoded(test: &Test<'_>) -> Result<Action, Refusal> {
    let pem = string(test.group, "type") == Some("XdhPemComp");
    xdh(test, move |test, field| {
        let format = match (field, pem) {
            ("public", false) => Format::SpkiDer,
            ("public", true) => Format::SpkiPem,
            (_, false) => Format::Pkcs8Der,
            (_, true) => Format::Pkcs8Pem,
        };
        let bytes = if pem {
            text(test, field)?
        } else {
            test.bytes(field)?
        };
        Ok((bytes, format))
    })
}

/// `XdhJwkComp`.
pub fn xdh_jwk(test: &Test<'_>) -> Result<Action, Refusal> {
    xdh(test, jwk)
}

fn xdh(
    test: &Test<'_>,
    read: impl Fn(&Test<'_>, &str) -> Result<Encoded, Refusal>,
) -> Result<Action, Refusal> {
    let curve = string(test.group, "curve").unwrap_or_default();
    if curve != "curve25519" {
        return not_offered(format!("algorithm not offered: {curve}"));
    }
    let shared = test.bytes("shared")?;
    let (ours, theirs) = (read(test, "private")?, read(test, "public")?);
    Ok(Box::new(move || {
        agree(Algorithm::X25519, ours, theirs, &shared)
    }))
}

fn jwk(test: &Test<'_>, field: &str) -> Result<Encoded, Refusal> {
    let key = test.test.get(field).ok_or_else(|| unreadable(field))?;
    Ok((key.to_string().into_bytes(), Format::Jwk))
}

fn text(test: &Test<'_>, field: &str) -> Result<Vec<u8>, Refusal> {
    let text = string(test.test, field).ok_or_else(|| unreadable(field))?;
    Ok(text.as_bytes().to_vec())
}

/// Imports both halves, agrees, and compares.
pub(crate) fn agree(
    algorithm: Algorithm,
    ours: Encoded,
    theirs: Encoded,
    shared: &[u8],
) -> Attempt {
    let ours = KeyMaterial::import(&ours.0, ours.1, Some(algorithm), None)?;
    let theirs = public(&theirs.0, theirs.1, Some(algorithm))?;
    // On secp256k1 the product only signs; below it the curve is the same.
    let secret = match algorithm {
        Algorithm::EcSecp256k1 => raw::rsa::ecdh(&ours, &theirs)?,
        _ => OpenKey::open(&ours)?.agree(&theirs)?,
    };
    Ok(secret.expose() == shared)
}
