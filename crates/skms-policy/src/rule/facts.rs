//! What rules are asked about, in Cedar's terms and in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};

use super::condition::Mention;
use super::model::{RuleModel, Trigger};
use crate::name::{joined, qualified};
use crate::{Error, Result};

/// Whom a match is about.
#[derive(Clone, Copy, Debug)]
pub struct Whom<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name there.
    pub id: &'a str,
    /// `token`, `certificate`, `system` or `unknown`.
    pub kind: &'static str,
    /// Its groups.
    pub groups: &'a BTreeSet<String>,
    /// Whether it has a live token or registration.
    pub exists: bool,
    /// Whether it is suspended.
    pub suspended: bool,
}

/// A key, and how its newest version stands.
#[derive(Clone, Copy, Debug)]
pub struct KeyFacts<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its keyring's name.
    pub keyring: &'a str,
    /// Its algorithm's name.
    pub algorithm: &'a str,
    /// Who answers for it.
    pub owner: &'a str,
    /// Its tags.
    pub tags: &'a BTreeMap<String, String>,
    /// Whether it may leave.
    pub exportable: bool,
    /// The newest version's state.
    pub state: &'a str,
    /// The newest version's number.
    pub version: u32,
    /// Since that came into use, or was made.
    pub age_seconds: i64,
    /// Since the key was made.
    pub key_age_seconds: i64,
    /// Counted uses of the newest version, at most.
    pub uses: u64,
    /// Whether any use is known.
    pub used: bool,
    /// Since its last use or resumption, or else since it came into use.
    pub unused_seconds: i64,
    /// To the end of the newest version's originator-usage period: a new
    /// version has its own.
    pub period_ends_in_seconds: Option<i64>,
    /// To the key's expiry, which a new version does not put off.
    pub expires_in_seconds: Option<i64>,
    /// Since its suspension.
    pub suspended_seconds: Option<i64>,
}

/// What a match is about.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// A key.
    Key(KeyFacts<'a>),
    /// No key: the namespace.
    Namespace,
}

/// What a rule is asked on.
#[derive(Clone, Copy, Debug)]
pub enum Occasion<'a> {
    /// A walk over the keys.
    Time,
    /// Something was done or refused.
    Event {
        /// The act.
        action: &'a str,
        /// How it ended.
        outcome: &'a str,
        /// Why not.
        reason: &'a str,
        /// Why a version changed its state.
        cause: &'a str,
        /// The first target's kind.
        target: &'a str,
        /// From where.
        source: Option<IpAddr>,
        /// Whether a part of the server did it.
        system: bool,
        /// The rule that did it.
        rule: &'a str,
    },
    /// A detector found something.
    Finding {
        /// Which.
        detector: &'a str,
        /// How bad it is.
        gravity: &'a str,
        /// Whether it is certain that the key protects nothing.
        proven: bool,
        /// In words.
        reason: &'a str,
        /// In which version.
        version: u32,
    },
    /// A certificate was revoked.
    Certificate {
        /// By whom.
        issuer: &'a str,
        /// The namespace that the issuer is of.
        issuer_namespace: &'a str,
        /// Its serial number.
        serial: &'a str,
        /// Whether an imported list says so.
        elsewhere: bool,
        /// RFC 5280's reason.
        reason: &'a str,
        /// The version that it certifies.
        version: u32,
    },
    /// A verdict was handed in.
    Verdict {
        /// 0 to 1000.
        score: u16,
        /// In words.
        reason: &'a str,
        /// Who handed it in.
        by: &'a str,
        /// How many events it names.
        evidence: usize,
    },
}

impl Occasion<'_> {
    const fn trigger(&self) -> Trigger {
        match self {
            Self::Time => Trigger::Time,
            Self::Event { .. } => Trigger::Event,
            Self::Finding { .. } => Trigger::Finding,
            Self::Certificate { .. } => Trigger::Certificate,
            Self::Verdict { .. } => Trigger::Verdict,
        }
    }
}

/// One question to the rules of a namespace.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Seconds since the Unix epoch.
    pub now: i64,
    /// The namespace of the rules and of the key.
    pub namespace: &'a str,
    /// Whom it is about.
    pub whom: Whom<'a>,
    /// What it is about.
    pub about: About<'a>,
    /// What happened.
    pub occasion: Occasion<'a>,
}

/// A value that a rule can look at.
enum Fact {
    Text(String),
    Number(i64),
    Flag(bool),
    Texts(BTreeSet<String>),
    Address(IpAddr),
}

impl Fact {
    fn expression(&self) -> RestrictedExpression {
        match self {
            Self::Text(text) => RestrictedExpression::new_string(text.clone()),
            Self::Number(number) => RestrictedExpression::new_long(*number),
            Self::Flag(flag) => RestrictedExpression::new_bool(*flag),
            Self::Texts(texts) => RestrictedExpression::new_set(
                texts
                    .iter()
                    .map(|text| RestrictedExpression::new_string(text.clone())),
            ),
            Self::Address(address) => {
                RestrictedExpression::new_ip(address.to_canonical().to_string())
            }
        }
    }

    /// In words; what others wrote is quoted, so that it cannot be taken for
    /// ours.
    fn write(&self, out: &mut String) {
        let _ = match self {
            Self::Text(text) => write!(out, "{text:?}"),
            Self::Number(number) => write!(out, "{number}"),
            Self::Flag(flag) => write!(out, "{flag}"),
            Self::Texts(texts) => write!(out, "{texts:?}"),
            Self::Address(address) => write!(out, "{address}"),
        };
    }
}

type Facts = Vec<(&'static str, Fact)>;

fn text(value: &str) -> Fact {
    Fact::Text(value.to_owned())
}

/// A question in Cedar's terms, for any number of rules.
pub struct Asked {
    trigger: Trigger,
    request: Request,
    entities: Entities,
    whom: Facts,
    about: Facts,
    context: Facts,
    tags: BTreeMap<String, String>,
}

impl Asked {
    /// Puts a question in Cedar's terms.
    ///
    /// # Errors
    /// [`Error::Schema`] where Cedar cannot say it: a defect of this program.
    pub fn new(question: &Question<'_>) -> Result<Self> {
        let model = RuleModel::shared()?;
        let unspoken = |reason: String| Error::Schema(reason);
        let trigger = question.occasion.trigger();
        let namespace = uid(&model.namespace, question.namespace);
        let whom = whom_facts(&question.whom);
        let context = context_facts(question);
        let subject = uid(
            &model.principal,
            &qualified(question.whom.namespace, question.whom.id),
        );
        let mut parents: Vec<EntityUid> = question
            .whom
            .groups
            .iter()
            .map(|group| uid(&model.group, &qualified(question.whom.namespace, group)))
            .collect();
        parents.push(uid(&model.namespace, question.whom.namespace));
        let no_tags = BTreeMap::new();
        let (object, about, above, tags) = match &question.about {
            About::Key(key) => {
                let ring = joined(&[question.namespace, key.keyring]);
                let name = joined(&[question.namespace, key.keyring, key.name]);
                (
                    uid(&model.key, &name),
                    key_facts(question.namespace, key),
                    vec![uid(&model.keyring, &ring), namespace],
                    key.tags,
                )
            }
            About::Namespace => (
                namespace,
                vec![("name", text(question.namespace))],
                Vec::new(),
                &no_tags,
            ),
        };
        let entities = Entities::from_entities(
            [
                entity(&subject, &whom, parents, &no_tags).map_err(unspoken)?,
                entity(&object, &about, above, tags).map_err(unspoken)?,
            ],
            None,
        );
        let pairs = context
            .iter()
            .map(|(name, fact)| ((*name).to_owned(), fact.expression()));
        let request = Request::new(
            subject,
            model.action(trigger),
            object,
            Context::from_pairs(pairs).map_err(|error| unspoken(error.to_string()))?,
            None,
        );
        Ok(Self {
            trigger,
            request: request.map_err(|error| unspoken(error.to_string()))?,
            entities: entities.map_err(|error| unspoken(error.to_string()))?,
            whom,
            about,
            context,
            tags: tags.clone(),
        })
    }

    /// What it is asked on.
    #[must_use]
    pub fn trigger(&self) -> Trigger {
        self.trigger
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    pub(super) fn entities(&self) -> &Entities {
        &self.entities
    }

    /// What a condition looked at, and what it was.
    pub(super) fn in_words(&self, mentioned: &BTreeSet<Mention>) -> String {
        let mut words = String::new();
        for (of, name) in mentioned {
            let facts = match of.as_str() {
                "principal" => &self.whom,
                "resource" => &self.about,
                "context" => &self.context,
                _ => continue,
            };
            let tag = name.strip_prefix("tag:").and_then(|tag| self.tags.get(tag));
            let found = facts.iter().find(|(known, _)| known == name);
            if found.is_none() && tag.is_none() {
                continue;
            }
            if !words.is_empty() {
                words.push_str(", ");
            }
            let _ = write!(words, "{of}.{name} = ");
            match (found, tag) {
                (Some((_, fact)), _) => fact.write(&mut words),
                (None, Some(tag)) => text(tag).write(&mut words),
                (None, None) => {}
            }
        }
        if words.is_empty() {
            words.push_str("everything: the rule has no condition");
        }
        words
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn entity(
    uid: &EntityUid,
    facts: &Facts,
    parents: Vec<EntityUid>,
    tags: &BTreeMap<String, String>,
) -> std::result::Result<Entity, String> {
    Entity::new_with_tags(
        uid.clone(),
        facts
            .iter()
            .map(|(name, fact)| ((*name).to_owned(), fact.expression())),
        parents,
        tags.iter()
            .map(|(key, value)| (key.clone(), text(value).expression())),
    )
    .map_err(|error| error.to_string())
}

fn whom_facts(whom: &Whom<'_>) -> Facts {
    vec![
        ("id", text(whom.id)),
        ("namespace", text(whom.namespace)),
        ("kind", text(whom.kind)),
        ("groups", Fact::Texts(whom.groups.clone())),
        ("exists", Fact::Flag(whom.exists)),
        ("suspended", Fact::Flag(whom.suspended)),
    ]
}

fn key_facts(namespace: &str, key: &KeyFacts<'_>) -> Facts {
    let count = |uses: u64| Fact::Number(i64::try_from(uses).unwrap_or(i64::MAX));
    let mut facts = vec![
        ("name", text(key.name)),
        ("keyring", text(key.keyring)),
        ("namespace", text(namespace)),
        ("algorithm", text(key.algorithm)),
        ("owner", text(key.owner)),
        ("exportable", Fact::Flag(key.exportable)),
        ("state", text(key.state)),
        ("version", Fact::Number(key.version.into())),
        ("age_seconds", Fact::Number(key.age_seconds)),
        ("key_age_seconds", Fact::Number(key.key_age_seconds)),
        ("uses", count(key.uses)),
        ("used", Fact::Flag(key.used)),
        ("unused_seconds", Fact::Number(key.unused_seconds)),
    ];
    let period = key.period_ends_in_seconds.map(Fact::Number);
    facts.extend(period.map(|fact| ("period_ends_in_seconds", fact)));
    let expires = key.expires_in_seconds.map(Fact::Number);
    facts.extend(expires.map(|fact| ("expires_in_seconds", fact)));
    let suspended = key.suspended_seconds.map(Fact::Number);
    facts.extend(suspended.map(|fact| ("suspended_seconds", fact)));
    facts
}

fn context_facts(question: &Question<'_>) -> Facts {
    let mut facts = vec![("now", Fact::Number(question.now))];
    match question.occasion {
        Occasion::Time => {}
        Occasion::Event {
            action,
            outcome,
            reason,
            cause,
            target,
            source,
            system,
            rule,
        } => {
            facts.push(("action", text(action)));
            facts.push(("outcome", text(outcome)));
            facts.push(("reason", text(reason)));
            facts.push(("cause", text(cause)));
            facts.push(("target", text(target)));
            facts.push(("system", Fact::Flag(system)));
            facts.push(("rule", text(rule)));
            facts.extend(source.map(|address| ("source", Fact::Address(address))));
        }
        Occasion::Finding {
            detector,
            gravity,
            proven,
            reason,
            version,
        } => {
            facts.push(("detector", text(detector)));
            facts.push(("gravity", text(gravity)));
            facts.push(("reason", text(reason)));
            facts.push(("proven", Fact::Flag(proven)));
            facts.push(("found_version", Fact::Number(version.into())));
        }
        Occasion::Certificate {
            issuer,
            issuer_namespace,
            serial,
            elsewhere,
            reason,
            version,
        } => {
            facts.push(("issuer", text(issuer)));
            facts.push(("issuer_namespace", text(issuer_namespace)));
            facts.push(("serial", text(serial)));
            facts.push(("elsewhere", Fact::Flag(elsewhere)));
            facts.push(("reason", text(reason)));
            facts.push(("certified_version", Fact::Number(version.into())));
        }
        Occasion::Verdict {
            score,
            reason,
            by,
            evidence,
        } => {
            facts.push(("score", Fact::Number(score.into())));
            facts.push(("reason", text(reason)));
            facts.push(("by", text(by)));
            let evidence = i64::try_from(evidence).unwrap_or(i64::MAX);
            facts.push(("evidence", Fact::Number(evidence)));
        }
    }
    facts
}
