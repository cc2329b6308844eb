//! The client: sends a request to a route and reads its answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Version};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::TrySendError;
use hyper::{Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use skms_exchange::channel::Channel;
use skms_wire::native::events::{LAST_EVENT_ID_HEADER, STREAM_TYPE};
use skms_wire::native::problem::{MEDIA_TYPE, Problem};
use skms_wire::native::routes::{
    APPROVAL_HEADER, APPROVAL_REASON_HEADER, Body as BodyShape, IDEMPOTENCY_HEADER,
    NAMESPACE_HEADER, PREFIX, Route,
};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::connection::{Body, Connector, Sender};
use crate::retry::worthwhile;
use crate::{Config, Error, Peer, Result, Retry, tls};

/// The longest answer read, in bytes.
const ANSWER_MAX: usize = 64 << 20;

/// A client of one server, for one caller in one namespace. Cloning shares its
/// connections. Calls need a Tokio runtime.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    connector: Connector,
    pool: Mutex<Pool>,
    headers: HeaderMap,
    origin: String,
    namespace: String,
    authority: HeaderValue,
    timeout: Duration,
    retry: Retry,
    /// The certificate (DER) that is shown, if any is.
    own: Option<Vec<u8>>,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Sender>,
    shared: Option<hyper::client::conn::http2::SendRequest<Body>>,
    peer: Option<Peer>,
}

/// A good answer.
struct Reply {
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

impl Client {
    /// Prepares a client; nothing is sent yet.
    pub fn new(config: Config) -> Result<Self> {
        let tls = config
            .address
            .is_tls()
            .then(|| tls::client_config(&config))
            .transpose()?;
        let mut headers = HeaderMap::new();
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("skms/", env!("CARGO_PKG_VERSION"))),
        );
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, application/problem+json, text/plain"),
        );
        let namespace = HeaderValue::from_str(&config.namespace)
            .map_err(|_| Error::Credential("the namespace has characters no name has".into()))?;
        headers.insert(NAMESPACE_HEADER, namespace);
        for (name, value) in [
            (APPROVAL_HEADER, &config.approvals),
            (APPROVAL_REASON_HEADER, &config.approval_reason),
        ] {
            if let Some(value) = value {
                let value = HeaderValue::from_str(value).map_err(|_| {
                    Error::Credential(format!("{name} has characters that it cannot have"))
                })?;
                headers.insert(name, value);
            }
        }
        if let Some(token) = &config.token {
            let bearer = Zeroizing::new(format!("Bearer {}", token.expose()));
            let mut value = HeaderValue::from_str(&bearer)
                .map_err(|_| Error::Credential("the token has characters no token has".into()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let authority = HeaderValue::from_str(&config.address.authority())
            .map_err(|_| Error::Credential("the address has characters no host has".into()))?;
        let own = tls::own_certificate(&config);
        Ok(Self(Arc::new(Inner {
            own,
            connector: Connector::new(config.address.clone(), tls, config.connect_timeout)?,
            pool: Mutex::default(),
            headers,
            origin: config.address.to_string(),
            namespace: config.namespace,
            authority,
            timeout: config.timeout,
            retry: config.retry,
        })))
    }

    /// Where the server is.
    pub fn address(&self) -> &str {
        &self.0.origin
    }

    /// The host of the server's address.
    pub(crate) fn host(&self) -> &str {
        self.0.connector.host()
    }

    /// The namespace that is asked of.
    pub(crate) fn asked_namespace(&self) -> &str {
        &self.0.namespace
    }

    /// What was negotiated with the server by the latest connection.
    pub fn peer(&self) -> Option<Peer> {
        self.pool().peer.clone()
    }

    /// Calls a route whose answer is JSON.
    pub(crate) async fn json<Q: Serialize + ?Sized, A: DeserializeOwned>(
        &self,
        route: &Route,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&Q>,
    ) -> Result<A> {
        let reply = self.call(route, path, query, body).await?;
        serde_json::from_slice(&reply.body).map_err(|error| {
            self.unexpected(format!(
                "the answer to {} is not as documented (line {}, column {})",
                route.id,
                error.line(),
                error.column()
            ))
        })
    }

    /// Calls a route once, on a connection of its own, with a body that is made
    /// for that connection. No token goes along: the certificate says who it is.
    pub(crate) async fn bound<Q: Serialize, A: DeserializeOwned>(
        &self,
        route: &Route,
        namespace: &str,
        body: impl FnOnce(&Channel) -> Result<Q>,
    ) -> Result<(Channel, A)> {
        let own = self.0.own.as_deref().ok_or_else(|| {
            Error::Credential("a key that is bound to TLS needs a client certificate".into())
        })?;
        let (mut sender, channel) = self.0.connector.connect_bound(own).await?;
        let body = skms_wire::secret::to_json(&body(&channel)?)
            .map_err(|error| self.unexpected(format!("cannot write the request: {error}")))?;
        let two = matches!(sender, Sender::Two(_));
        let target = target(route, &[], &[]);
        let mut request = self.request(route, &target, Bytes::from_owner(body), two)?;
        let namespace = HeaderValue::from_str(namespace)
            .map_err(|_| Error::Credential("the namespace has characters no name has".into()))?;
        request.headers_mut().insert(NAMESPACE_HEADER, namespace);
        request.headers_mut().remove(AUTHORIZATION);
        let asked = async {
            let response = sender.send(request).await;
            let broken = |failed: TrySendError<_>| self.0.connector.broken(failed.into_error());
            self.read(response.map_err(broken)?)
                .await
                .map_err(|(error, _)| error)
        };
        let late = |_| Error::Timeout {
            address: self.0.origin.clone(),
            seconds: self.0.timeout.as_secs(),
        };
        let reply = timeout(self.0.timeout, asked).await.map_err(late)??;
        let answer = serde_json::from_slice(&reply.body);
        let odd = |_| self.unexpected(format!("the answer to {} is not as documented", route.id));
        Ok((channel, answer.map_err(odd)?))
    }

    /// Calls a route that answers with nothing.
    pub(crate) async fn nothing(&self, route: &Route, path: &[&str]) -> Result<()> {
        self.call(route, path, &[], None::<&()>).await.map(drop)
    }

    /// Calls a route that answers with a stream, and hands each piece of it
    /// to `each`. It is not tried again, and may take as long as it goes on:
    /// the time allowed is for each piece.
    pub(crate) async fn stream(
        &self,
        route: &Route,
        mut each: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<()> {
        let late = |_| Error::Timeout {
            address: self.0.origin.clone(),
            seconds: self.0.timeout.as_secs(),
        };
        let mut sender = self.sender(true).await?;
        let target = target(route, &[], &[]);
        let two = matches!(sender, Sender::Two(_));
        let request = self.request(route, &target, Bytes::new(), two)?;
        let response = timeout(self.0.timeout, sender.send(request))
            .await
            .map_err(late)?
            .map_err(|failed| self.0.connector.broken(failed.into_error()))?;
        if !response.status().is_success() {
            return match self.read(response).await {
                Err((error, _)) => Err(error),
                Ok(_) => Err(self.unexpected("a success that is none".to_owned())),
            };
        }
        let mut body = response.into_body();
        loop {
            let frame = timeout(self.0.timeout, body.frame()).await.map_err(late)?;
            let Some(frame) = frame else { return Ok(()) };
            let frame = frame.map_err(|error| self.0.connector.broken(error))?;
            if let Ok(data) = frame.into_data() {
                each(&data).map_err(Error::Output)?;
            }
        }
    }

    /// Calls a route that answers with a stream without end, from a place on,
    /// and gives the stream. It is not tried again.
    pub(crate) async fn open(
        &self,
        route: &Route,
        query: &[(&str, String)],
        place: Option<&str>,
    ) -> Result<Incoming> {
        let late = |_| Error::Timeout {
            address: self.0.origin.clone(),
            seconds: self.0.timeout.as_secs(),
        };
        let mut sender = self.sender(true).await?;
        let target = target(route, &[], query);
        let two = matches!(sender, Sender::Two(_));
        let mut request = self.request(route, &target, Bytes::new(), two)?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(STREAM_TYPE));
        if let Some(place) = place {
            let place = HeaderValue::from_str(place);
            let place = place.map_err(|_| self.unexpected("a place that is none".to_owned()))?;
            headers.insert(LAST_EVENT_ID_HEADER, place);
        }
        let response = timeout(self.0.timeout, sender.send(request))
            .await
            .map_err(late)?
            .map_err(|failed| self.0.connector.broken(failed.into_error()))?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        match self.read(response).await {
            Err((error, _)) => Err(error),
            Ok(_) => Err(self.unexpected("a success that is none".to_owned())),
        }
    }

    /// Calls a route that answers with a text document.
    pub(crate) async fn document(&self, route: &Route) -> Result<String> {
        let mut reply = self.call(route, &[], &[], None::<&()>).await?;
        String::from_utf8(std::mem::take(&mut *reply.body)).map_err(|_| {
            let kind = reply
                .headers
                .get(CONTENT_TYPE)
                .map(|value| format!("{value:?}"));
            self.unexpected(format!("a document that is not text ({kind:?})"))
        })
    }

    async fn call<Q: Serialize + ?Sized>(
        &self,
        route: &Route,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&Q>,
    ) -> Result<Reply> {
        let target = target(route, path, query);
        let body = match body {
            Some(body) => skms_wire::secret::to_json(body)
                .map_err(|error| self.unexpected(format!("cannot write the request: {error}")))?,
            None => Zeroizing::new(Vec::new()),
        };
        // Shared between tries; erased when the last of them is done with it.
        let body = Bytes::from_owner(body);
        // The same key on every try: the server makes one thing of them all.
        let key = route.takes_idempotency_key().then(fresh_key).transpose()?;
        let mut attempt = 1;
        let mut broken = 0;
        loop {
            let sent = self.attempt(route, &target, body.clone(), key.as_ref());
            let (error, asked) = match sent.await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            broken += u32::from(matches!(error, Error::Broken { .. }));
            if attempt >= self.0.retry.attempts || !worthwhile(route, &error, broken) {
                return Err(error);
            }
            tokio::time::sleep(self.0.retry.delay(attempt, asked)).await;
            attempt += 1;
        }
    }

    /// One try, within the time allowed for it. Beside an error stands the
    /// wait that the server asked for.
    async fn attempt(
        &self,
        route: &Route,
        target: &str,
        body: Bytes,
        key: Option<&HeaderValue>,
    ) -> std::result::Result<Reply, (Error, Option<Duration>)> {
        match timeout(self.0.timeout, self.exchange(route, target, body, key)).await {
            Ok(result) => result,
            Err(_) => Err((
                Error::Timeout {
                    address: self.0.origin.clone(),
                    seconds: self.0.timeout.as_secs(),
                },
                None,
            )),
        }
    }

    async fn exchange(
        &self,
        route: &Route,
        target: &str,
        body: Bytes,
        key: Option<&HeaderValue>,
    ) -> std::result::Result<Reply, (Error, Option<Duration>)> {
        let mut fresh = false;
        let (mut sender, response) = loop {
            let mut sender = self.sender(fresh).await.map_err(|error| (error, None))?;
            let mut request = self
                .request(
                    route,
                    target,
                    body.clone(),
                    matches!(sender, Sender::Two(_)),
                )
                .map_err(|error| (error, None))?;
            if let Some(key) = key {
                request
                    .headers_mut()
                    .insert(IDEMPOTENCY_HEADER, key.clone());
            }
            match sender.send(request).await {
                Ok(response) => break (sender, response),
                // A kept connection that the server had closed: none of the
                // request was sent, so it goes out again on a new one.
                Err(mut failed) => match failed.take_message() {
                    Some(_) if !fresh => fresh = true,
                    _ => return Err((self.0.connector.broken(failed.into_error()), None)),
                },
            }
        };
        let result = self.read(response).await;
        if !matches!(result, Err((Error::Broken { .. }, _))) && sender.ready().await {
            self.put_back(sender);
        }
        result
    }

    fn request(
        &self,
        route: &Route,
        target: &str,
        body: Bytes,
        http2: bool,
    ) -> Result<Request<Body>> {
        let builder = Request::builder().method(route.method.name());
        let builder = if http2 {
            builder
                .uri(format!("{}{target}", self.0.origin))
                .version(Version::HTTP_2)
        } else {
            builder.uri(target).header(HOST, self.0.authority.clone())
        };
        let mut request = builder
            .body(Body::new(body))
            .map_err(|error| self.unexpected(format!("cannot form the request: {error}")))?;
        request.headers_mut().extend(self.0.headers.clone());
        if route.body != BodyShape::None {
            request
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(request)
    }

    async fn read(
        &self,
        response: Response<Incoming>,
    ) -> std::result::Result<Reply, (Error, Option<Duration>)> {
        let (head, body) = response.into_parts();
        let wait = head
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let body = self.collect(body).await.map_err(|error| (error, None))?;
        if head.status.is_success() {
            return Ok(Reply {
                headers: head.headers,
                body,
            });
        }
        let is_problem = head
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(MEDIA_TYPE.as_bytes()));
        let problem = is_problem
            .then(|| serde_json::from_slice::<Problem>(&body).ok())
            .flatten();
        let error = match problem {
            Some(problem) => Error::Problem(Box::new(problem)),
            None => self.unexpected(format!("status {} without a reason", head.status)),
        };
        Err((error, wait))
    }

    async fn collect(&self, body: Incoming) -> Result<Zeroizing<Vec<u8>>> {
        let mut body = Limited::new(body, ANSWER_MAX);
        let mut parts = Vec::new();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| match error.downcast::<hyper::Error>() {
                Ok(source) => self.0.connector.broken(*source),
                Err(_) => self.unexpected(format!("an answer over {ANSWER_MAX} bytes")),
            })?;
            if let Ok(data) = frame.into_data() {
                length += data.len();
                parts.push(data);
            }
        }
        // Sized once, so that growing leaves no copy behind.
        let mut whole = Zeroizing::new(Vec::with_capacity(length));
        for part in parts {
            whole.extend_from_slice(&part);
        }
        Ok(whole)
    }

    async fn sender(&self, fresh: bool) -> Result<Sender> {
        if !fresh {
            while let Some(mut sender) = self.take() {
                if sender.ready().await {
                    return Ok(sender);
                }
            }
        }
        let (sender, peer) = self.0.connector.connect().await?;
        let mut pool = self.pool();
        pool.peer = Some(peer);
        if let Sender::Two(shared) = &sender {
            pool.shared = Some(shared.clone());
        }
        Ok(sender)
    }

    fn take(&self) -> Option<Sender> {
        let mut pool = self.pool();
        if pool
            .shared
            .as_ref()
            .is_some_and(|shared| shared.is_closed())
        {
            pool.shared = None;
        }
        match &pool.shared {
            Some(shared) => Some(Sender::Two(shared.clone())),
            None => pool.idle.pop(),
        }
    }

    fn put_back(&self, sender: Sender) {
        if matches!(sender, Sender::One(_)) {
            self.pool().idle.push(sender);
        }
    }

    fn pool(&self) -> std::sync::MutexGuard<'_, Pool> {
        // A panic elsewhere leaves the pool whole: it is only pushed and popped.
        self.0.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn unexpected(&self, what: String) -> Error {
        Error::Unexpected {
            address: self.0.origin.clone(),
            what,
        }
    }
}

/// A key that no other request has: 128 random bits, in hex and in quotes.
fn fresh_key() -> Result<HeaderValue> {
    let mut random = [0; 16];
    let failed = || Error::Credential("the system gives no randomness".into());
    aws_lc_rs::rand::fill(&mut random).map_err(|_| failed())?;
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{digits}\"")).map_err(|_| failed())
}

/// The path and query of a call.
fn target(route: &Route, path: &[&str], query: &[(&str, String)]) -> String {
    let mut target = String::from(PREFIX);
    let mut values = path.iter();
    for part in route.path.split('/').skip(1) {
        target.push('/');
        if part.starts_with('{') {
            encode(values.next().copied().unwrap_or_default(), &mut target);
        } else {
            target.push_str(part);
        }
    }
    for (at, (name, value)) in query.iter().enumerate() {
        target.push(if at == 0 { '?' } else { '&' });
        target.push_str(name);
        target.push('=');
        encode(value, &mut target);
    }
    target
}

/// Percent-encodes everything but unreserved characters (RFC 3986, 2.3).
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skms_wire::native::routes::by_id;

    #[test]
    fn targets_are_encoded() {
        let route = by_id("encrypt").unwrap();
        assert_eq!(
            target(route, &["default", "a/b ?ü"], &[]),
            "/api/v1/keyrings/default/keys/a%2Fb%20%3F%C3%BC/encrypt"
        );
        let list = by_id("key-list").unwrap();
        assert_eq!(
            target(
                list,
                &["r"],
                &[("limit", "5".into()), ("after", "a&b".into())]
            ),
            "/api/v1/keyrings/r/keys?limit=5&after=a%26b"
        );
    }
}
