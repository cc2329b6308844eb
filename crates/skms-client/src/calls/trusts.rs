//! External authorities of principals.

use skms_wire::native::trusts::{
    CreateTrustRequest, ImportTrustCrlRequest, TrustView, UpdateTrustRequest,
};

calls! {
    /// A page of the external authorities.
    page trusts ["trust-list"] () => TrustView;
    /// Trusts an external authority.
    json create_trust ["trust-create"] () send CreateTrustRequest => TrustView;
    /// Shows an external authority.
    json trust ["trust-read"] (trust) => TrustView;
    /// Changes a trust.
    json update_trust ["trust-update"] (trust) send UpdateTrustRequest => TrustView;
    /// Imports revocation lists.
    json import_trust_crl ["trust-import-crl"] (trust) send ImportTrustCrlRequest => TrustView;
    /// Trusts an authority no longer.
    nothing delete_trust ["trust-delete"] (trust);
}
