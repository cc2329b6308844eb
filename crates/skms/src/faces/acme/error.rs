//! Engine errors as ACME's problems: mapped here, once.

use skms_engine::Error as Engine;
use skms_wire::acme::{Problem, ProblemKind};

/// Why a request is answered with a problem.
#[derive(Debug)]
pub struct Failure {
    /// For the client.
    pub problem: Box<Problem>,
    /// Where the thing is that stands in the way.
    pub location: Option<String>,
    /// When to come back, in seconds.
    pub retry_after: Option<u64>,
    /// For the log, where the client is told less.
    pub cause: Option<String>,
}

impl Failure {
    /// A problem of this kind.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            problem: Box::new(Problem::new(kind, detail)),
            location: None,
            retry_after: None,
            cause: None,
        }
    }

    /// A request that cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Malformed, detail)
    }

    /// With another status than the kind's own.
    pub fn status(mut self, status: u16) -> Self {
        self.problem.status = status;
        self
    }

    fn later(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    fn hidden(cause: String) -> Self {
        let mut failure = Self::new(ProblemKind::ServerInternal, "the server cannot do this now");
        failure.cause = Some(cause);
        failure
    }
}

impl From<Engine> for Failure {
    fn from(error: Engine) -> Self {
        use ProblemKind as Kind;
        let said = error.to_string();
        match error {
            Engine::Acme(refused) => match Kind::by_name(refused.refusal.name()) {
                Some(kind) => Self::new(kind, said),
                None => Self::hidden(said),
            },
            Engine::Sealed | Engine::NotInitialised => {
                Self::new(Kind::ServerInternal, "the server is sealed")
                    .status(503)
                    .later(30)
            }
            // Coming back with a new nonce is all that it takes.
            Engine::Conflict | Engine::Busy => {
                Self::new(Kind::ServerInternal, said).status(503).later(1)
            }
            Engine::NotFound { .. } => Self::new(Kind::Malformed, said).status(404),
            Engine::Exists { .. } => Self::new(Kind::Malformed, said).status(409),
            Engine::Unauthenticated => Self::new(Kind::Unauthorized, said),
            Engine::PrincipalSuspended { .. } => {
                Self::new(Kind::Unauthorized, Engine::Unauthenticated.to_string())
            }
            Engine::Forbidden { .. } => Self::new(Kind::Unauthorized, "a policy forbids it"),
            Engine::ApprovalRequired { .. } | Engine::ApprovalRefused(_) => {
                Self::new(Kind::Unauthorized, "a policy has it wait for approval")
            }
            Engine::Invalid(_) | Engine::TooLarge { .. } => Self::new(Kind::Malformed, said),
            Engine::Pki(_) | Engine::KeyForbids(_) | Engine::WeakKey(_) => {
                Self::new(Kind::BadCsr, said)
            }
            Engine::QuotaExceeded { .. } => Self::new(Kind::RateLimited, said),
            Engine::RateLimited {
                retry_after_seconds,
            } => Self::new(Kind::RateLimited, said).later(retry_after_seconds),
            // An authority's key that is suspended, and every defect.
            _ => Self::hidden(said),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skms_engine::acts::acme::{Refusal, Refused};

    #[test]
    fn every_refusal_has_a_problem() {
        for refusal in Refusal::ALL {
            let error = Engine::Acme(Refused {
                refusal: *refusal,
                detail: "why".into(),
            });
            let failure = Failure::from(error);
            assert_eq!(failure.problem.detail, "why", "{}", refusal.name());
            assert!(failure.problem.kind.ends_with(refusal.name()));
        }
        let sealed = Failure::from(Engine::Sealed);
        assert_eq!((sealed.problem.status, sealed.retry_after), (503, Some(30)));
        let hidden = Failure::from(Engine::Internal("a secret of ours"));
        assert!(!hidden.problem.detail.contains("secret"));
    }
}
