//! Events as bytes: JSON in one encoding.
//!
//! Fields come in a fixed order, absent ones are left out, no spaces. The
//! writer goes straight into the caller's buffer; the reader is serde's, and
//! refuses whatever the writer would have written otherwise.

use std::borrow::Cow;
use std::io::Write as _;
use std::net::IpAddr;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::detail::{DetailKey, DetailValue, Details};
use crate::error::{Error, Result};
use crate::event::{Event, EventId, Outcome, Target};
use crate::text::Text;
use crate::time;

/// The format, as each event states it first.
pub const FORMAT: u32 = 1;

impl Event {
    /// Appends the event to `out`, always in the same bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        opening(out, self.id, self.at_millis);
        if let Some(namespace) = &self.namespace {
            field(out, "namespace", namespace);
        }
        field(out, "principal", &self.principal);
        field(out, "authentication", &self.authentication);
        if let Some(from) = self.source {
            source(out, from);
        }
        field(out, "action", &self.action);
        out.extend_from_slice(b",\"targets\":[");
        for (at, target) in self.targets.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            encode_target(out, target);
        }
        out.extend_from_slice(b"],\"outcome\":\"");
        out.extend_from_slice(self.outcome.name().as_bytes());
        out.push(b'"');
        if let Some(reason) = self.outcome.reason() {
            field(out, "reason", reason);
        }
        field(out, "request_id", &self.request_id);
        if let Some(items) = self.items {
            out.extend_from_slice(b",\"items\":");
            number(out, items.into());
        }
        if !self.details.is_empty() {
            out.extend_from_slice(b",\"details\":{");
            for (at, (key, value)) in self.details.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                encode_detail(out, key, value);
            }
            out.push(b'}');
        }
        out.push(b'}');
    }

    /// The event as bytes of its own.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        self.encode(&mut out);
        out
    }

    /// Reads an event that [`Event::encode`] wrote.
    ///
    /// # Errors
    /// [`Error::Malformed`] and [`Error::UnknownFormat`];
    /// [`Error::NotCanonical`] for bytes that mean an event and are not its
    /// one encoding.
    pub fn decode(bytes: &[u8]) -> Result<Event> {
        let event: Event = serde_json::from_slice::<Wire<'_>>(bytes)?.try_into()?;
        if event.to_bytes() != bytes {
            return Err(Error::NotCanonical);
        }
        Ok(event)
    }
}

fn encode_target(out: &mut Vec<u8>, target: &Target) {
    out.extend_from_slice(b"{\"kind\":");
    string(out, target.kind.as_str());
    if !target.id.as_str().is_empty() {
        field(out, "id", &target.id);
    }
    if !target.name.as_str().is_empty() {
        field(out, "name", &target.name);
    }
    if let Some(version) = target.version {
        out.extend_from_slice(b",\"version\":");
        number(out, version.into());
    }
    out.push(b'}');
}

fn encode_detail(out: &mut Vec<u8>, key: DetailKey, value: &DetailValue) {
    out.push(b'"');
    out.extend_from_slice(key.name().as_bytes());
    out.extend_from_slice(b"\":");
    match value {
        DetailValue::Text(text) => string(out, text.as_str()),
        DetailValue::Number(value) => number(out, *value),
        DetailValue::Flag(true) => out.extend_from_slice(b"true"),
        DetailValue::Flag(false) => out.extend_from_slice(b"false"),
    }
}

/// A field that is not the first of its object.
fn field(out: &mut Vec<u8>, name: &str, value: &Text) {
    field_of(out, name, value.as_str());
}

/// As [`field`], of a text that keeps to the bound of [`Text`] already.
pub(crate) fn field_of(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    string(out, value);
}

/// How every event begins, up to its first optional field.
pub(crate) fn opening(out: &mut Vec<u8>, id: EventId, at_millis: i64) {
    out.extend_from_slice(b"{\"format\":");
    number(out, FORMAT.into());
    out.extend_from_slice(b",\"id\":\"");
    hex(out, &id.0);
    out.extend_from_slice(b"\",\"at\":\"");
    time::write_rfc3339(out, at_millis);
    out.push(b'"');
}

/// The peer's address.
pub(crate) fn source(out: &mut Vec<u8>, source: IpAddr) {
    out.extend_from_slice(b",\"source\":\"");
    match source {
        IpAddr::V4(address) => {
            for (at, octet) in address.octets().into_iter().enumerate() {
                if at > 0 {
                    out.push(b'.');
                }
                number(out, octet.into());
            }
        }
        // Digits, letters, dots and colons only. Writing to a vector cannot
        // fail.
        IpAddr::V6(address) => {
            let _ = write!(out, "{address}");
        }
    }
    out.push(b'"');
}

/// A JSON string. Beyond what JSON requires, everything that could move a
/// cursor or turn the direction of text is escaped too, so that no one's
/// input changes how a line of the log looks.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if text.bytes().all(is_plain) {
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    let mut plain_from = 0;
    for (at, character) in text.char_indices() {
        if !must_escape(character) {
            continue;
        }
        out.extend_from_slice(text.get(plain_from..at).unwrap_or_default().as_bytes());
        plain_from = at + character.len_utf8();
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            // All that is escaped lies below U+10000: one unit of UTF-16.
            other => {
                let unit = u32::from(other);
                out.extend_from_slice(b"\\u");
                for shift in [12, 8, 4, 0] {
                    out.push(hex_digit((unit >> shift & 0xf) as u8));
                }
            }
        }
    }
    out.extend_from_slice(text.get(plain_from..).unwrap_or_default().as_bytes());
    out.push(b'"');
}

/// Printable ASCII that JSON takes as it is: most of what events hold.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\'
}

const fn must_escape(character: char) -> bool {
    matches!(
        character,
        '"' | '\\'
            | '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
    )
}

pub(crate) fn number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

pub(crate) fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(
        bytes
            .iter()
            .flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte & 0xf)]),
    );
}

const fn hex_digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + value - 10,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    format: u32,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    at: Cow<'a, str>,
    #[serde(default)]
    namespace: Option<String>,
    principal: String,
    authentication: String,
    #[serde(default)]
    source: Option<IpAddr>,
    action: String,
    targets: Vec<WireTarget>,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(default)]
    reason: Option<String>,
    request_id: String,
    #[serde(default)]
    items: Option<u32>,
    #[serde(default)]
    details: WireDetails,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireTarget {
    kind: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: Option<u32>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireValue {
    Flag(bool),
    Number(u64),
    Text(String),
}

#[derive(Default)]
struct WireDetails(Details);

impl<'de> Deserialize<'de> for WireDetails {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = WireDetails;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("details of an event")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<WireDetails, A::Error> {
                let mut details = Details::new();
                while let Some((key, value)) = map.next_entry::<String, WireValue>()? {
                    let key: DetailKey = key.parse().map_err(serde::de::Error::custom)?;
                    details.set(
                        key,
                        match value {
                            WireValue::Flag(flag) => DetailValue::Flag(flag),
                            WireValue::Number(number) => DetailValue::from(number),
                            WireValue::Text(text) => DetailValue::from(text),
                        },
                    );
                }
                Ok(WireDetails(details))
            }
        }

        from.deserialize_map(Reader)
    }
}

impl TryFrom<Wire<'_>> for Event {
    type Error = Error;

    fn try_from(wire: Wire<'_>) -> Result<Self> {
        if wire.format != FORMAT {
            return Err(Error::UnknownFormat(wire.format));
        }
        let reason = Text::from(wire.reason.unwrap_or_default());
        let outcome = match &*wire.outcome {
            "success" => Outcome::Success,
            "denied" => Outcome::Denied { reason },
            "failed" => Outcome::Failed { reason },
            _ => return Err(Error::UnknownName("outcome")),
        };
        Ok(Event {
            id: wire.id.parse()?,
            at_millis: time::parse_rfc3339(&wire.at).ok_or(Error::UnknownName("time"))?,
            namespace: wire.namespace.map(Text::from),
            principal: wire.principal.into(),
            authentication: wire.authentication.into(),
            source: wire.source,
            action: wire.action.into(),
            targets: wire.targets.into_iter().map(Target::from).collect(),
            outcome,
            request_id: wire.request_id.into(),
            items: wire.items,
            details: wire.details.0,
        })
    }
}

impl From<WireTarget> for Target {
    fn from(wire: WireTarget) -> Self {
        Self {
            kind: wire.kind.into(),
            id: wire.id.into(),
            name: wire.name.into(),
            version: wire.version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Event {
        Event {
            id: EventId([0x0f; 16]),
            at_millis: 1_735_786_800_123,
            namespace: Some("root".into()),
            principal: "alice".into(),
            authentication: Text::fixed("token"),
            source: "2001:db8::1".parse().ok(),
            action: Text::fixed("key.encrypt"),
            targets: vec![Target {
                kind: Text::fixed("key"),
                id: "01234567-89ab-cdef-fedc-ba9876543210".into(),
                name: "payments/card".into(),
                version: Some(3),
            }],
            outcome: Outcome::Success,
            request_id: "req-1".into(),
            items: Some(2),
            details: {
                let mut details = Details::new();
                details.set(DetailKey::Exportable, false);
                details.set(DetailKey::Algorithm, "XAES-256-GCM");
                details.set(DetailKey::BytesIn, 512_u64);
                details
            },
        }
    }

    fn bare() -> Event {
        Event {
            namespace: None,
            source: None,
            targets: Vec::new(),
            items: None,
            details: Details::new(),
            outcome: Outcome::denied("no policy permits it"),
            ..plain()
        }
    }

    /// The format is what leaves are made of: it may only change with
    /// [`FORMAT`].
    #[test]
    fn the_encoding_is_what_it_was() {
        assert_eq!(
            String::from_utf8(plain().to_bytes()).unwrap(),
            concat!(
                r#"{"format":1,"id":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","#,
                r#""at":"2025-01-02T03:00:00.123Z","namespace":"root","principal":"alice","#,
                r#""authentication":"token","source":"2001:db8::1","action":"key.encrypt","#,
                r#""targets":[{"kind":"key","id":"01234567-89ab-cdef-fedc-ba9876543210","#,
                r#""name":"payments/card","version":3}],"outcome":"success","#,
                r#""request_id":"req-1","items":2,"details":{"algorithm":"XAES-256-GCM","#,
                r#""bytes_in":512,"exportable":false}}"#
            )
        );
        assert_eq!(
            String::from_utf8(bare().to_bytes()).unwrap(),
            concat!(
                r#"{"format":1,"id":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","#,
                r#""at":"2025-01-02T03:00:00.123Z","principal":"alice","#,
                r#""authentication":"token","action":"key.encrypt","targets":[],"#,
                r#""outcome":"denied","reason":"no policy permits it","request_id":"req-1"}"#
            )
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        for event in [plain(), bare()] {
            assert_eq!(Event::decode(&event.to_bytes()).unwrap(), event);
        }
        let mut empty_reason = bare();
        empty_reason.outcome = Outcome::failed("");
        assert_eq!(
            Event::decode(&empty_reason.to_bytes()).unwrap(),
            empty_reason
        );
    }

    #[test]
    fn every_character_survives_and_none_breaks_out() {
        // Every character of the basic plane, and some beyond, 40 at a time.
        let all: Vec<char> = ('\0'..='\u{ffff}')
            .chain(['\u{10000}', '🗝', '\u{10ffff}'])
            .collect();
        for some in all.chunks(40) {
            let text: String = some.iter().collect();
            let event = Event {
                principal: Text::new(&text),
                ..bare()
            };
            let bytes = event.to_bytes();
            assert!(bytes.iter().all(|&byte| byte >= 0x20 && byte != 0x7f));
            let shown = std::str::from_utf8(&bytes).unwrap();
            assert!(!shown.chars().any(char::is_control));
            assert!(!shown.contains(['\u{202e}', '\u{2028}', '\u{200b}']));
            assert_eq!(Event::decode(&bytes).unwrap(), event);
            let foreign: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(
                foreign["principal"].as_str().unwrap(),
                event.principal.as_str()
            );
        }
    }

    #[test]
    fn numbers_are_written_whole() {
        for value in [0, 9, 10, 99, 12_345, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
        }
    }

    #[test]
    fn another_spelling_of_the_same_event_is_refused() {
        let good = String::from_utf8(plain().to_bytes()).unwrap();
        let respelled = [
            good.replacen(":1,", ": 1,", 1),
            good.replacen("alice", "\\u0061lice", 1),
            good.replacen("\"items\":2,", "\"items\":2,\"reason\":\"x\",", 1),
            good.replacen("\"namespace\":\"root\"", "\"namespace\":null", 1),
            good.replacen("2001:db8::1", "2001:0db8::1", 1),
            good.replacen("512", "512.0", 1),
            format!("{good}\n"),
        ];
        for text in respelled {
            assert_ne!(text, good);
            assert!(Event::decode(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_event_is_refused() {
        let good = String::from_utf8(plain().to_bytes()).unwrap();
        let spoilt = [
            String::new(),
            "{}".into(),
            "[]".into(),
            "null".into(),
            good.replacen("\"format\":1", "\"format\":2", 1),
            good.replacen("\"principal\":\"alice\",", "", 1),
            good.replacen("\"id\":\"0f", "\"id\":\"zz", 1),
            good.replacen("T03:", "T25:", 1),
            good.replacen("success", "perhaps", 1),
            good.replacen("bytes_in", "plaintext", 1),
            good.replacen("\"items\":2", "\"items\":-2", 1),
            good.replacen("\"items\":2", "\"items\":2,\"more\":1", 1),
        ];
        for text in spoilt {
            assert!(Event::decode(text.as_bytes()).is_err(), "{text}");
        }
        for end in 0..good.len() {
            assert!(Event::decode(&good.as_bytes()[..end]).is_err());
        }
        assert!(Event::decode(b"\xff\xfe").is_err());
    }
}
