//! The native HTTP face's messages, under `/api/v1`.
//!
//! Every request refuses fields it does not know, so that a misspelt option
//! is an error and not a silent default.

pub mod acme;
pub mod approvals;
pub mod authorities;
pub mod batch;
pub mod certificates;
pub mod directory;
pub mod documents;
pub mod due;
pub mod est;
pub mod events;
pub mod exchange;
pub mod groups;
pub mod health;
pub mod idempotency;
pub mod incidents;
pub mod jobs;
pub mod keyrings;
pub mod keys;
pub mod limits;
pub mod namespaces;
pub mod notifications;
pub mod openapi;
pub mod operations;
pub mod page;
pub mod policies;
pub mod principals;
pub mod problem;
pub mod read;
pub mod routes;
pub mod rules;
pub mod seals;
pub mod ssh;
pub mod terms;
pub mod tokens;
pub mod trusts;
pub mod tsa;
pub mod validation;
pub mod versions;
pub mod weak;
pub mod written;

pub use batch::{BatchItem, OneOrBatch, OneOrResults};
pub use page::Page;
pub use problem::{Problem, ProblemKind};
