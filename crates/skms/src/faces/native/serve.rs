//! The way of every request through this face: name it → check the host →
//! identify → read the body → hand it to its handler → answer, count, log.

use std::{
    borrow::Cow,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
};
use http::{HeaderMap, HeaderValue, Request, Response, Uri, header, request::Parts};
use skms_crypto::rand;
use skms_engine::Caller;
use skms_engine::acts::exchange::Sender;
use skms_wire::native::{
    Problem, ProblemKind,
    events::LAST_EVENT_ID_HEADER,
    routes::{
        Auth, Body as RouteBody, DEFAULT_NAMESPACE, Method, NAMESPACE_HEADER, REQUEST_ID_HEADER,
        ROUTES, Route,
    },
};

use super::{
    App, answer,
    answer::Reply,
    asked,
    body::Bounds,
    call::Call,
    error::Failure,
    identity, once,
    paths::{Found, Param, Paths},
    table::{self, Handler},
};
use crate::{
    config::LogLevel,
    net::{Peer, load::Shed},
};

/// Requests that one principal may have under way, however few there may be
/// in all.
const PRINCIPAL_LEAST: usize = 8;

/// The longest name of a namespace or request in a header.
const NAME_MAX: usize = 128;

/// The face as one service: every route of the table, and problems for
/// everything else.
pub struct Native {
    app: Arc<App>,
    paths: Paths,
    handlers: Vec<Option<Handler>>,
    urgent: Vec<bool>,
}

impl Native {
    /// Serves with `app`.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self {
            app,
            paths: Paths::of_table(),
            handlers: ROUTES
                .iter()
                .map(|route| table::handler(route.id))
                .collect(),
            urgent: ROUTES.iter().map(Route::is_urgent).collect(),
        }
    }

    /// Answers one request of `peer`.
    pub async fn answer<B>(&self, peer: &Peer, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let (place, params) = match self.paths.find(&parts.method, parts.uri.path()) {
            Found::Route(place, params) => (place, Some(params)),
            Found::Malformed(place) => (place, None),
            Found::Nothing => return unrouted(&self.app, &parts, ProblemKind::NoSuchRoute, &[]),
            Found::OtherMethods(methods) => {
                return unrouted(&self.app, &parts, ProblemKind::MethodNotAllowed, &methods);
            }
        };
        let (Some(route), Some(handler)) = (ROUTES.get(place), self.handlers.get(place)) else {
            return unrouted(&self.app, &parts, ProblemKind::NoSuchRoute, &[]);
        };
        let routed = Routed {
            place,
            route,
            handler: *handler,
            urgent: self.urgent.get(place).copied().unwrap_or_default(),
            params,
        };
        one(&self.app, peer, routed, &parts, body).await
    }
}

/// The longest body with a message that proves who sends it: 64 KiB of message
/// in base64, and room for what is around it.
const MESSAGE_BODY_MAX: usize = 96 * 1024;

/// The route whose keys are bound to the connection.
const BINDS: &str = "exchange-bind";

/// The route that needs the certificates which the peer showed.
const APPROVES: &str = "approval-approve";

/// The route whose answer can be resumed.
const FOLLOWS: &str = "event-stream";

/// What the table says about a request.
struct Routed {
    place: usize,
    route: &'static Route,
    handler: Option<Handler>,
    urgent: bool,
    /// `None` when one of them is no text.
    params: Option<Vec<Param>>,
}

async fn one<B>(
    app: &Arc<App>,
    peer: &Peer,
    routed: Routed,
    parts: &Parts,
    body: B,
) -> Response<Body>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let began = Instant::now();
    let (place, route) = (routed.place, routed.route);
    let request_id = request_id(&parts.headers);
    // Who is nobody yet holds no place among the requests under way while its
    // body drips in; what it sends is limited by where it comes from.
    let stranger = matches!(route.auth, Auth::Open | Auth::Message(_));
    let counts = !stranger || route.body == RouteBody::None;
    let under_way = counts.then(|| peer.load.begin(routed.urgent));
    let result = if !matches!(under_way, Some(None)) {
        let walk = walk(app, peer, routed, parts, body, &request_id);
        match tokio::time::timeout(app.limits.answer_timeout, walk).await {
            Ok(result) => result,
            Err(_late) => Err(Failure::with(
                ProblemKind::RequestTimeout,
                "the answer was not ready in time",
            )),
        }
    } else {
        Err(Failure::shed(ProblemKind::Unavailable, Shed::Requests))
    };
    let mut response = match result {
        Ok(reply) => reply.into_response(route),
        Err(failure) => {
            let problem = failure
                .problem()
                .with_instance(parts.uri.path())
                .with_request_id(&*request_id);
            log_failure(app, route.id, &failure, &request_id);
            app.metrics.problem(failure.kind());
            if let Some(why) = failure.turned_away() {
                app.metrics.turned.away(why);
            }
            let mut response = answer::problem(&problem);
            if let Some(seconds) = failure.retry_after() {
                answer::come_back(&mut response, seconds);
            }
            response
        }
    };
    finish(&mut response, &request_id);
    let elapsed = began.elapsed();
    app.metrics.request(place, response.status(), elapsed);
    if app.log.takes(LogLevel::Debug) {
        app.log.debug(
            "request",
            &[
                ("route", route.id.into()),
                ("status", response.status().as_u16().into()),
                (
                    "microseconds",
                    u64::try_from(elapsed.as_micros())
                        .unwrap_or(u64::MAX)
                        .into(),
                ),
                ("request_id", (*request_id).into()),
            ],
        );
    }
    response
}

async fn walk<B>(
    app: &Arc<App>,
    peer: &Peer,
    routed: Routed,
    parts: &Parts,
    body: B,
    request_id: &str,
) -> Result<Reply, Failure>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    check_host(app, &parts.uri, &parts.headers)?;
    let route = routed.route;
    let handler = routed
        .handler
        .ok_or(Failure::new(ProblemKind::NotSupported))?;
    let namespace = namespace(&parts.headers)?;
    let mut caller = match route.auth {
        Auth::Open if routed.urgent => None,
        Auth::Open => {
            identity::stranger(app, peer)?;
            None
        }
        Auth::Message(_) => {
            identity::may_look_up(app, peer)?;
            None
        }
        Auth::Action(_) => Some(Arc::new(Caller {
            session: identity::authenticate(
                app,
                peer,
                identity::Sent::bearer(&parts.headers),
                &namespace,
                request_id,
            )
            .await?,
            source: Some(peer.address.ip().to_canonical()),
            request_id: request_id.to_owned(),
            tls: peer.tls,
            idempotency: None,
            calling: skms_engine::approvals::Calling::default(),
        })),
    };
    let _of_principal = match &caller {
        Some(caller) => Some(admit(app, caller, routed.urgent).await?),
        None => None,
    };
    let params = routed
        .params
        .ok_or_else(|| Failure::malformed("the path is not percent-encoded UTF-8"))?;
    let bounds = match route.auth {
        Auth::Message(_) => Bounds::of(&app.limits, true).at_most(MESSAGE_BODY_MAX),
        _ => Bounds::of(&app.limits, caller.is_some()),
    };
    let _memory = bounds.claim(&body, &app.bodies)?;
    let body = bounds.read(&parts.headers, body).await?;
    if let Some(caller) = &mut caller
        && let Some(key) = once::key(route, parts, &body)?
    {
        Arc::make_mut(caller).idempotency = Some(key);
    }
    if let Some(caller) = &mut caller {
        let from = (parts, &*namespace);
        let asked = asked::asked(app, route, from, &params, &body)?;
        let gives = route.id == APPROVES;
        if asked.is_some() || gives {
            let caller = Arc::make_mut(caller);
            caller.calling.asked = asked.map(Arc::new);
            if gives {
                caller.calling.shown = peer.shown.clone();
            }
        }
    }
    let call = Call {
        app: Arc::clone(app),
        caller,
        sender: matches!(route.auth, Auth::Message(_)).then(|| Sender {
            source: Some(peer.address.ip().to_canonical()),
            request_id: request_id.to_owned(),
            tls: peer.tls,
        }),
        channel: match route.id {
            BINDS => peer.channel.clone(),
            _ => None,
        },
        last_event_id: match route.id {
            FOLLOWS => last_event_id(&parts.headers)?,
            _ => None,
        },
        namespace,
        params,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body,
    };
    if route.body == RouteBody::None {
        call.no_body()?;
    }
    let done = handler(call).await;
    // Whose message was refused is nobody still, and counts as such; and so is
    // one for whom there was no room.
    if let (Auth::Message(_), Err(failure)) = (route.auth, &done)
        && (failure.turned_away() == Some(Shed::Queue)
            || matches!(
                failure.kind(),
                ProblemKind::ExchangeRefused | ProblemKind::Unauthenticated
            ))
    {
        identity::stranger(app, peer)?;
    }
    done
}

/// Counts a request against what its principal may ask for, and as one of
/// those that it has under way until what this gives is dropped.
///
/// # Errors
/// [`ProblemKind::TooManyRequests`].
pub async fn admit(
    app: &App,
    caller: &Arc<Caller>,
    urgent: bool,
) -> Result<impl Sized + use<>, Failure> {
    if let Err(limited) = app.engine.admit(&caller.session, urgent) {
        app.engine.record_limited(caller).await?;
        return Err(limited.into());
    }
    // One principal's slow senders leave room for everybody else's requests.
    let most = (app.limits.requests_per_worker / 2).max(PRINCIPAL_LEAST);
    caller.session.begin(most).ok_or(Failure::shed(
        ProblemKind::TooManyRequests,
        Shed::PrincipalRate,
    ))
}

/// The caller's own name for the request where it is a plain one, or a fresh
/// one.
pub fn request_id(headers: &HeaderMap) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let sent = headers
        .get(REQUEST_ID_HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|text| (1..=64).contains(&text.len()) && text.bytes().all(plain));
    match sent {
        Some(text) => text.to_owned(),
        None => fresh_request_id(),
    }
}

/// A name that no other request has: the process's own random beginning and
/// a count. It names and does not prove anything, so it may be guessed.
fn fresh_request_id() -> String {
    static PROCESS: LazyLock<[u8; 5]> = LazyLock::new(|| rand::array().unwrap_or_default());
    static COUNT: AtomicU64 = AtomicU64::new(0);
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let count = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let bytes = PROCESS.iter().chain(count.iter().skip(1));
    bytes
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| DIGITS.get(usize::from(digit)).map(|d| char::from(*d)))
        .collect()
}

/// On plain HTTP, refuses names that are not this machine's: a browser that
/// was led here by another name (DNS rebinding) brings that name along.
fn check_host(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<(), Failure> {
    if !app.local_only {
        return Ok(());
    }
    let refused = Failure::new(ProblemKind::MisdirectedRequest);
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(one), None) => one.to_str().map_err(|_| Failure::new(refused.kind()))?,
        _ => return Err(refused),
    };
    // A request in absolute form names its host twice.
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str() != host)
    {
        return Err(refused);
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    match name {
        "localhost" | "127.0.0.1" | "[::1]" => Ok(()),
        _ => Err(refused),
    }
}

fn namespace(headers: &HeaderMap) -> Result<Cow<'static, str>, Failure> {
    let mut sent = headers.get_all(NAMESPACE_HEADER).iter();
    let Some(value) = sent.next() else {
        return Ok(Cow::Borrowed(DEFAULT_NAMESPACE));
    };
    match value.to_str() {
        Ok(text) if sent.next().is_none() && (1..=NAME_MAX).contains(&text.len()) => {
            Ok(Cow::Owned(text.to_owned()))
        }
        _ => Err(Failure::malformed("X-SKMS-Namespace is one plain name")),
    }
}

/// The place that a stream is to be resumed after. An empty one is none, as
/// HTML has it.
fn last_event_id(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let mut sent = headers.get_all(LAST_EVENT_ID_HEADER).iter();
    match (sent.next().map(HeaderValue::to_str), sent.next()) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) => Ok(Some(text.to_owned()).filter(|text| !text.is_empty())),
        _ => Err(Failure::malformed("Last-Event-ID is one plain text")),
    }
}

/// Answers what the table has no row for; `methods` are those that the path
/// is served with (RFC 9110, section 15.5.6).
fn unrouted(app: &App, parts: &Parts, kind: ProblemKind, methods: &[Method]) -> Response<Body> {
    let request_id = request_id(&parts.headers);
    let failure = match check_host(app, &parts.uri, &parts.headers) {
        Ok(()) => Failure::new(kind),
        Err(refused) => refused,
    };
    app.metrics.problem(failure.kind());
    let problem: Problem = failure
        .problem()
        .with_instance(parts.uri.path())
        .with_request_id(&*request_id);
    let mut response = answer::problem(&problem);
    if failure.kind() == ProblemKind::MethodNotAllowed {
        let names: Vec<&str> = methods.iter().map(|method| method.name()).collect();
        if let Ok(allow) = HeaderValue::from_str(&names.join(", ")) {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    finish(&mut response, &request_id);
    response
}

/// What every response carries.
fn finish(response: &mut Response<Body>, request_id: &str) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID_HEADER, value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
}

/// What the caller is not told goes to the log, under the request's name.
fn log_failure(app: &App, route: &str, failure: &Failure, request_id: &str) {
    if let Some(cause) = failure.cause() {
        app.log.error(
            "a request failed",
            &[
                ("route", route.into()),
                ("problem", failure.kind().slug().into()),
                ("cause", cause.into()),
                ("request_id", request_id.into()),
            ],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_request_names_are_replaced() {
        let with = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID_HEADER, HeaderValue::from_static(text));
            request_id(&headers)
        };
        assert_eq!(with("abc-1.2_3"), "abc-1.2_3");
        assert_ne!(with("a b"), "a b");
        assert_ne!(with("a\"b"), "a\"b");
        assert_eq!(request_id(&HeaderMap::new()).len(), 24);
    }
}
