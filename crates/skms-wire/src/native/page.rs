//! Lists, a page at a time.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page of a list. Ask again with `?after=<next>` until `next` is null.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items, in a stable order.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last page.
    pub next: Option<String>,
}

/// How much of a list to answer with, from the query string.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// At most this many items, from 1 to [`PageQuery::LIMIT_MAX`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl PageQuery {
    /// Items a page holds when the caller does not say.
    pub const LIMIT_DEFAULT: u32 = 100;
    /// The most items a page holds.
    pub const LIMIT_MAX: u32 = 1000;
}
