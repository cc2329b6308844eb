//! Groups of principals who share a key, and who was given which version.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Moment;

/// A principal who is known by certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupMember {
    /// Its name.
    #[schema(example = "billing")]
    pub name: String,
    /// Its namespace: the group's, which it is if left out, or the root
    /// namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Lets a group of principals share a key. They fetch it by the key exchange.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateGroupRequest {
    /// Its name in the namespace.
    #[schema(example = "orders")]
    pub name: String,
    /// The keyring of its key.
    #[serde(default = "default_keyring")]
    pub keyring: String,
    /// Its key: of a symmetric algorithm, made exportable, and shared by no
    /// other group.
    pub key: String,
    /// Who is in it from the start, 1,000 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<GroupMember>,
    /// Whether these may fetch older versions of the key, too.
    #[serde(default)]
    pub history: bool,
}

fn default_keyring() -> String {
    "default".to_owned()
}

/// Adds members to a group: all of them, or none if one cannot be.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddGroupMembersRequest {
    /// Who, 1,000 at most.
    pub members: Vec<GroupMember>,
    /// Whether they may fetch older versions of the key, too. Who is a member
    /// already is given them so.
    #[serde(default)]
    pub history: bool,
}

/// Removes members from a group: all of them, or none if one is no member.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveGroupMembersRequest {
    /// Who, 1,000 at most.
    pub members: Vec<GroupMember>,
    /// Whether the key gets a new version in the same step. Without one, what
    /// the key protects stays within their reach if they hold it; that is for
    /// keys that cannot be rotated now.
    #[serde(default = "yes")]
    pub rekey: bool,
}

const fn yes() -> bool {
    true
}

/// A group of principals who share a key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GroupView {
    /// Its identifier.
    pub id: String,
    /// The namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The keyring of its key.
    pub keyring: String,
    /// Its key.
    pub key: String,
    /// The key's identifier.
    pub key_id: String,
    /// The key's newest version.
    pub latest_version: u32,
    /// How many members it has.
    pub members: u64,
    /// Whether somebody has gone since the key got its newest version, so that
    /// what the key protects may be within their reach.
    pub rekey_due: bool,
    /// When it was made.
    pub created_at: Moment,
}

/// A member of a group.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GroupMemberView {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How it is known: `certificate`.
    pub kind: String,
    /// The oldest version of the key that it may fetch.
    pub from_version: u32,
    /// When it was added.
    pub added_at: Moment,
    /// When it fetched the key's newest version last; absent if it never has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched_latest_at: Option<Moment>,
}

/// By what a principal has a version of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HolderStanding {
    /// It is a member of the key's group.
    Member,
    /// It was, when it was given the version, and is none now.
    Removed,
    /// A policy permitted it.
    Policy,
}

/// A principal that was given a version of a key by the key exchange.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HolderView {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How it was known: `certificate`.
    pub kind: String,
    /// The version.
    pub version: u32,
    /// By what it has it.
    pub standing: HolderStanding,
    /// The group whose member it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// When it was given the version first.
    pub first_fetched_at: Moment,
    /// And last.
    pub last_fetched_at: Moment,
    /// SHA-256 of the certificate (DER) that it showed the last time,
    /// hexadecimal.
    pub certificate: String,
    /// SHA-256 of message 2 of the exchange of the last time, as its event has
    /// it, hexadecimal.
    pub exchange: String,
}
