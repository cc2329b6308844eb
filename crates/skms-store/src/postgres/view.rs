//! The rows that a group of batches touches, in memory: what the database
//! has, and what it will have after each batch.
//!
//! One connection alone writes, so a group can be worked out here, batch by
//! batch, each with its own verdict, and go to the database as a few
//! statements over whole columns.

use std::collections::{HashMap, HashSet};

use crate::error::{Conflict, Error, Result};
use crate::store::{Batch, Kind, Meta, MetaWrite, RecordId, Row, Seen, Write};

pub(super) type Place = (Kind, RecordId);
pub(super) type Entry = (Kind, [u8; 32]);

/// What the database has at a place.
#[derive(Clone, Copy)]
pub(super) struct Before {
    pub(super) revision: u64,
    pub(super) index: Option<[u8; 32]>,
}

pub(super) struct Slot {
    pub(super) before: Option<Before>,
    pub(super) now: Option<Row>,
    pub(super) changed: bool,
}

#[derive(Default)]
pub(super) struct View {
    pub(super) slots: HashMap<Place, Slot>,
    entries: HashMap<Entry, Option<RecordId>>,
    pub(super) metas: HashMap<&'static str, (Option<Meta>, bool)>,
    undo: Vec<Undo>,
}

enum Undo {
    Slot(Place, Option<Row>, bool),
    Entry(Entry, Option<RecordId>),
    Meta(&'static str, (Option<Meta>, bool)),
}

/// What has to be read before a step can be taken.
#[derive(Default)]
pub(super) struct Needs {
    pub(super) places: HashSet<Place>,
    pub(super) entries: HashSet<Entry>,
    pub(super) metas: HashSet<&'static str>,
}

impl Needs {
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty() && self.entries.is_empty() && self.metas.is_empty()
    }

    /// What is known of a batch before it is worked out.
    pub(super) fn batch(&mut self, batch: &Batch) {
        self.writes(&batch.writes);
        self.places.extend(batch.reads.iter().copied());
        self.metas.extend(batch.meta.iter().map(|write| write.name));
    }

    fn writes(&mut self, writes: &[Write]) {
        for write in writes {
            self.places.insert(write.place());
            if let Write::Put { row, .. } = write {
                self.entries
                    .extend(row.index.map(|index| (row.kind, index)));
            }
        }
    }
}

impl View {
    /// Enters what was read; whatever was asked for and not found is absent.
    pub(super) fn enter(&mut self, asked: &Needs, rows: Vec<Row>, metas: Vec<(&str, Meta)>) {
        for row in rows {
            let place = (row.kind, row.id);
            if let Some(index) = row.index {
                self.entries
                    .entry((row.kind, index))
                    .or_insert(Some(row.id));
            }
            self.slots.entry(place).or_insert_with(|| Slot {
                before: Some(Before {
                    revision: row.revision,
                    index: row.index,
                }),
                now: Some(row),
                changed: false,
            });
        }
        for place in &asked.places {
            self.absent(*place);
        }
        for entry in &asked.entries {
            self.entries.entry(*entry).or_insert(None);
        }
        for name in &asked.metas {
            let found = metas.iter().find(|(found, _)| found == name);
            let meta = found.map(|(_, meta)| meta.clone());
            self.metas.entry(name).or_insert((meta, false));
        }
    }

    fn absent(&mut self, place: Place) {
        self.slots.entry(place).or_insert(Slot {
            before: None,
            now: None,
            changed: false,
        });
    }

    /// What these writes need and was not read. What is to be new is taken to
    /// be absent unless `careful`: the database refuses it if it is not.
    fn lacking(&mut self, writes: &[Write], careful: bool) -> Needs {
        let mut needs = Needs::default();
        needs.writes(writes);
        needs
            .entries
            .retain(|entry| !self.entries.contains_key(entry));
        needs.places.retain(|place| !self.slots.contains_key(place));
        if !careful {
            for write in writes {
                if write.expected().is_none() && needs.places.remove(&write.place()) {
                    self.absent(write.place());
                }
            }
        }
        needs
    }

    /// Checks and enters the first part of a batch. What its finishing touch
    /// adds is returned, with what is missing for entering that.
    pub(super) fn begin(
        &mut self,
        batch: &mut Batch,
        careful: bool,
    ) -> Result<(Vec<Write>, Needs)> {
        self.undo.clear();
        let mut replaced = Vec::with_capacity(batch.writes.len());
        for write in &batch.writes {
            replaced.push(self.expect(write)?.cloned());
        }
        for write in &batch.writes {
            self.put(write)?;
        }
        let Some(finalise) = &mut batch.finalise else {
            return Ok((Vec::new(), Needs::default()));
        };
        let read: Vec<_> = batch
            .reads
            .iter()
            .map(|place| self.slots.get(place).and_then(|slot| slot.now.clone()))
            .collect();
        let more = finalise(&Seen {
            replaced: &replaced,
            read: &read,
        })?;
        let needs = self.lacking(&more, careful);
        Ok((more, needs))
    }

    /// Enters the rest of a batch.
    pub(super) fn finish(&mut self, batch: &Batch, more: &[Write]) -> Result<()> {
        for write in more {
            self.expect(write)?;
            self.put(write)?;
        }
        for write in &batch.meta {
            self.put_meta(write)?;
        }
        Ok(())
    }

    /// Takes back everything of the batch under way.
    pub(super) fn take_back(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Slot(place, now, changed) => {
                    if let Some(slot) = self.slots.get_mut(&place) {
                        slot.now = now;
                        slot.changed = changed;
                    }
                }
                Undo::Entry(entry, id) => {
                    self.entries.insert(entry, id);
                }
                Undo::Meta(name, meta) => {
                    self.metas.insert(name, meta);
                }
            }
        }
    }

    fn expect(&self, write: &Write) -> Result<Option<&Row>> {
        let (kind, id) = write.place();
        let row = self
            .slots
            .get(&(kind, id))
            .and_then(|slot| slot.now.as_ref());
        match (row.map(|row| row.revision), write.expected()) {
            (None, None) => Ok(row),
            (Some(found), Some(expected)) if found == expected => Ok(row),
            (None, Some(_)) => Err(Error::conflict(kind, id, Conflict::Missing)),
            (Some(_), None) => Err(Error::conflict(kind, id, Conflict::Exists)),
            (Some(_), Some(_)) => Err(Error::conflict(kind, id, Conflict::Revision)),
        }
    }

    fn put(&mut self, write: &Write) -> Result<()> {
        let (kind, id) = write.place();
        let next = match write {
            Write::Put { row, .. } => {
                if i64::try_from(row.revision).is_err() {
                    return Err(Error::Invalid("a revision has more than 63 bits"));
                }
                Some(row.clone())
            }
            Write::Delete { .. } => None,
        };
        let before = self
            .slots
            .get(&(kind, id))
            .and_then(|slot| slot.now.as_ref());
        let old = before.and_then(|row| row.index);
        let new = next.as_ref().and_then(|row| row.index);
        if old != new {
            if let Some(index) = new {
                let holder = self.entries.get(&(kind, index)).copied().flatten();
                if holder.is_some_and(|holder| holder != id) {
                    return Err(Error::conflict(kind, id, Conflict::Index));
                }
            }
            if let Some(index) = old {
                self.claim((kind, index), None);
            }
            if let Some(index) = new {
                self.claim((kind, index), Some(id));
            }
        }
        self.absent((kind, id));
        if let Some(slot) = self.slots.get_mut(&(kind, id)) {
            let was = std::mem::replace(&mut slot.now, next);
            self.undo.push(Undo::Slot((kind, id), was, slot.changed));
            slot.changed = true;
        }
        Ok(())
    }

    fn claim(&mut self, entry: Entry, id: Option<RecordId>) {
        let was = self.entries.insert(entry, id).flatten();
        self.undo.push(Undo::Entry(entry, was));
    }

    fn put_meta(&mut self, write: &MetaWrite) -> Result<()> {
        let was = self.metas.get(write.name).cloned().unwrap_or_default();
        let found = was.0.as_ref().map(|meta| meta.revision);
        let conflict = match (found, write.expected) {
            (None, None) => None,
            (Some(found), Some(expected)) if found == expected => None,
            (None, Some(_)) => Some(Conflict::Missing),
            (Some(_), None) => Some(Conflict::Exists),
            (Some(_), Some(_)) => Some(Conflict::Revision),
        };
        if let Some(conflict) = conflict {
            return Err(Error::MetaConflict {
                name: write.name,
                conflict,
            });
        }
        let meta = Meta {
            revision: found.unwrap_or(0).saturating_add(1),
            bytes: write.bytes.clone(),
        };
        self.metas.insert(write.name, (Some(meta), true));
        self.undo.push(Undo::Meta(write.name, was));
        Ok(())
    }
}
