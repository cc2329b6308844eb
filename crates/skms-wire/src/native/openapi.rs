//! The schemas of every message, for the OpenAPI document.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::{
    acme, approvals, authorities, certificates, directory, documents, due, est, events, exchange,
    groups, health, incidents, jobs, keyrings, keys, limits, namespaces, notifications, operations,
    policies, principals, problem, rules, seals, ssh, terms, tokens, trusts, tsa, validation,
    versions, weak,
};

type Named = Vec<(String, RefOr<Schema>)>;

fn add<T: ToSchema + PartialSchema>(schemas: &mut Named) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

macro_rules! collect {
    ($($module:ident: $($name:ident),+;)+) => {{
        let mut schemas = Named::new();
        $($(add::<$module::$name>(&mut schemas);)+)+
        schemas
    }};
}

/// Every schema by its name, each once, in the order of names.
pub fn schemas() -> Named {
    let mut schemas = collect! {
        problem: Problem;
        terms: KeyState, KeyUse, Origin, RevocationReason, IncidentReach, IncidentRotation, JobState, JobStep, JobOutcome, KeyFormat, WrapMode, SignatureScheme,
            SignatureEncoding, SealKind, Outcome, ValidationProfile, RevocationCheck;
        health: Health, ServerStatus, AlgorithmView, Algorithms, WithdrawAlgorithmRequest,
            WithdrawnAlgorithm, AlgorithmWithdrawal;
        namespaces: CreateNamespaceRequest, NamespaceView;
        keyrings: CreateKeyringRequest, KeyDefaults, KeyringView;
        versions: VersionView, AgreedView, ParentView, RevocationView, RecoveryGrantView;
        keys: Rules, CreateKeyRequest, ImportKeyRequest, AgreeKeyRequest, AgreeKeyResponse, DeriveKeyRequest, DeriveKeyResponse, WrappingKey, UpdateKeyRequest, KeyView,
            KeyChange, RotateRequest, VersionRequest, RevokeRequest, RecoveryGrantRequest,
            ExportRequest, ExportResponse, PublicKeyResponse;
        operations: EncryptRequest, EncryptResponse, DecryptRequest, DecryptResponse,
            ReencryptRequest, DataKeyRequest, DataKeyResponse, WrapRequest, WrapResponse,
            UnwrapRequest, UnwrapResponse, SignRequest, SignResponse, VerifyRequest,
            VerifyResponse, MacRequest, MacResponse, MacVerifyRequest, DeriveRequest,
            DeriveResponse, AgreeRequest, AgreeResponse, EncapsulateRequest,
            EncapsulateResponse, DecapsulateRequest, DecapsulateResponse, RandomRequest,
            RandomResponse, HashRequest, HashResponse;
        validation: ValidateCertificateRequest, CertificateVerdict, PathCertificate,
            RefusedPath, ValidationWork;
        documents: SignDocumentRequest, SignDocumentResponse, DocumentFormat, SigningCertificate,
            StampRequest, StampResponse, VerifyDocumentRequest, DocumentVerdict, DocumentSigner;
        exchange: ExchangeMessage, ExchangeReply, ExchangeConfirmed, BindKeyRequest, BindKeyResponse;
        directory: PublishStatementRequest, StatementStatus, StatementView, OwnStatements,
            LookUpStatementRequest, LookedUpStatement, DirectoryCrlsRequest, DirectoryCrls;
        tokens: CreateTokenRequest, CreateTokenResponse, TokenView, SelfView;
        policies: PutPolicyRequest, PolicyView;
        limits: RateLimit, PutLimitsRequest, LimitsView;
        principals: CreatePrincipalRequest, PrincipalView;
        authorities: CreateAuthorityRequest, NameConstraints, AuthorityProfile, AuthorityRules, AuthorityView,
            IssuerView, UpdateAuthorityRequest, InstallCertificateRequest,
            RenewAuthorityRequest, CertifyRequest;
        acme: EnableAcmeRequest, AcmeView, CreateAcmeKeyRequest, CreateAcmeKeyResponse,
            AcmeKeyView;
        est: EnableEstRequest, EstView;
        certificates: IssueCertificateRequest, SubjectKey, IssuedCertificate, CertificateView,
            CertificateStatus, CertificateRevocation, RevokeCertificateRequest;
        ssh: SshCertificateType, CreateSshAuthorityRequest, SshAuthorityView, SshRoleView,
            PutSshRoleRequest, SshSignRequest, SshCertificateView, SshRevokeRequest,
            SshKrlResponse;
        tsa: CreateTsaRequest, TsaView;
        trusts: TrustIdentity, TrustRevocation, CreateTrustRequest, UpdateTrustRequest,
            ImportTrustCrlRequest, TrustView, TrustCrlView;
        groups: GroupMember, CreateGroupRequest, AddGroupMembersRequest, RemoveGroupMembersRequest,
            GroupView, GroupMemberView, HolderStanding, HolderView;
        due: DueView, DueItem;
        jobs: CreateJobRequest, UpdateJobRequest, JobItem, JobBatchRequest, JobItemResult,
            JobBatchResponse, JobVersionCount, JobFailedItem, JobView, JobReport;
        incidents: LineageNode, LineageEdge, LineageView, CompromiseRequest, IncidentCounts,
            IncidentView, TouchedView, CompromisePlan, IncidentKey;
        weak: ImportBlocklistRequest, BlocklistView, WeakFindingView, WeakSweepView;
        rules: PutRuleRequest, TestRuleRequest, RuleTrial, RuleTrialItem, WrittenRule, RuleView,
            ReleaseRuleRequest, ReleasedRule, RuleActView, SubmitVerdictRequest, VerdictView,
            SuspendPrincipalRequest, SuspendedPrincipalView;
        approvals: ApprovalView, ApprovalTarget, ApprovalParameter, ApprovalWho, ApprovalMark,
            ApprovalGiven, ApproveRequest, RejectApprovalRequest, ApprovalKey;
        events: EventView, TargetView;
        notifications: CreateChannelRequest, UpdateChannelRequest, RotateChannelSecretRequest,
            ChannelSecretResponse, ChannelView, ChannelTested, DeadLetterView, DeadLettersRequest,
            DeadLettersDone;
        seals: UnsealRequest, SealStatus, SealProgress, SealView, AddSealRequest, AddSealResponse,
            RotateStorageKeyResponse, RotateRootResponse, StorageReport;
    };
    schemas.sort_by(|one, other| one.0.cmp(&other.0));
    schemas.dedup_by(|one, other| one.0 == other.0);
    schemas
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let schemas = schemas();
        let names: BTreeSet<_> = schemas.iter().map(|(name, _)| name.as_str()).collect();
        let text =
            serde_json::to_string(&schemas.iter().map(|(_, s)| s).collect::<Vec<_>>()).unwrap();
        let mut found = 0;
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(
                names.contains(name),
                "{name} is referred to and not defined"
            );
            found += 1;
        }
        assert!(found > 50, "{found}");
    }

    #[test]
    fn requests_refuse_unknown_members() {
        for (name, schema) in schemas() {
            if name.ends_with("Request") {
                let json = serde_json::to_value(&schema).unwrap();
                assert_eq!(json["additionalProperties"], false, "{name}");
            }
        }
    }
}
