//! The files that the rules look at.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Result;

/// The project's files: those that Git tracks or would track.
#[derive(Default)]
pub struct Tree {
    files: BTreeMap<String, Vec<u8>>,
}

/// Where a tree without Git is not looked into.
const LEFT_OUT: &[&str] = &["target", ".git", "skms-demo", "artifacts"];

impl Tree {
    /// Reads every file below `root` that is not ignored.
    ///
    /// # Errors
    /// A folder could not be listed.
    pub fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        let listed = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(root)
            .output();
        match listed {
            Ok(output) if output.status.success() => {
                for name in output.stdout.split(|byte| *byte == 0) {
                    if let Ok(name) = std::str::from_utf8(name)
                        && let Ok(bytes) = fs::read(root.join(name))
                    {
                        tree.files.insert(name.to_owned(), bytes);
                    }
                }
            }
            _ => tree.walk(root, "")?,
        }
        Ok(tree)
    }

    /// A tree for tests.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|&(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
            .collect();
        Self { files }
    }

    /// Paths and texts of the files that `wanted` chooses by path. Files that
    /// are not UTF-8 are left out.
    pub fn texts(&self, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(move |(path, bytes)| {
            let text = std::str::from_utf8(bytes).ok()?;
            wanted(path).then_some((path.as_str(), text))
        })
    }

    /// The text of one file.
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.files.get(path)?).ok()
    }

    /// True if the path is a file, or a folder with a file in it.
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path) || path.is_empty() || self.has_below(path)
    }

    /// True if there is a file below the folder.
    pub fn has_below(&self, folder: &str) -> bool {
        let start = format!("{}/", folder.trim_end_matches('/'));
        self.files
            .range(start.clone()..)
            .next()
            .is_some_and(|(path, _)| path.starts_with(&start))
    }

    fn walk(&mut self, root: &Path, below: &str) -> Result {
        for entry in fs::read_dir(root.join(below))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if LEFT_OUT.contains(&name.as_str()) {
                continue;
            }
            let path = if below.is_empty() {
                name
            } else {
                format!("{below}/{name}")
            };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.walk(root, &path)?;
            } else if kind.is_file() {
                self.files.insert(path, fs::read(entry.path())?);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_found_by_what_is_in_them() {
        let tree = Tree::of(&[("docs/a.md", ""), ("docs-old/b.md", "")]);
        assert!(tree.has("docs"));
        assert!(tree.has("docs/"));
        assert!(tree.has("docs/a.md"));
        assert!(!tree.has("doc"));
        assert!(!tree.has("docs/b.md"));
        assert!(!tree.has_below("docs/a.md"));
    }
}
