//! Writing DER: only what the suite needs.

/// An object identifier's contents.
pub type Oid = &'static [u8];

/// A value with its tag.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    if length < 128 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let skip = length.leading_zeros() as usize / 8;
        out.push(0x80 | (bytes.len() - skip) as u8);
        out.extend(&bytes[skip..]);
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

pub fn oid(oid: &[u8]) -> Vec<u8> {
    tlv(6, &[oid])
}

/// A small non-negative INTEGER.
pub fn integer(value: u32) -> Vec<u8> {
    integer_as(2, value)
}

/// As [`integer`], with another tag.
pub fn integer_as(tag: u8, value: u32) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(3);
    let body = &bytes[start..];
    if body[0] & 0x80 != 0 {
        tlv(tag, &[&[0], body])
    } else {
        tlv(tag, &[body])
    }
}

/// A named-bit list from the numbers of its bits.
pub fn bits(tag: u8, numbers: &[u8]) -> Vec<u8> {
    let Some(last) = numbers.iter().max() else {
        return tlv(tag, &[&[0]]);
    };
    let mut body = vec![0; usize::from(last / 8) + 2];
    body[0] = 7 - last % 8;
    for number in numbers {
        body[usize::from(number / 8) + 1] |= 0x80 >> (number % 8);
    }
    tlv(tag, &[&body])
}

/// A time, as `YYMMDDHHMMSSZ`.
pub fn time(text: &str) -> Vec<u8> {
    tlv(0x17, &[text.as_bytes()])
}

/// One part of a name: a common name as UTF8String.
pub fn rdn(text: &str) -> Vec<u8> {
    let pair = sequence(&[&oid(&[0x55, 4, 3]), &tlv(0x0c, &[text.as_bytes()])]);
    tlv(0x31, &[&pair])
}

/// A name of common names, outermost first, written `A/B`.
pub fn name(text: &str) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = text.split('/').map(rdn).collect();
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    sequence(&parts)
}

/// The same name as [`name`], spelt otherwise: PrintableString, capitals, spaces.
pub fn name_spelt_otherwise(text: &str) -> Vec<u8> {
    let text = format!(" {}", text.to_uppercase().replace(' ', "  "));
    let pair = sequence(&[&oid(&[0x55, 4, 3]), &tlv(0x13, &[text.as_bytes()])]);
    sequence(&[&tlv(0x31, &[&pair])])
}

/// One general name.
pub enum General {
    Dns(&'static str),
    Email(&'static str),
    Uri(&'static str),
    Ip(&'static [u8]),
    Directory(&'static str),
    Registered,
}

impl General {
    pub fn write(&self) -> Vec<u8> {
        match self {
            Self::Email(text) => tlv(0x81, &[text.as_bytes()]),
            Self::Dns(text) => tlv(0x82, &[text.as_bytes()]),
            Self::Directory(text) => tlv(0xa4, &[&name(text)]),
            Self::Uri(text) => tlv(0x86, &[text.as_bytes()]),
            Self::Ip(bytes) => tlv(0x87, &[bytes]),
            Self::Registered => tlv(0x88, &[&[0x88, 0x37, 9]]),
        }
    }
}

fn all(names: &[General]) -> Vec<u8> {
    names.iter().flat_map(General::write).collect()
}

/// An extension: type, whether critical, value.
pub type Extension = (Oid, bool, Vec<u8>);

pub fn extension((id, critical, value): &Extension) -> Vec<u8> {
    let flag: &[u8] = if *critical { &[1, 1, 0xff] } else { &[] };
    sequence(&[&oid(id), flag, &tlv(4, &[value])])
}

pub fn basic_constraints(ca: bool, path_len: Option<u32>) -> Extension {
    let flag: &[u8] = if ca { &[1, 1, 0xff] } else { &[] };
    let limit = path_len.map(integer).unwrap_or_default();
    (&[0x55, 0x1d, 19], true, sequence(&[flag, &limit]))
}

/// keyUsage from the numbers of its bits: 0 digitalSignature, 5 keyCertSign,
/// 6 cRLSign.
pub fn key_usage(numbers: &[u8]) -> Extension {
    (&[0x55, 0x1d, 15], true, bits(3, numbers))
}

pub fn subject_alt_name(names: &[General]) -> Extension {
    (&[0x55, 0x1d, 17], false, sequence(&[&all(names)]))
}

pub fn name_constraints(permitted: &[General], excluded: &[General]) -> Extension {
    let subtrees = |tag, names: &[General]| {
        let list: Vec<u8> = names
            .iter()
            .flat_map(|name| sequence(&[&name.write()]))
            .collect();
        if list.is_empty() {
            list
        } else {
            tlv(tag, &[&list])
        }
    };
    let value = sequence(&[&subtrees(0xa0, permitted), &subtrees(0xa1, excluded)]);
    (&[0x55, 0x1d, 30], true, value)
}

/// A policy of the suite: 2.999.n, and 0 is anyPolicy.
pub fn policy(number: u8) -> Vec<u8> {
    match number {
        0 => oid(&[0x55, 0x1d, 32, 0]),
        _ => oid(&[0x88, 0x37, number]),
    }
}

pub fn policies(numbers: &[u8]) -> Extension {
    let list: Vec<u8> = numbers
        .iter()
        .flat_map(|number| sequence(&[&policy(*number)]))
        .collect();
    (&[0x55, 0x1d, 32], false, sequence(&[&list]))
}

pub fn policy_mappings(pairs: &[(u8, u8)]) -> Extension {
    let list: Vec<u8> = pairs
        .iter()
        .flat_map(|(from, to)| sequence(&[&policy(*from), &policy(*to)]))
        .collect();
    (&[0x55, 0x1d, 33], true, sequence(&[&list]))
}

pub fn policy_constraints(explicit: Option<u32>, mapping: Option<u32>) -> Extension {
    let explicit = explicit
        .map(|skip| integer_as(0x80, skip))
        .unwrap_or_default();
    let mapping = mapping
        .map(|skip| integer_as(0x81, skip))
        .unwrap_or_default();
    (&[0x55, 0x1d, 36], true, sequence(&[&explicit, &mapping]))
}

pub fn inhibit_any_policy(skip: u32) -> Extension {
    (&[0x55, 0x1d, 54], true, integer(skip))
}

/// An extension that nobody knows.
pub fn unknown(critical: bool) -> Extension {
    (&[0x88, 0x37, 99], critical, tlv(5, &[]))
}

/// A distribution point's name.
pub enum Point {
    Full(General),
    Relative(&'static str),
}

impl Point {
    fn write(&self) -> Vec<u8> {
        let inner = match self {
            Self::Full(name) => tlv(0xa0, &[&name.write()]),
            Self::Relative(text) => {
                // IMPLICIT: the SET's contents under the tag.
                tlv(0xa1, &[&rdn(text)[2..]])
            }
        };
        tlv(0xa0, &[&inner])
    }
}

/// A distribution point: its name, its reasons, its signer.
#[derive(Default)]
pub struct At {
    pub name: Option<Point>,
    pub reasons: Option<&'static [u8]>,
    pub signer: Option<&'static str>,
}

pub fn distribution_points(points: &[At]) -> Extension {
    let list: Vec<u8> = points
        .iter()
        .flat_map(|point| {
            let name = point.name.as_ref().map(Point::write).unwrap_or_default();
            let reasons = point
                .reasons
                .map(|reasons| bits(0x81, reasons))
                .unwrap_or_default();
            let signer = point
                .signer
                .map(|signer| tlv(0xa2, &[&General::Directory(signer).write()]))
                .unwrap_or_default();
            sequence(&[&name, &reasons, &signer])
        })
        .collect();
    (&[0x55, 0x1d, 31], false, sequence(&[&list]))
}

/// What a list covers.
#[derive(Default)]
pub struct Scope {
    pub name: Option<Point>,
    pub users: bool,
    pub authorities: bool,
    pub reasons: Option<&'static [u8]>,
    pub indirect: bool,
    pub attributes: bool,
}

pub fn issuing_distribution_point(scope: &Scope) -> Extension {
    let flag = |tag, set| {
        if set {
            tlv(tag, &[&[0xff]])
        } else {
            Vec::new()
        }
    };
    let value = sequence(&[
        &scope.name.as_ref().map(Point::write).unwrap_or_default(),
        &flag(0x81, scope.users),
        &flag(0x82, scope.authorities),
        &scope
            .reasons
            .map(|reasons| bits(0x83, reasons))
            .unwrap_or_default(),
        &flag(0x84, scope.indirect),
        &flag(0x85, scope.attributes),
    ]);
    (&[0x55, 0x1d, 28], true, value)
}

pub fn crl_number(number: u32) -> Extension {
    (&[0x55, 0x1d, 20], false, integer(number))
}

pub fn delta_base(number: u32) -> Extension {
    (&[0x55, 0x1d, 27], true, integer(number))
}

pub fn reason(number: u32) -> Extension {
    (&[0x55, 0x1d, 21], false, integer_as(10, number))
}

pub fn certificate_issuer(issuer: &'static str) -> Extension {
    let value = sequence(&[&General::Directory(issuer).write()]);
    (&[0x55, 0x1d, 29], true, value)
}
