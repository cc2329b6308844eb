//! Principals that are known by their client certificates.

use skms_crypto::hash::sha256;
use skms_engine::acts::principals::{NewPrincipal, ShownBy, View};
use skms_keys::UnixSeconds;
use skms_wire::native::principals::{CreatePrincipalRequest, PrincipalView};
use x509_cert::{
    Certificate,
    der::{DecodePem as _, Encode as _},
};

use super::{answer::Reply, call::Call, convert::moment, error::Failure, paging, views::hex};

fn view(view: &View) -> PrincipalView {
    PrincipalView {
        name: view.name.clone(),
        fingerprint: Some(view.fingerprint.clone()).filter(|text| !text.is_empty()),
        authority: view.authority.clone(),
        trust: view.trust.clone(),
        identity: view.identity.clone(),
        groups: view.groups.iter().cloned().collect(),
        namespace: view.namespace.clone(),
        created_at: moment(view.created_at),
    }
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = paging::records(&call.page()?)?;
    let (found, next) = call
        .engine()
        .list_principals(call.caller()?, &call.namespace, &page)
        .await?;
    Reply::json(&paging::page(found.iter().map(view).collect(), next))
}

pub async fn create(call: Call) -> Result<Reply, Failure> {
    let request: CreatePrincipalRequest = call.json()?;
    let given = (
        request.fingerprint,
        request.certificate,
        request.authority,
        (request.trust, request.identity),
    );
    let (shown_by, expires_at) = match given {
        (Some(fingerprint), None, None, (None, None)) => (ShownBy::Fingerprint(fingerprint), None),
        (None, Some(pem), None, (None, None)) => {
            let (fingerprint, end) = certificate(&pem)?;
            (ShownBy::Fingerprint(fingerprint), end)
        }
        (None, None, Some(authority), (None, None)) => (ShownBy::Authority(authority), None),
        (None, None, None, (Some(trust), Some(identity))) => {
            (ShownBy::Trust { trust, identity }, None)
        }
        _ => {
            return Err(Failure::invalid(
                "give one of fingerprint, certificate and authority, or trust and identity",
            ));
        }
    };
    let new = NewPrincipal {
        name: request.name,
        shown_by,
        groups: request.groups.into_iter().collect(),
        expires_at,
    };
    let made = call
        .engine()
        .register_principal(call.caller()?, &call.namespace, new)
        .await?;
    Reply::json(&view(&made))
}

/// A certificate's fingerprint and its end, beyond which it proves nothing.
fn certificate(pem: &str) -> Result<(String, Option<UnixSeconds>), Failure> {
    let bad = || Failure::invalid("certificate is not a PEM certificate");
    let certificate = Certificate::from_pem(pem).map_err(|_| bad())?;
    let der = certificate.to_der().map_err(|_| bad())?;
    let end = certificate
        .tbs_certificate()
        .validity()
        .not_after
        .to_unix_duration()
        .as_secs();
    let end = i64::try_from(end).map_err(|_| bad())?;
    Ok((hex(&sha256(&[&der])), Some(UnixSeconds(end))))
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_principal(call.caller()?, &call.namespace, call.param("principal"))
        .await?;
    // Of several certificates, the one registered last.
    let newest = found
        .iter()
        .max_by_key(|view| view.created_at)
        .ok_or_else(|| Failure::internal("a principal without a registration"))?;
    Reply::json(&view(newest))
}

pub async fn delete(call: Call) -> Result<Reply, Failure> {
    call.engine()
        .delete_principal(call.caller()?, &call.namespace, call.param("principal"))
        .await?;
    Ok(Reply::Empty)
}
