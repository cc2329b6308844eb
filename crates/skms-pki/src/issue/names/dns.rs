//! Domain names that may be certified: ASCII alone, every label a letter-digit-
//! hyphen label or a true A-label that looks like nothing else.

use unicode_normalization::is_nfc;
use unicode_security::confusable_detection::skeleton;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection};

use crate::issue::error::Demand;

use super::punycode;

/// Why a domain name is not certified.
pub(super) type Refused = (Demand, String);

fn syntax<T>(why: &str) -> Result<T, Refused> {
    Err((Demand::NameSyntax, why.to_owned()))
}

fn homograph<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err((Demand::Homograph, why.into()))
}

/// Checks a name without wildcard (RFC 1034, section 3.5; RFC 1123, section
/// 2.1; RFC 5890).
pub(super) fn check(name: &str, international: bool) -> Result<(), Refused> {
    if name.bytes().any(|byte| byte == 0) {
        return syntax("a NUL");
    }
    if !name.is_ascii() {
        //= https://www.rfc-editor.org/rfc/rfc5280#section-7.2
        //# conforming implementations MUST convert internationalized domain
        //# names to the ASCII Compatible Encoding (ACE) format
        return homograph("letters outside ASCII; write A-labels (xn--…)");
    }
    if name.is_empty() || name.len() > 253 {
        return syntax("empty, or longer than 253 letters");
    }
    for label in name.split('.') {
        check_label(label, international)?;
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return syntax("a last label of digits alone: it reads as an address");
    }
    Ok(())
}

fn check_label(label: &str, international: bool) -> Result<(), Refused> {
    if !(1..=63).contains(&label.len()) {
        return syntax("a label that is empty, or longer than 63 letters");
    }
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !label.bytes().all(good) {
        return syntax("a label with other than letters, digits and hyphens");
    }
    if label.starts_with('-') || label.ends_with('-') {
        return syntax("a label with a hyphen at its end");
    }
    if label.get(2..4) != Some("--") {
        return Ok(());
    }
    // RFC 5890, section 2.3.1: `??--` is reserved, and `xn--` the one in use.
    let lower = label.to_ascii_lowercase();
    let Some(code) = lower.strip_prefix("xn--") else {
        return syntax("a label of a reserved kind (??--)");
    };
    if !international {
        return Err((
            Demand::NameScope,
            "an international label, which the profile does not let in".to_owned(),
        ));
    }
    check_a_label(code)
}

/// Whether what follows `xn--` stands for a label that nobody mistakes.
fn check_a_label(code: &str) -> Result<(), Refused> {
    let Some(text) = punycode::decode(code) else {
        return syntax("an A-label that is no Punycode");
    };
    //= https://www.rfc-editor.org/rfc/rfc5891#section-4.2
    //# ... the label string must be in Unicode Normalization Form C
    let canonical = punycode::encode(&text).as_deref() == Some(code)
        && !text.is_ascii()
        && is_nfc(&text)
        && text.chars().all(lower_case);
    if !canonical {
        return syntax("an A-label that is not the one form of its letters");
    }
    let allowed = |letter: char| {
        letter == '-' || letter.is_alphanumeric() || is_mark(letter) || letter == '·'
    };
    if let Some(odd) = text.chars().find(|letter| !allowed(*letter)) {
        return syntax(&format!("an A-label with U+{:04X}", u32::from(odd)));
    }
    if text.chars().next().is_some_and(is_mark) {
        return syntax("an A-label that begins with a combining mark");
    }
    if text.as_str().detect_restriction_level() > RestrictionLevel::HighlyRestrictive {
        return homograph(format!("the label {text} mixes scripts"));
    }
    if skeleton(&text).all(|letter| letter.is_ascii()) {
        let look: String = skeleton(&text).collect();
        return homograph(format!("the label {text} looks like {look}"));
    }
    Ok(())
}

fn lower_case(letter: char) -> bool {
    letter.to_lowercase().eq([letter])
}

/// Letters that only stand on others: what is alphanumeric to nobody and has a
/// combining class, or is one of the marks of Indic and South-East Asian scripts.
fn is_mark(letter: char) -> bool {
    unicode_normalization::char::is_combining_mark(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_label(text: &str) -> String {
        format!("xn--{}", punycode::encode(text).unwrap())
    }

    #[test]
    fn ordinary_and_international_names_pass() {
        for name in [
            "example.org",
            "A-1.example.org",
            "localhost",
            "xn--bcher-kva.example",
        ] {
            assert_eq!(check(name, true), Ok(()), "{name}");
        }
        for text in [
            "münchen",
            "例え",
            "россия",
            "ελλάδα",
            "한국어",
            "भारत",
            "مثال",
        ] {
            assert_eq!(check(&a_label(text), true), Ok(()), "{text}");
        }
        assert_eq!(
            check("xn--bcher-kva.example", false).unwrap_err().0,
            Demand::NameScope
        );
    }

    #[test]
    fn names_that_are_none_are_refused() {
        let long = format!("{}.example", "a".repeat(64));
        let endless = "a.".repeat(130);
        for name in [
            "",
            ".",
            "a..b",
            ".example.org",
            "example.org.",
            "exa mple.org",
            "example.org\0.evil.test",
            "a_b.example",
            "-a.example",
            "a-.example",
            "192.0.2.1",
            "a.1",
            "ab--cd.example",
            "xn--.example",
            "xn--a.example",
            "xn--bcher-kvaa!.example",
            "*.example.org",
            long.as_str(),
            endless.as_str(),
        ] {
            assert_eq!(
                check(name, true).unwrap_err().0,
                Demand::NameSyntax,
                "{name:?}"
            );
        }
        // Not the one form: capitals, decomposed, invisible, a mark in front.
        for text in [
            "MÜNCHEN",
            "mu\u{308}nchen",
            "mün\u{200b}chen",
            "\u{301}é",
            "☃",
        ] {
            assert_eq!(
                check(&a_label(text), true).unwrap_err().0,
                Demand::NameSyntax,
                "{text:?}"
            );
        }
    }

    #[test]
    fn look_alikes_are_refused() {
        // Cyrillic а; all of "apple" in Cyrillic; Greek omicron; fullwidth dot.
        for name in [
            a_label("pаypal"),
            a_label("аррӏе"),
            a_label("gοοgle"),
            "bücher.example".to_owned(),
            "exаmple.org".to_owned(),
        ] {
            assert_eq!(
                check(&name, true).unwrap_err().0,
                Demand::Homograph,
                "{name}"
            );
        }
    }
}
