//! ACME (RFC 8555, with RFC 8737, 8738 and 9773), under
//! `/acme/{namespace}/{authority}`. A request is signed by the key of an
//! account; no token is asked for.

mod error;
mod handlers;
mod objects;
mod path;
mod request;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use serde::Serialize;
use skms_crypto::rand;
use skms_engine::acts::acme::Place;
use skms_wire::acme::ProblemKind;

use super::native::App;
use crate::config::ServerConfig;
use crate::net::Peer;
use error::Failure;
use path::{Addresses, Resource};
use request::{By, Called};

pub use path::PREFIX;

const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");

/// The face as one service.
pub struct Acme {
    app: Arc<App>,
    called: Called,
}

/// What is known about a request before it is read.
struct Context<'a> {
    peer: &'a Peer,
    place: Place<'a>,
    addresses: Addresses,
    /// The address that it was sent to.
    url: String,
    request_id: String,
}

/// An answer on its way.
struct Reply {
    status: StatusCode,
    kind: &'static str,
    body: Vec<u8>,
    location: Option<String>,
    links: Vec<String>,
    retry_after: Option<u64>,
}

impl Reply {
    fn json<T: Serialize>(status: StatusCode, value: &T) -> Result<Self, Failure> {
        let body = serde_json::to_vec(value).map_err(|_| {
            Failure::new(ProblemKind::ServerInternal, "the answer cannot be written")
        })?;
        Ok(Self {
            status,
            kind: "application/json",
            body,
            location: None,
            links: Vec::new(),
            retry_after: None,
        })
    }

    fn empty(status: StatusCode) -> Self {
        Self {
            status,
            kind: "",
            body: Vec::new(),
            location: None,
            links: Vec::new(),
            retry_after: None,
        }
    }

    fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }
}

impl Acme {
    /// Serves with `app`; clients call the server as `config` says, and by the
    /// addresses that it listens at.
    #[must_use]
    pub fn new(app: Arc<App>, config: &ServerConfig, listening: &[SocketAddr]) -> Self {
        let called = Called::by(config.acme.url.as_deref(), &config.tls.names, listening);
        Self { app, called }
    }

    /// Answers one request.
    pub async fn answer<B>(&self, peer: &Peer, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let head = parts.method == Method::HEAD;
        let posted = parts.method == Method::POST;
        let mut index = None;
        let limit = self.app.limits.answer_timeout;
        let walk = self.walk(peer, &parts, body, &mut index);
        let result = match tokio::time::timeout(limit, walk).await {
            Ok(result) => result,
            Err(_late) => Err(Failure::new(
                ProblemKind::ServerInternal,
                "the answer was not ready in time",
            )),
        };
        let is_nonce = parts.uri.path().ends_with("/new-nonce");
        let fresh = posted || is_nonce && result.is_ok();
        let mut response = match result {
            Ok(reply) => respond(reply, head),
            Err(failure) => self.refuse(failure),
        };
        let headers = response.headers_mut();
        let mut set = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(name, value);
            }
        };
        set(header::CACHE_CONTROL, "no-store");
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        if let Some(index) = index {
            set(header::LINK, &format!("<{index}>;rel=\"index\""));
        }
        if fresh && let Ok(nonce) = self.app.engine.acme_nonce() {
            set(REPLAY_NONCE, &nonce);
        }
        response
    }

    async fn walk<B>(
        &self,
        peer: &Peer,
        parts: &http::request::Parts,
        body: B,
        index: &mut Option<String>,
    ) -> Result<Reply, Failure>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        // Whoever asks here makes accounts by himself: limited by where he is.
        let app = &self.app;
        if let Err(wait) = app.strangers.take(peer.address.ip(), app.elapsed_ns()) {
            let mut failure = Failure::new(ProblemKind::RateLimited, "too many requests");
            failure.retry_after = Some(wait.div_ceil(1_000_000_000).max(1));
            return Err(failure);
        }
        let path = parts.uri.path();
        let absent = || Failure::malformed("there is nothing at this address").status(404);
        let (place, resource) = path::read(path).ok_or_else(absent)?;
        let origin = self.called.origin(parts, peer.tls)?;
        let addresses = Addresses::new(&origin, place);
        let opening = app.engine.acme_opening(place)?;
        if resource != Resource::Directory {
            *index = Some(addresses.of("directory"));
        }
        let get = parts.method == Method::GET || parts.method == Method::HEAD;
        match &resource {
            Resource::Directory if get => {
                return Reply::json(StatusCode::OK, &objects::directory(&addresses, opening));
            }
            Resource::NewNonce if get => {
                let status = match parts.method == Method::HEAD {
                    true => StatusCode::OK,
                    false => StatusCode::NO_CONTENT,
                };
                return Ok(Reply::empty(status));
            }
            Resource::RenewalInfo(Some(id)) if get => {
                return handlers::renewal_info(self, place, id).await;
            }
            Resource::Directory | Resource::NewNonce | Resource::RenewalInfo(_) => {
                return Err(Failure::malformed("it is read with GET").status(405));
            }
            _ if parts.method != Method::POST => {
                return Err(Failure::malformed("it is asked for with POST").status(405));
            }
            _ => {}
        }
        let context = Context {
            peer,
            place,
            addresses,
            url: format!("{origin}{path}"),
            request_id: request_id(),
        };
        let body = request::read_body(body, app.limits.body_timeout).await?;
        let by = match resource {
            Resource::NewAccount => By::Key,
            Resource::RevokeCert => By::Either,
            _ => By::Account,
        };
        let request = request::signed(self, &context, &parts.headers, &body, by).await?;
        handlers::handle(self, &context, resource, request).await
    }

    fn refuse(&self, failure: Failure) -> Response<Body> {
        if let Some(cause) = &failure.cause {
            self.app.log.warn(
                "an ACME request failed",
                &[("reason", cause.as_str().into())],
            );
        }
        let status = StatusCode::from_u16(failure.problem.status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let reply = Reply::json(status, &*failure.problem).map(|reply| Reply {
            kind: "application/problem+json",
            location: failure.location,
            retry_after: failure.retry_after,
            ..reply
        });
        respond(reply.unwrap_or_else(|_| Reply::empty(status)), false)
    }
}

fn respond(reply: Reply, head: bool) -> Response<Body> {
    let mut response = Response::new(match head {
        true => Body::empty(),
        false => Body::from(reply.body),
    });
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(name, value);
        }
    };
    if !reply.kind.is_empty() {
        set(header::CONTENT_TYPE, reply.kind);
    }
    if let Some(location) = &reply.location {
        set(header::LOCATION, location);
    }
    for link in &reply.links {
        set(header::LINK, link);
    }
    if let Some(seconds) = reply.retry_after {
        set(header::RETRY_AFTER, &seconds.to_string());
    }
    response
}

/// Names a request in the log.
fn request_id() -> String {
    let fresh: [u8; 12] = rand::array().unwrap_or_default();
    fresh.iter().map(|byte| format!("{byte:02x}")).collect()
}
