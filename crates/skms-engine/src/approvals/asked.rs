//! What a call says, in the form that it is approved in: names and values of
//! everything that is no secret, and a digest of what is.

use serde_json::Value;
use skms_crypto::hash::sha256;
use skms_store::RecordId;

use crate::error::{Error, Result};

/// The most bytes of parameters that an approver is shown.
const SHOWN_MAX: usize = 256 * 1024;
/// The longest reason, in characters.
const REASON_MAX: usize = 500;
/// The most approvals that one call comes with.
pub(crate) const APPROVALS_MAX: usize = 8;

/// What a call says, and the approvals it comes with.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub(crate) operation: String,
    pub(crate) parameters: Vec<(String, String)>,
    secrets: Vec<[u8; 32]>,
    pub(crate) approvals: Vec<RecordId>,
    pub(crate) reason: Option<String>,
}

impl Asked {
    /// A call by its name in the description of the interface.
    #[must_use]
    pub fn new(operation: &str) -> Self {
        Self {
            operation: operation.to_owned(),
            ..Self::default()
        }
    }

    /// The approvals that it comes with.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no list of identifiers, or one too long.
    pub fn with_approvals(mut self, list: &str) -> Result<Self> {
        let ids = list.split(',').map(|one| one.trim().parse());
        self.approvals = ids.collect::<std::result::Result<_, _>>().map_err(|_| {
            Error::Invalid("an approval is named by its identifier, several with commas".into())
        })?;
        match self.approvals.len() {
            1..=APPROVALS_MAX => Ok(self),
            _ => Err(Error::Invalid(format!(
                "a call comes with 1 to {APPROVALS_MAX} approvals"
            ))),
        }
    }

    /// Why it is asked for, in words.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one that is empty, too long or has control
    /// characters in it.
    pub fn with_reason(mut self, reason: &str) -> Result<Self> {
        let length = reason.chars().count();
        if !(1..=REASON_MAX).contains(&length) || reason.chars().any(char::is_control) {
            return Err(Error::Invalid(format!(
                "a reason has 1 to {REASON_MAX} characters and no control characters"
            )));
        }
        self.reason = Some(reason.to_owned());
        Ok(self)
    }

    /// One parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A body, each of its values under the names that lead to it. What has no
    /// value inside says the same as nothing.
    #[must_use]
    pub fn with_body(mut self, body: &Value) -> Self {
        let empty = match body {
            Value::Null => true,
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        if !empty {
            flatten(body, &mut String::new(), &mut self.parameters);
        }
        self
    }

    /// Something that is not shown, under its name.
    #[must_use]
    pub fn with_secret(mut self, name: &str, value: &[u8]) -> Self {
        let length = (name.len() as u64).to_be_bytes();
        self.secrets
            .push(sha256(&[&length, name.as_bytes(), value]));
        self
    }

    /// A digest of all that is not shown. The salt keeps whoever sees it from
    /// trying what it could have been.
    pub(crate) fn secrets(&self, salt: &[u8; 32]) -> Option<[u8; 32]> {
        (!self.secrets.is_empty()).then(|| sha256(&[salt, self.secrets.as_flattened()]))
    }

    /// Whether an approver can be shown all of it.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub(crate) fn check(&self) -> Result<()> {
        let parts = self.parameters.iter();
        let shown: usize = parts.map(|(name, value)| name.len() + value.len()).sum();
        match shown <= SHOWN_MAX {
            true => Ok(()),
            false => Err(Error::TooLarge {
                what: "the length in bytes of what is to be approved",
                limit: SHOWN_MAX as u64,
            }),
        }
    }
}

/// Values under their names: `/` goes one level down, as in RFC 6901.
fn flatten(value: &Value, at: &mut String, into: &mut Vec<(String, String)>) {
    let length = at.len();
    let mut down = |name: &str, value: &Value| {
        if !at.is_empty() {
            at.push('/');
        }
        at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        flatten(value, at, into);
        at.truncate(length);
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            members.iter().for_each(|(name, value)| down(name, value));
        }
        Value::Array(items) if !items.is_empty() => {
            let numbered = items.iter().enumerate();
            numbered.for_each(|(number, value)| down(&number.to_string(), value));
        }
        plain => into.push((at.clone(), plain.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bodies_say_the_same_in_every_order_and_no_two_say_the_same() {
        let of = |value: Value| Asked::new("o").with_body(&value).parameters;
        assert_eq!(of(json!({})), of(Value::Null));
        assert_eq!(
            of(json!({"b": 1, "a": {"c": [true, "x"]}})),
            [("a/c/0", "true"), ("a/c/1", "\"x\""), ("b", "1")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        let bodies = [
            json!({"a": 1}),
            json!({"a": "1"}),
            json!({"a": [1]}),
            json!({"a": {"0": "1"}}),
            json!({"a": []}),
            json!({"a": {}}),
            json!({"a": null}),
            json!({"a/0": 1}),
            json!({"a~10": 1}),
        ];
        let shown: std::collections::HashSet<_> = bodies.map(of).into_iter().collect();
        assert_eq!(shown.len(), 9);
    }

    #[test]
    fn secrets_are_told_apart_and_salted() {
        let asked = |name: &str, value: &[u8]| Asked::new("o").with_secret(name, value);
        let digest = |asked: Asked| asked.secrets(&[1; 32]);
        assert_eq!(digest(asked("a", b"x")), digest(asked("a", b"x")));
        assert_ne!(digest(asked("a", b"x")), digest(asked("a", b"y")));
        assert_ne!(digest(asked("ab", b"x")), digest(asked("a", b"bx")));
        assert_ne!(digest(asked("a", b"x")), asked("a", b"x").secrets(&[2; 32]));
        assert_eq!(digest(Asked::new("o")), None);
    }

    #[test]
    fn lists_of_approvals_are_short_and_plain() {
        let id = "00000000-0000-0000-0000-000000000001";
        let with = |list: &str| {
            Asked::new("o")
                .with_approvals(list)
                .map(|a| a.approvals.len())
        };
        assert_eq!(with(id).unwrap(), 1);
        assert_eq!(with(&format!("{id}, {id}")).unwrap(), 2);
        for bad in ["", ",", "x", &[id; 9].join(",")] {
            assert!(with(bad).is_err(), "{bad}");
        }
        assert!(Asked::new("o").with_reason("").is_err());
        assert!(Asked::new("o").with_reason("a\nb").is_err());
        assert!(Asked::new("o").with_reason(&"x".repeat(501)).is_err());
    }
}
