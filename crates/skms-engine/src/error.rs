//! Why the engine refused, and whose fault it was.

use skms_keys::KeyState;

/// The result of every act.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an act was refused. Each face maps these once, exhaustively; none
/// carries a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server is sealed: nothing can be read until it is unsealed.
    #[error("the server is sealed")]
    Sealed,
    /// The data directory holds no initialised store yet.
    #[error("the store is not initialised")]
    NotInitialised,
    /// The store was initialised before; doing it again would lose it.
    #[error("the store is already initialised")]
    AlreadyInitialised,
    /// No credential, an unknown one, an expired or a revoked one:
    /// deliberately one variant.
    #[error("not authenticated")]
    Unauthenticated,
    /// A credential of a suspended principal: not authenticated either, which is
    /// all that the caller is told.
    #[error("the principal {namespace}/{name} is suspended")]
    PrincipalSuspended {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A certificate whose name an external authority's trust binds to a
    /// principal, and which is not good: not authenticated either.
    #[error("the certificate is refused: {why}")]
    CertificateRefused {
        /// Why, for the log.
        why: String,
        /// Whether the caller may know: then it is nobody's fault but who
        /// should have imported a newer revocation list.
        told: bool,
    },
    /// A policy marks the act: it waits for the approval of others.
    #[error("{told}; the request is {id}, and this call is to be repeated with it")]
    ApprovalRequired {
        /// The request's identifier.
        id: String,
        /// What is lacking, in words.
        told: String,
    },
    /// An approval that does not count, or cannot be asked for, and why.
    #[error("{0}")]
    ApprovalRefused(String),
    /// The caller may see the target but not do this to it.
    #[error("not allowed: no policy permits {action} on {target}")]
    Forbidden {
        /// The action's dotted name.
        action: &'static str,
        /// What it was tried on.
        target: String,
    },
    /// Nothing of that name, or nothing the caller may see: deliberately one
    /// variant.
    #[error("no such {what}, or not visible to you")]
    NotFound {
        /// The kind of thing that was looked for.
        what: &'static str,
    },
    /// Something of that name exists already.
    #[error("{what} exists already")]
    Exists {
        /// The kind of thing.
        what: &'static str,
    },
    /// Someone else changed the record in between; reading again and
    /// repeating is safe.
    #[error("changed by someone else in the meantime")]
    Conflict,
    /// The caller's mistake, in words that say what to change.
    #[error("{0}")]
    Invalid(String),
    /// The key's state forbids the operation (SP 800-57 part 1, section 7).
    #[error("version {version} is {state}: it may not be used to {operation}")]
    StateForbids {
        /// The version that was asked for.
        version: u32,
        /// Its state.
        state: KeyState,
        /// The operation's name.
        operation: &'static str,
    },
    /// A version of a key that this one depends on is compromised.
    #[error(
        "it depends on version {version} of key {key}, which is compromised: it may not be used"
    )]
    AncestorCompromised {
        /// The identifier of the key that is compromised.
        key: String,
        /// The version.
        version: u32,
    },
    /// The key or one of its rules forbids it, whatever its state.
    #[error("{0}")]
    KeyForbids(String),
    /// The key's rules or its versions' states forbid it, in the keys room's
    /// own terms.
    #[error("{0}")]
    Key(#[source] skms_keys::Error),
    /// A re-encryption job that has ended, is paused, or is sent a batch out of
    /// turn.
    #[error("{0}")]
    JobRefuses(String),
    /// What a re-encryption job is to move is of a compromised version, and no
    /// recovery grant lets that process.
    #[error(
        "version {version} is compromised: it processes only under a recovery grant. Nothing of \
         this batch was moved or counted; ask for one with `skms key grant {key} --for 1d \
         --reason ...`, then resume the job"
    )]
    NeedsGrant {
        /// The key, as the command line takes it.
        key: String,
        /// The version.
        version: u32,
    },
    /// A re-encryption job has nowhere to move anything to: the key's newest
    /// version is compromised.
    #[error(
        "version {version}, the newest, is compromised: there is none to move to. Nothing of this \
         batch was moved or counted; `skms key rotate {key}` makes one, then resume the job"
    )]
    NeedsRotation {
        /// The key, as the command line takes it.
        key: String,
        /// The version.
        version: u32,
    },
    /// A key's oldest version that processes is not raised, since something may
    /// be left that needs an older one; with what speaks for that.
    #[error("{0}")]
    NoEvidence(String),
    /// Known-compromised or weak material, with what was found: docs/weak-keys.md.
    #[error("the key is refused: {0}")]
    WeakKey(String),
    /// Something is still inside what was to be deleted.
    #[error("{0}")]
    NotEmpty(&'static str),
    /// A ciphertext, signature or wrapped key that does not verify: wrong
    /// key, altered bytes or other associated data, deliberately one variant.
    #[error("does not authenticate: wrong key, altered bytes or other associated data")]
    Integrity,
    /// The version's use limit is reached and it could not be rotated.
    #[error("the use limit of version {version} is reached: rotate the key")]
    UseLimit {
        /// The exhausted version.
        version: u32,
    },
    /// Too many items, too many bytes.
    #[error("{what} is over the limit of {limit}")]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// The largest value accepted.
        limit: u64,
    },
    /// The server has no room for more work of this kind right now.
    #[error("too busy; try again")]
    Busy,
    /// The caller's mistake: the idempotency key was used for another request.
    #[error("this idempotency key was used for another request")]
    IdempotencyReused,
    /// The first request with this idempotency key still runs; nothing more
    /// was done.
    #[error("the first request with this idempotency key still runs")]
    IdempotencyInUse,
    /// The idempotency key made a token before, and its secret was given
    /// then; the server does not have it.
    #[error(
        "token {id} was made with this idempotency key and its secret was given once: \
         revoke it and use a new key"
    )]
    SecretGiven {
        /// The token's public identifier.
        id: String,
    },
    /// A limit that the operator set is reached.
    #[error("the limit of {limit} {what} is reached")]
    QuotaExceeded {
        /// Of what, where.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// The principal asks for more in a second than it may.
    #[error("over the rate: try again in {retry_after_seconds} s")]
    RateLimited {
        /// Seconds until there is room again.
        retry_after_seconds: u64,
    },
    /// The cryptographic library refused the input.
    #[error("{0}")]
    Crypto(#[source] skms_crypto::Error),
    /// A policy that does not compile.
    #[error(transparent)]
    Policy(#[from] skms_policy::Error),
    /// A certificate that may not or cannot be issued, or what was sent for
    /// it: all the rules that it breaks.
    #[error(transparent)]
    Pki(#[from] skms_pki::issue::IssueError),
    /// What ACME (RFC 8555) has a name of its own for.
    #[error(transparent)]
    Acme(#[from] crate::acts::acme::Refused),
    /// A message of the key exchange that was refused: docs/exchange.md,
    /// "Errors".
    #[error("{name}: {error}", name = error.name())]
    Exchange {
        /// Why.
        error: skms_exchange::Error,
    },
    /// The storage refused or failed; the act did not take place, or its
    /// event could not be made durable.
    #[error("storage: {0}")]
    Store(#[source] skms_store::Error),
    /// A record that does not decode: the database is damaged or newer.
    #[error("a stored {kind} record does not decode: {reason}")]
    Record {
        /// The record's kind.
        kind: &'static str,
        /// The decoder's words (names of fields, never values).
        reason: String,
    },
    /// A defect in this program; the log has the details.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

impl Error {
    /// Whether the database was away and certainly changed nothing, so that
    /// what memory says still holds.
    pub(crate) const fn is_away(&self) -> bool {
        matches!(self, Self::Store(skms_store::Error::Unavailable(_)))
    }

    /// Whether a commit that ended with this certainly changed nothing: memory
    /// says what the store says, as it did before.
    pub(crate) const fn wrote_nothing(&self) -> bool {
        matches!(
            self,
            Self::Conflict | Self::Busy | Self::Store(skms_store::Error::Full)
        ) || self.is_away()
    }
}

impl From<skms_exchange::Error> for Error {
    fn from(error: skms_exchange::Error) -> Self {
        match error {
            // The server's own mistakes are not the client's.
            skms_exchange::Error::Input(what) | skms_exchange::Error::Own(what) => {
                Self::Internal(what)
            }
            other => Self::Exchange { error: other },
        }
    }
}

impl From<skms_store::Error> for Error {
    fn from(error: skms_store::Error) -> Self {
        match error {
            skms_store::Error::Conflict { .. } => Self::Conflict,
            skms_store::Error::Overloaded => Self::Busy,
            other => Self::Store(other),
        }
    }
}

impl From<skms_crypto::Error> for Error {
    fn from(error: skms_crypto::Error) -> Self {
        match error {
            skms_crypto::Error::Decrypt | skms_crypto::Error::Unwrap => Self::Integrity,
            other => Self::Crypto(other),
        }
    }
}

impl From<skms_keys::Error> for Error {
    fn from(error: skms_keys::Error) -> Self {
        use skms_keys::Error as Keys;
        match error {
            Keys::StateForbids {
                version,
                state,
                operation,
                ..
            } => Self::StateForbids {
                version: version.0,
                state,
                operation: operation.name(),
            },
            Keys::UseLimit { version, .. } => Self::UseLimit { version: version.0 },
            Keys::InvalidId
            | Keys::InvalidName
            | Keys::UnknownName(_)
            | Keys::InvalidField { .. }
            | Keys::InvalidRules(_)
            | Keys::InvalidUses { .. }
            | Keys::NotARevocation(_) => Self::Invalid(error.to_string()),
            Keys::UnknownVersion { .. } => Self::NotFound {
                what: "version of the key",
            },
            Keys::InvalidParts(reason) => Self::Record {
                kind: "key",
                reason: reason.to_owned(),
            },
            other => Self::Key(other),
        }
    }
}

impl From<skms_evidence::Error> for Error {
    fn from(error: skms_evidence::Error) -> Self {
        Self::Record {
            kind: "event",
            reason: error.to_string(),
        }
    }
}
