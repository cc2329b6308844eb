//! Keys and their versions.

use skms_wire::native::due::{DueQuery, DueView};
use skms_wire::native::keys::{
    AgreeKeyRequest, AgreeKeyResponse, CreateKeyRequest, DeriveKeyRequest, DeriveKeyResponse,
    ExportRequest, ExportResponse, ImportKeyRequest, KeyChange, KeyView, PublicKeyQuery,
    PublicKeyResponse, RecoveryGrantRequest, RevokeRequest, RotateRequest, UpdateKeyRequest,
    VersionRequest,
};
use skms_wire::native::routes::{Route, route};
use skms_wire::native::versions::VersionView;

use crate::{Client, Result};

calls! {
    /// A page of a keyring's keys.
    page keys ["key-list"] (keyring) => KeyView;
    /// Makes a key.
    json create_key ["key-create"] (keyring) send CreateKeyRequest => KeyChange;
    /// Brings a key.
    json import_key ["key-import"] (keyring) send ImportKeyRequest => KeyChange;
    /// Makes a key that this one agrees on with a peer's.
    json agree_key ["agree-key"] (keyring, key) send AgreeKeyRequest => AgreeKeyResponse;
    /// Derives a key from this one.
    json derive_key ["derive-key"] (keyring, key) send DeriveKeyRequest => DeriveKeyResponse;
    /// Shows a key.
    json key ["key-read"] (keyring, key) => KeyView;
    /// Changes a key's rules, tags, owner or minimum versions.
    json update_key ["key-update"] (keyring, key) send UpdateKeyRequest => KeyChange;
    /// Deletes a key whose versions are all destroyed.
    nothing delete_key ["key-delete"] (keyring, key);
    /// A page of a key's versions.
    page versions ["key-version-list"] (keyring, key) => VersionView;
    /// Shows a version.
    json version ["key-version-read"] (keyring, key, version) => VersionView;
    /// Adds a version.
    json rotate_key ["key-rotate"] (keyring, key) send RotateRequest => KeyChange;
    /// Suspends.
    json suspend_key ["key-suspend"] (keyring, key) send VersionRequest => KeyChange;
    /// Resumes.
    json resume_key ["key-resume"] (keyring, key) send VersionRequest => KeyChange;
    /// Revokes, with a reason.
    json revoke_key ["key-revoke"] (keyring, key) send RevokeRequest => KeyChange;
    /// Begins the wait before destruction.
    json destroy_key ["key-destroy"] (keyring, key) send VersionRequest => KeyChange;
    /// Cancels a destruction that still waits.
    json restore_key ["key-restore"] (keyring, key) send VersionRequest => KeyChange;
    /// Permits processing with a compromised version for a while.
    json grant_recovery ["key-recovery-grant"] (keyring, key) send RecoveryGrantRequest => KeyChange;
    /// Takes out an exportable key.
    json export_key ["key-export"] (keyring, key) send ExportRequest => ExportResponse;
}

impl Client {
    /// Shows what is due for the namespace's keys, and when.
    pub async fn keys_due(&self, query: &DueQuery) -> Result<DueView> {
        const ROUTE: &Route = route("key-due");
        let within = query
            .within_seconds
            .map(|seconds| ("within_seconds", seconds.to_string()));
        let limit = query.limit.map(|limit| ("limit", limit.to_string()));
        let query: Vec<_> = within.into_iter().chain(limit).collect();
        self.json(ROUTE, &[], &query, None::<&()>).await
    }

    /// Shows a public key.
    pub async fn public_key(
        &self,
        keyring: &str,
        key: &str,
        query: &PublicKeyQuery,
    ) -> Result<PublicKeyResponse> {
        const ROUTE: &Route = route("key-public");
        let version = query
            .version
            .map(|version| ("version", version.to_string()));
        let format = query.format.map(|format| ("format", format.to_string()));
        let query: Vec<_> = version.into_iter().chain(format).collect();
        self.json(ROUTE, &[keyring, key], &query, None::<&()>).await
    }
}
