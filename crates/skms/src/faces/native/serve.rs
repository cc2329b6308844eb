//! The way of every request through this face: name it → check the host →
//! identify → read the body → hand it to its handler → answer, count, log.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    Router,
    body::Body,
    extract::{RawPathParams, Request, rejection::RawPathParamsRejection},
    routing::{MethodFilter, on},
};
use http::{HeaderMap, HeaderValue, Response, Uri, header};
use skms_crypto::rand;
use skms_engine::Caller;
use skms_wire::native::{
    Problem, ProblemKind,
    routes::{
        Auth, Body as RouteBody, DEFAULT_NAMESPACE, Method, NAMESPACE_HEADER, PREFIX,
        REQUEST_ID_HEADER, ROUTES, Route,
    },
};

use super::{
    App, answer,
    answer::Reply,
    body::Bounds,
    call::Call,
    error::Failure,
    identity, once,
    table::{self, Handler},
};
use crate::{config::LogLevel, net::Peer};

/// The longest name of a namespace or request in a header.
const NAME_MAX: usize = 128;

/// Every route of the table, and problems for everything else.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for (at, route) in ROUTES.iter().enumerate() {
        let (app, handler) = (Arc::clone(&app), table::handler(route.id));
        let serve = move |params: Result<RawPathParams, RawPathParamsRejection>,
                          request: Request| {
            let app = Arc::clone(&app);
            async move { one(app, (at, route), handler, params, request).await }
        };
        router = router.route(
            &format!("{PREFIX}{}", route.path),
            on(filter(route.method), serve),
        );
    }
    let (lost, wrong) = (Arc::clone(&app), app);
    router
        .fallback(move |request: Request| {
            let app = Arc::clone(&lost);
            async move { unrouted(&app, &request, ProblemKind::NoSuchRoute) }
        })
        .method_not_allowed_fallback(move |request: Request| {
            let app = Arc::clone(&wrong);
            async move { unrouted(&app, &request, ProblemKind::MethodNotAllowed) }
        })
}

fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    }
}

async fn one(
    app: Arc<App>,
    (at, route): (usize, &'static Route),
    handler: Option<Handler>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Response<Body> {
    let began = Instant::now();
    let request_id = request_id(request.headers());
    let path = request.uri().path().to_owned();
    let walk = walk(&app, route, handler, params, request, &request_id);
    let result = match tokio::time::timeout(app.limits.answer_timeout, walk).await {
        Ok(result) => result,
        Err(_late) => Err(Failure::with(
            ProblemKind::RequestTimeout,
            "the answer was not ready in time",
        )),
    };
    let mut response = match &result {
        Ok(_) => None,
        Err(failure) => {
            let problem = failure
                .problem()
                .with_instance(path)
                .with_request_id(&*request_id);
            log_failure(&app, route.id, failure, &request_id);
            app.metrics.problem(failure.kind());
            Some(answer::problem(&problem))
        }
    };
    if let Ok(reply) = result {
        response = Some(reply.into_response(route));
    }
    let mut response = response.unwrap_or_default();
    finish(&mut response, &request_id);
    let elapsed = began.elapsed();
    app.metrics.request(at, response.status(), elapsed);
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

async fn walk(
    app: &Arc<App>,
    route: &Route,
    handler: Option<Handler>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    request_id: &str,
) -> Result<Reply, Failure> {
    let (parts, body) = request.into_parts();
    check_host(app, &parts.uri, &parts.headers)?;
    let handler = handler.ok_or(Failure::new(ProblemKind::NotSupported))?;
    let peer = parts
        .extensions
        .get::<Arc<Peer>>()
        .ok_or_else(|| Failure::internal("a request without a connection"))?;
    let namespace = namespace(&parts.headers)?;
    let mut caller = match route.auth {
        Auth::Open => None,
        Auth::Action(_) => Some(Arc::new(Caller {
            session: identity::authenticate(app, peer, &parts.headers, &namespace, request_id)
                .await?,
            source: Some(peer.address.ip().to_canonical()),
            request_id: request_id.to_owned(),
            tls: peer.tls,
            idempotency: None,
        })),
    };
    let params = params
        .map_err(|_| Failure::malformed("the path is not percent-encoded UTF-8"))?
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let bounds = Bounds::of(&app.limits, caller.is_some());
    let body = bounds.read(&parts.headers, body).await?;
    if let Some(caller) = &mut caller
        && let Some(key) = once::key(route, &parts, &body)?
    {
        Arc::make_mut(caller).idempotency = Some(key);
    }
    let call = Call {
        app: Arc::clone(app),
        caller,
        namespace,
        params,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body,
    };
    if route.body == RouteBody::None {
        call.no_body()?;
    }
    handler(call).await
}

/// The caller's own name for the request where it is a plain one, or a fresh
/// one.
fn request_id(headers: &HeaderMap) -> String {
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

fn namespace(headers: &HeaderMap) -> Result<String, Failure> {
    let mut sent = headers.get_all(NAMESPACE_HEADER).iter();
    let Some(value) = sent.next() else {
        return Ok(DEFAULT_NAMESPACE.to_owned());
    };
    match value.to_str() {
        Ok(text) if sent.next().is_none() && (1..=NAME_MAX).contains(&text.len()) => {
            Ok(text.to_owned())
        }
        _ => Err(Failure::malformed("X-SKMS-Namespace is one plain name")),
    }
}

fn unrouted(app: &App, request: &Request, kind: ProblemKind) -> Response<Body> {
    let request_id = request_id(request.headers());
    let failure = match check_host(app, request.uri(), request.headers()) {
        Ok(()) => Failure::new(kind),
        Err(refused) => refused,
    };
    app.metrics.problem(failure.kind());
    let problem: Problem = failure
        .problem()
        .with_instance(request.uri().path())
        .with_request_id(&*request_id);
    let mut response = answer::problem(&problem);
    if failure.kind() == ProblemKind::MethodNotAllowed
        && let Ok(allow) = HeaderValue::from_str(&allowed(request.uri().path()))
    {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    finish(&mut response, &request_id);
    response
}

/// The methods that a path is served with (RFC 9110, section 15.5.6).
fn allowed(path: &str) -> String {
    let path = path.strip_prefix(PREFIX).unwrap_or(path);
    let fits = |route: &&Route| {
        let (mut asked, mut known) = (path.split('/'), route.path.split('/'));
        loop {
            match (asked.next(), known.next()) {
                (None, None) => return true,
                (Some(a), Some(k)) if a == k || k.starts_with('{') => {}
                _ => return false,
            }
        }
    };
    let parameters = |route: &Route| route.path.matches('{').count();
    // A path that is spelt out is its own, whatever a parameter would take in.
    let Some(fewest) = ROUTES.iter().filter(fits).map(parameters).min() else {
        return String::new();
    };
    let methods: Vec<&str> = ROUTES
        .iter()
        .filter(fits)
        .filter(|route| parameters(route) == fewest)
        .map(|route| route.method.name())
        .collect();
    methods.join(", ")
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
    fn allowed_methods_come_from_the_table() {
        assert_eq!(allowed("/api/v1/health"), "GET");
        assert_eq!(allowed("/api/v1/policies/p"), "GET, PUT, DELETE");
        assert_eq!(allowed("/api/v1/tokens/self"), "GET");
        assert_eq!(allowed("/api/v1/nonesuch"), "");
    }

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
