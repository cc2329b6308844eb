//! Structures as they are encoded: strict DER, borrowed from the input.

pub(crate) mod cursor;
pub mod extensions;
pub mod general;
pub mod name;
pub mod values;
