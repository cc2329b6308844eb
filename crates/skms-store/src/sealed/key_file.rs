//! Key files: 256 random bits as text, readable by their owner only.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use skms_crypto::{SecretArray, SecretBytes};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// The longest key file, in bytes.
const FILE_MAX: u64 = 4096;

/// Makes a new key file: 64 hexadecimal digits and a newline, mode 0600,
/// synced. An existing file is left alone.
///
/// # Errors
/// [`Error::Io`], also when the file exists.
pub fn create(path: &Path) -> Result<SecretArray<32>> {
    let failed = |error| Error::io(format!("key file {}", path.display()), error);
    let key = SecretArray::<32>::random()?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let text = Zeroizing::new(crate::hex::encode(key.expose()));
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.write_all(b"\n").map_err(failed)?;
    file.sync_all().map_err(failed)?;
    crate::disk::Disk::real().sync_directory(path)?;
    Ok(key)
}

/// Reads a key file.
///
/// # Errors
/// [`Error::UnsafeFile`] when others may read it or it is no regular file,
/// [`Error::Malformed`] for other contents, [`Error::Io`].
pub fn read(path: &Path) -> Result<SecretArray<32>> {
    let failed = |error| Error::io(format!("key file {}", path.display()), error);
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let refuse = |what| {
        Err(Error::UnsafeFile {
            path: path.to_owned(),
            what,
        })
    };
    if !metadata.is_file() {
        return refuse("not a regular file");
    }
    if metadata.mode() & 0o077 != 0 {
        return refuse("others may read this key file: chmod 600");
    }
    if metadata.len() > FILE_MAX {
        return refuse("too long for a key file");
    }
    let mut contents = Zeroizing::new(Vec::with_capacity(FILE_MAX as usize));
    file.take(FILE_MAX)
        .read_to_end(&mut contents)
        .map_err(failed)?;
    parse(&contents)
}

/// The key in a key file's contents: 64 hexadecimal digits, or standard
/// base64 of 32 bytes; white space around it does not matter.
///
/// # Errors
/// [`Error::Malformed`] for anything else.
pub fn parse(contents: &[u8]) -> Result<SecretArray<32>> {
    const BAD: Error = Error::Malformed("key file");
    let text = std::str::from_utf8(contents).map_err(|_| BAD)?.trim();
    let bytes = if text.len() == 64 {
        SecretBytes::new(crate::hex::decode(text).ok_or(BAD)?)
    } else if text.len() == 44 {
        SecretBytes::new(STANDARD.decode(text).map_err(|_| BAD)?)
    } else {
        return Err(BAD);
    };
    SecretArray::from_slice(bytes.expose()).map_err(|_| BAD)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn reads_back_what_it_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let key = create(&path).unwrap();
        assert!(read(&path).unwrap().ct_eq(key.expose()));
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(create(&path).is_err(), "an existing file is kept");
        assert!(read(&path).unwrap().ct_eq(key.expose()));
    }

    #[test]
    fn files_open_to_others_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        create(&path).unwrap();
        for mode in [0o640, 0o604, 0o660] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read(&path), Err(Error::UnsafeFile { .. })));
        }
        assert!(matches!(
            read(directory.path()),
            Err(Error::UnsafeFile { .. })
        ));
    }

    #[test]
    fn both_texts_are_read_and_others_are_not() {
        let hex = "ab".repeat(32);
        let base64 = STANDARD.encode([0xab; 32]);
        for good in [
            hex.clone(),
            hex.to_uppercase(),
            format!(" {hex}\r\n"),
            base64,
        ] {
            assert!(parse(good.as_bytes()).unwrap().ct_eq(&[0xab; 32]), "{good}");
        }
        let short = STANDARD.encode([0xab; 31]);
        for bad in ["", "ab", &hex[1..], &"zz".repeat(32), &short, "\u{fffd}"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(&[0xff; 64]).is_err());
    }
}
