//! Certificates (PROTOCOL.certkeys): planned, signed, and read back.

use super::error::{Error, Result};
use super::options;
use super::public::{self, PublicKey};
use super::role::Grant;
use super::signature;
use super::wire::{Reader, Writer};
use crate::issue::SigningScheme;

/// Bytes of the nonce at the beginning, which keeps others from choosing what
/// is signed.
pub const NONCE: usize = 32;

/// Principals that OpenSSH reads at most (SSHKEY_CERT_MAX_PRINCIPALS).
pub const PRINCIPALS_MAX: usize = 256;

/// Whom a certificate speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateType {
    /// Someone who logs in.
    User = 1,
    /// A server.
    Host = 2,
}

impl CertificateType {
    /// "user" or "host".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Host => "host",
        }
    }
}

impl std::str::FromStr for CertificateType {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "user" => Ok(Self::User),
            "host" => Ok(Self::Host),
            _ => Err(Error::Role(
                "certificates are for a user or a host".to_owned(),
            )),
        }
    }
}

/// A certificate that is to be signed.
#[derive(Clone, Debug)]
pub struct Unsigned {
    tbs: Vec<u8>,
    scheme: SigningScheme,
    authority: Vec<u8>,
}

impl Unsigned {
    /// Writes what `grant` gives to `subject`. The nonce is fresh and random.
    ///
    /// # Errors
    /// [`Error::Key`] for an authority whose key does not sign by `scheme`.
    pub fn new(
        (authority, scheme): (&PublicKey, SigningScheme),
        subject: &PublicKey,
        grant: &Grant,
        nonce: &[u8; NONCE],
    ) -> Result<Self> {
        if signature::signature_name(scheme).is_none() {
            return Err(Error::Key(format!(
                "SSH has no signatures by {}",
                scheme.name()
            )));
        }
        let mut principals = Writer::default();
        for principal in &grant.principals {
            principals.string(principal.as_bytes());
        }
        let tbs = Writer::default()
            .string(subject.certificate_name().as_bytes())
            .string(nonce)
            .raw(subject.fields())
            .u64(grant.serial)
            .u32(grant.certificate_type as u32)
            .string(grant.key_id.as_bytes())
            .string(&principals.finish())
            .u64(grant.valid_after)
            .u64(grant.valid_before)
            .string(&options::encode(&grant.critical_options))
            .string(&options::encode(&grant.extensions))
            .string(&[])
            .string(authority.blob())
            .finish();
        Ok(Self {
            tbs,
            scheme,
            authority: authority.spki().to_vec(),
        })
    }

    /// What is to be signed.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// By which scheme.
    #[must_use]
    pub fn scheme(&self) -> SigningScheme {
        self.scheme
    }

    /// The certificate's encoding, once the signature has been checked.
    ///
    /// # Errors
    /// [`Error::Signature`] if it is not the authority's over these bytes.
    pub fn signed(self, signature: &[u8]) -> Result<Vec<u8>> {
        self.scheme
            .check(&self.authority, &self.tbs, signature)
            .map_err(|_| Error::Signature("it is not the authority's"))?;
        let signature = signature::encode(self.scheme, signature)?;
        Ok(Writer::default().raw(&self.tbs).string(&signature).finish())
    }
}

/// A certificate that was read. Its signature is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The certified key.
    pub key: PublicKey,
    /// What it says.
    pub grant: Grant,
    /// The encoding of the authority's key.
    pub authority: Vec<u8>,
    /// The name of its own kind.
    pub name: String,
}

impl Certificate {
    /// Reads a certificate's encoding.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_blob(blob: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(blob);
        let name = reader.text()?;
        let plain = public::of_certificate(name).ok_or(Error::Malformed(
            "it is no certificate of a kind that is known",
        ))?;
        reader.string()?;
        let mut key = Writer::default();
        key.string(plain.as_bytes());
        for _ in 0..fields(plain) {
            key.string(reader.string()?);
        }
        let key = PublicKey::from_blob(&key.finish())?;
        let serial = reader.u64()?;
        let certificate_type = match reader.u32()? {
            1 => CertificateType::User,
            2 => CertificateType::Host,
            _ => return Err(Error::Malformed("it is for neither a user nor a host")),
        };
        let key_id = reader.text()?.to_owned();
        let mut principals = Vec::new();
        let mut list = Reader::new(reader.string()?);
        while !list.is_empty() {
            principals.push(list.text()?.to_owned());
        }
        let (valid_after, valid_before) = (reader.u64()?, reader.u64()?);
        let critical_options = options::decode(reader.string()?)?;
        let extensions = options::decode(reader.string()?)?;
        reader.string()?;
        let authority = reader.string()?.to_vec();
        reader.string()?;
        reader.end()?;
        Ok(Self {
            key,
            grant: Grant {
                certificate_type,
                serial,
                key_id,
                principals,
                valid_after,
                valid_before,
                critical_options,
                extensions,
            },
            authority,
            name: name.to_owned(),
        })
    }

    /// The line of an `id_…-cert.pub` file.
    #[must_use]
    pub fn line(name: &str, blob: &[u8], comment: &str) -> String {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(blob);
        format!("{name} {text} {comment}").trim_end().to_owned()
    }
}

/// How many strings a key of this kind is, beside its name.
fn fields(plain: &str) -> usize {
    match plain {
        "ssh-ed25519" => 1,
        "sk-ecdsa-sha2-nistp256@openssh.com" => 3,
        _ => 2,
    }
}
