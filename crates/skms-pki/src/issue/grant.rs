//! What of a request a profile grants: key, usages, purposes, path length,
//! validity. Names have a module of their own.

use crate::certificate::{Certificate, KeyUsage};
use crate::oid::OidBuf;
use crate::time::Moment;

use skms_crypto::Family;

use super::authority::Authority;
use super::der::LAST_MOMENT;
use super::error::{Breaches, Demand};
use super::key::SubjectKey;
use super::lint::baseline_days;
use super::profile::{DAY, Profile, Shape, Wishes};
use super::request::Request;

/// What will be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) key_usage: KeyUsage,
    pub(crate) purposes: Vec<OidBuf>,
    pub(crate) path_len: Option<u32>,
    pub(crate) not_before: Moment,
    pub(crate) not_after: Moment,
}

/// Judges the key; `None` if it is refused.
pub(crate) fn key(
    profile: &Profile,
    request: &Request,
    breaches: &mut Breaches,
) -> Option<SubjectKey> {
    let strict = profile.shape == Shape::BaselineRequirements;
    let key = match SubjectKey::judge(&request.spki, strict) {
        Ok(key) => key,
        Err(why) => {
            breaches.add(Demand::Key, why);
            return None;
        }
    };
    let rules = &profile.keys;
    if !rules.algorithms.is_empty() && !rules.algorithms.contains(&key.algorithm) {
        let detail = format!("{} keys are outside the profile", key.algorithm);
        breaches.add(Demand::Key, detail);
    }
    if key.strength_bits < rules.minimum_strength_bits {
        let detail = format!(
            "{} has {} bits of strength, the profile asks for {}",
            key.algorithm, key.strength_bits, rules.minimum_strength_bits
        );
        breaches.add(Demand::Key, detail);
    }
    Some(key)
}

/// keyUsage and extKeyUsage.
pub(crate) fn usages(
    profile: &Profile,
    request: &Request,
    key: Option<SubjectKey>,
    breaches: &mut Breaches,
) -> (KeyUsage, Vec<OidBuf>) {
    let rules = &profile.usage;
    let besides = match key.map(|key| key.algorithm.family()) {
        Some(Family::Rsa) => rules.rsa_key_usage,
        Some(Family::Ec) => rules.ec_key_usage,
        _ => KeyUsage::NONE,
    };
    let mut usage = rules.key_usage.union(besides);
    let mut purposes = rules.purposes.clone();
    let wished = &request.wished;
    if rules.wishes == Wishes::Ignore {
        return (usage, purposes);
    }
    let strict = rules.wishes == Wishes::Strict;
    // What an authority may do is the profile's to say, whole.
    if let Some(asked) = wished.key_usage.filter(|_| profile.authority.is_none()) {
        let common = usage.intersection(asked);
        if common.is_empty() || strict && !usage.contains(asked) {
            breaches.add(Demand::Usage, "keyUsage beyond the profile");
        } else {
            usage = common;
        }
    }
    if !wished.purposes.is_empty() {
        let beyond = wished.purposes.iter().any(|one| !purposes.contains(one));
        purposes.retain(|one| wished.purposes.contains(one));
        if purposes.is_empty() || strict && beyond {
            breaches.add(Demand::Usage, "extKeyUsage beyond the profile");
        }
    }
    (usage, purposes)
}

/// basicConstraints and other extensions that a request asks for; gives the
/// path length that is granted.
pub(crate) fn path_length(
    profile: &Profile,
    request: &Request,
    chain: &[Certificate<'_>],
    breaches: &mut Breaches,
) -> Option<u32> {
    let wished = &request.wished;
    for other in &wished.critical_others {
        let detail = format!("the extension {other}, which it calls critical, is not given");
        breaches.add(Demand::Usage, detail);
    }
    let asked = wished.basic_constraints;
    let Some(rules) = &profile.authority else {
        if asked.is_some_and(|asked| asked.ca) {
            breaches.add(
                Demand::Usage,
                "to be an authority, which the profile does not give",
            );
        }
        return None;
    };
    if asked.is_some_and(|asked| !asked.ca) {
        breaches.add(
            Demand::Usage,
            "to be no authority, in an authority's profile",
        );
    }
    let mut limit = rules.path_len;
    let mut lower = |other: u32| limit = Some(limit.map_or(other, |own| own.min(other)));
    if let Some(asked) = asked.and_then(|asked| asked.path_len) {
        lower(asked);
    }
    let own_name = request.subject.as_name();
    let self_issued = chain
        .first()
        .is_some_and(|above| above.subject().matches(&own_name));
    let mut below: u32 = 0;
    for above in chain {
        if let Some(most) = above
            .extensions()
            .basic_constraints
            .and_then(|found| found.path_len)
        {
            // This certificate and those between it and the one above.
            let used = below + u32::from(!self_issued);
            match most.checked_sub(used) {
                Some(left) => lower(left),
                None => {
                    let detail = format!("{} allows {most} authorities below it", above.subject());
                    breaches.add(Demand::PathLength, detail);
                }
            }
        }
        below += u32::from(!above.is_self_issued());
    }
    limit
}

/// First and last second.
pub(crate) fn validity(
    profile: &Profile,
    authority: &Authority,
    chain: &[Certificate<'_>],
    request: &Request,
    now: Moment,
    breaches: &mut Breaches,
) -> (Moment, Moment) {
    let rules = &profile.lifetime;
    let earliest = chain.iter().map(Certificate::not_before).max();
    let latest = chain.iter().map(Certificate::not_after).min();
    let authority_at_fault = [
        earliest.is_some_and(|it| now < it),
        latest.is_some_and(|it| now > it),
    ];
    if authority_at_fault.contains(&true) {
        let detail = format!("{} or one above it is not valid at {now}", authority.name);
        breaches.add(Demand::Authority, detail);
    }
    let start = Moment(now.0.saturating_sub(rules.backdate_seconds));
    let not_before = request
        .not_before
        .unwrap_or_else(|| earliest.map_or(start, |it| it.max(start)));
    let mut max_seconds = rules.max_seconds;
    if profile.shape == Shape::BaselineRequirements && profile.authority.is_none() {
        max_seconds = max_seconds.min(baseline_days(not_before.max(now)) * DAY);
    }
    let default = rules.default_seconds.min(max_seconds);
    let end = Moment(not_before.0.saturating_add(default - 1)).min(LAST_MOMENT);
    let not_after = request
        .not_after
        .unwrap_or_else(|| latest.map_or(end, |it| it.min(end)));
    let ahead = Moment(now.0.saturating_add(rules.postdate_seconds));
    if not_before < start || not_before > ahead {
        let detail = format!("notBefore {not_before} is too far from {now}");
        breaches.add(Demand::Lifetime, detail);
    }
    if not_after < not_before || not_after <= now {
        let detail = format!("no time is left from {not_before} until {not_after}");
        breaches.add(Demand::Lifetime, detail);
    }
    if not_after > LAST_MOMENT {
        breaches.add(Demand::Lifetime, "beyond the year 9999");
    }
    let seconds = not_after.0.saturating_sub(not_before.0).saturating_add(1);
    if seconds > max_seconds {
        let detail = format!("{seconds} seconds, at most {max_seconds}");
        breaches.add(Demand::Lifetime, detail);
    }
    if earliest.is_some_and(|it| not_before < it) || latest.is_some_and(|it| not_after > it) {
        let detail = format!("from {not_before} until {not_after}, beyond the authority's own");
        breaches.add(Demand::AuthorityLifetime, detail);
    }
    (not_before, not_after)
}
