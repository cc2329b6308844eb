//! HPKE's insides (RFC 9180): every mode's receiver, and the key schedule
//! computed a second time, apart from the library that the product uses.

use aws_lc_rs::hkdf::{self, Prk, Salt};

use crate::error::{Error, Result};
use crate::hpke::{Aead, Kdf, Mode, Receiver, Suite};
use crate::open::OpenKey;
use crate::public::PublicKey;
use crate::secret::SecretBytes;

/// What authenticates a context: a pre-shared key with its identifier, the
/// sender's key, both or neither.
#[derive(Clone, Copy, Default)]
pub struct Authentication<'a> {
    /// The pre-shared key and its identifier.
    pub psk: Option<(&'a [u8], &'a [u8])>,
    /// The sender's public key.
    pub sender: Option<&'a PublicKey>,
}

/// The receiver's context in any mode.
///
/// # Errors
/// As [`Receiver::setup`].
pub fn receiver(
    own: &OpenKey,
    suite: Suite,
    authentication: Authentication<'_>,
    encapsulated: &[u8],
    info: &[u8],
) -> Result<Receiver> {
    let sender = authentication.sender.map(PublicKey::to_raw).transpose()?;
    let mode = Mode {
        psk: authentication.psk,
        sender: sender.as_deref(),
    };
    Receiver::setup_in(&mode, own, suite, encapsulated, info)
}

/// The intermediate values that RFC 9180's vectors state.
pub struct Schedule {
    /// What the KEM gave.
    pub shared_secret: SecretBytes,
    /// The cipher's key; empty in an export-only suite.
    pub key: SecretBytes,
    /// What the sequence number is added to; empty in an export-only suite.
    pub base_nonce: SecretBytes,
    /// What exports are derived from.
    pub exporter_secret: SecretBytes,
}

/// KeySchedule (RFC 9180, section 5.1) with AWS-LC's HKDF.
///
/// # Errors
/// As [`receiver`].
pub fn schedule(
    own: &OpenKey,
    suite: Suite,
    authentication: Authentication<'_>,
    encapsulated: &[u8],
    info: &[u8],
) -> Result<Schedule> {
    let private = own.private("HPKE")?.to_raw()?;
    let sender = authentication.sender.map(PublicKey::to_raw).transpose()?;
    let shared_secret =
        crate::hpke::decapsulate(suite.kem, private.expose(), sender.as_deref(), encapsulated)?;
    let (psk, psk_id) = authentication.psk.unwrap_or((&[], &[]));
    let mode = u8::from(authentication.psk.is_some()) | u8::from(sender.is_some()) << 1;
    let labels = Labels(suite);
    let mut context = vec![mode];
    context.extend_from_slice(
        labels
            .extract(&[], "psk_id_hash", psk_id)?
            .bytes()?
            .expose(),
    );
    context.extend_from_slice(labels.extract(&[], "info_hash", info)?.bytes()?.expose());
    let secret = labels.extract(shared_secret.expose(), "secret", psk)?;
    let (key_bytes, nonce_bytes) = match suite.aead {
        Aead::Aes128Gcm => (16, 12),
        Aead::Aes256Gcm | Aead::ChaCha20Poly1305 => (32, 12),
        Aead::ExportOnly => (0, 0),
    };
    Ok(Schedule {
        key: labels.expand(&secret, "key", &context, key_bytes)?,
        base_nonce: labels.expand(&secret, "base_nonce", &context, nonce_bytes)?,
        exporter_secret: labels.expand(&secret, "exp", &context, secret.hash_bytes)?,
        shared_secret,
    })
}

/// Labelled extraction and expansion of one suite (RFC 9180, section 4).
struct Labels(Suite);

struct Extracted {
    prk: Prk,
    salt: Vec<u8>,
    input: Vec<u8>,
    algorithm: aws_lc_rs::hmac::Algorithm,
    hash_bytes: usize,
}

impl Extracted {
    /// The pseudorandom key itself: HKDF-Extract is HMAC (RFC 5869, section 2.2).
    fn bytes(&self) -> Result<SecretBytes> {
        let key = aws_lc_rs::hmac::Key::new(self.algorithm, &self.salt);
        Ok(SecretBytes::new(
            aws_lc_rs::hmac::sign(&key, &self.input).as_ref().to_vec(),
        ))
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Labels {
    fn prefixed(&self, label: &str) -> Vec<u8> {
        let mut out = b"HPKE-v1HPKE".to_vec();
        for id in [self.0.kem.id(), self.0.kdf.id(), self.0.aead.id()] {
            out.extend_from_slice(&id.to_be_bytes());
        }
        out.extend_from_slice(label.as_bytes());
        out
    }

    fn extract(&self, salt: &[u8], label: &str, input: &[u8]) -> Result<Extracted> {
        let (algorithm, hash_bytes) = match self.0.kdf {
            Kdf::HkdfSha256 => (hkdf::HKDF_SHA256, 32),
            Kdf::HkdfSha384 => (hkdf::HKDF_SHA384, 48),
            Kdf::HkdfSha512 => (hkdf::HKDF_SHA512, 64),
        };
        let mut labelled = self.prefixed(label);
        labelled.extend_from_slice(input);
        Ok(Extracted {
            prk: Salt::new(algorithm, salt).extract(&labelled),
            salt: salt.to_vec(),
            input: labelled,
            algorithm: algorithm.hmac_algorithm(),
            hash_bytes,
        })
    }

    fn expand(
        &self,
        secret: &Extracted,
        label: &str,
        info: &[u8],
        length: usize,
    ) -> Result<SecretBytes> {
        let stated = u16::try_from(length).map_err(|_| Error::Library("HKDF"))?;
        let labelled = self.prefixed(label);
        let info = [&stated.to_be_bytes()[..], &labelled, info];
        SecretBytes::try_with_len(length, |out| {
            if out.is_empty() {
                return Ok(());
            }
            secret
                .prk
                .expand(&info, Length(length))
                .and_then(|okm| okm.fill(out))
                .map_err(|_| Error::Library("HKDF"))
        })
    }
}
