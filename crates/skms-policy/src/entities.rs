//! A request in Cedar's terms: the three entities and the context.

use std::collections::BTreeSet;

use cedar_policy::{Entities, Entity, EntityUid, RestrictedExpression};

use crate::{
    Context, ContextFields, Principal, ResourceKind, ResourceRef,
    name::{joined, qualified},
    schema::Model,
};

/// Why a request could not be put in Cedar's terms; always answered by a
/// refusal.
pub(crate) type Unspoken = String;

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn texts(values: &BTreeSet<String>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.iter().map(|value| text(value)))
}

/// A principal's entity and everything it lies in.
pub(crate) struct Subject {
    pub(crate) uid: EntityUid,
    pub(crate) parents: Vec<EntityUid>,
}

pub(crate) fn subject(model: &Model, principal: &Principal) -> Subject {
    let uid = model.principal_uid(&qualified(principal.namespace(), principal.id()));
    let mut parents: Vec<EntityUid> = principal
        .groups()
        .iter()
        .map(|group| model.group_uid(&qualified(principal.namespace(), group)))
        .collect();
    parents.extend(model.uid(ResourceKind::Namespace, principal.namespace()));
    Subject { uid, parents }
}

pub(crate) fn subject_entity(subject: &Subject, principal: &Principal) -> Result<Entity, Unspoken> {
    Entity::new_with_tags(
        subject.uid.clone(),
        [
            ("id".to_owned(), text(principal.id())),
            ("namespace".to_owned(), text(principal.namespace())),
            ("kind".to_owned(), text(principal.kind().name())),
            ("groups".to_owned(), texts(principal.groups())),
        ],
        subject.parents.iter().cloned(),
        principal
            .attributes()
            .iter()
            .map(|(key, value)| (key.clone(), text(value))),
    )
    .map_err(|error| error.to_string())
}

/// A resource's entity id and everything it lies in.
pub(crate) struct Object {
    pub(crate) uid: EntityUid,
    pub(crate) parents: Vec<EntityUid>,
}

pub(crate) fn object(model: &Model, resource: &ResourceRef<'_>) -> Result<Object, Unspoken> {
    let ResourceRef {
        kind,
        namespace,
        keyring,
        authority,
        name,
        ..
    } = *resource;
    let id = match kind {
        ResourceKind::System | ResourceKind::Namespace => name.to_owned(),
        ResourceKind::Keyring
        | ResourceKind::Policy
        | ResourceKind::Token
        | ResourceKind::Authority
        | ResourceKind::SshAuthority
        | ResourceKind::Tsa
        | ResourceKind::Trust
        | ResourceKind::KeyGroup
        | ResourceKind::Rule
        | ResourceKind::Channel => joined(&[namespace, name]),
        ResourceKind::SshRole => joined(&[namespace, authority, name]),
        ResourceKind::Key => joined(&[namespace, keyring, name]),
        ResourceKind::Principal => qualified(namespace, name),
    };
    let uid = model.uid(kind, &id).ok_or("no such resource type")?;
    let mut parents = Vec::new();
    if kind == ResourceKind::Key {
        parents.extend(model.uid(ResourceKind::Keyring, &joined(&[namespace, keyring])));
    }
    if kind == ResourceKind::SshRole {
        let above = joined(&[namespace, authority]);
        parents.extend(model.uid(ResourceKind::SshAuthority, &above));
    }
    if !matches!(kind, ResourceKind::System | ResourceKind::Namespace) {
        parents.extend(model.uid(ResourceKind::Namespace, namespace));
    }
    if kind == ResourceKind::Principal {
        parents.extend(
            resource
                .groups
                .into_iter()
                .flatten()
                .map(|group| model.group_uid(&qualified(namespace, group))),
        );
    }
    Ok(Object { uid, parents })
}

pub(crate) fn object_entity(
    object: &Object,
    resource: &ResourceRef<'_>,
) -> Result<Entity, Unspoken> {
    let empty = BTreeSet::new();
    let name = ("name".to_owned(), text(resource.name));
    let id = ("id".to_owned(), text(resource.name));
    let namespace = ("namespace".to_owned(), text(resource.namespace));
    let groups = (
        "groups".to_owned(),
        texts(resource.groups.unwrap_or(&empty)),
    );
    let attributes = match resource.kind {
        ResourceKind::System => vec![],
        ResourceKind::Namespace => vec![name],
        ResourceKind::Keyring
        | ResourceKind::Policy
        | ResourceKind::Authority
        | ResourceKind::SshAuthority
        | ResourceKind::Tsa
        | ResourceKind::Trust
        | ResourceKind::KeyGroup
        | ResourceKind::Rule
        | ResourceKind::Channel => vec![name, namespace],
        ResourceKind::SshRole => vec![
            name,
            namespace,
            ("authority".to_owned(), text(resource.authority)),
        ],
        ResourceKind::Token => vec![
            id,
            namespace,
            groups,
            ("principal".to_owned(), text(resource.principal)),
        ],
        ResourceKind::Principal => vec![id, namespace, groups],
        ResourceKind::Key => vec![
            name,
            namespace,
            ("keyring".to_owned(), text(resource.keyring)),
            ("algorithm".to_owned(), text(resource.algorithm)),
            ("owner".to_owned(), text(resource.owner)),
            (
                "exportable".to_owned(),
                RestrictedExpression::new_bool(resource.exportable),
            ),
        ],
    };
    Entity::new_with_tags(
        object.uid.clone(),
        attributes,
        object.parents.iter().cloned(),
        resource
            .tags
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), text(value))),
    )
    .map_err(|error| error.to_string())
}

/// The circumstances, as far as any policy mentions them: an address costs
/// Cedar more than the rest of a decision.
pub(crate) fn context(
    context: &Context,
    mentioned: ContextFields,
) -> Result<cedar_policy::Context, Unspoken> {
    let mut pairs = vec![
        (
            "now".to_owned(),
            RestrictedExpression::new_long(context.now_unix),
        ),
        (
            "tls".to_owned(),
            RestrictedExpression::new_bool(context.tls),
        ),
        (
            "certificate".to_owned(),
            RestrictedExpression::new_bool(context.certificate),
        ),
    ];
    if let Some(address) = context.source_ip
        && mentioned.contains(ContextFields::SOURCE_IP)
    {
        pairs.push((
            "source_ip".to_owned(),
            RestrictedExpression::new_ip(address.to_canonical().to_string()),
        ));
    }
    cedar_policy::Context::from_pairs(pairs).map_err(|error| error.to_string())
}

/// Principal, action and resource. No resource is of the principal's type, so
/// neither can stand in for the other.
pub(crate) fn entities(
    action: &Entity,
    subject: (&Subject, &Principal),
    object: (&Object, &ResourceRef<'_>),
) -> Result<Entities, Unspoken> {
    let all = [
        action.clone(),
        subject_entity(subject.0, subject.1)?,
        object_entity(object.0, object.1)?,
    ];
    Entities::from_entities(all, None).map_err(|error| error.to_string())
}
