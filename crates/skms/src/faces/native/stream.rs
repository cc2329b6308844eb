//! Follows the record: one stream of server-sent events (HTML, section 9.2).
//!
//! A task of its own reads the record and hands over a piece whenever the
//! connection has sent the one before. So what is buffered for a slow reader
//! is one piece, whatever happens meanwhile, and the rest is read from the
//! record later.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use skms_engine::{
    Engine, Error,
    acts::{events::Recorded, follow::Following},
};
use skms_wire::native::{
    ProblemKind,
    events::{EventQuery, STREAM_END, STREAM_TYPE},
};
use tokio::sync::{mpsc, watch};

use super::{answer::Reply, call::Call, error::Failure, events};

/// A stream without events says this often that it is there, and where it is.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A reader who takes nothing for this long is gone, or as good as gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// When to come back after a stream has ended, in milliseconds.
const RETRY: u32 = 2000;

/// The events after a place or from now on, without an end.
pub async fn stream(call: Call) -> Result<Reply, Failure> {
    let query: EventQuery = call.query()?;
    if query.limit.is_some() {
        return Err(Failure::invalid("a stream has no limit"));
    }
    // The header counts where both are: it is what was seen last.
    let after = call.last_event_id.as_deref().or(query.after.as_deref());
    let after = events::place(after)?;
    let filter = events::filter(&query)?;
    let engine = Arc::clone(&call.app.engine);
    let following = engine
        .follow_events(call.caller()?, &call.namespace, after, filter)
        .await?;
    let (sender, receiver) = mpsc::channel(1);
    let stopping = call.app.stopping.subscribe();
    tokio::spawn(run(engine, following, sender, stopping));
    Ok(Reply::Stream(STREAM_TYPE, Body::new(Stream(receiver))))
}

/// Why a stream ends.
enum End {
    /// Nobody listens.
    Gone,
    /// The listener is told.
    Told(Failure),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Told(error.into())
    }
}

async fn run(
    engine: Arc<Engine>,
    mut following: Following,
    sender: mpsc::Sender<Bytes>,
    mut stopping: watch::Receiver<bool>,
) {
    let stopped = async {
        // An error would mean that nobody can stop it any more.
        let _ = stopping.wait_for(|stopping| *stopping).await;
        End::Told(Failure::with(ProblemKind::Unavailable, "the server stops"))
    };
    let end = tokio::select! {
        end = stopped => end,
        () = sender.closed() => End::Gone,
        end = follow(&engine, &mut following, &sender) => end,
    };
    if let End::Told(failure) = end {
        let piece = Bytes::from(last(&failure, following.seen()));
        let _ = tokio::time::timeout(PATIENCE, sender.send(piece)).await;
    }
}

async fn follow(engine: &Engine, following: &mut Following, sender: &mpsc::Sender<Bytes>) -> End {
    let mut piece = format!("retry: {RETRY}\n{}", at(following.seen()));
    loop {
        // While a slow reader is waited for, it may be the stream's end too.
        let permit = tokio::select! {
            permit = tokio::time::timeout(PATIENCE, sender.reserve()) => permit,
            error = engine.follows_no_longer(following) => return error.into(),
        };
        let Ok(Ok(permit)) = permit else {
            return End::Gone;
        };
        permit.send(Bytes::from(std::mem::take(&mut piece)));
        piece = match engine.next_events(following, HEARTBEAT).await {
            Ok(found) if found.is_empty() => format!(": quiet\n{}", at(following.seen())),
            Ok(found) => found.iter().map(|one| message(one)).collect(),
            Err(error) => return error.into(),
        };
    }
}

/// Says where the stream is. Without data it is no message, but the place to
/// come back with all the same.
fn at(seen: Option<u64>) -> String {
    match seen {
        Some(seen) => format!("id: {seen}\n\n"),
        None => "\n".to_owned(),
    }
}

/// One event.
fn message(recorded: &Recorded) -> String {
    let json = events::json(recorded);
    format!("id: {}\ndata: {json}\n\n", recorded.sequence)
}

fn last(failure: &Failure, seen: Option<u64>) -> String {
    let json = serde_json::to_string(&failure.problem()).unwrap_or_default();
    format!("event: {STREAM_END}\ndata: {json}\n{}", at(seen))
}

struct Stream(mpsc::Receiver<Bytes>);

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.0.poll_recv(context);
        piece.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_ends_with_an_empty_line() {
        let told = last(&Failure::new(ProblemKind::Sealed), Some(7));
        assert!(told.starts_with("event: end\ndata: {\"type\":\"urn:skms:problem:sealed\""));
        for piece in [at(None), at(Some(7)), told] {
            assert!(piece.ends_with('\n'), "{piece:?}");
        }
        assert!(last(&Failure::new(ProblemKind::Sealed), None).ends_with("\n\n"));
    }
}
