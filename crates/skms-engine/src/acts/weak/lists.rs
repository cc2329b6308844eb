//! Lists of known keys: imported, listed, removed.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_keys::UnixSeconds;
use skms_store::{Change, Kind, RecordId};
use skms_weak::Blocklist;

use super::{ALL_BYTES_MAX, Import, LIST_BYTES_MAX, LISTS_MAX, Lists, Remove};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::places::SYSTEM_SCOPE;
use crate::records;
use crate::records::der::Der;
use crate::records::weak::BlocklistRecord;
use crate::target::Target;
use crate::weak::Listed;

/// What is told about a list.
#[derive(Clone, Debug)]
pub struct ListView {
    /// Its name.
    pub name: String,
    /// What its entries are hashes of.
    pub hash: &'static str,
    /// How many there are.
    pub entries: usize,
    /// Where they are from, where it says so.
    pub sources: Vec<String>,
    /// When it was imported.
    pub imported_at: UnixSeconds,
    /// By whom.
    pub imported_by: String,
}

impl ListView {
    fn of(listed: &Listed) -> Self {
        Self {
            name: listed.list.name().to_owned(),
            hash: listed.list.scheme().name(),
            entries: listed.list.len(),
            sources: listed.list.sources().map(str::to_owned).collect(),
            imported_at: UnixSeconds(listed.imported_at),
            imported_by: listed.imported_by.clone(),
        }
    }
}

impl Engine {
    /// Puts a list of known keys in force, in the place of one of the same name.
    /// When it returns, no key on it comes in any more; a sweep looks for those
    /// that are here. A list that is refused leaves the old one in force.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no list, or not a whole one;
    /// [`Error::TooLarge`].
    pub async fn import_blocklist(&self, caller: &Arc<Caller>, file: Vec<u8>) -> Result<ListView> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Import>(Target::system()).await?;
        let done = async {
            if file.len() > LIST_BYTES_MAX {
                return Err(Error::TooLarge {
                    what: "a list in bytes",
                    limit: LIST_BYTES_MAX as u64,
                });
            }
            let read = entry.rooms.slow.run(move || {
                let list = Blocklist::from_file(&file)?;
                Ok::<_, skms_weak::Error>((list, file))
            });
            let read = read.await?;
            let (list, file) = read.map_err(|error| Error::Invalid(error.to_string()))?;
            let guard = entry.rooms.lock_changes().await;
            let mut lists = Vec::clone(&entry.rooms.weak.lists());
            let at = lists.iter().position(|one| one.list.name() == list.name());
            let old = at.map(|at| lists.remove(at));
            let (id, expected) = match &old {
                Some(old) => (old.id, Some(old.revision)),
                None => (RecordId::random()?, None),
            };
            if lists.len() >= LISTS_MAX {
                return Err(Error::TooLarge {
                    what: "the number of lists of known keys",
                    limit: LISTS_MAX as u64,
                });
            }
            let bytes = |list: &Blocklist| list.len() * list.scheme().width();
            let all: usize = lists.iter().map(|one| bytes(&one.list)).sum();
            if all + bytes(&list) > ALL_BYTES_MAX {
                return Err(Error::TooLarge {
                    what: "all lists of known keys in bytes",
                    limit: ALL_BYTES_MAX as u64,
                });
            }
            let record = BlocklistRecord {
                file: Der(file),
                imported_at: entry.now().0,
                imported_by: entry.caller.session.principal.id().to_owned(),
            };
            let change = Change::Put {
                namespace: SYSTEM_SCOPE,
                kind: Kind::Blocklist,
                id,
                name: Some(list.name().to_owned()),
                expected,
                plaintext: records::encode(&record)?,
            };
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Blocklist, list.name())
                .detail(DetailKey::Count, list.len() as u64);
            entry
                .change(guard, vec![change], event, move |rooms, revisions| {
                    let revision = revisions.first().copied();
                    let listed = Arc::new(Listed {
                        id,
                        revision: revision.ok_or(Error::Internal("a change without a revision"))?,
                        list,
                        imported_at: record.imported_at,
                        imported_by: record.imported_by,
                    });
                    let view = ListView::of(&listed);
                    lists.push(listed);
                    rooms.weak.put_lists(lists);
                    rooms.weak.want_sweep();
                    Ok(view)
                })
                .await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// The lists in force, by name.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no policy lets the caller.
    pub async fn list_blocklists(&self, caller: &Arc<Caller>) -> Result<Vec<ListView>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Lists>(Target::system()).await?;
        let lists = entry.rooms.weak.lists();
        let mut views: Vec<ListView> = lists.iter().map(|one| ListView::of(one)).collect();
        views.sort_by(|one, other| one.name.cmp(&other.name));
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(views)
    }

    /// Removes a list. What was found by it stays on record.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn remove_blocklist(&self, caller: &Arc<Caller>, name: &str) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Remove>(Target::system()).await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let mut lists = Vec::clone(&entry.rooms.weak.lists());
            let at = lists.iter().position(|one| one.list.name() == name);
            let old = lists.remove(at.ok_or(Error::NotFound { what: "blocklist" })?);
            let change = Change::Delete {
                namespace: SYSTEM_SCOPE,
                kind: Kind::Blocklist,
                id: old.id,
                expected: old.revision,
            };
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Blocklist, name);
            entry
                .change(guard, vec![change], event, move |rooms, _| {
                    rooms.weak.put_lists(lists);
                    Ok(())
                })
                .await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}
