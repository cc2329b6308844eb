//! Who asks.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Error, name};

/// How a principal proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrincipalKind {
    /// A bearer token.
    Token,
    /// A TLS client certificate.
    Certificate,
    /// An account of ACME (RFC 8555) at one of the server's authorities.
    Account,
    /// A certificate of one of the server's authorities, by which its holder
    /// renews it (EST, RFC 7030), and nothing else.
    Holder,
    /// The server itself: its jobs and automatic responses.
    System,
}

impl PrincipalKind {
    /// The name that policies see in `principal.kind`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Certificate => "certificate",
            Self::Account => "account",
            Self::Holder => "holder",
            Self::System => "system",
        }
    }
}

/// A caller whose identity has been established.
///
/// In policies it is `SKMS::Principal::"id"` when it belongs to the `root`
/// namespace and `SKMS::Principal::"namespace/id"` otherwise; groups are named
/// the same way. So a tenant cannot make a member of a group that the root
/// namespace's policies trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    kind: PrincipalKind,
    namespace: String,
    id: String,
    groups: BTreeSet<String>,
    attributes: BTreeMap<String, String>,
}

impl Principal {
    /// A principal without groups.
    ///
    /// # Errors
    /// [`Error::Name`] when the namespace or id is empty or contains a slash,
    /// a quote, a backslash or a control character.
    pub fn new(
        kind: PrincipalKind,
        namespace: impl Into<String>,
        id: impl Into<String>,
    ) -> Result<Self, Error> {
        let (namespace, id) = (namespace.into(), id.into());
        name::check("the principal's namespace", &namespace)?;
        name::check("the principal's id", &id)?;
        Ok(Self {
            kind,
            namespace,
            id,
            groups: BTreeSet::new(),
            attributes: BTreeMap::new(),
        })
    }

    /// Adds groups.
    ///
    /// # Errors
    /// [`Error::Name`] as for [`Principal::new`].
    pub fn with_groups(
        mut self,
        groups: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, Error> {
        for group in groups {
            let group = group.into();
            name::check("a group", &group)?;
            self.groups.insert(group);
        }
        Ok(self)
    }

    /// Adds an attribute, which policies read as a tag of the principal.
    #[must_use]
    pub fn with_attribute(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(key.into(), value.into());
        self
    }

    /// How it proves who it is.
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// The namespace it belongs to.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its id within the namespace.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The groups it belongs to, unqualified.
    #[must_use]
    pub fn groups(&self) -> &BTreeSet<String> {
        &self.groups
    }

    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> &BTreeMap<String, String> {
        &self.attributes
    }
}
