//! Which events somebody wants: by action, outcome and target. A small closed
//! language whose patterns are matched in time that grows with their length
//! and the text's, whatever is in them.

use skms_evidence::{Event, Outcome};
use skms_policy::Action;

use crate::error::{Error, Result};

/// The most patterns of one kind.
const PATTERNS_MAX: usize = 32;
/// The longest pattern.
const PATTERN_MAX: usize = 256;

/// What events tell of that no policy is asked about: what strangers were
/// refused, and the server's own acts.
const UNASKED: [&str; 6] = [
    "credential.refused",
    "exchange.refused",
    "request.limited",
    "storage.restore",
    "system.init",
    "system.unseal",
];

/// Which events are wanted. What is empty leaves nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    actions: Vec<String>,
    outcomes: Vec<String>,
    targets: Vec<String>,
}

impl EventFilter {
    /// From what somebody wrote: actions such as `key.revoke` or `key.*`;
    /// outcomes by their names; targets by their whole names
    /// (`team/default/orders`) or their last part (`orders`), in which `*`
    /// stands for any characters and `?` for one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is none of these; [`Error::TooLarge`].
    pub fn new(actions: &[String], outcomes: &[String], targets: &[String]) -> Result<Self> {
        for (what, list) in [
            ("the number of actions", actions),
            ("the number of outcomes", outcomes),
            ("the number of targets", targets),
        ] {
            if list.len() > PATTERNS_MAX {
                return Err(Error::TooLarge {
                    what,
                    limit: PATTERNS_MAX as u64,
                });
            }
        }
        actions.iter().try_for_each(|text| action(text))?;
        outcomes.iter().try_for_each(|text| outcome(text))?;
        targets.iter().try_for_each(|text| target(text))?;
        Ok(Self {
            actions: actions.to_vec(),
            outcomes: outcomes.to_vec(),
            targets: targets.to_vec(),
        })
    }

    /// As [`EventFilter::new`], and every action is one that there is: what is
    /// only mistyped would never be found. Patterns with `*` are for whatever
    /// there may be. Filters that are kept are read by [`EventFilter::new`], so
    /// that an action may go away in a later version.
    ///
    /// # Errors
    /// As there.
    pub fn asked_for(actions: &[String], outcomes: &[String], targets: &[String]) -> Result<Self> {
        let filter = Self::new(actions, outcomes, targets)?;
        filter.only_known()?;
        Ok(filter)
    }

    /// Refuses actions that there are none of.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub(crate) fn only_known(&self) -> Result<()> {
        self.actions.iter().try_for_each(|text| known(text))
    }

    /// The actions asked for.
    pub fn actions(&self) -> &[String] {
        &self.actions
    }

    /// The outcomes asked for.
    pub fn outcomes(&self) -> &[String] {
        &self.outcomes
    }

    /// The targets asked for.
    pub fn targets(&self) -> &[String] {
        &self.targets
    }

    /// Whether an event is one of those that are wanted.
    pub fn takes(&self, event: &Event) -> bool {
        let any = |list: &[String], is: &dyn Fn(&str) -> bool| {
            list.is_empty() || list.iter().any(|pattern| is(pattern))
        };
        any(&self.actions, &|pattern| {
            glob(pattern, event.action.as_str())
        }) && any(&self.outcomes, &|name| name == event.outcome.name())
            && any(&self.targets, &|pattern| {
                let mut named = event.targets.iter().map(|target| target.name.as_str());
                named.any(|name| is_called(pattern, name))
            })
    }
}

/// A pattern without a slash is for the last part of a name.
fn is_called(pattern: &str, name: &str) -> bool {
    let last = match pattern.contains('/') {
        true => name,
        false => name.rsplit('/').next().unwrap_or(name),
    };
    glob(pattern, last)
}

fn action(text: &str) -> Result<()> {
    let name = text.strip_suffix('*').unwrap_or(text);
    let plain = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'-');
    if text.is_empty() || text.len() > PATTERN_MAX || !name.bytes().all(plain) {
        return Err(Error::Invalid(
            "an action is written as key.revoke, or key.* for all that begin so".into(),
        ));
    }
    Ok(())
}

fn known(text: &str) -> Result<()> {
    let all = || Action::ALL.iter().map(|one| one.name()).chain(UNASKED);
    if text.ends_with('*') || all().any(|name| name == text) {
        return Ok(());
    }
    let (kind, _) = text.split_once('.').unwrap_or((text, ""));
    let of_kind: Vec<&str> = all()
        .filter(|name| name.split_once('.').is_some_and(|(its, _)| its == kind))
        .collect();
    let hint = match of_kind.is_empty() {
        true => "they are named as in policies, such as key.revoke, and key.* is for all that \
                 begin so"
            .to_owned(),
        false => format!("there are {}", of_kind.join(", ")),
    };
    Err(Error::Invalid(format!(
        "no action is called {text}: {hint}"
    )))
}

fn outcome(text: &str) -> Result<()> {
    let known = [Outcome::Success, Outcome::denied(""), Outcome::failed("")];
    match known.iter().any(|one| one.name() == text) {
        true => Ok(()),
        false => Err(Error::Invalid(
            "an outcome is success, denied or failed".into(),
        )),
    }
}

fn target(text: &str) -> Result<()> {
    if text.is_empty() || text.len() > PATTERN_MAX || text.contains(char::is_control) {
        return Err(Error::Invalid(
            "a target is a name of 1 to 256 bytes, with * for any characters and ? for one".into(),
        ));
    }
    Ok(())
}

/// Whether a text is of a pattern. After each `*` the shortest run is tried
/// first and only the last `*` is ever gone back to, so that no pattern takes
/// more steps than its length times the text's.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut of) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(at) {
        match pattern.get(of) {
            Some('*') => {
                star = Some((of, at));
                of += 1;
            }
            Some('?') => (at, of) = (at + 1, of + 1),
            Some(same) if same == letter => (at, of) = (at + 1, of + 1),
            _ => match &mut star {
                Some((begin, from)) => {
                    *from += 1;
                    (at, of) = (*from, *begin + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(of).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use skms_evidence::{Details, EventId, Target, Text};

    use super::*;

    fn event(action: &str, outcome: Outcome, name: &str) -> Event {
        Event {
            id: EventId([0; 16]),
            at_millis: 0,
            namespace: None,
            principal: Text::default(),
            authentication: Text::default(),
            source: None,
            action: action.into(),
            targets: vec![Target {
                kind: "key".into(),
                name: name.into(),
                ..Target::default()
            }],
            outcome,
            request_id: Text::default(),
            items: None,
            details: Details::new(),
        }
    }

    fn filter(actions: &[&str], outcomes: &[&str], targets: &[&str]) -> Result<EventFilter> {
        let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        EventFilter::new(&owned(actions), &owned(outcomes), &owned(targets))
    }

    #[test]
    fn only_what_is_asked_for_is_taken() {
        let revoked = event("key.revoke", Outcome::Success, "team/default/orders");
        let denied = event("key.encrypt", Outcome::denied("no"), "team/default/bills");
        for (actions, outcomes, targets, takes) in [
            (&[][..], &[][..], &[][..], (true, true)),
            (&["key.*"], &[], &[], (true, true)),
            (&["key.revoke"], &[], &[], (true, false)),
            (&["key.rev"], &[], &[], (false, false)),
            (&["*"], &["denied"], &[], (false, true)),
            (&[], &["denied", "failed"], &["bills"], (false, true)),
            (&[], &[], &["ord*"], (true, false)),
            (&[], &[], &["team/*/orders"], (true, false)),
            (&[], &[], &["other/*"], (false, false)),
            (&["key.revoke"], &["failed"], &[], (false, false)),
        ] {
            let filter = filter(actions, outcomes, targets).unwrap();
            let taken = (filter.takes(&revoked), filter.takes(&denied));
            assert_eq!(taken, takes, "{filter:?}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for (actions, outcomes, targets) in [
            (&["Key.revoke"][..], &[][..], &[][..]),
            (&[""], &[], &[]),
            (&["key.*.x"], &[], &[]),
            (&["key revoke"], &[], &[]),
            (&[], &["ok"], &[]),
            (&[], &[], &[""]),
            (&[], &[], &["a\nb"]),
        ] {
            let refused = filter(actions, outcomes, targets);
            assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        }
        let many = vec!["key.*"; PATTERNS_MAX + 1];
        assert!(matches!(
            filter(&many, &[], &[]),
            Err(Error::TooLarge { .. })
        ));
        let long = "a".repeat(PATTERN_MAX + 1);
        assert!(filter(&[], &[], &[&long]).is_err());
    }

    #[test]
    fn actions_that_there_are_none_of_are_not_asked_for() {
        let asked = |action: &str| EventFilter::asked_for(&[action.to_owned()], &[], &[]);
        for good in [
            "key.revoke",
            "key.*",
            "key.revok*",
            "*",
            "credential.refused",
            "system.init",
        ] {
            assert!(asked(good).is_ok(), "{good}");
        }
        for (wrong, hint) in [
            ("key.revok", "key.revoke"),
            ("key.rotat", "key.rotate"),
            ("kee.rotate", "named as in policies"),
            ("key", "key.create"),
        ] {
            let refused = asked(wrong).unwrap_err().to_string();
            assert!(refused.contains(hint), "{refused}");
            assert!(filter(&[wrong], &[], &[]).is_ok(), "what is kept is read");
        }
    }

    #[test]
    fn patterns_stand_for_what_they_say() {
        for (pattern, text, is) in [
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbbd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xaxxab", true),
            ("a", "aa", false),
            ("é*", "éa", true),
        ] {
            assert_eq!(glob(pattern, text), is, "{pattern} {text}");
        }
        // What other matchers need time without end for.
        let pattern = format!("{}b", "a*".repeat(100));
        assert!(!glob(&pattern, &"a".repeat(256)));
    }
}
