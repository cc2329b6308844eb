//! What can be done with a key version's material.

use std::fmt;
use std::str::FromStr;

use skms_crypto::{Use, Uses};

use crate::error::{Error, Result};
use crate::state::OperationClass;

/// An operation on key material.
///
/// Re-encrypting is two of them, a decryption with one version and an
/// encryption with another, and needs both permits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// Encrypt data.
    Encrypt,
    /// Decrypt data.
    Decrypt,
    /// Wrap another key.
    Wrap,
    /// Unwrap another key.
    Unwrap,
    /// Make a data key, and protect it with this one.
    DataKey,
    /// Sign.
    Sign,
    /// Verify a signature.
    Verify,
    /// Compute a message authentication code.
    Mac,
    /// Verify a message authentication code.
    MacVerify,
    /// Derive a key.
    Derive,
    /// Agree on a shared secret.
    Agree,
    /// Encapsulate a shared secret to this key.
    Encapsulate,
    /// Decapsulate a shared secret.
    Decapsulate,
    /// Hand the material out.
    Export,
}

impl Operation {
    /// Every operation there is.
    pub const ALL: [Operation; 14] = [
        Operation::Encrypt,
        Operation::Decrypt,
        Operation::Wrap,
        Operation::Unwrap,
        Operation::DataKey,
        Operation::Sign,
        Operation::Verify,
        Operation::Mac,
        Operation::MacVerify,
        Operation::Derive,
        Operation::Agree,
        Operation::Encapsulate,
        Operation::Decapsulate,
        Operation::Export,
    ];

    /// Its name, lower case: "encrypt", "data-key", "mac-verify".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Operation::Encrypt => "encrypt",
            Operation::Decrypt => "decrypt",
            Operation::Wrap => "wrap",
            Operation::Unwrap => "unwrap",
            Operation::DataKey => "data-key",
            Operation::Sign => "sign",
            Operation::Verify => "verify",
            Operation::Mac => "mac",
            Operation::MacVerify => "mac-verify",
            Operation::Derive => "derive",
            Operation::Agree => "agree",
            Operation::Encapsulate => "encapsulate",
            Operation::Decapsulate => "decapsulate",
            Operation::Export => "export",
        }
    }

    /// Whether it protects or processes, when the caller leaves the choice of
    /// version to us.
    #[must_use]
    pub const fn class(self) -> OperationClass {
        match self {
            Operation::Encrypt
            | Operation::Wrap
            | Operation::DataKey
            | Operation::Sign
            | Operation::Mac
            | Operation::Derive
            | Operation::Agree
            | Operation::Encapsulate => OperationClass::Protect,
            Operation::Decrypt
            | Operation::Unwrap
            | Operation::Verify
            | Operation::MacVerify
            | Operation::Decapsulate
            | Operation::Export => OperationClass::Process,
        }
    }

    /// Whether it protects or processes, when the caller names a version.
    ///
    /// Deriving and agreeing give the same secret each time. Who names the
    /// version wants one that exists already, to read what it protects: that
    /// is processing, and must stay possible after a rotation, as it does for
    /// decryption. Everything else is as in [`Operation::class`].
    #[must_use]
    pub const fn class_of_named(self) -> OperationClass {
        match self {
            Operation::Derive | Operation::Agree => OperationClass::Process,
            _ => self.class(),
        }
    }

    /// The uses of which the key must have at least one. Empty for
    /// [`Operation::Export`], which is governed by the key's own flag.
    #[must_use]
    pub const fn needed_uses(self) -> Uses {
        match self {
            Operation::Encrypt => Uses::of(&[Use::Encrypt]),
            Operation::Decrypt => Uses::of(&[Use::Decrypt]),
            Operation::Wrap => Uses::of(&[Use::Wrap]),
            Operation::Unwrap => Uses::of(&[Use::Unwrap]),
            // A data key leaves under whichever protection the key can give.
            Operation::DataKey => Uses::of(&[Use::Wrap, Use::Encrypt, Use::Encapsulate]),
            Operation::Sign => Uses::of(&[Use::Sign]),
            Operation::Verify => Uses::of(&[Use::Verify]),
            Operation::Mac => Uses::of(&[Use::Mac]),
            Operation::MacVerify => Uses::of(&[Use::MacVerify]),
            Operation::Derive => Uses::of(&[Use::Derive]),
            Operation::Agree => Uses::of(&[Use::Agree]),
            Operation::Encapsulate => Uses::of(&[Use::Encapsulate]),
            Operation::Decapsulate => Uses::of(&[Use::Decapsulate]),
            Operation::Export => Uses::EMPTY,
        }
    }

    /// Whether a recovery grant on a compromised version covers it.
    ///
    /// A grant is for saving data. Handing out a key that somebody else may
    /// have too saves none.
    #[must_use]
    pub const fn may_recover(self) -> bool {
        !matches!(self, Operation::Export)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Operation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.name() == name)
            .ok_or(Error::UnknownName("operation"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_to_one() {
        for operation in Operation::ALL {
            assert_eq!(operation.name().parse::<Operation>().unwrap(), operation);
        }
        assert!("Encrypt".parse::<Operation>().is_err());
    }

    #[test]
    fn every_use_has_an_operation() {
        let reached = Operation::ALL
            .into_iter()
            .fold(Uses::EMPTY, |all, one| all.union(one.needed_uses()));
        for &one in Use::all() {
            assert!(reached.contains(one), "{one}");
        }
    }

    #[test]
    fn naming_a_version_never_turns_processing_into_protecting() {
        for operation in Operation::ALL {
            if operation.class() == OperationClass::Process {
                assert_eq!(operation.class_of_named(), OperationClass::Process);
            }
        }
        assert_eq!(Operation::Sign.class_of_named(), OperationClass::Protect);
        assert_eq!(Operation::Mac.class_of_named(), OperationClass::Protect);
        assert_eq!(Operation::Derive.class_of_named(), OperationClass::Process);
    }
}
