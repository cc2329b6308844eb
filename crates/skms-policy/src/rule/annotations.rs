//! What a rule's annotations say: what to do, how often at most, and whose
//! acts it answers.

use std::str::FromStr;

use super::MAX_FOLLOWED;

/// What is done where a rule holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// An event says so, and nothing else happens.
    Warn,
    /// The key is suspended.
    Suspend,
    /// The key is revoked, for a reason.
    Revoke,
    /// The key is compromised, with what depends on it.
    Compromise,
    /// The key is rotated.
    Rotate,
    /// The principal is suspended: every credential of its is refused.
    SuspendPrincipal,
}

impl Answer {
    /// Every answer.
    pub const ALL: [Self; 6] = [
        Self::Warn,
        Self::Suspend,
        Self::Revoke,
        Self::Compromise,
        Self::Rotate,
        Self::SuspendPrincipal,
    ];

    /// Its name, as `@answer` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Suspend => "suspend",
            Self::Revoke => "revoke",
            Self::Compromise => "compromise",
            Self::Rotate => "rotate",
            Self::SuspendPrincipal => "suspend-principal",
        }
    }

    /// Whether it is done to a key.
    #[must_use]
    pub const fn needs_key(self) -> bool {
        matches!(
            self,
            Self::Suspend | Self::Revoke | Self::Compromise | Self::Rotate
        )
    }
}

impl FromStr for Answer {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.name() == name).ok_or(())
    }
}

/// So many acts in so long.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Quota {
    /// Acts at most.
    pub acts: u32,
    /// In any so many seconds.
    pub seconds: i64,
}

impl Quota {
    /// The units, with their lengths.
    const UNITS: [(&'static str, i64); 3] = [("hour", 3600), ("day", 86_400), ("week", 604_800)];

    /// The most acts of a rule in any so many seconds: each is remembered, and
    /// all rules of a server are asked by turns.
    #[must_use]
    pub const fn most(seconds: i64) -> u32 {
        match seconds {
            ..=3600 => 1_000,
            _ => 10_000,
        }
    }

    /// As it is written: "5 per day".
    #[must_use]
    pub fn text(self) -> String {
        let mut units = Self::UNITS.into_iter();
        match units.find(|(_, seconds)| *seconds == self.seconds) {
            Some((unit, _)) => format!("{} per {unit}", self.acts),
            None => format!("{} per {} s", self.acts, self.seconds),
        }
    }
}

impl FromStr for Quota {
    type Err = ();

    /// "5 per day": a number from 1 to [`Quota::most`], and `hour`, `day` or
    /// `week`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, unit) = text.split_once(" per ").ok_or(())?;
        let acts = number.parse().map_err(|_| ())?;
        let mut units = Self::UNITS.into_iter();
        let (_, seconds) = units.find(|(name, _)| *name == unit).ok_or(())?;
        match acts {
            0 => Err(()),
            acts if acts > Self::most(seconds) => Err(()),
            acts => Ok(Self { acts, seconds }),
        }
    }
}

/// All that annotations say.
pub(super) struct Said {
    pub(super) answer: Answer,
    pub(super) reason: Option<String>,
    pub(super) cascade: Option<String>,
    pub(super) rotate: Option<String>,
    pub(super) limit: Option<Quota>,
    pub(super) follows: Vec<String>,
}

/// Reads the annotations of the rule of that name.
pub(super) fn read<'a>(
    all: impl Iterator<Item = (&'a str, &'a str)>,
    name: &str,
) -> Result<Said, String> {
    let mut answer = None;
    let (mut reason, mut cascade, mut rotate) = (None, None, None);
    let (mut limit, mut follows) = (None, Vec::new());
    for (key, value) in all {
        match key {
            "rule" if value == name => {}
            "rule" => {
                return Err(format!(
                    "@rule({value:?}) is not the name that it is written under, {name:?}"
                ));
            }
            "answer" => {
                let known = Answer::ALL.map(Answer::name).join(", ");
                let found = value.parse::<Answer>();
                answer =
                    Some(found.map_err(|()| format!("@answer({value:?}) is none of {known}"))?);
            }
            "reason" => reason = Some(value.to_owned()),
            "cascade" => cascade = Some(value.to_owned()),
            "rotate" => rotate = Some(value.to_owned()),
            "limit" => {
                limit = Some(value.parse::<Quota>().map_err(|()| {
                    format!(
                        "@limit({value:?}) is not as in \"5 per day\": a number from 1 and up \
                         to 1000 per hour, or 10000 per day or week"
                    )
                })?);
            }
            "follows" => {
                follows = value.split(',').map(|one| one.trim().to_owned()).collect();
                if follows.len() > MAX_FOLLOWED || follows.iter().any(String::is_empty) {
                    return Err(format!(
                        "@follows takes from 1 to {MAX_FOLLOWED} names of rules with commas \
                         between"
                    ));
                }
            }
            other => {
                return Err(format!(
                    "@{other} is no annotation of rules: they are @rule, @answer, @reason, \
                     @cascade, @rotate, @limit and @follows"
                ));
            }
        }
    }
    let answer = answer.ok_or("it has no @answer")?;
    match (answer, &reason) {
        (Answer::Revoke, None) => return Err("a revocation needs a @reason".to_owned()),
        (Answer::Revoke | Answer::Compromise, Some(_)) | (_, None) => {}
        (_, Some(_)) => {
            return Err(
                "@reason belongs to @answer(\"revoke\") and @answer(\"compromise\")".to_owned(),
            );
        }
    }
    if answer != Answer::Compromise && (cascade.is_some() || rotate.is_some()) {
        return Err("@cascade and @rotate belong to @answer(\"compromise\")".to_owned());
    }
    Ok(Said {
        answer,
        reason,
        cascade,
        rotate,
        limit,
        follows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_read_as_they_are_written() {
        for text in [
            "1 per hour",
            "5 per day",
            "1000 per hour",
            "10000 per day",
            "10000 per week",
        ] {
            assert_eq!(text.parse::<Quota>().unwrap().text(), text);
        }
        for wrong in [
            "",
            "5",
            "0 per day",
            "-1 per day",
            "1001 per hour",
            "10001 per day",
            "4294967295 per week",
            "5 per month",
            "5 per  day",
            "5  per day",
        ] {
            assert!(wrong.parse::<Quota>().is_err(), "{wrong:?}");
        }
    }
}
