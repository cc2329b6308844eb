//! Where a stream of bytes goes: a file that appears whole or not at all, or
//! standard output.
//!
//! A file has no name before it is whole, so that whatever stops the process,
//! even SIGKILL, leaves nothing behind. Where the file system cannot do that,
//! it has another name until then.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, linkat};

use super::error::{CliError, Result};
use super::exit::Exit;
use super::output::NewFile;

/// Where a stream of bytes goes.
pub enum Target {
    /// A file.
    File(NamelessFile),
    /// Standard output, not buffered.
    Stdout(File),
}

impl Target {
    /// A file, or standard output if none or `-` is named, which must be no
    /// terminal then: `what` does not belong on one.
    ///
    /// # Errors
    /// There is such a file and `force` is not set; it cannot be written.
    pub fn of_bytes(out: Option<&Path>, force: bool, what: &str) -> Result<Self> {
        let target = Self::of_text(out, force)?;
        if matches!(target, Self::Stdout(_)) && io::stdout().is_terminal() {
            return Err(
                CliError::usage(format!("{what} does not belong on a terminal"))
                    .hint("add --out FILE, or redirect the output"),
            );
        }
        Ok(target)
    }

    /// The same, and a terminal will do.
    ///
    /// # Errors
    /// As for [`Target::of_bytes`].
    pub fn of_text(out: Option<&Path>, force: bool) -> Result<Self> {
        match out.filter(|path| *path != Path::new("-")) {
            Some(path) => NamelessFile::create(path, force).map(Self::File),
            None => Ok(Self::Stdout(File::from(
                io::stdout().as_fd().try_clone_to_owned()?,
            ))),
        }
    }

    /// All of it is written.
    ///
    /// # Errors
    /// The file cannot be made durable or get its name.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::File(file) => file.finish(),
            Self::Stdout(_) => Ok(()),
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file under construction, readable by its owner only.
pub struct NamelessFile {
    file: Inner,
    path: PathBuf,
    force: bool,
}

enum Inner {
    Nameless(File),
    Named(NewFile),
}

impl NamelessFile {
    fn create(path: &Path, force: bool) -> Result<Self> {
        match fs::metadata(path) {
            Ok(_) if !force => return Err(exists(path)),
            // A device or a pipe would be replaced by a file.
            Ok(there) if !there.is_file() => {
                return Err(CliError::usage(format!("{} is no file", path.display())));
            }
            _ => {}
        }
        let file = match nameless(path) {
            Ok(file) => Inner::Nameless(file),
            Err(_) => Inner::Named(NewFile::create(path)?),
        };
        Ok(Self {
            file,
            path: path.to_owned(),
            force,
        })
    }

    fn finish(self) -> Result<()> {
        let Self { file, path, force } = self;
        match file {
            Inner::Named(_) if !force && path.exists() => Err(exists(&path)),
            Inner::Named(file) => file.finish(),
            Inner::Nameless(file) => {
                let named = file.sync_all().and_then(|()| name(&file, &path, force));
                named.map_err(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => exists(&path),
                    _ => CliError::usage(format!("cannot write {}: {error}", path.display())),
                })
            }
        }
    }
}

impl Write for NamelessFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Inner::Nameless(file) => file.write(bytes),
            Inner::Named(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn exists(path: &Path) -> CliError {
    CliError::new(Exit::State, format!("{} exists already", path.display()))
        .hint("--force replaces it")
}

/// A file without a name, in the folder where it will have one.
fn nameless(path: &Path) -> io::Result<File> {
    // It gets its name by way of here.
    fs::metadata("/proc/self/fd")?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    File::options()
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_TMPFILE)
        .open(folder)
}

fn name(file: &File, path: &Path, force: bool) -> io::Result<()> {
    let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = |path: &Path| linkat(CWD, nameless.as_str(), CWD, path, AtFlags::SYMLINK_FOLLOW);
    match link(path) {
        Err(rustix::io::Errno::EXIST) if force => {
            // Only a rename replaces what is there in one step.
            let mut beside = path.as_os_str().to_owned();
            beside.push(format!(".{}.part", std::process::id()));
            let beside = PathBuf::from(beside);
            link(&beside)?;
            fs::rename(&beside, path).inspect_err(|_| drop(fs::remove_file(&beside)))
        }
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_and_private_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut file = NamelessFile::create(&path, false).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert!(names(folder.path()).is_empty());
        let mut file = NamelessFile::create(&path, false).unwrap();
        file.write_all(b"whole").unwrap();
        assert!(!path.exists());
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn what_is_there_is_replaced_only_by_force_and_only_if_it_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut late = NamelessFile::create(&path, false).unwrap();
        late.write_all(b"late").unwrap();
        fs::write(&path, b"there").unwrap();
        assert!(NamelessFile::create(&path, false).is_err());
        assert_eq!(late.finish().unwrap_err().exit, Exit::State);
        assert_eq!(fs::read(&path).unwrap(), b"there");
        let mut forced = NamelessFile::create(&path, true).unwrap();
        forced.write_all(b"new").unwrap();
        forced.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["out"]);
        assert!(NamelessFile::create(folder.path(), true).is_err());
        assert!(NamelessFile::create(Path::new("/dev/null"), true).is_err());
        assert!(NamelessFile::create(Path::new("/nonexistent/out"), false).is_err());
    }
}
