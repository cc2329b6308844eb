//! What is issued is accepted by our own validation, and what must not be
//! issued is refused with every rule that it broke.
#![allow(clippy::unwrap_used, missing_docs)]

mod accepts;
mod any;
mod lists;
mod refuses;
mod requests;
mod responses;
mod support;
