//! What rules are asked about a key.

use skms_keys::{Key, KeyState, RevocationReason, Revoke, UnixSeconds, Versions};
use skms_policy::rule::{Answer, KeyFacts, Rule};

use super::{compromises, reason};
use crate::engine::Rooms;

/// When a key was used last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastUse {
    /// Days since 1970-01-01: what is kept.
    pub(crate) day: i64,
    /// In seconds; the day's end where only the day is known.
    pub(crate) at: i64,
}

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

impl LastUse {
    /// A use at a time.
    pub(crate) fn at(seconds: i64) -> Self {
        Self {
            day: seconds.div_euclid(DAY),
            at: seconds,
        }
    }

    /// A use on a day, of which no more is known: as late as it can have been.
    pub(crate) fn on(day: i64) -> Self {
        let at = day.saturating_add(1).saturating_mul(DAY);
        Self { day, at }
    }
}

/// A key's facts at a time.
pub(crate) fn facts<'a>(
    rooms: &Rooms,
    key: &'a Key,
    keyring: &'a str,
    last: Option<LastUse>,
    now: UnixSeconds,
) -> Option<KeyFacts<'a>> {
    let newest = key.versions.last()?;
    let since = |at: UnixSeconds| now.0.saturating_sub(at.0).max(0);
    let began = newest.activated_at.unwrap_or(newest.created_at);
    // Who issues, stamps or publishes by a key uses it, whatever else does.
    let stands = rooms.authorities.stands_on(&key.id.to_string());
    let unused = match last {
        _ if stands => 0,
        Some(last) => since(UnixSeconds(last.at.max(began.0))),
        None => since(began),
    };
    let active = newest.state == KeyState::Active;
    let period = key.rules.originator_usage_period_seconds;
    let period = period.filter(|_| active).map(|seconds| began.plus(seconds));
    let until = |end: UnixSeconds| end.0.saturating_sub(now.0);
    Some(KeyFacts {
        name: key.name.as_str(),
        keyring,
        algorithm: key.algorithm.name(),
        owner: &key.owner,
        tags: &key.tags,
        exportable: key.exportable,
        state: newest.state.name(),
        version: newest.number.0,
        age_seconds: since(began),
        key_age_seconds: since(key.created_at),
        uses: newest.uses_reserved,
        used: last.is_some() || stands,
        unused_seconds: unused,
        period_ends_in_seconds: period.map(until),
        expires_in_seconds: key.rules.expires_at.map(until),
        suspended_seconds: newest.suspended_at.map(since),
    })
}

/// Whether an answer would change a key: what it is already it is not made
/// again, whoever says so however often.
pub(crate) fn would_change(rule: &Rule, key: &Key, now: UnixSeconds) -> bool {
    let changes = |changed: skms_keys::Result<skms_keys::Changed>| {
        changed.is_ok_and(|(after, _)| after != *key)
    };
    match rule.answer() {
        Answer::Suspend => changes(key.suspend(Versions::All, now)),
        Answer::Revoke => reason(rule).is_ok_and(|reason| {
            changes(key.revoke(
                &Revoke {
                    versions: Versions::All,
                    reason,
                    message: String::new(),
                    compromise_occurred_at: None,
                },
                now,
            ))
        }),
        Answer::Compromise => compromises(rule).is_ok_and(|(reach, _)| {
            let revoke = Revoke {
                versions: Versions::All,
                reason: RevocationReason::KeyCompromise,
                message: String::new(),
                compromise_occurred_at: None,
            };
            changes(key.compromise(&revoke, reach.taint(), now))
        }),
        Answer::Rotate => key.check_rotation(now).is_ok(),
        _ => true,
    }
}

/// Why rules keep off a key: the server or its tenants' trust stands on it, and
/// who lost it could lose the way back.
pub(crate) fn kept_off(
    rooms: &Rooms,
    namespace: &str,
    key: &str,
    answer: Answer,
) -> Option<String> {
    if !answer.needs_key() {
        return None;
    }
    let root = namespace == skms_policy::ROOT_NAMESPACE;
    let ssh = rooms.ssh.of(namespace);
    let by_ssh = ssh.iter().any(|one| one.record.key.id == key);
    let by_tsa = rooms.tsas.on_key(namespace, key).is_some();
    let certifies = rooms.authorities.stands_on(key);
    // The authorities of the root namespace certify the server's listener, its
    // identity in exchanges and its administrators.
    if root && (certifies || by_ssh || by_tsa) {
        return Some("an authority of the root namespace stands on the key".to_owned());
    }
    if answer == Answer::Rotate && (certifies || by_ssh || by_tsa) {
        return Some("an authority stands on the key: renew it on a new key instead".to_owned());
    }
    None
}
