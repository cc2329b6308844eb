//! A request that has been let in: who asks, for what, and with which body.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use skms_engine::{Caller, Engine, KeyRef};
use skms_wire::native::{ProblemKind, page::PageQuery};
use zeroize::Zeroizing;

use super::{App, error::Failure, paging};

/// One request, ready for its handler.
pub struct Call {
    pub app: Arc<App>,
    /// Absent on routes that are open to anyone.
    pub caller: Option<Arc<Caller>>,
    pub namespace: String,
    pub params: Vec<(String, String)>,
    pub query: String,
    pub body: Zeroizing<Vec<u8>>,
}

impl Call {
    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.app.engine
    }

    /// Who asks.
    ///
    /// # Errors
    /// [`ProblemKind::Unauthenticated`] on a route that nobody was asked to
    /// identify themselves on.
    pub fn caller(&self) -> Result<&Arc<Caller>, Failure> {
        self.caller
            .as_ref()
            .ok_or(Failure::new(ProblemKind::Unauthenticated))
    }

    /// A parameter of the path; the route has it.
    pub fn param(&self, name: &str) -> &str {
        self.params
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }

    /// The key that the path names.
    pub fn key(&self) -> KeyRef<'_> {
        KeyRef {
            namespace: &self.namespace,
            keyring: self.param("keyring"),
            name: self.param("key"),
        }
    }

    /// The body as a message.
    ///
    /// # Errors
    /// [`ProblemKind::MalformedRequest`], saying where, and nothing of what
    /// was sent.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if self.body.is_empty() {
            return Err(Failure::malformed("a JSON body is needed"));
        }
        parse(&self.body)
    }

    /// The body as a message; nothing means `{}`.
    ///
    /// # Errors
    /// As for [`Call::json`].
    pub fn optional_json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if self.body.is_empty() {
            return parse(b"{}");
        }
        parse(&self.body)
    }

    /// Refuses a body where none belongs; `{}` is none.
    ///
    /// # Errors
    /// [`ProblemKind::MalformedRequest`].
    pub fn no_body(&self) -> Result<(), Failure> {
        let empty = self.body.trim_ascii();
        if empty.is_empty() || empty == b"{}" {
            return Ok(());
        }
        Err(Failure::malformed("this request takes no body"))
    }

    /// The query's members, decoded.
    ///
    /// # Errors
    /// [`ProblemKind::MalformedRequest`] for unknown members and for values
    /// that do not fit.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        paging::query(&self.query)
    }

    /// The page that the query asks for.
    ///
    /// # Errors
    /// As for [`Call::query`].
    pub fn page(&self) -> Result<PageQuery, Failure> {
        self.query()
    }

    /// Refuses a query where none belongs.
    ///
    /// # Errors
    /// [`ProblemKind::MalformedRequest`].
    pub fn no_query(&self) -> Result<(), Failure> {
        if self.query.is_empty() {
            return Ok(());
        }
        Err(Failure::malformed("this request takes no query"))
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    // The parser would take an array for a message, by the order of fields.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Failure::malformed("the body is not a JSON object"));
    }
    serde_json::from_slice(body)
        .map_err(|error| Failure::malformed(without_values(&error.to_string())))
}

/// Takes out of a parser's message what it repeats of the input, which may be
/// a secret in the wrong place; the names of members stay.
pub fn without_values(message: &str) -> String {
    for begins in ["invalid type: ", "invalid value: ", "invalid length "] {
        if message.starts_with(begins) {
            // The value may contain the words too: the last ones are ours.
            return match message.rfind(", expected ") {
                Some(at) => format!("wrong value{}", message.get(at..).unwrap_or_default()),
                None => "wrong value".to_owned(),
            };
        }
    }
    if message.starts_with("unknown variant ") {
        return match message.rfind(", expected ") {
            Some(at) => format!("unknown word{}", message.get(at..).unwrap_or_default()),
            None => "unknown word".to_owned(),
        };
    }
    message.to_owned()
}

#[cfg(test)]
mod tests {
    use skms_wire::native::{keys::RevokeRequest, operations::EncryptRequest};

    use super::*;

    #[test]
    fn parser_messages_keep_names_and_lose_values() {
        let said = |text: &str| {
            let failure = parse::<EncryptRequest>(text.as_bytes()).unwrap_err();
            failure.problem().detail.unwrap()
        };
        assert!(said("{\"plaintxt\":\"x\"}").contains("unknown field `plaintxt`"));
        assert!(said("{}").contains("missing field `plaintext`"));
        assert!(said("{\"plaintext\":\"aGk").contains("EOF"));
        for planted in [
            "{\"plaintext\":\"hunter2!\"}",
            "{\"plaintext\":{\"hunter2\":1}}",
            "\"hunter2\"",
            "{\"plaintext\":\"aGk=\",\"oaep_hash\":[\"hunter2\"]}",
            "{\"plaintext\":\"aGk=\",\"associated_data\":\"hunter2, expected !\"}",
        ] {
            assert!(!said(planted).contains("hunter2"), "{}", said(planted));
        }
        let failure = parse::<RevokeRequest>(b"{\"reason\":\"hunter2\"}").unwrap_err();
        let detail = failure.problem().detail.unwrap();
        assert!(!detail.contains("hunter2"), "{detail}");
        assert!(detail.contains("keyCompromise"), "{detail}");
    }
}
