//! The armor: an age file as text (RFC 7468, strict form), for mails and for
//! programs that take no other.

use std::io::{self, BufRead, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The first line of an armored file.
pub const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END: &str = "-----END AGE ENCRYPTED FILE-----";

const COLUMNS: usize = 64;
/// The bytes that fill a line.
const LINE: usize = COLUMNS / 4 * 3;
/// The most white space before and after, in bytes.
const WHITE_MAX: usize = 1024;

/// What is wrong with an armor, as the inside of an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ArmorError(pub(super) &'static str);

fn bad(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, ArmorError(reason))
}

/// Whether a file that begins with this byte can only be an armored one: a
/// plain one begins with a letter, an armored one with a hyphen or white space.
pub fn is_armored(first: u8) -> bool {
    first == b'-' || first.is_ascii_whitespace()
}

/// Reads what is inside an armor.
pub(super) struct Unarmored<R> {
    input: R,
    begun: bool,
    ended: bool,
    line: Vec<u8>,
    taken: usize,
}

impl<R: BufRead> Unarmored<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            begun: false,
            ended: false,
            line: Vec::new(),
            taken: 0,
        }
    }

    /// The next line without its end, or none where the text ends. A line too
    /// long for an armor is cut.
    fn text(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut text = Vec::with_capacity(COLUMNS + 2);
        let most = (WHITE_MAX + 2) as u64;
        if (&mut self.input).take(most).read_until(b'\n', &mut text)? == 0 {
            return Ok(None);
        }
        if text.ends_with(b"\n") {
            text.pop();
            if text.ends_with(b"\r") {
                text.pop();
            }
        }
        Ok(Some(text))
    }

    fn begin(&mut self) -> io::Result<()> {
        let mut white = 0;
        loop {
            let text = self.text()?.ok_or_else(|| bad("it does not begin"))?;
            if text.trim_ascii().is_empty() {
                white += text.len() + 1;
                if white > WHITE_MAX {
                    return Err(bad("too much white space before it"));
                }
                continue;
            }
            if text != BEGIN.as_bytes() {
                return Err(bad("it does not begin as one"));
            }
            self.begun = true;
            return Ok(());
        }
    }

    fn end(&mut self) -> io::Result<()> {
        let mut rest = Vec::new();
        let most = WHITE_MAX as u64 + 1;
        (&mut self.input).take(most).read_to_end(&mut rest)?;
        if !rest.trim_ascii().is_empty() {
            return Err(bad("something follows its end"));
        }
        if rest.len() > WHITE_MAX {
            return Err(bad("too much white space after it"));
        }
        self.ended = true;
        Ok(())
    }

    fn next(&mut self) -> io::Result<()> {
        let text = self.text()?.ok_or_else(|| bad("its end is missing"))?;
        if text == END.as_bytes() {
            return self.end();
        }
        if text.is_empty() || text.len() > COLUMNS {
            return Err(bad("a line of another length"));
        }
        STANDARD
            .decode_vec(&text, &mut self.line)
            .map_err(|_| bad("a line is not base64"))?;
        if self.line.len() < LINE {
            match self.text()? {
                Some(text) if text == END.as_bytes() => self.end()?,
                _ => return Err(bad("a short line is not the last")),
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Unarmored<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.begun {
            self.begin()?;
        }
        if self.taken == self.line.len() && !self.ended {
            self.line.clear();
            self.taken = 0;
            self.next()?;
        }
        let mut rest = self.line.get(self.taken..).unwrap_or_default();
        let count = rest.read(into)?;
        self.taken += count;
        Ok(count)
    }
}

/// Writes an armor round what is written to it. [`Armor::finish`] ends it.
pub struct Armor<W> {
    output: W,
    /// What does not fill a line yet.
    rest: Vec<u8>,
    text: Vec<u8>,
}

impl<W: Write> Armor<W> {
    /// Begins.
    ///
    /// # Errors
    /// What writing gives.
    pub fn new(mut output: W) -> io::Result<Self> {
        writeln!(output, "{BEGIN}")?;
        Ok(Self {
            output,
            rest: Vec::with_capacity(LINE),
            text: Vec::new(),
        })
    }

    /// Ends the armor and gives back what it was written to.
    ///
    /// # Errors
    /// What writing gives.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.rest.is_empty() {
            writeln!(self.output, "{}", STANDARD.encode(&self.rest))?;
        }
        writeln!(self.output, "{END}")?;
        self.output.flush()?;
        Ok(self.output)
    }

    fn line(text: &mut Vec<u8>, bytes: &[u8]) {
        let from = text.len();
        text.resize(from + COLUMNS, 0);
        if let Some(room) = text.get_mut(from..) {
            // The room is what a full line takes.
            let written = STANDARD.encode_slice(bytes, room).unwrap_or_default();
            text.truncate(from + written);
        }
        text.push(b'\n');
    }
}

impl<W: Write> Write for Armor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.clear();
        let (fill, whole) = match self.rest.len() {
            0 => bytes.split_at(0),
            have => bytes.split_at(bytes.len().min(LINE - have)),
        };
        self.rest.extend_from_slice(fill);
        if self.rest.len() == LINE {
            Self::line(&mut self.text, &self.rest);
            self.rest.clear();
        }
        let mut lines = whole.chunks_exact(LINE);
        for line in &mut lines {
            Self::line(&mut self.text, line);
        }
        self.rest.extend_from_slice(lines.remainder());
        self.output.write_all(&self.text)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn armored(bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut armor = Armor::new(Vec::new()).unwrap();
        for piece in bytes.chunks(piece) {
            armor.write_all(piece).unwrap();
        }
        armor.finish().unwrap()
    }

    fn opened(text: &[u8]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Unarmored::new(text).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn every_length_comes_back_however_it_is_written() {
        let bytes: Vec<u8> = (0..=255).collect();
        for length in 0..=200 {
            let bytes = &bytes[..length];
            let text = armored(bytes, 1);
            assert_eq!(opened(&text).unwrap(), bytes, "{length}");
            assert!(text.split(|b| *b == b'\n').all(|line| line.len() <= 64));
            for piece in [2, 47, 48, 49, 200] {
                assert_eq!(armored(bytes, piece), text, "{length} by {piece}");
            }
        }
    }

    #[test]
    fn what_is_cut_long_or_beside_it_is_refused() {
        let text = armored(&[9; 100], 100);
        for at in 0..text.len() - 1 {
            assert!(opened(&text[..at]).is_err(), "cut at {at}");
        }
        let white = |count| vec![b'\n'; count];
        assert!(opened(&[&white(900)[..], &text, &white(900)].concat()).is_ok());
        assert!(opened(&[&white(1100)[..], &text].concat()).is_err());
        assert!(opened(&[&text[..], &white(1100)].concat()).is_err());
        assert!(opened(&[&text[..], b"x"].concat()).is_err());
        let endless = [BEGIN.as_bytes(), b"\n", &[b'A'; 1 << 16]].concat();
        assert!(opened(&endless).is_err());
    }
}
