//! A policy's scope: whom, what and which it can apply to, taken out of the
//! policy so that a request meets only the policies that may concern it.

use cedar_policy::{
    ActionConstraint, EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint,
};

use crate::{Action, action::ActionSet};

/// One side of the scope, principal or resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Side {
    /// The entity it must be or lie in.
    pub(crate) anchor: Option<EntityUid>,
    /// Whether it must be that very entity.
    exact: bool,
    kind: Option<EntityTypeName>,
}

impl Side {
    const ANY: Self = Self {
        anchor: None,
        exact: false,
        kind: None,
    };

    fn anchored(anchor: EntityUid, exact: bool) -> Self {
        Self {
            anchor: Some(anchor),
            exact,
            kind: None,
        }
    }

    /// Given that the anchor is the entity or one of its ancestors, whether
    /// the rest of the constraint holds.
    fn holds(&self, uid: &EntityUid) -> bool {
        let exact = !self.exact || self.anchor.as_ref() == Some(uid);
        let kind = self
            .kind
            .as_ref()
            .is_none_or(|kind| kind == uid.type_name());
        exact && kind
    }
}

/// The three constraints of a policy's head.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) principal: Side,
    pub(crate) resource: Side,
    pub(crate) actions: ActionSet,
    /// Those of them that it names itself, and not by a group or by naming
    /// none.
    pub(crate) named: ActionSet,
}

impl Scope {
    pub(crate) fn of(policy: &Policy) -> Self {
        let principal = match policy.principal_constraint() {
            PrincipalConstraint::Any => Side::ANY,
            PrincipalConstraint::In(uid) => Side::anchored(uid, false),
            PrincipalConstraint::Eq(uid) => Side::anchored(uid, true),
            PrincipalConstraint::Is(kind) => Side {
                kind: Some(kind),
                ..Side::ANY
            },
            PrincipalConstraint::IsIn(kind, uid) => Side {
                kind: Some(kind),
                ..Side::anchored(uid, false)
            },
        };
        let resource = match policy.resource_constraint() {
            ResourceConstraint::Any => Side::ANY,
            ResourceConstraint::In(uid) => Side::anchored(uid, false),
            ResourceConstraint::Eq(uid) => Side::anchored(uid, true),
            ResourceConstraint::Is(kind) => Side {
                kind: Some(kind),
                ..Side::ANY
            },
            ResourceConstraint::IsIn(kind, uid) => Side {
                kind: Some(kind),
                ..Side::anchored(uid, false)
            },
        };
        let (actions, named) = actions(&policy.action_constraint());
        Self {
            principal,
            resource,
            actions,
            named,
        }
    }

    /// Whether a policy found under its anchors can apply.
    pub(crate) fn applies(
        &self,
        principal: &EntityUid,
        action: Action,
        resource: &EntityUid,
    ) -> bool {
        self.actions.contains(action)
            && self.principal.holds(principal)
            && self.resource.holds(resource)
    }
}

/// The actions of a head, and those that it names.
fn actions(constraint: &ActionConstraint) -> (ActionSet, ActionSet) {
    let (mut all, mut named) = (ActionSet::default(), ActionSet::default());
    let mut add = |uid: &EntityUid| {
        let name = uid.id().unescaped();
        for action in Action::ALL {
            if action.name() == name {
                named.insert(*action);
            }
            if action.name() == name || action.is_in(name) {
                all.insert(*action);
            }
        }
    };
    match constraint {
        ActionConstraint::Any => return (ActionSet::ALL, named),
        // `action == Action::"use"` names the group itself, which is never
        // requested; taking in its members only makes the slice larger.
        ActionConstraint::Eq(uid) => add(uid),
        ActionConstraint::In(uids) => uids.iter().for_each(add),
    }
    (all, named)
}
