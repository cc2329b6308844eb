//! What the directory says of a statement, signed for whoever asked:
//! docs/sealing.md, "The directory's word".

use std::fmt;

use skms_crypto::hpke::Fill;
use skms_pki::Moment;
use skms_pki::issue::SigningScheme;

use super::{STATUS, STATUS_TYPE};
use crate::cbor::{Fields, Parse, Reader};
use crate::envelope::{Envelope, MAX_MESSAGE, Unsigned};
use crate::error::{CertificateFault, Error, Result, own};
use crate::freshness::Freshness;
use crate::identity::Identity;
use crate::message::first::{read_time, write_time};
use crate::message::{Digest, HASH, NONCE, VERSION, expect_number};
use crate::name::ServerName;
use crate::peer::{Peer, Role, Trust, judge};

/// How a statement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Nothing is against it.
    Good,
    /// Its owner published another one.
    Superseded,
    /// Its owner took it back.
    Withdrawn,
    /// It has ended, or has not begun.
    Expired,
    /// Its owner's certificate is on hold.
    CertificateOnHold,
    /// Its owner's certificate is revoked.
    CertificateRevoked,
    /// Its owner's certificate has ended.
    CertificateExpired,
    /// Its owner is registered no more.
    Unregistered,
}

/// Each with its number, its word, and what it is to a sender.
const ALL: [(Status, u64, &str); 8] = [
    (Status::Good, 1, "good"),
    (Status::Superseded, 2, "superseded"),
    (Status::Withdrawn, 3, "withdrawn"),
    (Status::Expired, 4, "expired"),
    (Status::CertificateOnHold, 5, "certificate-on-hold"),
    (Status::CertificateRevoked, 6, "certificate-revoked"),
    (Status::CertificateExpired, 7, "certificate-expired"),
    (Status::Unregistered, 8, "principal-unknown"),
];

impl Status {
    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("", |(_, _, name)| name)
    }

    fn number(self) -> u64 {
        self.row().map_or(0, |(_, number, _)| number)
    }

    fn row(self) -> Option<(Self, u64, &'static str)> {
        ALL.into_iter().find(|(status, _, _)| *status == self)
    }

    fn from_number(number: u64) -> Parse<Self> {
        let found = ALL.into_iter().find(|(_, one, _)| *one == number);
        found
            .map(|(status, _, _)| status)
            .ok_or("a status that is not known")
    }

    /// Whether one may seal to it.
    ///
    /// # Errors
    /// Why not.
    pub fn ensure_good(self) -> Result<()> {
        Err(match self {
            Self::Good => return Ok(()),
            Self::Superseded => Error::StatementSuperseded,
            Self::Withdrawn => Error::StatementWithdrawn,
            Self::Expired => Error::StatementExpired,
            Self::CertificateOnHold => Error::Certificate(CertificateFault::OnHold),
            Self::CertificateRevoked => Error::Certificate(CertificateFault::Revoked),
            Self::CertificateExpired => Error::Certificate(CertificateFault::Expired),
            Self::Unregistered => Error::PrincipalUnknown,
        })
    }
}

/// The payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) statement: Digest,
    pub(crate) status: Status,
    pub(crate) certificate: Digest,
    pub(crate) nonce: [u8; NONCE],
    pub(crate) time: Moment,
}

impl Payload {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut fields = Fields::default();
        fields.field(1).uint(VERSION);
        fields.field(2).uint(STATUS_TYPE);
        fields.field(3).bytes(&self.statement);
        fields.field(4).uint(self.status.number());
        fields.field(5).bytes(&self.certificate);
        fields.field(6).bytes(&self.nonce);
        fields.field(7).uint(write_time(self.time));
        fields.finish()
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self> {
        expect_number(payload, STATUS_TYPE)?;
        let (version, read) = Self::fields(payload).map_err(Error::Malformed)?;
        match version == VERSION {
            true => Ok(read),
            false => Err(Error::UnsupportedVersion),
        }
    }

    fn fields(payload: &[u8]) -> Parse<(u64, Self)> {
        let mut reader = Reader::new(payload);
        let (mut version, mut statement, mut status) = (None, None, None);
        let (mut certificate, mut nonce, mut time) = (None, None, None);
        reader.map(|key, reader| {
            match key {
                1 => version = Some(reader.uint()?),
                // Looked at before.
                2 => drop(reader.uint()?),
                3 => statement = Some(reader.fixed::<HASH>()?),
                4 => status = Some(Status::from_number(reader.uint()?)?),
                5 => certificate = Some(reader.fixed::<HASH>()?),
                6 => nonce = Some(reader.fixed::<NONCE>()?),
                7 => time = Some(read_time(reader)?),
                _ => return Err("a field of a status that is not known"),
            }
            Ok(())
        })?;
        reader.end()?;
        let whole = "a status that is not whole";
        let read = Self {
            statement: statement.ok_or(whole)?,
            status: status.ok_or(whole)?,
            certificate: certificate.ok_or(whole)?,
            nonce: nonce.ok_or(whole)?,
            time: time.ok_or(whole)?,
        };
        Ok((version.ok_or(whole)?, read))
    }
}

/// The directory's word, to be signed by the server's identity key. Sign
/// [`Self::tbs`] by [`Self::scheme`], and give the signature to
/// [`Self::signed`].
pub struct StatusAnswer(Unsigned);

impl StatusAnswer {
    /// Says how a statement stands, to whoever chose the nonce.
    ///
    /// # Errors
    /// [`Error::Input`] for a moment before 1970.
    pub fn plan(
        identity: &Identity,
        statement: &Digest,
        status: Status,
        nonce: &[u8; NONCE],
        now: Moment,
    ) -> Result<Self> {
        if now.0 < 0 {
            return Err(Error::Input("a moment before 1970"));
        }
        let payload = Payload {
            statement: *statement,
            status,
            certificate: *identity.certificate_hash(),
            nonce: *nonce,
            time: now,
        };
        Unsigned::plan_labelled(identity, &payload.encode(), STATUS, MAX_MESSAGE).map(Self)
    }

    /// The bytes to be signed, as they stand.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        self.0.tbs()
    }

    /// How they are to be signed; ECDSA signatures in DER.
    #[must_use]
    pub fn scheme(&self) -> SigningScheme {
        self.0.scheme()
    }

    /// The answer.
    ///
    /// # Errors
    /// [`Error::Own`] if the signature is not the identity key's.
    pub fn signed(self, signature: &[u8]) -> Result<Vec<u8>> {
        self.0.signed(signature)
    }
}

/// A question after a statement, which takes one answer.
pub struct StatusQuery {
    nonce: [u8; NONCE],
}

/// What the directory says, and which server it is.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// How the statement stands.
    pub status: Status,
    /// When, by the server's clock.
    pub time: Moment,
    /// The server.
    pub server: Peer,
}

impl StatusQuery {
    /// A question that was never asked before.
    ///
    /// # Errors
    /// [`Error::Own`] where there is no randomness.
    pub fn new(random: &mut Fill<'_>) -> Result<Self> {
        let mut nonce = [0; NONCE];
        random(&mut nonce).map_err(own)?;
        Ok(Self { nonce })
    }

    /// What the directory has to sign.
    #[must_use]
    pub fn nonce(&self) -> &[u8; NONCE] {
        &self.nonce
    }

    /// Takes the answer about a statement.
    ///
    /// # Errors
    /// Why it was refused: docs/sealing.md, "Errors". That the statement is not
    /// good is in the verdict.
    pub fn receive(
        self,
        answer: &[u8],
        statement: &Digest,
        server: &ServerName,
        trust: &Trust<'_, '_, '_>,
        now: Moment,
    ) -> Result<Verdict> {
        let envelope = Envelope::read(answer)?;
        let payload = Payload::decode(envelope.payload())?;
        if payload.nonce != self.nonce || payload.statement != *statement {
            return Err(Error::Transcript);
        }
        Freshness::default().check(payload.time, now)?;
        let nobody: &[u8] = &[];
        let role = Role::Responder(server);
        let (chain, certificate) = (envelope.chain(), &payload.certificate);
        let server = judge(chain, certificate, nobody, role, trust, now)?;
        envelope.check_labelled(server.certificate(), STATUS)?;
        Ok(Verdict {
            status: payload.status,
            time: payload.time,
            server,
        })
    }
}

impl fmt::Debug for StatusQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StatusQuery")
    }
}
