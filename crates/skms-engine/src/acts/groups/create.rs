//! Makes a group on a key that may leave.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_keys::{Name, Operation};
use skms_store::{Change, Kind, RecordId};

use super::{Create, GROUPS_MAX, View, Who, joining, named, path, principals, room_for};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef};
use crate::groups::Group;
use crate::idempotency::Once;
use crate::opened::KeySnapshot;
use crate::records;
use crate::records::group::GroupRecord;
use crate::target::Target;

/// What is said about a new group.
#[derive(Clone, Debug)]
pub struct NewGroup {
    /// Its name in the namespace.
    pub name: String,
    /// The keyring of its key.
    pub keyring: String,
    /// Its key: symmetric, and made exportable.
    pub key: String,
    /// Who is in it from the start.
    pub members: Vec<Who>,
    /// Whether they may fetch versions from before, too.
    pub history: bool,
}

impl Engine {
    /// Lets a group of principals share a key.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::NotFound`] for the key; [`Error::Key`] for
    /// one that may not leave; [`Error::KeyForbids`] for one that is not
    /// symmetric or that another group shares; [`Error::Invalid`] for somebody
    /// who is no principal, or is named twice; [`Error::TooLarge`].
    pub async fn create_group(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        new: NewGroup,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Create>(Target::group(namespace, &new.name))
            .await?;
        let made = create(&entry, &allowed, namespace, new).await;
        entry.failed(&allowed, made).await
    }
}

async fn create(
    entry: &Entry,
    allowed: &Authorized<Create, Target>,
    namespace: &str,
    new: NewGroup,
) -> Result<View> {
    let at = KeyRef {
        namespace,
        keyring: &new.keyring,
        name: &new.key,
    };
    let key = entry.authorize_key::<Create>(at).await?;
    let rooms = &entry.rooms;
    let guard = rooms.lock_changes().await;
    let place = rooms.places.namespace(namespace);
    let place = place.ok_or(Error::NotFound { what: "namespace" })?;
    let group = |id, record| Group {
        id,
        namespace: place.id,
        namespace_name: Arc::from(namespace),
        revision: 1,
        record,
    };
    let claim = match entry.once::<GroupRecord>(place.id.0).await? {
        Once::First(claim) => claim,
        Once::Again(id, record) => {
            entry.record_again(allowed, id).await?;
            return View::of(&group(id, record), &key.target().snapshot());
        }
    };
    // Deleting a key takes the shared lock: this one stays from here on.
    let found = rooms.keys.resolve(rooms, at).await?;
    let snapshot = found.ok_or(Error::NotFound { what: "key" })?.snapshot();
    if snapshot.key().id != key.target().snapshot().key().id {
        return Err(Error::Conflict);
    }
    let name = Name::new(&new.name)?;
    if rooms.groups.find(namespace, name.as_str()).is_some() {
        return Err(Error::Exists {
            what: "a group of that name",
        });
    }
    if rooms.groups.of(namespace).len() >= GROUPS_MAX {
        return Err(Error::TooLarge {
            what: "the number of groups",
            limit: GROUPS_MAX as u64,
        });
    }
    may_be_shared(entry, &snapshot)?;
    let members = named(namespace, new.members)?;
    principals(entry, namespace, &members).await?;
    room_for(rooms, namespace, 0, members.len())?;
    let mut event = EventDraft::of(entry, allowed, Outcome::Success)?
        .also_key(&snapshot)
        .detail(DetailKey::Count, members.len() as u64);
    for who in &members {
        event = event.principal(&path(who));
    }
    let record = GroupRecord {
        name: new.name,
        keyring: new.keyring.clone(),
        key: new.key.clone(),
        key_id: snapshot.id_text().to_owned(),
        members: joining(members, &snapshot, new.history, entry.now()).collect(),
        left: None,
        created_at: entry.now().0,
    };
    let id = RecordId::random()?;
    let mut changes = vec![Change::Put {
        namespace: place.id.0,
        kind: Kind::Group,
        id,
        name: Some(record.name.clone()),
        expected: None,
        plaintext: records::encode(&record)?,
    }];
    changes.extend(claim.remember(id, &record)?);
    let made = group(id, record);
    entry
        .change(
            (guard, claim),
            changes,
            event.target_id(id),
            move |rooms, _| {
                let view = View::of(&made, &snapshot)?;
                rooms.groups.put(made);
                Ok(view)
            },
        )
        .await
}

/// Whether a group may share the key.
fn may_be_shared(entry: &Entry, snapshot: &KeySnapshot) -> Result<()> {
    let key = snapshot.key();
    if !key.algorithm.is_symmetric() {
        return Err(Error::KeyForbids(format!(
            "a group shares a symmetric key: {} is none",
            key.algorithm.name()
        )));
    }
    key.check_use(Operation::Export)?;
    let shared = entry
        .rooms
        .groups
        .on_key(snapshot.at().namespace, snapshot.id_text());
    match shared {
        None => Ok(()),
        // Who is taken out of one would still be in the other.
        Some(_) => Err(Error::KeyForbids(
            "another group shares this key already".into(),
        )),
    }
}
