//! Moving a whole store from one backend to another: every row as it lies,
//! sealed; no key is needed and none is seen.
//!
//! **What is proven.** When [`migrate`] returns, both sides were walked once
//! more, and as many rows of every kind with the same SHA-256 over all of
//! their bytes (kind, id, revision, index entry, scope, sealed bytes, in the
//! order of kind and id) were found on both; the heads are among them, and so
//! is the header, compared by itself. So the target verifies exactly if the
//! source does. Whether the source does is what unsealing and `skms storage
//! verify` say.
//!
//! **Interruptions.** The target carries a mark from the first write on, and
//! gets its header with the last one. Whatever happens in between, it is no
//! store until then: [`crate::Sealed::open`] says that a move into it did not
//! finish. Running it again goes on where it stopped; what does not fit the
//! source any more is thrown away and copied anew.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use skms_crypto::hash::{Hash, Hasher};

use crate::error::{Conflict, Error, Result};
use crate::sealed::header::{self, Header};
use crate::sealed::heads::TOP_ID;
use crate::store::{Batch, Kind, MetaWrite, RecordId, Row, Snapshot, Store, Write};

/// The plain value that marks the target of a move, from its first write on.
const MARK: &str = "move";

/// Before the install's id: the move goes on.
const ARRIVING: &[u8] = b"arriving ";

/// Before the install's id: everything is there.
const ARRIVED: &[u8] = b"arrived ";

/// Rows read at a time.
const PAGE: usize = 1024;

/// The most rows and bytes in one batch.
const BATCH_ROWS: usize = 512;
const BATCH_BYTES: usize = 4 << 20;

/// What was moved, and how it was made sure of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The install's id; not secret.
    pub install: [u8; 16],
    /// Rows of each kind, on both sides.
    pub rows: BTreeMap<Kind, u64>,
    /// Their sealed bytes.
    pub bytes: u64,
    /// Changes of the top head, which every commit makes: how far the store
    /// had got.
    pub top_revision: u64,
    /// SHA-256 over all rows, on both sides.
    pub digest: Vec<u8>,
    /// Rows that an earlier run had brought already.
    pub resumed: u64,
}

/// Refuses a store that a move into it left half-finished.
pub(crate) async fn check_whole(store: &dyn Store) -> Result<()> {
    match store.meta(MARK).await? {
        Some(mark) if mark.bytes.starts_with(ARRIVING) => Err(Error::Incomplete),
        _ => Ok(()),
    }
}

/// Copies everything of `from` to `to`, and makes sure of it. Nobody else may
/// have either open; the backends' locks see to that. `progress` is told how
/// many rows were looked at so far.
///
/// # Errors
/// [`Error::NotInitialised`] and [`Error::Incomplete`] for a source that is no
/// store, [`Error::NotEmpty`] for a target that is one, or something else,
/// [`Error::OtherInstall`] for a target where another install's move did not
/// finish, [`Error::Differs`] when the walk at the end does not find the same
/// on both sides; and the backends'. Running it again is always safe.
pub async fn migrate(
    from: &dyn Store,
    to: &dyn Store,
    mut progress: impl FnMut(u64) + Send,
) -> Result<Moved> {
    check_whole(from).await?;
    let head = from.meta(header::NAME).await?;
    let head = head.ok_or(Error::NotInitialised)?.bytes;
    let install = Header::parse(&head)?.install;
    let mark = mark(to, install).await?;
    let resumed = match copy(from, to, &mut progress).await? {
        Some(resumed) => resumed,
        None => {
            clear(to).await?;
            copy(from, to, &mut progress).await?.ok_or(Error::Differs)?
        }
    };
    let theirs = Sum::of(from.snapshot().await?.as_mut()).await?;
    let ours = Sum::of(to.snapshot().await?.as_mut()).await?;
    if theirs != ours {
        return Err(Error::Differs);
    }
    let top_revision = theirs.top.ok_or(Error::HeadReplayed)?;
    to.commit(Batch {
        meta: vec![
            MetaWrite {
                name: header::NAME,
                expected: None,
                bytes: head.clone(),
            },
            MetaWrite {
                name: MARK,
                expected: Some(mark),
                bytes: [ARRIVED, &install].concat(),
            },
        ],
        ..Batch::default()
    })
    .await?;
    if to
        .meta(header::NAME)
        .await?
        .is_none_or(|meta| meta.bytes != head)
    {
        return Err(Error::Differs);
    }
    Ok(Moved {
        install,
        rows: theirs.rows,
        bytes: theirs.bytes,
        top_revision,
        digest: theirs.digest,
        resumed,
    })
}

/// Marks an empty target, or finds our own mark; its revision.
async fn mark(to: &dyn Store, install: [u8; 16]) -> Result<u64> {
    if to.meta(header::NAME).await?.is_some() {
        return Err(Error::NotEmpty);
    }
    if let Some(mark) = to.meta(MARK).await? {
        let whose = mark.bytes.strip_prefix(ARRIVING).ok_or(Error::NotEmpty)?;
        if whose != install {
            return Err(Error::OtherInstall {
                what: "what a move that did not finish left in the target",
                expected: crate::hex::encode(&install),
                found: crate::hex::encode(whose),
            });
        }
        return Ok(mark.revision);
    }
    if !to.snapshot().await?.next(1).await?.is_empty() {
        return Err(Error::NotEmpty);
    }
    to.commit(Batch {
        meta: vec![MetaWrite {
            name: MARK,
            expected: None,
            bytes: [ARRIVING, &install].concat(),
        }],
        ..Batch::default()
    })
    .await?;
    Ok(1)
}

/// A walk that can be looked ahead of.
struct Walk {
    snapshot: Box<dyn Snapshot>,
    page: VecDeque<Row>,
    ended: bool,
}

impl Walk {
    async fn over(store: &dyn Store) -> Result<Self> {
        Ok(Self {
            snapshot: store.snapshot().await?,
            page: VecDeque::new(),
            ended: false,
        })
    }

    async fn peek(&mut self) -> Result<Option<&Row>> {
        if self.page.is_empty() && !self.ended {
            self.page = self.snapshot.next(PAGE).await?.into();
            self.ended = self.page.is_empty();
        }
        Ok(self.page.front())
    }

    async fn next(&mut self) -> Result<Option<Row>> {
        self.peek().await?;
        Ok(self.page.pop_front())
    }
}

/// Puts every row that the target lacks; how many it had. `None` when it has
/// something that the source has not.
async fn copy(
    from: &dyn Store,
    to: &dyn Store,
    progress: &mut (impl FnMut(u64) + Send),
) -> Result<Option<u64>> {
    let (mut source, mut target) = (Walk::over(from).await?, Walk::over(to).await?);
    let (mut writes, mut bytes) = (Vec::new(), 0);
    let (mut seen, mut had) = (0, 0);
    while let Some(row) = source.next().await? {
        let place = (row.kind, row.id);
        seen += 1;
        match target.peek().await?.map(|there| (there.kind, there.id)) {
            Some(there) if there < place => return Ok(None),
            Some(there) if there == place => {
                if target.next().await?.as_ref() != Some(&row) {
                    return Ok(None);
                }
                had += 1;
            }
            _ => {
                bytes += row.sealed.len();
                writes.push(Write::Put {
                    row,
                    expected: None,
                });
            }
        }
        if writes.len() >= BATCH_ROWS || bytes >= BATCH_BYTES {
            if !put(to, std::mem::take(&mut writes)).await? {
                return Ok(None);
            }
            bytes = 0;
            progress(seen);
        }
    }
    if !put(to, writes).await? || target.peek().await?.is_some() {
        return Ok(None);
    }
    progress(seen);
    Ok(Some(had))
}

/// Whether there was room for the rows among what is there.
async fn put(to: &dyn Store, writes: Vec<Write>) -> Result<bool> {
    let written = to
        .commit(Batch {
            writes,
            ..Batch::default()
        })
        .await;
    match written {
        Ok(()) => Ok(true),
        Err(Error::Conflict {
            conflict: Conflict::Index | Conflict::Exists,
            ..
        }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes every row of a target that holds our mark.
async fn clear(to: &dyn Store) -> Result<()> {
    loop {
        let page = to.snapshot().await?.next(BATCH_ROWS).await?;
        if page.is_empty() {
            return Ok(());
        }
        let writes = page
            .into_iter()
            .map(|row| Write::Delete {
                kind: row.kind,
                id: row.id,
                expected: row.revision,
            })
            .collect();
        to.commit(Batch {
            writes,
            ..Batch::default()
        })
        .await?;
    }
}

/// What all rows of a store add up to.
#[derive(PartialEq, Eq)]
struct Sum {
    rows: BTreeMap<Kind, u64>,
    bytes: u64,
    top: Option<u64>,
    digest: Vec<u8>,
}

impl Sum {
    async fn of(snapshot: &mut dyn Snapshot) -> Result<Self> {
        let mut hasher = Hasher::new(Hash::Sha256);
        let (mut rows, mut bytes, mut top) = (BTreeMap::new(), 0_u64, None);
        let mut page = snapshot.next(PAGE).await?;
        while !page.is_empty() {
            let next = snapshot.next(PAGE);
            for row in &page {
                *rows.entry(row.kind).or_default() += 1;
                let length = u64::try_from(row.sealed.len()).unwrap_or(u64::MAX);
                bytes = bytes.saturating_add(length);
                if (row.kind, row.id) == (Kind::Head, TOP_ID) {
                    top = Some(row.revision);
                }
                take(&mut hasher, row, length);
            }
            page = next.await?;
        }
        Ok(Self {
            rows,
            bytes,
            top,
            digest: hasher.finish(),
        })
    }
}

/// Every part with its length or presence, so that no two rows read alike.
fn take(hasher: &mut Hasher, row: &Row, length: u64) {
    let RecordId(id) = row.id;
    hasher.update(&[row.kind.number()]);
    hasher.update(&id);
    hasher.update(&row.revision.to_be_bytes());
    for part in [&row.index, &row.scope] {
        hasher.update(&[u8::from(part.is_some())]);
        hasher.update(part.as_ref().map_or(&[], |part| part.as_slice()));
    }
    hasher.update(&length.to_be_bytes());
    hasher.update(&row.sealed);
}
