//! SSH's data types (RFC 4251, section 5), written and read.

use super::error::{Error, Result};

/// Bytes in the making.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// `string`: its length, and it.
    pub(super) fn string(&mut self, value: &[u8]) -> &mut Self {
        // Everything written here is bounded far below: certificates by their
        // reader, lists by what memory holds.
        self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.raw(value)
    }

    /// Bytes that are encoded already.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// `string` of the bytes.
pub(super) fn string(value: &[u8]) -> Vec<u8> {
    Writer::default().string(value).finish()
}

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(Error::Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        let bytes = self.take(4)?;
        Ok(bytes
            .iter()
            .fold(0, |all, byte| all << 8 | u32::from(*byte)))
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from(self.u32()?) << 32 | u64::from(self.u32()?))
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).map_err(|_| Error::Malformed("it is too long"))?)
    }

    pub(super) fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.string()?).map_err(|_| Error::Malformed("a text is not UTF-8"))
    }

    /// `mpint` that is positive: its contents, the shortest possible.
    pub(super) fn positive(&mut self) -> Result<&'a [u8]> {
        let contents = self.string()?;
        match contents {
            [] => Err(Error::Malformed("a number is zero")),
            [top, ..] if top & 0x80 != 0 => Err(Error::Malformed("a number is negative")),
            [0, next, ..] if next & 0x80 == 0 => Err(Error::Malformed("a number is too long")),
            [0] => Err(Error::Malformed("a number is zero")),
            _ => Ok(contents),
        }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn end(&self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::Malformed("something follows its end"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = Writer::default()
            .u8(7)
            .u32(0x0102_0304)
            .u64(u64::MAX - 1)
            .string(b"abc")
            .finish();
        let mut reader = Reader::new(&bytes[1..]);
        assert_eq!(reader.u32(), Ok(0x0102_0304));
        assert_eq!(reader.u64(), Ok(u64::MAX - 1));
        assert!(reader.end().is_err());
        assert_eq!(reader.string(), Ok(&b"abc"[..]));
        assert_eq!(reader.end(), Ok(()));
        assert!(reader.u32().is_err());
    }

    #[test]
    fn what_is_cut_short_or_not_a_positive_number_is_refused() {
        assert!(Reader::new(&[0, 0, 0, 2, 1]).string().is_err());
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 1]).string().is_err());
        assert!(Reader::new(&string(&[0xff])).text().is_err());
        for bad in [&[][..], &[0], &[0x80], &[0, 1], &[0, 0x7f, 1]] {
            assert!(Reader::new(&string(bad)).positive().is_err(), "{bad:?}");
        }
        for good in [&[1][..], &[0x7f], &[0, 0x80]] {
            assert_eq!(Reader::new(&string(good)).positive(), Ok(good));
        }
    }
}
