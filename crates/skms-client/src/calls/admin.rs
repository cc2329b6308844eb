//! Namespaces, keyrings, tokens, policies and principals.

use skms_wire::native::keyrings::{CreateKeyringRequest, KeyringView};
use skms_wire::native::limits::{LimitsView, PutLimitsRequest};
use skms_wire::native::namespaces::{CreateNamespaceRequest, NamespaceView};
use skms_wire::native::policies::{PolicyView, PutPolicyRequest};
use skms_wire::native::principals::{CreatePrincipalRequest, PrincipalView};
use skms_wire::native::tokens::{CreateTokenRequest, CreateTokenResponse, SelfView, TokenView};

calls! {
    /// A page of the namespaces.
    page namespaces ["namespace-list"] () => NamespaceView;
    /// Makes a namespace.
    json create_namespace ["namespace-create"] () send CreateNamespaceRequest => NamespaceView;
    /// Shows a namespace.
    json namespace ["namespace-read"] (namespace) => NamespaceView;
    /// Deletes an empty namespace.
    nothing delete_namespace ["namespace-delete"] (namespace);
    /// A page of the keyrings.
    page keyrings ["keyring-list"] () => KeyringView;
    /// Makes a keyring.
    json create_keyring ["keyring-create"] () send CreateKeyringRequest => KeyringView;
    /// Shows a keyring.
    json keyring ["keyring-read"] (keyring) => KeyringView;
    /// Deletes an empty keyring.
    nothing delete_keyring ["keyring-delete"] (keyring);
    /// A page of the tokens.
    page tokens ["token-list"] () => TokenView;
    /// Makes a token.
    json create_token ["token-create"] () send CreateTokenRequest => CreateTokenResponse;
    /// Says who is asking.
    json token_self ["token-self"] () => SelfView;
    /// Shows a token.
    json token ["token-read"] (token) => TokenView;
    /// Revokes a token.
    nothing revoke_token ["token-revoke"] (token);
    /// A page of the policies.
    page policies ["policy-list"] () => PolicyView;
    /// Shows a policy.
    json policy ["policy-read"] (policy) => PolicyView;
    /// Writes a policy.
    json put_policy ["policy-write"] (policy) send PutPolicyRequest => PolicyView;
    /// Deletes a policy.
    nothing delete_policy ["policy-delete"] (policy);
    /// Shows the namespace's limits.
    json limits ["limits-read"] () => LimitsView;
    /// Sets the namespace's limits.
    json put_limits ["limits-write"] () send PutLimitsRequest => LimitsView;
    /// A page of the registered certificates.
    page principals ["principal-list"] () => PrincipalView;
    /// Registers a certificate.
    json create_principal ["principal-create"] () send CreatePrincipalRequest => PrincipalView;
    /// Shows a registered certificate.
    json principal ["principal-read"] (principal) => PrincipalView;
    /// Forgets a certificate.
    nothing delete_principal ["principal-delete"] (principal);
}
