//! A compromise: what was ordered, how far it has come, and what it touched.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use skms_keys::Taint;
use skms_store::Kind;

use super::Record;

/// How far a compromise goes along the lineage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// The key alone.
    None,
    /// What depends on it by itself.
    Direct,
    /// Everything that depends on it.
    #[default]
    All,
}

impl FromStr for Reach {
    type Err = ();

    /// By its name, as the command line and rules have it.
    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "none" => Ok(Self::None),
            "direct" => Ok(Self::Direct),
            "all" => Ok(Self::All),
            _ => Err(()),
        }
    }
}

impl Reach {
    /// What it means for the versions that it begins with.
    pub(crate) const fn taint(self) -> Taint {
        match self {
            Self::None => Taint::None,
            Self::Direct => Taint::Direct,
            Self::All => Taint::All,
        }
    }

    /// And for those that depend on them.
    pub(crate) const fn taint_below(self) -> Taint {
        match self {
            Self::None | Self::Direct => Taint::None,
            Self::All => Taint::All,
        }
    }
}

/// Which keys are given a new version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rotation {
    /// None.
    None,
    /// Those whose rules say that they are rotated.
    #[default]
    Rule,
    /// Every one that can be.
    All,
}

impl FromStr for Rotation {
    type Err = ();

    /// By its name, as the command line and rules have it.
    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "none" => Ok(Self::None),
            "rule" => Ok(Self::Rule),
            "all" => Ok(Self::All),
            _ => Err(()),
        }
    }
}

/// How many of what were touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Versions that were marked compromised, the first ones included.
    pub compromised: u64,
    /// Versions that were so before.
    pub already: u64,
    /// Versions that policy spared.
    pub spared: u64,
    /// Versions that could not be changed.
    pub failed: u64,
    /// Certificates that are revoked.
    pub certificates: u64,
    /// Authorities that stand on a touched version: of certificates, of SSH, of
    /// time-stamps.
    pub authorities: u64,
    /// Tokens that were revoked.
    pub tokens: u64,
    /// Keys that have a new version.
    pub rotated: u64,
    /// SSH certificates that are revoked.
    #[serde(default)]
    pub ssh_certificates: u64,
    /// Key exchanges that waited and were ended.
    #[serde(default)]
    pub exchanges: u64,
    /// Principals who were given a touched key, or secrets by it. Known at the
    /// end.
    #[serde(default)]
    pub recipients: u64,
}

/// What a compromise touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// What it is: `key`, `certificate`, `authority`, `ssh-authority`, `tsa`,
    /// `ssh-certificate`, `exchange`, `token`.
    pub kind: String,
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The version of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// In what way it depends on `under`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// What it depends on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<String>,
    /// What became of it: `compromised`, `already`, `spared`, `revoked`,
    /// `stopped`, `ended`, `failed`.
    pub outcome: String,
    /// Who answers for a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Whether the key is given a new version, if it can be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rotates: bool,
    /// More, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// An incident.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IncidentRecord {
    pub(crate) namespace: String,
    pub(crate) keyring: String,
    pub(crate) key: String,
    pub(crate) key_id: String,
    pub(crate) versions: Vec<u32>,
    /// RFC 5280's name.
    pub(crate) revocation_reason: String,
    pub(crate) reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<i64>,
    pub(crate) at: i64,
    pub(crate) by: String,
    /// The namespace of that principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by_namespace: Option<String>,
    pub(crate) authentication: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    /// The rule whose act it is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by_rule: Option<ByRule>,
    pub(crate) reach: Reach,
    pub(crate) rotation: Rotation,
    pub(crate) counts: Counts,
    /// Pages of what was touched.
    pub(crate) pages: u32,
    /// Entries in them.
    pub(crate) touched: u64,
    /// When everything was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finished_at: Option<i64>,
    /// The signed report, once everything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) report: Option<String>,
}

/// The rule whose act an incident is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ByRule {
    pub(crate) rule: String,
    /// How many rules came before it in a chain, and itself.
    pub(crate) chain: u32,
}

impl Record for IncidentRecord {
    const KIND: Kind = Kind::Incident;
}

/// A page of what an incident touched, written in the batch that did it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TouchedRecord {
    pub(crate) incident: String,
    pub(crate) page: u32,
    pub(crate) touched: Vec<Touched>,
}

impl Record for TouchedRecord {
    const KIND: Kind = Kind::Job;
}

/// What a page is looked up by.
pub(crate) fn page_name(incident: &str, page: u32) -> String {
    format!("incident/{incident}/{page}")
}
