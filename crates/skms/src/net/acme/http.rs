//! http-01 (RFC 8555, section 8.3): one small file, by way of a few redirects.

use axum::body::Body;
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use skms_engine::probe::ProbeError;
use skms_pki::acme::Identifier;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Probes, tls};

/// Redirects that are followed.
const REDIRECTS: usize = 5;
/// Bytes of a file: a key authorization has about 87.
const BODY_MAX: usize = 1024;

/// Where the next look is.
struct Place {
    host: Identifier,
    secure: bool,
    path: String,
}

/// Fetches the file of a token.
///
/// # Errors
/// [`ProbeError`], also for a redirect to elsewhere than a web server's usual
/// port.
pub async fn fetch(
    probes: &Probes,
    identifier: &Identifier,
    token: &str,
) -> Result<Vec<u8>, ProbeError> {
    let mut place = Place {
        host: identifier.clone(),
        secure: false,
        path: format!("/.well-known/acme-challenge/{token}"),
    };
    for _ in 0..=REDIRECTS {
        let response = get(probes, &place).await?;
        if response.status().is_redirection() {
            let location = response
                .headers()
                .get(header::LOCATION)
                .and_then(|value| value.to_str().ok())
                .ok_or_else(|| ProbeError::Incorrect("a redirect to nowhere".into()))?;
            place = redirected(probes, &place, location).map_err(|why| {
                ProbeError::Forbidden(format!("a redirect that is not followed: {why}"))
            })?;
            continue;
        }
        if response.status() != http::StatusCode::OK {
            return Err(ProbeError::Incorrect(format!(
                "the web server answers {}",
                response.status().as_u16()
            )));
        }
        let body = Limited::new(response.into_body(), BODY_MAX).collect().await;
        return body
            .map(|whole| whole.to_bytes().to_vec())
            .map_err(|_| ProbeError::Incorrect("the file is too long or breaks off".into()));
    }
    Err(ProbeError::Forbidden("too many redirects".into()))
}

async fn get(probes: &Probes, place: &Place) -> Result<Response<Incoming>, ProbeError> {
    if place.secure {
        let stream = probes.connect(&place.host, probes.config.tls_port).await?;
        let stream = tls::open(stream, &place.host, &[]).await?;
        exchange(stream, place).await
    } else {
        let stream = probes.connect(&place.host, probes.config.http_port).await?;
        exchange(stream, place).await
    }
}

async fn exchange<S>(stream: S, place: &Place) -> Result<Response<Incoming>, ProbeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |why: String| ProbeError::Connection(format!("{}: {why}", place.host));
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(16 * 1024)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(error.to_string()))?;
    // Ends with the sender or the server, whichever is first.
    tokio::spawn(connection);
    let request = Request::get(&place.path)
        .header(header::HOST, host(&place.host))
        .header(header::USER_AGENT, "skms-acme")
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Body::empty())
        .map_err(|error| failed(error.to_string()))?;
    sender
        .send_request(request)
        .await
        .map_err(|error| failed(error.to_string()))
}

fn host(identifier: &Identifier) -> String {
    match identifier {
        Identifier::Ip(std::net::IpAddr::V6(six)) => format!("[{six}]"),
        other => other.to_string(),
    }
}

/// Where a redirect leads: to a web server at its usual port, and nowhere
/// else.
fn redirected(probes: &Probes, from: &Place, location: &str) -> Result<Place, &'static str> {
    let uri: Uri = location.parse().map_err(|_| "it is no address")?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    if !path.starts_with('/') {
        return Err("it is no address");
    }
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        if uri.scheme().is_some() || uri.authority().is_some() {
            return Err("it is no address");
        }
        return Ok(Place {
            host: from.host.clone(),
            secure: from.secure,
            path: path.to_owned(),
        });
    };
    let secure = match scheme {
        "http" => false,
        "https" => true,
        _ => return Err("neither http nor https"),
    };
    if authority.as_str().contains('@') {
        return Err("it names a user");
    }
    let config = &probes.config;
    let usual = match secure {
        false => [80, config.http_port],
        true => [443, config.tls_port],
    };
    let rest = authority.as_str().strip_prefix(authority.host());
    let port = match rest.and_then(|rest| rest.strip_prefix(':')) {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| "it has no port")?),
    };
    if port.is_some_and(|port: u16| !usual.contains(&port)) {
        return Err("another port");
    }
    let name = authority.host().trim_matches(['[', ']']);
    let host = match name.parse::<std::net::IpAddr>() {
        Ok(address) => Identifier::Ip(address),
        Err(_) => Identifier::new("dns", name).map_err(|_| "its host is no name")?,
    };
    Ok(Place {
        host,
        secure,
        path: path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AcmeConfig;

    #[test]
    fn redirects_lead_to_web_servers_alone() {
        let probes = Probes::new(AcmeConfig {
            http_port: 5002,
            ..AcmeConfig::default()
        });
        let from = Place {
            host: Identifier::new("dns", "a.example").unwrap(),
            secure: false,
            path: "/x".into(),
        };
        let to = |location: &str| redirected(&probes, &from, location);
        let next = to("https://b.example/y?z").unwrap();
        assert_eq!((host(&next.host), next.secure), ("b.example".into(), true));
        assert_eq!(next.path, "/y?z");
        assert_eq!(host(&to("/y").unwrap().host), "a.example");
        assert_eq!(
            host(&to("http://[2001:db8::1]:80/").unwrap().host),
            "[2001:db8::1]"
        );
        assert!(to("http://b.example:5002/").is_ok());
        for bad in [
            "http://b.example:22/",
            "https://b.example:80/",
            "ftp://b.example/",
            "file:///etc/passwd",
            "http://user@b.example/",
            "http://b_c/",
            "y",
            "",
            "http://",
        ] {
            assert!(to(bad).is_err(), "{bad}");
        }
    }
}
