//! Findings on record.

use std::sync::Arc;

use skms_crypto::hash::sha256;
use skms_evidence::{DetailKey, Outcome};
use skms_keys::VersionNumber;
use skms_store::{Change, Kind, RecordId};
use skms_weak::{Detector, Finding, Gravity};

use super::{Subject, SubjectKind};
use crate::act::act;
use crate::draft::EventDraft;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyRef};
use crate::records;
use crate::records::weak::{SubjectRecord, WeakFindingRecord};
use crate::sessions::hex;
use crate::target::Target;

act!(Find, WeakFind, "Records that something stored is weak.");

/// A finding about something that is stored.
#[derive(Clone, Debug)]
pub struct Noted {
    /// The finding's identifier.
    pub id: RecordId,
    /// What kind of thing it is about.
    pub kind: SubjectKind,
    /// Which record that is, in the namespace.
    pub subject: RecordId,
    /// The version of a key.
    pub version: Option<VersionNumber>,
    /// Keyring and key, or authority and serial number.
    pub name: String,
    /// Who found it.
    pub detector: Detector,
    /// How bad it is.
    pub gravity: Gravity,
    /// What it is.
    pub words: String,
    /// SHA-256 of the SubjectPublicKeyInfo, in hexadecimal; empty for a secret.
    pub public_key: String,
    /// When it was found.
    pub found_at: skms_keys::UnixSeconds,
}

impl Noted {
    pub(crate) fn read(id: RecordId, record: WeakFindingRecord) -> Result<Self> {
        let bad = |reason: &'static str| Error::Record {
            kind: "weak finding",
            reason: reason.to_owned(),
        };
        let mut kinds = SubjectKind::ALL.into_iter();
        let kind = kinds.find(|kind| kind.name() == record.subject.kind);
        let subject: RecordId = record.subject.id.parse().map_err(|_| bad("subject"))?;
        Ok(Self {
            id,
            kind: kind.ok_or_else(|| bad("kind"))?,
            subject,
            version: record.subject.version.map(VersionNumber),
            name: record.subject.name,
            detector: record.detector.parse().map_err(|()| bad("detector"))?,
            gravity: record.gravity.parse().map_err(|()| bad("gravity"))?,
            words: record.words,
            public_key: record.public_key,
            found_at: skms_keys::UnixSeconds(record.found_at),
        })
    }
}

/// Puts a finding on record, with its event, unless it is there already. Gives
/// whether it was new.
pub(super) async fn note(
    entry: &Entry,
    subject: &Subject,
    finding: &Finding,
    public_key: Option<[u8; 32]>,
) -> Result<bool> {
    let rooms = &entry.rooms;
    let scope = subject.namespace.0;
    let namespaces = rooms.places.list();
    let Some(namespace) = namespaces.iter().find(|one| one.id == subject.namespace) else {
        // Gone with all that was in it.
        return Ok(false);
    };
    let name = name(subject, finding);
    if rooms
        .store
        .find(scope, Kind::WeakFinding, &name)
        .await?
        .is_some()
    {
        return Ok(false);
    }
    let id = RecordId::at(entry.now_ms)?;
    let record = WeakFindingRecord {
        subject: SubjectRecord {
            kind: subject.kind.name().to_owned(),
            id: subject.id.to_string(),
            name: subject.name.to_string(),
            version: subject.version,
        },
        detector: finding.detector.name().to_owned(),
        gravity: finding.gravity.name().to_owned(),
        words: finding.words.clone(),
        public_key: public_key.map(|hash| hex(&hash)).unwrap_or_default(),
        found_at: entry.now().0,
    };
    let target = match (subject.kind, subject.name.split_once('/')) {
        (SubjectKind::Key, Some((keyring, key))) => Target::absent_key(KeyRef {
            namespace: &namespace.name,
            keyring,
            name: key,
        })
        .stored(subject.id.0, 0),
        _ => Target::namespace(&namespace.name).stored(scope, namespace.revision),
    };
    let allowed = entry.authorize_target_as_system::<Find>(target)?;
    let mut event = EventDraft::of(entry, &allowed, Outcome::Success)?
        .versions(subject.version.map(VersionNumber))
        .detail(DetailKey::Detector, finding.detector.name())
        .detail(DetailKey::Gravity, finding.gravity.name())
        .detail(DetailKey::Reason, finding.words.as_str());
    if subject.kind != SubjectKind::Key {
        let serial = subject.name.rsplit('/').next().unwrap_or_default();
        event = event.detail(DetailKey::Serial, serial);
    }
    let change = Change::Put {
        namespace: scope,
        kind: Kind::WeakFinding,
        id,
        name: Some(name),
        expected: None,
        plaintext: records::encode(&record)?,
    };
    let noted = Arc::new(Noted::read(id, record)?);
    let done = entry
        .change((), vec![change], event, move |rooms, _| {
            // Nobody may be listening.
            let _ = rooms.weak.told.send(noted);
            Ok(())
        })
        .await;
    match done {
        Ok(()) => Ok(true),
        // Somebody else was as quick.
        Err(Error::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a finding is known by, so that it is there once.
fn name(subject: &Subject, finding: &Finding) -> String {
    let version = subject.version.unwrap_or(0);
    let words = match finding.detector {
        // Each list by itself.
        Detector::Blocklist => hex(&sha256(&[finding.words.as_bytes()])),
        _ => String::new(),
    };
    format!(
        "{}/{}/{version}/{}/{words}",
        subject.kind.name(),
        subject.id,
        finding.detector.name()
    )
}
