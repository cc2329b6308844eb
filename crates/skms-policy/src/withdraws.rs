//! Which acts take something away from somebody.

use crate::Action;

impl Action {
    /// Whether it withdraws something: a right, a key, a certificate, a rule
    /// that was narrower. What such an act took away is back after a restore
    /// from an older backup, so a restore names each of them.
    ///
    /// Acts that can do both, as a rule that is changed can be made wider or
    /// narrower, count as withdrawing.
    #[must_use]
    pub const fn withdraws(self) -> bool {
        // Without a wildcard: whoever adds an act decides here, too.
        match self {
            Self::KeyUpdate
            | Self::KeySuspend
            | Self::KeyRevoke
            | Self::KeyCompromise
            | Self::KeyCascade
            | Self::KeyDestroy
            | Self::KeyDelete
            | Self::KeyringUpdate
            | Self::KeyringDelete
            | Self::NamespaceDelete
            | Self::TokenRevoke
            | Self::PolicyWrite
            | Self::PolicyDelete
            | Self::PrincipalWrite
            | Self::PrincipalDelete
            | Self::PrincipalSuspend
            | Self::RuleWrite
            | Self::RuleDelete
            | Self::RuleRelease
            | Self::ApprovalReject
            | Self::AuthorityUpdate
            | Self::AuthorityDelete
            | Self::CertificateRevoke
            | Self::AcmeManage
            | Self::EstManage
            | Self::SshAuthorityDelete
            | Self::SshRoleWrite
            | Self::SshRoleDelete
            | Self::SshCertificateRevoke
            | Self::TsaManage
            | Self::TrustUpdate
            | Self::TrustImportCrl
            | Self::TrustDelete
            | Self::GroupRemove
            | Self::GroupDelete
            | Self::DirectoryPublish
            | Self::NotificationManage
            | Self::LimitsWrite
            | Self::AlgorithmWithdraw
            | Self::WeakBlocklistImport
            | Self::SealRemove => true,

            Self::KeyEncrypt
            | Self::KeyDecrypt
            | Self::KeyReencrypt
            | Self::KeyDatakey
            | Self::KeyWrap
            | Self::KeyUnwrap
            | Self::KeySign
            | Self::KeyVerify
            | Self::KeyMac
            | Self::KeyMacVerify
            | Self::KeyDerive
            | Self::KeyAgree
            | Self::KeyEncapsulate
            | Self::KeyDecapsulate
            | Self::KeyList
            | Self::KeyRead
            | Self::KeyPublic
            | Self::KeyCreate
            | Self::KeyImport
            | Self::KeyRotate
            | Self::KeyResume
            | Self::KeyRestore
            | Self::KeyExport
            | Self::KeyExchange
            | Self::KeyDistribute
            | Self::KeyHolders
            | Self::KeyLineage
            | Self::KeyDue
            | Self::KeyWarn
            | Self::KeyRecoveryGrant
            | Self::KeyringList
            | Self::KeyringRead
            | Self::KeyringCreate
            | Self::NamespaceList
            | Self::NamespaceRead
            | Self::NamespaceCreate
            | Self::TokenSelf
            | Self::TokenList
            | Self::TokenRead
            | Self::TokenCreate
            | Self::PolicyList
            | Self::PolicyRead
            | Self::PrincipalList
            | Self::PrincipalRead
            | Self::PrincipalResume
            | Self::RuleList
            | Self::RuleRead
            | Self::RuleUndo
            | Self::RuleAct
            | Self::VerdictSubmit
            | Self::ApprovalList
            | Self::ApprovalRead
            | Self::ApprovalRequest
            | Self::ApprovalApprove
            | Self::ApprovalExpire
            | Self::AuthorityList
            | Self::AuthorityRead
            | Self::AuthorityCreate
            | Self::AuthorityCertify
            | Self::AuthorityPublish
            | Self::CertificateIssue
            | Self::CertificateList
            | Self::CertificateRead
            | Self::CertificateValidate
            | Self::AcmeAccount
            | Self::AcmeOrder
            | Self::SshAuthorityList
            | Self::SshAuthorityRead
            | Self::SshAuthorityCreate
            | Self::SshCertificateSign
            | Self::SshCertificateList
            | Self::SshCertificateRead
            | Self::TsaList
            | Self::TsaRead
            | Self::TsaStamp
            | Self::TrustList
            | Self::TrustRead
            | Self::TrustCreate
            | Self::GroupList
            | Self::GroupRead
            | Self::GroupCreate
            | Self::GroupAdd
            | Self::GroupRekey
            | Self::DirectoryRead
            | Self::JobCreate
            | Self::JobUpdate
            | Self::JobRead
            | Self::JobList
            | Self::AlgorithmList
            | Self::IncidentRead
            | Self::WeakList
            | Self::WeakFind
            | Self::WeakSweep
            | Self::WeakBlocklistList
            | Self::WeakBlocklistRemove
            | Self::NotificationList
            | Self::NotificationRead
            | Self::NotificationDeliver
            | Self::EventRead
            | Self::LimitsRead
            | Self::SystemSeal
            | Self::SystemMetrics
            | Self::SealList
            | Self::SealAdd
            | Self::StorageRotateStorageKey
            | Self::StorageRotateRoot
            | Self::StorageBackup
            | Self::StorageVerify
            | Self::RandomGenerate
            | Self::HashCompute
            | Self::DocumentVerify => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Action;

    #[test]
    fn what_only_reads_or_uses_withdraws_nothing() {
        for action in Action::ALL {
            let harmless = action.is_in("read") || action.is_in("use");
            assert!(!(harmless && action.withdraws()), "{action}");
        }
    }

    #[test]
    fn what_says_that_it_takes_away_withdraws() {
        for action in Action::ALL {
            let (_, verb) = action.name().split_once('.').unwrap();
            if ["delete", "revoke", "remove", "suspend", "destroy"].contains(&verb) {
                assert!(action.withdraws(), "{action}");
            }
        }
    }
}
