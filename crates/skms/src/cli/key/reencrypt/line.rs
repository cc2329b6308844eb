//! A line of a list: what it says, and the same line with another ciphertext.

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;
use skms_wire::{Bytes, Ciphertext};

/// The longest name of an item that goes into the report, in bytes.
const NAME_MAX: usize = 256;

/// What a line is.
#[derive(Debug)]
pub enum Line {
    /// Nothing: it is kept.
    Blank,
    /// A ciphertext.
    Item(Item),
    /// Something else, and what is wrong with it.
    Unreadable(String),
}

/// A ciphertext in its line.
#[derive(Debug)]
pub struct Item {
    pub ciphertext: Ciphertext,
    /// What the line itself says is bound to it.
    pub associated_data: Option<Bytes>,
    /// What the line calls it.
    pub id: Option<String>,
    /// Where the ciphertext's text stands in the line.
    at: Range<usize>,
    /// Whether its slashes are written with a backslash before them.
    escaped: bool,
}

/// A line of JSON. Unknown members are kept as they are; one that is there twice
/// is not read, since nobody knows which of them counts.
#[derive(Deserialize)]
struct Object {
    ciphertext: String,
    #[serde(default)]
    associated_data: Option<String>,
    #[serde(default)]
    aad: Option<String>,
    #[serde(default)]
    context: Option<String>,
    #[serde(default)]
    id: Option<Value>,
}

impl Line {
    /// Reads a line, with its end.
    pub fn read(raw: &[u8]) -> Self {
        let body = raw.trim_ascii();
        if body.is_empty() {
            return Self::Blank;
        }
        let read = match std::str::from_utf8(body) {
            Err(_) => Err("it is not text".to_owned()),
            Ok(text) if text.starts_with('{') => object(text),
            Ok(text) => plain(text),
        };
        let before = raw.len() - raw.trim_ascii_start().len();
        match read {
            Ok(mut item) => {
                item.at = item.at.start + before..item.at.end + before;
                Self::Item(item)
            }
            Err(why) => Self::Unreadable(short(&why)),
        }
    }
}

fn plain(text: &str) -> Result<Item, String> {
    Ok(Item {
        ciphertext: text.parse().map_err(|error| format!("{error}"))?,
        associated_data: None,
        id: None,
        at: 0..text.len(),
        escaped: false,
    })
}

fn object(text: &str) -> Result<Item, String> {
    // serde's words for what is wrong may quote the line; it is the caller's own.
    let object: Object = serde_json::from_str(text)
        .map_err(|error| format!("no JSON object with a ciphertext: {error}"))?;
    let said = [
        object.aad.map(|text| Ok(Bytes::new(text.into_bytes()))),
        object.context.map(|text| Ok(Bytes::new(text.into_bytes()))),
        object.associated_data.map(|text| {
            Bytes::from_base64(&text).map_err(|_| "associated_data is not base64".to_owned())
        }),
    ];
    let mut said = said.into_iter().flatten();
    let associated_data = said.next().transpose()?;
    if said.next().is_some() {
        return Err("it has more than one of aad, context and associated_data".to_owned());
    }
    let ciphertext: Ciphertext = (object.ciphertext.parse()).map_err(|error| format!("{error}"))?;
    let written = [
        (object.ciphertext.clone(), false),
        (object.ciphertext.replace('/', "\\/"), true),
    ];
    for (written, escaped) in written {
        let mut places = text.match_indices(&written);
        match (places.next(), places.next()) {
            (Some((at, _)), None) => {
                return Ok(Item {
                    ciphertext,
                    associated_data,
                    id: object.id.map(name),
                    at: at..at + written.len(),
                    escaped,
                });
            }
            (Some(_), Some(_)) => return Err("its ciphertext stands in it twice".to_owned()),
            (None, _) => {}
        }
    }
    Err("its ciphertext is written with escapes".to_owned())
}

fn name(id: Value) -> String {
    match id {
        Value::String(text) => short(&text),
        other => short(&other.to_string()),
    }
}

/// As much as the report takes, without control characters.
pub fn short(text: &str) -> String {
    let mut short = String::new();
    for letter in text.chars() {
        let letter = match letter.is_control() {
            true => ' ',
            false => letter,
        };
        if short.len() + letter.len_utf8() > NAME_MAX {
            break;
        }
        short.push(letter);
    }
    short
}

impl Item {
    /// The line with another ciphertext, and otherwise as it was.
    pub fn with(&self, raw: &[u8], ciphertext: &Ciphertext) -> Vec<u8> {
        let mut text = ciphertext.to_string();
        if self.escaped {
            text = text.replace('/', "\\/");
        }
        let (before, after) = (raw.get(..self.at.start), raw.get(self.at.end..));
        [
            before.unwrap_or_default(),
            text.as_bytes(),
            after.unwrap_or_default(),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(raw: &str) -> Item {
        match Line::read(raw.as_bytes()) {
            Line::Item(item) => item,
            other => panic!("{other:?}"),
        }
    }

    fn wrong(raw: &[u8]) -> String {
        match Line::read(raw) {
            Line::Unreadable(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_ciphertext_changes() {
        let new: Ciphertext = "skms:v2:/+8=".parse().unwrap();
        for (before, after) in [
            ("skms:v1:AA==", "skms:v2:/+8="),
            ("  skms:v1:AA==\t\r\n", "  skms:v2:/+8=\t\r\n"),
            (
                "{\"n\":1.50,\"ciphertext\" : \"skms:v1:AA==\", \"z\":[ ]}\r\n",
                "{\"n\":1.50,\"ciphertext\" : \"skms:v2:/+8=\", \"z\":[ ]}\r\n",
            ),
            (
                " {\"ciphertext\":\"skms:v1:\\/w==\"}\n",
                " {\"ciphertext\":\"skms:v2:\\/+8=\"}\n",
            ),
        ] {
            let made = item(before).with(before.as_bytes(), &new);
            assert_eq!(String::from_utf8(made).unwrap(), after);
        }
    }

    #[test]
    fn a_line_says_what_it_is_called_and_what_is_bound() {
        let one = item(r#"{"id":17,"ciphertext":"skms:v3:AA==","aad":"x"}"#);
        assert_eq!(one.id.as_deref(), Some("17"));
        assert_eq!(one.ciphertext.version, 3);
        assert_eq!(one.associated_data.unwrap().as_ref(), b"x");
        let one = item(r#"{"id":"a\nb","ciphertext":"skms:v3:AA==","associated_data":"AAE="}"#);
        assert_eq!(one.id.as_deref(), Some("a b"));
        assert_eq!(one.associated_data.unwrap().as_ref(), [0, 1]);
        assert!(matches!(Line::read(b" \r\n"), Line::Blank));
        assert!(matches!(Line::read(b""), Line::Blank));
    }

    #[test]
    fn what_is_no_ciphertext_says_why() {
        assert!(wrong(b"skms:v0:AA==").contains("version"));
        assert!(wrong(b"\xff\xfe").contains("not text"));
        assert!(wrong(b"id,ciphertext").contains("skms:v"));
        assert!(
            wrong(br#"{"ciphertext":"skms:v1:AA==","ciphertext":"skms:v2:AA=="}"#)
                .contains("duplicate")
        );
        assert!(wrong(br#"{"ciphertext":"skms:v1:AA==","was":"skms:v1:AA=="}"#).contains("twice"));
        assert!(wrong(br#"{"ciphertext":"skms:v1:\u0041A=="}"#).contains("escapes"));
        assert!(
            wrong(br#"{"ciphertext":"skms:v1:AA==","aad":"","context":""}"#)
                .contains("more than one")
        );
        assert!(wrong(br#"{"ciphertext":"skms:v1:AA==","#).len() <= NAME_MAX);
    }
}
