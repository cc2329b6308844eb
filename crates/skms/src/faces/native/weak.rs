//! Weak and known-compromised keys.

use skms_engine::acts::weak::{ListView, Noted, SweepView};
use skms_wire::native::weak::{
    BlocklistView, ImportBlocklistRequest, WeakFindingView, WeakSweepView,
};

use super::{answer::Reply, call::Call, convert::moment, error::Failure, paging};

fn finding(noted: &Noted) -> WeakFindingView {
    let public = Some(&noted.public_key).filter(|hash| !hash.is_empty());
    WeakFindingView {
        id: noted.id.to_string(),
        kind: noted.kind.name().to_owned(),
        subject: noted.subject.to_string(),
        name: noted.name.clone(),
        version: noted.version.map(|version| version.0),
        detector: noted.detector.name().to_owned(),
        gravity: noted.gravity.name().to_owned(),
        words: noted.words.clone(),
        public_key_sha256: public.cloned(),
        found_at: moment(noted.found_at),
    }
}

fn sweep_view(view: &SweepView) -> WeakSweepView {
    WeakSweepView {
        running: view.running,
        began_at: view.began_at.map(moment),
        ended_at: view.ended_at.map(moment),
        looked_at: view.looked_at,
        moduli: view.moduli,
        found: view.found,
    }
}

fn list_view(view: &ListView) -> BlocklistView {
    BlocklistView {
        name: view.name.clone(),
        hash: view.hash.to_owned(),
        entries: view.entries as u64,
        sources: view.sources.clone(),
        imported_at: moment(view.imported_at),
        imported_by: view.imported_by.clone(),
    }
}

pub async fn findings(call: Call) -> Result<Reply, Failure> {
    let wanted = paging::records(&call.page()?)?;
    let (found, next) = call
        .engine()
        .list_weak_findings(call.caller()?, &call.namespace, &wanted)
        .await?;
    let items: Vec<_> = found.iter().map(finding).collect();
    Reply::json(&paging::page(items, next))
}

pub async fn sweep(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    Reply::json(&sweep_view(
        &call.engine().weak_sweep(call.caller()?).await?,
    ))
}

pub async fn start_sweep(call: Call) -> Result<Reply, Failure> {
    let view = call.engine().start_weak_sweep(call.caller()?).await?;
    Reply::json(&sweep_view(&view))
}

pub async fn lists(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let all = call.engine().list_blocklists(call.caller()?).await?;
    let items = all.iter().map(list_view).collect();
    Reply::json(&paging::sorted(items, &page, |item: &BlocklistView| {
        &item.name
    })?)
}

pub async fn import(call: Call) -> Result<Reply, Failure> {
    let request: ImportBlocklistRequest = call.json()?;
    let file = request.file.into_inner();
    let view = call.engine().import_blocklist(call.caller()?, file).await?;
    Reply::json(&list_view(&view))
}

pub async fn remove(call: Call) -> Result<Reply, Failure> {
    call.engine()
        .remove_blocklist(call.caller()?, call.param("blocklist"))
        .await?;
    Ok(Reply::Empty)
}
