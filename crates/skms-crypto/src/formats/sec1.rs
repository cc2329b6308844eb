//! ECPrivateKey (RFC 5915; SEC 1, appendix C.4).

use der::Decode;
use zeroize::Zeroizing;

use crate::asymmetric::{Private, ec};
use crate::awslc::ec::Curve;
use crate::error::{Error, Result};

use super::der::{OCTET_STRING, OID, SEQUENCE, bit_string, integer, tlv};
use super::oids::{curve_of, curve_oid};

/// Writes the structure, with the curve named inside if it stands alone.
pub(super) fn encode(key: &Private, alone: bool) -> Result<Zeroizing<Vec<u8>>> {
    let unsupported = || Error::Unsupported {
        algorithm: key.algorithm(),
        what: "SEC 1",
    };
    let held = key.as_held().ok_or_else(unsupported)?;
    let curve = held.ec_curve().ok_or_else(unsupported)?;
    let scalar = held.ec_scalar().ok_or_else(unsupported)?;
    let point = held.ec_point().ok_or_else(unsupported)?;
    let parameters = if alone {
        tlv(0xa0, &[&tlv(OID, &[curve_oid(curve).as_bytes()])])
    } else {
        Zeroizing::new(Vec::new())
    };
    Ok(tlv(
        SEQUENCE,
        &[
            &integer(&[1]),
            &tlv(OCTET_STRING, &[scalar.expose()]),
            &parameters,
            &tlv(0xa1, &[&bit_string(&point)]),
        ],
    ))
}

/// Whether the bytes have the shape of an ECPrivateKey.
pub(super) fn looks_like(der: &[u8]) -> bool {
    ::sec1::EcPrivateKey::from_der(der).is_ok()
}

/// Reads a key; `outside` is the curve that the structure around it names.
pub(super) fn decode(der: &[u8], outside: Option<Curve>) -> Result<Private> {
    let key = ::sec1::EcPrivateKey::from_der(der).map_err(|_| Error::Malformed("ECPrivateKey"))?;
    let inside = match &key.parameters {
        None => None,
        Some(parameters) => Some(curve_of(
            parameters
                .named_curve()
                .ok_or(Error::InvalidKey("explicit curve parameters"))?,
        )?),
    };
    let curve = match (inside, outside) {
        (Some(inside), Some(outside)) if inside != outside => {
            return Err(Error::InvalidKey("two different curves"));
        }
        (Some(curve), _) | (None, Some(curve)) => curve,
        (None, None) => return Err(Error::InvalidKey("no curve named")),
    };
    let held = ec::private(curve, key.private_key, key.public_key)?;
    Ok(Private::held(ec::algorithm(curve), held))
}
