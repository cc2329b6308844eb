//! Whose delivery is next. Every namespace has a share of those under way, and
//! rounds go on behind whoever was served last, so that receivers that take
//! their time hold up those of nobody else. Mail has turns of its own: a mail
//! server that is slow is slow for all mail, and for no webhook.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skms_policy::ROOT_NAMESPACE;

use super::Channel;

/// Deliveries at once: of all, of one namespace, and those that are kept for
/// the root namespace, which is told of what the others do.
struct Share {
    all: usize,
    each: usize,
    kept: usize,
}

const WEBHOOKS: Share = Share {
    all: 32,
    each: 8,
    kept: 8,
};
const MAILS: Share = Share {
    all: 8,
    each: 2,
    kept: 2,
};

/// Mails of a namespace in a minute; those of the root namespace are the
/// operator's own.
const MAILS_A_MINUTE: usize = 10;
const MINUTE_MS: i64 = 60_000;

#[derive(Default)]
struct State {
    /// How many are under way: webhooks and mails, by namespace.
    underway: [BTreeMap<String, usize>; 2],
    /// When mails of a namespace were sent within the last minute.
    mailed: BTreeMap<String, VecDeque<i64>>,
    /// The namespace that was served last, and of each the channel.
    last: String,
    last_of: BTreeMap<String, String>,
}

/// Turns to deliver.
#[derive(Default)]
pub(crate) struct Turns(Mutex<State>);

/// A turn, until it is dropped.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    namespace: String,
    mail: bool,
}

impl Turns {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn for a namespace, if it has one left.
    pub(crate) fn take(self: &Arc<Self>, namespace: &str, mail: bool, now_ms: i64) -> Option<Turn> {
        let share = if mail { MAILS } else { WEBHOOKS };
        let root = namespace == ROOT_NAMESPACE;
        let mut state = self.state();
        if mail && !root && state.mailed_lately(namespace, now_ms) >= MAILS_A_MINUTE {
            return None;
        }
        let underway = &mut state.underway[usize::from(mail)];
        let own = underway.get(namespace).copied().unwrap_or_default();
        let all: usize = underway.values().sum();
        let roots = underway.get(ROOT_NAMESPACE).copied().unwrap_or_default();
        let there_is = match root {
            true => all < share.all,
            false => own < share.each && all < share.all && all - roots < share.all - share.kept,
        };
        if !there_is {
            return None;
        }
        *underway.entry(namespace.to_owned()).or_default() += 1;
        Some(Turn {
            turns: Arc::clone(self),
            namespace: namespace.to_owned(),
            mail,
        })
    }

    /// Notes which channel was served.
    pub(crate) fn served(&self, channel: &Channel, now_ms: i64) {
        let mut state = self.state();
        let (namespace, name) = (channel.namespace_name.to_string(), &channel.record.name);
        if channel.gathers() {
            state.trim(now_ms);
            let mailed = state.mailed.entry(namespace.clone()).or_default();
            mailed.push_back(now_ms);
        }
        state.last.clone_from(&namespace);
        state.last_of.insert(namespace, name.clone());
    }

    /// Channels by namespace, each and all in the order that they come in:
    /// behind whoever was served last.
    pub(crate) fn order(&self, channels: &[Arc<Channel>]) -> VecDeque<VecDeque<Arc<Channel>>> {
        let mut by: BTreeMap<&str, BTreeMap<&str, &Arc<Channel>>> = BTreeMap::new();
        for channel in channels {
            let own = by.entry(&channel.namespace_name).or_default();
            own.insert(&channel.record.name, channel);
        }
        let mut state = self.state();
        state
            .last_of
            .retain(|namespace, _| by.contains_key(namespace.as_str()));
        let mut first = VecDeque::new();
        let mut then = VecDeque::new();
        for (namespace, own) in by {
            let after = state.last_of.get(namespace).map_or("", String::as_str);
            let (before, behind): (Vec<_>, Vec<_>) =
                own.into_iter().partition(|(name, _)| *name <= after);
            let own = behind.into_iter().chain(before);
            let own: VecDeque<_> = own.map(|(_, channel)| Arc::clone(channel)).collect();
            match namespace > state.last.as_str() {
                true => first.push_back(own),
                false => then.push_back(own),
            }
        }
        first.append(&mut then);
        first
    }
}

impl State {
    /// Forgets mails that were sent longer than a minute ago, and those of which
    /// the clock, put back, has not come to the time.
    fn trim(&mut self, now_ms: i64) {
        self.mailed.retain(|_, mailed| {
            mailed.retain(|at| (0..MINUTE_MS).contains(&now_ms.saturating_sub(*at)));
            !mailed.is_empty()
        });
    }

    /// How many mails of a namespace were sent within the last minute.
    fn mailed_lately(&mut self, namespace: &str, now_ms: i64) -> usize {
        self.trim(now_ms);
        self.mailed.get(namespace).map_or(0, VecDeque::len)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        let underway = &mut state.underway[usize::from(self.mail)];
        if let Some(own) = underway.get_mut(&self.namespace) {
            *own -= 1;
            if *own == 0 {
                underway.remove(&self.namespace);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use skms_keys::NamespaceId;
    use skms_store::RecordId;

    use super::*;
    use crate::records::notification::{ChannelRecord, WayRecord};

    fn channel(namespace: &str, name: &str) -> Arc<Channel> {
        let record = ChannelRecord {
            name: name.to_owned(),
            enabled: true,
            way: WayRecord::Email { to: Vec::new() },
            actions: Vec::new(),
            outcomes: Vec::new(),
            targets: Vec::new(),
            created_at: 0,
            changed_at: 0,
        };
        let whose = (NamespaceId([1; 16]), Arc::from(namespace));
        let made = Channel::new((RecordId([7; 16]), 1), whose, record, Arc::default());
        Arc::new(made.unwrap())
    }

    fn taken(turns: &Arc<Turns>, namespace: &str, mail: bool) -> Vec<Turn> {
        std::iter::from_fn(|| turns.take(namespace, mail, 0)).collect()
    }

    #[test]
    fn nobody_takes_the_turns_of_others() {
        let turns: Arc<Turns> = Arc::default();
        let a = taken(&turns, "a", false);
        let b = taken(&turns, "b", false);
        let c = taken(&turns, "c", false);
        assert_eq!((a.len(), b.len(), c.len()), (8, 8, 8));
        // Three that hang leave those of the root namespace, and all mail.
        assert!(taken(&turns, "d", false).is_empty());
        let mail = taken(&turns, "a", true);
        assert_eq!((mail.len(), taken(&turns, "d", true).len()), (2, 2));
        let root = taken(&turns, "root", false);
        assert_eq!(root.len(), 8);
        drop(b);
        // What the root namespace has beyond its own is everybody's.
        let more = taken(&turns, "root", false);
        assert_eq!(more.len(), 8);
        assert!(taken(&turns, "d", false).is_empty());
        drop((root, more, a, c, mail));
        assert_eq!(taken(&turns, "root", true).len(), 8);
        assert_eq!(taken(&turns, "d", false).len(), 8);
    }

    #[test]
    fn rounds_go_on_behind_whoever_was_served_last() {
        let turns = Turns::default();
        let all: Vec<_> = ["a/1", "a/2", "a/3", "m/1", "root/1", "z/1"]
            .into_iter()
            .filter_map(|path| path.split_once('/'))
            .map(|(namespace, name)| channel(namespace, name))
            .collect();
        let order = || {
            let all = turns.order(&all).into_iter();
            let names = all.map(|own| {
                let names = own.iter().map(|one| one.record.name.clone());
                let namespace = own.front().map(|one| one.namespace_name.to_string());
                format!(
                    "{} {}",
                    namespace.unwrap_or_default(),
                    names.collect::<String>()
                )
            });
            names.collect::<Vec<_>>()
        };
        assert_eq!(order(), ["a 123", "m 1", "root 1", "z 1"]);
        turns.served(&channel("a", "2"), 0);
        assert_eq!(order(), ["m 1", "root 1", "z 1", "a 312"]);
        turns.served(&channel("root", "1"), 0);
        assert_eq!(order(), ["z 1", "a 312", "m 1", "root 1"]);
        turns.served(&channel("z", "1"), 0);
        assert_eq!(order(), ["a 312", "m 1", "root 1", "z 1"]);
    }

    #[test]
    fn a_namespace_sends_so_many_mails_a_minute() {
        let turns: Arc<Turns> = Arc::default();
        let (team, root) = (channel("team", "ops"), channel("root", "ops"));
        for at in 0..10 {
            assert!(turns.take("team", true, at).is_some());
            turns.served(&team, at);
            turns.served(&root, at);
        }
        assert!(turns.take("team", true, 10).is_none());
        assert!(turns.take("team", false, 10).is_some());
        assert!(turns.take("other", true, 10).is_some());
        assert!(turns.take("root", true, 10).is_some());
        assert!(turns.take("team", true, MINUTE_MS - 1).is_none());
        assert!(turns.take("team", true, MINUTE_MS).is_some());
    }

    #[test]
    fn mails_of_long_ago_are_not_kept() {
        let turns: Arc<Turns> = Arc::default();
        turns.served(&channel("gone", "ops"), 0);
        for minute in 1..100 {
            turns.served(&channel("root", "ops"), minute * MINUTE_MS);
        }
        let state = turns.state();
        let kept: Vec<_> = state.mailed.values().map(|at| at.len()).collect();
        assert_eq!(kept, [1]);
    }
}
