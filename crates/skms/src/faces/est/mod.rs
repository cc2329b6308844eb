//! EST (RFC 7030), over TLS alone. Whoever enrols shows the token of a
//! principal as the password of HTTP Basic, or a client certificate.

mod path;
mod reply;

use std::sync::Arc;

use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use skms_engine::acts::est::{Label, Opening, Wish};
use skms_engine::{Caller, Error};
use skms_wire::native::{ProblemKind, routes::REQUEST_ID_HEADER};

use super::native::body::Bounds;
use super::native::error::Failure;
use super::native::identity::{self, Sent};
use super::native::{App, admit, request_id};
use crate::config::LogLevel;
use crate::net::Peer;
use crate::net::load::Shed;
use path::Operation;
use reply::Reply;

pub use path::{label, serves};

/// The longest request, in bytes of its base64: with the largest keys and
/// signatures of the post-quantum algorithms there is as much again to spare.
const REQUEST_MAX: usize = 128 * 1024;

/// The face as one service.
pub struct Est {
    app: Arc<App>,
}

impl Est {
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
        let request_id = request_id(&parts.headers);
        let limit = self.app.limits.answer_timeout;
        let walk = self.walk(peer, &parts, body, &request_id);
        let result = tokio::time::timeout(limit, walk)
            .await
            .unwrap_or_else(|_late| {
                Err(Failure::with(
                    ProblemKind::RequestTimeout,
                    "the answer was not ready in time",
                ))
            });
        let mut response = match result {
            Ok(reply) => reply.into_response(parts.method == Method::HEAD),
            Err(failure) => self.refuse(&parts, &failure, &request_id),
        };
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            headers.insert(REQUEST_ID_HEADER, value);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        if self.app.log.takes(LogLevel::Debug) {
            self.app.log.debug(
                "request",
                &[
                    ("route", "est".into()),
                    ("status", response.status().as_u16().into()),
                    ("request_id", request_id.as_str().into()),
                ],
            );
        }
        response
    }

    async fn walk<B>(
        &self,
        peer: &Peer,
        parts: &Parts,
        body: B,
        request_id: &str,
    ) -> Result<Reply, Failure>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let app = &self.app;
        let counted = peer.load.begin(false);
        if counted.is_none() {
            return Err(Failure::shed(ProblemKind::Unavailable, Shed::Requests));
        }
        if !peer.tls {
            return Err(Failure::with(
                ProblemKind::Forbidden,
                "EST is spoken over TLS alone",
            ));
        }
        let found = path::read(parts.uri.path());
        let Some((label, operation)) = found else {
            identity::stranger(app, peer)?;
            return Err(Failure::with(
                ProblemKind::NoSuchRoute,
                "an address is /.well-known/est/NAMESPACE:AUTHORITY:PROFILE/OPERATION",
            ));
        };
        let expected: &[Method] = match operation.is_enrolment() {
            true => &[Method::POST],
            false => &[Method::GET, Method::HEAD],
        };
        if !expected.contains(&parts.method) {
            return Err(Failure::new(ProblemKind::MethodNotAllowed));
        }
        if !operation.is_enrolment() {
            identity::stranger(app, peer)?;
        }
        let opening = app.engine.est_opening(label)?;
        match operation {
            Operation::CaCerts => Ok(Reply::authorities(&app.engine.est_authorities(label)?)),
            Operation::CsrAttrs => Ok(Reply::attributes(&app.engine.est_attributes(label)?)),
            _ => {
                let wish = match operation {
                    Operation::SimpleReenroll => Wish::Renew(peer.certificate()),
                    Operation::ServerKeyGen => Wish::ServerKey,
                    _ => Wish::Enrol,
                };
                let asked = Asked {
                    label,
                    opening: &opening,
                    wish,
                    request_id,
                };
                let caller = self.caller(peer, &parts.headers, &asked).await?;
                let _of_principal = admit(app, &caller, false).await?;
                self.enrol(peer, parts, body, (&caller, &asked)).await
            }
        }
    }

    /// Who enrols.
    async fn caller(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        asked: &Asked<'_>,
    ) -> Result<Arc<Caller>, Failure> {
        let app = &self.app;
        let source = Some(peer.address.ip().to_canonical());
        let sent = Sent::bearer_or_basic(headers);
        if asked.opening.renewal_by_certificate
            && let (Sent::Nothing, Wish::Renew(Some(der))) = (&sent, asked.wish)
        {
            identity::may_look_up(app, peer)?;
            let engine = &app.engine;
            let holder = engine.est_holder(asked.label, der, source, asked.request_id);
            if let Some(holder) = holder.await? {
                return Ok(holder);
            }
        }
        let namespace = asked.label.namespace;
        let session = identity::authenticate(app, peer, sent, namespace, asked.request_id).await?;
        Ok(Arc::new(Caller {
            session,
            source,
            request_id: asked.request_id.to_owned(),
            tls: peer.tls,
            idempotency: None,
            calling: skms_engine::approvals::Calling::default(),
        }))
    }

    async fn enrol<B>(
        &self,
        peer: &Peer,
        parts: &Parts,
        body: B,
        (caller, asked): (&Arc<Caller>, &Asked<'_>),
    ) -> Result<Reply, Failure>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        if !is_pkcs10(&parts.headers) {
            return Err(Failure::with(
                ProblemKind::UnsupportedMediaType,
                "a request is application/pkcs10, in base64",
            ));
        }
        let app = &self.app;
        let bounds = Bounds::of(&app.limits, true).at_most(REQUEST_MAX);
        let _memory = bounds.claim(&body, &app.bodies)?;
        let body = bounds.read_any(&parts.headers, body).await?;
        let binding = peer.binding.as_ref().map(<[u8; 32]>::as_slice);
        let decode =
            || decode(&body).ok_or_else(|| Error::Invalid("the request is not base64".to_owned()));
        let engine = &app.engine;
        let made = engine.est_enrol(caller, asked.label, asked.wish, binding, decode);
        match made.await {
            Ok(issued) => Reply::issued(&issued),
            // That the authority is there, everybody may know: it is open.
            Err(Error::NotFound { .. }) => Err(Failure::with(
                ProblemKind::Forbidden,
                "no policy permits you certificates of this authority",
            )),
            Err(error) => Err(error.into()),
        }
    }

    fn refuse(&self, parts: &Parts, failure: &Failure, request_id: &str) -> Response<Body> {
        let app = &self.app;
        if let Some(cause) = failure.cause() {
            app.log.error(
                "a request failed",
                &[
                    ("route", "est".into()),
                    ("problem", failure.kind().slug().into()),
                    ("cause", cause.into()),
                    ("request_id", request_id.into()),
                ],
            );
        }
        app.metrics.problem(failure.kind());
        if let Some(why) = failure.turned_away() {
            app.metrics.turned.away(why);
        }
        let mut response = reply::refused(failure);
        if failure.kind() == ProblemKind::MethodNotAllowed {
            let allow = match path::read(parts.uri.path()) {
                Some((_, operation)) if operation.is_enrolment() => "POST",
                _ => "GET, HEAD",
            };
            let headers = response.headers_mut();
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

/// What is asked for, and where.
struct Asked<'a> {
    label: Label<'a>,
    opening: &'a Opening,
    wish: Wish<'a>,
    request_id: &'a str,
}

fn is_pkcs10(headers: &HeaderMap) -> bool {
    let mut sent = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (sent.next(), sent.next()) else {
        return false;
    };
    value.to_str().is_ok_and(|text| {
        let essence = text.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/pkcs10")
    })
}

/// A request's DER. Lines may be broken anywhere; what the header says of the
/// transfer encoding does not count (RFC 8951, section 3.1).
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_whatever_its_lines() {
        for good in ["AAEC", "AA\r\nEC\r\n", " AAE\tC"] {
            assert_eq!(decode(good.as_bytes()), Some(vec![0, 1, 2]), "{good:?}");
        }
        for bad in ["AAE", "AA-C", "AAEC=", "-----BEGIN", "AAE\0C"] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
