//! What authorities publish, under `/pki`, for anyone and over plain HTTP too:
//! certificates, revocation lists (RFC 5280), OCSP (RFC 6960, with the headers
//! of RFC 5019), SSH authorities' keys and revocation lists. It touches no key
//! and asks for no identity.

mod ssh;

use std::sync::Arc;

use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
};
use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Limited};
use skms_crypto::hash::sha256;
use skms_engine::Error;
use skms_engine::acts::publish::{Document, OcspAnswer};
use skms_keys::UnixSeconds;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::native::App;
use crate::net::Peer;

/// What every path of this face begins with.
pub const PREFIX: &str = "/pki/";

/// The longest OCSP request, in bytes.
const REQUEST_MAX: usize = 16 * 1024;

/// The media type of OCSP responses (RFC 6960, appendix C).
const RESPONSE: &str = "application/ocsp-response";

/// RFC 9110, section 5.6.7.
const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// Standard base64; clients of RFC 6960's GET leave padding out at times.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The face as one service.
pub struct Publications {
    app: Arc<App>,
}

/// One thing that is published.
enum Asked<'a> {
    Certificate { pem: bool },
    List { shard: u32, delta: bool },
    Ocsp(Option<&'a str>),
}

/// A document to hand out.
struct Found {
    kind: &'static str,
    bytes: Bytes,
    /// Its entity tag's text.
    tag: String,
    /// From when until when it is good, where that is known.
    span: Option<(UnixSeconds, UnixSeconds)>,
}

/// A document's bytes where it stands.
struct Shared(Arc<Document>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0.der
    }
}

impl Found {
    /// A list or a response, shared with whoever else asks for it.
    fn document(kind: &'static str, document: &Arc<Document>) -> Self {
        Self {
            kind,
            tag: document.tag.clone(),
            span: Some((document.this_update, document.next_update)),
            bytes: Bytes::from_owner(Shared(Arc::clone(document))),
        }
    }

    /// What is made for this answer.
    fn own(kind: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            kind,
            tag: tag(&sha256(&[&bytes])),
            bytes: bytes.into(),
            span: None,
        }
    }
}

impl Publications {
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
        let get = parts.method == Method::GET || parts.method == Method::HEAD;
        if let Some(asked) = ssh::read_path(parts.uri.path()) {
            return match get {
                true => self.deliver(ssh::found(&self.app.engine, &asked), &parts),
                false => not_allowed("GET, HEAD"),
            };
        }
        let Some((place, asked)) = read_path(parts.uri.path()) else {
            return plain(StatusCode::NOT_FOUND);
        };
        let posted = match asked {
            Asked::Ocsp(None) if parts.method == Method::POST => match read_body(body).await {
                Ok(bytes) => Some(bytes),
                Err(status) => return plain(status),
            },
            Asked::Ocsp(None) => return not_allowed("POST"),
            _ if get => None,
            _ => return not_allowed("GET, HEAD"),
        };
        let result = match asked {
            Asked::Certificate { pem } => self.certificate(place, pem),
            Asked::List { shard, delta } => self.list(place, shard, delta),
            Asked::Ocsp(sent) => match posted.or_else(|| sent.and_then(decode)) {
                Some(request) => self.ocsp(peer, place, &request).await,
                None => return plain(StatusCode::BAD_REQUEST),
            },
        };
        self.deliver(result, &parts)
    }

    fn deliver(&self, result: Result<Found, Error>, parts: &Parts) -> Response<Body> {
        match result {
            Ok(found) => deliver(found, parts, self.app.engine.now()),
            Err(Error::NotFound { .. }) => plain(StatusCode::NOT_FOUND),
            Err(Error::RateLimited { .. }) => come_back(StatusCode::TOO_MANY_REQUESTS),
            Err(_) => come_back(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    fn certificate(&self, (namespace, name, number): Place<'_>, pem: bool) -> Result<Found, Error> {
        let der = self
            .app
            .engine
            .published_certificate(namespace, name, number)?;
        if !pem {
            return Ok(Found::own("application/pkix-cert", der));
        }
        let text = super::native::pem_certificate(&der)
            .map_err(|_| Error::Internal("a certificate does not encode as PEM"))?;
        Ok(Found::own("application/x-pem-file", text.into_bytes()))
    }

    fn list(&self, place: Place<'_>, shard: u32, delta: bool) -> Result<Found, Error> {
        let list = self.app.engine.published_list(place, shard, delta)?;
        Ok(Found::document("application/pkix-crl", &list))
    }

    async fn ocsp(
        &self,
        peer: &Peer,
        (namespace, name, number): Place<'_>,
        request: &[u8],
    ) -> Result<Found, Error> {
        // What was signed before costs nothing; signing for strangers does.
        let app = &self.app;
        let may_sign = || match app.strangers.take(peer.address.ip(), app.elapsed_ns()) {
            Ok(()) => Ok(()),
            Err(_) => Err(Error::RateLimited {
                retry_after_seconds: 1,
            }),
        };
        let answer = app
            .engine
            .ocsp((namespace, name, number), request, may_sign)
            .await?;
        Ok(match answer {
            OcspAnswer::Signed(response) => Found::document(RESPONSE, &response),
            OcspAnswer::Refused(bytes) => Found::own(RESPONSE, bytes),
        })
    }
}

/// Namespace, authority, and the number of its issuer.
type Place<'a> = (&'a str, &'a str, u32);

/// `/pki/{namespace}/{authority}/{issuer}/…`
fn read_path(path: &str) -> Option<(Place<'_>, Asked<'_>)> {
    let mut parts = path.strip_prefix(PREFIX)?.splitn(4, '/');
    let (namespace, name) = (parts.next()?, parts.next()?);
    let number = parts.next()?.parse().ok()?;
    let rest = parts.next()?;
    let list = |name: &str, delta| {
        let shard = name.strip_suffix(".crl")?.parse().ok()?;
        Some(Asked::List { shard, delta })
    };
    let asked = match rest {
        "ca.crt" => Asked::Certificate { pem: false },
        "ca.pem" => Asked::Certificate { pem: true },
        "ocsp" | "ocsp/" => Asked::Ocsp(None),
        _ => match rest.split_once('/')? {
            ("crl", name) => list(name, false)?,
            ("delta", name) => list(name, true)?,
            ("ocsp", request) => Asked::Ocsp(Some(request)),
            _ => return None,
        },
    };
    Some(((namespace, name, number), asked))
}

/// The request of RFC 6960, appendix A.1: base64, then percent-encoded.
fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() > REQUEST_MAX {
        return None;
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            plain.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let value = digit(bytes.next())? * 16 + digit(bytes.next())?;
        plain.push(u8::try_from(value).ok()?);
    }
    BASE64.decode(plain).ok()
}

async fn read_body<B>(body: B) -> Result<Vec<u8>, StatusCode>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let read = Limited::new(body, REQUEST_MAX).collect();
    match tokio::time::timeout(std::time::Duration::from_secs(10), read).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes().to_vec()),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_late) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// What tells a document apart from others at its path (RFC 9110, section
/// 8.8.3).
fn tag(digest: &[u8; 32]) -> String {
    digest.iter().take(16).map(|b| format!("{b:02x}")).collect()
}

fn deliver(found: Found, parts: &Parts, now: UnixSeconds) -> Response<Body> {
    let tag = format!("\"{}\"", found.tag);
    let sent = parts
        .headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let same = sent.is_some_and(|sent| sent.split(',').any(|one| one.trim() == tag || one == "*"));
    let mut response = if same && parts.method != Method::POST {
        plain(StatusCode::NOT_MODIFIED)
    } else if parts.method == Method::HEAD {
        plain(StatusCode::OK)
    } else {
        Response::new(Body::from(found.bytes))
    };
    let headers = response.headers_mut();
    let mut set = |name, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, found.kind.to_owned());
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned());
    match found.span {
        // RFC 5019, section 6.2; a shared cache may keep what anyone may see.
        Some((from, until)) if parts.method != Method::POST => {
            let age = (until.0 - now.0).max(0) / 2;
            set(
                header::CACHE_CONTROL,
                format!("max-age={age}, public, no-transform, must-revalidate"),
            );
            set(header::ETAG, tag);
            if let (Some(from), Some(until)) = (http_date(from), http_date(until)) {
                set(header::LAST_MODIFIED, from);
                set(header::EXPIRES, until);
            }
        }
        Some(_) => set(header::CACHE_CONTROL, "no-store".to_owned()),
        None if found.kind == RESPONSE => {
            set(header::CACHE_CONTROL, "no-store".to_owned());
        }
        // Caches ask again each time: who revokes wants it seen at once.
        None if found.kind == ssh::LIST => {
            set(header::CACHE_CONTROL, "no-cache".to_owned());
            set(header::ETAG, tag);
        }
        None => {
            set(
                header::CACHE_CONTROL,
                "max-age=3600, public, no-transform".to_owned(),
            );
            set(header::ETAG, tag);
        }
    }
    response
}

fn http_date(at: UnixSeconds) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(at.0)
        .ok()?
        .format(HTTP_DATE)
        .ok()
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn not_allowed(allow: &'static str) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

fn come_back(status: StatusCode) -> Response<Body> {
    let mut response = plain(status);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_what_is_published() {
        let (place, asked) = read_path("/pki/team/issuing/2/crl/7.crl").unwrap();
        assert_eq!(place, ("team", "issuing", 2));
        assert!(matches!(
            asked,
            Asked::List {
                shard: 7,
                delta: false
            }
        ));
        let (_, asked) = read_path("/pki/a/b/1/ocsp/MEow/x%3D").unwrap();
        assert!(matches!(asked, Asked::Ocsp(Some("MEow/x%3D"))));
        for bad in [
            "/pki/",
            "/pki/a/b/x/ca.crt",
            "/pki/a/b/1",
            "/pki/a/b/1/crl/x.crl",
            "/pki/a/b/1/crl/0",
            "/pki/a/b/1/keys",
            "/pkia/b/1/ca.crt",
        ] {
            assert!(read_path(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn requests_in_paths_are_decoded() {
        assert_eq!(decode("MA%3D%3D"), Some(vec![0x30]));
        assert_eq!(decode("MA"), Some(vec![0x30]));
        assert_eq!(decode("%2B/+/"), BASE64.decode("+/+/").ok());
        for bad in ["%", "%4", "%zz", "*"] {
            assert!(decode(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn dates_are_written_as_http_has_them() {
        let date = http_date(UnixSeconds(784_111_777)).unwrap();
        assert_eq!(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
