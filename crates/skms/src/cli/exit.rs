//! Exit codes: a promise to scripts.

use std::process::ExitCode;

use skms_client::Error as ClientError;
use skms_wire::native::ProblemKind;

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It failed for a reason without a code of its own.
    Failure,
    /// The command line, a file or the configuration is at fault.
    Usage,
    /// Not authenticated, not allowed, or absent.
    Access,
    /// The key's state, or what already exists, forbids it.
    State,
    /// A decryption, signature, MAC, certificate or integrity check failed.
    Verification,
    /// Nobody trustworthy answers at the address.
    Unreachable,
    /// The server is sealed or not initialised.
    Sealed,
    /// The server failed or cannot take the work now.
    Server,
    /// Stopped with Ctrl-C.
    Interrupted,
}

/// Every code with what it means; the text of `skms help exit-codes`.
pub const TABLE: &[(Exit, &str)] = &[
    (Exit::Failure, "it failed; the message says why"),
    (
        Exit::Usage,
        "the command line, a file or the configuration is at fault",
    ),
    (
        Exit::Access,
        "not authenticated, not allowed, or no such thing",
    ),
    (
        Exit::State,
        "the key's state, or what exists already, forbids it",
    ),
    (
        Exit::Verification,
        "a decryption, signature, MAC, certificate or integrity check failed",
    ),
    (
        Exit::Unreachable,
        "no trustworthy server answers at the address",
    ),
    (Exit::Sealed, "the server is sealed or not initialised"),
    (
        Exit::Server,
        "the server failed or cannot take the work now",
    ),
    (Exit::Interrupted, "stopped with Ctrl-C"),
];

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Access => 3,
            Self::State => 4,
            Self::Verification => 5,
            Self::Unreachable => 6,
            Self::Sealed => 7,
            Self::Server => 8,
            Self::Interrupted => 130,
        }
    }

    /// The code for a problem that the server answered with.
    pub fn of_problem(kind: Option<ProblemKind>) -> Self {
        use ProblemKind as P;
        match kind {
            Some(P::Unauthenticated | P::Forbidden | P::NotFound | P::ApprovalRefused) => {
                Self::Access
            }
            Some(
                P::WrongState
                | P::ApprovalRequired
                | P::CompromisedAncestor
                | P::JobRefuses
                | P::NoEvidence
                | P::UseLimit
                | P::AlreadyExists
                | P::Conflict
                | P::NotEmpty
                | P::AlreadyUnsealed
                | P::IdempotencyKeyInUse
                | P::QuotaExceeded
                | P::SecretAlreadyGiven
                | P::UseNotPermitted
                | P::NotExportable
                | P::RefusedAsUnsafe,
            ) => Self::State,
            Some(P::DecryptionFailed | P::UnsealFailed | P::StatementRefused) => Self::Verification,
            Some(P::Sealed | P::Uninitialized) => Self::Sealed,
            Some(
                P::Internal
                | P::StorageCorrupt
                | P::SelfTestFailed
                | P::Unavailable
                | P::StorageFull
                | P::TooManyRequests
                | P::RequestTimeout,
            ) => Self::Server,
            Some(
                P::MalformedRequest
                | P::InvalidArgument
                | P::IdempotencyKeyReused
                | P::PayloadTooLarge
                | P::BatchTooLarge
                | P::UnsupportedOperation
                | P::InvalidKey
                | P::InvalidCertificate
                | P::WeakKey
                | P::PolicyInvalid,
            ) => Self::Usage,
            _ => Self::Failure,
        }
    }

    /// The code for a call that failed.
    pub fn of_call(error: &ClientError) -> Self {
        match error {
            ClientError::Problem(problem) => Self::of_problem(problem.kind()),
            ClientError::Address { .. } | ClientError::Credential(_) => Self::Usage,
            ClientError::Sealing { error } if error.is_refusal() => Self::Verification,
            ClientError::Sealing { .. } => Self::Usage,
            ClientError::Unreachable { .. }
            | ClientError::Tls { .. }
            | ClientError::Timeout { .. }
            | ClientError::Broken { .. } => Self::Unreachable,
            _ => Self::Failure,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table as help text.
pub fn help() -> String {
    let mut text = String::from("Exit codes:\n    0  it was done\n");
    for (exit, meaning) in TABLE {
        text.push_str(&format!("  {:>3}  {meaning}\n", exit.code()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_none_means_success() {
        let mut codes: Vec<_> = TABLE.iter().map(|(exit, _)| exit.code()).collect();
        codes.dedup();
        assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 8, 130]);
    }

    #[test]
    fn the_usual_problems_have_their_codes() {
        for (kind, code) in [
            (ProblemKind::NotFound, 3),
            (ProblemKind::WrongState, 4),
            (ProblemKind::DecryptionFailed, 5),
            (ProblemKind::Sealed, 7),
            (ProblemKind::Internal, 8),
        ] {
            assert_eq!(Exit::of_problem(Some(kind)).code(), code);
        }
        assert_eq!(Exit::of_problem(None).code(), 1);
    }
}
