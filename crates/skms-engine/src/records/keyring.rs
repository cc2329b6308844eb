//! A keyring.

use serde::{Deserialize, Serialize};
use skms_keys::{Defaults, Keyring, KeyringId, Name, NamespaceId, UnixSeconds};
use skms_store::{Kind, RecordId};

use super::rules::RulesRecord;
use super::{Record, uses_from, uses_names};
use crate::error::{Error, Result};

/// A keyring's record; its namespace is the scope it lives in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyringRecord {
    name: String,
    created_at: i64,
    algorithm: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uses: Option<Vec<String>>,
    rules: RulesRecord,
    exportable: bool,
}

impl Record for KeyringRecord {
    const KIND: Kind = Kind::Keyring;
}

impl From<&Keyring> for KeyringRecord {
    fn from(ring: &Keyring) -> Self {
        Self {
            name: ring.name.as_str().to_owned(),
            created_at: ring.created_at.0,
            algorithm: ring.defaults.algorithm.name().to_owned(),
            uses: ring.defaults.uses.map(uses_names),
            rules: RulesRecord::from(&ring.defaults.rules),
            exportable: ring.defaults.exportable,
        }
    }
}

impl KeyringRecord {
    pub(crate) fn into_domain(self, id: RecordId, namespace: NamespaceId) -> Result<Keyring> {
        let damaged = |reason: &str| Error::Record {
            kind: "keyring",
            reason: reason.to_owned(),
        };
        Ok(Keyring {
            id: KeyringId(id.0),
            namespace,
            name: Name::new(&self.name).map_err(|_| damaged("name"))?,
            defaults: Defaults {
                algorithm: self.algorithm.parse().map_err(|_| damaged("algorithm"))?,
                uses: self
                    .uses
                    .map(|names| uses_from(&names).ok_or_else(|| damaged("uses")))
                    .transpose()?,
                rules: self.rules.into_domain()?,
                exportable: self.exportable,
            },
            created_at: UnixSeconds(self.created_at),
        })
    }
}
