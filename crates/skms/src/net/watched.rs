//! Files that are looked at every now and then, to see whether somebody put
//! others in their place.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// Between two looks.
pub const LOOK: Duration = Duration::from_secs(2);

/// What tells one content from another without reading it: inode, length, and
/// when it was written, to the nanosecond.
type Stamp = Option<(u64, u64, i64, i64)>;

/// Some files, as they were when last looked at.
pub struct Files(Vec<(PathBuf, Stamp)>);

impl Files {
    /// Looks at them for the first time.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let seen = |path: PathBuf| {
            let stamp = stamp(&path);
            (path, stamp)
        };
        Self(paths.into_iter().map(seen).collect())
    }

    /// Whether one of them is another than at the last look.
    pub fn changed(&mut self) -> bool {
        let mut changed = false;
        for (path, seen) in &mut self.0 {
            let now = stamp(path);
            changed |= now != *seen;
            *seen = now;
        }
        changed
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_is_seen_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        fs::write(path("a"), "one").unwrap();
        let mut files = Files::new([path("a"), path("b")]);
        assert!(!files.changed());
        // As long as before, and perhaps in the same instant.
        fs::write(path("new"), "two").unwrap();
        fs::rename(path("new"), path("a")).unwrap();
        assert!(files.changed());
        assert!(!files.changed());
        fs::write(path("b"), "there now").unwrap();
        assert!(files.changed());
        fs::remove_file(path("a")).unwrap();
        assert!(files.changed() && !files.changed());
    }
}
