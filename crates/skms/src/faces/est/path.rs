//! Addresses: `/.well-known/est/LABEL/OPERATION` (RFC 7030, section 3.2.2),
//! and `/est/LABEL/.well-known/est/OPERATION` for clients that can put
//! something before the path of the standard and nothing into it.
//!
//! A label is `NAMESPACE:AUTHORITY:PROFILE`; no name has a colon.

use skms_engine::acts::est::Label;

const WELL_KNOWN: &str = "/.well-known/est/";
const BEFORE: &str = "/est/";

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The certificates of the authority (section 4.1).
    CaCerts,
    /// A certificate (section 4.2.1).
    SimpleEnroll,
    /// One in the place of another (section 4.2.2).
    SimpleReenroll,
    /// One with a key that is made here (section 4.4).
    ServerKeyGen,
    /// What to ask for (section 4.5).
    CsrAttrs,
}

impl Operation {
    /// Whether it is asked for with a request that somebody has to answer for.
    pub fn is_enrolment(self) -> bool {
        !matches!(self, Self::CaCerts | Self::CsrAttrs)
    }
}

/// Whether a path belongs to this face.
pub fn serves(path: &str) -> bool {
    path.starts_with(WELL_KNOWN) || path.starts_with(BEFORE)
}

/// The label of an authority and a profile.
pub fn label(namespace: &str, authority: &str, profile: &str) -> String {
    format!("{namespace}:{authority}:{profile}")
}

/// Reads a path.
pub fn read(path: &str) -> Option<(Label<'_>, Operation)> {
    let (label, operation) = match path.strip_prefix(WELL_KNOWN) {
        Some(rest) => rest.split_once('/')?,
        None => path.strip_prefix(BEFORE)?.split_once(WELL_KNOWN)?,
    };
    let operation = match operation {
        "cacerts" => Operation::CaCerts,
        "simpleenroll" => Operation::SimpleEnroll,
        "simplereenroll" => Operation::SimpleReenroll,
        "serverkeygen" => Operation::ServerKeyGen,
        "csrattrs" => Operation::CsrAttrs,
        _ => return None,
    };
    if label.contains('/') {
        return None;
    }
    let mut parts = label.split(':');
    let (namespace, authority, profile) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let label = Label {
        namespace,
        authority,
        profile,
    };
    Some((label, operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_an_address_are_read_and_nothing_else() {
        let expected = Label {
            namespace: "team",
            authority: "web",
            profile: "tls-server",
        };
        let text = label("team", "web", "tls-server");
        for (name, operation) in [
            ("cacerts", Operation::CaCerts),
            ("simpleenroll", Operation::SimpleEnroll),
            ("simplereenroll", Operation::SimpleReenroll),
            ("serverkeygen", Operation::ServerKeyGen),
            ("csrattrs", Operation::CsrAttrs),
        ] {
            for path in [
                format!("/.well-known/est/{text}/{name}"),
                format!("/est/{text}/.well-known/est/{name}"),
            ] {
                assert!(serves(&path));
                assert_eq!(read(&path), Some((expected, operation)), "{path}");
            }
        }
        for bad in [
            "/.well-known/est/cacerts",
            "/.well-known/est/team:web:tls-server",
            "/.well-known/est/team:web:tls-server/",
            "/.well-known/est/team:web:tls-server/fullcmc",
            "/.well-known/est/team:web:tls-server/cacerts/",
            "/.well-known/est/team:web/cacerts",
            "/.well-known/est/a:team:web:tls-server/cacerts",
            "/.well-known/est/team:web:tls-server/x/cacerts",
            "/est/team:web:tls-server/cacerts",
            "/est/x/team:web:tls-server/.well-known/est/cacerts",
            "/est//.well-known/est/cacerts",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
