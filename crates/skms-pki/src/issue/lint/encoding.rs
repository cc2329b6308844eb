//! What the reader lets pass for old certificates' sake, and what is not
//! written anew: odd strings in names, defaults written down.

use crate::certificate::{Attribute, Certificate, Form, GeneralName, Name};
use crate::issue::name::{attribute_row, is_printable};
use crate::oid;
use crate::parse::cursor::{Cursor, tag};

use super::{Findings, Lint};

pub(super) fn check(read: &Certificate<'_>, findings: &mut Findings) {
    // An authority's own name stays as it was first written: RFC 5280, section
    // 4.1.2.6, wants it byte by byte where it issues.
    if !read.is_ca() {
        for attribute in read.subject().attributes() {
            strings(&attribute, findings);
        }
    }
    order(read.subject(), findings);
    if let Some(names) = read.extensions().subject_alt_name {
        for name in names.iter().filter(|name| name.form() == Form::Directory) {
            if let GeneralName::Directory(name) = name {
                for attribute in name.attributes() {
                    strings(&attribute, findings);
                }
                order(&name, findings);
            }
        }
    }
    defaults(read, findings);
}

/// Tags and letters of one attribute.
fn strings(attribute: &Attribute<'_>, findings: &mut Findings) {
    let (tag, value) = attribute.raw();
    let row = attribute_row(attribute.kind);
    //= https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.4
    //# CAs conforming to this profile MUST use either the PrintableString or
    //# UTF8String encoding of DirectoryString
    let allowed: &[u8] = match row.map(|row| row.tag) {
        Some(tag::IA5_STRING) => &[tag::IA5_STRING],
        Some(tag::PRINTABLE_STRING) => &[tag::PRINTABLE_STRING],
        Some(_) => &[tag::UTF8_STRING, tag::PRINTABLE_STRING],
        // Of a type nobody here knows: whatever its standard says.
        None => return,
    };
    let kind = attribute.kind;
    if !allowed.contains(&tag) {
        findings.add(
            Lint::NameString,
            format!("{kind} is a string of tag {tag:#04x}"),
        );
    }
    if tag == tag::PRINTABLE_STRING && !value.iter().copied().all(is_printable) {
        findings.add(
            Lint::NameString,
            format!("{kind} has letters that a PrintableString has not"),
        );
    }
    let letters = attribute
        .text()
        .map_or(value.len(), |text| text.chars().count());
    if let Some(row) = row
        && letters > row.longest
    {
        findings.add(
            Lint::NameLength,
            format!(
                "{} has {letters} letters, at most {}",
                row.short, row.longest
            ),
        );
    }
    if kind == oid::COUNTRY && !(letters == 2 && value.iter().all(u8::is_ascii_uppercase)) {
        findings.add(Lint::NameString, "a country that is not two capitals");
    }
}

/// X.690, section 11.6: the components of a SET OF are in ascending order.
fn order(name: &Name<'_>, findings: &mut Findings) {
    for part in name.rdns() {
        let mut cursor = Cursor::new(part);
        let mut last: &[u8] = &[];
        while let Ok(pair) = cursor.any() {
            if pair.whole < last {
                findings.add(Lint::NameOrder, "attributes of a part are out of order");
            }
            last = pair.whole;
        }
    }
}

fn defaults(read: &Certificate<'_>, findings: &mut Findings) {
    let constraints = read
        .extensions()
        .iter()
        .find(|one| one.id == oid::BASIC_CONSTRAINTS);
    let written_down = constraints.is_some_and(|one| {
        let body = Cursor::only(one.value, tag::SEQUENCE);
        body.is_ok_and(|body| body.rest().starts_with(&[tag::BOOLEAN, 1, 0]))
    });
    findings.when(
        written_down,
        Lint::DefaultValue,
        "basicConstraints with cA FALSE written down",
    );
}
