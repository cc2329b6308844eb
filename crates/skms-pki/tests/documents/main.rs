//! Documents with real keys and real chains.
#![allow(clippy::unwrap_used, missing_docs)]

mod cms;
mod cose;
#[path = "support.rs"]
mod documents;
mod jws;
mod stamps;
#[path = "../issue/support.rs"]
#[allow(dead_code)] // Each test program uses a part of what they share.
mod support;
