//! `skms completion`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::error::Result;

/// Print a completion script. For bash:
/// skms completion bash > ~/.local/share/bash-completion/completions/skms
#[derive(Debug, Args)]
pub struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    /// Prints the script.
    pub fn run(self) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "skms", &mut script);
        use std::io::Write as _;
        Ok(std::io::stdout().lock().write_all(&script)?)
    }
}
