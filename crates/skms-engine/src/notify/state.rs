//! How far a channel has come: what waits, what failed, what comes next. It
//! does nothing itself; times are passed in.

use std::collections::BTreeMap;
use std::sync::Arc;

use skms_evidence::Event;
use skms_store::RecordId;

use crate::acts::events::Recorded;
use crate::records::notification::{CursorRecord, WaitingRecord};

/// The most events of a channel that wait to be delivered; beyond it they stay
/// in the journal.
pub(crate) const WAITING_MAX: usize = 100;
/// Deliveries of one webhook at once.
const EACH: usize = 4;
/// The first wait after a failure, and the longest.
const FIRST_WAIT_MS: i64 = 5_000;
const LONGEST_WAIT_MS: i64 = 2 * 3_600_000;
/// How often an event fails before its channel is said to be failing.
const FAILING_AFTER: u32 = 3;
/// For how long events are gathered for one mail.
pub(crate) const MAIL_GATHERS_MS: i64 = 60_000;

/// An event that is to be delivered.
pub(crate) struct Waiting {
    pub(crate) attempts: u32,
    pub(crate) first_ms: i64,
    pub(crate) next_ms: i64,
    /// As it was read; after a restart it is read again.
    pub(crate) event: Option<Arc<Recorded>>,
    underway: bool,
}

impl Waiting {
    /// When it is to be sent, seen from now. What lies further ahead than it can
    /// have to wait was written down while the clock was ahead.
    fn due_ms(&self, now_ms: i64) -> i64 {
        let longest = wait_ms(self.attempts, &mut |below| below.saturating_sub(1));
        let furthest = now_ms.saturating_add(longest.max(MAIL_GATHERS_MS));
        match self.next_ms <= furthest {
            true => self.next_ms,
            false => now_ms,
        }
    }
}

/// What a channel's deliveries have come to.
#[derive(Default)]
pub(crate) struct State {
    /// Of the record that holds it.
    pub(crate) revision: u64,
    /// The first event of the journal that was not looked at.
    pub(crate) next: u64,
    pub(crate) waiting: BTreeMap<u64, Waiting>,
    pub(crate) failing_since: Option<i64>,
    pub(crate) last_error: Option<String>,
    pub(crate) last_delivered_at: Option<i64>,
    pub(crate) delivered: u64,
    /// Events that there was no room for in a mail, and that no mail counted.
    pub(crate) left_out: u64,
    /// Before this no further mail is sent.
    not_before: i64,
    /// Dead letters with the revisions of their records, oldest first.
    pub(crate) dead: BTreeMap<RecordId, u64>,
    /// Since when it differs from its record.
    pub(crate) dirty_since: Option<i64>,
}

/// What a delivery changed that has to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// The channel is failing from now on.
    pub(crate) failing: bool,
    /// It was failing and is no longer.
    pub(crate) recovered: bool,
    /// These are given up, once that is on record.
    pub(crate) dead: Vec<u64>,
}

impl News {
    /// Since when the channel is failing, once this is told.
    fn failing_since(&self, before: Option<i64>, now_ms: i64) -> Option<i64> {
        match (self.failing, self.recovered) {
            (true, _) => Some(now_ms.div_euclid(1000)),
            (false, true) => None,
            (false, false) => before,
        }
    }
}

impl State {
    pub(crate) fn of(revision: u64, record: CursorRecord) -> Self {
        let waiting = record.waiting.into_iter().map(|one| {
            let waiting = Waiting {
                attempts: one.attempts,
                first_ms: one.first_ms,
                next_ms: one.next_ms,
                event: None,
                underway: false,
            };
            (one.sequence, waiting)
        });
        Self {
            revision,
            next: record.next,
            waiting: waiting.collect(),
            failing_since: record.failing_since,
            last_error: record.last_error,
            last_delivered_at: record.last_delivered_at,
            delivered: record.delivered,
            left_out: record.left_out,
            not_before: 0,
            dead: BTreeMap::new(),
            dirty_since: None,
        }
    }

    /// The record that it is now.
    pub(crate) fn record(&self) -> CursorRecord {
        let waiting = self.waiting.iter().map(|(sequence, one)| WaitingRecord {
            sequence: *sequence,
            attempts: one.attempts,
            first_ms: one.first_ms,
            next_ms: one.next_ms,
        });
        CursorRecord {
            next: self.next,
            waiting: waiting.collect(),
            failing_since: self.failing_since,
            last_error: self.last_error.clone(),
            last_delivered_at: self.last_delivered_at,
            delivered: self.delivered,
            left_out: self.left_out,
        }
    }

    /// The record that it is once `news` is on record, which is in the same batch.
    pub(crate) fn record_with(&self, news: &News, now_ms: i64) -> CursorRecord {
        let mut record = self.record();
        record
            .waiting
            .retain(|one| !news.dead.contains(&one.sequence));
        record.failing_since = news.failing_since(self.failing_since, now_ms);
        if news.recovered {
            record.last_error = None;
        }
        record
    }

    /// This is on record: the channel is what it says, and what is given up can
    /// be sent to nobody any more.
    pub(crate) fn told(&mut self, news: &News, now_ms: i64) {
        for sequence in &news.dead {
            self.waiting.remove(sequence);
        }
        self.failing_since = news.failing_since(self.failing_since, now_ms);
        if news.recovered {
            self.last_error = None;
        }
    }

    /// This could not be put on record: nothing is given up by it, and what is
    /// to be told is found again by the next delivery.
    pub(crate) fn not_told(&mut self, news: &News, now_ms: i64, next_ms: i64) {
        self.put_back(&news.dead, next_ms);
        self.touch(now_ms);
    }

    /// Whether there is no room for more.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING_MAX
    }

    /// Whether it looks at what comes next: for mail, what there is no room for
    /// is counted, as long as mail is taken.
    pub(crate) fn takes_more(&self, gathers: bool) -> bool {
        let fresh = || self.waiting.values().all(|one| one.attempts == 0);
        !self.is_full() || (gathers && fresh())
    }

    fn touch(&mut self, now_ms: i64) {
        self.dirty_since.get_or_insert(now_ms);
    }

    /// Looks at the next events of the journal, as far as there is room.
    /// `gathers_ms` is how long they wait for others to go along.
    pub(crate) fn look_at(
        &mut self,
        page: &[Arc<Recorded>],
        takes: impl Fn(&Event) -> bool,
        now_ms: i64,
        gathers_ms: i64,
    ) {
        for recorded in page {
            if recorded.sequence < self.next {
                continue;
            }
            if takes(&recorded.event) {
                if self.is_full() {
                    // One mail a minute, however many there are: the rest is
                    // counted. What is not taken now waits as everything does.
                    if !self.takes_more(gathers_ms > 0) {
                        break;
                    }
                    self.left_out += 1;
                    self.next = recorded.sequence + 1;
                    self.touch(now_ms);
                    continue;
                }
                // All go when the first of them does.
                let fresh = self.waiting.values().filter(|one| one.attempts == 0);
                let first = fresh
                    .filter(|one| !one.underway)
                    .map(|one| one.next_ms)
                    .min();
                let next_ms = first
                    .unwrap_or(now_ms + gathers_ms)
                    .min(now_ms + gathers_ms);
                let waiting = Waiting {
                    attempts: 0,
                    first_ms: now_ms,
                    next_ms,
                    event: Some(Arc::clone(recorded)),
                    underway: false,
                };
                self.waiting.insert(recorded.sequence, waiting);
            }
            self.next = recorded.sequence + 1;
            self.touch(now_ms);
        }
    }

    /// Which is to be sent now by itself, if there is one and room for it; it
    /// is under way from here.
    pub(crate) fn due_one(&mut self, now_ms: i64) -> Vec<u64> {
        let underway = self.waiting.values().filter(|one| one.underway).count();
        let ready = (self.waiting.iter_mut())
            .filter(|(_, one)| !one.underway && one.due_ms(now_ms) <= now_ms)
            .take(usize::from(underway < EACH));
        let take = ready.take(1).map(|(sequence, one)| {
            one.underway = true;
            *sequence
        });
        take.collect()
    }

    /// Which are to be sent now in one message.
    pub(crate) fn due_together(&mut self, now_ms: i64) -> Vec<u64> {
        if now_ms < self.not_before(now_ms) || self.waiting.values().any(|one| one.underway) {
            return Vec::new();
        }
        let due = |one: &Waiting| one.due_ms(now_ms) <= now_ms;
        if !self.waiting.values().any(due) {
            return Vec::new();
        }
        let go = (self.waiting.iter_mut()).filter(|(_, one)| due(one) || one.attempts == 0);
        let take = go.map(|(sequence, one)| {
            one.underway = true;
            *sequence
        });
        take.collect()
    }

    /// A mail was taken, which counted so many that were left out.
    pub(crate) fn mailed(&mut self, left_out: u64, now_ms: i64) {
        self.left_out = self.left_out.saturating_sub(left_out);
        self.not_before = now_ms.saturating_add(MAIL_GATHERS_MS);
    }

    /// Before this no further mail is sent, seen from now. One mail is no further
    /// from the next; what says so was set while the clock was ahead.
    fn not_before(&self, now_ms: i64) -> i64 {
        match self.not_before <= now_ms.saturating_add(MAIL_GATHERS_MS) {
            true => self.not_before,
            false => now_ms,
        }
    }

    /// When something is to be sent that is not under way.
    pub(crate) fn wakes(&self, now_ms: i64) -> Option<i64> {
        let idle = self.waiting.values().filter(|one| !one.underway);
        let next = idle.map(|one| one.due_ms(now_ms)).min();
        next.map(|next| next.max(self.not_before(now_ms)))
    }

    /// Whether it has differed from its record for so long, or for a time that
    /// the clock has not come to.
    pub(crate) fn is_to_save(&self, now_ms: i64, after_ms: i64) -> bool {
        (self.dirty_since)
            .is_some_and(|since| !(0..after_ms).contains(&now_ms.saturating_sub(since)))
    }

    /// These were not sent after all.
    pub(crate) fn put_back(&mut self, sequences: &[u64], next_ms: i64) {
        for sequence in sequences {
            if let Some(one) = self.waiting.get_mut(sequence) {
                one.underway = false;
                one.next_ms = next_ms;
            }
        }
    }

    /// These are to be delivered after all.
    pub(crate) fn bring_back(&mut self, sequences: &[u64], now_ms: i64) {
        for sequence in sequences {
            let fresh = Waiting {
                attempts: 0,
                first_ms: now_ms,
                next_ms: now_ms,
                event: None,
                underway: false,
            };
            self.waiting.entry(*sequence).or_insert(fresh);
        }
    }

    /// These were taken. What else waits has no reason to wait any longer. That
    /// the channel is failing no more counts once it is [told](Self::told).
    pub(crate) fn delivered(&mut self, sequences: &[u64], now_ms: i64) -> News {
        for sequence in sequences {
            self.waiting.remove(sequence);
        }
        self.touch(now_ms);
        self.delivered += sequences.len() as u64;
        self.last_delivered_at = Some(now_ms.div_euclid(1000));
        let recovered = self.failing_since.is_some();
        if recovered {
            for one in self.waiting.values_mut().filter(|one| one.attempts > 0) {
                one.next_ms = one.next_ms.min(now_ms);
            }
        } else {
            self.last_error = None;
        }
        News {
            recovered,
            ..News::default()
        }
    }

    /// These were not taken. `spread` gives a number below the one it is given.
    /// What comes of it counts once it is [told](Self::told).
    pub(crate) fn failed(
        &mut self,
        sequences: &[u64],
        why: &str,
        now_ms: i64,
        gives_up_ms: i64,
        mut spread: impl FnMut(u64) -> u64,
    ) -> News {
        let mut news = News::default();
        self.last_error = Some(why.to_owned());
        for sequence in sequences {
            let Some(one) = self.waiting.get_mut(sequence) else {
                continue;
            };
            one.attempts = one.attempts.saturating_add(1);
            // One from before the clock was put back has no longer than others.
            one.first_ms = one.first_ms.min(now_ms);
            if now_ms.saturating_sub(one.first_ms) >= gives_up_ms {
                // Under way until it is on record that it is given up.
                news.dead.push(*sequence);
                continue;
            }
            one.underway = false;
            let last = one.first_ms.saturating_add(gives_up_ms);
            let wait = wait_ms(one.attempts, &mut spread);
            // The last try is at the end, not before it.
            one.next_ms = now_ms.saturating_add(wait).min(last);
            if one.attempts >= FAILING_AFTER && self.failing_since.is_none() {
                news.failing = true;
            }
        }
        if !news.dead.is_empty() && self.failing_since.is_none() {
            news.failing = true;
        }
        self.touch(now_ms);
        news
    }
}

/// The wait after so many failures: four times as long each time, and spread
/// by a fifth either way, so that those that failed together do not come back
/// together.
fn wait_ms(attempts: u32, spread: &mut impl FnMut(u64) -> u64) -> i64 {
    let doubled = 2 * attempts.saturating_sub(1);
    let longer = 1_i64.checked_shl(doubled.min(20)).unwrap_or(i64::MAX);
    let wait = FIRST_WAIT_MS.saturating_mul(longer).min(LONGEST_WAIT_MS);
    let fifth = wait / 5;
    let by = spread(u64::try_from(2 * fifth + 1).unwrap_or(1));
    wait - fifth + i64::try_from(by).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use skms_evidence::{Details, EventId, Outcome, Text};

    use super::*;

    const DAYS: i64 = 3 * 86_400_000;

    impl State {
        fn due(&mut self, now_ms: i64) -> Vec<u64> {
            let mut all = Vec::new();
            loop {
                let one = self.due_one(now_ms);
                if one.is_empty() {
                    return all;
                }
                all.extend(one);
            }
        }
    }

    fn events(from: u64, to: u64) -> Vec<Arc<Recorded>> {
        let one = |sequence| {
            let event = Event {
                id: EventId([0; 16]),
                at_millis: 0,
                namespace: None,
                principal: Text::default(),
                authentication: Text::default(),
                source: None,
                action: if sequence % 2 == 0 { "even" } else { "odd" }.into(),
                targets: Vec::new(),
                outcome: Outcome::Success,
                request_id: Text::default(),
                items: None,
                details: Details::new(),
            };
            Arc::new(Recorded { sequence, event })
        };
        (from..to).map(one).collect()
    }

    fn all(_: &Event) -> bool {
        true
    }

    #[test]
    fn what_is_not_taken_waits_longer_each_time() {
        let mut state = State::default();
        state.look_at(&events(0, 1), all, 0, 0);
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..9 {
            assert_eq!(state.due(now), [0]);
            let news = state.failed(&[0], "no", now, DAYS, |below| below / 2);
            assert_eq!(news.failing, waits.len() == 2);
            state.told(&news, now);
            let next = state.wakes(now).unwrap();
            waits.push((next - now) / 1000);
            assert!(state.due(next - 1).is_empty());
            now = next;
        }
        assert_eq!(waits, [5, 20, 80, 320, 1280, 5120, 7200, 7200, 7200]);
        // Spread by a fifth at most.
        for attempts in 1..20 {
            let middle = wait_ms(attempts, &mut |below| below / 2);
            let (least, most) = (
                wait_ms(attempts, &mut |_| 0),
                wait_ms(attempts, &mut |below| below - 1),
            );
            assert!(least >= middle * 4 / 5 && most <= middle * 6 / 5);
        }
    }

    #[test]
    fn the_last_try_is_at_the_end_of_its_time() {
        let mut state = State::default();
        state.look_at(&events(0, 1), all, 0, 0);
        let mut tries = 0;
        let mut now = 0;
        let news = loop {
            assert_eq!(state.due(now), [0]);
            tries += 1;
            let news = state.failed(&[0], "no", now, DAYS, |below| below / 2);
            if !news.dead.is_empty() {
                break news;
            }
            state.told(&news, now);
            now = state.wakes(now).unwrap();
        };
        assert_eq!(now, DAYS);
        assert_eq!(news.dead, [0]);
        assert!((35..50).contains(&tries), "{tries}");
        // It is under way until it is on record, and not in what is recorded.
        assert!(state.due(now).is_empty());
        assert!(state.record_with(&news, now).waiting.is_empty());
        state.told(&news, now);
        assert!(state.wakes(now).is_none());
    }

    #[test]
    fn one_that_is_taken_brings_the_others_back_at_once() {
        let mut state = State::default();
        state.look_at(&events(0, 3), all, 0, 0);
        assert_eq!(state.due(0), [0, 1, 2]);
        for attempt in 0..3 {
            let news = state.failed(&[0, 1, 2], "no", attempt, DAYS, |below| below / 2);
            assert_eq!(news.failing, attempt == 2);
            state.told(&news, attempt);
        }
        assert!(state.due(10).is_empty());
        let due = state.wakes(10).unwrap();
        assert_eq!(state.due(due), [0, 1, 2]);
        let news = state.delivered(&[0], due);
        assert!(news.recovered && state.record_with(&news, due).failing_since.is_none());
        state.told(&news, due);
        assert!(state.failing_since.is_none() && state.last_error.is_none());
        state.put_back(&[1, 2], due);
        assert_eq!(state.due(due), [1, 2]);
        assert!(!state.delivered(&[1, 2], due).recovered);
        assert_eq!((state.delivered, state.waiting.len()), (3, 0));
    }

    #[test]
    fn what_there_is_no_room_for_stays_in_the_journal() {
        let mut state = State::default();
        let odd = |event: &Event| event.action.as_str() == "odd";
        state.look_at(&events(0, 1000), odd, 0, 0);
        assert_eq!(state.waiting.len(), WAITING_MAX);
        // The next one that it would take is the first it did not look at.
        assert_eq!(state.next, 2 * WAITING_MAX as u64 + 1);
        state.look_at(&events(0, 1000), odd, 0, 0);
        assert_eq!(state.waiting.len(), WAITING_MAX);
        assert_eq!(state.due(0).len(), EACH);
        assert!(state.due(0).is_empty());
        state.delivered(&[1], 0);
        assert_eq!(state.due(0), [9]);
        state.look_at(&events(0, 1000), odd, 0, 0);
        assert_eq!(state.next, 2 * WAITING_MAX as u64 + 3);
        // A restart begins with what was on record.
        let again = State::of(7, state.record());
        assert_eq!((again.next, again.waiting.len()), (state.next, WAITING_MAX));
        assert!(again.waiting.values().all(|one| !one.underway));
    }

    #[test]
    fn a_channel_mails_once_a_minute_and_counts_what_it_leaves_out() {
        let mut state = State::default();
        state.look_at(&events(0, 2), all, 0, MAIL_GATHERS_MS);
        state.look_at(&events(2, 3), all, 59_000, MAIL_GATHERS_MS);
        assert!(state.due_together(59_999).is_empty());
        assert_eq!(state.due_together(60_000), [0, 1, 2]);
        // The next one is by itself, and not while one is under way.
        state.look_at(&events(3, 4), all, 60_001, MAIL_GATHERS_MS);
        assert!(state.due_together(200_000).is_empty());
        state.delivered(&[0, 1, 2], 90_000);
        state.mailed(0, 90_000);
        assert!(state.due_together(149_999).is_empty());
        assert_eq!(
            (state.wakes(149_999), state.due_together(150_000)),
            (Some(150_000), vec![3])
        );
        state.delivered(&[3], 150_000);
        state.mailed(0, 150_000);
        // However many there are, there is one mail, and none before its time.
        let full = 4 + WAITING_MAX as u64;
        state.look_at(&events(4, full + 50), all, 200_000, MAIL_GATHERS_MS);
        assert!(state.due_together(259_999).is_empty());
        assert_eq!(state.due_together(260_000).len(), WAITING_MAX);
        assert_eq!((state.left_out, state.next), (50, full + 50));
        state.look_at(&events(full + 50, full + 53), all, 260_001, MAIL_GATHERS_MS);
        // What is not taken leaves nothing more out.
        let sent: Vec<u64> = state.waiting.keys().copied().collect();
        state.failed(&sent, "no", 261_000, DAYS, |below| below / 2);
        state.look_at(&events(full + 53, full + 60), all, 262_000, MAIL_GATHERS_MS);
        assert_eq!((state.left_out, state.next), (53, full + 53));
        let again = State::of(7, state.record());
        assert_eq!(again.left_out, 53);
        assert_eq!(state.due_together(300_000).len(), WAITING_MAX);
        state.delivered(&sent, 300_000);
        state.mailed(53, 300_000);
        assert_eq!((state.left_out, state.waiting.len()), (0, 0));
    }

    #[test]
    fn what_could_not_be_told_is_told_by_the_next_delivery() {
        let mut state = State::default();
        state.look_at(&events(0, 4), all, 0, 0);
        for _ in 0..2 {
            assert!(!fail(&mut state, 0).failing);
        }
        for now in [0, 1] {
            let news = fail(&mut state, now);
            assert!(news.failing && state.failing_since.is_none());
            state.not_told(&news, now, now);
        }
        let news = fail(&mut state, 2000);
        state.told(&news, 2000);
        assert_eq!(state.failing_since, Some(2));
        assert!(!fail(&mut state, 2001).failing);
        for one in [1, 2] {
            let news = state.delivered(&[one], 3000);
            assert!(news.recovered && state.last_error.is_some());
            state.not_told(&news, 3000, 3000);
            assert_eq!(state.failing_since, Some(2));
        }
        let news = state.delivered(&[3], 4000);
        state.told(&news, 4000);
        assert!(state.failing_since.is_none() && state.last_error.is_none());
        // What is given up stays until it is on record.
        let news = fail(&mut state, DAYS);
        assert!(news.failing && news.dead == [0]);
        state.not_told(&news, DAYS, DAYS);
        assert_eq!((state.due(DAYS), state.waiting.len()), (vec![0], 1));
    }

    fn fail(state: &mut State, now_ms: i64) -> News {
        state.failed(&[0], "no", now_ms, DAYS, |below| below / 2)
    }

    #[test]
    fn a_clock_that_was_ahead_holds_up_nothing() {
        let ahead = 86_400_000;
        let mut state = State::default();
        state.look_at(&events(0, 1), all, ahead, MAIL_GATHERS_MS);
        assert_eq!(state.due_together(ahead + MAIL_GATHERS_MS), [0]);
        state.delivered(&[0], ahead);
        state.mailed(0, ahead);
        // It is put back by a day.
        state.look_at(&events(1, 2), all, 0, MAIL_GATHERS_MS);
        assert_eq!(state.wakes(0), Some(MAIL_GATHERS_MS));
        assert_eq!(state.due_together(MAIL_GATHERS_MS), [1]);
        assert!(state.is_to_save(0, 1000));
        // What was to be tried again then is tried now, with its time before it.
        state.failed(&[1], "no", ahead, DAYS, |below| below / 2);
        assert_eq!((state.wakes(0), state.due(0)), (Some(0), vec![1]));
        let mut state = State::default();
        state.look_at(&events(0, 1), all, ahead, 0);
        assert_eq!(state.due(ahead), [0]);
        state.failed(&[0], "no", ahead, DAYS, |below| below / 2);
        assert_eq!(state.due(0), [0]);
        assert!(fail(&mut state, 0).dead.is_empty());
        assert_eq!(state.due(DAYS), [0]);
        assert_eq!(fail(&mut state, DAYS).dead, [0]);
    }
}
