//! Follows the record of what is done: events as they come, across broken
//! connections and restarts of the server, none missed and none twice.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use skms_wire::native::events::{EventQuery, EventView, STREAM_END};
use skms_wire::native::problem::Problem;
use skms_wire::native::routes::{Route, route};
use skms_wire::native::terms::Outcome;
use skms_wire::native::{Page, ProblemKind, page::PageQuery};
use tokio::time::timeout;

use crate::sse::{Message, Parser};
use crate::{Client, Error, Result};

const STREAM: &Route = route("event-stream");
const LIST: &Route = route("event-list");

/// A server that says nothing for this long, not even that it is there, is
/// asked anew.
const SILENCE: Duration = Duration::from_secs(45);

/// Which events are wanted; what is empty leaves nothing out.
#[derive(Clone, Debug, Default)]
pub struct EventSelection {
    /// Actions: `key.revoke`, or `key.*` for all that begin so.
    pub actions: Vec<String>,
    /// How they ended.
    pub outcomes: Vec<Outcome>,
    /// Names of targets, whole or their last part; `*` stands for any
    /// characters, `?` for one.
    pub targets: Vec<String>,
}

impl EventSelection {
    fn query(&self, page: &PageQuery) -> EventQuery {
        EventQuery {
            limit: page.limit,
            after: page.after.clone(),
            action: EventQuery::list(&self.actions),
            outcome: EventQuery::list(&self.outcomes),
            target: EventQuery::list(&self.targets),
        }
    }
}

/// An open stream of events; see [`Client::follow`].
pub struct Following {
    client: Client,
    query: EventQuery,
    /// The last place that is known.
    seen: Option<String>,
    /// The place of the last event that was given.
    given: Option<u64>,
    open: Option<Open>,
    /// When to come back after a stream has ended.
    pause: Duration,
    failures: u32,
}

struct Open {
    body: Incoming,
    parser: Parser,
    waiting: std::vec::IntoIter<Message>,
}

impl Client {
    /// A page of the events that are wanted.
    ///
    /// # Errors
    /// As for every call.
    pub async fn select_events(
        &self,
        wanted: &EventSelection,
        page: &PageQuery,
    ) -> Result<Page<EventView>> {
        let query = wanted.query(page).pairs();
        self.json(LIST, &[], &query, None::<&()>).await
    }

    /// The place of the newest event of the record, as far as the caller may read
    /// it. Asking leaves an event itself, which may be that one.
    ///
    /// # Errors
    /// As for every call.
    pub async fn newest_event(&self) -> Result<Option<u64>> {
        let body = self.open(STREAM, &[], None).await?;
        let mut open = Open {
            body,
            parser: Parser::default(),
            waiting: Vec::new().into_iter(),
        };
        // A stream begins with the place that it is at.
        while open.waiting.as_slice().is_empty() {
            if let Err(why) = open.more().await {
                return why.map_or(Ok(None), Err);
            }
        }
        let place = open.waiting.next().and_then(|first| first.id);
        let sequence = place.as_deref().and_then(|id| id.split('-').next());
        Ok(sequence.and_then(|sequence| sequence.parse().ok()))
    }

    /// Follows the events that are wanted: those after the place `after`, or
    /// those from now on. Nothing is asked before the first of them is.
    pub fn follow(&self, wanted: &EventSelection, after: Option<u64>) -> Following {
        Following {
            client: self.clone(),
            query: wanted.query(&PageQuery::default()),
            seen: after.map(|after| after.to_string()),
            given: after,
            open: None,
            pause: Duration::from_secs(2),
            failures: 0,
        }
    }
}

impl Following {
    /// Connects, unless it is connected: from here on no event is missed.
    ///
    /// # Errors
    /// As [`Following::next`]; it may be tried again.
    pub async fn begin(&mut self) -> Result<()> {
        while self.open.is_none() {
            self.connect().await?;
        }
        Ok(())
    }

    /// The next event. Where the connection breaks, the server stops, is
    /// sealed or has no room, it waits and comes back to the place it had.
    ///
    /// # Errors
    /// What coming back does not help against: the token's end, a policy that
    /// does not permit it any more, a place that the record does not have.
    pub async fn next(&mut self) -> Result<EventView> {
        loop {
            let Some(open) = &mut self.open else {
                self.connect().await?;
                continue;
            };
            let Some(message) = open.waiting.next() else {
                match open.more().await {
                    Ok(()) => {}
                    // Broken, ended or silent: it is opened anew.
                    Err(why) => {
                        self.open = None;
                        self.come_back(why).await?;
                    }
                }
                continue;
            };
            if let Some(event) = self.take(message).await? {
                return Ok(event);
            }
        }
    }

    /// What a message comes to.
    async fn take(&mut self, message: Message) -> Result<Option<EventView>> {
        if let Some(retry) = message.retry {
            self.pause = Duration::from_millis(retry).min(SILENCE);
        }
        let event = match (&message.kind, &message.data) {
            (_, None) => None,
            (None, Some(data)) => {
                let event: EventView = serde_json::from_str(data).map_err(|_| {
                    self.client
                        .unexpected("an event that is not as documented".to_owned())
                })?;
                // A server that gave one twice would be wrong; nobody is to
                // notice.
                let new = self.given.is_none_or(|given| given < event.sequence);
                if new {
                    self.given = Some(event.sequence);
                }
                new.then_some(event)
            }
            (Some(kind), Some(data)) if kind == STREAM_END => {
                self.open = None;
                let why = match serde_json::from_str::<Problem>(data) {
                    Ok(problem) => Error::Problem(Box::new(problem)),
                    Err(_) => self.client.unexpected("a stream that ended".to_owned()),
                };
                self.seen = message.id.or(self.seen.take());
                self.come_back(Some(why)).await?;
                return Ok(None);
            }
            // Kinds that a later server may have.
            (Some(_), Some(_)) => None,
        };
        self.seen = message.id.or(self.seen.take());
        self.failures = 0;
        Ok(event)
    }

    async fn connect(&mut self) -> Result<()> {
        let place = self.seen.as_deref();
        match self.client.open(STREAM, &self.query.pairs(), place).await {
            Ok(body) => {
                self.open = Some(Open {
                    body,
                    parser: Parser::default(),
                    waiting: Vec::new().into_iter(),
                });
                Ok(())
            }
            Err(error) => self.come_back(Some(error)).await,
        }
    }

    /// Waits until it is time to come back, if that may help.
    async fn come_back(&mut self, why: Option<Error>) -> Result<()> {
        if let Some(error) = why
            && !passes(&error)
        {
            return Err(error);
        }
        let doubled = self.pause.saturating_mul(1 << self.failures.min(5));
        self.failures = self.failures.saturating_add(1);
        tokio::time::sleep(doubled.min(SILENCE)).await;
        Ok(())
    }
}

impl Open {
    /// Reads on; an error says why there is no more, where that is known.
    async fn more(&mut self) -> std::result::Result<(), Option<Error>> {
        let frame = timeout(SILENCE, self.body.frame()).await;
        let Ok(Some(Ok(frame))) = frame else {
            return Err(None);
        };
        if let Ok(data) = frame.into_data() {
            let messages = self.parser.take(&data).map_err(|_| None)?;
            self.waiting = messages.into_iter();
        }
        Ok(())
    }
}

/// Whether it may go away by itself.
fn passes(error: &Error) -> bool {
    match error {
        Error::Unreachable { .. } | Error::Broken { .. } | Error::Timeout { .. } => true,
        Error::Problem(problem) => matches!(
            problem.kind(),
            Some(
                ProblemKind::Unavailable
                    | ProblemKind::TooManyRequests
                    | ProblemKind::Sealed
                    | ProblemKind::RequestTimeout
            )
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_is_waited_for() {
        let problem = |kind| Error::Problem(Box::new(Problem::new(kind)));
        for kind in [ProblemKind::Sealed, ProblemKind::Unavailable] {
            assert!(passes(&problem(kind)));
        }
        for kind in [
            ProblemKind::Unauthenticated,
            ProblemKind::Forbidden,
            ProblemKind::NotFound,
            ProblemKind::InvalidArgument,
            ProblemKind::QuotaExceeded,
        ] {
            assert!(!passes(&problem(kind)), "{kind:?}");
        }
    }
}
