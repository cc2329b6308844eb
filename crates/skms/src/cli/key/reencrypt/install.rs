//! How a new list comes to its place: whole or not at all, and never over what
//! somebody wrote there since the old one was read.

use std::fs::{File, Metadata, Permissions};
use std::io::{BufRead as _, BufReader, Read, Seek as _, SeekFrom};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::seen::Seen;
use super::stage::{Entry, Stage, cannot, sync};
use crate::cli::error::{CliError, Result};
use crate::cli::exit::Exit;
use crate::cli::output::NewFile;

/// One file of a folder.
struct Part {
    path: PathBuf,
    /// What it was made from.
    old: PathBuf,
    begin: u64,
    length: u64,
    seen: Seen,
}

impl Part {
    /// Where it goes, and what of the new list it is.
    fn place(&self) -> (&Path, u64, u64) {
        (&self.path, self.begin, self.length)
    }
}

impl Stage {
    /// Puts the new list in its place, whole; every file of a folder by itself.
    ///
    /// # Errors
    /// Where it is the old one's place, and that is not what was read any more.
    pub fn install(&mut self) -> Result<()> {
        self.journal.whole = true;
        self.keep()?;
        let to = self.journal.to.clone();
        if self.journal.index == 0 && !self.journal.from.is_dir() {
            return self.install_file(&to);
        }
        let files = self.files()?;
        std::fs::create_dir_all(&to).map_err(|error| cannot(&to, &error))?;
        let in_place = self.is_in_place();
        if in_place {
            let mut changed = Vec::new();
            for file in &files {
                if !file.seen.is_at(&file.path).unwrap_or(false) && !self.is_there(file.place())? {
                    changed.push(file.path.as_path());
                }
            }
            if let [first, others @ ..] = changed.as_slice() {
                return Err(self.changed(first, others.len()));
            }
        }
        for file in &files {
            self.install_one(file, in_place)?;
        }
        sync(&to)
    }

    /// Whether the new list takes the place of the old one.
    fn is_in_place(&self) -> bool {
        let (from, to) = (&self.journal.from, &self.journal.to);
        let same = |(one, other): (Metadata, Metadata)| {
            one.is_dir() && (one.dev(), one.ino()) == (other.dev(), other.ino())
        };
        from == to || (from.metadata().ok().zip(to.metadata().ok())).is_some_and(same)
    }

    /// The files of the folder, in order.
    fn files(&mut self) -> Result<Vec<Part>> {
        let mut text = String::new();
        let read = (self.index.seek(SeekFrom::Start(0)))
            .and_then(|_| self.index.read_to_string(&mut text));
        read.map_err(|error| cannot(&self.folder, &error))?;
        let mut begin = 0;
        let mut files = Vec::new();
        for line in text.lines() {
            let entry: Entry = serde_json::from_str(line).map_err(|error| {
                CliError::failure(format!("the index of the new list is damaged: {error}"))
            })?;
            files.push(Part {
                path: self.journal.to.join(&entry.name),
                old: self.journal.from.join(&entry.name),
                begin,
                length: entry.end.saturating_sub(begin),
                seen: entry.seen,
            });
            begin = entry.end;
        }
        Ok(files)
    }

    /// Whether a file is in its place, from a time before somebody stopped us.
    fn is_there(&mut self, (path, begin, length): (&Path, u64, u64)) -> Result<bool> {
        let Ok(there) = File::open(path) else {
            return Ok(false);
        };
        if there.metadata().map_or(true, |about| about.len() != length) {
            return Ok(false);
        }
        let same = (self.data.seek(SeekFrom::Start(begin)))
            .and_then(|_| are_same((&mut self.data).take(length), there));
        same.map_err(|error| cannot(path, &error))
    }

    /// Whether something else is where a file goes, and is not to be replaced.
    fn is_in_the_way(&mut self, place: (&Path, u64, u64)) -> Result<bool> {
        Ok(!self.journal.force && place.0.exists() && !self.is_there(place)?)
    }

    fn install_one(&mut self, file: &Part, in_place: bool) -> Result<()> {
        if let Some(parent) = file.path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| cannot(parent, &error))?;
        }
        if !in_place && self.is_in_the_way(file.place())? {
            return Err(self.taken(&file.path));
        }
        let mut new = NewFile::create(&file.path)?;
        let copied = (self.data.seek(SeekFrom::Start(file.begin))).and_then(|_| {
            let mut bytes = (&mut self.data).take(file.length);
            std::io::copy(&mut bytes, &mut new)
        });
        copied.map_err(|error| cannot(&file.path, &error))?;
        like(&file.old, new.written()?)?;
        // Once more, for what was written while others were put in their places.
        if in_place && !file.seen.is_at(&file.path).unwrap_or(false) {
            return match self.is_there(file.place())? {
                true => Ok(()),
                false => Err(self.changed(&file.path, 0)),
            };
        }
        new.finish()
    }

    fn install_file(&mut self, to: &Path) -> Result<()> {
        if crate::cli::output::is_no_file(to) {
            return Err(crate::cli::output::no_file(to));
        }
        let made = self.folder.join("data");
        // Gone already: it was put there before somebody stopped us.
        if !made.exists() || (self.journal.data > 0 && is_empty(&made)) {
            return Ok(());
        }
        let is_read = |seen: Seen| seen.is_at(to).unwrap_or(false);
        if self.is_in_place() && !self.journal.read.is_some_and(is_read) {
            let whole = (to, 0, self.journal.data);
            if !self.is_there(whole)? {
                return Err(self.changed(to, 0));
            }
        } else if !self.is_in_place() && self.is_in_the_way((to, 0, self.journal.data))? {
            return Err(self.taken(to));
        }
        like(&self.journal.from, &made)?;
        std::fs::rename(&made, to).map_err(|error| cannot(to, &error))?;
        sync(to.parent().unwrap_or(Path::new(".")))
    }

    /// Nothing that came there since it was begun is replaced.
    fn taken(&self, path: &Path) -> CliError {
        CliError::new(Exit::State, format!("{} exists already", path.display())).hint(format!(
            "move it away, then `skms job resume {}`",
            self.journal.job
        ))
    }

    /// Nothing that was written since is replaced by what was made of the old.
    fn changed(&self, path: &Path, others: usize) -> CliError {
        let others = match others {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        CliError::usage(format!(
            "{}{others} changed since it was read, and stays as it is",
            path.display()
        ))
        .hint(format!(
            "begin anew after deleting {} and `skms job cancel {}`: the old ciphertexts are all \
             there still",
            self.folder.display(),
            self.journal.job
        ))
    }
}

/// Whether something is at a path, but an empty folder.
pub fn is_taken(path: &Path) -> bool {
    match path.symlink_metadata() {
        Err(_) => false,
        Ok(_) => !path
            .read_dir()
            .is_ok_and(|mut inside| inside.next().is_none()),
    }
}

/// Whether two files have the same bytes.
fn are_same(one: impl Read, other: impl Read) -> std::io::Result<bool> {
    let (mut one, mut other) = (BufReader::new(one), BufReader::new(other));
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let some = left.len().min(right.len());
        if left.get(..some) != right.get(..some) {
            return Ok(false);
        }
        if some == 0 {
            return Ok(left.is_empty() && right.is_empty());
        }
        one.consume(some);
        other.consume(some);
    }
}

fn is_empty(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| about.len() == 0)
}

/// Gives a file the permissions of the one that it is made from.
fn like(from: &Path, made: &Path) -> Result<()> {
    let Ok(about) = from.metadata() else {
        return Ok(());
    };
    if !about.is_file() {
        return Ok(());
    }
    let mode = Permissions::from_mode(about.permissions().mode() & 0o777);
    std::fs::set_permissions(made, mode).map_err(|error| cannot(made, &error))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::stage::{Journal, VERSION, found};
    use super::*;

    struct Bench {
        folder: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            Self { folder }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, text: &str) -> Seen {
            let path = self.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            Seen::of(&path.metadata().unwrap())
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.path(name)).unwrap()
        }

        fn stage(&self, from: &str, to: &str) -> Stage {
            let journal = Journal {
                version: VERSION,
                job: "job".to_owned(),
                keyring: "default".to_owned(),
                key: "orders".to_owned(),
                from: self.path(from),
                to: self.path(to),
                terms: String::new(),
                steps: 0,
                number: 1,
                chain: String::new(),
                data: 0,
                index: 0,
                read: None,
                whole: false,
                complete: false,
                more: false,
                force: false,
            };
            Stage::open(journal).unwrap()
        }

        /// As after a process that was stopped.
        fn again(&self, to: &str) -> Stage {
            Stage::open(found(&self.path(to)).unwrap().unwrap()).unwrap()
        }
    }

    fn refused(result: Result<()>, name: &str) {
        let error = result.err().unwrap();
        assert!(error.message.contains(name), "{}", error.message);
        assert!(error.message.contains("changed since it was read"));
        assert!(error.hint.unwrap().contains("skms job cancel job"));
    }

    #[test]
    fn a_file_that_changed_since_it_was_read_is_not_replaced() {
        let bench = Bench::new();
        let seen = bench.write("list", "old");
        let mut stage = bench.stage("list", "list");
        stage.journal.read = Some(seen);
        stage.add(b"new").unwrap();
        stage.step(2, &[0; 32]).unwrap();
        bench.write("list", "old, and what was added");
        refused(stage.install(), "list");
        drop(stage);
        // Nor by a resume, and the stage is kept.
        refused(bench.again("list").install(), "list");
        assert_eq!(bench.read("list"), "old, and what was added");
        assert_eq!(bench.read("list.skms-job/data"), "new");
        // One that is gone does not come back.
        fs::remove_file(bench.path("list")).unwrap();
        refused(bench.again("list").install(), "list");
        assert!(!bench.path("list").exists());
    }

    #[test]
    fn a_file_that_is_what_was_read_is_replaced_once() {
        let bench = Bench::new();
        let seen = bench.write("list", "old");
        let mut stage = bench.stage("list", "list");
        stage.journal.read = Some(seen);
        stage.add(b"new").unwrap();
        stage.step(2, &[0; 32]).unwrap();
        stage.install().unwrap();
        assert_eq!(bench.read("list"), "new");
        // Stopped before the folder went: it is in its place already.
        drop(stage);
        bench.again("list").install().unwrap();
        assert_eq!(bench.read("list"), "new");
    }

    #[test]
    fn elsewhere_a_new_list_is_put_whatever_became_of_the_old_one() {
        let bench = Bench::new();
        let seen = bench.write("list", "old");
        let mut stage = bench.stage("list", "new");
        stage.journal.read = Some(seen);
        stage.add(b"new").unwrap();
        stage.step(2, &[0; 32]).unwrap();
        bench.write("list", "changed");
        stage.install().unwrap();
        assert_eq!(bench.read("new"), "new");
        assert_eq!(bench.read("list"), "changed");
    }

    #[test]
    fn what_came_to_the_new_lists_place_since_is_replaced_only_by_force() {
        let bench = Bench::new();
        let put = |stage: &mut Stage| {
            stage.add(b"new").unwrap();
            stage.step(2, &[0; 32]).unwrap();
        };
        bench.write("list", "old");
        let mut stage = bench.stage("list", "new");
        put(&mut stage);
        bench.write("new", "somebody's");
        let error = stage.install().err().unwrap();
        assert!(
            error.message.contains("exists already"),
            "{}",
            error.message
        );
        assert_eq!(bench.read("new"), "somebody's");
        stage.journal.force = true;
        stage.install().unwrap();
        assert_eq!(bench.read("new"), "new");
        // Of a folder, no file either.
        let mut stage = folder(&bench, "copy");
        bench.write("copy/b/c", "somebody's");
        let error = stage.install().err().unwrap();
        assert!(
            error.message.contains("copy/b/c exists"),
            "{}",
            error.message
        );
        drop(stage);
        fs::remove_file(bench.path("copy/b/c")).unwrap();
        bench.again("copy").install().unwrap();
        assert_eq!(bench.read("copy/b/c"), "new b/c");
    }

    #[test]
    fn an_empty_folder_is_free() {
        let bench = Bench::new();
        assert!(!is_taken(&bench.path("absent")));
        fs::create_dir(bench.path("dump")).unwrap();
        assert!(!is_taken(&bench.path("dump")));
        bench.write("dump/a", "");
        assert!(is_taken(&bench.path("dump")) && is_taken(&bench.path("dump/a")));
    }

    /// Three files of a folder, read and not yet replaced.
    fn folder(bench: &Bench, to: &str) -> Stage {
        let seen: Vec<_> = ["a", "b/c", "d"]
            .map(|name| (name, bench.write(&format!("dump/{name}"), "old")))
            .into();
        let mut stage = bench.stage("dump", to);
        for (name, seen) in seen {
            stage.add(format!("new {name}").as_bytes()).unwrap();
            stage.end(name, &seen).unwrap();
        }
        stage.step(2, &[0; 32]).unwrap();
        stage
    }

    #[test]
    fn a_folder_is_replaced_only_where_every_file_is_what_was_read() {
        let bench = Bench::new();
        let mut stage = folder(&bench, "dump");
        bench.write("dump/d", "since");
        refused(stage.install(), "dump/d");
        drop(stage);
        refused(bench.again("dump").install(), "dump/d");
        for (name, text) in [("a", "old"), ("b/c", "old"), ("d", "since")] {
            assert_eq!(bench.read(&format!("dump/{name}")), text);
        }
        fs::remove_file(bench.path("dump/a")).unwrap();
        let error = bench.again("dump").install().err().unwrap();
        assert!(
            error.message.contains("dump/a and 1 more"),
            "{}",
            error.message
        );
    }

    #[test]
    fn a_folder_under_another_name_is_the_same_folder() {
        let bench = Bench::new();
        fs::create_dir(bench.path("dump")).unwrap();
        std::os::unix::fs::symlink(bench.path("dump"), bench.path("link")).unwrap();
        let mut stage = folder(&bench, "link");
        bench.write("dump/a", "since");
        refused(stage.install(), "link/a");
        assert_eq!(bench.read("dump/d"), "old");
    }

    #[test]
    fn a_folder_that_was_replaced_in_part_is_gone_on_with() {
        let bench = Bench::new();
        let mut stage = folder(&bench, "dump");
        let files = stage.files().unwrap();
        stage.journal.whole = true;
        stage.keep().unwrap();
        stage.install_one(&files[0], true).unwrap();
        stage.install_one(&files[1], true).unwrap();
        assert_eq!(bench.read("dump/b/c"), "new b/c");
        drop(stage);
        let mut stage = bench.again("dump");
        stage.install().unwrap();
        assert_eq!(bench.read("dump/a"), "new a");
        assert_eq!(bench.read("dump/d"), "new d");
        // What is written after its file was replaced is not lost either.
        bench.write("dump/b/c", "new x/y");
        refused(stage.install_one(&files[1], true), "b/c");
        refused(stage.install(), "b/c");
        assert_eq!(bench.read("dump/b/c"), "new x/y");
    }

    #[test]
    fn a_journal_counts_where_it_says_that_it_belongs() {
        let bench = Bench::new();
        drop(bench.stage("list", "one"));
        assert!(found(&bench.path("one")).unwrap().is_some());
        fs::rename(bench.path("one.skms-job"), bench.path("two.skms-job")).unwrap();
        let error = found(&bench.path("two")).err().unwrap();
        assert!(error.message.contains("is about"), "{}", error.message);
        assert!(found(&bench.path("one")).unwrap().is_none());
    }
}
