//! Engine errors as problems: mapped here, once.

use skms_crypto::Error as Crypto;
use skms_engine::Error as Engine;
use skms_keys::Error as Keys;
use skms_pki::issue::IssueError as Pki;
use skms_policy::Error as Policy;
use skms_store::Error as Store;
use skms_wire::native::{Problem, ProblemKind};

use crate::net::load::Shed;

/// Why a request is answered with a problem.
#[derive(Debug)]
pub struct Failure {
    kind: ProblemKind,
    /// For the caller.
    detail: Option<String>,
    /// For the log, where the caller is told less.
    cause: Option<String>,
    /// For the event of a credential that was refused.
    refused: Option<Box<Refused>>,
    /// When to come back, in seconds.
    retry_after: u64,
    /// Why it was turned away, if it was before any work was begun.
    shed: Option<Shed>,
    /// The request for approval that waits.
    approval: Option<String>,
}

/// For the event of a credential that was refused.
#[derive(Debug)]
struct Refused {
    /// Why, in words.
    why: String,
    /// Whose it is: namespace and name.
    whom: Option<(String, String)>,
}

impl Failure {
    /// A problem that its kind explains.
    pub const fn new(kind: ProblemKind) -> Self {
        Self {
            kind,
            detail: None,
            cause: None,
            refused: None,
            retry_after: 1,
            shed: None,
            approval: None,
        }
    }

    /// A problem with what was the matter this time, in words for the caller.
    pub fn with(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: Some(detail.into()),
            cause: None,
            refused: None,
            retry_after: 1,
            shed: None,
            approval: None,
        }
    }

    /// A value that the request should not have.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::with(ProblemKind::InvalidArgument, detail)
    }

    /// A request that cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::with(ProblemKind::MalformedRequest, detail)
    }

    /// A defect of this program.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::hidden(ProblemKind::Internal, cause)
    }

    /// A problem whose cause is for the log alone.
    fn hidden(kind: ProblemKind, cause: impl Into<String>) -> Self {
        Self {
            kind,
            detail: None,
            cause: Some(cause.into()),
            refused: None,
            retry_after: 1,
            shed: None,
            approval: None,
        }
    }

    /// A request that is turned away before any work is begun.
    pub const fn shed(kind: ProblemKind, why: Shed) -> Self {
        let mut failure = Self::new(kind);
        failure.shed = Some(why);
        failure
    }

    /// Why it was turned away, if it was.
    pub const fn turned_away(&self) -> Option<Shed> {
        self.shed
    }

    /// Says when to come back.
    #[must_use]
    pub const fn after(mut self, seconds: u64) -> Self {
        self.retry_after = seconds;
        self
    }

    /// When to come back, in seconds, where coming back helps.
    pub const fn retry_after(&self) -> Option<u64> {
        match self.kind {
            ProblemKind::Unavailable
            | ProblemKind::TooManyRequests
            | ProblemKind::IdempotencyKeyInUse => Some(self.retry_after),
            _ => None,
        }
    }

    /// The kind of problem.
    pub const fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// What the log is to have, when it is not for the caller.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// Why a credential was refused, in words for its event, where that is
    /// known.
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_ref().map(|one| one.why.as_str())
    }

    /// Whose credential was refused, for its event, where that is known.
    pub fn refused_whom(&self) -> Option<(&str, &str)> {
        let whom = self.refused.as_ref()?.whom.as_ref()?;
        Some((&whom.0, &whom.1))
    }

    /// As the caller gets it.
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(self.kind);
        let problem = match &self.detail {
            Some(detail) => problem.with_detail(detail),
            None => problem,
        };
        match &self.approval {
            Some(id) => problem.with_approval(id),
            None => problem,
        }
    }
}

impl From<Engine> for Failure {
    fn from(error: Engine) -> Self {
        use ProblemKind as Kind;
        let said = error.to_string();
        match error {
            Engine::Sealed => Self::new(Kind::Sealed),
            Engine::NotInitialised => Self::new(Kind::Uninitialized),
            Engine::Unauthenticated => Self::new(Kind::Unauthenticated),
            Engine::PrincipalSuspended { namespace, name } => Self {
                refused: Some(Box::new(Refused {
                    why: said,
                    whom: Some((namespace, name)),
                })),
                ..Self::new(Kind::Unauthenticated)
            },
            Engine::CertificateRefused { told, .. } => Self {
                detail: told.then(|| said.clone()),
                refused: Some(Box::new(Refused {
                    why: said,
                    whom: None,
                })),
                ..Self::new(Kind::Unauthenticated)
            },
            Engine::AlreadyInitialised | Engine::Exists { .. } => {
                Self::with(Kind::AlreadyExists, said)
            }
            Engine::ApprovalRequired { id, .. } => Self {
                approval: Some(id),
                ..Self::with(Kind::ApprovalRequired, said)
            },
            Engine::ApprovalRefused(_) => Self::with(Kind::ApprovalRefused, said),
            Engine::Forbidden { .. } => Self::with(Kind::Forbidden, said),
            Engine::NotFound { .. } => Self::with(Kind::NotFound, said),
            Engine::Conflict => Self::new(Kind::Conflict),
            Engine::Invalid(_) => Self::invalid(said),
            Engine::StateForbids { .. } => Self::with(Kind::WrongState, said),
            Engine::AncestorCompromised { .. } => Self::with(Kind::CompromisedAncestor, said),
            Engine::NeedsGrant { .. } | Engine::NeedsRotation { .. } => {
                Self::with(Kind::WrongState, said)
            }
            Engine::JobRefuses(_) => Self::with(Kind::JobRefuses, said),
            Engine::NoEvidence(_) => Self::with(Kind::NoEvidence, said),
            Engine::KeyForbids(_) => Self::with(Kind::UnsupportedOperation, said),
            Engine::WeakKey(_) => Self::with(Kind::WeakKey, said),
            Engine::Key(error) => error.into(),
            Engine::NotEmpty(_) => Self::with(Kind::NotEmpty, said),
            Engine::Integrity => Self::new(Kind::DecryptionFailed),
            Engine::UseLimit { .. } => Self::with(Kind::UseLimit, said),
            Engine::TooLarge {
                what: "the batch", ..
            } => Self::with(Kind::BatchTooLarge, said),
            Engine::TooLarge { .. } => Self::invalid(said),
            Engine::IdempotencyReused => Self::new(Kind::IdempotencyKeyReused),
            Engine::IdempotencyInUse => Self::new(Kind::IdempotencyKeyInUse),
            Engine::SecretGiven { .. } => Self::with(Kind::SecretAlreadyGiven, said),
            Engine::QuotaExceeded { .. } => Self::with(Kind::QuotaExceeded, said),
            Engine::RateLimited {
                retry_after_seconds,
            } => Self::shed(Kind::TooManyRequests, Shed::PrincipalRate).after(retry_after_seconds),
            Engine::Busy => Self::shed(Kind::Unavailable, Shed::Queue),
            Engine::Crypto(error) => error.into(),
            Engine::Policy(error) => error.into(),
            Engine::Acme(_) => Self::invalid(said),
            Engine::Exchange { .. } => Self::with(Kind::ExchangeRefused, said),
            Engine::Pki(Pki::Unfit(_) | Pki::Signature(_)) => Self::internal(said),
            Engine::Pki(_) => Self::with(Kind::InvalidCertificate, said),
            Engine::Store(error) => error.into(),
            Engine::Record { .. } => Self::hidden(Kind::StorageCorrupt, said),
            Engine::Internal(_) => Self::internal(said),
            // The engine's errors are open to growth; a new one is a defect
            // of this face until it is mapped.
            _ => Self::internal(said),
        }
    }
}

impl From<Crypto> for Failure {
    fn from(error: Crypto) -> Self {
        use ProblemKind as Kind;
        let said = error.to_string();
        match error {
            Crypto::Unsupported { .. } | Crypto::OutsideModule { .. } => {
                Self::with(Kind::UnsupportedOperation, said)
            }
            Crypto::UnknownAlgorithm
            | Crypto::UnknownName(_)
            | Crypto::InvalidOption(_)
            | Crypto::TooLong { .. }
            | Crypto::InvalidLength { .. } => Self::invalid(said),
            Crypto::InvalidKey(_)
            | Crypto::Malformed(_)
            | Crypto::WrongAlgorithm { .. }
            | Crypto::WeakKey(_) => Self::with(Kind::InvalidKey, said),
            Crypto::RefusedByPolicy(_) => Self::with(Kind::RefusedAsUnsafe, said),
            Crypto::Decrypt | Crypto::Unwrap => Self::new(Kind::DecryptionFailed),
            Crypto::Shares(_) => Self::with(Kind::UnsealFailed, said),
            Crypto::SelfTest(_) => Self::hidden(Kind::SelfTestFailed, said),
            Crypto::Library(_) => Self::internal(said),
            _ => Self::internal(said),
        }
    }
}

impl From<Policy> for Failure {
    fn from(error: Policy) -> Self {
        let said = error.to_string();
        match error {
            Policy::Syntax { .. }
            | Policy::Validation { .. }
            | Policy::Template { .. }
            | Policy::Empty { .. }
            | Policy::Mark { .. }
            | Policy::Rule { .. }
            | Policy::TooLarge { .. } => Self::with(ProblemKind::PolicyInvalid, said),
            Policy::Duplicate { .. } | Policy::Name { .. } | Policy::UnknownAction => {
                Self::invalid(said)
            }
            Policy::Schema(_) => Self::internal(said),
            _ => Self::internal(said),
        }
    }
}

impl From<Store> for Failure {
    fn from(error: Store) -> Self {
        use ProblemKind as Kind;
        let said = error.to_string();
        match error {
            Store::Conflict { .. } | Store::MetaConflict { .. } => Self::new(Kind::Conflict),
            Store::Invalid(_) => Self::invalid(said),
            Store::NotInitialised => Self::new(Kind::Uninitialized),
            Store::AlreadyInitialised => Self::new(Kind::AlreadyExists),
            Store::Sealed => Self::new(Kind::Sealed),
            Store::WrongPassphrase
            | Store::WrongKeyFile
            | Store::WrongShares
            | Store::DuplicateShare { .. }
            | Store::ForeignShare
            | Store::NoSuchSeal(_)
            | Store::Malformed(_) => Self::with(Kind::UnsealFailed, said),
            Store::LastSeal => Self::invalid(said),
            Store::Altered { .. }
            | Store::HeadMismatch { .. }
            | Store::HeadReplayed
            | Store::HeaderAltered
            | Store::RolledBack { .. }
            | Store::JournalCut { .. }
            | Store::JournalCorrupt { .. }
            | Store::OtherInstall { .. } => Self::hidden(Kind::StorageCorrupt, said),
            Store::Full => Self::new(Kind::StorageFull),
            Store::Overloaded
            | Store::Closed
            | Store::InUse { .. }
            | Store::DatabaseInUse { .. }
            | Store::Unavailable(_)
            | Store::Undecided(_) => Self::hidden(Kind::Unavailable, said),
            Store::Behind { .. } => Self::hidden(Kind::StorageCorrupt, said),
            Store::Failed(_) => Self::hidden(Kind::Unavailable, said),
            Store::Crypto(error) => error.into(),
            Store::Newer { .. }
            | Store::StaleKeys
            | Store::UnsafeFile { .. }
            | Store::UnsafeDatabase(_)
            | Store::Io { .. }
            | Store::Backend(_) => Self::internal(said),
            _ => Self::internal(said),
        }
    }
}

impl From<Keys> for Failure {
    fn from(error: Keys) -> Self {
        use ProblemKind as Kind;
        let said = error.to_string();
        match error {
            Keys::InvalidId
            | Keys::InvalidName
            | Keys::UnknownName(_)
            | Keys::InvalidField { .. }
            | Keys::InvalidRules(_)
            | Keys::InvalidUses { .. }
            | Keys::AlgorithmUnfit { .. }
            | Keys::NotARevocation(_) => Self::invalid(said),
            Keys::UnknownVersion { .. } => Self::with(Kind::NotFound, said),
            Keys::UseForbidden { .. } => Self::with(Kind::UseNotPermitted, said),
            Keys::NotExportable { .. } => Self::with(Kind::NotExportable, said),
            Keys::StateForbids { .. }
            | Keys::PendingDestruction { .. }
            | Keys::BelowMinimum { .. }
            | Keys::OutsidePeriod { .. }
            | Keys::TransitionForbidden { .. }
            | Keys::NothingToDo { .. }
            | Keys::RotationRefused { .. } => Self::with(Kind::WrongState, said),
            Keys::RulesChanged { .. } => Self::with(Kind::Conflict, said),
            Keys::UseLimit { .. } => Self::with(Kind::UseLimit, said),
            Keys::NotDestroyed { .. } => Self::with(Kind::NotEmpty, said),
            Keys::InvalidParts(_) => Self::hidden(Kind::StorageCorrupt, said),
            _ => Self::internal(said),
        }
    }
}

impl From<skms_wire::Error> for Failure {
    fn from(error: skms_wire::Error) -> Self {
        Self::malformed(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_server_s_is_not_told() {
        let failure = Failure::from(Engine::Internal("a thing inside"));
        assert!(failure.problem().detail.is_none());
        assert!(
            failure
                .cause()
                .is_some_and(|cause| cause.contains("a thing inside"))
        );
    }

    #[test]
    fn a_failed_decryption_says_nothing_more() {
        for error in [
            Failure::from(Engine::Integrity),
            Failure::from(Crypto::Decrypt),
            Failure::from(Crypto::Unwrap),
        ] {
            assert_eq!(error.problem(), Problem::new(ProblemKind::DecryptionFailed));
        }
    }
}
