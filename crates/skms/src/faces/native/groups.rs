//! Groups of principals who share a key, and who was given which version.

use skms_engine::acts::groups::{HolderView as Holder, MemberView, NewGroup, Standing, View, Who};
use skms_store::RecordId;
use skms_wire::native::{
    Page,
    groups::{
        AddGroupMembersRequest, CreateGroupRequest, GroupMember, GroupMemberView, GroupView,
        HolderStanding, HolderView, RemoveGroupMembersRequest,
    },
};

use super::{answer::Reply, call::Call, convert::moment, error::Failure, paging};

/// Others exchange no keys.
const KIND: &str = "certificate";

fn view(view: &View, namespace: &str) -> GroupView {
    GroupView {
        id: view.id.to_string(),
        namespace: namespace.to_owned(),
        name: view.name.clone(),
        keyring: view.keyring.clone(),
        key: view.key.clone(),
        key_id: view.key_id.clone(),
        latest_version: view.latest_version.0,
        members: view.members as u64,
        rekey_due: view.rekey_due,
        created_at: moment(view.created_at),
    }
}

fn member(member: MemberView) -> GroupMemberView {
    GroupMemberView {
        namespace: member.namespace,
        name: member.name,
        kind: KIND.to_owned(),
        from_version: member.from.0,
        added_at: moment(member.added_at),
        fetched_latest_at: member.fetched_latest_at.map(moment),
    }
}

fn holder(holder: Holder) -> HolderView {
    HolderView {
        namespace: holder.namespace,
        name: holder.name,
        kind: KIND.to_owned(),
        version: holder.version.0,
        standing: match holder.standing {
            Standing::Member => HolderStanding::Member,
            Standing::Removed => HolderStanding::Removed,
            Standing::Policy => HolderStanding::Policy,
        },
        group: holder.group,
        first_fetched_at: moment(holder.first_at),
        last_fetched_at: moment(holder.last_at),
        certificate: holder.certificate,
        exchange: holder.exchange,
    }
}

fn who(members: Vec<GroupMember>) -> Vec<Who> {
    let one = |member: GroupMember| Who {
        namespace: member.namespace,
        name: member.name,
    };
    members.into_iter().map(one).collect()
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let all = call
        .engine()
        .list_groups(call.caller()?, &call.namespace)
        .await?;
    let items = all.iter().map(|one| view(one, &call.namespace)).collect();
    Reply::json(&paging::sorted(items, &page, |item: &GroupView| {
        &item.name
    })?)
}

pub async fn create(call: Call) -> Result<Reply, Failure> {
    let request: CreateGroupRequest = call.json()?;
    let new = NewGroup {
        name: request.name,
        keyring: request.keyring,
        key: request.key,
        members: who(request.members),
        history: request.history,
    };
    let made = call
        .engine()
        .create_group(call.caller()?, &call.namespace, new)
        .await?;
    Reply::json(&view(&made, &call.namespace))
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_group(call.caller()?, &call.namespace, call.param("group"))
        .await?;
    Reply::json(&view(&found, &call.namespace))
}

/// Members are in the order of their namespaces and names, and a page ends with
/// one; neither has a slash.
pub async fn members(call: Call) -> Result<Reply, Failure> {
    let query = call.page()?;
    let limit = paging::limit(&query)?;
    let after = query.after.as_deref();
    let after = after.map(|after| after.split_once('/').ok_or_else(paging::bad_cursor));
    let at = (&*call.namespace, call.param("group"));
    let (found, more) = call
        .engine()
        .group_members(call.caller()?, at, after.transpose()?, limit)
        .await?;
    let last = found.last().filter(|_| more);
    let next = last.map(|last| format!("{}/{}", last.namespace, last.name));
    let items = found.into_iter().map(member).collect();
    Reply::json(&Page { items, next })
}

pub async fn add(call: Call) -> Result<Reply, Failure> {
    let request: AddGroupMembersRequest = call.json()?;
    let at = (&*call.namespace, call.param("group"));
    let changed = call
        .engine()
        .add_to_group(call.caller()?, at, who(request.members), request.history)
        .await?;
    Reply::json(&view(&changed, &call.namespace))
}

pub async fn remove(call: Call) -> Result<Reply, Failure> {
    let request: RemoveGroupMembersRequest = call.json()?;
    let at = (&*call.namespace, call.param("group"));
    let changed = call
        .engine()
        .remove_from_group(call.caller()?, at, who(request.members), request.rekey)
        .await?;
    Reply::json(&view(&changed, &call.namespace))
}

pub async fn rekey(call: Call) -> Result<Reply, Failure> {
    let changed = call
        .engine()
        .rekey_group(call.caller()?, &call.namespace, call.param("group"))
        .await?;
    Reply::json(&view(&changed, &call.namespace))
}

pub async fn delete(call: Call) -> Result<Reply, Failure> {
    call.engine()
        .delete_group(call.caller()?, &call.namespace, call.param("group"))
        .await?;
    Ok(Reply::Empty)
}

fn page((found, next): (Vec<Holder>, Option<RecordId>)) -> Result<Reply, Failure> {
    Reply::json(&paging::page(found.into_iter().map(holder).collect(), next))
}

pub async fn holders(call: Call) -> Result<Reply, Failure> {
    let wanted = paging::records(&call.page()?)?;
    let at = (&*call.namespace, call.param("group"));
    page(
        call.engine()
            .group_holders(call.caller()?, at, &wanted)
            .await?,
    )
}

pub async fn of_key(call: Call) -> Result<Reply, Failure> {
    let wanted = paging::records(&call.page()?)?;
    page(
        call.engine()
            .key_holders(call.caller()?, call.key(), &wanted)
            .await?,
    )
}
