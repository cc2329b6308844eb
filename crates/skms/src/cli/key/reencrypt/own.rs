//! A folder that nobody but its owner can have written in. What a resume goes by
//! may lie where others write, such as /tmp: a journal of theirs would have our
//! files replaced by what they like.

use std::fs::{DirBuilder, Metadata, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::cli::error::{CliError, Result};

/// The longest journal, in bytes.
const LONGEST: u64 = 1 << 20;
/// The bits of a mode by which group and others write.
const WRITTEN_BY_OTHERS: u32 = 0o022;

/// Makes the folder, for its owner alone, or goes on with the one that is there.
///
/// # Errors
/// Where that is somebody else's, or can be written by others.
pub fn make(folder: &Path) -> Result<()> {
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent).map_err(|error| cannot("make", folder, &error))?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => check_folder(folder).map(drop),
        made => made.map_err(|error| cannot("make", folder, &error)),
    }
}

/// A file of the folder, if both are there.
///
/// # Errors
/// Where either is somebody else's, or can be written by others.
pub fn read(folder: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    if !check_folder(folder)? {
        return Ok(None);
    }
    let path = folder.join(name);
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW);
    let file = match options.open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("read", &path, &error)),
    };
    let mut bytes = Vec::new();
    let about = file.metadata();
    let about = about.map_err(|error| cannot("read", &path, &error))?;
    check(&path, &about, own())?;
    let read = file.take(LONGEST).read_to_end(&mut bytes);
    read.map_err(|error| cannot("read", &path, &error))?;
    Ok(Some(bytes))
}

/// Whether the folder is there.
fn check_folder(folder: &Path) -> Result<bool> {
    let about = match folder.symlink_metadata() {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(cannot("read", folder, &error)),
    };
    if !about.is_dir() {
        let what = format!("{} is no folder", folder.display());
        return Err(CliError::usage(what).hint("delete it, or choose another --to"));
    }
    check(folder, &about, own())?;
    Ok(true)
}

fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn check(path: &Path, about: &Metadata, own: u32) -> Result<()> {
    let path = path.display();
    if about.uid() != own {
        let what = format!("{path} belongs to somebody else: nothing in it is believed");
        return Err(CliError::usage(what).hint("choose another --to"));
    }
    if about.mode() & WRITTEN_BY_OTHERS != 0 {
        let what = format!("{path} can be written by others: nothing in it is believed");
        return Err(CliError::usage(what).hint(format!(
            "delete it; or, where nobody else can have written there, `chmod go-w {path}`"
        )));
    }
    Ok(())
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> CliError {
    CliError::usage(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn refused<T>(result: Result<T>, why: &str) {
        let error = result.err().unwrap();
        assert!(error.message.contains(why), "{}", error.message);
    }

    #[test]
    fn a_folder_is_made_for_its_owner_alone() {
        let all = tempfile::tempdir().unwrap();
        let folder = all.path().join("below/folder");
        make(&folder).unwrap();
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
        make(&folder).unwrap();
        assert!(read(&folder, "journal").unwrap().is_none());
        fs::write(folder.join("journal"), b"x").unwrap();
        mode(&folder.join("journal"), 0o644);
        assert_eq!(read(&folder, "journal").unwrap().unwrap(), b"x");
        assert!(
            read(&all.path().join("absent"), "journal")
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn what_others_can_have_written_is_not_believed() {
        let all = tempfile::tempdir().unwrap();
        let folder = all.path().join("folder");
        make(&folder).unwrap();
        let journal = folder.join("journal");
        fs::write(&journal, b"x").unwrap();
        for open in [0o660, 0o602] {
            mode(&journal, open);
            refused(read(&folder, "journal"), "can be written by others");
        }
        mode(&journal, 0o600);
        for open in [0o720, 0o702, 0o777] {
            mode(&folder, open);
            refused(make(&folder), "can be written by others");
            refused(read(&folder, "journal"), "can be written by others");
        }
        mode(&folder, 0o700);
        // A link may lead to a folder of ours that is about something else.
        let link = all.path().join("link");
        symlink(&folder, &link).unwrap();
        refused(make(&link), "is no folder");
        refused(read(&link, "journal"), "is no folder");
        fs::rename(&journal, folder.join("other")).unwrap();
        symlink(folder.join("other"), &journal).unwrap();
        refused(read(&folder, "journal"), "cannot read");
    }

    #[test]
    fn what_is_somebody_elses_is_not_believed() {
        let all = tempfile::tempdir().unwrap();
        let about = all.path().metadata().unwrap();
        check(all.path(), &about, about.uid()).unwrap();
        let stranger = about.uid().wrapping_add(1);
        refused(check(all.path(), &about, stranger), "somebody else");
    }
}
