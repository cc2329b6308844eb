//! Revokes versions of a key, with an RFC 5280 reason.

use std::sync::Arc;

use skms_evidence::{DetailKey, DetailValue};
use skms_keys::{Changed, Key, Revoke, UnixSeconds};
use skms_store::Change;

use crate::act::{Act, act};
use crate::acts::certificates::Verdict;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::keychange::{Fate, With};
use crate::opened::KeySnapshot;

/// Times that it begins again when a certificate of the key is issued at the
/// same moment.
const ATTEMPTS: usize = 8;

act!(
    RevokeKey,
    KeyRevoke,
    "Revokes versions of a key, with an RFC 5280 reason."
);

impl Engine {
    /// Revokes versions of a key, with an RFC 5280 reason, and the certificates
    /// of theirs that authorities of the namespace issued.
    ///
    /// # Errors
    /// [`crate::Error::Key`] for versions beyond the reason.
    pub async fn revoke_key(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        revoke: Revoke,
    ) -> Result<Arc<KeySnapshot>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<RevokeKey>(at).await?;
        with_certificates(&entry, &allowed, &revoke).await
    }
}

/// Revokes versions of a key and their certificates, in one batch.
pub(crate) async fn with_certificates<A: Act>(
    entry: &Entry,
    allowed: &Authorized<A, KeyTarget>,
    revoke: &Revoke,
) -> Result<Arc<KeySnapshot>> {
    let verdict = Verdict {
        reason: revoke.reason,
        at: entry.now(),
        invalid_since: revoke.compromise_occurred_at,
    };
    let fate = Fate::Revoked(verdict, revoke.versions);
    reaching(entry, allowed, (fate, true), |key, now| {
        Ok(key.revoke(revoke, now)?)
    })
    .await
}

/// What goes into a change of a key beside it.
#[derive(Default)]
pub(crate) struct Extra {
    /// Records that go into the same batch.
    pub(crate) also: Vec<Change>,
    /// What the event says beside what happened.
    pub(crate) said: Vec<(DetailKey, DetailValue)>,
}

/// Changes a key and what becomes of its certificates in one batch, urgent or
/// not.
pub(crate) async fn reaching<A: Act>(
    entry: &Entry,
    allowed: &Authorized<A, KeyTarget>,
    how: (Fate, bool),
    work: impl Fn(&Key, UnixSeconds) -> Result<Changed>,
) -> Result<Arc<KeySnapshot>> {
    reaching_with(entry, allowed, how, &|| Ok(Extra::default()), work).await
}

/// As [`reaching`], with more in the batch.
pub(crate) async fn reaching_with<A: Act>(
    entry: &Entry,
    allowed: &Authorized<A, KeyTarget>,
    (fate, urgent): (Fate, bool),
    extra: &(dyn Fn() -> Result<Extra> + Send + Sync),
    work: impl Fn(&Key, UnixSeconds) -> Result<Changed>,
) -> Result<Arc<KeySnapshot>> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let extra = extra()?;
        let with = With {
            also: extra.also,
            said: extra.said,
            urgent,
            certificates: Some(fate),
            revocations: Some(entry.rooms.lock_revocations().await),
            ..With::default()
        };
        match entry.change_key(allowed, with, &work).await {
            // A certificate of the key was issued meanwhile: it goes too.
            Err(Error::Conflict) if attempt < ATTEMPTS => {}
            other => return other,
        }
    }
}
