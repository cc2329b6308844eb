//! Certificates of the authorities.

use skms_engine::acts::certificates::{KeptKey, NewCertificate, Status, SubjectKey, View};
use skms_keys::UnixSeconds;
use skms_pki::issue::{AltName, NameBuf};
use skms_wire::{
    SecretText,
    native::certificates::{
        CertificateRevocation, CertificateStatus, CertificateView, IssueCertificateRequest,
        IssuedCertificate, RevokeCertificateRequest, SubjectKey as KeyRef,
    },
};
use x509_cert::der::pem::{self as pem_writer, LineEnding};

use super::{
    answer::Reply,
    call::Call,
    convert::{self, moment},
    error::Failure,
    paging, pem,
    views::{self, hex},
};

/// What is told about a certificate; with itself and its chain if `whole`.
pub fn view(view: &View, now: UnixSeconds, whole: bool) -> Result<CertificateView, Failure> {
    let status = match view.status {
        Status::Good if view.not_after < now => CertificateStatus::Expired,
        Status::Good => CertificateStatus::Good,
        Status::OnHold => CertificateStatus::OnHold,
        Status::Revoked => CertificateStatus::Revoked,
    };
    let mut chain = match whole {
        true => view.chain.as_slice(),
        false => &[],
    }
    .iter()
    .map(|der| pem::certificate(der))
    .collect::<Result<Vec<_>, _>>()?
    .into_iter();
    Ok(CertificateView {
        serial: hex(view.serial.as_bytes()),
        authority: view.authority.clone(),
        issuer: view.issuer,
        profile: view.profile.clone(),
        subject: view.subject.clone(),
        names: view.names.clone(),
        not_before: moment(view.not_before),
        not_after: moment(view.not_after),
        fingerprint: hex(&view.fingerprint),
        status,
        revocation: view
            .revocation
            .map(|(reason, at, since)| CertificateRevocation {
                reason: views::reason(reason),
                revoked_at: moment(at),
                invalid_since: since.map(moment),
            }),
        key: view.key.as_ref().map(kept),
        issued_to: view.issued_to.clone(),
        issued_at: moment(view.issued_at),
        certificate: chain.next(),
        chain: chain.collect(),
    })
}

fn kept(key: &KeptKey) -> KeyRef {
    KeyRef {
        keyring: key.keyring.clone(),
        key: key.key.clone(),
        version: Some(key.version),
    }
}

/// A distinguished name as people write it.
pub fn subject(text: &str) -> Result<NameBuf, Failure> {
    text.parse()
        .map_err(|error: skms_pki::Error| Failure::invalid(error.to_string()))
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = paging::records(&call.page()?)?;
    let (found, next) = call
        .engine()
        .list_certificates(
            call.caller()?,
            &call.namespace,
            call.param("authority"),
            &page,
        )
        .await?;
    let now = call.engine().now();
    let items = found
        .iter()
        .map(|one| view(one, now, false))
        .collect::<Result<_, _>>()?;
    Reply::json(&paging::page(items, next))
}

pub async fn issue(call: Call) -> Result<Reply, Failure> {
    let request: IssueCertificateRequest = call.json()?;
    let key = match (request.request, request.key, request.new_key) {
        (Some(text), None, None) => SubjectKey::Request(pem::decode(&text, pem::REQUEST)?),
        (None, Some(key), None) => SubjectKey::Kept {
            version: convert::version(key.version)?,
            keyring: key.keyring,
            key: key.key,
        },
        (None, None, Some(name)) => SubjectKey::New(convert::algorithm(&name)?),
        _ => return Err(Failure::invalid("give one of request, key and new_key")),
    };
    let new = NewCertificate {
        profile: request.profile.as_str().into(),
        key,
        subject: request.subject.as_deref().map(subject).transpose()?,
        names: names(&request.names)?,
        lifetime_seconds: request.lifetime_seconds,
    };
    let made = call
        .engine()
        .issue_certificate(
            call.caller()?,
            &call.namespace,
            call.param("authority"),
            new,
        )
        .await?;
    let private_key = made
        .private_key
        .map(|der| {
            pem_writer::encode_string("PRIVATE KEY", LineEnding::LF, der.expose())
                .map(SecretText::new)
                .map_err(|_| Failure::internal("a private key does not encode"))
        })
        .transpose()?;
    let now = call.engine().now();
    Reply::json(&IssuedCertificate {
        certificate: view(&made.certificate, now, true)?,
        private_key,
    })
}

fn names(texts: &[String]) -> Result<Vec<AltName>, Failure> {
    texts
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|error| Failure::invalid(format!("{}: {error}", text.escape_debug())))
        })
        .collect()
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_certificate(
            call.caller()?,
            &call.namespace,
            call.param("authority"),
            call.param("serial"),
        )
        .await?;
    Reply::json(&view(&found, call.engine().now(), true)?)
}

pub async fn revoke(call: Call) -> Result<Reply, Failure> {
    let request: RevokeCertificateRequest = call.json()?;
    let found = call
        .engine()
        .revoke_certificate(
            call.caller()?,
            &call.namespace,
            call.param("authority"),
            call.param("serial"),
            convert::reason(request.reason),
            request.invalid_since.map(convert::seconds),
        )
        .await?;
    Reply::json(&view(&found, call.engine().now(), true)?)
}

pub async fn release(call: Call) -> Result<Reply, Failure> {
    let found = call
        .engine()
        .release_certificate(
            call.caller()?,
            &call.namespace,
            call.param("authority"),
            call.param("serial"),
        )
        .await?;
    Reply::json(&view(&found, call.engine().now(), true)?)
}
