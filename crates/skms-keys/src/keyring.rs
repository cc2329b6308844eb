//! Named groups of keys, with defaults for new ones.

use skms_crypto::{Algorithm, Uses};

use crate::error::Result;
use crate::ids::{KeyringId, NamespaceId};
use crate::name::Name;
use crate::rules::Rules;
use crate::time::UnixSeconds;

/// What a new key gets where its maker says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Defaults {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The uses; `None` for the algorithm's own default.
    pub uses: Option<Uses>,
    /// The rules.
    pub rules: Rules,
    /// Whether the key may ever leave.
    pub exportable: bool,
}

impl Default for Defaults {
    /// XAES-256-GCM, which has no nonce to run out of; not exportable.
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Xaes256Gcm,
            uses: None,
            rules: Rules::default(),
            exportable: false,
        }
    }
}

impl Defaults {
    /// The uses of a new key of `algorithm`: the keyring's if that algorithm
    /// has them all, else the algorithm's own default.
    #[must_use]
    pub fn uses_for(&self, algorithm: Algorithm) -> Uses {
        match self.uses {
            Some(uses) if uses.is_subset_of(algorithm.row().uses) => uses,
            _ => algorithm.row().default_uses,
        }
    }

    /// Checks that a key could be made from the defaults alone.
    ///
    /// # Errors
    /// What [`Rules::check`] and [`Rules::check_uses`] find.
    pub fn check(&self) -> Result<()> {
        self.rules.check()?;
        let uses = self.uses.unwrap_or(self.algorithm.row().default_uses);
        self.rules.check_uses(self.algorithm, uses)
    }
}

/// A named group of keys in a namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keyring {
    /// Names it for ever.
    pub id: KeyringId,
    /// The namespace it is in.
    pub namespace: NamespaceId,
    /// What it is called now; one of a kind in its namespace.
    pub name: Name,
    /// What new keys get.
    pub defaults: Defaults,
    /// When it was made.
    pub created_at: UnixSeconds,
}

impl Keyring {
    /// A new keyring.
    ///
    /// # Errors
    /// When no key could be made from the defaults.
    pub fn create(
        id: KeyringId,
        namespace: NamespaceId,
        name: Name,
        defaults: Defaults,
        now: UnixSeconds,
    ) -> Result<Self> {
        defaults.check()?;
        Ok(Self {
            id,
            namespace,
            name,
            defaults,
            created_at: now,
        })
    }
}

#[cfg(test)]
mod tests {
    use skms_crypto::Use;

    use super::*;

    fn create(defaults: Defaults) -> Result<Keyring> {
        Keyring::create(
            KeyringId([2; 16]),
            NamespaceId([1; 16]),
            Name::new("payments")?,
            defaults,
            UnixSeconds(0),
        )
    }

    #[test]
    fn defaults_must_make_a_key() {
        assert!(create(Defaults::default()).is_ok());
        let impossible = Defaults {
            uses: Some(Uses::of(&[Use::Sign])),
            ..Defaults::default()
        };
        assert!(create(impossible).is_err());
        let mut endless = Defaults::default();
        endless.rules.destroy_window_seconds = u64::MAX;
        assert!(create(endless).is_err());
    }

    #[test]
    fn default_uses_follow_the_algorithm() {
        let decrypt = Uses::of(&[Use::Decrypt]);
        let defaults = Defaults {
            uses: Some(decrypt),
            ..Defaults::default()
        };
        assert_eq!(defaults.uses_for(Algorithm::Aes256Gcm), decrypt);
        assert_eq!(
            defaults.uses_for(Algorithm::Ed25519),
            Algorithm::Ed25519.row().default_uses
        );
    }
}
