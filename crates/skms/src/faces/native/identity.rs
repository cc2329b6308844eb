//! Who is asking: the bearer token if one was sent, the client certificate
//! otherwise.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, header};
use skms_crypto::ct_eq;
use skms_engine::Session;
use skms_keys::UnixSeconds;
use skms_wire::native::ProblemKind;

use super::{App, error::Failure};
use crate::net::{Peer, load::Shed};

const UNKNOWN: Failure = Failure::new(ProblemKind::Unauthenticated);

/// The session behind a request's credential. One that was sent and refused
/// leaves an event.
///
/// # Errors
/// [`ProblemKind::Unauthenticated`], whatever was wrong with the credential;
/// [`ProblemKind::Sealed`].
pub async fn authenticate(
    app: &App,
    peer: &Peer,
    headers: &HeaderMap,
    namespace: &str,
    request_id: &str,
) -> Result<Arc<Session>, Failure> {
    let kind = match (headers.get(header::AUTHORIZATION), &peer.certificate) {
        (Some(_), _) => Some("token"),
        (None, Some(_)) => Some("certificate"),
        (None, None) => None,
    };
    let outcome = identify(app, peer, headers, namespace).await;
    if let Err(failure) = &outcome
        && failure.kind() == ProblemKind::Unauthenticated
    {
        stranger(app, peer)?;
    }
    if let (Err(failure), Some(kind)) = (&outcome, kind)
        && failure.kind() == ProblemKind::Unauthenticated
    {
        let source = Some(peer.address.ip().to_canonical());
        app.engine
            .record_refused_credential(kind, source, request_id)
            .await?;
    }
    outcome
}

/// Counts a request of somebody who is nobody yet against the rate of where
/// it comes from.
///
/// # Errors
/// [`ProblemKind::TooManyRequests`], with the time to wait.
pub fn stranger(app: &App, peer: &Peer) -> Result<(), Failure> {
    limited(app.strangers.take(peer.address.ip(), app.elapsed_ns()))
}

fn limited(outcome: Result<(), u64>) -> Result<(), Failure> {
    outcome.map_err(|wait| {
        Failure::shed(ProblemKind::TooManyRequests, Shed::SourceRate)
            .after(wait.div_ceil(1_000_000_000).max(1))
    })
}

/// Before a credential is looked up in the store: where many unknown ones
/// come from, it is not. Those that are in use already are known without.
fn may_look_up(app: &App, peer: &Peer) -> Result<(), Failure> {
    limited(app.strangers.has(peer.address.ip(), app.elapsed_ns()))
}

async fn identify(
    app: &App,
    peer: &Peer,
    headers: &HeaderMap,
    namespace: &str,
) -> Result<Arc<Session>, Failure> {
    if app.engine.is_sealed() {
        return Err(Failure::new(ProblemKind::Sealed));
    }
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    match (sent.next(), sent.next()) {
        (None, _) => by_certificate(app, peer, namespace).await,
        (Some(value), None) => by_token(app, peer, bearer(value.as_bytes()).ok_or(UNKNOWN)?).await,
        (Some(_), Some(_)) => Err(UNKNOWN),
    }
}

/// The token of `Bearer <token>` (RFC 6750, section 2.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

async fn by_token(app: &App, peer: &Peer, token: &[u8]) -> Result<Arc<Session>, Failure> {
    if let Some(session) = recall(peer, token) {
        return Ok(session);
    }
    let real = match &app.dev_token {
        Some(dev) => match &dev.alias {
            Some(alias) if ct_eq(alias.expose().as_bytes(), token) => dev.root.expose(),
            _ => token,
        },
        None => token,
    };
    let text = std::str::from_utf8(real).map_err(|_| UNKNOWN)?;
    let session = match app.engine.recognise_token(text) {
        Some(session) => session,
        None => {
            may_look_up(app, peer)?;
            app.engine.authenticate_token(text).await?
        }
    };
    peer.remember(token, Arc::clone(&session));
    Ok(session)
}

async fn by_certificate(app: &App, peer: &Peer, namespace: &str) -> Result<Arc<Session>, Failure> {
    let certificate = peer.certificate.as_deref().ok_or(UNKNOWN)?;
    // Its dates were right at the handshake; a connection can outlast them.
    if peer.certificate_ends.is_none_or(|end| now_seconds() > end) {
        return Err(UNKNOWN);
    }
    // As whom it is known depends on the namespace: remembered with it.
    let credential = [certificate, b"\0", namespace.as_bytes()].concat();
    if let Some(session) = recall(peer, &credential) {
        return Ok(session);
    }
    may_look_up(app, peer)?;
    let session = app
        .engine
        .authenticate_certificate(certificate, namespace)
        .await?;
    peer.remember(&credential, Arc::clone(&session));
    Ok(session)
}

/// Seconds since the Unix epoch; far in the future when the clock is before
/// it, so that everything has ended.
fn now_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(u64::MAX, |elapsed| elapsed.as_secs())
}

/// A session that is over is not recalled, so that a credential which became
/// good again is looked up afresh.
fn recall(peer: &Peer, credential: &[u8]) -> Option<Arc<Session>> {
    let now = UnixSeconds(i64::try_from(now_seconds()).ok()?);
    peer.recall(credential)
        .filter(|session| session.check(now).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearer_tokens_are_read() {
        assert_eq!(bearer(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"bearer  abc "), Some(&b"abc"[..]));
        for bad in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Basic abc",
            b"Bearerabc",
            b"",
            b"abc",
        ] {
            assert_eq!(bearer(bad), None);
        }
    }
}
