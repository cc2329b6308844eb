//! What the served OpenAPI document says about an exchange.

use std::{cell::RefCell, collections::BTreeSet};

use serde_json::{Value, json};
use skms_wire::native::routes::{PREFIX, Route, by_id};

use crate::{house::Server, wire::Answer};

/// A server whose every answer is held against its own description.
pub struct Described<'a> {
    server: &'a Server,
    document: Value,
    hit: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Described<'a> {
    pub fn new(server: &'a Server) -> Self {
        let document = server.must("GET", "/api/v1/openapi.json", None);
        Self {
            server,
            document,
            hit: RefCell::new(BTreeSet::new()),
        }
    }

    /// The routes that answered well at least once.
    pub fn hit(&self) -> BTreeSet<&'static str> {
        self.hit.borrow().clone()
    }

    /// Calls a route that has to answer well, and gives its answer.
    pub fn good(&self, id: &str, parameters: &[&str], body: Option<Value>) -> Value {
        let (route, answer) = self.call(id, parameters, body);
        assert_eq!(
            answer.status,
            route.answer.status(),
            "{id}: {}",
            answer.text()
        );
        self.hit.borrow_mut().insert(route.id);
        match answer.header("content-type") {
            Some("application/json") => answer.json(),
            _ => Value::String(answer.text()),
        }
    }

    /// Calls a route that has to answer with a problem, and gives its kind.
    pub fn bad(&self, id: &str, parameters: &[&str], body: Option<Value>) -> String {
        let (_, answer) = self.call(id, parameters, body);
        assert!(answer.status >= 400, "{id}: {}", answer.text());
        answer.problem()
    }

    /// What somebody else is answered, with a token.
    pub fn as_other(&self, token: &str, method: &str, path: &str) -> Answer {
        self.server.ask_as(token, method, path, None)
    }

    fn call(&self, id: &str, parameters: &[&str], body: Option<Value>) -> (&'static Route, Answer) {
        let route = by_id(id).unwrap();
        let operation = self.operation(route);
        let (path, query) = fill(route.path, parameters);
        if let Some(body) = &body {
            self.check_request(id, operation, body);
        }
        let answer = self
            .server
            .ask(route.method.name(), &format!("{PREFIX}{path}{query}"), body);
        self.check_answer(id, operation, &answer);
        (route, answer)
    }

    /// That a request and its answer, however they were sent, are as described.
    pub fn are_described(&self, id: &str, body: &Value, answer: &Answer) {
        let operation = self.operation(by_id(id).unwrap());
        self.check_request(id, operation, body);
        self.check_answer(id, operation, answer);
    }

    fn operation(&self, route: &Route) -> &Value {
        let operation = &self.document["paths"][format!("{PREFIX}{}", route.path)]
            [route.method.name().to_ascii_lowercase()];
        assert_eq!(operation["operationId"], route.id);
        operation
    }

    fn check_request(&self, id: &str, operation: &Value, body: &Value) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        self.check(&format!("{id}'s request"), schema, body);
    }

    fn check_answer(&self, id: &str, operation: &Value, answer: &Answer) {
        let responses = &operation["responses"];
        let (described, media_type) = if answer.status < 400 {
            let described = &responses[answer.status.to_string()];
            assert!(
                described.is_object(),
                "{id}: {} is not described",
                answer.status
            );
            (described.clone(), "application/json")
        } else {
            assert_eq!(
                responses["default"]["$ref"],
                "#/components/responses/Problem"
            );
            let problem = &self.document["components"]["responses"]["Problem"];
            (problem.clone(), "application/problem+json")
        };
        let Some(content) = described.get("content") else {
            assert!(answer.body.is_empty(), "{id}: {}", answer.text());
            return;
        };
        if let Some(schema) = content.get(media_type).and_then(|c| c.get("schema")) {
            assert_eq!(answer.header("content-type"), Some(media_type), "{id}");
            self.check(&format!("{id}'s answer"), schema, &answer.json());
        } else {
            let described = content.as_object().unwrap().keys().next().unwrap();
            let sent = answer.header("content-type").unwrap();
            assert!(sent.starts_with(described.as_str()), "{id}: {sent}");
        }
    }

    fn check(&self, what: &str, schema: &Value, value: &Value) {
        let whole = json!({"allOf": [schema], "components": self.document["components"]});
        let validator = jsonschema::draft202012::new(&whole).unwrap();
        let faults: Vec<String> = validator
            .iter_errors(value)
            .map(|fault| format!("{} at {}", fault, fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{what}: {faults:?}\n{value:#}");
    }
}

/// Puts parameters into a path; what begins with `?` is the query.
pub fn fill(path: &str, parameters: &[&str]) -> (String, String) {
    let (query, parameters): (Vec<&str>, Vec<&str>) =
        parameters.iter().partition(|text| text.starts_with('?'));
    let mut parameters = parameters.into_iter();
    let parts: Vec<&str> = path
        .split('/')
        .map(|part| match part.starts_with('{') {
            true => parameters.next().unwrap(),
            false => part,
        })
        .collect();
    assert!(parameters.next().is_none(), "{path} has fewer parameters");
    (parts.join("/"), query.concat())
}
