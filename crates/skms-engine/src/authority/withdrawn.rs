//! Whether an authority's own certificate is revoked, as far as it was issued
//! here.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use skms_pki::Certificate;
use skms_pki::issue::Serial;

use super::Revoked;

/// A certificate as its issuer knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The issuer's distinguished name in DER.
    pub(crate) issuer: Vec<u8>,
    pub(crate) serial: Serial,
}

impl Link {
    /// That of a certificate (DER); `None` for one that does not read, or whose
    /// serial number is none that is given out here.
    pub(crate) fn of(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        Some(Self {
            issuer: certificate.issuer().as_der().to_vec(),
            serial: Serial::from_contents(certificate.serial()).ok()?,
        })
    }
}

/// The revocations of every issuer, by its distinguished name. Issuers that are
/// gone are let go of with the next one of their name.
#[derive(Default)]
pub(crate) struct Index(RwLock<HashMap<Vec<u8>, Vec<Weak<Revoked>>>>);

impl Index {
    /// Takes over another.
    pub(crate) fn replace(&self, other: Self) {
        let other = other.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = other;
    }

    /// Adds an issuer's revocations.
    pub(crate) fn add(&self, name: &[u8], revoked: &Arc<Revoked>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(name.to_vec()).or_default();
        known.retain(|one| one.strong_count() > 0 && one.as_ptr() != Arc::as_ptr(revoked));
        known.push(Arc::downgrade(revoked));
    }

    /// Whether any of these certificates is revoked or on hold.
    pub(crate) fn any_revoked(&self, links: &[Link]) -> bool {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        links.iter().any(|link| {
            let known = all.get(&link.issuer).into_iter().flatten();
            known
                .filter_map(Weak::upgrade)
                .any(|revoked| revoked.get(&link.serial).is_some_and(|one| one.stands()))
        })
    }
}
