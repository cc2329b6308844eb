//! Listing a page at a time, in order of the records' random identifiers:
//! the store cannot sort by names that it cannot read.

use skms_store::sealed::Record;
use skms_store::{Kind, RecordId, SealedStore};

use crate::error::{Error, Result};

/// Most items a page may hold.
pub const MAX_PAGE: usize = 1000;

/// How many records one step reads.
const STEP: usize = 256;

/// All records of one kind in one scope, so many at a time: what there are many
/// of, or large ones, is never in memory at once.
pub(crate) struct Steps {
    scope: [u8; 16],
    kind: Kind,
    step: usize,
    after: Option<RecordId>,
    over: bool,
}

impl Steps {
    /// From the first, `step` at a time.
    pub(crate) const fn new(scope: [u8; 16], kind: Kind, step: usize) -> Self {
        Self {
            scope,
            kind,
            step,
            after: None,
            over: false,
        }
    }

    /// The next ones; `None` after the last. Whoever reads them may delete them.
    pub(crate) async fn next(&mut self, store: &SealedStore) -> Result<Option<Vec<Record>>> {
        if self.over {
            return Ok(None);
        }
        let found = store
            .scan(self.scope, self.kind, self.after, self.step)
            .await?;
        self.over = found.len() < self.step;
        self.after = found.last().map(|record| record.id);
        Ok(Some(found))
    }
}

/// Which page is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    limit: usize,
    after: Option<RecordId>,
}

impl Page {
    /// At most `limit` items, beginning behind `after`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] over [`MAX_PAGE`]; [`Error::Invalid`] for none.
    pub fn new(limit: usize, after: Option<RecordId>) -> Result<Self> {
        if limit == 0 {
            return Err(Error::Invalid("a page holds at least one item".into()));
        }
        if limit > MAX_PAGE {
            return Err(Error::TooLarge {
                what: "the page's limit",
                limit: MAX_PAGE as u64,
            });
        }
        Ok(Self { limit, after })
    }

    /// Walks the records of one kind in one scope, keeping what `pick` keeps,
    /// and says where the next page begins, if there is one.
    pub(crate) async fn collect<T>(
        &self,
        store: &SealedStore,
        scope: [u8; 16],
        kind: Kind,
        mut pick: impl FnMut(Record) -> Result<Option<T>>,
    ) -> Result<(Vec<T>, Option<RecordId>)> {
        let mut items = Vec::new();
        let mut after = self.after;
        let mut steps = Steps {
            after,
            ..Steps::new(scope, kind, STEP)
        };
        while let Some(step) = steps.next(store).await? {
            for record in step {
                let id = record.id;
                if let Some(item) = pick(record)? {
                    if items.len() == self.limit {
                        // One more exists: the page ends before it.
                        return Ok((items, after));
                    }
                    items.push(item);
                }
                after = Some(id);
            }
        }
        Ok((items, None))
    }
}
