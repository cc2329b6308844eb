//! The sweep: every stored public key is looked at, and all RSA moduli are held
//! against each other.
//!
//! It runs by itself after an unseal, after a list was imported, and once a day,
//! page by page on a thread that gives way to everything else, and rests as long
//! as it works. A finding is on record once, whoever finds it and however often,
//! so that a sweep that was cut off begins again and loses nothing. Keys that an
//! earlier sweep of the same detectors looked at are only looked for in the
//! lists, which may be new.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak as Gone};
use std::time::Instant;

use skms_evidence::{DetailKey, Outcome};
use skms_store::{Change, Kind, RecordId};
use skms_weak::{Finding, PublicKey};
use tokio::sync::broadcast;

use super::gathered::{Gathered, Sharer};
use super::noted::{Noted, note};
use super::{Subject, SubjectKind, Waiting};
use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::places::{Namespace, SYSTEM_SCOPE};
use crate::records;
use crate::records::certificate::CertificateRecord;
use crate::records::key::KeyRecord;
use crate::records::ssh::SshCertificateRecord;
use crate::records::weak::SweepRecord;
use crate::sessions::hex;
use crate::target::Target;

act!(Sweep, WeakSweep, "Looks at every stored public key.");

/// Which detectors there are: to be raised with every change of them, so that
/// all keys are looked at anew.
const DETECTORS: u32 = 1;

/// Records that are read at a time.
const PAGE: usize = 32;

/// From so many new moduli on they are held against all others at once.
pub(super) const BATCH: usize = 64;

/// Seconds between two sweeps.
const EVERY: i64 = 24 * 60 * 60;

/// Keys whose clocks disagree by this much, in seconds, are looked at anew.
const MARGIN: i64 = 3600;

/// How a sweep goes about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Rests as long as it works.
    Calm,
    /// Does not.
    Quick,
}

/// A stored public key.
struct Stored {
    subject: Subject,
    spki: Vec<u8>,
    /// Whether an earlier sweep looked at it.
    before: bool,
}

/// What looking at one came to.
struct Looked {
    subject: Subject,
    name: [u8; 32],
    findings: Vec<Finding>,
}

impl Engine {
    /// Whether a sweep is due, by itself or because somebody asked.
    pub(crate) fn weak_sweep_is_due(&self) -> Result<bool> {
        let rooms = self.rooms()?;
        let (now, last) = (rooms.clock.now().0, rooms.weak.last.load());
        let wanted = rooms.weak.wanted.load(Ordering::Acquire);
        Ok(wanted || now.saturating_sub(last.began_at) >= EVERY)
    }

    /// Puts what waits on record, and holds new moduli against all others.
    ///
    /// # Errors
    /// [`Error::Sealed`]; what the store refuses.
    pub async fn note_weak_keys(&self) -> Result<()> {
        let caller = Caller::system("weak")?;
        loop {
            let entry = self.enter(&caller)?;
            let Some(next) = entry.rooms.weak.next_waiting() else {
                return Ok(());
            };
            if let Err(error) = put_on_record(&entry, &next).await {
                entry.rooms.weak.wait_again(next);
                return Err(error);
            }
        }
    }

    /// Every finding about what is stored from now on, once it is committed. Ends
    /// when the server is sealed; who is slow may miss some.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn watch_weak_keys(&self) -> Result<broadcast::Receiver<Arc<Noted>>> {
        Ok(self.rooms()?.weak.subscribe())
    }

    /// Looks at everything that is stored, to the end.
    ///
    /// # Errors
    /// [`Error::Sealed`], also where the server was sealed meanwhile; what the
    /// store refuses.
    pub async fn sweep_weak_keys(self: &Arc<Self>) -> Result<()> {
        self.sweep_at(Pace::Quick).await
    }

    pub(crate) async fn sweep_at(self: &Arc<Self>, pace: Pace) -> Result<()> {
        let rooms = self.rooms()?;
        if rooms.weak.running.swap(true, Ordering::AcqRel) {
            return Err(Error::Busy);
        }
        // What is asked for from here on is for the next one.
        rooms.weak.wanted.store(false, Ordering::Release);
        let state = Running(Arc::downgrade(&rooms));
        drop(rooms);
        let swept = self.sweep(pace).await;
        if swept.is_err()
            && let Some(rooms) = state.0.upgrade()
        {
            rooms.weak.want_sweep();
        }
        drop(state);
        swept
    }

    async fn sweep(self: &Arc<Self>, pace: Pace) -> Result<()> {
        let caller = Caller::system("weak")?;
        let (last, namespaces, began_at) = {
            let rooms = self.rooms()?;
            let last = rooms.weak.last.load_full();
            (last, rooms.places.list(), rooms.clock.now().0)
        };
        let mut done = SweepRecord {
            began_at,
            detectors: DETECTORS,
            ..SweepRecord::default()
        };
        // Looked at already is what was there when the last one began.
        let seen = match last.detectors == DETECTORS {
            true => last.began_at.saturating_sub(MARGIN),
            false => i64::MIN,
        };
        let mut gathered = Gathered::default();
        for namespace in &namespaces {
            for kind in [Kind::Key, Kind::Certificate, Kind::SshCertificate] {
                let mut after = None;
                loop {
                    let began = Instant::now();
                    let entry = self.enter(&caller)?;
                    let store = &entry.rooms.store;
                    let page = store.scan(namespace.id.0, kind, after, PAGE).await?;
                    after = page.last().map(|record| record.id);
                    if after.is_none() {
                        break;
                    }
                    let mut stored = Vec::new();
                    for record in page {
                        let bytes = record.plaintext.expose();
                        read(namespace, kind, record.id, bytes, seen, &mut stored)?;
                    }
                    done.looked_at += stored.len() as u64;
                    let rooms = Arc::clone(&entry.rooms);
                    let looked_at = entry.rooms.weak.pool.run(move || {
                        let each = stored.into_iter();
                        let looked: Vec<_> = each
                            .map(|one| look(&rooms.weak, one, &mut gathered))
                            .collect();
                        (looked, gathered)
                    });
                    let looked;
                    (looked, gathered) = looked_at.await?;
                    for one in looked {
                        for finding in &one.findings {
                            let name = Some(one.name);
                            let new = note(&entry, &one.subject, finding, name).await?;
                            done.found += u64::from(new);
                        }
                    }
                    drop(entry);
                    if pace == Pace::Calm {
                        tokio::time::sleep(began.elapsed()).await;
                    }
                }
            }
        }
        done.moduli = gathered.seen;
        for (subject, name) in self.shared_among(gathered).await? {
            let entry = self.enter(&caller)?;
            let finding = Finding::shared_factor();
            done.found += u64::from(note(&entry, &subject, &finding, Some(name)).await?);
        }
        self.end_sweep(&caller, done).await
    }

    /// Whose moduli share a factor with another's; all of them are remembered.
    async fn shared_among(self: &Arc<Self>, gathered: Gathered) -> Result<Vec<Sharer>> {
        let (weak, pool) = {
            let rooms = self.rooms()?;
            (Arc::clone(&rooms.weak), rooms.weak.pool.clone())
        };
        let engine = Arc::downgrade(self);
        let found = pool.run(move || {
            // A server that is being sealed does not wait for this.
            let open = move || {
                let engine: Option<Arc<Engine>> = Gone::upgrade(&engine);
                engine.is_some_and(|engine| !engine.is_sealed())
            };
            gathered.shared(&weak, &open)
        });
        found.await?.ok_or(Error::Sealed)
    }

    /// Remembers that a sweep came to its end.
    async fn end_sweep(&self, caller: &Arc<Caller>, mut done: SweepRecord) -> Result<()> {
        let entry = self.enter(caller)?;
        done.ended_at = entry.now().0;
        let allowed = entry.authorize_target_as_system::<Sweep>(Target::system())?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
            .detail(DetailKey::Count, done.looked_at);
        let store = &entry.rooms.store;
        let found = store
            .find(SYSTEM_SCOPE, Kind::Setting, SweepRecord::NAME)
            .await?;
        let (id, expected) = match found {
            Some(stored) => (stored.id, Some(stored.revision)),
            None => (RecordId::random()?, None),
        };
        let change = Change::Put {
            namespace: SYSTEM_SCOPE,
            kind: Kind::Setting,
            id,
            name: Some(SweepRecord::NAME.to_owned()),
            expected,
            plaintext: records::encode(&done)?,
        };
        entry
            .change((), vec![change], event, move |rooms, _| {
                rooms.weak.last.store(Arc::new(done));
                Ok(())
            })
            .await
    }
}

/// A finding, and what holding a modulus against all others finds.
async fn put_on_record(entry: &Entry, next: &Waiting) -> Result<()> {
    match next {
        Waiting::Found(subject, finding, name) => note(entry, subject, finding, *name).await?,
        Waiting::Modulus(subject, spki) => {
            let rooms = Arc::clone(&entry.rooms);
            let name = skms_crypto::hash::sha256(&[spki]);
            let (one, spki) = (subject.clone(), spki.clone());
            let shares = entry.rooms.weak.pool.run(move || {
                let key = PublicKey::from_spki(&spki).ok();
                key.is_some_and(|key| rooms.weak.learn(&one, name, &key))
            });
            match shares.await? {
                true => note(entry, subject, &Finding::shared_factor(), Some(name)).await?,
                false => false,
            }
        }
    };
    Ok(())
}

/// That a sweep runs, until it is dropped.
struct Running(Gone<crate::engine::Rooms>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(rooms) = self.0.upgrade() {
            rooms.weak.running.store(false, Ordering::Release);
        }
    }
}

fn look(weak: &super::Weak, stored: Stored, gathered: &mut Gathered) -> Looked {
    let name = skms_crypto::hash::sha256(&[&stored.spki]);
    let key = PublicKey::from_spki(&stored.spki).ok();
    let findings = match &key {
        None => Vec::new(),
        Some(key) if stored.before => weak.look_again(key),
        // Shared factors are found for all at once.
        Some(key) => {
            let lists = weak.lists.load();
            skms_weak::check(key, lists.iter().map(|one| &one.list))
        }
    };
    if let Some(key) = key {
        gathered.add(weak, (stored.subject.clone(), name), key);
    }
    Looked {
        subject: stored.subject,
        name,
        findings,
    }
}

/// The public keys in a record.
fn read(
    namespace: &Namespace,
    kind: Kind,
    id: RecordId,
    bytes: &[u8],
    seen: i64,
    into: &mut Vec<Stored>,
) -> Result<()> {
    let subject = |kind, version, name: String| Subject {
        namespace: namespace.id,
        kind,
        id,
        version,
        name: name.into(),
    };
    match kind {
        Kind::Key => {
            let record: KeyRecord = records::decode(bytes)?;
            let key = record.into_domain(id, namespace.id)?;
            let mut rings = namespace.keyrings.values();
            let ring = rings.find(|ring| ring.ring.id == key.keyring);
            let ring = ring.map_or("", |ring| ring.ring.name.as_str());
            for version in &key.versions {
                let Some(spki) = &version.public_spki else {
                    continue;
                };
                let name = format!("{ring}/{}", key.name.as_str());
                into.push(Stored {
                    subject: subject(SubjectKind::Key, Some(version.number.0), name),
                    spki: spki.clone(),
                    before: version.created_at.0 < seen,
                });
            }
        }
        Kind::Certificate => {
            let record: CertificateRecord = records::decode(bytes)?;
            // Of a key that is kept here, which is looked at itself.
            if record.subject_key.is_some() {
                return Ok(());
            }
            if let Ok(certificate) = skms_pki::Certificate::from_der(&record.certificate.0) {
                let serial = hex(certificate.serial());
                let name = format!("{}/{serial}", record.authority);
                into.push(Stored {
                    subject: subject(SubjectKind::Certificate, None, name),
                    spki: certificate.public_key().der.to_vec(),
                    before: record.issued_at < seen,
                });
            }
        }
        _ => {
            let record: SshCertificateRecord = records::decode(bytes)?;
            let read = skms_pki::ssh::Certificate::from_blob(&record.certificate.0);
            if let Ok(certificate) = read {
                let name = format!("{}/{}", record.authority, certificate.grant.serial);
                into.push(Stored {
                    subject: subject(SubjectKind::SshCertificate, None, name),
                    spki: certificate.key.spki().to_vec(),
                    before: record.issued_at < seen,
                });
            }
        }
    }
    Ok(())
}
