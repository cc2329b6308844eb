//! What an incident has done so far: pages of what was touched, each in the
//! batch that did it, with the incident's own record. So whoever goes on after
//! a crash knows exactly where.

use std::collections::HashSet;

use skms_keys::VersionRef;
use skms_store::{Change, Kind, RecordId};

use super::put;
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::records;
use crate::records::incident::{Counts, IncidentRecord, Touched, TouchedRecord, page_name};

/// The state of an incident while it is worked on.
pub(super) struct Ledger {
    pub(super) id: RecordId,
    pub(super) scope: [u8; 16],
    pub(super) record: IncidentRecord,
    revision: u64,
    /// What the pages have.
    done: HashSet<(String, String)>,
}

/// Changes that enter a page, and the record as it is with them.
pub(super) struct Entered {
    pub(super) changes: Vec<Change>,
    record: IncidentRecord,
    done: Vec<(String, String)>,
}

impl Ledger {
    /// As the store has it; nothing where the incident is gone.
    pub(super) async fn open(rooms: &Rooms, scope: [u8; 16], id: RecordId) -> Result<Option<Self>> {
        let Some(stored) = rooms.store.get(scope, Kind::Incident, id).await? else {
            return Ok(None);
        };
        let record: IncidentRecord = records::decode(stored.plaintext.expose())?;
        let mut ledger = Self {
            id,
            scope,
            revision: stored.revision,
            done: HashSet::new(),
            record,
        };
        for page in 0..ledger.record.pages {
            let page = read_page(rooms, scope, id, page).await?;
            ledger.done.extend(page.iter().map(slot));
        }
        Ok(Some(ledger))
    }

    /// One that is in no store: for a dry run.
    pub(super) fn new(scope: [u8; 16], id: RecordId, record: IncidentRecord) -> Self {
        Self {
            id,
            scope,
            record,
            revision: 0,
            done: HashSet::new(),
        }
    }

    /// Whether a version of a key is in a page.
    pub(super) fn has(&self, of: VersionRef) -> bool {
        !self.done.is_empty() && self.done.contains(&("key".to_owned(), of.to_string()))
    }

    /// Whether anything else is.
    pub(super) fn has_other(&self, kind: &str, id: &str) -> bool {
        self.done.contains(&(kind.to_owned(), id.to_owned()))
    }

    /// The changes that enter what is about to be touched.
    pub(super) fn enter(&self, touched: Vec<Touched>, counted: Counts) -> Result<Entered> {
        let mut record = self.record.clone();
        record.counts = sum(record.counts, counted);
        let done = touched.iter().map(slot).collect();
        let mut changes = Vec::with_capacity(2);
        if !touched.is_empty() {
            let page = record.pages;
            record.pages = page.saturating_add(1);
            record.touched = record.touched.saturating_add(touched.len() as u64);
            let incident = self.id.to_string();
            changes.push(Change::Put {
                namespace: self.scope,
                kind: Kind::Job,
                id: RecordId::random()?,
                name: Some(page_name(&incident, page)),
                expected: None,
                plaintext: records::encode(&TouchedRecord {
                    incident,
                    page,
                    touched,
                })?,
            });
        }
        changes.push(put(self.scope, self.id, &record, Some(self.revision))?);
        Ok(Entered {
            changes,
            record,
            done,
        })
    }

    /// The changes that end the incident.
    pub(super) fn end(&self, finished_at: i64, report: String) -> Result<Entered> {
        let mut record = self.record.clone();
        record.finished_at = Some(finished_at);
        record.report = Some(report);
        Ok(Entered {
            changes: vec![put(self.scope, self.id, &record, Some(self.revision))?],
            record,
            done: Vec::new(),
        })
    }

    /// Takes over what was committed.
    pub(super) fn committed(&mut self, record: IncidentRecord, done: Vec<(String, String)>) {
        self.record = record;
        self.revision = self.revision.saturating_add(1);
        // A walk comes to each version once; what else stands on them may be
        // come to by several ways.
        let others = done.into_iter().filter(|(kind, _)| kind != "key");
        self.done.extend(others);
    }
}

impl Entered {
    /// The changes, and what [`Ledger::committed`] takes.
    pub(super) fn split(self) -> (Vec<Change>, IncidentRecord, Vec<(String, String)>) {
        (self.changes, self.record, self.done)
    }
}

fn slot(touched: &Touched) -> (String, String) {
    let id = match touched.version {
        Some(version) => format!("{}/{version}", touched.id),
        None => touched.id.clone(),
    };
    (touched.kind.clone(), id)
}

fn sum(one: Counts, other: Counts) -> Counts {
    Counts {
        compromised: one.compromised + other.compromised,
        already: one.already + other.already,
        spared: one.spared + other.spared,
        failed: one.failed + other.failed,
        certificates: one.certificates + other.certificates,
        authorities: one.authorities + other.authorities,
        tokens: one.tokens + other.tokens,
        rotated: one.rotated + other.rotated,
        ssh_certificates: one.ssh_certificates + other.ssh_certificates,
        exchanges: one.exchanges + other.exchanges,
        recipients: one.recipients + other.recipients,
    }
}

/// How many of what a list has.
pub(super) fn count(touched: &[Touched]) -> Counts {
    let mut counts = Counts::default();
    for one in touched {
        let place = match (one.kind.as_str(), one.outcome.as_str()) {
            ("key", "compromised") => &mut counts.compromised,
            ("key", "already") => &mut counts.already,
            ("key", "spared") => &mut counts.spared,
            ("certificate", "revoked") => &mut counts.certificates,
            ("token", "revoked") => &mut counts.tokens,
            ("ssh-certificate", "revoked") => &mut counts.ssh_certificates,
            ("exchange", _) => &mut counts.exchanges,
            ("authority" | "ssh-authority" | "tsa", _) => &mut counts.authorities,
            (_, "failed") => &mut counts.failed,
            _ => continue,
        };
        *place += 1;
    }
    counts
}

/// A page of what an incident touched.
pub(super) async fn read_page(
    rooms: &Rooms,
    scope: [u8; 16],
    incident: RecordId,
    page: u32,
) -> Result<Vec<Touched>> {
    let name = page_name(&incident.to_string(), page);
    let stored = rooms.store.find(scope, Kind::Job, &name).await?;
    let stored = stored.ok_or(Error::Record {
        kind: "incident",
        reason: "a page is missing".to_owned(),
    })?;
    let record: TouchedRecord = records::decode(stored.plaintext.expose())?;
    Ok(record.touched)
}
