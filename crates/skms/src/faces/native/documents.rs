//! Documents that keys sign.

use skms_engine::acts::sign_document::{CertificateOf, Content, Format, NewDocument};
use skms_engine::acts::stamp::NewStamp;
use skms_wire::Bytes;
use skms_wire::native::documents::{
    DocumentFormat, SignDocumentRequest, SignDocumentResponse, SigningCertificate, StampRequest,
    StampResponse,
};

use super::{answer::Reply, call::Call, convert, error::Failure, pem};

pub async fn sign(call: Call) -> Result<Reply, Failure> {
    let asked: SignDocumentRequest = call.json()?;
    let content = match (asked.content, asked.digest, asked.hash.as_deref()) {
        (Some(content), None, None) => Content::Whole(content.into_inner()),
        (None, Some(digest), hash @ Some(_)) => {
            let hash = convert::hash(hash)?.ok_or(Failure::malformed("a hash is needed"))?;
            Content::Digest(digest.into_inner(), hash)
        }
        _ => return Err(Failure::malformed("give content, or digest and hash")),
    };
    let certificate = certificate(asked.certificate, asked.chain)?;
    let new = NewDocument {
        format: match asked.format {
            DocumentFormat::Cms => Format::Cms,
            DocumentFormat::Jws => Format::Jws,
            DocumentFormat::Cose => Format::Cose,
        },
        content,
        detached: asked.detached,
        certificate,
        scheme: asked.scheme,
        version: convert::version(asked.version)?,
    };
    let done = call
        .engine()
        .sign_document(call.caller()?, call.key(), new)
        .await?;
    Reply::json(&SignDocumentResponse {
        document: Bytes::new(done.document),
        version: done.version.0,
    })
}

pub async fn stamp(call: Call) -> Result<Reply, Failure> {
    let asked: StampRequest = call.json()?;
    let new = NewStamp {
        query: asked.query.into_inner(),
        policy: asked.policy,
        certificate: certificate(asked.certificate, asked.chain)?,
        scheme: asked.scheme,
        version: convert::version(asked.version)?,
    };
    let done = call.engine().stamp(call.caller()?, call.key(), new).await?;
    Reply::json(&StampResponse {
        response: Bytes::new(done.document),
        version: done.version.0,
    })
}

fn certificate(
    kept: Option<SigningCertificate>,
    chain: Option<String>,
) -> Result<CertificateOf, Failure> {
    match (kept, chain) {
        (Some(one), None) => Ok(CertificateOf::Kept {
            authority: one.authority,
            serial: one.serial,
        }),
        (None, Some(text)) => Ok(CertificateOf::Chain(pem::decode_all(
            &text,
            &["CERTIFICATE"],
        )?)),
        _ => Err(Failure::malformed("give certificate or chain")),
    }
}
