//! The schema of rules, built once.

use std::sync::OnceLock;

use cedar_policy::{ActionConstraint, EntityId, EntityTypeName, EntityUid, Schema, Validator};

use crate::{Error, Result};

/// The schema's text, as documentation and tools may want it.
pub const RULE_SCHEMA: &str = include_str!("../../schema/rules.cedarschema");

/// What a rule is asked on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Trigger {
    /// A walk over the keys.
    Time,
    /// Something was done or refused.
    Event,
    /// A detector found weak or published material.
    Finding,
    /// A certificate of a key kept here was revoked.
    Certificate,
    /// Somebody handed in a verdict.
    Verdict,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Self; 5] = [
        Self::Time,
        Self::Event,
        Self::Finding,
        Self::Certificate,
        Self::Verdict,
    ];

    /// Its name, as answers have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Event => "event",
            Self::Finding => "finding",
            Self::Certificate => "certificate",
            Self::Verdict => "verdict",
        }
    }
}

/// What is built once from the schema and then only read.
pub(super) struct RuleModel {
    pub(super) validator: Validator,
    action: EntityTypeName,
    pub(super) group: EntityTypeName,
    pub(super) namespace: EntityTypeName,
    pub(super) keyring: EntityTypeName,
    pub(super) key: EntityTypeName,
    pub(super) principal: EntityTypeName,
}

impl RuleModel {
    /// The one model, built at first use.
    pub(super) fn shared() -> Result<&'static Self> {
        static MODEL: OnceLock<std::result::Result<RuleModel, String>> = OnceLock::new();
        MODEL
            .get_or_init(Self::build)
            .as_ref()
            .map_err(|reason| Error::Schema(reason.clone()))
    }

    fn build() -> std::result::Result<Self, String> {
        let (schema, _warnings) =
            Schema::from_cedarschema_str(RULE_SCHEMA).map_err(|error| error.to_string())?;
        let type_name = |name: &str| -> std::result::Result<EntityTypeName, String> {
            format!("SKMS::{name}")
                .parse()
                .map_err(|error: cedar_policy::ParseErrors| error.to_string())
        };
        Ok(Self {
            validator: Validator::new(schema),
            action: type_name("Action")?,
            group: type_name("Group")?,
            namespace: type_name("Namespace")?,
            keyring: type_name("Keyring")?,
            key: type_name("Key")?,
            principal: type_name("Principal")?,
        })
    }

    /// The action that a trigger is.
    pub(super) fn action(&self, trigger: Trigger) -> EntityUid {
        let id = EntityId::new(format!("rule.{}", trigger.name()));
        EntityUid::from_type_name_and_id(self.action.clone(), id)
    }

    /// The triggers that a head lets through.
    pub(super) fn triggers(&self, head: &ActionConstraint) -> Vec<Trigger> {
        let all = Trigger::ALL.into_iter();
        all.filter(|trigger| match head {
            ActionConstraint::Any => true,
            ActionConstraint::In(these) => these.contains(&self.action(*trigger)),
            ActionConstraint::Eq(this) => *this == self.action(*trigger),
        })
        .collect()
    }
}
