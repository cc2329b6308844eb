//! Stanzas with asymmetric keys.

use std::sync::Arc;

use skms_crypto::{
    EncryptOptions, Family, Hash, Message, OpenKey, PublicKey, SignOptions, SignatureScheme,
};

use super::super::case::{Expect, Refusal, not_offered, verdict};
use super::super::product::hash;
use super::super::text::{fixed, hex};
use super::keys::Keys;
use super::{Prepared, Stanza};

/// `PrivPubKeyPair = private:public`.
pub fn pair(name: &str, keys: &Keys) -> Result<Prepared, Refusal> {
    let Some((private, public)) = name.split_once(':') else {
        return not_offered("a pair of one key");
    };
    let (private, public) = (keys.private(private)?, keys.public(public)?);
    Ok((
        Expect::Valid,
        Box::new(move || {
            let ours = private.get()?.public_key().map(PublicKey::spki_der);
            Ok(ours == Some(public.get()?.spki_der()))
        }),
    ))
}

/// `Derive`. Without `dh_pad` OpenSSL leaves leading zeros out; here secrets
/// always have the length of the prime.
pub fn derive(name: &str, stanza: &Stanza, keys: &Arc<Keys>) -> Result<Prepared, Refusal> {
    if let Some(kdf) = stanza.text("KDFType") {
        return not_offered(format!("agreement with KDF {kdf}"));
    }
    let private = keys.private(name)?;
    let peer = keys.public(stanza.text("PeerKey").unwrap_or_default())?;
    let secret = stanza.bytes("SharedSecret")?;
    Ok((
        stanza.expect(),
        Box::new(move || {
            let made = private.get()?.agree(peer.get()?)?;
            Ok(Some(made.expose()) == fixed(&secret, made.len()).as_deref())
        }),
    ))
}

/// `Decrypt`: RSA-OAEP only.
pub fn decrypt(name: &str, stanza: &Stanza, keys: &Arc<Keys>) -> Result<Prepared, Refusal> {
    if stanza.control("rsa_padding_mode") != Some("oaep") {
        return Err(Refusal::Policy(
            "no PKCS#1 v1.5 decryption (padding oracles)".to_owned(),
        ));
    }
    let digest = hash(stanza.control("rsa_oaep_md").unwrap_or("SHA1"))?;
    let mask = stanza.control("rsa_mgf1_md").map_or(Ok(digest), hash)?;
    let label = hex(stanza.control("rsa_oaep_label").unwrap_or_default()).unwrap_or_default();
    let options = EncryptOptions {
        oaep_hash: Some(digest),
        oaep_mgf_hash: Some(mask),
        ..EncryptOptions::default()
    };
    let private = keys.private(name)?;
    let (ciphertext, output) = (stanza.bytes("Input")?, stanza.bytes("Output")?);
    Ok((
        stanza.expect(),
        Box::new(move || {
            let opened = private.get()?.decrypt(&ciphertext, &label, &options)?;
            Ok(opened.expose() == output)
        }),
    ))
}

/// What a stanza says about how it signs.
struct Signing {
    /// The hash; absent for schemes that have their own.
    hash: Option<Hash>,
    /// Whether the input is a digest.
    prehashed: bool,
    input: Vec<u8>,
    scheme: Option<SignatureScheme>,
    salt_length: Option<usize>,
}

impl Signing {
    fn read(name: &str, whole: bool, stanza: &Stanza) -> Result<Self, Refusal> {
        let named = if whole {
            Some(name)
        } else {
            stanza.control("digest")
        };
        let hash = named.filter(|name| *name != "NULL").map(hash).transpose()?;
        let scheme = match stanza.control("rsa_padding_mode") {
            None => None,
            Some("pkcs1") => Some(SignatureScheme::RsaPkcs1v15),
            Some("pss") => Some(SignatureScheme::RsaPss),
            Some(other) => return not_offered(format!("RSA padding {other}")),
        };
        let salt_length = match stanza.control("rsa_pss_saltlen") {
            None | Some("-1" | "digest") => None,
            Some(length) => match length.parse() {
                Ok(length) => Some(length),
                Err(_) => return not_offered(format!("RSA-PSS salt length {length}")),
            },
        };
        if stanza
            .control("rsa_mgf1_md")
            .is_some_and(|mask| Some(mask) != named)
        {
            return not_offered("RSA-PSS with another hash in MGF1");
        }
        Ok(Self {
            hash,
            prehashed: !whole && hash.is_some(),
            input: stanza.bytes("Input")?,
            scheme,
            salt_length,
        })
    }

    fn options(&self, family: Family) -> SignOptions {
        let mut options = SignOptions {
            scheme: self.scheme,
            hash: self.hash,
            salt_length: self.salt_length,
            ..SignOptions::default()
        };
        if family == Family::Rsa && options.scheme.is_none() {
            options.scheme = Some(SignatureScheme::RsaPkcs1v15);
        }
        options
    }

    fn message(&self) -> Message<'_> {
        match (self.hash, self.prehashed) {
            (Some(hash), true) => Message::Digest(&self.input, hash),
            _ => Message::Raw(&self.input),
        }
    }
}

/// `DigestSign` (`whole`: the name is a hash) and `Sign` (the name is a key).
/// What is deterministic is compared; of what is not, the stated signature
/// and a fresh one are verified.
pub fn sign(
    name: &str,
    whole: bool,
    stanza: &Stanza,
    keys: &Arc<Keys>,
) -> Result<Prepared, Refusal> {
    let signing = Signing::read(name, whole, stanza)?;
    let key = if whole {
        stanza.text("Key").unwrap_or_default()
    } else {
        name
    };
    let key = keys.private(key)?;
    let output = stanza.bytes("Output")?;
    Ok((
        stanza.expect(),
        Box::new(move || {
            let key: &OpenKey = key.get()?;
            let family = key.algorithm().family();
            let options = signing.options(family);
            let made = key.sign(signing.message(), &options)?;
            let fixed = match options.scheme {
                Some(scheme) => scheme == SignatureScheme::RsaPkcs1v15,
                None => family == Family::EdDsa,
            };
            if fixed {
                return Ok(made == output);
            }
            Ok(key.verify(signing.message(), &output, &options)?
                && key.verify(signing.message(), &made, &options)?)
        }),
    ))
}

/// `DigestVerify` and `Verify`.
pub fn verify(
    name: &str,
    whole: bool,
    stanza: &Stanza,
    keys: &Arc<Keys>,
) -> Result<Prepared, Refusal> {
    let signing = Signing::read(name, whole, stanza)?;
    let key = if whole {
        stanza.text("Key").unwrap_or_default()
    } else {
        name
    };
    let key = keys.public(key)?;
    let output = stanza.bytes("Output")?;
    Ok((
        stanza.expect(),
        Box::new(move || {
            let key = key.get()?;
            let options = signing.options(key.algorithm().family());
            verdict(key.verify(signing.message(), &output, &options)?)
        }),
    ))
}
