//! Policies.

use skms_engine::acts::policies::View;
use skms_wire::native::policies::{PolicyView, PutPolicyRequest};

use super::{answer::Reply, call::Call, convert::moment, error::Failure, paging};

fn view(view: &View, with_text: bool) -> PolicyView {
    PolicyView {
        name: view.name.clone(),
        policy: with_text.then(|| view.text.clone()),
        created_at: moment(view.created_at),
        updated_at: moment(view.updated_at),
    }
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let all = call
        .engine()
        .list_policies(call.caller()?, &call.namespace)
        .await?;
    let items = all.iter().map(|policy| view(policy, false)).collect();
    Reply::json(&paging::sorted(items, &page, |item: &PolicyView| {
        &item.name
    })?)
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_policy(call.caller()?, &call.namespace, call.param("policy"))
        .await?;
    Reply::json(&view(&found, true))
}

pub async fn write(call: Call) -> Result<Reply, Failure> {
    let request: PutPolicyRequest = call.json()?;
    let written = call
        .engine()
        .write_policy(
            call.caller()?,
            &call.namespace,
            call.param("policy"),
            &request.policy,
        )
        .await?;
    Reply::json(&view(&written, true))
}

pub async fn delete(call: Call) -> Result<Reply, Failure> {
    call.engine()
        .delete_policy(call.caller()?, &call.namespace, call.param("policy"))
        .await?;
    Ok(Reply::Empty)
}
