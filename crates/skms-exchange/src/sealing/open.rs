//! The recipient opens.

use std::fmt;

use skms_crypto::SecretBytes;
use skms_crypto::hpke::Receiver;
use skms_pki::Moment;

use super::party::{CertifiedParty, judge_party};
use super::seal::{MAX_SEALED, commit};
use super::sealed::{MessageId, Sealed};
use super::state::SealingKey;
use super::statement::Described;
use super::{COMMIT, MESSAGE, SKEW_SECONDS, info};
use crate::envelope::Envelope;
use crate::error::{Error, Result, own};
use crate::message::{Digest, HASH};
use crate::peer::Trust;
use crate::suite;

/// A sealing key with the statements that its owner made of it.
pub struct Recipient {
    key: SealingKey,
    statements: Vec<Described>,
}

/// What is asked of a message beyond that it holds.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'w> {
    /// By whom it has to be: anybody who is trusted, if nobody is named.
    pub from: Option<&'w str>,
    /// How old it may be, in seconds: of any age, if that is not said.
    pub max_age_seconds: Option<u32>,
    /// How far two clocks may be apart, in seconds.
    pub skew_seconds: u32,
}

impl Default for Opening<'_> {
    fn default() -> Self {
        Self {
            from: None,
            max_age_seconds: None,
            skew_seconds: SKEW_SECONDS,
        }
    }
}

/// A message that was opened.
pub struct Opened {
    /// The content.
    pub content: SecretBytes,
    /// Who sealed it.
    pub sender: CertifiedParty,
    /// What it is known by: the same message again has the same.
    pub id: MessageId,
    /// When, by the sender's clock.
    pub time: Moment,
    /// The statement that it was sealed to, by its hash.
    pub statement: Digest,
    /// What opens the commitment: who is shown it together with the message
    /// and the content can tell that the sender signed for that content.
    pub commitment_key: SecretBytes,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened(from {}, <redacted>)", self.sender.name())
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({:?})", self.key)
    }
}

impl Recipient {
    /// A key and statements, of which those of this key count. They are one's
    /// own: nothing about them is checked but that.
    ///
    /// # Errors
    /// [`Error::Input`] where none is of this key; what
    /// [`Described::read`] gives.
    pub fn new(key: SealingKey, statements: &[Vec<u8>]) -> Result<Self> {
        let mut of_key = Vec::new();
        for statement in statements {
            let read = Described::read(statement)?;
            if read.suite == Some(key.suite) && read.public == key.public {
                of_key.push(read);
            }
        }
        match of_key.is_empty() {
            false => Ok(Self {
                key,
                statements: of_key,
            }),
            true => Err(Error::Input("no statement of this key")),
        }
    }

    /// The statements of the key.
    #[must_use]
    pub fn statements(&self) -> &[Described] {
        &self.statements
    }

    /// Opens a message: checks by whom it is and for whom, and only then
    /// touches the private key.
    ///
    /// # Errors
    /// Why it was refused: docs/sealing.md, "Errors".
    pub fn open(
        &self,
        message: &[u8],
        opening: Opening<'_>,
        trust: &Trust<'_, '_, '_>,
        now: Moment,
    ) -> Result<Opened> {
        let envelope = Envelope::read_within(message, MAX_SEALED)?;
        let Sealed {
            head,
            sealed,
            commitment,
        } = Sealed::decode(envelope.payload())?;
        let statement = self
            .statements
            .iter()
            .find(|statement| statement.hash == head.recipient)
            .ok_or(Error::WrongRecipient)?;
        check_time(head.time, statement, opening, now)?;
        let sender = judge_party(envelope.chain(), &head.sender, trust, now)?;
        if opening.from.is_some_and(|from| from != sender.name()) {
            return Err(Error::WrongSender);
        }
        envelope.check_labelled(sender.peer().certificate(), MESSAGE)?;

        let (key, suite) = (&self.key.key, self.key.suite);
        if suite::gives_zero(suite, &head.encapsulation) {
            return Err(Error::Encapsulation);
        }
        let info = info(&statement.hash, &head.sender);
        let mut context = Receiver::setup(key, suite, &head.encapsulation, &info)
            .map_err(|_| Error::Encapsulation)?;
        let encoded = head.encode();
        let content = context.open(&encoded, sealed).map_err(|_| Error::Sealed)?;
        let commitment_key = context.export(COMMIT, HASH).map_err(own)?;
        let expected = commit(&commitment_key, &encoded, content.expose())?;
        if !skms_crypto::ct_eq(&expected, &commitment) {
            return Err(Error::Commitment);
        }
        Ok(Opened {
            content,
            sender,
            id: head.id,
            time: head.time,
            statement: statement.hash,
            commitment_key,
        })
    }
}

/// Whether a message of this time may be opened now, and could be sealed to
/// this statement then.
fn check_time(
    time: Moment,
    statement: &Described,
    opening: Opening<'_>,
    now: Moment,
) -> Result<()> {
    let skew = i64::from(opening.skew_seconds);
    let age = now.0.saturating_sub(time.0);
    if age < -skew {
        return Err(Error::FromTheFuture);
    }
    let most = opening.max_age_seconds.map(i64::from);
    if most.is_some_and(|most| age > most.saturating_add(skew)) {
        return Err(Error::Stale);
    }
    if time.0 < statement.not_before.0.saturating_sub(skew) {
        return Err(Error::StatementNotYetValid);
    }
    if time.0 > statement.not_after.0.saturating_add(skew) {
        return Err(Error::StatementExpired);
    }
    Ok(())
}
