//! Whole files: header and payload.

use std::io::{BufRead, BufReader, Read, Write};

use super::armor::{Unarmored, is_armored};
use super::stream::{NONCE, Opening, Sealing};
use super::{FileError, FileKey, Header, Result, Stanza, lanes};

/// Encrypts everything that can be read, with at most `threads` threads.
/// `progress` is told of what was written, in bytes. Returns the count of bytes
/// written.
///
/// # Errors
/// What reading and writing give; [`FileError::Malformed`] for recipients that
/// a header cannot hold.
pub fn seal(
    key: &FileKey,
    stanzas: &[Stanza],
    input: &mut (dyn Read + Send),
    output: &mut (dyn Write + Send),
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<u64> {
    let mut nonce = [0; NONCE];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| FileError::Library)?;
    let mut beginning = Header::write(stanzas, key)?;
    beginning.extend_from_slice(&nonce);
    output.write_all(&beginning).map_err(FileError::Write)?;
    let work = Sealing::new(key, &nonce)?;
    let written = lanes::run(&work, input, output, threads, progress)?;
    output.flush().map_err(FileError::Write)?;
    Ok(written + beginning.len() as u64)
}

/// A file whose header was read: who can open it is known, the rest is not
/// read yet.
pub struct SealedFile<'a> {
    header: Header,
    body: Box<dyn BufRead + Send + 'a>,
}

impl<'a> SealedFile<'a> {
    /// Reads a file's header; takes off its armor if it has one.
    ///
    /// # Errors
    /// [`FileError::Armor`], [`FileError::Malformed`]; what reading gives.
    pub fn read(input: impl Read + Send + 'a) -> Result<Self> {
        let mut input = BufReader::new(input);
        let first = input
            .fill_buf()
            .map_err(FileError::reading)?
            .first()
            .copied();
        let mut body: Box<dyn BufRead + Send + 'a> = match first {
            Some(first) if is_armored(first) => Box::new(BufReader::new(Unarmored::new(input))),
            _ => Box::new(input),
        };
        let header = Header::read(&mut *body)?;
        Ok(Self { header, body })
    }

    /// Who can open it. Not authentic yet.
    pub fn stanzas(&self) -> &[Stanza] {
        &self.header.stanzas
    }

    /// Decrypts the rest, with at most `threads` threads. `progress` is told of
    /// what was written, in bytes. Returns the count of bytes written.
    ///
    /// # Errors
    /// [`FileError::HeaderAltered`], [`FileError::Altered`],
    /// [`FileError::CutShort`], [`FileError::Lengthened`]: what was written
    /// before them is authentic, but not what was encrypted. What reading and writing give.
    pub fn open(
        mut self,
        key: &FileKey,
        output: &mut (dyn Write + Send),
        threads: usize,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<u64> {
        self.header.verify(key)?;
        let mut nonce = [0; NONCE];
        self.body
            .read_exact(&mut nonce)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => {
                    FileError::Malformed("it ends before its payload begins")
                }
                _ => FileError::reading(error),
            })?;
        let work = Opening::new(key, &nonce)?;
        let written = lanes::run(&work, &mut self.body, output, threads, progress)?;
        output.flush().map_err(FileError::Write)?;
        Ok(written)
    }
}
