//! The sender seals.

use std::fmt;

use skms_crypto::SecretBytes;
use skms_crypto::hpke::{Fill, Sender};
use skms_pki::Moment;
use skms_pki::issue::SigningScheme;

use super::sealed::{Head, MessageId};
use super::statement::{Statement, counts};
use super::{COMMIT, MESSAGE, info, name_of};
use crate::envelope::{MAX_MESSAGE, Unsigned};
use crate::error::{Error, Result, own};
use crate::identity::Identity;
use crate::local::LocalIdentity;
use crate::message::{Digest, HASH, NONCE};
use crate::schedule::mac;

/// Bytes of the longest content: 16 MiB.
pub const MAX_CONTENT: usize = 16 << 20;
/// Bytes of the longest sealed message: the content, and room for the rest.
pub const MAX_SEALED: usize = MAX_CONTENT + MAX_MESSAGE;

/// Seals content to a statement, to be signed by the sender's identity key.
///
/// # Errors
/// [`Error::Input`] for content that is too long, and an identity whose
/// certificate has not one URI as its only name; [`Error::StatementExpired`],
/// [`Error::StatementNotYetValid`]; [`Error::Own`].
pub fn seal(
    identity: &Identity,
    to: &Statement,
    content: &[u8],
    now: Moment,
    random: &mut Fill<'_>,
) -> Result<UnsignedSealed> {
    if content.len() > MAX_CONTENT {
        return Err(Error::Input("content of more than 16 MiB"));
    }
    if now.0 < 0 {
        return Err(Error::Input("a moment before 1970"));
    }
    // Nobody could say of such a message whose it is.
    if name_of(identity.certificate()).is_none() {
        return Err(Error::Input("a certificate whose one name is not a URI"));
    }
    let about = &to.described;
    counts(about.not_before, about.not_after, now)?;
    let mut id = [0; NONCE];
    random(&mut id).map_err(own)?;
    let sender = *identity.certificate_hash();
    let info = info(&about.hash, &sender);
    let (encapsulation, mut context) =
        Sender::setup_with(&to.key, to.suite, &info, random).map_err(own)?;
    let head = Head {
        recipient: about.hash,
        encapsulation,
        sender,
        id,
        time: now,
    };
    let encoded = head.encode();
    let sealed = context.seal(&encoded, content).map_err(own)?;
    let key = context.export(COMMIT, HASH).map_err(own)?;
    let commitment = commit(&key, &encoded, content)?;
    let payload = head.payload(&sealed, &commitment);
    Ok(UnsignedSealed {
        unsigned: Unsigned::plan_labelled(identity, &payload, MESSAGE, MAX_SEALED)?,
        id,
    })
}

/// What the sender signs for: a MAC over head and content by a key that only
/// the two have. HMAC-SHA-512 with a key of 64 bytes has one content to a value,
/// which AES-GCM has not.
pub(super) fn commit(key: &SecretBytes, head: &[u8], content: &[u8]) -> Result<Digest> {
    let mut both = SecretBytes::new(Vec::with_capacity(head.len() + content.len()));
    both.extend(head);
    both.extend(content);
    mac(key, both.expose())
}

/// A sealed message, to be signed. Sign [`Self::tbs`] with the identity key by
/// [`Self::scheme`], and give the signature to [`Self::signed`].
pub struct UnsignedSealed {
    unsigned: Unsigned,
    id: MessageId,
}

impl UnsignedSealed {
    /// The bytes to be signed, as they stand.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        self.unsigned.tbs()
    }

    /// How they are to be signed; ECDSA signatures in DER.
    #[must_use]
    pub fn scheme(&self) -> SigningScheme {
        self.unsigned.scheme()
    }

    /// What the message will be known by.
    #[must_use]
    pub fn id(&self) -> &MessageId {
        &self.id
    }

    /// The message.
    ///
    /// # Errors
    /// [`Error::Own`] if the signature is not the identity key's;
    /// [`Error::TooLong`] for a chain that makes it too long.
    pub fn signed(self, signature: &[u8]) -> Result<Vec<u8>> {
        self.unsigned.signed(signature)
    }
}

impl fmt::Debug for UnsignedSealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnsignedSealed(<redacted>)")
    }
}

impl LocalIdentity {
    /// Seals and signs.
    ///
    /// # Errors
    /// As [`seal`] and [`UnsignedSealed::signed`].
    pub fn seal(
        &self,
        to: &Statement,
        content: &[u8],
        now: Moment,
        random: &mut Fill<'_>,
    ) -> Result<(Vec<u8>, MessageId)> {
        let unsigned = seal(self.identity(), to, content, now, random)?;
        let id = *unsigned.id();
        let signature = self.sign(unsigned.tbs(), unsigned.scheme())?;
        Ok((unsigned.signed(&signature)?, id))
    }
}
