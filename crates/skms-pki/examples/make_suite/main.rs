//! Makes the suite in `testdata/rfc5280-section-6`:
//! `cargo run -p skms-pki --example make_suite -- DIR`.
#![allow(missing_docs)]

mod der;
mod maker;
mod policies61;
mod section61;
mod section63;
mod signers;

fn main() -> maker::Result<()> {
    let folder = std::env::args().nth(1).ok_or("usage: make_suite DIR")?;
    let mut maker = maker::Maker::new(folder.as_ref())?;
    section61::make(&mut maker)?;
    policies61::make(&mut maker)?;
    section63::make(&mut maker)?;
    signers::make(&mut maker)?;
    maker.finish()
}
