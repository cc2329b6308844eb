//! The `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header).
//!
//! The draft writes the key as a string of Structured Fields (RFC 9651,
//! section 3.3.3), in quotes; most clients send it bare. Both are read.

/// The longest key, in characters.
pub const KEY_MAX: usize = 255;

/// The key in a header's value; `None` when it is not 1 to 255 printable
/// ASCII characters, bare or as a quoted string.
pub fn key(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    let key = match text.strip_prefix('"') {
        Some(rest) => unquoted(rest)?,
        None => text.to_owned(),
    };
    let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    (printable && (1..=KEY_MAX).contains(&key.len())).then_some(key)
}

/// What stands before the closing quote, which ends the text.
fn unquoted(rest: &str) -> Option<String> {
    let mut key = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return characters.as_str().is_empty().then_some(key),
            '\\' => match characters.next()? {
                escaped @ ('"' | '\\') => key.push(escaped),
                _ => return None,
            },
            plain => key.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_and_quoted_keys_are_the_same() {
        assert_eq!(key(b"8e03978e-40d5"), Some("8e03978e-40d5".into()));
        assert_eq!(key(b"\"8e03978e-40d5\""), Some("8e03978e-40d5".into()));
        assert_eq!(key(br#""a\"b\\c""#), Some(r#"a"b\c"#.into()));
        assert_eq!(key(&[b'a'; KEY_MAX]).map(|key| key.len()), Some(KEY_MAX));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bad in [
            &b""[..],
            b"  ",
            b"\"\"",
            b"\"open",
            b"\"a\"b",
            br#""a\n""#,
            "k\u{fc}rzer".as_bytes(),
            b"\xff",
            b"a\x7f",
            b"a\tb",
            &[b'a'; KEY_MAX + 1],
        ] {
            assert_eq!(key(bad), None, "{bad:?}");
        }
    }
}
