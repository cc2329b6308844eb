//! Certificate authorities and their certificates.

use skms_wire::native::authorities::{
    AuthorityProfile, AuthorityView, CertifyRequest, CreateAuthorityRequest,
    InstallCertificateRequest, RenewAuthorityRequest, UpdateAuthorityRequest,
};
use skms_wire::native::certificates::{
    CertificateView, IssueCertificateRequest, IssuedCertificate, RevokeCertificateRequest,
};
use skms_wire::native::documents::{
    SignDocumentRequest, SignDocumentResponse, StampRequest, StampResponse,
};

calls! {
    /// A page of the certificate authorities.
    page authorities ["authority-list"] () => AuthorityView;
    /// Makes an authority on a key that is there.
    json create_authority ["authority-create"] () send CreateAuthorityRequest => AuthorityView;
    /// Shows an authority.
    json authority ["authority-read"] (authority) => AuthorityView;
    /// Changes how an authority issues and publishes.
    json update_authority ["authority-update"] (authority) send UpdateAuthorityRequest => AuthorityView;
    /// Deletes an authority that has issued nothing that still counts.
    nothing delete_authority ["authority-delete"] (authority);
    /// Writes a profile of an authority's own.
    json put_authority_profile ["authority-profile-put"] (authority, profile) send AuthorityProfile => AuthorityView;
    /// Takes such a profile away.
    json delete_authority_profile ["authority-profile-delete"] (authority, profile) => AuthorityView;
    /// Gives an authority a certificate from elsewhere.
    json install_certificate ["authority-install"] (authority) send InstallCertificateRequest => AuthorityView;
    /// Certifies an authority anew, on the same key or a new one.
    json renew_authority ["authority-renew"] (authority) send RenewAuthorityRequest => AuthorityView;
    /// Certifies another authority.
    json certify ["authority-certify"] (authority) send CertifyRequest => CertificateView;
    /// Makes an authority's revocation lists anew.
    json publish ["authority-publish"] (authority) => AuthorityView;
    /// A page of an authority's certificates.
    page certificates ["certificate-list"] (authority) => CertificateView;
    /// Issues a certificate.
    json issue_certificate ["certificate-issue"] (authority) send IssueCertificateRequest => IssuedCertificate;
    /// Shows a certificate.
    json certificate ["certificate-read"] (authority, serial) => CertificateView;
    /// Revokes a certificate, or holds it.
    json revoke_certificate ["certificate-revoke"] (authority, serial) send RevokeCertificateRequest => CertificateView;
    /// Signs a document with a certificate of a key.
    json sign_document ["sign-document"] (keyring, key) send SignDocumentRequest => SignDocumentResponse;
    /// Answers a request for a time-stamp.
    json stamp ["timestamp"] (keyring, key) send StampRequest => StampResponse;
    /// Ends a certificate's hold.
    json release_certificate ["certificate-release"] (authority, serial) => CertificateView;
}
