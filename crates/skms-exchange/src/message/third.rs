//! Message 3: the initiator's confirmation, a COSE_Mac0 (RFC 9052, section 6.2).

use super::{Digest, HASH, VERSION, expect_type};
use crate::cbor::{Fields, Parse, Reader, Writer};
use crate::error::{Error, Message, Result};

/// CBOR tag of COSE_Mac0 (RFC 9052, section 2).
const MAC0: u64 = 17;
/// The protected header: `{1: 7}`, HMAC 512/512 (RFC 9053, section 3.1).
const PROTECTED: [u8; 3] = [0xa1, 0x01, 0x07];
/// Bytes of the longest message 3.
pub(crate) const MAX_THIRD: usize = 1024;

/// The payload of message 3.
pub(crate) fn payload(second: &Digest) -> Vec<u8> {
    let mut fields = Fields::default();
    fields.field(1).uint(VERSION);
    fields.field(2).uint(Message::Third.number());
    fields.field(3).bytes(second);
    fields.finish()
}

/// The MAC_structure (RFC 9052, section 6.3).
pub(crate) fn to_be_maced(payload: &[u8], label: &str) -> Vec<u8> {
    Writer::default()
        .array(4)
        .text("MAC0")
        .bytes(&PROTECTED)
        .bytes(label.as_bytes())
        .bytes(payload)
        .finish()
}

/// The message.
pub(crate) fn encode(payload: &[u8], tag: &[u8]) -> Vec<u8> {
    Writer::default()
        .tag(MAC0)
        .array(4)
        .bytes(&PROTECTED)
        .map(0)
        .bytes(payload)
        .bytes(tag)
        .finish()
}

/// Message 3, read: T2 and the tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Third {
    pub(crate) second: Digest,
    pub(crate) tag: Digest,
}

impl Third {
    /// Reads a message.
    pub(crate) fn decode(message: &[u8]) -> Result<Self> {
        if message.len() > MAX_THIRD {
            return Err(Error::TooLong { limit: MAX_THIRD });
        }
        let (payload, tag) = frame(message).map_err(Error::Malformed)?;
        expect_type(payload, Message::Third)?;
        let (version, second) = fields(payload).map_err(Error::Malformed)?;
        match version == VERSION {
            true => Ok(Self { second, tag }),
            false => Err(Error::UnsupportedVersion),
        }
    }
}

fn frame(message: &[u8]) -> Parse<(&[u8], Digest)> {
    let mut reader = Reader::new(message);
    if reader.tag()? != MAC0 || reader.array()? != 4 {
        return Err("not a tagged COSE_Mac0");
    }
    if reader.bytes()? != PROTECTED {
        return Err("another protected header");
    }
    reader.map(|_, _| Err("an unprotected header"))?;
    let payload = reader.bytes()?;
    let tag = reader.fixed::<HASH>()?;
    reader.end()?;
    Ok((payload, tag))
}

fn fields(payload: &[u8]) -> Parse<(u64, Digest)> {
    let mut reader = Reader::new(payload);
    let (mut version, mut second) = (None, None);
    reader.map(|key, reader| {
        match key {
            1 => version = Some(reader.uint()?),
            // Looked at before.
            2 => drop(reader.uint()?),
            3 => second = Some(reader.fixed::<HASH>()?),
            _ => return Err("a field of message 3 that is not known"),
        }
        Ok(())
    })?;
    reader.end()?;
    version.zip(second).ok_or("message 3 is not whole")
}
