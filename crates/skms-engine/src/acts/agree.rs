//! Agrees on a secret with a peer by Diffie-Hellman; the private share stays here,
//! the secret goes to the caller. Where it stays too: [`super::agree_key`].

use skms_crypto::{Format, Hash, OpenKey, PublicKey, SecretBytes, hkdf};
use skms_exchange::static_key::is_kept_back;
use skms_keys::{Key, Operation, VersionNumber};

use crate::act::act;
use crate::error::Result;
use crate::operate::KeyOperation;

act!(
    Agree,
    KeyAgree,
    "Agrees on a secret with a peer by Diffie-Hellman; the private share stays here."
);

/// The peer's share and what becomes of the result.
pub struct Request {
    /// The peer's public key.
    pub peer: Vec<u8>,
    /// Its format.
    pub format: Format,
    /// How the shared secret becomes key material.
    pub kdf: Kdf,
    /// The version to use; the newest active one by default.
    pub version: Option<VersionNumber>,
}

/// The key derivation after the agreement (NIST SP 800-56C).
pub enum Kdf {
    /// HKDF (RFC 5869) over the shared secret.
    Hkdf {
        /// The hash under HMAC.
        hash: Hash,
        /// HKDF's salt; may be empty.
        salt: Vec<u8>,
        /// HKDF's info; name both parties in it.
        info: Vec<u8>,
        /// How many bytes.
        length: usize,
    },
    /// The shared secret itself. It is as good as the private key to an
    /// attacker who may choose the peer, so only exportable keys give it.
    None,
}

/// An agreed secret.
pub struct Agreed {
    /// The derived bytes, or the shared secret itself.
    pub secret: SecretBytes,
    /// The version whose private share was used.
    pub version: VersionNumber,
}

impl KeyOperation for Agree {
    const OPERATION: Operation = Operation::Agree;
    type Request = Request;
    type Response = Agreed;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(request.version)
    }

    fn check(key: &Key, request: &Request) -> Result<()> {
        if let Kdf::Hkdf { info, .. } = &request.kdf
            && is_kept_back(info)
        {
            return Err(crate::Error::Invalid(
                "info that begins so is kept for agreed keys that stay in the server: \
                 docs/agreement.md"
                    .into(),
            ));
        }
        if matches!(request.kdf, Kdf::None) && !key.exportable {
            return Err(crate::Error::KeyForbids(
                "the raw shared secret leaves only with an exportable key: ask for a derived one"
                    .into(),
            ));
        }
        Ok(())
    }

    fn perform(key: &OpenKey, version: VersionNumber, request: &Request) -> Result<Agreed> {
        let peer = PublicKey::import(&request.peer, request.format, Some(key.algorithm()))?;
        let shared = key.agree(&peer)?;
        let secret = match &request.kdf {
            Kdf::None => shared,
            Kdf::Hkdf {
                hash,
                salt,
                info,
                length,
            } => hkdf(*hash, shared.expose(), salt, info, *length)?,
        };
        Ok(Agreed { secret, version })
    }
}
