//! Certification paths: found by RFC 4158, validated by RFC 5280, section 6.

pub(crate) mod budget;
pub(crate) mod context;
pub(crate) mod names;
pub(crate) mod policy;
mod process;
pub(crate) mod profile;
pub(crate) mod rule;
pub(crate) mod search;

use std::fmt;

use crate::certificate::{Certificate, KeyUsage};
use crate::crl::Crl;
use crate::ocsp::OcspResponse;
use crate::reference::ReferenceName;
use crate::signature::{Standard, Verify};
use crate::time::Moment;

pub use budget::{Limits, Work};
pub use policy::{PolicyInputs, ValidPolicies};
pub use profile::{Profile, Purpose};
pub use rule::{Fault, Rule};

use context::Context;
use search::{Goal, Search};

/// What a caller brings besides the certificate in question.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'r, 'a> {
    /// Whom it trusts.
    pub anchors: &'r [Certificate<'a>],
    /// Certificates that may be of use, trusted in nothing.
    pub intermediates: &'r [Certificate<'a>],
    /// Revocation lists, of whomever.
    pub crls: &'r [Crl<'a>],
    /// OCSP responses, for whichever certificates.
    pub ocsp: &'r [OcspResponse<'a>],
}

/// What of an anchor's certificate counts besides its name and key (RFC 5280,
/// section 6.2; RFC 5937).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnchorUse {
    /// Its validity period.
    pub validity: bool,
    /// Its extensions and, in the web's profile, its form: basic constraints,
    /// usages, name constraints, policies.
    pub constraints: bool,
}

impl Default for AnchorUse {
    /// Both.
    fn default() -> Self {
        Self {
            validity: true,
            constraints: true,
        }
    }
}

/// How hard to look for revocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevocationMode {
    /// Not at all.
    #[default]
    Off,
    /// What is known to be revoked is refused; what nothing is known about
    /// passes.
    WhenKnown,
    /// What is not known to be good is refused.
    Require,
}

/// How revocation is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// How hard.
    pub mode: RevocationMode,
    /// Only the certificate in question, not the authorities above it.
    pub leaf_only: bool,
    /// Whether delta lists are used where they are at hand.
    pub use_deltas: bool,
    /// Whether indirect lists are used. The web's profile never does.
    pub use_indirect: bool,
    /// How old what has no nextUpdate may be, in seconds; `None` refuses it.
    /// If set, what has a nextUpdate may not be older either.
    pub max_age_seconds: Option<u32>,
}

impl Default for Revocation {
    /// Off; if switched on, for the whole path, with deltas and indirect lists.
    fn default() -> Self {
        Self {
            mode: RevocationMode::Off,
            leaf_only: false,
            use_deltas: true,
            use_indirect: true,
            max_age_seconds: None,
        }
    }
}

/// The question put to [`validate`].
#[derive(Clone)]
pub struct Options<'v> {
    /// At which moment; fractions of a second dropped.
    pub now: Moment,
    /// By which rules.
    pub profile: Profile,
    /// For what use.
    pub purpose: Purpose,
    /// Names that the certificate must bear, all of them.
    pub names: Vec<ReferenceName>,
    /// Bits that its keyUsage must have, if it has one.
    pub key_usage: Option<KeyUsage>,
    /// How many intermediates there may be that are not self-issued.
    pub max_intermediates: Option<u32>,
    /// The policy inputs of RFC 5280, section 6.1.1.
    pub policies: PolicyInputs,
    /// What of an anchor counts.
    pub anchors: AnchorUse,
    /// How revocation is checked.
    pub revocation: Revocation,
    /// How much work it may take.
    pub limits: Limits,
    /// Who checks signatures.
    pub verifier: &'v dyn Verify,
}

impl Options<'static> {
    /// RFC 5280, any use, any name, any policy, no revocation.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        Self {
            now,
            profile: Profile::Rfc5280,
            purpose: Purpose::Any,
            names: Vec::new(),
            key_usage: None,
            max_intermediates: None,
            policies: PolicyInputs::default(),
            anchors: AnchorUse::default(),
            revocation: Revocation::default(),
            limits: Limits::default(),
            verifier: &Standard,
        }
    }

    /// The web's profile for the server of this name.
    #[must_use]
    pub fn web_server(now: Moment, name: ReferenceName) -> Self {
        Self {
            profile: Profile::WebPki,
            purpose: Purpose::ServerAuth,
            names: vec![name],
            ..Self::new(now)
        }
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("now", &self.now)
            .field("profile", &self.profile)
            .field("purpose", &self.purpose)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// A valid path.
#[derive(Clone, Debug)]
pub struct ValidPath<'r, 'a> {
    /// The certificate in question first, the anchor last.
    pub certificates: Vec<&'r Certificate<'a>>,
    /// What the path is valid for: the user-constrained-policy-set.
    pub policies: ValidPolicies,
}

/// One path that was tried, and why it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Subjects, the certificate in question first.
    pub path: Vec<String>,
    /// The index in `path` of the certificate that broke the rule.
    pub at: usize,
    /// Whether the path had reached an anchor.
    pub complete: bool,
    /// The rule, and what broke it.
    pub fault: Fault,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fault)?;
        if let Some(name) = self.path.get(self.at) {
            write!(f, ", at certificate {} ({name})", self.at)?;
        }
        write!(f, ", in the path {}", self.path.join(" <- "))
    }
}

/// Why a certificate was refused: every path that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The attempts in their order; never empty.
    pub attempts: Vec<Attempt>,
    /// How many more there were than are kept.
    pub omitted: usize,
}

impl Refusal {
    /// The attempt that says most: one that used all the work up, else one
    /// that reached an anchor, else the longest.
    #[must_use]
    pub fn main(&self) -> Option<&Attempt> {
        let rank = |attempt: &Attempt| {
            (
                attempt.fault.rule == Rule::WorkLimit,
                attempt.complete,
                attempt.fault.rule != Rule::NoIssuer && attempt.fault.rule != Rule::Loop,
                attempt.path.len(),
            )
        };
        // The first of the best.
        self.attempts
            .iter()
            .rev()
            .max_by_key(|attempt| rank(attempt))
    }

    /// The rule that [`Self::main`] broke.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.main()
            .map_or(Rule::NoIssuer, |attempt| attempt.fault.rule)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(main) = self.main() {
            main.fmt(f)?;
        }
        let others = self.attempts.len().saturating_sub(1) + self.omitted;
        if others > 0 {
            write!(f, "; {others} other paths failed too")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// Finds a valid path from `target` to an anchor, or says why there is none.
///
/// Candidates are tried depth first, anchors and matching key identifiers
/// first. Signatures, validity, basic constraints, usages and path lengths are
/// checked as the path grows; name constraints, policies and revocation when
/// it has reached an anchor. The first path to pass everything is the answer.
///
/// ```
/// use skms_pki::certificate::Certificate;
/// use skms_pki::path::{Evidence, Options, validate};
/// use skms_pki::{Moment, ReferenceName};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (root, leaf) = (&b""[..], &b""[..]);
/// # if root.is_empty() { return Ok(()); }
/// let anchors = [Certificate::from_der(root)?];
/// let leaf = Certificate::from_der(leaf)?;
/// let evidence = Evidence { anchors: &anchors, ..Evidence::default() };
/// let options = Options::web_server(Moment(1_735_689_600), ReferenceName::host("www.example.org")?);
/// let path = validate(&leaf, &evidence, &options)?;
/// assert_eq!(path.certificates.len(), 2);
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`Refusal`]: every path that was tried, the rule it broke, and where.
pub fn validate<'r, 'a>(
    target: &'r Certificate<'a>,
    evidence: &Evidence<'r, 'a>,
    options: &Options<'_>,
) -> Result<ValidPath<'r, 'a>, Refusal> {
    validate_and_count(target, evidence, options).0
}

/// As [`validate`], and tells how much work it took: to choose [`Limits`], or
/// to keep an eye on what is sent.
pub fn validate_and_count<'r, 'a>(
    target: &'r Certificate<'a>,
    evidence: &Evidence<'r, 'a>,
    options: &Options<'_>,
) -> (Result<ValidPath<'r, 'a>, Refusal>, Work) {
    let mut context = Context::new(*evidence, options);
    let goal = Goal::of(options);
    let found = Search::new(&mut context, &goal, target).run();
    (found, context.budget.work())
}
