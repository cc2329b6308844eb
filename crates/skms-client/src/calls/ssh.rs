//! SSH certificate authorities and their certificates.

use skms_wire::native::ssh::{
    CreateSshAuthorityRequest, PutSshRoleRequest, SshAuthorityView, SshCertificateView,
    SshKrlResponse, SshRevokeRequest, SshSignRequest,
};

calls! {
    /// A page of the SSH certificate authorities.
    page ssh_authorities ["ssh-authority-list"] () => SshAuthorityView;
    /// Makes an SSH authority on a key that is there.
    json create_ssh_authority ["ssh-authority-create"] () send CreateSshAuthorityRequest => SshAuthorityView;
    /// Shows an SSH authority with its roles.
    json ssh_authority ["ssh-authority-read"] (authority) => SshAuthorityView;
    /// Deletes an SSH authority that has issued nothing that still counts.
    nothing delete_ssh_authority ["ssh-authority-delete"] (authority);
    /// Writes a role.
    json put_ssh_role ["ssh-role-write"] (authority, role) send PutSshRoleRequest => SshAuthorityView;
    /// Deletes a role.
    nothing delete_ssh_role ["ssh-role-delete"] (authority, role);
    /// Certifies a public key by a role.
    json sign_ssh ["ssh-sign"] (authority, role) send SshSignRequest => SshCertificateView;
    /// A page of an SSH authority's certificates.
    page ssh_certificates ["ssh-certificate-list"] (authority) => SshCertificateView;
    /// Shows an SSH certificate.
    json ssh_certificate ["ssh-certificate-read"] (authority, serial) => SshCertificateView;
    /// Revokes SSH certificates or keys, for good.
    json revoke_ssh ["ssh-revoke"] (authority) send SshRevokeRequest => SshAuthorityView;
    /// Fetches an SSH authority's key revocation list.
    json ssh_krl ["ssh-krl"] (authority) => SshKrlResponse;
}
