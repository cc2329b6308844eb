//! What a condition looks at, out of Cedar's JSON form of it: to say in words
//! what held, and to pass over events that it cannot hold for.

use std::collections::BTreeSet;

use serde_json::Value;

/// A fact by whose it is ("resource") and its name ("state"). Tags are named
/// `tag:NAME`.
pub(super) type Mention = (String, String);

/// A rule's condition, as far as its text tells.
pub(super) struct Condition {
    mentioned: BTreeSet<Mention>,
    /// Texts of the context that it asks for outright.
    needs: Vec<(String, String)>,
}

impl Condition {
    /// Reads `conditions`: a list of `{"kind": "when", "body": ...}`.
    pub(super) fn of(conditions: Option<&Value>) -> Self {
        let mut condition = Self {
            mentioned: BTreeSet::new(),
            needs: Vec::new(),
        };
        for clause in conditions.and_then(Value::as_array).into_iter().flatten() {
            let Some(body) = clause.get("body") else {
                continue;
            };
            condition.collect(body);
            if clause.get("kind").and_then(Value::as_str) == Some("when") {
                condition.need(body);
            }
        }
        condition
    }

    /// What it mentions.
    pub(super) fn mentioned(&self) -> &BTreeSet<Mention> {
        &self.mentioned
    }

    /// Whether it mentions a fact.
    pub(super) fn mentions(&self, of: &str, fact: &str) -> bool {
        self.mentioned
            .iter()
            .any(|(whose, name)| whose == of && name == fact)
    }

    /// Whether it can hold where a text of the context has this value.
    pub(super) fn allows(&self, attribute: &str, value: &str) -> bool {
        self.needs
            .iter()
            .all(|(name, needed)| name != attribute || needed == value)
    }

    fn collect(&mut self, expression: &Value) {
        match expression {
            Value::Object(map) => {
                for (operator, operand) in map {
                    let whose = variable(operand.get("left"));
                    let name = match operator.as_str() {
                        "." | "has" => operand.get("attr").and_then(Value::as_str),
                        "getTag" | "hasTag" => {
                            let tag = operand.get("right").and_then(|right| right.get("Value"));
                            let tag = tag.and_then(Value::as_str);
                            if let (Some(whose), Some(tag)) = (whose, tag) {
                                self.mentioned
                                    .insert((whose.to_owned(), format!("tag:{tag}")));
                            }
                            None
                        }
                        _ => None,
                    };
                    if let (Some(whose), Some(name)) = (whose, name) {
                        self.mentioned.insert((whose.to_owned(), name.to_owned()));
                    }
                    self.collect(operand);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            _ => {}
        }
    }

    /// Takes what is asked for outright: equality with a text, alone or in a
    /// chain of `&&`.
    fn need(&mut self, expression: &Value) {
        if let Some(both) = expression.get("&&") {
            both.get("left")
                .into_iter()
                .for_each(|side| self.need(side));
            both.get("right")
                .into_iter()
                .for_each(|side| self.need(side));
        }
        let Some(equal) = expression.get("==") else {
            return;
        };
        let (left, right) = (equal.get("left"), equal.get("right"));
        for (one, other) in [(left, right), (right, left)] {
            let access = one.and_then(|one| one.get("."));
            let of_context =
                access.and_then(|access| variable(access.get("left"))) == Some("context");
            let attribute = access.and_then(|access| access.get("attr")?.as_str());
            let text = other.and_then(|other| other.get("Value")?.as_str());
            if let (true, Some(attribute), Some(text)) = (of_context, attribute, text) {
                self.needs.push((attribute.to_owned(), text.to_owned()));
            }
        }
    }
}

/// The variable that an expression is, if it is one.
fn variable(expression: Option<&Value>) -> Option<&str> {
    expression?.get("Var")?.as_str()
}
