//! Message 1: the initiator's request.

use skms_crypto::hpke::Suite;
use skms_pki::Moment;

use super::{Digest, HASH, NONCE, VERSION, expect_type};
use crate::cbor::{Fields, Parse, Reader};
use crate::error::{Error, Message, Result};
use crate::name::ServerName;
use crate::request::Request;
use crate::suite::Numbers;

/// The most offers.
pub(crate) const MAX_OFFERS: usize = 8;
/// The most versions.
const MAX_VERSIONS: usize = 8;
/// Bytes of the longest public key that is read.
pub(crate) const MAX_PUBLIC: usize = 4096;

/// A suite with an ephemeral key of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) suite: Numbers,
    pub(crate) public: Vec<u8>,
}

/// The payload of message 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct First {
    /// Highest first.
    pub(crate) versions: Vec<u64>,
    pub(crate) offers: Vec<Offer>,
    pub(crate) certificate: Digest,
    pub(crate) server: ServerName,
    pub(crate) nonce: [u8; NONCE],
    pub(crate) time: Moment,
    pub(crate) request: Request,
}

impl First {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut fields = Fields::default();
        let versions = fields.field(1).array(self.versions.len());
        for version in &self.versions {
            versions.uint(*version);
        }
        fields.field(2).uint(Message::First.number());
        let offers = fields.field(3).array(self.offers.len());
        for offer in &self.offers {
            offers.array(4);
            offer.suite.write(offers);
            offers.bytes(&offer.public);
        }
        fields.field(4).bytes(&self.certificate);
        self.server.write(fields.field(5));
        fields.field(6).bytes(&self.nonce);
        fields.field(7).uint(write_time(self.time));
        self.request.write(fields.field(8));
        fields.finish()
    }

    /// Reads a payload of version 1.
    pub(crate) fn decode(payload: &[u8]) -> Result<Self> {
        expect_type(payload, Message::First)?;
        let first = Self::fields(payload).map_err(Error::Malformed)?;
        match first.versions.contains(&VERSION) {
            true => Ok(first),
            false => Err(Error::UnsupportedVersion),
        }
    }

    fn fields(payload: &[u8]) -> Parse<Self> {
        let mut reader = Reader::new(payload);
        let (mut versions, mut offers, mut certificate, mut server) = (None, None, None, None);
        let (mut nonce, mut time, mut request) = (None, None, None);
        reader.map(|key, reader| {
            match key {
                1 => versions = Some(read_versions(reader)?),
                // Looked at before.
                2 => drop(reader.uint()?),
                3 => offers = Some(read_offers(reader)?),
                4 => certificate = Some(reader.fixed::<HASH>()?),
                5 => server = Some(ServerName::read(reader)?),
                6 => nonce = Some(reader.fixed::<NONCE>()?),
                7 => time = Some(read_time(reader)?),
                8 => request = Some(Request::read(reader)?),
                _ => return Err("a field of message 1 that is not known"),
            }
            Ok(())
        })?;
        reader.end()?;
        match (versions, offers, certificate, server, nonce, time, request) {
            (
                Some(versions),
                Some(offers),
                Some(certificate),
                Some(server),
                Some(nonce),
                Some(time),
                Some(request),
            ) => Ok(Self {
                versions,
                offers,
                certificate,
                server,
                nonce,
                time,
                request,
            }),
            _ => Err("message 1 is not whole"),
        }
    }

    /// The key that was offered with a suite.
    pub(crate) fn offered(&self, suite: Suite) -> Option<&Offer> {
        let numbers = Numbers::from(suite);
        self.offers.iter().find(|offer| offer.suite == numbers)
    }
}

fn read_versions(reader: &mut Reader<'_>) -> Parse<Vec<u64>> {
    let length = reader.array()?;
    if !(1..=MAX_VERSIONS).contains(&length) {
        return Err("no versions, or too many");
    }
    let mut versions: Vec<u64> = Vec::with_capacity(length);
    for _ in 0..length {
        let version = reader.uint()?;
        if versions.last().is_some_and(|last| *last <= version) {
            return Err("a version twice, or versions out of order");
        }
        versions.push(version);
    }
    Ok(versions)
}

/// Field 1 of any message, on the way to its type.
pub(super) fn skip_versions(reader: &mut Reader<'_>) -> Parse<()> {
    let ahead = reader.peek_array();
    match ahead {
        true => read_versions(reader).map(drop),
        false => reader.uint().map(drop),
    }
}

fn read_offers(reader: &mut Reader<'_>) -> Parse<Vec<Offer>> {
    let length = reader.array()?;
    if !(1..=MAX_OFFERS).contains(&length) {
        return Err("no offers, or too many");
    }
    let mut offers: Vec<Offer> = Vec::with_capacity(length);
    for _ in 0..length {
        if reader.array()? != 4 {
            return Err("an offer that is not of four parts");
        }
        let suite = Numbers::read(reader)?;
        let public = reader.bytes()?;
        if !(1..=MAX_PUBLIC).contains(&public.len()) {
            return Err("a public key that is empty or too long");
        }
        if offers.iter().any(|other| other.suite == suite) {
            return Err("a suite twice");
        }
        offers.push(Offer {
            suite,
            public: public.to_vec(),
        });
    }
    Ok(offers)
}

/// A moment before 1970 is no moment of an exchange; it is refused as too old
/// by whoever reads the zero.
pub(crate) fn write_time(time: Moment) -> u64 {
    u64::try_from(time.0).unwrap_or(0)
}

pub(crate) fn read_time(reader: &mut Reader<'_>) -> Parse<Moment> {
    // Room is left for sums of moments and windows.
    match i64::try_from(reader.uint()?) {
        Ok(seconds) if seconds < i64::MAX / 2 => Ok(Moment(seconds)),
        _ => Err("a time beyond all times"),
    }
}
