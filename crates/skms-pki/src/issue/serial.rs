//! Serial numbers (RFC 5280, section 4.1.2.2).

use std::fmt;

use super::der;
use super::error::IssueError;
use crate::parse::cursor::{minimal_integer, tag};

/// A serial number: positive, at most 20 octets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial {
    length: u8,
    bytes: [u8; 20],
}

impl Serial {
    /// From twenty random bytes: 158 of their bits count. Every serial number
    /// made so is 20 octets long.
    #[must_use]
    pub fn from_random(mut bytes: [u8; 20]) -> Self {
        //= https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.2
        //# The serial number MUST be a positive integer assigned by the CA to
        //# each certificate.
        //# Conforming CAs MUST NOT use serialNumber values longer than 20 octets.
        bytes[0] = bytes[0] & 0x3f | 0x40;
        Self { length: 20, bytes }
    }

    /// From the contents of an INTEGER, as [`crate::Certificate::serial`] gives
    /// them.
    ///
    /// # Errors
    /// [`IssueError::Input`] for what is not minimal, zero, negative or longer
    /// than 20 octets.
    pub fn from_contents(contents: &[u8]) -> Result<Self, IssueError> {
        let refused = IssueError::Input("a serial number that is not positive, or over 20 octets");
        let good = minimal_integer(contents)
            .is_ok_and(|value| value != [0] && value.first().is_some_and(|top| top & 0x80 == 0));
        let mut bytes = [0; 20];
        match bytes.get_mut(..contents.len()) {
            Some(room) if good => room.copy_from_slice(contents),
            _ => return Err(refused),
        }
        Ok(Self {
            length: contents.len() as u8,
            bytes,
        })
    }

    /// The contents of its INTEGER.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }

    /// Which of so many shards of a revocation list it belongs to, by its last
    /// four octets: zero where there are no shards.
    #[must_use]
    pub fn shard(&self, shards: u32) -> u32 {
        let mut tail = [0; 4];
        let own = self.as_bytes();
        let start = own.len().saturating_sub(4);
        for (to, from) in tail.iter_mut().rev().zip(own.iter().skip(start).rev()) {
            *to = *from;
        }
        u32::from_be_bytes(tail).checked_rem(shards).unwrap_or(0)
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        der::tlv(tag::INTEGER, &[self.as_bytes()])
    }
}

impl fmt::Display for Serial {
    /// As lower-case hexadecimal, two digits an octet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.as_bytes() {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ones_are_positive_and_twenty_octets_long() {
        for byte in [0u8, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff] {
            let serial = Serial::from_random([byte; 20]);
            assert_eq!(serial.as_bytes().len(), 20);
            assert_eq!(serial.as_bytes()[0] & 0xc0, 0x40);
            assert_eq!(serial.as_bytes()[1..], [byte; 19]);
            assert_eq!(Serial::from_contents(serial.as_bytes()), Ok(serial));
        }
    }

    #[test]
    fn others_are_read_strictly() {
        assert_eq!(
            Serial::from_contents(&[0, 0x80]).unwrap().to_string(),
            "0080"
        );
        for bad in [&[][..], &[0], &[0x80], &[0, 1], &[1; 21], &[0xff, 0xff]] {
            assert!(Serial::from_contents(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn shards_are_by_the_last_octets() {
        let serial = |bytes: &[u8]| Serial::from_contents(bytes).unwrap();
        assert_eq!(serial(&[5]).shard(0), 0);
        assert_eq!(serial(&[5]).shard(4), 1);
        assert_eq!(serial(&[1, 0, 0, 0, 7]).shard(100), 7);
        assert_eq!(serial(&[1, 2, 0, 0, 1, 1]).shard(1000), 257);
    }
}
