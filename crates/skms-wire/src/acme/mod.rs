//! ACME's messages (RFC 8555; RFC 9773 for renewal information): signed
//! requests, their payloads, the objects that answer them, and problems.
//!
//! As RFC 8555 demands, members that nobody here knows are ignored in
//! payloads. Not so in what protects them: a signed request is read strictly.

mod answers;
mod jws;
mod problem;
mod requests;

pub use answers::{
    Account, Authorization, Challenge, Directory, Meta, Order, RenewalInfo, SuggestedWindow,
};
pub use jws::{Header, Jws, JwsError, Signer};
pub use problem::{Problem, ProblemKind};
pub use requests::{
    Finalize, Identifier, KeyChange, NewAccount, NewOrder, RevokeCertificate, UpdateAccount,
    UpdateAuthorization, base64url,
};
