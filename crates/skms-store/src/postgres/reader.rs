//! The connections that read. Each carries any number of questions at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_postgres::Client;

use super::schema::Reads;
use super::session::{Role, Session, Shared, too_slow};
use crate::error::{Error, Result};

/// After a failed attempt to connect, callers are told so for as long.
const PAUSE: Duration = Duration::from_millis(500);

/// An open connection and what it asks with.
pub(super) struct Link {
    pub(super) session: Session,
    pub(super) reads: Reads,
}

impl Link {
    pub(super) async fn open(shared: &Shared, role: Role) -> Result<Self> {
        let session = Session::connect(shared, role).await?;
        session.recognise(shared).await?;
        let reads = Reads::prepare(&session.client).await?;
        Ok(Self { session, reads })
    }

    pub(super) fn client(&self) -> &Client {
        &self.session.client
    }
}

/// A place for one connection.
#[derive(Default)]
pub(super) struct Reader(Mutex<Place>);

#[derive(Default)]
struct Place {
    link: Option<Arc<Link>>,
    failed: Option<(Instant, Error)>,
}

impl Reader {
    async fn link(&self, shared: &Shared) -> Result<Arc<Link>> {
        let mut place = self.0.lock().await;
        if let Some(link) = place
            .link
            .as_ref()
            .filter(|link| !link.client().is_closed())
        {
            return Ok(Arc::clone(link));
        }
        place.link = None;
        if let Some((at, error)) = &place.failed
            && at.elapsed() < PAUSE
        {
            return Err(error.again());
        }
        match Link::open(shared, Role::Read).await {
            Ok(link) => {
                let link = Arc::new(link);
                place.link = Some(Arc::clone(&link));
                place.failed = None;
                Ok(link)
            }
            Err(error) => {
                let told = error.again();
                place.failed = Some((Instant::now(), error));
                Err(told)
            }
        }
    }

    /// Asks, and asks once more when the connection turns out to be gone.
    pub(super) async fn ask<T, Fut>(
        &self,
        shared: &Shared,
        question: impl Fn(Arc<Link>) -> Fut,
    ) -> Result<T>
    where
        Fut: Future<Output = Result<T>>,
    {
        let timeout = shared.timeout();
        let until = Instant::now() + timeout;
        let asked = async {
            let link = self.link(shared).await?;
            match question(Arc::clone(&link)).await {
                Err(Error::Unavailable(_)) if link.client().is_closed() => {
                    question(self.link(shared).await?).await
                }
                answer => answer,
            }
        };
        if let Ok(answer) = tokio::time::timeout_at(until, asked).await {
            return answer;
        }
        // Whatever else waits on this connection waits in vain, too.
        if let Ok(mut place) = self.0.try_lock() {
            place.link = None;
        }
        Err(too_slow(timeout))
    }
}
