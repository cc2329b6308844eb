//! Signs a document with a key kept here and a certificate of it: what is to
//! be signed is made, signed and put together in one use of the key.

use std::sync::Arc;

use skms_crypto::{Hash, Message, OpenKey};
use skms_keys::{Operation, VersionNumber};
use skms_pki::Moment;
use skms_pki::documents::{Body, DocumentError, Signer, cms, cose, jws};
use skms_pki::issue::SigningScheme;

use super::certificates::Status;
use crate::act::{Act, act};
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyRef};
use crate::operate::KeyOperation;

act!(
    SignDocument,
    KeySign,
    "Signs a document with a key and its certificate."
);

/// What kind of document is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CMS SignedData (RFC 5652).
    Cms,
    /// JWS in the compact form (RFC 7515).
    Jws,
    /// COSE_Sign1 (RFC 9052), tagged.
    Cose,
}

/// What is signed.
pub enum Content {
    /// The content itself.
    Whole(Vec<u8>),
    /// Its digest, for a document that does not hold it.
    Digest(Vec<u8>, Hash),
}

impl Content {
    fn body(&self) -> Body<'_> {
        match self {
            Self::Whole(bytes) => Body::Whole(bytes),
            Self::Digest(digest, hash) => Body::Digest(*hash, digest),
        }
    }
}

/// Which certificate goes with the key.
pub enum CertificateOf {
    /// One that an authority here issued.
    Kept {
        /// The authority's name.
        authority: String,
        /// The serial number, as people write it.
        serial: String,
    },
    /// One from elsewhere (DER), with those above it.
    Chain(Vec<Vec<u8>>),
}

/// A document to be signed.
pub struct NewDocument {
    /// What kind of document.
    pub format: Format,
    /// What is signed.
    pub content: Content,
    /// Whether the content stays outside.
    pub detached: bool,
    /// Which certificate.
    pub certificate: CertificateOf,
    /// How to sign, by the scheme's name; the key's usual way by default.
    pub scheme: Option<String>,
    /// The key's version; that of the certificate, or the newest, by default.
    pub version: Option<VersionNumber>,
}

/// A document that is ready for one use of the key.
pub struct Request {
    format: Format,
    content: Content,
    detached: bool,
    chain: Vec<Vec<u8>>,
    scheme: Option<String>,
    version: Option<VersionNumber>,
    at: Moment,
}

/// A signed document.
pub struct Signed {
    /// The document's bytes.
    pub document: Vec<u8>,
    /// The version that signed.
    pub version: VersionNumber,
}

impl KeyOperation for SignDocument {
    const OPERATION: Operation = Operation::Sign;
    const SIGNS: bool = true;
    type Request = Request;
    type Response = Signed;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(request.version)
    }

    fn perform(key: &OpenKey, version: VersionNumber, request: &Request) -> Result<Signed> {
        let signer = signer(key, version, &request.chain, request.scheme.as_deref())?;
        let document = match request.format {
            Format::Cms => request.cms(key, &signer)?,
            Format::Jws => request.jws(key, &signer)?,
            Format::Cose => request.cose(key, &signer)?,
        };
        Ok(Signed { document, version })
    }
}

impl Request {
    /// The content of what is signed over all of it.
    fn whole(&self) -> Result<&[u8]> {
        match &self.content {
            Content::Whole(content) => Ok(content),
            Content::Digest(..) => Err(Error::Invalid(
                "a JWS or COSE_Sign1 is over content, not a digest".into(),
            )),
        }
    }

    fn cose(&self, key: &OpenKey, signer: &Signer) -> Result<Vec<u8>> {
        let planned = cose::plan(signer, self.whole()?).map_err(refused)?;
        let options = planned.scheme().sign_options();
        let signature = key.sign(Message::Raw(planned.tbs()), &options)?;
        planned.signed(&signature, self.detached).map_err(refused)
    }

    fn jws(&self, key: &OpenKey, signer: &Signer) -> Result<Vec<u8>> {
        let payload = self.whole()?;
        let planned = jws::plan(signer, payload).map_err(refused)?;
        let options = planned.scheme().sign_options();
        let signature = key.sign(Message::Raw(planned.tbs()), &options)?;
        let text = planned.signed(&signature, self.detached);
        text.map(String::into_bytes).map_err(refused)
    }

    fn cms(&self, key: &OpenKey, signer: &Signer) -> Result<Vec<u8>> {
        let planned = signer
            .plan(&cms::DATA, &self.content.body(), self.at)
            .map_err(refused)?;
        let options = planned.scheme().sign_options();
        let signature = key.sign(Message::Raw(planned.tbs()), &options)?;
        let done = planned.signed(&signature).map_err(refused)?;
        let inside = match &self.content {
            Content::Whole(bytes) if !self.detached => Some(bytes.as_slice()),
            _ => None,
        };
        cms::assemble(&cms::DATA, inside, &[done], &[]).map_err(refused)
    }
}

/// The signer with this key and this certificate, which has to be the key's.
pub(super) fn signer(
    key: &OpenKey,
    version: VersionNumber,
    chain: &[Vec<u8>],
    scheme: Option<&str>,
) -> Result<Signer> {
    let scheme = match scheme {
        None => SigningScheme::for_key(key.algorithm()),
        Some(name) => SigningScheme::by_name(key.algorithm(), name),
    };
    let scheme =
        scheme.ok_or_else(|| Error::Invalid("keys of this algorithm do not sign so".into()))?;
    let signer = Signer::new(chain.to_vec(), scheme).map_err(refused)?;
    let ours = key.public_key().map(|public| public.spki_der());
    if ours != Some(signer.spki()) {
        return Err(Error::Invalid(format!(
            "the certificate is not one of version {version} of the key"
        )));
    }
    Ok(signer)
}

pub(super) fn refused(error: DocumentError) -> Error {
    match error {
        DocumentError::Signature(_) => Error::Internal("a signature that does not hold"),
        other => Error::Invalid(other.to_string()),
    }
}

impl Engine {
    /// Signs a document.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent key or certificate and one that is not
    /// visible; [`Error::Invalid`] for a certificate that is revoked or not the
    /// key's, and for content that cannot be signed so; what the key's state
    /// and limits say.
    pub async fn sign_document(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        new: NewDocument,
    ) -> Result<Signed> {
        if matches!(new.content, Content::Digest(..)) && !new.detached {
            return Err(Error::Invalid(
                "a digest does for a detached signature only".into(),
            ));
        }
        let (entry, chain, kept) = self
            .certified::<SignDocument>(caller, at, new.certificate)
            .await?;
        let request = Request {
            format: new.format,
            content: new.content,
            detached: new.detached,
            chain,
            scheme: new.scheme,
            version: new.version.or(kept),
            at: Moment(entry.now().0),
        };
        self.operate_one::<SignDocument>(caller, at, request).await
    }
    /// The certificates that a key is to sign with, and the version that the
    /// first is of, where that is known. Who may not sign learns nothing of
    /// certificates.
    pub(super) async fn certified<A: Act>(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        certificate: CertificateOf,
    ) -> Result<(Entry, Vec<Vec<u8>>, Option<VersionNumber>)> {
        let entry = self.enter(caller)?;
        entry.authorize_key::<A>(at).await?;
        let (authority, serial) = match certificate {
            CertificateOf::Chain(chain) => return Ok((entry, chain, None)),
            CertificateOf::Kept { authority, serial } => (authority, serial),
        };
        let view = self
            .read_certificate(caller, at.namespace, &authority, &serial)
            .await?;
        if view.status != Status::Good {
            return Err(Error::Invalid("the certificate is revoked or held".into()));
        }
        let version = view.key.map(|key| VersionNumber(key.version));
        Ok((entry, view.chain, version))
    }
}
