//! Changes to what a key is, not to where its versions stand.

use std::collections::BTreeMap;

use super::Key;
use crate::change::{Change, Changed};
use crate::error::{Error, Result};
use crate::rules::Rules;
use crate::time::UnixSeconds;

/// What is to change; `None` leaves a field as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyUpdate {
    /// Who answers for it.
    pub owner: Option<String>,
    /// All its tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// All its rules. They hold for every version from now on, and bring back
    /// none that is deactivated; a destruction that is scheduled keeps its
    /// date.
    pub rules: Option<Rules>,
    /// Those that `rules` were made from, where they were made from others: by
    /// now the key must not have other ones.
    pub rules_before: Option<Rules>,
    /// `false` keeps the material in for good; `true` changes nothing for a
    /// key that may leave and is refused for one that may not.
    pub exportable: Option<bool>,
}

impl Key {
    /// Changes owner, tags, rules or the leave to export.
    ///
    /// # Errors
    /// [`Error::InvalidField`], [`Error::InvalidRules`], [`Error::RulesChanged`];
    /// [`Error::NotExportable`] for opening a key that was created closed.
    pub fn update(&self, update: KeyUpdate, now: UnixSeconds) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        if let Some(exportable) = update.exportable {
            if exportable && !change.parts.exportable {
                return Err(Error::NotExportable { key: self.id });
            }
            change.parts.exportable = exportable;
        }
        if let Some(owner) = update.owner {
            if owner != change.parts.owner {
                change.parts.orphaned = false;
            }
            change.parts.owner = owner;
        }
        if let Some(tags) = update.tags {
            change.parts.tags = tags;
        }
        if let Some(rules) = update.rules {
            let before = update.rules_before.unwrap_or(change.parts.rules);
            if before != change.parts.rules {
                return Err(Error::RulesChanged { key: self.id });
            }
            if rules.rotate_with != change.parts.rules.rotate_with {
                change.parts.followed = None;
            }
            if rules != change.parts.rules {
                // Their dates are others now, and worth a word again.
                for version in &mut change.parts.versions {
                    version.warned.clear();
                }
            }
            change.parts.rules = rules;
        }
        change.finish()
    }
}
