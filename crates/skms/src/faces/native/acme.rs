//! Opening authorities to ACME, and the keys that accounts are bound to.

use skms_engine::acts::acme::{BindingKeyView, Opening};
use skms_pki::acme::ChallengeKind;
use skms_wire::native::acme::{
    AcmeKeyView, AcmeView, CreateAcmeKeyRequest, CreateAcmeKeyResponse, EnableAcmeRequest,
};

use super::{answer::Reply, call::Call, convert::moment, error::Failure, paging};
use crate::faces::acme::PREFIX;

fn view(call: &Call, opening: Option<&Opening>) -> AcmeView {
    let authority = call.param("authority");
    AcmeView {
        enabled: opening.is_some(),
        profile: opening.map(|one| one.profile.name().to_owned()),
        challenges: opening
            .into_iter()
            .flat_map(|one| one.challenges.iter().map(|kind| kind.name().to_owned()))
            .collect(),
        external_account_required: opening.is_some_and(|one| one.external_account_required),
        terms_of_service: opening.and_then(|one| one.terms_of_service.clone()),
        directory: format!("{PREFIX}{}/{authority}/directory", call.namespace),
    }
}

fn key_view(view: &BindingKeyView) -> AcmeKeyView {
    AcmeKeyView {
        id: view.id.to_string(),
        description: Some(view.description.clone()).filter(|text| !text.is_empty()),
        created_at: moment(view.created_at),
        created_by: view.created_by.clone(),
        account: view.account.clone(),
    }
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let place = (&*call.namespace, call.param("authority"));
    let found = call.engine().acme_read(call.caller()?, place).await?;
    Reply::json(&view(&call, found.as_ref()))
}

pub async fn enable(call: Call) -> Result<Reply, Failure> {
    let request: EnableAcmeRequest = call.json()?;
    let challenges = match request.challenges {
        None => ChallengeKind::ALL.to_vec(),
        Some(names) => names
            .iter()
            .map(|name| name.parse())
            .collect::<Result<_, skms_pki::Error>>()
            .map_err(|error| Failure::invalid(error.to_string()))?,
    };
    let opening = Opening {
        profile: request.profile.as_str().into(),
        challenges,
        external_account_required: request.external_account_required,
        terms_of_service: request.terms_of_service,
    };
    let place = (&*call.namespace, call.param("authority"));
    let opened = call
        .engine()
        .acme_open(call.caller()?, place, Some(opening))
        .await?;
    Reply::json(&view(&call, opened.as_ref()))
}

pub async fn disable(call: Call) -> Result<Reply, Failure> {
    let place = (&*call.namespace, call.param("authority"));
    call.engine().acme_open(call.caller()?, place, None).await?;
    Ok(Reply::Empty)
}

pub async fn keys(call: Call) -> Result<Reply, Failure> {
    let page = paging::records(&call.page()?)?;
    let place = (&*call.namespace, call.param("authority"));
    let (found, next) = call
        .engine()
        .acme_list_keys(call.caller()?, place, &page)
        .await?;
    Reply::json(&paging::page(found.iter().map(key_view).collect(), next))
}

pub async fn create_key(call: Call) -> Result<Reply, Failure> {
    let request: CreateAcmeKeyRequest = call.optional_json()?;
    let place = (&*call.namespace, call.param("authority"));
    let description = request.description.unwrap_or_default();
    let made = call
        .engine()
        .acme_create_key(call.caller()?, place, description)
        .await?;
    // The answer is the one place where the key may be read.
    Reply::json(&CreateAcmeKeyResponse {
        hmac_key: skms_wire::SecretText::new(made.secret.into_public()),
        info: key_view(&made.view),
    })
}

pub async fn revoke_key(call: Call) -> Result<Reply, Failure> {
    let place = (&*call.namespace, call.param("authority"));
    call.engine()
        .acme_revoke_key(call.caller()?, place, call.param("key"))
        .await?;
    Ok(Reply::Empty)
}
