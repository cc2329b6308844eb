//! Who shares a key, and who was given which version of a key.

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;

/// A group's record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    pub(crate) name: String,
    pub(crate) keyring: String,
    pub(crate) key: String,
    /// The key's identifier.
    pub(crate) key_id: String,
    /// In the order of namespaces and names, nobody twice.
    pub(crate) members: Vec<MemberRecord>,
    /// The version that was the newest when somebody went and the key was not
    /// given another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left: Option<u32>,
    pub(crate) created_at: i64,
}

impl Record for GroupRecord {
    const KIND: Kind = Kind::Group;
}

/// A member: a principal that is known by certificates, since others exchange
/// no keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MemberRecord {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The oldest version that it may fetch.
    pub(crate) from: u32,
    pub(crate) added_at: i64,
}

impl MemberRecord {
    /// What members are in order of.
    pub(crate) fn who(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

/// That a principal was given a version of a key: one record for the three,
/// however often.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HolderRecord {
    /// The key's identifier.
    pub(crate) key: String,
    pub(crate) version: u32,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The identifier and name of the group that it was a member of when it was
    /// given the version last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<(String, String)>,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    /// SHA-256 of the certificate that showed who it was the last time, in hex.
    pub(crate) certificate: String,
    /// SHA-256 of the message that brought the key the last time, in hex.
    pub(crate) exchange: String,
}

impl Record for HolderRecord {
    const KIND: Kind = Kind::Holder;
}

/// What a holder's record is looked up by in the key's namespace. No part has a
/// slash.
pub(crate) fn holder_name(key: &str, version: u32, (namespace, name): (&str, &str)) -> String {
    format!("{key}/{version}/{namespace}/{name}")
}
