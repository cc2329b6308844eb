//! Deterministic CBOR (RFC 8949, section 4.2.1), as far as the messages need
//! it: unsigned integers, bytes, text, arrays, and maps with integer keys.
//!
//! One value has one form: a reader refuses every other, so that what was read
//! can be written again byte for byte.

use ciborium_ll::{Decoder, Encoder, Header};

/// The outcome of reading; an error says why, in words.
pub(crate) type Parse<T> = Result<T, &'static str>;

/// Writes values one after the other. Maps are the caller's to keep in order.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    fn head(&mut self, header: Header) {
        // Writing to memory does not fail.
        let _ = Encoder::from(&mut self.0).push(header);
    }

    pub(crate) fn uint(&mut self, value: u64) -> &mut Self {
        self.head(Header::Positive(value));
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.head(Header::Bytes(Some(value.len())));
        self.0.extend_from_slice(value);
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.head(Header::Text(Some(value.len())));
        self.0.extend_from_slice(value.as_bytes());
        self
    }

    pub(crate) fn array(&mut self, length: usize) -> &mut Self {
        self.head(Header::Array(Some(length)));
        self
    }

    pub(crate) fn map(&mut self, length: usize) -> &mut Self {
        self.head(Header::Map(Some(length)));
        self
    }

    pub(crate) fn tag(&mut self, tag: u64) -> &mut Self {
        self.head(Header::Tag(tag));
        self
    }

    /// What was written elsewhere, as it is.
    pub(crate) fn raw(&mut self, encoded: &[u8]) -> &mut Self {
        self.0.extend_from_slice(encoded);
        self
    }

    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// Collects a map's fields, which may be optional, and writes its length.
#[derive(Default)]
pub(crate) struct Fields {
    count: usize,
    body: Writer,
}

impl Fields {
    /// The next field; keys ascend.
    pub(crate) fn field(&mut self, key: u64) -> &mut Writer {
        self.count += 1;
        self.body.uint(key)
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        let body = self.body.finish();
        Writer::default().map(self.count).raw(&body).finish()
    }
}

/// Reads values one after the other.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn skip(&mut self, length: usize) -> Parse<&'a [u8]> {
        let (skipped, rest) = self.0.split_at_checked(length).ok_or("cut off")?;
        self.0 = rest;
        Ok(skipped)
    }

    fn head(&mut self) -> Parse<Header> {
        let mut decoder = Decoder::from(self.0);
        let head = decoder.pull().map_err(|_| "cut off, or no CBOR")?;
        let read = self.skip(decoder.offset())?;
        let mut shortest = Vec::with_capacity(read.len());
        let written = Encoder::from(&mut shortest).push(head).is_ok();
        match written && shortest == read {
            true => Ok(head),
            false => Err("a number or length in a longer form than needed"),
        }
    }

    pub(crate) fn uint(&mut self) -> Parse<u64> {
        match self.head()? {
            Header::Positive(value) => Ok(value),
            _ => Err("something else than an unsigned number"),
        }
    }

    pub(crate) fn bytes(&mut self) -> Parse<&'a [u8]> {
        match self.head()? {
            Header::Bytes(Some(length)) => self.skip(length),
            _ => Err("something else than bytes of a definite length"),
        }
    }

    /// Exactly `N` bytes.
    pub(crate) fn fixed<const N: usize>(&mut self) -> Parse<[u8; N]> {
        self.bytes()?
            .try_into()
            .map_err(|_| "bytes of another length")
    }

    /// Text of 1 to `limit` bytes without control characters.
    pub(crate) fn text(&mut self, limit: usize) -> Parse<&'a str> {
        let Header::Text(Some(length)) = self.head()? else {
            return Err("something else than text of a definite length");
        };
        let text = std::str::from_utf8(self.skip(length)?).map_err(|_| "text that is no UTF-8")?;
        match plain_text(text, limit) {
            true => Ok(text),
            false => Err("text that is empty, too long, or has control characters"),
        }
    }

    pub(crate) fn array(&mut self) -> Parse<usize> {
        match self.head()? {
            Header::Array(Some(length)) => Ok(length),
            _ => Err("something else than an array of a definite length"),
        }
    }

    /// Whether an array comes next.
    pub(crate) fn peek_array(&self) -> bool {
        self.0.first().is_some_and(|byte| byte >> 5 == 4)
    }

    pub(crate) fn tag(&mut self) -> Parse<u64> {
        match self.head()? {
            Header::Tag(tag) => Ok(tag),
            _ => Err("something else than a tag"),
        }
    }

    /// A map: `field` is called for each key, in ascending order, and reads
    /// its value.
    pub(crate) fn map(&mut self, mut field: impl FnMut(u64, &mut Self) -> Parse<()>) -> Parse<()> {
        let Header::Map(Some(length)) = self.head()? else {
            return Err("something else than a map of a definite length");
        };
        let mut last = None;
        for _ in 0..length {
            let key = self.uint()?;
            if last.is_some_and(|last| last >= key) {
                return Err("a key twice, or keys out of order");
            }
            last = Some(key);
            field(key, self)?;
        }
        Ok(())
    }

    /// Nothing may follow.
    pub(crate) fn end(&self) -> Parse<()> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err("something after the end"),
        }
    }
}

/// Whether text may stand in a message: 1 to `limit` bytes, no control
/// characters.
pub(crate) fn plain_text(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && !text.bytes().any(|byte| byte < 0x20 || byte == 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uint(bytes: &[u8]) -> Parse<u64> {
        let mut reader = Reader::new(bytes);
        let value = reader.uint()?;
        reader.end().map(|()| value)
    }

    #[test]
    fn numbers_have_one_form() {
        for (value, bytes) in [
            (0, &[0][..]),
            (23, &[23]),
            (24, &[0x18, 24]),
            (256, &[0x19, 1, 0]),
            (u64::MAX, &[0x1b, 255, 255, 255, 255, 255, 255, 255, 255]),
        ] {
            assert_eq!(Writer::default().uint(value).finish(), bytes);
            assert_eq!(uint(bytes), Ok(value));
        }
        for longer in [
            &[0x18, 23][..],
            &[0x19, 0, 255],
            &[0x1a, 0, 0, 255, 255],
            &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255],
        ] {
            assert!(uint(longer).is_err(), "{longer:x?}");
        }
        // Cut off, followed, negative, a float, a big number.
        for bad in [
            &[0x18][..],
            &[0, 0],
            &[0x20],
            &[0xf9, 0, 0],
            &[0xc2, 0x41, 1],
            &[],
        ] {
            assert!(uint(bad).is_err(), "{bad:x?}");
        }
    }

    #[test]
    fn strings_are_whole_and_definite() {
        assert_eq!(Reader::new(&[0x41, 7]).bytes(), Ok(&[7][..]));
        assert_eq!(Reader::new(&[0x62, b'a', b'b']).text(2), Ok("ab"));
        assert_eq!(Reader::new(&[0x41, 7]).fixed::<1>(), Ok([7]));
        assert!(Reader::new(&[0x41, 7]).fixed::<2>().is_err());
        for bad in [
            &[0x42, 7][..],
            &[0x58, 1, 7],
            &[0x5f, 0x41, 7, 0xff],
            &[0x61, b'a'],
        ] {
            assert!(Reader::new(bad).bytes().is_err(), "{bad:x?}");
        }
        for bad in [
            &[0x60][..],
            &[0x63, b'a', b'b', b'c'],
            &[0x61, 0xff],
            &[0x61, b'\n'],
            &[0x61, 0x7f],
            &[0x7f, 0x61, b'a', 0xff],
            &[0x41, b'a'],
        ] {
            assert!(Reader::new(bad).text(2).is_err(), "{bad:x?}");
        }
    }

    #[test]
    fn keys_ascend() {
        let read = |bytes| {
            let mut found = Vec::new();
            let mut reader = Reader::new(bytes);
            reader.map(|key, reader| {
                found.push((key, reader.uint()?));
                Ok(())
            })?;
            reader.end().map(|()| found)
        };
        assert_eq!(read(&[0xa2, 1, 5, 2, 6]), Ok(vec![(1, 5), (2, 6)]));
        for bad in [
            &[0xa2, 2, 6, 1, 5][..],
            &[0xa2, 1, 5, 1, 6],
            &[0xa2, 1, 5],
            &[0xa1, 1, 5, 0],
            &[0xbf, 1, 5, 0xff],
            &[0xb8, 1, 1, 5],
            &[0xbb, 255, 255, 255, 255, 255, 255, 255, 255, 1, 5],
        ] {
            assert!(read(bad).is_err(), "{bad:x?}");
        }
        let mut fields = Fields::default();
        fields.field(1).uint(5);
        fields.field(2).uint(6);
        assert_eq!(fields.finish(), [0xa2, 1, 5, 2, 6]);
    }
}
