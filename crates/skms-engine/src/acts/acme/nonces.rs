//! Nonces against replay (RFC 8555, section 6.5): each is good once, at this
//! process. They are numbers in a row with a MAC, so that giving one out costs
//! no memory, and those that were used are bits in a window over the newest.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use skms_crypto::{Algorithm, KeyMaterial, OpenKey, ct_eq};

use crate::error::Result;

/// How many of the newest are good: at the most that strangers may ask for,
/// hours. 128 KiB of bits.
const WINDOW: u64 = 1 << 20;
/// Bytes of the MAC that a nonce carries: 128 bits cannot be guessed.
const TAG: usize = 16;
const WORD: u64 = 64;

/// The nonces of this process.
pub(crate) struct Nonces {
    key: OpenKey,
    given: Mutex<Given>,
}

struct Given {
    next: u64,
    /// One bit a number, by its place in the window.
    used: Box<[u64]>,
}

impl Nonces {
    /// None given out yet, under a key that nobody else has.
    pub(crate) fn new() -> Result<Self> {
        let material = KeyMaterial::generate(Algorithm::HmacSha256)?;
        let words = usize::try_from(WINDOW / WORD).unwrap_or(0);
        Ok(Self {
            key: OpenKey::open(&material)?,
            given: Mutex::new(Given {
                next: 0,
                used: vec![0; words].into_boxed_slice(),
            }),
        })
    }

    /// A new one.
    pub(crate) fn give(&self) -> Result<String> {
        let number = {
            let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
            let number = given.next;
            given.next += 1;
            // Its place was a number's that is too old from now on.
            given.set(number, false);
            number
        };
        let mut bytes = number.to_be_bytes().to_vec();
        bytes.extend(self.tag(number)?);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Takes one: `false` for what was not given out here, is too old, or was
    /// taken before.
    pub(crate) fn take(&self, text: &str) -> Result<bool> {
        let Some(number) = URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| <[u8; 8 + TAG]>::try_from(bytes).ok())
        else {
            return Ok(false);
        };
        let (number, tag) = number.split_at(8);
        let number = u64::from_be_bytes(number.try_into().unwrap_or_default());
        if !ct_eq(&self.tag(number)?, tag) {
            return Ok(false);
        }
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if number >= given.next || given.next - number > WINDOW || given.is_used(number) {
            return Ok(false);
        }
        given.set(number, true);
        Ok(true)
    }

    fn tag(&self, number: u64) -> Result<Vec<u8>> {
        let mut tag = self.key.mac(&number.to_be_bytes())?;
        tag.truncate(TAG);
        Ok(tag)
    }
}

impl Given {
    fn place(number: u64) -> (usize, u64) {
        let at = number % WINDOW;
        let word = usize::try_from(at / WORD).unwrap_or(usize::MAX);
        (word, 1 << (at % WORD))
    }

    fn is_used(&self, number: u64) -> bool {
        let (word, bit) = Self::place(number);
        self.used.get(word).is_none_or(|bits| bits & bit != 0)
    }

    fn set(&mut self, number: u64, used: bool) {
        let (word, bit) = Self::place(number);
        if let Some(bits) = self.used.get_mut(word) {
            *bits = if used { *bits | bit } else { *bits & !bit };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_once_and_only_where_it_was_given_out() {
        let nonces = Nonces::new().unwrap();
        let one = nonces.give().unwrap();
        let other = nonces.give().unwrap();
        assert!(nonces.take(&other).unwrap());
        assert!(nonces.take(&one).unwrap());
        assert!(!nonces.take(&one).unwrap());
        let foreign = Nonces::new().unwrap().give().unwrap();
        for bad in [&*foreign, "", "AAAA", "%%%", &format!("{one}=")] {
            assert!(!nonces.take(bad).unwrap(), "{bad}");
        }
    }

    #[test]
    fn what_is_older_than_the_window_is_no_longer_good() {
        let nonces = Nonces::new().unwrap();
        let old = nonces.give().unwrap();
        let used = nonces.give().unwrap();
        assert!(nonces.take(&used).unwrap());
        nonces.given.lock().unwrap().next = WINDOW;
        let wrapped = nonces.give().unwrap();
        assert!(!nonces.take(&old).unwrap());
        assert!(nonces.take(&wrapped).unwrap());
        // The place of the one that was used is given out anew.
        assert!(!nonces.take(&used).unwrap());
        let again = nonces.give().unwrap();
        assert!(nonces.take(&again).unwrap());
    }
}
