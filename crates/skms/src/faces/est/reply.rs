//! Answers in the forms that RFC 7030 gives them.

use axum::body::{Body, Bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Response, StatusCode, header};
use skms_crypto::rand;
use skms_engine::acts::certificates::Issued;
use skms_pki::documents::cms;
use skms_wire::native::ProblemKind;
use zeroize::Zeroizing;

use crate::faces::native::error::Failure;

const TRANSFER_ENCODING: &str = "content-transfer-encoding";
/// The certificate alone (section 4.2.3).
const CERTIFICATE: &str = "application/pkcs7-mime; smime-type=certs-only";

/// A good answer.
pub struct Reply {
    kind: String,
    body: Zeroizing<Vec<u8>>,
    /// Whether the body as a whole is base64.
    encoded: bool,
}

impl Reply {
    fn encoded(kind: &str, der: &[u8]) -> Self {
        Self {
            kind: kind.to_owned(),
            // In one line, which RFC 8951 allows and simple clients need.
            body: Zeroizing::new(STANDARD.encode(der).into_bytes()),
            encoded: true,
        }
    }

    /// The certificates of authorities (section 4.1.3).
    pub fn authorities(certificates: &[Vec<u8>]) -> Self {
        Self::encoded("application/pkcs7-mime", &cms::certs_only(certificates))
    }

    /// What to ask for (section 4.5.2).
    pub fn attributes(der: &[u8]) -> Self {
        Self::encoded("application/csrattrs", der)
    }

    /// A new certificate, and its key if one was made for it (section 4.4.2).
    ///
    /// # Errors
    /// A problem of the server's.
    pub fn issued(issued: &Issued) -> Result<Self, Failure> {
        //= https://www.rfc-editor.org/rfc/rfc7030#section-4.2.3
        //# [...] containing only the certificate that was issued.
        let own = issued.certificate.chain.get(..1);
        let own = own.ok_or_else(|| Failure::internal("a certificate that is not there"))?;
        let certificates = cms::certs_only(own);
        let Some(key) = &issued.private_key else {
            return Ok(Self::encoded(CERTIFICATE, &certificates));
        };
        let fresh: [u8; 16] =
            rand::array().map_err(|error| Failure::internal(error.to_string()))?;
        let boundary: String = fresh.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut body = Zeroizing::new(Vec::with_capacity(room(key.expose(), &certificates)));
        // Section 4.4.2: the private key is one part, the certificate another.
        for (kind, der) in [
            ("application/pkcs8", key.expose()),
            (CERTIFICATE, &certificates),
        ] {
            let head = format!(
                "--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            let text = Zeroizing::new(STANDARD.encode(der));
            body.extend_from_slice(text.as_bytes());
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Ok(Self {
            kind: format!("multipart/mixed; boundary={boundary}"),
            body,
            encoded: false,
        })
    }

    /// The HTTP response.
    pub fn into_response(self, head: bool) -> Response<Body> {
        let mut response = Response::new(match head {
            true => Body::empty(),
            false => Body::from(Bytes::from_owner(self.body)),
        });
        let headers = response.headers_mut();
        if let Ok(kind) = HeaderValue::from_str(&self.kind) {
            headers.insert(header::CONTENT_TYPE, kind);
        }
        if self.encoded {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("base64"));
        }
        response
    }
}

/// Enough for both parts, so that no copy of a key is left where the body grew.
fn room(key: &[u8], certificates: &[u8]) -> usize {
    (key.len() + certificates.len()).div_ceil(3) * 4 + 1024
}

/// A problem in words: clients of EST show what they get.
pub fn refused(failure: &Failure) -> Response<Body> {
    let problem = failure.problem();
    let mut text = problem.detail.unwrap_or(problem.title);
    text.push('\n');
    // The one status that RFC 7030 has for requests that are not in order
    // (section 4.2.3).
    let status = match problem.status {
        422 => 400,
        other => other,
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let mut set = |name, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_TYPE, "text/plain; charset=utf-8");
    if failure.kind() == ProblemKind::Unauthenticated {
        set(
            header::WWW_AUTHENTICATE,
            "Basic realm=\"est\", charset=\"UTF-8\"",
        );
    }
    if let Some(seconds) = failure.retry_after() {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
