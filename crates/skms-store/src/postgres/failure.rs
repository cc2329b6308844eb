//! What the driver's errors mean to the callers of a store.

use std::error::Error as _;

use tokio_postgres::error::SqlState;

use crate::error::Error;

/// An error with its causes, in one line. The driver says neither passwords
/// nor parameters.
pub(super) fn words(error: &tokio_postgres::Error) -> String {
    let mut text = match error.as_db_error() {
        // Its detail may name keys and values; the message does not.
        Some(server) => return format!("{} ({})", server.message(), server.code().code()),
        None => error.to_string(),
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// What went wrong with a statement that did not commit anything.
pub(super) fn explain(error: tokio_postgres::Error) -> Error {
    match error.code() {
        Some(code) if *code == SqlState::DISK_FULL => Error::Full,
        Some(code) if passing(code) => Error::Unavailable(words(&error)),
        Some(_) => Error::Backend(words(&error).into()),
        // No answer of the server: the connection.
        None => Error::Unavailable(words(&error)),
    }
}

/// Errors that pass by themselves: too slow, too many, stopping, starting.
fn passing(code: &SqlState) -> bool {
    matches!(code.code().get(..2), Some("08" | "53" | "57" | "58"))
        || *code == SqlState::LOCK_NOT_AVAILABLE
        || again(code)
}

/// Errors after which the same transaction may well succeed.
pub(super) fn again(code: &SqlState) -> bool {
    *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
}

/// Whether the server answered a COMMIT with a plain no.
pub(super) fn refused_commit(error: &tokio_postgres::Error) -> bool {
    error
        .code()
        .is_some_and(|code| again(code) || matches!(code.code().get(..2), Some("23")))
}
