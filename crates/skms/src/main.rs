//! The `skms` binary.
fn main() {}
