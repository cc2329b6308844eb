//! age's own recipients: an X25519 key pair in the hands of whoever has its
//! file. Here for copies of the file key that open without the server.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::filekey::derive;
use super::names::{decode, encode};
use super::stream::TAG as TAG_LENGTH;
use super::{FileError, FileKey, Result, Stanza};

const TAG: &str = "X25519";
const LABEL: &[u8] = b"age-encryption.org/v1/X25519";
const RECIPIENT: &str = "age";
const IDENTITY: &str = "age-secret-key-";
const KEY: usize = 32;

/// Somebody's public key: `age1…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X25519Recipient([u8; KEY]);

impl FromStr for X25519Recipient {
    type Err = FileError;

    fn from_str(text: &str) -> Result<Self> {
        let bytes = decode(RECIPIENT, text)?;
        let bytes = <[u8; KEY]>::try_from(bytes.as_slice())
            .map_err(|_| FileError::Name("a recipient with another length"))?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for X25519Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(RECIPIENT, &self.0).to_lowercase())
    }
}

impl X25519Recipient {
    /// Wraps a file key to it.
    ///
    /// # Errors
    /// [`FileError::Name`] if the public key is of low order.
    pub fn wrap(&self, key: &FileKey) -> Result<Stanza> {
        let ephemeral = PrivateKey::generate(&X25519).map_err(|_| FileError::Library)?;
        let share = public(&ephemeral)?;
        let wrapping = wrapping_key(&ephemeral, &self.0, &share, &self.0)?
            .ok_or(FileError::Name("a recipient that is no key"))?;
        let mut body = key.expose().to_vec();
        let tag = aead(&wrapping)?
            .seal_in_place_separate_tag(zero_nonce(), Aad::empty(), &mut body)
            .map_err(|_| FileError::Library)?;
        body.extend_from_slice(tag.as_ref());
        Ok(Stanza {
            tag: TAG.to_owned(),
            arguments: vec![STANDARD_NO_PAD.encode(share)],
            body,
        })
    }
}

/// A private key: `AGE-SECRET-KEY-1…`.
pub struct X25519Identity {
    private: PrivateKey,
    public: [u8; KEY],
}

impl FromStr for X25519Identity {
    type Err = FileError;

    fn from_str(text: &str) -> Result<Self> {
        let bytes = decode(IDENTITY, text)?;
        let private = PrivateKey::from_private_key(&X25519, &bytes)
            .map_err(|_| FileError::Name("an identity that is no key"))?;
        let public = public(&private)?;
        Ok(Self { private, public })
    }
}

impl fmt::Debug for X25519Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X25519Identity(<redacted>)")
    }
}

impl X25519Identity {
    /// Its public half.
    pub fn recipient(&self) -> X25519Recipient {
        X25519Recipient(self.public)
    }

    /// The file key, if the stanza is for this identity.
    ///
    /// # Errors
    /// [`FileError::Malformed`] if the stanza is one of X25519 and breaks its
    /// rules.
    pub fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>> {
        const BAD: FileError = FileError::Malformed("a damaged stanza of X25519");
        if stanza.tag != TAG {
            return Ok(None);
        }
        let [share] = stanza.arguments.as_slice() else {
            return Err(BAD);
        };
        let share = STANDARD_NO_PAD.decode(share).map_err(|_| BAD)?;
        // A longer body could be made to open under two keys.
        if share.len() != KEY || stanza.body.len() != FileKey::LENGTH + TAG_LENGTH {
            return Err(BAD);
        }
        let wrapping = wrapping_key(&self.private, &share, &share, &self.public)?.ok_or(BAD)?;
        let mut body = Zeroizing::new(stanza.body.clone());
        match aead(&wrapping)?.open_in_place(zero_nonce(), Aad::empty(), &mut body) {
            Ok(key) => FileKey::from_bytes(key).map(Some),
            Err(_) => Ok(None),
        }
    }
}

fn public(private: &PrivateKey) -> Result<[u8; KEY]> {
    let public = private
        .compute_public_key()
        .map_err(|_| FileError::Library)?;
    <[u8; KEY]>::try_from(public.as_ref()).map_err(|_| FileError::Library)
}

/// None if the peer's key is of low order, so that the secret would be zero.
fn wrapping_key(
    private: &PrivateKey,
    peer: &[u8],
    share: &[u8],
    recipient: &[u8],
) -> Result<Option<Zeroizing<[u8; 32]>>> {
    let salt = [share, recipient].concat();
    let peer = UnparsedPublicKey::new(&X25519, peer);
    let derived = agree(private, peer, None, |secret| {
        Ok(derive(secret, &salt, LABEL))
    });
    match derived {
        Err(None) => Ok(None),
        Err(Some(error)) => Err(error),
        Ok(key) => key.map(Some),
    }
}

fn aead(key: &[u8; 32]) -> Result<LessSafeKey> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| FileError::Library)?;
    Ok(LessSafeKey::new(key))
}

/// The wrapping key is used once, as the format has it.
fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}
