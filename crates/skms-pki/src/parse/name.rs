//! Distinguished names (RFC 5280, sections 4.1.2.4 and 7.1).

use std::fmt;

use crate::error::Parse;
use crate::oid::{self, Oid};

use super::cursor::{Cursor, Tlv, tag};

/// The most attributes that one relative distinguished name may have: they are
/// compared each with each.
const MAX_ATTRIBUTES: usize = 32;

/// A distinguished name, borrowed from its DER.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    whole: &'a [u8],
    rdns: &'a [u8],
    weight: u32,
}

/// One attribute of a name.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> {
    /// Its type, `id-at-commonName` for instance.
    pub kind: Oid<'a>,
    tag: u8,
    value: &'a [u8],
}

impl<'a> Name<'a> {
    /// Reads a name and checks its structure and its strings.
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Parse<Self> {
        let tlv = cursor.take(tag::SEQUENCE)?;
        let mut rdns = Cursor::new(tlv.value);
        // Parts of several attributes are compared each with each.
        let mut bytes = 0_usize;
        while !rdns.is_empty() {
            let set = rdns.enter(tag::SET)?;
            let length = set.rest().len();
            bytes = bytes.saturating_add(length.saturating_mul(read_rdn(set)?));
        }
        Ok(Self {
            whole: tlv.whole,
            rdns: tlv.value,
            weight: u32::try_from(bytes / 64).unwrap_or(u32::MAX),
        })
    }

    /// Its DER encoding.
    #[must_use]
    pub fn as_der(&self) -> &'a [u8] {
        self.whole
    }

    /// Whether it has no parts at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// The contents of its relative distinguished names, outermost first.
    pub(crate) fn rdns(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut cursor = Cursor::new(self.rdns);
        std::iter::from_fn(move || cursor.any().ok().map(|tlv| tlv.value))
    }

    /// All its attributes, outermost first.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        self.rdns().flat_map(attributes)
    }

    /// Whether two names are one, by the rules of RFC 5280, section 7.1:
    /// letter case, runs of spaces and the kind of string do not matter.
    /// Letters outside ASCII are folded by Unicode's simple lower case; no
    /// normalisation (NFKC) is done.
    #[must_use]
    pub fn matches(&self, other: &Name<'_>) -> bool {
        if self.rdns == other.rdns {
            return true;
        }
        let (mut left, mut right) = (self.rdns(), other.rdns());
        loop {
            match (left.next(), right.next()) {
                (None, None) => return true,
                (Some(left), Some(right)) if same_rdn(left, right) => {}
                _ => return false,
            }
        }
    }

    /// Whether this name lies in the subtree below `base`: it begins with all
    /// of `base`'s parts.
    #[must_use]
    pub fn is_within(&self, base: &Name<'_>) -> bool {
        let mut own = self.rdns();
        base.rdns()
            .all(|part| own.next().is_some_and(|own| same_rdn(own, part)))
    }

    /// How many steps it may take to compare with this name, a step being 64
    /// bytes looked at.
    pub(crate) fn weight(&self) -> u64 {
        1 + u64::from(self.weight)
    }

    /// Whether this name is `base` with the one relative name `last` added.
    pub(crate) fn is_extension_of(&self, base: &Name<'_>, last: &[u8]) -> bool {
        let mut own = self.rdns();
        base.rdns()
            .all(|part| own.next().is_some_and(|own| same_rdn(own, part)))
            && own.next().is_some_and(|own| same_rdn(own, last))
            && own.next().is_none()
    }
}

/// Reads the contents of a relative distinguished name; gives how many
/// attributes it has.
pub(crate) fn read_rdn(mut set: Cursor<'_>) -> Parse<usize> {
    if set.is_empty() {
        return Err("an empty part of a name");
    }
    let mut count = 0;
    while !set.is_empty() {
        let mut pair = set.sequence()?;
        pair.oid()?;
        check_value(pair.any()?)?;
        pair.end()?;
        count += 1;
        if count > MAX_ATTRIBUTES {
            return Err("too many attributes in one part of a name");
        }
    }
    Ok(count)
}

pub(crate) fn attributes<'a>(rdn: &'a [u8]) -> impl Iterator<Item = Attribute<'a>> {
    let mut cursor = Cursor::new(rdn);
    std::iter::from_fn(move || {
        let mut pair = cursor.sequence().ok()?;
        let kind = pair.oid().ok()?;
        let Tlv { tag, value, .. } = pair.any().ok()?;
        Some(Attribute { kind, tag, value })
    })
}

const fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

/// Strings must be what their type says, have no NUL and no other control
/// byte, and not be empty. The letters of a PrintableString are not held to
/// its small set: authorities have written `*`, `@`, `&` and `_` for decades.
fn check_value(tlv: Tlv<'_>) -> Parse<()> {
    let value = tlv.value;
    match tlv.tag {
        tag::PRINTABLE_STRING | tag::IA5_STRING | tag::VISIBLE_STRING => {
            if !value.is_ascii() {
                return Err("a string of ASCII with other bytes");
            }
        }
        tag::UTF8_STRING => {
            std::str::from_utf8(value).map_err(|_| "a UTF8String that is none")?;
        }
        tag::TELETEX_STRING => {}
        tag::BMP_STRING | tag::UNIVERSAL_STRING => {
            let width = if tlv.tag == tag::BMP_STRING { 2 } else { 4 };
            if !value.len().is_multiple_of(width) {
                return Err("a wide string of a wrong length");
            }
            if Text::new(tlv.tag, value).any(|letter| letter.is_none_or(char::is_control)) {
                return Err("a control or no character in a name");
            }
            return not_empty(value);
        }
        // Anything else is a value of its own kind and compared as bytes.
        _ => return Ok(()),
    }
    if value.iter().copied().any(is_control) {
        return Err("a control character in a name");
    }
    not_empty(value)
}

fn not_empty(value: &[u8]) -> Parse<()> {
    //= https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.4
    //# printableString         PrintableString (SIZE (1..MAX)),
    if value.is_empty() {
        Err("an empty string in a name")
    } else {
        Ok(())
    }
}

/// The characters of a string, `None` for what is none.
struct Text<'a> {
    tag: u8,
    rest: &'a [u8],
}

impl<'a> Text<'a> {
    fn new(tag: u8, rest: &'a [u8]) -> Self {
        Self { tag, rest }
    }
}

impl Iterator for Text<'_> {
    type Item = Option<char>;

    fn next(&mut self) -> Option<Option<char>> {
        match self.tag {
            tag::BMP_STRING => {
                let (unit, rest) = self.rest.split_first_chunk()?;
                self.rest = rest;
                Some(char::from_u32(u32::from(u16::from_be_bytes(*unit))))
            }
            tag::UNIVERSAL_STRING => {
                let (unit, rest) = self.rest.split_first_chunk()?;
                self.rest = rest;
                Some(char::from_u32(u32::from_be_bytes(*unit)))
            }
            tag::UTF8_STRING => {
                // One letter at a time, so that a long name takes no longer a
                // letter than a short one.
                let length = match self.rest.first()? {
                    0..=0x7f => 1,
                    0x80..=0xdf => 2,
                    0xe0..=0xef => 3,
                    0xf0.. => 4,
                };
                let (letter, rest) = self.rest.split_at_checked(length)?;
                self.rest = rest;
                std::str::from_utf8(letter).ok()?.chars().next().map(Some)
            }
            _ => {
                let (&byte, rest) = self.rest.split_first()?;
                self.rest = rest;
                Some(Some(char::from(byte)))
            }
        }
    }
}

const fn folds(tag: u8) -> bool {
    matches!(
        tag,
        tag::PRINTABLE_STRING
            | tag::UTF8_STRING
            | tag::IA5_STRING
            | tag::BMP_STRING
            | tag::UNIVERSAL_STRING
    )
}

/// A string as it is compared: lower case, no spaces at either end, one space
/// for each run inside.
fn folded(tag: u8, value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    let mut push = |letter: char| {
        if letter == ' ' {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else {
            out.extend(letter.to_lowercase());
        }
    };
    match (tag, std::str::from_utf8(value)) {
        (tag::UTF8_STRING, Ok(text)) => text.chars().for_each(&mut push),
        _ => Text::new(tag, value).flatten().for_each(&mut push),
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
}

/// `folded` for strings of one byte a character, without the copy.
fn same_ascii(left: &[u8], right: &[u8]) -> bool {
    fn next(rest: &mut &[u8]) -> Option<u8> {
        let (&byte, tail) = rest.split_first()?;
        *rest = if byte == b' ' {
            tail.trim_ascii_start()
        } else {
            tail
        };
        Some(byte.to_ascii_lowercase())
    }
    let (mut left, mut right) = (left.trim_ascii(), right.trim_ascii());
    loop {
        match (next(&mut left), next(&mut right)) {
            (None, None) => return true,
            (left, right) if left == right => {}
            _ => return false,
        }
    }
}

fn same_value(left: &Attribute<'_>, right: &Attribute<'_>) -> bool {
    if left.tag == right.tag && left.value == right.value {
        return true;
    }
    if !folds(left.tag) || !folds(right.tag) {
        return false;
    }
    // What is no text is like nothing but itself.
    let is_text =
        |one: &Attribute<'_>| one.tag != tag::UTF8_STRING || std::str::from_utf8(one.value).is_ok();
    if !is_text(left) || !is_text(right) {
        return false;
    }
    let narrow = |tag| !matches!(tag, tag::BMP_STRING | tag::UNIVERSAL_STRING);
    if narrow(left.tag) && narrow(right.tag) && left.value.is_ascii() && right.value.is_ascii() {
        return same_ascii(left.value, right.value);
    }
    folded(left.tag, left.value) == folded(right.tag, right.value)
}

/// Whether two relative distinguished names have the same attributes, in
/// whatever order.
pub(crate) fn same_rdn(left: &[u8], right: &[u8]) -> bool {
    if left == right {
        return true;
    }
    let has = |rdn, wanted: &Attribute<'_>| {
        attributes(rdn).any(|found| found.kind == wanted.kind && same_value(&found, wanted))
    };
    attributes(left).count() == attributes(right).count()
        && attributes(left).all(|attribute| has(right, &attribute))
        && attributes(right).all(|attribute| has(left, &attribute))
}

impl<'a> Attribute<'a> {
    /// The tag and the contents of its value.
    pub(crate) fn raw(&self) -> (u8, &'a [u8]) {
        (self.tag, self.value)
    }

    /// Its value as text, where it is a string.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        if self.tag == tag::UTF8_STRING {
            return std::str::from_utf8(self.value).ok().map(str::to_owned);
        }
        let known =
            folds(self.tag) || matches!(self.tag, tag::VISIBLE_STRING | tag::TELETEX_STRING);
        known.then(|| Text::new(self.tag, self.value).flatten().collect())
    }

    /// Its value, if it is a string of ASCII.
    pub(crate) fn ascii(&self) -> Option<&'a str> {
        let plain = matches!(
            self.tag,
            tag::IA5_STRING | tag::PRINTABLE_STRING | tag::UTF8_STRING
        );
        std::str::from_utf8(self.value)
            .ok()
            .filter(|text| plain && text.is_ascii())
    }
}

impl fmt::Display for Name<'_> {
    /// Roughly as RFC 4514 writes it, outermost part first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for attribute in self.attributes() {
            f.write_str(separator)?;
            separator = ", ";
            match attribute.kind.as_bytes() {
                [0x55, 4, 3] => f.write_str("CN")?,
                [0x55, 4, 6] => f.write_str("C")?,
                [0x55, 4, 7] => f.write_str("L")?,
                [0x55, 4, 8] => f.write_str("ST")?,
                [0x55, 4, 10] => f.write_str("O")?,
                [0x55, 4, 11] => f.write_str("OU")?,
                _ if attribute.kind == oid::EMAIL_ADDRESS => f.write_str("emailAddress")?,
                _ => write!(f, "{}", attribute.kind)?,
            }
            match attribute.text() {
                Some(text) => write!(f, "={}", text.escape_debug())?,
                None => write!(f, "=#{:02x?}", attribute.value)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(tag: u8, value: &[u8]) -> Vec<u8> {
        let mut inner = vec![6, 3, 0x55, 4, 3, tag, value.len() as u8];
        inner.extend_from_slice(value);
        let mut out = vec![0x30, inner.len() as u8];
        out.extend(inner);
        out
    }

    fn name(rdns: &[&[(u8, &[u8])]]) -> Vec<u8> {
        let mut body = Vec::new();
        for rdn in rdns {
            let set: Vec<u8> = rdn
                .iter()
                .flat_map(|(tag, value)| attribute(*tag, value))
                .collect();
            body.extend([0x31, set.len() as u8]);
            body.extend(set);
        }
        let mut out = vec![0x30, body.len() as u8];
        out.extend(body);
        out
    }

    fn read(der: &[u8]) -> Parse<Name<'_>> {
        Name::read(&mut Cursor::new(der))
    }

    fn same(left: (u8, &[u8]), right: (u8, &[u8])) -> bool {
        let (left, right) = (name(&[&[left]]), name(&[&[right]]));
        read(&left).unwrap().matches(&read(&right).unwrap())
    }

    #[test]
    fn case_spaces_and_string_types_do_not_matter() {
        assert!(same((0x13, b"Good  CA"), (0x0c, b" good ca ")));
        assert!(same((0x1e, b"\0g\0o"), (0x13, b"GO")));
        assert!(same((0x0c, "É".as_bytes()), (0x0c, "é".as_bytes())));
        assert!(same((0x0c, "aé€😀".as_bytes()), (0x0c, "AÉ€😀".as_bytes())));
        assert!(!same((0x0c, "é€".as_bytes()), (0x0c, "é".as_bytes())));
        assert!(same((0x1c, b"\0\0\0a"), (0x16, b"A")));
        assert!(!same((0x13, b"good ca"), (0x13, b"goodca")));
        assert!(!same((0x13, b"good ca x"), (0x13, b"good ca")));
        // A TeletexString means whatever its maker meant: bytes only.
        assert!(same((0x14, b"a"), (0x14, b"a")));
        assert!(!same((0x14, b"a"), (0x13, b"a")));
    }

    #[test]
    fn attributes_of_one_part_are_a_set() {
        let a: (u8, &[u8]) = (0x13, b"a");
        let b: (u8, &[u8]) = (0x13, b"b");
        let (ab, ba, aa) = (name(&[&[a, b]]), name(&[&[b, a]]), name(&[&[a, a]]));
        let parts = name(&[&[a], &[b]]);
        assert!(read(&ab).unwrap().matches(&read(&ba).unwrap()));
        assert!(!read(&ab).unwrap().matches(&read(&aa).unwrap()));
        assert!(!read(&aa).unwrap().matches(&read(&ab).unwrap()));
        assert!(!read(&ab).unwrap().matches(&read(&parts).unwrap()));
    }

    #[test]
    fn subtrees_are_prefixes_of_whole_parts() {
        let a: (u8, &[u8]) = (0x13, b"a");
        let b: (u8, &[u8]) = (0x13, b"b");
        let (short, long, none) = (name(&[&[a]]), name(&[&[a], &[b]]), name(&[]));
        let (short, long, none) = (
            read(&short).unwrap(),
            read(&long).unwrap(),
            read(&none).unwrap(),
        );
        assert!(long.is_within(&short) && long.is_within(&long) && long.is_within(&none));
        assert!(!short.is_within(&long));
        assert!(none.is_empty());
    }

    #[test]
    fn bad_strings_are_refused() {
        for (tag, value) in [
            (0x13, &b"a\0b"[..]),
            (0x0c, b"a\x07"),
            (0x0c, b"\xff"),
            (0x13, b"\xe9"),
            (0x14, b"a\0"),
            (0x1e, b"\0a\0"),
            (0x1e, b"\xd8\0"),
            (0x1e, b"\0\0"),
            (0x13, b""),
        ] {
            assert!(
                read(&name(&[&[(tag, value)]])).is_err(),
                "{tag:x} {value:?}"
            );
        }
        assert!(read(&name(&[&[]])).is_err());
    }
}
