//! Files of any size, encrypted here under a data key that the server keeps:
//! the age file format (C2SP age, version 1) with a recipient stanza of type
//! `skms`, whose argument is the key's name and whose body is the data key as
//! the server encrypted it.
//!
//! Data is handed on chunk by chunk, each authenticated; a file cut short is
//! found out only at its end, so what was handed on is whole only if no error
//! follows.

use std::io::{self, BufRead, Read, Write};

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use skms_wire::Ciphertext;
use zeroize::Zeroizing;

/// The length of the data key in bytes, as the format has it.
pub const FILE_KEY_LENGTH: usize = 16;

/// The first line of such a file.
pub const MAGIC: &[u8] = b"age-encryption.org/v1\n";

const STANZA: &str = "skms";
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
const NONCE: usize = 16;
const COLUMNS: usize = 64;
const HEADER_MAX: usize = 64 * 1024;

/// Why a file could not be encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The data cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not a file in this format, or for other recipients alone.
    #[error("not a file that skms encrypted: {0}")]
    Malformed(&'static str),
    /// Another data key, or altered, reordered or cut short: deliberately one
    /// variant.
    #[error("the file does not authenticate: altered, cut short, or of another key")]
    Altered,
    /// The library refused; never for a reason within the data.
    #[error("the cryptographic library failed")]
    Library,
}

type Result<T> = std::result::Result<T, FileError>;

/// Who can open a file: the key's name, and the data key it encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The key's name, `KEYRING/NAME`.
    pub key: String,
    /// The data key as the server encrypted it.
    pub data_key: Ciphertext,
}

/// Encrypts everything that can be read. `progress` is told of each chunk's
/// length. Returns the count of bytes read.
pub fn seal(
    data_key: &[u8],
    recipient: &Recipient,
    input: &mut dyn Read,
    output: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<u64> {
    let header = header(recipient)?;
    output.write_all(&header)?;
    let mac = hmac::sign(&mac_key(data_key)?, &header);
    writeln!(output, " {}", STANDARD_NO_PAD.encode(mac))?;
    let mut nonce = [0; NONCE];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| FileError::Library)?;
    output.write_all(&nonce)?;
    let mut stream = Stream::new(data_key, &nonce)?;
    let (mut chunk, mut next) = (fill(input, CHUNK)?, Zeroizing::new(Vec::new()));
    let mut total = 0;
    loop {
        // One chunk is read ahead, to know which is the last.
        if chunk.len() == CHUNK {
            next = fill(input, CHUNK)?;
        }
        let last = next.is_empty();
        total += chunk.len() as u64;
        progress(chunk.len() as u64);
        output.write_all(&stream.seal(&mut chunk, last)?)?;
        if last {
            output.flush()?;
            return Ok(total);
        }
        chunk = std::mem::take(&mut next);
    }
}

/// A file whose header was read: who can open it is known, the rest is not
/// read yet.
pub struct SealedFile<R> {
    /// Who can open it.
    pub recipient: Recipient,
    header: Vec<u8>,
    mac: Vec<u8>,
    body: R,
}

impl<R: BufRead> SealedFile<R> {
    /// Reads a file's header.
    pub fn read(mut body: R) -> Result<Self> {
        const BAD: FileError = FileError::Malformed("its header cannot be read");
        let mut header = Vec::new();
        line(&mut body, &mut header)?;
        if header != MAGIC {
            return Err(FileError::Malformed("it does not begin as one"));
        }
        let mut recipient = None;
        loop {
            let from = header.len();
            line(&mut body, &mut header)?;
            let text = text(&header, from)?;
            if let Some(mac) = text.strip_prefix("--- ") {
                let mac = STANDARD_NO_PAD.decode(mac).map_err(|_| BAD)?;
                header.truncate(from + 3);
                return Ok(Self {
                    recipient: recipient
                        .ok_or(FileError::Malformed("it is for other recipients alone"))?,
                    header,
                    mac,
                    body,
                });
            }
            let arguments = text.strip_prefix("-> ").ok_or(BAD)?;
            let key = arguments
                .strip_prefix(STANZA)
                .and_then(|rest| rest.strip_prefix(' '))
                .map(str::to_owned);
            let content = stanza_body(&mut body, &mut header)?;
            if let (Some(key), None) = (key, &recipient) {
                let data_key = std::str::from_utf8(&content)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .ok_or(BAD)?;
                recipient = Some(Recipient { key, data_key });
            }
        }
    }

    /// Decrypts the rest. `progress` is told of each chunk's length. Returns
    /// the count of bytes written.
    pub fn open(
        mut self,
        data_key: &[u8],
        output: &mut dyn Write,
        progress: &mut dyn FnMut(u64),
    ) -> Result<u64> {
        hmac::verify(&mac_key(data_key)?, &self.header, &self.mac)
            .map_err(|_| FileError::Altered)?;
        let nonce = fill(&mut self.body, NONCE)?;
        if nonce.len() < NONCE {
            return Err(FileError::Altered);
        }
        let mut stream = Stream::new(data_key, &nonce)?;
        let mut total = 0;
        loop {
            let mut chunk = fill(&mut self.body, CHUNK + TAG)?;
            let last = self.body.fill_buf()?.is_empty();
            let plaintext = stream.open(&mut chunk, last)?;
            // Only an empty file ends in an empty chunk.
            if last && plaintext.is_empty() && total > 0 {
                return Err(FileError::Altered);
            }
            output.write_all(plaintext)?;
            total += plaintext.len() as u64;
            progress(plaintext.len() as u64);
            if last {
                output.flush()?;
                return Ok(total);
            }
        }
    }
}

/// The header up to and including the three hyphens that its MAC covers.
fn header(recipient: &Recipient) -> Result<Vec<u8>> {
    let plain = |b: u8| (0x21..=0x7e).contains(&b);
    if recipient.key.is_empty() || !recipient.key.bytes().all(plain) {
        return Err(FileError::Malformed("the key's name has odd characters"));
    }
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(format!("-> {STANZA} {}\n", recipient.key).as_bytes());
    let body = STANDARD_NO_PAD.encode(recipient.data_key.to_string());
    let mut lines = body.as_bytes().chunks(COLUMNS).peekable();
    while let Some(line) = lines.next() {
        header.extend_from_slice(line);
        header.push(b'\n');
        // A full last line is followed by an empty one.
        if lines.peek().is_none() && line.len() == COLUMNS {
            header.push(b'\n');
        }
    }
    header.extend_from_slice(b"---");
    Ok(header)
}

/// Appends one line to what was read of the header.
fn line(body: &mut impl BufRead, header: &mut Vec<u8>) -> Result<()> {
    let room = HEADER_MAX.saturating_sub(header.len()) as u64;
    let count = body.take(room).read_until(b'\n', header)?;
    if count == 0 || header.last() != Some(&b'\n') {
        return Err(FileError::Malformed("its header does not end"));
    }
    Ok(())
}

/// The line that begins at `from`, without its end.
fn text(header: &[u8], from: usize) -> Result<&str> {
    let line = header
        .get(from..header.len().saturating_sub(1))
        .unwrap_or_default();
    std::str::from_utf8(line).map_err(|_| FileError::Malformed("its header is not text"))
}

/// A stanza's body: full lines, then one that is not.
fn stanza_body(body: &mut impl BufRead, header: &mut Vec<u8>) -> Result<Vec<u8>> {
    let mut encoded = String::new();
    loop {
        let from = header.len();
        line(body, header)?;
        let text = text(header, from)?;
        encoded.push_str(text);
        if text.len() > COLUMNS {
            return Err(FileError::Malformed("a line of its header is too long"));
        }
        if text.len() < COLUMNS {
            return STANDARD_NO_PAD
                .decode(encoded)
                .map_err(|_| FileError::Malformed("its header is not base64"));
        }
    }
}

/// Reads until the buffer is full or there is no more.
fn fill(input: &mut (impl Read + ?Sized), length: usize) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + TAG));
    input.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(data_key: &[u8], salt: &[u8], info: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(data_key)
        .expand(&[info], Length(32))
        .and_then(|okm| okm.fill(&mut *key))
        .map_err(|_| FileError::Library)?;
    Ok(key)
}

fn mac_key(data_key: &[u8]) -> Result<hmac::Key> {
    let key = derive(data_key, &[], b"header")?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &*key))
}

/// STREAM (Hoang, Reyhanitabar, Rogaway, Vizár) with ChaCha20-Poly1305: a
/// counter of 88 bits, then one byte that marks the last chunk.
struct Stream {
    key: LessSafeKey,
    counter: u64,
}

impl Stream {
    fn new(data_key: &[u8], nonce: &[u8]) -> Result<Self> {
        let key = derive(data_key, nonce, b"payload")?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*key).map_err(|_| FileError::Library)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            counter: 0,
        })
    }

    fn nonce(&mut self, last: bool) -> Nonce {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.counter.to_be_bytes());
        nonce[11] = u8::from(last);
        self.counter += 1;
        Nonce::assume_unique_for_key(nonce)
    }

    fn seal(&mut self, chunk: &mut Zeroizing<Vec<u8>>, last: bool) -> Result<Vec<u8>> {
        let nonce = self.nonce(last);
        let mut out = std::mem::take(&mut **chunk);
        self.key
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut out)
            .map_err(|_| FileError::Library)?;
        Ok(out)
    }

    fn open<'a>(&mut self, chunk: &'a mut [u8], last: bool) -> Result<&'a [u8]> {
        let nonce = self.nonce(last);
        self.key
            .open_in_place(nonce, Aad::empty(), chunk)
            .map(|plaintext| &*plaintext)
            .map_err(|_| FileError::Altered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; FILE_KEY_LENGTH] = [7; FILE_KEY_LENGTH];

    fn recipient() -> Recipient {
        Recipient {
            key: "default/orders".into(),
            data_key: Ciphertext::new(3, vec![9; 44]),
        }
    }

    fn sealed(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let total = seal(&KEY, &recipient(), &mut &data[..], &mut out, &mut |_| ()).unwrap();
        assert_eq!(total, data.len() as u64);
        out
    }

    fn opened(file: &[u8], key: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        SealedFile::read(file)?.open(key, &mut out, &mut |_| ())?;
        Ok(out)
    }

    #[test]
    fn round_trips_at_every_boundary() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 5] {
            let data: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let file = sealed(&data);
            assert!(file.starts_with(b"age-encryption.org/v1\n-> skms default/orders\n"));
            assert_eq!(SealedFile::read(&file[..]).unwrap().recipient, recipient());
            assert_eq!(opened(&file, &KEY).unwrap(), data, "{length}");
        }
    }

    #[test]
    fn header_lines_are_full_but_for_the_last() {
        for length in 1..120 {
            let recipient = Recipient {
                key: "k".into(),
                data_key: Ciphertext::new(1, vec![1; length]),
            };
            let mut file = Vec::new();
            seal(&KEY, &recipient, &mut &b"x"[..], &mut file, &mut |_| ()).unwrap();
            assert_eq!(SealedFile::read(&file[..]).unwrap().recipient, recipient);
            assert_eq!(opened(&file, &KEY).unwrap(), b"x");
        }
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused() {
        let file = sealed(b"attack at dawn");
        for at in 0..file.len() {
            let mut altered = file.clone();
            altered[at] ^= 1;
            assert!(opened(&altered, &KEY).is_err(), "byte {at}");
            assert!(opened(&file[..at], &KEY).is_err(), "cut at {at}");
        }
        assert!(opened(&file, &[8; 16]).is_err());
        assert!(opened(&[&file[..], b"x"].concat(), &KEY).is_err());
    }

    #[test]
    fn chunks_cannot_be_dropped_swapped_or_repeated() {
        let file = sealed(&vec![5; 3 * CHUNK]);
        let chunk = CHUNK + TAG;
        let start = file.len() - 3 * chunk;
        let part = |n: usize| file[start + n * chunk..start + (n + 1) * chunk].to_vec();
        for order in [&[1, 0, 2][..], &[0, 2], &[0, 1], &[0, 0, 1, 2], &[2]] {
            let chunks: Vec<u8> = order.iter().flat_map(|n| part(*n)).collect();
            let moved = [&file[..start], &chunks].concat();
            assert!(opened(&moved, &KEY).is_err(), "{order:?}");
        }
    }

    #[test]
    fn other_recipients_are_skipped_and_alone_refused() {
        let other = b"age-encryption.org/v1\n-> X25519 abc\nAAAA\n--- AAAA\n";
        assert!(matches!(
            SealedFile::read(&other[..]),
            Err(FileError::Malformed(_))
        ));
        assert!(matches!(
            SealedFile::read(&b"hello\n"[..]),
            Err(FileError::Malformed(_))
        ));
        let endless = [MAGIC, &b"-> skms k\n"[..], &vec![b'A'; HEADER_MAX + 1]].concat();
        assert!(SealedFile::read(&endless[..]).is_err());
    }
}
