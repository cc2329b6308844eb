//! A tiny server that answers as a test tells it to.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use skms_wire::native::{Problem, ProblemKind};
use tokio::net::TcpListener;

/// What reached the server.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub authorization: Option<String>,
    pub namespace: Option<String>,
    pub idempotency_key: Option<String>,
    pub body: Vec<u8>,
    pub http2: bool,
}

/// What the server answers, by the count of requests so far (from 0).
pub type Script = Arc<dyn Fn(usize) -> Response<Full<Bytes>> + Send + Sync>;

pub struct Server {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    pub connections: Arc<AtomicUsize>,
}

impl Server {
    pub async fn start(tls: Option<Arc<rustls::ServerConfig>>, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            connections: Arc::default(),
        };
        let (seen, connections) = (server.seen.clone(), server.connections.clone());
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (seen, script, tls) = (seen.clone(), script.clone(), tls.clone());
                tokio::spawn(async move {
                    let service =
                        service_fn(move |request| answer(request, seen.clone(), script.clone()));
                    let builder = Builder::new(TokioExecutor::new());
                    match tls {
                        None => drop(builder.serve_connection(TokioIo::new(tcp), service).await),
                        Some(config) => {
                            let acceptor = tokio_rustls::TlsAcceptor::from(config);
                            if let Ok(stream) = acceptor.accept(tcp).await {
                                drop(
                                    builder
                                        .serve_connection(TokioIo::new(stream), service)
                                        .await,
                                );
                            }
                        }
                    }
                });
            }
        });
        server
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Script,
) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let header = |name: &str| {
        head.headers
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let entry = Seen {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        authorization: header("authorization"),
        namespace: header("x-skms-namespace"),
        idempotency_key: header("idempotency-key"),
        http2: head.version == ::http::Version::HTTP_2,
        body: body.collect().await.unwrap().to_bytes().to_vec(),
    };
    let count = {
        let mut seen = seen.lock().unwrap();
        seen.push(entry);
        seen.len() - 1
    };
    let response = script(count);
    if response.headers().contains_key(BREAK) {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    Ok(response)
}

const BREAK: &str = "x-break";

/// No answer: the connection breaks after the request has arrived.
pub fn broken() -> Response<Full<Bytes>> {
    let response = Response::builder().header(BREAK, "now");
    response.body(Full::default()).unwrap()
}

pub fn json(text: &str) -> Response<Full<Bytes>> {
    Response::builder()
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(text.to_owned())))
        .unwrap()
}

pub fn problem(kind: ProblemKind) -> Response<Full<Bytes>> {
    let problem = Problem::new(kind)
        .with_detail("as the test wants")
        .with_request_id("r-1");
    Response::builder()
        .status(kind.status())
        .header("content-type", "application/problem+json")
        .body(Full::new(Bytes::from(
            serde_json::to_vec(&problem).unwrap(),
        )))
        .unwrap()
}

pub const HEALTHY: &str = r#"{"status":"ok","version":"1","initialized":true,"sealed":false}"#;
