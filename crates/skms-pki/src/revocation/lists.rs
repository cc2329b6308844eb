//! RFC 5280, section 6.3.3: a certificate's status by the lists at hand.

use crate::certificate::{
    Certificate, DistributionPoint, GeneralName, GeneralNames, KeyUsage, Name, PointName,
    PublicKeyInfo,
};
use crate::crl::{Crl, Entry, Reason, compare_numbers};
use crate::path::context::{Context, MAX_NESTING, place};
use crate::path::profile::Profile;
use crate::path::rule::{Checked, Rule};
use crate::path::search::{Goal, Search};

use super::Status;

/// Every reason of ReasonFlags but `unused`: bits 1 to 8.
const ALL_REASONS: u16 = 0b1_1111_1110;

/// One certificate in its path.
struct Asked<'p, 'r, 'a> {
    path: &'p [&'r Certificate<'a>],
    index: usize,
    certificate: &'r Certificate<'a>,
    issuer: &'r Certificate<'a>,
    anchor: &'r Certificate<'a>,
}

/// A distribution point as the algorithm looks at it.
enum Point<'a> {
    Named(DistributionPoint<'a>),
    /// The one that every certificate has: whatever its issuer signs.
    Issuer,
}

/// Looks a certificate up.
pub(super) fn status<'r, 'a>(
    context: &mut Context<'_, 'r, 'a>,
    path: &[&'r Certificate<'a>],
    index: usize,
    anchor: &'r Certificate<'a>,
) -> Checked<Status> {
    let unknown = |why: &str| Status::Unknown {
        why: why.to_owned(),
    };
    let Some(certificate) = path.get(index).copied() else {
        return Ok(unknown("no certificate"));
    };
    if context.evidence.crls.is_empty() {
        return Ok(unknown("neither a list nor a response is at hand"));
    }
    let asked = Asked {
        path,
        index,
        certificate,
        issuer: path.get(index + 1).copied().unwrap_or(anchor),
        anchor,
    };
    if context.asked.len() >= MAX_NESTING {
        return Ok(unknown("the signers of lists lead too far"));
    }
    context.asked.push(place(certificate.as_der()));
    let found = look_up(context, &asked);
    context.asked.pop();
    found
}

fn look_up<'r, 'a>(
    context: &mut Context<'_, 'r, 'a>,
    asked: &Asked<'_, 'r, 'a>,
) -> Checked<Status> {
    let points: Vec<Point<'a>> = match asked.certificate.extensions().crl_distribution_points {
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
    // The newest first: what it says is so.
    let mut lists: Vec<&'r Crl<'a>> = context
        .evidence
        .crls
        .iter()
        .filter(|list| !list.is_delta())
        .collect();
    lists.sort_by_key(|list| std::cmp::Reverse(list.this_update()));
    let mut covered = 0;
    let mut best = "no list covers it";
    for point in &points {
        for list in &lists {
            let (status, reasons) = match apply(context, asked, point, list, covered)? {
                Ok(found) => found,
                Err(why) => {
                    if why != NOT_ITS {
                        best = why;
                    }
                    continue;
                }
            };
            if let Some(entry) = status {
                return Ok(Status::Revoked {
                    reason: entry.reason,
                    date: entry.date,
                });
            }
            covered |= reasons;
            if covered == ALL_REASONS {
                return Ok(Status::Good);
            }
        }
    }
    let why = if covered == 0 {
        best
    } else {
        "the lists at hand cover some reasons only"
    };
    Ok(Status::Unknown {
        why: why.to_owned(),
    })
}

const NOT_ITS: &str = "no list of its issuer is at hand";

/// What one list says: the entry, if it is revoked, and the reasons covered.
type Said<'a> = (Option<Entry<'a>>, u16);

/// Steps (a) to (l) for one list; the inner error is why it does not count.
fn apply<'r, 'a>(
    context: &mut Context<'_, 'r, 'a>,
    asked: &Asked<'_, 'r, 'a>,
    point: &Point<'a>,
    list: &'r Crl<'a>,
    covered: u16,
) -> Checked<Result<Said<'a>, &'static str>> {
    // (b) and (d), (e)
    if !context.options.revocation.use_indirect && list.is_indirect() {
        return Ok(Err("an indirect list, and none are wanted"));
    }
    let reasons = match scope(context.options.profile, asked, point, list) {
        Ok(reasons) => reasons,
        Err(why) => return Ok(Err(why)),
    };
    if reasons & !covered == 0 {
        return Ok(Err("it covers no reason that others do not"));
    }
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
    let deltas = deltas(context, list);
    if !current && deltas.is_empty() {
        return Ok(Err("a list is out of date"));
    }
    // (f) and (g)
    let designated = matches!(point, Point::Named(point) if point.crl_issuer.is_some());
    let Some(key) = signer(context, asked, list, designated)? else {
        return Ok(Err("a list whose signature or signer does not hold"));
    };
    if context.options.profile == Profile::WebPki {
        if !list.is_numbered() {
            return Ok(Err("a list without a number, or with a critical one"));
        }
        if list.has_doubles() {
            return Ok(Err("a list has an entry twice"));
        }
    }
    let certificate = asked.certificate;
    let find = |list: &Crl<'a>| list.find(certificate.issuer(), certificate.serial());
    // (c), (h) and (i)
    for delta in deltas {
        if let Err(fault) = context.signature(&key, delta.signed()) {
            if fault.rule == Rule::WorkLimit {
                return Err(fault);
            }
            continue;
        }
        return Ok(Ok(match find(delta) {
            // (k)
            Some(entry) if entry.reason == Some(Reason::RemoveFromCrl) => (None, reasons),
            Some(entry) => (Some(entry), reasons),
            // (j)
            None => (find(list), reasons),
        }));
    }
    if !current {
        return Ok(Err("a list is out of date"));
    }
    Ok(Ok((find(list), reasons)))
}

/// Step (b), and the reasons that the list adds by step (d).
fn scope(
    profile: Profile,
    asked: &Asked<'_, '_, '_>,
    point: &Point<'_>,
    list: &Crl<'_>,
) -> Result<u16, &'static str> {
    let issuing = list.extensions().point.unwrap_or_default();
    let named = match point {
        Point::Named(point) => Some(point),
        Point::Issuer => None,
    };
    // (b)(1)
    match named.and_then(|point| point.crl_issuer) {
        Some(names) => {
            if !has_directory(&names, list.issuer()) {
                return Err(NOT_ITS);
            }
            if !issuing.indirect {
                return Err("the list of another issuer that is not indirect");
            }
        }
        None if !list.issuer().matches(asked.certificate.issuer()) => return Err(NOT_ITS),
        None => {}
    }
    // CA/B BR, section 7.2.2.1: no indirect lists, no names but URIs.
    if profile == Profile::WebPki && issuing.indirect {
        return Err("an indirect list, which the web has not");
    }
    // (b)(2)(i)
    if let Some(name) = &issuing.name {
        if profile == Profile::WebPki && !is_uris(name) {
            return Err("a list for a distribution point that is not URIs alone");
        }
        let matched = match named {
            None => names_match(
                name,
                list.issuer(),
                &Wanted::Directory(asked.certificate.issuer()),
            ),
            Some(point) => match (&point.name, &point.crl_issuer) {
                (Some(wanted), crl_issuer) => {
                    let base = crl_issuer.as_ref().and_then(directory);
                    let base = base.unwrap_or(*asked.certificate.issuer());
                    names_match(name, list.issuer(), &Wanted::Point(wanted, &base))
                }
                (None, Some(names)) => names_match(name, list.issuer(), &Wanted::Names(names)),
                (None, None) => false,
            },
        };
        if !matched {
            return Err("a list for another distribution point");
        }
    }
    // (b)(2)(ii) to (iv)
    let is_ca = asked.certificate.is_ca();
    if issuing.only_users && is_ca || issuing.only_authorities && !is_ca || issuing.only_attributes
    {
        return Err("a list for other kinds of certificates");
    }
    // (d)
    let of_list = issuing.reasons.unwrap_or(ALL_REASONS);
    let of_point = named.and_then(|point| point.reasons).unwrap_or(ALL_REASONS);
    Ok(of_list & of_point & ALL_REASONS)
}

fn is_uris(name: &PointName<'_>) -> bool {
    match name {
        PointName::Full(names) => names.iter().all(|name| matches!(name, GeneralName::Uri(_))),
        PointName::Relative(_) => false,
    }
}

fn directory<'a>(names: &GeneralNames<'a>) -> Option<Name<'a>> {
    names.iter().find_map(|name| match name {
        GeneralName::Directory(name) => Some(name),
        _ => None,
    })
}

fn has_directory(names: &GeneralNames<'_>, wanted: &Name<'_>) -> bool {
    names.iter().any(|name| match name {
        GeneralName::Directory(name) => name.matches(wanted),
        _ => false,
    })
}

/// What the name in a list's issuing distribution point must match.
enum Wanted<'w, 'a> {
    Directory(&'w Name<'a>),
    Names(&'w GeneralNames<'a>),
    /// A point's name, and what a relative one adds to.
    Point(&'w PointName<'a>, &'w Name<'a>),
}

/// Whether one of the names in a list's issuing distribution point is one of
/// those wanted. A relative name adds to the list's issuer on one side, and to
/// the signer that the certificate names on the other.
fn names_match(issuing: &PointName<'_>, list_issuer: &Name<'_>, wanted: &Wanted<'_, '_>) -> bool {
    let full_in = |names: &GeneralNames<'_>, name: &GeneralName<'_>| {
        names.iter().any(|other| other.matches(name))
    };
    let adds_up = |names: &GeneralNames<'_>, last: &[u8]| {
        names.iter().any(|name| match name {
            GeneralName::Directory(name) => name.is_extension_of(list_issuer, last),
            _ => false,
        })
    };
    match (issuing, wanted) {
        (PointName::Full(own), Wanted::Directory(wanted)) => has_directory(own, wanted),
        (PointName::Full(own), Wanted::Names(names)) => {
            names.iter().any(|name| full_in(own, &name))
        }
        (PointName::Full(own), Wanted::Point(PointName::Full(names), _)) => {
            names.iter().any(|name| full_in(own, &name))
        }
        (PointName::Full(own), Wanted::Point(PointName::Relative(last), base)) => {
            own.iter().any(|name| match name {
                GeneralName::Directory(name) => name.is_extension_of(base, last),
                _ => false,
            })
        }
        (PointName::Relative(last), Wanted::Directory(wanted)) => {
            wanted.is_extension_of(list_issuer, last)
        }
        (PointName::Relative(last), Wanted::Names(names)) => adds_up(names, last),
        (PointName::Relative(last), Wanted::Point(PointName::Full(names), _)) => {
            adds_up(names, last)
        }
        (PointName::Relative(last), Wanted::Point(PointName::Relative(theirs), base)) => {
            crate::parse::name::same_rdn(last, theirs) && base.matches(list_issuer)
        }
    }
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
fn deltas<'r, 'a>(context: &Context<'_, 'r, 'a>, list: &Crl<'a>) -> Vec<&'r Crl<'a>> {
    let (true, Some(number)) = (
        context.options.revocation.use_deltas,
        list.extensions().number,
    ) else {
        return Vec::new();
    };
    let now = context.options.now;
    let mut found: Vec<_> = context
        .evidence
        .crls
        .iter()
        .filter(|delta| {
            let extensions = delta.extensions();
            let (Some(base), Some(own)) = (extensions.delta_base, extensions.number) else {
                return false;
            };
            compare_numbers(number, base).is_ge()
                && compare_numbers(number, own).is_lt()
                && delta.this_update() <= now
                && is_current(context, delta)
                && !delta.unknown_critical
                && delta.issuer().matches(list.issuer())
                && list.has_scope_of(delta)
        })
        .collect();
    found.sort_by(|left, right| {
        let number = |list: &Crl<'_>| list.extensions().number.unwrap_or_default().to_vec();
        compare_numbers(&number(right), &number(left))
    });
    found
}

/// The key that signed a list, if it is one that may: the key of the
/// certificate's own issuer, or of another certificate with the list issuer's
/// name and a valid path to the same anchor. Where its certificate has a
/// keyUsage, it has cRLSign.
///
/// The certificate asked about may itself be the signer's, so that it vouches
/// for itself, only if it was `designated` for that: its issuer named it as
/// its own certificate's cRLIssuer.
fn signer<'r, 'a>(
    context: &mut Context<'_, 'r, 'a>,
    asked: &Asked<'_, 'r, 'a>,
    list: &Crl<'a>,
    designated: bool,
) -> Checked<Option<PublicKeyInfo<'a>>> {
    let evidence = context.evidence;
    // Above it in the path: validated, and found not to be revoked.
    let above = asked.path.iter().skip(asked.index + 1).copied();
    // An anchor whose key was changed is trusted under both: the same name is
    // the same authority.
    let anchors = evidence
        .anchors
        .iter()
        .filter(|anchor| anchor.subject().matches(asked.anchor.subject()));
    let known = above.chain(anchors);
    let mut candidates: Vec<(u8, bool, &'r Certificate<'a>)> = known
        .map(|candidate| (0, true, candidate))
        .chain(
            evidence
                .intermediates
                .iter()
                .map(|candidate| (0, false, candidate)),
        )
        .filter(|(_, _, candidate)| candidate.subject().matches(list.issuer()))
        .collect();
    let key_id = list
        .extensions()
        .authority_key_identifier
        .and_then(|found| found.key_id);
    for (rank, is_known, candidate) in &mut candidates {
        *rank = match (key_id, candidate.extensions().subject_key_identifier) {
            (Some(wanted), Some(found)) if wanted == found => 0,
            (Some(_), Some(_)) => 4,
            _ => 2,
        } + u8::from(!*is_known);
    }
    candidates.sort_by_key(|(rank, ..)| *rank);
    for (_, is_known, candidate) in candidates {
        let may = candidate
            .extensions()
            .key_usage
            .is_none_or(|usage| usage.contains(KeyUsage::CRL_SIGN));
        if !may {
            continue;
        }
        match context.signature(candidate.public_key(), list.signed()) {
            Ok(()) => {}
            Err(fault) if fault.rule == Rule::WorkLimit => return Err(fault),
            Err(_) => continue,
        }
        // The issuer's own key, whichever certificate carries it, is in force.
        let same = candidate.public_key().der == asked.issuer.public_key().der
            && candidate.subject().matches(asked.issuer.subject())
            && asked
                .issuer
                .extensions()
                .key_usage
                .is_none_or(|usage| usage.contains(KeyUsage::CRL_SIGN));
        let itself = designated && candidate.as_der() == asked.certificate.as_der();
        if is_known || same || itself || has_path(context, asked, candidate)? {
            return Ok(Some(*candidate.public_key()));
        }
    }
    Ok(None)
}

/// Whether a signer's certificate is valid below the same anchor and not
/// revoked, and is none whose own status hangs on the answer.
fn has_path<'r, 'a>(
    context: &mut Context<'_, 'r, 'a>,
    asked: &Asked<'_, 'r, 'a>,
    candidate: &'r Certificate<'a>,
) -> Checked<bool> {
    let der = candidate.as_der();
    let open = context.asked.contains(&place(der))
        || asked
            .path
            .iter()
            .take(asked.index + 1)
            .any(|one| one.as_der() == der);
    if open {
        return Ok(false);
    }
    let goal = Goal::of_signer(context.options, asked.anchor);
    match Search::new(context, &goal, candidate).run() {
        Ok(_) => Ok(true),
        Err(refusal) => {
            let stop = refusal
                .attempts
                .into_iter()
                .find(|attempt| attempt.fault.rule == Rule::WorkLimit);
            stop.map_or(Ok(false), |attempt| Err(attempt.fault))
        }
    }
}
