//! The keys that authorities stand on: they sign what authorities say, and
//! nothing that anybody hands in.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use super::Authority;

/// Their identifiers, as records write them. One that an authority let go of
/// stays among them until authorities are read again or one is deleted.
#[derive(Default)]
pub(crate) struct Keys(RwLock<HashSet<String>>);

impl Keys {
    /// Those of these authorities.
    pub(crate) fn of(authorities: &[Arc<Authority>]) -> Self {
        let keys = Self::default();
        for authority in authorities {
            keys.add(authority);
        }
        keys
    }

    /// Adds an authority's.
    pub(crate) fn add(&self, authority: &Authority) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let record = &authority.record;
        let issuers = record.issuers.iter().map(|issuer| &issuer.key);
        for key in std::iter::once(&record.key)
            .chain(issuers)
            .chain(&record.rules.ocsp_signer)
        {
            if !all.contains(&key.id) {
                all.insert(key.id.clone());
            }
        }
    }

    /// Takes over others.
    pub(crate) fn replace(&self, other: Self) {
        let other = other.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = other;
    }

    /// Whether a key is one of them.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(key)
    }
}
