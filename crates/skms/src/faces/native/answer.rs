//! Answers on their way out. What may hold a plaintext is in a buffer that is
//! erased when it has been sent.

use axum::body::{Body, Bytes};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use skms_wire::{
    native::{
        Problem, ProblemKind,
        problem::MEDIA_TYPE,
        routes::{Answer, Route},
    },
    secret::to_json,
};
use zeroize::Zeroizing;

use super::error::Failure;

/// A good answer.
pub enum Reply {
    /// No body.
    Empty,
    /// One message.
    Json(Zeroizing<Vec<u8>>),
    /// A document that is the same for everybody.
    Document(&'static str, String),
    /// Bytes that are made while they are sent.
    Stream(&'static str, Body),
}

impl Reply {
    /// One message.
    ///
    /// # Errors
    /// A problem of the server's, when the message has no JSON.
    pub fn json<T: Serialize + ?Sized>(message: &T) -> Result<Self, Failure> {
        to_json(message)
            .map(Self::Json)
            .map_err(|_| Failure::internal("an answer that has no JSON"))
    }

    /// The HTTP response, with the status that the route promises.
    pub fn into_response(self, route: &Route) -> Response<Body> {
        let (media_type, body) = match self {
            Self::Empty => (None, Body::empty()),
            Self::Json(bytes) => (
                Some("application/json"),
                Body::from(Bytes::from_owner(bytes)),
            ),
            Self::Document(media_type, text) => (Some(media_type), Body::from(text)),
            Self::Stream(media_type, body) => (Some(media_type), body),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status(route.answer.status());
        if let Some(media_type) = media_type {
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        if matches!(route.answer, Answer::Empty) {
            response.headers_mut().remove(header::CONTENT_TYPE);
        }
        response
    }
}

/// A problem as a response.
pub fn problem(problem: &Problem) -> Response<Body> {
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status(problem.status);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    // RFC 6750, section 3.
    if problem.kind() == Some(ProblemKind::Unauthenticated) {
        headers.insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"skms\""),
        );
    }
    response
}

/// Says when to come back, and that nothing is left until then
/// (draft-ietf-httpapi-ratelimit-headers) where a rate was the reason.
pub fn come_back(response: &mut Response<Body>, seconds: u64) {
    let of_rate = response.status() == StatusCode::TOO_MANY_REQUESTS;
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, seconds.into());
    if of_rate && let Ok(left) = HeaderValue::from_str(&format!("\"default\";r=0;t={seconds}")) {
        headers.insert(HeaderName::from_static("ratelimit"), left);
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
