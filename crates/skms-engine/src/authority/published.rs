//! What an issuer has published: its revocation lists and OCSP responses, made
//! once and handed out until they are old or something changed. Serving one
//! touches no key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use skms_crypto::hash::sha256;
use skms_keys::UnixSeconds;
use skms_pki::issue::Serial;
use skms_pki::issue::ocsp::CertIdBuf;

use crate::sessions::hex;

/// The most responses of one issuer that are kept.
const RESPONSES_MAX: usize = 50_000;

/// What an issuer has published.
#[derive(Default)]
pub(crate) struct Published {
    lists: ArcSwapOption<Lists>,
    responses: Mutex<HashMap<CertIdBuf, (Serial, Arc<Document>)>>,
    /// When the last walk that signs ahead began.
    walked: Mutex<Option<UnixSeconds>>,
    /// Held while lists are made, until they are out: one at a time.
    pub(crate) making: Arc<tokio::sync::Mutex<()>>,
}

/// The lists of an issuer, by shard.
#[derive(Clone)]
pub(crate) struct Lists {
    /// The number of the newest.
    pub(crate) number: u64,
    /// The number and moment of the last time that all were made.
    pub(crate) base: (u64, UnixSeconds),
    /// What was known of revocations then.
    pub(crate) epoch: u64,
    pub(crate) complete: Vec<Arc<Document>>,
    /// Empty where nothing points at them.
    pub(crate) deltas: Vec<Arc<Document>>,
}

/// A revocation list or an OCSP response.
pub struct Document {
    /// Its DER.
    pub der: Vec<u8>,
    /// Half of its SHA-256 in hex, by which caches know it.
    pub tag: String,
    /// When it was made.
    pub this_update: UnixSeconds,
    /// Until when it is good.
    pub next_update: UnixSeconds,
}

impl Document {
    pub(crate) fn new(der: Vec<u8>, this_update: UnixSeconds, next_update: UnixSeconds) -> Self {
        let digest = sha256(&[&der]);
        Self {
            tag: hex(digest.first_chunk::<16>().map_or(&[], |half| half)),
            der,
            this_update,
            next_update,
        }
    }
}

impl Published {
    /// The lists, once they are made.
    pub(crate) fn lists(&self) -> Option<Arc<Lists>> {
        self.lists.load_full()
    }

    /// Puts lists in the place of those before.
    pub(crate) fn put_lists(&self, lists: Lists) {
        self.lists.store(Some(Arc::new(lists)));
    }

    /// The response about a certificate that was made before `epoch` changed
    /// and is younger than half of its time.
    pub(crate) fn response(&self, id: &CertIdBuf, now: UnixSeconds) -> Option<Arc<Document>> {
        let responses = self.lock();
        let (_, response) = responses.get(id)?;
        let half = (response.next_update.0 - response.this_update.0) / 2;
        (response.this_update.0 <= now.0 && now.0 < response.this_update.0 + half)
            .then(|| Arc::clone(response))
    }

    /// Keeps a response, unless `current` says that something changed since it
    /// was worked out.
    pub(crate) fn keep(
        &self,
        id: CertIdBuf,
        serial: Serial,
        response: Arc<Document>,
        current: impl FnOnce() -> bool,
    ) -> bool {
        let mut responses = self.lock();
        // Under the lock, so that a change that comes now forgets it after.
        if !current() {
            return false;
        }
        if responses.len() >= RESPONSES_MAX {
            responses.clear();
        }
        responses.insert(id, (serial, response));
        true
    }

    /// Whether no more responses are kept without letting go of others.
    pub(crate) fn is_full(&self) -> bool {
        self.lock().len() >= RESPONSES_MAX
    }

    /// Lets go of all that was said: its signer is not to be believed.
    pub(crate) fn forget_all(&self) {
        self.lock().clear();
        self.walk_failed();
    }

    /// Whether a walk begins at `now`: the last one did so many seconds ago.
    pub(crate) fn walk_begins(&self, now: UnixSeconds, every_seconds: u64) -> bool {
        let every = i64::try_from(every_seconds).unwrap_or(i64::MAX);
        let mut walked = self.walked.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = walked.is_none_or(|last| now.0.saturating_sub(last.0) >= every);
        if begins {
            *walked = Some(now);
        }
        begins
    }

    /// The next walk begins at once.
    pub(crate) fn walk_failed(&self) {
        *self.walked.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Lets go of what was said about a certificate whose status changed.
    pub(crate) fn forget(&self, serial: &Serial) {
        self.lock().retain(|_, (known, _)| known != serial);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<CertIdBuf, (Serial, Arc<Document>)>> {
        self.responses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
