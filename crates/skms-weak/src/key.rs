//! Public keys, read leniently: what is odd about one is a finding.

use dashu_int::UBig;
use skms_crypto::hash::{sha1_for_identifiers, sha256};

use crate::curve::{self, Point};
use crate::edwards::Form;
use crate::error::{Error, Result};
use crate::number::{bits, bytes};
use crate::ssh;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;

const RSA: &str = "1.2.840.113549.1.1.1";
/// rsaEncryption, as bytes.
const RSA_BYTES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// What kind of key it is, with the numbers that are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// RSA.
    Rsa {
        /// The modulus.
        n: UBig,
        /// The public exponent.
        e: UBig,
    },
    /// ECDSA or ECDH.
    Ec(Point),
    /// Curve25519 or Curve448.
    Edwards {
        /// Which.
        form: Form,
        /// The public key.
        bytes: Vec<u8>,
    },
    /// DSA.
    Dsa {
        /// The group's prime.
        p: UBig,
        /// The public value.
        y: UBig,
    },
    /// Diffie-Hellman.
    Dh {
        /// The group's prime.
        p: Option<UBig>,
        /// The public value.
        y: UBig,
    },
    /// Anything else: it can be on a list, and no more is looked at.
    Other,
}

/// A public key that was read.
#[derive(Clone, Debug)]
pub struct PublicKey {
    kind: Kind,
    /// The number by which badkeys names it.
    value: Vec<u8>,
    /// SHA-256 of SubjectPublicKeyInfo: as it came, and as it should be.
    spki: Vec<[u8; 32]>,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`Error::Key`] for what is none.
    pub fn from_spki(der: &[u8]) -> Result<Self> {
        let bad = || Error::Key("not a SubjectPublicKeyInfo");
        let mut outer = Der(der);
        let mut spki = Der(outer.take(SEQUENCE).ok_or_else(bad)?);
        let mut algorithm = Der(spki.take(SEQUENCE).ok_or_else(bad)?);
        let key = spki.take(BIT_STRING).ok_or_else(bad)?;
        if !outer.0.is_empty() || !spki.0.is_empty() {
            return Err(bad());
        }
        let (unused, key) = key.split_first().ok_or_else(bad)?;
        if *unused != 0 {
            return Err(bad());
        }
        let name = oid(algorithm.take(OID).ok_or_else(bad)?).ok_or_else(bad)?;
        let mut read = Self::of(&name, algorithm, key)?;
        let as_it_came = sha256(&[der]);
        if !read.spki.contains(&as_it_came) {
            read.spki.push(as_it_came);
        }
        Ok(read)
    }

    /// Reads an RSAPublicKey (RFC 8017).
    ///
    /// # Errors
    /// [`Error::Key`] for what is none.
    pub fn from_pkcs1(der: &[u8]) -> Result<Self> {
        let bad = || Error::Key("not an RSAPublicKey");
        let mut outer = Der(der);
        let mut key = Der(outer.take(SEQUENCE).ok_or_else(bad)?);
        let (n, e) = key.integer().zip(key.integer()).ok_or_else(bad)?;
        match outer.0.is_empty() && key.0.is_empty() {
            true => Ok(Self::rsa(n, e)),
            false => Err(bad()),
        }
    }

    /// Reads the two public numbers of an RSAPrivateKey, by itself or in PKCS #8,
    /// and nothing that follows them: also of a key that nobody would take.
    ///
    /// # Errors
    /// [`Error::Key`] for what is none.
    pub fn from_rsa_private(der: &[u8]) -> Result<Self> {
        let bad = || Error::Key("not an RSA private key");
        let mut key = Der(Der(der).take(SEQUENCE).ok_or_else(bad)?);
        key.integer().ok_or_else(bad)?;
        if let Some(algorithm) = key.take(SEQUENCE) {
            let name = Der(algorithm).take(OID).and_then(oid);
            let inner = key.take(OCTET_STRING).ok_or_else(bad)?;
            if name.as_deref() != Some(RSA) || inner.len() >= der.len() {
                return Err(bad());
            }
            return Self::from_rsa_private(inner);
        }
        let (n, e) = key.integer().zip(key.integer()).ok_or_else(bad)?;
        Ok(Self::rsa(n, e))
    }

    /// Reads the line of a `.pub` file of OpenSSH.
    ///
    /// # Errors
    /// [`Error::Key`] for what is none.
    pub fn from_ssh_line(line: &str) -> Result<Self> {
        ssh::read(line)
    }

    /// An RSA key by its numbers.
    #[must_use]
    pub fn rsa(n: UBig, e: UBig) -> Self {
        let key = tlv(SEQUENCE, &[&integer(&n), &integer(&e)]);
        let algorithm = tlv(SEQUENCE, &[&tlv(OID, &[RSA_BYTES]), &[0x05, 0]]);
        Self {
            value: bytes(&n).into_vec(),
            kind: Kind::Rsa { n, e },
            spki: vec![spki(&algorithm, &key)],
        }
    }

    pub(crate) fn dsa(p: UBig, y: UBig) -> Self {
        Self {
            value: bytes(&y).into_vec(),
            kind: Kind::Dsa { p, y },
            spki: Vec::new(),
        }
    }

    /// A point of a curve by its name.
    pub(crate) fn ec(curve: &[u8], point: &[u8]) -> Self {
        let name = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
        let parts = [tlv(OID, &[&name]), tlv(OID, &[curve])];
        let algorithm = tlv(SEQUENCE, &[&parts[0], &parts[1]]);
        let named = oid(curve).and_then(|name| curve::named(&name));
        Self {
            spki: vec![spki(&algorithm, point)],
            ..Self::point(named, false, point)
        }
    }

    pub(crate) fn ed25519(key: &[u8]) -> Self {
        let algorithm = tlv(SEQUENCE, &[&tlv(OID, &[&[0x2b, 0x65, 0x70]])]);
        Self {
            spki: vec![spki(&algorithm, key)],
            ..Self::edwards(Form::Ed25519, key)
        }
    }

    fn point(curve: Option<&'static curve::Curve>, explicit: bool, bytes_of: &[u8]) -> Self {
        let xy = curve::point(bytes_of);
        let value = xy.as_ref().map(|(x, _)| bytes(x).into_vec());
        Self {
            kind: Kind::Ec(Point {
                curve,
                explicit,
                xy,
            }),
            value: value.unwrap_or_default(),
            spki: Vec::new(),
        }
    }

    fn edwards(form: Form, key: &[u8]) -> Self {
        // badkeys takes the bytes for a number, which has no zeros in front.
        let zeros = key.iter().take_while(|byte| **byte == 0).count();
        Self {
            value: key[zeros..].to_vec(),
            kind: Kind::Edwards {
                form,
                bytes: key.to_vec(),
            },
            spki: Vec::new(),
        }
    }

    /// By the algorithm's name and parameters.
    fn of(name: &str, mut parameters: Der<'_>, key: &[u8]) -> Result<Self> {
        let number = || {
            let mut der = Der(key);
            let found = der.integer().filter(|_| der.0.is_empty());
            found.ok_or(Error::Key("the public value is no number"))
        };
        Ok(match name {
            RSA | "1.2.840.113549.1.1.10" => Self::from_pkcs1(key)?,
            "1.2.840.10045.2.1" => {
                let (curve, explicit) = curve_of(&mut parameters)?;
                Self::point(curve, explicit, key)
            }
            "1.3.101.110" => Self::edwards(Form::X25519, key),
            "1.3.101.111" => Self::edwards(Form::X448, key),
            "1.3.101.112" => Self::edwards(Form::Ed25519, key),
            "1.3.101.113" => Self::edwards(Form::Ed448, key),
            "1.2.840.10040.4.1" => {
                let mut group = Der(parameters.take(SEQUENCE).unwrap_or_default());
                Self::dsa(group.integer().unwrap_or_default(), number()?)
            }
            "1.2.840.113549.1.3.1" | "1.2.840.10046.2.1" => {
                let mut group = Der(parameters.take(SEQUENCE).unwrap_or_default());
                let y = number()?;
                Self {
                    value: bytes(&y).into_vec(),
                    kind: Kind::Dh {
                        p: group.integer(),
                        y,
                    },
                    spki: Vec::new(),
                }
            }
            _ => Self {
                kind: Kind::Other,
                value: key.to_vec(),
                spki: Vec::new(),
            },
        })
    }

    /// What kind of key it is.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The modulus of an RSA key.
    #[must_use]
    pub fn modulus(&self) -> Option<&UBig> {
        match &self.kind {
            Kind::Rsa { n, .. } => Some(n),
            _ => None,
        }
    }

    /// How many bits the modulus of an RSA key has.
    #[must_use]
    pub fn modulus_bits(&self) -> Option<usize> {
        self.modulus().map(bits)
    }

    /// Its entry in a list of whole keys; none for a DSA key of OpenSSH.
    #[must_use]
    pub fn spki_entry(&self) -> Option<Vec<u8>> {
        self.spki.last().map(|hash| hash.to_vec())
    }

    /// SHA-256 of its SubjectPublicKeyInfo, as it came and as it should be.
    pub(crate) fn spki_sha256(&self) -> &[[u8; 32]] {
        &self.spki
    }

    /// SHA-256 of the number that badkeys names it by.
    pub(crate) fn value_sha256(&self) -> [u8; 32] {
        sha256(&[&self.value])
    }

    /// SHA-1 of the line that `openssl rsa -modulus` prints.
    pub(crate) fn modulus_sha1(&self) -> Option<[u8; 20]> {
        let n = self.modulus()?;
        let line = format!("Modulus={}\n", n.in_radix(16)).to_uppercase();
        let line = line.replacen("MODULUS", "Modulus", 1);
        Some(sha1_for_identifiers(line.as_bytes()))
    }
}

/// The curve of an EC key's parameters, and whether it is spelled out.
fn curve_of(parameters: &mut Der<'_>) -> Result<(Option<&'static curve::Curve>, bool)> {
    let bad = || Error::Key("the parameters name no curve");
    if let Some(name) = parameters.take(OID) {
        return Ok((curve::named(&oid(name).ok_or_else(bad)?), false));
    }
    // SEQUENCE { version, SEQUENCE { prime-field, p }, SEQUENCE { a, b }, generator, .. }
    let mut spelled = Der(parameters.take(SEQUENCE).ok_or_else(bad)?);
    let found = (|| {
        spelled.integer()?;
        let mut field = Der(spelled.take(SEQUENCE)?);
        field.take(OID)?;
        let p = field.integer()?;
        let mut coefficients = Der(spelled.take(SEQUENCE)?);
        let a = UBig::from_be_bytes(coefficients.take(OCTET_STRING)?);
        let b = UBig::from_be_bytes(coefficients.take(OCTET_STRING)?);
        let generator = spelled.take(OCTET_STRING)?;
        curve::all().find(|curve| curve.is_of(&p, &a, &b, generator))
    })();
    Ok((found, true))
}

/// The dotted form of an object identifier.
fn oid(bytes: &[u8]) -> Option<String> {
    let mut arcs = Vec::new();
    let mut arc = 0_u64;
    for byte in bytes {
        if arc > u64::MAX >> 7 {
            return None;
        }
        arc = (arc << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            arcs.push(arc);
            arc = 0;
        }
    }
    let first = arcs.first().copied()?;
    let top = (first / 40).min(2);
    let mut text = format!("{top}.{}", first - 40 * top);
    for arc in arcs.get(1..)? {
        text.push('.');
        text.push_str(&arc.to_string());
    }
    Some(text)
}

/// What is left of some DER.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The contents of the next element, if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, rest) = self.0.split_first()?;
        let (length, mut rest) = rest.split_first()?;
        let mut length = usize::from(*length);
        if *found != tag {
            return None;
        }
        if length >= 0x80 {
            let count = length & 0x7f;
            if !(1..=4).contains(&count) || rest.len() < count {
                return None;
            }
            let (bytes, after) = rest.split_at(count);
            length = bytes
                .iter()
                .fold(0, |value, byte| (value << 8) | usize::from(*byte));
            rest = after;
        }
        if rest.len() < length {
            return None;
        }
        let (contents, after) = rest.split_at(length);
        self.0 = after;
        Some(contents)
    }

    /// The next element, if it is an integer: as old certificates have it, whose
    /// moduli lack the zero that would make them positive.
    fn integer(&mut self) -> Option<UBig> {
        let found = self.take(INTEGER)?;
        (!found.is_empty()).then(|| UBig::from_be_bytes(found))
    }
}

/// One element.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let count = bytes.len() - zeros;
            out.push(0x80 | u8::try_from(count).unwrap_or(8));
            out.extend(&bytes[zeros..]);
        }
    }
    parts.iter().for_each(|part| out.extend(*part));
    out
}

fn integer(value: &UBig) -> Vec<u8> {
    let bytes = bytes(value);
    let positive: &[u8] = match bytes.first() {
        Some(first) if first & 0x80 == 0 => &[],
        _ => &[0],
    };
    tlv(INTEGER, &[positive, &bytes])
}

fn spki(algorithm: &[u8], key: &[u8]) -> [u8; 32] {
    sha256(&[&tlv(SEQUENCE, &[algorithm, &tlv(BIT_STRING, &[&[0], key])])])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_by_its_numbers_has_the_name_of_its_der() {
        let n = UBig::ones(2048);
        let e = UBig::from(65_537_u32);
        let key = PublicKey::rsa(n.clone(), e.clone());
        let inner = tlv(SEQUENCE, &[&integer(&n), &integer(&e)]);
        let algorithm = tlv(SEQUENCE, &[&tlv(OID, &[RSA_BYTES]), &[0x05, 0]]);
        let der = tlv(SEQUENCE, &[&algorithm, &tlv(BIT_STRING, &[&[0], &inner])]);
        let read = PublicKey::from_spki(&der).unwrap();
        assert_eq!(read.kind, key.kind);
        assert_eq!(read.spki, key.spki);
        assert_eq!(read.spki, [sha256(&[&der])]);
        for cut in 0..der.len() {
            assert!(PublicKey::from_spki(&der[..cut]).is_err(), "{cut}");
        }
        let longer = [&der[..], &[0]].concat();
        assert!(PublicKey::from_spki(&longer).is_err());
    }

    #[test]
    fn identifiers_are_dotted() {
        assert_eq!(oid(RSA_BYTES).as_deref(), Some(RSA));
        assert_eq!(oid(&[0x2b, 0x65, 0x70]).as_deref(), Some("1.3.101.112"));
        assert_eq!(oid(&[]), None);
        assert_eq!(oid(&[0x80; 20]), None);
        assert_eq!(oid(&[0xff; 20]), None);
    }
}
