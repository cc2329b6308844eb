//! Why a file could not be encrypted or decrypted.

use std::io;

use super::armor::ArmorError;

/// Why a file could not be encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The data cannot be read.
    #[error("cannot read: {0}")]
    Read(#[source] io::Error),
    /// The result cannot be written.
    #[error("cannot write: {0}")]
    Write(#[source] io::Error),
    /// Text that should be an armored file and is not.
    #[error("its armor is damaged: {0}")]
    Armor(&'static str),
    /// Not an age file, or one whose header breaks the format's rules.
    #[error("not an age file that can be read: {0}")]
    Malformed(&'static str),
    /// A recipient or identity that is none.
    #[error("{0}")]
    Name(&'static str),
    /// The header is not the one that was written under this file key.
    #[error("the header does not authenticate: it was altered")]
    HeaderAltered,
    /// A chunk was altered, moved or is of another file.
    #[error("chunk {chunk} does not authenticate: the file was altered, or cut short within it")]
    Altered {
        /// Which one, from 1.
        chunk: u64,
    },
    /// Everything there is authenticates, but the end is missing.
    #[error("the file was cut short: its last chunk is missing")]
    CutShort,
    /// Everything up to the marked end authenticates, and more follows.
    #[error("something was added behind the file's end")]
    Lengthened,
    /// The library refused; never for a reason within the data.
    #[error("the cryptographic library failed")]
    Library,
}

impl FileError {
    /// What reading gave, with the armor's own complaints told apart.
    pub(super) fn reading(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(ArmorError(reason)) => Self::Armor(reason),
            None => Self::Read(error),
        }
    }
}
