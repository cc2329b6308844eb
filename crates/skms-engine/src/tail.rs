//! The end of the record, read once for all who follow it. Each reading of the
//! journal's files takes a thread; so those who are at the end share what the
//! first of them read, and those who are behind take turns.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skms_evidence::Event;
use skms_store::Journal;
use tokio::sync::Semaphore;

use crate::acts::events::Recorded;
use crate::error::{Error, Result};

/// How many entries one step reads.
pub(crate) const STEP: usize = 128;
/// The most events that are kept, and the most bytes that they have as they
/// are encoded.
const EVENTS_MAX: usize = 2048;
const BYTES_MAX: usize = 4 << 20;
/// How many who are behind read at once, of each kind.
const BEHIND: usize = 2;

/// For whom it is read. Those who follow from the beginning with a filter that
/// takes nothing must not hold up notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Somebody who follows the record.
    Stream,
    /// Notifications.
    Channel,
}

/// The newest events that somebody read.
pub(crate) struct Tail {
    recent: Mutex<Recent>,
    /// At the end one reads and the others take what it read.
    reading: tokio::sync::Mutex<()>,
    behind: [Semaphore; 2],
}

impl Default for Tail {
    fn default() -> Self {
        Self {
            recent: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            behind: [Semaphore::new(BEHIND), Semaphore::new(BEHIND)],
        }
    }
}

/// Events one after the other, with their encoded lengths.
#[derive(Default)]
struct Recent {
    events: VecDeque<(usize, Arc<Recorded>)>,
    bytes: usize,
}

impl Recent {
    fn first(&self) -> Option<u64> {
        self.events.front().map(|(_, one)| one.sequence)
    }

    /// The place after the last of them.
    fn end(&self) -> Option<u64> {
        self.events.back().map(|(_, one)| one.sequence + 1)
    }

    fn from(&self, from: u64) -> Vec<Arc<Recorded>> {
        let skip = match self.first() {
            Some(first) if first <= from => from - first,
            _ => return Vec::new(),
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let found = self.events.iter().skip(skip).take(STEP);
        found.map(|(_, one)| Arc::clone(one)).collect()
    }

    fn push(&mut self, length: usize, event: &Arc<Recorded>) {
        if self.end().is_some_and(|end| end != event.sequence) {
            *self = Self::default();
        }
        self.bytes += length;
        self.events.push_back((length, Arc::clone(event)));
        while self.events.len() > EVENTS_MAX || self.bytes > BYTES_MAX {
            let Some((length, _)) = self.events.pop_front() else {
                return;
            };
            self.bytes -= length;
        }
    }
}

impl Tail {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Durable events from a place on, in order and without gaps; none only
    /// where there are none.
    ///
    /// # Errors
    /// What the journal says.
    pub(crate) async fn read(
        &self,
        journal: &dyn Journal,
        from: u64,
        reader: Reader,
    ) -> Result<Vec<Arc<Recorded>>> {
        let found = self.recent().from(from);
        if !found.is_empty() {
            return Ok(found);
        }
        if self.recent().first().is_some_and(|first| from < first) {
            let turns = match reader {
                Reader::Stream => &self.behind[0],
                Reader::Channel => &self.behind[1],
            };
            let turn = turns.acquire().await;
            let _turn = turn.map_err(|_| Error::Internal("turns that ended"))?;
            return Ok(page(journal, from)
                .await?
                .into_iter()
                .map(|(_, one)| one)
                .collect());
        }
        let _one = self.reading.lock().await;
        let found = self.recent().from(from);
        if !found.is_empty() {
            return Ok(found);
        }
        let page = page(journal, from).await?;
        let mut recent = self.recent();
        for (length, one) in &page {
            recent.push(*length, one);
        }
        drop(recent);
        Ok(page.into_iter().map(|(_, one)| one).collect())
    }
}

async fn page(journal: &dyn Journal, from: u64) -> Result<Vec<(usize, Arc<Recorded>)>> {
    let page = journal.read(from, STEP).await?;
    let read = page.into_iter().map(|stored| {
        let event = Event::decode(&stored.entry.bytes)?;
        let sequence = stored.sequence;
        let length = stored.entry.bytes.len();
        Ok((length, Arc::new(Recorded { sequence, event })))
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use skms_evidence::{Details, EventId, Outcome, Text};

    use super::*;

    fn event(sequence: u64) -> Arc<Recorded> {
        let event = Event {
            id: EventId([0; 16]),
            at_millis: 0,
            namespace: None,
            principal: Text::default(),
            authentication: Text::default(),
            source: None,
            action: Text::default(),
            targets: Vec::new(),
            outcome: Outcome::Success,
            request_id: Text::default(),
            items: None,
            details: Details::new(),
        };
        Arc::new(Recorded { sequence, event })
    }

    fn places(found: &[Arc<Recorded>]) -> Vec<u64> {
        found.iter().map(|one| one.sequence).collect()
    }

    #[test]
    fn what_is_kept_is_without_gaps_and_bounded() {
        let mut recent = Recent::default();
        assert!(recent.from(0).is_empty());
        for sequence in 5..9 {
            recent.push(10, &event(sequence));
        }
        assert_eq!(places(&recent.from(7)), [7, 8]);
        assert!(recent.from(4).is_empty() && recent.from(9).is_empty());
        // After a gap what was before is of no use.
        recent.push(10, &event(20));
        assert_eq!(places(&recent.from(20)), [20]);
        assert!(recent.from(8).is_empty());
        for sequence in 21..21 + 2 * EVENTS_MAX as u64 {
            recent.push(10, &event(sequence));
        }
        assert_eq!(
            (recent.events.len(), recent.bytes),
            (EVENTS_MAX, 10 * EVENTS_MAX)
        );
        for sequence in recent.end().unwrap()..recent.end().unwrap() + 9 {
            recent.push(BYTES_MAX / 4, &event(sequence));
        }
        assert!(recent.bytes <= BYTES_MAX && recent.events.len() == 4);
        recent.push(BYTES_MAX + 1, &event(recent.end().unwrap()));
        assert_eq!((recent.events.len(), recent.bytes), (0, 0));
    }
}
