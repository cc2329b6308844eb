//! One policy document: text → checked statements with their scopes.

use std::sync::Arc;

use cedar_policy::{Effect, Policy, PolicySet, ValidationMode, ValidationWarning};
use miette::Diagnostic;
use serde_json::Value;

use crate::{
    ContextFields, Error, Finding, Mark, PolicyName, Position, ROOT_NAMESPACE, Result, mark,
    schema::Model, scope::Scope,
};

/// The longest document accepted, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
/// The most statements accepted in one document.
pub const MAX_STATEMENTS: usize = 256;
/// The most operators and accesses accepted in one statement. The parser
/// builds a tree as deep as a chain of them is long and walks it by recursion;
/// this and [`MAX_NESTING`] keep every walk within an ordinary thread's stack.
pub const MAX_STATEMENT_OPERATORS: usize = 400;
/// The deepest nesting of brackets and of `if` accepted.
pub const MAX_NESTING: usize = 32;

/// One `permit` or `forbid`, ready to be indexed and evaluated.
pub(crate) struct Statement {
    pub(crate) name: Arc<PolicyName>,
    /// Its number in the document.
    number: usize,
    pub(crate) forbids: bool,
    pub(crate) scope: Scope,
    pub(crate) mentions: ContextFields,
    /// What it asks for, where it does not forbid for good.
    pub(crate) mark: Option<Arc<Mark>>,
    /// A set of this one statement, the unit that Cedar evaluates.
    pub(crate) set: PolicySet,
}

impl Statement {
    /// Whether the document's authority reaches a principal and a resource of
    /// these namespaces. What a tenant forbids does not bind the principals of
    /// the root namespace: it could lock them out of its keys and tokens.
    pub(crate) fn reaches(&self, principal: &str, resource: &str) -> bool {
        let written = self.name.namespace();
        written == ROOT_NAMESPACE
            || (written == resource && !(self.forbids && principal == ROOT_NAMESPACE))
    }

    pub(crate) fn depends_on_time(&self) -> bool {
        self.mentions.contains(ContextFields::NOW)
    }

    /// What statements are ordered by: no two of a set have the same.
    pub(crate) fn order(&self) -> (&PolicyName, usize) {
        (&self.name, self.number)
    }
}

/// One document, parsed and checked, ready to be put in force by
/// [`PolicySet::with`](crate::PolicySet::with).
pub struct Document {
    pub(crate) name: Arc<PolicyName>,
    pub(crate) statements: Vec<Arc<Statement>>,
    /// The context fields that any of its statements mentions.
    pub(crate) mentions: ContextFields,
    pub(crate) doubts: Vec<Finding>,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("name", &self.name)
            .field("statements", &self.statements.len())
            .finish_non_exhaustive()
    }
}

impl Document {
    /// Parses a document and checks it against the schema and the limits.
    ///
    /// # Errors
    /// The document does not parse, does not fit the schema, is a template, is
    /// empty or over a limit; or a mark does not hold.
    pub fn compile(name: &PolicyName, text: &str) -> Result<Self> {
        let model = Model::shared()?;
        within_limits(name, text)?;
        let set: PolicySet =
            text.parse()
                .map_err(|errors: cedar_policy::ParseErrors| Error::Syntax {
                    policy: name.to_string(),
                    findings: findings(text, errors.iter().map(|error| error as &dyn Diagnostic)),
                })?;
        if set.num_of_templates() > 0 {
            return Err(Error::Template {
                policy: name.to_string(),
                finding: Finding {
                    position: text.find('?').map(|offset| Position::of(text, offset)),
                    message: "slots such as ?principal are not supported".to_owned(),
                    help: Some("name the principal or group itself".to_owned()),
                },
            });
        }
        if set.is_empty() {
            return Err(Error::Empty {
                policy: name.to_string(),
            });
        }
        if set.num_of_policies() > MAX_STATEMENTS {
            return Err(Error::TooLarge {
                policy: name.to_string(),
                what: "statements",
                limit: MAX_STATEMENTS,
            });
        }
        let doubts = validate(model, name, text, &set)?;
        let mut policies: Vec<&Policy> = set.policies().collect();
        // The parser numbers them as `policy0`, `policy1` and so on, and keeps
        // them in no order.
        policies.sort_by_key(|policy| (AsRef::<str>::as_ref(policy.id()).len(), policy.id()));
        let name = Arc::new(name.clone());
        let statements = policies
            .into_iter()
            .enumerate()
            .map(|(number, policy)| statement(&name, number, text, policy).map(Arc::new))
            .collect::<Result<Vec<_>>>()?;
        let mentions = statements
            .iter()
            .fold(ContextFields::default(), |all, statement| {
                all.union(statement.mentions)
            });
        Ok(Self {
            name,
            statements,
            mentions,
            doubts,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &PolicyName {
        &self.name
    }

    /// What is doubtful about it: a statement that can never apply, mixed
    /// scripts.
    #[must_use]
    pub fn doubts(&self) -> &[Finding] {
        &self.doubts
    }
}

fn validate(model: &Model, name: &PolicyName, text: &str, set: &PolicySet) -> Result<Vec<Finding>> {
    let result = model.validator.validate(set, ValidationMode::Strict);
    let refused: Vec<&dyn Diagnostic> = result
        .validation_errors()
        .map(|error| error as &dyn Diagnostic)
        .chain(
            result
                .validation_warnings()
                .filter(|warning| disguise(warning))
                .map(|warning| warning as &dyn Diagnostic),
        )
        .collect();
    if !refused.is_empty() {
        return Err(Error::Validation {
            policy: name.to_string(),
            findings: findings(text, refused.into_iter()),
        });
    }
    Ok(findings(
        text,
        result
            .validation_warnings()
            .map(|warning| warning as &dyn Diagnostic),
    ))
}

/// Text that displays in another order than it is read hides what a policy
/// says from whoever reviews it.
pub(crate) const fn disguise(warning: &ValidationWarning) -> bool {
    matches!(
        warning,
        ValidationWarning::BidiCharsInString(_) | ValidationWarning::BidiCharsInIdentifier(_)
    )
}

fn statement(
    name: &Arc<PolicyName>,
    number: usize,
    text: &str,
    policy: &Policy,
) -> Result<Statement> {
    let unfit = |message: String| Error::Validation {
        policy: name.to_string(),
        findings: vec![Finding {
            position: Some(Position::of(text, 0)),
            message,
            help: None,
        }],
    };
    let json = policy.to_json().map_err(|error| unfit(error.to_string()))?;
    let mut mentions = ContextFields::default();
    if let Some(conditions) = json.get("conditions") {
        mentions = mentioned(conditions);
    }
    let set =
        PolicySet::from_policies([policy.clone()]).map_err(|error| unfit(error.to_string()))?;
    let scope = Scope::of(policy);
    Ok(Statement {
        name: Arc::clone(name),
        number,
        forbids: policy.effect() == Effect::Forbid,
        mark: mark::read(name, number, text, policy, &scope)?,
        scope,
        mentions,
        set,
    })
}

/// The context fields an expression reads, from Cedar's JSON form of it:
/// `context.x` is `{".": {"left": {"Var": "context"}, "attr": "x"}}`, `has`
/// likewise. The context in any other place counts as all of its fields.
fn mentioned(expression: &Value) -> ContextFields {
    let is_context = |value: Option<&Value>| {
        value.and_then(|v| v.get("Var")).and_then(Value::as_str) == Some("context")
    };
    match expression {
        Value::Object(map) => {
            let mut fields = ContextFields::default();
            for (operator, operand) in map {
                if operator == "Var" && operand.as_str() == Some("context") {
                    fields = ContextFields::ALL;
                } else if (operator == "." || operator == "has") && is_context(operand.get("left"))
                {
                    fields = fields.union(match operand.get("attr").and_then(Value::as_str) {
                        Some(name) => ContextFields::named(name),
                        None => ContextFields::ALL,
                    });
                } else {
                    fields = fields.union(mentioned(operand));
                }
            }
            fields
        }
        Value::Array(items) => items
            .iter()
            .map(mentioned)
            .fold(ContextFields::default(), ContextFields::union),
        _ => ContextFields::default(),
    }
}

pub(crate) fn findings<'a>(
    text: &str,
    found: impl Iterator<Item = &'a dyn Diagnostic>,
) -> Vec<Finding> {
    let mut all: Vec<Finding> = found
        .map(|diagnostic| {
            let label = diagnostic.labels().and_then(|mut labels| labels.next());
            let help = diagnostic
                .help()
                .map(|help| help.to_string())
                .or_else(|| label.as_ref().and_then(|l| l.label().map(str::to_owned)));
            let message = unnumbered(&diagnostic.to_string());
            let help = help.map(|help| unnumbered(&help));
            Finding {
                position: label.map(|label| Position::of(text, label.offset())),
                message,
                help,
            }
        })
        .collect();
    all.sort_by(|a, b| (a.position, &a.message).cmp(&(b.position, &b.message)));
    all.dedup();
    all
}

/// Takes "for policy `policy0`, " out: the parser numbers statements by itself,
/// and the position says more.
fn unnumbered(said: &str) -> String {
    let numbered = said.split_once("for policy `").and_then(|(before, after)| {
        let (_number, rest) = after.split_once("`, ")?;
        Some(format!("{before}{rest}"))
    });
    numbered.unwrap_or_else(|| said.to_owned())
}

/// Counts what makes trees deep, before the parser builds one.
fn within_limits(name: &PolicyName, text: &str) -> Result<()> {
    match over_limit(text) {
        None => Ok(()),
        Some((what, limit)) => Err(Error::TooLarge {
            policy: name.to_string(),
            what,
            limit,
        }),
    }
}

/// What a text has too much of for the parser, and the limit.
pub(crate) fn over_limit(text: &str) -> Option<(&'static str, usize)> {
    if text.len() > MAX_DOCUMENT_BYTES {
        return Some(("bytes", MAX_DOCUMENT_BYTES));
    }
    let (operators, nesting) = deepest(text);
    if operators > MAX_STATEMENT_OPERATORS {
        return Some(("operators in a statement", MAX_STATEMENT_OPERATORS));
    }
    (nesting > MAX_NESTING).then_some(("levels of nesting", MAX_NESTING))
}

/// The operators of the statement that has the most, and the levels of the
/// one that goes deepest. An `if` counts as open to the statement's end.
fn deepest(text: &str) -> (usize, usize) {
    let (mut most, mut deepest) = (0usize, 0usize);
    let (mut count, mut open, mut ifs) = (0usize, 0usize, 0usize);
    let mut characters = text.chars().peekable();
    let mut word = String::new();
    while let Some(character) = characters.next() {
        if character.is_alphanumeric() || character == '_' {
            word.push(character);
            continue;
        }
        if word == "if" {
            ifs += 1;
        }
        word.clear();
        match character {
            // Skips the string: what is inside nests nothing.
            '"' => {
                while let Some(inside) = characters.next() {
                    match inside {
                        '\\' => {
                            characters.next();
                        }
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '/' if characters.peek() == Some(&'/') => {
                characters.by_ref().find(|inside| *inside == '\n');
            }
            ';' => (count, open, ifs) = (0, 0, 0),
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            '.' | '!' | '-' | '+' | '*' => count += 1,
            '&' | '|' if characters.next_if_eq(&character).is_some() => count += 1,
            _ => {}
        }
        most = most.max(count);
        deepest = deepest.max(open + ifs);
    }
    (most, deepest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_counted_outside_strings_and_comments() {
        assert_eq!(deepest("a && b || !c.d"), (4, 0));
        assert_eq!(deepest(r#""a && (\" && b" || c"#), (1, 0));
        assert_eq!(deepest("// a && (b\n-1"), (1, 0));
        assert_eq!(deepest("(a && b); c && [d && {e"), (2, 2));
        assert_eq!(deepest("(if a then b else (if c then d else e))"), (0, 4));
        assert_eq!(deepest("(a) (b) (c)"), (0, 1));
    }

    #[test]
    fn mentioned_fields_are_found_wherever_they_hide() {
        let of = |condition: &str| {
            let name = PolicyName::new("root", "p").unwrap();
            let text = format!("permit (principal, action, resource) when {{ {condition} }};");
            Document::compile(&name, &text).unwrap().mentions
        };
        assert_eq!(of("principal.kind == \"token\""), ContextFields::default());
        assert_eq!(of("context.tls"), ContextFields::TLS);
        assert_eq!(
            of("context has source_ip && context.source_ip.isLoopback()"),
            ContextFields::SOURCE_IP
        );
        assert_eq!(
            of("if context.certificate then true else [context.now, 1].contains(1)"),
            ContextFields::CERTIFICATE.union(ContextFields::NOW)
        );
        assert_eq!(of("{\"x\": context}.x.tls"), ContextFields::ALL);
    }
}
