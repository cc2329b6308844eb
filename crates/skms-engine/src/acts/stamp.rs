//! Stamps a digest with the time (RFC 3161): a request is answered with a token
//! that a key kept here signed.

use std::sync::Arc;

use skms_crypto::{Message, OpenKey, rand};
use skms_keys::{Operation, VersionNumber};
use skms_pki::Moment;
use skms_pki::documents::timestamp::{Query, Stamping, granted, plan};
use skms_pki::issue::Serial;
use skms_pki::oid::OidBuf;

use super::sign_document::{CertificateOf, Signed, refused, signer};
use crate::act::act;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::KeyRef;
use crate::operate::KeyOperation;

act!(Stamp, KeySign, "Stamps a digest with the time.");

/// A time-stamp to be made.
pub struct NewStamp {
    /// The request (DER).
    pub query: Vec<u8>,
    /// The policy to stamp under, in dotted form.
    pub policy: String,
    /// Which certificate.
    pub certificate: CertificateOf,
    /// How to sign, by the scheme's name; the key's usual way by default.
    pub scheme: Option<String>,
    /// The key's version; that of the certificate, or the newest, by default.
    pub version: Option<VersionNumber>,
}

/// A time-stamp that is ready for one use of the key.
pub struct Request {
    query: Vec<u8>,
    stamping: Stamping,
    chain: Vec<Vec<u8>>,
    scheme: Option<String>,
    version: Option<VersionNumber>,
}

impl KeyOperation for Stamp {
    const OPERATION: Operation = Operation::Sign;
    const SIGNS: bool = true;
    type Request = Request;
    type Response = Signed;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(request.version)
    }

    fn perform(key: &OpenKey, version: VersionNumber, request: &Request) -> Result<Signed> {
        let signer = signer(key, version, &request.chain, request.scheme.as_deref())?;
        let query = Query::from_der(&request.query).map_err(|error| refused(error.into()))?;
        let planned = plan(&query, &signer, &request.stamping).map_err(refused)?;
        let options = planned.scheme().sign_options();
        let signature = key.sign(Message::Raw(planned.tbs()), &options)?;
        let token = planned.signed(&signature).map_err(refused)?;
        Ok(Signed {
            document: granted(&token),
            version,
        })
    }
}

/// Refuses what is not stamped, before the key is used.
fn check(query: &[u8], policy: &OidBuf) -> Result<()> {
    let query = Query::from_der(query).map_err(|error| refused(error.into()))?;
    query.digest().map_err(refused)?;
    if query.extensions {
        return Err(Error::Invalid(
            "the request has extensions, and none is known".into(),
        ));
    }
    match query.policy {
        Some(asked) if asked != policy.as_oid() => Err(Error::Invalid(format!(
            "the request asks for the policy {asked}, and this is {policy}"
        ))),
        _ => Ok(()),
    }
}

impl Engine {
    /// Answers a request for a time-stamp with a TimeStampResp.
    ///
    /// # Errors
    /// As for [`Engine::sign_document`]; [`Error::Invalid`] for a request that
    /// is malformed, by another hash than SHA-256, SHA-384 and SHA-512, with
    /// extensions, or for another policy, and for a certificate that is not for
    /// time-stamps alone.
    pub async fn stamp(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        new: NewStamp,
    ) -> Result<Signed> {
        let (entry, chain, kept) = self.certified::<Stamp>(caller, at, new.certificate).await?;
        let policy: OidBuf = new.policy.parse().map_err(|_| {
            Error::Invalid("a policy is an object identifier, such as 1.2.3".into())
        })?;
        check(&new.query, &policy)?;
        let request = Request {
            stamping: Stamping {
                policy,
                serial: Serial::from_random(rand::array()?),
                at: Moment(entry.now().0),
                milliseconds: 0,
                accuracy_seconds: Some(1),
                ordering: false,
            },
            query: new.query,
            chain,
            scheme: new.scheme,
            version: new.version.or(kept),
        };
        self.operate_one::<Stamp>(caller, at, request).await
    }
}
