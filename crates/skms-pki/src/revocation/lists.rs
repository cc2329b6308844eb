//! RFC 5280, section 6.3.3: a certificate's status by the lists at hand.

use crate::crl::{Crl, Entry, Reason, compare_numbers};
use crate::path::budget::steps;
use crate::path::context::Context;
use crate::path::profile::Profile;
use crate::path::rule::Checked;
use crate::time::Moment;

use super::Subject;
use super::scope::{ALL_REASONS, NOT_ITS, Point, count, scope};
use super::signer::signer;
use super::verdict::Said;

/// certificateHold as a bit of ReasonFlags.
const HOLD: u16 = 1 << 6;

/// Looks a certificate up. The newest list of a key counts for the reasons
/// that it covers; between lists of different keys "revoked" counts, so that
/// nobody's newer list hides what the issuer's own says.
pub(super) fn ask<'r, 'a>(
    context: &mut Context<'_, 'r, 'a>,
    subject: Subject<'_, 'r, 'a>,
) -> Checked<Said> {
    if context.evidence.crls.is_empty() {
        return Ok(Said::unknown("neither a list nor a response is at hand"));
    }
    // Sorting is dearer than looking.
    let lists = context.evidence.crls;
    context.budget.step(4 * lists.len() as u64)?;
    let points: Vec<Point<'a>> = match subject.certificate.extensions().crl_distribution_points {
        None => vec![Point::Issuer],
        Some(points) => {
            let mut list: Vec<_> = points.iter().map(Point::Named).collect();
            // A list that the issuer signs about everything will do as well,
            // unless the certificate sends everybody to another signer.
            if points.iter().any(|point| point.crl_issuer.is_none()) {
                list.push(Point::Issuer);
            }
            list
        }
    };
    let mut lists: Vec<&'r Crl<'a>> = lists.iter().filter(|list| !list.is_delta()).collect();
    lists.sort_by_key(|list| std::cmp::Reverse(list.this_update()));
    let mut known = Known::default();
    let mut best = "no list covers it";
    for point in &points {
        for list in &lists {
            match apply(context, subject, point, list, &known)? {
                Err(why) if why == NOT_ITS => {}
                Err(why) => best = why,
                Ok(said) => {
                    if let Some(revoked) = known.add(said) {
                        return Ok(revoked);
                    }
                }
            }
        }
    }
    Ok(known.verdict(best))
}

/// What one list says.
struct ListSaid<'a> {
    /// The key that signed it.
    key: &'a [u8],
    /// As of when: the list's thisUpdate, or its delta's.
    at: Moment,
    /// The entry, if there is one.
    entry: Option<Entry<'a>>,
    /// The reasons covered.
    reasons: u16,
}

/// What the lists have said so far, if none of them says "revoked".
#[derive(Default)]
struct Known<'a> {
    /// Which reasons each key's lists have covered.
    keys: Vec<(&'a [u8], u16)>,
    /// The oldest of these lists.
    oldest: Option<Moment>,
    /// The newest list with the certificate on hold, and since when it is.
    held: Option<(Moment, Moment)>,
    /// The newest list that would tell a hold and does not.
    free: Option<Moment>,
}

impl<'a> Known<'a> {
    fn covered_by(&self, key: &[u8]) -> u16 {
        self.keys
            .iter()
            .find(|(known, _)| *known == key)
            .map_or(0, |(_, reasons)| *reasons)
    }

    /// Adds what a list says; gives it back if it settles the matter.
    fn add(&mut self, said: ListSaid<'a>) -> Option<Said> {
        let covered = self.covered_by(said.key);
        match said.entry {
            Some(entry) if entry.reason == Some(Reason::CertificateHold) => {
                self.held = self.held.max(Some((said.at, entry.date)));
            }
            Some(entry) => return Some(Said::entry(said.at, entry.date, entry.reason)),
            // What a newer list of the same key has said is not said again.
            None if said.reasons & !covered & HOLD != 0 => {
                self.free = self.free.max(Some(said.at));
            }
            None => {}
        }
        self.oldest = Some(self.oldest.map_or(said.at, |oldest| oldest.min(said.at)));
        self.keys.retain(|(key, _)| *key != said.key);
        self.keys.push((said.key, covered | said.reasons));
        None
    }

    fn verdict(self, best: &str) -> Said {
        if let Some((at, date)) = self.held
            && self.free.is_none_or(|free| free <= at)
        {
            return Said::Held { at, date };
        }
        let covered = self.keys.iter().fold(0, |all, (_, reasons)| all | reasons);
        match self.oldest {
            Some(at) if covered == ALL_REASONS => Said::Good { at },
            Some(_) => Said::unknown("the lists at hand cover some reasons only"),
            None => Said::unknown(best),
        }
    }
}

/// Steps (a) to (l) for one list; the inner error is why it does not count.
fn apply<'r, 'a>(
    context: &mut Context<'_, 'r, 'a>,
    subject: Subject<'_, 'r, 'a>,
    point: &Point<'a>,
    list: &'r Crl<'a>,
    known: &Known<'a>,
) -> Checked<Result<ListSaid<'a>, &'static str>> {
    // (b) and (d), (e)
    if !context.options.revocation.use_indirect && list.is_indirect() {
        return Ok(Err("an indirect list, and none are wanted"));
    }
    count(context, subject, point, list)?;
    let reasons = match scope(context.options.profile, subject, point, list) {
        Ok(0) => return Ok(Err("a list that covers no reason")),
        Ok(reasons) => reasons,
        Err(why) => return Ok(Err(why)),
    };
    if list.unknown_critical {
        return Ok(Err(
            "a list has a critical extension that is not understood",
        ));
    }
    // (a): a list past its nextUpdate is of use with a delta that is not.
    let now = context.options.now;
    if list.this_update() > now {
        return Ok(Err("a list is of the future"));
    }
    let current = is_current(context, list);
    let deltas = deltas(context, list)?;
    if !current && deltas.is_empty() {
        return Ok(Err("a list is out of date"));
    }
    // (f) and (g)
    let designated = matches!(point, Point::Named(point) if point.crl_issuer.is_some());
    let Some(key) = signer(context, subject, list, designated)? else {
        return Ok(Err("a list whose signature or signer does not hold"));
    };
    if reasons & !known.covered_by(key.der) == 0 {
        return Ok(Err("it covers no reason that others do not"));
    }
    if context.options.profile == Profile::WebPki {
        if !list.is_numbered() {
            return Ok(Err("a list without a number, or with a critical one"));
        }
        if context.has_doubles(list)? {
            return Ok(Err("a list has an entry twice"));
        }
    }
    let mut said = ListSaid {
        key: key.der,
        at: list.this_update(),
        entry: None,
        reasons,
    };
    // (c), (h) and (i)
    for delta in deltas {
        if !context.is_signed(&key, delta.signed())? {
            continue;
        }
        said.at = delta.this_update();
        said.entry = match context.entry(delta, subject.certificate)? {
            // (k)
            Some(entry) if entry.reason == Some(Reason::RemoveFromCrl) => None,
            Some(entry) => Some(entry),
            // (j)
            None => context.entry(list, subject.certificate)?,
        };
        return Ok(Ok(said));
    }
    if !current {
        return Ok(Err("a list is out of date"));
    }
    said.entry = context.entry(list, subject.certificate)?;
    Ok(Ok(said))
}

fn is_current(context: &Context<'_, '_, '_>, list: &Crl<'_>) -> bool {
    let now = context.options.now;
    let young = context
        .options
        .revocation
        .max_age_seconds
        .map(|most| now.0 - list.this_update().0 <= i64::from(most));
    match list.next_update() {
        Some(next) => next >= now && young.unwrap_or(true),
        None => young.unwrap_or(false),
    }
}

/// The deltas that bring a list up to date (RFC 5280, section 5.2.4), the
/// newest first. Their signatures are not checked yet.
fn deltas<'r, 'a>(context: &mut Context<'_, 'r, 'a>, list: &Crl<'a>) -> Checked<Vec<&'r Crl<'a>>> {
    let (true, Some(number)) = (
        context.options.revocation.use_deltas,
        list.extensions().number,
    ) else {
        return Ok(Vec::new());
    };
    let now = context.options.now;
    let mut found = Vec::new();
    for delta in context.evidence.crls {
        context.budget.step(steps(number.len()))?;
        let extensions = delta.extensions();
        let (Some(base), Some(own)) = (extensions.delta_base, extensions.number) else {
            continue;
        };
        let fits = compare_numbers(number, base).is_ge()
            && compare_numbers(number, own).is_lt()
            && delta.this_update() <= now
            && is_current(context, delta)
            && !delta.unknown_critical;
        if fits && context.same_name(delta.issuer(), list.issuer())? && list.has_scope_of(delta) {
            found.push(delta);
        }
    }
    found.sort_by(|left, right| {
        let number = |list: &Crl<'a>| list.extensions().number.unwrap_or_default();
        compare_numbers(number(right), number(left))
    });
    Ok(found)
}
