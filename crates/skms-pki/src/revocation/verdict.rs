//! What was said about a certificate, and which of two sayings counts.

use crate::crl::Reason;
use crate::time::Moment;

/// What a list, a response, or several of them say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Not revoked.
    Good {
        /// Since when it is known: the oldest thisUpdate that it rests on.
        at: Moment,
    },
    /// On hold, which can be taken back.
    Held {
        /// When that was so: thisUpdate.
        at: Moment,
        /// Since when.
        date: Moment,
    },
    /// Revoked for good.
    Revoked {
        /// Why, where it is said.
        reason: Option<Reason>,
        /// Since when.
        date: Moment,
    },
    /// Nothing that counts.
    Unknown {
        /// Why not.
        why: String,
    },
}

impl Said {
    pub(super) fn unknown(why: &str) -> Self {
        Self::Unknown {
            why: why.to_owned(),
        }
    }

    /// An entry of a list or a response of this moment.
    pub(super) fn entry(at: Moment, date: Moment, reason: Option<Reason>) -> Self {
        match reason {
            Some(Reason::CertificateHold) => Self::Held { at, date },
            reason => Self::Revoked { reason, date },
        }
    }
}

/// Which of two sayings counts. Revocation is for good but for
/// certificateHold, so that "revoked" counts however old it is; a hold and a
/// "good" are weighed by age, the hold winning where both are of one moment.
pub(super) fn combine(left: Said, right: Said) -> Said {
    use Said::{Good, Held, Revoked, Unknown};
    match (left, right) {
        (found @ Revoked { .. }, _) | (_, found @ Revoked { .. }) => found,
        (Unknown { .. }, known @ (Good { .. } | Held { .. }))
        | (known @ (Good { .. } | Held { .. }), Unknown { .. }) => known,
        (first @ Unknown { .. }, Unknown { .. }) => first,
        (Held { at, date }, Good { at: good }) | (Good { at: good }, Held { at, date }) => {
            if good > at {
                Good { at: good }
            } else {
                Held { at, date }
            }
        }
        (Good { at }, Good { at: other }) => Good { at: at.max(other) },
        (Held { at, date }, Held { at: other, .. }) => Held {
            at: at.max(other),
            date,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_counts_but_a_hold_ends() {
        let (old, new) = (Moment(1), Moment(2));
        let good = |at| Said::Good { at };
        let held = |at| Said::entry(at, old, Some(Reason::CertificateHold));
        let gone = Said::entry(old, old, Some(Reason::Superseded));
        let unknown = Said::unknown("x");
        for (left, right, wanted) in [
            (good(new), gone.clone(), gone.clone()),
            (held(new), gone.clone(), gone.clone()),
            (unknown.clone(), gone.clone(), gone.clone()),
            (unknown.clone(), good(old), good(old)),
            (unknown.clone(), held(old), held(old)),
            (held(old), good(new), good(new)),
            (held(new), good(old), held(new)),
            (held(new), good(new), held(new)),
            (good(old), good(new), good(new)),
        ] {
            assert_eq!(combine(left.clone(), right.clone()), wanted);
            assert_eq!(combine(right, left), wanted);
        }
    }
}
