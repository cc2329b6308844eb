//! Records that lie side by side because they belong together: what depends on
//! one version of a key, for instance. The first half of their ids is a digest
//! of what they are a group of, the rest rises in the order in which they are
//! made, so that whatever was made one after the other is read in one go.

use super::{Record, SealedStore, place};
use crate::error::{Error, Result};
use crate::store::{Kind, RecordId};

/// How much of an id is the group's.
const OF_GROUP: usize = 8;

impl SealedStore {
    /// A fresh id for a record of a group, by which [`SealedStore::scan_in`]
    /// finds the group's without looking through others. Whoever reads the
    /// database sees which records of a kind are of one group, as with names
    /// that are equal, and nothing of what it is.
    ///
    /// # Errors
    /// [`Error::Sealed`]; [`Error::Crypto`] when the system gives no randomness.
    pub fn id_in(&self, namespace: [u8; 16], kind: Kind, group: &str) -> Result<RecordId> {
        let RecordId(mut id) = self.id_of(namespace, kind, group)?;
        let random: [u8; 4] = skms_crypto::rand::array()?;
        // That it begins anew after so many only costs the order.
        let [_, _, _, _, number @ ..] = self.next_number().to_be_bytes();
        id[OF_GROUP..12].copy_from_slice(&number);
        id[12..].copy_from_slice(&random);
        Ok(RecordId(id))
    }

    fn before_all_in(&self, namespace: [u8; 16], kind: Kind, group: &str) -> Result<RecordId> {
        let RecordId(mut id) = self.id_of(namespace, kind, group)?;
        id[OF_GROUP..].fill(0);
        Ok(RecordId(id))
    }

    /// The records of a group in a namespace, in order of id, after `after`, at
    /// most `limit`: fewer only at the end. By chance there may be one of
    /// another group among them.
    ///
    /// # Errors
    /// As [`SealedStore::get`].
    pub async fn scan_in(
        &self,
        namespace: [u8; 16],
        kind: Kind,
        group: &str,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Record>> {
        let first = self.before_all_in(namespace, kind, group)?;
        let keyring = self.0.keyring()?;
        let scope = place::scope(&keyring, namespace, kind)?;
        let after = after.unwrap_or(first);
        let rows = self
            .true_scan(kind, Some(scope), Some(after), limit)
            .await?;
        let mut records = Vec::new();
        // What lies behind the group is not opened.
        for row in rows.iter().take_while(|row| alike(row.id, first)) {
            let record = self.open_at(&keyring, (namespace, scope), row).await?;
            records.push(record.ok_or(Error::Altered { kind, id: row.id })?);
        }
        Ok(records)
    }

    /// Which of these groups have records.
    ///
    /// # Errors
    /// [`Error::Sealed`], and the backend's.
    pub async fn any_in(
        &self,
        namespace: [u8; 16],
        kind: Kind,
        groups: &[String],
    ) -> Result<Vec<bool>> {
        let scope = place::scope(&*self.0.keyring()?, namespace, kind)?;
        let first = |group: &String| self.before_all_in(namespace, kind, group);
        let first = groups.iter().map(first).collect::<Result<Vec<_>>>()?;
        let found = self.0.store.next_each(kind, scope, first.clone()).await?;
        if found.len() != first.len() {
            return Err(Error::Invalid("the backend left out what it was to read"));
        }
        let both = found.into_iter().zip(first);
        Ok(both
            .map(|(found, first)| found.is_some_and(|id| alike(id, first)))
            .collect())
    }
}

fn alike(one: RecordId, other: RecordId) -> bool {
    one.0[..OF_GROUP] == other.0[..OF_GROUP]
}
