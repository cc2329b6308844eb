//! From a request's path to a row of the route table, and the values of its
//! parameters. A segment that is spelt out goes before one that is a
//! parameter; values are percent-decoded (RFC 3986, section 2.1) one by one,
//! so an encoded slash stays inside its segment.

use skms_wire::native::routes::{Method, PREFIX, ROUTES};

/// A parameter's name, as the table has it, and its value.
pub type Param = (&'static str, String);

/// What a path and a method lead to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A row of the table, by its place, and the parameters.
    Route(usize, Vec<Param>),
    /// The path is served, with other methods.
    OtherMethods(Vec<Method>),
    /// No row has such a path.
    Nothing,
    /// A row of the table, and a parameter that is not percent-encoded UTF-8.
    Malformed(usize),
}

/// The paths of the table, as a tree of segments.
#[derive(Default)]
pub struct Paths {
    spelt: Vec<(&'static str, Paths)>,
    parameter: Option<(&'static str, Box<Paths>)>,
    routes: Vec<(Method, usize)>,
}

impl Paths {
    /// The tree of [`ROUTES`].
    #[must_use]
    pub fn of_table() -> Self {
        let mut root = Self::default();
        for (place, route) in ROUTES.iter().enumerate() {
            let end = route.path.split('/').skip(1).fold(&mut root, Self::below);
            end.routes.push((route.method, place));
        }
        root
    }

    fn below(&mut self, segment: &'static str) -> &mut Self {
        if let Some(name) = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
        {
            return &mut self
                .parameter
                .get_or_insert_with(|| (name, Box::default()))
                .1;
        }
        let at = match self.spelt.iter().position(|(known, _)| *known == segment) {
            Some(at) => at,
            None => {
                self.spelt.push((segment, Self::default()));
                self.spelt.len() - 1
            }
        };
        &mut self.spelt[at].1
    }

    /// Finds the row for a request.
    #[must_use]
    pub fn find(&self, method: &http::Method, path: &str) -> Found {
        let Some(path) = path
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.strip_prefix('/'))
        else {
            return Found::Nothing;
        };
        let mut values = Vec::new();
        let Some(end) = self.walk(path, &mut values) else {
            return Found::Nothing;
        };
        let Some((_, place)) = end.routes.iter().find(|(known, _)| serves(*known, method)) else {
            return Found::OtherMethods(end.routes.iter().map(|(method, _)| *method).collect());
        };
        values
            .into_iter()
            .map(|(name, raw)| decode(raw).map(|value| (name, value)))
            .collect::<Option<_>>()
            .map_or(Found::Malformed(*place), |params| {
                Found::Route(*place, params)
            })
    }

    /// The node that a path ends at, if it has rows.
    fn walk<'a>(&self, path: &'a str, values: &mut Vec<(&'static str, &'a str)>) -> Option<&Self> {
        let (segment, rest) = match path.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (path, None),
        };
        let spelt = self.spelt.iter().find(|(known, _)| *known == segment);
        if let Some(end) = spelt.and_then(|(_, node)| node.end(rest, values)) {
            return Some(end);
        }
        let (name, node) = self.parameter.as_ref()?;
        if segment.is_empty() {
            return None;
        }
        values.push((name, segment));
        let end = node.end(rest, values);
        if end.is_none() {
            values.pop();
        }
        end
    }

    fn end<'a>(
        &self,
        rest: Option<&'a str>,
        values: &mut Vec<(&'static str, &'a str)>,
    ) -> Option<&Self> {
        match rest {
            Some(rest) => self.walk(rest, values),
            None => (!self.routes.is_empty()).then_some(self),
        }
    }
}

/// HEAD is GET without the body (RFC 9110, section 9.3.2).
fn serves(known: Method, method: &http::Method) -> bool {
    match known {
        Method::Get => method == http::Method::GET || method == http::Method::HEAD,
        Method::Post => method == http::Method::POST,
        Method::Put => method == http::Method::PUT,
        Method::Patch => method == http::Method::PATCH,
        Method::Delete => method == http::Method::DELETE,
    }
}

fn decode(raw: &str) -> Option<String> {
    if !raw.contains('%') {
        return Some(raw.to_owned());
    }
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: http::Method, path: &str) -> (String, Vec<Param>) {
        match Paths::of_table().find(&method, path) {
            Found::Route(place, params) => (ROUTES[place].id.to_owned(), params),
            other => (format!("{other:?}"), Vec::new()),
        }
    }

    #[test]
    fn every_row_is_found_by_its_own_path() {
        let paths = Paths::of_table();
        for (place, route) in ROUTES.iter().enumerate() {
            let path = format!("{PREFIX}{}", route.path.replace('{', "%7B"));
            let method = http::Method::from_bytes(route.method.name().as_bytes()).unwrap();
            let Found::Route(found, params) = paths.find(&method, &path) else {
                panic!("{} is not found", route.id);
            };
            assert_eq!(found, place, "{}", route.id);
            for (name, value) in params {
                assert_eq!(value, format!("{{{name}}}"), "{}", route.id);
            }
        }
    }

    #[test]
    fn what_is_spelt_out_goes_before_a_parameter() {
        assert_eq!(
            find(http::Method::GET, "/api/v1/tokens/self").0,
            "token-self"
        );
        let (id, params) = find(http::Method::GET, "/api/v1/tokens/abc");
        assert_eq!(id, "token-read");
        assert_eq!(params, [("token", "abc".to_owned())]);
    }

    #[test]
    fn parameters_are_decoded_after_the_path_is_split() {
        let (id, params) = find(http::Method::GET, "/api/v1/policies/a%2Fb%c3%a9+");
        assert_eq!(id, "policy-read");
        assert_eq!(params, [("policy", "a/b\u{e9}+".to_owned())]);
        for bad in ["%", "%f", "%zz", "%ff"] {
            let path = format!("/api/v1/policies/{bad}");
            assert!(
                find(http::Method::GET, &path).0.starts_with("Malformed"),
                "{bad}"
            );
        }
    }

    #[test]
    fn what_is_not_served_is_not_found() {
        for path in [
            "",
            "/",
            "/api/v1",
            "/api/v1/",
            "/api/v10/health",
            "/api/v1/nonesuch",
            "/api/v1/policies/",
            "/api/v1/policies/p/",
            "/api/v1//health",
            "/api/v1/health/more",
        ] {
            assert_eq!(find(http::Method::GET, path).0, "Nothing", "{path}");
        }
    }

    #[test]
    fn other_methods_are_named() {
        let paths = Paths::of_table();
        assert_eq!(
            paths.find(&http::Method::POST, "/api/v1/policies/p"),
            Found::OtherMethods(vec![Method::Get, Method::Put, Method::Delete])
        );
        assert_eq!(find(http::Method::HEAD, "/api/v1/health").0, "health");
    }
}
