//! What a request says, as its approvers are shown it. What the schema says is
//! a secret, and what it does not know, is not shown and only a digest of it is
//! kept.

use std::{collections::BTreeMap, sync::LazyLock};

use http::request::Parts;
use serde_json::Value;
use skms_engine::approvals::Asked;
use skms_wire::native::{
    openapi::schemas,
    read,
    routes::{APPROVAL_HEADER, APPROVAL_REASON_HEADER, Auth, Body, Route},
};

use super::{App, error::Failure, paths::Param};

/// The schemas of what is never shown.
const SECRETS: [&str; 2] = ["SecretBytes", "SecretText"];

/// What the request says, if it comes with approvals or may have to wait for
/// some.
///
/// # Errors
/// [`skms_wire::native::ProblemKind::MalformedRequest`] for headers that are
/// none.
pub fn asked(
    app: &App,
    route: &Route,
    (parts, namespace): (&Parts, &str),
    params: &[Param],
    body: &[u8],
) -> Result<Option<Asked>, Failure> {
    let Auth::Action(action) = route.auth else {
        return Ok(None);
    };
    let header = |name: &str| {
        let mut sent = parts.headers.get_all(name).iter();
        match (sent.next().map(|value| value.to_str()), sent.next()) {
            (None, _) => Ok(None),
            (Some(Ok(text)), None) => Ok(Some(text.to_owned())),
            _ => Err(Failure::malformed(format!("{name} is one plain text"))),
        }
    };
    let (approvals, reason) = (header(APPROVAL_HEADER)?, header(APPROVAL_REASON_HEADER)?);
    // Operations on data are many: only for those that a policy could mark.
    let many = matches!(route.body, Body::OneOrBatch(_)).then_some(action);
    if approvals.is_none() && reason.is_none() && !app.engine.minds_approvals(many) {
        return Ok(None);
    }
    let mut asked = said(route, (parts, namespace), params, body);
    if let Some(list) = approvals {
        asked = asked.with_approvals(&list)?;
    }
    if let Some(reason) = reason {
        asked = asked.with_reason(&reason)?;
    }
    Ok(Some(asked))
}

fn said(route: &Route, (parts, namespace): (&Parts, &str), params: &[Param], body: &[u8]) -> Asked {
    let text = |value: &str| Value::from(value).to_string();
    let mut asked = Asked::new(route.id).with(":namespace", &text(namespace));
    for (name, value) in params {
        asked = asked.with(&format!(":{name}"), &text(value));
    }
    // In the order in which it came: another order is another call.
    if let Some(query) = parts.uri.query().filter(|query| !query.is_empty()) {
        asked = asked.with("?", &text(query));
    }
    // A body that does not read is refused by its handler.
    let Ok(body) = read::json::<Value>(body) else {
        return asked.with_secret("", body);
    };
    let schema = match route.body {
        Body::None => None,
        Body::Json(name) | Body::OptionalJson(name) => Some(reference(name)),
        Body::OneOrBatch(name) if body.get("batch").is_some() => Some(serde_json::json!({
            "properties": {"batch": {"items": reference(name)}}
        })),
        Body::OneOrBatch(name) => Some(reference(name)),
    };
    let mut shown = body;
    let mut secrets = Vec::new();
    let schema: Vec<&Value> = schema.iter().collect();
    take_secrets(&mut shown, &schema, &mut String::new(), &mut secrets);
    let asked = asked.with_body(&shown);
    secrets.iter().fold(asked, |asked, (name, value)| {
        asked.with_secret(name, value.to_string().as_bytes())
    })
}

fn reference(name: &str) -> Value {
    serde_json::json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Replaces every secret by `"(secret)"` and gives what it was, with its name.
fn take_secrets(
    value: &mut Value,
    schemas: &[&Value],
    at: &mut String,
    into: &mut Vec<(String, Value)>,
) {
    let known = resolved(schemas);
    if known.is_empty() || known.iter().any(|(name, _)| is_secret(name)) {
        let secret = std::mem::replace(value, Value::from("(secret)"));
        into.push((at.clone(), secret));
        return;
    }
    let length = at.len();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let below: Vec<&Value> = (known.iter())
                    .filter_map(|(_, schema)| {
                        let own = schema.get("properties").and_then(|all| all.get(name));
                        own.or_else(|| schema.get("additionalProperties"))
                    })
                    .filter(|schema| schema.is_object())
                    .collect();
                at.push('/');
                at.push_str(name);
                take_secrets(member, &below, at, into);
                at.truncate(length);
            }
        }
        Value::Array(items) => {
            let below: Vec<&Value> = (known.iter())
                .filter_map(|(_, schema)| schema.get("items"))
                .collect();
            for (number, item) in items.iter_mut().enumerate() {
                at.push('/');
                at.push_str(&number.to_string());
                take_secrets(item, &below, at, into);
                at.truncate(length);
            }
        }
        _ => {}
    }
}

fn is_secret(name: &str) -> bool {
    SECRETS.contains(&name)
}

/// The schemas that these are or are made of, with their names.
fn resolved<'a>(schemas: &[&'a Value]) -> Vec<(&'a str, &'a Value)> {
    static ALL: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
        let all = schemas_by_name();
        all.collect()
    });
    let mut found = Vec::new();
    let mut left: Vec<(&str, &Value)> = schemas.iter().map(|schema| ("", *schema)).collect();
    while let Some((name, schema)) = left.pop() {
        found.push((name, schema));
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let name = name.rsplit('/').next().unwrap_or_default();
            if let Some((name, schema)) = ALL.get_key_value(name) {
                left.push((name, schema));
            }
        }
        for of in ["oneOf", "anyOf", "allOf"] {
            let parts = schema.get(of).and_then(Value::as_array);
            left.extend(parts.into_iter().flatten().map(|part| ("", part)));
        }
    }
    found
}

fn schemas_by_name() -> impl Iterator<Item = (String, Value)> {
    schemas()
        .into_iter()
        .map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use skms_wire::native::routes::route;

    use super::*;

    fn taken(id: &str, body: Value) -> (Value, Vec<(String, Value)>) {
        let (Body::Json(name) | Body::OptionalJson(name)) = route(id).body else {
            panic!("{id} takes no body");
        };
        let (mut shown, mut secrets) = (body, Vec::new());
        let schema = reference(name);
        take_secrets(&mut shown, &[&schema], &mut String::new(), &mut secrets);
        (shown, secrets)
    }

    #[test]
    fn secrets_are_not_shown_and_everything_else_is() {
        let (shown, secrets) = taken(
            "key-export",
            json!({"version": 3, "format": "pkcs8-pem", "passphrase": "hunter2",
                "wrapped_with": {"keyring": "default", "name": "kek"}}),
        );
        assert_eq!(
            shown,
            json!({"version": 3, "format": "pkcs8-pem", "passphrase": "(secret)",
                "wrapped_with": {"keyring": "default", "name": "kek"}})
        );
        assert_eq!(secrets, [("/passphrase".to_owned(), json!("hunter2"))]);
        let (shown, _) = taken("policy-write", json!({"policy": "permit (principal, ...)"}));
        assert_eq!(shown["policy"], "permit (principal, ...)");
        let (shown, _) = taken(
            "key-create",
            json!({"name": "k", "tags": {"env": "prod"}, "uses": ["sign"]}),
        );
        assert_eq!(
            shown,
            json!({"name": "k", "tags": {"env": "prod"}, "uses": ["sign"]})
        );
    }

    #[test]
    fn what_the_schema_does_not_know_is_not_shown() {
        let (shown, secrets) = taken("key-export", json!({"pasphrase": {"a": "hunter2"}}));
        assert_eq!(shown, json!({"pasphrase": "(secret)"}));
        assert_eq!(secrets.len(), 1);
        let (shown, _) = taken(
            "seal-add",
            json!({"kind": "passphrase", "passphrase": "hunter2"}),
        );
        assert_eq!(shown["passphrase"], "(secret)");
        let (shown, _) = taken("key-import", json!({"name": "k", "key": "AA=="}));
        assert_eq!(shown, json!({"name": "k", "key": "(secret)"}));
    }

    /// Whatever a message holds that is a secret is found by its schema.
    #[test]
    fn every_secret_of_a_request_is_known_by_its_schema() {
        let all: BTreeMap<String, Value> = schemas_by_name().collect();
        let mut secrets = 0;
        for (name, schema) in &all {
            let members = schema.get("properties").and_then(Value::as_object);
            for (member, schema) in members.into_iter().flatten() {
                let sounds = ["passphrase", "secret", "password", "share"];
                let found = resolved(&[schema]).iter().any(|(name, _)| is_secret(name));
                secrets += usize::from(found);
                if name.ends_with("Request") && sounds.contains(&member.as_str()) {
                    assert!(found, "{name}.{member} is shown to approvers");
                }
            }
        }
        assert!(secrets > 10, "{secrets}");
    }
}
