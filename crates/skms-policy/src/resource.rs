//! What is asked for.

use std::collections::{BTreeMap, BTreeSet};

/// The kinds of thing an action can be done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResourceKind {
    /// The server as a whole.
    System,
    /// A tenant.
    Namespace,
    /// A named group of keys.
    Keyring,
    /// A key with all its versions.
    Key,
    /// A policy document.
    Policy,
    /// A bearer token's record.
    Token,
    /// A principal's registration.
    Principal,
    /// A certificate authority.
    Authority,
    /// An SSH certificate authority.
    SshAuthority,
    /// A role of an SSH certificate authority.
    SshRole,
    /// A time-stamping authority.
    Tsa,
    /// An external authority of principals.
    Trust,
    /// Who shares a key.
    KeyGroup,
    /// An automatic rule.
    Rule,
    /// Where notifications go.
    Channel,
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::System,
        Self::Namespace,
        Self::Keyring,
        Self::Key,
        Self::Policy,
        Self::Token,
        Self::Principal,
        Self::Authority,
        Self::SshAuthority,
        Self::SshRole,
        Self::Tsa,
        Self::Trust,
        Self::KeyGroup,
        Self::Rule,
        Self::Channel,
    ];

    /// The entity type's name in the schema, without its namespace.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Namespace => "Namespace",
            Self::Keyring => "Keyring",
            Self::Key => "Key",
            Self::Policy => "Policy",
            Self::Token => "Token",
            Self::Principal => "Registration",
            Self::Authority => "Authority",
            Self::SshAuthority => "SshAuthority",
            Self::SshRole => "SshRole",
            Self::Tsa => "Tsa",
            Self::Trust => "Trust",
            Self::KeyGroup => "KeyGroup",
            Self::Rule => "Rule",
            Self::Channel => "Channel",
        }
    }
}

/// The identity under which a stored resource's decisions may be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    /// The record's id.
    pub id: [u8; 16],
    /// The record's revision: it rises with every change that policies could
    /// see.
    pub revision: u64,
}

/// One target of an act, as policies see it; borrowed from the caller's
/// snapshot.
#[derive(Clone, Copy, Debug)]
pub struct ResourceRef<'a> {
    pub(crate) kind: ResourceKind,
    pub(crate) namespace: &'a str,
    pub(crate) keyring: &'a str,
    pub(crate) authority: &'a str,
    pub(crate) name: &'a str,
    pub(crate) stored: Option<Stored>,
    pub(crate) algorithm: &'a str,
    pub(crate) owner: &'a str,
    pub(crate) exportable: bool,
    pub(crate) tags: Option<&'a BTreeMap<String, String>>,
    pub(crate) groups: Option<&'a BTreeSet<String>>,
    pub(crate) principal: &'a str,
}

impl<'a> ResourceRef<'a> {
    const fn bare(kind: ResourceKind, namespace: &'a str, keyring: &'a str, name: &'a str) -> Self {
        Self {
            kind,
            namespace,
            keyring,
            authority: "",
            name,
            stored: None,
            algorithm: "",
            owner: "",
            exportable: false,
            tags: None,
            groups: None,
            principal: "",
        }
    }

    /// The server: `SKMS::System::"skms"`. It never changes, so decisions
    /// about it may be remembered.
    #[must_use]
    pub const fn system() -> Self {
        let mut system = Self::bare(ResourceKind::System, "", "", "skms");
        system.stored = Some(Stored {
            id: [0; 16],
            revision: 0,
        });
        system
    }

    /// `SKMS::Namespace::"name"`.
    #[must_use]
    pub const fn namespace(name: &'a str) -> Self {
        Self::bare(ResourceKind::Namespace, name, "", name)
    }

    /// `SKMS::Keyring::"namespace/name"`.
    #[must_use]
    pub const fn keyring(namespace: &'a str, name: &'a str) -> Self {
        Self::bare(ResourceKind::Keyring, namespace, name, name)
    }

    /// `SKMS::Key::"namespace/keyring/name"`.
    #[must_use]
    pub const fn key(namespace: &'a str, keyring: &'a str, name: &'a str) -> Self {
        Self::bare(ResourceKind::Key, namespace, keyring, name)
    }

    /// `SKMS::Policy::"namespace/name"`.
    #[must_use]
    pub const fn policy(namespace: &'a str, name: &'a str) -> Self {
        Self::bare(ResourceKind::Policy, namespace, "", name)
    }

    /// `SKMS::Token::"namespace/id"`.
    #[must_use]
    pub const fn token(namespace: &'a str, id: &'a str) -> Self {
        Self::bare(ResourceKind::Token, namespace, "", id)
    }

    /// `SKMS::Registration::"id"`, qualified outside the root namespace.
    ///
    /// A registration is not the principal it registers: the one has the
    /// groups it is to get, the other those it has, and a caller may be both.
    #[must_use]
    pub const fn principal(namespace: &'a str, id: &'a str) -> Self {
        Self::bare(ResourceKind::Principal, namespace, "", id)
    }

    /// `SKMS::Authority::"namespace/name"`.
    #[must_use]
    pub const fn authority(namespace: &'a str, name: &'a str) -> Self {
        Self::bare(ResourceKind::Authority, namespace, "", name)
    }

    /// `SKMS::SshAuthority::"namespace/name"`.
    #[must_use]
    pub const fn ssh_authority(namespace: &'a str, name: &'a str) -> Self {
        Self::bare(ResourceKind::SshAuthority, namespace, "", name)
    }

    /// `SKMS::Trust::"namespace/name"`.
    #[must_use]
    pub const fn trust(namespace: &'a str, name: &'a str) -> Self {
        Self::bare(ResourceKind::Trust, namespace, "", name)
    }

    /// `SKMS::Channel::"namespace/name"`.
    #[must_use]
    pub const fn channel(namespace: &'a str, name: &'a str) -> Self {
        Self::bare(ResourceKind::Channel, namespace, "", name)
    }

    /// `SKMS::KeyGroup::"namespace/name"`.
    #[must_use]
    pub const fn key_group(namespace: &'a str, name: &'a str) -> Self {
        Self::bare(ResourceKind::KeyGroup, namespace, "", name)
    }

    /// `SKMS::Rule::"namespace/name"`.
    #[must_use]
    pub const fn rule(namespace: &'a str, name: &'a str) -> Self {
        Self::bare(ResourceKind::Rule, namespace, "", name)
    }

    /// `SKMS::SshRole::"namespace/authority/name"`.
    #[must_use]
    pub const fn ssh_role(namespace: &'a str, authority: &'a str, name: &'a str) -> Self {
        Self {
            authority,
            ..Self::bare(ResourceKind::SshRole, namespace, "", name)
        }
    }

    /// `SKMS::Tsa::"namespace/name"`.
    #[must_use]
    pub const fn tsa(namespace: &'a str, name: &'a str) -> Self {
        Self::bare(ResourceKind::Tsa, namespace, "", name)
    }

    /// Says which record this is. Without it (a thing yet to be created)
    /// decisions are not remembered.
    #[must_use]
    pub const fn stored(mut self, id: [u8; 16], revision: u64) -> Self {
        self.stored = Some(Stored { id, revision });
        self
    }

    /// A key's algorithm, by its registry name.
    #[must_use]
    pub const fn with_algorithm(mut self, algorithm: &'a str) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// A key's owner.
    #[must_use]
    pub const fn with_owner(mut self, owner: &'a str) -> Self {
        self.owner = owner;
        self
    }

    /// Whether a key may ever be exported.
    #[must_use]
    pub const fn with_exportable(mut self, exportable: bool) -> Self {
        self.exportable = exportable;
        self
    }

    /// A key's tags.
    #[must_use]
    pub const fn with_tags(mut self, tags: &'a BTreeMap<String, String>) -> Self {
        self.tags = Some(tags);
        self
    }

    /// The groups that a token or principal has or would have.
    #[must_use]
    pub const fn with_groups(mut self, groups: &'a BTreeSet<String>) -> Self {
        self.groups = Some(groups);
        self
    }

    /// Whom a token speaks for or would speak for, as policies write it: the
    /// bare id in the root namespace, `namespace/id` elsewhere.
    #[must_use]
    pub const fn with_principal(mut self, principal: &'a str) -> Self {
        self.principal = principal;
        self
    }

    /// What kind of thing it is.
    #[must_use]
    pub const fn kind(&self) -> ResourceKind {
        self.kind
    }
}
