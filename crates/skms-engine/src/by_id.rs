//! Keys called by their identifier instead of their names: what was encrypted
//! may lie about for years where no name should stand in the clear, and still
//! has to say which key it is of.

use skms_keys::KeyId;
use skms_store::{Kind, RecordId};

use crate::error::Result;
use crate::gate::{Entry, KeyRef};
use crate::records;
use crate::records::key::KeyRecord;

/// Stands for the keyring where an identifier stands for the name. No keyring
/// is called so.
const BY_ID: &str = "-";

/// A key's names, for a call that came without them.
pub(crate) struct Named {
    keyring: String,
    name: String,
}

impl Named {
    /// The same place, by names.
    pub(crate) fn at<'a>(&'a self, at: KeyRef<'a>) -> KeyRef<'a> {
        KeyRef {
            namespace: at.namespace,
            keyring: &self.keyring,
            name: &self.name,
        }
    }
}

impl Entry {
    /// The names of a key of this namespace that was called by its identifier;
    /// none if it was not, or if there is no such key, so that it is looked up
    /// in vain and refused as any other. Policy decides afterwards, by the
    /// names: nothing is told here.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn named(&self, at: KeyRef<'_>) -> Result<Option<Named>> {
        if at.keyring != BY_ID {
            return Ok(None);
        }
        let Ok(id) = at.name.parse::<KeyId>() else {
            return Ok(None);
        };
        let Some(namespace) = self.rooms.places.namespace(at.namespace) else {
            return Ok(None);
        };
        let store = &self.rooms.store;
        let Some(stored) = store.get(namespace.id.0, Kind::Key, RecordId(id.0)).await? else {
            return Ok(None);
        };
        let record: KeyRecord = records::decode(stored.plaintext.expose())?;
        let key = record.into_domain(stored.id, namespace.id)?;
        let ring = namespace
            .keyrings
            .iter()
            .find(|(_, ring)| ring.ring.id == key.keyring);
        Ok(ring.map(|(keyring, _)| Named {
            keyring: keyring.clone(),
            name: key.name.as_str().to_owned(),
        }))
    }
}
