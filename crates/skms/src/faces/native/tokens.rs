//! Tokens.

use std::collections::BTreeSet;

use skms_crypto::rand;
use skms_engine::acts::tokens::{NewToken, View};
use skms_store::RecordId;
use skms_wire::{
    SecretText,
    native::{
        ProblemKind,
        tokens::{CreateTokenRequest, CreateTokenResponse, SelfView, TokenView},
    },
};

use super::{answer::Reply, call::Call, convert::moment, error::Failure, paging, views::hex};

/// How long a token is good for when nobody says: thirty days.
const TTL_DEFAULT_SECONDS: u64 = 30 * 86_400;

fn view(view: &View) -> TokenView {
    let told = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    TokenView {
        id: view.id.to_string(),
        principal: view.principal.clone(),
        groups: view.groups.iter().cloned().collect(),
        namespace: view.namespace.clone(),
        created_at: moment(view.created_at),
        expires_at: view.expires_at.map(moment),
        created_by: told(&view.created_by),
        description: told(&view.description),
    }
}

/// The token that the path names; what is no identifier names none.
fn id(call: &Call) -> Result<RecordId, Failure> {
    call.param("token").parse().map_err(|_| {
        Failure::with(
            ProblemKind::NotFound,
            "no such token, or not visible to you",
        )
    })
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = paging::records(&call.page()?)?;
    let (found, next) = call
        .engine()
        .list_tokens(call.caller()?, &call.namespace, &page)
        .await?;
    Reply::json(&paging::page(found.iter().map(view).collect(), next))
}

pub async fn create(call: Call) -> Result<Reply, Failure> {
    let request: CreateTokenRequest = call.optional_json()?;
    let principal = match request.principal {
        Some(principal) => principal,
        None => {
            let fresh = rand::array::<8>().map_err(|error| Failure::internal(error.to_string()))?;
            format!("token-{}", hex(&fresh))
        }
    };
    let new = NewToken {
        principal,
        groups: request.groups.into_iter().collect::<BTreeSet<_>>(),
        ttl_seconds: Some(request.ttl_seconds.unwrap_or(TTL_DEFAULT_SECONDS)),
        description: request.description.unwrap_or_default(),
    };
    let issued = call
        .engine()
        .create_token(call.caller()?, &call.namespace, new)
        .await?;
    // The answer is the one place where a token may be read.
    let token = String::from_utf8(issued.token.into_public())
        .map_err(|_| Failure::internal("a token that is no text"))?;
    Reply::json(&CreateTokenResponse {
        token: SecretText::new(token),
        info: view(&issued.view),
        suspended: issued.suspended,
    })
}

pub async fn own(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call.engine().read_self(call.caller()?).await?;
    let kind = found
        .authentication
        .split_once(':')
        .map_or(found.authentication.as_str(), |(kind, _)| kind);
    Reply::json(&SelfView {
        principal: found.principal.clone(),
        authentication: kind.to_owned(),
        groups: found.groups.iter().cloned().collect(),
        namespace: found.namespace.clone(),
        token: found.token.as_ref().map(view),
    })
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_token(call.caller()?, &call.namespace, id(&call)?)
        .await?;
    Reply::json(&view(&found))
}

pub async fn revoke(call: Call) -> Result<Reply, Failure> {
    call.engine()
        .revoke_token(call.caller()?, &call.namespace, id(&call)?)
        .await?;
    Ok(Reply::Empty)
}
