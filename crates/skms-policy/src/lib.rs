//! Who may do what: principals, actions and resources, and the Cedar policies
//! that decide over them.
//!
//! This room turns policy documents into an immutable [`PolicySet`] and a
//! request into a [`Decision`]. It stores nothing, authenticates nobody and
//! knows no clock: time comes in with the [`Context`]. Enforcing the decision
//! is the engine's work.
//!
//! - Nothing is allowed that no `permit` allows; a `forbid` wins; a statement
//!   that fails to evaluate counts against the caller.
//! - A document is checked against the schema when it is written, so that a
//!   misspelt action or attribute is an error then and not a silent refusal
//!   later.
//! - A `forbid` with `@approvals` is a mark: what it matches waits for the
//!   approval of others, unless it is an act that waits for nobody.
//! - A document reaches no further than the namespace it was written in,
//!   unless that is the root namespace; and what it forbids there does not
//!   bind principals of the root namespace, so that no tenant can lock out
//!   those who run the server.
//!
//! Standards: the Cedar policy language, version 4
//! (<https://docs.cedarpolicy.com>).

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod action;
pub mod builtin;
mod cache;
mod context;
mod document;
mod entities;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod index;
mod mark;
mod name;
mod principal;
mod resource;
pub mod rule;
mod schema;
mod scope;
mod set;
mod shared;
mod withdraws;

pub use action::{ACTION_GROUPS, Action};
pub use cache::DecisionCache;
pub use context::{Context, ContextFields};
pub use document::{
    Document, MAX_DOCUMENT_BYTES, MAX_NESTING, MAX_STATEMENT_OPERATORS, MAX_STATEMENTS,
};
pub use error::{Error, Finding, Position, Result};
pub use mark::{Approver, DEFAULT_VALID_SECONDS, MAX_APPROVALS, MAX_APPROVERS, Mark};
pub use name::{PolicyName, ROOT_NAMESPACE};
pub use principal::{Principal, PrincipalKind};
pub use resource::{ResourceKind, ResourceRef, Stored};
pub use schema::SCHEMA;
pub use set::{Decision, PolicySet, Request};
