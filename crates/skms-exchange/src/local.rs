//! An identity key in memory, for a client that has no server around it.

use std::fmt;

use skms_crypto::hpke::Fill;
use skms_crypto::{Format, KeyMaterial, Message, OpenKey};
use skms_pki::issue::SigningScheme;
use skms_pki::{Moment, pem};

use crate::error::{Error, Result, own};
use crate::identity::Identity;
use crate::initiator::{AwaitingReply, Intent, begin};

/// An identity with its key: what a client reads from its two files.
pub struct LocalIdentity {
    identity: Identity,
    key: OpenKey,
}

impl LocalIdentity {
    /// A chain (DER), its own certificate first, and the key that it certifies,
    /// which signs by [`Identity::scheme_for`].
    ///
    /// # Errors
    /// As [`Identity::new`]; [`Error::Input`] for a key that is another, or
    /// of a kind that the exchange does not have.
    pub fn new(chain: Vec<Vec<u8>>, key: &KeyMaterial) -> Result<Self> {
        let kind = Error::Input("a key of a kind that the exchange does not have");
        let scheme = Identity::scheme_for(key.algorithm()).ok_or(kind)?;
        let identity = Identity::new(chain, scheme)?;
        let key = OpenKey::open(key).map_err(own)?;
        let public = key.public_key().map(|public| public.spki_der());
        match public == Some(identity.spki()) {
            true => Ok(Self { identity, key }),
            false => Err(Error::Input("the key is not the certificate's")),
        }
    }

    /// The same from PEM: certificates one after the other, and a private key
    /// in any format that is imported.
    ///
    /// # Errors
    /// As [`Self::new`]; [`Error::Input`] for what is neither, or a passphrase
    /// that is missing or wrong.
    pub fn from_pem(chain: &str, key: &[u8], passphrase: Option<&[u8]>) -> Result<Self> {
        let chain = pem::decode("CERTIFICATE", chain)
            .map_err(|_| Error::Input("not a chain of certificates in PEM"))?;
        let key = KeyMaterial::import(key, Format::Auto, None, passphrase)
            .map_err(|_| Error::Input("not a private key, or not its passphrase"))?;
        Self::new(chain, &key)
    }

    /// The identity alone.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Signs what an exchange wants signed.
    ///
    /// # Errors
    /// [`Error::Own`] where the crypto library fails.
    pub fn sign(&self, tbs: &[u8], scheme: SigningScheme) -> Result<Vec<u8>> {
        let options = scheme.sign_options();
        self.key.sign(Message::Raw(tbs), &options).map_err(own)
    }

    /// Begins an exchange and signs message 1.
    ///
    /// # Errors
    /// As [`begin`] and [`crate::UnsignedRequest::signed`].
    pub fn ask(
        &self,
        intent: Intent,
        now: Moment,
        random: &mut Fill<'_>,
    ) -> Result<(Vec<u8>, AwaitingReply)> {
        let unsigned = begin(&self.identity, intent, now, random)?;
        let signature = self.sign(unsigned.tbs(), unsigned.scheme())?;
        unsigned.signed(&signature)
    }
}

impl fmt::Debug for LocalIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalIdentity({}, <redacted>)", self.key.algorithm())
    }
}
