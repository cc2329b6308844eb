//! Marks: statements that make an act wait for the approval of others.
//!
//! A mark is a `forbid` with the annotation `@approvals`. Where it matches, the
//! act is not refused for good: it needs that many distinct principals who
//! approve of it. Which acts wait for nobody is [`Action::waits_for_nobody`].

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{Effect, EntityUid, Policy};

use crate::name::qualified;
use crate::{
    Action, Error, Finding, PolicyName, Position, Principal, ROOT_NAMESPACE, Result,
    action::ActionSet, scope::Scope,
};

/// The most approvals that a mark may ask for.
pub const MAX_APPROVALS: usize = 16;
/// The most groups and principals that a mark may name.
pub const MAX_APPROVERS: usize = 32;
/// How long a request for approval stands unless a mark says otherwise: a day.
pub const DEFAULT_VALID_SECONDS: i64 = 86_400;
/// The shortest and the longest time that a mark may say.
const VALID_SECONDS: std::ops::RangeInclusive<i64> = 60..=30 * 86_400;

/// The annotations that make a mark.
const OWN: [&str; 4] = ["approvals", "approvers", "valid_for", "signed"];
/// Those that say nothing about it.
const OTHERS: [&str; 3] = ["id", "description", "comment"];

/// Whose approval counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Approver {
    /// Every member of a group, by its full name.
    Group(String),
    /// A principal, by its full name.
    Principal(String),
}

impl Approver {
    /// All that a principal is as an approver: itself, and a member of its
    /// groups.
    #[must_use]
    pub fn of(principal: &Principal) -> BTreeSet<Self> {
        let full = |name: &str| qualified(principal.namespace(), name);
        let groups = principal.groups().iter();
        let mut all: BTreeSet<Self> = groups.map(|group| Self::Group(full(group))).collect();
        all.insert(Self::Principal(full(principal.id())));
        all
    }

    /// As policies write it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Group(name) => format!("SKMS::Group::\"{name}\""),
            Self::Principal(name) => format!("SKMS::Principal::\"{name}\""),
        }
    }
}

/// What an act needs that a `forbid` with `@approvals` matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    policy: Arc<PolicyName>,
    approvals: usize,
    approvers: BTreeSet<Approver>,
    valid_seconds: i64,
    signed: bool,
}

impl Mark {
    /// The document that it stands in.
    #[must_use]
    pub fn policy(&self) -> &PolicyName {
        &self.policy
    }

    /// How many distinct principals have to approve.
    #[must_use]
    pub fn approvals(&self) -> usize {
        self.approvals
    }

    /// Whose approval counts; whoever may approve at all, where it names nobody.
    #[must_use]
    pub fn approvers(&self) -> &BTreeSet<Approver> {
        &self.approvers
    }

    /// How long a request for approval stands.
    #[must_use]
    pub fn valid_seconds(&self) -> i64 {
        self.valid_seconds
    }

    /// Whether an approval has to be signed by its giver's own key.
    #[must_use]
    pub fn signed(&self) -> bool {
        self.signed
    }

    /// Whether this principal's approval counts for it.
    #[must_use]
    pub fn accepts(&self, principal: &Principal) -> bool {
        self.approvers.is_empty() || !self.approvers.is_disjoint(&Approver::of(principal))
    }
}

/// The mark that a statement is, if it is one. `text` is the document's, and
/// `number` which of its statements it is.
pub(crate) fn read(
    name: &Arc<PolicyName>,
    number: usize,
    text: &str,
    policy: &Policy,
    scope: &Scope,
) -> Result<Option<Arc<Mark>>> {
    let said: Vec<(&str, &str)> = policy.annotations().collect();
    let Some((first, _)) = said.iter().find(|(key, _)| OWN.contains(key)) else {
        return Ok(None);
    };
    let wrong = |annotation: &str, message: String, help: Option<&str>| Error::Mark {
        policy: name.to_string(),
        finding: Finding {
            position: Some(place(text, number, annotation)),
            message,
            help: help.map(str::to_owned),
        },
    };
    let value = |key: &str| {
        said.iter()
            .find(|(known, _)| *known == key)
            .map(|(_, v)| *v)
    };
    if policy.effect() != Effect::Forbid {
        let message = format!("@{first} stands on a permit");
        return Err(wrong(first, message, Some("a mark is a forbid")));
    }
    let Some(approvals) = value("approvals") else {
        let message = format!("@{first} without @approvals");
        let help = Some("@approvals(\"2\") says how many have to approve");
        return Err(wrong(first, message, help));
    };
    let mut others = said.iter().map(|(key, _)| *key);
    if let Some(other) = others.find(|key| !OWN.contains(key) && !OTHERS.contains(key)) {
        let message = format!("@{other} is no annotation of marks");
        let help = "they are @approvals, @approvers, @valid_for and @signed, and @id, \
                    @description and @comment, which say nothing";
        return Err(wrong(other, message, Some(help)));
    }
    let approvals = whole(approvals)
        .and_then(|number| usize::try_from(number).ok())
        .filter(|number| (1..=MAX_APPROVALS).contains(number))
        .ok_or_else(|| {
            let message =
                format!("@approvals({approvals:?}) is no number from 1 to {MAX_APPROVALS}");
            wrong("approvals", message, None)
        })?;
    let approvers = match value("approvers") {
        None => BTreeSet::new(),
        Some(list) => approvers(name, list).map_err(|why| wrong("approvers", why, None))?,
    };
    let only_principals = (approvers.iter()).all(|one| matches!(one, Approver::Principal(_)));
    if !approvers.is_empty() && only_principals && approvers.len() < approvals {
        let message = format!(
            "it asks for {approvals} approvals, and @approvers names {} principals",
            approvers.len()
        );
        return Err(wrong("approvers", message, None));
    }
    let valid_seconds = match value("valid_for") {
        None => DEFAULT_VALID_SECONDS,
        Some(text) => duration(text).ok_or_else(|| {
            let message = format!("@valid_for({text:?}) is no time from 1 minute to 30 days");
            wrong(
                "valid_for",
                message,
                Some("as in \"30m\", \"12h\" or \"2d\""),
            )
        })?,
    };
    let signed = match value("signed") {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            let message = format!("@signed({other:?}) is neither \"true\" nor \"false\"");
            return Err(wrong("signed", message, None));
        }
    };
    if waits_for_nobody(scope.actions) {
        let help = "revoking, suspending, sealing and answering a compromise must always get \
                    through, and approvals themselves are not approved";
        let message = "it reaches only acts that wait for no approval".to_owned();
        return Err(wrong("approvals", message, Some(help)));
    }
    Ok(Some(Arc::new(Mark {
        policy: Arc::clone(name),
        approvals,
        approvers,
        valid_seconds,
        signed,
    })))
}

fn waits_for_nobody(actions: ActionSet) -> bool {
    let mut all = Action::ALL.iter();
    !all.any(|action| actions.contains(*action) && !action.waits_for_nobody())
}

/// Decimal digits and nothing else.
fn whole(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// "90s", "30m", "12h", "2d".
fn duration(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number = whole(text.strip_suffix(unit)?)?;
    let all = number.checked_mul(seconds)?;
    VALID_SECONDS.contains(&all).then_some(all)
}

/// Groups and principals with commas between them.
fn approvers(document: &PolicyName, list: &str) -> std::result::Result<BTreeSet<Approver>, String> {
    let mut all = BTreeSet::new();
    for one in split(list) {
        let uid = EntityUid::from_str(one)
            .map_err(|_| format!("@approvers: {one:?} is no group or principal"))?;
        let name = uid.id().unescaped().to_owned();
        let approver = match uid.type_name().to_string().as_str() {
            "SKMS::Group" => Approver::Group(name.clone()),
            "SKMS::Principal" => Approver::Principal(name.clone()),
            _ => return Err(format!("@approvers: {one} is no group or principal")),
        };
        let tenant = document.namespace();
        let own = name
            .split_once('/')
            .is_some_and(|(namespace, rest)| namespace == tenant && !rest.is_empty());
        if tenant != ROOT_NAMESPACE && !own {
            return Err(format!(
                "@approvers: {one} is not of the namespace {tenant}, which this is written in"
            ));
        }
        all.insert(approver);
    }
    match all.len() {
        1..=MAX_APPROVERS => Ok(all),
        _ => Err(format!(
            "@approvers names from 1 to {MAX_APPROVERS} groups and principals with commas between"
        )),
    }
}

/// The parts between the commas that are not in quotes.
fn split(list: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    list.split(move |character| {
        quoted ^= character == '"';
        character == ',' && !quoted
    })
    .map(str::trim)
}

/// Where an annotation of a statement stands; the statement's beginning where
/// it is not found.
fn place(text: &str, number: usize, annotation: &str) -> Position {
    let start = starts(text).nth(number).unwrap_or(0);
    let statement = text.get(start..).unwrap_or_default();
    let within = marked(statement, annotation).unwrap_or(0);
    Position::of(text, start + within)
}

/// Where `@annotation` stands in a statement.
fn marked(statement: &str, annotation: &str) -> Option<usize> {
    let end = plain(statement).find(|(_, c)| *c == ';').map(|(at, _)| at);
    let statement = statement.get(..end.unwrap_or(statement.len()))?;
    let signs = plain(statement).filter(|(_, character)| *character == '@');
    let mut signs = signs.map(|(at, _)| at);
    signs.find(|at| {
        let after = statement.get(at + 1..).unwrap_or_default().trim_start();
        let rest = after.strip_prefix(annotation);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

/// Where statements begin.
fn starts(text: &str) -> impl Iterator<Item = usize> {
    let mut fresh = true;
    plain(text).filter_map(move |(at, character)| {
        let begins = fresh && !character.is_whitespace() && character != ';';
        if begins {
            fresh = false;
        }
        if character == ';' {
            fresh = true;
        }
        begins.then_some(at)
    })
}

/// The characters that are neither in a string nor in a comment.
fn plain(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut characters = text.char_indices().peekable();
    std::iter::from_fn(move || {
        loop {
            let (at, character) = characters.next()?;
            match character {
                '"' => {
                    while let Some((_, inside)) = characters.next() {
                        match inside {
                            '\\' => {
                                characters.next();
                            }
                            '"' => break,
                            _ => {}
                        }
                    }
                }
                '/' if characters.peek().is_some_and(|(_, next)| *next == '/') => {
                    characters.by_ref().find(|(_, inside)| *inside == '\n');
                }
                _ => return Some((at, character)),
            }
        }
    })
}

impl Action {
    /// Whether it is done at once whatever a mark says: what takes away must
    /// always get through, the server's own acts follow from what was permitted
    /// before, and approvals would wait for each other.
    #[must_use]
    pub const fn waits_for_nobody(self) -> bool {
        matches!(
            self,
            Self::KeyRevoke
                | Self::KeySuspend
                | Self::KeyCompromise
                | Self::KeyCascade
                | Self::CertificateRevoke
                | Self::SshCertificateRevoke
                | Self::TokenRevoke
                | Self::PrincipalDelete
                | Self::PrincipalSuspend
                | Self::TrustDelete
                | Self::TrustImportCrl
                | Self::GroupRemove
                | Self::SystemSeal
                | Self::VerdictSubmit
                | Self::RuleAct
                | Self::WeakFind
                | Self::NotificationDeliver
                | Self::ApprovalList
                | Self::ApprovalRead
                | Self::ApprovalRequest
                | Self::ApprovalApprove
                | Self::ApprovalReject
                | Self::ApprovalExpire
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, seconds) in [
            ("60s", 60),
            ("30m", 1800),
            ("12h", 43_200),
            ("30d", 2_592_000),
        ] {
            assert_eq!(duration(text), Some(seconds));
        }
        for wrong in [
            "",
            "d",
            "59s",
            "31d",
            "1w",
            "-1d",
            "1.5d",
            "+1d",
            "1 d",
            "9999999999999d",
        ] {
            assert_eq!(duration(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn statements_are_found_around_strings_and_comments() {
        let text = "// a; b\npermit (principal, action, resource) when { \"x;\\\";\" == \"\" };\n\
                    @signed(\"@approvals\") @approvals(\"2\") forbid (principal, action, resource);";
        let found: Vec<usize> = starts(text).collect();
        assert_eq!(
            found,
            [text.find("permit").unwrap(), text.find("@signed").unwrap()]
        );
        assert_eq!(
            place(text, 1, "approvals"),
            Position {
                line: 3,
                column: 23
            }
        );
        assert_eq!(place(text, 1, "approvers"), Position { line: 3, column: 1 });
    }

    #[test]
    fn commas_in_names_part_nothing() {
        let parts: Vec<_> = split("SKMS::Group::\"a,b\" , SKMS::Principal::\"c\"").collect();
        assert_eq!(parts, ["SKMS::Group::\"a,b\"", "SKMS::Principal::\"c\""]);
    }
}
