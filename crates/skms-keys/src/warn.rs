//! Warnings: what comes near of a version's dates and counts, and is said once.

use crate::change::{Change, Changed};
use crate::due::Why;
use crate::error::Result;
use crate::key::Key;
use crate::state::KeyState;
use crate::time::UnixSeconds;
use crate::version::{Version, VersionNumber};

/// How long ahead a warning comes at most where nobody says.
const LONGEST_LEAD_SECONDS: u64 = 7 * 24 * 60 * 60;
/// At what part of a count a warning comes where nobody says.
const PERCENT: u8 = 80;

/// A warning that is to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Warning {
    /// When it is to be said.
    pub(crate) at: UnixSeconds,
    /// Of what.
    pub(crate) why: Why,
    /// When that is; `None` for a count, which has no date.
    pub(crate) of: Option<UnixSeconds>,
}

impl Key {
    /// What has not been warned of yet, of a version.
    pub(crate) fn warnings(&self, version: &Version) -> Vec<Warning> {
        let Some(from) = version.activated_at else {
            return Vec::new();
        };
        let mut warnings = Vec::new();
        let mut dated = |of: UnixSeconds, why| {
            if of < UnixSeconds::NEVER
                && let Some(at) = self.ahead(of, from)
            {
                let of = Some(of);
                warnings.push(Warning { at, why, of });
            }
        };
        let recipient = self.rules.recipient_usage_period_seconds;
        let processes = matches!(version.state, KeyState::Active | KeyState::Deactivated);
        if let Some(period) = recipient.filter(|_| processes && version.destroy_at.is_none()) {
            dated(from.plus(period), Why::RecipientUsagePeriod);
        }
        if version.state == KeyState::Active {
            if let Some(period) = self.rules.originator_usage_period_seconds {
                dated(from.plus(period), Why::OriginatorUsagePeriod);
            }
            if let Some(expiry) = self.rules.expires_at {
                dated(expiry, Why::ExpiresAt);
            }
            for (at, why) in self.rotation_dates(version) {
                dated(at, why);
            }
            let percent = u64::from(self.rules.warn_at_percent.unwrap_or(PERCENT));
            let counts = [
                (
                    version.uses_reserved,
                    self.rotation_uses(version.number),
                    Why::RotateAfterUses,
                ),
                (
                    version.bytes_reserved,
                    self.rotation_bytes(version.number),
                    Why::RotateAfterBytes,
                ),
            ];
            for (count, most, why) in counts {
                let near = most.map(|most| most / 100 * percent + most % 100 * percent / 100);
                if percent > 0 && near.is_some_and(|near| count >= near) {
                    let (at, of) = (from, None);
                    warnings.push(Warning { at, why, of });
                }
            }
        }
        warnings.retain(|warning| !version.warned.contains(&warning.why));
        warnings
    }

    /// When to warn of a date, if at all: not before the version was in use.
    fn ahead(&self, of: UnixSeconds, from: UnixSeconds) -> Option<UnixSeconds> {
        let usual = || (of.since(from) / 10).min(LONGEST_LEAD_SECONDS);
        let lead = self.rules.warn_before_seconds.unwrap_or_else(usual);
        let at = UnixSeconds(of.0.saturating_sub_unsigned(lead)).max(from);
        (lead > 0).then_some(at)
    }

    /// The date that a warning which is due is about.
    #[must_use]
    pub fn warned_date(&self, version: VersionNumber, why: Why) -> Option<UnixSeconds> {
        let warnings = self.warnings(self.version(version).ok()?);
        let found = warnings.iter().find(|warning| warning.why == why)?;
        found.of
    }

    /// Notes what was warned of, which is not said again.
    ///
    /// # Errors
    /// [`crate::Error::UnknownVersion`].
    pub fn note_warned(
        &self,
        warned: &[(VersionNumber, Why)],
        now: UnixSeconds,
    ) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        for (version, why) in warned {
            let known = &mut change.version_mut(*version)?.warned;
            if !known.contains(why) {
                known.push(*why);
            }
        }
        change.finish()
    }
}
