//! Which certificates of an issuer are revoked or on hold. All of them are in
//! memory: a status must be known at once, and lists are made from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use skms_keys::{RevocationReason, UnixSeconds};
use skms_pki::issue::Serial;

/// What became of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revocation {
    pub(crate) reason: RevocationReason,
    pub(crate) at: UnixSeconds,
    pub(crate) invalid_since: Option<UnixSeconds>,
    /// When its hold ended, if it was on hold and is good again.
    pub(crate) released_at: Option<UnixSeconds>,
    /// When any of this was last changed.
    pub(crate) changed_at: UnixSeconds,
    /// The certificate's last valid second.
    pub(crate) not_after: UnixSeconds,
    /// The keys whose suspension holds it; none where somebody else does.
    pub(crate) by_keys: BTreeSet<String>,
    /// The revision of its record.
    pub(crate) revision: u64,
}

impl Revocation {
    /// Whether the certificate is not to be used.
    pub(crate) fn stands(&self) -> bool {
        self.released_at.is_none()
    }
}

/// The revocations of one issuer.
#[derive(Default)]
pub(crate) struct Revoked {
    entries: RwLock<BTreeMap<Serial, Revocation>>,
    /// Rises with each change.
    epoch: AtomicU64,
    /// What changed since lists were last made.
    changed: Mutex<BTreeSet<Serial>>,
}

impl Revoked {
    /// What became of a certificate, if anything did.
    pub(crate) fn get(&self, serial: &Serial) -> Option<Revocation> {
        self.entries
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(serial)
            .cloned()
    }

    /// Takes over what was committed.
    pub(crate) fn put(&self, serial: Serial, revocation: Revocation) {
        self.entries
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(serial, revocation);
        self.changed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(serial);
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// A number that differs after each change.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// What changed since lists were last made.
    pub(crate) fn take_changed(&self) -> Taken<'_> {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        Taken {
            revoked: self,
            changed: std::mem::take(&mut *changed),
        }
    }

    /// How many certificates are revoked or on hold.
    pub(crate) fn len(&self) -> usize {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.values().filter(|entry| entry.stands()).count()
    }

    /// The entries that `choose` wants, in the order of serial numbers.
    pub(crate) fn collect<T>(
        &self,
        mut choose: impl FnMut(&Serial, &Revocation) -> Option<T>,
    ) -> Vec<T> {
        self.entries
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter_map(|(serial, entry)| choose(serial, entry))
            .collect()
    }
}

/// What lists are being made of. It goes back unless they are out, however the
/// making ended.
pub(crate) struct Taken<'a> {
    revoked: &'a Revoked,
    changed: BTreeSet<Serial>,
}

impl Taken<'_> {
    /// What changed.
    pub(crate) fn serials(&self) -> &BTreeSet<Serial> {
        &self.changed
    }

    /// The lists that tell of it are out.
    pub(crate) fn are_out(mut self) {
        self.changed.clear();
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut changed = self
            .revoked
            .changed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        changed.append(&mut self.changed);
    }
}
