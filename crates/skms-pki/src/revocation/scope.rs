//! Whether a list is one for a certificate: RFC 5280, section 6.3.3(b) and (d).

use crate::certificate::{DistributionPoint, GeneralName, GeneralNames, Name, PointName};
use crate::crl::Crl;
use crate::path::context::Context;
use crate::path::profile::Profile;
use crate::path::rule::Checked;

use super::Subject;

/// Every reason of ReasonFlags but `unused`: bits 1 to 8.
pub(super) const ALL_REASONS: u16 = 0b1_1111_1110;

/// A distribution point as the algorithm looks at it.
pub(super) enum Point<'a> {
    Named(DistributionPoint<'a>),
    /// The one that every certificate has: whatever its issuer signs.
    Issuer,
}

/// Why the list of somebody else does not count: said only if there is no
/// better reason.
pub(super) const NOT_ITS: &str = "no list of its issuer is at hand";

/// Counts what it takes to hold a list's scope against a point's: names are
/// compared each with each.
pub(super) fn count(
    context: &mut Context<'_, '_, '_>,
    subject: Subject<'_, '_, '_>,
    point: &Point<'_>,
    list: &Crl<'_>,
) -> Checked {
    fn extent(name: Option<&PointName<'_>>) -> (u64, u64) {
        match name {
            None => (0, 0),
            Some(PointName::Relative(part)) => (1, 1 + part.len() as u64 / 2),
            Some(PointName::Full(names)) => {
                (names.iter().count() as u64, 1 + names.size() as u64 / 8)
            }
        }
    }
    let issuers = list.issuer().weight() + subject.certificate.issuer().weight();
    let mut total = 1 + issuers;
    let issuing = list.extensions().point.and_then(|point| point.name);
    let (names, _) = extent(issuing.as_ref());
    if let Point::Named(point) = point {
        let signers = point.crl_issuer.map(PointName::Full);
        for theirs in [point.name.as_ref(), signers.as_ref()] {
            let (count, size) = extent(theirs);
            total = total
                .saturating_add(names.saturating_mul(size))
                .saturating_add(count.saturating_mul(issuers));
        }
    }
    total = total.saturating_add(names.saturating_mul(issuers));
    context.budget.step(total)
}

/// Step (b) of RFC 5280, section 6.3.3, and the reasons that the list adds by step (d).
pub(super) fn scope(
    profile: Profile,
    subject: Subject<'_, '_, '_>,
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
        None if !list.issuer().matches(subject.certificate.issuer()) => return Err(NOT_ITS),
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
                &Wanted::Directory(subject.certificate.issuer()),
            ),
            Some(point) => match (&point.name, &point.crl_issuer) {
                (Some(wanted), crl_issuer) => {
                    let base = crl_issuer.as_ref().and_then(directory);
                    let base = base.unwrap_or(*subject.certificate.issuer());
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
    let is_ca = subject.certificate.is_ca();
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
