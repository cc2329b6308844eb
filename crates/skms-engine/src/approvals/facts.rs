//! What is approved: everything that makes an act the one it is, and the hash
//! that approvals are given for.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};
use skms_crypto::{Hash, Hasher};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What the encoding begins with; another encoding would have another.
const LABEL: &str = "skms-approval-request-1";
/// The most parameters that a refusal names.
const NAMED: usize = 8;

/// Everything that an approval is for. It is stored, shown and hashed in this
/// one form, so that what is shown is what is approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The request's identifier.
    pub id: String,
    /// The installation, in hexadecimal.
    pub install: String,
    /// The namespace that the request belongs to.
    pub namespace: String,
    /// Its identifier: one made later under the same name has another.
    pub namespace_id: String,
    /// What is to be done to what.
    pub target: Thing,
    /// What else the same call is to do, as far as that was decided before.
    pub beside: Vec<Thing>,
    /// The call, by its name in the description of the interface.
    pub operation: String,
    /// Names and values of all that the call says and that is no secret.
    pub parameters: Vec<(String, String)>,
    /// A salted digest of what is secret in it, in hexadecimal.
    pub secrets: Option<String>,
    /// Who is to do it.
    pub requester: Who,
    /// Why, in the requester's words.
    pub reason: Option<String>,
    /// When it was asked, in seconds since the Unix epoch.
    pub requested_at: i64,
    /// The last moment at which it can be done.
    pub expires_at: i64,
}

/// One thing that an act is done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// The action's name in policies.
    pub action: String,
    /// The kind of thing.
    pub kind: String,
    /// Its full name.
    pub name: String,
    /// Its identifier, where it has one.
    pub id: Option<String>,
    /// How it stands: a key's versions and their states, another record's
    /// revision.
    pub standing: String,
}

/// A principal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Who {
    /// `token`, `certificate` or `system`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name there.
    pub name: String,
}

impl Who {
    /// As people write it.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether they are one and the same, however they prove it: two
    /// credentials of one name are one principal.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        (&self.namespace, &self.name) == (&other.namespace, &other.name)
    }
}

impl Facts {
    /// The SHA-256 that approvals are given for: over every field in order,
    /// each with its length before it, and each list with its count.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut all = Parts(Hasher::new(Hash::Sha256));
        all.text(LABEL);
        all.text(&self.id);
        all.text(&self.install);
        all.text(&self.namespace);
        all.text(&self.namespace_id);
        all.thing(&self.target);
        all.count(self.beside.len());
        self.beside.iter().for_each(|thing| all.thing(thing));
        all.text(&self.operation);
        all.count(self.parameters.len());
        for (name, value) in &self.parameters {
            all.text(name);
            all.text(value);
        }
        all.maybe(self.secrets.as_deref());
        all.text(&self.requester.kind);
        all.text(&self.requester.namespace);
        all.text(&self.requester.name);
        all.maybe(self.reason.as_deref());
        all.text(&self.requested_at.to_string());
        all.text(&self.expires_at.to_string());
        let mut hash = [0; 32];
        hash.copy_from_slice(&all.0.finish());
        hash
    }

    /// What is asked for, in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut text = format!(
            "{} asks to do {} on the {} {}",
            self.requester.path(),
            self.target.action,
            self.target.kind,
            self.target.name
        );
        if !self.target.standing.is_empty() {
            text.push_str(&format!(" ({})", self.target.standing));
        }
        for thing in &self.beside {
            text.push_str(&format!(
                ", with {} on the {} {}",
                thing.action, thing.kind, thing.name
            ));
        }
        for (at, (name, value)) in self.parameters.iter().enumerate() {
            text.push_str(if at == 0 { ", with " } else { ", " });
            text.push_str(&format!("{name} = {value}"));
        }
        if self.secrets.is_some() {
            text.push_str(", and secrets that are not shown");
        }
        if let Some(reason) = &self.reason {
            text.push_str(&format!(", because: {reason}"));
        }
        text.push_str(&format!(", before {}", moment(self.expires_at)));
        text
    }

    /// The first thing in which another act differs from this one, in words.
    pub(crate) fn difference(&self, other: &Self) -> String {
        if !self.requester.is(&other.requester) || self.requester.kind != other.requester.kind {
            return "another principal asked for it".to_owned();
        }
        let same = |one: &Thing, two: &Thing| {
            (&one.action, &one.kind, &one.name) == (&two.action, &two.kind, &two.name)
        };
        if self.operation != other.operation || !same(&self.target, &other.target) {
            return "it is for another act".to_owned();
        }
        if self.target.id != other.target.id || self.namespace_id != other.namespace_id {
            return "it is for another thing that had the same name".to_owned();
        }
        if self.target.standing != other.target.standing || self.beside != other.beside {
            return "what it is about has changed since".to_owned();
        }
        let other_ones = self.other_parameters(other);
        match other_ones.is_empty() {
            true => "it is for other secrets".to_owned(),
            false => format!("it is for other parameters: {}", other_ones.join(", ")),
        }
    }

    /// The names of parameters that only one of both has, or that differ.
    fn other_parameters<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let ours: HashSet<_> = self.parameters.iter().collect();
        let theirs: HashSet<_> = other.parameters.iter().collect();
        let names: BTreeSet<_> = (ours.symmetric_difference(&theirs))
            .map(|(name, _)| name.trim_start_matches([':', '?']))
            .collect();
        names.into_iter().take(NAMED).collect()
    }
}

/// An instant as people write it.
fn moment(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| seconds.to_string())
}

/// Hashes parts, each with its length before it.
struct Parts(Hasher);

impl Parts {
    fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    fn maybe(&mut self, text: Option<&str>) {
        self.count(usize::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn thing(&mut self, thing: &Thing) {
        self.text(&thing.action);
        self.text(&thing.kind);
        self.text(&thing.name);
        self.maybe(thing.id.as_deref());
        self.text(&thing.standing);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn some() -> Facts {
        let thing = Thing {
            action: "key.destroy".into(),
            kind: "key".into(),
            name: "root/default/k".into(),
            id: Some("1".into()),
            standing: "1 active".into(),
        };
        Facts {
            id: "a".into(),
            install: "00".into(),
            namespace: "root".into(),
            namespace_id: "n".into(),
            target: thing.clone(),
            beside: vec![Thing {
                action: "key.wrap".into(),
                ..thing
            }],
            operation: "key-destroy".into(),
            parameters: vec![("a".into(), "bc".into()), ("d".into(), "e".into())],
            secrets: Some("f".into()),
            requester: Who {
                kind: "token".into(),
                namespace: "root".into(),
                name: "alice".into(),
            },
            reason: Some("r".into()),
            requested_at: 1,
            expires_at: 2,
        }
    }

    #[test]
    fn every_field_is_in_the_hash() {
        type Change = (&'static str, fn(&mut Facts));
        let changes: Vec<Change> = vec![
            ("id", |f| f.id.push('x')),
            ("install", |f| f.install.push('x')),
            ("namespace", |f| f.namespace.push('x')),
            ("namespace_id", |f| f.namespace_id.push('x')),
            ("action", |f| f.target.action.push('x')),
            ("kind", |f| f.target.kind.push('x')),
            ("name", |f| f.target.name.push('x')),
            ("target id", |f| f.target.id = None),
            ("standing", |f| f.target.standing.push('x')),
            ("beside", |f| f.beside.clear()),
            ("beside id", |f| f.beside[0].id = Some("2".into())),
            ("operation", |f| f.operation.push('x')),
            ("parameter", |f| f.parameters[1].1.push('x')),
            ("parameters", |f| {
                f.parameters.pop();
            }),
            ("a parameter's end", |f| {
                f.parameters[0] = ("ab".into(), "c".into());
            }),
            ("secrets", |f| f.secrets = None),
            ("requester kind", |f| f.requester.kind.push('x')),
            ("requester namespace", |f| f.requester.namespace.push('x')),
            ("requester", |f| f.requester.name.push('x')),
            ("reason", |f| f.reason = None),
            ("requested_at", |f| f.requested_at += 1),
            ("expires_at", |f| f.expires_at += 1),
        ];
        let mut seen = HashSet::from([some().hash()]);
        for (what, change) in changes {
            let mut other = some();
            change(&mut other);
            assert!(seen.insert(other.hash()), "{what} is not in the hash");
        }
    }

    #[test]
    fn the_hash_is_what_it_was() {
        // Whoever checks approvals elsewhere computes this one, too.
        let hash = crate::sessions::hex(&some().hash());
        assert_eq!(
            hash,
            "9390631ca945a325351bca32a54c323cbf7125c86674e5ba8bf1b519e41d37c7"
        );
    }

    #[test]
    fn which_parameters_differ_is_said() {
        let mut other = some();
        other.parameters[1].1.push('x');
        other.parameters.push((":key".into(), "1".into()));
        let said = some().difference(&other);
        assert_eq!(said, "it is for other parameters: d, key");
        other = some();
        other.secrets = None;
        assert_eq!(some().difference(&other), "it is for other secrets");
    }

    #[test]
    fn what_is_asked_for_is_said_in_words() {
        let words = some().in_words();
        for part in [
            "root/alice",
            "key.destroy",
            "root/default/k",
            "1 active",
            "a = bc",
            "r",
        ] {
            assert!(words.contains(part), "{part} is not in {words}");
        }
    }
}
