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
    acts::{
        events::Recorded,
        follow::{Following, Mark},
    },
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
    let after = after.map(mark).transpose()?;
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
    let mut sent = following.seen();
    let end = tokio::select! {
        end = stopped => end,
        () = sender.closed() => End::Gone,
        end = follow(&engine, &mut following, &sender, &mut sent) => end,
    };
    if let End::Told(failure) = end {
        // A page that was read and not sent is read again by whoever comes back.
        let piece = Bytes::from(last(&failure, sent));
        let _ = tokio::time::timeout(PATIENCE, sender.send(piece)).await;
    }
}

/// Sends piece after piece; `sent` is the place that the last of them leads to.
async fn follow(
    engine: &Engine,
    following: &mut Following,
    sender: &mpsc::Sender<Bytes>,
    sent: &mut Option<Mark>,
) -> End {
    let mut piece = format!("retry: {RETRY}\n{}", at(*sent));
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
        *sent = following.seen();
        piece = match engine.next_events(following, HEARTBEAT).await {
            Ok(found) if found.is_empty() => format!(": quiet\n{}", at(following.seen())),
            Ok(found) => found.iter().map(|one| message(one)).collect(),
            Err(error) => return error.into(),
        };
    }
}

/// Says where the stream is. Without data it is no message, but the place to
/// come back with all the same.
fn at(seen: Option<Mark>) -> String {
    match seen {
        Some(seen) => format!("id: {}\n\n", place(seen)),
        None => "\n".to_owned(),
    }
}

/// A place as it is written: the number, and what its event's identifier begins
/// with.
fn place(mark: Mark) -> String {
    match mark.event {
        Some(event) => format!("{}-{:08x}", mark.sequence, u32::from_be_bytes(event)),
        None => mark.sequence.to_string(),
    }
}

/// Reads it. Whoever writes the number alone is believed.
fn mark(text: &str) -> Result<Mark, Failure> {
    let (sequence, event) = match text.split_once('-') {
        None => (text, None),
        Some((sequence, event)) => {
            let plain = event.len() == 8 && event.bytes().all(|one| one.is_ascii_hexdigit());
            let event = u32::from_str_radix(event, 16).ok().filter(|_| plain);
            let event = event.ok_or_else(events::no_place)?;
            (sequence, Some(event.to_be_bytes()))
        }
    };
    let sequence = sequence.parse().map_err(|_| events::no_place())?;
    Ok(Mark { sequence, event })
}

/// One event.
fn message(recorded: &Recorded) -> String {
    let json = events::json(recorded);
    let event = recorded.event.id.0.first_chunk().copied();
    let id = place(Mark {
        sequence: recorded.sequence,
        event,
    });
    format!("id: {id}\ndata: {json}\n\n")
}

/// The end, with the place to come back with.
fn last(failure: &Failure, sent: Option<Mark>) -> String {
    let json = serde_json::to_string(&failure.problem()).unwrap_or_default();
    format!("event: {STREAM_END}\ndata: {json}\n{}", at(sent))
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
    use skms_crypto::SecretArray;
    use skms_engine::{Caller, Config, EventFilter, approvals::Calling};
    use skms_store::{NewSeal, SealInput};

    use super::*;

    fn key() -> SecretArray<32> {
        SecretArray::from_slice(&[7; 32]).unwrap()
    }

    #[tokio::test]
    async fn the_end_leads_to_what_was_sent_and_no_further() {
        let dir = tempfile::TempDir::new().unwrap();
        let config = Config::new(dir.path());
        let seal = NewSeal::KeyFile {
            name: "test".into(),
            key: key(),
        };
        let made = Engine::init(&config, vec![seal]).await.unwrap();
        let engine = Engine::open(config).await.unwrap();
        engine.unseal(SealInput::KeyFile(key())).await.unwrap();
        let token = String::from_utf8(made.root_token.into_public()).unwrap();
        let root = Arc::new(Caller {
            session: engine.authenticate_token(&token).await.unwrap(),
            source: None,
            request_id: "test".into(),
            tls: true,
            idempotency: None,
            calling: Calling::default(),
        });
        let all = EventFilter::default();
        let following = engine.follow_events(&root, "root", None, all.clone()).await;
        let following = following.unwrap();
        let began = following.seen();
        let (sender, mut receiver) = mpsc::channel(1);
        let (stop, stopping) = watch::channel(false);
        let running = tokio::spawn(run(Arc::clone(&engine), following, sender, stopping));
        // Nobody takes the first piece: what happens now is read, and waits.
        engine.create_namespace(&root, "team").await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.send(true).unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut pieces = Vec::new();
        while let Some(piece) = receiver.recv().await {
            pieces.push(String::from_utf8(piece.to_vec()).unwrap());
        }
        running.await.unwrap();
        let places: Vec<_> = pieces
            .iter()
            .flat_map(|piece| piece.lines().filter(|line| line.starts_with("id: ")))
            .collect();
        assert!(pieces.last().unwrap().starts_with("event: end\n"));
        let [.., sent, end] = places.as_slice() else {
            panic!("{pieces:?}");
        };
        assert_eq!(sent, end, "{pieces:?} after {began:?}");
        // Whoever comes back there misses nothing.
        let back = engine.follow_events(&root, "root", began, all).await;
        let next = engine.next_events(&mut back.unwrap(), Duration::ZERO).await;
        let next = next.unwrap();
        let made = next.first().map(|one| one.event.action.as_str());
        assert_eq!(made, Some("namespace.create"));
    }

    #[test]
    fn every_piece_ends_with_an_empty_line() {
        let seen = Mark {
            sequence: 7,
            event: None,
        };
        let told = last(&Failure::new(ProblemKind::Sealed), Some(seen));
        assert!(told.starts_with("event: end\ndata: {\"type\":\"urn:skms:problem:sealed\""));
        for piece in [at(None), at(Some(seen)), told] {
            assert!(piece.ends_with('\n'), "{piece:?}");
        }
        assert!(last(&Failure::new(ProblemKind::Sealed), None).ends_with("\n\n"));
    }

    #[test]
    fn places_are_read_as_they_are_written() {
        let both = Mark {
            sequence: 4711,
            event: Some([0x0a, 0xb1, 2, 3]),
        };
        assert_eq!(place(both), "4711-0ab10203");
        let number = Mark {
            sequence: 7,
            event: None,
        };
        for (text, is) in [("4711-0ab10203", both), ("7", number)] {
            assert_eq!(mark(text).unwrap(), is);
        }
        for bad in [
            "",
            "-",
            "7-",
            "-0ab10203",
            "7-0ab1020",
            "7-0ab102031",
            "7-+ab10203",
            "x",
            "7.3",
        ] {
            assert!(mark(bad).is_err(), "{bad:?}");
        }
    }
}
