//! The recipient makes a sealing key, and a statement of it.

use std::fmt;

use skms_crypto::hpke::{Fill, Suite};
use skms_crypto::{KeyMaterial, OpenKey};
use skms_pki::Moment;
use skms_pki::issue::SigningScheme;

use super::statement::{MAX_VALIDITY_SECONDS, Payload};
use super::{STATEMENT, name_of, statement_hash};
use crate::envelope::{MAX_MESSAGE, Unsigned};
use crate::error::{Error, Result, own};
use crate::identity::Identity;
use crate::local::LocalIdentity;
use crate::message::{Digest, NONCE};
use crate::suite;

/// The key that messages are sealed to. It never leaves its owner's machine.
pub struct SealingKey {
    pub(super) key: OpenKey,
    pub(super) suite: Suite,
    pub(super) public: Vec<u8>,
}

impl SealingKey {
    /// A key of any suite of docs/exchange.md.
    ///
    /// # Errors
    /// [`Error::Input`] for a key of another kind.
    pub fn new(key: &KeyMaterial) -> Result<Self> {
        let kind = Error::Input("a key of a kind that nothing is sealed to");
        let suite = Suite::for_key(key.algorithm()).map_err(|_| kind.clone())?;
        if !suite::ALL.contains(&suite) {
            return Err(kind);
        }
        let key = OpenKey::open(key).map_err(own)?;
        let public = key.public_key().ok_or(kind)?.to_raw().map_err(own)?;
        Ok(Self { key, suite, public })
    }

    /// Its suite.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Its public half, as HPKE writes it.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({}, <redacted>)", self.key.algorithm())
    }
}

/// From when and until when a statement counts; both are within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub not_before: Moment,
    /// The last one.
    pub not_after: Moment,
}

impl Validity {
    /// From now, for a number of seconds.
    #[must_use]
    pub fn for_seconds(now: Moment, seconds: u32) -> Self {
        Self {
            not_before: now,
            not_after: Moment(now.0.saturating_add(seconds.into())),
        }
    }
}

/// Plans the statement that a key is one's sealing key, to be signed by one's
/// identity key.
///
/// # Errors
/// [`Error::Input`] for an identity whose certificate has not one URI as its
/// only name, and for a time that is too long or none; [`Error::Own`] where
/// there is no randomness.
pub fn state(
    identity: &Identity,
    key: &SealingKey,
    validity: Validity,
    now: Moment,
    random: &mut Fill<'_>,
) -> Result<UnsignedStatement> {
    let name = name_of(identity.certificate());
    let name = name.ok_or(Error::Input("a certificate whose one name is not a URI"))?;
    let Validity {
        not_before,
        not_after,
    } = validity;
    let seconds = not_after.0.saturating_sub(not_before.0);
    let sound = (0..=i64::from(MAX_VALIDITY_SECONDS)).contains(&seconds);
    if !sound || now.0 < 0 || not_before.0 < 0 || not_after.0 >= i64::MAX / 2 {
        return Err(Error::Input("a statement may count for 366 days at most"));
    }
    let mut serial = [0; NONCE];
    random(&mut serial).map_err(own)?;
    let payload = Payload {
        suite: key.suite.into(),
        public: key.public.clone(),
        certificate: *identity.certificate_hash(),
        name,
        serial,
        time: now,
        not_before,
        not_after,
    };
    let encoded = payload.encode();
    Ok(UnsignedStatement {
        unsigned: Unsigned::plan_labelled(identity, &encoded, STATEMENT, MAX_MESSAGE)?,
        hash: statement_hash(&encoded),
    })
}

/// A statement, to be signed. Sign [`Self::tbs`] with the identity key by
/// [`Self::scheme`], and give the signature to [`Self::signed`].
pub struct UnsignedStatement {
    unsigned: Unsigned,
    hash: Digest,
}

impl UnsignedStatement {
    /// The bytes to be signed, as they stand.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        self.unsigned.tbs()
    }

    /// How they are to be signed; ECDSA signatures in DER.
    #[must_use]
    pub fn scheme(&self) -> SigningScheme {
        self.unsigned.scheme()
    }

    /// What the statement will be known by.
    #[must_use]
    pub fn hash(&self) -> &Digest {
        &self.hash
    }

    /// The statement.
    ///
    /// # Errors
    /// [`Error::Own`] if the signature is not the identity key's;
    /// [`Error::TooLong`] for a chain that makes it too long.
    pub fn signed(self, signature: &[u8]) -> Result<Vec<u8>> {
        self.unsigned.signed(signature)
    }
}

impl LocalIdentity {
    /// States a sealing key, and signs that.
    ///
    /// # Errors
    /// As [`state`] and [`UnsignedStatement::signed`].
    pub fn state(
        &self,
        key: &SealingKey,
        validity: Validity,
        now: Moment,
        random: &mut Fill<'_>,
    ) -> Result<Vec<u8>> {
        let unsigned = state(self.identity(), key, validity, now, random)?;
        let signature = self.sign(unsigned.tbs(), unsigned.scheme())?;
        unsigned.signed(&signature)
    }
}
