//! What an event may say beyond its fixed fields.
//!
//! The keys are a closed list and the values are bounded. Nobody can put a
//! field of a request in by its name, which is how secrets get into logs.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::text::Text;

macro_rules! detail_keys {
    ($($(#[$doc:meta])* $variant:ident $name:literal;)*) => {
        /// What a detail is about.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum DetailKey { $($(#[$doc])* $variant,)* }

        impl DetailKey {
            /// Every key, in the order in which an event lists them.
            pub const ALL: &'static [DetailKey] = &[$(DetailKey::$variant,)*];

            /// Its name in an event.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(DetailKey::$variant => $name,)* }
            }
        }
    };
}

// In the order of their names, so that an event reads in one order.
detail_keys! {
    /// When a version is to come into use.
    ActivateAt "activate_at";
    /// The algorithm used, or of the key.
    Algorithm "algorithm";
    /// The requests for approval that an act used, or that an event is about.
    Approval "approval";
    /// The hash that a request's approvals are given for, in hexadecimal.
    ApprovalHash "approval_hash";
    /// The action that is to be approved.
    ApprovedAction "approved_action";
    /// Who approved.
    Approvers "approvers";
    /// A list of known keys.
    Blocklist "blocklist";
    /// How many bytes went in; their number, never the bytes.
    BytesIn "bytes_in";
    /// How many bytes came out.
    BytesOut "bytes_out";
    /// Why a version changed its state.
    Cause "cause";
    /// How many rules acted one after the other, this one included.
    Chain "chain";
    /// The way in which control of a name is proved (RFC 8555, section 8).
    Challenge "challenge";
    /// Which fields an update changed, by name.
    Changed "changed";
    /// How many of something.
    Count "count";
    /// When a version is to be destroyed.
    DestroyAt "destroy_at";
    /// Who found that a key is weak.
    Detector "detector";
    /// When something that the server does by itself was due.
    DueAt "due_at";
    /// The events that a verdict names.
    Evidence "evidence";
    /// SHA-256 of the message by which a key was exchanged.
    Exchange "exchange";
    /// When a token, grant or key ends.
    ExpiresAt "expires_at";
    /// Whether the key may leave.
    Exportable "exportable";
    /// How many items of a batch failed.
    FailedItems "failed_items";
    /// SHA-256 of a public key or certificate.
    Fingerprint "fingerprint";
    /// The format of an import or export.
    Format "format";
    /// The state before.
    FromState "from_state";
    /// How bad a finding is.
    Gravity "gravity";
    /// Groups of a principal.
    Groups "groups";
    /// The hash function used.
    Hash "hash";
    /// The incident that an act is a part of.
    Incident "incident";
    /// An act was done against advice, because the caller insisted.
    Insisted "insisted";
    /// A re-encryption job.
    Job "job";
    /// What a rule looked at, and what it was.
    Matched "matched";
    /// The oldest version that may process.
    MinimumDecryptVersion "minimum_decrypt_version";
    /// The oldest version that may protect.
    MinimumEncryptVersion "minimum_encrypt_version";
    /// Ciphertexts that were moved: from which version to which, and how many.
    Moved "moved";
    /// The names that a certificate is asked for.
    Names "names";
    /// An order's identifier.
    Order "order";
    /// Where material came from.
    Origin "origin";
    /// The party that a key was agreed on with.
    Peer "peer";
    /// The policies that decided.
    Policies "policies";
    /// The namespace of whoever did it, where that is another one than the
    /// event's.
    PrincipalNamespace "principal_namespace";
    /// The profile of a certificate.
    Profile "profile";
    /// A reason given by the caller, in words.
    Reason "reason";
    /// The first answer to an idempotency key was given again.
    Repeated "repeated";
    /// A revocation reason of RFC 5280.
    RevocationReason "revocation_reason";
    /// The automatic rule that did it.
    Rule "rule";
    /// The act of that rule, by which it can be undone.
    RuleAct "rule_act";
    /// The edition of that rule.
    RuleEdition "rule_edition";
    /// The signature scheme used.
    Scheme "scheme";
    /// The score of a verdict, from 0 to 1000.
    Score "score";
    /// The kind of a seal.
    Seal "seal";
    /// The serial number of a certificate, in hexadecimal.
    Serial "serial";
    /// The version of this program.
    ServerVersion "server_version";
    /// What a sealing key's statement is known by, in hexadecimal.
    Statement "statement";
    /// The term of a storage key.
    Term "term";
    /// How many shares make a secret.
    Threshold "threshold";
    /// The state after.
    ToState "to_state";
    /// What a rule was asked on, and which one.
    Trigger "trigger";
    /// What a key may be used for.
    Uses "uses";
    /// Versions of a key, several of them.
    Versions "versions";
    /// The length of a waiting window.
    WindowSeconds "window_seconds";
    /// The key that wrapped an import or export.
    WrappedWith "wrapped_with";
}

impl fmt::Display for DetailKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DetailKey {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|key| key.name() == name)
            .ok_or(Error::UnknownName("detail"))
    }
}

/// The largest whole number that every reader of JSON reads as it is
/// (RFC 8259, section 6).
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// The value of a detail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DetailValue {
    /// A text of at most 256 bytes.
    Text(Text),
    /// A number up to 2^53 − 1; make one with [`DetailValue::from`], which
    /// turns a larger one into text.
    Number(u64),
    /// Yes or no.
    Flag(bool),
}

impl From<u64> for DetailValue {
    fn from(number: u64) -> Self {
        if number <= MAX_NUMBER {
            Self::Number(number)
        } else {
            Self::Text(number.to_string().into())
        }
    }
}

impl From<u32> for DetailValue {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for DetailValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Text> for DetailValue {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for DetailValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for DetailValue {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// The details of an event: at most one of each key, in the keys' order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Details(Vec<(DetailKey, DetailValue)>);

impl Details {
    /// No details.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sets a detail, in place of what was said under that key.
    pub fn set(&mut self, key: DetailKey, value: impl Into<DetailValue>) {
        let value = value.into();
        match self.0.binary_search_by_key(&key, |entry| entry.0) {
            Ok(at) => {
                if let Some(entry) = self.0.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    /// What is said under a key.
    #[must_use]
    pub fn get(&self, key: DetailKey) -> Option<&DetailValue> {
        let at = self.0.binary_search_by_key(&key, |entry| entry.0).ok()?;
        self.0.get(at).map(|entry| &entry.1)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (DetailKey, &DetailValue)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_to_one_and_plain() {
        for &key in DetailKey::ALL {
            assert_eq!(key.name().parse::<DetailKey>().unwrap(), key);
            assert!(
                key.name()
                    .bytes()
                    .all(|c| c.is_ascii_lowercase() || c == b'_')
            );
        }
        assert!(DetailKey::ALL.is_sorted_by_key(|key| key.name()));
        assert!("plaintext".parse::<DetailKey>().is_err());
    }

    #[test]
    fn one_value_a_key_in_one_order() {
        let mut details = Details::new();
        details.set(DetailKey::Uses, "sign");
        details.set(DetailKey::Algorithm, "Ed25519");
        details.set(DetailKey::Uses, "verify");
        let keys: Vec<_> = details.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [DetailKey::Algorithm, DetailKey::Uses]);
        assert_eq!(details.get(DetailKey::Uses), Some(&"verify".into()));
        assert_eq!(details.get(DetailKey::Hash), None);
    }

    #[test]
    fn numbers_no_reader_would_change() {
        assert_eq!(
            DetailValue::from(MAX_NUMBER),
            DetailValue::Number(MAX_NUMBER)
        );
        assert_eq!(
            DetailValue::from(MAX_NUMBER + 1),
            DetailValue::Text("9007199254740992".into())
        );
    }
}
