//! A sealing key's statement, read and judged: docs/sealing.md, "The statement".

use skms_crypto::hpke::Suite;
use skms_crypto::{Format, PublicKey};
use skms_pki::Moment;

use super::party::{CertifiedParty, judge_party};
use super::{SKEW_SECONDS, STATEMENT, STATEMENT_TYPE, statement_hash};
use crate::cbor::{Fields, Parse, Reader};
use crate::envelope::Envelope;
use crate::error::{CertificateFault, Error, Result};
use crate::freshness::Freshness;
use crate::message::first::{MAX_PUBLIC, read_time, write_time};
use crate::message::second::read_suite;
use crate::message::{Digest, HASH, NONCE, VERSION, expect_number};
use crate::name::{MAX_URI, is_uri};
use crate::peer::Trust;
use crate::suite::{self, Numbers};

/// The longest that a statement may count, in seconds: 366 days.
pub const MAX_VALIDITY_SECONDS: u32 = 366 * 86_400;

/// The payload of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) suite: Numbers,
    pub(crate) public: Vec<u8>,
    pub(crate) certificate: Digest,
    pub(crate) name: String,
    pub(crate) serial: [u8; NONCE],
    pub(crate) time: Moment,
    pub(crate) not_before: Moment,
    pub(crate) not_after: Moment,
}

impl Payload {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut fields = Fields::default();
        fields.field(1).uint(VERSION);
        fields.field(2).uint(STATEMENT_TYPE);
        self.suite.write(fields.field(3).array(3));
        fields.field(4).bytes(&self.public);
        fields.field(5).bytes(&self.certificate);
        fields.field(6).text(&self.name);
        fields.field(7).bytes(&self.serial);
        fields.field(8).uint(write_time(self.time));
        fields.field(9).uint(write_time(self.not_before));
        fields.field(10).uint(write_time(self.not_after));
        fields.finish()
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self> {
        expect_number(payload, STATEMENT_TYPE)?;
        let (version, read) = Self::fields(payload).map_err(Error::Malformed)?;
        match version == VERSION {
            true => Ok(read),
            false => Err(Error::UnsupportedVersion),
        }
    }

    fn fields(payload: &[u8]) -> Parse<(u64, Self)> {
        let mut reader = Reader::new(payload);
        let (mut version, mut suite, mut public, mut certificate) = (None, None, None, None);
        let (mut name, mut serial) = (None, None);
        let mut times = [None; 3];
        reader.map(|key, reader| {
            match key {
                1 => version = Some(reader.uint()?),
                // Looked at before.
                2 => drop(reader.uint()?),
                3 => suite = Some(read_suite(reader)?),
                4 => public = Some(read_public(reader)?),
                5 => certificate = Some(reader.fixed::<HASH>()?),
                6 => name = Some(read_name(reader)?),
                7 => serial = Some(reader.fixed::<NONCE>()?),
                8 => times[0] = Some(read_time(reader)?),
                9 => times[1] = Some(read_time(reader)?),
                10 => times[2] = Some(read_time(reader)?),
                _ => return Err("a field of a statement that is not known"),
            }
            Ok(())
        })?;
        reader.end()?;
        let whole = "a statement that is not whole";
        let [Some(time), Some(not_before), Some(not_after)] = times else {
            return Err(whole);
        };
        let length = not_after.0 - not_before.0;
        if !(0..=i64::from(MAX_VALIDITY_SECONDS)).contains(&length) {
            return Err("a statement that ends before it begins, or counts too long");
        }
        let read = Self {
            suite: suite.ok_or(whole)?,
            public: public.ok_or(whole)?,
            certificate: certificate.ok_or(whole)?,
            name: name.ok_or(whole)?,
            serial: serial.ok_or(whole)?,
            time,
            not_before,
            not_after,
        };
        Ok((version.ok_or(whole)?, read))
    }
}

fn read_public(reader: &mut Reader<'_>) -> Parse<Vec<u8>> {
    match reader.bytes()? {
        bytes if (1..=MAX_PUBLIC).contains(&bytes.len()) => Ok(bytes.to_vec()),
        _ => Err("a public key that is empty or too long"),
    }
}

fn read_name(reader: &mut Reader<'_>) -> Parse<String> {
    match reader.text(MAX_URI)? {
        text if is_uri(text) => Ok(text.to_owned()),
        _ => Err("a name that is no URI"),
    }
}

/// What a statement says of itself. Nobody checked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// What it is known by.
    pub hash: Digest,
    /// Of whom it says it is.
    pub name: String,
    /// How its key is used; none where that is not known here.
    pub suite: Option<Suite>,
    /// The public key, as the suite's KEM writes it.
    pub public: Vec<u8>,
    /// Which statement of its owner's.
    pub serial: [u8; NONCE],
    /// When it was made.
    pub time: Moment,
    /// From when it counts.
    pub not_before: Moment,
    /// The last moment at which it counts.
    pub not_after: Moment,
    /// Its owner's certificate, and those above it that came along (DER).
    pub chain: Vec<Vec<u8>>,
}

impl Described {
    /// Reads a statement without believing it: for what one made oneself, and
    /// for what was checked when it was stored.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::Malformed`], [`Error::WrongMessage`],
    /// [`Error::UnsupportedVersion`].
    pub fn read(statement: &[u8]) -> Result<Self> {
        let envelope = Envelope::read(statement)?;
        let payload = Payload::decode(envelope.payload())?;
        Ok(Self::of(&envelope, payload))
    }

    fn of(envelope: &Envelope, payload: Payload) -> Self {
        Self {
            hash: statement_hash(envelope.payload()),
            suite: payload.suite.known(),
            name: payload.name,
            public: payload.public,
            serial: payload.serial,
            time: payload.time,
            not_before: payload.not_before,
            not_after: payload.not_after,
            chain: envelope.chain().to_vec(),
        }
    }
}

/// Which statement is good enough.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    /// Whose.
    pub name: &'w str,
    /// The suites that will do. A statement's owner chose its suite, and the
    /// owner alone: nobody on the way can.
    pub suites: &'w [Suite],
}

impl<'w> Wanted<'w> {
    /// A statement of this party, in a suite that withstands a quantum computer.
    #[must_use]
    pub fn of(name: &'w str) -> Self {
        Self {
            name,
            suites: &suite::POST_QUANTUM,
        }
    }
}

/// A statement by whom it says, that counts now.
#[derive(Clone, Debug)]
pub struct Statement {
    pub(super) described: Described,
    pub(super) suite: Suite,
    pub(super) key: PublicKey,
    owner: CertifiedParty,
}

impl Statement {
    /// Takes a statement: checks everything about it, whoever gave it.
    ///
    /// # Errors
    /// Why it was refused: docs/sealing.md, "Errors".
    pub fn receive(
        statement: &[u8],
        wanted: Wanted<'_>,
        trust: &Trust<'_, '_, '_>,
        now: Moment,
    ) -> Result<Self> {
        let envelope = Envelope::read(statement)?;
        let payload = Payload::decode(envelope.payload())?;
        if payload.name != wanted.name {
            return Err(Error::WrongName);
        }
        let skew = i64::from(SKEW_SECONDS);
        if payload.time.0 > now.0.saturating_add(skew) {
            return Err(Error::FromTheFuture);
        }
        counts(payload.not_before, payload.not_after, now)?;
        let suite = payload.suite.known();
        let suite = suite.filter(|suite| wanted.suites.contains(suite));
        let suite = suite.ok_or(Error::NoCommonSuite)?;
        let owner = judge_party(envelope.chain(), &payload.certificate, trust, now)?;
        if owner.name() != payload.name {
            return Err(Error::Certificate(CertificateFault::Name));
        }
        envelope.check_labelled(owner.peer().certificate(), STATEMENT)?;
        let key = public_key(suite, &payload.public)?;
        Ok(Self {
            described: Described::of(&envelope, payload),
            suite,
            key,
            owner,
        })
    }

    /// What it says.
    #[must_use]
    pub fn described(&self) -> &Described {
        &self.described
    }

    /// What it is known by.
    #[must_use]
    pub fn hash(&self) -> &Digest {
        &self.described.hash
    }

    /// The suite of its key.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Whose it is.
    #[must_use]
    pub fn owner(&self) -> &CertifiedParty {
        &self.owner
    }

    /// Whether it was made just now, as one is that is published: who has an
    /// old one from elsewhere brings it back to nobody.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::FromTheFuture`].
    pub fn ensure_fresh(&self, now: Moment) -> Result<()> {
        Freshness::default().check(self.described.time, now)
    }
}

/// Whether a moment is between two, both of them within.
pub(super) fn counts(not_before: Moment, not_after: Moment, at: Moment) -> Result<()> {
    if at < not_before {
        return Err(Error::StatementNotYetValid);
    }
    if at > not_after {
        return Err(Error::StatementExpired);
    }
    Ok(())
}

/// A public key in the one form that HPKE has for it. Reading one refuses
/// those of X25519 that give zero.
fn public_key(suite: Suite, bytes: &[u8]) -> Result<PublicKey> {
    let algorithm = suite.kem.algorithm();
    let key = PublicKey::import(bytes, Format::Raw, Some(algorithm));
    let key = key.map_err(|_| Error::PublicKey)?;
    // Compressed points read as well, and are not what HPKE has.
    let same = key.to_raw().ok().as_deref() == Some(bytes);
    match same && !suite::gives_zero(suite, bytes) {
        true => Ok(key),
        false => Err(Error::PublicKey),
    }
}
