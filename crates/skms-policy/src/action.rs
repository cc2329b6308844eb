//! What can be done: one row for each act of the engine.
//!
//! The table here and the Cedar schema state the same facts; a test keeps
//! them together.

use std::{fmt, str::FromStr};

use crate::{Error, ResourceKind};

macro_rules! actions {
    ($( $variant:ident = $name:literal, [$($group:literal),*], [$($kind:ident),+], $doc:literal; )+) => {
        /// One act that a policy can permit or forbid.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Action {
            $( #[doc = $doc] $variant, )+
        }

        impl Action {
            /// Every action, in the order of the table.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The dotted name, as policies and events write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// The groups that contain it directly.
            #[must_use]
            pub const fn groups(self) -> &'static [&'static str] {
                match self { $( Self::$variant => &[$($group),*], )+ }
            }

            /// The kinds of resource it can be done to.
            #[must_use]
            pub const fn applies_to(self) -> &'static [ResourceKind] {
                match self { $( Self::$variant => &[$(ResourceKind::$kind),+], )+ }
            }

            /// What it does, in a sentence.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $( Self::$variant => $doc, )+ }
            }
        }
    };
}

actions! {
    KeyEncrypt = "key.encrypt", ["protect"], [Key], "Encrypt data.";
    KeyDecrypt = "key.decrypt", ["process"], [Key], "Decrypt data.";
    KeyReencrypt = "key.reencrypt", ["use"], [Key], "Move a ciphertext to the newest version without showing its plaintext.";
    KeyDatakey = "key.datakey", ["protect"], [Key], "Make a data key, returned in clear and wrapped.";
    KeyWrap = "key.wrap", ["protect"], [Key], "Wrap a key.";
    KeyUnwrap = "key.unwrap", ["process"], [Key], "Unwrap a key.";
    KeySign = "key.sign", ["protect"], [Key], "Sign a message or digest.";
    KeyVerify = "key.verify", ["process"], [Key], "Verify a signature.";
    KeyMac = "key.mac", ["protect"], [Key], "Compute a message authentication code.";
    KeyMacVerify = "key.mac-verify", ["process"], [Key], "Verify a message authentication code.";
    KeyDerive = "key.derive", ["use"], [Key], "Derive key material.";
    KeyAgree = "key.agree", ["use"], [Key], "Agree on a key with a peer's public key.";
    KeyEncapsulate = "key.encapsulate", ["protect"], [Key], "Encapsulate a shared secret.";
    KeyDecapsulate = "key.decapsulate", ["process"], [Key], "Decapsulate a shared secret.";

    KeyList = "key.list", ["read"], [Keyring], "List a keyring's keys.";
    KeyRead = "key.read", ["read"], [Key], "Read a key's metadata and versions.";
    KeyPublic = "key.public", ["read"], [Key], "Read a key's public half.";

    KeyCreate = "key.create", ["manage"], [Key], "Create a key.";
    KeyImport = "key.import", ["manage"], [Key], "Import a key.";
    KeyUpdate = "key.update", ["manage"], [Key], "Change a key's rules, tags or minimum versions.";
    KeyRotate = "key.rotate", ["manage"], [Key], "Add a version.";
    KeySuspend = "key.suspend", ["manage"], [Key], "Suspend a key.";
    KeyResume = "key.resume", ["manage"], [Key], "Resume a suspended key.";
    KeyRevoke = "key.revoke", ["manage"], [Key], "Revoke a key or version, with a reason.";
    KeyCompromise = "key.compromise", ["manage"], [Key], "Mark a key as compromised, with everything that depends on it, or show what that would touch.";
    KeyCascade = "key.cascade", [], [Key], "Mark a key as compromised because one that it depends on is. The server itself does it; a policy can forbid it.";
    KeyDestroy = "key.destroy", ["manage"], [Key], "Schedule the destruction of key material.";
    KeyRestore = "key.restore", ["manage"], [Key], "Cancel a scheduled destruction.";
    KeyDelete = "key.delete", ["manage"], [Key], "Delete the record of a destroyed key.";
    KeyExport = "key.export", [], [Key], "Take secret key material out of the server.";
    KeyExchange = "key.exchange", ["manage"], [Key], "Agree on a new key by the key exchange.";
    KeyDistribute = "key.distribute", [], [Key], "Fetch a key's secret material by the key exchange, sealed to oneself.";
    KeyHolders = "key.holders", ["administer", "audit"], [Key], "Read who was given which version of a key.";
    KeyLineage = "key.lineage", ["administer", "audit"], [Key], "Read what a key depends on and what depends on it.";
    KeyDue = "key.due", ["read"], [Namespace], "See what is due for a namespace's keys, and when.";
    KeyWarn = "key.warn", [], [Key], "Warn of a date or limit of a key that comes near. The server itself does it.";
    KeyRecoveryGrant = "key.recovery-grant", [], [Key], "Let a compromised key process data for a while.";

    KeyringList = "keyring.list", ["read"], [Namespace], "List a namespace's keyrings.";
    KeyringRead = "keyring.read", ["read"], [Keyring], "Read a keyring.";
    KeyringCreate = "keyring.create", ["manage"], [Keyring], "Create a keyring.";
    KeyringUpdate = "keyring.update", ["manage"], [Keyring], "Change a keyring's defaults.";
    KeyringDelete = "keyring.delete", ["manage"], [Keyring], "Delete an empty keyring.";

    NamespaceList = "namespace.list", ["read"], [System], "List the namespaces.";
    NamespaceRead = "namespace.read", ["read"], [Namespace], "Read a namespace.";
    NamespaceCreate = "namespace.create", ["administer"], [Namespace], "Create a namespace.";
    NamespaceDelete = "namespace.delete", ["administer"], [Namespace], "Delete an empty namespace.";

    TokenSelf = "token.self", [], [Token], "Read what the server knows about the caller's own token.";
    TokenList = "token.list", ["administer", "audit"], [Namespace], "List a namespace's tokens.";
    TokenRead = "token.read", ["administer", "audit"], [Token], "Read a token's record.";
    TokenCreate = "token.create", ["administer"], [Token], "Issue a token.";
    TokenRevoke = "token.revoke", ["administer"], [Token], "Revoke a token.";

    PolicyList = "policy.list", ["administer", "audit"], [Namespace], "List a namespace's policies.";
    PolicyRead = "policy.read", ["administer", "audit"], [Policy], "Read a policy.";
    PolicyWrite = "policy.write", ["administer"], [Policy], "Write a policy.";
    PolicyDelete = "policy.delete", ["administer"], [Policy], "Delete a policy.";

    PrincipalList = "principal.list", ["administer", "audit"], [Namespace], "List a namespace's principals.";
    PrincipalRead = "principal.read", ["administer", "audit"], [Principal], "Read a principal.";
    PrincipalWrite = "principal.write", ["administer"], [Principal], "Register a client certificate as a principal.";
    PrincipalDelete = "principal.delete", ["administer"], [Principal], "Delete a principal.";
    PrincipalSuspend = "principal.suspend", ["administer"], [Principal], "Suspend a principal: every credential of its is refused until it is resumed.";
    PrincipalResume = "principal.resume", ["administer"], [Principal], "Resume a suspended principal.";

    AuthorityList = "authority.list", ["read"], [Namespace], "List a namespace's certificate authorities.";
    AuthorityRead = "authority.read", ["read"], [Authority], "Read a certificate authority.";
    AuthorityCreate = "authority.create", ["administer"], [Authority, Key], "Make a certificate authority, on a key.";
    AuthorityUpdate = "authority.update", ["administer"], [Authority, Key], "Change a certificate authority: its certificates, rules and addresses.";
    AuthorityDelete = "authority.delete", ["administer"], [Authority], "Delete a certificate authority.";
    AuthorityCertify = "authority.certify", ["administer"], [Authority, Key], "Certify another authority.";
    AuthorityPublish = "authority.publish", ["administer", "certify"], [Authority, Key], "Publish a certificate authority's revocation lists and responses.";

    CertificateIssue = "certificate.issue", ["administer", "certify"], [Authority, Key], "Issue a certificate.";
    CertificateList = "certificate.list", ["read"], [Authority], "List an authority's certificates.";
    CertificateRead = "certificate.read", ["read"], [Authority], "Read a certificate.";
    CertificateRevoke = "certificate.revoke", ["administer", "certify"], [Authority], "Revoke or hold a certificate, or end a hold.";

    AcmeManage = "acme.manage", ["administer"], [Authority], "Let clients enrol at an authority by ACME, and hand out the keys that their accounts are bound to.";
    AcmeAccount = "acme.account", [], [Authority], "Make or change one's own ACME account. An authority that is open to ACME permits it; a policy can forbid it.";
    AcmeOrder = "acme.order", [], [Authority], "Order by ACME and prove control of names. An authority that is open to ACME permits it; a policy can forbid it.";

    EstManage = "est.manage", ["administer"], [Authority], "Let clients enrol at an authority by EST.";

    SshAuthorityList = "ssh-authority.list", ["read"], [Namespace], "List a namespace's SSH certificate authorities.";
    SshAuthorityRead = "ssh-authority.read", ["read"], [SshAuthority, SshRole], "Read an SSH certificate authority with its roles.";
    SshAuthorityCreate = "ssh-authority.create", ["administer"], [SshAuthority, Key], "Make an SSH certificate authority, on a key.";
    SshAuthorityDelete = "ssh-authority.delete", ["administer"], [SshAuthority], "Delete an SSH certificate authority.";
    SshRoleWrite = "ssh-role.write", ["administer"], [SshRole], "Write a role of an SSH certificate authority.";
    SshRoleDelete = "ssh-role.delete", ["administer"], [SshRole], "Delete a role of an SSH certificate authority.";
    SshCertificateSign = "ssh-certificate.sign", ["administer", "certify"], [SshRole, Key], "Certify a public key by a role.";
    SshCertificateList = "ssh-certificate.list", ["read"], [SshAuthority], "List an SSH authority's certificates.";
    SshCertificateRead = "ssh-certificate.read", ["read"], [SshAuthority], "Read an SSH certificate.";
    SshCertificateRevoke = "ssh-certificate.revoke", ["administer", "certify"], [SshAuthority], "Revoke SSH certificates or keys.";

    TsaList = "tsa.list", ["read"], [Namespace], "List a namespace's time-stamping authorities.";
    TsaRead = "tsa.read", ["read"], [Tsa], "Read a time-stamping authority.";
    TsaManage = "tsa.manage", ["administer"], [Tsa, Key], "Make a time-stamping authority, on a key, or delete one.";
    TsaStamp = "tsa.stamp", [], [Tsa, Key], "Stamp a digest with the time for whoever asks. The server itself does it, by the authority's being there.";

    TrustList = "trust.list", ["administer", "audit"], [Namespace], "List a namespace's external authorities of principals.";
    TrustRead = "trust.read", ["administer", "audit"], [Trust], "Read an external authority of principals.";
    TrustCreate = "trust.create", ["administer"], [Trust], "Trust an external authority to say who principals are.";
    TrustUpdate = "trust.update", ["administer"], [Trust], "Change what is known and asked for of an external authority: intermediates, and how much must be known of revocation.";
    TrustImportCrl = "trust.import-crl", ["administer"], [Trust], "Import a revocation list of an external authority.";
    TrustDelete = "trust.delete", ["administer"], [Trust], "Trust an external authority no longer.";

    GroupList = "group.list", ["administer", "audit"], [Namespace], "List a namespace's groups of who shares a key.";
    GroupRead = "group.read", ["administer", "audit"], [KeyGroup], "Read a group: its members, and who was given which version of its key.";
    GroupCreate = "group.create", [], [KeyGroup, Key], "Let a group of principals share a key.";
    GroupAdd = "group.add", [], [KeyGroup, Key], "Add members to a group, who may then fetch its key.";
    GroupRemove = "group.remove", ["administer"], [KeyGroup, Key], "Remove members from a group and give its key a new version.";
    GroupRekey = "group.rekey", ["administer"], [KeyGroup, Key], "Give a group's key a new version.";
    GroupDelete = "group.delete", ["administer"], [KeyGroup], "Delete a group; its key stays.";

    DirectoryPublish = "directory.publish", ["manage"], [Principal], "Publish or withdraw one's own sealing key.";
    DirectoryRead = "directory.read", ["read"], [Principal, Namespace], "Look up a principal's sealing key, or fetch revocation lists with a message.";

    JobCreate = "job.create", ["use"], [Key], "Make a re-encryption job for a key.";
    JobUpdate = "job.update", ["use"], [Key], "Pause, resume, finish or cancel a re-encryption job of a key.";
    JobRead = "job.read", ["read"], [Key], "Read a re-encryption job of a key, with its report.";
    JobList = "job.list", ["read"], [Namespace], "List a namespace's re-encryption jobs.";

    IncidentRead = "incident.read", ["administer", "audit"], [Namespace], "Read a namespace's incidents, with their reports.";
    WeakList = "weak.list", ["administer", "audit"], [Namespace], "List what was found about a namespace's keys and certificates.";
    WeakFind = "weak.find", [], [Namespace, Key], "Put on record that something stored is weak. The server itself does it.";
    WeakSweep = "weak.sweep", ["operate"], [System], "Have every stored public key looked at.";
    WeakBlocklistList = "weak.blocklist-list", ["operate", "audit"], [System], "List the lists of known keys.";
    WeakBlocklistImport = "weak.blocklist-import", ["operate"], [System], "Import a list of known keys.";
    WeakBlocklistRemove = "weak.blocklist-remove", ["operate"], [System], "Remove a list of known keys.";
    RuleList = "rule.list", ["administer", "audit"], [Namespace], "List a namespace's automatic rules, and what they did.";
    RuleRead = "rule.read", ["administer", "audit"], [Rule], "Read an automatic rule, and what it did.";
    RuleWrite = "rule.write", ["administer"], [Rule], "Write an automatic rule, or see what it would do.";
    RuleDelete = "rule.delete", ["administer"], [Rule], "Delete an automatic rule.";
    RuleRelease = "rule.release", ["administer"], [Rule], "Let acts go, or drop them, that a rule holds because it is over its limit.";
    RuleUndo = "rule.undo", ["administer"], [Rule], "Undo an act of an automatic rule; resuming what it suspended needs permission as well.";
    RuleAct = "rule.act", [], [Rule], "Answer a match of a rule. The server itself does it, by the rule's being there.";

    ApprovalList = "approval.list", ["administer", "audit"], [Namespace], "List a namespace's requests for approval.";
    ApprovalRead = "approval.read", ["administer", "audit"], [Namespace], "Read a request for approval: what is to be approved, and who did.";
    ApprovalRequest = "approval.request", [], [Namespace], "Ask for approval of an act that a policy marks. Whoever could do it if it were not marked may; a policy can forbid it.";
    ApprovalApprove = "approval.approve", [], [Namespace], "Approve of a marked act, if its marks accept the caller.";
    ApprovalReject = "approval.reject", ["administer"], [Namespace], "Reject a request for approval.";
    ApprovalExpire = "approval.expire", [], [Namespace], "Note that a request for approval has run out. The server itself does it.";

    VerdictSubmit = "verdict.submit", [], [Principal, Key], "Hand in a verdict about a principal or a key, for rules to answer.";

    NotificationList = "notification.list", ["administer", "audit"], [Namespace], "List a namespace's notification channels.";
    NotificationRead = "notification.read", ["administer", "audit"], [Channel], "Read a notification channel: where it goes, how it stands, and its dead letters.";
    NotificationManage = "notification.manage", ["administer"], [Channel], "Make, change, test or delete a notification channel, and handle its dead letters. Making or changing one takes event.read as well.";
    NotificationDeliver = "notification.deliver", [], [Channel], "Deliver notifications. The server itself does it, by the channel's being there; its events say when a channel begins to fail, recovers, or gives notifications up.";

    EventRead = "event.read", ["audit"], [Namespace, System], "Read events.";

    LimitsRead = "limits.read", ["read", "audit"], [Namespace], "Read a namespace's limits.";
    LimitsWrite = "limits.write", ["operate"], [System], "Set a namespace's limits.";

    AlgorithmList = "algorithm.list", ["operate", "audit"], [System], "List the withdrawn algorithms.";
    AlgorithmWithdraw = "algorithm.withdraw", ["operate"], [System], "Withdraw an algorithm, or take that back.";
    SystemSeal = "system.seal", ["operate"], [System], "Seal the server.";
    SystemMetrics = "system.metrics", ["operate", "audit"], [System], "Read the metrics.";
    SealList = "seal.list", ["operate", "audit"], [System], "List the seals.";
    SealAdd = "seal.add", ["operate"], [System], "Add a seal.";
    SealRemove = "seal.remove", ["operate"], [System], "Remove a seal.";
    StorageRotateStorageKey = "storage.rotate-storage-key", ["operate"], [System], "Rotate the storage key.";
    StorageRotateRoot = "storage.rotate-root", ["operate"], [System], "Rotate the root key.";
    StorageBackup = "storage.backup", ["operate"], [System], "Stream a sealed backup.";
    StorageVerify = "storage.verify", ["operate", "audit"], [System], "Verify every stored record.";

    RandomGenerate = "random.generate", ["use"], [System], "Generate random bytes.";
    HashCompute = "hash.compute", ["use"], [System], "Hash data.";
    CertificateValidate = "certificate.validate", ["use"], [System], "Validate a certificate that others issued.";
    DocumentVerify = "document.verify", ["use"], [System], "Verify a signed document.";
}

const _: () = assert!(Action::ALL.len() <= 256, "an ActionSet holds 256 actions");

/// The groups of actions, each with the groups that contain it.
pub const ACTION_GROUPS: &[(&str, &[&str])] = &[
    ("use", &[]),
    ("protect", &["use"]),
    ("process", &["use"]),
    ("read", &[]),
    ("manage", &[]),
    ("administer", &[]),
    ("certify", &[]),
    ("operate", &[]),
    ("audit", &[]),
];

impl Action {
    /// Its place in [`Action::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether it lies in a group, directly or through another group.
    #[must_use]
    pub fn is_in(self, group: &str) -> bool {
        self.groups().iter().any(|direct| {
            *direct == group
                || ACTION_GROUPS
                    .iter()
                    .any(|(name, parents)| name == direct && parents.contains(&group))
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Action {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.name() == name)
            .ok_or(Error::UnknownAction)
    }
}

/// A set of actions, for the scope index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct ActionSet([u128; 2]);

impl ActionSet {
    pub(crate) const ALL: Self = Self([u128::MAX; 2]);

    pub(crate) fn insert(&mut self, action: Action) {
        let (word, bit) = Self::place(action);
        self.0[word] |= bit;
    }

    pub(crate) fn contains(self, action: Action) -> bool {
        let (word, bit) = Self::place(action);
        self.0[word] & bit != 0
    }

    /// The half that an action is in, and its bit there.
    const fn place(action: Action) -> (usize, u128) {
        let index = action.index();
        ((index >= 128) as usize, 1 << (index % 128))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_and_are_unique() {
        for action in Action::ALL {
            assert_eq!(action.name().parse::<Action>().unwrap(), *action);
        }
        assert!("key.encript".parse::<Action>().is_err());
        assert!("KEY.ENCRYPT".parse::<Action>().is_err());
    }

    #[test]
    fn a_set_holds_what_went_in_and_nothing_else() {
        for put in Action::ALL {
            let mut set = ActionSet::default();
            set.insert(*put);
            for action in Action::ALL {
                assert_eq!(set.contains(*action), action == put, "{action:?}");
                assert!(ActionSet::ALL.contains(*action));
            }
        }
    }

    #[test]
    fn groups_nest() {
        assert!(Action::KeyEncrypt.is_in("protect"));
        assert!(Action::KeyEncrypt.is_in("use"));
        assert!(!Action::KeyEncrypt.is_in("process"));
        assert!(!Action::KeyExport.is_in("manage"));
        for action in Action::ALL {
            for group in action.groups() {
                assert!(ACTION_GROUPS.iter().any(|(name, _)| name == group));
            }
        }
    }
}
