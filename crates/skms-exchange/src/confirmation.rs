//! What a responder keeps between messages 2 and 3.

use skms_crypto::{SecretBytes, ct_eq};
use skms_pki::Moment;

use crate::error::{Error, Result};
use crate::message::third::Third;
use crate::message::{Digest, HASH};

/// The layout of a record; another one is another version.
const RECORD_VERSION: u8 = 1;
/// Version, T2, tag, last moment.
const RECORD: usize = 1 + HASH + HASH + 8;

/// An agreement that waits for message 3. It holds the tag that is expected,
/// not the key that makes it.
#[derive(Debug)]
pub struct AwaitingConfirmation {
    /// T2.
    second: Digest,
    tag: SecretBytes,
    until: Moment,
}

/// The initiator has the key, and has seen the whole exchange as we did. Only
/// [`AwaitingConfirmation::receive`] makes one.
#[derive(Debug)]
pub struct Confirmed(());

impl AwaitingConfirmation {
    pub(crate) fn new(second: Digest, tag: &Digest, until: Moment) -> Self {
        Self {
            second,
            tag: SecretBytes::new(tag.to_vec()),
            until,
        }
    }

    /// The last moment for message 3; then the key can be destroyed.
    #[must_use]
    pub fn until(&self) -> Moment {
        self.until
    }

    /// What names this exchange: the hash of message 2, which is in message 3.
    #[must_use]
    pub fn exchange(&self) -> &Digest {
        &self.second
    }

    /// The exchange that a message 3 says it belongs to, to find what waits
    /// for it. Nothing about it has been checked.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::Malformed`], [`Error::WrongMessage`],
    /// [`Error::UnsupportedVersion`].
    pub fn exchange_of(message: &[u8]) -> Result<Digest> {
        Third::decode(message).map(|third| third.second)
    }

    /// Takes message 3. One that is refused leaves this waiting, or a forged
    /// one would stop the true one; whoever is told [`Confirmed`] sees to it
    /// that it is once.
    ///
    /// # Errors
    /// Why it was refused: docs/exchange.md, "Errors".
    pub fn receive(&self, message: &[u8], now: Moment) -> Result<Confirmed> {
        let third = Third::decode(message)?;
        if third.second != self.second {
            return Err(Error::Transcript);
        }
        if now > self.until {
            return Err(Error::TooLate);
        }
        match ct_eq(&third.tag, self.tag.expose()) {
            true => Ok(Confirmed(())),
            false => Err(Error::Confirmation),
        }
    }

    /// For the store, which seals it: who can read it can confirm.
    #[must_use]
    pub fn to_record(&self) -> SecretBytes {
        let mut record = SecretBytes::new(Vec::with_capacity(RECORD));
        record.push(RECORD_VERSION);
        record.extend(&self.second);
        record.extend(self.tag.expose());
        record.extend(&self.until.0.to_be_bytes());
        record
    }

    /// From the store.
    ///
    /// # Errors
    /// [`Error::Input`] for what [`Self::to_record`] did not make.
    pub fn from_record(record: &[u8]) -> Result<Self> {
        let foreign = Error::Input("not a record of an exchange that waits");
        let (version, rest) = record.split_first().ok_or(foreign.clone())?;
        let (second, rest) = rest.split_first_chunk::<HASH>().ok_or(foreign.clone())?;
        let (tag, rest) = rest.split_first_chunk::<HASH>().ok_or(foreign.clone())?;
        match (*version, <[u8; 8]>::try_from(rest)) {
            (RECORD_VERSION, Ok(until)) => {
                Ok(Self::new(*second, tag, Moment(i64::from_be_bytes(until))))
            }
            _ => Err(foreign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_whole_or_not_at_all() {
        let waiting = AwaitingConfirmation::new([1; HASH], &[2; HASH], Moment(3));
        let record = waiting.to_record();
        let again = AwaitingConfirmation::from_record(record.expose()).unwrap();
        assert_eq!(again.exchange(), waiting.exchange());
        assert_eq!(again.until(), Moment(3));
        assert!(again.tag.ct_eq(&[2; HASH]));
        for length in 0..RECORD {
            assert!(AwaitingConfirmation::from_record(&record.expose()[..length]).is_err());
        }
        let mut other = record.expose().to_vec();
        other[0] = 2;
        assert!(AwaitingConfirmation::from_record(&other).is_err());
        other[0] = 1;
        other.push(0);
        assert!(AwaitingConfirmation::from_record(&other).is_err());
    }
}
