//! The age format, from outside.

#![allow(clippy::unwrap_used)]

mod payload;
mod testkit;
