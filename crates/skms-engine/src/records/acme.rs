//! ACME: how an authority is open to it, its accounts, their orders, and the
//! keys that accounts are bound to.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use skms_store::Kind;
use zeroize::Zeroizing;

use super::Record;
use super::der::Der;

/// How an authority is open to ACME.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AcmeRecord {
    pub(crate) profile: String,
    /// Names of challenges.
    pub(crate) challenges: Vec<String>,
    /// Whether a new account has to be bound to a key.
    pub(crate) external_account_required: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) terms_of_service: Option<String>,
}

/// An account, looked up by authority and thumbprint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AccountRecord {
    /// The authority's identifier.
    pub(crate) authority: String,
    /// Its key (SubjectPublicKeyInfo).
    pub(crate) spki: Der,
    /// Its key's thumbprint (RFC 7638).
    pub(crate) thumbprint: String,
    pub(crate) status: String,
    pub(crate) contact: Vec<String>,
    pub(crate) terms_agreed: bool,
    /// The key that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bound_to: Option<String>,
    pub(crate) created_at: i64,
}

impl AccountRecord {
    /// The name under which the account of a key is looked up: a key has one
    /// account at most.
    pub(crate) fn name(authority: &str, thumbprint: &str) -> String {
        format!("{authority}/{thumbprint}")
    }
}

impl Record for AccountRecord {
    const KIND: Kind = Kind::AcmeAccount;
}

/// An order with all that belongs to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OrderRecord {
    pub(crate) authority: String,
    pub(crate) account: String,
    pub(crate) status: String,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    /// One for each identifier, in their order.
    pub(crate) authorizations: Vec<AuthorizationRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ProblemRecord>,
    /// The certificate's serial number in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<String>,
    /// The certificate (RFC 9773) that it takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<String>,
}

impl OrderRecord {
    /// The name of an order that takes a certificate's place: there is one.
    pub(crate) fn name(authority: &str, replaces: Option<&str>) -> Option<String> {
        replaces.map(|id| format!("replaces/{authority}/{id}"))
    }
}

/// What an identifier's control has come to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AuthorizationRecord {
    /// `dns` or `ip`.
    pub(crate) kind: String,
    /// The identifier, with `*.` before it if it is a wildcard.
    pub(crate) value: String,
    pub(crate) status: String,
    pub(crate) challenges: Vec<ChallengeRecord>,
}

/// A way to prove control.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChallengeRecord {
    pub(crate) kind: String,
    pub(crate) token: String,
    pub(crate) status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) validated_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ProblemRecord>,
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProblemRecord {
    /// ACME's name of it.
    pub(crate) kind: String,
    pub(crate) detail: String,
}

impl Record for OrderRecord {
    const KIND: Kind = Kind::AcmeOrder;
}

/// A key that an account is bound to.
#[derive(Serialize, Deserialize)]
pub(crate) struct BindingKeyRecord {
    pub(crate) authority: String,
    pub(crate) secret: SecretField,
    pub(crate) description: String,
    pub(crate) created_at: i64,
    pub(crate) created_by: String,
    /// The account that is bound to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
}

impl Record for BindingKeyRecord {
    const KIND: Kind = Kind::AcmeKey;
}

/// A secret within a record, in base64url; erased when dropped, and not
/// printed.
pub(crate) struct SecretField(pub(crate) Zeroizing<String>);

impl Serialize for SecretField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        Ok(Self(Zeroizing::new(text.into_owned())))
    }
}
