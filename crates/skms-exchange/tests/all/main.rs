//! Whole exchanges, and everybody who could be between them.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod certificates;
mod flips;
mod forged;
mod freshness;
mod hostile_keys;
mod local;
mod middle;
mod model;
mod runs;
mod sealing;
mod strict;
mod support;
mod vectors;
