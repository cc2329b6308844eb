//! The payload of a sealed message: docs/sealing.md, "The sealed message".

use skms_pki::Moment;

use super::MESSAGE_TYPE;
use super::seal::{MAX_CONTENT, MAX_SEALED};
use crate::cbor::{Fields, Parse, Reader};
use crate::envelope::Envelope;
use crate::error::{Error, Result};
use crate::message::first::{read_time, write_time};
use crate::message::second::read_encapsulation;
use crate::message::{Digest, HASH, NONCE, VERSION, expect_number};

/// Bytes that sealing adds: AES-GCM's tag.
const TAG: usize = 16;

/// What a message is known by: random, and under the sender's signature.
pub type MessageId = [u8; NONCE];

/// Fields 1 to 7: the associated data of what is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The hash of the recipient's statement.
    pub(crate) recipient: Digest,
    pub(crate) encapsulation: Vec<u8>,
    /// The hash of the sender's certificate.
    pub(crate) sender: Digest,
    pub(crate) id: MessageId,
    pub(crate) time: Moment,
}

impl Head {
    fn write(&self) -> Fields {
        let mut fields = Fields::default();
        fields.field(1).uint(VERSION);
        fields.field(2).uint(MESSAGE_TYPE);
        fields.field(3).bytes(&self.recipient);
        fields.field(4).bytes(&self.encapsulation);
        fields.field(5).bytes(&self.sender);
        fields.field(6).bytes(&self.id);
        fields.field(7).uint(write_time(self.time));
        fields
    }

    /// The map of fields 1 to 7.
    pub(crate) fn encode(&self) -> Vec<u8> {
        self.write().finish()
    }

    /// The whole payload.
    pub(crate) fn payload(&self, sealed: &[u8], commitment: &Digest) -> Vec<u8> {
        let mut fields = self.write();
        fields.field(8).bytes(sealed);
        fields.field(9).bytes(commitment);
        fields.finish()
    }
}

/// The payload of a sealed message.
pub(crate) struct Sealed<'p> {
    pub(crate) head: Head,
    pub(crate) sealed: &'p [u8],
    pub(crate) commitment: Digest,
}

impl<'p> Sealed<'p> {
    pub(crate) fn decode(payload: &'p [u8]) -> Result<Self> {
        expect_number(payload, MESSAGE_TYPE)?;
        let (version, read) = Self::fields(payload).map_err(Error::Malformed)?;
        match version == VERSION {
            true => Ok(read),
            false => Err(Error::UnsupportedVersion),
        }
    }

    fn fields(payload: &'p [u8]) -> Parse<(u64, Self)> {
        let mut reader = Reader::new(payload);
        let (mut version, mut recipient, mut encapsulation) = (None, None, None);
        let (mut sender, mut id, mut time) = (None, None, None);
        let (mut sealed, mut commitment) = (None, None);
        reader.map(|key, reader| {
            match key {
                1 => version = Some(reader.uint()?),
                // Looked at before.
                2 => drop(reader.uint()?),
                3 => recipient = Some(reader.fixed::<HASH>()?),
                4 => encapsulation = Some(read_encapsulation(reader)?),
                5 => sender = Some(reader.fixed::<HASH>()?),
                6 => id = Some(reader.fixed::<NONCE>()?),
                7 => time = Some(read_time(reader)?),
                8 => sealed = Some(read_sealed(reader)?),
                9 => commitment = Some(reader.fixed::<HASH>()?),
                _ => return Err("a field of a sealed message that is not known"),
            }
            Ok(())
        })?;
        reader.end()?;
        let whole = "a sealed message that is not whole";
        let head = Head {
            recipient: recipient.ok_or(whole)?,
            encapsulation: encapsulation.ok_or(whole)?,
            sender: sender.ok_or(whole)?,
            id: id.ok_or(whole)?,
            time: time.ok_or(whole)?,
        };
        let read = Self {
            head,
            sealed: sealed.ok_or(whole)?,
            commitment: commitment.ok_or(whole)?,
        };
        Ok((version.ok_or(whole)?, read))
    }
}

fn read_sealed<'p>(reader: &mut Reader<'p>) -> Parse<&'p [u8]> {
    match reader.bytes()? {
        bytes if (TAG..=MAX_CONTENT + TAG).contains(&bytes.len()) => Ok(bytes),
        _ => Err("sealed content that is too short or too long"),
    }
}

/// What a message says of itself. Nobody checked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peeked {
    /// What it is known by.
    pub id: MessageId,
    /// The hash of the statement that it is sealed to.
    pub recipient: Digest,
    /// Its sender's certificate, and those above it that came along (DER).
    pub chain: Vec<Vec<u8>>,
}

impl Peeked {
    /// Reads a message without believing it: to find out which lists are
    /// needed to judge it, for instance.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::Malformed`], [`Error::WrongMessage`],
    /// [`Error::UnsupportedVersion`].
    pub fn read(message: &[u8]) -> Result<Self> {
        let envelope = Envelope::read_within(message, MAX_SEALED)?;
        let Sealed { head, .. } = Sealed::decode(envelope.payload())?;
        Ok(Self {
            id: head.id,
            recipient: head.recipient,
            chain: envelope.chain().to_vec(),
        })
    }
}
