//! How long a key lives, when it rotates, and how it ends.

use skms_crypto::{Algorithm, Uses};

use crate::error::{Error, Result};
use crate::ids::KeyId;
use crate::occasion::Occasions;
use crate::schedule::Schedule;
use crate::time::UnixSeconds;

/// The waiting window before a destruction when nobody says: seven days.
pub const DEFAULT_DESTROY_WINDOW_SECONDS: u64 = 7 * 24 * 60 * 60;
/// The shortest time between rotations by date: a minute, as in a schedule.
pub const MIN_ROTATION_SECONDS: u64 = 60;
/// The longest time over which rotations are spread: a week.
pub const MAX_SPREAD_SECONDS: u64 = 7 * 24 * 60 * 60;
/// The longest waiting window: ten years.
pub const MAX_DESTROY_WINDOW_SECONDS: u64 = 3_653 * 24 * 60 * 60;

/// What holds for every version of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rules {
    /// How long a version protects, in seconds from its activation: the
    /// originator-usage period (SP 800-57 part 1, section 5.3.5). Then it is
    /// deactivated.
    pub originator_usage_period_seconds: Option<u64>,
    /// How long a version processes, in seconds from its activation: to the
    /// end of the recipient-usage period. Then it does nothing more, and
    /// stays deactivated until somebody destroys it.
    pub recipient_usage_period_seconds: Option<u64>,
    /// When the key is due for a new version, in seconds from the activation
    /// of the one in use.
    pub rotate_after_seconds: Option<u64>,
    /// When the key is due for a new version, by the clock on the wall: at the
    /// first of these times after a version came into use.
    pub rotate_at: Option<Schedule>,
    /// When the key is due for a new version, in seconds since the material of
    /// the one in use was made or brought in, however long it waited.
    pub rotate_at_age_seconds: Option<u64>,
    /// When the key is due for a new version, in uses of the one in use. It
    /// calls for a rotation; it does not stop the old version.
    pub rotate_after_uses: Option<u64>,
    /// When the key is due for a new version, in bytes that the one in use has
    /// encrypted, each text counted in whole blocks of 16. It does not stop the
    /// old version either.
    pub rotate_after_bytes: Option<u64>,
    /// The key is due for a new version when this one got one.
    pub rotate_with: Option<KeyId>,
    /// The key is due for a new version when one of these happens.
    pub rotate_on: Occasions,
    /// Over how many seconds the rotations of keys that are due at one time are
    /// spread; `None` for [`Rules::spread_of`]'s own measure.
    pub rotate_spread_seconds: Option<u64>,
    /// How long before its date a rotation, the end of a usage period or the
    /// key's expiry is warned of; none at all for 0. Where nobody says, a tenth
    /// of the time until then, and a week at most.
    pub warn_before_seconds: Option<u64>,
    /// At what part of a count of uses or bytes, in percent, a rotation is
    /// warned of; none at all for 0. 80 where nobody says.
    pub warn_at_percent: Option<u8>,
    /// How long after it processed for the last time a version that was replaced
    /// is scheduled for destruction, in seconds; never, where nobody says.
    pub destroy_old_after_seconds: Option<u64>,
    /// When the whole key stops protecting. It is not rotated after that.
    pub expires_at: Option<UnixSeconds>,
    /// How long a destruction waits and can be taken back, in seconds. None
    /// at all is possible and must be asked for.
    pub destroy_window_seconds: u64,
    /// What is permitted against today's practice.
    pub legacy: Legacy,
}

/// Permissions that today's practice advises against, each given on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Legacy {
    /// One asymmetric key may both sign and decrypt, unwrap or agree.
    pub mixed_uses: bool,
    /// Material may be imported that is weak, though nobody is known to have it.
    pub weak_material: bool,
}

impl Default for Rules {
    /// No periods, no rotation, no expiry, seven days' window, no legacy.
    fn default() -> Self {
        Self {
            originator_usage_period_seconds: None,
            recipient_usage_period_seconds: None,
            rotate_after_seconds: None,
            rotate_at: None,
            rotate_at_age_seconds: None,
            rotate_after_uses: None,
            rotate_after_bytes: None,
            rotate_with: None,
            rotate_on: Occasions::NONE,
            rotate_spread_seconds: None,
            warn_before_seconds: None,
            warn_at_percent: None,
            destroy_old_after_seconds: None,
            expires_at: None,
            destroy_window_seconds: DEFAULT_DESTROY_WINDOW_SECONDS,
            legacy: Legacy::default(),
        }
    }
}

impl Rules {
    /// Checks that the rules can hold.
    ///
    /// # Errors
    /// [`Error::InvalidRules`], with what is wrong.
    pub fn check(&self) -> Result<()> {
        let zero = |period: Option<u64>| period == Some(0);
        if zero(self.originator_usage_period_seconds) || zero(self.recipient_usage_period_seconds) {
            return Err(Error::InvalidRules("a usage period is at least one second"));
        }
        if [
            self.rotate_after_seconds,
            self.rotate_at_age_seconds,
            self.rotate_after_uses,
            self.rotate_after_bytes,
        ]
        .into_iter()
        .any(zero)
        {
            return Err(Error::InvalidRules(
                "rotation is after at least one second, use or byte",
            ));
        }
        let periods = [self.rotate_after_seconds, self.rotate_at_age_seconds];
        let mut periods_said = periods.iter().flatten();
        if periods_said.any(|period| *period < MIN_ROTATION_SECONDS) {
            return Err(Error::InvalidRules(
                "rotations by date are at least a minute apart",
            ));
        }
        if let Some(spread) = self.rotate_spread_seconds {
            if spread > MAX_SPREAD_SECONDS {
                return Err(Error::InvalidRules(
                    "rotations are spread over a week at most",
                ));
            }
            if periods.iter().flatten().any(|period| *period <= spread) {
                return Err(Error::InvalidRules(
                    "rotations are spread over less than the time between them",
                ));
            }
        }
        if let (Some(originator), Some(recipient)) = (
            self.originator_usage_period_seconds,
            self.recipient_usage_period_seconds,
        ) && recipient < originator
        {
            return Err(Error::InvalidRules(
                "the recipient-usage period ends before the originator-usage period",
            ));
        }
        if self.warn_at_percent.is_some_and(|percent| percent > 99) {
            return Err(Error::InvalidRules(
                "a warning comes at 99 percent at the latest",
            ));
        }
        if self.destroy_old_after_seconds.is_some() && self.recipient_usage_period_seconds.is_none()
        {
            return Err(Error::InvalidRules(
                "old versions are destroyed after their recipient-usage period: it needs one",
            ));
        }
        if self.destroy_window_seconds > MAX_DESTROY_WINDOW_SECONDS {
            return Err(Error::InvalidRules(
                "the window before a destruction is at most ten years",
            ));
        }
        Ok(())
    }

    /// Whether any of them has the key rotate by itself.
    #[must_use]
    pub const fn rotates(&self) -> bool {
        self.rotate_after_seconds.is_some()
            || self.rotate_at.is_some()
            || self.rotate_at_age_seconds.is_some()
            || self.rotate_after_uses.is_some()
            || self.rotate_after_bytes.is_some()
            || self.rotate_with.is_some()
            || !self.rotate_on.is_empty()
    }

    /// Over how many seconds rotations that come every `period` are spread
    /// where nobody says: a twentieth of that, and a day at most.
    #[must_use]
    pub fn spread_of(&self, period: u64) -> u64 {
        self.rotate_spread_seconds
            .unwrap_or_else(|| (period / 20).min(24 * 60 * 60))
    }

    /// Checks that a key of `algorithm` may have `uses` under these rules.
    ///
    /// # Errors
    /// [`Error::InvalidUses`] for no use, a use that the algorithm does not
    /// have, or signing mixed with receiving without the legacy permission.
    pub fn check_uses(&self, algorithm: Algorithm, uses: Uses) -> Result<()> {
        let wrong = |why| Err(Error::InvalidUses { algorithm, why });
        if uses.is_empty() {
            return wrong("a key needs at least one use");
        }
        if !uses.is_subset_of(algorithm.row().uses) {
            return wrong("the algorithm cannot do all of them");
        }
        if !self.legacy.mixed_uses && uses.check_separation().is_err() {
            return wrong("one key may not both sign and decrypt, unwrap, agree or decapsulate");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use skms_crypto::Use;

    use super::*;

    #[test]
    fn rules_that_cannot_hold_are_refused() {
        assert!(Rules::default().check().is_ok());
        let wrong: [fn(&mut Rules); 14] = [
            |rules| rules.warn_at_percent = Some(100),
            |rules| rules.destroy_old_after_seconds = Some(0),
            |rules| rules.rotate_at_age_seconds = Some(0),
            |rules| rules.rotate_at_age_seconds = Some(59),
            |rules| rules.rotate_after_seconds = Some(59),
            |rules| rules.rotate_after_bytes = Some(0),
            |rules| rules.rotate_spread_seconds = Some(MAX_SPREAD_SECONDS + 1),
            |rules| {
                rules.rotate_after_seconds = Some(100);
                rules.rotate_spread_seconds = Some(100);
            },
            |rules| rules.originator_usage_period_seconds = Some(0),
            |rules| rules.recipient_usage_period_seconds = Some(0),
            |rules| rules.rotate_after_seconds = Some(0),
            |rules| rules.rotate_after_uses = Some(0),
            |rules| rules.destroy_window_seconds = MAX_DESTROY_WINDOW_SECONDS + 1,
            |rules| {
                rules.originator_usage_period_seconds = Some(10);
                rules.recipient_usage_period_seconds = Some(9);
            },
        ];
        for spoil in wrong {
            let mut rules = Rules::default();
            spoil(&mut rules);
            assert!(rules.check().is_err(), "{rules:?}");
        }
    }

    #[test]
    fn signing_and_decrypting_need_the_legacy_permission() {
        let both = Uses::of(&[Use::Sign, Use::Decrypt]);
        let mut rules = Rules::default();
        assert!(rules.check_uses(Algorithm::Rsa3072, both).is_err());
        rules.legacy.mixed_uses = true;
        assert!(rules.check_uses(Algorithm::Rsa3072, both).is_ok());
        assert!(rules.check_uses(Algorithm::Ed25519, both).is_err());
        assert!(rules.check_uses(Algorithm::Ed25519, Uses::EMPTY).is_err());
    }
}
