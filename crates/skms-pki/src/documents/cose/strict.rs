//! What a COSE_Sign1 may look like before anything of it is built: CBOR in the
//! preferred serialisation (RFC 8949, section 4.1) and of definite lengths, so
//! that one message has one form, within limits that bound the memory which
//! its reading takes.

use ciborium_ll::{Decoder, Encoder, Header, simple, tag};

use crate::error::Parse;

/// The most data items of a message, those of the protected header included.
const MAX_ITEMS: usize = 1024;

/// How deep items of a header may lie in each other.
const MAX_DEPTH: usize = 8;

/// CBOR tag of COSE_Sign1 (RFC 9052, section 2).
const SIGN1: u64 = 18;

/// Looks through a tagged COSE_Sign1.
pub(super) fn sign1(bytes: &[u8]) -> Parse<()> {
    let mut walk = Walk {
        rest: bytes,
        items: 0,
    };
    if walk.head()? != Header::Tag(SIGN1) || walk.head()? != Header::Array(Some(4)) {
        return Err("not a tagged array of four");
    }
    let protected = walk.bytes()?;
    walk.item(0)?;
    match walk.head()? {
        Header::Bytes(Some(length)) => walk.skip(length).map(drop)?,
        Header::Simple(simple::NULL) => {}
        _ => return Err("a payload that is neither bytes nor nil"),
    }
    walk.bytes()?;
    if !walk.rest.is_empty() {
        return Err("something after it");
    }
    if protected.is_empty() {
        return Ok(());
    }
    walk.rest = protected;
    walk.item(0)?;
    match walk.rest.is_empty() {
        true => Ok(()),
        false => Err("something after the protected header"),
    }
}

struct Walk<'a> {
    rest: &'a [u8],
    items: usize,
}

impl<'a> Walk<'a> {
    /// The head of the next item.
    fn head(&mut self) -> Parse<Header> {
        self.items += 1;
        if self.items > MAX_ITEMS {
            return Err("too many items");
        }
        let mut decoder = Decoder::from(self.rest);
        let head = decoder.pull().map_err(|_| "cut off, or no CBOR")?;
        let read = self.skip(decoder.offset())?;
        let mut shortest = Vec::with_capacity(read.len());
        let written = Encoder::from(&mut shortest).push(head).is_ok();
        match written && shortest == read {
            true => Ok(head),
            false => Err("a number or length in a longer form than needed"),
        }
    }

    fn skip(&mut self, length: usize) -> Parse<&'a [u8]> {
        let (skipped, rest) = self.rest.split_at_checked(length).ok_or("cut off")?;
        self.rest = rest;
        Ok(skipped)
    }

    /// A byte string.
    fn bytes(&mut self) -> Parse<&'a [u8]> {
        match self.head()? {
            Header::Bytes(Some(length)) => self.skip(length),
            _ => Err("something else than bytes"),
        }
    }

    /// Any item.
    fn item(&mut self, depth: usize) -> Parse<()> {
        if depth > MAX_DEPTH {
            return Err("too deep");
        }
        let within = match self.head()? {
            Header::Positive(_) | Header::Negative(_) | Header::Float(_) | Header::Simple(_) => 0,
            Header::Bytes(Some(length)) => self.skip(length).map(|_| 0)?,
            Header::Text(Some(length)) => {
                let text = self.skip(length)?;
                std::str::from_utf8(text).map_or(Err("text that is no UTF-8"), |_| Ok(0))?
            }
            // Big numbers have forms of their own to be told apart, and no
            // header that is known has any.
            Header::Tag(tag::BIGPOS | tag::BIGNEG) => return Err("a big number"),
            Header::Tag(_) => 1,
            Header::Array(Some(length)) => length,
            Header::Map(Some(length)) => length.saturating_mul(2),
            _ => return Err("an indefinite length"),
        };
        // As many as it says it has: the limits end it where it lies.
        (0..within).try_for_each(|_| self.item(depth + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with this unprotected header.
    fn with(header: &[u8]) -> Vec<u8> {
        [&[0xd2, 0x84, 0x40][..], header, &[0x41, b'x', 0x40]].concat()
    }

    #[test]
    fn one_form_alone_is_taken() {
        assert_eq!(sign1(&with(&[0xa0])), Ok(()));
        assert_eq!(sign1(&with(&[0xa1, 0x04, 0x41, 7])), Ok(()));
        // Longer numbers and lengths, simple values and floats.
        for longer in [
            &[0xb8, 0][..],
            &[0xa1, 0x18, 4, 0x41, 7],
            &[0xa1, 0x04, 0x58, 1, 7],
            &[0xa1, 0x08, 0xf8, 20],
            &[0xa1, 0x08, 0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0],
        ] {
            let why = "a number or length in a longer form than needed";
            assert_eq!(sign1(&with(longer)), Err(why), "{longer:x?}");
        }
        for indefinite in [
            &[0xbf, 0xff][..],
            &[0xa1, 0x08, 0x9f, 0xff],
            &[0xa1, 0x08, 0x5f, 0x41, 7, 0xff],
            &[0xa1, 0x08, 0x7f, 0x61, b'x', 0xff],
        ] {
            let why = "an indefinite length";
            assert_eq!(sign1(&with(indefinite)), Err(why), "{indefinite:x?}");
        }
        let big = [0xa1, 0x08, 0xc2, 0x41, 7];
        assert_eq!(sign1(&with(&big)), Err("a big number"));
        let text = [0xa1, 0x08, 0x61, 0xff];
        assert_eq!(sign1(&with(&text)), Err("text that is no UTF-8"));
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = |arrays: usize| {
            let arrays = vec![0x81; arrays];
            with(&[&[0xa1, 0x08][..], &arrays, &[0]].concat())
        };
        assert_eq!(sign1(&deep(MAX_DEPTH - 1)), Ok(()));
        assert_eq!(sign1(&deep(MAX_DEPTH)), Err("too deep"));
        assert_eq!(sign1(&deep(100_000)), Err("too deep"));
        // Tag, array, four, label, array: the items that are not in the array.
        let many = |items: u16| {
            let [high, low] = items.to_be_bytes();
            let head = [0xa1, 0x08, 0x99, high, low];
            with(&[&head[..], &vec![0; items.into()]].concat())
        };
        let most = u16::try_from(MAX_ITEMS).unwrap() - 8;
        assert_eq!(sign1(&many(most)), Ok(()));
        assert_eq!(sign1(&many(most + 1)), Err("too many items"));
        // A length that nothing stands behind.
        let huge = [
            0xa1, 0x08, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ];
        assert!(sign1(&with(&huge)).is_err());
        let huge = [
            0xa1, 0x08, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ];
        assert_eq!(sign1(&with(&huge)), Err("cut off"));
    }

    #[test]
    fn what_is_no_sign1_is_refused() {
        let good = with(&[0xa0]);
        let untagged = &good[1..];
        let other_tag = [&[0xd1][..], untagged].concat();
        let three = [&[0xd2, 0x83][..], &good[2..good.len() - 1]].concat();
        let more = [&good[..], &[0]].concat();
        for bad in [untagged, &other_tag, &three, &more, &[]] {
            assert!(sign1(bad).is_err(), "{bad:x?}");
        }
        for length in 0..good.len() {
            assert!(sign1(&good[..length]).is_err());
        }
        // The protected header is looked into too.
        let protected = |inside: &[u8]| {
            let head = [0xd2, 0x84, 0x40 + u8::try_from(inside.len()).unwrap()];
            [&head[..], inside, &[0xa0, 0xf6, 0x40]].concat()
        };
        assert_eq!(sign1(&protected(&[0xa1, 1, 0x26])), Ok(()));
        assert!(sign1(&protected(&[0xa1, 1, 0x38, 6])).is_err());
        assert!(sign1(&protected(&[0xa1, 1, 0x26, 0])).is_err());
        assert!(sign1(&protected(&[0xbf, 1, 0x26, 0xff])).is_err());
    }
}
