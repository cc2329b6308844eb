//! Message 2: the responder's answer.

use skms_pki::Moment;

use super::first::{read_time, write_time};
use super::{Digest, HASH, NONCE, VERSION, expect_type};
use crate::cbor::{Fields, Parse, Reader};
use crate::error::{Error, Message, Result};
use crate::grant::{Given, Grant};
use crate::suite::Numbers;

/// Bytes of the longest encapsulation that is read.
const MAX_ENCAPSULATION: usize = 4096;
/// Bytes of the shortest and the longest sealed key: a tag, and a key of RSA
/// with room to spare.
pub(crate) const SEALED: std::ops::RangeInclusive<usize> = 16..=16_384;

/// Fields 1 to 9 of message 2: what is under the seal's associated data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// T1.
    pub(crate) first: Digest,
    pub(crate) suite: Numbers,
    pub(crate) encapsulation: Vec<u8>,
    pub(crate) certificate: Digest,
    pub(crate) nonce: [u8; NONCE],
    pub(crate) time: Moment,
    pub(crate) grant: Grant,
}

impl Head {
    fn write(&self) -> Fields {
        let mut fields = Fields::default();
        fields.field(1).uint(VERSION);
        fields.field(2).uint(Message::Second.number());
        fields.field(3).bytes(&self.first);
        self.suite.write(fields.field(4).array(3));
        fields.field(5).bytes(&self.encapsulation);
        fields.field(6).bytes(&self.certificate);
        fields.field(7).bytes(&self.nonce);
        fields.field(8).uint(write_time(self.time));
        self.grant.write(fields.field(9));
        fields
    }

    /// The map of fields 1 to 9.
    pub(crate) fn encode(&self) -> Vec<u8> {
        self.write().finish()
    }

    /// The map of fields 1 to 10: what is under the MAC.
    pub(crate) fn body(&self, sealed: Option<&[u8]>) -> Vec<u8> {
        self.with(sealed).finish()
    }

    fn with(&self, sealed: Option<&[u8]>) -> Fields {
        let mut fields = self.write();
        if let Some(sealed) = sealed {
            fields.field(10).bytes(sealed);
        }
        fields
    }

    /// The whole payload.
    pub(crate) fn payload(&self, sealed: Option<&[u8]>, confirmation: &Digest) -> Vec<u8> {
        let mut fields = self.with(sealed);
        fields.field(11).bytes(confirmation);
        fields.finish()
    }
}

/// The payload of message 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Second {
    pub(crate) version: u64,
    pub(crate) head: Head,
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) confirmation: Digest,
}

impl Second {
    /// Reads a payload.
    pub(crate) fn decode(payload: &[u8]) -> Result<Self> {
        expect_type(payload, Message::Second)?;
        let second = Self::fields(payload).map_err(Error::Malformed)?;
        match second.version == VERSION {
            true => Ok(second),
            false => Err(Error::UnsupportedVersion),
        }
    }

    fn fields(payload: &[u8]) -> Parse<Self> {
        let mut reader = Reader::new(payload);
        let (mut version, mut first, mut suite, mut encapsulation) = (None, None, None, None);
        let (mut certificate, mut nonce, mut time, mut grant) = (None, None, None, None);
        let (mut sealed, mut confirmation) = (None, None);
        reader.map(|key, reader| {
            match key {
                1 => version = Some(reader.uint()?),
                // Looked at before.
                2 => drop(reader.uint()?),
                3 => first = Some(reader.fixed::<HASH>()?),
                4 => suite = Some(read_suite(reader)?),
                5 => encapsulation = Some(read_encapsulation(reader)?),
                6 => certificate = Some(reader.fixed::<HASH>()?),
                7 => nonce = Some(reader.fixed::<NONCE>()?),
                8 => time = Some(read_time(reader)?),
                9 => grant = Some(Grant::read(reader)?),
                10 => sealed = Some(read_sealed(reader)?),
                11 => confirmation = Some(reader.fixed::<HASH>()?),
                _ => return Err("a field of message 2 that is not known"),
            }
            Ok(())
        })?;
        reader.end()?;
        let grant: Grant = grant.ok_or("message 2 is not whole")?;
        if sealed.is_some() != matches!(grant.given, Given::Sealed { .. }) {
            return Err("a sealed key without its grant, or a grant without its key");
        }
        match (
            version,
            first,
            suite,
            encapsulation,
            certificate,
            nonce,
            time,
            confirmation,
        ) {
            (
                Some(version),
                Some(first),
                Some(suite),
                Some(encapsulation),
                Some(certificate),
                Some(nonce),
                Some(time),
                Some(confirmation),
            ) => Ok(Self {
                version,
                head: Head {
                    first,
                    suite,
                    encapsulation,
                    certificate,
                    nonce,
                    time,
                    grant,
                },
                sealed,
                confirmation,
            }),
            _ => Err("message 2 is not whole"),
        }
    }

    /// What the MAC is over.
    pub(crate) fn body(&self) -> Vec<u8> {
        self.head.body(self.sealed.as_deref())
    }
}

pub(crate) fn read_suite(reader: &mut Reader<'_>) -> Parse<Numbers> {
    match reader.array()? {
        3 => Numbers::read(reader),
        _ => Err("a suite that is not of three numbers"),
    }
}

pub(crate) fn read_encapsulation(reader: &mut Reader<'_>) -> Parse<Vec<u8>> {
    match reader.bytes()? {
        bytes if (1..=MAX_ENCAPSULATION).contains(&bytes.len()) => Ok(bytes.to_vec()),
        _ => Err("an encapsulation that is empty or too long"),
    }
}

fn read_sealed(reader: &mut Reader<'_>) -> Parse<Vec<u8>> {
    match reader.bytes()? {
        bytes if SEALED.contains(&bytes.len()) => Ok(bytes.to_vec()),
        _ => Err("a sealed key that is too short or too long"),
    }
}
