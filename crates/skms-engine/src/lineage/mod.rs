//! What depends on what, for whoever uses a key: a version of a key that was
//! derived from, agreed on by, unwrapped by or wrapped under versions of others
//! is refused as soon as one of those is compromised, and before anybody gets
//! round to marking it.
//!
//! For each version that something in memory depends on there is one node. It
//! is the same gate that a version's own uses go through ([`Live`]): a use of a
//! dependent enters every node above it, a compromise closes the node of the
//! version and waits until all that entered before have left. So there is no
//! third case here either.
//!
//! A node is in the map before its record is read, and a compromise is committed
//! before its node is looked up. So whoever opens a dependent reads the
//! compromise, or is found by it.

pub(crate) mod descent;
pub(crate) mod handed;
pub(crate) mod remnant;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use skms_keys::{
    InFlight, Key, Live, OperationClass, Taint, UnixSeconds, Version, VersionPermits, VersionRef,
    Window,
};
use skms_store::{Kind, RecordId};

use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::opened::KeySnapshot;
use crate::records;
use crate::records::key::KeyRecord;

/// How many nodes there may be before those that nobody holds are let go of.
const SWEEP_AT: usize = 1024;

/// How many steps lead up from a version, at most: every use of it takes them
/// all. With more it is refused, since nobody could watch over all of that.
const STEPS_MAX: usize = 1024;

/// How many versions, at most, one above the other: each is a call within the
/// call for the one before.
const HEIGHT_MAX: usize = 64;

/// What a new tie leaves above the version that is tied, at most.
const ABOVE_MAX: usize = 256;

/// The nodes that somebody in memory holds.
#[derive(Default)]
pub(crate) struct Lineage(Mutex<Nodes>);

#[derive(Default)]
struct Nodes {
    by_version: HashMap<VersionRef, Weak<Node>>,
    /// Swept when it is this large.
    sweep_at: usize,
}

/// A version that others depend on, or that depends on others.
pub(crate) struct Node {
    of: VersionRef,
    /// For what depends on it by itself.
    live: Arc<Live>,
    /// For what depends on that, and so on: open where a compromise is not to
    /// reach so far.
    beyond: Arc<Live>,
    above: ArcSwap<Above>,
    /// Held while `above` is replaced.
    replacing: Mutex<()>,
}

/// What a version depends on, as its key's record says at a revision.
struct Above {
    /// 0 before the record was read.
    revision: u64,
    parents: Vec<Arc<Node>>,
    /// What does not count against it.
    spared: Vec<VersionRef>,
}

/// A use of a version that is registered with everything the version depends
/// on.
pub(crate) struct Entered {
    node: Arc<Node>,
    held: Vec<InFlight<Arc<Live>>>,
}

/// Why a version is not to be used for what it depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barred {
    /// This one is compromised.
    By(VersionRef),
    /// The record of this one was not read yet.
    Unread,
    /// It depends on more than can be looked at with every use.
    TooMuch,
}

impl From<Barred> for Error {
    fn from(barred: Barred) -> Self {
        match barred {
            Barred::By(ancestor) => Self::AncestorCompromised {
                key: ancestor.key.to_string(),
                version: ancestor.version.0,
            },
            Barred::Unread => Self::Busy,
            Barred::TooMuch => Self::KeyForbids(
                "it depends on more keys, or on a longer row of keys, than can be watched over"
                    .to_owned(),
            ),
        }
    }
}

impl Node {
    fn new(of: VersionRef) -> Self {
        let open = VersionPermits {
            protect: Window::OPEN,
            process: Window::OPEN,
        };
        Self {
            of,
            live: Arc::new(Live::new(&open)),
            beyond: Arc::new(Live::new(&open)),
            above: ArcSwap::from_pointee(Above {
                revision: 0,
                parents: Vec::new(),
                spared: Vec::new(),
            }),
            replacing: Mutex::new(()),
        }
    }

    /// The version.
    pub(crate) const fn of(&self) -> VersionRef {
        self.of
    }

    /// Whether it depends on anything.
    pub(crate) fn depends(&self) -> bool {
        !self.above.load().parents.is_empty()
    }

    /// Begins a use of the version with everything above it.
    pub(crate) fn enter(
        self: &Arc<Self>,
        class: OperationClass,
        now: UnixSeconds,
    ) -> std::result::Result<Entered, Barred> {
        let mut held = Vec::new();
        self.visit(&mut |node, far| {
            let entered = node.gate(far).enter_shared(class, now);
            held.push(entered.ok_or(Barred::By(node.of))?);
            Ok(())
        })?;
        Ok(Entered {
            node: Arc::clone(self),
            held,
        })
    }

    /// What is above it and counts, each once.
    ///
    /// # Errors
    /// [`Barred::TooMuch`]; [`Barred::Unread`].
    pub(crate) fn ancestors(&self) -> std::result::Result<Vec<VersionRef>, Barred> {
        let mut all = Vec::new();
        self.visit(&mut |node, far| {
            let spares = far && node.is_closed(false) && !node.is_closed(true);
            if !spares && !all.contains(&node.of) {
                all.push(node.of);
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// Whether a version that is tied to it could still be used.
    fn bears(&self, child: VersionRef) -> std::result::Result<(), Barred> {
        let mut path = Path {
            on: vec![child],
            ..Path::default()
        };
        self.climb(&mut path, &mut |_, _| Ok(()))
    }

    /// Those above it that are compromised and count.
    ///
    /// # Errors
    /// As for [`Self::ancestors`].
    pub(crate) fn tainted_ancestors(&self) -> std::result::Result<Vec<VersionRef>, Barred> {
        let mut all = Vec::new();
        self.visit(&mut |node, far| {
            if node.is_closed(far) && !all.contains(&node.of) {
                all.push(node.of);
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// What lets in those that depend on it: by others, where they are far.
    const fn gate(&self, far: bool) -> &Arc<Live> {
        match far {
            true => &self.beyond,
            false => &self.live,
        }
    }

    fn is_closed(&self, far: bool) -> bool {
        !self.gate(far).allows(OperationClass::Process)
    }

    /// Waits until no use is in flight of anything that depends on it, if it is
    /// compromised.
    pub(crate) async fn drain(&self) {
        self.live.drain().await;
        self.beyond.drain().await;
    }

    fn visit(
        &self,
        take: &mut impl FnMut(&Arc<Self>, bool) -> std::result::Result<(), Barred>,
    ) -> std::result::Result<(), Barred> {
        let mut path = Path::default();
        self.climb(&mut path, take)
    }

    fn climb(
        &self,
        path: &mut Path,
        take: &mut impl FnMut(&Arc<Self>, bool) -> std::result::Result<(), Barred>,
    ) -> std::result::Result<(), Barred> {
        let above = self.above.load();
        if above.revision == 0 {
            return Err(Barred::Unread);
        }
        let (spared, on) = (path.spared.len(), path.on.len());
        if on >= HEIGHT_MAX {
            return Err(Barred::TooMuch);
        }
        path.spared.extend_from_slice(&above.spared);
        path.on.push(self.of);
        for parent in &above.parents {
            if path.spared.contains(&parent.of) || path.skips(parent.of, on > 0) {
                continue;
            }
            path.steps += 1;
            if path.steps > STEPS_MAX {
                return Err(Barred::TooMuch);
            }
            take(parent, on > 0)?;
            parent.climb(path, take)?;
        }
        path.spared.truncate(spared);
        path.on.truncate(on);
        Ok(())
    }

    /// Takes over what the key's record says, unless a newer one was.
    fn learn(&self, revision: u64, version: &Version, parents: Vec<Arc<Self>>) {
        let _one = self
            .replacing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.above.load().revision < revision {
            self.above.store(Arc::new(Above {
                revision,
                parents,
                spared: version.spared_from.clone(),
            }));
        }
        if version.taints() {
            self.close(version.taint);
        }
    }

    /// A version whose record is gone: above it is what was kept of that.
    fn learn_gone(&self, taint: Option<Taint>, parents: Vec<Arc<Self>>, spared: Vec<VersionRef>) {
        let _one = self
            .replacing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.above.load().revision == 0 {
            self.above.store(Arc::new(Above {
                revision: 1,
                parents,
                spared,
            }));
        }
        if let Some(taint) = taint {
            self.close(taint);
        }
    }

    fn close(&self, taint: Taint) {
        if taint >= Taint::Direct {
            self.live.flip(&VersionPermits::NONE);
        }
        if taint == Taint::All {
            self.beyond.flip(&VersionPermits::NONE);
        }
    }
}

/// How one came to a node: what does not count on the way, and where one has
/// been. Keys can be wrapped by each other, so that ways may lead back.
#[derive(Default)]
struct Path {
    spared: Vec<VersionRef>,
    on: Vec<VersionRef>,
    /// Visited with nothing spared: all above it was taken.
    whole: Vec<(VersionRef, bool)>,
    /// How many were taken, some of them by several ways.
    steps: usize,
}

impl Path {
    fn skips(&mut self, of: VersionRef, far: bool) -> bool {
        if self.on.contains(&of) || self.whole.contains(&(of, far)) {
            return true;
        }
        if self.spared.is_empty() {
            self.whole.push((of, far));
        }
        false
    }
}

impl Entered {
    /// What the version depends on that was compromised since, or came to be
    /// something that it depends on and is; if so.
    pub(crate) fn barred(&self) -> Option<Barred> {
        let mut found = None;
        let looked = self.node.visit(&mut |node, far| {
            if node.is_closed(far) {
                found = Some(Barred::By(node.of));
            }
            Ok(())
        });
        let gone = self.held.iter().any(|one| !one.still_live());
        found
            .or(looked.err())
            .or_else(|| gone.then_some(Barred::Unread))
    }
}

impl Lineage {
    fn lock(&self) -> std::sync::MutexGuard<'_, Nodes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node of a version, whether its record was read or not.
    fn get(&self, of: VersionRef) -> Arc<Node> {
        let mut nodes = self.lock();
        if let Some(node) = nodes.by_version.get(&of).and_then(Weak::upgrade) {
            return node;
        }
        if nodes.by_version.len() >= nodes.sweep_at.max(SWEEP_AT) {
            nodes.by_version.retain(|_, node| node.strong_count() > 0);
            nodes.sweep_at = 2 * nodes.by_version.len();
        }
        let node = Arc::new(Node::new(of));
        nodes.by_version.insert(of, Arc::downgrade(&node));
        node
    }

    /// What is above a version that is about to be tied to `parent`, by that.
    ///
    /// # Errors
    /// [`Barred::TooMuch`] where it could not be used any more.
    fn above(
        &self,
        parent: &Node,
        child: VersionRef,
    ) -> std::result::Result<Vec<VersionRef>, Barred> {
        parent.bears(child)?;
        let above = parent.ancestors()?;
        let before = match self.known(child) {
            Some(node) => node.ancestors()?,
            // It depends on nothing, or is not there yet.
            None => Vec::new(),
        };
        let new = above.iter().filter(|one| !before.contains(one)).count();
        match before.len() + new < ABOVE_MAX {
            true => Ok(above),
            false => Err(Barred::TooMuch),
        }
    }

    fn known(&self, of: VersionRef) -> Option<Arc<Node>> {
        self.lock().by_version.get(&of).and_then(Weak::upgrade)
    }

    /// The node of a version, with everything above it read.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn node(
        &self,
        rooms: &Rooms,
        namespace: [u8; 16],
        of: VersionRef,
    ) -> Result<Arc<Node>> {
        let first = self.get(of);
        let mut open = vec![Arc::clone(&first)];
        let mut seen = HashSet::new();
        while let Some(node) = open.pop() {
            if !seen.insert(node.of) {
                continue;
            }
            if seen.len() > STEPS_MAX {
                // What stays unread lets nobody in.
                break;
            }
            if node.above.load().revision == 0 {
                self.read(rooms, namespace, &node).await?;
            }
            // Somebody else may have read it and be about to read those above.
            open.extend(node.above.load().parents.iter().cloned());
        }
        Ok(first)
    }

    async fn read(&self, rooms: &Rooms, namespace: [u8; 16], node: &Node) -> Result<()> {
        let id = RecordId(node.of.key.0);
        let stored = rooms.store.get(namespace, Kind::Key, id).await?;
        let Some(stored) = stored else {
            let taint = descent::taint(rooms, namespace, node.of).await?;
            let left = remnant::read(rooms, namespace, node.of).await?;
            let parents = left.parents.iter();
            let parents = parents.map(|(parent, _)| self.get(*parent)).collect();
            node.learn_gone(taint, parents, left.spared);
            return Ok(());
        };
        let record: KeyRecord = records::decode(stored.plaintext.expose())?;
        let key = record.into_domain(id, skms_keys::NamespaceId(namespace))?;
        let version = key.version(node.of.version)?;
        let parents = version.parents().map(|parent| self.get(parent)).collect();
        node.learn(stored.revision, version, parents);
        Ok(())
    }

    /// Brings a key that comes into memory together with what its versions
    /// depend on.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn attach(&self, rooms: &Rooms, snapshot: &KeySnapshot) -> Result<()> {
        let key = snapshot.key();
        self.note(key, snapshot.revision());
        for version in &key.versions {
            if version.parents().next().is_none() {
                continue;
            }
            let of = VersionRef {
                key: key.id,
                version: version.number,
            };
            let node = self.node(rooms, key.namespace.0, of).await?;
            snapshot.depends(version.number, node);
        }
        Ok(())
    }

    /// Takes over what a key's record says of its versions, those that nobody
    /// depends on and that depend on nothing aside. Closes those that are
    /// compromised. Gives all of them, and whether they are.
    pub(crate) fn note(&self, key: &Key, revision: u64) -> Vec<(Arc<Node>, bool)> {
        let mut noted = Vec::new();
        for version in &key.versions {
            let of = VersionRef {
                key: key.id,
                version: version.number,
            };
            let depends = version.parents().next().is_some();
            let node = match depends {
                true => Some(self.get(of)),
                false => self.known(of),
            };
            let Some(node) = node else { continue };
            let parents = version.parents().map(|parent| self.get(parent)).collect();
            node.learn(revision, version, parents);
            noted.push((node, version.taints()));
        }
        noted
    }
}

#[cfg(test)]
mod tests {
    use skms_keys::{KeyId, VersionNumber};

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(0);

    fn of(name: u8) -> VersionRef {
        VersionRef {
            key: KeyId([name; 16]),
            version: VersionNumber::FIRST,
        }
    }

    fn put(lineage: &Lineage, name: u8, parents: &[u8], spared: &[u8]) -> Arc<Node> {
        let node = lineage.get(of(name));
        let parents = parents.iter().map(|one| lineage.get(of(*one))).collect();
        node.above.store(Arc::new(Above {
            revision: 1,
            parents,
            spared: spared.iter().map(|one| of(*one)).collect(),
        }));
        node
    }

    fn barred(node: &Arc<Node>) -> Option<Barred> {
        node.enter(OperationClass::Process, NOW).err()
    }

    #[test]
    fn a_use_is_refused_for_anything_above_and_nothing_beside() {
        let lineage = Lineage::default();
        let root = put(&lineage, 1, &[], &[]);
        let beside = put(&lineage, 2, &[], &[]);
        let middle = put(&lineage, 3, &[1], &[]);
        let leaf = put(&lineage, 4, &[3, 2], &[]);
        let entered = leaf.enter(OperationClass::Protect, NOW).unwrap();
        assert_eq!(entered.barred(), None);
        assert_eq!(leaf.ancestors().unwrap().len(), 3);
        root.close(Taint::All);
        assert_eq!(entered.barred(), Some(Barred::By(of(1))));
        assert!(!root.beyond.drained());
        drop(entered);
        assert!(root.beyond.drained());
        assert_eq!(barred(&leaf), Some(Barred::By(of(1))));
        assert_eq!(barred(&middle), Some(Barred::By(of(1))));
        assert_eq!(barred(&beside), None);
        assert_eq!(barred(&root), None);
    }

    #[test]
    fn a_compromise_that_reaches_one_step_lets_the_others_be() {
        let lineage = Lineage::default();
        let root = put(&lineage, 1, &[], &[]);
        let middle = put(&lineage, 2, &[1], &[]);
        let leaf = put(&lineage, 3, &[2], &[]);
        let both = put(&lineage, 4, &[2, 1], &[]);
        root.close(Taint::Direct);
        assert_eq!(barred(&middle), Some(Barred::By(of(1))));
        assert_eq!(barred(&leaf), None);
        assert_eq!(barred(&both), Some(Barred::By(of(1))));
        assert_eq!(leaf.ancestors().unwrap(), [of(2)]);
        root.close(Taint::All);
        assert_eq!(barred(&leaf), Some(Barred::By(of(1))));
    }

    #[test]
    fn what_came_to_be_above_counts_for_a_use_under_way() {
        let lineage = Lineage::default();
        let wrapper = put(&lineage, 1, &[], &[]);
        let middle = put(&lineage, 2, &[], &[]);
        let leaf = put(&lineage, 3, &[2], &[]);
        let entered = leaf.enter(OperationClass::Process, NOW).unwrap();
        let _middle = (middle, put(&lineage, 2, &[1], &[]));
        assert_eq!(entered.barred(), None);
        wrapper.close(Taint::All);
        assert!(entered.barred().is_some());
        assert_eq!(barred(&leaf), Some(Barred::By(of(1))));
    }

    #[test]
    fn what_is_spared_counts_by_no_way_through_it_and_by_others() {
        let lineage = Lineage::default();
        let root = put(&lineage, 1, &[], &[]);
        let spared = put(&lineage, 2, &[1], &[1]);
        let below = put(&lineage, 3, &[2], &[]);
        let both = put(&lineage, 4, &[2, 1], &[]);
        root.close(Taint::All);
        assert_eq!(barred(&spared), None);
        assert_eq!(barred(&below), None);
        assert_eq!(barred(&both), Some(Barred::By(of(1))));
        assert_eq!(both.tainted_ancestors().unwrap(), [of(1)]);
    }

    #[test]
    fn keys_that_wrapped_each_other_end_the_walk() {
        let lineage = Lineage::default();
        let one = put(&lineage, 1, &[2], &[]);
        let other = put(&lineage, 2, &[1], &[]);
        assert_eq!(barred(&one), None);
        other.close(Taint::All);
        assert_eq!(barred(&one), Some(Barred::By(of(2))));
        assert_eq!(barred(&other), None);
    }

    #[test]
    fn a_row_that_is_too_long_or_too_wide_lets_nobody_in() {
        let lineage = Lineage::default();
        let name = |at: u16| VersionRef {
            key: KeyId(std::array::from_fn(|byte| match byte {
                0 => at.to_be_bytes()[0],
                1 => at.to_be_bytes()[1],
                _ => 0,
            })),
            version: VersionNumber::FIRST,
        };
        let put = |at: u16, parents: &[u16]| {
            let node = lineage.get(name(at));
            let parents = parents.iter().map(|one| lineage.get(name(*one))).collect();
            node.above.store(Arc::new(Above {
                revision: 1,
                parents,
                spared: Vec::new(),
            }));
            node
        };
        // One above the other.
        let mut row = vec![put(0, &[])];
        row.extend((1..1_000).map(|at| put(at, &[at - 1])));
        assert_eq!(barred(&row[HEIGHT_MAX - 1]), None);
        assert_eq!(barred(&row[999]), Some(Barred::TooMuch));
        assert_eq!(row[999].ancestors(), Err(Barred::TooMuch));
        // Diamonds, one upon the other: many more ways than versions, and as
        // something is spared none is left out.
        let lineage = Lineage::default();
        let mut tower = vec![self::put(&lineage, 0, &[], &[])];
        for at in 0..20 {
            let (left, right, top) = (at * 3 + 1, at * 3 + 2, at * 3 + 3);
            tower.push(self::put(&lineage, left, &[at * 3], &[250]));
            tower.push(self::put(&lineage, right, &[at * 3], &[250]));
            tower.push(self::put(&lineage, top, &[left, right], &[250]));
        }
        assert_eq!(barred(&tower[60]), Some(Barred::TooMuch));
    }

    #[test]
    fn what_was_not_read_lets_nobody_in() {
        let lineage = Lineage::default();
        let leaf = put(&lineage, 1, &[2], &[]);
        assert_eq!(barred(&leaf), Some(Barred::Unread));
    }
}
