//! What is due, and when: for the jobs that keep the records up to date.

use crate::change::Cause;
use crate::key::Key;
use crate::occasion::Occasion;
use crate::schedule::Schedule;
use crate::state::KeyState;
use crate::time::UnixSeconds;
use crate::version::{Version, VersionNumber};

/// Over how many seconds rotations at one time by the clock are spread where
/// nobody says, if there is enough time between them.
const SCHEDULE_SPREAD_SECONDS: u64 = 300;

/// What there is to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DueAct {
    /// A version's activation date: [`Key::expire`].
    Activate,
    /// The end of a version's originator-usage period, or the key's expiry:
    /// [`Key::expire`].
    Deactivate,
    /// The end of a recovery grant: [`Key::expire`].
    EndRecovery,
    /// The end of the window before a destruction: [`Key::complete_destroy`].
    Destroy,
    /// A new version is wanted: [`Key::rotate`].
    Rotate,
    /// A version that was replaced has processed for the last time, and is to be
    /// scheduled for destruction: [`Key::schedule_destroy`].
    DestroyOld,
    /// One of these comes near, or the end of a usage period does:
    /// [`Key::note_warned`].
    Warn,
}

impl DueAct {
    /// Its name, lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            DueAct::Activate => "activate",
            DueAct::Deactivate => "deactivate",
            DueAct::EndRecovery => "end-recovery",
            DueAct::Destroy => "destroy",
            DueAct::Rotate => "rotate",
            DueAct::DestroyOld => "destroy-old",
            DueAct::Warn => "warn",
        }
    }
}

/// The rule by which something is due.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Why {
    /// [`crate::Rules::rotate_after_seconds`].
    RotateEvery,
    /// [`crate::Rules::rotate_at`].
    RotateAt,
    /// [`crate::Rules::rotate_at_age_seconds`].
    RotateAtAge,
    /// [`crate::Rules::rotate_after_uses`], or the algorithm's limit.
    RotateAfterUses,
    /// [`crate::Rules::rotate_after_bytes`], or the algorithm's limit.
    RotateAfterBytes,
    /// [`crate::Rules::rotate_with`].
    RotateWith,
    /// [`crate::Occasion::AlgorithmWithdrawn`], by
    /// [`crate::Rules::rotate_on`].
    AlgorithmWithdrawn,
    /// Something called for it.
    Called,
    /// [`crate::Rules::originator_usage_period_seconds`].
    OriginatorUsagePeriod,
    /// [`crate::Rules::recipient_usage_period_seconds`].
    RecipientUsagePeriod,
    /// [`crate::Rules::expires_at`].
    ExpiresAt,
    /// [`crate::Rules::destroy_old_after_seconds`].
    DestroyOldAfter,
    /// A date of the version's own.
    Date,
}

impl Why {
    const ALL: [Self; 13] = [
        Self::RotateEvery,
        Self::RotateAt,
        Self::RotateAtAge,
        Self::RotateAfterUses,
        Self::RotateAfterBytes,
        Self::RotateWith,
        Self::AlgorithmWithdrawn,
        Self::Called,
        Self::OriginatorUsagePeriod,
        Self::RecipientUsagePeriod,
        Self::ExpiresAt,
        Self::DestroyOldAfter,
        Self::Date,
    ];

    /// The rule of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.name() == name)
    }

    const fn is_rotation_by_date(self) -> bool {
        matches!(self, Self::RotateEvery | Self::RotateAt | Self::RotateAtAge)
    }

    /// The rule's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Why::RotateEvery => "rotate-every",
            Why::RotateAt => "rotate-at",
            Why::RotateAtAge => "rotate-at-age",
            Why::RotateAfterUses => "rotate-after-uses",
            Why::RotateAfterBytes => "rotate-after-bytes",
            Why::RotateWith => "rotate-with",
            Why::AlgorithmWithdrawn => Occasion::AlgorithmWithdrawn.name(),
            Why::Called => "called",
            Why::OriginatorUsagePeriod => "originator-usage-period",
            Why::RecipientUsagePeriod => "recipient-usage-period",
            Why::ExpiresAt => "expires-at",
            Why::DestroyOldAfter => "destroy-old-after",
            Why::Date => "date",
        }
    }
}

/// Something that is to be done with a version at a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Due {
    /// When; for a count that has been reached, the version's activation.
    pub at: UnixSeconds,
    /// The version.
    pub version: VersionNumber,
    /// What.
    pub act: DueAct,
    /// By which rule.
    pub why: Why,
}

impl Key {
    /// What is due at `now`, the longest overdue first.
    #[must_use]
    pub fn due(&self, now: UnixSeconds) -> Vec<Due> {
        let mut due = self.coming(now);
        due.retain(|item| item.at <= now);
        due
    }

    /// What is due at `now` and what will be, by time: [`Key::agenda`] without
    /// what nobody is going to do.
    #[must_use]
    pub fn coming(&self, now: UnixSeconds) -> Vec<Due> {
        let mut coming = self.agenda();
        // Nobody is warned of what is past.
        coming.retain(|item| {
            let date = || self.warned_date(item.version, item.why);
            item.act != DueAct::Warn || date().is_none_or(|date| date > now)
        });
        // A rotation that would be refused as the key stands is due to nobody,
        // nor is its warning.
        let refused = |at: UnixSeconds| self.check_rotation(at.max(now)).is_err();
        coming.retain(|item| match item.act {
            DueAct::Rotate => !refused(item.at),
            DueAct::Warn if item.why.is_rotation_by_date() => {
                let date = self.warned_date(item.version, item.why);
                date.is_none_or(|date| !refused(date))
            }
            _ => true,
        });
        coming
    }

    /// When something is due next, counted from the key as it is recorded;
    /// `None` if never. A job looks again at this time or when the key
    /// changes, whichever is first.
    #[must_use]
    pub fn next_due(&self) -> Option<UnixSeconds> {
        self.agenda().first().map(|item| item.at)
    }

    /// Everything that will be due, by time.
    #[must_use]
    pub fn agenda(&self) -> Vec<Due> {
        let mut agenda = Vec::new();
        for version in &self.versions {
            let mut add = |act, at, why| {
                if at < UnixSeconds::NEVER {
                    let version = version.number;
                    agenda.push(Due {
                        at,
                        version,
                        act,
                        why,
                    });
                }
            };
            if let Some(at) = version.destroy_at {
                add(DueAct::Destroy, at, Why::Date);
            }
            if let Some(grant) = &version.recovery_grant {
                add(DueAct::EndRecovery, grant.until, Why::Date);
            }
            match version.state {
                KeyState::PreActivation if !version.is_pending_destruction() => {
                    add(DueAct::Activate, version.activate_at, Why::Date);
                }
                KeyState::Active => {
                    let (at, cause) = self.protect_end(version);
                    let why = match cause {
                        Cause::Expired => Why::ExpiresAt,
                        _ => Why::OriginatorUsagePeriod,
                    };
                    add(DueAct::Deactivate, at, why);
                }
                KeyState::Deactivated => {
                    if let Some(at) = self.destroy_old_at(version) {
                        add(DueAct::DestroyOld, at, Why::DestroyOldAfter);
                    }
                }
                _ => {}
            }
            for warning in self.warnings(version) {
                add(DueAct::Warn, warning.at, warning.why);
            }
            if let Some((at, why)) = self.rotation_due(version) {
                add(DueAct::Rotate, at, why);
            }
        }
        agenda.sort();
        agenda
    }

    /// When a version is to be replaced, and by which rule: whichever comes
    /// first.
    fn rotation_due(&self, version: &Version) -> Option<(UnixSeconds, Why)> {
        let activated_at = version.activated_at?;
        if !self.is_replaced_by_rule(version) {
            return None;
        }
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
            if most.is_some_and(|most| count >= most) {
                return Some((activated_at, why));
            }
        }
        self.rotation_dates(version)
            .map(|(at, why)| (at.max(activated_at), why))
            .min()
    }

    /// When the rules about time have a version replaced, each of them.
    pub(crate) fn rotation_dates(
        &self,
        version: &Version,
    ) -> impl Iterator<Item = (UnixSeconds, Why)> + use<> {
        let rules = &self.rules;
        // Earlier by the spread and not later: a usage period may end with it.
        let by_period = |from: UnixSeconds, period: Option<u64>| {
            period.map(|period| from.plus(period - self.place_in(rules.spread_of(period))))
        };
        let activated_at = version.activated_at.unwrap_or(version.created_at);
        let every = by_period(activated_at, rules.rotate_after_seconds);
        let age = by_period(version.created_at, rules.rotate_at_age_seconds);
        let clock = rules.rotate_at.map(|schedule| self.next_of(&schedule));
        [
            (every, Why::RotateEvery),
            (clock, Why::RotateAt),
            (age, Why::RotateAtAge),
        ]
        .into_iter()
        .filter_map(|(at, why)| Some((at?, why)))
    }

    /// When a version that was replaced, and processes no more, is to go.
    fn destroy_old_at(&self, version: &Version) -> Option<UnixSeconds> {
        let after = self.rules.destroy_old_after_seconds?;
        let period = self.rules.recipient_usage_period_seconds?;
        let newest = self.versions.last()?.number;
        let old = version.number < newest && version.destroy_at.is_none();
        let ended = version.activated_at?.plus(period);
        old.then(|| ended.plus(after))
    }

    /// Whether the rules are about replacing this version: it is the newest,
    /// in use or out of use because its period ended before that was done.
    fn is_replaced_by_rule(&self, version: &Version) -> bool {
        let newest = self.versions.last();
        let ended = version.state == KeyState::Deactivated
            && version.revocation.is_none()
            && newest.is_some_and(|newest| newest.number == version.number);
        version.state == KeyState::Active || ended
    }

    /// Whether the key is to have a version of another algorithm as soon as its
    /// own is withdrawn, whatever that is.
    #[must_use]
    pub fn leaves_withdrawn_algorithm(&self) -> bool {
        let newest = self.versions.last();
        self.rules.rotate_on.has(Occasion::AlgorithmWithdrawn)
            && newest.is_some_and(|newest| self.is_replaced_by_rule(newest))
    }

    /// The next time of a schedule, with the key's own place in the spread.
    /// Counted from the last activation of any version, whatever the clock has
    /// said since: so no time of the schedule calls twice.
    fn next_of(&self, schedule: &Schedule) -> UnixSeconds {
        let activated = self.versions.iter().filter_map(|one| one.activated_at);
        let at = schedule.next_after(activated.max().unwrap_or(self.created_at));
        if at == UnixSeconds::NEVER {
            return at;
        }
        let spread = self.rules.rotate_spread_seconds.unwrap_or_else(|| {
            let until_the_next = schedule.next_after(at).since(at);
            SCHEDULE_SPREAD_SECONDS.min(until_the_next / 10)
        });
        at.plus(self.place_in(spread))
    }

    /// A number from 0 to `spread` that is the key's own: keys that are due at
    /// one time have their places one after the other, and keep them.
    fn place_in(&self, spread: u64) -> u64 {
        let mut tail = [0; 8];
        tail.copy_from_slice(&self.id.0[8..]);
        // The identifier's second half is random, but for two bits at its top.
        let place = u128::from(u64::from_be_bytes(tail) << 2);
        let scaled = (place * (u128::from(spread) + 1)) >> 64;
        u64::try_from(scaled).unwrap_or(spread)
    }
}
