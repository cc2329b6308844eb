//! Messages to other clients, which the server never sees (docs/sealing.md): a
//! sealing key that is published, what is sealed to somebody's, and what is
//! opened.

use std::fmt;

use skms_exchange::below::{Certificate, Crl, Evidence, pem, rand};
use skms_exchange::sealing::{Peeked, StatusQuery, Validity, principal_name};
use skms_exchange::{LocalIdentity, Trust};
use skms_wire::Bytes;
use skms_wire::native::directory::{DirectoryCrlsRequest, LookUpStatementRequest};

pub use skms_exchange::below::{Algorithm, Format, KeyMaterial, Moment, SecretBytes, Suite};
pub use skms_exchange::sealing::{
    CertifiedParty, Described, MAX_CONTENT, MAX_SEALED, MAX_VALIDITY_SECONDS, MessageId, Opened,
    Opening, Recipient, SealingKey, Statement, Status, Verdict, Wanted,
};
pub use skms_exchange::{Error as Refusal, ServerName, suite};

use crate::exchange::now;
use crate::{Client, Error, Result};

type Refused<T> = std::result::Result<T, Refusal>;

/// Who writes and reads: an identity key, and whom it trusts to say who others
/// are.
pub struct Correspondent {
    identity: LocalIdentity,
    servers: Vec<Vec<u8>>,
    anchors: Vec<Vec<u8>>,
}

impl Correspondent {
    /// From PEM: the certificate with those above it, its private key in any
    /// format that is imported, and the authorities that certify servers;
    /// `anchors` are those that certify the others. They are not the server's
    /// to choose.
    ///
    /// # Errors
    /// [`Refusal::Input`] for what is none of these, or do not belong together.
    pub fn from_pem(
        certificates: &[u8],
        private_key: &[u8],
        servers: &[u8],
        anchors: &[u8],
    ) -> Refused<Self> {
        let chain = std::str::from_utf8(certificates)
            .map_err(|_| Refusal::Input("not a chain of certificates in PEM"))?;
        Ok(Self {
            identity: LocalIdentity::from_pem(chain, private_key, None)?,
            servers: authorities(servers, "no authority (PEM) that certifies the server")?,
            anchors: authorities(anchors, "no authority (PEM) that certifies the others")?,
        })
    }

    /// States that a key is one's sealing key, from now for so many seconds.
    /// Keep the statement with the key before it is published: nothing that is
    /// sealed to it opens without.
    ///
    /// # Errors
    /// As [`LocalIdentity::state`].
    pub fn state(&self, key: &SealingKey, seconds: u32) -> Refused<Vec<u8>> {
        let now = now();
        let validity = Validity::for_seconds(now, seconds);
        self.identity.state(key, validity, now, &mut rand::fill)
    }

    /// Takes somebody's statement, whoever it came from. `lists` are revocation
    /// lists (DER).
    ///
    /// # Errors
    /// As [`Statement::receive`].
    pub fn take(
        &self,
        statement: &[u8],
        wanted: Wanted<'_>,
        lists: &[Vec<u8>],
        now: Moment,
    ) -> Refused<Statement> {
        trusting(&self.anchors, lists, |trust| {
            Statement::receive(statement, wanted, trust, now)
        })
    }

    /// Takes what a server says of a statement.
    ///
    /// # Errors
    /// As [`StatusQuery::receive`].
    pub fn hear(
        &self,
        (query, answer): (StatusQuery, &[u8]),
        statement: &Statement,
        server: &ServerName,
        lists: &[Vec<u8>],
        now: Moment,
    ) -> Refused<Verdict> {
        trusting(&self.servers, lists, |trust| {
            query.receive(answer, statement.hash(), server, trust, now)
        })
    }

    /// Seals content to a statement.
    ///
    /// # Errors
    /// As [`LocalIdentity::seal`].
    pub fn seal(
        &self,
        to: &Statement,
        content: &[u8],
        now: Moment,
    ) -> Refused<(Vec<u8>, MessageId)> {
        self.identity.seal(to, content, now, &mut rand::fill)
    }

    /// Opens a message with one's sealing key.
    ///
    /// # Errors
    /// As [`Recipient::open`].
    pub fn open(
        &self,
        recipient: &Recipient,
        message: &[u8],
        opening: Opening<'_>,
        lists: &[Vec<u8>],
        now: Moment,
    ) -> Refused<Opened> {
        trusting(&self.anchors, lists, |trust| {
            recipient.open(message, opening, trust, now)
        })
    }
}

impl fmt::Debug for Correspondent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Correspondent(<redacted>)")
    }
}

fn authorities(text: &[u8], missing: &'static str) -> Refused<Vec<Vec<u8>>> {
    let read = std::str::from_utf8(text).ok();
    let read = read.and_then(|text| pem::decode(pem::CERTIFICATE, text).ok());
    let read = read.filter(|all| !all.is_empty());
    read.ok_or(Refusal::Input(missing))
}

fn trusting<T>(
    anchors: &[Vec<u8>],
    lists: &[Vec<u8>],
    judge: impl FnOnce(&Trust<'_, '_, '_>) -> Refused<T>,
) -> Refused<T> {
    let anchors: Vec<_> = (anchors.iter())
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect();
    let crls: Vec<_> = (lists.iter())
        .filter_map(|der| Crl::from_der(der).ok())
        .collect();
    judge(&Trust::new(Evidence {
        anchors: &anchors,
        crls: &crls,
        ..Evidence::default()
    }))
}

/// The name of a principal of a namespace.
///
/// # Errors
/// [`Refusal::Input`] for a principal that can have no certificate.
pub fn name(namespace: &str, principal: &str) -> Refused<String> {
    principal_name(namespace, principal).ok_or(Refusal::Input("a principal that has no name"))
}

/// A statement that was looked up, and what the directory says of it.
pub struct LookedUp {
    /// It counts, by one's own anchors.
    pub statement: Statement,
    /// The directory's word.
    pub verdict: Verdict,
}

impl Client {
    /// Looks a principal of the namespace up, and judges what the directory
    /// gives. The verdict is to be asked whether it is good; [`Client::seal_to`]
    /// does.
    ///
    /// # Errors
    /// [`Error::Sealing`] for what does not hold, and what a call gives.
    pub async fn look_up(
        &self,
        by: &Correspondent,
        principal: &str,
        suites: &[Suite],
    ) -> Result<LookedUp> {
        let name = name(self.asked_namespace(), principal).map_err(sealing)?;
        let query = StatusQuery::new(&mut rand::fill).map_err(sealing)?;
        let request = LookUpStatementRequest {
            principal: principal.to_owned(),
            nonce: Bytes::new(query.nonce().to_vec()),
        };
        let found = self.look_up_statement(&request).await?;
        let lists: Vec<_> = found.crls.into_iter().map(Bytes::into_inner).collect();
        let wanted = Wanted {
            name: &name,
            suites,
        };
        let judged = || {
            let now = now();
            let statement = by.take(&found.statement, wanted, &lists, now)?;
            let server = ServerName::host(self.host())?;
            let question = (query, &found.status[..]);
            let verdict = by.hear(question, &statement, &server, &lists, now)?;
            Ok(LookedUp { statement, verdict })
        };
        judged().map_err(sealing)
    }

    /// Seals content to a principal of the namespace.
    ///
    /// # Errors
    /// As [`Client::look_up`]; [`Error::Sealing`] where the directory says that
    /// the statement is not good.
    pub async fn seal_to(
        &self,
        by: &Correspondent,
        principal: &str,
        suites: &[Suite],
        content: &[u8],
    ) -> Result<(Vec<u8>, MessageId)> {
        let found = self.look_up(by, principal, suites).await?;
        found.verdict.status.ensure_good().map_err(sealing)?;
        by.seal(&found.statement, content, now()).map_err(sealing)
    }

    /// Opens a message. The server gives the lists by which its sender is
    /// judged, and sees the sender's certificate and nothing else.
    ///
    /// # Errors
    /// [`Error::Sealing`] for what does not hold, and what a call gives.
    pub async fn open_message(
        &self,
        by: &Correspondent,
        recipient: &Recipient,
        message: &[u8],
        opening: Opening<'_>,
    ) -> Result<Opened> {
        let chain = Peeked::read(message).map_err(sealing)?.chain;
        let request = DirectoryCrlsRequest {
            certificates: chain.into_iter().map(Bytes::new).collect(),
        };
        let found = self.directory_crls(&request).await?;
        let lists: Vec<_> = found.crls.into_iter().map(Bytes::into_inner).collect();
        by.open(recipient, message, opening, &lists, now())
            .map_err(sealing)
    }
}

fn sealing(error: Refusal) -> Error {
    Error::Sealing { error }
}
