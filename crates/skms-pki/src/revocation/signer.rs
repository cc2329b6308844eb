//! Who may sign a list: RFC 5280, section 6.3.3(f) and (g).
//!
//! A name alone makes no signer: any authority below the same anchor could
//! have a certificate named like its sister. Those who certified a
//! certificate's issuer, and the issuer itself, decide about it anyway; so a
//! signer is one of them, or holds a certificate that one of them gave it.

use crate::certificate::{Certificate, KeyUsage, PublicKeyInfo};
use crate::crl::Crl;
use crate::path::budget::steps;
use crate::path::context::Context;
use crate::path::rule::{Checked, Rule};
use crate::path::search::{Goal, Search};

use super::Subject;

/// The key that signed a list, if it is one that may: of an authority above
/// the certificate, of an anchor with the name of the one above it, or of
/// another certificate with the list issuer's name that an authority above
/// the certificate signed and that is valid below the same anchor. Where its
/// certificate has a keyUsage, it has cRLSign.
///
/// The certificate asked about may itself be the signer's, so that it vouches
/// for itself, only if it was `designated` for that: its issuer named it as
/// its own certificate's cRLIssuer.
pub(super) fn signer<'r, 'a>(
    context: &mut Context<'_, 'r, 'a>,
    subject: Subject<'_, 'r, 'a>,
    list: &Crl<'a>,
    designated: bool,
) -> Checked<Option<PublicKeyInfo<'a>>> {
    for (_, is_known, candidate) in candidates(context, subject, list)? {
        if !may_sign(candidate) || !context.is_signed(candidate.public_key(), list.signed())? {
            continue;
        }
        // The issuer's own key, whichever certificate carries it, is in force.
        let issuer = subject.issuer();
        let same = candidate.public_key().der == issuer.public_key().der
            && candidate.subject().matches(issuer.subject())
            && may_sign(issuer);
        let itself = designated && candidate.as_der() == subject.certificate.as_der();
        if is_known || same || itself || has_path(context, subject, candidate)? {
            return Ok(Some(*candidate.public_key()));
        }
    }
    Ok(None)
}

fn may_sign(certificate: &Certificate<'_>) -> bool {
    certificate
        .extensions()
        .key_usage
        .is_none_or(|usage| usage.contains(KeyUsage::CRL_SIGN))
}

/// Whoever has the list issuer's name, ranked: a matching key identifier
/// first, those above the certificate before others. `true` is for those who
/// are known to be valid.
fn candidates<'r, 'a>(
    context: &mut Context<'_, 'r, 'a>,
    subject: Subject<'_, 'r, 'a>,
    list: &Crl<'a>,
) -> Checked<Vec<(u8, bool, &'r Certificate<'a>)>> {
    let evidence = context.evidence;
    let key_id = list
        .extensions()
        .authority_key_identifier
        .and_then(|found| found.key_id);
    let rank =
        |candidate: &Certificate<'a>| match (key_id, candidate.extensions().subject_key_identifier)
        {
            (Some(wanted), Some(found)) if wanted == found => 0,
            (Some(_), Some(_)) => 4,
            _ => 2,
        };
    let mut found = Vec::new();
    // Above it in the path: validated, and found not to be revoked.
    for candidate in subject.authorities() {
        if context.same_name(candidate.subject(), list.issuer())? {
            found.push((rank(candidate), true, candidate));
        }
    }
    // An anchor whose key was changed is trusted under both: the same name is
    // the same authority.
    if context.same_name(subject.anchor.subject(), list.issuer())? {
        for candidate in evidence.anchors {
            if context.same_name(candidate.subject(), list.issuer())? {
                found.push((rank(candidate), true, candidate));
            }
        }
    }
    for candidate in evidence.intermediates {
        if context.same_name(candidate.subject(), list.issuer())? {
            found.push((rank(candidate) + 1, false, candidate));
        }
    }
    found.sort_by_key(|(rank, ..)| *rank);
    Ok(found)
}

/// Whether a signer's certificate was given by an authority above the
/// certificate asked about, is valid below the same anchor and not revoked,
/// and is none whose own status hangs on the answer.
fn has_path<'r, 'a>(
    context: &mut Context<'_, 'r, 'a>,
    subject: Subject<'_, 'r, 'a>,
    candidate: &'r Certificate<'a>,
) -> Checked<bool> {
    let der = candidate.as_der();
    let compared = steps(der.len()).saturating_mul(context.open.len() as u64 + 1);
    context.budget.step(compared)?;
    if context.open.contains(&der) {
        return Ok(false);
    }
    let signers = subject
        .authorities()
        .map(|one| one.public_key().der)
        .collect();
    let goal = Goal::of_signer(context.options, subject.anchor, signers);
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
