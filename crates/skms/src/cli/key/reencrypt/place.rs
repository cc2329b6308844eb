//! Where a list comes from and where the new one goes.

use std::path::{Path, PathBuf};

use super::{install, stage};
use crate::cli::error::{CliError, Result};
use crate::cli::exit::Exit;
use crate::cli::output;

/// That a list can go from here to there.
///
/// # Errors
/// Where it cannot.
pub fn check(from: &Path, to: Option<&Path>) -> Result<()> {
    let Some(to) = to else {
        return match from.is_dir() && from != Path::new("-") {
            true => Err(CliError::usage(
                "say where the folder goes: --to or --in-place",
            )),
            false => Ok(()),
        };
    };
    if output::is_no_file(to) {
        return Err(output::no_file(to).hint("without --to the new list goes to standard output"));
    }
    if from.is_dir() && to != from && to.starts_with(from) {
        return Err(CliError::usage("the new folder lies in the old one"));
    }
    Ok(())
}

/// That a new list replaces nothing: where nothing was begun there, nothing is
/// there.
pub fn free(to: &Path) -> Result<()> {
    if stage::found(to)?.is_some() || !install::is_taken(to) {
        return Ok(());
    }
    Err(
        CliError::new(Exit::State, format!("{} exists already", to.display()))
            .hint("choose another --to, or add --force to replace it"),
    )
}

/// A path that means the same wherever a resume is started.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    if path == Path::new("-") {
        return Ok(path.to_owned());
    }
    let found = std::path::absolute(path);
    found.map_err(|error| CliError::usage(format!("{}: {error}", path.display())))
}
