//! Opening authorities to ACME, and the keys that accounts are bound to.

use skms_wire::native::acme::{
    AcmeKeyView, AcmeView, CreateAcmeKeyRequest, CreateAcmeKeyResponse, EnableAcmeRequest,
};

calls! {
    /// Says how an authority is open to ACME.
    json acme ["acme-read"] (authority) => AcmeView;
    /// Opens an authority to ACME, or changes how it is open.
    json enable_acme ["acme-enable"] (authority) send EnableAcmeRequest => AcmeView;
    /// Closes an authority to ACME.
    nothing disable_acme ["acme-disable"] (authority);
    /// A page of the keys that accounts can be bound to.
    page acme_keys ["acme-key-list"] (authority) => AcmeKeyView;
    /// Makes a key that one account can be bound to.
    json create_acme_key ["acme-key-create"] (authority) send CreateAcmeKeyRequest => CreateAcmeKeyResponse;
    /// Takes a key away.
    nothing revoke_acme_key ["acme-key-revoke"] (authority, key);
}
