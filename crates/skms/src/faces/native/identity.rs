//! Who is asking: the token if one was sent, the client certificate otherwise.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use skms_crypto::ct_eq;
use skms_engine::Session;
use skms_keys::UnixSeconds;
use skms_wire::native::ProblemKind;
use zeroize::Zeroizing;

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
    sent: Sent<'_>,
    namespace: &str,
    request_id: &str,
) -> Result<Arc<Session>, Failure> {
    let kind = match (&sent, peer.certificate()) {
        (Sent::Nothing, Some(_)) => Some("certificate"),
        (Sent::Nothing, None) => None,
        _ => Some("token"),
    };
    let outcome = identify(app, peer, sent, namespace).await;
    if let Err(failure) = &outcome
        && failure.kind() == ProblemKind::Unauthenticated
    {
        stranger(app, peer)?;
    }
    // A certificate that there was no room to judge counts as well: else
    // whoever fills that room would do so for nothing.
    if let Err(failure) = &outcome
        && kind == Some("certificate")
        && failure.turned_away() == Some(Shed::Queue)
    {
        stranger(app, peer)?;
    }
    if let (Err(failure), Some(kind)) = (&outcome, kind)
        && failure.kind() == ProblemKind::Unauthenticated
    {
        let source = Some(peer.address.ip().to_canonical());
        app.engine
            .record_refused_credential(
                (kind, failure.refused_whom(), failure.refused()),
                source,
                request_id,
            )
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
///
/// # Errors
/// [`ProblemKind::TooManyRequests`], with the time to wait.
pub fn may_look_up(app: &App, peer: &Peer) -> Result<(), Failure> {
    limited(app.strangers.has(peer.address.ip(), app.elapsed_ns()))
}

async fn identify(
    app: &App,
    peer: &Peer,
    sent: Sent<'_>,
    namespace: &str,
) -> Result<Arc<Session>, Failure> {
    if app.engine.is_sealed() {
        return Err(Failure::new(ProblemKind::Sealed));
    }
    match sent {
        Sent::Nothing => by_certificate(app, peer, namespace).await,
        Sent::Token(token) => by_token(app, peer, token).await,
        Sent::Password { user, token } => {
            let session = by_token(app, peer, &token).await?;
            // The token says who it is; another name is somebody's mistake.
            match session.principal.id().as_bytes() == user {
                true => Ok(session),
                false => Err(UNKNOWN),
            }
        }
        Sent::Unreadable => Err(UNKNOWN),
    }
}

/// The credential in a request's headers.
pub enum Sent<'a> {
    /// None.
    Nothing,
    /// `Bearer <token>` (RFC 6750, section 2.1).
    Token(&'a [u8]),
    /// `Basic` (RFC 7617), with a token in the place of the password.
    Password {
        /// The name of the token's principal.
        user: Vec<u8>,
        /// The token.
        token: Zeroizing<Vec<u8>>,
    },
    /// One of another kind, or several.
    Unreadable,
}

impl<'a> Sent<'a> {
    /// Takes bearer tokens alone.
    pub fn bearer(headers: &'a HeaderMap) -> Self {
        let mut sent = headers.get_all(header::AUTHORIZATION).iter();
        match (sent.next(), sent.next()) {
            (None, _) => Self::Nothing,
            (Some(value), None) => bearer(value.as_bytes()).map_or(Self::Unreadable, Self::Token),
            (Some(_), Some(_)) => Self::Unreadable,
        }
    }

    /// Takes passwords too, where a protocol knows nothing else.
    pub fn bearer_or_basic(headers: &'a HeaderMap) -> Self {
        let mut sent = headers.get_all(header::AUTHORIZATION).iter();
        if let (Some(value), None) = (sent.next(), sent.next())
            && let Some((user, token)) = basic(value.as_bytes())
        {
            return Self::Password { user, token };
        }
        Self::bearer(headers)
    }
}

/// The token of `Bearer <token>` (RFC 6750, section 2.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

/// User and password of `Basic <base64>` (RFC 7617, section 2): the first colon
/// ends the user's name.
fn basic(value: &[u8]) -> Option<(Vec<u8>, Zeroizing<Vec<u8>>)> {
    let (scheme, text) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let both = Zeroizing::new(STANDARD.decode(text.trim_ascii()).ok()?);
    let colon = both.iter().position(|byte| *byte == b':')?;
    let (user, password) = both.split_at_checked(colon)?;
    let token = Zeroizing::new(password.get(1..)?.to_vec());
    (!token.is_empty()).then(|| (user.to_vec(), token))
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
    let certificate = peer.certificate().ok_or(UNKNOWN)?;
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
        .authenticate_certificate(&peer.shown, namespace)
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

    #[test]
    fn a_password_is_all_that_follows_the_first_colon() {
        let of = |text: &str| {
            let value = format!("Basic {}", STANDARD.encode(text));
            basic(value.as_bytes()).map(|(user, token)| (user, token.to_vec()))
        };
        assert_eq!(
            of("ci:skms_a:b"),
            Some((b"ci".to_vec(), b"skms_a:b".to_vec()))
        );
        assert_eq!(of(":t"), Some((Vec::new(), b"t".to_vec())));
        for bad in ["", "ci", "ci:"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        for bad in [&b"Basic"[..], b"Basic !", b"Bearer YTpi", b"Basic YTp i"] {
            assert_eq!(basic(bad), None);
        }
    }
}
