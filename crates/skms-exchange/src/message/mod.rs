//! The payloads, field by field: docs/exchange.md, "Message 1" to "Message 3".

pub(crate) mod first;
pub(crate) mod second;
pub(crate) mod third;

use crate::cbor::{Parse, Reader};
use crate::error::{Error, Message, Result};

/// The version of this crate.
pub(crate) const VERSION: u64 = 1;
/// Bytes of a nonce.
pub const NONCE: usize = 32;
/// Bytes of a hash: SHA-512.
pub(crate) const HASH: usize = 64;

/// A hash of a message or a certificate.
pub type Digest = [u8; HASH];

/// Reads a payload's type and nothing else, so that a message of another type
/// is told by its type and not by its fields.
fn expect_type(payload: &[u8], wanted: Message) -> Result<()> {
    expect_number(payload, wanted.number())
}

/// The same by number: messages that are none of the exchange's have types of
/// their own.
pub(crate) fn expect_number(payload: &[u8], wanted: u64) -> Result<()> {
    let found = type_of(payload).map_err(Error::Malformed)?;
    match found == wanted {
        true => Ok(()),
        false => Err(Error::WrongMessage { wanted, found }),
    }
}

/// Field 2, behind field 1, which is a version or several.
fn type_of(payload: &[u8]) -> Parse<u64> {
    let mut found = None;
    // What follows is for the message's own reader, so the walk is broken off.
    let _ = Reader::new(payload).map(|key, reader| match key {
        1 => first::skip_versions(reader),
        2 => {
            found = Some(reader.uint()?);
            Err("far enough")
        }
        _ => Err("no type"),
    });
    found.ok_or("a payload without a type")
}
