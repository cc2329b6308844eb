//! The directory of sealing keys.

use skms_wire::native::directory::{
    DirectoryCrls, DirectoryCrlsRequest, LookUpStatementRequest, LookedUpStatement, OwnStatements,
    PublishStatementRequest, StatementView,
};

calls! {
    /// Publishes the statement of one's own sealing key.
    json publish_statement ["directory-publish"] () send PublishStatementRequest => StatementView;
    /// One's own statements, the present one first.
    json own_statements ["directory-own"] () => OwnStatements;
    /// Takes one's present statement back.
    json withdraw_statement ["directory-withdraw"] () => StatementView;
    /// What the directory has of a principal. [`Client::look_up`](crate::Client::look_up)
    /// judges it, too.
    json look_up_statement ["directory-lookup"] () send LookUpStatementRequest => LookedUpStatement;
    /// The revocation lists about certificates.
    json directory_crls ["directory-crls"] () send DirectoryCrlsRequest => DirectoryCrls;
}
