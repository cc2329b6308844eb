//! Names that go into entity ids, where a slash separates their parts.

use crate::Error;

/// The namespace whose policies reach every namespace and whose principals
/// and groups go by their bare names.
pub const ROOT_NAMESPACE: &str = "root";

/// Refuses what could be mistaken for another name once joined.
pub(crate) fn check(what: &'static str, name: &str) -> Result<(), Error> {
    let usable = !name.is_empty()
        && name.len() <= 256
        && !name
            .chars()
            .any(|c| c == '/' || c == '"' || c == '\\' || c.is_control());
    if usable {
        Ok(())
    } else {
        Err(Error::Name { what })
    }
}

/// `name` in the root namespace, `namespace/name` elsewhere.
pub(crate) fn qualified(namespace: &str, name: &str) -> String {
    if namespace == ROOT_NAMESPACE {
        name.to_owned()
    } else {
        joined(&[namespace, name])
    }
}

/// The parts with slashes between.
pub(crate) fn joined(parts: &[&str]) -> String {
    parts.join("/")
}

/// A policy document's name: where it was written decides how far it reaches.
///
/// A document of the `root` namespace reaches every resource; any other only
/// the resources of its own namespace, whatever its text says. There it may
/// permit acts to principals of any namespace, but forbid nothing to those of
/// `root`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyName {
    namespace: String,
    name: String,
}

impl PolicyName {
    /// A document's name.
    ///
    /// # Errors
    /// [`Error::Name`] when a part is empty or contains a slash, a quote, a
    /// backslash or a control character.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Result<Self, Error> {
        let (namespace, name) = (namespace.into(), name.into());
        check("the policy's namespace", &namespace)?;
        check("the policy's name", &name)?;
        Ok(Self { namespace, name })
    }

    /// Appends it as [`Display`](std::fmt::Display) shows it.
    pub fn write_to(&self, out: &mut String) {
        out.push_str(&self.namespace);
        out.push('/');
        out.push_str(&self.name);
    }

    /// The namespace it was written in.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name there.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Display for PolicyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        self.write_to(&mut text);
        f.write_str(&text)
    }
}
