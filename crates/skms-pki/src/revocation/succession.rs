//! Which of two revocation lists is the newer one.

use std::cmp::Ordering;

use crate::crl::{Crl, compare_numbers};

/// How a list relates to one that is known already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Succession {
    /// By another issuer, or about other certificates: both count.
    Another,
    /// It takes the other's place.
    Newer,
    /// The very same.
    Same,
    /// Not newer: taking it would bring certificates back.
    Older,
}

/// How `list` relates to `known`, which the same key signed.
///
/// A list without a number does not take the place of one that has one, since
/// it could be of any age; of two without, the later thisUpdate counts.
#[must_use]
pub fn succession(list: &Crl<'_>, known: &Crl<'_>) -> Succession {
    let scope = |list: &Crl<'_>| list.extensions().point.map(|point| point.der.to_vec());
    if !list.issuer().matches(known.issuer()) || scope(list) != scope(known) {
        return Succession::Another;
    }
    if list.as_der() == known.as_der() {
        return Succession::Same;
    }
    let later = list.this_update().cmp(&known.this_update());
    //= https://www.rfc-editor.org/rfc/rfc5280#section-5.2.3
    //# The CRL number is a non-critical CRL extension that conveys a
    //# monotonically increasing sequence number for a given CRL scope and
    //# CRL issuer.
    let newer = match (list.extensions().number, known.extensions().number) {
        (Some(list), Some(known)) => {
            compare_numbers(list, known) == Ordering::Greater && later != Ordering::Less
        }
        (Some(_), None) => later != Ordering::Less,
        (None, None) => later == Ordering::Greater,
        (None, Some(_)) => false,
    };
    match newer {
        true => Succession::Newer,
        false => Succession::Older,
    }
}
