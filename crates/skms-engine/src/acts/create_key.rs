//! Creates a key: material from the library's generator, its record, its
//! event, in one batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use skms_crypto::{Algorithm, KeyMaterial, Uses};
use skms_evidence::Outcome;
use skms_keys::{
    Changed, Key, KeyId, Keyring, Name, NamespaceId, NewKey, NewVersion, Origin, Rules,
    UnixSeconds, VersionNumber,
};
use skms_store::{Change, Kind, RecordId};

use super::leader;
use crate::act::{Act, act};
use crate::caller::Caller;
use crate::change::to_the_end;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef};
use crate::idempotency::{Claim, Once};
use crate::keychange::put_key;
use crate::lineage::descent;
use crate::opened::{KeyCell, KeySnapshot};
use crate::places::Ring;
use crate::quotas;
use crate::records::key::{KeyRecord, material_name};
use crate::target::Target;

act!(CreateKey, KeyCreate, "Creates a key.");

/// What is said about a new key; what is not said comes from the keyring.
#[derive(Clone, Debug, Default)]
pub struct NewKeySpec {
    /// The algorithm.
    pub algorithm: Option<Algorithm>,
    /// The uses.
    pub uses: Option<Uses>,
    /// Who answers for it; the caller by default.
    pub owner: Option<String>,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
    /// Whether its material may ever leave.
    pub exportable: Option<bool>,
    /// What holds for every version.
    pub rules: Option<Rules>,
    /// When the first version comes into use; at once by default.
    pub activate_at: Option<UnixSeconds>,
}

impl Engine {
    /// Creates a key with one version.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::NotFound`] for the keyring;
    /// [`Error::Invalid`] for names, rules or uses that cannot be.
    pub async fn create_key(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        spec: NewKeySpec,
    ) -> Result<Arc<KeySnapshot>> {
        let entry = self.enter(caller)?;
        // From here the keyring and its defaults stay as they are, so that
        // policy sees the key that is made.
        let shared = entry.rooms.share_changes().await;
        let found = entry.rooms.places.ring(at.namespace, at.keyring);
        let defaults = found.as_ref().map(|(_, ring)| ring.ring.defaults);
        let defaults = defaults.unwrap_or_default();
        let algorithm = spec.algorithm.unwrap_or(defaults.algorithm);
        let wanted = |spec: &_| target(&entry, at, spec, algorithm, defaults.exportable);
        let allowed = entry.authorize::<CreateKey>(wanted(&spec)).await?;
        let made = async {
            let ring = keyring(&entry, at)?;
            let claim = match entry.once(ring.namespace.0).await? {
                Once::First(claim) => claim,
                Once::Again(id, record) => {
                    return again(&entry, &allowed, at, ring.namespace, id, record).await;
                }
            };
            let (material, shared) = match at_once(&entry.rooms, algorithm)? {
                Some(material) => (material, shared),
                None => {
                    // Whoever changes a policy or a keyring does not wait for
                    // this. So what was found and allowed before may not hold
                    // any more.
                    drop(shared);
                    let material = make(&entry.rooms, algorithm).await?;
                    let shared = entry.rooms.share_changes().await;
                    same_ring(&entry, at, found.as_ref())?;
                    entry.authorize::<CreateKey>(wanted(&spec)).await?;
                    (material, shared)
                }
            };
            let led = check_leader(&entry, &ring, &spec).await?;
            let described = describe(
                &entry,
                &ring,
                at.name,
                spec,
                algorithm,
                Origin::Generated,
                &material,
            )?;
            let described = led_from(&entry, described, led)?;
            let batch = (shared, claim, Vec::new());
            store(&entry, &allowed, at, described, material, batch).await
        };
        let made = made.await;
        entry.failed(&allowed, made).await
    }
}

/// The key that is about to be made, as policy is to see it.
pub(crate) fn target(
    entry: &Entry,
    at: KeyRef<'_>,
    spec: &NewKeySpec,
    algorithm: Algorithm,
    default_exportable: bool,
) -> Target {
    Target::new_key(
        at,
        algorithm.name(),
        &owner(entry, spec),
        spec.exportable.unwrap_or(default_exportable),
        &spec.tags,
    )
}

/// Refuses to go on when the keyring is not as it was found.
pub(crate) fn same_ring(
    entry: &Entry,
    at: KeyRef<'_>,
    found: Option<&(NamespaceId, Arc<Ring>)>,
) -> Result<()> {
    let now = entry.rooms.places.ring(at.namespace, at.keyring);
    let was = |ring: &(NamespaceId, Arc<Ring>)| (ring.1.ring.id, ring.1.revision);
    if now.as_ref().map(was) == found.map(was) {
        Ok(())
    } else {
        Err(Error::Conflict)
    }
}

/// Material that is ready in the stock or soon made.
fn at_once(rooms: &Rooms, algorithm: Algorithm) -> Result<Option<KeyMaterial>> {
    match rooms.stock.take(algorithm) {
        Some(ready) => Ok(Some(ready)),
        None if algorithm.row().slow_to_generate => Ok(None),
        None => Ok(Some(KeyMaterial::generate(algorithm)?)),
    }
}

/// Generates material: slow algorithms from the stock or on the bounded pool.
pub(crate) async fn generate(rooms: &Rooms, algorithm: Algorithm) -> Result<KeyMaterial> {
    match at_once(rooms, algorithm)? {
        Some(material) => Ok(material),
        None => make(rooms, algorithm).await,
    }
}

async fn make(rooms: &Rooms, algorithm: Algorithm) -> Result<KeyMaterial> {
    let made = rooms.making.run(move || KeyMaterial::generate(algorithm));
    Ok(made.await??)
}

/// Whether a new key may rotate with the one that it is to rotate with, and that
/// one's newest version: what comes after it is followed. Nothing rotates with a
/// key that is not there yet: there is no circle.
pub(crate) async fn check_leader(
    entry: &Entry,
    ring: &Keyring,
    spec: &NewKeySpec,
) -> Result<Option<VersionNumber>> {
    let Some(rules) = &spec.rules else {
        return Ok(None);
    };
    let leader = leader::of(entry, ring.namespace, rules, None).await?;
    Ok(leader.and_then(|leader| leader.newest))
}

/// A new key that follows its leader from this version on.
pub(crate) fn led_from(
    entry: &Entry,
    (key, steps): Changed,
    newest: Option<VersionNumber>,
) -> Result<Changed> {
    Ok(match newest {
        Some(newest) => (key.follow(newest, entry.now())?.0, steps),
        None => (key, steps),
    })
}

pub(crate) fn owner(entry: &Entry, spec: &NewKeySpec) -> String {
    spec.owner
        .clone()
        .unwrap_or_else(|| entry.caller.session.principal.id().to_owned())
}

pub(crate) fn keyring(entry: &Entry, at: KeyRef<'_>) -> Result<Keyring> {
    entry
        .rooms
        .places
        .ring(at.namespace, at.keyring)
        .map(|(_, ring)| ring.ring.clone())
        .ok_or(Error::NotFound { what: "keyring" })
}

/// The version that `material` makes.
pub(crate) fn new_version(
    material: &KeyMaterial,
    origin: Origin,
    activate_at: Option<UnixSeconds>,
) -> Result<NewVersion> {
    let public = material.public_key()?;
    Ok(NewVersion {
        activate_at,
        fingerprint: public.as_ref().map(|public| public.fingerprint()),
        public_spki: public.map(|public| public.spki_der().to_vec()),
        origin,
        uses_elsewhere: 0,
    })
}

/// The key that the specification and the keyring's defaults describe.
pub(crate) fn describe(
    entry: &Entry,
    ring: &Keyring,
    name: &str,
    spec: NewKeySpec,
    algorithm: Algorithm,
    origin: Origin,
    material: &KeyMaterial,
) -> Result<Changed> {
    let first = new_version(material, origin, spec.activate_at)?;
    describe_as(
        entry,
        fresh_id(entry)?,
        (ring, name),
        spec,
        algorithm,
        first,
    )
}

/// An identifier for a key. Whoever may read the key sees this beside the time
/// it was made at; it must not tell how much others write.
pub(crate) fn fresh_id(entry: &Entry) -> Result<KeyId> {
    Ok(KeyId(RecordId::at(entry.now_ms)?.0))
}

/// As [`describe`], of a key whose identifier was chosen before its material.
pub(crate) fn describe_as(
    entry: &Entry,
    id: KeyId,
    (ring, name): (&Keyring, &str),
    spec: NewKeySpec,
    algorithm: Algorithm,
    first: NewVersion,
) -> Result<Changed> {
    let owner = owner(entry, &spec);
    let uses = spec
        .uses
        .unwrap_or_else(|| ring.defaults.uses_for(algorithm));
    skms_crypto::fips::ensure_uses(algorithm, uses)?;
    Ok(Key::create(
        NewKey {
            id,
            namespace: ring.namespace,
            keyring: ring.id,
            name: Name::new(name)?,
            algorithm,
            uses,
            owner,
            tags: spec.tags,
            exportable: spec.exportable.unwrap_or(ring.defaults.exportable),
            rules: spec.rules.unwrap_or(ring.defaults.rules),
            first,
        },
        entry.now(),
    )?)
}

/// The change that stores a version's material.
pub(crate) fn put_material(
    rooms: &Rooms,
    key: &Key,
    version: VersionNumber,
    material: &KeyMaterial,
) -> Result<Change> {
    rooms.withdrawn.admits(material.algorithm())?;
    Ok(Change::Put {
        namespace: key.namespace.0,
        kind: Kind::Material,
        id: rooms.store.next_id()?,
        name: Some(material_name(key.id, version)),
        expected: None,
        plaintext: material.to_record(),
    })
}

/// The key that an earlier request under the same idempotency key made, as it
/// was then.
pub(crate) async fn again<A: Act>(
    entry: &Entry,
    allowed: &Authorized<A, Target>,
    at: KeyRef<'_>,
    namespace: NamespaceId,
    id: RecordId,
    record: KeyRecord,
) -> Result<Arc<KeySnapshot>> {
    let key = record.into_domain(id, namespace)?;
    entry.record_again(allowed, id).await?;
    let (namespace, keyring) = (Arc::from(at.namespace), Arc::from(at.keyring));
    Ok(Arc::new(KeySnapshot::new(key, 1, namespace, keyring, None)))
}

/// Commits a new key with its material and takes it into memory. `shared` is
/// the lock that keeps the keyring where it is meanwhile, `also` what goes into
/// the batch besides.
pub(crate) async fn store<A: Act>(
    entry: &Entry,
    allowed: &Authorized<A, Target>,
    at: KeyRef<'_>,
    described: Changed,
    material: KeyMaterial,
    batch: (impl Send + 'static, Claim, Vec<Change>),
) -> Result<Arc<KeySnapshot>> {
    let event = EventDraft::of(entry, allowed, Outcome::Success)?;
    store_as(entry, event, at, described, material, batch).await
}

/// As [`store`], with the event that the caller has begun.
pub(crate) async fn store_as(
    entry: &Entry,
    event: EventDraft,
    at: KeyRef<'_>,
    (key, transitions): Changed,
    material: KeyMaterial,
    (shared, claim, also): (impl Send + 'static, Claim, Vec<Change>),
) -> Result<Arc<KeySnapshot>> {
    let room = quotas::room_for_key(&entry.rooms, at, &key).await?;
    let mut changes = vec![
        put_key(&key, None)?,
        put_material(&entry.rooms, &key, VersionNumber::FIRST, &material)?,
    ];
    // What it comes from cannot become compromised unnoticed in between.
    let tie = match descent::how(key.newest()?) {
        Some((parent, how)) => {
            let descent = (parent, descent::first(&key), how);
            let tie = (entry.rooms.lineage).tie(&entry.rooms, key.namespace.0, descent);
            Some(tie.await?)
        }
        None => None,
    };
    let (tied, tie) = tie.map_or_else(Default::default, |tie| (tie.changes, Some(tie.above)));
    changes.extend(tied);
    changes.extend(also);
    changes.extend(claim.remember(RecordId(key.id.0), &KeyRecord::from(&key))?);
    drop(material);
    let event = event.key(&key).transitions(&transitions).finish();
    let (namespace, keyring): (Arc<str>, Arc<str>) =
        (Arc::from(at.namespace), Arc::from(at.keyring));
    let rooms = Arc::clone(&entry.rooms);
    let seen = rooms.keys.seen(at);
    to_the_end(async move {
        let committed = rooms.recorder.commit(changes, &event, false).await;
        if let Some(room) = room {
            room.settle(&committed);
        }
        let committed = match committed {
            Err(Error::Conflict) => {
                if let Some(tie) = &tie {
                    tie.check(&rooms).await?;
                }
                return Err(Error::Exists {
                    what: "a key of that name",
                });
            }
            other => other?,
        };
        drop((shared, claim));
        let revision = committed.revisions.first().copied().unwrap_or(1);
        let snapshot = KeySnapshot::new(key, revision, namespace, keyring, None);
        rooms.recorder.settle(committed).await?;
        rooms.lineage.attach(&rooms, &snapshot).await?;
        let cell = rooms
            .keys
            .insert(&rooms, KeyCell::new(snapshot), seen)
            .await?;
        let made = cell.snapshot();
        rooms.agenda.note(made.key(), rooms.clock.now());
        rooms.weak.made(&made);
        Ok(made)
    })
    .await
}
