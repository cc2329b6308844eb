//! Documents that keys sign.

use skms_engine::acts::sign_document::{CertificateOf, Content, Format, NewDocument};
use skms_engine::acts::stamp::NewStamp;
use skms_engine::acts::verify_document;
use skms_pki::ask::Seen;
use skms_pki::path::{Revocation, RevocationMode};
use skms_pki::{Certificate, Moment, Options};
use skms_wire::Bytes;
use skms_wire::Moment as WireMoment;
use skms_wire::native::documents::{
    DocumentFormat, DocumentSigner, DocumentVerdict, SignDocumentRequest, SignDocumentResponse,
    SigningCertificate, StampRequest, StampResponse, VerifyDocumentRequest,
};
use skms_wire::native::terms::RevocationCheck;

use super::{answer::Reply, call::Call, convert, error::Failure, pem, validation};

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
        format: format(asked.format),
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

pub async fn verify(call: Call) -> Result<Reply, Failure> {
    let asked: VerifyDocumentRequest = call.json()?;
    let files = |files: Vec<Bytes>| files.into_iter().map(Bytes::into_inner).collect();
    // Its moment is set when it is judged.
    let mut options = Options::new(Moment(0));
    if let Some(text) = &asked.purpose {
        options.purpose = validation::purpose(text).map_err(Failure::invalid)?;
    }
    options.revocation = Revocation {
        mode: match asked.revocation {
            Some(RevocationCheck::Off) => RevocationMode::Off,
            None | Some(RevocationCheck::Known) => RevocationMode::WhenKnown,
            Some(RevocationCheck::Required) => RevocationMode::Require,
        },
        ..Revocation::default()
    };
    let request = verify_document::Request {
        format: format(asked.format),
        document: asked.document.into_inner(),
        content: asked.content.map(Bytes::into_inner),
        authorities: asked.authorities,
        anchors: files(asked.anchors),
        chain: files(asked.chain),
        crls: files(asked.crls),
        options,
    };
    let work = call
        .engine()
        .verify_document(call.caller()?, &call.namespace, request);
    let verdict = work.await?;
    let (signers, refusal) = match verdict.outcome {
        Ok(signers) => (signers, None),
        Err(why) => (Vec::new(), Some(why.to_string())),
    };
    let signers = signers.into_iter().map(|one| DocumentSigner {
        path: (one.path.iter())
            .filter_map(|der| Certificate::from_der(der).ok())
            .map(|one| validation::seen(&Seen::new(&one)))
            .collect(),
        signing_time: (one.signing_time).map(|at| WireMoment::from_unix_seconds(at.0)),
    });
    Reply::json(&DocumentVerdict {
        valid: refusal.is_none(),
        refusal,
        signers: signers.collect(),
        content: verdict.content.map(Bytes::new),
    })
}

fn format(format: DocumentFormat) -> Format {
    match format {
        DocumentFormat::Cms => Format::Cms,
        DocumentFormat::Jws => Format::Jws,
        DocumentFormat::Cose => Format::Cose,
    }
}

pub fn certificate(
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
