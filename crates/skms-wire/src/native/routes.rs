//! The table of routes: one row each.
//!
//! The face mounts exactly these, the OpenAPI document describes exactly
//! these, and a sweep test tries exactly these with no identity and with the
//! wrong one.

/// What every path begins with.
pub const PREFIX: &str = "/api/v1";

/// The header that names the namespace.
pub const NAMESPACE_HEADER: &str = "x-skms-namespace";

/// The header that names the request, echoed in the answer.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// The header that makes it safe to send a create again
/// (draft-ietf-httpapi-idempotency-key-header).
pub const IDEMPOTENCY_HEADER: &str = "idempotency-key";

/// The header that names the approvals that a request comes with, where a policy
/// marks it.
pub const APPROVAL_HEADER: &str = "skms-approval";

/// The header that says to approvers why something is to be done.
pub const APPROVAL_REASON_HEADER: &str = "skms-approval-reason";

/// The namespace of a request that names none.
pub const DEFAULT_NAMESPACE: &str = "root";

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// GET: safe.
    Get,
    /// POST.
    Post,
    /// PUT: idempotent.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

impl Method {
    /// The method's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Whether a route needs an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Anyone may ask.
    Open,
    /// A token or a registered client certificate, and a policy that permits
    /// this action.
    Action(&'static str),
    /// The message in the body says who sends it and proves it; a policy has
    /// to permit this action, or another one that the message asks for.
    Message(&'static str),
}

/// What a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// No body.
    None,
    /// One message, by its schema's name.
    Json(&'static str),
    /// The same, and an absent or empty body means `{}`.
    OptionalJson(&'static str),
    /// One item or `{"batch": [items]}`.
    OneOrBatch(&'static str),
}

/// What a good answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 204, no body.
    Empty,
    /// 200 with one message.
    Json(&'static str),
    /// 201 with one message.
    Created(&'static str),
    /// 200 with a page of messages.
    Page(&'static str),
    /// 200 with one result, or `{"results": [...]}` for a batch.
    OneOrResults(&'static str),
    /// 200 with a document of another media type.
    Document(&'static str),
}

impl Answer {
    /// The HTTP status of a good answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Empty => 204,
            Self::Created(_) => 201,
            Self::Json(_) | Self::Page(_) | Self::OneOrResults(_) | Self::Document(_) => 200,
        }
    }
}

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its name, unique; the OpenAPI operationId.
    pub id: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path below [`PREFIX`], parameters in braces.
    pub path: &'static str,
    /// Who may ask.
    pub auth: Auth,
    /// What is sent.
    pub body: Body,
    /// What is answered.
    pub answer: Answer,
    /// What it does, in a sentence.
    pub summary: &'static str,
}

impl Route {
    /// Whether the route takes an [`IDEMPOTENCY_HEADER`]: everything that
    /// makes a record does. A seal is part of the store's header, not a
    /// record, and its answer may be secret shares; a key of ACME is shown
    /// once, and one too many binds nobody: their routes do not.
    pub const fn takes_idempotency_key(&self) -> bool {
        matches!(self.answer, Created(_))
            && !same(self.id, "seal-add")
            && !same(self.id, "acme-key-create")
    }

    /// Whether it is served also while others are turned away: to see how the
    /// server is, and to stop what must be stopped.
    pub const fn is_urgent(&self) -> bool {
        same(self.id, "health")
            || same(self.id, "seal")
            || same(self.id, "key-revoke")
            || same(self.id, "key-compromise")
            || same(self.id, "key-suspend")
            || same(self.id, "certificate-revoke")
            || same(self.id, "ssh-revoke")
            || same(self.id, "token-revoke")
            || same(self.id, "principal-delete")
            || same(self.id, "principal-suspend")
            || same(self.id, "trust-delete")
            || same(self.id, "trust-import-crl")
            || same(self.id, "group-member-remove")
    }

    /// Whether an [`IDEMPOTENCY_HEADER`] is refused, because its sender
    /// believes in a promise that the route does not make. Operations on data
    /// ignore it: doing them twice changes nothing.
    pub const fn refuses_idempotency_key(&self) -> bool {
        matches!(self.method, Method::Post)
            && !self.takes_idempotency_key()
            && !matches!(self.body, OneOrBatch(_))
    }
}

macro_rules! routes {
    ($($method:ident $path:literal $id:literal [$($auth:tt)+] $body:expr => $answer:expr, $summary:literal;)+) => {
        &[$(Route {
            id: $id,
            method: Method::$method,
            path: $path,
            auth: routes!(@auth $($auth)+),
            body: $body,
            answer: $answer,
            summary: $summary,
        },)+]
    };
    (@auth open) => { Auth::Open };
    (@auth message $action:literal) => { Auth::Message($action) };
    (@auth $action:literal) => { Auth::Action($action) };
}

use Answer::{Created, Document, Empty, OneOrResults, Page};
use Body::{None, OneOrBatch, OptionalJson};

/// Every route of the native face.
pub const ROUTES: &[Route] = routes! {
    Get "/health" "health" [open] None => Answer::Json("Health"), "Say how the server is.";
    Get "/seal-status" "seal-status" [open] None => Answer::Json("SealStatus"), "Say whether the server is sealed.";
    Post "/unseal" "unseal" [open] Body::Json("UnsealRequest") => Answer::Json("SealStatus"), "Give one passphrase, share or key file.";
    Get "/openapi.json" "openapi" [open] None => Document("application/json"), "Describe this interface.";
    Post "/seal" "seal" ["system.seal"] None => Answer::Json("SealStatus"), "Forget every key until unsealed again.";
    Get "/status" "status" ["seal.list"] None => Answer::Json("ServerStatus"), "Say how the server is, at length.";
    Get "/metrics" "metrics" ["system.metrics"] None => Document("text/plain; version=0.0.4"), "Count what happens (Prometheus).";
    Get "/algorithms" "algorithms" [open] None => Answer::Json("Algorithms"), "List the algorithms on offer.";

    Get "/namespaces" "namespace-list" ["namespace.list"] None => Page("NamespaceView"), "List the namespaces.";
    Post "/namespaces" "namespace-create" ["namespace.create"] Body::Json("CreateNamespaceRequest") => Created("NamespaceView"), "Make a namespace.";
    Get "/namespaces/{namespace}" "namespace-read" ["namespace.read"] None => Answer::Json("NamespaceView"), "Show a namespace.";
    Delete "/namespaces/{namespace}" "namespace-delete" ["namespace.delete"] None => Empty, "Delete an empty namespace.";

    Get "/keyrings" "keyring-list" ["keyring.list"] None => Page("KeyringView"), "List the keyrings.";
    Post "/keyrings" "keyring-create" ["keyring.create"] Body::Json("CreateKeyringRequest") => Created("KeyringView"), "Make a keyring.";
    Get "/keyrings/{keyring}" "keyring-read" ["keyring.read"] None => Answer::Json("KeyringView"), "Show a keyring.";
    Delete "/keyrings/{keyring}" "keyring-delete" ["keyring.delete"] None => Empty, "Delete an empty keyring.";

    Get "/keyrings/{keyring}/keys" "key-list" ["key.list"] None => Page("KeyView"), "List a keyring's keys.";
    Post "/keyrings/{keyring}/keys" "key-create" ["key.create"] Body::Json("CreateKeyRequest") => Created("KeyChange"), "Make a key.";
    Post "/keyrings/{keyring}/keys/import" "key-import" ["key.import"] Body::Json("ImportKeyRequest") => Created("KeyChange"), "Bring a key.";
    Get "/keyrings/{keyring}/keys/{key}" "key-read" ["key.read"] None => Answer::Json("KeyView"), "Show a key.";
    Patch "/keyrings/{keyring}/keys/{key}" "key-update" ["key.update"] Body::Json("UpdateKeyRequest") => Answer::Json("KeyChange"), "Change a key's rules, tags, owner or minimum versions.";
    Delete "/keyrings/{keyring}/keys/{key}" "key-delete" ["key.delete"] None => Empty, "Delete a key whose versions are all destroyed.";
    Get "/keyrings/{keyring}/keys/{key}/versions" "key-version-list" ["key.read"] None => Page("VersionView"), "List a key's versions.";
    Get "/keyrings/{keyring}/keys/{key}/versions/{version}" "key-version-read" ["key.read"] None => Answer::Json("VersionView"), "Show a version.";
    Get "/keyrings/{keyring}/keys/{key}/public" "key-public" ["key.public"] None => Answer::Json("PublicKeyResponse"), "Show a public key.";
    Post "/keyrings/{keyring}/keys/{key}/rotate" "key-rotate" ["key.rotate"] OptionalJson("RotateRequest") => Answer::Json("KeyChange"), "Add a version.";
    Post "/keyrings/{keyring}/keys/{key}/suspend" "key-suspend" ["key.suspend"] OptionalJson("VersionRequest") => Answer::Json("KeyChange"), "Suspend.";
    Post "/keyrings/{keyring}/keys/{key}/resume" "key-resume" ["key.resume"] OptionalJson("VersionRequest") => Answer::Json("KeyChange"), "Resume.";
    Post "/keyrings/{keyring}/keys/{key}/revoke" "key-revoke" ["key.revoke"] Body::Json("RevokeRequest") => Answer::Json("KeyChange"), "Revoke, with a reason.";
    Post "/keyrings/{keyring}/keys/{key}/compromise" "key-compromise" ["key.compromise"] Body::Json("CompromiseRequest") => Answer::Json("IncidentView"), "Mark a key as compromised, with everything that depends on it.";
    Post "/keyrings/{keyring}/keys/{key}/compromise/plan" "key-compromise-plan" ["key.compromise"] Body::Json("CompromiseRequest") => Answer::Json("CompromisePlan"), "Show what a compromise would touch, and change nothing.";
    Get "/due" "key-due" ["key.due"] None => Answer::Json("DueView"), "Show what is due for the namespace's keys, and when.";
    Get "/keyrings/{keyring}/keys/{key}/lineage" "key-lineage" ["key.lineage"] None => Answer::Json("LineageView"), "Show what a key depends on and what depends on it.";
    Post "/keyrings/{keyring}/keys/{key}/destroy" "key-destroy" ["key.destroy"] OptionalJson("VersionRequest") => Answer::Json("KeyChange"), "Begin the wait before destruction.";
    Post "/keyrings/{keyring}/keys/{key}/restore" "key-restore" ["key.restore"] OptionalJson("VersionRequest") => Answer::Json("KeyChange"), "Cancel a destruction that still waits.";
    Post "/keyrings/{keyring}/keys/{key}/recovery-grant" "key-recovery-grant" ["key.recovery-grant"] Body::Json("RecoveryGrantRequest") => Answer::Json("KeyChange"), "Permit processing with a compromised version for a while.";
    Get "/keyrings/{keyring}/keys/{key}/holders" "key-holders" ["key.holders"] None => Page("HolderView"), "List who was given which version of a key.";
    Post "/keyrings/{keyring}/keys/{key}/export" "key-export" ["key.export"] OptionalJson("ExportRequest") => Answer::Json("ExportResponse"), "Hand out an exportable key.";

    Post "/keyrings/{keyring}/keys/{key}/encrypt" "encrypt" ["key.encrypt"] OneOrBatch("EncryptRequest") => OneOrResults("EncryptResponse"), "Encrypt.";
    Post "/keyrings/{keyring}/keys/{key}/decrypt" "decrypt" ["key.decrypt"] OneOrBatch("DecryptRequest") => OneOrResults("DecryptResponse"), "Decrypt.";
    Post "/keyrings/{keyring}/keys/{key}/reencrypt" "reencrypt" ["key.reencrypt"] OneOrBatch("ReencryptRequest") => OneOrResults("EncryptResponse"), "Move a ciphertext to the newest version.";
    Post "/keyrings/{keyring}/keys/{key}/datakey" "datakey" ["key.datakey"] OneOrBatch("DataKeyRequest") => OneOrResults("DataKeyResponse"), "Make a data key.";
    Post "/keyrings/{keyring}/keys/{key}/wrap" "wrap" ["key.wrap"] OneOrBatch("WrapRequest") => OneOrResults("WrapResponse"), "Wrap key bytes.";
    Post "/keyrings/{keyring}/keys/{key}/unwrap" "unwrap" ["key.unwrap"] OneOrBatch("UnwrapRequest") => OneOrResults("UnwrapResponse"), "Unwrap key bytes.";
    Post "/keyrings/{keyring}/keys/{key}/sign" "sign" ["key.sign"] OneOrBatch("SignRequest") => OneOrResults("SignResponse"), "Sign.";
    Post "/keyrings/{keyring}/keys/{key}/sign-document" "sign-document" ["key.sign"] Body::Json("SignDocumentRequest") => Answer::Json("SignDocumentResponse"), "Sign a document with a certificate of the key.";
    Post "/keyrings/{keyring}/keys/{key}/timestamp" "timestamp" ["key.sign"] Body::Json("StampRequest") => Answer::Json("StampResponse"), "Stamp a digest with the time.";
    Post "/keyrings/{keyring}/keys/{key}/verify" "verify" ["key.verify"] OneOrBatch("VerifyRequest") => OneOrResults("VerifyResponse"), "Verify a signature.";
    Post "/keyrings/{keyring}/keys/{key}/mac" "mac" ["key.mac"] OneOrBatch("MacRequest") => OneOrResults("MacResponse"), "Make a MAC.";
    Post "/keyrings/{keyring}/keys/{key}/mac-verify" "mac-verify" ["key.mac-verify"] OneOrBatch("MacVerifyRequest") => OneOrResults("VerifyResponse"), "Verify a MAC.";
    Post "/keyrings/{keyring}/keys/{key}/derive" "derive" ["key.derive"] OneOrBatch("DeriveRequest") => OneOrResults("DeriveResponse"), "Derive key bytes.";
    Post "/keyrings/{keyring}/keys/{key}/derive/key" "derive-key" ["key.derive"] Body::Json("DeriveKeyRequest") => Created("DeriveKeyResponse"), "Derive a key that stays here.";
    Post "/keyrings/{keyring}/keys/{key}/agree" "agree" ["key.agree"] OneOrBatch("AgreeRequest") => OneOrResults("AgreeResponse"), "Agree on a secret.";
    Post "/keyrings/{keyring}/keys/{key}/agree/key" "agree-key" ["key.agree"] Body::Json("AgreeKeyRequest") => Created("AgreeKeyResponse"), "Agree on a key that stays here.";
    Post "/keyrings/{keyring}/keys/{key}/encapsulate" "encapsulate" ["key.encapsulate"] OneOrBatch("EncapsulateRequest") => OneOrResults("EncapsulateResponse"), "Encapsulate a shared secret.";
    Post "/keyrings/{keyring}/keys/{key}/decapsulate" "decapsulate" ["key.decapsulate"] OneOrBatch("DecapsulateRequest") => OneOrResults("DecapsulateResponse"), "Decapsulate a shared secret.";

    Post "/random" "random" ["random.generate"] OptionalJson("RandomRequest") => Answer::Json("RandomResponse"), "Draw random bytes.";
    Post "/hash" "hash" ["hash.compute"] Body::Json("HashRequest") => Answer::Json("HashResponse"), "Hash data.";

    Post "/certificates/validate" "certificate-validate" ["certificate.validate"] Body::Json("ValidateCertificateRequest") => Answer::Json("CertificateVerdict"), "Say whether a certificate is valid, and why not.";
    Post "/documents/verify" "document-verify" ["document.verify"] Body::Json("VerifyDocumentRequest") => Answer::Json("DocumentVerdict"), "Say whether a signed document is valid, and why not.";

    Post "/exchange" "exchange" [message "key.exchange"] Body::Json("ExchangeMessage") => Answer::Json("ExchangeReply"), "Agree on a key, or fetch one, by the key exchange.";
    Post "/exchange/confirm" "exchange-confirm" [message "key.exchange"] Body::Json("ExchangeMessage") => Answer::Json("ExchangeConfirmed"), "Confirm a key that was agreed on.";
    Post "/exchange/bind" "exchange-bind" ["key.exchange"] Body::Json("BindKeyRequest") => Answer::Json("BindKeyResponse"), "Agree on a key that is bound to the TLS connection.";

    Get "/directory" "directory-own" ["directory.publish"] None => Answer::Json("OwnStatements"), "List one's own sealing keys.";
    Post "/directory" "directory-publish" ["directory.publish"] Body::Json("PublishStatementRequest") => Answer::Json("StatementView"), "Publish one's own sealing key.";
    Post "/directory/withdraw" "directory-withdraw" ["directory.publish"] None => Answer::Json("StatementView"), "Take one's own sealing key back.";
    Post "/directory/lookup" "directory-lookup" ["directory.read"] Body::Json("LookUpStatementRequest") => Answer::Json("LookedUpStatement"), "Look up a principal's sealing key, and how it stands.";
    Post "/directory/crls" "directory-crls" ["directory.read"] Body::Json("DirectoryCrlsRequest") => Answer::Json("DirectoryCrls"), "Fetch the revocation lists about certificates.";

    Get "/tokens" "token-list" ["token.list"] None => Page("TokenView"), "List the tokens.";
    Post "/tokens" "token-create" ["token.create"] OptionalJson("CreateTokenRequest") => Created("CreateTokenResponse"), "Make a token.";
    Get "/tokens/self" "token-self" ["token.self"] None => Answer::Json("SelfView"), "Say who is asking.";
    Get "/tokens/{token}" "token-read" ["token.read"] None => Answer::Json("TokenView"), "Show a token.";
    Delete "/tokens/{token}" "token-revoke" ["token.revoke"] None => Empty, "Revoke a token.";

    Get "/policies" "policy-list" ["policy.list"] None => Page("PolicyView"), "List the policies.";
    Get "/policies/{policy}" "policy-read" ["policy.read"] None => Answer::Json("PolicyView"), "Show a policy.";
    Put "/policies/{policy}" "policy-write" ["policy.write"] Body::Json("PutPolicyRequest") => Answer::Json("PolicyView"), "Write a policy.";
    Delete "/policies/{policy}" "policy-delete" ["policy.delete"] None => Empty, "Delete a policy.";

    Get "/principals" "principal-list" ["principal.list"] None => Page("PrincipalView"), "List the registered certificates.";
    Post "/principals" "principal-create" ["principal.write"] Body::Json("CreatePrincipalRequest") => Created("PrincipalView"), "Register a certificate.";
    Get "/principals/{principal}" "principal-read" ["principal.read"] None => Answer::Json("PrincipalView"), "Show a registered certificate.";
    Delete "/principals/{principal}" "principal-delete" ["principal.delete"] None => Empty, "Forget a certificate.";

    Post "/principals/{principal}/suspend" "principal-suspend" ["principal.suspend"] OptionalJson("SuspendPrincipalRequest") => Answer::Json("SuspendedPrincipalView"), "Suspend a principal: every credential of its is refused.";
    Post "/principals/{principal}/resume" "principal-resume" ["principal.resume"] None => Empty, "Resume a suspended principal.";
    Get "/suspended-principals" "principal-suspended-list" ["principal.list"] None => Page("SuspendedPrincipalView"), "List the suspended principals.";

    Get "/rules" "rule-list" ["rule.list"] None => Page("RuleView"), "List the automatic rules.";
    Get "/rules/{rule}" "rule-read" ["rule.read"] None => Answer::Json("RuleView"), "Show an automatic rule.";
    Put "/rules/{rule}" "rule-write" ["rule.write"] Body::Json("PutRuleRequest") => Answer::Json("WrittenRule"), "Write an automatic rule, and say what it would do.";
    Delete "/rules/{rule}" "rule-delete" ["rule.delete"] None => Empty, "Delete an automatic rule.";
    Post "/rules/{rule}/release" "rule-release" ["rule.release"] OptionalJson("ReleaseRuleRequest") => Answer::Json("ReleasedRule"), "Let go, or drop, what a rule holds because it is over its limit.";
    Post "/rule-tests" "rule-test" ["rule.write"] Body::Json("TestRuleRequest") => Answer::Json("RuleTrial"), "Say what a rule would do, without writing it.";
    Get "/rule-acts" "rule-act-list" ["rule.list"] None => Page("RuleActView"), "List what rules did, newest first.";
    Post "/rule-acts/{act}/undo" "rule-act-undo" ["rule.undo"] None => Answer::Json("RuleActView"), "Undo what a rule did, where there is a way back.";
    Post "/verdicts" "verdict-submit" ["verdict.submit"] Body::Json("SubmitVerdictRequest") => Answer::Json("VerdictView"), "Hand in a verdict about a principal or a key, for rules to answer.";

    Get "/approvals" "approval-list" ["approval.list"] None => Page("ApprovalView"), "List the requests for approval, newest first.";
    Get "/approvals/{approval}" "approval-read" ["approval.read"] None => Answer::Json("ApprovalView"), "Show what is to be approved, and who approved.";
    Post "/approvals/{approval}/approve" "approval-approve" ["approval.approve"] Body::Json("ApproveRequest") => Answer::Json("ApprovalView"), "Approve of an act that a policy marks.";
    Post "/approvals/{approval}/reject" "approval-reject" ["approval.reject"] OptionalJson("RejectApprovalRequest") => Answer::Json("ApprovalView"), "Reject a request for approval.";
    Get "/approval-key" "approval-key" ["approval.read"] None => Answer::Json("ApprovalKey"), "Show the public key by which the server signs for approvers.";

    Get "/authorities" "authority-list" ["authority.list"] None => Page("AuthorityView"), "List the certificate authorities.";
    Post "/authorities" "authority-create" ["authority.create"] Body::Json("CreateAuthorityRequest") => Created("AuthorityView"), "Make a certificate authority, on a key.";
    Get "/authorities/{authority}" "authority-read" ["authority.read"] None => Answer::Json("AuthorityView"), "Show an authority.";
    Patch "/authorities/{authority}" "authority-update" ["authority.update"] Body::Json("UpdateAuthorityRequest") => Answer::Json("AuthorityView"), "Change how an authority issues and publishes.";
    Delete "/authorities/{authority}" "authority-delete" ["authority.delete"] None => Empty, "Delete an authority that has issued nothing that still counts.";
    Put "/authorities/{authority}/profiles/{profile}" "authority-profile-put" ["authority.update"] Body::Json("AuthorityProfile") => Answer::Json("AuthorityView"), "Write a profile of an authority's own.";
    Delete "/authorities/{authority}/profiles/{profile}" "authority-profile-delete" ["authority.update"] None => Answer::Json("AuthorityView"), "Take such a profile away.";
    Post "/authorities/{authority}/install" "authority-install" ["authority.update"] Body::Json("InstallCertificateRequest") => Answer::Json("AuthorityView"), "Give an authority a certificate from elsewhere.";
    Post "/authorities/{authority}/renew" "authority-renew" ["authority.update"] OptionalJson("RenewAuthorityRequest") => Answer::Json("AuthorityView"), "Certify an authority anew, on the same key or a new one.";
    Post "/authorities/{authority}/certify" "authority-certify" ["authority.certify"] Body::Json("CertifyRequest") => Created("CertificateView"), "Certify another authority.";
    Post "/authorities/{authority}/publish" "authority-publish" ["authority.publish"] None => Answer::Json("AuthorityView"), "Make an authority's revocation lists anew.";
    Get "/authorities/{authority}/certificates" "certificate-list" ["certificate.list"] None => Page("CertificateView"), "List an authority's certificates.";
    Post "/authorities/{authority}/certificates" "certificate-issue" ["certificate.issue"] Body::Json("IssueCertificateRequest") => Created("IssuedCertificate"), "Issue a certificate.";
    Get "/authorities/{authority}/certificates/{serial}" "certificate-read" ["certificate.read"] None => Answer::Json("CertificateView"), "Show a certificate.";
    Post "/authorities/{authority}/certificates/{serial}/revoke" "certificate-revoke" ["certificate.revoke"] Body::Json("RevokeCertificateRequest") => Answer::Json("CertificateView"), "Revoke a certificate, or hold it.";
    Post "/authorities/{authority}/certificates/{serial}/release" "certificate-release" ["certificate.revoke"] None => Answer::Json("CertificateView"), "End a certificate's hold.";

    Get "/authorities/{authority}/acme" "acme-read" ["authority.read"] None => Answer::Json("AcmeView"), "Say how an authority is open to ACME.";
    Put "/authorities/{authority}/acme" "acme-enable" ["acme.manage"] Body::Json("EnableAcmeRequest") => Answer::Json("AcmeView"), "Open an authority to ACME, or change how it is open.";
    Delete "/authorities/{authority}/acme" "acme-disable" ["acme.manage"] None => Empty, "Close an authority to ACME.";
    Get "/authorities/{authority}/acme/keys" "acme-key-list" ["acme.manage"] None => Page("AcmeKeyView"), "List the keys that ACME accounts are bound to.";
    Post "/authorities/{authority}/acme/keys" "acme-key-create" ["acme.manage"] OptionalJson("CreateAcmeKeyRequest") => Created("CreateAcmeKeyResponse"), "Make a key that one ACME account can be bound to.";
    Delete "/authorities/{authority}/acme/keys/{key}" "acme-key-revoke" ["acme.manage"] None => Empty, "Take such a key away.";

    Get "/authorities/{authority}/est" "est-read" ["authority.read"] None => Answer::Json("EstView"), "Say how an authority is open to EST.";
    Put "/authorities/{authority}/est" "est-enable" ["est.manage"] Body::Json("EnableEstRequest") => Answer::Json("EstView"), "Open an authority to EST, or change how it is open.";
    Delete "/authorities/{authority}/est" "est-disable" ["est.manage"] None => Empty, "Close an authority to EST.";

    Get "/ssh/authorities" "ssh-authority-list" ["ssh-authority.list"] None => Page("SshAuthorityView"), "List the SSH certificate authorities.";
    Post "/ssh/authorities" "ssh-authority-create" ["ssh-authority.create"] Body::Json("CreateSshAuthorityRequest") => Created("SshAuthorityView"), "Make an SSH certificate authority, on a key.";
    Get "/ssh/authorities/{authority}" "ssh-authority-read" ["ssh-authority.read"] None => Answer::Json("SshAuthorityView"), "Show an SSH authority with its roles.";
    Delete "/ssh/authorities/{authority}" "ssh-authority-delete" ["ssh-authority.delete"] None => Empty, "Delete an SSH authority that has issued nothing that still counts.";
    Put "/ssh/authorities/{authority}/roles/{role}" "ssh-role-write" ["ssh-role.write"] Body::Json("PutSshRoleRequest") => Answer::Json("SshAuthorityView"), "Write a role of an SSH authority.";
    Delete "/ssh/authorities/{authority}/roles/{role}" "ssh-role-delete" ["ssh-role.delete"] None => Empty, "Delete a role of an SSH authority.";
    Post "/ssh/authorities/{authority}/roles/{role}/sign" "ssh-sign" ["ssh-certificate.sign"] Body::Json("SshSignRequest") => Created("SshCertificateView"), "Certify a public key by a role.";
    Get "/ssh/authorities/{authority}/certificates" "ssh-certificate-list" ["ssh-certificate.list"] None => Page("SshCertificateView"), "List an SSH authority's certificates.";
    Get "/ssh/authorities/{authority}/certificates/{serial}" "ssh-certificate-read" ["ssh-certificate.read"] None => Answer::Json("SshCertificateView"), "Show an SSH certificate.";
    Post "/ssh/authorities/{authority}/revoke" "ssh-revoke" ["ssh-certificate.revoke"] Body::Json("SshRevokeRequest") => Answer::Json("SshAuthorityView"), "Revoke SSH certificates or keys, for good.";
    Get "/ssh/authorities/{authority}/krl" "ssh-krl" ["ssh-authority.read"] None => Answer::Json("SshKrlResponse"), "Fetch an SSH authority's key revocation list.";

    Get "/tsa" "tsa-list" ["tsa.list"] None => Page("TsaView"), "List the time-stamping authorities.";
    Post "/tsa" "tsa-create" ["tsa.manage"] Body::Json("CreateTsaRequest") => Created("TsaView"), "Make a time-stamping authority, on a key and its certificate.";
    Get "/tsa/{tsa}" "tsa-read" ["tsa.read"] None => Answer::Json("TsaView"), "Show a time-stamping authority.";
    Delete "/tsa/{tsa}" "tsa-delete" ["tsa.manage"] None => Empty, "Delete a time-stamping authority.";

    Get "/trusts" "trust-list" ["trust.list"] None => Page("TrustView"), "List the external authorities of principals.";
    Post "/trusts" "trust-create" ["trust.create"] Body::Json("CreateTrustRequest") => Created("TrustView"), "Trust an external authority to say who principals are.";
    Get "/trusts/{trust}" "trust-read" ["trust.read"] None => Answer::Json("TrustView"), "Show an external authority.";
    Patch "/trusts/{trust}" "trust-update" ["trust.update"] Body::Json("UpdateTrustRequest") => Answer::Json("TrustView"), "Change a trust's intermediates, or how much must be known of revocation.";
    Post "/trusts/{trust}/crls" "trust-import-crl" ["trust.import-crl"] Body::Json("ImportTrustCrlRequest") => Answer::Json("TrustView"), "Import revocation lists of an external authority.";
    Delete "/trusts/{trust}" "trust-delete" ["trust.delete"] None => Empty, "Trust an external authority no longer.";

    Get "/groups" "group-list" ["group.list"] None => Page("GroupView"), "List the groups of who shares a key.";
    Post "/groups" "group-create" ["group.create"] Body::Json("CreateGroupRequest") => Created("GroupView"), "Let a group of principals share a key.";
    Get "/groups/{group}" "group-read" ["group.read"] None => Answer::Json("GroupView"), "Show a group.";
    Delete "/groups/{group}" "group-delete" ["group.delete"] None => Empty, "Delete a group; its key stays.";
    Get "/groups/{group}/members" "group-member-list" ["group.read"] None => Page("GroupMemberView"), "List a group's members, and who of them has the newest version.";
    Post "/groups/{group}/members" "group-member-add" ["group.add"] Body::Json("AddGroupMembersRequest") => Answer::Json("GroupView"), "Add members to a group.";
    Post "/groups/{group}/members/remove" "group-member-remove" ["group.remove"] Body::Json("RemoveGroupMembersRequest") => Answer::Json("GroupView"), "Remove members from a group, and give its key a new version.";
    Post "/groups/{group}/rekey" "group-rekey" ["group.rekey"] None => Answer::Json("GroupView"), "Give a group's key a new version.";
    Get "/groups/{group}/holders" "group-holders" ["group.read"] None => Page("HolderView"), "List who was given which version of a group's key.";

    Get "/limits" "limits-read" ["limits.read"] None => Answer::Json("LimitsView"), "Show the namespace's limits.";
    Put "/limits" "limits-write" ["limits.write"] Body::Json("PutLimitsRequest") => Answer::Json("LimitsView"), "Set the namespace's limits.";

    Post "/keyrings/{keyring}/keys/{key}/jobs" "job-create" ["job.create"] OptionalJson("CreateJobRequest") => Answer::Json("JobView"), "Make a re-encryption job for a key.";
    Get "/jobs" "job-list" ["job.list"] None => Page("JobView"), "List the re-encryption jobs of the namespace.";
    Get "/jobs/{job}" "job-read" ["job.read"] None => Answer::Json("JobView"), "Show a re-encryption job.";
    Patch "/jobs/{job}" "job-update" ["job.update"] Body::Json("UpdateJobRequest") => Answer::Json("JobView"), "Pause, resume, finish or cancel a re-encryption job.";
    Post "/jobs/{job}/batches" "job-batch" ["key.reencrypt"] Body::Json("JobBatchRequest") => Answer::Json("JobBatchResponse"), "Move the next batch of ciphertexts of a job to the newest version.";
    Get "/jobs/{job}/report" "job-report" ["job.read"] None => Answer::Json("JobReport"), "Give the signed report of a re-encryption job.";

    Get "/algorithm-withdrawals" "algorithm-withdrawal-list" ["algorithm.list"] None => Page("WithdrawnAlgorithm"), "List the withdrawn algorithms.";
    Put "/algorithm-withdrawals/{algorithm}" "algorithm-withdraw" ["algorithm.withdraw"] Body::Json("WithdrawAlgorithmRequest") => Answer::Json("AlgorithmWithdrawal"), "Withdraw an algorithm, and say which keys that reaches.";
    Delete "/algorithm-withdrawals/{algorithm}" "algorithm-readmit" ["algorithm.withdraw"] None => Empty, "Take the withdrawal of an algorithm back.";

    Get "/incidents" "incident-list" ["incident.read"] None => Page("IncidentView"), "List the incidents of the namespace.";
    Get "/incidents/{incident}" "incident-read" ["incident.read"] None => Answer::Json("IncidentView"), "Show an incident, with its signed report.";
    Get "/incidents/{incident}/touched" "incident-touched" ["incident.read"] None => Page("TouchedView"), "List what an incident touched.";
    Get "/incident-key" "incident-key" ["incident.read"] None => Answer::Json("IncidentKey"), "Show the public key by which incident reports are checked.";
    Get "/weak/findings" "weak-list" ["weak.list"] None => Page("WeakFindingView"), "List what was found about the namespace's keys and certificates.";
    Get "/weak/sweep" "weak-sweep-read" ["weak.sweep"] None => Answer::Json("WeakSweepView"), "Say how the last sweep of stored public keys went.";
    Post "/weak/sweep" "weak-sweep" ["weak.sweep"] None => Answer::Json("WeakSweepView"), "Have every stored public key looked at.";
    Get "/weak/blocklists" "blocklist-list" ["weak.blocklist-list"] None => Page("BlocklistView"), "List the lists of known keys.";
    Post "/weak/blocklists" "blocklist-import" ["weak.blocklist-import"] Body::Json("ImportBlocklistRequest") => Answer::Json("BlocklistView"), "Import a list of known keys, in the place of one of the same name.";
    Delete "/weak/blocklists/{blocklist}" "blocklist-remove" ["weak.blocklist-remove"] None => Empty, "Remove a list of known keys.";

    Get "/events" "event-list" ["event.read"] None => Page("EventView"), "Read the record of what was done.";
    Get "/events/stream" "event-stream" ["event.read"] None => Document("text/event-stream"), "Follow the record of what is done (server-sent events).";

    Get "/notifications/channels" "notification-channel-list" ["notification.list"] None => Page("ChannelView"), "List where notifications go.";
    Post "/notifications/channels" "notification-channel-create" ["notification.manage"] Body::Json("CreateChannelRequest") => Created("ChannelSecretResponse"), "Have events delivered to a webhook or to mailboxes.";
    Get "/notifications/channels/{channel}" "notification-channel-read" ["notification.read"] None => Answer::Json("ChannelView"), "Show a channel and how it stands.";
    Patch "/notifications/channels/{channel}" "notification-channel-update" ["notification.manage"] Body::Json("UpdateChannelRequest") => Answer::Json("ChannelView"), "Change a channel.";
    Delete "/notifications/channels/{channel}" "notification-channel-delete" ["notification.manage"] None => Empty, "Delete a channel with what waits and its dead letters.";
    Post "/notifications/channels/{channel}/secret" "notification-channel-secret" ["notification.manage"] OptionalJson("RotateChannelSecretRequest") => Answer::Json("ChannelSecretResponse"), "Give a webhook another secret; the one before signs beside it for a while.";
    Post "/notifications/channels/{channel}/test" "notification-channel-test" ["notification.manage"] None => Answer::Json("ChannelTested"), "Send a message to a channel now, and say what came of it.";
    Get "/notifications/channels/{channel}/dead-letters" "dead-letter-list" ["notification.read"] None => Page("DeadLetterView"), "List the notifications that were given up.";
    Post "/notifications/channels/{channel}/dead-letters/retry" "dead-letter-retry" ["notification.manage"] OptionalJson("DeadLettersRequest") => Answer::Json("DeadLettersDone"), "Deliver dead letters after all.";
    Post "/notifications/channels/{channel}/dead-letters/discard" "dead-letter-discard" ["notification.manage"] OptionalJson("DeadLettersRequest") => Answer::Json("DeadLettersDone"), "Let dead letters go.";

    Post "/storage/rotate-storage-key" "storage-rotate-storage-key" ["storage.rotate-storage-key"] None => Answer::Json("RotateStorageKeyResponse"), "Begin a new storage key.";
    Post "/storage/rotate-root" "storage-rotate-root" ["storage.rotate-root"] None => Answer::Json("RotateRootResponse"), "Replace the root key.";
    Post "/storage/backup" "storage-backup" ["storage.backup"] None => Document("application/octet-stream"), "Stream a sealed backup.";
    Get "/storage/verify" "storage-verify" ["storage.verify"] None => Answer::Json("StorageReport"), "Check every record.";
    Get "/seals" "seal-list" ["seal.list"] None => Page("SealView"), "List the seals.";
    Post "/seals" "seal-add" ["seal.add"] Body::Json("AddSealRequest") => Created("AddSealResponse"), "Add a seal.";
    Delete "/seals/{seal}" "seal-remove" ["seal.remove"] None => Empty, "Remove a seal.";
};

/// The route of that name, found while compiling; a wrong name does not compile
/// when this is called in a constant.
pub const fn route(id: &str) -> &'static Route {
    let mut at = 0;
    while at < ROUTES.len() {
        if same(ROUTES[at].id, id) {
            return &ROUTES[at];
        }
        at += 1;
    }
    // In a constant this is an error of the compiler's.
    panic!("no route has this name")
}

const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Finds a route by its name.
pub fn by_id(id: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_addresses_are_unique() {
        let ids: BTreeSet<_> = ROUTES.iter().map(|route| route.id).collect();
        assert_eq!(ids.len(), ROUTES.len());
        let places: BTreeSet<_> = ROUTES
            .iter()
            .map(|route| (route.path, route.method))
            .collect();
        assert_eq!(places.len(), ROUTES.len());
        assert!(by_id("encrypt").is_some() && by_id("nonesuch").is_none());
    }

    #[test]
    fn creates_take_an_idempotency_key_and_changes_refuse_it() {
        let taking: Vec<_> = ROUTES
            .iter()
            .filter(|route| route.takes_idempotency_key())
            .map(|route| route.id)
            .collect();
        assert_eq!(
            taking,
            [
                "namespace-create",
                "keyring-create",
                "key-create",
                "key-import",
                "derive-key",
                "agree-key",
                "token-create",
                "principal-create",
                "authority-create",
                "authority-certify",
                "certificate-issue",
                "ssh-authority-create",
                "ssh-sign",
                "tsa-create",
                "trust-create",
                "group-create",
                "notification-channel-create"
            ]
        );
        for (id, refuses) in [
            ("key-rotate", true),
            ("seal-add", true),
            ("key-create", false),
            ("encrypt", false),
            ("key-read", false),
        ] {
            assert_eq!(
                by_id(id).unwrap().refuses_idempotency_key(),
                refuses,
                "{id}"
            );
        }
    }

    #[test]
    fn every_urgent_route_is_there() {
        let urgent = ROUTES.iter().filter(|route| route.is_urgent()).count();
        assert_eq!(urgent, 13);
        assert!(!by_id("encrypt").unwrap().is_urgent());
    }

    #[test]
    fn only_these_are_open_to_anyone() {
        let open: Vec<_> = ROUTES
            .iter()
            .filter(|route| route.auth == Auth::Open)
            .map(|route| route.path)
            .collect();
        assert_eq!(
            open,
            [
                "/health",
                "/seal-status",
                "/unseal",
                "/openapi.json",
                "/algorithms"
            ]
        );
    }

    #[test]
    fn every_named_schema_exists() {
        let schemas = super::super::openapi::schemas();
        let names: BTreeSet<_> = schemas.iter().map(|(name, _)| name.as_str()).collect();
        for route in ROUTES {
            if let Body::Json(name) | OptionalJson(name) | OneOrBatch(name) = route.body {
                assert!(names.contains(name), "{name}");
            }
            if let Answer::Json(name) | Created(name) | Page(name) | OneOrResults(name) =
                route.answer
            {
                assert!(names.contains(name), "{name}");
            }
        }
    }
}
