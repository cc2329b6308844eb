//! Whether certificates are revoked: lists by RFC 5280, section 6.3, and OCSP
//! by RFC 6960.

mod lists;
mod responses;
mod scope;
mod signer;
mod succession;
mod verdict;

use crate::certificate::Certificate;
use crate::crl::Reason;
use crate::path::RevocationMode;
use crate::path::context::{Context, MAX_NESTING};
use crate::path::rule::{Checked, Fault, Rule, fail};
use crate::time::Moment;

pub use responses::{ResponderRules, judge_response};
pub use succession::{Succession, succession};

use verdict::{Said, combine};

/// What is known about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not revoked, says somebody who may say so.
    Good,
    /// Revoked.
    Revoked {
        /// Why, where it is said.
        reason: Option<Reason>,
        /// Since when.
        date: Moment,
    },
    /// Nobody who may say so says anything.
    Unknown {
        /// Why the evidence at hand does not do.
        why: String,
    },
}

/// One certificate and the authorities above it, which have been validated.
#[derive(Clone, Copy)]
struct Subject<'p, 'r, 'a> {
    certificate: &'p Certificate<'a>,
    /// Its issuer first; without the anchor.
    above: &'p [&'r Certificate<'a>],
    anchor: &'r Certificate<'a>,
}

impl<'r, 'a> Subject<'_, 'r, 'a> {
    fn issuer(&self) -> &'r Certificate<'a> {
        self.above.first().copied().unwrap_or(self.anchor)
    }

    /// Everybody above it, the anchor included.
    fn authorities(&self) -> impl Iterator<Item = &'r Certificate<'a>> {
        self.above
            .iter()
            .copied()
            .chain(std::iter::once(self.anchor))
    }
}

/// Checks a complete path, from the anchor's issue down to the target.
///
/// # Errors
/// The index in `path` (the target first) of the certificate that is revoked
/// or about which nothing is known, and the rule.
pub(crate) fn check_path<'r, 'a>(
    context: &mut Context<'_, 'r, 'a>,
    path: &[&'r Certificate<'a>],
    anchor: &'r Certificate<'a>,
    main: bool,
) -> Result<(), (usize, Fault)> {
    let options = context.options.revocation;
    for (index, certificate) in path.iter().enumerate().rev() {
        if main && options.leaf_only && index > 0 {
            continue;
        }
        let subject = Subject {
            certificate,
            above: path.get(index + 1..).unwrap_or_default(),
            anchor,
        };
        let open = context.open.len();
        let below = path.iter().take(index);
        context.open.extend(below.map(|one| one.as_der()));
        let found = ask(context, subject).and_then(|said| judge(said, options.mode));
        context.open.truncate(open);
        found.map_err(|fault| (index, fault))?;
    }
    Ok(())
}

/// All that the evidence says about one certificate.
fn ask<'r, 'a>(context: &mut Context<'_, 'r, 'a>, subject: Subject<'_, 'r, 'a>) -> Checked<Said> {
    if context.nesting >= MAX_NESTING {
        return Ok(Said::unknown(
            "the signers of lists and responses lead too far",
        ));
    }
    context.nesting += 1;
    context.open.push(subject.certificate.as_der());
    let found = ask_both(context, subject);
    context.open.pop();
    context.nesting -= 1;
    found
}

/// Lists are asked even if a response is at hand: a signer of responses whose
/// key was stolen says "good" to whoever asks.
fn ask_both<'r, 'a>(
    context: &mut Context<'_, 'r, 'a>,
    subject: Subject<'_, 'r, 'a>,
) -> Checked<Said> {
    let Some(by_response) = responses::ask(context, subject)? else {
        return lists::ask(context, subject);
    };
    if context.evidence.crls.is_empty() || matches!(by_response, Said::Revoked { .. }) {
        return Ok(by_response);
    }
    Ok(combine(by_response, lists::ask(context, subject)?))
}

fn judge(said: Said, mode: RevocationMode) -> Checked {
    let (rule, reason, date) = match said {
        Said::Good { .. } => return Ok(()),
        Said::Unknown { why } if mode == RevocationMode::Require => {
            return fail(Rule::RevocationUnknown, why);
        }
        Said::Unknown { .. } => return Ok(()),
        Said::Held { date, .. } => (Rule::Held, Some(Reason::CertificateHold), date),
        Said::Revoked { date, reason } => (Rule::Revoked, reason, date),
    };
    let reason = reason.map_or("without a reason", Reason::name);
    fail(rule, format!("revoked {date}, {reason}"))
}
