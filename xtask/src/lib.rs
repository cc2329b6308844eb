//! The project's chores, run as `cargo xtask <chore>`.
//!
//! What it is: the one place that knows what a machine needs to build and test
//! SKMS, how the checks are run, and the rules of the house that a compiler
//! does not see ([`tidy`]).
//!
//! What it is not: part of any shipped program. It depends on nothing but the
//! standard library, so that it builds within seconds on a fresh machine.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod bench;
pub mod checks;
pub mod command;
pub mod count;
pub mod fips;
pub mod fuzz;
pub mod machine;
pub mod picture;
pub mod postgres;
pub mod profile;
pub mod simulate;
pub mod soak;
pub mod test_run;
pub mod tidy;
pub mod tools;

/// What every chore returns: nothing, or the reason in words.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A failure whose reason has been printed already, where it belongs.
#[derive(Debug)]
pub struct Told;

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed, as told above")
    }
}

impl std::error::Error for Told {}
