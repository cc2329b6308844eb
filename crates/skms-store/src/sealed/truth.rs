//! Reading rows only as they are known to be ([`super::known`]).
//!
//! A row that does not fit may have been overtaken by a commit between being
//! read and being compared; then it is read again.

use std::collections::HashSet;
use std::sync::Arc;

use super::known::{self, Flight, Known, Prefix, Ticket};
use super::{Inner, SealedStore};
use crate::error::{Error, Result};
use crate::store::{Kind, RecordId, Row, Write};

/// How often a row may be overtaken in a row before it is refused.
const ATTEMPTS: usize = 16;

impl Inner {
    fn known(&self, kind: Kind) -> Option<&Known> {
        self.known.as_ref().filter(|_| known::tracked(kind))
    }

    /// Refuses to build on a row that is not what it must be. Inside the
    /// transaction, where nothing can overtake: whatever came before has
    /// settled or is announced.
    pub(super) fn check_replaced(
        &self,
        (kind, id): (Kind, RecordId),
        scope: Option<[u8; 32]>,
        row: Option<&Row>,
    ) -> Result<()> {
        let scope = known::prefix(scope.as_ref());
        match self.known(kind) {
            Some(known) if !known.accepts(kind, scope, id, row) => Err(Error::Altered { kind, id }),
            _ => Ok(()),
        }
    }
}

impl SealedStore {
    /// The row with this id, if it belongs to this scope.
    pub(super) async fn true_row(
        &self,
        kind: Kind,
        scope: Prefix,
        id: RecordId,
    ) -> Result<Option<Row>> {
        let altered = Error::Altered { kind, id };
        for _ in 0..ATTEMPTS {
            let settled = self.0.known(kind).map(Known::settled);
            let row = self.0.store.get(kind, id).await?;
            if row
                .as_ref()
                .is_some_and(|row| (row.kind, row.id) != (kind, id))
            {
                return Err(altered);
            }
            let Some(known) = self.0.known(kind) else {
                return Ok(row);
            };
            let row = row.filter(|row| known::prefix(row.scope.as_ref()) == scope);
            if known.accepts(kind, scope, id, row.as_ref()) {
                return Ok(row);
            }
            if settled == Some(known.settled()) {
                break;
            }
        }
        Err(altered)
    }

    /// The rows with these ids, those that belong to this scope.
    pub(super) async fn true_rows(
        &self,
        kind: Kind,
        scope: Prefix,
        ids: &[RecordId],
    ) -> Result<Vec<Option<Row>>> {
        let mut rows = self.0.store.get_each(kind, ids.to_vec()).await?;
        if rows.len() != ids.len() {
            return Err(Error::Invalid("the backend left out rows it was to read"));
        }
        for (row, id) in rows.iter_mut().zip(ids) {
            let other = row
                .as_ref()
                .is_some_and(|row| (row.kind, row.id) != (kind, *id));
            let fits = self.0.known(kind).is_none_or(|known| {
                let own = row.as_ref();
                let own = own.filter(|row| known::prefix(row.scope.as_ref()) == scope);
                own.is_some() == row.is_some() && known.accepts(kind, scope, *id, own)
            });
            // Whatever does not fit is looked at by itself.
            if other || !fits {
                *row = self.true_row(kind, scope, *id).await?;
            }
        }
        Ok(rows)
    }

    /// The row with this index entry.
    pub(super) async fn true_find(&self, kind: Kind, entry: [u8; 32]) -> Result<Option<Row>> {
        let mut id = RecordId([0; 16]);
        for _ in 0..ATTEMPTS {
            let settled = self.0.known(kind).map(Known::settled);
            let row = self.0.store.find(kind, entry).await?;
            let Some(known) = self.0.known(kind) else {
                return Ok(row);
            };
            let fits = row.as_ref().map_or_else(
                || known.accepts_no(&entry),
                |row| {
                    let scope = known::prefix(row.scope.as_ref());
                    row.kind == kind && known.accepts(kind, scope, row.id, Some(row))
                },
            );
            if fits {
                return Ok(row);
            }
            // Of a row that is gone the id is not known here.
            id = row.map_or(id, |row| row.id);
            if settled == Some(known.settled()) {
                break;
            }
        }
        Err(Error::Altered { kind, id })
    }

    /// Rows of a kind, of one scope or of all.
    pub(super) async fn true_scan(
        &self,
        kind: Kind,
        scope: Option<[u8; 32]>,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Row>> {
        let rows = self.0.store.scan(kind, scope, after, limit).await?;
        let Some(known) = self.0.known(kind) else {
            return Ok(rows);
        };
        let last = if rows.len() < limit {
            None
        } else {
            // An empty page of no rows says nothing about what is missing.
            rows.last()
                .map(|row| row.id)
                .or(after)
                .or(Some(RecordId([0; 16])))
        };
        let found: HashSet<RecordId> = rows.iter().map(|row| row.id).collect();
        let missing = known.missing(
            kind,
            scope.as_ref().map(|scope| known::prefix(Some(scope))),
            after,
            last,
            &found,
        );
        // Whatever does not fit is looked at by itself.
        let mut doubtful = missing;
        let mut fitting = Vec::with_capacity(rows.len());
        for row in rows {
            let prefix = known::prefix(row.scope.as_ref());
            if known.accepts(kind, prefix, row.id, Some(&row)) {
                fitting.push(row);
            } else {
                doubtful.push((prefix, row.id));
            }
        }
        if doubtful.is_empty() {
            return Ok(fitting);
        }
        for (prefix, id) in doubtful {
            let row = self.true_row(kind, prefix, id).await?;
            fitting.extend(row.filter(|row| scope.is_none() || row.scope == scope));
        }
        fitting.sort_unstable_by_key(|row| row.id);
        fitting.truncate(limit);
        Ok(fitting)
    }

    /// Says what a batch will write, before it is submitted.
    pub(super) fn announce<'a>(
        &self,
        writes: impl Iterator<Item = (&'a Write, Option<[u8; 32]>)>,
    ) -> Option<Announced> {
        let known = self.0.known.as_ref()?;
        let flights = writes
            .filter(|(write, _)| known::tracked(write.place().0))
            .map(|(write, scope)| {
                let (kind, id) = write.place();
                let (after, name) = match write {
                    Write::Put { row, .. } => (known::print(row), row.index),
                    Write::Delete { .. } => (None, None),
                };
                Flight {
                    kind,
                    id,
                    scope: known::prefix(scope.as_ref()),
                    after,
                    name,
                }
            })
            .collect();
        let ticket = known.announce(flights)?;
        Some(Announced {
            inner: Arc::clone(&self.0),
            ticket,
        })
    }
}

/// A batch that was announced and has not settled.
#[derive(Clone)]
pub(super) struct Announced {
    inner: Arc<Inner>,
    ticket: Ticket,
}

impl Announced {
    pub(super) fn replaces(&self, replaced: &[Option<Row>], commit: u64) {
        if let Some(known) = &self.inner.known {
            known.replaces(self.ticket, replaced, commit);
        }
    }

    /// The number of its commit, or why there is none.
    pub(super) fn ended(self, outcome: std::result::Result<u64, &Error>) {
        let Some(known) = &self.inner.known else {
            return;
        };
        match outcome {
            Ok(commit) => known.settle(self.ticket, commit),
            Err(error) if error.wrote_nothing() => known.forget(self.ticket),
            // Both may be true, until the files are opened again.
            Err(_) => known.doubt(self.ticket),
        }
    }
}
