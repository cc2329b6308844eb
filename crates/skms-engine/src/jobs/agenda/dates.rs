//! When each stored key wants attention next: an index in memory over all keys
//! that have a date, filled by a walk after each unseal and kept up by every
//! change. So idle keys cost nothing, however many there are.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use skms_crypto::Algorithm;
use skms_keys::{Due, DueAct, Key, KeyId, NamespaceId, UnixSeconds, VersionNumber, Why};
use skms_store::RecordId;

use super::calls::OpenCall;
use super::order::{Order, Wanting};
use super::watch::Watch;
use super::withdrawals::Withdrawals;

/// The index.
#[derive(Default)]
pub(crate) struct Agenda {
    dates: Mutex<Dates>,
    walk: Mutex<super::walk::Walk>,
    watch: Mutex<Watch>,
}

#[derive(Default)]
struct Dates {
    order: Order,
    /// Keys that could not be rotated when they were due, or not be attended
    /// to at all, and when that is tried again.
    put_off: HashMap<KeyId, Vec<PutOff>>,
    /// Calls that wait for their answers.
    calls: HashMap<KeyId, Vec<OpenCall>>,
    followers: Followers,
    /// Keys whose leaders are to be looked at, since when.
    look: HashMap<KeyId, UnixSeconds>,
    withdrawals: Withdrawals,
}

/// Keys that rotate with others.
#[derive(Default)]
struct Followers {
    leader_of: HashMap<KeyId, KeyId>,
    of: HashMap<KeyId, HashMap<KeyId, NamespaceId>>,
    /// The newest version in use of each leader, as far as is known.
    newest: HashMap<KeyId, VersionNumber>,
}

#[derive(Clone, Copy)]
struct PutOff {
    what: What,
    since: UnixSeconds,
    until: UnixSeconds,
}

/// What waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    Everything,
    Rotation,
    OldVersions,
}

impl What {
    const fn includes(self, act: DueAct) -> bool {
        match self {
            Self::Everything => true,
            Self::Rotation => matches!(act, DueAct::Rotate),
            Self::OldVersions => matches!(act, DueAct::DestroyOld),
        }
    }
}

impl Followers {
    /// Takes a key from those that rotate with another one.
    fn leave(&mut self, leader: KeyId, key: KeyId) {
        if let Some(others) = self.of.get_mut(&leader) {
            others.remove(&key);
            if others.is_empty() {
                self.of.remove(&leader);
                self.newest.remove(&leader);
            }
        }
    }
}

impl Dates {
    fn bring_forward(&mut self, key: KeyId, namespace: NamespaceId, at: UnixSeconds) {
        let known = self.order.at(key);
        if known.is_none_or(|known| at < known) {
            self.order.set(key, namespace, Some(at));
        }
    }

    /// What keeps a key from its turn. A clock that went back to before that
    /// puts nothing off.
    fn put_off(&mut self, key: KeyId, now: UnixSeconds) -> Vec<PutOff> {
        let Some(known) = self.put_off.get_mut(&key) else {
            return Vec::new();
        };
        known.retain(|off| off.since <= now && now < off.until);
        let in_force = known.clone();
        if in_force.is_empty() {
            self.put_off.remove(&key);
        }
        in_force
    }

    /// When a key wants attention next, as far as its record says.
    fn next(&mut self, key: &Key, agenda: &[Due], now: UnixSeconds) -> Option<UnixSeconds> {
        let put_off = self.put_off(key.id, now);
        let waits = |at: UnixSeconds, act: DueAct| {
            let off = put_off.iter().filter(|off| off.what.includes(act));
            off.map(|off| off.until)
                .max()
                .map_or(at, |until| at.max(until))
        };
        // Nobody is warned of what is past.
        let warns = |item: &&Due| {
            let date = key.warned_date(item.version, item.why);
            item.act != DueAct::Warn || date.is_none_or(|date| date > now)
        };
        let dates = agenda.iter().filter(warns);
        let dates = dates.map(|item| waits(item.at, item.act));
        let calls = self.calls.get(&key.id).into_iter().flatten();
        let calls = calls.map(|call| waits(call.at, DueAct::Rotate));
        let look = self.look.get(&key.id).map(|at| waits(*at, DueAct::Rotate));
        let withdrawn = self.withdrawals.due(key);
        let withdrawn = withdrawn.map(|at| waits(at, DueAct::Rotate));
        dates.chain(calls).chain(look).chain(withdrawn).min()
    }

    /// Notes with which key one rotates, and has those looked at that rotate
    /// with it, if it has a version that is new to them.
    fn note_leads(&mut self, key: &Key, now: UnixSeconds) {
        let followers = &mut self.followers;
        let known = followers.leader_of.get(&key.id).copied();
        if known != key.rules.rotate_with {
            if let Some(known) = known {
                followers.leader_of.remove(&key.id);
                followers.leave(known, key.id);
            }
            if let Some(leader) = key.rules.rotate_with {
                followers.leader_of.insert(key.id, leader);
                let others = followers.of.entry(leader).or_default();
                others.insert(key.id, key.namespace);
                self.look.insert(key.id, now);
            }
        }
        let Some(newest) = key.newest_in_use() else {
            return;
        };
        let Some(led) = self.followers.of.get(&key.id) else {
            return;
        };
        let led: Vec<_> = led.iter().map(|(key, place)| (*key, *place)).collect();
        if self.followers.newest.insert(key.id, newest) == Some(newest) {
            return;
        }
        for (follower, namespace) in led {
            self.look.insert(follower, now);
            self.bring_forward(follower, namespace, now);
        }
    }
}

impl Agenda {
    fn dates(&self) -> MutexGuard<'_, Dates> {
        self.dates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn walk(&self) -> MutexGuard<'_, super::walk::Walk> {
        self.walk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keys that rotate when somebody leaves.
    pub(super) fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes when a key wants attention next that was changed. What kept it from
    /// its turn may not any more.
    pub(crate) fn changed(&self, key: &Key, now: UnixSeconds) {
        self.dates().put_off.remove(&key.id);
        self.note(key, now);
    }

    /// Notes when a key wants attention next, as it is recorded now.
    pub(crate) fn note(&self, key: &Key, now: UnixSeconds) {
        self.watch().note(key, false);
        let agenda = key.agenda();
        let mut dates = self.dates();
        dates.note_leads(key, now);
        dates.withdrawals.note(key);
        let next = dates.next(key, &agenda, now);
        dates.order.set(key.id, key.namespace, next);
    }

    /// As [`Agenda::note`], of a record that may have been changed since it was
    /// read: it adds a date or brings one forward, and takes none away.
    pub(super) fn note_found(&self, key: &Key, now: UnixSeconds) {
        self.watch().note(key, true);
        let agenda = key.agenda();
        let mut dates = self.dates();
        // What is known of a leader already is as new as this.
        if !dates.followers.leader_of.contains_key(&key.id) {
            dates.note_leads(key, now);
        }
        dates.withdrawals.note_found(key);
        if let Some(next) = dates.next(key, &agenda, now) {
            dates.bring_forward(key.id, key.namespace, next);
        }
    }

    /// Has a key wait that could not be attended to.
    pub(super) fn put_off(&self, wanting: Wanting, now: UnixSeconds, seconds: u64, what: What) {
        let until = now.plus(seconds);
        let mut dates = self.dates();
        let known = dates.put_off.entry(wanting.key).or_default();
        known.retain(|off| off.what != what);
        known.push(PutOff {
            what,
            since: now,
            until,
        });
        dates.order.set(wanting.key, wanting.namespace, Some(until));
    }

    /// Forgets a key that is gone.
    pub(crate) fn forget(&self, key: KeyId) {
        self.watch().forget(key);
        let mut dates = self.dates();
        dates.order.set(key, NamespaceId([0; 16]), None);
        dates.put_off.remove(&key);
        dates.calls.remove(&key);
        dates.look.remove(&key);
        dates.withdrawals.forget(key);
        let followers = &mut dates.followers;
        followers.newest.remove(&key);
        if let Some(leader) = followers.leader_of.remove(&key) {
            followers.leave(leader, key);
        }
    }

    /// Notes a call that waits for its answer.
    pub(super) fn called(&self, key: KeyId, namespace: NamespaceId, call: OpenCall) {
        let mut dates = self.dates();
        let at = call.at;
        let known = dates.calls.entry(key).or_default();
        if known.iter().all(|other| other.id != call.id) {
            known.push(call);
        }
        dates.bring_forward(key, namespace, at);
    }

    /// The calls for a rotation of a key that wait for their answers.
    pub(super) fn calls_of(&self, key: KeyId) -> Vec<OpenCall> {
        self.dates().calls.get(&key).cloned().unwrap_or_default()
    }

    /// Forgets calls that are answered.
    pub(super) fn answered(&self, key: KeyId, ids: &[RecordId]) {
        let mut dates = self.dates();
        if let Some(known) = dates.calls.get_mut(&key) {
            known.retain(|call| !ids.contains(&call.id));
            if known.is_empty() {
                dates.calls.remove(&key);
            }
        }
    }

    /// Notes which algorithms are withdrawn and have a successor, since when, and
    /// wakes the keys up that rotate then, and those that could not be rotated
    /// when they were due: what kept them from it may be over.
    pub(crate) fn withdrawn(&self, since: HashMap<Algorithm, UnixSeconds>, now: UnixSeconds) {
        let mut dates = self.dates();
        let mut woken = Vec::new();
        for (key, off) in &mut dates.put_off {
            let before = off.len();
            off.retain(|off| off.what != What::Rotation);
            if off.len() < before {
                woken.push(*key);
            }
        }
        let keys = woken.into_iter();
        let known = keys.filter_map(|key| dates.order.known(key, now));
        let mut woken: Vec<_> = known.collect();
        woken.extend(dates.withdrawals.replace(since));
        for (key, namespace, at) in woken {
            dates.bring_forward(key, namespace, at);
        }
    }

    /// Notes that a key's leader is being looked at: what happens to that from
    /// here on has it looked at again.
    pub(super) fn looking(&self, key: KeyId) {
        self.dates().look.remove(&key);
    }

    /// Has a key's leader looked at again: it was not followed yet.
    pub(super) fn look_again(&self, key: KeyId, now: UnixSeconds) {
        self.dates().look.entry(key).or_insert(now);
    }

    /// Everything that is to be done with a key, by time: its own dates, and a
    /// rotation that is called for, or due since its algorithm was withdrawn.
    pub(crate) fn due_of(&self, key: &Key, now: UnixSeconds) -> Vec<Due> {
        let mut due = key.coming(now);
        let called = self.calls_of(key.id).iter().map(|call| call.at).min();
        let withdrawn = self.dates().withdrawals.due(key);
        let dates = [(called, Why::Called), (withdrawn, Why::AlgorithmWithdrawn)];
        for (at, why) in dates {
            if let (Some(at), Ok(newest)) = (at, key.newest()) {
                due.push(Due {
                    at,
                    version: newest.number,
                    act: DueAct::Rotate,
                    why,
                });
            }
        }
        due
    }

    /// As [`Agenda::wanting`], of one namespace.
    pub(crate) fn wanting_of(
        &self,
        namespace: NamespaceId,
        until: UnixSeconds,
        most: usize,
    ) -> Vec<Wanting> {
        let dates = self.dates();
        dates
            .order
            .wanting_of(namespace, until)
            .take(most)
            .collect()
    }

    /// Keys that want attention by `until`: namespaces take turns, and within
    /// each the longest overdue come first.
    pub(crate) fn wanting(&self, until: UnixSeconds, most: usize) -> Vec<Wanting> {
        self.dates().order.wanting(until, most)
    }

    /// Notes whose turn was the last.
    pub(super) fn served(&self, namespace: NamespaceId) {
        self.dates().order.served(namespace);
    }
}
