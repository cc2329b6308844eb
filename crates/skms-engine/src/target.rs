//! What an act is aimed at, as policy and the log see it.

use std::collections::{BTreeMap, BTreeSet};

use skms_policy::{Action, ROOT_NAMESPACE, ResourceRef};

use crate::gate::KeyRef;
use crate::opened::KeySnapshot;

/// The kind of thing aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// The server as a whole.
    System,
    /// A tenant.
    Namespace,
    /// A group of keys.
    Keyring,
    /// A key.
    Key,
    /// A policy document.
    Policy,
    /// A token's record.
    Token,
    /// A registered principal.
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
    Group,
    /// An automatic rule.
    Rule,
    /// Where notifications go.
    Channel,
}

impl TargetKind {
    /// The word that errors and events use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Namespace => "namespace",
            Self::Keyring => "keyring",
            Self::Key => "key",
            Self::Policy => "policy",
            Self::Token => "token",
            Self::Principal => "principal",
            Self::Authority => "authority",
            Self::SshAuthority => "SSH authority",
            Self::SshRole => "SSH role",
            Self::Tsa => "time-stamping authority",
            Self::Trust => "trust",
            Self::Group => "group",
            Self::Rule => "rule",
            Self::Channel => "notification channel",
        }
    }
}

/// One target of an act.
#[derive(Clone, Debug)]
pub struct Target {
    pub(crate) kind: TargetKind,
    pub(crate) namespace: String,
    pub(crate) keyring: String,
    /// The SSH authority that a role belongs to.
    pub(crate) authority: String,
    pub(crate) name: String,
    pub(crate) id: Option<[u8; 16]>,
    pub(crate) revision: u64,
    pub(crate) algorithm: &'static str,
    pub(crate) owner: String,
    pub(crate) exportable: bool,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Whom a token speaks for, as policies write it.
    pub(crate) principal: String,
    /// How it stands, for those who approve, where its revision does not say.
    pub(crate) standing: Option<String>,
}

impl Target {
    fn bare(kind: TargetKind, namespace: &str, keyring: &str, name: &str) -> Self {
        Self {
            kind,
            namespace: namespace.to_owned(),
            keyring: keyring.to_owned(),
            authority: String::new(),
            name: name.to_owned(),
            id: None,
            revision: 0,
            algorithm: "",
            owner: String::new(),
            exportable: false,
            groups: BTreeSet::new(),
            tags: BTreeMap::new(),
            principal: String::new(),
            standing: None,
        }
    }

    /// The server.
    pub(crate) fn system() -> Self {
        Self::bare(TargetKind::System, "", "", "skms")
    }

    /// A namespace.
    pub(crate) fn namespace(name: &str) -> Self {
        Self::bare(TargetKind::Namespace, name, "", name)
    }

    /// A keyring.
    pub(crate) fn keyring(namespace: &str, name: &str) -> Self {
        Self::bare(TargetKind::Keyring, namespace, name, name)
    }

    /// A key that does not exist (yet).
    pub(crate) fn absent_key(at: KeyRef<'_>) -> Self {
        Self::bare(TargetKind::Key, at.namespace, at.keyring, at.name)
    }

    /// A key that is about to be made.
    pub(crate) fn new_key(
        at: KeyRef<'_>,
        algorithm: &'static str,
        owner: &str,
        exportable: bool,
        tags: &BTreeMap<String, String>,
    ) -> Self {
        Self {
            algorithm,
            owner: owner.to_owned(),
            exportable,
            tags: tags.clone(),
            ..Self::absent_key(at)
        }
    }

    /// A stored key, for its event.
    pub(crate) fn of_key(snapshot: &KeySnapshot) -> Self {
        let at = snapshot.at();
        Self {
            id: Some(snapshot.key().id.0),
            revision: snapshot.revision(),
            ..Self::absent_key(at)
        }
    }

    /// A policy document.
    pub(crate) fn policy(namespace: &str, name: &str) -> Self {
        Self::bare(TargetKind::Policy, namespace, "", name)
    }

    /// A token, by its public identifier, with the principal it speaks for and
    /// the groups it has or would have.
    pub(crate) fn token(
        namespace: &str,
        id: &str,
        principal: &str,
        groups: BTreeSet<String>,
    ) -> Self {
        let principal = if namespace == ROOT_NAMESPACE {
            principal.to_owned()
        } else {
            format!("{namespace}/{principal}")
        };
        Self {
            groups,
            principal,
            ..Self::bare(TargetKind::Token, namespace, "", id)
        }
    }

    /// A principal, with the groups it has or would have.
    pub(crate) fn principal(namespace: &str, id: &str, groups: BTreeSet<String>) -> Self {
        Self {
            groups,
            ..Self::bare(TargetKind::Principal, namespace, "", id)
        }
    }

    /// A certificate authority.
    pub(crate) fn authority(namespace: &str, name: &str) -> Self {
        Self::bare(TargetKind::Authority, namespace, "", name)
    }

    /// An SSH certificate authority.
    pub(crate) fn ssh_authority(namespace: &str, name: &str) -> Self {
        Self::bare(TargetKind::SshAuthority, namespace, "", name)
    }

    /// An external authority of principals.
    pub(crate) fn trust(namespace: &str, name: &str) -> Self {
        Self::bare(TargetKind::Trust, namespace, "", name)
    }

    /// Who shares a key.
    pub(crate) fn group(namespace: &str, name: &str) -> Self {
        Self::bare(TargetKind::Group, namespace, "", name)
    }

    /// An automatic rule.
    pub(crate) fn rule(namespace: &str, name: &str) -> Self {
        Self::bare(TargetKind::Rule, namespace, "", name)
    }

    /// Where notifications go.
    pub(crate) fn channel(namespace: &str, name: &str) -> Self {
        Self::bare(TargetKind::Channel, namespace, "", name)
    }

    /// A role of an SSH certificate authority.
    pub(crate) fn ssh_role(namespace: &str, authority: &str, name: &str) -> Self {
        Self {
            authority: authority.to_owned(),
            ..Self::bare(TargetKind::SshRole, namespace, "", name)
        }
    }

    /// A time-stamping authority.
    pub(crate) fn tsa(namespace: &str, name: &str) -> Self {
        Self::bare(TargetKind::Tsa, namespace, "", name)
    }

    /// Says which record this is.
    pub(crate) fn stored(mut self, id: [u8; 16], revision: u64) -> Self {
        self.id = Some(id);
        self.revision = revision;
        self
    }

    /// Says how it stands, for those who approve.
    pub(crate) fn standing(mut self, standing: String) -> Self {
        self.standing = Some(standing);
        self
    }

    /// As policy sees it.
    pub(crate) fn resource(&self) -> ResourceRef<'_> {
        let resource = match self.kind {
            TargetKind::System => ResourceRef::system(),
            TargetKind::Namespace => ResourceRef::namespace(&self.name),
            TargetKind::Keyring => ResourceRef::keyring(&self.namespace, &self.keyring),
            TargetKind::Key => ResourceRef::key(&self.namespace, &self.keyring, &self.name)
                .with_algorithm(self.algorithm)
                .with_owner(&self.owner)
                .with_exportable(self.exportable)
                .with_tags(&self.tags),
            TargetKind::Policy => ResourceRef::policy(&self.namespace, &self.name),
            TargetKind::Token => ResourceRef::token(&self.namespace, &self.name)
                .with_groups(&self.groups)
                .with_principal(&self.principal),
            TargetKind::Principal => {
                ResourceRef::principal(&self.namespace, &self.name).with_groups(&self.groups)
            }
            TargetKind::Authority => ResourceRef::authority(&self.namespace, &self.name),
            TargetKind::SshAuthority => ResourceRef::ssh_authority(&self.namespace, &self.name),
            TargetKind::Tsa => ResourceRef::tsa(&self.namespace, &self.name),
            TargetKind::Trust => ResourceRef::trust(&self.namespace, &self.name),
            TargetKind::Group => ResourceRef::key_group(&self.namespace, &self.name),
            TargetKind::Rule => ResourceRef::rule(&self.namespace, &self.name),
            TargetKind::Channel => ResourceRef::channel(&self.namespace, &self.name),
            TargetKind::SshRole => {
                ResourceRef::ssh_role(&self.namespace, &self.authority, &self.name)
            }
        };
        match (self.kind, self.id) {
            (TargetKind::System, _) | (_, None) => resource,
            (_, Some(id)) => resource.stored(id, self.revision),
        }
    }

    /// The action whose permission makes the target visible.
    pub(crate) const fn read_action(&self) -> Option<Action> {
        match self.kind {
            TargetKind::System => None,
            TargetKind::Namespace => Some(Action::NamespaceRead),
            TargetKind::Keyring => Some(Action::KeyringRead),
            TargetKind::Key => Some(Action::KeyRead),
            TargetKind::Policy => Some(Action::PolicyRead),
            TargetKind::Token => Some(Action::TokenRead),
            TargetKind::Principal => Some(Action::PrincipalRead),
            TargetKind::Authority => Some(Action::AuthorityRead),
            TargetKind::SshAuthority | TargetKind::SshRole => Some(Action::SshAuthorityRead),
            TargetKind::Tsa => Some(Action::TsaRead),
            TargetKind::Trust => Some(Action::TrustRead),
            TargetKind::Group => Some(Action::GroupRead),
            TargetKind::Rule => Some(Action::RuleRead),
            TargetKind::Channel => Some(Action::NotificationRead),
        }
    }

    /// The word for its kind.
    pub(crate) const fn kind_word(&self) -> &'static str {
        self.kind.word()
    }

    /// Its full name, as people write it.
    pub(crate) fn path(&self) -> String {
        match self.kind {
            TargetKind::System => "the server".to_owned(),
            TargetKind::Namespace => self.name.clone(),
            TargetKind::Keyring => format!("{}/{}", self.namespace, self.keyring),
            TargetKind::SshRole => format!("{}/{}/{}", self.namespace, self.authority, self.name),
            TargetKind::Key => format!("{}/{}/{}", self.namespace, self.keyring, self.name),
            TargetKind::Policy
            | TargetKind::Token
            | TargetKind::Principal
            | TargetKind::Authority
            | TargetKind::SshAuthority
            | TargetKind::Tsa
            | TargetKind::Trust
            | TargetKind::Group
            | TargetKind::Rule
            | TargetKind::Channel => {
                format!("{}/{}", self.namespace, self.name)
            }
        }
    }
}
