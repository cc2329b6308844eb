//! One event to one web server, by the Standard Webhooks specification.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use skms_engine::courier::{Undelivered, Webhook};
use skms_engine::probe::ProbeError;
use skms_pki::acme::Identifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::distrusted;
use crate::config::NotificationConfig;
use crate::faces::native::event_json;
use crate::net::reach;

/// Bytes of an answer's head. Its body is not read.
const HEAD_MAX: usize = 16 * 1024;

/// Where a webhook is.
#[derive(Debug)]
pub struct Place {
    host: Identifier,
    secure: bool,
    port: u16,
    /// As it is asked for.
    path: String,
    /// As it is called, with a port that is not the usual one.
    authority: String,
}

fn refused(why: &str) -> Undelivered {
    Undelivered(format!("the address of a webhook {why}"))
}

impl Place {
    /// Reads an address that webhooks may have.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(url: &str, config: &NotificationConfig) -> Result<Self, Undelivered> {
        if url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#') {
            return Err(refused("has neither blanks nor a fragment"));
        }
        let uri: Uri = url.parse().map_err(|_| refused("is https:// and a host"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(refused("is https:// and a host"));
        };
        let secure = match scheme {
            "https" => true,
            "http" if config.allow_http => false,
            "http" => return Err(refused("is https:// here: plain HTTP is not allowed")),
            _ => return Err(refused("is https:// and a host")),
        };
        if authority.as_str().contains('@') {
            return Err(refused("names no user"));
        }
        let usual = if secure { 443 } else { 80 };
        let rest = authority.as_str().strip_prefix(authority.host());
        let port = match rest.and_then(|rest| rest.strip_prefix(':')) {
            None => usual,
            Some(text) => match text.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(refused("has a port from 1 to 65535")),
            },
        };
        let name = authority.host().trim_matches(['[', ']']);
        // What others take for an address, written in another way.
        let last = name.rsplit('.').next().unwrap_or_default();
        let number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
        let host = match name.parse() {
            Ok(address) => Identifier::Ip(address),
            Err(_) if number => return Err(refused("has a host name or address")),
            Err(_) => {
                Identifier::new("dns", name).map_err(|_| refused("has a host name or address"))?
            }
        };
        if let Identifier::Ip(address) = &host
            && !reach::addresses::may_be_asked(&config.reach, *address)
        {
            return Err(refused("is none that this server connects to"));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            host,
            secure,
            port,
            path: path.to_owned(),
            authority: authority.as_str().to_owned(),
        })
    }
}

/// Sends it, and says how that went. All of it takes no longer than the time
/// for one exchange.
///
/// # Errors
/// [`Undelivered`] for everything but an answer of 2xx.
pub async fn send(
    config: &NotificationConfig,
    tls: &Arc<ClientConfig>,
    webhook: Webhook<'_>,
) -> Result<String, Undelivered> {
    // The settings may have changed since the address was taken.
    let place = Place::of(webhook.url, config)?;
    let limit: Duration = config.reach.timeout;
    let sent = tokio::time::timeout(limit, exchange(config, tls, &place, webhook)).await;
    let late = format!("{}: no answer within {} s", place.host, limit.as_secs());
    sent.unwrap_or(Err(Undelivered(late)))
}

async fn exchange(
    config: &NotificationConfig,
    tls: &Arc<ClientConfig>,
    place: &Place,
    webhook: Webhook<'_>,
) -> Result<String, Undelivered> {
    let failed = |why: String| Undelivered(format!("{}: {why}", place.host));
    let body = event_json(webhook.event);
    let id = webhook.event.event.id.to_string();
    let signed = webhook.signing.header(&id, webhook.at, body.as_bytes());
    let signature = signed.map_err(|_| failed("the message cannot be signed".into()))?;
    let request = Request::post(&place.path)
        .header(header::HOST, &place.authority)
        .header(header::USER_AGENT, "skms-webhook")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, body.len())
        .header(header::CONNECTION, "close")
        .header("webhook-id", id)
        .header("webhook-timestamp", webhook.at.0)
        .header("webhook-signature", signature)
        .body(Body::from(body))
        .map_err(|_| failed("the request cannot be formed".into()))?;
    let stream = reach::connect(&config.reach, &place.host, place.port).await;
    let stream = stream.map_err(|error| unreached(&place.host, error))?;
    let status = if place.secure {
        let name = ServerName::try_from(skms_pki::acme::server_name(&place.host));
        let name = match (&place.host, name) {
            // An address is not asked for by the name that challenges give it.
            (Identifier::Ip(address), _) => ServerName::IpAddress((*address).into()),
            (_, Ok(name)) => name,
            (_, Err(_)) => return Err(failed("the host is no name".into())),
        };
        let connector = TlsConnector::from(Arc::clone(tls));
        let stream = connector.connect(name, stream).await;
        let stream = stream.map_err(|error| failed(distrusted(&error).to_owned()))?;
        ask(stream, request).await
    } else {
        ask(stream, request).await
    };
    let status = status.map_err(|error| failed(format!("no answer: {error}")))?;
    match status.as_u16() {
        code @ 200..=299 => Ok(format!("answered {code}")),
        code @ 300..=399 => Err(failed(format!(
            "answered {code}: redirects are not followed"
        ))),
        code => Err(failed(format!("answered {code}"))),
    }
}

/// Why nobody was reached. Whether a name is there and leads inside, or is not
/// there at all, is said in the same words: who names it learns nothing about
/// the names that this server's resolver knows.
fn unreached(host: &Identifier, error: ProbeError) -> Undelivered {
    Undelivered(match error {
        ProbeError::Dns(_) | ProbeError::Forbidden(_) => {
            format!("{host}: it has no address that this server connects to")
        }
        ProbeError::Connection(why) | ProbeError::Tls(why) | ProbeError::Incorrect(why) => why,
    })
}

/// Sends a request and reads the head of its answer; what follows is left
/// unread with the connection.
async fn ask<S>(stream: S, request: Request<Body>) -> Result<http::StatusCode, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(HEAD_MAX)
        .handshake(TokioIo::new(stream))
        .await?;
    let answer = sender.send_request(request);
    tokio::pin!(connection);
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => Ok(answer?.status()),
        ended = &mut connection => {
            ended?;
            // The answer came with the connection's end.
            Ok(answer.await?.status())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Reach;

    fn place(url: &str, config: &NotificationConfig) -> Result<Place, Undelivered> {
        Place::of(url, config)
    }

    #[test]
    fn what_is_not_there_and_what_is_inside_are_told_alike() {
        let host = Identifier::new("dns", "db.inner.example.org").unwrap();
        let told = |error| unreached(&host, error).0;
        let gone = told(ProbeError::Dns("db: there is no such name".into()));
        let empty = told(ProbeError::Dns("db: it has no address".into()));
        let inside = told(ProbeError::Forbidden("db: none of its addresses".into()));
        assert_eq!(gone, inside);
        assert_eq!(gone, empty);
        let silent = told(ProbeError::Connection("db: nobody answers".into()));
        assert_eq!(silent, "db: nobody answers");
    }

    #[test]
    fn only_addresses_that_may_be_connected_to_are_taken() {
        let usual = NotificationConfig::default();
        let good = place("https://hooks.example.org:8443/a/b?c=d", &usual).unwrap();
        assert_eq!((good.port, good.path.as_str()), (8443, "/a/b?c=d"));
        assert_eq!(good.authority, "hooks.example.org:8443");
        assert_eq!(place("https://1.1.1.1", &usual).unwrap().path, "/");
        for bad in [
            "",
            "hooks.example.org",
            "http://hooks.example.org/",
            "ftp://hooks.example.org/",
            "file:///etc/passwd",
            "https://user:secret@hooks.example.org/",
            "https://hooks.example.org:0/",
            "https://hooks.example.org:99999/",
            "https://a_b/",
            "https:///x",
            "https://h/x y",
            "https://hooks.example.org/\r\nx: y",
            "https://hooks.example.org/#x",
            "https://127.0.0.1/",
            "https://10.0.0.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://2130706433/",
            "https://0x7f.1/",
        ] {
            assert!(place(bad, &usual).is_err(), "{bad}");
        }
        let more = NotificationConfig {
            allow_http: true,
            reach: Reach {
                allow: vec!["127.0.0.0/8".parse().unwrap()],
                ..Reach::default()
            },
            ..usual
        };
        assert!(!place("http://127.0.0.1:8080/", &more).unwrap().secure);
        assert!(place("https://10.0.0.1/", &more).is_err());
    }
}
