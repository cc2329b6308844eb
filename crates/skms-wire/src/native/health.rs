//! Health, and the algorithms on offer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::terms::KeyUse;
use crate::Moment;

/// How the server is. Needs no identity, so it says little.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`, `sealed`, `uninitialized` or `stopping`.
    pub status: String,
    /// The server's version.
    pub version: String,
    /// Whether the store was ever set up.
    pub initialized: bool,
    /// Whether its records cannot be read now.
    pub sealed: bool,
}

/// How well secrets in memory are kept from disk and from other processes;
/// told only to those who may read the server's status.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ServerStatus {
    /// As in [`Health`].
    pub status: String,
    /// The server's version.
    pub version: String,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// Whether all memory is locked.
    pub memory_locked: bool,
    /// Whether the slab that holds root and storage keys is locked.
    pub key_slab_locked: bool,
    /// Whether core dumps are off.
    pub core_dumps_disabled: bool,
    /// Whether other processes of the same user are kept out.
    pub not_dumpable: bool,
    /// What is not protected, in words.
    pub notes: Vec<String>,
    /// The strength of the weakest seal, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weakest_seal: Option<String>,
    /// The newest storage key's term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_key_term: Option<u32>,
    /// Records still under older terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_remaining: Option<u64>,
    /// The last durable event's sequence number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal_sequence: Option<u64>,
}

/// An algorithm on offer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AlgorithmView {
    /// Its name, as keys use it.
    pub name: String,
    /// Its family.
    pub family: String,
    /// Its classical strength in bits.
    pub strength_bits: u16,
    /// What its keys can do.
    pub uses: Vec<KeyUse>,
    /// Whether it is FIPS-approved.
    pub fips: bool,
    /// Whether the validated module that a FIPS build uses covers it; such a
    /// build offers nothing else.
    #[serde(default)]
    pub fips_module: bool,
    /// Whether it withstands a quantum computer as far as is known.
    pub post_quantum: bool,
}

/// Withdraws an algorithm.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawAlgorithmRequest {
    /// Why, in words, for the record and for whoever is refused.
    pub reason: String,
    /// When its keys stop protecting; now if left out. New keys and versions are
    /// refused at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protects_until: Option<Moment>,
    /// What is to be used instead, for the words of refusals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
    /// Says which keys it would reach, and changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

/// A withdrawn algorithm.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WithdrawnAlgorithm {
    /// Its name.
    pub algorithm: String,
    /// When it was withdrawn.
    pub withdrawn_at: Moment,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When its keys stop protecting.
    pub protects_until: Moment,
    /// What is to be used instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
}

/// What a withdrawal reaches.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AlgorithmWithdrawal {
    /// As it stands, or would.
    pub withdrawal: WithdrawnAlgorithm,
    /// How many keys of it could protect.
    pub keys: u64,
    /// The first 1,000 of them: namespace, keyring and name.
    pub named: Vec<String>,
    /// Those among the named that rotate into the successor by themselves, since
    /// their rules say so.
    #[serde(default)]
    pub rotating: Vec<String>,
}

/// The algorithms on offer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Algorithms {
    /// One row each.
    pub items: Vec<AlgorithmView>,
}
