//! The event of one good use of a key, written from borrowed pieces.
//!
//! It is what a server writes most: the same bytes as [`Event::encode`] gives
//! for the same facts, without an [`Event`] being made first.
//!
//! [`Event`]: crate::Event
//! [`Event::encode`]: crate::Event::encode

use std::net::IpAddr;

use crate::detail::DetailKey;
use crate::encode::{field_of, number, opening, source, string};
use crate::event::EventId;
use crate::text::bounded;

/// One successful use of one key by one request.
#[derive(Clone, Copy, Debug)]
pub struct UseEvent<'a> {
    /// Names the event for ever.
    pub id: EventId,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_millis: i64,
    /// The key's namespace, by name.
    pub namespace: &'a str,
    /// Who.
    pub principal: &'a str,
    /// The namespace of whoever that is; empty for the key's.
    pub principal_namespace: &'a str,
    /// How that was known.
    pub authentication: &'a str,
    /// From where.
    pub source: Option<IpAddr>,
    /// What.
    pub action: &'a str,
    /// The word for the target's kind.
    pub kind: &'a str,
    /// The key's identifier; empty if it has none.
    pub target_id: &'a str,
    /// The key's full name.
    pub target_name: &'a str,
    /// Which version of it was used, if one was.
    pub version: Option<u32>,
    /// The request it belongs to.
    pub request_id: &'a str,
    /// How many items a batch had; `None` for a single one.
    pub items: Option<u32>,
    /// The policies that let it happen; empty for none.
    pub policies: &'a str,
}

impl UseEvent<'_> {
    /// Appends the event to `out`. Texts over the bound of
    /// [`Text`](crate::Text) are cut as there.
    pub fn encode(&self, out: &mut Vec<u8>) {
        opening(out, self.id, self.at_millis);
        field_of(out, "namespace", &bounded(self.namespace));
        field_of(out, "principal", &bounded(self.principal));
        field_of(out, "authentication", &bounded(self.authentication));
        if let Some(from) = self.source {
            source(out, from);
        }
        field_of(out, "action", &bounded(self.action));
        out.extend_from_slice(b",\"targets\":[{\"kind\":");
        string(out, &bounded(self.kind));
        if !self.target_id.is_empty() {
            field_of(out, "id", &bounded(self.target_id));
        }
        if !self.target_name.is_empty() {
            field_of(out, "name", &bounded(self.target_name));
        }
        if let Some(version) = self.version {
            out.extend_from_slice(b",\"version\":");
            number(out, version.into());
        }
        out.extend_from_slice(b"}],\"outcome\":\"success\"");
        field_of(out, "request_id", &bounded(self.request_id));
        if let Some(items) = self.items {
            out.extend_from_slice(b",\"items\":");
            number(out, items.into());
        }
        let details = [
            (DetailKey::Policies, self.policies),
            (DetailKey::PrincipalNamespace, self.principal_namespace),
        ];
        let mut said = details.iter().filter(|(_, text)| !text.is_empty());
        if let Some((key, text)) = said.next() {
            out.extend_from_slice(b",\"details\":{");
            detail(out, *key, text);
            for (key, text) in said {
                out.push(b',');
                detail(out, *key, text);
            }
            out.push(b'}');
        }
        out.push(b'}');
    }
}

fn detail(out: &mut Vec<u8>, key: DetailKey, text: &str) {
    out.push(b'"');
    out.extend_from_slice(key.name().as_bytes());
    out.extend_from_slice(b"\":");
    string(out, &bounded(text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Details, Event, Outcome, Target};

    fn same(event: &UseEvent<'_>) {
        let mut details = Details::new();
        if !event.policies.is_empty() {
            details.set(DetailKey::Policies, event.policies);
        }
        if !event.principal_namespace.is_empty() {
            details.set(DetailKey::PrincipalNamespace, event.principal_namespace);
        }
        let whole = Event {
            id: event.id,
            at_millis: event.at_millis,
            namespace: Some(event.namespace.into()),
            principal: event.principal.into(),
            authentication: event.authentication.into(),
            source: event.source,
            action: event.action.into(),
            targets: vec![Target {
                kind: event.kind.into(),
                id: event.target_id.into(),
                name: event.target_name.into(),
                version: event.version,
            }],
            outcome: Outcome::Success,
            request_id: event.request_id.into(),
            items: event.items,
            details,
        };
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        assert_eq!(bytes, whole.to_bytes());
        assert_eq!(Event::decode(&bytes).unwrap(), whole);
    }

    #[test]
    fn it_is_the_event_it_stands_for() {
        let long = "long \u{1f5dd} \" ".repeat(40);
        let texts = ["", "root", "a \"quoted\" name\n", "caf\u{e9}", &long];
        for text in texts {
            for version in [None, Some(7)] {
                for items in [None, Some(100)] {
                    same(&UseEvent {
                        id: EventId([7; 16]),
                        at_millis: 1_735_786_800_123,
                        namespace: text,
                        principal: text,
                        principal_namespace: if items.is_some() { text } else { "" },
                        authentication: text,
                        source: items.and("2001:db8::1".parse().ok()),
                        action: "key.encrypt",
                        kind: "key",
                        target_id: text,
                        target_name: text,
                        version,
                        request_id: text,
                        items,
                        policies: text,
                    });
                }
            }
        }
    }
}
