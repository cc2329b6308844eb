//! A namespace's limits: one setting, in the namespace's own scope.

use skms_store::Kind;

use super::Record;
use crate::limits::Limits;

/// What the setting is found by.
pub(crate) const NAME: &str = "limits";

impl Record for Limits {
    const KIND: Kind = Kind::Setting;
}
