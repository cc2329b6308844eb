//! The faces: adapters that parse, call one engine act, and format. No
//! cryptography, policy or state here.

pub mod acme;
pub mod est;
pub mod native;
pub mod publication;
pub mod stamping;
