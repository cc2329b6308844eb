//! ACME (RFC 8555): accounts that make themselves, orders, proofs of control,
//! and the certificates that come of it.
//!
//! An authority is opened to ACME by somebody who may (`acme.manage`); that is
//! the authorisation under which its accounts act, see
//! [`crate::gate::Entry::authorize_as_account`]. Each request enters as the
//! principal of the account that signed it, and each act leaves an event that
//! names account and authority. Accounts and orders are sealed records, so
//! that what was begun before a restart goes on after it.

mod accounts;
mod binding;
mod certificates;
mod entering;
mod keep;
mod manage;
mod nonces;
mod orders;
mod refused;
mod renewal;
mod revoke;
mod traffic;
mod validate;

use skms_keys::UnixSeconds;
use skms_pki::acme::ChallengeKind;
use skms_store::RecordId;

use crate::act::{AccountAct, act};
use crate::acts::certificates::{Issue, ProfileChoice, Revoke};
use crate::error::{Error, Result};
use crate::records::acme::AcmeRecord;

pub use accounts::{AccountView, NewAccount};
pub use binding::{Binding, BindingKeyView, NewBindingKey};
/// What the names of accounts begin with, as principals.
pub(crate) const ACCOUNT: &str = "acme:";

pub use entering::{Entrant, Signed, SignedBy};
pub(crate) use nonces::Nonces;
pub use orders::{AuthorizationView, ChallengeView, OrderView};
pub use refused::{Refusal, Refused};
pub(crate) use traffic::Traffic;
pub(crate) use validate::Validations;

act!(Manage, AcmeManage, "Opens or closes an authority to ACME.");
act!(Account, AcmeAccount, "Makes or changes an ACME account.");
act!(Order, AcmeOrder, "Orders by ACME, and proves control.");

impl AccountAct for Account {}
impl AccountAct for Order {}
impl AccountAct for Issue {}
impl AccountAct for Revoke {}

/// Where an authority is: its namespace and its name.
pub type Place<'a> = (&'a str, &'a str);

/// How an authority is open to ACME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The profile by which accounts get certificates.
    pub profile: ProfileChoice,
    /// The ways to prove control that are taken.
    pub challenges: Vec<ChallengeKind>,
    /// Whether a new account has to be bound to a key of the operator's.
    pub external_account_required: bool,
    /// The terms that holders of accounts have to agree to.
    pub terms_of_service: Option<String>,
}

impl From<&Opening> for AcmeRecord {
    fn from(opening: &Opening) -> Self {
        Self {
            profile: opening.profile.name().to_owned(),
            challenges: opening
                .challenges
                .iter()
                .map(|kind| kind.name().to_owned())
                .collect(),
            external_account_required: opening.external_account_required,
            terms_of_service: opening.terms_of_service.clone(),
        }
    }
}

impl TryFrom<&AcmeRecord> for Opening {
    type Error = Error;

    fn try_from(record: &AcmeRecord) -> Result<Self> {
        Ok(Self {
            profile: record.profile.as_str().into(),
            challenges: record
                .challenges
                .iter()
                .map(|name| name.parse().map_err(|_| damaged("challenge")))
                .collect::<Result<_>>()?,
            external_account_required: record.external_account_required,
            terms_of_service: record.terms_of_service.clone(),
        })
    }
}

/// Why something failed, as kept and told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// ACME's name of it.
    pub kind: String,
    /// In words.
    pub detail: String,
}

/// A record that does not say what it must.
fn damaged(reason: &'static str) -> Error {
    Error::Record {
        kind: "ACME",
        reason: reason.to_owned(),
    }
}

/// A record's identifier as an address has it; what is none names nothing.
fn id(text: &str) -> Result<RecordId> {
    text.parse().map_err(|_| damaged("identifier"))
}

/// Seconds from now.
fn later(now: UnixSeconds, seconds: i64) -> i64 {
    now.0.saturating_add(seconds)
}
