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
/// The most bytes of them: 64 MiB. Those of post-quantum signers are long.
const RESPONSE_BYTES_MAX: usize = 64 << 20;

/// What an issuer has published.
#[derive(Default)]
pub(crate) struct Published {
    lists: ArcSwapOption<Lists>,
    responses: Mutex<Responses>,
    /// When the last walk that signs ahead began.
    walked: Mutex<Option<UnixSeconds>>,
    /// Held while lists are made, until they are out: one at a time.
    pub(crate) making: Arc<tokio::sync::Mutex<()>>,
}

/// The responses that are kept.
#[derive(Default)]
struct Responses {
    known: HashMap<CertIdBuf, (Serial, Arc<Document>)>,
    bytes: usize,
}

impl Responses {
    fn is_full(&self, more: usize) -> bool {
        self.known.len() >= RESPONSES_MAX || self.bytes.saturating_add(more) > RESPONSE_BYTES_MAX
    }

    fn remove(&mut self, id: &CertIdBuf) {
        if let Some((_, before)) = self.known.remove(id) {
            self.bytes = self.bytes.saturating_sub(before.der.len());
        }
    }

    /// Takes one in, and lets go of as many others as that needs.
    fn insert(&mut self, id: CertIdBuf, serial: Serial, response: Arc<Document>) {
        self.remove(&id);
        while self.is_full(response.der.len()) {
            let Some(other) = self.known.keys().next().cloned() else {
                return;
            };
            self.remove(&other);
        }
        self.bytes += response.der.len();
        self.known.insert(id, (serial, response));
    }

    fn forget(&mut self, serial: &Serial) {
        let bytes = &mut self.bytes;
        self.known.retain(|_, (known, response)| {
            let stays = known != serial;
            if !stays {
                *bytes = bytes.saturating_sub(response.der.len());
            }
            stays
        });
    }
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
        let (_, response) = responses.known.get(id)?;
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
        responses.insert(id, serial, response);
        true
    }

    /// Whether no more responses are kept without letting go of others.
    pub(crate) fn is_full(&self) -> bool {
        self.lock().is_full(0)
    }

    /// Lets go of all that was said: its signer is not to be believed.
    pub(crate) fn forget_all(&self) {
        *self.lock() = Responses::default();
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
        self.lock().forget(serial);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Responses> {
        self.responses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skms_crypto::{Algorithm, KeyMaterial};
    use skms_pki::issue::ocsp::CertIdHash;

    #[test]
    fn responses_take_so_much_room_and_no_more() {
        let published = Published::default();
        let key = KeyMaterial::generate(Algorithm::Ed25519).unwrap();
        let spki = key.public_key().unwrap().unwrap().spki_der().to_vec();
        let id = |number: u8| {
            let serial = Serial::from_random([number; 20]);
            let id = CertIdBuf::new(CertIdHash::Sha1, b"0", &spki, &serial).unwrap();
            (id, serial)
        };
        let now = UnixSeconds(1000);
        let keep = |number: u8| {
            let (id, serial) = id(number);
            let document = Document::new(vec![number; 8 << 20], now, UnixSeconds(2000));
            published.keep(id, serial, Arc::new(document), || true)
        };
        let known = || (1..=20).filter(|&number| published.response(&id(number).0, now).is_some());
        for number in 1..=8 {
            assert!(keep(number));
        }
        assert!(!published.is_full());
        assert_eq!(known().count(), 8);
        // The ninth takes the place of one of them, and no more than that.
        assert!(keep(9));
        assert_eq!(known().count(), 8);
        assert!(published.response(&id(9).0, now).is_some());
        // Given again, it takes no room twice.
        assert!(keep(9));
        assert_eq!(known().count(), 8);
        published.forget(&id(9).1);
        assert!(published.response(&id(9).0, now).is_none());
        assert!(keep(10));
        assert_eq!(known().count(), 8);
    }
}
