//! Whether certificates are revoked: lists by RFC 5280, section 6.3, and OCSP
//! by RFC 6960.

mod lists;
mod responses;

use crate::certificate::Certificate;
use crate::crl::Reason;
use crate::path::RevocationMode;
use crate::path::context::Context;
use crate::path::rule::{Checked, Fault, Rule, fail};
use crate::time::Moment;

pub use responses::{ResponderRules, judge_response};

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
    for index in (0..path.len()).rev() {
        if main && options.leaf_only && index > 0 {
            continue;
        }
        let found = check_one(context, path, index, anchor);
        found.map_err(|fault| (index, fault))?;
    }
    Ok(())
}

fn check_one<'r, 'a>(
    context: &mut Context<'_, 'r, 'a>,
    path: &[&'r Certificate<'a>],
    index: usize,
    anchor: &'r Certificate<'a>,
) -> Checked {
    let Some(certificate) = path.get(index).copied() else {
        return Ok(());
    };
    let issuer = path.get(index + 1).copied().unwrap_or(anchor);
    let by_response = responses::status(context, certificate, issuer)?;
    let status = match by_response {
        Some(Status::Unknown { .. }) | None => lists::status(context, path, index, anchor)?,
        Some(known) => known,
    };
    match status {
        Status::Good => Ok(()),
        Status::Revoked { reason, date } => {
            let rule = match reason {
                Some(Reason::CertificateHold) => Rule::Held,
                _ => Rule::Revoked,
            };
            let reason = reason.map_or("without a reason", Reason::name);
            fail(rule, format!("revoked {date}, {reason}"))
        }
        Status::Unknown { why } => match context.options.revocation.mode {
            RevocationMode::Require => fail(Rule::RevocationUnknown, why),
            _ => Ok(()),
        },
    }
}
