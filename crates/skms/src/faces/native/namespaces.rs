//! Namespaces.

use skms_engine::acts::namespaces::View;
use skms_wire::native::namespaces::{CreateNamespaceRequest, NamespaceView};

use super::{answer::Reply, call::Call, convert::moment, error::Failure, paging};

fn view(view: &View) -> NamespaceView {
    NamespaceView {
        id: view.id.to_string(),
        name: view.name.clone(),
        created_at: moment(view.created_at),
    }
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let all = call.engine().list_namespaces(call.caller()?).await?;
    let items = all.iter().map(view).collect();
    Reply::json(&paging::sorted(items, &page, |item: &NamespaceView| {
        &item.name
    })?)
}

pub async fn create(call: Call) -> Result<Reply, Failure> {
    let request: CreateNamespaceRequest = call.json()?;
    let made = call
        .engine()
        .create_namespace(call.caller()?, &request.name)
        .await?;
    Reply::json(&view(&made))
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_namespace(call.caller()?, call.param("namespace"))
        .await?;
    Reply::json(&view(&found))
}

pub async fn delete(call: Call) -> Result<Reply, Failure> {
    call.engine()
        .delete_namespace(call.caller()?, call.param("namespace"))
        .await?;
    Ok(Reply::Empty)
}
