//! The native HTTP face, under `/api/v1`: JSON in, one engine act, JSON out,
//! every error a problem (RFC 9457).
//!
//! [`paths`] finds the row of the route table, [`table`] ties each row of the wire room's route table to a handler; the
//! handlers are in one file a resource. [`serve`] is the way that all of them
//! share.

mod acme;
mod agree;
mod answer;
mod approvals;
mod asked;
mod authorities;
mod batch;
pub mod body;
mod call;
mod certificates;
mod convert;
mod directory;
mod documents;
mod due;
pub mod error;
mod est;
mod events;
mod exchange;
mod groups;
mod health;
pub mod identity;
mod incidents;
mod jobs;
mod keyrings;
mod keys;
mod limits;
pub mod metrics;
mod namespaces;
mod notifications;
mod once;
pub mod openapi;
mod operations;
mod paging;
mod paths;
mod pem;
mod policies;
mod principals;
mod rules;
mod seals;
mod serve;
mod ssh;
mod storage;
mod stream;
mod table;
mod tokens;
mod trusts;
mod tsa;
pub mod validation;
mod views;
mod weak;
mod withdrawals;

use std::{sync::Arc, time::Instant};

use skms_crypto::{SecretBytes, locked};
use skms_engine::Engine;
use skms_pki::issue::AltName;
use skms_wire::SecretText;
use tokio::sync::watch;

use self::metrics::Metrics;
use crate::{
    config::Limits,
    net::{load::Memory, log::Log, sources::Strangers},
};

/// What every request is answered with.
pub struct App {
    pub(crate) engine: Arc<Engine>,
    pub(crate) limits: Limits,
    pub(crate) log: Log,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) memory: locked::Report,
    pub(crate) dev_token: Option<DevToken>,
    /// Whether only local host names are answered to, because a browser that
    /// was led here under another name would get through to plain HTTP.
    pub(crate) local_only: bool,
    /// What the server's certificates are for.
    pub(crate) names: Vec<AltName>,
    pub(crate) started: Instant,
    /// The memory that large bodies share.
    pub(crate) bodies: Memory,
    /// What callers who are nobody yet may ask for.
    pub(crate) strangers: Strangers,
    /// Whether the server is on its way down.
    pub(crate) stopping: watch::Sender<bool>,
}

/// The root token of a throw-away server, and the text that stands for it.
pub struct DevToken {
    /// The real token.
    pub root: SecretBytes,
    /// What the operator chose to send instead.
    pub alias: Option<SecretText>,
}

impl DevToken {
    /// The text that the operator is to use.
    #[must_use]
    pub fn shown(&self) -> &[u8] {
        match &self.alias {
            Some(alias) => alias.expose().as_bytes(),
            None => self.root.expose(),
        }
    }
}

impl App {
    /// Puts together what requests need.
    #[must_use]
    pub fn new(
        engine: Arc<Engine>,
        limits: Limits,
        log: Log,
        metrics: Arc<Metrics>,
        memory: locked::Report,
        dev_token: Option<DevToken>,
        local_only: bool,
    ) -> Self {
        Self {
            bodies: Memory::new(limits.body_memory_bytes),
            strangers: Strangers::new(limits.strangers),
            engine,
            limits,
            log,
            metrics,
            memory,
            dev_token,
            local_only,
            names: Vec::new(),
            started: Instant::now(),
            stopping: watch::Sender::new(false),
        }
    }

    /// Says what the server's certificates are for.
    #[must_use]
    pub fn named(mut self, names: Vec<AltName>) -> Self {
        self.names = names;
        self
    }

    /// The server is on its way down: `health` says so and streams end.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Nanoseconds since the start: the clock of what is counted by address.
    pub(crate) fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

pub use events::{json as event_json, view as event_view};
pub use pem::certificate as pem_certificate;
pub use serve::{Native, admit, request_id};
