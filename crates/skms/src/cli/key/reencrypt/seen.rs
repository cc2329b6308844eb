//! Which file it was that was read, and whether it is that still.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A file as it was when it was opened. One that is replaced has another inode,
/// one that is written another length or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    device: u64,
    inode: u64,
    length: u64,
    modified_seconds: i64,
    modified_nanoseconds: i64,
}

impl Seen {
    /// The file that this is about.
    pub fn of(about: &Metadata) -> Self {
        Self {
            device: about.dev(),
            inode: about.ino(),
            length: about.len(),
            modified_seconds: about.mtime(),
            modified_nanoseconds: about.mtime_nsec(),
        }
    }

    /// Whether that file is at a path, as it was.
    ///
    /// # Errors
    /// Where nobody can say.
    pub fn is_at(&self, path: &Path) -> std::io::Result<bool> {
        match path.metadata() {
            Ok(about) => Ok(Self::of(&about) == *self),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn another_file_and_other_bytes_are_told_from_what_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        fs::write(&path, b"one").unwrap();
        let past = SystemTime::now() - Duration::from_secs(60);
        let set = |path: &Path| {
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(past).unwrap();
        };
        set(&path);
        let seen = Seen::of(&path.metadata().unwrap());
        assert!(seen.is_at(&path).unwrap());
        // As long as before.
        fs::write(&path, b"two").unwrap();
        assert!(!seen.is_at(&path).unwrap());
        // As old as before.
        fs::write(&path, b"longer").unwrap();
        set(&path);
        assert!(!seen.is_at(&path).unwrap());
        // Both, and another file.
        let other = folder.path().join("other");
        fs::write(&other, b"one").unwrap();
        set(&other);
        fs::rename(&other, &path).unwrap();
        assert!(!seen.is_at(&path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!seen.is_at(&path).unwrap());
    }
}
