//! One connection: handshake, HTTP, and its end.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::body::{Body, Bytes, HttpBody};
use http::{Request, Response};
use hyper::{
    body::{Frame, Incoming},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use skms_engine::{
    Session,
    acts::{exchange::Channel, trusts::SENT_MAX},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::{
    load::Load,
    log::Log,
    rest::{Watch, Watched},
    tls::Tls,
};
use crate::{
    config::Limits,
    faces::{
        acme::{self, Acme},
        est::{self, Est},
        native::{Native, metrics::Metrics},
        publication::{PREFIX, Publications},
        stamping::{self, Stamping},
    },
};

/// Requests of one HTTP/2 connection at once.
const STREAMS: u32 = 128;
/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 * 1024;
/// How long an HTTP/1.1 connection may be quiet before it rests.
const REST: Duration = Duration::from_secs(2);
/// How long what a peer still sends is read after the last answer.
const LINGER: Duration = Duration::from_secs(1);
/// An HTTP/2 peer that does not answer a ping for this long is gone.
const PING: Duration = Duration::from_secs(20);

/// What every connection is served with.
pub struct Serving {
    /// `None` serves plain HTTP.
    pub tls: Option<Arc<Tls>>,
    pub native: Native,
    pub publications: Publications,
    pub stamping: Stamping,
    pub acme: Acme,
    pub est: Est,
    pub limits: Limits,
    pub log: Log,
    pub metrics: Arc<Metrics>,
}

impl Serving {
    /// Answers one request, by the face that its path belongs to. Through the
    /// door of publications nothing else is reached.
    async fn answer(&self, peer: &Peer, request: Request<Incoming>) -> Response<Body> {
        if request.uri().path().starts_with(stamping::PREFIX) {
            Box::pin(self.stamping.answer(peer, request)).await
        } else if request.uri().path().starts_with(PREFIX) || peer.door == Door::Publications {
            self.publications.answer(peer, request).await
        } else if request.uri().path().starts_with(acme::PREFIX) {
            // In a box: few connections need the room that it takes.
            Box::pin(self.acme.answer(peer, request)).await
        } else if est::serves(request.uri().path()) {
            Box::pin(self.est.answer(peer, request)).await
        } else {
            self.native.answer(peer, request).await
        }
    }
}

/// Which kind of listener a connection came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Everything is served.
    All,
    /// What authorities publish and stamp, over plain HTTP.
    Publications,
}

/// What is known about the other end, for as long as the connection lasts.
pub struct Peer {
    /// Where it is.
    pub address: SocketAddr,
    /// By which kind of listener it came.
    pub door: Door,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// The certificates (DER) that it showed: first the one whose key it proved
    /// to hold, then a few that may lead from there to an authority.
    pub shown: Vec<Vec<u8>>,
    /// The last second of that certificate, in seconds since the Unix epoch.
    pub certificate_ends: Option<u64>,
    /// What binds a message to this TLS connection: `tls-exporter` (RFC 9266).
    pub binding: Option<[u8; 32]>,
    /// What keys are bound to it by (docs/exchange.md), where it showed a
    /// certificate.
    pub channel: Option<Arc<Channel>>,
    /// What its worker has under way.
    pub load: Arc<Load>,
    /// The session that its last credential led to.
    remembered: Mutex<Option<Remembered>>,
    open_requests: AtomicUsize,
    /// What is on its way on it.
    watch: Arc<Watch>,
    opened: Instant,
    last_active_ms: AtomicU64,
}

/// A credential and its session; the session itself ends when the credential
/// does.
struct Remembered {
    credential: Zeroizing<Vec<u8>>,
    session: Arc<Session>,
}

impl Peer {
    fn new(
        (address, door): (SocketAddr, Door),
        tls: bool,
        shown: Vec<Vec<u8>>,
        load: &Arc<Load>,
    ) -> Self {
        Self {
            load: Arc::clone(load),
            address,
            door,
            tls,
            certificate_ends: shown.first().and_then(|leaf| super::peer::ends(leaf)),
            shown,
            binding: None,
            channel: None,
            remembered: Mutex::new(None),
            open_requests: AtomicUsize::new(0),
            watch: Arc::default(),
            opened: Instant::now(),
            last_active_ms: AtomicU64::new(0),
        }
    }

    /// The client certificate (DER) whose key it proved to hold.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.shown.first().map(Vec::as_slice)
    }

    /// The session that this credential led to before on this connection.
    pub fn recall(&self, credential: &[u8]) -> Option<Arc<Session>> {
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        remembered
            .as_ref()
            .filter(|known| skms_crypto::ct_eq(&known.credential, credential))
            .map(|known| Arc::clone(&known.session))
    }

    /// Remembers where a credential led.
    pub fn remember(&self, credential: &[u8], session: Arc<Session>) {
        *self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Remembered {
            credential: Zeroizing::new(credential.to_vec()),
            session,
        });
    }

    fn touch(&self) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_active_ms.store(now, Ordering::Relaxed);
    }

    /// How long no request has been open.
    fn idle(&self) -> Duration {
        if self.open_requests.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        let last = Duration::from_millis(self.last_active_ms.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(last)
    }
}

/// Counts a request as open until it is dropped.
struct Open(Arc<Peer>);

impl Open {
    fn new(peer: &Arc<Peer>) -> Self {
        peer.open_requests.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(peer))
    }
}

impl Open {
    /// An answer that is there whole ends the request; one that is still being
    /// made holds it open to its end, so that its connection is not idle.
    fn until_sent(self, answer: Response<Body>) -> Response<Body> {
        if answer.body().size_hint().exact().is_some() {
            return answer;
        }
        answer.map(|body| Body::new(Unfinished { body, _open: self }))
    }
}

/// The body of an answer that is still being made.
struct Unfinished {
    body: Body,
    _open: Open,
}

impl HttpBody for Unfinished {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.touch();
        self.0.watch.answered();
        self.0.open_requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves a connection until either side ends it.
pub async fn serve(
    stream: TcpStream,
    (address, door): (SocketAddr, Door),
    serving: &Arc<Serving>,
    load: &Arc<Load>,
    stop: watch::Receiver<bool>,
) {
    // Small answers should not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let _counted = serving.metrics.connection();
    let Some(tls) = serving.tls.as_ref().filter(|_| door == Door::All) else {
        let peer = Peer::new((address, door), false, Vec::new(), load);
        return http(stream, peer, false, serving, stop).await;
    };
    let before = tls.current();
    let handshake = TlsAcceptor::from(tls.config()).accept(stream);
    let handshake = tokio::time::timeout(serving.limits.handshake_timeout, handshake);
    // In boxes: what a connection holds while it is idle has room for neither
    // the handshake nor copies of the session on its way from step to step.
    let stream = match Box::pin(handshake).await {
        Ok(Ok(stream)) => Box::new(stream),
        Ok(Err(error)) => {
            serving.metrics.handshake_failed();
            serving.log.debug(
                "a TLS handshake failed",
                &[
                    ("source", address.ip().to_string().into()),
                    ("reason", error.to_string().into()),
                ],
            );
            return;
        }
        Err(_slow) => return serving.metrics.handshake_failed(),
    };
    let session = stream.get_ref().1;
    let shown = session.peer_certificates().unwrap_or_default();
    let shown = shown.iter().take(1 + SENT_MAX);
    let shown = shown.map(|der| der.as_ref().to_vec()).collect();
    let speaks_h2 = session.alpn_protocol() == Some(b"h2");
    let binding = super::tls::binding(session);
    let channel = super::tls::channel(session, (&before, &tls.current())).map(Arc::new);
    drop(before);
    let mut peer = Peer::new((address, door), true, shown, load);
    peer.binding = binding;
    peer.channel = channel;
    http(stream, peer, speaks_h2, serving, stop).await;
}

async fn http<S>(
    stream: S,
    peer: Peer,
    h2: bool,
    serving: &Arc<Serving>,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let peer = Arc::new(peer);
    let (of_connection, of_service) = (Arc::clone(serving), Arc::clone(&peer));
    let service = service_fn(move |request: Request<Incoming>| {
        let (serving, open) = (Arc::clone(&of_connection), Open::new(&of_service));
        async move {
            let answer: Response<Body> = serving.answer(&open.0, request).await;
            Ok::<_, Infallible>(open.until_sent(answer))
        }
    });
    let limits = &serving.limits;
    if h2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEAD_BYTES as u32)
            .keep_alive_interval(Some(PING))
            .keep_alive_timeout(PING);
        let mut connection = Box::pin(builder.serve_connection(TokioIo::new(stream), service));
        // Never at rest: it has its own small buffers.
        drive(connection.as_mut(), &peer, limits, &mut stop, Duration::MAX).await;
        return;
    }
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(HEAD_BYTES);
    let mut io = Watched::new(stream, Arc::clone(&peer.watch));
    loop {
        let connection = builder.serve_connection(TokioIo::new(io), service.clone());
        let mut connection = Box::new(connection);
        let driven = drive(Pin::new(&mut *connection), &peer, limits, &mut stop, REST).await;
        let parts = connection.into_parts();
        io = parts.io.into_inner();
        if driven == Driven::Ended {
            let patience = if *stop.borrow() {
                Duration::ZERO
            } else {
                LINGER
            };
            io.end(limits.drain_timeout, patience).await;
            return;
        }
        let left = limits.idle_timeout.saturating_sub(peer.idle());
        let wakes = tokio::select! {
            wakes = io.wakes(parts.read_buf) => wakes,
            _ = stop.wait_for(|stopping| *stopping) => false,
            () = tokio::time::sleep(left) => false,
        };
        if !wakes {
            io.end(limits.drain_timeout, Duration::ZERO).await;
            return;
        }
    }
}

/// What both protocols' connections can do.
trait Graceful: Future {
    /// Finishes open requests and takes no more.
    fn finish(self: Pin<&mut Self>);
}

impl<I, S> Graceful for http1::Connection<I, S>
where
    S: hyper::service::HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S> Graceful for http2::Connection<I, S, TokioExecutor>
where
    S: hyper::service::HttpService<Incoming, ResBody = Body>,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// What became of a connection.
#[derive(PartialEq, Eq)]
enum Driven {
    /// It is over.
    Ended,
    /// It has been quiet for a while, and nothing is on its way.
    Rests,
}

/// Runs a connection until it is at rest, ends it when it is idle for too long
/// or the server stops, and lets go of it when the peer does not let it
/// finish.
async fn drive(
    mut connection: Pin<&mut impl Graceful>,
    peer: &Peer,
    limits: &Limits,
    stop: &mut watch::Receiver<bool>,
    rest: Duration,
) -> Driven {
    let mut pause = Duration::from_millis(10);
    loop {
        let left = limits.idle_timeout.min(rest).saturating_sub(peer.idle());
        tokio::select! {
            _ended = &mut connection => return Driven::Ended,
            _ = stop.wait_for(|stopping| *stopping) => break,
            () = tokio::time::sleep(left.max(pause)) => {
                let idle = peer.idle();
                if idle >= limits.idle_timeout {
                    break;
                }
                if idle >= rest && peer.watch.at_rest() {
                    return Driven::Rests;
                }
                if idle >= rest {
                    pause = rest.min(limits.idle_timeout.saturating_sub(idle));
                }
            }
        }
    }
    connection.as_mut().finish();
    let _ = tokio::time::timeout(limits.drain_timeout, connection).await;
    Driven::Ended
}
