//! Writing: text, JSON, and files that appear whole or not at all.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::error::{CliError, Result};

/// How bytes are written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Encoding {
    /// As they are.
    Raw,
    /// Standard base64 and a newline.
    Base64,
    /// Lower-case hexadecimal and a newline.
    Hex,
}

/// Where a command's main result goes.
#[derive(Debug, Default, clap::Args)]
pub struct Out {
    /// Write the result to this file (mode 0600, all or nothing)
    #[arg(long, short = 'o', value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How to write it; by default raw into files, base64 or text otherwise
    #[arg(long, value_enum)]
    pub encoding: Option<Encoding>,
}

impl Out {
    /// Writes bytes to the file, or to standard output in `usual` form unless
    /// told otherwise.
    pub fn bytes(&self, bytes: &[u8], usual: Encoding) -> Result<()> {
        let encoding = self.encoding.unwrap_or(match self.out {
            Some(_) => Encoding::Raw,
            None => usual,
        });
        let text = encode(bytes, encoding);
        match &self.out {
            Some(path) => write_file(path, &text),
            None if encoding == Encoding::Raw => raw_to_stdout(bytes),
            None => Ok(io::stdout().lock().write_all(&text)?),
        }
    }
}

/// Bytes as they are written; text has an end of line.
pub fn encode(bytes: &[u8], encoding: Encoding) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(match encoding {
        Encoding::Raw => return Zeroizing::new(bytes.to_vec()),
        Encoding::Base64 => STANDARD.encode(bytes).into_bytes(),
        Encoding::Hex => hex(bytes).into_bytes(),
    });
    text.push(b'\n');
    text
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that are not text do not belong on a terminal.
fn raw_to_stdout(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let is_text = std::str::from_utf8(bytes).is_ok_and(|text| {
        !text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
    });
    if stdout.is_terminal() && !is_text {
        return Err(
            CliError::usage("the result is binary and standard output is a terminal")
                .hint("add --out FILE, --encoding base64, or redirect the output"),
        );
    }
    stdout.write_all(bytes)?;
    if stdout.is_terminal() && !bytes.ends_with(b"\n") {
        stdout.write_all(b"\n")?;
    }
    Ok(stdout.flush()?)
}

/// Writes a file that others cannot read, under another name first, so that it
/// appears whole or not at all.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = NewFile::create(path)?;
    file.put(bytes)?;
    file.finish()
}

/// A file under construction; it goes away unless it is finished. What is there
/// already and is no file, such as a pipe or a device, is written as it goes: a
/// file that took its place would be nothing that its reader knows of.
pub struct NewFile {
    file: File,
    /// Its name until it is whole; none where it is written as it goes.
    temporary: Option<PathBuf>,
    path: PathBuf,
    finished: bool,
}

impl NewFile {
    /// Begins a file beside where it will be, readable by its owner only.
    pub fn create(path: &Path) -> Result<Self> {
        use std::os::unix::fs::OpenOptionsExt as _;
        if path.is_dir() {
            return Err(CliError::usage(format!("{} is a folder", path.display())));
        }
        if is_no_file(path) {
            return Ok(Self {
                file: open_stream(path).map_err(|error| cannot_write(path, &error))?,
                temporary: None,
                path: path.to_owned(),
                finished: true,
            });
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}.part", std::process::id()));
        let temporary = PathBuf::from(temporary);
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(|error| cannot_write(path, &error))?;
        Ok(Self {
            file,
            temporary: Some(temporary),
            path: path.to_owned(),
            finished: false,
        })
    }

    /// Adds bytes to it.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|error| cannot_write(&self.path, &error))
    }

    /// What was written so far, under its temporary name, to be read back.
    ///
    /// # Errors
    /// Where it is no file: nothing can be read back then.
    pub fn written(&mut self) -> Result<&Path> {
        let Some(temporary) = &self.temporary else {
            return Err(no_file(&self.path));
        };
        self.file
            .sync_all()
            .map_err(|error| cannot_write(&self.path, &error))?;
        Ok(temporary)
    }

    /// Makes it durable and gives it its name.
    pub fn finish(mut self) -> Result<()> {
        let done = match &self.temporary {
            None => self.file.flush(),
            Some(temporary) => {
                (self.file.sync_all()).and_then(|()| std::fs::rename(temporary, &self.path))
            }
        };
        done.map_err(|error| cannot_write(&self.path, &error))?;
        self.finished = true;
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.as_ref().filter(|_| !self.finished) {
            // Nothing is lost if it stays: it has no content anyone asked for.
            let _ = std::fs::remove_file(temporary);
        }
    }
}

/// Whether something is at a path that is neither a file nor a folder, links
/// followed: a pipe, a device, a socket; or what stands there for an open file,
/// as `/dev/stdout` does whatever that leads to.
pub fn is_no_file(path: &Path) -> bool {
    let Ok(there) = path.metadata() else {
        return false;
    };
    !there.is_dir() && (!there.is_file() || is_open_file(path))
}

/// Whether a path is one of the links to this process's open files.
fn is_open_file(path: &Path) -> bool {
    let is_link = (path.symlink_metadata()).is_ok_and(|about| about.is_symlink());
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    is_link
        && folder.is_some_and(|folder| folder == Path::new("/dev") || folder.starts_with("/proc"))
}

/// Opens what is no file, without emptying or making anything.
fn open_stream(path: &Path) -> io::Result<File> {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::MetadataExt as _;
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let (there, ours) = (path.metadata()?, stdout.metadata()?);
    // Where it has come to is known there alone, and a socket opens no second
    // time.
    if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) {
        return Ok(stdout);
    }
    File::options().append(true).open(path)
}

/// What must be a file is a pipe or a device.
pub fn no_file(path: &Path) -> CliError {
    CliError::usage(format!("{} is no file", path.display()))
}

fn cannot_write(path: &Path, error: &io::Error) -> CliError {
    CliError::usage(format!("cannot write {}: {error}", path.display()))
}

/// Prints a line.
pub fn line(text: impl AsRef<str>) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_ref().as_bytes())?;
    Ok(stdout.write_all(b"\n")?)
}

/// Prints a message as JSON.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<()> {
    let bytes = skms_wire::secret::to_json(value)
        .map_err(|error| CliError::failure(format!("cannot write JSON: {error}")))?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(&bytes)?;
    stdout.write_all(b"\n")?;
    Ok(stdout.flush()?)
}

/// Says something beside the result, on standard error.
pub fn note(text: impl AsRef<str>) -> Result<()> {
    let mut stderr = io::stderr().lock();
    stderr.write_all(text.as_ref().as_bytes())?;
    Ok(stderr.write_all(b"\n")?)
}

/// Prints rows under a heading, in columns.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> Result<()> {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .chain(heading.get(column).map(|title| title.len()))
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<_> = (0..heading.len()).map(width).collect();
    let print = |cells: Vec<&str>| {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            text.push_str(&format!("{cell:<width$}  "));
        }
        line(text.trim_end())
    };
    print(heading.to_vec())?;
    for row in rows {
        print(row.iter().map(String::as_str).collect())?;
    }
    Ok(())
}

/// A JSON value as people write it, on one line.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(plain).collect();
            items.join(" ")
        }
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let members: Vec<_> = members
                .map(|(name, value)| format!("{name}: {}", plain(value)))
                .collect();
            members.join(", ")
        }
        other => other.to_string(),
    }
}

/// Prints names and values, one a line.
pub fn fields(fields: &[(&str, String)]) -> Result<()> {
    let width = fields
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        line(format!("{name:<width$}  {value}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn files_are_private_and_appear_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_file(&path, b"secret").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"secret");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let unfinished = NewFile::create(&folder.path().join("other")).unwrap();
        drop(unfinished);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_file(folder.path(), b"x").is_err());
        assert!(write_file(&folder.path().join("no/such/folder"), b"x").is_err());
    }

    #[test]
    fn what_is_no_file_is_written_as_it_goes_and_stays_what_it_is() {
        use std::io::Read as _;
        use std::os::unix::fs::FileTypeExt as _;

        let folder = tempfile::tempdir().unwrap();
        let (pipe, link) = (folder.path().join("pipe"), folder.path().join("link"));
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, fifo, mode, 0).unwrap();
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        for path in [&pipe, &link] {
            let from = pipe.clone();
            let reader = std::thread::spawn(move || {
                let mut read = Vec::new();
                File::open(from).unwrap().read_to_end(&mut read).unwrap();
                read
            });
            let mut file = NewFile::create(path).unwrap();
            file.put(b"secret").unwrap();
            assert!(file.written().is_err());
            file.finish().unwrap();
            assert_eq!(reader.join().unwrap(), b"secret");
        }
        let kind = pipe.symlink_metadata().unwrap().file_type();
        assert!(kind.is_fifo());
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        // A link to a file is a file's name, but in the list of open ones.
        let file = folder.path().join("file");
        std::fs::write(&file, b"x").unwrap();
        let opened = File::open(&file).unwrap();
        let open = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&opened));
        assert!(is_no_file(Path::new(&open)) && is_no_file(Path::new("/dev/null")));
        assert!(!is_no_file(&file) && !is_no_file(folder.path()));
        assert!(!is_no_file(&folder.path().join("absent")));
    }

    #[test]
    fn plain_values_are_read_by_people() {
        let value = serde_json::json!({"a": "b", "n": [1, "x"], "none": null});
        assert_eq!(plain(&value), "a: b, n: 1 x");
        assert_eq!(plain(&serde_json::json!(true)), "true");
    }

    #[test]
    fn encodings() {
        assert_eq!(&**encode(&[0xab, 1], Encoding::Hex), b"ab01\n");
        assert_eq!(&**encode(&[0xab, 1], Encoding::Base64), b"qwE=\n");
        assert_eq!(&**encode(&[0xab, 1], Encoding::Raw), [0xab, 1]);
    }
}
