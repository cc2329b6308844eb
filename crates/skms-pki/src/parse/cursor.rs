//! A reader over borrowed DER (X.690, section 10): one TLV at a time, nothing
//! copied, BER refused. Lengths are read by the `der` crate, which takes only
//! the definite and shortest form.

use der::{Decode, Length, Reader, SliceReader};

use crate::error::Parse;
use crate::oid::Oid;

/// Universal tags, and the bits that make the others.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const TELETEX_STRING: u8 = 0x14;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const VISIBLE_STRING: u8 = 0x1a;
    pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
    pub(crate) const BMP_STRING: u8 = 0x1e;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// `[number]`, primitive (implicit).
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// `[number]`, constructed.
    pub(crate) const fn constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// One value with its tag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: u8,
    /// The contents.
    pub(crate) value: &'a [u8],
    /// Tag, length and contents.
    pub(crate) whole: &'a [u8],
}

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Reads the one value that `bytes` is: nothing may follow it.
    pub(crate) fn only(bytes: &'a [u8], wanted: u8) -> Parse<Cursor<'a>> {
        let mut cursor = Self(bytes);
        let inner = cursor.enter(wanted)?;
        cursor.end()?;
        Ok(inner)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is left, as bytes.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn end(&self) -> Parse<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err("bytes after the end")
        }
    }

    /// The next value, whatever it is.
    pub(crate) fn any(&mut self) -> Parse<Tlv<'a>> {
        let (&tag, after) = self.0.split_first().ok_or("ends too early")?;
        if tag & 0x1f == 0x1f {
            return Err("a tag number over 30");
        }
        let mut reader = SliceReader::new(after).map_err(|_| "too long")?;
        let length = Length::decode(&mut reader).map_err(|_| "a length not in DER")?;
        let start = usize::try_from(reader.position()).map_err(|_| "too long")?;
        let length = usize::try_from(length).map_err(|_| "too long")?;
        let end = start.checked_add(length).ok_or("too long")?;
        let value = after.get(start..end).ok_or("ends too early")?;
        let (whole, rest) = self.0.split_at_checked(end + 1).ok_or("ends too early")?;
        self.0 = rest;
        Ok(Tlv { tag, value, whole })
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next value, which must have this tag.
    pub(crate) fn take(&mut self, wanted: u8) -> Parse<Tlv<'a>> {
        if self.peek().is_some_and(|found| found != wanted) {
            return Err("another tag than expected");
        }
        self.any()
    }

    /// The next value if it has this tag.
    pub(crate) fn optional(&mut self, wanted: u8) -> Parse<Option<Tlv<'a>>> {
        if self.peek() == Some(wanted) {
            self.any().map(Some)
        } else {
            Ok(None)
        }
    }

    /// A reader over the contents of the next value.
    pub(crate) fn enter(&mut self, wanted: u8) -> Parse<Cursor<'a>> {
        self.take(wanted).map(|tlv| Cursor(tlv.value))
    }

    pub(crate) fn sequence(&mut self) -> Parse<Cursor<'a>> {
        self.enter(tag::SEQUENCE)
    }

    pub(crate) fn oid(&mut self) -> Parse<Oid<'a>> {
        Oid::from_contents(self.take(tag::OID)?.value)
    }

    /// INTEGER contents, checked to be minimal.
    pub(crate) fn integer(&mut self) -> Parse<&'a [u8]> {
        minimal_integer(self.take(tag::INTEGER)?.value)
    }

    /// `BOOLEAN DEFAULT FALSE`: a FALSE that is written down is no DER.
    pub(crate) fn default_false(&mut self) -> Parse<bool> {
        match self.optional(tag::BOOLEAN)? {
            None => Ok(false),
            Some(tlv) => default_false(tlv.value),
        }
    }
}

/// The contents of a `BOOLEAN DEFAULT FALSE` that is there.
pub(crate) fn default_false(value: &[u8]) -> Parse<bool> {
    match value {
        [0xff] => Ok(true),
        [0x00] => Err("a default value written down"),
        _ => Err("a BOOLEAN not in DER"),
    }
}

/// X.690, section 8.3.2: no superfluous leading byte.
pub(crate) fn minimal_integer(value: &[u8]) -> Parse<&[u8]> {
    match value {
        [] => Err("an empty INTEGER"),
        [0x00, next, ..] if next & 0x80 == 0 => Err("an INTEGER not minimal"),
        [0xff, next, ..] if next & 0x80 != 0 => Err("an INTEGER not minimal"),
        _ => Ok(value),
    }
}

/// A non-negative INTEGER; what is over `u32::MAX` is taken as that, since
/// only path lengths, skip counts and the like are read with it.
pub(crate) fn small(value: &[u8]) -> Parse<u32> {
    let value = minimal_integer(value)?;
    if value.first().is_some_and(|top| top & 0x80 != 0) {
        return Err("a negative count");
    }
    let mut sum: u32 = 0;
    for &byte in value {
        sum = match sum.checked_mul(256) {
            Some(shifted) => shifted | u32::from(byte),
            None => return Ok(u32::MAX),
        };
    }
    Ok(sum)
}

/// A BIT STRING of whole bytes.
pub(crate) fn whole_bytes(value: &[u8]) -> Parse<&[u8]> {
    match value.split_first() {
        Some((0, bytes)) => Ok(bytes),
        _ => Err("a BIT STRING with unused bits"),
    }
}

/// Checks the contents of a BIT STRING of any length (X.690, section 11.2.1:
/// unused bits are zero).
pub(crate) fn bit_string(value: &[u8]) -> Parse<()> {
    let (&unused, bytes) = value.split_first().ok_or("an empty BIT STRING")?;
    let last = bytes.last().copied().unwrap_or(0);
    let rest = u32::from(unused);
    if unused > 7 || bytes.is_empty() && unused > 0 || last.trailing_zeros() < rest {
        return Err("a BIT STRING not in DER");
    }
    Ok(())
}

/// A named-bit-list BIT STRING of at most 16 bits (X.690, section 11.2.2: no
/// trailing zero bits). Bit 0 of the standard is the lowest bit here.
pub(crate) fn named_bits(value: &[u8]) -> Parse<u16> {
    let (&unused, bytes) = value.split_first().ok_or("an empty BIT STRING")?;
    let Some(&last) = bytes.last() else {
        return if unused == 0 {
            Ok(0)
        } else {
            Err("a BIT STRING not in DER")
        };
    };
    if unused > 7 || last.trailing_zeros() != u32::from(unused) {
        return Err("a BIT STRING not in DER");
    }
    if bytes.len() > 2 {
        return Err("more named bits than there are");
    }
    let mut bits = 0;
    for (index, byte) in bytes.iter().enumerate() {
        bits |= u16::from(byte.reverse_bits()) << (8 * index);
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ber_is_refused() {
        for bad in [
            &[0x30, 0x80, 0, 0][..],
            &[0x30, 0x81, 1, 5][..],
            &[0x30, 0x82, 0, 1, 5][..],
            &[0x30, 2, 5][..],
            &[0x1f, 0x81, 0, 0][..],
            &[0x30][..],
            &[][..],
        ] {
            assert!(Cursor::new(bad).any().is_err(), "{bad:?}");
        }
        assert!(Cursor::only(&[0x30, 0, 5, 0], tag::SEQUENCE).is_err());
    }

    #[test]
    fn integers_and_bits_are_read_strictly() {
        assert!(minimal_integer(&[]).is_err());
        assert!(minimal_integer(&[0, 1]).is_err());
        assert!(minimal_integer(&[0xff, 0x80]).is_err());
        assert_eq!(small(&[0, 0x80]), Ok(128));
        assert_eq!(small(&[1, 0, 0, 0, 0]), Ok(u32::MAX));
        assert!(small(&[0x80]).is_err());
        assert_eq!(named_bits(&[7, 0x80]), Ok(1));
        assert_eq!(named_bits(&[1, 0x06]), Ok(0b0110_0000));
        assert_eq!(named_bits(&[7, 0x00, 0x80]), Ok(1 << 8));
        assert_eq!(named_bits(&[0]), Ok(0));
        for bad in [
            &[][..],
            &[1][..],
            &[0, 0x80][..],
            &[8, 0x80][..],
            &[7, 0, 0, 0x80][..],
        ] {
            assert!(named_bits(bad).is_err(), "{bad:?}");
        }
    }
}
