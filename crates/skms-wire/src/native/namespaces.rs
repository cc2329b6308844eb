//! Namespaces: tenants.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Moment;

/// Makes a namespace.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateNamespaceRequest {
    /// Its name: letters, digits, `.`, `_`, `-`; parts joined by `/`.
    #[schema(example = "team-a")]
    pub name: String,
}

/// A namespace.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct NamespaceView {
    /// Its lasting identifier: 128 bits, written as a UUID is.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Moment,
}
