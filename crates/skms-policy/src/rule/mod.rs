//! Automatic rules: a condition in Cedar over a key, a principal, what
//! happened and the time, and what is to be done where it holds.
//!
//! A rule is a Cedar document of one `permit`, whose annotations say what to
//! do. It permits nobody anything: its schema is one of its own
//! ([`RULE_SCHEMA`]), in which each trigger is an action with a context of its
//! own, so that a rule about time that mentions a score is an error when it is
//! written. A condition that fails to evaluate does not hold.

mod annotations;
mod condition;
mod facts;
mod model;

use cedar_policy::{Authorizer, Effect, Policy, PolicySet, ValidationMode};
use miette::Diagnostic;

use crate::document::{findings, over_limit};
use crate::{Error, Finding, PolicyName, Position, Result};

use condition::Condition;
use model::RuleModel;

pub use annotations::{Answer, Quota};
pub use facts::{About, Asked, KeyFacts, Occasion, Question, Whom};
pub use model::{RULE_SCHEMA, Trigger};

/// The most rules that one rule may say it follows.
pub const MAX_FOLLOWED: usize = 16;

/// Whether a rule's condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// It does not.
    No,
    /// It does; what it looked at, in words.
    Yes(String),
    /// It failed to evaluate, which counts as not holding; why.
    Trouble(String),
}

/// One rule, checked and ready to be asked.
pub struct Rule {
    triggers: Vec<Trigger>,
    answer: Answer,
    reason: Option<String>,
    cascade: Option<String>,
    rotate: Option<String>,
    limit: Option<Quota>,
    follows: Vec<String>,
    condition: Condition,
    doubts: Vec<Finding>,
    set: PolicySet,
    authorizer: Authorizer,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule")
            .field("triggers", &self.triggers)
            .field("answer", &self.answer)
            .finish_non_exhaustive()
    }
}

impl Rule {
    /// Parses a rule and checks it against the schema and the limits.
    ///
    /// # Errors
    /// [`Error::Rule`], saying where and what: text that is not Cedar, anything
    /// but one `permit`, a condition that does not fit the triggers' facts, an
    /// annotation that is missing, misspelt or has no such value.
    pub fn compile(name: &PolicyName, text: &str) -> Result<Self> {
        let model = RuleModel::shared()?;
        let wrong = |what: &str, findings: Vec<Finding>| Error::Rule {
            rule: name.to_string(),
            what: what.to_owned(),
            findings,
        };
        if let Some((what, limit)) = over_limit(text) {
            let what = format!("has {what} over the limit of {limit}");
            return Err(wrong(&what, Vec::new()));
        }
        let set: PolicySet = text.parse().map_err(|errors: cedar_policy::ParseErrors| {
            let all = errors.iter().map(|error| error as &dyn Diagnostic);
            wrong("does not parse", findings(text, all))
        })?;
        let (policy, doubts) = checked(model, &set, text, &wrong)?;
        let at = |message: String| {
            let position = Some(Position::of(text, 0));
            let help = None;
            wrong(
                "is not a rule",
                vec![Finding {
                    position,
                    message,
                    help,
                }],
            )
        };
        let said = annotations::read(policy.annotations(), name.name()).map_err(&at)?;
        let triggers = model.triggers(&policy.action_constraint());
        if triggers.is_empty() {
            return Err(at("it has no trigger".to_owned()));
        }
        let json = policy.to_json().map_err(|error| at(error.to_string()))?;
        Ok(Self {
            triggers,
            answer: said.answer,
            reason: said.reason,
            cascade: said.cascade,
            rotate: said.rotate,
            limit: said.limit,
            follows: said.follows,
            condition: Condition::of(json.get("conditions")),
            doubts,
            set,
            authorizer: Authorizer::new(),
        })
    }

    /// What it is asked on.
    #[must_use]
    pub fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }

    /// What is to be done.
    #[must_use]
    pub fn answer(&self) -> Answer {
        self.answer
    }

    /// The reason of a revocation or compromise, as it was written.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// How far a compromise goes along the lineage, as it was written.
    #[must_use]
    pub fn cascade(&self) -> Option<&str> {
        self.cascade.as_deref()
    }

    /// What a compromise gives new versions, as it was written.
    #[must_use]
    pub fn rotate(&self) -> Option<&str> {
        self.rotate.as_deref()
    }

    /// How often it may act, if it says.
    #[must_use]
    pub fn limit(&self) -> Option<Quota> {
        self.limit
    }

    /// The rules whose acts it answers too.
    #[must_use]
    pub fn follows(&self) -> &[String] {
        &self.follows
    }

    /// What is doubtful about it, such as that it can never hold.
    #[must_use]
    pub fn doubts(&self) -> &[Finding] {
        &self.doubts
    }

    /// Whether its condition can hold for an event of this action and outcome:
    /// an answer from the text alone, so that most events cost nothing more.
    #[must_use]
    pub fn may_hold_for(&self, action: &str, outcome: &str) -> bool {
        self.condition.allows("action", action) && self.condition.allows("outcome", outcome)
    }

    /// Whether it looks at a fact: `resource.unused_seconds`, say.
    #[must_use]
    pub fn looks_at(&self, of: &str, fact: &str) -> bool {
        self.condition.mentions(of, fact)
    }

    /// Asks it.
    #[must_use]
    pub fn matches(&self, asked: &Asked) -> Match {
        if !self.triggers.contains(&asked.trigger()) {
            return Match::No;
        }
        let response = self
            .authorizer
            .is_authorized(asked.request(), &self.set, asked.entities());
        let diagnostics = response.diagnostics();
        if let Some(error) = diagnostics.errors().next() {
            return Match::Trouble(error.to_string());
        }
        match diagnostics.reason().next() {
            None => Match::No,
            Some(_) => Match::Yes(asked.in_words(self.condition.mentioned())),
        }
    }
}

/// The one statement of a rule, checked against the schema.
fn checked(
    model: &RuleModel,
    set: &PolicySet,
    text: &str,
    wrong: &dyn Fn(&str, Vec<Finding>) -> Error,
) -> Result<(Policy, Vec<Finding>)> {
    if set.num_of_templates() > 0 {
        let help = Some("name the principal or group itself".to_owned());
        let finding = Finding {
            position: text.find('?').map(|offset| Position::of(text, offset)),
            message: "slots such as ?principal are not supported".to_owned(),
            help,
        };
        return Err(wrong("is a template", vec![finding]));
    }
    let mut policies = set.policies();
    let policy = match (policies.next(), policies.next()) {
        (Some(policy), None) if policy.effect() == Effect::Permit => policy.clone(),
        (Some(_), None) => {
            return Err(wrong("is a forbid: a rule is one permit", Vec::new()));
        }
        _ => {
            return Err(wrong(
                "is not one statement: a rule is one permit",
                Vec::new(),
            ));
        }
    };
    let result = model.validator.validate(set, ValidationMode::Strict);
    let refused: Vec<&dyn Diagnostic> = result
        .validation_errors()
        .map(|error| error as &dyn Diagnostic)
        .chain(
            result
                .validation_warnings()
                .filter(|warning| crate::document::disguise(warning))
                .map(|warning| warning as &dyn Diagnostic),
        )
        .collect();
    if !refused.is_empty() {
        let all = findings(text, refused.into_iter());
        return Err(wrong("does not fit the schema", all));
    }
    let doubts = findings(
        text,
        result
            .validation_warnings()
            .map(|warning| warning as &dyn Diagnostic),
    );
    Ok((policy, doubts))
}
