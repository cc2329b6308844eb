//! Certificate policies (RFC 5280, sections 6.1.2 to 6.1.5), as a graph.
//!
//! The standard describes a tree whose size is exponential in the path's
//! length. Nodes of one depth with the same valid_policy have the same
//! children, so that one node for each policy and depth is enough: at most as
//! many as the certificates name policies. What the tree's leaves say is found
//! by following parents back once, at the end.

use std::collections::{BTreeMap, BTreeSet};

use crate::certificate::Certificate;
use crate::oid::{self, Oid, OidBuf};

use super::rule::{Checked, Fault, Rule, fail};

/// What a caller asks about policies (RFC 5280, section 6.1.1(c), (e)–(g)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyInputs {
    /// user-initial-policy-set; empty is anyPolicy.
    pub acceptable: Vec<OidBuf>,
    /// initial-explicit-policy: refuse a path without a valid policy.
    pub require_explicit: bool,
    /// initial-policy-mapping-inhibit.
    pub inhibit_mapping: bool,
    /// initial-any-policy-inhibit.
    pub inhibit_any: bool,
}

impl PolicyInputs {
    fn accepts_any(&self) -> bool {
        self.acceptable.is_empty()
            || self
                .acceptable
                .iter()
                .any(|policy| policy.as_oid() == oid::ANY_POLICY)
    }
}

/// The policies that a path is valid for: the user-constrained-policy-set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValidPolicies {
    /// Any policy at all.
    Any,
    /// These; perhaps none.
    Set(Vec<OidBuf>),
}

#[derive(Default)]
struct Node<'a> {
    /// Policies of the level above that lead here; empty below anyPolicy.
    parents: Vec<Oid<'a>>,
}

/// One depth of the graph. Between two certificates it holds the expected
/// policies; after the next certificate those that it has.
#[derive(Default)]
struct Level<'a> {
    nodes: BTreeMap<Oid<'a>, Node<'a>>,
    any: bool,
}

impl Level<'_> {
    fn is_empty(&self) -> bool {
        self.nodes.is_empty() && !self.any
    }
}

struct State<'a> {
    done: Vec<Level<'a>>,
    /// The level being worked on.
    level: Level<'a>,
    explicit: usize,
    mapping: usize,
    any: usize,
}

/// Works the policies of a path out. `path` is the anchor's issue first and
/// the target last. An anchor whose constraints count (RFC 5937) limits the
/// policies if it names any, maps them, and sets the other three states.
///
/// # Errors
/// The index in `path` of the certificate at which it became invalid, or
/// `None` for the anchor, and why.
pub(crate) fn check<'a>(
    anchor: Option<&Certificate<'a>>,
    path: &[&Certificate<'a>],
    inputs: &PolicyInputs,
) -> Result<ValidPolicies, (Option<usize>, Fault)> {
    let count = path.len() + 1;
    let start = |set: bool| if set { 0 } else { count };
    let mut state = State {
        done: Vec::with_capacity(count),
        level: Level {
            any: true,
            ..Level::default()
        },
        explicit: start(inputs.require_explicit),
        mapping: start(inputs.inhibit_mapping),
        any: start(inputs.inhibit_any),
    };
    let Some(last) = path.len().checked_sub(1) else {
        return Ok(ValidPolicies::Any);
    };
    if let Some(anchor) = anchor {
        if anchor.extensions().policies.is_some() {
            state.take_policies(anchor, state.any > 0);
        }
        state.prepare(anchor, true).map_err(|fault| (None, fault))?;
    }
    for (index, certificate) in path.iter().enumerate() {
        let at = |fault| (Some(index), fault);
        let self_issued = certificate.is_self_issued();
        state.take_policies(certificate, state.any > 0 || index < last && self_issued);
        // 6.1.3(f)
        if state.explicit == 0 && state.level.is_empty() {
            return fail(Rule::Policy, "no policy is valid for the path so far").map_err(at);
        }
        if index < last {
            state.prepare(certificate, self_issued).map_err(at)?;
        }
    }
    // 6.1.5(a) and (b)
    state.explicit = state.explicit.saturating_sub(1);
    let target = path.get(last).map(|target| target.extensions());
    if target
        .and_then(|extensions| extensions.policy_constraints)
        .is_some_and(|constraints| constraints.require_explicit == Some(0))
    {
        state.explicit = 0;
    }
    let explicit = state.explicit == 0;
    let valid = state.valid(inputs);
    if explicit && valid == ValidPolicies::Set(Vec::new()) {
        let fault = fail(Rule::Policy, "no acceptable policy is valid for the path");
        return fault.map_err(|fault| (Some(last), fault));
    }
    Ok(valid)
}

impl<'a> State<'a> {
    /// 6.1.3(d) and (e).
    fn take_policies(&mut self, certificate: &Certificate<'a>, any_allowed: bool) {
        let Some(policies) = certificate.extensions().policies else {
            self.level = Level::default();
            return;
        };
        let named: BTreeSet<Oid<'a>> = policies.iter().collect();
        let has_any = any_allowed && named.contains(&oid::ANY_POLICY);
        let had_any = self.level.any;
        if !has_any {
            self.level.nodes.retain(|policy, _| named.contains(policy));
            self.level.any = false;
        }
        if had_any {
            for policy in named {
                if policy != oid::ANY_POLICY {
                    self.level.nodes.entry(policy).or_default();
                }
            }
        }
    }

    /// 6.1.4(a), (b), (h), (i) and (j).
    fn prepare(&mut self, certificate: &Certificate<'a>, self_issued: bool) -> Checked {
        let extensions = certificate.extensions();
        let mut mappings: BTreeMap<Oid<'a>, BTreeSet<Oid<'a>>> = BTreeMap::new();
        if let Some(found) = extensions.policy_mappings {
            for (issuer, subject) in found.iter() {
                //= https://www.rfc-editor.org/rfc/rfc5280#section-6.1.4
                //# verify that the special value anyPolicy does not appear as an
                //# issuerDomainPolicy or a subjectDomainPolicy.
                if issuer == oid::ANY_POLICY || subject == oid::ANY_POLICY {
                    return fail(Rule::PolicyMapping, "anyPolicy is mapped");
                }
                mappings.entry(issuer).or_default().insert(subject);
            }
        }
        if self.mapping == 0 {
            for issuer in mappings.keys() {
                self.level.nodes.remove(issuer);
            }
            mappings.clear();
        }
        if self.level.any {
            for issuer in mappings.keys() {
                self.level.nodes.entry(*issuer).or_default();
            }
        }
        let mut next = Level {
            any: self.level.any,
            ..Level::default()
        };
        for policy in self.level.nodes.keys() {
            let mut lead = |to: Oid<'a>| next.nodes.entry(to).or_default().parents.push(*policy);
            match mappings.get(policy) {
                None => lead(*policy),
                Some(subjects) => subjects.iter().copied().for_each(lead),
            }
        }
        self.done.push(std::mem::replace(&mut self.level, next));
        if !self_issued {
            self.explicit = self.explicit.saturating_sub(1);
            self.mapping = self.mapping.saturating_sub(1);
            self.any = self.any.saturating_sub(1);
        }
        let lower = |current: &mut usize, skip: Option<u32>| {
            if let Some(skip) = skip {
                *current = (*current).min(usize::try_from(skip).unwrap_or(usize::MAX));
            }
        };
        if let Some(constraints) = extensions.policy_constraints {
            lower(&mut self.explicit, constraints.require_explicit);
            lower(&mut self.mapping, constraints.inhibit_mapping);
        }
        lower(&mut self.any, extensions.inhibit_any_policy);
        Ok(())
    }

    /// 6.1.5(g): the policies of the valid_policy_node_set (those below
    /// anyPolicy) from which the last depth can be reached, as far as they
    /// are acceptable.
    fn valid(self, inputs: &PolicyInputs) -> ValidPolicies {
        let any = inputs.accepts_any();
        if self.level.any {
            return if any {
                ValidPolicies::Any
            } else {
                ValidPolicies::Set(inputs.acceptable.clone())
            };
        }
        let mut found: BTreeSet<Oid<'a>> = BTreeSet::new();
        let mut wanted: BTreeSet<Oid<'a>> = self.level.nodes.keys().copied().collect();
        for level in std::iter::once(&self.level).chain(self.done.iter().rev()) {
            let mut above = BTreeSet::new();
            for policy in &wanted {
                match level.nodes.get(policy) {
                    Some(node) if node.parents.is_empty() => {
                        found.insert(*policy);
                    }
                    Some(node) => above.extend(node.parents.iter().copied()),
                    None => {}
                }
            }
            wanted = above;
        }
        let set = found
            .into_iter()
            .map(OidBuf::from)
            .filter(|policy| any || inputs.acceptable.contains(policy))
            .collect();
        ValidPolicies::Set(set)
    }
}
