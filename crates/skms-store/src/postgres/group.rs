//! One transaction for many batches, in two round trips: read what they
//! touch, work them out in memory, write the difference and commit.

use std::pin::Pin;
use std::task::Poll;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::failure::{again, explain, refused_commit, words};
use super::schema::{self, Writes};
use super::session::too_slow;
use super::view::{Needs, Slot, View};
use crate::error::{Error, Result};
use crate::store::{Batch, Row};

/// A batch and who waits for it.
pub(super) struct Waiting {
    pub(super) batch: Batch,
    pub(super) answer: oneshot::Sender<Result<()>>,
}

impl Waiting {
    /// Bytes it holds.
    pub(super) fn weight(&self) -> usize {
        let rows = self.batch.writes.iter().map(|write| match write {
            crate::store::Write::Put { row, .. } => row.sealed.len(),
            crate::store::Write::Delete { .. } => 0,
        });
        let metas = self.batch.meta.iter().map(|write| write.bytes.len());
        rows.chain(metas).sum()
    }
}

/// A transaction that was committed.
pub(super) struct Done {
    /// One verdict a batch.
    pub(super) outcomes: Vec<Result<()>>,
    /// Groups committed so far.
    pub(super) sequence: i64,
}

/// A transaction that was not, or perhaps was.
pub(super) enum Broken {
    /// Nothing was written; the same again may succeed. `careful`: read what
    /// was taken for granted.
    Again { careful: bool, error: Error },
    /// Nothing was written, and the connection is well.
    Refused(Error),
    /// Nothing was written, and the connection is of no more use.
    Gone(Error),
    /// The COMMIT went out and its answer did not come.
    Doubt {
        outcomes: Vec<Result<()>>,
        why: String,
    },
    /// Somebody else wrote.
    Taken,
    /// Fewer rows were written than sent.
    Short,
}

type Step<'a> =
    Pin<Box<dyn Future<Output = std::result::Result<u64, tokio_postgres::Error>> + Send + 'a>>;

/// Sends all steps at once, in this order, and waits for all their answers.
async fn pipeline(steps: Vec<Step<'_>>) -> Vec<std::result::Result<u64, tokio_postgres::Error>> {
    let mut steps: Vec<_> = steps.into_iter().map(|step| (Some(step), None)).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (step, answer) in &mut steps {
            if let Some(running) = step {
                match running.as_mut().poll(context) {
                    Poll::Ready(result) => {
                        *answer = Some(result);
                        *step = None;
                    }
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    steps.into_iter().filter_map(|(_, answer)| answer).collect()
}

/// One connection's transaction.
pub(super) struct Transaction<'a> {
    pub(super) client: &'a Client,
    pub(super) writes: &'a Writes,
    /// Groups committed before this one.
    pub(super) sequence: i64,
    pub(super) careful: bool,
    pub(super) until: Instant,
}

impl Transaction<'_> {
    /// Runs the group.
    pub(super) async fn run(&self, group: &mut [Waiting]) -> std::result::Result<Done, Broken> {
        let mut view = View::default();
        let worked_out = self.in_time(self.work_out(group, &mut view)).await;
        let outcomes = match worked_out {
            Some(Ok(outcomes)) => outcomes,
            Some(Err(broken)) => return Err(self.roll_back(broken).await),
            None => return Err(Broken::Gone(self.late())),
        };
        let changes = Changes::of(&view);
        if changes.is_empty() {
            return match self.in_time(self.client.batch_execute("COMMIT")).await {
                Some(Ok(())) => Ok(Done {
                    outcomes,
                    sequence: self.sequence,
                }),
                Some(Err(error)) => Err(Broken::Gone(explain(error))),
                None => Err(Broken::Gone(self.late())),
            };
        }
        self.write(&view, &changes, outcomes).await
    }

    fn late(&self) -> Error {
        let left = self.until.saturating_duration_since(Instant::now());
        too_slow(left)
    }

    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout_at(self.until, work).await.ok()
    }

    /// Leaves the connection ready for the next transaction.
    async fn roll_back(&self, broken: Broken) -> Broken {
        if matches!(broken, Broken::Gone(_) | Broken::Taken | Broken::Short) {
            return broken;
        }
        match self.in_time(self.client.batch_execute("ROLLBACK")).await {
            Some(Ok(())) => broken,
            Some(Err(error)) => Broken::Gone(explain(error)),
            None => Broken::Gone(self.late()),
        }
    }

    async fn work_out(
        &self,
        group: &mut [Waiting],
        view: &mut View,
    ) -> std::result::Result<Vec<Result<()>>, Broken> {
        let mut needs = Needs::default();
        for waiting in group.iter() {
            needs.batch(&waiting.batch);
        }
        // The view is that of the transaction's first look. Whoever changes
        // what it saw makes it fail, not go wrong.
        let begin = self
            .client
            .batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE, READ WRITE");
        let (begun, sequence, loaded) = tokio::join!(
            biased;
            begin,
            self.client.query_one(&self.writes.sequence, &[]),
            self.load(view, &needs),
        );
        begun.map_err(unwritten)?;
        let sequence: i64 = sequence.and_then(|row| row.try_get(0)).map_err(unwritten)?;
        loaded?;
        if sequence != self.sequence {
            return Err(Broken::Taken);
        }
        let mut outcomes = Vec::with_capacity(group.len());
        for Waiting { batch, .. } in group {
            let outcome = match view.begin(batch, self.careful) {
                Ok((more, needs)) => {
                    if !needs.is_empty() {
                        self.load(view, &needs).await?;
                    }
                    view.finish(batch, &more)
                }
                Err(error) => Err(error),
            };
            if outcome.is_err() {
                view.take_back();
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    async fn load(&self, view: &mut View, needs: &Needs) -> std::result::Result<(), Broken> {
        let kinds: Vec<i16> = needs
            .places
            .iter()
            .map(|(kind, _)| schema::kind(*kind))
            .collect();
        let ids: Vec<&[u8]> = needs.places.iter().map(|(_, id)| id.0.as_slice()).collect();
        let entry_kinds: Vec<i16> = needs
            .entries
            .iter()
            .map(|(kind, _)| schema::kind(*kind))
            .collect();
        let entries: Vec<&[u8]> = needs
            .entries
            .iter()
            .map(|(_, entry)| entry.as_slice())
            .collect();
        let names: Vec<&str> = needs.metas.iter().copied().collect();
        let parameters: [&(dyn ToSql + Sync); 4] = [&kinds, &ids, &entry_kinds, &entries];
        let rows = self.client.query(&self.writes.load, &parameters);
        let (rows, found) = if names.is_empty() {
            (rows.await.map_err(unwritten)?, Vec::new())
        } else {
            let names: [&(dyn ToSql + Sync); 1] = [&names];
            let metas = self.client.query(&self.writes.metas, &names);
            let (rows, metas) = tokio::join!(biased; rows, metas);
            (rows.map_err(unwritten)?, metas.map_err(unwritten)?)
        };
        let rows: Vec<Row> = rows
            .iter()
            .map(schema::row)
            .collect::<Result<_>>()
            .map_err(Broken::Refused)?;
        let metas = found
            .iter()
            .map(|row| {
                Ok((
                    row.try_get::<_, &str>(0).map_err(explain)?,
                    schema::meta(row, 1)?,
                ))
            })
            .collect::<Result<Vec<_>>>()
            .map_err(Broken::Refused)?;
        view.enter(needs, rows, metas);
        Ok(())
    }

    /// Writes the difference and commits.
    async fn write(
        &self,
        view: &View,
        changes: &Changes<'_>,
        outcomes: Vec<Result<()>>,
    ) -> std::result::Result<Done, Broken> {
        let sequence = self.sequence.saturating_add(1);
        let metas: Vec<(&str, i64, &[u8])> = view
            .metas
            .iter()
            .filter_map(|(name, (meta, changed))| Some((*name, changed.then_some(meta.as_ref()?)?)))
            .map(|(name, meta)| (name, signed(meta.revision), meta.bytes.as_slice()))
            .collect();
        let Changes {
            deleted,
            released,
            updated,
            inserted,
            metas: _,
        } = changes;
        let mut parameters: Vec<(&Statement, Vec<&(dyn ToSql + Sync)>, usize)> = Vec::new();
        if !deleted.kinds.is_empty() {
            parameters.push((
                &self.writes.delete,
                vec![&deleted.kinds, &deleted.ids, &deleted.old],
                deleted.kinds.len(),
            ));
        }
        if !released.kinds.is_empty() {
            parameters.push((
                &self.writes.release,
                vec![&released.kinds, &released.ids],
                released.kinds.len(),
            ));
        }
        if !updated.kinds.is_empty() {
            let u = updated;
            parameters.push((
                &self.writes.update,
                vec![
                    &u.kinds,
                    &u.ids,
                    &u.old,
                    &u.revisions,
                    &u.entries,
                    &u.scopes,
                    &u.sealed,
                ],
                u.kinds.len(),
            ));
        }
        if !inserted.kinds.is_empty() {
            let i = inserted;
            parameters.push((
                &self.writes.insert,
                vec![
                    &i.kinds,
                    &i.ids,
                    &i.revisions,
                    &i.entries,
                    &i.scopes,
                    &i.sealed,
                ],
                i.kinds.len(),
            ));
        }
        for (name, revision, bytes) in &metas {
            parameters.push((&self.writes.put_meta, vec![name, revision, bytes], 1));
        }
        parameters.push((&self.writes.advance, vec![&sequence], 1));
        let mut steps: Vec<Step<'_>> = Vec::with_capacity(parameters.len() + 1);
        let mut wanted: Vec<u64> = Vec::with_capacity(parameters.len() + 1);
        for (statement, values, rows) in &parameters {
            wanted.push(u64::try_from(*rows).unwrap_or(u64::MAX));
            let values = values.as_slice();
            steps.push(Box::pin(async move {
                self.client.execute(*statement, values).await
            }));
        }
        steps.push(Box::pin(async {
            self.client.batch_execute("COMMIT").await.map(|()| 0)
        }));
        match self.in_time(pipeline(steps)).await {
            Some(answers) => {
                let written: Vec<u64> = answers.iter().flatten().copied().collect();
                let done = self.judge(answers, outcomes, sequence).await?;
                match written.starts_with(&wanted) {
                    true => Ok(done),
                    false => Err(Broken::Short),
                }
            }
            None => Err(Broken::Doubt {
                outcomes,
                why: self.late().to_string(),
            }),
        }
    }

    /// What the answers to everything, the COMMIT last, say.
    async fn judge(
        &self,
        answers: Vec<std::result::Result<u64, tokio_postgres::Error>>,
        outcomes: Vec<Result<()>>,
        sequence: i64,
    ) -> std::result::Result<Done, Broken> {
        let last = answers.len().saturating_sub(1);
        for (position, answer) in answers.into_iter().enumerate() {
            let Err(error) = answer else { continue };
            // An error that the server told before the COMMIT has undone
            // everything, and the COMMIT was answered with a roll-back.
            let told = error.code().is_some() && position < last;
            if !told && !refused_commit(&error) {
                return Err(Broken::Doubt {
                    outcomes,
                    why: words(&error),
                });
            }
            return Err(self.roll_back(unwritten(error)).await);
        }
        Ok(Done { outcomes, sequence })
    }
}

/// What an error before the COMMIT leads to.
fn unwritten(error: tokio_postgres::Error) -> Broken {
    match error.code() {
        Some(code) if again(code) => Broken::Again {
            careful: false,
            error: explain(error),
        },
        // Something was there that was taken to be absent.
        Some(code) if *code == tokio_postgres::error::SqlState::UNIQUE_VIOLATION => Broken::Again {
            careful: true,
            error: explain(error),
        },
        // The server ends the connection.
        Some(code) if code.code().starts_with("57P") => Broken::Gone(explain(error)),
        Some(_) => Broken::Refused(explain(error)),
        None => Broken::Gone(explain(error)),
    }
}

fn signed(revision: u64) -> i64 {
    // Checked when it was entered.
    i64::try_from(revision).unwrap_or(i64::MAX)
}

#[derive(Default)]
struct Columns<'a> {
    kinds: Vec<i16>,
    ids: Vec<&'a [u8]>,
    old: Vec<i64>,
    revisions: Vec<i64>,
    entries: Vec<Option<&'a [u8]>>,
    scopes: Vec<Option<&'a [u8]>>,
    sealed: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn place(&mut self, (kind, id): &'a super::view::Place) {
        self.kinds.push(schema::kind(*kind));
        self.ids.push(&id.0);
    }

    fn row(&mut self, row: &'a Row) {
        self.revisions.push(signed(row.revision));
        self.entries
            .push(row.index.as_ref().map(|entry| entry.as_slice()));
        self.scopes
            .push(row.scope.as_ref().map(|scope| scope.as_slice()));
        self.sealed.push(&row.sealed);
    }
}

/// The difference between what the database has and what it is to have.
#[derive(Default)]
struct Changes<'a> {
    deleted: Columns<'a>,
    /// Rows whose index entry changes: free first, so that another may have
    /// it in whatever order they are written.
    released: Columns<'a>,
    updated: Columns<'a>,
    inserted: Columns<'a>,
    /// Whether plain values changed.
    metas: bool,
}

impl<'a> Changes<'a> {
    fn of(view: &'a View) -> Self {
        let mut changes = Self::default();
        for (place, Slot { before, now, .. }) in view.slots.iter().filter(|(_, slot)| slot.changed)
        {
            match (before, now) {
                (None, None) => {}
                (None, Some(row)) => {
                    changes.inserted.place(place);
                    changes.inserted.row(row);
                }
                (Some(before), None) => {
                    changes.deleted.place(place);
                    changes.deleted.old.push(signed(before.revision));
                }
                (Some(before), Some(row)) => {
                    if before.index.is_some() && before.index != row.index {
                        changes.released.place(place);
                    }
                    changes.updated.place(place);
                    changes.updated.old.push(signed(before.revision));
                    changes.updated.row(row);
                }
            }
        }
        if view.metas.values().any(|(_, changed)| *changed) {
            changes.metas = true;
        }
        changes
    }

    fn is_empty(&self) -> bool {
        !self.metas
            && [&self.deleted, &self.updated, &self.inserted]
                .iter()
                .all(|columns| columns.kinds.is_empty())
    }
}
