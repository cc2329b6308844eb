//! The Cedar schema that every policy is checked against.

use std::{
    collections::{HashMap, HashSet},
    sync::OnceLock,
};

use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid, Schema, Validator};

use crate::{ACTION_GROUPS, Action, Error, ResourceKind, Result};

/// The schema's text, as documentation and tools may want it.
pub const SCHEMA: &str = include_str!("../schema/skms.cedarschema");

/// What is built once from the schema and then only read.
pub(crate) struct Model {
    pub(crate) validator: Validator,
    /// By [`Action::index`]: the action's entity with the groups it lies in.
    actions: Vec<Entity>,
    group: EntityTypeName,
    principal: EntityTypeName,
    kinds: HashMap<ResourceKind, EntityTypeName>,
}

impl Model {
    /// The one model, built at first use.
    pub(crate) fn shared() -> Result<&'static Self> {
        static MODEL: OnceLock<std::result::Result<Model, String>> = OnceLock::new();
        MODEL
            .get_or_init(Self::build)
            .as_ref()
            .map_err(|reason| Error::Schema(reason.clone()))
    }

    fn build() -> std::result::Result<Self, String> {
        let (schema, _warnings) =
            Schema::from_cedarschema_str(SCHEMA).map_err(|error| error.to_string())?;
        let type_name = |name: &str| -> std::result::Result<EntityTypeName, String> {
            format!("SKMS::{name}")
                .parse()
                .map_err(|error: cedar_policy::ParseErrors| error.to_string())
        };
        let action_type = type_name("Action")?;
        let uid =
            |name: &str| EntityUid::from_type_name_and_id(action_type.clone(), EntityId::new(name));
        let actions = Action::ALL
            .iter()
            .map(|action| {
                let groups: HashSet<EntityUid> = ACTION_GROUPS
                    .iter()
                    .filter(|(group, _)| action.is_in(group))
                    .map(|(group, _)| uid(group))
                    .collect();
                Entity::new_no_attrs(uid(action.name()), groups)
            })
            .collect();
        let kinds = ResourceKind::ALL
            .iter()
            .map(|kind| Ok((*kind, type_name(kind.name())?)))
            .collect::<std::result::Result<_, String>>()?;
        Ok(Self {
            validator: Validator::new(schema),
            actions,
            group: type_name("Group")?,
            principal: type_name("Principal")?,
            kinds,
        })
    }

    pub(crate) fn action(&self, action: Action) -> Option<&Entity> {
        self.actions.get(action.index())
    }

    pub(crate) fn group_uid(&self, id: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.group.clone(), EntityId::new(id))
    }

    pub(crate) fn principal_uid(&self, id: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.principal.clone(), EntityId::new(id))
    }

    pub(crate) fn uid(&self, kind: ResourceKind, id: &str) -> Option<EntityUid> {
        let name = self.kinds.get(&kind)?.clone();
        Some(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_and_the_table_state_the_same_actions() {
        let model = Model::shared().unwrap();
        let schema = model.validator.schema();
        let mut in_schema: Vec<String> = schema
            .actions()
            .map(|uid| uid.id().unescaped().to_owned())
            .filter(|name| !ACTION_GROUPS.iter().any(|(group, _)| group == name))
            .collect();
        in_schema.sort();
        let mut in_table: Vec<String> = Action::ALL.iter().map(|a| a.name().to_owned()).collect();
        in_table.sort();
        assert_eq!(in_schema, in_table);

        let entities = schema.action_entities().unwrap();
        for action in Action::ALL {
            let entity = model.action(*action).unwrap();
            let uid = entity.uid();
            for (group, _) in ACTION_GROUPS {
                let group_uid: EntityUid = format!("SKMS::Action::\"{group}\"").parse().unwrap();
                assert_eq!(
                    entities.is_ancestor_of(&group_uid, &uid),
                    action.is_in(group),
                    "{action} in {group}"
                );
            }
            let mut kinds: Vec<String> = schema
                .resources_for_action(&uid)
                .unwrap()
                .map(|name| name.basename().to_owned())
                .collect();
            kinds.sort();
            let mut expected: Vec<String> = action
                .applies_to()
                .iter()
                .map(|kind| kind.name().to_owned())
                .collect();
            expected.sort();
            assert_eq!(kinds, expected, "{action}");
        }
    }
}
