//! What of RFC 5280, section 6.1 can only be said of a whole path: path
//! lengths, name constraints and policies, from the anchor down.

use crate::certificate::Certificate;

use super::context::Context;
use super::names::Subtrees;
use super::policy::{self, PolicyInputs, ValidPolicies};
use super::rule::{Fault, Rule, fail};

/// Processes a path, the target first, below an anchor.
///
/// # Errors
/// The index of the certificate that broke a rule (the anchor's is the path's
/// length), and the rule.
pub(super) fn process<'a>(
    context: &mut Context<'_, '_, 'a>,
    path: &[&Certificate<'a>],
    anchor: &Certificate<'a>,
    inputs: &PolicyInputs,
) -> Result<ValidPolicies, (usize, Fault)> {
    let constrained = context.options.anchors.constraints;
    check_lengths(path, constrained.then_some(anchor))?;
    check_names(context, path, constrained.then_some(anchor))?;
    let down: Vec<&Certificate<'a>> = path.iter().rev().copied().collect();
    let last = down.len() - 1;
    policy::check(constrained.then_some(anchor), &down, inputs).map_err(|(index, fault)| {
        // Counted from the anchor there, from the target here.
        (index.map_or(path.len(), |index| last - index), fault)
    })
}

/// Section 6.1.4(l) and (m).
fn check_lengths(
    path: &[&Certificate<'_>],
    anchor: Option<&Certificate<'_>>,
) -> Result<(), (usize, Fault)> {
    let limit = |certificate: &Certificate<'_>| {
        certificate
            .extensions()
            .basic_constraints
            .and_then(|constraints| constraints.path_len)
    };
    let mut left = u32::MAX;
    if let Some(limit) = anchor.and_then(limit) {
        left = limit;
    }
    for (index, certificate) in path.iter().enumerate().skip(1).rev() {
        if !certificate.is_self_issued() {
            left = match left.checked_sub(1) {
                Some(left) => left,
                None => {
                    let fault = fail(Rule::PathLength, "more intermediates than allowed above");
                    return fault.map_err(|fault| (index, fault));
                }
            };
        }
        if let Some(limit) = limit(certificate) {
            left = left.min(limit);
        }
    }
    Ok(())
}

/// Section 6.1.3(b) and (c).
fn check_names<'a>(
    context: &mut Context<'_, '_, 'a>,
    path: &[&Certificate<'a>],
    anchor: Option<&Certificate<'a>>,
) -> Result<(), (usize, Fault)> {
    let mut above: Vec<Subtrees<'a>> = Vec::new();
    let budget = &mut context.budget;
    if let Some(constraints) = anchor.and_then(|anchor| anchor.extensions().name_constraints) {
        let found = Subtrees::new(&constraints, budget);
        above.push(found.map_err(|fault| (path.len(), fault))?);
    }
    for (index, certificate) in path.iter().enumerate().rev() {
        //= https://www.rfc-editor.org/rfc/rfc5280#section-6.1.3
        //# If certificate i is self-issued and it is not the final certificate
        //# in the path, skip this step for certificate i.
        if !above.is_empty() && (index == 0 || !certificate.is_self_issued()) {
            for subtrees in &above {
                let found = subtrees.check_all(certificate, budget);
                found.map_err(|fault| (index, fault))?;
            }
        }
        if index == 0 {
            break;
        }
        if let Some(constraints) = certificate.extensions().name_constraints {
            let found = Subtrees::new(&constraints, budget);
            above.push(found.map_err(|fault| (index, fault))?);
        }
    }
    Ok(())
}
