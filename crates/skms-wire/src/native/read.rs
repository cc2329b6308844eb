//! Reading bodies and query strings strictly, with messages that say what to
//! mend and repeat nothing of what was sent: it may be a secret in the wrong
//! place.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Error, Result};

/// A body as the message `T`.
///
/// # Errors
/// [`Error::Message`] for what is not one JSON object, and for members that
/// are missing, unknown, repeated or of the wrong form.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    // The parser would take an array for a message, by the order of fields.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Error::Message("the body is not a JSON object".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| Error::Message(without_values(&error.to_string())))
}

/// The members of a query string as the message `T`. Digits are a number,
/// except in a cursor and in a name.
///
/// # Errors
/// [`Error::Message`] for what is not percent-encoded UTF-8, and for members
/// that are unknown, repeated or of the wrong form.
pub fn query<T: DeserializeOwned>(text: &str) -> Result<T> {
    let mut members = Map::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        let value = match value.parse::<u64>() {
            Ok(number) if !TEXTS.contains(&name.as_str()) => Value::from(number),
            _ => Value::from(value),
        };
        if members.insert(name, value).is_some() {
            return Err(Error::Message(
                "a member of the query is given twice".to_owned(),
            ));
        }
    }
    serde_json::from_value(Value::Object(members)).map_err(|error| {
        let said = without_values(&error.to_string());
        Error::Message(format!("query: {said}"))
    })
}

/// The members that are texts even if they are all digits.
const TEXTS: [&str; 2] = ["after", "target"];

/// Percent-decoding, with `+` for a space.
fn decode(text: &str) -> Result<String> {
    let bad = || Error::Message("the query is not percent-encoded UTF-8".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
                let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                    return Err(bad());
                };
                bytes.push(u8::try_from(high * 16 + low).map_err(|_| bad())?);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

/// Takes out of a parser's message what it repeats of the input; the names of
/// members stay.
fn without_values(message: &str) -> String {
    for begins in ["invalid type: ", "invalid value: ", "invalid length "] {
        if message.starts_with(begins) {
            return expected("wrong value", message);
        }
    }
    if message.starts_with("unknown variant ") {
        return expected("unknown word", message);
    }
    message.to_owned()
}

/// What was expected, without what was found. The value may contain the words
/// that are looked for: the last ones are the parser's.
fn expected(what: &str, message: &str) -> String {
    let rest = message
        .rfind(", expected ")
        .and_then(|at| message.get(at..))
        .unwrap_or_default();
    format!("{what}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::keys::{PublicKeyQuery, RevokeRequest};
    use crate::native::operations::EncryptRequest;
    use crate::native::page::PageQuery;

    #[test]
    fn parser_messages_keep_names_and_lose_values() {
        let said = |text: &str| {
            json::<EncryptRequest>(text.as_bytes())
                .unwrap_err()
                .to_string()
        };
        assert!(said("{\"plaintxt\":\"x\"}").contains("unknown field `plaintxt`"));
        assert!(said("{}").contains("missing field `plaintext`"));
        assert!(said("{\"plaintext\":\"aGk").contains("EOF"));
        for planted in [
            "{\"plaintext\":\"hunter2!\"}",
            "{\"plaintext\":{\"hunter2\":1}}",
            "\"hunter2\"",
            "[\"hunter2\"]",
            "{\"plaintext\":\"aGk=\",\"oaep_hash\":[\"hunter2\"]}",
            "{\"plaintext\":\"aGk=\",\"associated_data\":\"hunter2, expected !\"}",
        ] {
            assert!(!said(planted).contains("hunter2"), "{}", said(planted));
        }
        let refused = json::<RevokeRequest>(b"{\"reason\":\"hunter2\"}").unwrap_err();
        let said = refused.to_string();
        assert!(!said.contains("hunter2"), "{said}");
        assert!(said.contains("keyCompromise"), "{said}");
    }

    #[test]
    fn queries_are_read_strictly() {
        let page: PageQuery = query("limit=5&after=%61%2Fb+c").unwrap();
        assert_eq!(
            (page.limit, page.after.as_deref()),
            (Some(5), Some("a/b c"))
        );
        let digits: PageQuery = query("after=12").unwrap();
        assert_eq!(digits.after.as_deref(), Some("12"));
        let public: PublicKeyQuery = query("format=jwk&version=2").unwrap();
        assert_eq!(public.version, Some(2));
        assert!(query::<PageQuery>("").unwrap().limit.is_none());
        for bad in [
            "limit=x",
            "limit=-1",
            "limt=5",
            "limit=1&limit=2",
            "after=%zz",
            "after=%f",
            "after=%ff",
            "limit",
        ] {
            assert!(query::<PageQuery>(bad).is_err(), "{bad}");
        }
        let said = query::<PageQuery>("limit=hunter2").unwrap_err().to_string();
        assert!(!said.contains("hunter2"), "{said}");
    }
}
