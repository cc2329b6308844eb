//! A request that has been let in: who asks, for what, and with which body.

use std::{borrow::Cow, sync::Arc};

use serde::de::DeserializeOwned;
use skms_engine::acts::exchange::{Channel, Sender};
use skms_engine::{Caller, Engine, KeyRef};
use skms_wire::native::{ProblemKind, page::PageQuery, read};
use zeroize::Zeroizing;

use super::{App, error::Failure, paths::Param};

/// One request, ready for its handler.
pub struct Call {
    pub app: Arc<App>,
    /// Absent on routes that are open to anyone.
    pub caller: Option<Arc<Caller>>,
    /// Where a message comes from that proves by itself who sent it.
    pub sender: Option<Sender>,
    /// The TLS connection that it came by, where its route asks for that and
    /// both ends showed a certificate.
    pub channel: Option<Arc<Channel>>,
    /// The last place that the caller has seen of a stream.
    pub last_event_id: Option<String>,
    pub namespace: Cow<'static, str>,
    pub params: Vec<Param>,
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

    /// Where a message comes from.
    ///
    /// # Errors
    /// [`ProblemKind::Unauthenticated`] on a route that takes no messages.
    pub fn sender(&self) -> Result<&Sender, Failure> {
        self.sender
            .as_ref()
            .ok_or(Failure::new(ProblemKind::Unauthenticated))
    }

    /// A parameter of the path; the route has it.
    pub fn param(&self, name: &str) -> &str {
        self.params
            .iter()
            .find(|(known, _)| *known == name)
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
        Ok(read::json(&self.body)?)
    }

    /// The body as a message; nothing means `{}`.
    ///
    /// # Errors
    /// As for [`Call::json`].
    pub fn optional_json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if self.body.is_empty() {
            return Ok(read::json(b"{}")?);
        }
        Ok(read::json(&self.body)?)
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
        Ok(read::query(&self.query)?)
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
