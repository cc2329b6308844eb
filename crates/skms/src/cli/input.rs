//! Reading: files, standard input, and secrets that are never arguments.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use skms_wire::SecretText;
use zeroize::Zeroizing;

use super::error::{CliError, Result};

/// The longest secret read from a file, in bytes.
const SECRET_MAX: u64 = 64 * 1024;

/// Opens a file, or standard input for `-`.
pub fn open(path: &Path) -> Result<Box<dyn Read>> {
    if path == Path::new("-") {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            super::output::note("reading from the terminal; end with Ctrl-D")?;
        }
        return Ok(Box::new(stdin.lock()));
    }
    let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(CliError::usage(format!("{} is a folder", path.display())));
    }
    Ok(Box::new(file))
}

/// Reads a file, or standard input for `-`, whole; at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    open(path)?
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| cannot_read(path, &error))?;
    if bytes.len() as u64 > limit {
        return Err(CliError::usage(format!(
            "{} is longer than {limit} bytes",
            name(path)
        )));
    }
    Ok(bytes)
}

/// Reads text, such as a policy or a PEM file.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    let mut bytes = read(path, limit)?;
    String::from_utf8(std::mem::take(&mut *bytes))
        .map_err(|_| CliError::usage(format!("{} is not text", name(path))))
}

/// Reads bytes that may be written as base64 or as they are: what consists of
/// nothing but whole base64 groups is decoded.
pub fn read_either(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>> {
    let bytes = read(path, limit)?;
    Ok(match STANDARD.decode(bytes.trim_ascii()) {
        Ok(decoded) if !decoded.is_empty() => Zeroizing::new(decoded),
        _ => bytes,
    })
}

/// Reads a secret text from a file; the line's end is not part of it.
pub fn secret_file(path: &Path) -> Result<SecretText> {
    let bytes = read(path, SECRET_MAX)?;
    secret(bytes).map_err(|reason| CliError::usage(format!("{}: {reason}", name(path))))
}

/// Reads a secret text from standard input: its first line.
pub fn secret_stdin(what: &str) -> Result<SecretText> {
    if io::stdin().is_terminal() {
        return prompt(what);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    let mut byte = [0; 1];
    let mut stdin = io::stdin().lock();
    // Byte by byte, so that what follows stays for others to read.
    while bytes.len() < SECRET_MAX as usize {
        match stdin.read(&mut byte) {
            Ok(0) => break,
            Ok(_) if byte == *b"\n" => break,
            Ok(_) => bytes.push(byte[0]),
            Err(error) => return Err(cannot_read(Path::new("-"), &error)),
        }
    }
    secret(bytes).map_err(|reason| CliError::usage(format!("standard input: {reason}")))
}

/// Asks for a secret on the terminal, without showing it.
pub fn prompt(what: &str) -> Result<SecretText> {
    let text = rpassword::prompt_password(format!("{what}: ")).map_err(|error| {
        CliError::usage(format!("cannot ask for the {what}: {error}"))
            .hint("give it in a file or on standard input instead")
    })?;
    let text = SecretText::new(text);
    if text.is_empty() {
        return Err(CliError::usage(format!("the {what} is empty")));
    }
    Ok(text)
}

/// Asks for a new secret twice.
pub fn prompt_new(what: &str) -> Result<SecretText> {
    let (first, second) = (
        prompt(&format!("new {what}"))?,
        prompt(&format!("{what} again"))?,
    );
    if !skms_crypto::ct_eq(first.expose().as_bytes(), second.expose().as_bytes()) {
        return Err(CliError::usage(format!("the two {what}s differ")));
    }
    Ok(first)
}

fn secret(mut bytes: Zeroizing<Vec<u8>>) -> std::result::Result<SecretText, &'static str> {
    while matches!(bytes.last(), Some(b'\n' | b'\r')) {
        bytes.pop();
    }
    if bytes.is_empty() {
        return Err("it is empty");
    }
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) if text.contains('\n') => Err("it has more than one line"),
        Ok(text) => Ok(SecretText::new(text)),
        Err(_) => Err("it is not text"),
    }
}

/// How an input is called in messages.
pub fn name(path: &Path) -> String {
    if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> CliError {
    CliError::usage(format!("cannot read {}: {error}", name(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(contents: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), contents).unwrap();
        file
    }

    #[test]
    fn secrets_are_one_line() {
        assert_eq!(
            secret_file(file(b"hunter2\n").path()).unwrap().expose(),
            "hunter2"
        );
        assert_eq!(
            secret_file(file(b"a b\r\n").path()).unwrap().expose(),
            "a b"
        );
        for bad in [&b""[..], b"\n", b"two\nlines\n", b"\xff\xfe"] {
            assert!(secret_file(file(bad).path()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn base64_is_decoded_and_everything_else_kept() {
        assert_eq!(
            &*read_either(file(b"AAEC\n").path(), 99).unwrap(),
            &[0, 1, 2]
        );
        assert_eq!(
            &*read_either(file(b"\x30\x45\x02").path(), 99).unwrap(),
            b"\x30\x45\x02"
        );
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert!(read(file(b"12345").path(), 4).is_err());
        assert!(read(Path::new("/nonexistent"), 4).is_err());
        assert!(read(Path::new("/"), 4).is_err());
    }
}
