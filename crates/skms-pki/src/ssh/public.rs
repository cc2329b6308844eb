//! Public keys as SSH writes them, checked: RFC 4253, section 6.6; RFC 5656,
//! section 3.1; RFC 8709, section 4; PROTOCOL.u2f.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use skms_crypto::Algorithm;
use skms_crypto::hash::sha256;

use super::error::{Error, Result};
use super::wire::{Reader, Writer};
use crate::issue::der;
use crate::issue::key::SubjectKey;
use crate::oid;
use crate::parse::cursor::{Cursor, tag};
use crate::signature::rsa_bits;

/// The longest key that is read, in bytes: an RSA key of 8192 bits, with room.
const BLOB_MAX: usize = 4096;

/// A kind of key that can be certified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    Ec(Curve),
    Ed25519,
    /// A security key's, on P-256.
    SkEc,
    /// A security key's, Ed25519.
    SkEd25519,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    const fn name(self) -> &'static str {
        match self {
            Self::P256 => "nistp256",
            Self::P384 => "nistp384",
            Self::P521 => "nistp521",
        }
    }

    const fn oid(self) -> oid::Oid<'static> {
        match self {
            Self::P256 => oid::P256,
            Self::P384 => oid::P384,
            Self::P521 => oid::P521,
        }
    }
}

/// Each kind by the name that begins its encoding, and the name of its
/// certificates.
const KINDS: [(&str, &str, Kind); 7] = [
    (
        "ssh-ed25519",
        "ssh-ed25519-cert-v01@openssh.com",
        Kind::Ed25519,
    ),
    (
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp256-cert-v01@openssh.com",
        Kind::Ec(Curve::P256),
    ),
    (
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp384-cert-v01@openssh.com",
        Kind::Ec(Curve::P384),
    ),
    (
        "ecdsa-sha2-nistp521",
        "ecdsa-sha2-nistp521-cert-v01@openssh.com",
        Kind::Ec(Curve::P521),
    ),
    ("ssh-rsa", "ssh-rsa-cert-v01@openssh.com", Kind::Rsa),
    (
        "sk-ssh-ed25519@openssh.com",
        "sk-ssh-ed25519-cert-v01@openssh.com",
        Kind::SkEd25519,
    ),
    (
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        Kind::SkEc,
    ),
];

/// A public key that could be certified: of a kind that is known, strong
/// enough, on its curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    place: usize,
    blob: Vec<u8>,
    spki: Vec<u8>,
}

impl PublicKey {
    /// Reads one line of an `id_….pub` file: the kind, base64, and a comment.
    ///
    /// # Errors
    /// [`Error::Malformed`]; [`Error::Key`] for DSA, RSA under 2048 bits and
    /// whatever else is not certified.
    pub fn from_line(line: &str) -> Result<Self> {
        let mut words = line.split_ascii_whitespace();
        let (name, text) = match (words.next(), words.next()) {
            (Some(name), Some(text)) if line.trim().lines().count() == 1 => (name, text),
            _ => return Err(Error::Malformed("it is not one line of a .pub file")),
        };
        known(name)?;
        let blob = STANDARD
            .decode(text)
            .map_err(|_| Error::Malformed("the second word is not base64"))?;
        let key = Self::from_blob(&blob)?;
        if key.name() != name {
            return Err(Error::Malformed(
                "the line names another kind than the key is",
            ));
        }
        Ok(key)
    }

    /// Reads the encoding that lines carry in base64.
    ///
    /// # Errors
    /// As [`PublicKey::from_line`].
    pub fn from_blob(blob: &[u8]) -> Result<Self> {
        if blob.len() > BLOB_MAX {
            return Err(Error::Malformed("it is too long"));
        }
        let mut reader = Reader::new(blob);
        let place = known(reader.text()?)?;
        let spki = match KINDS[place].2 {
            Kind::Rsa => {
                let (exponent, modulus) = (reader.positive()?, reader.positive()?);
                let key = der::sequence(&[
                    &der::tlv(tag::INTEGER, &[modulus]),
                    &der::tlv(tag::INTEGER, &[exponent]),
                ]);
                let id = der::sequence(&[&der::oid(oid::RSA_ENCRYPTION), &[tag::NULL, 0]]);
                der::sequence(&[&id, &der::bit_string(&key)])
            }
            Kind::Ec(curve) => point(&mut reader, curve)?,
            Kind::Ed25519 => ed25519(reader.string()?)?,
            // What follows is the application, which authenticators know the
            // key by.
            Kind::SkEc => {
                let spki = point(&mut reader, Curve::P256)?;
                reader.text()?;
                spki
            }
            Kind::SkEd25519 => {
                let spki = ed25519(reader.string()?)?;
                reader.text()?;
                spki
            }
        };
        reader.end()?;
        SubjectKey::judge(&spki, false).map_err(Error::Key)?;
        Ok(Self {
            place,
            blob: blob.to_vec(),
            spki,
        })
    }

    /// From a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// [`Error::Key`] for a kind that SSH has no name for.
    pub fn from_spki(spki: &[u8]) -> Result<Self> {
        let bad = |why: &str| Error::Key(why.to_owned());
        let read = SubjectKey::judge(spki, false).map_err(Error::Key)?;
        let key = crate::issue::key::read(spki).map_err(bad)?;
        let mut writer = Writer::default();
        let ec = |writer: &mut Writer, curve: Curve| {
            let name = curve.name();
            writer
                .string(format!("ecdsa-sha2-{name}").as_bytes())
                .string(name.as_bytes())
                .string(key.key);
        };
        match read.algorithm {
            Algorithm::Ed25519 => {
                writer.string(b"ssh-ed25519").string(key.key);
            }
            Algorithm::EcP256 => ec(&mut writer, Curve::P256),
            Algorithm::EcP384 => ec(&mut writer, Curve::P384),
            Algorithm::EcP521 => ec(&mut writer, Curve::P521),
            _ if key.algorithm.oid == oid::RSA_ENCRYPTION => {
                let mut body = Cursor::only(key.key, tag::SEQUENCE).map_err(bad)?;
                let modulus = body.integer().map_err(bad)?;
                let exponent = body.integer().map_err(bad)?;
                writer.string(b"ssh-rsa").string(exponent).string(modulus);
            }
            other => return Err(Error::Key(format!("SSH has no keys for {other}"))),
        }
        Self::from_blob(&writer.finish())
    }

    /// The name of its kind, such as `ssh-ed25519`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        KINDS[self.place].0
    }

    /// The name of certificates of such keys.
    #[must_use]
    pub fn certificate_name(&self) -> &'static str {
        KINDS[self.place].1
    }

    /// Its encoding.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Its encoding without the kind's name.
    pub(super) fn fields(&self) -> &[u8] {
        let mut reader = Reader::new(&self.blob);
        match reader.string() {
            Ok(_) => reader.rest(),
            Err(_) => &[],
        }
    }

    /// Its SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of its encoding: what OpenSSH shows as `SHA256:…`, and what
    /// revocation lists have.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        sha256(&[&self.blob])
    }

    /// The bits of an RSA key.
    #[must_use]
    pub fn rsa_bits(&self) -> Option<usize> {
        let key = crate::issue::key::read(&self.spki).ok()?;
        (KINDS[self.place].2 == Kind::Rsa).then(|| rsa_bits(key.key).ok())?
    }

    /// A line as `id_….pub` files have it.
    #[must_use]
    pub fn line(&self, comment: &str) -> String {
        let text = STANDARD.encode(&self.blob);
        format!("{} {text} {comment}", self.name())
            .trim_end()
            .to_owned()
    }
}

/// Every kind of key that can be certified, by name.
pub fn names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(name, _, _)| *name)
}

/// The place of the kind whose certificates have this name.
pub(super) fn of_certificate(name: &str) -> Option<&'static str> {
    KINDS
        .iter()
        .find(|(_, certificate, _)| *certificate == name)
        .map(|(plain, _, _)| *plain)
}

fn known(name: &str) -> Result<usize> {
    if let Some(place) = KINDS.iter().position(|(known, _, _)| *known == name) {
        return Ok(place);
    }
    Err(match name {
        "ssh-dss" => Error::Key("DSA keys are too weak and not certified".to_owned()),
        name if name.contains("-cert-v01@") => {
            Error::Key("this is a certificate: give the public key".to_owned())
        }
        _ => Error::Key(format!(
            "keys of this kind are not certified; those are: {}",
            names().collect::<Vec<_>>().join(", ")
        )),
    })
}

fn point(reader: &mut Reader<'_>, curve: Curve) -> Result<Vec<u8>> {
    if reader.text()? != curve.name() {
        return Err(Error::Malformed(
            "the key is on another curve than its kind",
        ));
    }
    let point = reader.string()?;
    if point.first() != Some(&4) {
        return Err(Error::Malformed("a point is written uncompressed"));
    }
    let id = der::sequence(&[&der::oid(oid::EC_PUBLIC_KEY), &der::oid(curve.oid())]);
    Ok(der::sequence(&[&id, &der::bit_string(point)]))
}

fn ed25519(key: &[u8]) -> Result<Vec<u8>> {
    if key.len() != 32 {
        return Err(Error::Malformed("an Ed25519 key has 32 bytes"));
    }
    let id = der::sequence(&[&der::oid(oid::ED25519)]);
    Ok(der::sequence(&[&id, &der::bit_string(key)]))
}
