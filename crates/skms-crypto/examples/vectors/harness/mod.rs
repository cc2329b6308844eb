//! The vectors harness: takes any folder of test vectors in the known
//! formats, decides what each file is by its contents, runs every case
//! against the library, and counts.

mod acvp;
mod case;
mod cavp;
mod cctv;
mod certificate;
mod detect;
mod evp;
mod hpke;
mod keyfile;
mod pkcs1;
mod product;
mod records;
mod report;
mod runner;
mod text;
mod wycheproof;

use std::io;
use std::path::{Path, PathBuf};

use case::Case;
use detect::Found;
pub use report::{FileReport, Report};
use runner::{CASE_LIMIT, Finished, Runner};

/// Runs every vector file below `root` (or `root` itself, if it is a file) on
/// `threads` threads; files that `wanted` turns down are left out. `finished`
/// hears of each file as soon as it and all before it are done.
pub fn run(
    root: &Path,
    threads: usize,
    wanted: impl Fn(&Path) -> bool,
    finished: impl FnMut(&FileReport),
) -> io::Result<Report> {
    let mut paths = Vec::new();
    walk(root, &mut paths)?;
    paths.retain(|path| wanted(path));
    paths.sort();
    let mut progress = Progress {
        files: Vec::new(),
        expected: Vec::new(),
        told: 0,
        finished,
    };
    let mut runner = Runner::start(threads, CASE_LIMIT);
    for path in &paths {
        let shown = path
            .strip_prefix(root)
            .ok()
            .filter(|path| !path.as_os_str().is_empty());
        let cases = progress.begin(shown.unwrap_or(path), detect::detect(path));
        let number = progress.files.len() - 1;
        runner.submit(number, cases, &mut |done| progress.record(done));
    }
    runner.finish(&mut |done| progress.record(done));
    Ok(Report {
        files: progress.files,
    })
}

/// The files so far, and how many of them are done and told about.
struct Progress<F> {
    files: Vec<FileReport>,
    expected: Vec<usize>,
    told: usize,
    finished: F,
}

impl<F: FnMut(&FileReport)> Progress<F> {
    fn begin(&mut self, path: &Path, found: Result<Found, String>) -> Vec<Case> {
        let mut file = FileReport::default();
        file.path = path.display().to_string();
        let cases = match found {
            Ok(found) => {
                file.kind = found.kind;
                found.cases
            }
            Err(why) => {
                file.skipped = Some(why);
                Vec::new()
            }
        };
        self.files.push(file);
        self.expected.push(cases.len());
        self.tell();
        cases
    }

    fn record(&mut self, done: Finished) {
        self.files[done.file].record(&done.id, done.outcome);
        self.tell();
    }

    fn tell(&mut self) {
        while let Some(file) = self.files.get(self.told) {
            if file.counts.cases < self.expected[self.told] {
                return;
            }
            (self.finished)(file);
            self.told += 1;
        }
    }
}

fn walk(path: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_file() {
        paths.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, paths)?;
        } else if path.is_file() {
            paths.push(path);
        }
    }
    Ok(())
}
