//! Taking URIs apart (RFC 3986), as far as certificates need it.

/// A URI's scheme and, where it has one, its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uri<'a> {
    pub(super) scheme: &'a str,
    pub(super) host: Option<&'a str>,
}

/// Reads an absolute URI; `None` for what is none, and for one with user
/// information, which certifies nothing and misleads readers.
///
/// RFC 5280, section 4.2.1.6: "The name MUST NOT be a relative URI".
pub(super) fn read(text: &str) -> Option<Uri<'_>> {
    let (scheme, rest) = text.split_once(':')?;
    let starts = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if !starts || !scheme.bytes().all(good) || rest.is_empty() || !is_spelt_right(rest) {
        return None;
    }
    let Some(rest) = rest.strip_prefix("//") else {
        return Some(Uri { scheme, host: None });
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    if authority.contains('@') {
        return None;
    }
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split_once(']')?.0,
        None => authority.split(':').next()?,
    };
    let port = authority
        .rsplit_once(':')
        .filter(|_| !authority.ends_with(']'));
    let port_good = port.is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    (!host.is_empty() && port_good).then_some(Uri {
        scheme,
        host: Some(host),
    })
}

/// Whether it has only the letters that RFC 3986 lets stand, and whole
/// percent-encodings.
fn is_spelt_right(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let good = match byte {
            b'%' => (0..2).all(|_| bytes.next().is_some_and(|next| next.is_ascii_hexdigit())),
            _ => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte),
        };
        if !good {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_and_host_are_found() {
        for (text, scheme, host) in [
            ("https://a.example/x?y#z", "https", Some("a.example")),
            ("https://a.example:8443", "https", Some("a.example")),
            ("https://[2001:db8::1]:1/", "https", Some("2001:db8::1")),
            ("urn:uuid:1234", "urn", None),
            ("skms://team/user/a", "skms", Some("team")),
        ] {
            assert_eq!(read(text), Some(Uri { scheme, host }), "{text}");
        }
        for bad in [
            "",
            "/relative",
            "a.example",
            "https:",
            "https://",
            "https:///x",
            "1https://a.example",
            "https://a.example@evil.example/",
            "https://a.example:80x/",
            "https://a.example/ x",
            "https://a.example/%4",
            "https://a.example/\0",
            "https://é.example/",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
