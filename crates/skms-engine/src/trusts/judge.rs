//! Whether a certificate that was shown is good by an external authority: a
//! path (RFC 5280, section 6) for the purpose of clients, and revocation as the
//! trust asks for it.

use skms_pki::certificate::KeyUsage;
use skms_pki::path::{Limits, Purpose, Revocation, RevocationMode, Rule, validate};
use skms_pki::{Certificate, Crl, Evidence, Moment, Options, Refusal, ValidPath, oid};

use super::list::{self, Link, TrustList};
use super::{Checking, Trust};
use crate::error::Result;

/// Certificates beyond its own that a client may show.
pub const SENT_MAX: usize = 8;

/// What one validation may cost. Steps are for the lists, which are the trust's
/// own.
pub(crate) const LIMITS: Limits = Limits {
    signatures: 32,
    comparisons: 1 << 16,
    candidates: 512,
    depth: 8,
    steps: 1 << 23,
};

/// For a stranger: signatures enough for the longest path, and for some
/// certificates that turn out to be none of it.
pub(crate) const STRANGERS: Limits = Limits {
    signatures: 12,
    ..LIMITS
};

/// A certificate that is good.
pub(crate) struct Good {
    /// The first second at which that is to be asked anew.
    pub(crate) until: i64,
    /// The public keys (SubjectPublicKeyInfo, DER) of itself and those above
    /// it, with the anchor.
    pub(crate) keys: Vec<Vec<u8>>,
}

/// Why one is not, in words for the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It would not be by any list.
    Refused(String),
    /// A list names it or one above it.
    Revoked(String),
    /// It may be, but nobody knows whether it is revoked.
    Unknown(String),
}

/// Judges the certificate that was shown first, by those shown with it, and as
/// much of revocation as the trust asks for.
pub(crate) fn judge(
    trust: &Trust,
    shown: &[Vec<u8>],
    now: i64,
) -> Result<std::result::Result<Good, Bad>> {
    judge_by(trust, trust.checking(), shown, now)
}

/// As [`judge`], by as much of revocation as the caller asks for.
pub(crate) fn judge_by(
    trust: &Trust,
    checking: Checking,
    shown: &[Vec<u8>],
    now: i64,
) -> Result<std::result::Result<Good, Bad>> {
    let refused = |why: &str| Ok(Err(Bad::Refused(why.to_owned())));
    let Some((leaf, sent)) = shown.split_first() else {
        return refused("no certificate");
    };
    let Ok(leaf) = Certificate::from_der(leaf) else {
        return refused("a malformed certificate");
    };
    // A certificate without this extension is good for any use by RFC 5280;
    // one that was made for servers or mail is not to become a key to here.
    let usages = leaf.extensions().extended_key_usage;
    if !usages.is_some_and(|usages| usages.contains(oid::CLIENT_AUTH)) {
        return refused("extended-key-usage: not for clients (id-kp-clientAuth)");
    }
    if leaf.is_ca() {
        return refused("basic-constraints: an authority's certificate");
    }
    // What the lists name costs nobody a signature.
    if named(trust, &leaf) {
        return Ok(Err(revoked()));
    }
    let anchors = list::read(&trust.record.anchors)?;
    let mut intermediates = list::read(&trust.record.intermediates)?;
    let strangers = sent.iter().take(SENT_MAX);
    intermediates.extend(strangers.filter_map(|der| Certificate::from_der(der).ok()));
    let mut options = Options {
        purpose: Purpose::ClientAuth,
        key_usage: Some(KeyUsage::DIGITAL_SIGNATURE),
        limits: STRANGERS,
        ..Options::new(Moment(now))
    };
    let evidence = Evidence {
        anchors: &anchors,
        intermediates: &intermediates,
        ..Evidence::default()
    };
    // First without the lists, which may be long: most of what is not good is
    // found here.
    let found = validate(&leaf, &evidence, &options);
    let found = match found {
        Ok(found) => found,
        Err(refusal) => return Ok(Err(said(&refusal))),
    };
    if any_named(trust, &found) {
        return Ok(Err(revoked()));
    }
    let lists;
    let found = match (checking, trust.lists.is_empty()) {
        (Checking::IfKnown, true) => found,
        _ => {
            lists = crls(trust);
            options.revocation = revocation(checking);
            // By a path that holds: what is signed now are lists of the trust.
            options.limits = LIMITS;
            let evidence = Evidence {
                crls: &lists,
                ..evidence
            };
            match validate(&leaf, &evidence, &options) {
                Ok(found) => found,
                Err(refusal) => return Ok(Err(said(&refusal))),
            }
        }
    };
    Ok(good(trust, (checking, now), &found))
}

fn revoked() -> Bad {
    Bad::Revoked("revoked: a list names it".to_owned())
}

/// Whether a list of the trust, however old, names this certificate.
fn named(trust: &Trust, certificate: &Certificate<'_>) -> bool {
    let link = Link::of(certificate);
    trust.lists.iter().any(|list| list.names(&link))
}

/// Whether one names any of a path but its anchor.
fn any_named(trust: &Trust, found: &ValidPath<'_, '_>) -> bool {
    let below = found.certificates.len().saturating_sub(1);
    let mut path = found.certificates.iter().take(below);
    path.any(|one| named(trust, one))
}

fn crls(trust: &Trust) -> Vec<Crl<'_>> {
    let lists = trust.lists.iter();
    // Each was read when it was loaded.
    lists
        .filter_map(|list| Crl::from_der(&list.record.list.0).ok())
        .collect()
}

fn revocation(checking: Checking) -> Revocation {
    Revocation {
        mode: match checking {
            Checking::IfKnown => RevocationMode::WhenKnown,
            Checking::Leaf | Checking::Path => RevocationMode::Require,
        },
        leaf_only: checking == Checking::Leaf,
        use_indirect: false,
        ..Revocation::default()
    }
}

/// The path is valid; no list of the trust, however old, may name any of it.
fn good(
    trust: &Trust,
    (checking, now): (Checking, i64),
    found: &ValidPath<'_, '_>,
) -> std::result::Result<Good, Bad> {
    if any_named(trust, found) {
        return Err(revoked());
    }
    let certificates = found.certificates.iter();
    let keys = certificates
        .clone()
        .map(|one| one.public_key().der.to_vec());
    let keys = keys.collect();
    let mut last = certificates.map(|one| one.not_after().0).min();
    if checking != Checking::IfKnown {
        let of_path = |list: &TrustList| {
            let mut path = found.certificates.iter();
            path.any(|one| list.is_of(one.issuer()))
        };
        // What was out of date already did not count.
        let lists = trust.lists.iter().filter(|list| list.next_update >= now);
        let lists = lists.filter(|list| of_path(list));
        last = lists.map(|list| list.next_update).chain(last).min();
    }
    Ok(Good {
        // The last second still counts.
        until: last.unwrap_or_default().saturating_add(1),
        keys,
    })
}

/// Which rule was broken, without anything that a stranger chose.
fn said(refusal: &Refusal) -> Bad {
    let rule = refusal.rule();
    match refusal.main() {
        Some(attempt) if rule == Rule::RevocationUnknown => Bad::Unknown(format!(
            "{rule}: {}, for certificate {} of the path",
            attempt.fault.detail,
            attempt.at.saturating_add(1)
        )),
        Some(attempt) => {
            let place = attempt.at.saturating_add(1);
            let why = format!("{rule}, at certificate {place} of the path");
            match rule {
                Rule::Revoked | Rule::Held => Bad::Revoked(why),
                _ => Bad::Refused(why),
            }
        }
        None => Bad::Refused(rule.to_string()),
    }
}
