//! Why a call did not give what was asked.

use skms_wire::native::{Problem, ProblemKind};

/// What went wrong between the caller and the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller's mistake: the address cannot be read.
    #[error("the address {address:?} is not usable: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The caller's mistake: a certificate, key or token cannot be used.
    #[error("{0}")]
    Credential(String),
    /// Nobody answers there.
    #[error("cannot reach {address}")]
    Unreachable {
        /// Where.
        address: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Someone answers there, but not as the server that was asked for.
    #[error("no trusted TLS connection to {address}")]
    Tls {
        /// Where.
        address: String,
        /// What the handshake said.
        #[source]
        source: std::io::Error,
    },
    /// No whole answer in time. Whether the act was done is not known.
    #[error("no answer from {address} within {seconds} s")]
    Timeout {
        /// Where.
        address: String,
        /// The limit.
        seconds: u64,
    },
    /// The connection broke before a whole answer came. Whether the act was
    /// done is not known.
    #[error("the connection to {address} broke before the answer came")]
    Broken {
        /// Where.
        address: String,
        /// What the protocol said.
        #[source]
        source: hyper::Error,
    },
    /// The server said no, and why.
    #[error("{}", describe(.0))]
    Problem(Box<Problem>),
    /// An answer of the key exchange that does not hold, or a key exchange that
    /// cannot be begun: docs/exchange.md, "Errors".
    #[error("the key exchange was refused here: {name}: {error}", name = error.name())]
    Exchange {
        /// Why.
        error: skms_exchange::Error,
    },
    /// A sealing key's statement, a sealed message, or what the directory says,
    /// that does not hold; or one that cannot be made: docs/sealing.md,
    /// "Errors".
    #[error("refused here: {name}: {error}", name = error.name())]
    Sealing {
        /// Why.
        error: skms_exchange::Error,
    },
    /// The caller's machine: what was received could not be written.
    #[error("cannot write what was received")]
    Output(#[source] std::io::Error),
    /// The answer is not one this client understands.
    #[error("unexpected answer from {address}: {what}")]
    Unexpected {
        /// Where.
        address: String,
        /// What is odd about it.
        what: String,
    },
}

/// A result of a call.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The kind of problem, when the server answered with one that this
    /// client knows.
    pub fn problem_kind(&self) -> Option<ProblemKind> {
        match self {
            Self::Problem(problem) => problem.kind(),
            _ => None,
        }
    }
}

impl From<skms_exchange::Error> for Error {
    fn from(error: skms_exchange::Error) -> Self {
        Self::Exchange { error }
    }
}

fn describe(problem: &Problem) -> String {
    match &problem.detail {
        Some(detail) => format!("{}: {detail}", problem.title),
        None => problem.title.clone(),
    }
}
