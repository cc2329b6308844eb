//! Time-stamps for whoever asks: RFC 3161 over HTTP (section 3.4), under
//! `/tsa`, on the main port and over plain HTTP. It asks for no identity; what
//! it answers is signed.

use std::sync::Arc;

use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use skms_engine::Error;

use super::native::{App, identity};
use crate::net::Peer;
use crate::net::load::Shed;

/// What every path of this face begins with.
pub const PREFIX: &str = "/tsa/";

/// The longest request, in bytes: with a digest, a policy and a nonce it has
/// under two hundred.
const REQUEST_MAX: usize = 4 * 1024;

/// How long a request may take to come.
const REQUEST_TIME: std::time::Duration = std::time::Duration::from_secs(10);

const QUERY: &str = "application/timestamp-query";
const REPLY: &str = "application/timestamp-reply";

/// The face as one service.
pub struct Stamping {
    app: Arc<App>,
}

impl Stamping {
    /// Serves with `app`.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    /// Answers one request.
    pub async fn answer<B>(&self, peer: &Peer, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let Some(place) = read(parts.uri.path()) else {
            return plain(StatusCode::NOT_FOUND);
        };
        if parts.method != Method::POST {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
            let headers = response.headers_mut();
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        if !is_query(&parts.headers) {
            return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        if let Err(limited) = identity::stranger(&self.app, peer) {
            let seconds = limited.retry_after().unwrap_or(1);
            return self.away(StatusCode::TOO_MANY_REQUESTS, Shed::SourceRate, seconds);
        }
        if !self.app.engine.may_have_tsa(place) {
            return plain(StatusCode::NOT_FOUND);
        }
        // Who asks is nobody: a body that drips in holds no place among the
        // requests under way.
        let request = match read_body(body).await {
            Ok(bytes) => bytes,
            Err(status) => return plain(status),
        };
        let Some(_counted) = peer.load.begin(false) else {
            return self.away(StatusCode::SERVICE_UNAVAILABLE, Shed::Requests, 1);
        };
        let source = Some(peer.address.ip().to_canonical());
        match self.app.engine.tsa_answer(place, &request, source).await {
            Ok(answer) => {
                let mut response = Response::new(Body::from(answer));
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(REPLY));
                finish(response)
            }
            Err(Error::NotFound { .. }) => plain(StatusCode::NOT_FOUND),
            Err(Error::RateLimited {
                retry_after_seconds,
            }) => self.away(
                StatusCode::TOO_MANY_REQUESTS,
                Shed::SourceRate,
                retry_after_seconds,
            ),
            Err(_) => self.away(StatusCode::SERVICE_UNAVAILABLE, Shed::Queue, 1),
        }
    }

    fn away(&self, status: StatusCode, why: Shed, seconds: u64) -> Response<Body> {
        self.app.metrics.turned.away(why);
        let mut response = plain(status);
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        response
    }
}

/// Where an authority is asked.
pub fn path(namespace: &str, name: &str) -> String {
    format!("{PREFIX}{namespace}/{name}")
}

/// `/tsa/{namespace}/{name}`
fn read(path: &str) -> Option<(&str, &str)> {
    let (namespace, name) = path.strip_prefix(PREFIX)?.split_once('/')?;
    let one = |text: &str| !text.is_empty() && !text.contains('/');
    (one(namespace) && one(name)).then_some((namespace, name))
}

fn is_query(headers: &HeaderMap) -> bool {
    let mut sent = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (sent.next(), sent.next()) else {
        return false;
    };
    value.to_str().is_ok_and(|text| {
        let essence = text.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(QUERY)
    })
}

async fn read_body<B>(body: B) -> Result<Bytes, StatusCode>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let read = Limited::new(body, REQUEST_MAX).collect();
    match tokio::time::timeout(REQUEST_TIME, read).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_late) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    finish(response)
}

fn finish(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_authority() {
        assert_eq!(read(&path("team", "clock")), Some(("team", "clock")));
        for bad in [
            "/tsa/",
            "/tsa/team",
            "/tsa/team/",
            "/tsa//clock",
            "/tsa/team/clock/",
            "/tsa/team/clock/x",
            "/tsateam/clock",
            "/pki/team/clock",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
