//! What SSH authorities publish: `/pki/{namespace}/ssh/{authority}/krl`, sshd's
//! `RevokedKeys`, and `…/ca.pub`, its `TrustedUserCAKeys`.

use axum::body::Bytes;
use skms_engine::{Engine, Error};

use super::{Found, PREFIX};

/// The media type of key revocation lists, which have none of their own.
pub const LIST: &str = "application/octet-stream";

/// What is asked for: of which namespace, and of which authority.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// The revocation list.
    List(&'a str, &'a str),
    /// The authority's public key.
    Key(&'a str, &'a str),
}

/// Reads a path. No issuer of a certificate authority called `ssh` has one of
/// these: theirs are numbered.
pub fn read_path(path: &str) -> Option<Asked<'_>> {
    let parts: Vec<&str> = path.strip_prefix(PREFIX)?.split('/').collect();
    match parts.as_slice() {
        [namespace, "ssh", name, "krl"] => Some(Asked::List(namespace, name)),
        [namespace, "ssh", name, "ca.pub"] => Some(Asked::Key(namespace, name)),
        _ => None,
    }
}

/// What is published there.
pub fn found(engine: &Engine, asked: &Asked<'_>) -> Result<Found, Error> {
    match asked {
        Asked::List(namespace, name) => {
            let list = engine.published_ssh_list(namespace, name)?;
            Ok(Found {
                kind: LIST,
                tag: super::tag(&list.digest),
                bytes: Bytes::from_owner(list.bytes),
                span: None,
            })
        }
        Asked::Key(namespace, name) => {
            let line = engine.published_ssh_key(namespace, name)?;
            let text = format!("{line}\n").into_bytes();
            Ok(Found::own("text/plain; charset=utf-8", text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_authorities_publish_has_paths_of_its_own() {
        assert_eq!(
            read_path("/pki/team/ssh/users/krl"),
            Some(Asked::List("team", "users"))
        );
        assert_eq!(read_path("/pki/a/ssh/1/ca.pub"), Some(Asked::Key("a", "1")));
        for other in [
            "/pki/a/ssh/1/ca.crt",
            "/pki/a/ssh/krl",
            "/pki/a/b/c/krl",
            "/pki/a/ssh/b/krl/",
            "/a/ssh/b/krl",
        ] {
            assert_eq!(read_path(other), None, "{other}");
        }
    }
}
