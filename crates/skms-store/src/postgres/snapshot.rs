//! A read transaction on a connection of its own, held by one task.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::failure::explain;
use super::reader::Link;
use super::schema;
use super::session::{Role, Shared};
use crate::error::{Error, Result};
use crate::store::{BoxFuture, Meta, Row, Snapshot};

enum Ask {
    Next(usize, oneshot::Sender<Result<Vec<Row>>>),
    Meta(&'static str, oneshot::Sender<Result<Option<Meta>>>),
}

pub(super) struct PostgresSnapshot {
    asks: mpsc::UnboundedSender<Ask>,
}

impl PostgresSnapshot {
    pub(super) async fn begin(shared: Arc<Shared>) -> Result<Self> {
        let link = Link::open(&shared, Role::Snapshot).await?;
        link.client()
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .await
            .map_err(explain)?;
        // The view is fixed by the first read, not by BEGIN.
        link.session.state().await?;
        shared.readable()?;
        let (asks, receiver) = mpsc::unbounded_channel();
        tokio::spawn(serve(link, receiver));
        Ok(Self { asks })
    }

    fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(oneshot::Sender<Result<T>>) -> Ask,
    ) -> BoxFuture<'_, Result<T>> {
        let (sender, answer) = oneshot::channel();
        let sent = self.asks.send(ask(sender));
        Box::pin(async move {
            sent.map_err(|_| Error::Closed)?;
            answer.await.map_err(|_| Error::Closed)?
        })
    }
}

async fn serve(link: Link, mut asks: mpsc::UnboundedReceiver<Ask>) {
    let mut after = (0_i16, Vec::new());
    while let Some(ask) = asks.recv().await {
        // The asker may be gone.
        match ask {
            Ask::Next(limit, answer) => {
                let page = next(&link, &after, limit).await;
                if let Some(last) = page.as_ref().ok().and_then(|rows| rows.last()) {
                    after = (schema::kind(last.kind), last.id.0.to_vec());
                }
                let _ = answer.send(page);
            }
            Ask::Meta(name, answer) => {
                let _ = answer.send(meta(&link, name).await);
            }
        }
    }
}

async fn next(link: &Link, after: &(i16, Vec<u8>), limit: usize) -> Result<Vec<Row>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = link
        .client()
        .query(&link.reads.walk, &[&after.0, &after.1, &limit])
        .await
        .map_err(explain)?;
    rows.iter().map(schema::row).collect()
}

pub(super) async fn meta(link: &Link, name: &str) -> Result<Option<Meta>> {
    let row = link
        .client()
        .query_opt(&link.reads.meta, &[&name])
        .await
        .map_err(explain)?;
    row.map(|row| schema::meta(&row, 0)).transpose()
}

impl Snapshot for PostgresSnapshot {
    fn next(&mut self, limit: usize) -> BoxFuture<'_, Result<Vec<Row>>> {
        self.ask(|answer| Ask::Next(limit, answer))
    }

    fn meta(&mut self, name: &'static str) -> BoxFuture<'_, Result<Option<Meta>>> {
        self.ask(|answer| Ask::Meta(name, answer))
    }
}
