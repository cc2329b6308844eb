//! One function for each kind of request.

use http::StatusCode;
use skms_engine::Error;
use skms_engine::acts::acme::{NewAccount, OrderView, Place};
use skms_pki::acme::{ChallengeKind, Identifier, OrderStatus};
use skms_store::RecordId;
use skms_wire::acme::{self as wire, ProblemKind, RenewalInfo, SuggestedWindow, base64url};

use super::error::Failure;
use super::objects;
use super::path::Resource;
use super::request::{BindingMessage, Request, key_change};
use super::{Acme, Context, Reply};
use crate::faces::native::pem_certificate;

/// When to look again after what is not ready yet, in seconds.
const LOOK_AGAIN: u64 = 2;
/// When to ask for renewal information again, in seconds: six hours.
const RENEWAL_AGAIN: u64 = 6 * 3600;

/// Answers a request that was signed.
pub async fn handle(
    acme: &Acme,
    context: &Context<'_>,
    resource: Resource,
    request: Request,
) -> Result<Reply, Failure> {
    match resource {
        Resource::NewAccount => new_account(acme, context, &request).await,
        Resource::Account(id) => account(acme, context, &request, id).await,
        Resource::KeyChange => change_key(acme, context, &request).await,
        Resource::NewOrder => new_order(acme, context, &request).await,
        Resource::Order(id) => {
            request.is_get()?;
            let engine = &acme.app.engine;
            let view = engine
                .acme_order(context.place, &request.entrant, id)
                .await?;
            order(context, StatusCode::OK, &view)
        }
        Resource::Finalize(id) => finalize(acme, context, &request, id).await,
        Resource::Authorization(id, at) => authorization(acme, context, &request, id, at).await,
        Resource::Challenge(id, at, kind) => {
            challenge(acme, context, &request, (id, at, kind)).await
        }
        Resource::Certificate(id, number) => certificate(acme, context, &request, id, number).await,
        Resource::RevokeCert => revoke(acme, context, &request).await,
        Resource::Directory | Resource::NewNonce | Resource::RenewalInfo(_) => {
            Err(Failure::malformed("it is read with GET").status(405))
        }
    }
}

async fn new_account(
    acme: &Acme,
    context: &Context<'_>,
    request: &Request,
) -> Result<Reply, Failure> {
    let said: wire::NewAccount = request.read()?;
    let message = BindingMessage::of(&said, &request.url)?;
    let new = NewAccount {
        contact: said.contact,
        terms_agreed: said.terms_of_service_agreed,
        only_existing: said.only_return_existing,
        binding: message.as_ref().map(BindingMessage::binding),
    };
    let (view, made) = acme
        .app
        .engine
        .acme_new_account(context.place, &request.entrant, new)
        .await?;
    let status = if made {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let reply = Reply::json(status, &objects::account(&view))?;
    Ok(reply.at(context.addresses.account(view.id)))
}

async fn account(
    acme: &Acme,
    context: &Context<'_>,
    request: &Request,
    id: RecordId,
) -> Result<Reply, Failure> {
    let engine = &acme.app.engine;
    let mut view = engine.acme_account(&request.entrant)?;
    if view.id != id {
        return Err(Failure::new(ProblemKind::Unauthorized, "another account's"));
    }
    if !request.payload.is_empty() {
        let said: wire::UpdateAccount = request.read()?;
        let deactivate = match said.status.as_deref() {
            None | Some("valid") => false,
            Some("deactivated") => true,
            Some(_) => return Err(Failure::malformed("status: deactivated, or nothing")),
        };
        if deactivate || said.contact.is_some() {
            view = engine
                .acme_update_account(context.place, &request.entrant, said.contact, deactivate)
                .await?;
        }
    }
    Reply::json(StatusCode::OK, &objects::account(&view))
}

async fn change_key(
    acme: &Acme,
    context: &Context<'_>,
    request: &Request,
) -> Result<Reply, Failure> {
    let engine = &acme.app.engine;
    let id = engine.acme_account(&request.entrant)?.id;
    let key = key_change(request, &context.addresses, id)?;
    match engine
        .acme_change_key(context.place, &request.entrant, &key)
        .await
    {
        Ok(view) => {
            let reply = Reply::json(StatusCode::OK, &objects::account(&view))?;
            Ok(reply.at(context.addresses.account(view.id)))
        }
        Err(error @ Error::Exists { .. }) => {
            let mut failure = Failure::from(error);
            let other = engine.acme_account_of(context.place, &key).await?;
            failure.location = other.map(|id| context.addresses.account(id));
            Err(failure)
        }
        Err(error) => Err(error.into()),
    }
}

async fn new_order(
    acme: &Acme,
    context: &Context<'_>,
    request: &Request,
) -> Result<Reply, Failure> {
    let said: wire::NewOrder = request.read()?;
    if said.not_before.is_some() || said.not_after.is_some() {
        return Err(Failure::malformed(
            "notBefore, notAfter: the authority says how long its certificates last",
        ));
    }
    let identifiers = said
        .identifiers
        .iter()
        .map(|one| {
            let read = Identifier::new(&one.kind, &one.value);
            let kind = match one.kind.as_str() {
                "dns" | "ip" => ProblemKind::RejectedIdentifier,
                _ => ProblemKind::UnsupportedIdentifier,
            };
            read.map_err(|error| {
                let mut failure = Failure::new(kind, error.to_string());
                failure.problem.identifier = Some(one.clone());
                failure
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let view = acme
        .app
        .engine
        .acme_new_order(context.place, &request.entrant, &identifiers, said.replaces)
        .await?;
    order(context, StatusCode::CREATED, &view)
}

fn order(context: &Context<'_>, status: StatusCode, view: &OrderView) -> Result<Reply, Failure> {
    let mut reply = Reply::json(status, &objects::order(&context.addresses, view))?;
    let waits = matches!(view.status, OrderStatus::Pending | OrderStatus::Processing);
    reply.retry_after = waits.then_some(LOOK_AGAIN);
    Ok(reply.at(context.addresses.order(view.id)))
}

async fn finalize(
    acme: &Acme,
    context: &Context<'_>,
    request: &Request,
    id: RecordId,
) -> Result<Reply, Failure> {
    let said: wire::Finalize = request.read()?;
    let csr = base64url(&said.csr)
        .ok_or_else(|| Failure::new(ProblemKind::BadCsr, "the request is not base64url"))?;
    let view = acme
        .app
        .engine
        .acme_finalize(context.place, &request.entrant, id, csr)
        .await?;
    order(context, StatusCode::OK, &view)
}

async fn authorization(
    acme: &Acme,
    context: &Context<'_>,
    request: &Request,
    id: RecordId,
    at: usize,
) -> Result<Reply, Failure> {
    let engine = &acme.app.engine;
    let given_up = match request.payload.is_empty() {
        true => false,
        false => match request
            .read::<wire::UpdateAuthorization>()?
            .status
            .as_deref()
        {
            Some("deactivated") => true,
            _ => return Err(Failure::malformed("status: deactivated")),
        },
    };
    let view = if given_up {
        engine
            .acme_deactivate_authorization(context.place, &request.entrant, (id, at))
            .await?
    } else {
        engine
            .acme_order(context.place, &request.entrant, id)
            .await?
    };
    let absent = || Failure::malformed("there is no such authorization").status(404);
    let one = objects::authorization(&context.addresses, &view, at).ok_or_else(absent)?;
    let mut reply = Reply::json(StatusCode::OK, &one)?;
    reply.retry_after = (one.status == "pending").then_some(LOOK_AGAIN);
    Ok(reply)
}

async fn challenge(
    acme: &Acme,
    context: &Context<'_>,
    request: &Request,
    (id, at, kind): (RecordId, usize, ChallengeKind),
) -> Result<Reply, Failure> {
    let engine = &acme.app.engine;
    let view = if request.payload.is_empty() {
        engine
            .acme_order(context.place, &request.entrant, id)
            .await?
    } else {
        // An object, of which nothing is used.
        let _: serde_json::Map<String, serde_json::Value> = request.read()?;
        engine
            .acme_respond(context.place, &request.entrant, (id, at, kind))
            .await?
    };
    let absent = || Failure::malformed("there is no such challenge").status(404);
    let of = view.authorizations.get(at).ok_or_else(absent)?;
    let number = of.challenges.iter().position(|one| one.kind == kind);
    let addresses = &context.addresses;
    let one = objects::challenge(addresses, &view, of, at, number.ok_or_else(absent)?)
        .ok_or_else(absent)?;
    let mut reply = Reply::json(StatusCode::OK, &one)?;
    reply.retry_after = (one.status == "processing").then_some(LOOK_AGAIN);
    let up = addresses.authorization(id, at);
    reply.links.push(format!("<{up}>;rel=\"up\""));
    Ok(reply)
}

async fn certificate(
    acme: &Acme,
    context: &Context<'_>,
    request: &Request,
    id: RecordId,
    number: usize,
) -> Result<Reply, Failure> {
    request.is_get()?;
    let (chain, others) = acme
        .app
        .engine
        .acme_certificate(context.place, &request.entrant, id, number)
        .await?;
    let mut text = String::new();
    for der in &chain {
        text.push_str(&pem_certificate(der).map_err(|_| {
            Failure::new(ProblemKind::ServerInternal, "a certificate does not encode")
        })?);
    }
    let mut reply = Reply::empty(StatusCode::OK);
    reply.kind = "application/pem-certificate-chain";
    reply.body = text.into_bytes();
    for other in (0..=others).filter(|other| *other != number) {
        let at = context.addresses.certificate(id, other);
        reply.links.push(format!("<{at}>;rel=\"alternate\""));
    }
    Ok(reply)
}

async fn revoke(acme: &Acme, context: &Context<'_>, request: &Request) -> Result<Reply, Failure> {
    let said: wire::RevokeCertificate = request.read()?;
    let der = base64url(&said.certificate)
        .ok_or_else(|| Failure::malformed("certificate: not base64url"))?;
    acme.app
        .engine
        .acme_revoke(context.place, &request.entrant, &der, said.reason)
        .await?;
    Ok(Reply::empty(StatusCode::OK))
}

/// When a certificate should be renewed (RFC 9773); anybody may ask.
pub async fn renewal_info(acme: &Acme, place: Place<'_>, id: &str) -> Result<Reply, Failure> {
    let (start, end) = acme.app.engine.acme_renewal(place, id).await?;
    let mut reply = Reply::json(
        StatusCode::OK,
        &RenewalInfo {
            suggested_window: SuggestedWindow {
                start: objects::moment(start),
                end: objects::moment(end),
            },
        },
    )?;
    reply.retry_after = Some(RENEWAL_AGAIN);
    Ok(reply)
}
