//! Prints docs/problems.md.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(skms_wire::native::problem::documentation().as_bytes())
}
