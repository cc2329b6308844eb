//! Distinguished names that own their bytes, and making them from text.

use std::fmt;
use std::str::FromStr;

use crate::certificate::Name;
use crate::error::{Error, In, Result};
use crate::oid::{self, Oid};
use crate::parse::cursor::{Cursor, tag};

use super::der;

/// A distinguished name (RFC 5280, section 4.1.2.4) that owns its DER.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NameBuf(Vec<u8>);

/// An attribute type, how its value is written, and how long it may be.
pub(crate) struct AttributeRow {
    /// As RFC 4514 and common use have it.
    pub(crate) short: &'static str,
    pub(crate) oid: Oid<'static>,
    /// Whether the value is a PrintableString alone, an IA5String alone, or a
    /// DirectoryString.
    pub(crate) tag: u8,
    /// Upper bound in characters (RFC 5280, appendix A.1).
    pub(crate) longest: usize,
}

macro_rules! attributes {
    ($($short:literal $oid:ident $tag:ident $longest:literal;)*) => {
        pub(crate) const ATTRIBUTES: &[AttributeRow] = &[$(AttributeRow {
            short: $short,
            oid: oid::$oid,
            tag: tag::$tag,
            longest: $longest,
        },)*];
    };
}

attributes! {
    "CN" COMMON_NAME UTF8_STRING 64;
    "C" COUNTRY PRINTABLE_STRING 2;
    "ST" STATE UTF8_STRING 128;
    "L" LOCALITY UTF8_STRING 128;
    "STREET" STREET UTF8_STRING 128;
    "POSTALCODE" POSTAL_CODE UTF8_STRING 40;
    "O" ORGANIZATION UTF8_STRING 64;
    "OU" ORGANIZATIONAL_UNIT UTF8_STRING 64;
    "SERIALNUMBER" SERIAL_NUMBER PRINTABLE_STRING 64;
    "SN" SURNAME UTF8_STRING 64;
    "GN" GIVEN_NAME UTF8_STRING 64;
    "TITLE" TITLE UTF8_STRING 64;
    "PSEUDONYM" PSEUDONYM UTF8_STRING 128;
    "DC" DOMAIN_COMPONENT IA5_STRING 63;
    "UID" USER_ID UTF8_STRING 256;
    "emailAddress" EMAIL_ADDRESS IA5_STRING 255;
}

/// The row of an attribute type.
pub(crate) fn attribute_row(kind: Oid<'_>) -> Option<&'static AttributeRow> {
    ATTRIBUTES.iter().find(|row| row.oid == kind)
}

/// X.680, section 41.4: the letters of a PrintableString.
pub(crate) fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

fn malformed(why: &'static str) -> Error {
    Error::Malformed {
        what: "distinguished name",
        why,
    }
}

impl NameBuf {
    /// The name without any parts.
    #[must_use]
    pub fn empty() -> Self {
        Self(der::sequence(&[]))
    }

    /// Reads a name from DER; nothing may follow it.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(der);
        Name::read(&mut cursor)
            .and_then(|_| cursor.end())
            .within("distinguished name")?;
        Ok(Self(der.to_vec()))
    }

    /// A name of one part, the common name.
    ///
    /// # Errors
    /// As [`Self::with`].
    pub fn common_name(text: &str) -> Result<Self> {
        Self::empty().with("CN", text)
    }

    /// The name with one more part at its end: `kind` is a short name of
    /// RFC 4514 and common use (CN, C, ST, L, STREET, POSTALCODE, O, OU,
    /// SERIALNUMBER, SN, GN, TITLE, PSEUDONYM, DC, UID, emailAddress) or an
    /// object identifier in dotted form, whose value becomes a UTF8String.
    ///
    /// # Errors
    /// [`Error::Malformed`] for an unknown kind, and for a value that is empty,
    /// too long (RFC 5280, appendix A.1), has control characters, or letters
    /// that the kind cannot have.
    pub fn with(self, kind: &str, value: &str) -> Result<Self> {
        let row = ATTRIBUTES
            .iter()
            .find(|row| row.short.eq_ignore_ascii_case(kind));
        let (id, value) = match row {
            Some(row) => (der::oid(row.oid), row.value(value)?),
            None => {
                let id: oid::OidBuf = kind
                    .parse()
                    .map_err(|_| malformed("an attribute of unknown kind"))?;
                (der::oid(id.as_oid()), text(value)?)
            }
        };
        let pair = der::sequence(&[&id, &value]);
        let mut parts: Vec<u8> = self.parts().to_vec();
        parts.extend(der::set_of(vec![pair]));
        Self::from_der(&der::sequence(&[&parts]))
    }

    fn parts(&self) -> &[u8] {
        Cursor::only(&self.0, tag::SEQUENCE).map_or(&[], |body| body.rest())
    }

    /// Borrows it.
    #[must_use]
    pub fn as_name(&self) -> Name<'_> {
        Name::read(&mut Cursor::new(&self.0)).expect("read when it was made")
    }

    /// Its DER.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }

    /// Whether it has no parts at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts().is_empty()
    }
}

fn text(value: &str) -> Result<Vec<u8>> {
    if value.is_empty() {
        return Err(malformed("an attribute without a value"));
    }
    if value.chars().any(char::is_control) {
        return Err(malformed("a control character"));
    }
    Ok(der::tlv(tag::UTF8_STRING, &[value.as_bytes()]))
}

impl AttributeRow {
    fn value(&self, value: &str) -> Result<Vec<u8>> {
        if value.chars().count() > self.longest {
            return Err(malformed("an attribute longer than its upper bound"));
        }
        let checked = text(value)?;
        match self.tag {
            tag::PRINTABLE_STRING if !value.bytes().all(is_printable) => {
                Err(malformed("letters that a PrintableString does not have"))
            }
            tag::IA5_STRING if !value.is_ascii() => {
                Err(malformed("letters outside ASCII in an IA5String"))
            }
            tag::UTF8_STRING => Ok(checked),
            tag => Ok(der::tlv(tag, &[value.as_bytes()])),
        }
    }
}

impl From<&Name<'_>> for NameBuf {
    fn from(name: &Name<'_>) -> Self {
        Self(name.as_der().to_vec())
    }
}

impl FromStr for NameBuf {
    type Err = Error;

    /// From `C=DE, O=Example, CN=host`, outermost part first, as [`Name`]
    /// prints it. A backslash takes the next character as it is; each part has
    /// one attribute.
    fn from_str(text: &str) -> Result<Self> {
        let mut name = Self::empty();
        if text.trim().is_empty() {
            return Ok(name);
        }
        for part in split(text)? {
            let (kind, value) = part
                .split_once('=')
                .ok_or_else(|| malformed("a part without an equals sign"))?;
            name = name.with(kind.trim(), value)?;
        }
        Ok(name)
    }
}

/// Splits at commas that are not escaped, takes the escapes away, and the
/// spaces at both ends of each part.
fn split(text: &str) -> Result<Vec<String>> {
    let mut parts = Vec::new();
    let mut part = String::new();
    // Spaces that were escaped stay.
    let mut kept = 0;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                let next = letters.next();
                part.push(next.ok_or_else(|| malformed("a backslash at the end"))?);
                kept = part.len();
            }
            ',' => {
                trim(&mut part, kept);
                parts.push(std::mem::take(&mut part));
                kept = 0;
            }
            ' ' if part.is_empty() => {}
            _ => part.push(letter),
        }
    }
    trim(&mut part, kept);
    parts.push(part);
    Ok(parts)
}

fn trim(part: &mut String, kept: usize) {
    while part.len() > kept && part.ends_with(' ') {
        part.pop();
    }
}

impl fmt::Display for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_name().fmt(f)
    }
}

impl fmt::Debug for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NameBuf({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_both_ways() {
        for text in [
            "C=DE, O=Example GmbH, CN=Root R1",
            "CN=host.example.org",
            "O=Größe, CN=日本",
            "CN=a, emailAddress=a@b.example",
        ] {
            let name: NameBuf = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!(NameBuf::from_der(name.as_der()), Ok(name));
        }
        assert!("".parse::<NameBuf>().unwrap().is_empty());
        let escaped: NameBuf = r"O=A\, B=C\ ,CN=x".parse().unwrap();
        let texts: Vec<_> = escaped
            .as_name()
            .attributes()
            .map(|attribute| attribute.text().unwrap())
            .collect();
        assert_eq!(texts, ["A, B=C ", "x"]);
        let dotted = NameBuf::empty().with("2.5.4.12", "Dr").unwrap();
        assert_eq!(dotted, NameBuf::empty().with("TITLE", "Dr").unwrap());
    }

    #[test]
    fn what_has_no_encoding_is_refused() {
        for bad in [
            "CN", "CN=", "=x", "C=DEU", "C=É", "X9=a", "CN=a\0b", "CN=a,", "CN=a\\", "DC=é",
        ] {
            assert!(bad.parse::<NameBuf>().is_err(), "{bad:?}");
        }
        assert!(NameBuf::common_name(&"x".repeat(65)).is_err());
        assert!(NameBuf::common_name(&"é".repeat(64)).is_ok());
        assert!(NameBuf::from_der(&[0x30, 0, 0]).is_err());
    }
}
