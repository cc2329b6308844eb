//! A consistent view: one read transaction on a thread of its own.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::schema::{self, backend};
use crate::error::{Error, Result};
use crate::store::{BoxFuture, Meta, Row, Snapshot};

enum Ask {
    Next(usize, oneshot::Sender<Result<Vec<Row>>>),
    Meta(&'static str, oneshot::Sender<Result<Option<Meta>>>),
}

pub(super) struct SqliteSnapshot {
    asks: Sender<Ask>,
}

impl SqliteSnapshot {
    pub(super) async fn begin(path: PathBuf) -> Result<Box<dyn Snapshot>> {
        let (asks, receiver) = mpsc::channel();
        let (ready, begun) = oneshot::channel();
        std::thread::Builder::new()
            .name("skms-store-snapshot".to_owned())
            .spawn(move || match begin(&path) {
                Ok(connection) => {
                    let _ = ready.send(Ok(()));
                    serve(&connection, &receiver);
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            })
            .map_err(|error| Error::io("thread skms-store-snapshot", error))?;
        begun.await.map_err(|_| Error::Closed)??;
        Ok(Box::new(Self { asks }))
    }
}

fn begin(path: &std::path::Path) -> Result<Connection> {
    let connection = schema::open_reader(path)?;
    connection.execute_batch("BEGIN").map_err(backend)?;
    // SQLite fixes the view at the first read, not at BEGIN.
    schema::meta(&connection, "")?;
    Ok(connection)
}

fn serve(connection: &Connection, asks: &Receiver<Ask>) {
    let mut after = (0_u8, Vec::new());
    while let Ok(ask) = asks.recv() {
        match ask {
            Ask::Next(limit, answer) => {
                let rows = schema::select(
                    connection,
                    "(kind, id) > (?1, ?2) ORDER BY kind, id LIMIT ?3",
                    params![after.0, after.1, i64::try_from(limit).unwrap_or(i64::MAX)],
                );
                if let Some(last) = rows.as_ref().ok().and_then(|rows| rows.last()) {
                    after = (last.kind.number(), last.id.0.to_vec());
                }
                let _ = answer.send(rows);
            }
            Ask::Meta(name, answer) => {
                let _ = answer.send(schema::meta(connection, name));
            }
        }
    }
}

impl Snapshot for SqliteSnapshot {
    fn next(&mut self, limit: usize) -> BoxFuture<'_, Result<Vec<Row>>> {
        let (sender, answer) = oneshot::channel();
        let sent = self.asks.send(Ask::Next(limit, sender));
        Box::pin(async move {
            sent.map_err(|_| Error::Closed)?;
            answer.await.map_err(|_| Error::Closed)?
        })
    }

    fn meta(&mut self, name: &'static str) -> BoxFuture<'_, Result<Option<Meta>>> {
        let (sender, answer) = oneshot::channel();
        let sent = self.asks.send(Ask::Meta(name, sender));
        Box::pin(async move {
            sent.map_err(|_| Error::Closed)?;
            answer.await.map_err(|_| Error::Closed)?
        })
    }
}

/// A view taken whole, where there is one connection for everything.
pub(super) struct Frozen {
    rows: VecDeque<Row>,
    meta: Vec<(String, Meta)>,
}

impl Frozen {
    pub(super) fn take(connection: &Connection) -> Result<Self> {
        let rows = schema::select(connection, "kind > 0 ORDER BY kind, id", [])?;
        let mut meta = Vec::new();
        for name in schema::meta_names(connection)? {
            if let Some(value) = schema::meta(connection, &name)? {
                meta.push((name, value));
            }
        }
        Ok(Self {
            rows: rows.into(),
            meta,
        })
    }
}

impl Snapshot for Frozen {
    fn next(&mut self, limit: usize) -> BoxFuture<'_, Result<Vec<Row>>> {
        let some = self.rows.len().min(limit);
        let rows = self.rows.drain(..some).collect();
        Box::pin(std::future::ready(Ok(rows)))
    }

    fn meta(&mut self, name: &'static str) -> BoxFuture<'_, Result<Option<Meta>>> {
        let found = self.meta.iter().find(|(known, _)| known == name);
        let meta = found.map(|(_, meta)| meta.clone());
        Box::pin(std::future::ready(Ok(meta)))
    }
}
