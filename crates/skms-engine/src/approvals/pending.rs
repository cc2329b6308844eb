//! Which requests wait, in memory and without what they ask for: so that it
//! costs little to say who may ask for more, however long the requests are.
//!
//! All that wait are known, and for a while some that wait no more: a request is
//! noted before its commit, and that one was used only where the commit's end
//! was seen. [`Pending::retain`] puts that right every two minutes.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use skms_policy::ROOT_NAMESPACE;
use skms_store::{Change, Kind, RecordId, SealedStore};

use super::facts::Who;
use crate::error::{Error, Result};
use crate::places::SYSTEM_SCOPE;
use crate::records;
use crate::records::Record;
use crate::records::approval::{ApprovalRecord, Outline, RequestState};

/// How many requests may wait, and how many bytes of them.
struct Share {
    requests: usize,
    bytes: u64,
    /// Of whom, in an error's words.
    of: &'static str,
}

const OF_ONE: Share = Share {
    requests: 64,
    bytes: 4 << 20,
    of: "one principal",
};
const OF_NAMESPACE: Share = Share {
    requests: 1024,
    bytes: 16 << 20,
    of: "one namespace",
};
/// The root namespace has its own beside these: nobody else takes the room of
/// those who run the server.
const OF_TENANTS: Share = Share {
    requests: 4096,
    bytes: 64 << 20,
    of: "all namespaces but the root one",
};

/// How many requests are read at once: each may be a quarter of a megabyte.
const PAGE: usize = 32;

/// A request that waits.
pub(crate) struct PendingRequest {
    requester: Who,
    action: String,
    target: Option<String>,
    expires_at: i64,
    bytes: u64,
}

impl PendingRequest {
    /// What is noted of a request that is about to be stored by this change.
    pub(crate) fn of(record: &ApprovalRecord, change: &Change) -> Self {
        let bytes = match change {
            Change::Put { plaintext, .. } => plaintext.expose().len() as u64,
            Change::Delete { .. } | Change::Absent { .. } => 0,
        };
        let target = &record.facts.target;
        Self {
            requester: record.facts.requester.clone(),
            action: target.action.clone(),
            target: target.id.clone(),
            expires_at: record.facts.expires_at,
            bytes,
        }
    }
}

/// Those that wait; none are known before they were read.
#[derive(Default)]
pub(crate) struct Pending(Mutex<Option<HashMap<RecordId, PendingRequest>>>);

impl Pending {
    fn all(&self) -> MutexGuard<'_, Option<HashMap<RecordId, PendingRequest>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads them, unless that was done before. The caller holds the right to
    /// make requests.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn read(&self, store: &SealedStore) -> Result<()> {
        if self.all().is_some() {
            return Ok(());
        }
        let mut found = HashMap::new();
        each::<Outline>(store, |one| {
            let Outline { facts, state, .. } = one.record;
            if state == RequestState::Pending {
                let waits = PendingRequest {
                    requester: facts.requester,
                    action: facts.target.action,
                    target: facts.target.id,
                    expires_at: facts.expires_at,
                    bytes: one.bytes,
                };
                found.insert(one.id, waits);
            }
        })
        .await?;
        *self.all() = Some(found);
        Ok(())
    }

    /// Whether there is room for another request, once those of `without` have
    /// ended. What has run out takes up bytes until that is noted.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`].
    pub(crate) fn room(&self, new: &PendingRequest, without: &[RecordId], now: i64) -> Result<()> {
        let all = self.all();
        let others = all.iter().flatten();
        let others: Vec<_> = others
            .filter(|(id, _)| !without.contains(id))
            .map(|(_, one)| one)
            .collect();
        let who = &new.requester;
        let of = |whose: &dyn Fn(&Who) -> bool| {
            let others = others.iter().copied();
            others
                .filter(|one| whose(&one.requester))
                .collect::<Vec<_>>()
        };
        fits(&OF_ONE, new, now, &of(&|other| other.is(who)))?;
        let alike = of(&|other| other.namespace == who.namespace);
        fits(&OF_NAMESPACE, new, now, &alike)?;
        if who.namespace == ROOT_NAMESPACE {
            return Ok(());
        }
        let tenants = of(&|other| other.namespace != ROOT_NAMESPACE);
        fits(&OF_TENANTS, new, now, &tenants)
    }

    /// Notes a request that is about to be stored.
    pub(crate) fn add(&self, id: RecordId, new: PendingRequest) {
        if let Some(all) = &mut *self.all() {
            all.insert(id, new);
        }
    }

    /// Notes that one waits no more.
    pub(crate) fn remove(&self, id: RecordId) {
        if let Some(all) = &mut *self.all() {
            all.remove(&id);
        }
    }

    /// Those of a requester for an action on the thing with this identifier.
    pub(crate) fn about(&self, requester: &Who, action: &str, target: &str) -> Vec<RecordId> {
        let all = self.all();
        let found = all.iter().flatten().filter(|(_, one)| {
            one.requester == *requester
                && one.action == action
                && one.target.as_deref() == Some(target)
        });
        found.map(|(id, _)| *id).collect()
    }

    /// All that are known.
    pub(crate) fn ids(&self) -> HashSet<RecordId> {
        self.all().iter().flatten().map(|(id, _)| *id).collect()
    }

    /// Of those that were `known` before the store was read, keeps those that
    /// wait there.
    pub(crate) fn retain(&self, known: &HashSet<RecordId>, waiting: &HashSet<RecordId>) {
        if let Some(all) = &mut *self.all() {
            all.retain(|id, _| !known.contains(id) || waiting.contains(id));
        }
    }
}

/// Whether a request has room beside those that wait already.
fn fits(share: &Share, new: &PendingRequest, now: i64, others: &[&PendingRequest]) -> Result<()> {
    let (mut requests, mut bytes) = (1, new.bytes);
    for one in others {
        requests += usize::from(one.expires_at >= now);
        bytes = bytes.saturating_add(one.bytes);
    }
    let over = |what: &str, limit| {
        Err(Error::QuotaExceeded {
            what: format!("{what} of {} that wait", share.of),
            limit,
        })
    };
    if requests > share.requests {
        return over("requests for approval", share.requests as u64);
    }
    if bytes > share.bytes {
        return over("bytes in requests for approval", share.bytes);
    }
    Ok(())
}

/// A request as it is stored, with its length.
pub(crate) struct Stored<R> {
    pub(crate) id: RecordId,
    pub(crate) revision: u64,
    pub(crate) bytes: u64,
    pub(crate) record: R,
}

/// Hands over every request, with few in memory at once.
///
/// # Errors
/// What the store says.
pub(crate) async fn each<R: Record>(
    store: &SealedStore,
    mut take: impl FnMut(Stored<R>),
) -> Result<()> {
    let mut after = None;
    loop {
        let page = store
            .scan(SYSTEM_SCOPE, Kind::Approval, after, PAGE)
            .await?;
        after = page.last().map(|stored| stored.id);
        let full = page.len() == PAGE;
        for stored in page {
            let plaintext = stored.plaintext.expose();
            take(Stored {
                id: stored.id,
                revision: stored.revision,
                bytes: plaintext.len() as u64,
                record: records::decode(plaintext)?,
            });
        }
        if !full {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(namespace: &str, name: &str, bytes: u64) -> PendingRequest {
        PendingRequest {
            requester: Who {
                kind: "token".into(),
                namespace: namespace.into(),
                name: name.into(),
            },
            action: "key.destroy".into(),
            target: Some("1".into()),
            expires_at: 100,
            bytes,
        }
    }

    fn none() -> Pending {
        Pending(Mutex::new(Some(HashMap::new())))
    }

    /// Asks as often as there is room, at most 10,000 times, by as many
    /// principals as it takes.
    fn fill(pending: &Pending, namespace: &str, each: usize, bytes: u64) -> usize {
        let mut count = 0;
        while count < 10_000 {
            let name = (count / each).to_string();
            let new = request(namespace, &name, bytes);
            if pending.room(&new, &[], 100).is_err() {
                break;
            }
            pending.add(RecordId::random().unwrap(), new);
            count += 1;
        }
        count
    }

    fn refused(pending: &Pending, new: &PendingRequest, now: i64) -> String {
        match pending.room(new, &[], now) {
            Err(Error::QuotaExceeded { what, .. }) => what,
            Err(other) => panic!("{other}"),
            Ok(()) => panic!("there is room"),
        }
    }

    #[test]
    fn no_namespace_takes_the_room_of_others_and_none_that_of_the_root_one() {
        let pending = none();
        assert_eq!(fill(&pending, "a", 64, 10), OF_NAMESPACE.requests);
        let of_all = refused(&pending, &request("a", "new", 10), 100);
        assert!(of_all.contains("one namespace"), "{of_all}");
        let rest: usize = ["b", "c", "d", "e"]
            .into_iter()
            .map(|namespace| fill(&pending, namespace, 64, 10))
            .sum();
        assert_eq!(rest, OF_TENANTS.requests - OF_NAMESPACE.requests);
        let of_tenants = refused(&pending, &request("f", "new", 10), 100);
        assert!(of_tenants.contains("but the root one"), "{of_tenants}");
        assert_eq!(fill(&pending, "root", 64, 10), OF_NAMESPACE.requests);
        // What has run out is in nobody's way.
        assert!(pending.room(&request("f", "new", 10), &[], 101).is_ok());
    }

    #[test]
    fn long_requests_have_their_share_too() {
        let pending = none();
        let quarter = 256 << 10;
        assert_eq!(fill(&pending, "a", 16, quarter), 64);
        assert!(refused(&pending, &request("a", "new", quarter), 100).contains("bytes"));
        // They take it up until it is noted that they have run out.
        assert!(refused(&pending, &request("a", "new", quarter), 101).contains("bytes"));
        for namespace in ["b", "c", "d"] {
            assert_eq!(fill(&pending, namespace, 16, quarter), 64);
        }
        assert!(refused(&pending, &request("e", "new", quarter), 100).contains("root"));
        assert_eq!(fill(&pending, "root", 16, quarter), 64);
        let known = pending.ids();
        pending.add(RecordId([1; 16]), request("a", "late", 1));
        pending.retain(&known, &HashSet::new());
        // One that was noted since the store was read may be behind that place.
        assert_eq!(pending.ids(), HashSet::from([RecordId([1; 16])]));
    }

    #[test]
    fn what_another_takes_the_place_of_leaves_it_room() {
        let pending = none();
        assert_eq!(fill(&pending, "a", 100, 10), OF_ONE.requests);
        let of_one = refused(&pending, &request("a", "0", 10), 100);
        assert!(of_one.contains("one principal"), "{of_one}");
        let (new, other) = (request("a", "0", 10), request("a", "1", 10));
        let who = |one: &PendingRequest| one.requester.clone();
        let about = pending.about(&who(&new), "key.destroy", "1");
        assert_eq!(about.len(), 64);
        assert!(pending.about(&who(&other), "key.destroy", "1").is_empty());
        assert!(pending.about(&who(&new), "key.destroy", "2").is_empty());
        assert!(pending.about(&who(&new), "key.export", "1").is_empty());
        assert!(pending.room(&new, &about[..1], 100).is_ok());
        pending.remove(about[0]);
        assert!(pending.room(&new, &[], 100).is_ok());
    }
}
