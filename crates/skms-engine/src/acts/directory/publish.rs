//! A principal publishes the statement of its sealing key, lists what it
//! published, and takes it back.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_exchange::Error as Refusal;
use skms_exchange::sealing::{Statement, Status};
use skms_pki::Moment;
use skms_store::{Change, Kind, RecordId};

use super::{Publish, Stored, View, described, find, named, own_target, text};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry};
use crate::places::Namespace;
use crate::records;
use crate::records::der::Der;
use crate::records::directory::{DirectoryRecord, EarlierRecord};
use crate::target::Target;

/// How many statements before the present one are remembered.
const EARLIER_MAX: usize = 32;

impl Engine {
    /// Publishes the statement of the caller's own sealing key, in the place of
    /// the one before.
    ///
    /// # Errors
    /// [`Error::Exchange`], by its name in docs/sealing.md; [`Error::Invalid`]
    /// for a caller that is no principal by certificate; [`Error::Conflict`]
    /// where the caller published another one at the same moment.
    pub async fn publish_statement(
        &self,
        caller: &Arc<Caller>,
        statement: Vec<u8>,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Publish>(own_target(&entry)).await?;
        let planned = self.plan(&entry, statement).await;
        let planned = entry.failed(&allowed, planned).await?;
        let Planned {
            namespace,
            before,
            record,
        } = planned;
        let read = described(&record)?;
        let (id, expected) = match &before {
            Some((id, revision, _)) => (*id, Some(*revision)),
            None => (RecordId::random()?, None),
        };
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
            .detail(DetailKey::Statement, text(&read.hash))
            .detail(
                DetailKey::Fingerprint,
                fingerprint(read.chain.first().map(Vec::as_slice)),
            );
        let view = View::present(&record, Status::Good)?;
        if before.is_some_and(|(_, _, before)| is_present(&before, &record)) {
            // It was sent twice, and is there.
            entry.record(event).await?;
            return Ok(view);
        }
        let change = put(&namespace, (id, expected), &record)?;
        entry
            .change((), vec![change], event, move |_, _| Ok(view))
            .await
    }

    /// Checks everything about a statement, and works out what is to be kept.
    async fn plan(&self, entry: &Entry, bytes: Vec<u8>) -> Result<Planned> {
        let rooms = &entry.rooms;
        let principal = &entry.caller.session.principal;
        let (name, namespace) = named(rooms, principal)?;
        let of = (principal.namespace(), name);
        let judged = self.judge_statement(rooms, bytes.clone(), of).await?;
        let statement = judged?;
        statement.ensure_fresh(Moment(entry.now().0))?;
        let who = (principal.namespace(), principal.id());
        let path = statement.owner().peer().path();
        if self.registered(path, who).await?.is_none() {
            return Err(Refusal::PrincipalUnknown.into());
        }
        let before = find(rooms, &namespace, principal.id()).await?;
        let mut record = DirectoryRecord {
            principal: principal.id().to_owned(),
            statement: Der(bytes),
            published_at: entry.now().0,
            withdrawn_at: None,
            earlier: Vec::new(),
        };
        if let Some((_, _, before)) = &before {
            record.earlier = match is_present(before, &record) {
                true => before.earlier.clone(),
                false => earlier(entry, before, &statement)?,
            };
        }
        Ok(Planned {
            namespace,
            before,
            record,
        })
    }

    /// The caller's own statements, the present one first.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a caller that is no principal by certificate.
    pub async fn own_statements(&self, caller: &Arc<Caller>) -> Result<Vec<View>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Publish>(own_target(&entry)).await?;
        let listed = self.list_own(&entry).await;
        let listed = entry.failed(&allowed, listed).await?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
        entry.record(event).await?;
        Ok(listed)
    }

    async fn list_own(&self, entry: &Entry) -> Result<Vec<View>> {
        let principal = &entry.caller.session.principal;
        let (name, namespace) = named(&entry.rooms, principal)?;
        let Some((_, _, record)) = find(&entry.rooms, &namespace, principal.id()).await? else {
            return Ok(Vec::new());
        };
        let who = (principal.namespace(), name.as_str());
        let status = self.standing(&entry.rooms, &record, who).await?;
        let present = View::present(&record, status);
        let earlier = record.earlier.iter().map(View::earlier);
        std::iter::once(present).chain(earlier).collect()
    }

    /// Takes the caller's present statement back.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is none, or it was taken back before;
    /// [`Error::Invalid`] for a caller that is no principal by certificate.
    pub async fn withdraw_statement(&self, caller: &Arc<Caller>) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Publish>(own_target(&entry)).await?;
        let found = present(&entry).await;
        let (namespace, (id, revision, mut record)) = entry.failed(&allowed, found).await?;
        record.withdrawn_at = Some(entry.now().0);
        let view = View::present(&record, Status::Withdrawn)?;
        let event = withdrawn(&entry, &allowed, &view)?;
        let change = put(&namespace, (id, Some(revision)), &record)?;
        entry
            .change((), vec![change], event, move |_, _| Ok(view))
            .await
    }
}

/// What is to be kept.
struct Planned {
    namespace: Arc<Namespace>,
    before: Option<Stored>,
    record: DirectoryRecord,
}

/// Whether a statement is what is there already, byte for byte.
fn is_present(before: &DirectoryRecord, record: &DirectoryRecord) -> bool {
    before.withdrawn_at.is_none() && before.statement == record.statement
}

/// The statements before a new one that could still count. One of them that
/// comes again is refused: an old one is not brought back.
fn earlier(
    entry: &Entry,
    record: &DirectoryRecord,
    statement: &Statement,
) -> Result<Vec<EarlierRecord>> {
    let now = entry.now().0;
    let before = described(record)?;
    let last = EarlierRecord {
        hash: text(&before.hash),
        not_after: before.not_after.0,
        published_at: record.published_at,
        withdrawn_at: record.withdrawn_at,
    };
    let all = std::iter::once(last).chain(record.earlier.iter().cloned());
    let kept: Vec<_> = all
        .filter(|one| one.not_after >= now)
        .take(EARLIER_MAX)
        .collect();
    let hash = text(statement.hash());
    match kept.iter().find(|one| one.hash == hash) {
        None => Ok(kept),
        Some(one) if one.withdrawn_at.is_some() => Err(Refusal::StatementWithdrawn.into()),
        Some(_) => Err(Refusal::StatementSuperseded.into()),
    }
}

/// The caller's present statement, unless it was taken back.
async fn present(entry: &Entry) -> Result<(Arc<Namespace>, Stored)> {
    let principal = &entry.caller.session.principal;
    let (_, namespace) = named(&entry.rooms, principal)?;
    let found = find(&entry.rooms, &namespace, principal.id()).await?;
    let found = found.filter(|(_, _, record)| record.withdrawn_at.is_none());
    let found = found.ok_or(Error::NotFound {
        what: "published sealing key",
    })?;
    Ok((namespace, found))
}

/// The event of a withdrawal, which has room when the disk is full.
fn withdrawn(
    entry: &Entry,
    allowed: &Authorized<Publish, Target>,
    view: &View,
) -> Result<EventDraft> {
    let event = EventDraft::of(entry, allowed, Outcome::Success)?
        .detail(DetailKey::Statement, text(&view.hash))
        .detail(DetailKey::ToState, Status::Withdrawn.name());
    Ok(event.urgent())
}

fn put(
    namespace: &Namespace,
    (id, expected): (RecordId, Option<u64>),
    record: &DirectoryRecord,
) -> Result<Change> {
    Ok(Change::Put {
        namespace: namespace.id.0,
        kind: Kind::Directory,
        id,
        name: Some(record.principal.clone()),
        expected,
        plaintext: records::encode(record)?,
    })
}

fn fingerprint(certificate: Option<&[u8]>) -> String {
    let digest = skms_crypto::hash::sha256(&[certificate.unwrap_or_default()]);
    crate::sessions::hex(&digest)
}
