//! Who is calling: a session behind a credential, and where the call came in.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use skms_keys::UnixSeconds;
use skms_policy::{Principal, PrincipalKind, ROOT_NAMESPACE};

use crate::approvals::Calling;
use crate::error::{Error, Result};
use crate::idempotency::IdempotencyKey;
use crate::limits::{Bucket, UnderWayOf};

/// How a principal proved who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// A bearer token, by its public identifier.
    Token {
        /// The token record's identifier: not the secret.
        id: String,
    },
    /// A TLS client certificate, by the SHA-256 of its DER, in hex.
    Certificate {
        /// The fingerprint.
        fingerprint: String,
    },
    /// A request signed by an account key of ACME (RFC 8555).
    Account {
        /// The authority's identifier: the account is one of it alone.
        authority: String,
        /// The account's, or the key's thumbprint where there is no account.
        id: String,
    },
    /// A certificate of an authority that is to be renewed by it (RFC 7030).
    Holder {
        /// The authority's identifier: nothing else is reached.
        authority: String,
        /// The SHA-256 of the certificate's DER, in hex.
        fingerprint: String,
    },
    /// A part of the server itself.
    System,
}

impl Authentication {
    /// How the log names it: kind and public identifier.
    pub fn label(&self) -> String {
        match self {
            Self::Token { id } => format!("token:{id}"),
            Self::Certificate { fingerprint } | Self::Holder { fingerprint, .. } => {
                format!("certificate:{fingerprint}")
            }
            Self::Account { id, .. } => format!("acme:{id}"),
            Self::System => "system".to_owned(),
        }
    }
}

/// A session that counts.
const LIVE: u8 = 0;
/// One that has to be made anew from the store.
const DOUBTED: u8 = 1;
/// One whose credential counts no more.
const OVER: u8 = 2;

/// A principal that has been authenticated. Shared by all its calls, so that
/// revoking the credential ends every one of them at once.
pub struct Session {
    /// Who it is.
    pub principal: Arc<Principal>,
    /// How that was proved.
    pub authentication: Authentication,
    /// When the credential ends; `None` never.
    pub expires_at: Option<UnixSeconds>,
    /// How the log names the credential.
    label: Box<str>,
    state: AtomicU8,
    bucket: Arc<Bucket>,
}

impl Session {
    pub(crate) fn new(
        principal: Arc<Principal>,
        authentication: Authentication,
        expires_at: Option<UnixSeconds>,
        bucket: Arc<Bucket>,
    ) -> Self {
        Self {
            principal,
            label: authentication.label().into(),
            authentication,
            expires_at,
            state: AtomicU8::new(LIVE),
            bucket,
        }
    }

    /// The principal's namespace, where an event of another one has to say it:
    /// names mean something in their own alone. Nothing for the same one, and
    /// for parts of the server.
    pub(crate) fn namespace_beside(&self, of_event: &str) -> &str {
        let own = self.principal.namespace();
        match own == of_event || matches!(self.authentication, Authentication::System) {
            true => "",
            false => own,
        }
    }

    /// How the log names its credential: kind and public identifier.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What the principal may still ask for.
    /// Counts a request of its principal as under way until the answer is
    /// dropped; `None` when there are `most` already, over all its sessions.
    pub fn begin(&self, most: usize) -> Option<UnderWayOf> {
        self.bucket.begin(most)
    }

    pub(crate) fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Whether a client certificate proved it.
    pub fn by_certificate(&self) -> bool {
        matches!(
            self.authentication,
            Authentication::Certificate { .. } | Authentication::Holder { .. }
        )
    }

    /// Ends the session: every later call with it is refused.
    pub(crate) fn end(&self) {
        self.state.store(OVER, Ordering::SeqCst);
    }

    /// Lets no later call in with the session until it was made anew: whether
    /// its credential still counts has to be read again.
    pub(crate) fn doubt(&self) {
        let _ = (self.state).compare_exchange(LIVE, DOUBTED, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Whether the credential still counts at `now`.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] after its end or its revocation;
    /// [`Error::Busy`] where that has to be read again: the same credential may
    /// well be good for the next call.
    pub fn check(&self, now: UnixSeconds) -> Result<()> {
        let expired = self.expires_at.is_some_and(|end| now.0 >= end.0);
        match self.state.load(Ordering::SeqCst) {
            LIVE if !expired => Ok(()),
            DOUBTED if !expired => Err(Error::Busy),
            _ => Err(Error::Unauthenticated),
        }
    }
}

/// One call: the session and what the transport knows about it.
#[derive(Clone)]
pub struct Caller {
    /// The authenticated session.
    pub session: Arc<Session>,
    /// The peer's address, where there is one.
    pub source: Option<IpAddr>,
    /// The request's identifier, echoed in the answer and the log.
    pub request_id: String,
    /// Whether the call came over TLS.
    pub tls: bool,
    /// What makes it safe to send a create again, if the caller gave it.
    pub idempotency: Option<IdempotencyKey>,
    /// What makes it possible to ask for approval, where the face can.
    pub calling: Calling,
}

impl Caller {
    /// The server acting by itself; `part` names which part of it.
    pub(crate) fn system(part: &'static str) -> Result<Arc<Self>> {
        Self::system_for(part, None)
    }

    /// As [`Caller::system`], doing for somebody at an address what anybody may
    /// have done.
    pub(crate) fn system_for(part: &'static str, source: Option<IpAddr>) -> Result<Arc<Self>> {
        let principal = Arc::new(Principal::new(PrincipalKind::System, ROOT_NAMESPACE, part)?);
        Ok(Arc::new(Self {
            session: Arc::new(Session::new(
                principal,
                Authentication::System,
                None,
                Arc::default(),
            )),
            source,
            request_id: String::new(),
            tls: false,
            idempotency: None,
            calling: Calling::default(),
        }))
    }
}
