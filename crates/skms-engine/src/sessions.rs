//! From a credential to a session: tokens by the blind index of their
//! digest, client certificates by their fingerprint. A session is made once
//! and shared, so that revoking its credential ends all its calls at once.

pub(crate) mod certified;
pub(crate) mod external;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use skms_crypto::{Hash, ct_eq};
use skms_keys::UnixSeconds;
use skms_policy::{Principal, PrincipalKind, ROOT_NAMESPACE};
use skms_store::{Kind, RecordId};
use tokio::sync::watch;

use crate::caller::{Authentication, Session};
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::limits::Bucket;
use crate::places::SYSTEM_SCOPE;
use crate::records;
use crate::records::principal::PrincipalRecord;
use crate::records::token::TokenRecord;

/// What every token's text begins with, so that scanners find leaked ones.
pub const TOKEN_PREFIX: &str = "skms_";

/// Longest token text that is looked at.
const TOKEN_MAX: usize = 256;

/// Most sessions kept; beyond it they are made anew from the store.
const SESSIONS_MAX: usize = 100_000;

/// Keeps the two kinds of credential apart in one map.
const TOKEN: char = 't';
const CERTIFICATE: char = 'c';

fn slot(kind: char, digest: &str) -> String {
    let mut slot = String::with_capacity(digest.len() + 1);
    slot.push(kind);
    slot.push_str(digest);
    slot
}

/// The sessions made so far, by what they were made from.
#[derive(Default)]
pub(crate) struct Sessions {
    by_digest: RwLock<HashMap<String, Known>>,
    /// Rises with every ended session: a look-up that began before does not
    /// bring the session back.
    ended: AtomicU64,
    /// Told when sessions ended, or when what they may do changed.
    changed: watch::Sender<()>,
}

struct Known {
    /// What it stands on: when one of these records goes, so does the session.
    records: Vec<RecordId>,
    session: Arc<Session>,
}

impl Sessions {
    /// Tells of sessions that ended, and of policies that changed.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// What sessions may do is not what it was.
    pub(crate) fn may_differ(&self) {
        self.changed.send_replace(());
    }

    fn known(&self, digest: &str) -> Option<Arc<Session>> {
        self.by_digest
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(digest)
            .map(|known| Arc::clone(&known.session))
    }

    /// Keeps a session unless one was ended since `seen`; gives the one that
    /// everybody uses.
    fn keep(
        &self,
        digest: &str,
        records: Vec<RecordId>,
        session: Session,
        seen: u64,
    ) -> Option<Arc<Session>> {
        let mut sessions = self
            .by_digest
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if self.ended.load(Ordering::SeqCst) != seen {
            return None;
        }
        if let Some(known) = sessions.get(digest) {
            return Some(Arc::clone(&known.session));
        }
        if sessions.len() >= SESSIONS_MAX {
            sessions.retain(|_, known| Arc::strong_count(&known.session) > 1);
        }
        let session = Arc::new(session);
        sessions.insert(
            digest.to_owned(),
            Known {
                records,
                session: Arc::clone(&session),
            },
        );
        Some(session)
    }

    /// Ends the sessions that stand on a record: a token's, a registration's, a
    /// certificate's.
    pub(crate) fn end(&self, record: RecordId) {
        self.end_those(|known| known.records.contains(&record));
    }

    /// Ends the sessions that stand on any of these records.
    pub(crate) fn end_any(&self, records: &HashSet<RecordId>) {
        self.end_those(|known| known.records.iter().any(|one| records.contains(one)));
    }

    /// Ends the sessions of a principal.
    pub(crate) fn end_principal(&self, namespace: &str, name: &str) {
        self.end_those(|known| {
            let principal = &known.session.principal;
            principal.namespace() == namespace && principal.id() == name
        });
    }

    fn end_those(&self, these: impl Fn(&Known) -> bool) {
        let mut sessions = self
            .by_digest
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        self.ended.fetch_add(1, Ordering::SeqCst);
        sessions.retain(|_, known| {
            let ends = these(known);
            if ends {
                known.session.end();
            }
            !ends
        });
        drop(sessions);
        self.may_differ();
    }

    /// Forgets a session that has run out, so that it is looked up anew.
    fn forget(&self, digest: &str, session: &Arc<Session>) {
        let mut sessions = self
            .by_digest
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if sessions
            .get(digest)
            .is_some_and(|known| Arc::ptr_eq(&known.session, session))
        {
            sessions.remove(digest);
        }
    }

    /// Ends every session.
    pub(crate) fn end_all(&self) {
        self.all(Session::end);
    }

    /// Has every session made anew from the store. Calls under way that did
    /// not enter yet are to come again: nobody took their credentials back.
    pub(crate) fn doubt_all(&self) {
        self.all(Session::doubt);
    }

    fn all(&self, act: impl Fn(&Session)) {
        let mut sessions = self
            .by_digest
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        self.ended.fetch_add(1, Ordering::SeqCst);
        for known in sessions.values() {
            act(&known.session);
        }
        sessions.clear();
        drop(sessions);
        self.may_differ();
    }
}

impl Engine {
    /// The session behind a bearer token.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for anything that is not a live token,
    /// whatever the reason; [`Error::Sealed`].
    pub async fn authenticate_token(&self, token: &str) -> Result<Arc<Session>> {
        let rooms = self.rooms()?;
        if !token.starts_with(TOKEN_PREFIX) || token.len() > TOKEN_MAX {
            return Err(Error::Unauthenticated);
        }
        let digest = token_digest(token.as_bytes());
        let session = match rooms.sessions.known(&slot(TOKEN, &digest)) {
            Some(session) => session,
            None => from_token_record(&rooms, digest).await?,
        };
        session.check(rooms.clock.now())?;
        rooms.suspended.check(&session.principal)?;
        Ok(session)
    }

    /// The session behind a bearer token that was let in before: no look-up in
    /// the store. `None` says nothing about the token.
    pub fn recognise_token(&self, token: &str) -> Option<Arc<Session>> {
        if !token.starts_with(TOKEN_PREFIX) || token.len() > TOKEN_MAX {
            return None;
        }
        let rooms = self.rooms().ok()?;
        let digest = token_digest(token.as_bytes());
        rooms
            .sessions
            .known(&slot(TOKEN, &digest))
            .filter(|session| session.check(rooms.clock.now()).is_ok())
            .filter(|session| rooms.suspended.check(&session.principal).is_ok())
    }

    /// The session behind a TLS client certificate whose key the peer has
    /// proved to hold, by the DER of the certificates that it showed, its own
    /// first: as whom the namespace that the call is for knows it, or else the
    /// root namespace. A namespace knows a certificate that it has registered,
    /// one that an authority of its own issued to a principal registered with
    /// that authority, and one that is good by an external authority that it
    /// trusts and whose name is bound to a principal. What another namespace
    /// made of it does not count.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a certificate that is not known, that was
    /// revoked, or whose registration has ended;
    /// [`Error::CertificateRefused`] where an external authority's could be
    /// known and is not good; [`Error::Sealed`].
    pub async fn authenticate_certificate(
        &self,
        shown: &[Vec<u8>],
        namespace: &str,
    ) -> Result<Arc<Session>> {
        let rooms = self.rooms()?;
        by_certificate(&rooms, shown, namespace).await
    }
}

/// As [`Engine::authenticate_certificate`].
pub(crate) async fn by_certificate(
    rooms: &Rooms,
    shown: &[Vec<u8>],
    namespace: &str,
) -> Result<Arc<Session>> {
    let der = shown.first().ok_or(Error::Unauthenticated)?;
    let fingerprint = hex(&Hash::Sha256.digest(der));
    let mut refused = Error::Unauthenticated;
    for place in [namespace, ROOT_NAMESPACE] {
        let mut found = registered(rooms, place, &fingerprint).await;
        if matches!(found, Err(Error::Unauthenticated)) {
            found = certified::session(rooms, place, &fingerprint, der).await;
        }
        if matches!(found, Err(Error::Unauthenticated)) {
            found = external::session(rooms, place, &fingerprint, shown).await;
        }
        match found {
            Ok(session) => {
                session.check(rooms.clock.now())?;
                rooms.suspended.check(&session.principal)?;
                return Ok(session);
            }
            Err(Error::Unauthenticated) => {}
            Err(why @ Error::CertificateRefused { .. }) => refused = why,
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

/// What a principal's registration with an authority is looked up by. No
/// fingerprint has a slash.
pub(crate) fn vouched_name(namespace: &str, authority: &str, principal: &str) -> String {
    format!("{namespace}/{authority}/{principal}")
}

/// What the binding of a name to a principal is looked up by: the name's digest,
/// which is of one length however long the name is.
pub(crate) fn bound_name(namespace: &str, trust: &str, identity: &str) -> String {
    let digest = hex(&Hash::Sha256.digest(identity.as_bytes()));
    format!("{namespace}/{trust}/identity/{digest}")
}

/// What a namespace's registration of a certificate is looked up by.
pub(crate) fn registration_name(namespace: &str, fingerprint: &str) -> String {
    format!("{namespace}/{fingerprint}")
}

async fn registered(rooms: &Rooms, namespace: &str, fingerprint: &str) -> Result<Arc<Session>> {
    let name = registration_name(namespace, fingerprint);
    match rooms.sessions.known(&slot(CERTIFICATE, &name)) {
        Some(session) => Ok(session),
        None => from_principal_record(rooms, &name).await,
    }
}

/// How often a look-up that lost against ended sessions begins again.
const TRIES: usize = 16;

async fn from_token_record(rooms: &Rooms, digest: String) -> Result<Arc<Session>> {
    for _ in 0..TRIES {
        let seen = rooms.sessions.ended.load(Ordering::SeqCst);
        let (record, session) = token_session(rooms, &digest).await?;
        if let Some(kept) = rooms
            .sessions
            .keep(&slot(TOKEN, &digest), vec![record], session, seen)
        {
            return Ok(kept);
        }
    }
    Err(Error::Busy)
}

async fn token_session(rooms: &Rooms, digest: &str) -> Result<(RecordId, Session)> {
    let found = rooms.store.find(SYSTEM_SCOPE, Kind::Token, digest).await?;
    let stored = found.ok_or(Error::Unauthenticated)?;
    let record: TokenRecord = records::decode(stored.plaintext.expose())?;
    if !ct_eq(record.digest.as_bytes(), digest.as_bytes()) {
        return Err(Error::Unauthenticated);
    }
    let principal = principal(
        PrincipalKind::Token,
        &record.namespace,
        &record.principal,
        &record.groups,
    )?;
    let bucket = bucket(rooms, &principal);
    let session = Session::new(
        Arc::new(principal),
        Authentication::Token {
            id: stored.id.to_string(),
        },
        record.expires_at.map(UnixSeconds),
        bucket,
    );
    Ok((stored.id, session))
}

async fn from_principal_record(rooms: &Rooms, name: &str) -> Result<Arc<Session>> {
    for _ in 0..TRIES {
        let seen = rooms.sessions.ended.load(Ordering::SeqCst);
        let (record, session) = certificate_session(rooms, name).await?;
        let slot = slot(CERTIFICATE, name);
        if let Some(kept) = rooms.sessions.keep(&slot, vec![record], session, seen) {
            return Ok(kept);
        }
    }
    Err(Error::Busy)
}

async fn certificate_session(rooms: &Rooms, name: &str) -> Result<(RecordId, Session)> {
    let found = rooms
        .store
        .find(SYSTEM_SCOPE, Kind::Principal, name)
        .await?;
    let stored = found.ok_or(Error::Unauthenticated)?;
    let record: PrincipalRecord = records::decode(stored.plaintext.expose())?;
    if registration_name(&record.namespace, &record.fingerprint) != name {
        return Err(Error::Unauthenticated);
    }
    let principal = principal(
        PrincipalKind::Certificate,
        &record.namespace,
        &record.name,
        &record.groups,
    )?;
    let bucket = bucket(rooms, &principal);
    let session = Session::new(
        Arc::new(principal),
        Authentication::Certificate {
            fingerprint: record.fingerprint.clone(),
        },
        record.expires_at.map(UnixSeconds),
        bucket,
    );
    Ok((stored.id, session))
}

fn bucket(rooms: &Rooms, principal: &Principal) -> Arc<Bucket> {
    let limits = rooms.limits(principal.namespace());
    rooms.limiter.bucket(principal, limits.as_deref())
}

fn principal(
    kind: PrincipalKind,
    namespace: &str,
    name: &str,
    groups: &BTreeSet<String>,
) -> Result<Principal> {
    Ok(Principal::new(kind, namespace, name)?.with_groups(groups.iter().cloned())?)
}

/// What a token is looked up by: SHA-256 of its text, in hex. Tokens carry
/// 256 random bits, so the digest cannot be turned back.
pub(crate) fn token_digest(token: &[u8]) -> String {
    hex(&Hash::Sha256.digest(token))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
