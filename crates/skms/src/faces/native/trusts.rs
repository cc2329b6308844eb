//! External authorities that say who principals are.

use skms_engine::acts::trusts::{Changes, Checking, NewTrust, View};
use skms_pki::Identity;
use skms_wire::Bytes;
use skms_wire::native::trusts::{
    CreateTrustRequest, ImportTrustCrlRequest, TrustCrlView, TrustIdentity, TrustRevocation,
    TrustView, UpdateTrustRequest,
};

use super::{answer::Reply, call::Call, convert::moment, error::Failure, paging, validation::seen};

fn view(view: &View, namespace: &str) -> TrustView {
    let lists = view.lists.iter().map(|list| TrustCrlView {
        issuer: list.issuer.clone(),
        number: list.number.clone(),
        this_update: moment(list.this_update),
        next_update: moment(list.next_update),
        entries: list.entries as u64,
        imported_at: moment(list.imported_at),
    });
    TrustView {
        id: view.id.to_string(),
        namespace: namespace.to_owned(),
        name: view.name.clone(),
        identity: match view.identity {
            Identity::Uri => TrustIdentity::Uri,
            Identity::Dns => TrustIdentity::Dns,
            Identity::Email => TrustIdentity::Email,
            Identity::CommonName => TrustIdentity::Cn,
            Identity::Subject => TrustIdentity::Subject,
        },
        revocation: match view.checking {
            Checking::IfKnown => TrustRevocation::IfKnown,
            Checking::Leaf => TrustRevocation::Leaf,
            Checking::Path => TrustRevocation::Path,
        },
        anchors: view.anchors.iter().map(seen).collect(),
        intermediates: view.intermediates.iter().map(seen).collect(),
        crls: lists.collect(),
        created_at: moment(view.created_at),
    }
}

const fn identity(said: TrustIdentity) -> Identity {
    match said {
        TrustIdentity::Uri => Identity::Uri,
        TrustIdentity::Dns => Identity::Dns,
        TrustIdentity::Email => Identity::Email,
        TrustIdentity::Cn => Identity::CommonName,
        TrustIdentity::Subject => Identity::Subject,
    }
}

const fn checking(said: TrustRevocation) -> Checking {
    match said {
        TrustRevocation::IfKnown => Checking::IfKnown,
        TrustRevocation::Leaf => Checking::Leaf,
        TrustRevocation::Path => Checking::Path,
    }
}

fn files(files: Vec<Bytes>) -> Vec<Vec<u8>> {
    files.into_iter().map(Bytes::into_inner).collect()
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let all = call
        .engine()
        .list_trusts(call.caller()?, &call.namespace)
        .await?;
    let items = all.iter().map(|one| view(one, &call.namespace)).collect();
    Reply::json(&paging::sorted(items, &page, |item: &TrustView| {
        &item.name
    })?)
}

pub async fn create(call: Call) -> Result<Reply, Failure> {
    let request: CreateTrustRequest = call.json()?;
    let new = NewTrust {
        name: request.name,
        anchors: files(request.anchors),
        intermediates: files(request.intermediates),
        lists: files(request.crls),
        identity: identity(request.identity),
        checking: request.revocation.map(checking),
    };
    let made = call
        .engine()
        .create_trust(call.caller()?, &call.namespace, new)
        .await?;
    Reply::json(&view(&made, &call.namespace))
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_trust(call.caller()?, &call.namespace, call.param("trust"))
        .await?;
    Reply::json(&view(&found, &call.namespace))
}

pub async fn update(call: Call) -> Result<Reply, Failure> {
    let request: UpdateTrustRequest = call.json()?;
    let changes = Changes {
        intermediates: request.intermediates.map(files),
        checking: request.revocation.map(checking),
    };
    let at = (&*call.namespace, call.param("trust"));
    let changed = call
        .engine()
        .update_trust(call.caller()?, at, changes)
        .await?;
    Reply::json(&view(&changed, &call.namespace))
}

pub async fn import(call: Call) -> Result<Reply, Failure> {
    let request: ImportTrustCrlRequest = call.json()?;
    let at = (&*call.namespace, call.param("trust"));
    let changed = call
        .engine()
        .import_trust_lists(call.caller()?, at, request.crl.into_inner())
        .await?;
    Reply::json(&view(&changed, &call.namespace))
}

pub async fn delete(call: Call) -> Result<Reply, Failure> {
    call.engine()
        .delete_trust(call.caller()?, &call.namespace, call.param("trust"))
        .await?;
    Ok(Reply::Empty)
}
