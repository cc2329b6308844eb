//! Time-stamping authorities.

use skms_engine::acts::tsa::{NewTsa, View};
use skms_wire::native::tsa::{CreateTsaRequest, TsaView};

use super::{
    answer::Reply, call::Call, convert::moment, documents, error::Failure, paging, pem_certificate,
};
use crate::faces::stamping;

fn view(view: &View, namespace: &str) -> Result<TsaView, Failure> {
    let mut chain = String::new();
    for der in &view.chain {
        chain.push_str(&pem_certificate(der)?);
    }
    Ok(TsaView {
        id: view.id.to_string(),
        namespace: namespace.to_owned(),
        name: view.name.clone(),
        path: stamping::path(namespace, &view.name),
        keyring: view.keyring.clone(),
        key: view.key.clone(),
        key_version: view.version,
        scheme: view.scheme.clone(),
        chain,
        not_after: moment(view.not_after),
        policies: view.policies.clone(),
        accuracy_seconds: view.accuracy_seconds,
        ordering: view.ordering,
        per_second: view.per_second,
        created_at: moment(view.created_at),
    })
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let all = call
        .engine()
        .list_tsas(call.caller()?, &call.namespace)
        .await?;
    let items = all.iter().map(|one| view(one, &call.namespace));
    let items = items.collect::<Result<Vec<_>, _>>()?;
    Reply::json(&paging::sorted(items, &page, |item: &TsaView| &item.name)?)
}

pub async fn create(call: Call) -> Result<Reply, Failure> {
    let request: CreateTsaRequest = call.json()?;
    let new = NewTsa {
        name: request.name,
        keyring: request.keyring,
        key: request.key,
        certificate: documents::certificate(request.certificate, request.chain)?,
        scheme: request.scheme,
        policies: request.policies,
        accuracy_seconds: request.accuracy_seconds,
        ordering: request.ordering,
        per_second: request.per_second,
    };
    let made = call
        .engine()
        .create_tsa(call.caller()?, &call.namespace, new)
        .await?;
    Reply::json(&view(&made, &call.namespace)?)
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_tsa(call.caller()?, &call.namespace, call.param("tsa"))
        .await?;
    Reply::json(&view(&found, &call.namespace)?)
}

pub async fn delete(call: Call) -> Result<Reply, Failure> {
    call.engine()
        .delete_tsa(call.caller()?, &call.namespace, call.param("tsa"))
        .await?;
    Ok(Reply::Empty)
}
