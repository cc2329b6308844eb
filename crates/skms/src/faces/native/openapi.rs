//! The OpenAPI document, assembled from the wire room's route table and
//! message types, so that it cannot describe anything else.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use skms_wire::native::{
    events::LAST_EVENT_ID_HEADER,
    openapi::schemas,
    page::PageQuery,
    problem::MEDIA_TYPE,
    routes::{
        Answer, Auth, Body, IDEMPOTENCY_HEADER, NAMESPACE_HEADER, PREFIX, REQUEST_ID_HEADER,
        ROUTES, Route,
    },
    terms::KeyFormat,
};

/// The document as it is served.
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
        text.push('\n');
        text
    });
    &TEXT
}

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths
            .entry(format!("{PREFIX}{}", route.path))
            .or_insert_with(|| json!({}));
        if let Value::Object(methods) = path {
            methods.insert(route.method.name().to_ascii_lowercase(), operation(route));
        }
    }
    let schemas: Map<String, Value> = schemas()
        .into_iter()
        .map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default()))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "SKMS",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A key management system. Bytes are standard base64 with padding, \
                instants RFC 3339 in UTC, errors application/problem+json (RFC 9457).",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Problem": {
                    "description": "Why it was not done; the types are in docs/problems.md.",
                    "content": {MEDIA_TYPE: {"schema": reference("Problem")}},
                },
            },
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "certificate": {"type": "mutualTLS"},
            },
        },
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "parameters": parameters(route),
        "responses": {
            route.answer.status().to_string(): good(route),
            "default": {"$ref": "#/components/responses/Problem"},
        },
    });
    if let Value::Object(members) = &mut operation {
        if let Some(body) = body(route.body) {
            members.insert("requestBody".into(), body);
        }
        match route.auth {
            Auth::Open => {
                members.insert("security".into(), json!([]));
            }
            Auth::Message(action) => {
                members.insert("security".into(), json!([]));
                members.insert(
                    "description".into(),
                    format!(
                        "The message proves who sends it. Needs a policy that permits `{action}`, \
                         or `key.distribute` where it asks for a key that is there."
                    )
                    .into(),
                );
            }
            Auth::Action(action) => {
                members.insert(
                    "security".into(),
                    json!([{"token": []}, {"certificate": []}]),
                );
                members.insert(
                    "description".into(),
                    format!("Needs a policy that permits `{action}`.").into(),
                );
            }
        }
    }
    operation
}

fn parameters(route: &Route) -> Vec<Value> {
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})
        })
        .collect();
    let query = |name: &str, about: &str, schema: Value| {
        json!({"name": name, "in": "query", "required": false, "description": about,
            "schema": schema})
    };
    if let Answer::Page(_) = route.answer {
        parameters.push(query(
            "limit",
            "At most this many items.",
            json!({"type": "integer", "minimum": 1, "maximum": PageQuery::LIMIT_MAX,
                "default": PageQuery::LIMIT_DEFAULT}),
        ));
        parameters.push(query(
            "after",
            "The next of the page before.",
            json!({"type": "string"}),
        ));
    }
    if ["event-list", "event-stream"].contains(&route.id) {
        for (name, about) in [
            (
                "action",
                "Actions, with commas between them: key.revoke, or key.* for all that begin so.",
            ),
            ("outcome", "Outcomes: success, denied, failed."),
            (
                "target",
                "Names of targets, whole (team/default/orders) or their last part; * stands for \
                 any characters, ? for one.",
            ),
        ] {
            parameters.push(query(name, about, json!({"type": "string"})));
        }
    }
    if route.id == "event-stream" {
        parameters.push(query(
            "after",
            "The place after which to begin; now if left out.",
            json!({"type": "string"}),
        ));
    }
    if route.id == "key-due" {
        parameters.push(query(
            "within_seconds",
            "How far ahead to look; 30 days if left out.",
            json!({"type": "integer", "minimum": 0, "default": 2_592_000}),
        ));
        parameters.push(query(
            "limit",
            "At most this many items.",
            json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 1000}),
        ));
    }
    if route.id == "key-public" {
        let formats: Vec<&str> = KeyFormat::ALL.iter().map(|format| format.word()).collect();
        parameters.push(query(
            "version",
            "The version; the newest if left out.",
            json!({"type": "integer", "minimum": 1}),
        ));
        parameters.push(query(
            "format",
            "How to write it; spki-pem if left out.",
            json!({"type": "string", "enum": formats}),
        ));
    }
    let header = |name: &str, about: &str| {
        json!({"name": name, "in": "header", "required": false, "description": about,
            "schema": {"type": "string"}})
    };
    if route.id == "event-stream" {
        parameters.push(header(
            LAST_EVENT_ID_HEADER,
            "The last place seen; it counts before the query's.",
        ));
    }
    if let Auth::Action(_) = route.auth {
        parameters.push(header(NAMESPACE_HEADER, "The namespace; root if left out."));
    }
    if route.takes_idempotency_key() {
        parameters.push(header(
            IDEMPOTENCY_HEADER,
            "A fresh name for this request, 1 to 255 printable ASCII characters. Sent again \
             under it within a day, the request is not done again and is answered the same.",
        ));
    }
    parameters.push(header(
        REQUEST_ID_HEADER,
        "A name for the request, echoed in the answer and the log.",
    ));
    parameters
}

fn body(body: Body) -> Option<Value> {
    let (schema, required) = match body {
        Body::None => return None,
        Body::Json(name) => (reference(name), true),
        Body::OptionalJson(name) => (reference(name), false),
        Body::OneOrBatch(name) => (
            json!({"oneOf": [reference(name), {
                "type": "object",
                "required": ["batch"],
                "additionalProperties": false,
                "properties": {
                    "batch": {"type": "array", "minItems": 1, "items": reference(name)},
                },
            }]}),
            true,
        ),
    };
    Some(json!({"required": required, "content": {"application/json": {"schema": schema}}}))
}

/// The description of a good answer.
fn good(route: &Route) -> Value {
    let schema = match route.answer {
        Answer::Empty => return json!({"description": "Done."}),
        Answer::Document(media_type) => {
            let schema = match media_type {
                "application/json" => json!({"type": "object"}),
                "application/octet-stream" => json!({"type": "string", "format": "binary"}),
                _ => json!({"type": "string"}),
            };
            let essence = media_type.split(';').next().unwrap_or(media_type);
            return json!({"description": "The document.",
                "content": {essence: {"schema": schema}}});
        }
        Answer::Json(name) | Answer::Created(name) => reference(name),
        Answer::Page(name) => json!({
            "type": "object",
            "required": ["items", "next"],
            "properties": {
                "items": {"type": "array", "items": reference(name)},
                "next": {"type": ["string", "null"],
                    "description": "Where the next page begins; null on the last one."},
            },
        }),
        Answer::OneOrResults(name) => json!({"oneOf": [reference(name), {
            "type": "object",
            "required": ["results"],
            "properties": {"results": {"type": "array", "items": {"oneOf": [
                {"type": "object", "required": ["ok"], "additionalProperties": false,
                    "properties": {"ok": reference(name)}},
                {"type": "object", "required": ["problem"], "additionalProperties": false,
                    "properties": {"problem": reference("Problem")}},
            ]}}},
        }]}),
    };
    json!({"description": "Done.", "content": {"application/json": {"schema": schema}}})
}

#[cfg(test)]
mod tests {
    use skms_wire::native::ProblemKind;

    use super::*;

    #[test]
    fn the_document_in_docs_is_the_one_that_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        if std::env::var_os("SKMS_WRITE_OPENAPI").is_some() {
            std::fs::write(path, text()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == text(),
            "docs/openapi.json is not current; write it anew with \
             `SKMS_WRITE_OPENAPI=1 cargo test -p skms openapi`"
        );
    }

    #[test]
    fn the_page_in_docs_lists_every_route() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md");
        let page = std::fs::read_to_string(path).unwrap();
        let mut table = String::from("| | path | what | needs |\n| --- | --- | --- | --- |\n");
        for route in ROUTES {
            let needs = match route.auth {
                Auth::Open => "nothing".to_owned(),
                Auth::Action(action) | Auth::Message(action) => format!("`{action}`"),
            };
            table.push_str(&format!(
                "| {} | `{}` | {} | {needs} |\n",
                route.method.name(),
                route.path,
                route.summary
            ));
        }
        let (before, rest) = page.split_once("<!-- routes -->\n").unwrap();
        let (between, after) = rest.split_once("<!-- end of routes -->\n").unwrap();
        if std::env::var_os("SKMS_WRITE_OPENAPI").is_some() {
            let page = format!("{before}<!-- routes -->\n{table}<!-- end of routes -->\n{after}");
            std::fs::write(path, page).unwrap();
        } else {
            assert!(
                between == table,
                "docs/api.md is not current; write it anew with \
                 `SKMS_WRITE_OPENAPI=1 cargo test -p skms openapi`"
            );
        }
    }

    #[test]
    fn every_route_and_problem_status_is_described() {
        let document = document();
        for route in ROUTES {
            let path = format!("{PREFIX}{}", route.path);
            let method = route.method.name().to_ascii_lowercase();
            assert_eq!(document["paths"][&path][&method]["operationId"], route.id);
        }
        assert!(ProblemKind::ALL.iter().all(|kind| kind.status() >= 400));
    }
}
