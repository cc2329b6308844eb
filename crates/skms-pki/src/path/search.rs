//! Looking for a path (RFC 4158): depth first, the likeliest issuer first,
//! within a budget, never twice through the same name and key.

use crate::certificate::Certificate;
use crate::revocation;

use super::budget::steps;
use super::context::{Context, place};
use super::policy::{PolicyInputs, ValidPolicies};
use super::process::process;
use super::profile::{Profile, Purpose, Role, check_form, check_issuer, check_purpose, check_time};
use super::rule::{Checked, Fault, Rule, fail};
use super::{Attempt, Options, Refusal, RevocationMode, ValidPath};

/// The most attempts that are written down.
const MAX_ATTEMPTS: usize = 32;

/// What a search is for: the caller's question, or a side question about the
/// signer of a list.
pub(crate) struct Goal<'o, 'r, 'a> {
    pub(crate) purpose: Purpose,
    pub(crate) policies: PolicyInputs,
    /// The caller's names, usages and depth count.
    pub(crate) main: bool,
    /// The one anchor to end at.
    pub(crate) anchor: Option<&'r Certificate<'a>>,
    /// The keys that may have signed the target; any, if empty.
    pub(crate) signers: Vec<&'a [u8]>,
    pub(crate) options: &'o Options<'o>,
}

impl<'o, 'r, 'a> Goal<'o, 'r, 'a> {
    /// What the caller asked.
    pub(crate) fn of(options: &'o Options<'o>) -> Self {
        Self {
            purpose: options.purpose.clone(),
            policies: options.policies.clone(),
            main: true,
            anchor: None,
            signers: Vec::new(),
            options,
        }
    }

    /// Whether a certificate may sign lists: below this anchor, and given by
    /// the holder of one of these keys.
    pub(crate) fn of_signer(
        options: &'o Options<'o>,
        anchor: &'r Certificate<'a>,
        signers: Vec<&'a [u8]>,
    ) -> Self {
        Self {
            purpose: Purpose::Any,
            policies: PolicyInputs::default(),
            main: false,
            anchor: Some(anchor),
            signers,
            options,
        }
    }

    /// A side question is about an authority's helper, no web server.
    fn target_profile(&self) -> Profile {
        if self.main {
            self.options.profile
        } else {
            Profile::Rfc5280
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Anchor,
    Intermediate,
}

pub(crate) struct Search<'c, 'o, 'r, 'a> {
    context: &'c mut Context<'o, 'r, 'a>,
    goal: &'c Goal<'o, 'r, 'a>,
    path: Vec<&'r Certificate<'a>>,
    attempts: Vec<Attempt>,
    omitted: usize,
    found: Option<ValidPath<'r, 'a>>,
}

impl<'c, 'o, 'r, 'a> Search<'c, 'o, 'r, 'a> {
    pub(crate) fn new(
        context: &'c mut Context<'o, 'r, 'a>,
        goal: &'c Goal<'o, 'r, 'a>,
        target: &'r Certificate<'a>,
    ) -> Self {
        Self {
            context,
            goal,
            path: vec![target],
            attempts: Vec::new(),
            omitted: 0,
            found: None,
        }
    }

    /// Runs the search to its end.
    pub(crate) fn run(mut self) -> Result<ValidPath<'r, 'a>, Refusal> {
        if let Err(fault) = self.check_target() {
            self.note(None, 0, fault);
        } else if let Err(stop) = self.extend() {
            // What used the work up is said first.
            let at = self.path.len() - 1;
            self.attempts.truncate(MAX_ATTEMPTS - 1);
            self.note(None, at, stop);
        }
        match self.found {
            Some(found) => Ok(found),
            None => Err(Refusal {
                attempts: self.attempts,
                omitted: self.omitted,
            }),
        }
    }

    fn check_target(&self) -> Checked {
        let Some(target) = self.path.first() else {
            return Ok(());
        };
        let options = self.goal.options;
        let profile = self.goal.target_profile();
        check_form(
            target,
            Role::Target,
            profile,
            &self.goal.purpose,
            options.verifier,
        )?;
        check_time(target, options.now)?;
        check_purpose(target, Role::Target, profile, &self.goal.purpose)?;
        if !self.goal.main {
            return Ok(());
        }
        if let (Some(wanted), Some(found)) = (options.key_usage, target.extensions().key_usage)
            && !found.contains(wanted)
        {
            return fail(Rule::KeyUsage, "keyUsage lacks a bit that is asked for");
        }
        let labels = profile.wildcard_labels();
        match options.names.iter().find(|name| !name.find(target, labels)) {
            Some(name) => fail(Rule::Name, format!("not valid for {name}")),
            None => Ok(()),
        }
    }

    fn note(&mut self, anchor: Option<&Certificate<'a>>, at: usize, fault: Fault) {
        // Nobody reads why a side question failed, only whether it ran out.
        let unread = !self.goal.main && fault.rule != Rule::WorkLimit;
        if unread || self.attempts.len() == MAX_ATTEMPTS {
            self.omitted += 1;
            return;
        }
        let name = |certificate: &Certificate<'a>| {
            let mut text = certificate.subject().to_string();
            if let Some((cut, _)) = text.char_indices().nth(200) {
                text.truncate(cut);
                text.push('…');
            }
            text
        };
        let mut path: Vec<String> = self.path.iter().map(|one| name(one)).collect();
        path.extend(anchor.map(name));
        self.attempts.push(Attempt {
            path,
            at,
            complete: anchor.is_some(),
            fault,
        });
    }

    /// Extends the path by every possible issuer of its last certificate.
    /// `Ok(true)`: a valid path was found.
    fn extend(&mut self) -> Checked<bool> {
        let Some(child) = self.path.last().copied() else {
            return Ok(false);
        };
        let candidates = self.candidates(child)?;
        if candidates.is_empty() {
            let at = self.path.len() - 1;
            let fault = Fault::new(
                Rule::NoIssuer,
                format!("no certificate of {}", child.issuer()),
            );
            self.note(None, at, fault);
        }
        for (_, source, candidate) in candidates {
            self.context.budget.candidate()?;
            self.context
                .budget
                .step(2 * steps(candidate.as_der().len()))?;
            let done = match source {
                Source::Anchor => self.finish(child, candidate)?,
                Source::Intermediate => self.step(child, candidate)?,
            };
            if done {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Issuers by name, ranked: a matching key identifier before none before
    /// another, anchors before intermediates.
    fn candidates(
        &mut self,
        child: &Certificate<'a>,
    ) -> Checked<Vec<(u8, Source, &'r Certificate<'a>)>> {
        let key_id = child
            .extensions()
            .authority_key_identifier
            .and_then(|found| found.key_id);
        let rank = |candidate: &Certificate<'a>| match (
            key_id,
            candidate.extensions().subject_key_identifier,
        ) {
            (Some(wanted), Some(found)) if wanted == found => 0,
            (Some(_), Some(_)) => 4,
            _ => 2,
        };
        let evidence = self.context.evidence;
        let anchors: &'r [Certificate<'a>] = match self.goal.anchor {
            Some(anchor) => std::slice::from_ref(anchor),
            None => evidence.anchors,
        };
        let signers: &[&[u8]] = match self.path.len() {
            1 => &self.goal.signers,
            _ => &[],
        };
        let mut found = Vec::new();
        let anchors = anchors.iter().map(|one| (0, Source::Anchor, one));
        let others = evidence.intermediates.iter();
        let others = others.map(|one| (1, Source::Intermediate, one));
        for (behind, source, candidate) in anchors.chain(others) {
            if self
                .context
                .same_name(child.issuer(), candidate.subject())?
                && (signers.is_empty() || signers.contains(&candidate.public_key().der))
            {
                found.push((rank(candidate) + behind, source, candidate));
            }
        }
        found.sort_by_key(|(rank, ..)| *rank);
        Ok(found)
    }

    /// How many non-self-issued intermediates the path has.
    fn intermediates(&self) -> u32 {
        let count = self
            .path
            .iter()
            .skip(1)
            .filter(|one| !one.is_self_issued())
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Tries an intermediate, and from it onwards.
    fn step(
        &mut self,
        child: &'r Certificate<'a>,
        candidate: &'r Certificate<'a>,
    ) -> Checked<bool> {
        let tried = self.check_intermediate(child, candidate);
        self.path.push(candidate);
        let found = match tried {
            Ok(()) => self.extend(),
            Err(fault) if fault.rule == Rule::WorkLimit => Err(fault),
            Err(fault) => {
                // A bad signature is the child's, all else the candidate's.
                let own = !matches!(fault.rule, Rule::Signature | Rule::WeakSignature);
                let at = self.path.len() - if own { 1 } else { 2 };
                self.note(None, at, fault);
                Ok(false)
            }
        };
        if !matches!(found, Ok(true)) {
            self.path.pop();
        }
        found
    }

    fn check_intermediate(
        &mut self,
        child: &Certificate<'a>,
        candidate: &Certificate<'a>,
    ) -> Checked {
        let options = self.goal.options;
        // Each certificate of the path so far is looked at again.
        for one in &self.path {
            let names = one.subject().weight() + one.issuer().weight();
            self.context.budget.step(1 + names)?;
        }
        let again = self.path.iter().any(|one| {
            one.public_key().der == candidate.public_key().der
                && one.subject().matches(candidate.subject())
        });
        if again {
            return fail(Rule::Loop, "this name and key are in the path already");
        }
        if self.path.len() >= self.context.budget.depth() {
            return fail(Rule::PathLength, "the path is too long");
        }
        check_form(
            candidate,
            Role::Intermediate,
            options.profile,
            &self.goal.purpose,
            options.verifier,
        )?;
        check_time(candidate, options.now)?;
        check_issuer(candidate)?;
        check_purpose(
            candidate,
            Role::Intermediate,
            options.profile,
            &self.goal.purpose,
        )?;
        let below = self.intermediates();
        let limit = candidate
            .extensions()
            .basic_constraints
            .and_then(|constraints| constraints.path_len);
        if limit.is_some_and(|limit| below > limit) {
            return fail(
                Rule::PathLength,
                format!("{below} intermediates follow, more than its pathLenConstraint"),
            );
        }
        let with = below + u32::from(!candidate.is_self_issued());
        if self.goal.main && options.max_intermediates.is_some_and(|most| with > most) {
            return fail(Rule::PathLength, "more intermediates than were asked for");
        }
        self.context
            .signature(candidate.public_key(), child.signed())
    }

    /// Tries an anchor: the path is complete and can be judged.
    fn finish(&mut self, child: &'r Certificate<'a>, anchor: &'r Certificate<'a>) -> Checked<bool> {
        let judged = self
            .check_anchor(child, anchor)
            .map_err(|fault| {
                let own = !matches!(fault.rule, Rule::Signature | Rule::WeakSignature);
                (self.path.len() - usize::from(!own), fault)
            })
            .and_then(|()| self.judge(anchor));
        match judged {
            Ok(policies) => {
                let mut certificates = std::mem::take(&mut self.path);
                certificates.push(anchor);
                self.found = Some(ValidPath {
                    certificates,
                    policies,
                });
                Ok(true)
            }
            Err((_, fault)) if fault.rule == Rule::WorkLimit => Err(fault),
            Err((at, fault)) => {
                self.note(Some(anchor), at, fault);
                Ok(false)
            }
        }
    }

    fn check_anchor(&mut self, child: &Certificate<'a>, anchor: &Certificate<'a>) -> Checked {
        let options = self.goal.options;
        if place(child.as_der()) == place(anchor.as_der()) && self.path.len() > 1 {
            return fail(Rule::Loop, "the anchor is in the path already");
        }
        if options.anchors.constraints {
            check_form(
                anchor,
                Role::Anchor,
                options.profile,
                &self.goal.purpose,
                options.verifier,
            )?;
            let plain = anchor.extensions().basic_constraints.is_none();
            // RFC 5280, section 6.1.1(d) needs no more than a name and a key:
            // an anchor that says nothing about itself will do.
            if options.profile == Profile::WebPki || !plain {
                check_issuer(anchor)?;
            } else if let Some(usage) = anchor.extensions().key_usage
                && !usage.contains(crate::certificate::KeyUsage::KEY_CERT_SIGN)
            {
                return fail(Rule::KeyUsage, "keyCertSign is not set");
            }
            check_purpose(anchor, Role::Anchor, options.profile, &self.goal.purpose)?;
            self.check_root(anchor)?;
        }
        if options.anchors.validity {
            check_time(anchor, options.now)?;
        }
        self.context.signature(anchor.public_key(), child.signed())
    }

    /// RFC 5280, section 4.2.1.1: only a self-signed certificate may be without
    /// an authorityKeyIdentifier, and the signature is what makes it one.
    fn check_root(&mut self, anchor: &Certificate<'a>) -> Checked {
        let exempt = self.goal.options.profile != Profile::WebPki
            || anchor.extensions().authority_key_identifier.is_some()
            || anchor.is_self_issued();
        if exempt {
            return Ok(());
        }
        match self.context.signature(anchor.public_key(), anchor.signed()) {
            Err(fault) if fault.rule != Rule::WorkLimit => fail(
                Rule::ExtensionPresence,
                "no authorityKeyIdentifier, and not self-signed",
            ),
            found => found,
        }
    }

    /// What only a complete path can be asked.
    fn judge(&mut self, anchor: &'r Certificate<'a>) -> Result<ValidPolicies, (usize, Fault)> {
        for one in &self.path {
            self.context
                .budget
                .step(4 * steps(one.as_der().len()))
                .map_err(|fault| (0, fault))?;
        }
        let policies = process(self.context, &self.path, anchor, &self.goal.policies)?;
        if self.goal.options.revocation.mode != RevocationMode::Off {
            revocation::check_path(self.context, &self.path, anchor, self.goal.main)?;
        }
        Ok(policies)
    }
}
