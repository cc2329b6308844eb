//! What a key depends on and what depends on it, as a graph: keys above and
//! below, and what stands on each of them.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use skms_crypto::hash::sha256;
use skms_evidence::Outcome;
use skms_keys::{Key, KeyId, NamespaceId, Version, VersionNumber, VersionRef};
use skms_pki::Certificate;
use skms_pki::issue::ProfileKind;
use skms_store::{Kind, RecordId};

use crate::act::act;
use crate::acts::authorities::unreadable;
use crate::acts::ssh::Issued;
use crate::authority::issuing::key_name;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::Result;
use crate::gate::{Entry, KeyRef};
use crate::lineage::descent::{self, How};
use crate::lineage::remnant;
use crate::places;
use crate::records;
use crate::records::authority::SigningKeyRecord;
use crate::records::certificate::{CertificateRecord, CertifiedKeyRecord, serial_name};
use crate::records::group::HolderRecord;
use crate::records::key::KeyRecord;
use crate::records::token::TokenRecord;
use crate::sessions::certified::named;
use crate::sessions::hex;

mod others;

act!(
    Lineage,
    KeyLineage,
    "Reads what a key depends on and what depends on it."
);

/// The most nodes that a graph has; what is beyond is counted.
pub const MAX_NODES: usize = 500;
/// Descents that one step reads.
const STEP: usize = 256;
/// The root key's node: every record of a key is sealed under it.
const SEAL: &str = "root";

/// A thing in the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Unique in the graph.
    pub id: String,
    /// What it is: `root`, `key`, `certificate`, `authority`, `ssh-authority`,
    /// `ssh-certificate`, `tsa`, `principal`, `token`, `group`, `recipient`,
    /// `exchange`, `more`.
    pub kind: &'static str,
    /// What it is called.
    pub name: String,
    /// The version of a key.
    pub version: Option<u32>,
    /// Its state, of a key.
    pub state: Option<&'static str>,
    /// How many it stands for, where it stands for more than one.
    pub count: Option<u64>,
}

/// That one depends on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// What is depended on.
    pub from: String,
    /// What depends on it.
    pub to: String,
    /// In what way: `seals`, `derived`, `agreed`, `unwrapped`, `wrapped`,
    /// `certifies`, `issued`, `stands-on`, `signs-in`, `made-by`, `shares`,
    /// `given`, `data-keys`, `derived-bytes`, `unwrapped-bytes`, `material`,
    /// `waits`, `more`.
    pub how: &'static str,
}

/// The graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Its nodes: those above first, then the key's own, then those below.
    pub nodes: Vec<Node>,
    /// Its edges.
    pub edges: Vec<Edge>,
    /// The nodes of the key that was asked for.
    pub of: Vec<String>,
    /// Whether there is more than the nodes say.
    pub truncated: bool,
}

impl Engine {
    /// The lineage of a key: at most `nodes` nodes, [`MAX_NODES`] at most.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] for an absent key and one not visible.
    pub async fn key_lineage(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        nodes: usize,
    ) -> Result<Graph> {
        let entry = self.enter(caller)?;
        let named = entry.named(at).await?;
        let at = named.as_ref().map_or(at, |named| named.at(at));
        let allowed = entry.authorize_key::<Lineage>(at).await?;
        let snapshot = allowed.target().snapshot();
        let mut drawing = Drawing {
            entry: &entry,
            namespace: at.namespace,
            scope: snapshot.key().namespace.0,
            most: nodes.clamp(1, MAX_NODES),
            graph: Graph::default(),
            known: HashSet::new(),
            rings: rings(&entry, at.namespace),
            ssh: None,
            certified: HashMap::new(),
            principals: BTreeSet::new(),
        };
        let drawn = drawing.draw(snapshot.key()).await;
        entry.failed_key(&allowed, drawn).await?;
        let graph = drawing.graph;
        entry
            .record(EventDraft::of_key(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(graph)
    }
}

fn rings(entry: &Entry, namespace: &str) -> HashMap<skms_keys::KeyringId, String> {
    let place = entry.rooms.places.namespace(namespace);
    let rings = place.iter().flat_map(|place| place.keyrings.values());
    rings
        .map(|ring| (ring.ring.id, ring.ring.name.as_str().to_owned()))
        .collect()
}

struct Drawing<'a> {
    entry: &'a Entry,
    namespace: &'a str,
    scope: [u8; 16],
    most: usize,
    graph: Graph,
    known: HashSet<String>,
    rings: HashMap<skms_keys::KeyringId, String>,
    /// The SSH certificates of the namespace, once they are asked for.
    ssh: Option<Vec<Issued>>,
    /// Certificates that are in the graph, by SHA-256 in hex.
    certified: HashMap<String, String>,
    /// Those in the graph whose tokens are looked for, all at once.
    principals: BTreeSet<String>,
}

impl Drawing<'_> {
    async fn draw(&mut self, key: &Key) -> Result<()> {
        let own: Vec<_> = (key.versions.iter())
            .map(|version| VersionRef {
                key: key.id,
                version: version.number,
            })
            .collect();
        self.graph.of = own.iter().map(VersionRef::to_string).collect();
        self.above(key).await?;
        let mut keys = vec![key.clone()];
        keys.extend(self.below(own).await?);
        for key in &keys {
            for version in &key.versions {
                self.stands_on(key, version).await?;
            }
            self.shared(key)?;
            self.handed(key).await?;
        }
        self.tokens().await?;
        self.holders(&keys).await?;
        self.exchanges(&keys).await
    }

    fn add(&mut self, node: Node) -> bool {
        if self.known.contains(&node.id) {
            return true;
        }
        if self.graph.nodes.len() >= self.most {
            self.graph.truncated = true;
            return false;
        }
        self.known.insert(node.id.clone());
        self.graph.nodes.push(node);
        true
    }

    fn tie(&mut self, from: &str, to: &str, how: &'static str) {
        let edge = Edge {
            from: from.to_owned(),
            to: to.to_owned(),
            how,
        };
        if !self.graph.edges.contains(&edge) {
            self.graph.edges.push(edge);
        }
    }

    async fn read(&self, id: KeyId) -> Result<Option<Key>> {
        let record_id = RecordId(id.0);
        let stored = self.entry.rooms.store.get(self.scope, Kind::Key, record_id);
        let Some(stored) = stored.await? else {
            return Ok(None);
        };
        let record: KeyRecord = records::decode(stored.plaintext.expose())?;
        Ok(Some(
            record.into_domain(record_id, NamespaceId(self.scope))?,
        ))
    }

    fn key_node(&mut self, of: VersionRef, key: Option<&Key>) -> bool {
        let version = key.and_then(|key| key.version(of.version).ok());
        let node = Node {
            id: of.to_string(),
            kind: "key",
            name: match key {
                Some(key) => {
                    let ring = self.rings.get(&key.keyring).map_or("", String::as_str);
                    format!("{ring}/{}", key.name.as_str())
                }
                None => format!("{} (deleted)", of.key),
            },
            version: Some(of.version.0),
            state: version.map(|version| version.state.name()),
            count: None,
        };
        self.add(node)
    }

    /// What the key depends on, up to the root key.
    async fn above(&mut self, key: &Key) -> Result<()> {
        self.add(Node {
            id: SEAL.to_owned(),
            kind: "root",
            name: "root key, behind the seals".to_owned(),
            version: None,
            state: None,
            count: None,
        });
        let mut open: VecDeque<(VersionRef, Option<Key>)> = (key.versions.iter())
            .map(|version| {
                let of = VersionRef {
                    key: key.id,
                    version: version.number,
                };
                (of, Some(key.clone()))
            })
            .collect();
        let mut seen: HashSet<VersionRef> = open.iter().map(|(of, _)| *of).collect();
        while let Some((of, key)) = open.pop_front() {
            if !self.key_node(of, key.as_ref()) {
                return Ok(());
            }
            let parents = self.parents(of, key.as_ref()).await?;
            if parents.is_empty() && key.is_some() {
                self.tie(SEAL, &of.to_string(), "seals");
            }
            for (parent, how) in parents {
                let above = self.read(parent.key).await?;
                if !self.key_node(parent, above.as_ref()) {
                    return Ok(());
                }
                self.tie(&parent.to_string(), &of.to_string(), how.word());
                if seen.insert(parent) {
                    open.push_back((parent, above));
                }
            }
        }
        Ok(())
    }

    /// What a version depends on by itself; where its key was deleted, what is
    /// left of that.
    async fn parents(&self, of: VersionRef, key: Option<&Key>) -> Result<Vec<(VersionRef, How)>> {
        let Some(key) = key else {
            let left = remnant::read(&self.entry.rooms, self.scope, of).await?;
            return Ok(left.parents);
        };
        let version = key.version(of.version)?;
        let how = |parent| (parent, descent::how_on(version, parent));
        Ok(version.parents().map(how).collect())
    }

    /// What depends on versions, and on those.
    async fn below(&mut self, roots: Vec<VersionRef>) -> Result<Vec<Key>> {
        let mut keys: Vec<Key> = Vec::new();
        let mut seen: HashSet<VersionRef> = roots.iter().copied().collect();
        let mut open: VecDeque<VersionRef> = roots.into();
        while let Some(parent) = open.pop_front() {
            let (mut after, mut more) = (None, 0_u64);
            loop {
                let step = descent::below(&self.entry.rooms, self.scope, parent, after, STEP);
                let (found, next) = step.await?;
                for one in found {
                    let child = one.child;
                    let full = self.graph.nodes.len() + 1 >= self.most;
                    if full && !self.known.contains(&child.to_string()) {
                        more += 1;
                        continue;
                    }
                    let key = self.read(child.key).await?;
                    self.key_node(child, key.as_ref());
                    self.tie(&parent.to_string(), &child.to_string(), one.how.word());
                    if seen.insert(child) {
                        open.push_back(child);
                        let new = |key: &Key| keys.iter().all(|other| other.id != key.id);
                        keys.extend(key.filter(new));
                    }
                }
                after = next;
                if after.is_none() {
                    break;
                }
            }
            if more > 0 {
                self.more(&parent.to_string(), more);
            }
        }
        Ok(keys)
    }

    /// Stands for those below a node that have no place.
    fn more(&mut self, parent: &str, count: u64) {
        self.graph.truncated = true;
        let id = format!("{parent}/more");
        self.graph.nodes.push(Node {
            id: id.clone(),
            kind: "more",
            name: format!("{count} more"),
            version: None,
            state: None,
            count: Some(count),
        });
        self.tie(parent, &id, "more");
    }

    fn thing(
        &mut self,
        kind: &'static str,
        id: &str,
        name: String,
        under: &str,
        how: &'static str,
    ) {
        let id = format!("{kind}/{id}");
        let node = Node {
            id: id.clone(),
            kind,
            name,
            version: None,
            state: None,
            count: None,
        };
        if self.add(node) {
            self.tie(under, &id, how);
        }
    }

    /// Certificates and authorities on a version.
    async fn stands_on(&mut self, key: &Key, version: &Version) -> Result<()> {
        let under = VersionRef {
            key: key.id,
            version: version.number,
        };
        let under = under.to_string();
        if !self.known.contains(&under) {
            return Ok(());
        }
        if let Some(spki) = &version.public_spki {
            self.certificates(spki, &under).await?;
            self.ssh_certificates(spki, &under).await?;
        }
        let rooms = Arc::clone(&self.entry.rooms);
        let id = key.id.to_string();
        let meant =
            |of: &SigningKeyRecord| of.id == id && VersionNumber(of.version) == version.number;
        for authority in rooms.authorities.of(self.namespace) {
            if authority.issuers.iter().any(|issuer| meant(&issuer.key)) {
                let name = authority.record.name.clone();
                self.thing("authority", &authority.id_text(), name, &under, "stands-on");
            }
        }
        for authority in rooms.ssh.of(self.namespace) {
            if meant(&authority.record.key) {
                let name = authority.record.name.clone();
                self.thing(
                    "ssh-authority",
                    &authority.id_text(),
                    name,
                    &under,
                    "stands-on",
                );
                self.issued_by(&authority.id_text()).await?;
            }
        }
        if let Some(tsa) = rooms.tsas.on_key(self.namespace, &id)
            && version.number == key.newest()?.number
        {
            let name = tsa.record.name.clone();
            self.thing("tsa", &tsa.id.to_string(), name, &under, "stands-on");
        }
        Ok(())
    }

    async fn certificates(&mut self, spki: &[u8], under: &str) -> Result<()> {
        let rooms = Arc::clone(&self.entry.rooms);
        let name = key_name(spki);
        let found = rooms
            .store
            .find(self.scope, Kind::CertifiedKey, &name)
            .await?;
        let Some(stored) = found else {
            return Ok(());
        };
        let known: CertifiedKeyRecord = records::decode(stored.plaintext.expose())?;
        for one in known.certificates {
            if self.is_full() {
                self.graph.truncated = true;
                break;
            }
            let id = format!("{}/{}", one.authority, one.serial);
            let by = rooms.authorities.by_id(self.namespace, &one.authority);
            let by = by.map_or_else(|| "?".to_owned(), |by| by.record.name.clone());
            let name = format!("{by}: {}", one.serial);
            self.thing("certificate", &id, name, under, "certifies");
            let name = serial_name(&one.authority, one.issuer, &one.serial);
            let Some(stored) = rooms
                .store
                .find(self.scope, Kind::Certificate, &name)
                .await?
            else {
                continue;
            };
            let record: CertificateRecord = records::decode(stored.plaintext.expose())?;
            let digest = hex(&sha256(&[&record.certificate.0]));
            self.certified.insert(digest, format!("certificate/{id}"));
            if record.profile != ProfileKind::Principal.name() {
                continue;
            }
            let read = Certificate::from_der(&record.certificate.0).map_err(unreadable)?;
            let Some(principal) = named(&read, self.namespace).map(str::to_owned) else {
                continue;
            };
            let under = format!("certificate/{id}");
            self.thing(
                "principal",
                &principal,
                principal.clone(),
                &under,
                "signs-in",
            );
            self.principals.insert(principal);
        }
        Ok(())
    }

    /// Tokens that the principals made.
    async fn tokens(&mut self) -> Result<()> {
        let rooms = Arc::clone(&self.entry.rooms);
        let mut after = None;
        while !self.principals.is_empty() {
            if self.is_full() {
                self.graph.truncated = true;
                break;
            }
            let page = (rooms.store).scan(places::SYSTEM_SCOPE, Kind::Token, after, STEP);
            let page = page.await?;
            let last = page.len() < STEP;
            after = page.last().map(|stored| stored.id);
            for stored in page {
                let record: TokenRecord = records::decode(stored.plaintext.expose())?;
                let maker_in = record.created_in.as_ref().unwrap_or(&record.namespace);
                if self.principals.contains(&record.created_by)
                    && maker_in == self.namespace
                    && record.namespace == self.namespace
                {
                    let under = format!("principal/{}", record.created_by);
                    let id = stored.id.to_string();
                    self.thing("token", &id, record.principal, &under, "made-by");
                }
            }
            if last {
                break;
            }
        }
        Ok(())
    }

    /// Whether nothing more has a place.
    fn is_full(&self) -> bool {
        self.graph.nodes.len() >= self.most
    }

    fn shared(&mut self, key: &Key) -> Result<()> {
        let group = (self.entry.rooms.groups).on_key(self.namespace, &key.id.to_string());
        if let Some(group) = group {
            let under = VersionRef {
                key: key.id,
                version: key.newest()?.number,
            };
            let members = group.record.members.len();
            let name = format!("{}: {members} members", group.record.name);
            self.thing(
                "group",
                &group.id_text(),
                name,
                &under.to_string(),
                "shares",
            );
        }
        Ok(())
    }

    /// Who was given versions by the key exchange.
    async fn holders(&mut self, keys: &[Key]) -> Result<()> {
        if keys.iter().all(|key| !key.exportable) {
            return Ok(());
        }
        let ids: HashSet<String> = keys.iter().map(|key| key.id.to_string()).collect();
        let rooms = Arc::clone(&self.entry.rooms);
        for (_, _, holder) in places::all::<HolderRecord>(&rooms.store, self.scope).await? {
            let under = format!("{}/{}", holder.key, holder.version);
            if ids.contains(&holder.key) && self.known.contains(&under) {
                let name = format!("{}/{}", holder.namespace, holder.name);
                self.thing("recipient", &name.clone(), name, &under, "given");
            }
        }
        Ok(())
    }
}
