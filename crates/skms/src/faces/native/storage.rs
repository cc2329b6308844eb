//! The storage beneath: rotation, verification and backup.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use skms_store::{Error as StoreError, backup::Sink, store::BoxFuture};
use tokio::sync::mpsc;

use skms_wire::native::seals::{RotateRootResponse, RotateStorageKeyResponse, StorageReport};

use super::{answer::Reply, call::Call, error::Failure};

/// Pieces of a backup that wait for a slow receiver: a few MiB.
const WAITING: usize = 2;

pub async fn rotate_storage_key(call: Call) -> Result<Reply, Failure> {
    let term = call.engine().rotate_storage_key(call.caller()?).await?;
    // How many records remain is the status's to say, to those who may read
    // it; a caller who may only rotate is told that there may be some.
    let remaining = match call.engine().storage_status(call.caller()?).await {
        Ok(status) => status
            .terms
            .iter()
            .filter(|known| known.term != term)
            .map(|known| known.records)
            .sum(),
        Err(_) => 0,
    };
    Reply::json(&RotateStorageKeyResponse {
        term,
        records_remaining: remaining,
    })
}

pub async fn rotate_root(call: Call) -> Result<Reply, Failure> {
    let status = call.engine().rotate_root(call.caller()?).await?;
    Reply::json(&RotateRootResponse {
        generation: u32::try_from(status.root_version).unwrap_or(u32::MAX),
        seals: u32::try_from(status.seals.len()).unwrap_or(u32::MAX),
    })
}

pub async fn verify(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let verified = call.engine().verify_storage(call.caller()?).await?;
    let mut faults: Vec<String> = verified
        .store
        .faults
        .iter()
        .map(ToString::to_string)
        .collect();
    let journal_entries = match verified.journal {
        Ok(journal) => journal.entries,
        Err(fault) => {
            faults.push(fault);
            0
        }
    };
    Reply::json(&StorageReport {
        intact: faults.is_empty(),
        records: verified.store.total(),
        journal_entries,
        faults,
    })
}

pub async fn backup(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let begun = call.engine().begin_backup(call.caller()?).await?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let broken = sender.clone();
    tokio::spawn(async move {
        // What went wrong is in the event; the receiver sees a stream that
        // breaks off, and a file without its checksum.
        if begun.run(Pipe(sender)).await.is_err() {
            let _ = broken.send(Err(BrokenOff)).await;
        }
    });
    Ok(Reply::Stream(
        "application/octet-stream",
        Body::new(Stream(receiver)),
    ))
}

/// Why a stream ended before its end.
#[derive(Debug, thiserror::Error)]
#[error("the backup broke off")]
struct BrokenOff;

/// From the backup's thread to the connection.
struct Pipe(mpsc::Sender<Result<Bytes, BrokenOff>>);

impl Sink for Pipe {
    fn put(&mut self, bytes: Vec<u8>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            // A receiver who is gone ends the backup.
            self.0
                .send(Ok(Bytes::from(bytes)))
                .await
                .map_err(|_| StoreError::Closed)
        })
    }
}

struct Stream(mpsc::Receiver<Result<Bytes, BrokenOff>>);

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        self.0
            .poll_recv(context)
            .map(|next| next.map(|piece| piece.map(Frame::data)))
    }
}
